//! `RunInstances`: what AWS checks of a launch, and the instance that it starts.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::catalog::{self, Subnet};
use super::state::{BOOTING, State, booting};
use super::{INSTANCES, InstanceType, arn, backend, invalid, reservation};
use crate::call::{Answer, Call};
use crate::clock::{Millis, iso8601};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::iam::{self, Profile};
use crate::services::quotas;
use crate::services::ssm::Image;
use crate::state::SandboxState;
use crate::store::{Entry, merge};
use crate::tags::{self, Tags};

/// Raw, before base64 (docs/aws/ec2.md#user-data).
const LONGEST_USER_DATA: usize = 16 * 1_024;

/// So many at once fit under no quota; every one of them is a document.
const MOST_INSTANCES: u64 = 1_000;

/// How long describing and tagging do not know a new instance (docs/aws/errors-and-retries.md#new-instances,
/// rule `instance-visibility`).
const VISIBLE_AFTER: Duration = Duration::from_secs(2);

/// A launch that passed all checks.
struct Launch {
    image: Image,
    image_id: String,
    offer: InstanceType,
    subnet: Subnet,
    groups: Vec<String>,
    profile: Option<Profile>,
    count: u64,
    instance_tags: Tags,
    volume_tags: Tags,
}

pub(super) fn run_instances(call: &Call) -> Answer {
    super::forget_gone(&call.shared, &call.region)?;
    let launch = Launch::checked(call)?;
    super::dry_run(call)?;

    // The ids follow from the token, so that asking twice finds what the first call made. Without a token,
    // AWS makes up one, too.
    let made_up = format!("{}{}", call.request_id, call.now());
    let token = call.maybe("ClientToken").unwrap_or(&made_up);
    let seed = format!("{}{}{token}", call.shared.account, call.region);
    let mut asked = call.input.clone();
    merge(&mut asked, json!({"ClientToken": null, "Version": null}));
    let asked = blake3::hash(asked.to_string().as_bytes()).to_hex().to_string();

    let first = id("i", &seed, 0);
    if let Some(known) = call.table(INSTANCES).get(&first) {
        if known["Asked"] != asked {
            let message = "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).";
            return Err(Fault::new(400, "IdempotentParameterMismatch", message));
        }
    } else {
        launch.check_quota(call)?;
        for index in 0..launch.count {
            let name = id("i", &seed, index);
            call.table(INSTANCES).put(&name, launch.instance(call, &seed, index, &asked))?;
            launch.tag(call, &name, &id("vol", &seed, index))?;
            backend::boot_when_running(&call.shared, &call.region, &name);
        }
    }
    let reservation_id = id("r", &seed, 0);
    let mut made = call.table(INSTANCES).list("");
    made.retain(|(_, instance)| instance["ReservationId"] == reservation_id.as_str());
    made.sort_by_key(|(_, instance)| instance["Shown"]["amiLaunchIndex"].as_u64());
    Ok(reservation(&call.shared, &call.region, &made))
}

fn id(prefix: &str, seed: &str, index: u64) -> String {
    let hash = blake3::hash(format!("{prefix}{index}{seed}").as_bytes()).to_hex();
    format!("{prefix}-0{}", &hash[..16])
}

/// vCPUs of the running instances that a quota counts, by its code.
pub fn vcpus_in_use(shared: &SandboxState, region: &str, quota: &str) -> u64 {
    let counted = |instance: &Value| {
        let offer = InstanceType::named(instance["Shown"]["instanceType"].as_str()?).ok()?;
        let counts = offer.quota() == quota && State::of(instance).takes_capacity();
        counts.then_some(u64::from(offer.vcpus))
    };
    let all = shared.table(INSTANCES, region).list("");
    all.iter().filter_map(|(_, instance)| counted(instance)).sum()
}

impl Launch {
    fn checked(call: &Call) -> Result<Self, Fault> {
        let named = call.text("ImageId");
        let image = catalog::image(&call.region, named)?;
        let wanted = call.maybe("InstanceType").unwrap_or("m1.small");
        let offer = InstanceType::named(wanted)?;
        if call.shared.enforces(AwsRule::ImageArchitecture) && offer.architecture != image.architecture {
            return Err(invalid(format!(
                "The architecture '{}' of the specified instance type does not match the architecture '{}' \
                 of the specified AMI. Specify an instance type and an AMI that have matching architectures, \
                 and try again. You can use 'describe-instance-types' or 'describe-images' to discover the \
                 architecture of the instance type or AMI.",
                offer.architecture, image.architecture
            )));
        }
        let (least, most) = (call.number("MinCount").unwrap_or(1), call.number("MaxCount").unwrap_or(1));
        if least < 1 {
            return Err(invalid(format!("Invalid value '{least}' for MinCount. Must be at least 1.")));
        }
        if most < least {
            return Err(invalid(format!(
                "Invalid value '{most}' for MaxCount. Must be greater than or equal to MinCount."
            )));
        }
        if let Some(key) = call.maybe("KeyName") {
            let message = format!("The key pair '{key}' does not exist");
            return Err(Fault::new(400, "InvalidKeyPair.NotFound", message));
        }
        let subnet = subnet(call)?;
        let groups = groups(call, &subnet)?;
        check_user_data(call)?;
        check_root_volume(call, &image)?;
        let (instance_tags, volume_tags) = wanted_tags(call)?;
        Ok(Self {
            image_id: image.id(&call.region),
            image,
            offer,
            subnet,
            groups,
            profile: profile(call)?,
            count: u64::try_from(most).unwrap_or(1),
            instance_tags,
            volume_tags,
        })
    }

    /// Quotas count vCPUs (docs/aws/ec2.md#quotas, rule `vcpu-limit`).
    fn check_quota(&self, call: &Call) -> Result<(), Fault> {
        if !call.shared.enforces(AwsRule::VcpuLimit) && self.count <= MOST_INSTANCES {
            return Ok(());
        }
        let taken = vcpus_in_use(&call.shared, &call.region, self.offer.quota());
        let limit = quotas::applied(&call.shared, "ec2", self.offer.quota()).unwrap_or(0.0);
        let wanted = taken.saturating_add(self.count.saturating_mul(u64::from(self.offer.vcpus)));
        if wanted as f64 <= limit && self.count <= MOST_INSTANCES {
            return Ok(());
        }
        let message = format!(
            "You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the \
             instance bucket that the specified instance type belongs to. Please exchange \
             http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit."
        );
        Err(Fault::new(400, "VcpuLimitExceeded", message))
    }

    /// An instance's document, with its plan: `Shown` is what describing shows, the rest is ours.
    fn instance(&self, call: &Call, seed: &str, index: u64, asked: &str) -> Entry {
        let (now, pace) = (call.now(), call.shared.pace);
        let role = self.profile.as_ref().and_then(|profile| profile.role_arn.as_deref());
        let after = |duration| now + pace.of(duration).as_millis() as Millis;
        let document = json!({
            "ReservationId": id("r", seed, 0),
            "Asked": asked,
            "Launched": now,
            "VisibleAt": after(VISIBLE_AFTER),
            "RunsAt": after(BOOTING),
            "Booted": false,
            "UserData": call.maybe("UserData"),
            "RoleArn": role,
            "TerminatesOnShutdown": call.maybe("InstanceInitiatedShutdownBehavior") == Some("terminate"),
            "Protected": call.flag("DisableApiTermination"),
            "VolumeId": id("vol", seed, index),
            "Shown": self.shown(call, seed, index, now),
        });
        Entry::planned(document, booting(now, pace))
    }

    /// A new instance as it is shown, but for its tags.
    fn shown(&self, call: &Call, seed: &str, index: u64, now: Millis) -> Value {
        let instance_id = id("i", seed, index);
        let host = blake3::hash(instance_id.as_bytes()).as_bytes()[0];
        let private_ip = format!("172.31.{}.{}", self.subnet.third_byte + host % 16, 4 + host % 250);
        let given = &call.input["MetadataOptions"];
        let option = |name: &str, default: &str| given[name].as_str().unwrap_or(default).to_owned();
        // AL2023 images ask for IMDSv2 by themselves (docs/aws/ec2.md#metadata-service).
        let tokens = if self.image.name.starts_with("al2023") { "required" } else { "optional" };
        let root_volume = json!({
            "volumeId": id("vol", seed, index), "status": "attached", "attachTime": iso8601(now),
            "deleteOnTermination": true,
        });
        let profile = self.profile.as_ref();
        json!({
            "instanceId": instance_id,
            "imageId": self.image_id,
            "instanceState": State::Pending.shown(),
            "privateDnsName": format!("ip-{}.{}.compute.internal", private_ip.replace('.', "-"), call.region),
            "dnsName": "",
            "amiLaunchIndex": index,
            "instanceType": self.offer.name,
            "launchTime": iso8601(now),
            "placement": {"availabilityZone": self.subnet.zone, "groupName": "", "tenancy": "default"},
            "monitoring": {"state": "disabled"},
            "subnetId": self.subnet.id,
            "vpcId": self.subnet.vpc,
            "privateIpAddress": private_ip,
            "sourceDestCheck": true,
            "groupSet": self.shown_groups(&call.region),
            "architecture": self.image.architecture,
            "rootDeviceType": "ebs",
            "rootDeviceName": self.image.root_device,
            "blockDeviceMapping": [{"deviceName": self.image.root_device, "ebs": root_volume}],
            "virtualizationType": "hvm",
            "hypervisor": "xen",
            "clientToken": call.maybe("ClientToken").unwrap_or_default(),
            "ebsOptimized": call.flag("EbsOptimized"),
            "iamInstanceProfile": profile.map(|profile| json!({"arn": profile.arn, "id": profile.id})),
            "instanceLifecycle": call.input["InstanceMarketOptions"]["MarketType"],
            "cpuOptions": {"coreCount": self.offer.vcpus.div_ceil(2),
                "threadsPerCore": self.offer.vcpus.min(2)},
            "metadataOptions": {
                "state": "applied",
                "httpTokens": option("HttpTokens", tokens),
                "httpPutResponseHopLimit": option("HttpPutResponseHopLimit", "2"),
                "httpEndpoint": option("HttpEndpoint", "enabled"),
            },
        })
    }

    fn shown_groups(&self, region: &str) -> Vec<Value> {
        let default = catalog::security_group_id(region);
        let shown = |id: &String| {
            let name = if *id == default { "default" } else { id.as_str() };
            json!({"groupId": id, "groupName": name})
        };
        self.groups.iter().map(shown).collect()
    }

    fn tag(&self, call: &Call, instance: &str, volume: &str) -> Result<(), Fault> {
        let add = |kind: &str, id: &str, wanted: &Tags| {
            let arn = arn(&call.shared, &call.region, kind, id);
            tags::add(&call.shared, &arn, wanted.clone(), "InvalidParameterValue")
        };
        add("instance", instance, &self.instance_tags)?;
        add("volume", volume, &self.volume_tags)
    }
}

/// The root volume is made of the image's snapshot, which it holds whole (docs/aws/ec2.md#images).
fn check_root_volume(call: &Call, image: &Image) -> Result<(), Fault> {
    let devices = call.list("BlockDeviceMapping").iter();
    let root = devices.into_iter().find(|device| device["DeviceName"] == image.root_device);
    let size = root.and_then(|device| device["Ebs"]["VolumeSize"].as_str()?.parse::<i64>().ok());
    match size {
        Some(size) if size < catalog::SNAPSHOT_GIB && call.shared.enforces(AwsRule::RootVolumeSize) => {
            let message = format!(
                "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                catalog::snapshot_id(&call.region, image),
                catalog::SNAPSHOT_GIB,
            );
            Err(Fault::new(400, "InvalidBlockDeviceMapping", message))
        }
        _ => Ok(()),
    }
}

fn check_user_data(call: &Call) -> Result<(), Fault> {
    let text = call.maybe("UserData").unwrap_or_default();
    let raw = STANDARD.decode(text).map_err(|_| invalid("Invalid BASE64 encoding of user data."))?;
    if raw.len() > LONGEST_USER_DATA {
        return Err(invalid(format!("User data is limited to {LONGEST_USER_DATA} bytes")));
    }
    Ok(())
}

/// The profile must be there, known to EC2, and have a role
/// (docs/aws/errors-and-retries.md#new-instance-profiles).
fn profile(call: &Call) -> Result<Option<Profile>, Fault> {
    let wanted = &call.input["IamInstanceProfile"];
    let (kind, name) = match (wanted["Name"].as_str(), wanted["Arn"].as_str()) {
        (Some(_), Some(_)) => {
            let message = "The parameter 'iamInstanceProfile.name' may not be used in combination with 'iamInstanceProfile.arn'";
            return Err(Fault::new(400, "InvalidParameterCombination", message));
        }
        (Some(name), None) => ("name", name),
        (None, Some(arn)) => ("arn", arn),
        (None, None) => return Ok(None),
    };
    let refuse = |why: String| {
        invalid(format!("Value ({name}) for parameter iamInstanceProfile.{kind} is invalid. {why}"))
    };
    let noun = if kind == "name" { "name" } else { "ARN" };
    let profile = iam::instance_profile(&call.shared, name)
        .ok_or_else(|| refuse(format!("Invalid IAM Instance Profile {noun}")))?;
    if profile.role_arn.is_none() {
        return Err(invalid(format!("IAM Instance Profile \"{}\" has no associated IAM Roles", profile.arn)));
    }
    Ok(Some(profile))
}

fn subnet(call: &Call) -> Result<Subnet, Fault> {
    let zone = call.input["Placement"]["AvailabilityZone"].as_str();
    let mut all = catalog::subnets(&call.region);
    match (call.maybe("SubnetId"), zone) {
        (Some(id), _) => all
            .find(|subnet| subnet.id == id)
            .or_else(|| catalog::subnet_of_others(&call.region, id))
            .ok_or_else(|| catalog::missing_subnet(id)),
        (None, Some(zone)) => all
            .find(|subnet| subnet.zone == zone)
            .ok_or_else(|| invalid(format!("Invalid availability zone: [{zone}]"))),
        (None, None) => all.next().ok_or_else(|| invalid("No default subnet")),
    }
}

/// The security groups, which are of the subnet's VPC
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RunInstances.html>).
fn groups(call: &Call, subnet: &Subnet) -> Result<Vec<String>, Fault> {
    let default = catalog::security_group_id(&call.region);
    let wanted: Vec<String> =
        call.list("SecurityGroupId").iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let is_default = subnet.vpc == catalog::vpc_id(&call.region);
    if wanted.is_empty() {
        return Ok(vec![default]);
    }
    for id in &wanted {
        if *id != default && !catalog::is_id("sg-", id) {
            return Err(catalog::missing_group(id));
        }
        if is_default != (*id == default) {
            let message =
                format!("Security group {id} and subnet {} belong to different networks.", subnet.id);
            return Err(Fault::new(400, "InvalidParameter", message));
        }
    }
    Ok(wanted)
}

/// Tags of the instance and of its volume. One bad tag fails the launch.
fn wanted_tags(call: &Call) -> Result<(Tags, Tags), Fault> {
    let (mut instance, mut volume) = (Tags::new(), Tags::new());
    for specification in call.list("TagSpecification") {
        let wanted = tags::from_list(specification["Tag"].as_array().map_or(&[], Vec::as_slice));
        tags::check(&wanted).map_err(invalid)?;
        match specification["ResourceType"].as_str().unwrap_or_default() {
            "instance" => instance.extend(wanted),
            "volume" => volume.extend(wanted),
            "network-interface" | "spot-instances-request" | "elastic-gpu" => {}
            other => {
                return Err(invalid(format!(
                    "'{other}' is not a valid taggable resource type for this operation."
                )));
            }
        }
    }
    Ok((instance, volume))
}
