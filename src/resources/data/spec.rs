use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Name;
use crate::desired::Draft;
use crate::domain::{FieldChange, KeyPath, Needs, Owner, Status, bytes, changes, codes};
use crate::inputs::{Source, Tree, UseAs};
use crate::resources::bucket::Bucket;
use crate::resources::{Kind, KindName};

pub struct Data;

/// `[data.NAME]`: a folder that training reads as the channel NAME.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Data")]
pub struct Item {
    /// The folder, relative to the config file. `.opsctlignore` files in it are honoured.
    path: PathBuf,
    /// Only files that match one of these patterns (gitignore syntax); without any, all files.
    #[serde(default)]
    include: Vec<String>,
    /// Files to leave out (gitignore syntax).
    #[serde(default)]
    exclude: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub bucket: String,
    /// Ends with `/`.
    pub prefix: String,
    pub digest: String,
    pub files: usize,
    pub bytes: u64,
    pub path: PathBuf,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

impl Spec {
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    pub fn use_as(&self) -> UseAs {
        UseAs::Data { include: self.include.clone(), exclude: self.exclude.clone() }
    }
}

/// What is in the bucket, as the last upload left it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    pub format: u32,
    /// [`Tree::digest`] of what was uploaded.
    pub digest: String,
    pub files: BTreeMap<String, ManifestFile>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    pub size: u64,
    /// BLAKE3, hexadecimal.
    pub hash: String,
}

impl Manifest {
    pub const FORMAT: u32 = 1;

    pub fn of(tree: &Tree) -> Self {
        let files = tree.entries.iter().map(|e| (e.path.clone(), ManifestFile { size: e.size, hash: e.hash.clone() }));
        Self { format: Self::FORMAT, digest: tree.digest.clone(), files: files.collect() }
    }

    /// `data/dogs/` → `data/dogs.opsctl-manifest.json`.
    pub fn key(prefix: &str) -> String {
        format!("{}.opsctl-manifest.json", prefix.trim_end_matches('/'))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub digest: String,
    pub files: usize,
    pub bytes: u64,
}

impl Kind for Data {
    const NAME: KindName = KindName::Data;
    const SECTION: Option<&'static str> = Some("data");
    type Section = BTreeMap<Name, Item>;
    type Spec = Spec;
    type Seen = Seen;

    fn sources(section: &Self::Section) -> Vec<Source> {
        let source = |(name, item): (&Name, &Item)| Source {
            path: item.path.clone(),
            use_as: UseAs::Data { include: item.include.clone(), exclude: item.exclude.clone() },
            at: KeyPath::of(["data", name, "path"]),
        };
        section.iter().map(source).collect()
    }

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        let bucket = Bucket::name(draft);
        for (name, item) in section {
            let at = KeyPath::of(["data", name]);
            let use_as = UseAs::Data { include: item.include.clone(), exclude: item.exclude.clone() };
            let Some(tree) = draft.tree(&item.path, &use_as) else { continue };
            if tree.entries.is_empty() {
                let text = format!("the data set `{name}` has no files: {} is empty", tree.root.display());
                draft.warn(codes::EMPTY_DATA, at.join("path"), text, "training would fail with ClientError");
            }
            let prefix = format!("data/{name}/");
            if let Some(long) = tree.entries.iter().find(|e| prefix.len() + e.path.len() > 1024) {
                let text = format!("the key {prefix}{} is longer than S3's 1,024 bytes", long.path);
                draft.error(codes::LONG_NAME, at.join("path"), text, "shorten the path of the file");
            }
            let spec = Spec {
                bucket: bucket.clone(),
                prefix,
                digest: tree.digest.clone(),
                files: tree.entries.len(),
                bytes: tree.bytes(),
                path: item.path.clone(),
                include: item.include.clone(),
                exclude: item.exclude.clone(),
            };
            draft.add::<Self>(name, spec.uri(), &spec, [Bucket::id(Bucket::MAIN)], at);
        }
    }

    fn diff(want: &Spec, seen: &Seen) -> Vec<FieldChange> {
        let size = |files, bytes, digest: &str| {
            // A manifest that cannot be read counts as an empty one, without a digest.
            format!("{files} files, {bytes} bytes ({})", digest.get(..10).unwrap_or("unknown"))
        };
        changes()
            .when(
                want.digest != seen.digest,
                "content",
                size(seen.files, seen.bytes, &seen.digest),
                size(want.files, want.bytes, &want.digest),
                Needs::Update,
            )
            .done()
    }

    fn status(_: &Seen) -> Status {
        Status::ready("Uploaded")
    }

    fn owner(_: &Seen) -> Owner {
        Owner::Ours // it lies in our bucket
    }

    fn summary(want: &Spec) -> String {
        format!("{} files, {}", want.files, bytes(want.bytes))
    }

    fn iam_actions() -> &'static [&'static str] {
        &["s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject", "s3:DeleteObjectVersion"]
    }
}
