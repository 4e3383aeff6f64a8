//! AWS's images by short name, and what is wrong with one by its URI (docs/aws/sagemaker.md#framework-images;
//! <https://github.com/aws/deep-learning-containers/blob/master/available_images.md>).

use std::fmt;

use crate::config::section;
use crate::domain::{Code, Scope, codes};
use crate::limits::images::{self, Device, Image, Missing};
use crate::limits::{self, Processor};
use opsctl_iam::arn::{Arn, is_account_id};

pub use crate::limits::images::Purpose;

/// What a script runs in when nothing is said.
pub const DEFAULT: &str = "pytorch-2.6";

/// The variable by which AWS's containers are told which script to run.
pub const PROGRAM: &str = "SAGEMAKER_PROGRAM";
/// The variable by which they are told where it is.
pub const SUBMIT_DIRECTORY: &str = "SAGEMAKER_SUBMIT_DIRECTORY";

/// Stands in where the region is not known either, which has been reported then.
const COMMON_ACCOUNT: &str = "763104351884";

/// Why an image cannot be used.
#[derive(Debug, PartialEq)]
pub struct Refused {
    pub code: Code,
    pub message: String,
    pub help: String,
}

/// The registry URI of a short name (`pytorch-2.6`), or the URI itself, if SageMaker could run it there.
pub fn uri(image: &str, purpose: Purpose, instance_type: &str, scope: &Scope) -> Result<String, Refused> {
    if !image.contains('/') {
        return by_name(image, purpose, instance_type, scope);
    }
    let example = format!("<account>.dkr.ecr.{}.{}/<repository>:<tag>", scope.region, scope.dns_suffix());
    let Some(parts) = Uri::parse(image) else {
        let message = format!("\"{image}\" is in no registry that SageMaker pulls from");
        let help = format!("write a short name, as pytorch-2.6 or sklearn-1.2, or {example}");
        return Err(Refused { code: codes::UNKNOWN_IMAGE, message, help });
    };
    if parts.region != scope.region {
        return Err(elsewhere(&parts, scope, &example));
    }
    // Whoever made another one may have other reasons for its name.
    if !images::is_publisher(parts.account, &scope.region) {
        return Ok(image.to_owned());
    }
    if let Some(refused) = of_purpose(&parts, purpose) {
        return Err(refused);
    }
    let wrong = of_processor(&parts, instance_type).or_else(|| of_device(&parts, instance_type));
    wrong.map_or_else(|| Ok(image.to_owned()), Err)
}

/// SageMaker pulls from the registry of its own region.
fn elsewhere(parts: &Uri<'_>, scope: &Scope, example: &str) -> Refused {
    let message =
        format!("the image is in the registry of {}, and this project is in {}", parts.region, scope.region);
    // AWS's own images are in most regions, in a registry of each.
    let theirs = images::is_publisher(parts.account, parts.region);
    let repository = parts.rest.split(':').next().unwrap_or_default();
    let here = images::account_of(repository, &scope.region).or_else(|| limits::registry(&scope.region));
    let help = match here.filter(|_| theirs) {
        Some(account) => {
            format!("write \"{account}.dkr.ecr.{}.{}/{}\"", scope.region, scope.dns_suffix(), parts.rest)
        }
        None => format!("copy it to {example}"),
    };
    Refused { code: codes::IMAGE_PLACE, message, help }
}

/// Why an image of AWS's is not for the purpose: the name of its repository says what it does.
fn of_purpose(parts: &Uri<'_>, purpose: Purpose) -> Option<Refused> {
    let (wrong, message, help) = match purpose {
        Purpose::Training => (
            "-inference",
            "an inference image serves models and runs no training script, so the job would fail",
            "name the training image of the same version",
        ),
        Purpose::Hosting => (
            "-training",
            "a training image does not answer /ping, so the endpoint would fail after half an hour",
            "name the inference image of the same version",
        ),
    };
    let repository = parts.rest.split([':', '@']).next().unwrap_or_default();
    repository.contains(wrong).then(|| Refused {
        code: codes::IMAGE_MISMATCH,
        message: message.into(),
        help: help.into(),
    })
}

/// What keeps an image of AWS's from running on the processor of the instance.
fn of_processor(parts: &Uri<'_>, instance_type: &str) -> Option<Refused> {
    let own = limits::processor(instance_type);
    let (has, words) = described(own);
    let named = |processor: &Processor| described(*processor).1.iter().any(|word| parts.is_made_for(word));
    let made = [Processor::Graviton, Processor::Neuron].into_iter().find(named).unwrap_or(Processor::X86);
    if made != own {
        let (made, made_words) = described(made);
        let message = format!("the image is made for {made}, and {instance_type} has {has}");
        let help = match words {
            [] => {
                format!("take one without {} in its name, or another instance type", made_words.join(" or "))
            }
            _ => {
                let words = words.join(" or ");
                format!("take one that has {words} in its name or tag, or another instance type")
            }
        };
        return Some(Refused { code: codes::IMAGE_DEVICE, message, help });
    }
    // Neuron for the first Inferentia, NeuronX for all after it
    // (https://github.com/aws/deep-learning-containers/blob/master/available_images.md).
    let first = instance_type.trim_start_matches("ml.").starts_with("inf1.");
    let (wrong, right) = if first { ("neuronx", "neuron") } else { ("neuron", "neuronx") };
    (own == Processor::Neuron && parts.is_made_for(wrong)).then(|| {
        let message = format!("an image with \"{wrong}\" in its name does not run on {instance_type}");
        let help = format!("take one with \"{right}\", or another instance type");
        Refused { code: codes::IMAGE_DEVICE, message, help }
    })
}

/// Why an image of AWS's does not fit the GPU of the instance, or that it has none.
fn of_device(parts: &Uri<'_>, instance_type: &str) -> Option<Refused> {
    let (message, right) = match limits::has_gpu(instance_type)? {
        true if parts.is_made_for("cpu") => (
            format!(
                "the image is made for CPUs, so the GPU of {instance_type} would be paid for and not used"
            ),
            "gpu",
        ),
        false if parts.is_made_for("gpu") || parts.names_cuda() => {
            (format!("the image is made for GPUs, and {instance_type} has none"), "cpu")
        }
        _ => return None,
    };
    let help = format!("take the image whose tag has \"-{right}-\", or another instance type");
    Some(Refused { code: codes::IMAGE_DEVICE, message, help })
}

/// What it is called, and which words AWS's images for it have in their names; those of x86-64 have none.
fn described(processor: Processor) -> (&'static str, &'static [&'static str]) {
    match processor {
        Processor::X86 => ("x86-64", &[]),
        Processor::Graviton => ("Graviton, which is Arm", &["graviton", "arm64"]),
        Processor::Neuron => ("AWS's Neuron accelerators", &["neuron", "neuronx"]),
    }
}

/// A URI of an ECR registry.
struct Uri<'i> {
    account: &'i str,
    region: &'i str,
    /// Repository and tag.
    rest: &'i str,
}

impl<'i> Uri<'i> {
    /// Whether a word is in its name or its tag.
    fn is_made_for(&self, word: &str) -> bool {
        self.rest.split(['-', ':']).any(|part| part == word)
    }

    /// Images of DJL name the version of CUDA: `djl-inference:0.33.0-lmi15.0.0-cu128`.
    fn names_cuda(&self) -> bool {
        let cuda = |part: &str| part.strip_prefix("cu").is_some_and(|version| version.parse::<u16>().is_ok());
        self.rest.split(['-', ':']).any(cuda)
    }

    /// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html, the dual-stack and FIPS hosts
    /// included.
    fn parse(image: &'i str) -> Option<Self> {
        let (registry, rest) = image.split_once('/')?;
        let (account, host) = registry.split_once('.')?;
        let host = ["dkr.ecr.", "dkr.ecr-fips.", "dkr-ecr.", "dkr-ecr-fips."]
            .iter()
            .find_map(|h| host.strip_prefix(h))?;
        let (region, suffix) = host.split_once('.')?;
        let whole = is_account_id(account) && suffix.contains('.');
        let named = rest.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        (whole && named).then_some(Self { account, region, rest })
    }
}

/// Whether the training program is in the image: one of the user's own, or a built-in algorithm by its URI.
/// AWS's images of frameworks wait for a script.
pub fn brings_program(image: &str) -> bool {
    let is_others = Uri::parse(image).is_some_and(|parts| !images::is_publisher(parts.account, parts.region));
    is_others || is_algorithm(image)
}

/// Whether it is the image of a built-in algorithm.
pub fn is_algorithm(image: &str) -> bool {
    let path = image.split_once('/').map_or(image, |(_, path)| path);
    images::of_path(path).is_some_and(Image::is_algorithm)
}

/// An image in a registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub account: String,
    pub region: String,
    pub repository: String,
    /// Its digest (`sha256:…`), else its tag.
    pub version: String,
}

impl Reference {
    /// What a URI names; without a tag that is `latest`.
    pub fn parse(uri: &str) -> Option<Self> {
        let Uri { account, region, rest } = Uri::parse(uri)?;
        let (repository, version) = match rest.split_once('@') {
            Some((named, digest)) => (named.split(':').next().unwrap_or(named), digest),
            None => rest.split_once(':').unwrap_or((rest, "latest")),
        };
        let [account, region, repository, version] =
            [account, region, repository, version].map(str::to_owned);
        Some(Self { account, region, repository, version })
    }

    /// Whether its version is a digest.
    pub fn is_by_digest(&self) -> bool {
        self.version.contains(':')
    }

    /// The repository's ARN.
    pub fn arn(&self, partition: &str) -> String {
        let Self { account, region, repository, .. } = self;
        let resource = format!("repository/{repository}");
        Arn { partition, service: "ecr", region, account, resource: &resource }.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if self.is_by_digest() { '@' } else { ':' };
        write!(f, "{}{between}{} of registry {}", self.repository, self.version, self.account)
    }
}

/// Hugging Face's images are named by the version of its library, and those on TensorFlow are left out.
const HUGGING_FACE: &str = "huggingface";
const ON_TENSORFLOW: &str = "huggingface-tensorflow";

/// That a framework has no image of this version.
fn unlisted(image: &str) -> String {
    let list = format!("opsctl's list of {}", *limits::DATE);
    if image.starts_with(ON_TENSORFLOW) {
        format!("opsctl's list has Hugging Face's images only on PyTorch, and \"{image}\" is none of them")
    } else if image.starts_with(HUGGING_FACE) {
        format!(
            "\"{image}\" is not in {list}, which names Hugging Face's images by the version of transformers"
        )
    } else {
        format!("AWS has no image \"{image}\" in {list}")
    }
}

/// What a short name stands for, on an instance type and in a region.
fn by_name(image: &str, purpose: Purpose, instance_type: &str, scope: &Scope) -> Result<String, Refused> {
    let refused = |code, message, help| Err(Refused { code, message, help });
    let device = match limits::processor(instance_type) {
        Processor::Graviton => Device::Graviton,
        Processor::X86 if limits::has_gpu(instance_type) == Some(true) => Device::Gpu,
        Processor::X86 => Device::Cpu,
        Processor::Neuron => {
            let message = format!(
                "`{image}` is an image for x86-64, and {instance_type} has AWS's Neuron accelerators"
            );
            let help = "write the URI of an image made for it (neuron, neuronx), or another instance type";
            return refused(codes::IMAGE_DEVICE, message, help.to_owned());
        }
    };
    let missing = match images::framework(image, purpose, device) {
        Ok(found) => return uri_of(found, image, scope),
        Err(missing) => missing,
    };
    let does = match purpose {
        Purpose::Training => "trains",
        Purpose::Hosting => "serves",
    };
    match missing {
        Missing::Family if images::algorithm(image).is_some() => refused(
            codes::UNKNOWN_IMAGE,
            format!("`{image}` is a built-in algorithm, and runs no script"),
            format!("write `algorithm = \"{image}\"`, without `image` and `source`"),
        ),
        Missing::Family => refused(
            codes::UNKNOWN_IMAGE,
            format!("\"{image}\" is not an image opsctl knows"),
            format!(
                "write a framework and its version ({}), as pytorch-2.6, or a full registry URI",
                images::frameworks().join(", ")
            ),
        ),
        Missing::Version { family } => refused(
            codes::UNKNOWN_IMAGE,
            unlisted(image),
            format!("one that {does}: {}; or a full registry URI", newest(family, purpose)),
        ),
        Missing::Purpose { family } => refused(
            codes::UNKNOWN_IMAGE,
            format!("\"{image}\" is not an image that {does}"),
            format!("one that {does}: {}; or a full registry URI", newest(family, purpose)),
        ),
        Missing::Device { made_for } => refused(
            codes::IMAGE_DEVICE,
            format!(
                "AWS has `{image}` for {} only, and {instance_type} has {}",
                listed(&made_for),
                has(device)
            ),
            "take another instance type, another version, or the URI of an image made for it".to_owned(),
        ),
    }
}

/// The URI of one of AWS's images in the project's region.
fn uri_of(image: &Image, name: &str, scope: &Scope) -> Result<String, Refused> {
    let known = limits::regions().any(|region| region == scope.region);
    let account = match image.account(&scope.region) {
        Some(account) => account,
        // A region that is not known was reported as such.
        None if !known => COMMON_ACCOUNT,
        None => {
            let message = format!("AWS does not publish `{name}` in {}", scope.region);
            let help =
                format!("copy the image {} into a registry of your own there, and write its URI", image.path);
            return Err(Refused { code: codes::IMAGE_PLACE, message, help });
        }
    };
    Ok(format!("{account}.dkr.ecr.{}.{}/{}", scope.region, scope.dns_suffix(), image.path))
}

/// The image that serves what was trained in another one: of the same framework and version. An image that
/// is not AWS's is taken to do both, as Amazon's SageMaker SDK takes it.
///
/// # Errors
/// AWS has none of that version that serves.
pub fn that_serves(trained_in: &str, instance_type: &str, scope: &Scope) -> Result<String, Refused> {
    let Some(parts) = Uri::parse(trained_in) else {
        return uri(DEFAULT, Purpose::Hosting, instance_type, scope);
    };
    if let Some(image) = images::of_path(parts.rest) {
        return match image.is_algorithm() {
            true => algorithm(image.family, instance_type, scope),
            false => by_name(&images::name_that_serves(image), Purpose::Hosting, instance_type, scope)
                .map_err(|refused| Refused {
                    message: format!("{}, and the model was trained in it", refused.message),
                    ..refused
                }),
        };
    }
    match images::is_publisher(parts.account, parts.region) {
        true => uri(DEFAULT, Purpose::Hosting, instance_type, scope),
        false => uri(trained_in, Purpose::Hosting, instance_type, scope),
    }
}

/// The URI of a built-in algorithm, which trains and serves.
///
/// # Errors
/// The algorithm is not one of AWS's, is not in the region, or does not run on the instance type.
pub fn algorithm(name: &str, instance_type: &str, scope: &Scope) -> Result<String, Refused> {
    let Some(image) = images::algorithm(name) else {
        let known = images::algorithms();
        let code = codes::UNKNOWN_IMAGE;
        let message = format!("\"{name}\" is not a built-in algorithm of Amazon SageMaker");
        let help = match section::nearest(name, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("one of {}", known.join(", ")),
        };
        return Err(Refused { code, message, help });
    };
    let own = limits::processor(instance_type);
    if own != Processor::X86 {
        let message = format!("`{name}` is made for x86-64, and {instance_type} has {}", described(own).0);
        let help = "take another instance type".to_owned();
        return Err(Refused { code: codes::IMAGE_DEVICE, message, help });
    }
    uri_of(image, name, scope)
}

/// The last dozen of a framework's short names.
fn newest(family: &str, purpose: Purpose) -> String {
    let names = images::names(family, purpose);
    let from = names.len().saturating_sub(12);
    let older = if from > 0 { "older ones, " } else { "" };
    format!("{older}{}", names[from..].join(", "))
}

fn listed(made_for: &[&str]) -> String {
    let word = |device: &&str| match *device {
        "gpu" => "GPUs",
        "graviton" => "Graviton",
        _ => "CPUs of x86-64",
    };
    made_for.iter().map(word).collect::<Vec<_>>().join(" and ")
}

/// What an instance type has, as the end of a sentence.
fn has(device: Device) -> &'static str {
    match device {
        Device::Cpu => "no GPU",
        Device::Gpu => "a GPU",
        Device::Graviton => "Graviton, which is Arm",
    }
}

type Version = (u32, u32);

/// AWS's images whose toolkit hands the arguments to a shell without quotes, so that text with spaces arrives
/// in pieces (https://github.com/aws/sagemaker-training-toolkit/issues/128): repository, first and last
/// version.
const UNQUOTED: &[(&str, Version, Version)] =
    &[("/pytorch-training:", (1, 9), (1, 11)), ("/tensorflow-training:", (2, 4), (2, 8))];

/// Whether the image splits arguments at spaces.
pub fn splits_arguments(uri: &str) -> bool {
    UNQUOTED.iter().any(|(repository, first, last)| {
        let version = uri.split_once(repository).and_then(|(_, tag)| {
            let mut numbers = tag.split('.').map(|part| part.parse::<u32>());
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
        });
        version.is_some_and(|version| (*first..=*last).contains(&version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training(image: &str, instance_type: &str, region: &str) -> Result<String, Refused> {
        uri(image, Purpose::Training, instance_type, &Scope::new("shop", "dev", Scope::NO_ACCOUNT, region))
    }

    #[test]
    fn a_short_name_follows_the_instance_type_and_the_region() {
        let cpu = training("pytorch-2.6", "ml.m5.xlarge", "eu-south-1").unwrap();
        assert_eq!(cpu, "692866216735.dkr.ecr.eu-south-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312");
        let gpu = training("pytorch-2.6", "ml.g4dn.xlarge", "cn-north-1").unwrap();
        assert_eq!(gpu, "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-training:2.6.0-gpu-py312");
        assert_eq!(
            training("pytorch-9", "ml.m5.xlarge", "us-east-1").unwrap_err().code,
            codes::UNKNOWN_IMAGE
        );
    }

    #[test]
    fn an_image_elsewhere_is_refused_with_the_one_here() {
        let there = "763104351884.dkr.ecr.us-west-2.amazonaws.com/pytorch-training:1.13.1-cpu-py39";
        let refused = training(there, "ml.m5.xlarge", "af-south-1").unwrap_err();
        assert_eq!(refused.code, codes::IMAGE_PLACE);
        assert!(
            refused.help.contains("626614931356.dkr.ecr.af-south-1.amazonaws.com/pytorch-training:1.13.1")
        );
        assert_eq!(training(there, "ml.m5.xlarge", "us-west-2").unwrap(), there);
    }

    #[test]
    fn what_serves_does_not_train() {
        let image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-inference:2.6.0-cpu-py312";
        assert_eq!(training(image, "ml.m5.xlarge", "us-east-1").unwrap_err().code, codes::IMAGE_MISMATCH);
        let own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/causal-inference:1";
        assert_eq!(training(own, "ml.m5.xlarge", "us-east-1").unwrap(), own);
    }

    #[test]
    fn what_trains_does_not_serve_unless_its_maker_says_so() {
        let scope = Scope::new("shop", "dev", Scope::NO_ACCOUNT, "us-east-1");
        let serves = |image: &str| uri(image, Purpose::Hosting, "ml.m5.xlarge", &scope);
        let image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312";
        assert_eq!(serves(image).unwrap_err().code, codes::IMAGE_MISMATCH);
        let own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/my-training-and-serving:1";
        assert_eq!(serves(own).unwrap(), own);
    }

    #[test]
    fn what_serves_has_the_patch_that_aws_made_for_it() {
        let scope = Scope::new("shop", "dev", Scope::NO_ACCOUNT, "us-east-1");
        let trained = training("tensorflow-1.13", "ml.m5.xlarge", "us-east-1").unwrap();
        assert!(trained.contains(":1.13.1-"), "{trained}");
        let serves = that_serves(&trained, "ml.m5.xlarge", &scope).unwrap();
        assert!(serves.contains(":1.13.0-"), "{serves}");
    }

    #[test]
    fn the_list_says_what_it_has_of_hugging_face() {
        let refused = training("huggingface-tensorflow-4.17", "ml.m5.xlarge", "us-east-1").unwrap_err();
        assert_eq!(refused.code, codes::UNKNOWN_IMAGE);
        assert!(refused.message.contains("only on PyTorch"), "{}", refused.message);
        // As AWS's repository and the version of PyTorch in its tag are called.
        let refused = training("huggingface-pytorch-2.6", "ml.m5.xlarge", "us-east-1").unwrap_err();
        assert!(refused.message.contains("by the version of transformers"), "{}", refused.message);
    }

    #[test]
    fn nonsense_is_no_image() {
        for image in
            ["my/nonsense", "docker.io/library/python:3", "1.dkr.ecr.us-east-1.amazonaws.com/a:1", "/a"]
        {
            assert_eq!(
                training(image, "ml.m5.xlarge", "us-east-1").unwrap_err().code,
                codes::UNKNOWN_IMAGE,
                "{image}"
            );
        }
        let own = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/cpu-tools@sha256:abc";
        assert_eq!(training(own, "ml.g5.xlarge", "us-east-1").unwrap(), own);
    }

    #[test]
    fn the_device_of_an_aws_image_is_that_of_the_instance() {
        let image = |device: &str| {
            format!("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.3.0-{device}-py311")
        };
        assert_eq!(
            training(&image("cpu"), "ml.g4dn.xlarge", "us-east-1").unwrap_err().code,
            codes::IMAGE_DEVICE
        );
        assert_eq!(
            training(&image("gpu"), "ml.m5.xlarge", "us-east-1").unwrap_err().code,
            codes::IMAGE_DEVICE
        );
        assert!(training(&image("gpu"), "ml.p3.2xlarge", "us-east-1").is_ok());
        let lmi = "763104351884.dkr.ecr.us-east-1.amazonaws.com/djl-inference:0.33.0-lmi15.0.0-cu128";
        let scope = Scope::new("shop", "dev", Scope::NO_ACCOUNT, "us-east-1");
        let serves = |instance_type| uri(lmi, Purpose::Hosting, instance_type, &scope);
        assert_eq!(serves("ml.m5.large").unwrap_err().code, codes::IMAGE_DEVICE);
        assert!(serves("ml.g5.xlarge").is_ok());
    }

    #[test]
    fn an_image_of_aws_is_for_the_processor_of_the_instance() {
        let image = |rest: &str| format!("763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-{rest}");
        for (rest, right, wrong) in [
            ("training-graviton:2.4.0-cpu-py311", "ml.c7g.large", "ml.m5.large"),
            ("training-arm64:2.6.0-cpu-py312", "ml.c7g.large", "ml.m5.large"),
            ("training-neuronx:2.1.2-neuronx-py310", "ml.trn1.2xlarge", "ml.m5.xlarge"),
            ("training-neuronx:2.1.2-neuronx-py310", "ml.inf2.xlarge", "ml.g5.xlarge"),
            ("training-neuronx:2.1.2-neuronx-py310", "ml.trn1.2xlarge", "ml.c7g.large"),
            ("training:2.3.0-cpu-py311", "ml.m5.large", "ml.c7g.large"),
        ] {
            assert!(training(&image(rest), right, "us-east-1").is_ok(), "{rest} {right}");
            let refused = training(&image(rest), wrong, "us-east-1").unwrap_err();
            assert_eq!(refused.code, codes::IMAGE_DEVICE, "{rest} {wrong}");
        }
    }

    #[test]
    fn a_uri_names_a_repository_and_a_version() {
        let of = |rest: &str| {
            let named = Reference::parse(&format!("123456789012.dkr.ecr.us-east-1.amazonaws.com/{rest}"));
            let named = named.unwrap();
            assert_eq!(named.arn("aws"), "arn:aws:ecr:us-east-1:123456789012:repository/team/tools");
            (named.is_by_digest(), named.version)
        };
        assert_eq!(of("team/tools:1"), (false, "1".to_owned()));
        assert_eq!(of("team/tools"), (false, "latest".to_owned()));
        assert_eq!(of("team/tools@sha256:ab"), (true, "sha256:ab".to_owned()));
        assert_eq!(of("team/tools:1@sha256:ab"), (true, "sha256:ab".to_owned()));
    }

    #[test]
    fn old_toolkits_are_known() {
        assert!(splits_arguments("x/pytorch-training:1.11.0-cpu-py38"));
        assert!(!splits_arguments("x/pytorch-training:1.13.1-cpu-py39"));
        assert!(!splits_arguments("x/pytorch-training:1.8.1-cpu-py36"));
    }
}
