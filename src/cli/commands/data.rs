//! `opsctl data pull`: downloads a data set from the bucket, and verifies it.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use clap::{Args, Subcommand};
use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::cli::CommandResult;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::{only, with_session};
use crate::cli::ui::Ui;
use crate::domain::{Crc64Hasher, KindName, ResourceId, Stored, bytes, codes, grouped};
use crate::engine::OpCx;
use crate::inputs::Output;
use crate::resources::data::{Data, Spec, sync};
use crate::resources::manifest::Manifest;
use crate::run::{self, Folders, Session};
use crate::transfer::{Object, Ranges, download, output};

#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download what is in the bucket into a folder (default: ./NAME)
    Pull(PullArgs),
}

#[derive(Debug, Args)]
pub struct PullArgs {
    /// Which one, when the config has several
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Write to this path, over what is there
    #[arg(long, value_name = "PATH")]
    pub to: Option<PathBuf>,
    /// Replace files that are there and differ
    #[arg(long, conflicts_with = "to")]
    pub force: bool,
}

/// Files at the same time.
const AT_ONCE: usize = 16;

impl PullArgs {
    /// Whether the user said that something may be replaced.
    pub fn may_replace(&self) -> bool {
        self.force || self.to.is_some()
    }
}

/// Refuses to replace what is the user's.
pub fn in_the_way(files: &[String]) -> Failure {
    const SHOWN: usize = 3;
    let shown = files.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    let message = match files.len().checked_sub(SHOWN) {
        Some(more @ 1..) => {
            format!("{shown} and {more} more are there, and differ from what is in the bucket")
        }
        _ if files.len() > 1 => format!("{shown} are there, and differ from what is in the bucket"),
        _ => format!("{shown} is there, and differs from what is in the bucket"),
    };
    let help = "nothing was fetched: `--to PATH` writes elsewhere, `--force` replaces what is there";
    Failure::new(codes::YOURS_IS_THERE, Exit::Failed, message, help)
}

/// Fetches the files of a data set into a folder. Those that are there already are left alone; nothing is
/// deleted.
pub async fn run(args: &PullArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Unneeded, async |session| pull(session, args, ui).await).await
}

async fn pull(session: &Session, args: &PullArgs, ui: &Ui) -> CommandResult {
    let name = only(session, "data", args.name.as_deref())?.to_owned();
    let id = ResourceId::new(KindName::Data, &name);
    let node = session.desired.node(&id).and_then(|node| node.spec_as::<Data>());
    let spec = node.expect("the config has it");
    let cx = OpCx::new(&session.context, id.clone());
    run::bucket_is_ours(session).await?;
    let manifest = manifest(&cx, spec).await?;
    let folder = args.to.clone().unwrap_or_else(|| PathBuf::from(&name));
    if !args.may_replace() {
        let (wanted, folder) = (manifest.files.clone(), folder.clone());
        let differ =
            spawn_blocking(move || differing(&wanted, &folder)).await.expect("looking does not panic");
        if !differ.is_empty() {
            return Err(in_the_way(&differ));
        }
    }
    // It ends by itself, and keeps what it has.
    session.context.cancel.commit()?;
    let (fetched, size) = fetch(&cx, spec, &manifest, &folder).await?;
    let same = manifest.files.len() - fetched;
    if ui.json() {
        let folder = folder.display().to_string();
        ui.out_json(&serde_json::json!({
            "format": 1, "target": id, "folder": folder, "fetched": fetched, "bytes": size, "same": same,
        }));
    } else {
        let (folder, size) = (folder.display(), bytes(size));
        ui.out(&format!("{folder}: {} fetched ({size}), {} the same\n", grouped(fetched), grouped(same)));
    }
    Ok(Exit::Done)
}

/// What the bucket has of a data set.
async fn manifest(cx: &OpCx<'_>, spec: &Spec) -> Result<Manifest, Failure> {
    let there = sync::read_manifest(cx, &spec.uri()).await?;
    if there.etag.is_none() {
        let message = format!("{} was never uploaded to {}", cx.target, spec.uri());
        return Err(Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, "`opsctl upload` does it"));
    }
    if there.manifest.format != Manifest::FORMAT {
        let message = format!(
            "the manifest of {} cannot be read; another version of opsctl may have written it",
            cx.target
        );
        let help = "`opsctl upload --verify` regenerates it from the folder";
        return Err(Failure::new(codes::FAILED, Exit::Failed, message, help));
    }
    Ok(there.manifest)
}

/// Downloads what the folder does not have yet: the number of files, and their bytes.
async fn fetch(cx: &OpCx<'_>, spec: &Spec, manifest: &Manifest, folder: &Path) -> OpResult<(usize, u64)> {
    let ranges = &Ranges::default();
    // Boxed, because the compiler cannot yet name the futures of a stream of borrows (rust-lang/rust#102211).
    let files = manifest.files.iter().map(|(path, stored)| {
        async move {
            let file = folder.join(inside(path)?);
            let (local, wanted) = (file.clone(), stored.clone());
            if spawn_blocking(move || is_there(&local, &wanted)).await.expect("reading does not panic") {
                return Ok((0, 0));
            }
            let key = format!("{}{path}", spec.prefix);
            let output = output(&file, Output::inside)?;
            download(cx, (&spec.bucket, &key), &Object::from(stored), output, ranges).await?;
            OpResult::Ok((1, stored.size))
        }
        .boxed()
    });
    stream::iter(files.collect::<Vec<_>>())
        .buffer_unordered(AT_ONCE)
        .try_fold((0, 0), |(n, size), (one, more)| async move { Ok((n + one, size + more)) })
        .await
}

/// A path of the manifest, if it stays inside the folder: whoever may write to the bucket must not write
/// elsewhere.
fn inside(path: &str) -> OpResult<&Path> {
    let path = Path::new(path);
    let is_file = !path.as_os_str().is_empty() && !path.as_os_str().as_encoded_bytes().ends_with(b"/");
    if is_file && path.components().all(|part| matches!(part, Component::Normal(_))) {
        return Ok(path);
    }
    let message = format!("the manifest names {}, which leads out of the folder", path.display());
    Err(OpError::new("data pull", OpErrorKind::Invalid, message))
}

/// The files of a folder that are other than in the bucket.
fn differing(wanted: &BTreeMap<String, Stored>, folder: &Path) -> Vec<String> {
    // What leads out of the folder is refused before it is fetched.
    let files = wanted.iter().filter_map(|(path, stored)| Some((folder.join(inside(path).ok()?), stored)));
    let there = files.filter(|(file, _)| file.symlink_metadata().is_ok());
    let differing = there.filter(|(file, stored)| !is_there(file, stored));
    differing.map(|(file, _)| file.display().to_string()).collect()
}

/// Whether the file has these bytes already.
pub fn is_there(file: &Path, stored: &Stored) -> bool {
    let same = || -> std::io::Result<bool> {
        let about = std::fs::metadata(file)?;
        if !about.is_file() || about.len() != stored.size {
            return Ok(false);
        }
        let mut hasher = Crc64Hasher::default();
        std::io::copy(&mut std::fs::File::open(file)?, &mut hasher)?;
        Ok(hasher.finish() == stored.crc)
    };
    same().unwrap_or(false)
}
