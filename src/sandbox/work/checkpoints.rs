//! A job's checkpoints: copied from S3 before its script starts, and back while it runs
//! (docs/aws/sagemaker-training.md).

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::objects::RoleObjects;
use crate::clock::real_sleep;
use crate::runners::container::ContainerFolders;

/// In real time, for the script that writes them runs in real time.
const EVERY: Duration = Duration::from_secs(2);

/// Where AWS has them when the job does not say.
pub const USUAL: &str = "/opt/ml/checkpoints";

/// The files of `CheckpointConfig.LocalPath` and their copies.
pub struct Checkpoints {
    objects: RoleObjects,
    uri: String,
    folder: PathBuf,
    /// Size and time of what is in S3.
    saved: HashMap<PathBuf, (u64, SystemTime)>,
}

impl Checkpoints {
    /// None for a job that has no `CheckpointConfig`.
    pub fn of(objects: RoleObjects, config: &Value, layout: &ContainerFolders) -> Option<Self> {
        let uri = config["S3Uri"].as_str()?.trim_end_matches('/').to_owned();
        let path = config["LocalPath"].as_str().unwrap_or(USUAL);
        let folder = layout.root().join(path.trim_start_matches('/'));
        Some(Self { objects, uri, folder, saved: HashMap::new() })
    }

    /// Brings those of a former run.
    pub async fn restore(&mut self) -> Result<(), String> {
        std::fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        self.objects.download_all(&format!("{}/", self.uri), &self.folder).await?;
        for (file, stamp) in files(&self.folder).map_err(|error| error.to_string())? {
            self.saved.insert(file, stamp);
        }
        Ok(())
    }

    /// Copies what is new or changed; what the script deleted stays in S3, as on AWS.
    pub async fn save(&mut self) -> Result<(), String> {
        for (file, stamp) in files(&self.folder).map_err(|error| error.to_string())? {
            if self.saved.get(&file) == Some(&stamp) {
                continue;
            }
            let name = file.strip_prefix(&self.folder).unwrap_or(&file).to_string_lossy();
            match self.objects.upload(&format!("{}/{name}", self.uri), &file).await {
                // The script may have removed or renamed it just now.
                Err(_) if !file.exists() => continue,
                done => done?,
            }
            self.saved.insert(file, stamp);
        }
        Ok(())
    }

    /// Saves again and again; trouble is told once more by the last [`Checkpoints::save`].
    pub async fn keep_saving(&mut self) -> Infallible {
        loop {
            real_sleep(EVERY).await;
            if let Err(error) = self.save().await {
                tracing::warn!(error, uri = self.uri, "checkpoints are not saved");
            }
        }
    }
}

/// All files under a folder, with size and time.
fn files(folder: &Path) -> io::Result<Vec<(PathBuf, (u64, SystemTime))>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match std::fs::metadata(&path) {
                Ok(about) if about.is_dir() => folders.push(path),
                Ok(about) => found.push((path, (about.len(), about.modified()?))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}
