//! Instances that run: connects EC2 to [`runners::ec2`](crate::runners::ec2).
//!
//! An instance is its user data, as a local process in a private root, which goes with the instance. Its
//! console output stays. It ends by itself (its own `shutdown`) or from outside; one whose process is gone,
//! because the sandbox was restarted, is shut down: nothing would ever come of it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::{environments, reach, remove, with_causes};
use crate::authority::Session;
use crate::runners::archive::unpack_tar_gz;
use crate::runners::ec2::{self as runner, Ec2Instance, Ec2Outcome, Ec2Run};
use crate::runners::process::{Line, LineSink};
use crate::runners::python::{Environments, Wanted};
use crate::services::ec2::{self, Backend, BootedInstance};
use crate::services::iam;
use crate::services::s3::api as s3;
use crate::state::SandboxState;

/// The private roots. Nothing in it outlives the process.
const FOLDER: &str = "run/ec2";

/// The interpreter that opsctl's user data asks for.
const PYTHON: &str = "python3.12";

/// How long a system that goes down waits for its programs (systemd's default is 90 s).
const GRACE: Duration = Duration::from_secs(90);

/// Runs instances, from nothing: their processes went with an earlier sandbox.
pub(super) fn host(shared: &SandboxState) -> Host {
    // What a killed process left. If it stays, it costs its space only.
    let _ = remove(&shared.root.join(FOLDER));
    Host::default()
}

fn end(shared: &Arc<SandboxState>, region: &str, id: &str) {
    if let Err(fault) = ec2::shut_down(shared, region, id) {
        tracing::warn!(instance = id, error = fault.message, "an instance stays");
    }
}

/// Who runs instances, and how each is told to end.
#[derive(Default)]
pub(super) struct Host(Arc<Mutex<HashMap<String, CancellationToken>>>);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Host {
    fn boot(&self, shared: Arc<SandboxState>, instance: BootedInstance) {
        let (running, off) = (Arc::clone(&self.0), CancellationToken::new());
        locked(&running).insert(instance.instance_id.clone(), off.clone());
        let host = Arc::clone(&shared);
        host.spawn(async move {
            live(&shared, &instance, &off).await;
            locked(&running).remove(&instance.instance_id);
            if let Err(fault) = ec2::went_off(&shared, &instance.region, &instance.instance_id) {
                tracing::warn!(instance = instance.instance_id, error = fault.message, "an instance stays");
            }
        });
    }

    fn power_off(&self, _: &Arc<SandboxState>, _: &str, instance_id: &str) {
        if let Some(off) = locked(&self.0).get(instance_id) {
            off.cancel();
        }
    }

    fn runs(&self, instance_id: &str) -> bool {
        locked(&self.0).contains_key(instance_id)
    }
}

/// The life of an instance, from its boot until its user data has ended.
async fn live(shared: &Arc<SandboxState>, booted: &BootedInstance, off: &CancellationToken) {
    let (region, id) = (&booted.region, &booted.instance_id);
    let console = console(shared, id);
    let started = tokio::select! {
        () = off.cancelled() => return,
        started = start(shared, booted, &console) => started,
    };
    match started {
        Ok(Some(instance)) => {
            let outcome = tokio::select! {
                outcome = instance.outcome() => outcome,
                () = off.cancelled() => {
                    instance.terminate(GRACE).await;
                    Ec2Outcome::Terminated
                }
            };
            match outcome {
                Ec2Outcome::ShutDown => end(shared, region, id),
                // It runs on without a program, as on AWS, until somebody ends it.
                Ec2Outcome::Ended { code } => say(&console, format!("user data ended: {code:?}")),
                Ec2Outcome::Terminated => {}
            }
        }
        Ok(None) => {}
        Err(reason) => {
            say(&console, reason.clone());
            leave_result(shared, booted, &reason).await;
            if let Err(fault) = ec2::fail(shared, region, id, &reason) {
                tracing::warn!(instance = id, error = fault.message, "an instance stays");
            }
        }
    }
    let _ = std::fs::remove_dir_all(root(shared, id));
}

fn root(shared: &SandboxState, id: &str) -> PathBuf {
    shared.root.join(FOLDER).join(id)
}

/// Starts the user data; an instance without one just runs.
async fn start(
    shared: &Arc<SandboxState>,
    booted: &BootedInstance,
    console: &LineSink,
) -> Result<Option<Ec2Instance>, String> {
    if let Some(role) = &booted.role_arn {
        iam::note_use(shared, role, &booted.region).map_err(|fault| fault.message)?;
    }
    let user_data = booted.user_data.as_ref().and_then(|data| String::from_utf8(data.clone()).ok());
    let Some(user_data) = user_data else { return Ok(None) };
    let root = root(shared, &booted.instance_id);
    std::fs::create_dir_all(&root).map_err(|error| with_causes(&error))?;
    let environments = environments(shared, Some(PYTHON)).await.map_err(|error| with_causes(&error))?;
    let requirements = match requirements(shared, &user_data, &root).await {
        Some(file) => prepared(&environments, file, console).await,
        None => None,
    };
    let session = booted.role_arn.as_deref().map(|role| Session::new(role, &booted.instance_id));
    let run = Ec2Run {
        root,
        user_data,
        speed: shared.clock.speed(),
        packages: Vec::new(),
        requirements,
        environment: [("PIP_CACHE_DIR".to_owned(), environments.cache.join("pip").display().to_string())]
            .into(),
        reach: reach(shared, &booted.region, session.as_ref()),
    };
    run.start(&environments, Arc::clone(console)).await.map(Some).map_err(|error| with_causes(&error))
}

/// The `requirements.txt` of the code that opsctl's user data is going to run. With it, the packages come
/// from the cache of virtual environments; without, the user data installs them itself, each time.
async fn requirements(shared: &Arc<SandboxState>, user_data: &str, root: &Path) -> Option<PathBuf> {
    let (bucket, key) = bucket_and_key(filled(user_data, "CODE")?)?;
    let (archive, code) = (root.join("code.tar.gz"), root.join("code"));
    // Whatever is wrong with it, the user data is going to find and to tell.
    s3::get_to_file(shared, bucket, key, &archive).await.ok()?;
    unpack_tar_gz(&archive, &code).await.ok()?;
    Some(code.join("requirements.txt")).filter(|file| file.is_file())
}

/// A value that opsctl filled in (resources/instance/user_data.sh). None of those asked for has a quote in
/// it.
fn filled<'a>(user_data: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = user_data.lines();
    let value = lines.find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix('='))?;
    Some(value.trim_matches('\''))
}

fn bucket_and_key(uri: &str) -> Option<(&str, &str)> {
    uri.strip_prefix("s3://")?.split_once('/')
}

/// What could not start leaves a result, as opsctl's user data does when it fails: the reason is this
/// machine's, and nobody would look for it in the console output.
async fn leave_result(shared: &Arc<SandboxState>, booted: &BootedInstance, reason: &str) {
    let user_data = booted.user_data.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
    let (Some(job), Some(output)) = (filled(&user_data, "JOB"), filled(&user_data, "OUTPUT")) else { return };
    let uri = format!("{output}/{job}/output/result.json");
    let Some((bucket, key)) = bucket_and_key(&uri) else { return };
    let result = serde_json::json!({"exit_code": 1, "message": format!("boot: {reason}"), "seconds": 0});
    let written = async {
        let file = tempfile::NamedTempFile::new_in(shared.folder(FOLDER)?)?;
        std::fs::write(file.path(), result.to_string())?;
        s3::put_file(shared, bucket, key, file.path()).await
    };
    if let Err(fault) = written.await {
        tracing::warn!(instance = booted.instance_id, error = fault.message, "there is no result");
    }
}

/// Has the packages installed; if they cannot be, the user data fails in its own words.
async fn prepared(environments: &Environments, file: PathBuf, console: &LineSink) -> Option<PathBuf> {
    match environments.ensure(&Wanted::of(runner::PACKAGES).and_file(&file), console).await {
        Ok(_) => Some(file),
        Err(error) => {
            say(console, with_causes(&error));
            None
        }
    }
}

fn console(shared: &Arc<SandboxState>, id: &str) -> LineSink {
    let (shared, id) = (Arc::downgrade(shared), id.to_owned());
    Arc::new(move |line: Line| {
        if let Some(shared) = shared.upgrade() {
            ec2::write_console(&shared, &id, &line.text);
        }
    })
}

fn say(console: &LineSink, text: String) {
    console(Line { at: SystemTime::now(), text: format!("opsctl sandbox: {text}") });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_in_the_user_data() {
        let script = "#!/bin/bash\n{\n  JOB='j'\n  CODE='s3://b/code/a.tar.gz'\n}\n";
        assert_eq!(filled(script, "CODE").and_then(bucket_and_key), Some(("b", "code/a.tar.gz")));
        assert_eq!(filled(script, "JOB"), Some("j"));
        assert_eq!(filled("#!/bin/sh\necho\n", "CODE"), None);
    }
}
