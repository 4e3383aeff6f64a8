//! What AWS's images hold, by `data/contents.txt` (made by the script beside it), and what of it a job needs
//! here: no image is pulled, so only what its code imports is installed.

use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use tokio::process::Command;

use super::Python;
use crate::runners::families::Handlers;

const DATA: &str = include_str!("data/contents.txt");
const SCAN: &str = include_str!("imports.py");

/// What each family is about, by a word of its repositories: an image's tag begins with the version of it.
const FRAMEWORKS: &[(&str, &str)] = &[
    ("pytorch", "torch"),
    ("tensorflow", "tensorflow"),
    ("scikit-learn", "scikit-learn"),
    ("xgboost", "xgboost"),
];

/// A package that an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    /// None: its recipe does not say, or is gone: then the next image tells that it is there.
    pub version: Option<String>,
}

impl Package {
    /// As pip takes it.
    pub fn requirement(&self) -> String {
        match &self.version {
            Some(version) => format!("{}=={version}", self.name),
            None => self.name.clone(),
        }
    }

    /// Of a framework in this version: what pip fetches of PyPI, with what it brings.
    pub fn megabytes(&self) -> Option<u64> {
        let requirement = self.requirement();
        let known = records("s").find(|fields| fields[1] == requirement)?;
        known[2].parse().ok()
    }

    /// Whether images are named after it.
    pub fn is_framework(&self) -> bool {
        FRAMEWORKS.iter().any(|(_, framework)| *framework == self.name)
    }
}

/// The packages of one image.
#[derive(Clone, Debug)]
pub struct Contents {
    /// `python3.12`.
    pub python: Option<String>,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Scanned {
    modules: Vec<String>,
    /// None: Python does not take the script.
    defines: Option<Vec<String>>,
}

impl Contents {
    /// Those of an image of AWS's, by its URI.
    pub fn of(image: &str) -> Option<Self> {
        let (repository, tag) = image.split_once('/')?.1.split_once(':')?;
        let images: Vec<Vec<&str>> = records("i").filter(|fields| fields[1] == repository).collect();
        let end = tag.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '-')).unwrap_or(tag.len());
        let version = tag[..end].trim_end_matches('-');
        let wanted = numbers(version);
        let exact = images.iter().find(|fields| wanted.starts_with(&numbers(fields[2])));
        // Of some no recipe is left. They hold what the next one holds, in versions that fit.
        let image = exact
            .or_else(|| images.iter().find(|fields| numbers(fields[2]) > wanted))
            .or_else(|| images.last())?;
        let framework = FRAMEWORKS.iter().find(|(word, _)| repository.contains(word)).map(|(_, name)| *name);
        let package = |word: &&str| {
            let (name, listed) = word.split_once("==").map_or((*word, None), |(name, it)| (name, Some(it)));
            let tagged = if Some(name) == framework && wanted.len() == 3 && !version.contains('-') {
                Some(version)
            } else {
                tag.split('-')
                    .find_map(|part| part.strip_prefix(name))
                    .filter(|rest| !numbers(rest).is_empty())
            };
            let version = tagged.or(exact.and(listed)).map(str::to_owned);
            Package { name: name.to_owned(), version }
        };
        Some(Self {
            python: Some(image[3]).filter(|python| *python != "-").map(|python| format!("python{python}")),
            packages: image[4..].iter().map(package).collect(),
        })
    }

    /// What of it the code in a folder needs: what its scripts import, from the entry on, and what serves the
    /// model where the code does not.
    pub async fn needed(
        &self,
        python: &Python,
        code: &Path,
        entry: &str,
        handlers: Option<Handlers>,
    ) -> Vec<Package> {
        let mut scan = Command::new(&python.executable);
        scan.args(["-I", "-c", SCAN]).arg(code).arg(entry).stdin(Stdio::null()).kill_on_drop(true);
        let scanned = match scan.output().await {
            Ok(output) => serde_json::from_slice(&output.stdout).ok(),
            Err(_) => None,
        };
        // What cannot be read fails when it runs, and says why.
        let scanned = scanned.unwrap_or(Scanned { modules: Vec::new(), defines: None });
        self.wanted(&scanned, handlers)
    }

    fn wanted(&self, scanned: &Scanned, handlers: Option<Handlers>) -> Vec<Package> {
        let mut names: Vec<String> = scanned.modules.iter().map(|module| package_of(module)).collect();
        let defines = |name: &str| match &scanned.defines {
            Some(defined) => defined.iter().any(|own| own == name),
            None => true,
        };
        let complete = defines("model_fn") && (defines("predict_fn") || defines("transform_fn"));
        let framework: &[&str] = match handlers {
            // A model is an object of the framework's, which its file does not say.
            Some(Handlers::Sklearn) => &["scikit-learn"],
            Some(Handlers::Xgboost) => &["xgboost"],
            Some(Handlers::Torch) if !complete => &["torch"],
            Some(Handlers::HuggingFace) if !complete => &["transformers"],
            _ => &[],
        };
        names.extend(framework.iter().map(|name| (*name).to_owned()));
        if names.iter().any(|name| name == "transformers") {
            names.extend(["torch", "tensorflow"].map(str::to_owned));
        }
        let held: Vec<&Package> =
            self.packages.iter().filter(|package| names.contains(&package.name)).collect();
        // All of these bring NumPy, in a version that they were built with.
        let numpy = self.packages.iter().filter(|package| package.name == "numpy" && !held.is_empty());
        let mut wanted: Vec<Package> = held.iter().copied().chain(numpy).cloned().collect();
        wanted.sort_by(|a, b| a.name.cmp(&b.name));
        wanted.dedup();
        wanted
    }
}

/// The package that has a module, by its dotted name.
fn package_of(module: &str) -> String {
    let of_module = |fields: &Vec<&str>| {
        let rest = module.strip_prefix(fields[1]);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    match records("m").find(of_module) {
        Some(fields) => fields[2].to_owned(),
        None => module.split('.').next().unwrap_or_default().to_lowercase().replace('_', "-"),
    }
}

fn records(kind: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    DATA.lines().map(|line| line.split('\t').collect::<Vec<_>>()).filter(move |fields| fields[0] == kind)
}

/// The numbers of a version, for comparing.
pub(super) fn numbers(version: &str) -> Vec<u64> {
    version.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str) -> Contents {
        Contents::of(&format!("763104351884.dkr.ecr.us-east-1.amazonaws.com/{path}")).unwrap()
    }

    fn wanted(path: &str, modules: &[&str], defines: &[&str], handlers: Option<Handlers>) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let scanned = Scanned { modules: owned(modules), defines: Some(owned(defines)) };
        of(path).wanted(&scanned, handlers).iter().map(Package::requirement).collect()
    }

    #[test]
    fn code_gets_what_it_imports_of_its_image() {
        let torch = "pytorch-training:2.6.0-gpu-py312-cu126-ubuntu22.04-sagemaker";
        assert_eq!(of(torch).python.as_deref(), Some("python3.12"));
        assert_eq!(wanted(torch, &["json", "os", "mine"], &[], None), [""; 0]);
        let has = wanted(torch, &["PIL", "torch.utils.data", "torchvision"], &[], None);
        assert!(has.contains(&"torch==2.6.0".to_owned()), "{has:?}");
        assert!(has.contains(&"torchvision==0.21.0".to_owned()), "{has:?}");
        assert!(has.iter().any(|package| package.starts_with("numpy==")), "{has:?}");
        assert!(has.iter().any(|package| package.starts_with("pillow==")), "{has:?}");
        assert_eq!(has.len(), 4, "{has:?}");
        let package =
            |name: &str, version: &str| Package { name: name.into(), version: Some(version.into()) };
        assert!(package("torch", "2.6.0").megabytes() > package("xgboost", "3.0.5").megabytes());
        assert_eq!(package("torch", "0.0.1").megabytes(), None);
        // Installed by the Dockerfile, and named in no requirements.
        let tables = wanted("sagemaker-scikit-learn:1.2-1-cpu-py3", &["pyarrow"], &[], None);
        assert_eq!(tables, ["numpy==1.24.1", "pyarrow==14.0.1"]);
        let learns = wanted(torch, &["sklearn"], &[], None);
        assert!(learns.iter().any(|package| package.starts_with("scikit-learn==1.")), "{learns:?}");
    }

    #[test]
    fn the_handlers_of_a_family_need_its_framework_where_the_code_leaves_work_to_them() {
        let torch = "pytorch-inference:2.6.0-cpu-py312";
        let serves = Some(Handlers::Torch);
        assert_eq!(wanted(torch, &["os"], &["model_fn", "predict_fn"], serves), [""; 0]);
        assert!(wanted(torch, &["os"], &["model_fn"], serves).contains(&"torch==2.6.0".to_owned()));
        let sklearn =
            wanted("sagemaker-scikit-learn:1.2-1-cpu-py3", &[], &["model_fn"], Some(Handlers::Sklearn));
        assert!(sklearn.contains(&"scikit-learn==1.2.1".to_owned()), "{sklearn:?}");
        let face = "huggingface-pytorch-inference:2.6.0-transformers4.49.0-cpu-py312-ubuntu22.04";
        let face = wanted(face, &[], &[], Some(Handlers::HuggingFace));
        assert!(face.contains(&"transformers==4.49.0".to_owned()), "{face:?}");
        assert!(face.contains(&"torch==2.6.0".to_owned()), "{face:?}");
    }

    #[test]
    fn of_an_image_without_a_recipe_only_the_version_in_its_tag_is_known() {
        let has = wanted("pytorch-training:1.9.1-cpu-py38", &["torch", "torchvision"], &[], None);
        assert_eq!(has, ["numpy", "torch==1.9.1", "torchvision"]);
        assert!(Contents::of("123456789012.dkr.ecr.us-east-1.amazonaws.com/team/trainer:1").is_none());
    }
}
