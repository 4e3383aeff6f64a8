//! Strikes each call of an operation with each fault, and tells what became of it: a run that is struck, then
//! a clean one, which must leave what an undisturbed run leaves.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::future::pending;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opsctl::domain::KindName;
use opsctl::engine::lease::{self, LeaseHolder};
use opsctl::engine::{self, RunResult};
use opsctl::plan::Mode;
use opsctl::run::{Host, Run, Verified};
use opsctl_sandbox::Sandbox;
use opsctl_sandbox::effect::Effect;
use regex_lite::Regex;
use serde_json::Value;
use tokio::runtime;
use tokio::sync::{OnceCell, oneshot};
use tokio::time::timeout;

use super::inside::{DEPLOY, DESTROY, Project, sandbox};

/// What a person does with the shipped project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Nothing is there.
    Deploy,
    /// A key of every kind that has one is changed.
    Update,
    /// A notebook and a function leave the config, with `--prune`.
    Prune,
    /// `scale`: its two kinds alone, with other numbers.
    Scale,
    Destroy,
}

impl Operation {
    pub const ALL: [Self; 5] = [Self::Deploy, Self::Update, Self::Prune, Self::Scale, Self::Destroy];

    fn mode(self) -> Mode {
        match self {
            Self::Prune => Mode::Deploy { prune: true, adopt: false },
            Self::Destroy => DESTROY,
            _ => DEPLOY,
        }
    }

    /// The project as this operation finds it in its file.
    async fn project(self, sandbox: &Sandbox) -> Project {
        let edit = move |text: String| match self {
            Self::Deploy | Self::Destroy => text,
            Self::Update => replaced(
                text,
                &[
                    ("keep_old_versions   = \"30d\"", "keep_old_versions   = \"31d\""),
                    ("exclude = [\"*.tmp\"]", "exclude = [\"*.tmp\", \"9.csv\"]"),
                    ("epochs        = 40", "epochs        = 41"),
                    (
                        "parameters] # the script reads them from SM_HPS\nepochs = 40",
                        "parameters]\nepochs = 41",
                    ),
                    ("volume_gb     = 5 ", "volume_gb     = 6 "),
                    ("MODEL_NAME = \"digits\"", "MODEL_NAME = \"numbers\""),
                    ("max = 4\n", "max = 5\n"),
                    ("memory_mb               = 128", "memory_mb               = 256"),
                    ("provisioned_concurrency = 2", "provisioned_concurrency = 3"),
                ],
            ),
            Self::Prune => without(&without(&text, "[notebook.lab]"), "[function.classify]"),
            Self::Scale => {
                let edits = [
                    ("max = 4\n", "max = 6\n"),
                    ("provisioned_concurrency = 2", "provisioned_concurrency = 4"),
                ];
                replaced(text, &edits)
            }
        };
        let mut project = Project::edited(sandbox, edit).await;
        if self == Self::Scale {
            let scaled = |kind| matches!(kind, KindName::Autoscaling | KindName::Concurrency);
            project.desired = project.desired.only(|node| scaled(node.id.kind), false);
        }
        project
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Deploy => "first deploy",
            Self::Update => "update",
            Self::Prune => "prune",
            Self::Scale => "scale",
            Self::Destroy => "destroy",
        })
    }
}

fn replaced(text: String, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text, |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "`{from}` must be once in the shipped config");
        text.replace(from, to)
    })
}

/// The text without a table and those in it.
fn without(text: &str, table: &str) -> String {
    let (before, rest) = text.split_once(table).expect("the table is there");
    let inside = format!("\n{}.", &table[..table.len() - 1]);
    let mut end = 0;
    loop {
        let next = rest[end + 1..].find("\n[").map_or(rest.len(), |at| end + 1 + at);
        end = next;
        if !rest[end..].starts_with(&inside) {
            return format!("{before}{}", &rest[end..]);
        }
    }
}

/// What happens to one call, or from it on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    pub name: &'static str,
    /// A rule of the sandbox; `CALL` is the struck call, as `iam:CreateRole#2`.
    rule: &'static str,
    /// The process is killed while the call is under way.
    kills: bool,
}

const fn fault(name: &'static str, rule: &'static str) -> Fault {
    Fault { name, rule, kills: false }
}

const fn kill(name: &'static str, rule: &'static str) -> Fault {
    Fault { name, rule, kills: true }
}

/// Once: the SDK tries again. For good: it gives up, and so must the step.
pub const FAULTS: [Fault; 16] = [
    fault("throttled once", "throttle@CALL"),
    fault("throttled for good", "throttle@CALLx0"),
    fault("500 once", "fail@CALL"),
    fault("500 for good", "fail@CALLx0"),
    fault("reset before it was sent, once", "cut@CALL"),
    fault("reset before it was sent, for good", "cut@CALLx0"),
    fault("reset after AWS acted, once", "cut-after@CALL"),
    fault("reset after AWS acted, for good", "cut-after@CALLx0"),
    fault("answer broken off in its body, once", "truncate@CALL"),
    fault("answer broken off in its body, for good", "truncate@CALLx0"),
    fault("denied", "fail=AccessDenied@CALL"),
    fault("denied for good", "fail=AccessDenied@CALLx0"),
    fault("expired credentials from here on", "fail=ExpiredToken@CALLx0"),
    fault("no answer", "delay-after=70s@CALL"),
    kill("SIGKILL before", "delay=1h@CALL"),
    kill("SIGKILL after", "delay-after=1h@CALL"),
];

/// One call of an operation: its name and which one of that name.
pub type Call = (String, u64);

/// What a case is.
#[derive(Clone, Debug)]
pub struct Case {
    pub operation: Operation,
    pub call: Call,
    pub fault: Fault,
}

impl Case {
    /// Whether the struck call only reads.
    pub fn reads(&self) -> bool {
        Effect::of(self.call.0.split(':').nth(1).unwrap_or_default()) == Effect::Reads
    }

    /// A number that depends on the case only: what a sample is drawn by.
    pub fn draw(&self) -> u64 {
        let text = self.to_string();
        text.bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
            >> 20
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, call: (call, nth), fault } = self;
        write!(f, "{operation}, {call}#{nth}, {}", fault.name)
    }
}

/// How a command would end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// With exit status 0.
    Green,
    Red(String),
    Killed,
}

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Told {
    pub struck: bool,
    pub first: Ended,
    pub again: Ended,
    /// What is wrong with it; none if it converged.
    pub wrong: Vec<String>,
}

/// What is in an account: the leaves of each document.
pub type Inventory = BTreeMap<String, BTreeMap<String, String>>;

/// A document, and the place of a leaf in it.
type Leaf = (String, String);

/// What a clean run makes of what a struck one left.
#[derive(Clone)]
struct Mended {
    ended: Ended,
    wrong: Vec<String>,
}

/// An operation, ready to be repeated: where it begins, and what it leaves when nothing is in its way.
pub struct Sweep {
    operation: Operation,
    /// The state of the sandbox before it.
    before: tempfile::TempDir,
    /// What it calls when nothing is in its way, in order.
    pub calls: Vec<Call>,
    /// What it leaves.
    after: Inventory,
    /// Leaves that differ between undisturbed runs, and say nothing.
    restless: BTreeSet<Leaf>,
    /// Struck runs that leave the same account, document by document, share the clean run after them.
    mended: Mutex<HashMap<Inventory, Arc<OnceCell<Mended>>>>,
}

impl Sweep {
    /// Does it three times undisturbed, which must leave the same.
    pub async fn of(operation: Operation) -> Self {
        let before = tempfile::tempdir().expect("a folder");
        if operation != Operation::Deploy {
            let sandbox = sandbox(before.path()).await;
            Project::open(&sandbox).await.succeed(DEPLOY).await;
            sandbox.stop().await;
        }
        let mut sweep = Self {
            operation,
            before,
            calls: Vec::new(),
            after: Inventory::new(),
            restless: BTreeSet::new(),
            mended: Mutex::default(),
        };
        for _ in 0..3 {
            let (_folder, sandbox) = sweep.restored().await;
            let ended = command(operation, &sandbox, pending()).await;
            assert_eq!(ended, Ended::Green, "{operation} undisturbed");
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            let log = sandbox.state().calls.report()["log"].clone();
            let names = log.as_array().into_iter().flatten().filter_map(|line| line["operation"].as_str());
            sweep.calls = names
                .map(|name| {
                    let count = counts.entry(name.to_owned()).or_default();
                    *count += 1;
                    (name.to_owned(), *count)
                })
                .collect();
            let after = inventory(&sandbox);
            for (key, leaves) in &after {
                let Some(before) = sweep.after.get(key) else { continue };
                let names = leaves.keys().chain(before.keys());
                let restless = names.filter(|name| leaves.get(*name) != before.get(*name));
                sweep.restless.extend(restless.map(|name| (key.clone(), name.clone())));
            }
            let left = sweep.differs(&after);
            assert!(sweep.after.is_empty() || left.is_empty(), "{operation} undisturbed: {left:?}");
            sweep.after = after;
            stop(sandbox).await;
        }
        sweep
    }

    /// Every call with every one of these faults.
    pub fn cases(&self, faults: &[Fault]) -> Vec<Case> {
        let case = |call: &Call, fault: &Fault| Case {
            operation: self.operation,
            call: call.clone(),
            fault: *fault,
        };
        self.calls.iter().flat_map(|call| faults.iter().map(move |fault| case(call, fault))).collect()
    }

    async fn restored(&self) -> (tempfile::TempDir, Arc<Sandbox>) {
        let folder = tempfile::tempdir().expect("a folder");
        copy(self.before.path(), folder.path());
        let sandbox = sandbox(folder.path()).await;
        (folder, Arc::new(sandbox))
    }

    /// One struck run, one clean run, and what is left.
    pub async fn strike(&self, case: &Case) -> Told {
        let (_folder, sandbox) = self.restored().await;
        let world = sandbox.state();
        let (name, nth) = &case.call;
        let rule = case.fault.rule.replace("CALL", &format!("{name}#{nth}"));
        // What is expired is expired for every service.
        let rule = if rule.contains("ExpiredToken") { self.rule_from_there_on(&case.call) } else { rule };
        world.faults.extend(vec![rule.parse().expect("a rule")]);
        let first = match case.fault.kills {
            true => command(self.operation, &sandbox, until(|| world.faults.hits() > 0)).await,
            false => command(self.operation, &sandbox, pending()).await,
        };
        let hits = world.faults.hits();
        world.faults.clear();
        let mut wrong = Vec::new();
        if first == Ended::Green {
            // What it said must be so, before anything mends it.
            let left = self.differs(&inventory(&sandbox));
            wrong.extend(left.into_iter().map(|l| format!("exit 0, and it is not so: {l}")));
        }
        let mended = Arc::clone(
            self.mended.lock().expect("nobody panics with it").entry(self.state(&sandbox)).or_default(),
        );
        let mended = mended.get_or_init(|| self.mend(&sandbox)).await.clone();
        stop(sandbox).await;
        wrong.extend(mended.wrong);
        Told { struck: hits > 0, first, again: mended.ended, wrong }
    }

    /// How many different accounts struck runs have left.
    pub fn states(&self) -> usize {
        self.mended.lock().expect("nobody panics with it").len()
    }

    /// A clean run, which must leave what an undisturbed one leaves, and nothing to do.
    async fn mend(&self, sandbox: &Arc<Sandbox>) -> Mended {
        let ended = command(self.operation, sandbox, pending()).await;
        let mut wrong = Vec::new();
        if ended != Ended::Green {
            wrong.push(format!("the clean run: {ended:?}"));
        }
        wrong.extend(self.differs(&inventory(sandbox)));
        let project = self.operation.project(sandbox).await;
        match project.plan(self.operation.mode()).await {
            Ok(plan) if plan.is_empty() => {}
            Ok(plan) => {
                let steps = plan
                    .steps
                    .iter()
                    .map(|s| format!("{} {}: {}", s.op.verb().as_str(), s.target, s.why.join(", ")));
                wrong.extend(steps.map(|step| format!("still to do: {step}")));
            }
            Err(problems) => wrong.push(format!("no plan: {problems}")),
        }
        Mended { ended, wrong }
    }

    /// What tells one account from another: all of it but what differs between undisturbed runs. A lease is
    /// held or not: its holder is made up.
    fn state(&self, sandbox: &Sandbox) -> Inventory {
        let mut state = documents(sandbox, |_| true);
        for (_, lease) in state.iter_mut().filter(|(document, _)| document.ends_with(lease::KEY)) {
            lease.values_mut().for_each(String::clear);
        }
        for (document, leaf) in &self.restless {
            state.get_mut(document).map(|leaves| leaves.remove(leaf));
        }
        state
    }

    /// How what is there differs from what should be.
    fn differs(&self, have: &Inventory) -> Vec<String> {
        let want = &self.after;
        let missing = want.keys().filter(|key| !have.contains_key(*key)).map(|key| format!("missing: {key}"));
        let extra =
            have.keys().filter(|key| !want.contains_key(*key)).map(|key| format!("one too many: {key}"));
        let other = want.iter().filter_map(|(key, want)| Some((key, want, have.get(key)?))).flat_map(
            |(key, want, have)| {
                let names: BTreeSet<&String> = want.keys().chain(have.keys()).collect();
                let differs = move |name: &&String| {
                    want.get(*name) != have.get(*name)
                        && !self.restless.contains(&(key.clone(), (*name).clone()))
                };
                let tell = move |name: &String| {
                    format!("{key}{name} is {:?}, not {:?}", have.get(name), want.get(name))
                };
                names.into_iter().filter(differs).map(tell)
            },
        );
        missing.chain(extra).chain(other).collect()
    }

    /// The rule that fails every call from this one on.
    fn rule_from_there_on(&self, call: &Call) -> String {
        let place = self.calls.iter().position(|c| c == call).expect("it is one of them");
        format!("fail=ExpiredToken@*#{}x0", place + 1)
    }
}

async fn stop(sandbox: Arc<Sandbox>) {
    if let Ok(sandbox) = Arc::try_unwrap(sandbox) {
        sandbox.stop().await;
    }
}

/// Runs the operation as the command line does, in a thread and a runtime of its own: when it is killed, all
/// that it began ends with it.
async fn command(operation: Operation, sandbox: &Arc<Sandbox>, killed: impl Future<Output = ()>) -> Ended {
    let (kill, dies) = oneshot::channel::<()>();
    let place = Arc::clone(sandbox);
    let process = tokio::task::spawn_blocking(move || {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let ended = runtime.block_on(async {
            let project = operation.project(&place).await;
            tokio::select! {
                done = carry_out(operation, &project) => done.map_or_else(Ended::Red, |()| Ended::Green),
                _ = dies => Ended::Killed,
            }
        });
        runtime.shutdown_timeout(Duration::from_secs(5));
        ended
    });
    tokio::pin!(process);
    let ended = tokio::select! {
        ended = &mut process => ended,
        () = killed => {
            drop(kill);
            process.await
        }
    };
    ended.unwrap_or_else(|panic| Ended::Red(format!("PANIC: {panic}")))
}

async fn until(reached: impl Fn() -> bool) {
    while !reached() {
        // A pause is a wait for what does not come.
        let _ = timeout(Duration::from_millis(1), pending::<()>()).await;
    }
}

async fn carry_out(operation: Operation, project: &Project) -> Result<(), String> {
    let Project { kinds, registry, desired, world } = project;
    let whole = operation != Operation::Scale;
    let run = Run {
        context: world,
        registry,
        kinds,
        desired,
        mode: operation.mode(),
        whole,
        gates: None,
        host: Host::Other,
    };
    let told = |what: &str, why: &dyn fmt::Debug| format!("{what}: {why:?}");
    let (plan, have) = run.plan().await.map_err(|e| told("plan", &e))?;
    if plan.is_empty() {
        return Ok(());
    }
    let who = LeaseHolder { user: "sweep".into(), host: "here".into(), process: std::process::id() };
    let lease = run.lease(&plan, &have, &who).await.map_err(|e| told("lease", &e))?;
    let done = async {
        let (plan, _) = run.plan_again(&plan, false).await.map_err(|e| told("plan under the lease", &e))?;
        let outcome = engine::execute(&plan, registry, world).await;
        match outcome.result() {
            RunResult::Ok => match run.verify(&plan).await {
                Verified::AsWanted => Ok(()),
                other => Err(told("verify", &other)),
            },
            _ => Err(told("steps", &outcome.failed)),
        }
    };
    let done = done.await;
    let given_back = match lease {
        Some(lease) => lease.release().await.map_err(|lost| told("lease", &lost)),
        None => Ok(()),
    };
    done.and(given_back)
}

/// What is in the account, but for the lease: each run writes it, and each leaves it deleted.
pub fn inventory(sandbox: &Sandbox) -> Inventory {
    documents(sandbox, |name| name != lease::KEY)
}

/// Each document with what differs from run to run masked.
fn documents(sandbox: &Sandbox, counts: impl Fn(&str) -> bool) -> Inventory {
    let world = sandbox.state();
    let mut tables: Vec<String> = std::fs::read_dir(world.root.join("state"))
        .expect("the sandbox has a state")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    tables.sort();
    let masks = Masks::new();
    let mut all: BTreeMap<String, Vec<BTreeMap<String, String>>> = BTreeMap::new();
    for table in tables {
        for (name, mut document) in world.store.list(&table, "") {
            if !counts(&name) {
                continue;
            }
            // Of an object the newest version counts: one that is sent again is one more of the same.
            if let Some(versions) = document.get_mut("versions").and_then(Value::as_array_mut) {
                versions.truncate(1);
            }
            let mut leaves = BTreeMap::new();
            flatten(&document, "", &masks, &mut leaves);
            // Which archive a job left is noted when its end is seen, and by nobody after a kill just there.
            let is_note = |leaf: &str| {
                leaf.ends_with(".opsctl:model-etag")
                    || (name.ends_with("/job.json") && leaf.ends_with(".size"))
            };
            leaves.retain(|leaf, _| !is_note(leaf));
            let key = format!("{table} {}", masks.apply(&name));
            all.entry(key).or_default().push(leaves);
        }
    }
    let mut found = Inventory::new();
    for (key, mut twins) in all {
        // Their own names are made up.
        twins.sort();
        for (i, leaves) in twins.into_iter().enumerate() {
            found.insert(if i == 0 { key.clone() } else { format!("{key}, one more ({i})") }, leaves);
        }
    }
    found
}

fn flatten(value: &Value, path: &str, masks: &Masks, leaves: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| flatten(value, &format!("{path}.{name}"), masks, leaves));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, value)| flatten(value, &format!("{path}[{i}]"), masks, leaves));
        }
        Value::Null => {}
        leaf => {
            let text = masks.apply(&leaf.to_string());
            // What is made up, and how long a job happened to take.
            let made_up =
                [".id", ".blob", ".content_type", ".clientToken", ".privateDnsName", "TimeInSeconds"]
                    .iter()
                    .any(|end| path.ends_with(end));
            if !made_up && !["TIME", "\"TIME\"", "\"UUID\"", "\"ID\""].contains(&text.as_str()) {
                leaves.insert(path.to_owned(), text);
            }
        }
    }
}

/// What differs from run to run: times, and identifiers that AWS makes up.
struct Masks([(Regex, &'static str); 5]);

impl Masks {
    fn new() -> Self {
        let mask = |pattern: &str, instead| (Regex::new(pattern).expect("a pattern"), instead);
        Self([
            mask(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
            mask(r"\b\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+0000)", "TIME"),
            mask(r"\b1[0-9]{9}(\.[0-9]+|[0-9]{3}\b)", "TIME"),
            mask(r"\b(i|vol|eni|r|ami)-[0-9a-f]{17}\b", "$1-ID"),
            mask(r"\bA(RO|IP)A[A-Z0-9]{17}\b", "ID"),
        ])
    }

    fn apply(&self, text: &str) -> String {
        let Self(masks) = self;
        masks
            .iter()
            .fold(text.to_owned(), |text, (mask, instead)| mask.replace_all(&text, *instead).into_owned())
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir_all(&target).expect("the folder is ours");
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("the folder is ours");
        }
    }
}
