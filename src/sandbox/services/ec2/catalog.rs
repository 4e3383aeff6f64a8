//! What EC2 offers in every region: images and the default network.

use serde_json::{Value, json};

use super::filter::Filters;
use super::{invalid_id, listed};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::services::ssm::{IMAGES, Image};

/// The size of the images' snapshots.
pub(super) const SNAPSHOT_GIB: i64 = 8;

pub(super) fn snapshot_id(region: &str, image: &Image) -> String {
    fixed_id("snap", region, image.name)
}

fn shown_image(region: &str, image: &Image) -> Value {
    let ubuntu = image.name.contains("Ubuntu");
    json!({
        "imageId": image.id(region),
        "imageLocation": format!("amazon/{}", image.name),
        "imageState": "available",
        "imageOwnerId": "137112412989",
        "imageOwnerAlias": "amazon",
        "isPublic": true,
        "architecture": image.architecture,
        "imageType": "machine",
        "name": image.name,
        "description": image.name,
        "creationDate": "2026-11-16T00:00:00.000Z",
        "platformDetails": "Linux/UNIX",
        "rootDeviceType": "ebs",
        "rootDeviceName": image.root_device,
        "virtualizationType": "hvm",
        "hypervisor": "xen",
        "enaSupport": true,
        // AL2023 images start with IMDSv2 (docs/aws/ec2.md#metadata-service).
        "imdsSupport": (image.name.starts_with("al2023") && !ubuntu).then_some("v2.0"),
        "blockDeviceMapping": [{
            "deviceName": image.root_device,
            "ebs": {
                "deleteOnTermination": true, "snapshotId": snapshot_id(region, image),
                "volumeSize": SNAPSHOT_GIB,
                "volumeType": "gp3", "encrypted": false,
            },
        }],
    })
}

pub(super) fn missing_image(id: &str) -> Fault {
    if !id.starts_with("ami-") {
        return invalid_id("InvalidAMIID.Malformed", id);
    }
    Fault::new(400, "InvalidAMIID.NotFound", format!("The image id '[{id}]' does not exist"))
}

pub(super) fn describe_images(call: &Call) -> Answer {
    let wanted: Vec<&str> = call.list("ImageId").iter().filter_map(Value::as_str).collect();
    if let Some(unknown) = wanted.iter().find(|id| Image::find(&call.region, id).is_none()) {
        return Err(missing_image(unknown));
    }
    let filters = Filters::of(
        call,
        &[
            "image-id",
            "name",
            "architecture",
            "owner-alias",
            "state",
            "is-public",
            "virtualization-type",
            "root-device-type",
        ],
    )?;
    let owners = call.list("Owner");
    let of_owner =
        owners.is_empty() || owners.iter().any(|owner| owner == "amazon" || owner == "137112412989");
    let found = IMAGES.iter().filter(|_| of_owner).filter(|image| {
        let id = image.id(&call.region);
        (wanted.is_empty() || wanted.contains(&id.as_str()))
            && filters.admit(|filter| {
                vec![match filter {
                    "image-id" => id.clone(),
                    "name" => image.name.to_owned(),
                    "architecture" => image.architecture.to_owned(),
                    "owner-alias" => "amazon".to_owned(),
                    "state" => "available".to_owned(),
                    "is-public" => "true".to_owned(),
                    "virtualization-type" => "hvm".to_owned(),
                    _ => "ebs".to_owned(),
                }]
            })
    });
    listed(
        call,
        "imagesSet",
        found.map(|image| (image.id(&call.region), shown_image(&call.region, image))).collect(),
    )
}

/// Zones of the default network, with the third byte of their subnet.
const ZONES: &[(char, u8)] = &[('a', 0), ('b', 16), ('c', 32)];

/// `subnet-0…`: ids of what is there from the start differ by region and are always the same.
fn fixed_id(prefix: &str, region: &str, name: &str) -> String {
    let hash = blake3::hash(format!("{prefix}{region}{name}").as_bytes()).to_hex();
    format!("{prefix}-0{}", &hash[..16])
}

pub(super) fn vpc_id(region: &str) -> String {
    fixed_id("vpc", region, "default")
}

pub(super) fn security_group_id(region: &str) -> String {
    fixed_id("sg", region, "default")
}

/// A subnet of the default network, or of one that the account is believed to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subnet {
    pub id: String,
    pub vpc: String,
    pub zone: String,
    pub third_byte: u8,
}

pub(super) fn subnets(region: &str) -> impl Iterator<Item = Subnet> {
    ZONES.iter().map(move |(letter, third_byte)| {
        let zone = format!("{region}{letter}");
        let (id, vpc) = (fixed_id("subnet", region, &zone), vpc_id(region));
        Subnet { id, vpc, zone, third_byte: *third_byte }
    })
}

/// A subnet of another network than the default one. A config names those of a real account, which are taken
/// as SageMaker's and Lambda's services here take them: what has the form of an ID is there, all in one VPC.
pub(super) fn subnet_of_others(region: &str, id: &str) -> Option<Subnet> {
    let vpc = fixed_id("vpc", region, "others");
    let (id, zone) = (id.to_owned(), format!("{region}a"));
    is_id("subnet-", &id).then_some(Subnet { id, vpc, zone, third_byte: 48 })
}

/// Whether it has the form of AWS's IDs, the older ones too.
pub(super) fn is_id(prefix: &str, id: &str) -> bool {
    let is_hex = |rest: &str| [8, 17].contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_hexdigit());
    id.strip_prefix(prefix).is_some_and(is_hex)
}

pub(super) fn describe_vpcs(call: &Call) -> Answer {
    let id = vpc_id(&call.region);
    if let Some(unknown) = call.list("VpcId").iter().filter_map(Value::as_str).find(|wanted| **wanted != id) {
        let message = format!("The vpc ID '{unknown}' does not exist");
        return Err(Fault::new(400, "InvalidVpcID.NotFound", message));
    }
    let filters = Filters::of(call, &["vpc-id", "is-default", "isDefault", "state"])?;
    let admitted = filters.admit(|filter| {
        vec![match filter {
            "vpc-id" => id.clone(),
            "state" => "available".to_owned(),
            _ => "true".to_owned(),
        }]
    });
    let shown = json!({
        "vpcId": id, "ownerId": call.shared.account, "state": "available", "cidrBlock": "172.31.0.0/16",
        "instanceTenancy": "default", "isDefault": true,
    });
    listed(call, "vpcSet", admitted.then_some((id, shown)).into_iter().collect())
}

pub(super) fn describe_subnets(call: &Call) -> Answer {
    let wanted: Vec<&str> = call.list("SubnetId").iter().filter_map(Value::as_str).collect();
    if let Some(unknown) = wanted.iter().find(|id| !subnets(&call.region).any(|subnet| subnet.id == **id)) {
        return Err(missing_subnet(unknown));
    }
    let filters =
        Filters::of(call, &["subnet-id", "vpc-id", "availability-zone", "default-for-az", "state"])?;
    let vpc = vpc_id(&call.region);
    let found = subnets(&call.region).filter(|subnet| {
        (wanted.is_empty() || wanted.contains(&subnet.id.as_str()))
            && filters.admit(|filter| {
                vec![match filter {
                    "subnet-id" => subnet.id.clone(),
                    "vpc-id" => vpc.clone(),
                    "availability-zone" => subnet.zone.clone(),
                    "default-for-az" => "true".to_owned(),
                    _ => "available".to_owned(),
                }]
            })
    });
    let shown = |subnet: Subnet| {
        let shown = json!({
            "subnetId": subnet.id,
            "subnetArn": call.arn(&format!("subnet/{}", subnet.id)),
            "vpcId": vpc,
            "ownerId": call.shared.account,
            "state": "available",
            "cidrBlock": format!("172.31.{}.0/20", subnet.third_byte),
            "availabilityZone": subnet.zone,
            "availableIpAddressCount": 4_091,
            "defaultForAz": true,
            "mapPublicIpOnLaunch": true,
        });
        (subnet.id, shown)
    };
    listed(call, "subnetSet", found.map(shown).collect())
}

pub(super) fn missing_subnet(id: &str) -> Fault {
    Fault::new(400, "InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
}

pub(super) fn missing_group(id: &str) -> Fault {
    Fault::new(400, "InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

/// The default group of the default network, which lets everything out and nothing in.
pub(super) fn describe_security_groups(call: &Call) -> Answer {
    let id = security_group_id(&call.region);
    if let Some(unknown) = call.list("GroupId").iter().filter_map(Value::as_str).find(|wanted| **wanted != id)
    {
        return Err(missing_group(unknown));
    }
    let vpc = vpc_id(&call.region);
    let filters = Filters::of(call, &["group-id", "group-name", "vpc-id"])?;
    let admitted = filters.admit(|filter| {
        vec![match filter {
            "group-id" => id.clone(),
            "group-name" => "default".to_owned(),
            _ => vpc.clone(),
        }]
    });
    let shown = json!({
        "groupId": id, "groupName": "default", "groupDescription": "default VPC security group",
        "ownerId": call.shared.account, "vpcId": vpc,
        "ipPermissionsEgress": [{"ipProtocol": "-1", "ipRanges": [{"cidrIp": "0.0.0.0/0"}]}],
    });
    listed(call, "securityGroupInfo", admitted.then_some((id, shown)).into_iter().collect())
}

/// The image that a launch names: by id, or as `resolve:ssm:<parameter>` (docs/aws/ec2.md#images).
pub(super) fn image(region: &str, wanted: &str) -> Result<Image, Fault> {
    let Some(parameter) = wanted.strip_prefix("resolve:ssm:") else {
        return Image::find(region, wanted).ok_or_else(|| missing_image(wanted));
    };
    IMAGES.iter().copied().find(|image| image.parameter == parameter).ok_or_else(|| {
        let message = format!("The parameter {parameter} does not exist.");
        Fault::new(400, "InvalidParameterValue", message)
    })
}
