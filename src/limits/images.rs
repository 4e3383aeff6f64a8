//! AWS's images of frameworks and built-in algorithms, as `data/images.txt` lists them. Parsed when first
//! asked for.

use std::sync::LazyLock;

const DATA: &str = include_str!("data/images.txt");

/// What a container is for: most frameworks have an image for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Training,
    Hosting,
}

/// What an image is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    Cpu,
    /// One that CUDA knows.
    Gpu,
    /// Arm64.
    Graviton,
}

/// An image that AWS publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `pytorch`, or the name of a built-in algorithm.
    pub family: &'static str,
    /// The whole version: `2.6.0`, `1.7-1`.
    pub version: &'static str,
    /// Repository and tag, as they follow the registry in a URI.
    pub path: &'static str,
    /// `training`, `inference` or `both`.
    uses: &'static str,
    /// `cpu`, `gpu`, `graviton` or `any`.
    made_for: &'static str,
    /// The set of registries that have it.
    set: &'static str,
}

/// Why there is no such image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    Family,
    Version {
        family: &'static str,
    },
    /// There is one for the other purpose.
    Purpose {
        family: &'static str,
    },
    /// There is one for other instance types.
    Device {
        made_for: Vec<&'static str>,
    },
}

static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(|| DATA.lines().filter_map(image).collect());

fn image(line: &'static str) -> Option<Image> {
    let fields: Vec<&str> = line.split('\t').collect();
    match fields[..] {
        ["i", family, version, uses, made_for, _python, set, path] => {
            Some(Image { family, version, path, uses, made_for, set })
        }
        ["b", family, version, set, path] => {
            Some(Image { family, version, path, uses: "both", made_for: "any", set })
        }
        _ => None,
    }
}

fn records(kind: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    DATA.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(move |fields| fields[0] == kind)
}

impl Image {
    /// The account whose registry has it in a region.
    pub fn account(&self, region: &str) -> Option<&'static str> {
        records("r").find(|fields| fields[1] == self.set && fields[2] == region).map(|fields| fields[3])
    }

    /// Whether it is a built-in algorithm, which runs no script.
    pub fn is_algorithm(&self) -> bool {
        !frameworks().contains(&self.family)
    }

    fn serves(&self, purpose: Purpose) -> bool {
        let word = match purpose {
            Purpose::Training => "training",
            Purpose::Hosting => "inference",
        };
        self.uses == "both" || self.uses == word
    }

    fn runs_on(&self, device: Device) -> bool {
        let word = match device {
            Device::Cpu => "cpu",
            Device::Gpu => "gpu",
            Device::Graviton => "graviton",
        };
        self.made_for == word || (self.made_for == "any" && device != Device::Graviton)
    }
}

/// The frameworks that have images, in alphabetical order.
pub fn frameworks() -> Vec<&'static str> {
    let mut families: Vec<&str> = records("i").map(|fields| fields[1]).collect();
    families.dedup();
    families
}

/// The image of a framework by its short name: `pytorch-2.6`, `pytorch-2.6.0`, `sklearn-1.2`.
///
/// # Errors
/// What there is no image for.
pub fn framework(name: &str, purpose: Purpose, device: Device) -> Result<&'static Image, Missing> {
    let split = |family: &&'static str| Some((*family, name.strip_prefix(*family)?.strip_prefix('-')?));
    let (family, version) = frameworks().iter().find_map(split).ok_or(Missing::Family)?;
    let meant: Vec<&str> = records("v")
        .filter(|fields| fields[1] == family && fields[2] == version)
        .map(|fields| fields[3])
        .chain([version])
        .collect();
    let of_version: Vec<&Image> =
        IMAGES.iter().filter(|i| i.family == family && meant.contains(&i.version)).collect();
    if of_version.is_empty() {
        return Err(Missing::Version { family });
    }
    let of_purpose: Vec<&Image> = of_version.into_iter().filter(|i| i.serves(purpose)).collect();
    if of_purpose.is_empty() {
        return Err(Missing::Purpose { family });
    }
    // The newest of what a short version stands for: the list is in the order of versions.
    let found = of_purpose.iter().rev().find(|image| image.runs_on(device));
    found.copied().ok_or_else(|| {
        let mut made_for: Vec<&str> = of_purpose.iter().map(|image| image.made_for).collect();
        made_for.dedup();
        Missing::Device { made_for }
    })
}

/// The name of what serves the models of an image that trains: of its very version, else of another patch of
/// what the short version stands for (`tensorflow-1.13` trains in 1.13.1 and serves in 1.13.0).
pub fn name_that_serves(image: &Image) -> String {
    let serves = |version: &str| {
        let of_version = |i: &&Image| i.family == image.family && i.version == version;
        IMAGES.iter().filter(of_version).any(|i| i.serves(Purpose::Hosting))
    };
    let (family, own) = (image.family, image.version);
    let shorts = records("v").filter(|fields| fields[1] == family);
    let short = shorts.filter(|fields| own.starts_with(&format!("{}.", fields[2]))).map(|fields| fields[2]);
    let served = |short: &&str| names(family, Purpose::Hosting).contains(&format!("{family}-{short}"));
    let version = if serves(own) { own } else { short.into_iter().find(served).unwrap_or(own) };
    format!("{family}-{version}")
}

/// The short names of a framework that have an image for the purpose, oldest first.
pub fn names(family: &str, purpose: Purpose) -> Vec<String> {
    let shorts: Vec<Vec<&str>> = records("v").filter(|fields| fields[1] == family).collect();
    let mut names: Vec<String> = Vec::new();
    for image in IMAGES.iter().filter(|i| i.family == family && i.serves(purpose)) {
        let short = shorts.iter().find(|fields| fields[3] == image.version);
        // An older patch of a version that has a short name: that names a newer one.
        let superseded = || shorts.iter().any(|fields| image.version.starts_with(&format!("{}.", fields[2])));
        let version = match short {
            Some(fields) => fields[2],
            None if superseded() => continue,
            None => image.version,
        };
        let name = format!("{family}-{version}");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The image of a built-in algorithm: `linear-learner`; `xgboost-1.7`, whose versions differ.
pub fn algorithm(name: &str) -> Option<&'static Image> {
    let listed = IMAGES.iter().find(|image| image.family == name && image.is_algorithm());
    let versioned = || framework(name, Purpose::Training, Device::Cpu).ok();
    listed.or_else(|| versioned().filter(|image| image.family == VERSIONED))
}

/// The framework whose image is a built-in algorithm too
/// (<https://docs.aws.amazon.com/sagemaker/latest/dg/xgboost.html>).
const VERSIONED: &str = "xgboost";

/// The names of all built-in algorithms.
pub fn algorithms() -> Vec<String> {
    let listed = records("b").map(|fields| fields[1].to_owned());
    listed.chain(names(VERSIONED, Purpose::Training)).collect()
}

/// The image that a repository and tag of AWS's belong to.
pub fn of_path(path: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| image.path == path)
}

/// The account of AWS whose registry has a repository in a region.
pub fn account_of(repository: &str, region: &str) -> Option<&'static str> {
    let image = IMAGES.iter().rev().find(|image| image.path.split(':').next() == Some(repository))?;
    image.account(region)
}

/// Whether the account is one of those that AWS publishes images from in a region.
pub fn is_publisher(account: &str, region: &str) -> bool {
    records("r").any(|fields| fields[2] == region && fields[3] == account)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_version_stands_for_the_newest_that_has_the_device() {
        let path = |name, device| framework(name, Purpose::Hosting, device).unwrap().path;
        assert_eq!(path("pytorch-2.2", Device::Cpu), "pytorch-inference:2.2.0-cpu-py310");
        assert!(path("pytorch-2.2", Device::Graviton).contains("graviton:2.2.1"));
        assert_eq!(path("xgboost-1.7", Device::Gpu), "sagemaker-xgboost:1.7-1");
        assert_eq!(path("sklearn-1.2-1", Device::Cpu), path("sklearn-1.2", Device::Cpu));
    }

    #[test]
    fn what_is_missing_is_told_apart() {
        let missing = |name, purpose, device| framework(name, purpose, device).unwrap_err();
        assert_eq!(missing("caffe-1", Purpose::Training, Device::Cpu), Missing::Family);
        assert_eq!(
            missing("pytorch-9.9", Purpose::Training, Device::Cpu),
            Missing::Version { family: "pytorch" }
        );
        assert_eq!(
            missing("pytorch-2.8", Purpose::Hosting, Device::Cpu),
            Missing::Purpose { family: "pytorch" }
        );
        assert_eq!(
            missing("huggingface-4.49", Purpose::Training, Device::Cpu),
            Missing::Device { made_for: vec!["gpu"] }
        );
    }

    #[test]
    fn algorithms_have_registries_of_their_own() {
        let image = algorithm("linear-learner").unwrap();
        assert_eq!((image.path, image.account("us-east-1")), ("linear-learner:1", Some("382416733822")));
        assert_eq!(algorithm("xgboost-1.7").unwrap().account("us-east-1"), Some("683313688378"));
        assert_eq!(algorithm("pytorch-2.6"), None);
        assert!(algorithms().len() > 20);
    }

    #[test]
    fn every_short_name_is_found() {
        for family in frameworks() {
            for purpose in [Purpose::Training, Purpose::Hosting] {
                for name in names(family, purpose) {
                    let devices = [Device::Cpu, Device::Gpu];
                    assert!(devices.iter().any(|d| framework(&name, purpose, *d).is_ok()), "{name}");
                }
            }
        }
    }
}
