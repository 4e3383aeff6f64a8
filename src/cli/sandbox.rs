//! The sandbox behind `--sandbox`: in this process, or one that is being served.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::background;
use super::environment::{self, Environment, Lifetime};
use super::error::Failure;
use super::exit::Exit;
use super::hidden;
use crate::desired::Desired;
use crate::domain::{Diagnostic, Diagnostics, HumanDuration, KeyPath, codes, shown};
use crate::run::played::{self, Played, Player};
use opsctl_sandbox::runners::families;
use opsctl_sandbox::runners::python::Python;
use opsctl_sandbox::{Holder, ProgressSink, SandboxError, SandboxOptions};

pub use opsctl_sandbox::Sandbox;

/// Where the state lies: beside the config file, under `.opsctl/sandbox`.
pub fn root(config: Option<&Path>, env: &Environment) -> PathBuf {
    match (&env.sandbox, config) {
        (Some(folder), _) => folder.clone(),
        (None, Some(config)) => environment::home(config).join(".opsctl/sandbox"),
        (None, None) => PathBuf::from(".opsctl/sandbox"),
    }
}

/// Environments are the user's, not the state's: a reset does not throw them away, and projects share them.
pub fn options(root: &Path, env: &Environment) -> SandboxOptions {
    let options = SandboxOptions::new(root);
    match &env.cache {
        Some(cache) => SandboxOptions { cache: cache.clone(), ..options },
        None => options,
    }
}

/// Packages are installed once; until they are, nothing else would be seen of a function's first call.
pub fn progress(env: &Environment) -> ProgressSink {
    let screen = env.screen.clone();
    ProgressSink::new(move |text| screen.write(&format!("sandbox: {text}\n")))
}

/// Starts the sandbox of this config in this process, or finds one that is served. One that is to stay is
/// started in the background, if that is possible.
pub async fn attach(
    config: Option<&Path>,
    lifetime: Lifetime,
    quiet: bool,
    env: &Environment,
) -> Result<(Option<Sandbox>, Option<String>), Failure> {
    let root = root(config, env);
    hide(&root);
    let idle = idle(env)?.filter(|_| lifetime == Lifetime::Stays);
    if let Some(idle) = idle
        && let Some(address) =
            background::find_or_start(&root, idle, quiet, env).await.map_err(|holder| silent(&holder))?
    {
        return Ok((None, Some(address)));
    }
    background::replace_other_build(&root).await;
    let progress = if quiet { ProgressSink::default() } else { progress(env) };
    let options = SandboxOptions { progress, ..options(&root, env) };
    let started = match Sandbox::start(options.clone()).await {
        // It is ending: nobody had needed it until now.
        Err(SandboxError::Held { holder, .. })
            if holder.background && !(holder.is_of(&root) && holder.answers().await) =>
        {
            // A command that asked one which is suspended would wait for each answer, and for each retry.
            Holder::gone(&root).await.map_err(|_| silent(&holder))?;
            Sandbox::start(options).await
        }
        started => started,
    };
    match started {
        Ok(sandbox) => {
            warn_of_set_aside(&sandbox, env);
            let url = sandbox.endpoint_url().to_owned();
            Ok((Some(sandbox), Some(url)))
        }
        Err(SandboxError::Held { holder, .. }) if holder.endpoint.is_some() => {
            if !holder.background && !holder.answers().await {
                return Err(silent(&holder));
            }
            let address = holder.endpoint.clone();
            background::use_it(holder, env).await;
            Ok((None, address))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// How long a sandbox stays; none: it does not.
fn idle(env: &Environment) -> Result<Option<HumanDuration>, Failure> {
    let Some(text) = &env.sandbox_idle else { return Ok(Some(background::IDLE)) };
    let idle: HumanDuration = text.parse().map_err(|error: String| {
        let message = format!("OPSCTL_SANDBOX_IDLE is not a duration: {error}");
        Failure::new(codes::USAGE, Exit::Usage, message, "write \"5m\", or \"0s\" for none")
    })?;
    Ok(Some(idle).filter(|idle| idle.as_secs() > 0))
}

/// Ends the sandbox that stays, if there is one that nobody else uses: what was in it is gone.
pub async fn end_background(config: Option<&Path>, env: &Environment) {
    let root = root(config, env);
    if let Some(holder) = background::at_once(&root).filter(|holder| holder.background)
        && holder.others().await.is_empty()
    {
        let ended = holder.end(&root).await;
        tracing::debug!(?ended, "the sandbox in the background");
    }
}

/// What the sandbox does in another way than AWS, or not at all.
pub fn unlike_aws(desired: &Desired) -> Diagnostics {
    played::warnings(desired, &ThisMachine)
}

/// Modules of the containers themselves: those of SageMaker's first toolkit, of scikit-learn, and of XGBoost.
const OF_CONTAINERS: [&str; 3] =
    ["sagemaker_containers", "sagemaker_sklearn_container", "sagemaker_xgboost_container"];

/// What to do about a module that is not found, where a failure is about one: it is in a folder of the code,
/// as `in_code` says, or the image holds it and the sandbox has not. `has_image`: of a container, not of a
/// machine.
pub fn help_for(has_image: bool, said: &str, in_code: impl Fn(&str) -> Option<String>) -> Option<String> {
    let (_, rest) = said.split_once("No module named '")?;
    let module = rest.split(['\'', '.']).next().filter(|module| !module.is_empty())?;
    if let Some(file) = in_code(module) {
        let name = file.trim_end_matches("/__init__.py").trim_end_matches(".py").replace('/', ".");
        return Some(format!(
            "the code has {}, and imports begin at its top: import `{}`, or name the folder of the script as \
             the code",
            shown::line(&file),
            shown::line(&name)
        ));
    }
    if !has_image {
        return Some(format!(
            "the image of an EC2 job has Python alone, here and on AWS: name the package of `{}` in \
             `packages`, or in the requirements.txt of the code",
            shown::line(module)
        ));
    }
    if OF_CONTAINERS.contains(&module) {
        return Some(format!(
            "`{module}` is a part of AWS's container, which the sandbox does not pull, and no package that \
             it could install: import it where it is there, with `try`, or try this script on AWS alone"
        ));
    }
    Some(format!(
        "if the image holds `{}`: the sandbox pulls no image, and of what it knows of AWS's it installs what \
         the code's own scripts import, so name the package in the requirements.txt of the code, in the \
         image's version; on AWS pip finds it installed",
        shown::line(module)
    ))
}

/// Who runs containers in the sandbox.
pub fn player() -> Option<Arc<dyn Player>> {
    Some(Arc::new(ThisMachine))
}

/// The sandbox runs the user's code with the Python of this machine.
struct ThisMachine;

impl Player for ThisMachine {
    fn training(&self, image: &str) -> Played {
        of_family(families::training(image))
    }

    fn serving(&self, image: &str, has_code: bool) -> Played {
        of_family(families::serving(image, has_code))
    }

    fn is_ready(&self) -> BoxFuture<'static, Result<(), Diagnostic>> {
        Box::pin(async move {
            let found = Python::find(None, None).await;
            found.and_then(|python| python.makes_environments()).map_err(|error| {
                let text = error.to_string();
                let (message, help) = text.rsplit_once(". ").unwrap_or((&text, ""));
                Diagnostic::error(codes::NO_PYTHON, KeyPath::default(), message, help)
            })
        })
    }
}

fn of_family(played: families::Played) -> Played {
    match played {
        families::Played::AsAws => Played::AsAws,
        families::Played::Otherwise(how) => Played::Otherwise(how),
        families::Played::Not(why) => Played::Not(why),
    }
}

/// Keeps the state out of the user's repository.
pub fn hide(root: &Path) {
    if let Some(folder) = root.parent().filter(|parent| parent.ends_with(".opsctl")) {
        hidden::make(folder);
    }
}

/// `--quiet` does not silence this: something that was made is gone.
pub fn warn_of_set_aside(sandbox: &Sandbox, env: &Environment) {
    /// So many are told one by one; `sandbox status` has them all.
    const MOST_TOLD: usize = 10;
    let gone = sandbox.set_aside();
    for one in gone.iter().take(MOST_TOLD) {
        env.screen.write(&format!("sandbox: {one}. `opsctl --sandbox deploy` makes it again.\n"));
    }
    if let Some(more) = gone.len().checked_sub(MOST_TOLD).filter(|more| *more > 0) {
        env.screen.write(&format!("sandbox: and {more} more: `opsctl sandbox status` has them.\n"));
    }
}

fn silent(holder: &Holder) -> Failure {
    let pid = holder.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let what = if holder.background { "in the background" } else { "that is served in another terminal" };
    let message = format!("the sandbox {what}{pid} does not answer");
    let help = "is it suspended? continue that process, or kill it: what is in the sandbox is kept";
    Failure::new(codes::SANDBOX_BUSY, Exit::Failed, message, help)
}

/// Why a sandbox was not started, with the exit code and what to do about it.
pub fn refused(error: &SandboxError) -> Failure {
    let (code, exit, help) = match error {
        SandboxError::Held { holder, .. } => {
            let help = match holder.endpoint {
                Some(_) if holder.background => {
                    "`opsctl --sandbox COMMAND` uses the one in the background; `opsctl sandbox stop` ends it"
                }
                Some(_) => {
                    "`opsctl --sandbox COMMAND` uses the one that is served; `opsctl sandbox stop` ends it"
                }
                None => {
                    "wait until the other opsctl has ended; `opsctl sandbox serve`, started before, is shared by all"
                }
            };
            (codes::SANDBOX_BUSY, Exit::Failed, help)
        }
        SandboxError::Foreign { .. } => {
            let help = "name an empty folder in OPSCTL_SANDBOX, or unset it: nothing was changed in this one";
            (codes::NOT_A_SANDBOX, Exit::Failed, help)
        }
        SandboxError::Speed { .. } => {
            (codes::USAGE, Exit::Usage, "1 is real time, 60 makes a minute a second")
        }
        SandboxError::Listen { source, .. } => (codes::LOCAL_IO, Exit::Failed, port_help(source.kind())),
        SandboxError::Root { source, .. } => (codes::LOCAL_IO, Exit::Failed, folder_help(source.kind())),
    };
    Failure::new(code, exit, error.to_string(), help)
}

fn port_help(cause: ErrorKind) -> &'static str {
    match cause {
        ErrorKind::AddrInUse => "another program listens there: name another --port, or none for any",
        ErrorKind::PermissionDenied => "ports below 1024 are the administrator's: name another --port",
        _ => "name another --port, or none for any",
    }
}

fn folder_help(cause: ErrorKind) -> &'static str {
    match cause {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "the sandbox must write there: change its permissions, or name another folder in OPSCTL_SANDBOX"
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists | ErrorKind::IsADirectory => {
            "something else is in the way: move it, or name another folder in OPSCTL_SANDBOX"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on that disk, then run it again",
        _ => "`opsctl sandbox reset` starts over; OPSCTL_SANDBOX names another folder",
    }
}

/// The Python that the sandbox runs scripts with, or why there is none.
pub async fn python() -> Result<String, String> {
    opsctl_sandbox::python().await
}

#[cfg(test)]
mod tests {
    use super::help_for;

    #[test]
    fn a_module_of_the_image_is_named() {
        let said = "AlgorithmError: ExecuteUserScriptError:\nModuleNotFoundError: No module named 'torch.nn'";
        let on_ec2 = help_for(false, said, |_| None).unwrap();
        assert!(on_ec2.contains("`torch` in `packages`"), "{on_ec2}");
        let help_for = |said: &str| help_for(true, said, |_| None);
        assert!(help_for(said).unwrap().contains("`torch`"));
        let said = "ModuleNotFoundError: No module named 'sagemaker_xgboost_container'";
        assert!(help_for(said).unwrap().contains("a part of AWS's container"));
        assert_eq!(help_for("ValueError: No module"), None);
    }

    #[test]
    fn a_module_beside_a_script_in_a_folder_is_shown() {
        let said = "ModuleNotFoundError: No module named 'util'";
        for file in ["models/util.py", "models/util/__init__.py"] {
            let help = help_for(true, said, |_| Some(file.to_owned())).unwrap();
            assert!(help.contains(file) && help.contains("import `models.util`"), "{help}");
        }
    }
}
