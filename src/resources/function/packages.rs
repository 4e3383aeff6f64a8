//! `requirements.txt` of a function: which packages are put beside its code, and what they are known by.

use std::path::PathBuf;

use serde::Serialize;

use super::requirements::{AsksFor, Requirements};
use crate::desired::Draft;
use crate::domain::{KeyPath, codes};
use crate::inputs::Tree;
use crate::inputs::requirements::normal;

/// The file that pip reads, where it is there.
pub const LOCK: &str = "requirements.lock";
/// The file that pip reads, where there is no lock.
pub const FILE: &str = "requirements.txt";

/// What Lambda's Python runtimes bring along
/// (https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html): the SDK and what it needs, and the
/// client of the runtime.
const OF_RUNTIME: &[&str] = &[
    "awslambdaric",
    "boto3",
    "botocore",
    "jmespath",
    "python-dateutil",
    "s3transfer",
    "simplejson",
    "six",
    "snapshot-restore-py",
    "urllib3",
];

/// What is installed for a function.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Packages {
    /// Of all that the requirements name, and of the machine: the same packages for the same digest.
    pub digest: String,
    /// The folder with the requirements.
    #[serde(skip)]
    pub root: PathBuf,
    /// Within it.
    #[serde(skip)]
    pub file: &'static str,
    #[serde(skip)]
    pub runtime: String,
    #[serde(skip)]
    pub architecture: String,
}

/// What a folder asks for that it does not have. Where everything is in the folder already, or in Lambda's
/// runtime in whichever version, nothing is installed.
pub fn wanted(
    tree: &Tree,
    runtime: &str,
    architecture: &str,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) -> Option<Packages> {
    let file = if tree.entry(LOCK).is_some() { LOCK } else { FILE };
    let requirements = Requirements::read(&tree.root, file, &tree.entry(file)?.content);
    for line in &requirements.asked {
        let (text, help) = match line.asks_for {
            AsksFor::Source => (
                format!("the function will not have `{}`: only wheels are installed for Lambda", line.text),
                "put the package into the folder, or name a wheel of it",
            ),
            AsksFor::Building => (
                format!(
                    "`{}` builds packages for this machine: only wheels are installed for Lambda",
                    line.text
                ),
                "remove it from the requirements",
            ),
            AsksFor::Package { .. } | AsksFor::Wheel => continue,
        };
        draft.error(codes::NOT_INSTALLED, at.clone(), text, help);
    }
    if let Some((by, named)) = requirements.unread.iter().find(|(_, named)| !named.contains("://")) {
        let text = format!("{by} names `{named}`, and there is no such file");
        draft.error(codes::NOT_INSTALLED, at.clone(), text, "write it, or take the line out");
    }
    if has_all(tree, &requirements) {
        return None;
    }
    let mut digest = blake3::Hasher::new();
    digest.update(format!("{runtime}\0{architecture}\0").as_bytes());
    requirements.add_to(&mut digest);
    Some(Packages {
        digest: digest.finalize().to_hex()[..16].to_owned(),
        root: tree.root.clone(),
        file,
        runtime: runtime.to_owned(),
        architecture: architecture.to_owned(),
    })
}

/// Whether nothing is to be installed. What version of a package the runtime has changes with time, so that
/// of one it is asked for, or held to, it is not known to have it.
fn has_all(tree: &Tree, requirements: &Requirements) -> bool {
    let packed: Vec<String> = tree.entries.iter().filter_map(|entry| package_of(&entry.path)).collect();
    let is_there = |asks_for: &AsksFor| match asks_for {
        AsksFor::Package { name, is_any } => {
            let is_any = *is_any && !requirements.constrained.contains(name);
            packed.contains(name) || is_any && OF_RUNTIME.contains(&name.as_str())
        }
        AsksFor::Wheel => false,
        AsksFor::Source | AsksFor::Building => true, // refused
    };
    requirements.unread.is_empty() && requirements.asked.iter().all(|line| is_there(&line.asks_for))
}

/// The package that a file belongs to: `PIL/Image.py` and `pillow-11.0.dist-info/METADATA` are there once it
/// is installed.
fn package_of(path: &str) -> Option<String> {
    let is_module = [".py", ".so"].iter().any(|end| path.ends_with(end));
    let name = match path.split_once('/') {
        Some((folder, _)) => match folder.strip_suffix(".dist-info") {
            Some(installed) => installed.split('-').next()?,
            None if is_module => folder,
            None => return None,
        },
        None => path.strip_suffix(".py")?,
    };
    Some(normal(name))
}
