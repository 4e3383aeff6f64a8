//! Commands that change something, and `plan`, which shows the change: one flow for all of them.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::Ended;
use super::args::{DeployArgs, DestroyArgs, Global, PartArgs, Place, PlanArgs, TrainArgs};
use super::error::{Failure, exit_of, help_of};
use super::exit::Exit;
use super::logs;
use super::session::{Environment, Session};
use super::ui::Ui;
use crate::desired::{Desired, Node};
use crate::domain::{ResourceId, Verb, codes};
use crate::engine::lease::Lease;
use crate::engine::{self, Calls, Event, OpCx, OpErrorKind, Outcome, Probe, RunResult};
use crate::plan::{self, Look, Mode, Observed, Plan, Step};
use crate::report::live::{self, Ndjson, Terminal};
use crate::report::{diagnostics, plan as render};
use crate::resources::bucket::Bucket;
use crate::resources::{Kind, KindName};

/// What is planned: which nodes, in which mode, and what else the command may say.
pub struct Intent {
    pub mode: Mode,
    pub desired: Desired,
    /// Whether to report what is ours but not in `desired`: only when all of it is looked at.
    pub whole: bool,
}

pub const DEPLOY: Mode = Mode::Deploy { prune: false, adopt: false };

pub async fn plan(args: &PlanArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let session = Session::open(global, env, |_| Ok(())).await?;
    let mode = Mode::Deploy { prune: args.changes.prune, adopt: args.changes.adopt };
    let intent = Intent { mode, desired: session.desired.clone(), whole: true };
    let (plan, _) = make(&session, &intent).await?;
    if ui.json() {
        ui.out_json(&render::json(&plan));
    } else {
        warn(&session, ui);
        ui.out(&render::human(&plan, &intent.desired, &session.kinds, args.why, ui.styled_out()));
    }
    if let Some(file) = &args.out {
        save(&plan, file)?;
        ui.say(&format!("Saved. `opsctl deploy --plan {}` does exactly this.", file.display()));
    }
    let exit = if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done };
    session.close().await;
    Ok(exit)
}

pub async fn deploy(args: &DeployArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    can_consent(args.preview.dry_run || args.plan.is_some(), global, ui)?;
    let session = Session::open(global, env, |_| Ok(())).await?;
    let mode = Mode::Deploy { prune: args.changes.prune, adopt: args.changes.adopt };
    let intent = Intent { mode, desired: session.desired.clone(), whole: true };
    let saved = args.plan.as_deref().map(load).transpose()?;
    act(session, intent, args.preview, saved, global, ui).await
}

pub async fn bucket(args: &PartArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    part(&[KindName::Bucket], &[], *args, global, ui, env).await
}

pub async fn train(args: &TrainArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let kinds: &[KindName] = match args.on {
        None => &[KindName::Training, KindName::Instance],
        Some(Place::Sagemaker) => &[KindName::Training],
        Some(Place::Ec2) => &[KindName::Instance],
    };
    part(kinds, &args.named.names, args.named.part, global, ui, env).await
}

pub async fn destroy(args: &DestroyArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    can_consent(args.part.dry_run, global, ui)?;
    let session = Session::open(global, env, |_| Ok(())).await?;
    let intent = Intent { mode: Mode::Destroy, desired: session.desired.clone(), whole: true };
    act(session, intent, args.part, None, global, ui).await
}

/// `deploy` of what ends in these kinds, with all that it needs.
pub async fn part(
    kinds: &[KindName],
    names: &[String],
    part: PartArgs,
    global: &Global,
    ui: &Ui,
    env: &Environment,
) -> Ended {
    can_consent(part.dry_run, global, ui)?;
    let session = Session::open(global, env, |_| Ok(())).await?;
    let desired = choose(&session, kinds, names)?;
    let intent = Intent { mode: DEPLOY, desired, whole: false };
    act(session, intent, part, None, global, ui).await
}

/// The nodes of these kinds and names, with all that they need.
pub fn choose(session: &Session, kinds: &[KindName], names: &[String]) -> Result<Desired, Failure> {
    let chosen =
        |node: &Node| kinds.contains(&node.id.kind) && (names.is_empty() || names.contains(&node.id.name));
    for name in names {
        if !session.desired.nodes.iter().any(|n| kinds.contains(&n.id.kind) && &n.id.name == name) {
            let known: Vec<_> = session
                .desired
                .nodes
                .iter()
                .filter(|n| kinds.contains(&n.id.kind))
                .map(|n| n.id.name.as_str())
                .collect();
            let message = format!("there is no {} `{name}`", kinds[0].words());
            let help = format!("the config has: {}", known.join(", "));
            return Err(Failure::said(codes::UNKNOWN_NAME, Exit::Usage, message, help));
        }
    }
    let desired = session.desired.only(chosen, true);
    if desired.nodes.is_empty() {
        let message = format!("the config has no {}", kinds[0].words());
        return Err(Failure::said(
            codes::UNKNOWN_NAME,
            Exit::Usage,
            message,
            "config/opsctl.toml shows how to add one",
        ));
    }
    Ok(desired)
}

/// Observes and plans; checks the plan with the independent checker.
async fn make(session: &Session, intent: &Intent) -> Result<(Plan, Observed), Failure> {
    let look = engine::observe(&intent.desired, &session.registry, &session.world);
    let mut have = session.world.cancel.reading("looking", look).await?;
    if !intent.whole {
        have.leftovers.clear();
    }
    let plan = plan::build(&intent.desired, &have, &session.kinds, intent.mode)
        .map_err(|problems| Failure::config(session.config.document.clone(), problems))?;
    let wrong = plan::check::check(&plan, &intent.desired, &have, &session.kinds, intent.mode);
    if !wrong.is_empty() {
        let help = help_of(codes::BUG);
        return Err(Failure::said(
            codes::BUG,
            Exit::Bug,
            format!("the plan is not sound: {}", wrong.join("; ")),
            help,
        ));
    }
    Ok((plan, have))
}

pub fn warn(session: &Session, ui: &Ui) {
    if !session.warnings.0.is_empty() {
        ui.say(&diagnostics::human(&session.config.document, &session.warnings, ui.styled_err()));
    }
}

/// Refuses what would have to ask and cannot, before anything is read. What is `free` needs no consent.
pub fn can_consent(free: bool, global: &Global, ui: &Ui) -> Result<(), Failure> {
    if free || global.yes || (ui.interactive && !ui.json()) {
        return Ok(());
    }
    let (message, help) = ("there is no terminal to ask on", "add --yes, or look first with `opsctl plan`");
    Err(Failure::said(codes::NEEDS_CONSENT, Exit::Usage, message, help))
}

/// Plan, ask, execute, look again.
pub async fn act(
    mut session: Session,
    intent: Intent,
    part: PartArgs,
    saved: Option<String>,
    global: &Global,
    ui: &Ui,
) -> Ended {
    let consented = global.yes || saved.is_some();
    let (plan, have) = make(&session, &intent).await?;
    if saved.is_some_and(|saved| saved != plan.fingerprint()) {
        let message = "the saved plan is no longer true: the config, the sources or AWS changed since";
        return Err(Failure::said(
            codes::CHANGED_MEANWHILE,
            Exit::Failed,
            message,
            "make a new one with `opsctl plan --out`",
        ));
    }
    if part.dry_run && ui.json() {
        ui.out_json(&render::json(&plan));
    } else if !ui.json() {
        warn(&session, ui);
        ui.out(&render::human(&plan, &intent.desired, &session.kinds, false, ui.styled_out()));
    }
    // Nobody has seen it, so nobody wanted it.
    if ui.is_broken() {
        session.close().await;
        return Ok(Exit::Failed);
    }
    if part.dry_run {
        session.close().await;
        return Ok(Exit::Done);
    }
    if !plan.is_empty() && !consented {
        let verb = if intent.mode == Mode::Destroy { "Delete all this?" } else { "Go ahead?" };
        if !ui.confirm(verb, &session.world.cancel).await {
            ui.say("Nothing was changed.");
            session.close().await;
            return Ok(Exit::Done);
        }
    }
    session.world.cancel.commit()?;
    let lease = lease(&session, &plan, &have).await?;
    let shown = listen(&mut session, ui);
    let outcome = engine::execute(&plan, &session.registry, &session.world).await;
    let unlike = match outcome.result() {
        RunResult::Ok if !plan.is_empty() => look_again(&session, &intent).await?,
        _ => Vec::new(),
    };
    if let Some(lease) = lease {
        let release = async {
            lease.release().await;
            Ok(())
        };
        // If it is not answered, the lease expires by itself.
        let _ = session.world.cancel.briefly("lease", release).await;
    }
    let calls = session.world.aws.calls.total();
    finish(&mut session, &outcome, &unlike, calls);
    hush(&mut session, shown).await;
    tracing::debug!(calls = ?session.world.aws.calls.by_operation(), "calls");
    let exit = report(&session, &intent, &plan, &have, &outcome, &unlike, ui);
    session.close().await;
    Ok(exit)
}

/// Shows what happens from now on.
pub fn listen(session: &mut Session, ui: &Ui) -> JoinHandle<()> {
    let out = ui.clone();
    let reader: Box<dyn live::Reader> = if ui.json() {
        Box::new(Ndjson::new(Box::new(move |line| out.out(&format!("{line}\n")))))
    } else {
        Box::new(Terminal::new(Box::new(move |line| out.say(line)), *ui.styled_err(), ui.live))
    };
    let events = session.events.take().expect("the events are taken once");
    tokio::spawn(live::drive(events, reader, session.world.cancel.clone()))
}

/// Ends [`listen`] when everything is shown.
pub async fn hush(session: &mut Session, shown: JoinHandle<()>) {
    drop(std::mem::replace(&mut session.world.events, engine::Events::nowhere()));
    // The reader ends when the last sender is gone.
    let _ = shown.await;
}

/// Takes the lease when there is something to do and a bucket to keep it in. The very first deploy makes the bucket
/// and has none (docs/decisions).
async fn lease(session: &Session, plan: &Plan, have: &Observed) -> Result<Option<Lease>, Failure> {
    let bucket = Bucket::id(Bucket::MAIN);
    let there = matches!(have.looks.get(&bucket), Some(Look::Present(_)));
    match session.world.wanted(KindName::Bucket).next() {
        Some(name) if there && !plan.is_empty() => {
            let acquire = engine::lease::acquire(&session.world.aws, name, &session.who);
            Ok(Some(session.world.cancel.briefly("lease", acquire).await?))
        }
        _ => Ok(None),
    }
}

/// Success is re-read (D7): plans once more, and gives what is not as it should be. Reads may lag behind writes for
/// seconds (aws-facts §1.4), so a difference must stay for some looks; what has failed will not get better by waiting.
async fn look_again(session: &Session, intent: &Intent) -> Result<Vec<String>, Failure> {
    let everything = ResourceId::new(KindName::Bucket, "*");
    let cx = OpCx { world: &session.world, step: 0, target: everything };
    let (every, limit) = (Duration::from_secs(5), Duration::from_secs(60));
    let last = Mutex::new(Vec::new());
    let looked = cx.wait("everything as wanted", every, limit, || async {
        let plan = match make(session, intent).await {
            Ok((plan, _)) => plan,
            Err(Failure::Op(error)) => return Err(error),
            Err(_) => return Ok(Probe::Ready(())),
        };
        let failed =
            plan.steps.iter().any(|step| step.op.verb() == Verb::Delete && intent.mode != Mode::Destroy);
        let differences = plan.steps.iter().map(|s| format!("{}: {}", s.target, s.why.join(", "))).collect();
        *last.lock().await = differences;
        Ok(if plan.is_empty() || failed { Probe::Ready(()) } else { Probe::Pending("not yet".into()) })
    });
    match looked.await {
        Err(error) if error.kind != OpErrorKind::TimedOut => Err(error.into()),
        _ => Ok(last.into_inner()),
    }
}

fn finish(session: &mut Session, outcome: &Outcome, unlike: &[String], calls: Calls) {
    let result = if unlike.is_empty() { outcome.result() } else { RunResult::Failed };
    let elapsed_ms = outcome.elapsed_ms();
    session.world.events.send(Event::RunFinished { result, calls, elapsed_ms });
}

/// The last words for a person, and the exit code.
fn report(
    session: &Session,
    intent: &Intent,
    plan: &Plan,
    have: &Observed,
    outcome: &Outcome,
    unlike: &[String],
    ui: &Ui,
) -> Exit {
    let stopped = matches!(outcome.result(), RunResult::Interrupted | RunResult::TimedOut);
    if !ui.json() {
        for (resource, error) in &outcome.failed {
            let code = error.code();
            ui.error(code, &format!("{resource} failed: {error}"), help_of(code));
            if matches!(error.kind, OpErrorKind::BadState | OpErrorKind::RolledBack)
                && let Some(writer) = logs::writer(resource)
            {
                ui.err(&format!("  log: opsctl logs {writer}"));
            }
        }
        for difference in unlike {
            ui.error(
                codes::FAILED,
                &format!("still not as wanted: {difference}"),
                "run the same command again",
            );
        }
        let foreign = |look: &Look| matches!(look, Look::Present(_));
        if stopped {
            ui.err(&left_off(session, plan, outcome));
        }
        if intent.mode == Mode::Destroy && !stopped && outcome.failed.is_empty() && unlike.is_empty() {
            let scope = &session.world.scope;
            let had = have.looks.values().filter(|look| foreign(look)).count();
            let gone = if had == 0 { "There was nothing" } else { "Nothing is left" };
            ui.say(&format!("{gone} of {} / {} in {}.", scope.project, scope.environment, scope.region));
        }
    }
    match (outcome.failed.first(), stopped, unlike) {
        (_, true, _) => Exit::Interrupted,
        (Some((_, error)), ..) => exit_of(&error.kind),
        (None, _, [_, ..]) => Exit::Failed,
        _ => Exit::Done,
    }
}

/// Where a run was stopped: what goes on without it, and how to end that.
fn left_off(session: &Session, plan: &Plan, outcome: &Outcome) -> String {
    let mut text = String::new();
    for step in plan.steps.iter().filter(|step| outcome.unfinished.contains(&step.id)) {
        let (target, verb) = (&step.target, step.op.verb());
        // What runs in this process ends with it.
        let line = match goes_on(step).filter(|_| !session.is_all_here()) {
            _ if verb == Verb::Delete => format!("{target} may still be being deleted."),
            Some(stop) => format!("{target} goes on in AWS. To stop it: {stop}"),
            None => continue,
        };
        text += &format!("{line}\n");
    }
    let rest = match outcome.not_started {
        0 => String::new(),
        1 => "1 step was not started. ".to_owned(),
        n => format!("{n} steps were not started. "),
    };
    text + &format!("{rest}Nothing is lost: the same command goes on from here.")
}

/// The command that ends what a step has begun, where it costs money for as long as it runs.
fn goes_on(step: &Step) -> Option<String> {
    let name = &step.physical;
    match step.target.kind {
        KindName::Training => Some(format!("aws sagemaker stop-training-job --training-job-name {name}")),
        KindName::Endpoint => Some(format!("aws sagemaker delete-endpoint --endpoint-name {name}")),
        KindName::Notebook => Some(format!("`opsctl notebook stop --name {}`", step.target.name)),
        KindName::Instance => Some("`opsctl destroy`, or wait for its `max_runtime`".to_owned()),
        _ => None,
    }
}

/// A saved plan is a promise about its fingerprint; the steps are in it for the reader.
fn save(plan: &Plan, file: &Path) -> Result<(), Failure> {
    std::fs::write(file, format!("{:#}\n", render::json(plan))).map_err(|error| {
        let message = format!("{} cannot be written: {error}", file.display());
        Failure::said(codes::LOCAL_IO, Exit::Failed, message, "name another file")
    })
}

fn load(file: &Path) -> Result<String, Failure> {
    let read = || -> Result<String, String> {
        let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
        let value: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        value["fingerprint"].as_str().map(str::to_owned).ok_or_else(|| "it has no fingerprint".to_owned())
    };
    read().map_err(|error| {
        let message = format!("{} is not a saved plan: {error}", file.display());
        Failure::said(codes::LOCAL_IO, Exit::Usage, message, "`opsctl plan --out FILE` makes one")
    })
}
