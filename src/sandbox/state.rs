//! What every service shares: state, time, faults, counters, and the facts of the one account.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use opsctl_iam::arn::Arn;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::SandboxOptions;
use super::activity::Activity;
use super::clock::{Clock, StatePace};
use super::counters::CallLog;
use super::exchange::Exchange;
use super::extensions::Extensions;
use super::fault::Fault;
use super::faults::{FaultCodes, Faults, Strike};
use super::memory::Memory;
use super::progress::ProgressSink;
use super::rules::AwsRule;
use super::store::{HasBytes, ScopedTable, Store, TimelineBuilder};
use super::users::Users;

/// An ARN of any account, in the one partition that the sandbox has; fields that a service's ARNs lack are
/// empty.
pub fn arn_of(service: &str, region: &str, account: &str, resource: &str) -> String {
    Arn { partition: "aws", service, region, account, resource }.to_string()
}

/// The sandbox behind its endpoint. Shared by `Arc` between requests and background tasks.
#[derive(Debug)]
pub struct SandboxState {
    pub store: Store,
    pub clock: Arc<Clock>,
    pub faults: Faults,
    pub calls: CallLog,
    /// What services keep that is no document.
    pub extensions: Extensions,
    /// The twelve digits of the account.
    pub account: String,
    /// Region of requests that name none.
    pub region: String,
    /// Directory of all state. Services keep bulk data (logs, objects, code) in folders of their own in it.
    pub root: PathBuf,
    /// Directory of what outlives the state: Python environments.
    pub cache: PathBuf,
    /// Whether the user's code really runs.
    pub runs: bool,
    pub pace: StatePace,
    /// See [`SandboxOptions::short_pages`].
    pub short_pages: bool,
    pub progress: ProgressSink,
    pub(super) activity: Arc<Activity>,
    pub(super) asked_to_stop: CancellationToken,
    pub(super) users: Users,
    pub(super) memory: Memory,
    lingers: Duration,
    rules_off: BTreeSet<AwsRule>,
    endpoint: String,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl SandboxState {
    pub(super) fn open(options: SandboxOptions, endpoint: String, has_bytes: HasBytes) -> io::Result<Self> {
        let clock = Arc::new(Clock::open(&options.root, options.speed));
        Ok(Self {
            store: Store::open(&options.root, Arc::clone(&clock), has_bytes)?,
            clock,
            faults: Faults::new(options.faults),
            calls: CallLog::default(),
            extensions: Extensions::default(),
            account: options.account,
            region: options.region,
            // Processes that run elsewhere are given paths in it.
            root: std::path::absolute(&options.root)?,
            cache: options.cache,
            runs: options.runs,
            pace: options.pace,
            short_pages: options.short_pages,
            progress: options.progress,
            activity: Arc::default(),
            asked_to_stop: CancellationToken::new(),
            users: Users::default(),
            memory: Memory::default(),
            lingers: options.lingers,
            rules_off: options.rules_off,
            endpoint,
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        })
    }

    /// What clients inside the sandbox (training scripts, functions) take as their endpoint URL.
    pub fn endpoint_url(&self) -> &str {
        &self.endpoint
    }

    /// The documents of a regional resource. Tables are named `<service>.<resource>`.
    pub fn table(&self, table: &'static str, region: &str) -> ScopedTable<'_> {
        self.store.table(table, region)
    }

    /// The documents of a resource of a global service (IAM).
    pub fn global(&self, table: &'static str) -> ScopedTable<'_> {
        self.store.table(table, "global")
    }

    /// The documents of a table in all regions: region, name, document.
    pub fn everywhere(&self, table: &str) -> Vec<(String, String, Value)> {
        let apart = |(key, doc): (String, Value)| {
            let (region, name) = key.split_once('/')?;
            Some((region.to_owned(), name.to_owned(), doc))
        };
        self.store.list(table, "").into_iter().filter_map(apart).collect()
    }

    /// A timeline that begins now: `shared.timeline().then(minutes, json!({"Status": "InService"}))`.
    pub fn timeline(&self) -> TimelineBuilder {
        TimelineBuilder::new(self.clock.now(), self.pace).lingering(self.lingers)
    }

    /// `arn:aws:<service>:<region>:<account>:<rest>`; the region of global services is empty.
    pub fn arn(&self, service: &str, region: &str, rest: &str) -> String {
        arn_of(service, region, &self.account, rest)
    }

    /// Whether an AWS rule is to be enforced. A rule that emulators commonly let through has a name, so that
    /// a test can switch it off and show that it matters.
    pub fn enforces(&self, rule: AwsRule) -> bool {
        !self.rules_off.contains(&rule)
    }

    /// A folder for a service's own files, made when missing.
    pub fn folder(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let folder = self.root.join(path);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// Runs a background task that ends with the sandbox: it is dropped at its next await once the sandbox
    /// stops, so child processes must be `kill_on_drop`.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stopping = self.stopping.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = task => {}
            }
        });
    }

    /// Says when the sandbox stops, for tasks that have to clean up.
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Every service calls this once, as soon as it knows the operation: it is counted, and faults strike.
    ///
    /// # Errors
    /// The fault to answer with. When the connection is to be cut, the answer is thrown away by the server.
    pub async fn admit(
        &self,
        exchange: &Exchange,
        service: &'static str,
        codes: FaultCodes,
        operation: &str,
    ) -> Result<(), Fault> {
        exchange.name(service, operation);
        for strike in self.faults.strikes(service, codes, operation) {
            match strike {
                Strike::Refuse(fault) => return Err(fault),
                Strike::Break(when, broken) => exchange.break_off(when, broken).await?,
            }
        }
        Ok(())
    }

    pub(super) fn begin_stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
    }

    pub(super) async fn stop(&self) {
        self.begin_stop();
        self.tasks.wait().await;
    }
}
