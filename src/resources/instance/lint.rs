//! What is wrong with a training on EC2, as far as its section and AWS's data say.

use super::paths;
use crate::desired::Draft;
use crate::domain::{HumanDuration, KeyPath, codes};
use crate::limits::{self, ArnOf, Processor};
use crate::resources::training::job::Item;
use crate::resources::training::lint as job_lint;

/// Amazon Linux 2023: it has the AWS CLI, and Python comes from its packages (docs/aws/ec2.md#images).
pub(super) const IMAGE: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";
/// 4 vCPU and 16 GiB at a low price, if the work is short enough for its CPU credits.
pub(super) const INSTANCE_TYPE: &str = "t2.xlarge";
/// What begins the names of Amazon Linux's own images, which have no drivers.
const PLAIN: &str = "/aws/service/ami-amazon-linux-latest/";
const IMAGE_ARM: &str = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64";
/// GiB of the snapshot behind [`IMAGE`].
const SNAPSHOT: i32 = 8;

/// Whether the image behind a parameter is for Arm, where its name has a word for a processor: Amazon Linux,
/// the Deep Learning AMIs and Canonical's have, each at another place
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html>).
fn made_for_arm(parameter: &str) -> Option<bool> {
    parameter.split(['/', '-']).find_map(|word| match word {
        "arm64" | "aarch64" => Some(true),
        "x86_64" | "amd64" => Some(false),
        _ => None,
    })
}

fn lint_profile(profile: &str, has_role: bool, at: &KeyPath, draft: &mut Draft<'_>) {
    if !has_role {
        let text = "`instance_profile` holds the role that `role` names, and there is none";
        draft.error(
            codes::BAD_VALUE,
            at.clone(),
            text,
            "add `role`, so that it is known whom EC2 is to run as",
        );
    }
    // https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateInstanceProfile.html
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if profile.starts_with("arn:") {
        let (account, region) = draft.home();
        let of = ArnOf {
            noun: "instance profile",
            example: "arn:aws:iam::123456789012:instance-profile/training",
            service: "iam",
            kinds: &["instance-profile/"],
            account,
            region,
        };
        draft.problems.extend(of.refuse(profile, at));
    } else if profile.is_empty() || profile.len() > 128 || !profile.chars().all(plain) {
        let text = format!("{profile:?} is no name of an instance profile");
        draft.error(codes::BAD_NAME, at.clone(), text, "write its name, or its ARN");
    }
}

pub(super) fn lint(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let instance_type = item.instance_type.as_deref().unwrap_or(INSTANCE_TYPE);
    job_lint::common(item, at, draft);
    paths::lint(item, at, draft);
    // The disk of the default image is made from a snapshot of 8 GiB, and no volume is smaller than its
    // snapshot (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EbsBlockDevice.html).
    if item.image.is_none() && (1..SNAPSHOT).contains(&item.volume_gb) {
        let text = format!(
            "`volume_gb` is {}, and the image of the instance alone has {SNAPSHOT} GiB",
            item.volume_gb
        );
        draft.error(codes::LIMIT, at.join("volume_gb"), text, format!("write {SNAPSHOT} or more"));
    }
    if item.max_runtime < HumanDuration::seconds(1) {
        let text = "`max_runtime` leaves no time to run";
        draft.error(codes::LIMIT, at.join("max_runtime"), text, "write \"30m\", for example");
    }
    if let Some(image) = item.image.as_ref().filter(|i| !i.starts_with("ami-") && !i.starts_with('/')) {
        let text = format!("\"{image}\" is not an image that EC2 knows");
        let help = "write an AMI id (\"ami-…\") or the name of a public SSM parameter (\"/aws/service/…\")";
        draft.error(codes::UNKNOWN_IMAGE, at.join("image"), text, help);
    }
    // The user data installs by dnf what it lacks of Python.
    let is_other = |image: &&String| {
        let is_ours = ["al2023", "amazon-linux-2023"].iter().any(|name| image.contains(name));
        image.starts_with("/aws/service/") && !is_ours
    };
    if let Some(image) = item.image.as_ref().filter(is_other) {
        let text = format!("{image} is no Amazon Linux 2023, and an EC2 job runs on nothing else");
        let help = format!("write the one of it, such as \"{IMAGE}\"");
        draft.error(codes::UNKNOWN_IMAGE, at.join("image"), text, help);
    }
    lint_processor(item, instance_type, at, draft);
    if instance_type.starts_with("t2.") && item.max_runtime > HumanDuration::hours(2) {
        let text = format!("`{instance_type}` is slowed down when its CPU credits are spent");
        let help =
            "for hours of full load use m5.xlarge or c5.2xlarge; set `max_runtime = \"2h\"` if it is short";
        draft.warn(codes::CPU_CREDITS, at.join("instance_type"), text, help);
    }
    if let Some(profile) = &item.instance_profile {
        lint_profile(profile, item.role.is_some(), &at.join("instance_profile"), draft);
    }
    for (key, _) in only_sagemaker(item).iter().filter(|(_, used)| *used) {
        let text = format!("`{key}` has no meaning with `on = \"ec2\"`");
        draft.error(codes::BAD_VALUE, at.join(*key), text, "remove it, or train with `on = \"sagemaker\"`");
    }
}

/// Whether the image runs on the processor of the instance, and uses what it has.
fn lint_processor(item: &Item, instance_type: &str, at: &KeyPath, draft: &mut Draft<'_>) {
    let image = item.image.as_deref().unwrap_or(IMAGE);
    let (arm, key) = (limits::processor(instance_type) == Processor::Graviton, at.join("instance_type"));
    if made_for_arm(image).is_some_and(|made| made != arm) {
        let (has, right) = if arm { ("Arm", IMAGE_ARM) } else { ("x86-64", IMAGE) };
        let text = format!("`{instance_type}` has an {has} processor, and the image is made for another");
        let help = format!("write image = \"{right}\", or take another instance type");
        draft.error(codes::IMAGE_DEVICE, key.clone(), text, help);
    }
    if item.image.is_none() && limits::processor(instance_type) == Processor::Neuron {
        let text = format!(
            "the default image has no driver for the accelerator of {instance_type}, which would be paid for \
             and not used"
        );
        let help = "write the AMI id of a Neuron DLAMI for Amazon Linux 2023 as `image` \
                    (https://awsdocs-neuron.readthedocs-hosted.com/en/latest/dlami/index.html), or take \
                    another instance type";
        draft.error(codes::IMAGE_DEVICE, key.clone(), text, help);
    }
    // The default image has no driver
    // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/install-nvidia-driver.html).
    let is_plain = image.starts_with(PLAIN);
    if is_plain && limits::has_gpu(instance_type) == Some(true) {
        let processor = if arm { "arm64" } else { "x86_64" };
        let which = if item.image.is_none() { "the default image" } else { "this image of Amazon Linux" };
        let text = format!(
            "{which} has no driver for the GPU of {instance_type}, which would be paid for and not used"
        );
        let help = format!(
            "write image = \"/aws/service/deeplearning/ami/{processor}/\
             base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id\" and volume_gb = 100 \
             (it alone has 75 GiB), or take another instance type"
        );
        draft.error(codes::IMAGE_DEVICE, key, text, help);
    }
}

/// The keys that only SageMaker has a meaning for, and whether they are used. Each key of the section is
/// named: a new one is one of these, or `spec` and [`lint`] read it.
fn only_sagemaker(item: &Item) -> [(&'static str, bool); 6] {
    let Item {
        algorithm,
        spot,
        checkpoints,
        isolation,
        max_wait,
        instance_count,
        on: _,
        source: _,
        packages: _,
        include: _,
        exclude: _,
        entry: _,
        image: _,
        instance_type: _,
        why: _,
        volume_gb: _,
        data: _,
        hyperparameters: _,
        metrics: _,
        environment: _,
        max_runtime: _,
        network: _,
        inputs: _,
        outputs: _,
        role: _,
        permissions: _,
        instance_profile: _,
    } = item;
    [
        ("algorithm", algorithm.is_some()),
        ("spot", *spot),
        ("checkpoints", *checkpoints),
        ("isolation", *isolation),
        ("max_wait", max_wait.is_some()),
        ("instance_count", *instance_count != 1),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_image_says_its_processor() {
        for (parameter, arm) in [
            (
                "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
                Some(true),
            ),
            (
                "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
                Some(false),
            ),
            (
                "/aws/service/deeplearning/ami/arm64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
                Some(true),
            ),
            (
                "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
                Some(false),
            ),
            ("/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-arm64-gp2", Some(true)),
            (IMAGE, Some(false)),
            (IMAGE_ARM, Some(true)),
            ("ami-0123456789abcdef0", None),
            ("/our/own/image", None),
        ] {
            assert_eq!(made_for_arm(parameter), arm, "{parameter}");
        }
    }
}
