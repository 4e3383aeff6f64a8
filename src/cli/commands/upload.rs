//! `opsctl upload`: data sets into the bucket, in as few requests as there are changes.
//!
//! Where `deploy` looks at every resource, this looks at the manifests alone. It falls back on the deploy of
//! the part of the graph when there is no bucket of ours yet. What is up to date takes no lease.

use clap::Args;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::aws::{OpError, OpResult};
use crate::cli::Ended;
use crate::cli::act::{self, can_consent};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{Failure, exit_of, help_of};
use crate::cli::exit::Exit;
use crate::cli::session::{Folders, Session};
use crate::cli::ui::Ui;
use crate::desired::Desired;
use crate::domain::grouped;
use crate::domain::{Diagnostics, KindName, Owner, ResourceId, Verb, bytes, codes};
use crate::engine::lease::{self, Lease, Terms};
use crate::engine::{Event, OpCx, RunResult, StepResult};
use crate::inputs::Tree;
use crate::resources::bucket;
use crate::resources::data::sync::{self, RemoteState};
use crate::resources::data::{Data, Difference, SendReason, Spec};

#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Only these data sets (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Compare with the objects in the bucket instead of the manifest, and repair both
    #[arg(long)]
    pub verify: bool,
    #[command(flatten)]
    pub preview: DryRun,
}

/// One data set, what is in the bucket of it, and whether the manifest must be written whatever differs.
struct Set {
    id: ResourceId,
    spec: Spec,
    there: RemoteState,
    rewrite: bool,
}

impl Set {
    fn tree<'a>(&self, session: &'a Session) -> &'a Tree {
        let tree = session.world.inputs.tree(&self.spec.path, &self.spec.use_as());
        tree.and_then(|tree| tree.as_ref().ok()).expect("the session has read it")
    }

    fn difference<'a>(&'a self, session: &'a Session) -> Difference<'a> {
        Difference::of(self.tree(session), &self.there.manifest.files, self.spec.delete)
    }

    fn has_work(&self, session: &Session) -> bool {
        let current = self.tree(session).digest().is_some_and(|digest| digest == self.there.manifest.digest);
        self.rewrite || !current || !self.difference(session).is_empty()
    }

    fn verb(&self) -> Verb {
        if self.there.etag.is_some() { Verb::Update } else { Verb::Create }
    }
}

pub async fn run(args: &UploadArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    can_consent(args.preview.dry_run, global, ui)?;
    let mut session = Session::open_with(global, env, |_| Ok(()), Folders::Listed).await?;
    let ended = upload(&mut session, args, global, ui).await;
    session.close().await;
    match ended? {
        Some(exit) => Ok(exit),
        None => act::deploy_subset(&[KindName::Data], &args.names, args.preview, global, ui, env).await,
    }
}

/// `None`: there is no bucket of ours yet.
async fn upload(
    session: &mut Session,
    args: &UploadArgs,
    global: &Global,
    ui: &Ui,
) -> Result<Option<Exit>, Failure> {
    let desired = act::select(session, &[KindName::Data], &args.names)?;
    let Some(sets) = look(session, &desired, args.verify).await? else { return Ok(None) };
    read_files(session, &sets, ui)?;
    if !ui.json() {
        act::print_warnings(session, ui);
    }
    let (todo, done): (Vec<Set>, Vec<Set>) = sets.into_iter().partition(|set| set.has_work(session));
    match (ui.json(), args.preview.dry_run) {
        (false, _) => show(session, &todo, &done, ui),
        (true, true) => ui.out_json(&plan_json(session, &todo, &done)),
        (true, false) => {}
    }
    // A program that reads events wants to read that there were none.
    if args.preview.dry_run || (todo.is_empty() && !ui.json()) {
        session.world.inputs.remember(&session.world.cache);
        return Ok(Some(Exit::Done));
    }
    if ui.is_broken() {
        return Ok(Some(Exit::Failed));
    }
    if !global.yes && !todo.is_empty() && !consents(session, ui).await {
        ui.say("Nothing was changed.");
        return Ok(Some(Exit::Done));
    }
    session.world.cancel.commit()?;
    let lease = match todo.first() {
        Some(set) => {
            let lease = lease::acquire(&session.world, &set.spec.bucket, &session.who, Terms::default());
            Some(session.world.cancel.briefly("lease", lease).await?)
        }
        None => None,
    };
    let unchanged = unchanged(session, &todo).await;
    if let Err(failure) = unchanged {
        act::give_back(session, lease).await;
        return Err(failure);
    }
    Ok(Some(send(session, todo, lease, ui).await))
}

/// Whether the bucket is still as it was when the differences were shown, now that nobody else may change it.
async fn unchanged(session: &Session, sets: &[Set]) -> Result<(), Failure> {
    try_join_all(sets.iter().map(|set| async move {
        let cx = OpCx { world: &session.world, step: 0, target: set.id.clone() };
        match sync::read_manifest(&cx, &set.spec.uri()).await? {
            now if now.etag == set.there.etag => Ok(()),
            _ => {
                let message = format!("somebody else has just uploaded {}, and nothing was done", set.id);
                Err(Failure::said(
                    codes::CHANGED_MEANWHILE,
                    Exit::Failed,
                    message,
                    "run the same command again",
                ))
            }
        }
    }))
    .await
    .map(drop)
}

async fn consents(session: &Session, ui: &Ui) -> bool {
    ui.confirm(&format!("Go ahead in {}?", session.place), &session.world.cancel).await
}

/// The manifests, all at once. `None`: the bucket has to be made or looked at first.
async fn look(session: &Session, desired: &Desired, verify: bool) -> OpResult<Option<Vec<Set>>> {
    let nodes = desired.nodes.iter().filter_map(|node| Some((&node.id, node.spec_as::<Data>()?)));
    let sets = try_join_all(nodes.map(|(id, spec): (&ResourceId, &Spec)| async move {
        let cx = OpCx { world: &session.world, step: 0, target: id.clone() };
        let mut there = sync::read_manifest(&cx, &spec.uri()).await?;
        if there.etag.is_none() && !there.bucket_is_missing {
            // Nobody's manifest: the first upload, or a bucket of somebody else.
            let owner = bucket::owner(&cx, &spec.bucket).await?;
            there.bucket_is_missing = owner != Some(Owner::Ours);
        }
        // What an interrupted run changed is not in the manifest.
        let mut rewrite = sync::is_unfinished(&cx, &spec.uri());
        if verify && !there.bucket_is_missing {
            let said = there.manifest.files.clone();
            let tree = session.world.inputs.tree(&spec.path, &spec.use_as());
            let tree = tree.and_then(|tree| tree.as_ref().ok()).expect("the session has walked it");
            there = sync::verify(&cx, spec, tree, there).await?;
            rewrite |= there.manifest.files != said;
        }
        OpResult::Ok(Set { id: id.clone(), spec: spec.clone(), there, rewrite })
    }))
    .await?;
    Ok(sets.iter().all(|set| !set.there.bucket_is_missing).then_some(sets))
}

/// Reads what has to be compared: the files of sets that have something in the bucket. The others are read
/// only once, while they are sent.
fn read_files(session: &mut Session, sets: &[Set], ui: &Ui) -> Result<(), Failure> {
    /// From here on, reading takes long enough to say so.
    const MUCH: u64 = 2_000_000_000;
    let inputs = &mut session.world.inputs;
    inputs.recall(&session.world.cache);
    for set in sets.iter().filter(|set| !set.there.manifest.files.is_empty()) {
        let (path, use_as) = (&set.spec.path, set.spec.use_as());
        let unread = inputs.unread(path, &use_as);
        if unread > MUCH {
            ui.say(&format!("Reading {} of {} to compare …", bytes(unread), path.display()));
        }
        inputs.hash(path, &use_as);
        if let Some(Err(problem)) = inputs.tree(path, &use_as) {
            let problems = Diagnostics(vec![problem.clone()]);
            return Err(Failure::config(session.config.document.clone(), problems));
        }
    }
    Ok(())
}

/// How many files a person wants to see by name.
const SHOWN: usize = 10;

fn show(session: &Session, todo: &[Set], done: &[Set], ui: &Ui) {
    let s = ui.styled_out();
    let mut text = String::new();
    for set in done {
        let files = grouped(set.tree(session).entries.len());
        text += &format!("{} is up to date: {files} files at {}\n", set.id, set.spec.uri());
    }
    for set in todo {
        let (difference, id) = (set.difference(session), &set.id);
        let sign = if set.verb() == Verb::Create { s.create("+") } else { s.update("~") };
        text += &format!("{sign} {id}  {}\n", s.faint(&set.spec.uri()));
        for line in difference.words() {
            text += &format!("    {line}\n");
        }
        if set.rewrite {
            text += "    the manifest is out of date (an upload was interrupted, or somebody else changed the data)\n";
        }
        let mut names: Vec<String> = difference
            .send
            .iter()
            .filter(|_| set.verb() == Verb::Update)
            .map(|(entry, why)| format!("{} {} ({})", mark(*why), entry.path, bytes(entry.size())))
            .collect();
        names.extend(difference.gone.iter().filter(|_| difference.delete).map(|path| format!("- {path}")));
        for name in names.iter().take(SHOWN) {
            text += &format!("      {name}\n");
        }
        if names.len() > SHOWN {
            text += &format!("      … and {} more\n", grouped(names.len() - SHOWN));
        }
    }
    ui.out(&text);
}

fn mark(why: SendReason) -> &'static str {
    if why == SendReason::New { "+" } else { "~" }
}

fn plan_json(session: &Session, todo: &[Set], done: &[Set]) -> Value {
    let step = |set: &Set| {
        let difference = set.difference(session);
        let send = difference.send.iter().map(|(entry, why)| {
            let why = match why {
                SendReason::New => "new",
                SendReason::Size => "size",
                SendReason::Content => "content",
            };
            json!({ "path": &*entry.path, "bytes": entry.size(), "why": why })
        });
        json!({
            "target": set.id,
            "op": set.verb(),
            "why": difference.words(),
            "send": send.collect::<Vec<_>>(),
            "gone": difference.gone,
            "delete": difference.delete,
        })
    };
    let unchanged: Vec<&ResourceId> = done.iter().map(|set| &set.id).collect();
    json!({ "format": 1, "target": session.place, "steps": todo.iter().map(step).collect::<Vec<_>>(), "unchanged": unchanged })
}

/// One data set after the other: each uses all of the wire.
async fn send(session: &mut Session, sets: Vec<Set>, lease: Option<Lease>, ui: &Ui) -> Exit {
    let shown = act::start_display(session, ui);
    let events = session.world.events.clone();
    let began = Instant::now();
    let since = |start: Instant| u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    events.send(Event::RunStarted { steps: sets.len() });
    let mut failed: Option<(ResourceId, OpError)> = None;
    let last = sets.last().map(|set| set.id.clone());
    for (step, set) in sets.into_iter().enumerate() {
        let (target, op, start) = (set.id.clone(), set.verb(), Instant::now());
        let physical = set.spec.uri();
        events.send(Event::StepStarted { step, target: target.clone(), op, physical, contents: None });
        let (path, use_as) = (&set.spec.path, set.spec.use_as());
        let mut tree = session.world.inputs.take(path, &use_as).expect("the session has read it");
        let ended = {
            let cx = OpCx { world: &session.world, step, target: target.clone() };
            sync::run(&cx, &set.spec, &mut tree, set.there).await
        };
        session.world.inputs.put(path, &use_as, tree);
        let result = match ended {
            Ok(report) => {
                events.send(Event::StepLog { step, target: target.clone(), line: report.to_string() });
                StepResult::Ok
            }
            Err(error) if session.world.cancel.caused(&error) => {
                let told = StepResult::Unfinished { reason: error.message.clone() };
                failed = Some((target.clone(), error));
                told
            }
            Err(error) => {
                let told = StepResult::Failed {
                    error: error.to_string(),
                    code: error.code().as_str(),
                    retryable: error.retryable(),
                };
                failed = Some((target.clone(), error));
                told
            }
        };
        events.send(Event::StepFinished { step, target, op, result, elapsed_ms: since(start) });
        if failed.is_some() {
            break;
        }
    }
    session.world.inputs.remember(&session.world.cache);
    let lost = act::give_back(session, lease).await;
    if let (Some(lost), Some(id), None) = (lost, last, &failed) {
        failed = Some((id, OpError::lost(&lost)));
    }
    let exit = failed.as_ref().map_or(Exit::Done, |(_, error)| exit_of(&error.kind));
    let result = match exit {
        Exit::Done => RunResult::Ok,
        Exit::Interrupted => RunResult::Interrupted,
        Exit::TimedOut => RunResult::TimedOut,
        _ => RunResult::Failed,
    };
    let calls = session.world.aws.calls.total();
    events.send(Event::RunFinished { result, calls, elapsed_ms: since(began) });
    drop(events);
    act::finish_display(session, shown).await;
    // An interruption was told, and is no failure.
    let stopped = |error: &OpError| session.world.cancel.caused(error);
    if let Some((target, error)) = failed.filter(|(_, error)| !ui.json() && !stopped(error)) {
        ui.error(error.code(), &format!("{target} failed: {error}"), help_of(error.code()));
    }
    exit
}
