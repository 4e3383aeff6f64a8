//! Commands that change something: what they show, what they ask, and how they end.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::args::{DryRun, Global};
use super::budget;
use super::done;
use super::environment::Environment;
use super::error::{CommandResult, Failure, help_of};
use super::exit::Exit;
use super::session::with_session;
use super::ui::Ui;
use crate::config::project::DEFAULT_ENVIRONMENT;
use crate::desired::Desired;
use crate::domain::{
    Contents, Diagnostic, Diagnostics, KeyPath, KindName, Money, Tally, codes, few_sentences, shown,
};
use crate::engine::{Cancel, Event, Events};
use crate::plan::{Mode, Observation, Observed, Op, Plan, Verb};
use crate::report::live::{self, Ndjson, Terminal, TerminalLook};
use crate::report::plan as render;
use crate::run::doctor::Check;
use crate::run::{
    self, Difference, Ending, Folders, Intent, Refusal, Reviewer, SavedPlan, Session, Stopped, Terms,
    UnknownName,
};

/// `deploy` of what ends in these kinds, with all that it needs.
pub async fn deploy_subset(
    kinds: &[KindName],
    names: &[String],
    preview: DryRun,
    global: &Global,
    ui: &Ui,
    env: &Environment,
) -> CommandResult {
    with_session(global, env, Folders::Read, async |session| {
        let intent = subset(session, kinds, names)?;
        run_plan(session, &intent, preview, Allowed::default(), global, ui).await
    })
    .await
}

/// The nodes of these kinds and names, with all that they need.
fn subset(session: &Session, kinds: &[KindName], names: &[String]) -> Result<Intent, Failure> {
    Intent::subset(session, kinds, names).map_err(|unknown| unknown_name(kinds[0], unknown))
}

/// Why nothing of this kind is meant.
pub fn unknown_name(kind: KindName, unknown: UnknownName) -> Failure {
    let words = kind.words();
    let (message, help) = match unknown {
        UnknownName::Name { name, help } => (format!("there is no {words} `{name}`"), help),
        UnknownName::Kind => {
            let help = "the file that `opsctl init --template digits DIR` writes shows how to add one";
            (format!("the config has no {words}"), help.to_owned())
        }
    };
    Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help)
}

/// What is wrong with the options of a command, or with using it now.
pub fn on_command_line(problem: Diagnostic) -> Failure {
    let exit = if problem.code == codes::NOT_DEPLOYED { Exit::Failed } else { Exit::Usage };
    Failure::new(problem.code, exit, problem.message, problem.help)
}

/// Why nothing was done, for a person.
pub fn refused(session: &Session, intent: &Intent, refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Op(error) => Failure::Unread(error),
        Refusal::Lease(error) => Failure::Op(error),
        Refusal::Problems(problems) if matches!(intent.mode, Mode::Scale(_)) => {
            // What has no place in the file is of the command line.
            let mut all = problems.0.iter();
            match all.find(|problem| problem.at == KeyPath::default()) {
                Some(problem) => on_command_line(problem.clone()),
                None => Failure::config(session.config.document.clone(), problems),
            }
        }
        Refusal::Problems(problems) => Failure::config(session.config.document.clone(), problems),
        Refusal::Unsound(wrong) => {
            let message = format!("the plan is not sound: {}", wrong.join("; "));
            Failure::new(codes::BUG, Exit::Bug, message, help_of(codes::BUG))
        }
        Refusal::OutOfDate(different) => {
            let message = format!(
                "the saved plan is out of date: the config, the sources or AWS changed since; what differs: {}",
                few_sentences(&Difference::texts(&different))
            );
            let help = "make a new one with `opsctl plan --out`";
            Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, help)
        }
        Refusal::Changed(different) => {
            let message = format!(
                "the plan changed since it was shown, so nothing was done; what differs: {}",
                few_sentences(&Difference::texts(&different))
            );
            Failure::new(
                codes::CHANGED_MEANWHILE,
                Exit::Failed,
                message,
                "run the command again and review the new plan",
            )
        }
        Refusal::OverBudget(over) => budget::refused(session, &over),
        Refusal::Impossible(wrong) => not_possible(&wrong),
        Refusal::NotHere(wrong) => Failure::new(wrong.code, Exit::Failed, wrong.message, wrong.help),
    }
}

/// Warnings that concern what the command does, such as a folder that is gone. Those about the config are
/// given where it is judged ([`print_lints`]), not with every command.
pub fn print_warnings(session: &Session, ui: &Ui) {
    let mut warnings = session.warnings.clone();
    warnings.0.retain(|problem| !codes::LINTS.contains(&problem.code));
    print_problems(session, &warnings, ui);
}

/// All warnings: `plan` and `deploy` give them.
pub fn print_lints(session: &Session, ui: &Ui) {
    print_problems(session, &session.warnings, ui);
}

fn print_problems(session: &Session, problems: &Diagnostics, ui: &Ui) {
    if !problems.0.is_empty() {
        ui.problems(&session.config.document, problems);
    }
}

/// What a plan may be and cost.
#[derive(Default)]
pub struct Allowed {
    /// Exactly this.
    pub saved: Option<SavedPlan>,
    /// So much a month, in the place of the config's budget.
    pub monthly: Option<Money>,
}

/// Plans and shows the plan; where there is something to do, asks, takes the lease, plans again, executes,
/// verifies, and releases the lease.
pub async fn run_plan(
    session: &mut Session,
    intent: &Intent,
    preview: DryRun,
    allowed: Allowed,
    global: &Global,
    ui: &Ui,
) -> CommandResult {
    let Allowed { saved, monthly } = allowed;
    let asks = !global.yes && saved.is_none();
    let terms = Terms { dry_run: preview.dry_run, asks, saved: saved.as_ref(), monthly };
    let events = session.events.take();
    let mut by = AtTerminal { session, intent, preview, events, display: None, ui };
    let ended = session.carry_out_reviewed(intent, terms, &mut by).await;
    if let Some(display) = by.display {
        finish_display(session, display).await;
    }
    let refuse = |refusal| refused(session, intent, refusal);
    match ended {
        Ok(Ending::Done(done)) => Ok(done::report(&done, session, intent, ui).await),
        Ok(Ending::Shown | Ending::Declined) => Ok(Exit::Done),
        Ok(Ending::Unseen { created }) => {
            if let Some(name) = created {
                ui.err(&format!(
                    "Only one thing was done: the empty bucket `{name}` was created, because the lease is in \
                     it. The next deploy uses it, `opsctl destroy` deletes it."
                ));
            }
            Ok(Exit::Failed)
        }
        Err(Stopped::Before(refusal)) => Err(refuse(refusal)),
        Err(Stopped::Reviewer(failure)) => Err(failure),
        Err(Stopped::Beginning(refusal)) => {
            let cancel = &session.context.cancel;
            Err(match refusal {
                Refusal::Op(error) => Failure::not_begun(error, cancel, Failure::Unread),
                Refusal::Lease(error) => Failure::not_begun(error, cancel, Failure::Op),
                refusal => refuse(refusal),
            })
        }
    }
}

/// Whoever typed the command.
struct AtTerminal<'a> {
    session: &'a Session,
    intent: &'a Intent,
    preview: DryRun,
    events: Option<UnboundedReceiver<Event>>,
    display: Option<JoinHandle<()>>,
    ui: &'a Ui,
}

impl Reviewer for AtTerminal<'_> {
    type Refused = Failure;

    fn applied(&mut self) {
        self.ui.say("The saved plan was applied already.");
    }

    fn show(&mut self, plan: &Plan, have: &Observed) -> bool {
        show(self.session, self.intent, plan, have, self.preview, self.ui);
        !self.ui.is_broken()
    }

    async fn consent(&mut self, plan: &Plan) -> Result<bool, Failure> {
        consents(self.session, self.intent.mode, plan, self.ui).await
    }

    async fn begin(&mut self, _: &Plan) -> Result<(), Failure> {
        // It also says whom a run waits for that has no lease yet.
        self.display = Some(start_display(self.events.take(), self.session, self.ui));
        Ok(())
    }
}

/// All that is in the way, so that one question to whoever runs the account is enough.
fn not_possible(wrong: &[Check]) -> Failure {
    let messages: Vec<&str> = wrong.iter().map(|check| check.message.as_str()).collect();
    let mut fixes: Vec<&str> = wrong.iter().filter_map(|check| check.fix.as_deref()).collect();
    fixes.dedup();
    let (code, exit) = match wrong {
        _ if wrong.iter().all(Check::is_about_permissions) => (codes::NOT_ALLOWED, Exit::Denied),
        _ if wrong.iter().all(Check::is_about_roles) => (codes::ROLE_LACKS, Exit::Denied),
        _ => (codes::NOT_POSSIBLE, Exit::OverLimit),
    };
    Failure::new(code, exit, format!("{}; nothing was changed", messages.join("; ")), fixes.join("; "))
}

/// Asks before anything is changed, and says again what is at stake.
async fn consents(session: &Session, mode: Mode, plan: &Plan, ui: &Ui) -> Result<bool, Failure> {
    let scope = &session.context.scope;
    let of = format!("{} / {}", scope.project, scope.environment);
    let number = |verb: Verb| plan.steps.iter().filter(|step| step.op.verb() == verb).count();
    let along: Vec<String> = plan
        .steps
        .iter()
        .filter_map(|step| Some(format!(", {} with {}", step.target, step.takes_along(&session.kinds)?)))
        .collect();
    let along = along.concat();
    if !mode.destroys() {
        let words = [
            (Verb::Create, "create", "creates"),
            (Verb::Update, "update", "updates"),
            (Verb::Delete, "delete", "deletes"),
            (Verb::Release, "release", "releases"),
        ];
        let some = words.into_iter().filter_map(|(verb, one, many)| match number(verb) {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {many}")),
        });
        let some = some.collect::<Vec<_>>().join(", ");
        return confirm(
            &format!("{some} for {of} in {}{along}: go ahead?", session.place),
            &session.context.cancel,
            ui,
        )
        .await;
    }
    let mut goes = Tally::default();
    for step in plan.steps.iter().filter(|step| step.op.verb() == Verb::Delete) {
        let Some(Contents { ours, others, .. }) = plan.contents.get(&step.target) else { continue };
        let whole = matches!(step.op, Op::DeleteWhole { .. });
        for tally in [Some(ours), Some(others).filter(|_| whole)].into_iter().flatten() {
            goes.objects += tally.objects;
            goes.old_versions += tally.old_versions;
            goes.bytes += tally.bytes;
        }
    }
    let with = if goes.is_empty() { String::new() } else { format!(", with {goes}") };
    let n = plan.steps.len();
    let resources = if n == 1 { "resource" } else { "resources" };
    let question = format!("Delete {n} {resources} of {of} in {}{with}{along}?", session.place);
    // What others may live on is not deleted by a slip of a finger.
    let is_precious = !goes.is_empty() || !along.is_empty();
    let typed = (scope.environment != DEFAULT_ENVIRONMENT && is_precious).then(|| of.replace(' ', ""));
    let consent = ui.confirm_by(&question, typed.as_deref(), &session.context.cancel).await;
    consent.ok_or_else(nobody_to_ask)
}

/// Asks for a yes.
pub async fn confirm(question: &str, cancel: &Cancel, ui: &Ui) -> Result<bool, Failure> {
    ui.confirm(question, cancel).await.ok_or_else(nobody_to_ask)
}

fn nobody_to_ask() -> Failure {
    let (message, help) = ("there is no terminal to ask for confirmation", "add --yes to go ahead");
    Failure::new(codes::NEEDS_CONSENT, Exit::Usage, message, help)
}

fn show(session: &Session, intent: &Intent, plan: &Plan, have: &Observed, preview: DryRun, ui: &Ui) {
    if ui.json() {
        if preview.dry_run {
            ui.out_json(&plan_json(session, intent, plan, have));
        }
        // A program has it in the document, and who reads the log of a deploy has it here.
        print_unread(have, ui);
        print_left(&session.desired, have, ui);
        return;
    }
    match intent.whole && !intent.mode.destroys() {
        true => print_lints(session, ui),
        false => print_warnings(session, ui),
    }
    ui.out(&ui.suggest(&render::human(
        plan,
        &session.kinds,
        &session.place,
        false,
        ui.width_out(),
        ui.styled_out(),
    )));
    print_cost(session, intent, plan, have, false, ui);
    print_unread(have, ui);
    print_left(&session.desired, have, ui);
}

/// What the plan costs, below it; an empty plan changes nothing of that, and `status` has it.
pub fn print_cost(session: &Session, intent: &Intent, plan: &Plan, have: &Observed, why: bool, ui: &Ui) {
    if !plan.is_empty() {
        let cost = run::cost(session, intent, plan, have);
        let text = budget::text(session, &cost, why, ui);
        let space = if text.is_empty() { "" } else { "\n" };
        ui.out(&format!("{space}{text}"));
    }
}

/// A plan with what it costs.
pub fn plan_json(session: &Session, intent: &Intent, plan: &Plan, have: &Observed) -> Value {
    let mut document = render::json(plan, &session.kinds, &session.place);
    document["cost"] = crate::report::cost::json(&run::cost(session, intent, plan, have));
    let unread = have.unread.iter().map(|(id, why, _)| json!({ "target": id, "reason": why }));
    document["unread"] = unread.collect();
    document["reasons"] = json!(
        session.desired.reasons.iter().map(|(id, why)| (id.to_string(), why)).collect::<BTreeMap<_, _>>()
    );
    document
}

/// What may be ours and could not be looked at.
pub fn print_unread(have: &Observed, ui: &Ui) {
    for (id, why, _) in &have.unread {
        // Said also with --quiet: what is not known is part of the answer.
        ui.err(&format!("warning: {id} could not be read, and may be of this project: {why}"));
    }
}

/// What others have set and opsctl leaves, where something may fail because of it.
pub fn print_left(want: &Desired, have: &Observed, ui: &Ui) {
    for (id, look) in &have.observations {
        let Observation::Present(seen) = look else { continue };
        for what in
            seen.left(want.node(id).map(|node| &node.spec)).iter().filter(|_| seen.owner().is_managed())
        {
            ui.say(&format!("{id} has something that opsctl leaves as it is: {}", shown::line(what)));
        }
    }
}

/// Shows what happens from now on.
pub fn start_display(events: Option<UnboundedReceiver<Event>>, session: &Session, ui: &Ui) -> JoinHandle<()> {
    let out = ui.clone();
    let reader: Box<dyn live::Reader> = if ui.json() {
        let hints = ui.clone();
        let suggest = Box::new(move |text: &str| hints.suggest(text));
        Box::new(Ndjson::new(Box::new(move |line| out.out(&format!("{line}\n"))), suggest))
    } else {
        let began = Instant::now();
        let look = TerminalLook {
            styles: *ui.styled_err(),
            bars: ui.live.then(|| ui.screen.live()),
            width: Box::new(Ui::width_err),
            clock: Box::new(move || began.elapsed()),
            verbose: ui.verbose,
            github: ui.github,
            title: format!("{} / {}", session.context.scope.project, session.context.scope.environment),
            place: session.place.clone(),
        };
        Box::new(Terminal::new(Box::new(move |line| out.pass_on(line)), look))
    };
    let events = events.expect("the events are taken once");
    tokio::spawn(live::drive(events, reader, session.context.cancel.clone()))
}

/// Ends [`start_display`] when everything is shown.
pub async fn finish_display(session: &mut Session, shown: JoinHandle<()>) {
    drop(std::mem::replace(&mut session.context.events, Events::nowhere()));
    // The reader ends when the last sender is gone.
    let _ = shown.await;
}
