//! Commands that change something: what they show, what they ask, and how they end.

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Ended;
use super::args::{DryRun, Global};
use super::done::Done;
use super::environment::Environment;
use super::error::{Failure, help_of};
use super::exit::Exit;
use super::saved::Saved;
use super::session::Session;
use super::ui::Ui;
use crate::aws::LeaseLost;
use crate::desired::{Desired, Node};
use crate::domain::{KindName, codes};
use crate::engine::lease::Lease;
use crate::engine::{self, RunResult};
use crate::plan::{Mode, Observed, Plan};
use crate::report::live::{self, Ndjson, Terminal};
use crate::report::plan as render;
use crate::run::{Refusal, Run, Verified};

/// What is planned: which nodes, in which mode, and what else the command may say.
pub struct Intent {
    pub mode: Mode,
    pub desired: Desired,
    /// Whether to report what is ours but not in `desired`: only when all of it is looked at.
    pub whole: bool,
    /// Whether `desired` was worked out from what was seen: what changed since makes it wrong, also when
    /// nobody was shown a plan.
    pub fixed: bool,
}

pub const DEPLOY: Mode = Mode::Deploy { prune: false, adopt: false };

/// `deploy` of what ends in these kinds, with all that it needs.
pub async fn deploy_subset(
    kinds: &[KindName],
    names: &[String],
    preview: DryRun,
    global: &Global,
    ui: &Ui,
    env: &Environment,
) -> Ended {
    can_consent(preview.dry_run, global, ui)?;
    let session = Session::open(global, env, |_| Ok(())).await?;
    let desired = select(&session, kinds, names)?;
    let intent = Intent { mode: DEPLOY, desired, whole: false, fixed: false };
    run_plan(session, intent, preview, None, global, ui).await
}

/// The nodes of these kinds and names, with all that they need.
pub fn select(session: &Session, kinds: &[KindName], names: &[String]) -> Result<Desired, Failure> {
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
            "the file that `opsctl init` writes shows how to add one",
        ));
    }
    Ok(desired)
}

/// The flow of this intent: what the library does with it.
pub fn flow<'a>(session: &'a Session, intent: &'a Intent) -> Run<'a> {
    Run {
        world: &session.world,
        registry: &session.registry,
        kinds: &session.kinds,
        desired: &intent.desired,
        mode: intent.mode,
        whole: intent.whole,
    }
}

/// Why there is no plan, for a person.
pub fn refused(session: &Session, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Op(error) => Failure::Look(error),
        Refusal::Problems(problems) => Failure::config(session.config.document.clone(), problems),
        Refusal::Unsound(wrong) => {
            let message = format!("the plan is not sound: {}", wrong.join("; "));
            Failure::said(codes::BUG, Exit::Bug, message, help_of(codes::BUG))
        }
        Refusal::Changed(different) => {
            let message = format!(
                "the plan changed since it was shown, so nothing was done; it would now be {}",
                few(&different)
            );
            Failure::said(
                codes::CHANGED_MEANWHILE,
                Exit::Failed,
                message,
                "run the command again and review the new plan",
            )
        }
    }
}

/// The first of many.
pub fn few(all: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if all.len() > SHOWN {
        text += &format!("; and {} more", all.len() - SHOWN);
    }
    text
}

pub fn print_warnings(session: &Session, ui: &Ui) {
    if !session.warnings.0.is_empty() {
        ui.problems(&session.config.document, &session.warnings);
    }
}

/// Refuses what would have to ask and cannot, before anything is read. What is `free` needs no consent.
pub fn can_consent(free: bool, global: &Global, ui: &Ui) -> Result<(), Failure> {
    if free || global.yes || (ui.interactive && !ui.json()) {
        return Ok(());
    }
    let (message, help) =
        ("there is no terminal to ask for confirmation", "add --yes, or preview with `opsctl plan`");
    Err(Failure::said(codes::NEEDS_CONSENT, Exit::Usage, message, help))
}

/// Plan, ask, take the lease, plan again, execute, look again. Every path gives the lease back and closes the
/// session.
pub async fn run_plan(
    mut session: Session,
    intent: Intent,
    preview: DryRun,
    saved: Option<Saved>,
    global: &Global,
    ui: &Ui,
) -> Ended {
    let ended = run(&mut session, &intent, preview, saved, global, ui).await;
    session.close().await;
    ended
}

async fn run(
    session: &mut Session,
    intent: &Intent,
    preview: DryRun,
    saved: Option<Saved>,
    global: &Global,
    ui: &Ui,
) -> Ended {
    let asks = !global.yes && saved.is_none();
    let (plan, have) = flow(session, intent).plan().await.map_err(|refusal| refused(session, refusal))?;
    if let Some(saved) = &saved {
        saved.holds(&plan)?;
    }
    // Where nobody has to answer, what is shown is what is done: under the lease, when it can no longer
    // change.
    let shown = preview.dry_run || asks || saved.is_some() || plan.is_empty();
    if shown {
        show(session, &plan, &have, preview, ui);
    }
    // Nobody has seen it, so nobody wanted it.
    if ui.is_broken() {
        return Ok(Exit::Failed);
    }
    if preview.dry_run {
        return Ok(Exit::Done);
    }
    if !plan.is_empty() && asks {
        let verb = if intent.mode.destroys() { "Delete all this" } else { "Go ahead" };
        if !ui.confirm(&format!("{verb} in {}?", session.place), &session.world.cancel).await {
            ui.say("Nothing was changed.");
            return Ok(Exit::Done);
        }
    }
    session.world.cancel.commit()?;
    let lease = match plan.is_empty() {
        // An unchanged project writes nothing.
        true => None,
        false => {
            let flow = flow(session, intent);
            let lease = flow.lease(&plan, &have, &session.who);
            session.world.cancel.briefly("lease", lease).await?
        }
    };
    let done = carry_out(session, intent, plan, have, shown, ui).await;
    let lost = give_back(session, lease).await;
    let Some((mut done, reader)) = done? else { return Ok(Exit::Failed) };
    done.outcome.lost = done.outcome.lost.or(lost);
    done.tell(session);
    finish_display(session, reader).await;
    tracing::debug!(calls = ?session.world.aws.calls.by_operation(), "calls");
    Ok(done.report(session, intent, ui))
}

/// Gives the lease back; tells if it was somebody else's already.
pub async fn give_back(session: &Session, lease: Option<Lease>) -> Option<LeaseLost> {
    let lease = lease?;
    let release = async { Ok(lease.release().await.err()) };
    // If it is not answered, the lease expires by itself.
    session.world.cancel.briefly("lease", release).await.ok().flatten()
}

/// What happens under the lease. `None`: the plan could not be shown, so nothing was done.
async fn carry_out(
    session: &mut Session,
    intent: &Intent,
    first: Plan,
    have: Observed,
    shown: bool,
    ui: &Ui,
) -> Result<Option<(Done, JoinHandle<()>)>, Failure> {
    let (plan, have) = match first.is_empty() {
        true => (first, have),
        false => {
            let again = flow(session, intent).plan_again(&first, shown || intent.fixed).await;
            again.map_err(|refusal| refused(session, refusal))?
        }
    };
    if !shown {
        show(session, &plan, &have, DryRun::default(), ui);
        if ui.is_broken() {
            return Ok(None);
        }
    }
    let reader = start_display(session, ui);
    let began = Instant::now();
    let outcome = engine::execute(&plan, &session.registry, &session.world).await;
    let verified = match outcome.result() {
        RunResult::Ok if !plan.is_empty() => flow(session, intent).verify(&plan).await,
        _ => Verified::AsWanted,
    };
    Ok(Some((Done { plan, outcome, verified, began }, reader)))
}

fn show(session: &Session, plan: &Plan, have: &Observed, preview: DryRun, ui: &Ui) {
    if ui.json() {
        if preview.dry_run {
            ui.out_json(&render::json(plan, &session.place));
        }
        return;
    }
    print_warnings(session, ui);
    ui.out(&render::human(plan, &session.kinds, &session.place, false, ui.styled_out()));
    print_unread(have, ui);
}

/// What may be ours and could not be looked at.
pub fn print_unread(have: &Observed, ui: &Ui) {
    for (id, why) in &have.unread {
        ui.say(&format!("{id} could not be read, and may be of this project: {why}"));
    }
}

/// Shows what happens from now on.
pub fn start_display(session: &mut Session, ui: &Ui) -> JoinHandle<()> {
    let out = ui.clone();
    let reader: Box<dyn live::Reader> = if ui.json() {
        Box::new(Ndjson::new(Box::new(move |line| out.out(&format!("{line}\n")))))
    } else {
        let bars = ui.live.then(|| ui.screen.live());
        Box::new(Terminal::new(
            Box::new(move |line| out.pass_on(line)),
            *ui.styled_err(),
            bars,
            &session.place,
        ))
    };
    let events = session.events.take().expect("the events are taken once");
    tokio::spawn(live::drive(events, reader, session.world.cancel.clone()))
}

/// Ends [`start_display`] when everything is shown.
pub async fn finish_display(session: &mut Session, shown: JoinHandle<()>) {
    drop(std::mem::replace(&mut session.world.events, engine::Events::nowhere()));
    // The reader ends when the last sender is gone.
    let _ = shown.await;
}
