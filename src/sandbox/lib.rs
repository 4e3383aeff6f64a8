//! A small AWS on loopback: a demo without an account, and the AWS that our tests run against.
//!
//! It speaks AWS's own wire protocols, so any client can use it (the Rust SDK, boto3, the AWS CLI), and it
//! shares no types with the rest of opsctl but those of the policy engine: a misreading of AWS on one side
//! must not be repeated on the other.
//!
//! The path of a request: `server` guards and routes it by its credential scope, a `protocol` decodes it,
//! counts it and lets the [`faults`] strike, checks the operation's constraint table, and calls one function
//! of [`services`]. Functions keep their documents in the [`store`], whose states advance with the [`clock`].

mod activity;
pub mod authority;
pub mod call;
pub mod clock;
pub mod constraint;
mod control;
pub mod counters;
pub mod effect;
pub mod exchange;
pub mod extensions;
pub mod fault;
pub mod faults;
mod files;
mod guard;
mod holder;
mod memory;
mod model;
pub mod operation;
mod options;
pub mod paging;
mod policy_form;
pub mod progress;
pub mod protocol;
mod regions;
mod root;
pub mod rules;
pub mod runners;
mod served;
mod server;
pub mod services;
pub mod state;
pub mod store;
pub mod tags;
mod timeouts;
mod users;
#[cfg(test)]
mod wire_tests;
mod work;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use options::SPEEDS;

pub use clock::StatePace;
pub use holder::{Holder, SandboxError, holder_of};
pub use options::SandboxOptions;
pub use progress::ProgressSink;
pub use root::{SandboxRoot, SetAside, keep_private, make_private};
pub use rules::AwsRule;
pub use served::{inherit_nothing, leave_terminal};
pub use state::SandboxState;
pub use users::User;

/// Its example is compiled.
#[cfg(doctest)]
#[doc = include_str!("README.md")]
struct Readme;

/// A running sandbox. Dropping it stops it; [`Sandbox::stop`] also waits until it has.
///
/// # Examples
/// ```
/// use aws_sdk_sts::config::{BehaviorVersion, Config, Credentials, Region};
/// use opsctl_sandbox::{Sandbox, SandboxOptions};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// let sandbox = Sandbox::start(SandboxOptions::new(folder.path())).await.expect("a free folder");
/// // Any client of AWS, with any credentials.
/// let config = Config::builder()
///     .behavior_version(BehaviorVersion::latest())
///     .endpoint_url(sandbox.endpoint_url())
///     .region(Region::new("us-east-1"))
///     .credentials_provider(Credentials::new("any", "key", None, None, "example"))
///     .build();
/// let sts = aws_sdk_sts::Client::from_conf(config);
/// let me = sts.get_caller_identity().send().await.expect("an answer");
/// assert_eq!(me.account(), Some("123456789012"));
/// assert_eq!(sandbox.state().calls.of("sts:GetCallerIdentity"), 1);
/// sandbox.stop().await;
/// # });
/// ```
pub struct Sandbox {
    shared: Arc<SandboxState>,
    address: SocketAddr,
    announcement: Option<PathBuf>,
    _place: SandboxRoot,
}

impl Sandbox {
    /// Locks the root, loads its state, and serves on loopback until stopped.
    ///
    /// # Errors
    /// [`SandboxError::Held`] names the process that has the root, and its endpoint when it announced one.
    pub async fn start(options: SandboxOptions) -> Result<Self, SandboxError> {
        if !SPEEDS.contains(&options.speed) {
            return Err(SandboxError::Speed { speed: options.speed });
        }
        let root = options.root.clone();
        let announcement = root.join("serve.json");
        let failed = |source| SandboxError::Root { path: root.clone(), source };
        let place = SandboxRoot::take(&root)?;
        // We hold the lock, so whatever announcement is there was left by a killed process.
        files::remove_if_there(&announcement).map_err(failed)?;

        let (port, announce) = (options.port, options.announce);
        let (background, program) = (options.background, options.program.clone());
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .map_err(|source| SandboxError::Listen { port, source })?;
        let address = listener.local_addr().map_err(|source| SandboxError::Listen { port, source })?;
        let opened = SandboxState::open(options, format!("http://{address}"), services::has_bytes);
        let shared = Arc::new(opened.map_err(failed)?);
        work::plug(&shared).map_err(failed)?;
        services::resume(&shared);
        if announce {
            let endpoint = Some(shared.endpoint_url().to_owned());
            let root = std::fs::canonicalize(&root).ok();
            let holder = Holder { pid: Some(std::process::id()), endpoint, background, program, root };
            let text = serde_json::to_vec(&holder).map_err(|error| failed(error.into()))?;
            files::write_atomically(&announcement, &text).map_err(failed)?;
        }
        shared.spawn(server::serve(Arc::clone(&shared), listener));
        shared.spawn(services::autoscaling::watch(Arc::clone(&shared)));
        shared.spawn(services::scheduler::watch(Arc::clone(&shared)));
        Ok(Self { shared, address, announcement: announce.then_some(announcement), _place: place })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client takes as its endpoint URL, for every service.
    pub fn endpoint_url(&self) -> &str {
        self.shared.endpoint_url()
    }

    /// Documents that could not be read at the start, and were moved out of the way.
    pub fn set_aside(&self) -> &[SetAside] {
        self.shared.store.set_aside()
    }

    /// The state behind the endpoint, for tests that advance the clock or read counters in process.
    pub fn state(&self) -> &Arc<SandboxState> {
        &self.shared
    }

    /// Waits until a client asks it to end (`POST /_sandbox/stop`).
    pub async fn asked_to_stop(&self) {
        self.shared.asked_to_stop.cancelled().await;
    }

    /// How long nobody has asked for anything.
    pub fn idle(&self) -> Duration {
        self.shared.activity.idle()
    }

    /// Whether others can find it: its folder may have been removed or replaced.
    pub fn is_announced(&self) -> bool {
        let holder = holder_of(&self.shared.root);
        holder.pid == Some(std::process::id()) && holder.endpoint.as_deref() == Some(self.endpoint_url())
    }

    /// Stops serving, ends background tasks, and releases the root.
    pub async fn stop(self) {
        self.shared.stop().await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.shared.begin_stop();
        if let Some(path) = &self.announcement {
            // Left behind it does no harm: the next holder removes it, and a client finds nobody there.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// The Python that scripts run with: where it is, and its version.
///
/// # Errors
/// What is missing, and how to install it.
pub async fn python() -> Result<String, String> {
    let found = runners::python::Python::find(None, None).await;
    let usable = found.and_then(|python| python.makes_environments().map(|()| python));
    let python = usable.map_err(|error| error.to_string())?;
    let (major, minor, patch) = python.version;
    Ok(format!("{} ({major}.{minor}.{patch})", python.executable.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_second_sandbox_on_one_root_is_told_who_holds_it() {
        let root = tempfile::tempdir().unwrap();
        let options = SandboxOptions { announce: true, ..SandboxOptions::new(root.path()) };
        let first = Sandbox::start(options.clone()).await.unwrap();
        let Err(SandboxError::Held { holder, .. }) = Sandbox::start(options.clone()).await else {
            panic!("two sandboxes share one root");
        };
        assert_eq!(holder.pid, Some(std::process::id()));
        assert_eq!(holder.endpoint.as_deref(), Some(first.endpoint_url()));

        first.stop().await;
        assert_eq!(holder_of(root.path()).endpoint, None);
        Sandbox::start(options).await.unwrap().stop().await;
    }

    /// Its lock and its announcement move with its folder; it does not, and will end.
    #[tokio::test]
    async fn one_whose_folder_was_moved_is_no_longer_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let [old, new] = ["old", "new"].map(|name| folder.path().join(name));
        let options = SandboxOptions { announce: true, ..SandboxOptions::new(&old) };
        let sandbox = Sandbox::start(options).await.unwrap();
        assert!(holder_of(&old).is_of(&old));
        std::fs::rename(&old, &new).unwrap();
        let holder = holder_of(&new);
        assert!(holder.answers().await && !holder.is_of(&new) && !sandbox.is_announced());
        sandbox.stop().await;
    }
}
