use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::difference::{self, clash};
use super::{Bandwidth, Distribution, InputMode, Reading, outside};
use crate::config::ChannelName;
use crate::desired::{Draft, Kind, Mistake, Mixed, Seen};
use crate::domain::usage::Storage;
use crate::domain::{
    Action, Attributes, FieldChange, KeyPath, KindName, Needs, Scope, Tally, Usage, action, attributes,
    bytes, changes, codes, grouped, many,
};
use crate::inputs::{Remote, Source, Tree, UseAs, bucket_and_key};
use crate::limits::Bound;
use crate::resources::bucket::Bucket;
use crate::resources::manifest::Manifest;

/// The kind.
pub struct Data;

/// `[data.NAME]`: files that training reads as the channel NAME: a local folder, uploaded to the bucket, or
/// what is in a bucket of somebody.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Data")]
pub struct Item {
    /// The folder, or one file, relative to the config file. `.opsctlignore` files in the folder count.
    /// Needed unless there is a `uri`.
    path: Option<PathBuf>,
    /// `s3://BUCKET/PREFIX` of data that is there already, or `s3://BUCKET/KEY` of one file. It is read where
    /// it is, never written and never deleted. Default none.
    uri: Option<String>,
    /// Which data is under `uri`, in your own words (`2026-11`). Without it all objects are listed, up to
    /// 100,000: an object that is new or changed trains again. With it, a new version does. Default none.
    version: Option<String>,
    /// Upload only files that match one of these patterns (gitignore syntax). Empty: all files.
    #[serde(default)]
    include: Vec<String>,
    /// Files to leave out (gitignore syntax).
    #[serde(default)]
    exclude: Vec<String>,
    /// Delete from the bucket what is no longer in the folder. Without it such files stay, and training reads
    /// them.
    #[serde(default)]
    delete: bool,
    /// At most this many requests at the same time.
    #[serde(default = "Item::usual_concurrency")]
    #[schemars(range(min = 1, max = 1024))]
    max_concurrency: u16,
    /// At most this much per second, such as `"20MB/s"`. Default unlimited.
    bandwidth: Option<Bandwidth>,
    /// The channel that a training reads it as: `SM_CHANNEL_<channel>`, in capitals. Default its NAME.
    channel: Option<ChannelName>,
    /// What the files are, for a built-in algorithm: `text/csv`, `text/libsvm`,
    /// `application/x-recordio-protobuf`. Default none: each algorithm then takes what is its usual one.
    content_type: Option<String>,
    /// `file`: all files are copied before the script starts. `fastfile`: they are fetched when they are
    /// opened. `pipe`: they are streamed through a named pipe.
    #[serde(default)]
    input_mode: InputMode,
    /// With several instances: `replicated` gives each one all files, `sharded` its share of them.
    #[serde(default)]
    distribution: Distribution,
}

impl Item {
    /// As many as one prefix of S3 can use with answers after 30 ms, and few enough for any home router.
    fn usual_concurrency() -> u16 {
        128
    }

    fn use_as(&self) -> UseAs {
        UseAs::Data { include: self.include.clone(), exclude: self.exclude.clone() }
    }

    fn reading(&self) -> Reading {
        Reading {
            channel: self.channel.clone(),
            content_type: self.content_type.clone(),
            input_mode: self.input_mode,
            distribution: self.distribution,
        }
    }
}

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub bucket: String,
    /// Ends with `/`.
    pub prefix: String,
    /// [`crate::inputs::Tree::digest`]; empty while the files are not read, which only `opsctl upload` does.
    pub digest: String,
    pub files: usize,
    pub bytes: u64,
    pub path: PathBuf,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub delete: bool,
    pub max_concurrency: u16,
    pub bandwidth: Option<Bandwidth>,
    /// For the jobs that read it; the data set is the same.
    #[serde(skip)]
    pub reading: Reading,
    /// Digest of all that a job reads: of the folder's files and, without `delete`, of those that have left
    /// it and stay in the bucket (docs/decisions/0082).
    #[serde(skip)]
    pub read: String,
    /// How many of those have left the folder.
    #[serde(skip)]
    pub strays: usize,
    /// Why one of them cannot be in one folder with the files of the folder.
    #[serde(skip)]
    pub clash: Option<String>,
}

impl Spec {
    /// Where it is in S3.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    /// What its folder is read for.
    pub fn use_as(&self) -> UseAs {
        UseAs::Data { include: self.include.clone(), exclude: self.exclude.clone() }
    }
}

/// What of it is compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub digest: String,
    /// [`Manifest::digest_of_all`]: what a job would read. `None` where nobody looked for it before planning.
    #[serde(default)]
    pub holds: Option<String>,
    pub files: usize,
    pub bytes: u64,
    /// Files in the bucket that were not in the folder at the last upload.
    pub stray: usize,
    /// A key that somebody else has put where the data set would go, in a bucket that opsctl did not make.
    #[serde(default)]
    pub foreign: Option<String>,
    /// Objects that are not as they were uploaded. Known after a closer look alone, as the next.
    #[serde(default)]
    pub altered: Option<String>,
    /// Objects that nobody uploaded with opsctl, and that a training would read.
    #[serde(default)]
    pub mixed: Option<String>,
}

impl Data {
    /// What a change says of objects that are not as they were uploaded.
    pub(super) const IN_BUCKET: &'static str = "in the bucket";
}

impl Kind for Data {
    const NAME: KindName = KindName::Data;
    const SECTION: Option<&'static str> = Some("data");
    const OWNED_WITH: Option<KindName> = Some(KindName::Bucket);
    type Section = BTreeMap<ChannelName, Item>;
    type Spec = Spec;
    type State = State;

    fn whole_of(uri: &str) -> Option<&str> {
        uri.strip_prefix("s3://")?.split('/').next()
    }

    fn sources(section: &Self::Section) -> Vec<Source> {
        let source = |(name, item): (&ChannelName, &Item)| {
            let at = KeyPath::of(["data", name, "path"]);
            Some(Source { path: item.path.clone()?, use_as: item.use_as(), at, no_code: Vec::new() })
        };
        section.iter().filter_map(source).collect()
    }

    fn remotes(section: &Self::Section) -> Vec<Remote> {
        let remote = |(name, item): (&ChannelName, &Item)| {
            Some(outside::remote(name, item.uri.as_deref()?, item.version.as_deref()))
        };
        section.iter().filter_map(remote).collect()
    }

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        let bucket = Bucket::name(draft);
        for (name, item) in section {
            let at = KeyPath::of(["data", name]);
            let Some(path) = one_place(name, item, &at, draft) else { continue };
            // Where a folder cannot be read, the set is still there to be fetched and deleted.
            let tree = draft.tree(path, &item.use_as());
            let entries = tree.map_or(&[][..], |tree| &tree.entries);
            if let Some(tree) = tree.filter(|tree| tree.entries.is_empty()) {
                let chosen = !item.include.is_empty() || !item.exclude.is_empty();
                let why = if chosen { "has none that is included" } else { "is empty" };
                let text = format!("the data set `{name}` has no files: {} {why}", tree.root.display());
                draft.warn(codes::EMPTY_DATA, at.join("path"), text, "training would fail with ClientError");
            }
            let prefix = format!("data/{name}/");
            if let Some(long) = entries.iter().find(|e| prefix.len() + e.path.len() > 1024) {
                let text = format!("the key {prefix}{} is longer than S3's 1,024 bytes", long.path);
                draft.error(codes::LONG_NAME, at.join("path"), text, "shorten the path of the file");
            }
            if !(1..=1024).contains(&item.max_concurrency) {
                let text = format!("max_concurrency is {}, it can be 1 to 1024", item.max_concurrency);
                draft.error(codes::BAD_VALUE, at.join("max_concurrency"), text, "leave it out, or try 128");
            }
            let digest = tree.and_then(Tree::digest).unwrap_or_default();
            let strays = draft.strays(&format!("s3://{bucket}/{prefix}")).filter(|_| !item.delete);
            let stay = strays.into_iter().flat_map(|strays| strays.keys()).map(String::as_str);
            let with_strays = strays.and_then(|strays| tree?.digest_with(strays));
            let left =
                |tree: &Tree| strays.map(|all| all.keys().filter(|path| tree.entry(path).is_none()).count());
            let spec = Spec {
                reading: item.reading(),
                read: with_strays.unwrap_or_else(|| digest.clone()),
                strays: tree.and_then(left).unwrap_or_default(),
                clash: tree.and_then(|tree| clash(tree, stay)),
                bucket: bucket.clone(),
                prefix,
                digest,
                files: entries.len(),
                bytes: tree.map_or(0, Tree::bytes),
                path: path.clone(),
                include: item.include.clone(),
                exclude: item.exclude.clone(),
                delete: item.delete,
                max_concurrency: item.max_concurrency,
                bandwidth: item.bandwidth,
            };
            draft.add::<Self>(name, spec.uri(), spec, [Bucket::id(Bucket::MAIN)], at);
        }
    }

    fn bound() -> &'static [Bound] {
        const {
            &[
                Bound::value("content_type", "sagemaker:CreateTrainingJob.InputDataConfig.*.ContentType"),
                Bound::value("channel", "sagemaker:CreateTrainingJob.InputDataConfig.*.ChannelName"),
            ]
        }
    }

    fn holds(seen: &State) -> Option<Tally> {
        let objects = seen.files.try_into().unwrap_or(u64::MAX);
        Some(Tally { objects, bytes: seen.bytes, ..Tally::default() })
    }

    fn wanted(want: &Spec) -> State {
        let (digest, holds) = (want.digest.clone(), Some(want.read.clone()));
        State { digest, holds, files: want.files, bytes: want.bytes, ..State::default() }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let size = |files, bytes, digest: &str| {
            // A manifest that cannot be read counts as an empty one, without a digest.
            format!(
                "{}, {} ({})",
                many(files, "file"),
                many(bytes, "byte"),
                digest.get(..10).unwrap_or("unknown")
            )
        };
        changes()
            .when(
                seen.foreign.is_some(),
                "objects",
                seen.foreign.clone().unwrap_or_default(),
                "none".to_owned(),
                Needs::Update,
            )
            .when(
                seen.altered.is_some(),
                Self::IN_BUCKET,
                seen.altered.clone().unwrap_or_default(),
                "as in the folder".to_owned(),
                Needs::Update,
            )
            .when(
                want.digest != seen.digest,
                "content",
                size(seen.files, seen.bytes, &seen.digest),
                size(want.files, want.bytes, &want.digest) + &and_strays(want),
                Needs::Update,
            )
            // Somebody has uploaded since this was planned: what a job would be named after is not there.
            .when(
                want.digest == seen.digest && seen.holds.as_ref().is_some_and(|holds| *holds != want.read),
                "files beside the folder's",
                attributes::digest(seen.holds.as_deref().unwrap_or_default()),
                attributes::digest(&want.read),
                Needs::Update,
            )
            .when(
                want.delete && seen.stray > 0,
                "files not in the folder",
                seen.stray.to_string(),
                "0".to_owned(),
                Needs::Update,
            )
            .done()
    }

    fn mixed(seen: &State) -> Option<Mixed> {
        let help =
            "move or delete that; a data set holds what its folder has, and what opsctl uploaded before";
        let what = format!("holds {}", seen.mixed.as_ref()?);
        Some(Mixed { code: codes::FOREIGN, what, help })
    }

    /// Everything has gone: the sign of a wrong folder, or of one that is not mounted. Without `delete` a
    /// training would read what is in the bucket all the same, and be known as one of no files.
    fn mistaken(want: &Spec, seen: &State) -> Option<Mistake> {
        let (folder, files) = (want.path.display(), many(seen.files, "file"));
        if let Some(why) = want.clash.clone() {
            return Some(Mistake { code: codes::CLASH, why, help: difference::NO_CLASH });
        }
        (want.files == 0 && seen.files > 0).then(|| Mistake {
            code: codes::EMPTIES,
            why: match want.delete {
                true => format!(
                    "{folder} has nothing to upload, and `delete = true` would delete {files} from the bucket"
                ),
                false => format!(
                    "{folder} has nothing to upload, and the bucket has {files} of it, which a training would read"
                ),
            },
            help: "look at `path`, `include` and `exclude`; `opsctl data pull` brings the files back; to \
                   delete the data set, take its section out and run `opsctl deploy --prune`",
        })
    }

    fn usage(want: &Spec) -> Usage {
        Usage { stored: vec![(Storage::S3, want.bytes)], ..Usage::default() }
    }

    fn used(Seen { state, .. }: &Seen<State>) -> Usage {
        Usage { stored: vec![(Storage::S3, state.bytes)], ..Usage::default() }
    }

    fn summary(want: &Spec) -> String {
        format!("{}, {}", many(want.files, "file"), bytes(want.bytes))
    }

    fn console_path(uri: &str, _: &State, region: &str) -> Option<String> {
        let (bucket, prefix) = uri.strip_prefix("s3://")?.split_once('/')?;
        Some(format!("s3/buckets/{bucket}?region={region}&prefix={prefix}"))
    }

    fn read_keys(uri: &str) -> Vec<String> {
        bucket_and_key(uri).map(|(_, prefix)| Manifest::key(prefix)).into_iter().collect()
    }

    fn object_keys(want: &Spec, _: &str) -> Vec<String> {
        vec![format!("{}x", want.prefix), Manifest::key(&want.prefix)]
    }

    fn arns(_: &Scope, _: &str) -> Vec<String> {
        Vec::new() // all of it is in the bucket
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            ("Files", grouped(state.files)),
            ("Size", bytes(state.bytes)),
            ("Digest", attributes::digest(&state.digest)),
            (
                "Files that are not in the folder",
                if state.stray > 0 { grouped(state.stray) } else { String::new() },
            ),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::s3::GetObject,
            action::s3::GetObjectVersion,
            action::s3::PutObject,
            action::s3::ListBucket,
            action::s3::GetBucketTagging,
            action::s3::DeleteObject,
            action::s3::DeleteObjectVersion,
            action::s3::ListBucketVersions,
            action::s3::ListBucketMultipartUploads,
            action::s3::ListMultipartUploadParts,
            action::s3::AbortMultipartUpload,
        ]
    }
}

/// What is said of files that have left the folder, and that a training reads.
fn and_strays(want: &Spec) -> String {
    match want.strays {
        0 => String::new(),
        n => format!(", and {} only in the bucket, read by trainings too", many(n, "file")),
    }
}

/// The local folder or file. `None` of data in somebody's bucket, which is kept for the trainings, and after
/// a problem was reported.
fn one_place<'i>(
    name: &ChannelName,
    item: &'i Item,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) -> Option<&'i PathBuf> {
    let (path, uri) = (item.path.as_ref(), item.uri.as_ref());
    match (path, uri) {
        (Some(_), Some(_)) => {
            let text = "data is either here, by `path`, or in S3, by `uri`";
            draft.error(codes::BAD_VALUE, at.join("uri"), text, "remove one of them");
            return None;
        }
        (None, None) => {
            let text = "there is neither a folder nor a place in S3";
            draft.error(codes::MISSING_KEY, at.clone(), text, "add `path = \"…\"` or `uri = \"s3://…\"`");
            return None;
        }
        _ => {}
    }
    let Some(uri) = uri else {
        if item.version.is_some() {
            let text = "`version` says which data is under `uri`, and there is none";
            draft.error(
                codes::BAD_VALUE,
                at.join("version"),
                text,
                "remove it: files of a folder are compared",
            );
        }
        return path;
    };
    for key in ["include", "exclude", "delete", "max_concurrency", "bandwidth"] {
        if draft.is_written(&at.join(key)) {
            let text = format!("`{key}` is about uploads, and data by `uri` is read where it is");
            draft.error(codes::BAD_VALUE, at.join(key), text, "remove it");
        }
    }
    if let Some(outside) = outside::found(name, uri, item.version.as_deref(), item.reading(), draft) {
        draft.keep(Data::id(name), outside);
    }
    None
}
