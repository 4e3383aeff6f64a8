//! `[model.NAME]`: a model that no training of this project makes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Model;
use crate::config::Name;
use crate::desired::{Draft, Kind as _};
use crate::domain::{Code, KeyPath, KindName, codes};
use crate::inputs::{Remote, RemoteLook, Source, UseAs, bucket_and_key};
use crate::limits::Bound;
use crate::resources::bucket::Bucket;
use crate::resources::literal_secret;
use crate::resources::references::refuse_references;

/// `[model]`: every model by its name.
pub type Section = BTreeMap<Name, Item>;

/// `[model.NAME]`: a model that was trained elsewhere, or that its container fetches. An endpoint serves it
/// by `model = "NAME"`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model")]
pub struct Item {
    /// The trained files: a `.tar.gz` as SageMaker takes it, a file or folder that is packed into one, or
    /// `s3://BUCKET/KEY.tar.gz`, which is read and never written. Default none: the container fetches its
    /// model itself, and `image` is needed.
    artifact: Option<String>,
    /// A framework and its version (`pytorch-2.6`, `sklearn-1.2`), or a full registry URI; `image` of the
    /// endpoint comes before it. Default `pytorch-2.6`.
    image: Option<String>,
    /// Environment variables of the container, such as `HF_MODEL_ID`; those of the endpoint come before them.
    /// No secrets.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl Item {
    fn local(&self) -> Option<&Path> {
        self.artifact.as_deref().filter(|artifact| !artifact.starts_with("s3://")).map(Path::new)
    }

    fn remote(&self, name: &str) -> Option<Remote> {
        let uri = self.artifact.clone().filter(|artifact| artifact.starts_with("s3://"))?;
        Some(Remote { uri, look: RemoteLook::Object, at: KeyPath::of(["model", name, "artifact"]) })
    }
}

/// What is sent as it is written.
pub(super) const BOUND: &[Bound] = &[
    Bound::value("image", "sagemaker:CreateModel.PrimaryContainer.Image"),
    Bound::map("environment", "sagemaker:CreateModel.PrimaryContainer.Environment", 4),
];

/// Where an archive comes from that no training made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Given {
    /// A file or folder of this machine, by the digest of what is in it.
    Local {
        digest: String,
        #[serde(skip)]
        path: PathBuf,
    },
    /// An object of somebody's bucket, by its entity tag; the tag is empty while nobody has looked.
    Remote { etag: String },
    /// The container fetches it.
    Nothing,
}

impl Given {
    /// How folders and files of models are read: like data, file by file.
    pub fn use_as() -> UseAs {
        UseAs::Data { include: Vec::new(), exclude: Vec::new() }
    }

    /// Where it is on this machine.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Local { path, .. } => Some(path),
            _ => None,
        }
    }

    /// Whether a file is an archive already.
    pub fn is_packed(path: &Path) -> bool {
        path.to_string_lossy().ends_with(".tar.gz")
    }

    /// What it is known by, for the tag of the model.
    pub fn tag(&self) -> String {
        match self {
            Self::Local { digest, .. } => digest.get(..16).unwrap_or_default().to_owned(),
            Self::Remote { etag } => etag.clone(),
            Self::Nothing => "none".to_owned(),
        }
    }
}

/// A model of the section, for the endpoints that serve it.
#[derive(Clone, Debug)]
pub struct Artifact {
    pub given: Given,
    /// The archive as the endpoint loads it, when no code is put beside it; empty of [`Given::Nothing`].
    pub uri: String,
    pub image: Option<String>,
    pub environment: BTreeMap<String, String>,
    pub at: KeyPath,
}

pub(super) fn sources(section: &Section) -> Vec<Source> {
    let source = |(name, item): (&Name, &Item)| {
        let at = KeyPath::of(["model", name, "artifact"]);
        Some(Source { path: item.local()?.to_owned(), use_as: Given::use_as(), at, no_code: Vec::new() })
    };
    section.iter().filter_map(source).collect()
}

pub(super) fn remotes(section: &Section) -> Vec<Remote> {
    section.iter().filter_map(|(name, item)| item.remote(name)).collect()
}

/// Keeps what each model is for the endpoints. One that is wrong is not kept, and was reported.
pub(super) fn keep(section: &Section, draft: &mut Draft<'_>) {
    for (name, item) in section {
        let at = KeyPath::of(["model", name]);
        if draft.is_written(&KeyPath::of(["training", name])) {
            let text = format!("`{name}` is a training too, and an endpoint could mean either");
            draft.error(codes::TWO_MODELS, at.clone(), text, "rename one of them");
        }
        refuse_references(&item.environment, &at.join("environment"), draft);
        literal_secret::warn(&item.environment, &at.join("environment"), draft);
        let Some((given, uri)) = given(name, item, &at, draft) else { continue };
        let (image, environment) = (item.image.clone(), item.environment.clone());
        draft.keep(Model::id(name), Artifact { given, uri, image, environment, at });
    }
}

fn given(name: &Name, item: &Item, at: &KeyPath, draft: &mut Draft<'_>) -> Option<(Given, String)> {
    let key = at.join("artifact");
    if let Some(path) = item.local() {
        let found = draft.tree(path, &Given::use_as()).is_some();
        let tree = draft.tree_or_stand_in(path, &Given::use_as())?;
        if found && tree.entries.is_empty() {
            let text = format!("{} is empty", tree.root.display());
            draft.error(codes::NO_SUCH_PATH, key, text, "name a folder that has the files of the model");
            return None;
        }
        if let ([file], true) = (tree.entries.as_slice(), Given::is_packed(path))
            && !tree.may_be_archive(&file.path)
        {
            let text =
                format!("{} is no gzipped tar archive, so no container could unpack it", path.display());
            let help = "pack it: tar -czf model.tar.gz -C FOLDER . (or name the folder, which opsctl packs)";
            draft.error(codes::BAD_VALUE, key, text, help);
            return None;
        }
        if let ([file], false) = (tree.entries.as_slice(), Given::is_packed(path))
            && is_other_archive(path)
            && path.ends_with(&*file.path)
        {
            let text = format!("{} would be one file in the archive that opsctl packs", path.display());
            let help = "unpack it and name the folder, or pack it: tar -czf model.tar.gz -C FOLDER .";
            draft.error(codes::BAD_VALUE, key, text, help);
            return None;
        }
        // Where it is not read yet, it is not sent either.
        let digest = tree.digest().unwrap_or_default();
        let file = match (tree.entries.as_slice(), Given::is_packed(path)) {
            ([file], true) => file.path.to_string(),
            _ => "model.tar.gz".to_owned(),
        };
        let folder = Model::artifact_folder(draft.scope, &digest);
        let uri = format!("s3://{}/{folder}{file}", Bucket::name(draft));
        return Some((Given::Local { digest, path: path.to_owned() }, uri));
    }
    let Some(remote) = item.remote(name) else {
        if item.image.is_none() {
            let text = "without `artifact` the container must fetch the model itself";
            let help = "add `image`, such as that of Hugging Face's TGI, or `artifact`";
            draft.error(codes::MISSING_KEY, at.clone(), text, help);
            return None;
        }
        return Some((Given::Nothing, String::new()));
    };
    if let Err((code, text, help)) = archive_at(&remote.uri, &Bucket::name(draft)) {
        draft.error(code, key, text, help);
        return None;
    }
    let found = draft.listing(&remote);
    let etag = found.and_then(|found| found.etag.clone()).unwrap_or_default();
    Some((Given::Remote { etag }, remote.uri))
}

/// Archives that no container unpacks. A .zip may be a model: some libraries save theirs as one.
fn is_other_archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    name.ends_with(".tar") || name.ends_with(".tgz") || name.contains(".tar.")
}

/// Whether a URI can be that of an archive that somebody else has put there; else the code, the text and the
/// help of the problem.
fn archive_at(uri: &str, own_bucket: &str) -> Result<(), (Code, String, &'static str)> {
    let Some((bucket, key)) = bucket_and_key(uri) else {
        let name = "that of a bucket has 3 to 63 small letters, digits, hyphens and dots";
        let text = format!("{uri} is no place in S3: {name}");
        return Err((codes::BAD_URI, text, "write s3://BUCKET/KEY.tar.gz"));
    };
    if bucket == own_bucket {
        let text = "that is this project's own bucket, which is deleted with it".to_owned();
        return Err((codes::BAD_VALUE, text, "name a training, a local file, or another bucket"));
    }
    if key.is_empty() {
        return Err((codes::BAD_URI, format!("{uri} names no object"), "write s3://BUCKET/KEY.tar.gz"));
    }
    // "This path must point to a single gzip compressed tar archive (.tar.gz suffix)."
    // (https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ContainerDefinition.html)
    if !Given::is_packed(Path::new(uri)) {
        let text = format!("{uri} is no .tar.gz, the one archive that SageMaker unpacks");
        return Err((codes::BAD_VALUE, text, "pack it: tar -czf model.tar.gz -C FOLDER ."));
    }
    Ok(())
}

/// Says so of a model that no endpoint named: called when all endpoints are there.
pub fn warn_of_unused(served: &[&str], draft: &mut Draft<'_>) {
    let unused: Vec<KeyPath> = draft
        .all_kept::<Artifact>(KindName::Model)
        .filter(|(id, _)| !served.contains(&id.name.as_str()))
        .map(|(_, artifact)| artifact.at.clone())
        .collect();
    for at in unused {
        let text = "no endpoint serves this model, so nothing is made of it";
        draft.warn(codes::UNUSED_MODEL, at, text, "add an [endpoint.NAME] with it as `model`, or remove it");
    }
}
