//! Regions, registries and GPUs, as `data/places.txt` lists them.

use super::bound::{did_you_mean, may_be_newer};
use super::model::DATE;
use crate::domain::places::records;
use crate::domain::{Diagnostic, KeyPath, codes};

/// What is wrong with a region's name; a warning when it may have been opened since the data was made.
pub fn region(name: &str, at: &KeyPath) -> Option<Diagnostic> {
    let known: Vec<String> = records("r").map(|fields| fields[1].to_owned()).collect();
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
