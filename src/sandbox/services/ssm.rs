//! SSM: the public parameters that name machine images (docs/aws/ec2.md#images), which exist in every region.

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::clock::epoch_seconds;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;
use crate::state::arn_of;

/// The operations.
pub const API: Api = Api {
    name: "ssm",
    signing_name: "ssm",
    target: "AmazonSSM",
    invalid: "ValidationException",
    faults: FaultCodes { throttle: (400, "ThrottlingException"), internal: (500, "InternalServerError") },
    operations: &[op("GetParameter", &[], get_parameter), op("GetParameters", &[], get_parameters)],
};

/// A machine image that can be had by a public parameter. EC2 starts instances of these only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// Name of the parameter.
    pub parameter: &'static str,
    pub name: &'static str,
    /// `x86_64` or `arm64`.
    pub architecture: &'static str,
    pub root_device: &'static str,
}

const fn image(
    parameter: &'static str,
    name: &'static str,
    architecture: &'static str,
    root_device: &'static str,
) -> Image {
    Image { parameter, name, architecture, root_device }
}

/// The public parameters that name an image.
pub const IMAGES: &[Image] = &[
    image(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
        "al2023-ami-2023.9.20261116.0-kernel-6.12-x86_64",
        "x86_64",
        "/dev/xvda",
    ),
    image(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "al2023-ami-2023.9.20261116.0-kernel-6.12-arm64",
        "arm64",
        "/dev/xvda",
    ),
    image(
        "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64",
        "al2023-ami-minimal-2023.9.20261116.0-kernel-6.12-x86_64",
        "x86_64",
        "/dev/xvda",
    ),
    image(
        "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2",
        "amzn2-ami-hvm-2.0.20261116.0-x86_64-gp2",
        "x86_64",
        "/dev/xvda",
    ),
    image(
        "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id",
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Amazon Linux 2023) 20261116",
        "x86_64",
        "/dev/xvda",
    ),
    image(
        "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20261116",
        "x86_64",
        "/dev/sda1",
    ),
    image(
        "/aws/service/deeplearning/ami/x86_64/oss-nvidia-driver-gpu-pytorch-2.7-ubuntu-22.04/latest/ami-id",
        "Deep Learning OSS Nvidia Driver AMI GPU PyTorch 2.7 (Ubuntu 22.04) 20261116",
        "x86_64",
        "/dev/sda1",
    ),
];

impl Image {
    /// The image's id, which differs by region as on AWS.
    pub fn id(&self, region: &str) -> String {
        let hash = blake3::hash(format!("{region}{}", self.parameter).as_bytes()).to_hex();
        format!("ami-0{}", &hash[..16])
    }

    /// The image with this id in a region.
    pub fn find(region: &str, id: &str) -> Option<Self> {
        IMAGES.iter().copied().find(|image| image.id(region) == id)
    }
}

/// When the images were published: 2026-11-16.
const PUBLISHED: u64 = 1_794_787_200_000;

/// The value and the rest of a parameter. A public parameter's ARN has no account.
fn parameter(region: &str, name: &str) -> Option<Value> {
    let image = IMAGES.iter().find(|image| image.parameter == name)?;
    Some(json!({
        "Name": name,
        "Type": "String",
        "Value": image.id(region),
        "Version": 1,
        "LastModifiedDate": epoch_seconds(PUBLISHED),
        "ARN": arn_of("ssm", region, "", &format!("parameter{name}")),
        "DataType": "text",
    }))
}

fn get_parameter(call: &Call) -> Answer {
    match parameter(&call.region, call.text("Name")) {
        Some(parameter) => Ok(json!({"Parameter": parameter})),
        // AWS sends this code without a message.
        None => Err(Fault::new(400, "ParameterNotFound", "")),
    }
}

fn get_parameters(call: &Call) -> Answer {
    let (mut found, mut invalid) = (Vec::new(), Vec::new());
    for name in call.list("Names").iter().filter_map(Value::as_str) {
        match parameter(&call.region, name) {
            Some(parameter) => found.push(parameter),
            None => invalid.push(name),
        }
    }
    Ok(json!({"Parameters": found, "InvalidParameters": invalid}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_its_id_in_its_region_only() {
        for image in IMAGES {
            let id = image.id("us-east-1");
            assert_eq!(Image::find("us-east-1", &id), Some(*image));
            assert_eq!(Image::find("us-west-2", &id), None);
            assert_eq!(id.len(), "ami-0123456789abcdef0".len());
        }
    }
}
