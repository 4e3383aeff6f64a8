//! What of an image's packages an environment can have here: wheels are there for some Pythons only, and
//! PyTorch's for CPUs are on an index of its own.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::contents::{Package, numbers};
use super::{Environments, Venv, Wanted};

/// PyTorch's builds for CPUs: a tenth of what PyPI has, which are for GPUs.
const CPU_BUILDS: &str = "https://download.pytorch.org/whl/cpu";

/// Ends with 2 where the user's own settings say where packages come from.
const PROBE: &str = "import subprocess, sys, urllib.request\n\
    settings = [sys.executable, '-I', '-m', 'pip', 'config', 'list']\n\
    said = subprocess.run(settings, capture_output=True, text=True).stdout\n\
    if 'index-url' in said or 'no-index' in said: sys.exit(2)\n\
    urllib.request.urlopen(sys.argv[1] + '/torch/', timeout=3).close()\n";

/// For finding a name, too, which the probe's own time-out is not about.
const PATIENCE: Duration = Duration::from_secs(6);

const VERSIONS: &str = "import json, sys\nfrom importlib import metadata\ndef version(name):\n    \
    try: return metadata.version(name).split('+')[0]\n    \
    except metadata.PackageNotFoundError: return None\n\
    print(json.dumps([version(name) for name in sys.argv[1:]]))\n";

/// Where an image's packages come from besides the user's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Usual,
    CpuBuilds,
    /// The index of builds for CPUs is not reached, so PyTorch is PyPI's.
    GpuBuilds,
}

impl Origin {
    /// Another index for pip.
    pub(super) fn index(self) -> Option<&'static str> {
        (self == Self::CpuBuilds).then_some(CPU_BUILDS)
    }

    /// How much will be fetched for a framework, where that is worth a word.
    pub(super) fn size(self, framework: &Package) -> Option<String> {
        let (name, size) = (framework.requirement(), framework.megabytes().map(to_fetch));
        match self {
            Self::GpuBuilds => Some(format!(
                "{CPU_BUILDS} is not reached, so {name} comes from PyPI: its builds for GPUs, with libraries {}",
                size.unwrap_or_else(|| "some gigabytes".to_owned())
            )),
            Self::Usual if !framework.name.starts_with("torch") => {
                Some(format!("{name} and what it needs are {}", size?))
            }
            Self::Usual | Self::CpuBuilds => None,
        }
    }
}

impl Environments {
    /// Where PyTorch is to come from, when it comes from the image.
    pub(super) async fn origin(&self, venv: &Venv, wanted: &Wanted) -> Origin {
        // macOS has no builds for GPUs.
        let is_of_torch = wanted.held.iter().any(|package| package.name.starts_with("torch"));
        if !self.python.manylinux || !is_of_torch {
            return Origin::Usual;
        }
        let mut probe = Command::new(venv.python());
        probe.args(["-I", "-c", PROBE, CPU_BUILDS]).kill_on_drop(true);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let ended = timeout(PATIENCE, probe.status()).await;
        match ended.ok().and_then(Result::ok).and_then(|status| status.code()) {
            Some(0) => Origin::CpuBuilds,
            Some(2) => Origin::Usual,
            _ => Origin::GpuBuilds,
        }
    }

    /// A line about what there is of the image. `taken` is what was asked for in the end.
    pub(super) async fn said_of_the_image(
        &self,
        venv: &Venv,
        wanted: &Wanted,
        taken: &[Package],
    ) -> Option<String> {
        let names = wanted.held.iter().map(|package| &package.name);
        let mut ask = Command::new(venv.python());
        ask.args(["-I", "-c", VERSIONS]).args(names).stdin(Stdio::null()).kill_on_drop(true);
        let answer = if wanted.held.is_empty() { None } else { ask.output().await.ok() };
        let has: Vec<Option<String>> = serde_json::from_slice(&answer?.stdout).ok()?;
        let (major, minor, _) = self.python.version;
        let said = wanted.held.iter().zip(has).map(|(package, has)| {
            let name = &package.name;
            let Some(has) = has else {
                return format!("no {name} (it has no wheel for Python {major}.{minor})");
            };
            let took = taken.iter().any(|p| p.name == *name && p.version.as_deref() == Some(&has));
            match &package.version {
                Some(version) if *version == has => format!("{name} {has}"),
                Some(version) if took => {
                    format!(
                        "{name} {has} ({version} in the image, which has no wheel for Python {major}.{minor})"
                    )
                }
                Some(version) => format!("{name} {has} ({version} in the image)"),
                None => format!("{name} {has}"),
            }
        });
        Some(format!(
            "opsctl sandbox: of what the image holds there is {}",
            said.collect::<Vec<_>>().join(", ")
        ))
    }
}

/// Wheels of libraries have half of what they unpack to.
fn to_fetch(megabytes: u64) -> String {
    let size = match megabytes {
        0..1000 => format!("{megabytes} MB"),
        _ => format!("{}.{} GB", megabytes / 1000, megabytes % 1000 / 100),
    };
    format!("about {size} to fetch, once, and twice that on the disk")
}

/// Whether a line of a requirements file asks for another version of a package, by number or by address.
pub(super) fn pins_another(line: &str, package: &Package) -> bool {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let (name, rest) = line.split_at(line.find(|c| !is_of_name(c)).unwrap_or(line.len()));
    let rest = rest.split(';').next().unwrap_or_default();
    let pinned =
        rest.split_once("==").map(|(_, version)| version.trim().split('+').next().unwrap_or_default());
    name.to_lowercase().replace(['_', '.'], "-") == package.name
        && (rest.contains('@') || pinned.is_some_and(|version| Some(version) != package.version.as_deref()))
}

/// Changes what pip refused: a version without a wheel becomes the next that has one, a package that has none
/// is left out, and what does not go together comes in versions that do. False: there is nothing to change.
pub(super) fn loosen(held: &mut Vec<Package>, said: &str) -> bool {
    if let Some((refused, versions)) = without_wheel(said) {
        let Some(at) = held.iter().position(|package| package.requirement() == refused) else { return false };
        let package = &mut held[at];
        match another(package.version.as_deref(), &versions) {
            Some(version) => package.version = Some(version),
            // A job without what its image is about would fail for that.
            None if package.is_framework() || package.name == "numpy" => return false,
            None => drop(held.remove(at)),
        }
        return true;
    }
    if !said.contains("conflicting dependencies") && !said.contains("ResolutionImpossible") {
        return false;
    }
    let pinned = |package: &Package| package.version.is_some();
    let only_frameworks = !held.iter().any(|package| pinned(package) && !package.is_framework());
    let mut changed = false;
    for package in held.iter_mut().filter(|package| only_frameworks || !package.is_framework()) {
        changed |= package.version.take().is_some();
    }
    changed
}

/// Whether pip refused versions of packages that the image holds, and not something else failed.
pub(super) fn is_of(held: &[Package], said: &str) -> bool {
    let conflict = said.contains("conflicting dependencies") || said.contains("ResolutionImpossible");
    let names = |name: &str| held.iter().any(|package| package.name == name);
    let refused = without_wheel(said).map(|(refused, _)| refused.split("==").next().unwrap_or_default());
    conflict || refused.is_some_and(names)
}

/// The requirement of which pip found no version, and the versions that there are.
fn without_wheel(said: &str) -> Option<(&str, Vec<&str>)> {
    let (_, rest) = said.split_once("satisfies the requirement ")?;
    let (requirement, rest) = rest.split_once(" (from versions: ")?;
    let (versions, _) = rest.split_once(')')?;
    Some((requirement.trim(), versions.split(", ").filter(|version| *version != "none").collect()))
}

/// The first final version after one, else the last before it.
fn another(version: Option<&str>, versions: &[&str]) -> Option<String> {
    let wanted = numbers(version?);
    let is_final =
        |version: &&&str| !version.split('+').next().unwrap_or_default().contains(char::is_alphabetic);
    let finals: Vec<&str> = versions.iter().filter(is_final).copied().collect();
    let next = finals.iter().find(|version| numbers(version) > wanted).or(finals.last())?;
    let next = next.split('+').next().unwrap_or_default();
    (Some(next) != version).then(|| next.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(packages: &[(&str, Option<&str>)]) -> Vec<Package> {
        let package = |&(name, version): &(&str, Option<&str>)| Package {
            name: name.to_owned(),
            version: version.map(str::to_owned),
        };
        packages.iter().map(package).collect()
    }

    fn refused(requirement: &str, versions: &str) -> String {
        format!(
            "ERROR: Could not find a version that satisfies the requirement {requirement} (from versions: \
             {versions}) ERROR: No matching distribution found for {requirement}"
        )
    }

    #[test]
    fn the_next_version_with_a_wheel_stands_in_for_one_without() {
        let mut has = held(&[("kenlm", Some("0.1")), ("torch", Some("1.11.0"))]);
        assert!(loosen(&mut has, &refused("torch==1.11.0", "1.9.0, 1.13.0rc1, 1.13.0, 1.13.1, 2.0.0+cpu")));
        assert_eq!(has[1].requirement(), "torch==1.13.0");
        assert!(loosen(&mut has, &refused("kenlm==0.1", "none")), "it is left out");
        assert_eq!(has, held(&[("torch", Some("1.13.0"))]));
        assert!(!loosen(&mut has, &refused("torch==1.13.0", "none")), "not what the image is about");
        assert!(!loosen(&mut has, &refused("boto3", "none")), "no package of the image");
        let mut late = held(&[("pandas", Some("3.0.0"))]);
        assert!(loosen(&mut late, &refused("pandas==3.0.0", "2.1.0, 2.2.0")));
        assert_eq!(late[0].requirement(), "pandas==2.2.0");
    }

    #[test]
    fn what_a_requirements_file_pins_otherwise_is_not_taken_of_the_image() {
        let torch = &held(&[("torch", Some("2.6.0"))])[0];
        let pins = |line: &str| pins_another(line, torch);
        for line in
            ["torch==2.7.1", "Torch[opt]==2.7.1 ; python_version > '3'", "torch @ https://a/torch.whl"]
        {
            assert!(pins(line), "{line}");
        }
        for line in
            ["torch", "torch==2.6.0", "torch==2.6.0+cpu", "torch>=2.7", "torchvision==0.22.0", "-r a.txt"]
        {
            assert!(!pins(line), "{line}");
        }
    }

    #[test]
    fn what_does_not_go_together_comes_in_other_versions_the_framework_last() {
        let conflict = "ERROR: ResolutionImpossible: for help visit https://pip.pypa.io/";
        let mut has = held(&[("numpy", Some("1.19.0")), ("torch", Some("2.0.0"))]);
        assert!(loosen(&mut has, conflict));
        assert_eq!(has, held(&[("numpy", None), ("torch", Some("2.0.0"))]));
        assert!(loosen(&mut has, conflict));
        assert!(!loosen(&mut has, conflict));
        assert!(!loosen(&mut held(&[("numpy", Some("1"))]), "ERROR: No space left on device"));
    }
}
