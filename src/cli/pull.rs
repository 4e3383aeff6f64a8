//! `opsctl data pull` and `opsctl model pull`: what lies in the bucket, on this machine, verified.

use std::path::{Component, Path, PathBuf};

use futures_util::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::task::spawn_blocking;

use super::Ended;
use super::args::{Global, PullArgs};
use super::error::Failure;
use super::exit::Exit;
use super::generations::Job;
use super::session::{Environment, Folders, Session};
use super::ui::Ui;
use crate::aws::{OpError, OpErrorKind, OpResult};
use crate::domain::grouped;
use crate::domain::{Crc64Hasher, KindName, ResourceId, Stored, bytes, codes};
use crate::engine::OpCx;
use crate::inputs::note_written;
use crate::resources::data::sync;
use crate::resources::data::{Manifest, Spec};
use crate::resources::instance::Instance;
use crate::resources::training::Training;
use crate::resources::training::job::{model_key, model_uri};
use crate::transfer::{Object, Ranges, download};

/// Files at the same time.
const AT_ONCE: usize = 16;

/// Fetches the files of a data set into a folder. Those that are there already are left alone; nothing is
/// deleted.
pub async fn data(args: &PullArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let session = Session::open_with(global, env, |_| Ok(()), Folders::Unneeded).await?;
    let name = session.only("data", args.name.as_deref())?.to_owned();
    let id = ResourceId::new(KindName::Data, &name);
    let node = session.desired.node(&id).expect("the config has it").clone();
    let spec: Spec = serde_json::from_value(node.spec).expect("it was written from one");
    let cx = OpCx { world: &session.world, step: 0, target: id.clone() };
    let there = sync::read_manifest(&cx, &spec.uri()).await?;
    if there.etag.is_none() {
        let message = format!("{id} was never uploaded to {}", spec.uri());
        return Err(Failure::said(codes::NOT_DEPLOYED, Exit::Failed, message, "`opsctl upload` does it"));
    }
    if there.manifest.format != Manifest::FORMAT {
        let message =
            format!("the manifest of {id} cannot be read; another version of opsctl may have written it");
        let help = "`opsctl upload --verify` regenerates it from the folder";
        return Err(Failure::said(codes::FAILED, Exit::Failed, message, help));
    }
    // It ends by itself, and keeps what it has.
    env.cancel.commit()?;
    let ranges = Ranges::default();
    let folder = args.to.clone().unwrap_or_else(|| PathBuf::from(&name));
    // Boxed, because the compiler cannot yet name the futures of a stream of borrows (rust-lang/rust#102211).
    let files = there.manifest.files.iter().map(|(path, stored)| {
        let (cx, spec, folder, ranges) = (&cx, &spec, &folder, &ranges);
        async move {
            let file = folder.join(inside(path)?);
            let (local, wanted) = (file.clone(), stored.clone());
            if spawn_blocking(move || is_there(&local, &wanted)).await.expect("reading does not panic") {
                return Ok((0, 0));
            }
            let key = format!("{}{path}", spec.prefix);
            download(cx, (&spec.bucket, &key), &Object::from(stored), &file, ranges).await?;
            OpResult::Ok((1, stored.size))
        }
        .boxed()
    });
    let (fetched, size) = stream::iter(files.collect::<Vec<_>>())
        .buffer_unordered(AT_ONCE)
        .try_fold((0, 0), |(n, size), (one, more)| async move { Ok((n + one, size + more)) })
        .await?;
    let same = there.manifest.files.len() - fetched;
    if ui.json() {
        let folder = folder.display().to_string();
        ui.out_json(&serde_json::json!({
            "format": 1, "target": id, "folder": folder, "fetched": fetched, "bytes": size, "same": same,
        }));
    } else {
        let fetched = grouped(fetched);
        ui.out(&format!(
            "{}: {fetched} fetched ({}), {} the same\n",
            folder.display(),
            bytes(size),
            grouped(same)
        ));
    }
    session.close().await;
    Ok(Exit::Done)
}

/// Fetches the archive that a training job or instance left: that of the job which the config asks for, else
/// that of the newest one before it.
pub async fn model(args: &PullArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let session = Session::open(global, env, |_| Ok(())).await?;
    // `opsctl status` shows KIND/NAME.
    let given = args.name.as_deref().map(|given| given.rsplit_once('/').map_or(given, |(_, name)| name));
    let named = match given {
        Some(name) => Job::named(&session, name).await?,
        None => None,
    };
    let job = match named {
        Some(job) => job,
        None => {
            let name = session.only("training", given)?;
            Job::named(&session, name).await?.expect("the config has it")
        }
    };
    let root = if job.id.kind == KindName::Instance { Instance::OUTPUT } else { Training::OUTPUT };
    let bucket = session.world.wanted(KindName::Bucket).next().unwrap_or_default();
    let cx = OpCx { world: &session.world, step: 0, target: job.id.clone() };
    let found = job.newest_with(&session, ui, "model", async |physical| {
        Ok(Object::look(&cx.aws.s3, bucket, &model_key(root, physical)).await?)
    });
    let Some((physical, object)) = found.await? else {
        let message =
            format!("there is no model of {} at {}", job.id, model_uri(bucket, root, &job.physical));
        let help = "`opsctl train` trains it; `opsctl status` shows how far it is";
        return Err(Failure::said(codes::NOT_DEPLOYED, Exit::Failed, message, help));
    };
    env.cancel.commit()?;
    let file = args.to.clone().unwrap_or_else(|| PathBuf::from("model.tar.gz"));
    download(&cx, (bucket, &model_key(root, &physical)), &object, &file, &Ranges::default()).await?;
    note_written(session.config.document.folder(), &file);
    if ui.json() {
        let file = file.display().to_string();
        ui.out_json(&serde_json::json!({
            "format": 1, "target": job.id, "job": physical, "file": file, "bytes": object.size,
        }));
    } else {
        let uri = model_uri(bucket, root, &physical);
        ui.out(&format!("{}: {} from {uri}\n", file.display(), bytes(object.size)));
    }
    session.close().await;
    Ok(Exit::Done)
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

/// Whether the file has these bytes already.
fn is_there(file: &Path, stored: &Stored) -> bool {
    let same = || -> std::io::Result<bool> {
        if std::fs::metadata(file)?.len() != stored.size {
            return Ok(false);
        }
        let mut hasher = Crc64Hasher::default();
        std::io::copy(&mut std::fs::File::open(file)?, &mut hasher)?;
        Ok(hasher.finish() == stored.crc)
    };
    same().unwrap_or(false)
}
