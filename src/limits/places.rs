//! Regions, registries and GPUs, as `src/domain/places.txt` lists them.

use super::bound::{did_you_mean, may_be_newer};
use super::model::DATE;
use crate::domain::places::records;
use crate::domain::{Diagnostic, KeyPath, codes};
use opsctl_iam::arn::is_account_id;

/// What is wrong with a region's name; a warning when it may have been opened since the data was made.
pub fn region(name: &str, at: &KeyPath) -> Option<Diagnostic> {
    let known: Vec<String> = regions().map(str::to_owned).collect();
    if known.iter().any(|region| region == name) {
        return None;
    }
    let message = format!("AWS has no region \"{name}\"");
    if may_be_newer(name, &known) {
        let message = format!("{message} in opsctl's list of {}", *DATE);
        let help = "if it is newer, ignore this: AWS decides";
        return Some(Diagnostic::warning(codes::NEWER, at.clone(), message, help));
    }
    Some(Diagnostic::error(codes::UNKNOWN_REGION, at.clone(), message, did_you_mean(name, &known)))
}

/// Every region that AWS had opened when the data was made.
pub fn regions() -> impl Iterator<Item = &'static str> {
    records("r").map(|fields| fields[1])
}

/// What is wrong with the id of an account.
pub fn account(id: &str, at: &KeyPath) -> Option<Diagnostic> {
    let message = format!("\"{id}\" is not an AWS account id");
    (!is_account_id(id)).then(|| {
        Diagnostic::error(codes::BAD_VALUE, at.clone(), message, "write the twelve digits in quotes")
    })
}

/// The account whose registry has the AWS Deep Learning Containers of a region.
pub fn registry(region: &str) -> Option<&'static str> {
    records("a").find(|fields| fields[1] == region).map(|fields| fields[2])
}

/// Whether an instance type, with or without `ml.`, has a GPU that CUDA knows. `None` for families that are
/// not listed among AWS's types at all, and for those with other accelerators.
pub fn has_gpu(instance_type: &str) -> Option<bool> {
    let family = instance_type.strip_prefix("ml.").unwrap_or(instance_type).split('.').next()?;
    if records("g").any(|fields| fields[1] == family) {
        return Some(true);
    }
    let general = ["a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "u", "x", "z"];
    let letters = family.split(|c: char| !c.is_ascii_alphabetic()).next()?;
    general.contains(&letters).then_some(false)
}

/// Whether an instance type of SageMaker, with `ml.`, has disks of its own, whose encryption nobody chooses:
/// AWS refuses a key for the volume of such a type
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html>, `VolumeKmsKeyId`).
/// Which they are is `volume_size_supported` of Amazon's SDK (sagemaker 2.x, `fw_utils.py`), with the
/// families that are newer.
pub fn has_own_disk(instance_type: &str) -> bool {
    let family = instance_type.split('.').nth(1).unwrap_or_default();
    let newer = ["g5", "g6", "g7", "p5", "p6", "trn1", "trn2"];
    family.contains('d') || newer.iter().any(|prefix| family.starts_with(prefix))
}

/// Processors that run no program of another's image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    X86,
    /// Arm64. A `g` after the generation
    /// (<https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html>), and the first of
    /// them, `a1`.
    Graviton,
    /// AWS's own accelerators, beside x86: Inferentia and Trainium.
    Neuron,
}

/// The processor of an instance type, with or without `ml.`.
pub fn processor(instance_type: &str) -> Processor {
    let family =
        instance_type.strip_prefix("ml.").unwrap_or(instance_type).split('.').next().unwrap_or_default();
    let letters = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let options = letters.trim_start_matches(|c: char| c.is_ascii_digit());
    match family {
        _ if family.starts_with("inf") || family.starts_with("trn") => Processor::Neuron,
        "a1" => Processor::Graviton,
        _ if options.split('-').next().is_some_and(|options| options.contains('g')) => Processor::Graviton,
        _ => Processor::X86,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_g_after_the_generation_is_graviton() {
        for family in
            ["a1", "t4g", "m6gd", "c7gn", "r8g", "x2gd", "im4gn", "is4gen", "g5g", "hpc7g", "ml.c6g"]
        {
            assert_eq!(processor(&format!("{family}.large")), Processor::Graviton, "{family}");
        }
        for family in ["g4dn", "g5", "m5", "c7i-flex", "p4de", "u7in-16tb", "t3", "x2iedn", "mac1", "ml.g6e"]
        {
            assert_eq!(processor(&format!("{family}.large")), Processor::X86, "{family}");
        }
        for family in ["inf1", "ml.inf2", "ml.trn1", "trn1n"] {
            assert_eq!(processor(&format!("{family}.large")), Processor::Neuron, "{family}");
        }
    }
}
