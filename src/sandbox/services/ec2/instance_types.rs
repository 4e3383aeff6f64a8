//! Instance types: every name that AWS's model has, and what can be said of the common ones by their name
//! alone (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html>).

use serde_json::{Value, json};

use super::filter::Filters;
use super::listed;
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::model;

/// An instance type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstanceType {
    pub name: &'static str,
    pub vcpus: u32,
    pub memory_mib: u32,
    pub architecture: &'static str,
    pub hypervisor: &'static str,
    /// Name and number of its GPUs.
    pub gpu: Option<(&'static str, u32)>,
}

/// Families whose sizes do not follow from the size's name: nano to medium have more or fewer vCPUs.
const BURSTABLE: &[(&str, u32, u32)] =
    &[("nano", 1, 512), ("micro", 1, 1_024), ("small", 1, 2_048), ("medium", 2, 4_096)];

/// Families with GPUs: the GPU, and MiB of memory per vCPU.
const GPUS: &[(&str, &str, u32)] = &[
    ("g4dn", "T4", 4_096),
    ("g5", "A10G", 4_096),
    ("g6", "L4", 4_096),
    ("g6e", "L40S", 8_192),
    ("p3", "V100", 7_808),
    ("p4d", "A100", 12_288),
    ("p5", "H100", 10_923),
];

impl InstanceType {
    /// The type of a name of AWS's.
    ///
    /// # Errors
    /// The refusal when AWS has no such type, or when the sandbox does not know how large it is.
    pub fn named(name: &str) -> Result<Self, Fault> {
        let known = model::enum_values("ec2", "InstanceType").iter().find(|known| **known == name);
        let known =
            known.ok_or_else(|| super::invalid(format!("Invalid value '{name}' for InstanceType.")))?;
        Self::of(known).ok_or_else(|| Fault::not_implemented("ec2", &format!("RunInstances of {name}")))
    }

    /// Every type that can be launched here.
    fn all() -> impl Iterator<Item = Self> {
        model::enum_values("ec2", "InstanceType").iter().filter_map(|name| Self::of(name))
    }

    fn of(name: &'static str) -> Option<Self> {
        let (family, size) = name.split_once('.')?;
        let (vcpus, memory_mib) = capacity(family, size)?;
        Some(Self {
            name,
            vcpus,
            memory_mib,
            architecture: if suffix(family).contains('g') { "arm64" } else { "x86_64" },
            hypervisor: if ["t2", "m4", "r4", "p3"].contains(&family) { "xen" } else { "nitro" },
            gpu: GPUS
                .iter()
                .find(|(known, ..)| *known == family)
                .map(|(_, gpu, _)| (*gpu, gpus(vcpus, family))),
        })
    }

    fn family(&self) -> &'static str {
        self.name.split('.').next().unwrap_or_default()
    }

    /// Whether it draws CPU credits: the T families (docs/aws/ec2.md#t2-instances).
    pub fn is_burstable(&self) -> bool {
        self.name.starts_with('t')
    }

    /// The quota that counts its vCPUs, by code in [`crate::services::quotas`].
    pub fn quota(&self) -> &'static str {
        match self.name.as_bytes().first() {
            Some(b'g') => "L-DB2E81BA",
            Some(b'p') => "L-417A185B",
            _ => "L-1216C47A",
        }
    }

    fn shown(&self) -> Value {
        let own_disks =
            suffix(self.family()).contains('d') || matches!(self.gpu, Some((gpu, _)) if gpu != "V100");
        json!({
            "instanceType": self.name,
            "currentGeneration": self.hypervisor == "nitro",
            "freeTierEligible": matches!(self.name, "t2.micro" | "t3.micro"),
            "supportedUsageClasses": ["on-demand", "spot"],
            "supportedRootDeviceTypes": ["ebs"],
            "supportedVirtualizationTypes": ["hvm"],
            "bareMetal": false,
            "hypervisor": self.hypervisor,
            "processorInfo": {"supportedArchitectures": [self.architecture]},
            "vCpuInfo": {"defaultVCpus": self.vcpus},
            "memoryInfo": {"sizeInMiB": self.memory_mib},
            "instanceStorageSupported": own_disks,
            "gpuInfo": self.gpu.map(|(name, count)| json!({"gpus": [{"name": name, "count": count}]})),
            "burstablePerformanceSupported": self.is_burstable(),
            // T2 boots from legacy BIOS only (docs/aws/ec2.md#t2-instances).
            "supportedBootModes":
                if self.hypervisor == "xen" { vec!["legacy-bios"] } else { vec!["legacy-bios", "uefi"] },
        })
    }
}

/// What follows the generation in a family's name: `dn` of `g4dn`.
fn suffix(family: &str) -> &str {
    family
        .trim_start_matches(|c: char| c.is_ascii_lowercase())
        .trim_start_matches(|c: char| c.is_ascii_digit())
}

/// vCPUs and MiB of memory.
fn capacity(family: &str, size: &str) -> Option<(u32, u32)> {
    if family.starts_with('t') {
        if let Some((_, vcpus, memory)) = BURSTABLE.iter().find(|(known, ..)| *known == size) {
            // T2 has one vCPU below medium, its successors two.
            return Some((if family == "t2" { *vcpus } else { 2 }, *memory));
        }
        let vcpus = by_size(size)?;
        return Some((vcpus, vcpus * 4_096));
    }
    let vcpus = by_size(size)?;
    let per_vcpu = match family {
        "c5n" => 2_688,
        "r4" => 7_808,
        "m4" => 4_096,
        _ => match GPUS.iter().find(|(known, ..)| *known == family) {
            Some((.., per_vcpu)) => *per_vcpu,
            // From the fifth generation on, the letter says how much memory there is.
            None => match family.as_bytes() {
                [b'c', b'5'..=b'9', ..] => 2_048,
                [b'm', b'5'..=b'9', ..] => 4_096,
                [b'r', b'5'..=b'9', ..] => 8_192,
                _ => return None,
            },
        },
    };
    Some((vcpus, vcpus * per_vcpu))
}

/// `2xlarge` has twice the vCPUs of `xlarge`. How many a `metal` has, its name does not say.
fn by_size(size: &str) -> Option<u32> {
    match size {
        "medium" => Some(1),
        "large" => Some(2),
        _ => match size.strip_suffix("xlarge")? {
            "" => Some(4),
            times => times.parse::<u32>().ok().map(|times| 4 * times),
        },
    }
}

/// One up to 32 vCPUs and with 64; four with 48 and 96, eight above. P types have theirs by the size.
fn gpus(vcpus: u32, family: &str) -> u32 {
    match (family, vcpus) {
        ("p3", _) => vcpus / 8,
        ("p4d", _) => 8,
        ("p5", _) => vcpus.div_ceil(24),
        (_, 48 | 96) => 4,
        (_, 192) => 8,
        _ => 1,
    }
}

pub(super) fn describe_instance_types(call: &Call) -> Answer {
    let wanted = call.list("InstanceType");
    let known = model::enum_values("ec2", "InstanceType");
    if let Some(unknown) = wanted.iter().filter_map(Value::as_str).find(|name| !known.contains(name)) {
        let message = format!("The following supplied instance types do not exist: [{unknown}]");
        return Err(Fault::new(400, "InvalidInstanceType", message));
    }
    let filters =
        Filters::of(call, &["instance-type", "current-generation", "processor-info.supported-architecture"])?;
    let all = InstanceType::all()
        .filter(|offered| wanted.is_empty() || wanted.iter().any(|name| name == offered.name));
    let found = all.filter(|offered| {
        filters.admit(|filter| match filter {
            "instance-type" => vec![offered.name.to_owned()],
            "current-generation" => vec![(offered.hypervisor == "nitro").to_string()],
            _ => vec![offered.architecture.to_owned()],
        })
    });
    listed(call, "instanceTypeSet", found.map(|offered| (offered.name.to_owned(), offered.shown())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_as_large_as_on_aws() {
        for (name, vcpus, memory_mib, architecture, gpu) in [
            ("t2.micro", 1, 1_024, "x86_64", None),
            ("t3.micro", 2, 1_024, "x86_64", None),
            ("t3.medium", 2, 4_096, "x86_64", None),
            ("t2.2xlarge", 8, 32_768, "x86_64", None),
            ("t4g.large", 2, 8_192, "arm64", None),
            ("m5.large", 2, 8_192, "x86_64", None),
            ("m6g.medium", 1, 4_096, "arm64", None),
            ("c5.2xlarge", 8, 16_384, "x86_64", None),
            ("c6i.large", 2, 4_096, "x86_64", None),
            ("r7i.4xlarge", 16, 131_072, "x86_64", None),
            ("g4dn.xlarge", 4, 16_384, "x86_64", Some(("T4", 1))),
            ("g4dn.12xlarge", 48, 196_608, "x86_64", Some(("T4", 4))),
            ("g5.48xlarge", 192, 786_432, "x86_64", Some(("A10G", 8))),
            ("p3.2xlarge", 8, 62_464, "x86_64", Some(("V100", 1))),
            ("p4d.24xlarge", 96, 1_179_648, "x86_64", Some(("A100", 8))),
        ] {
            let found = InstanceType::named(name).unwrap();
            assert_eq!((found.vcpus, found.memory_mib), (vcpus, memory_mib), "{name}");
            assert_eq!((found.architecture, found.gpu), (architecture, gpu), "{name}");
        }
        assert_eq!(InstanceType::named("t3.huge").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(InstanceType::named("u-6tb1.metal").unwrap_err().code, "NotImplemented");
    }
}
