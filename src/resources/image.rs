//! AWS Deep Learning Containers by short name (docs/aws/sagemaker.md#framework-images;
//! https://github.com/aws/deep-learning-containers/blob/master/available_images.md).

use crate::domain::Scope;

/// What a container is for: training and hosting images live in different repositories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Training,
    Hosting,
}

/// Short name, tag. AWS stopped making PyTorch inference images after 2.6.
const PYTORCH: &[(&str, &str)] = &[
    ("2.3", "2.3.0-cpu-py311-ubuntu20.04-sagemaker"),
    ("2.4", "2.4.0-cpu-py311-ubuntu22.04-sagemaker"),
    ("2.5", "2.5.1-cpu-py311-ubuntu22.04-sagemaker"),
    ("2.6", "2.6.0-cpu-py312-ubuntu22.04-sagemaker"),
    ("2.7", "2.7.1-cpu-py312-ubuntu22.04-sagemaker"),
    ("2.8", "2.8.0-cpu-py312-ubuntu22.04-sagemaker"),
];
const LAST_HOSTING: &str = "2.6";

/// Accounts of regions that are not in the common one.
const ACCOUNTS: &[(&str, &str)] = &[
    ("af-south-1", "626614931356"),
    ("ap-east-1", "871362719292"),
    ("ap-east-2", "975050140332"),
    ("ap-northeast-3", "364406365360"),
    ("ap-south-2", "772153158452"),
    ("ap-southeast-3", "907027046896"),
    ("ap-southeast-4", "457447274322"),
    ("ap-southeast-5", "550225433462"),
    ("ap-southeast-6", "633930458069"),
    ("ap-southeast-7", "590183813437"),
    ("ca-west-1", "204538143572"),
    ("cn-north-1", "727897471807"),
    ("cn-northwest-1", "727897471807"),
    ("eu-central-2", "380420809688"),
    ("eu-south-1", "692866216735"),
    ("eu-south-2", "503227376785"),
    ("il-central-1", "780543022126"),
    ("me-central-1", "914824155844"),
    ("me-south-1", "217643126080"),
    ("mx-central-1", "637423239942"),
    ("us-gov-east-1", "446045086412"),
    ("us-gov-west-1", "442386744353"),
];
const COMMON_ACCOUNT: &str = "763104351884";

/// The registry URI of a short name (`pytorch-2.6`), or the URI itself. `Err` lists the known names.
pub fn uri(image: &str, purpose: Purpose, scope: &Scope) -> Result<String, String> {
    if image.contains('/') {
        return Ok(image.to_owned());
    }
    let version = image.strip_prefix("pytorch-").and_then(|v| PYTORCH.iter().find(|(short, _)| *short == v));
    let Some((_, tag)) = version.filter(|(v, _)| purpose == Purpose::Training || *v <= LAST_HOSTING) else {
        let known = PYTORCH.iter().filter(|(v, _)| purpose == Purpose::Training || *v <= LAST_HOSTING);
        return Err(known.map(|(v, _)| format!("pytorch-{v}")).collect::<Vec<_>>().join(", "));
    };
    let repository = match purpose {
        Purpose::Training => "pytorch-training",
        Purpose::Hosting => "pytorch-inference",
    };
    let account =
        ACCOUNTS.iter().find(|(r, _)| *r == scope.region).map_or(COMMON_ACCOUNT, |(_, account)| account);
    Ok(format!("{account}.dkr.ecr.{}.{}/{repository}:{tag}", scope.region, scope.dns_suffix()))
}
