//! What another program does: `opsctl::run` against the sandbox, without a terminal or the command line.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use opsctl::aws::{self, TargetOptions};
use opsctl::config::Document;
use opsctl::domain::{Diagnostic, Diagnostics, KeyPath, KindName, Media, Money, Scale, codes};
use opsctl::engine::invoke::Request;
use opsctl::engine::lease::{self, LeaseHolder};
use opsctl::engine::{self, Event};
use opsctl::plan::{Observation, Observed, Plan};
use opsctl::run::check::{self, Checked};
use opsctl::run::invoke::{self, InvokeError};
use opsctl::run::lease::ProjectLease;
use opsctl::run::overview::Overview;
use opsctl::run::played::{Played, Player};
use opsctl::run::upload::{self, NotMeant, Upload, UploadRefusal};
use opsctl::run::{
    Connection, Difference, Done, Ending, Folders, Intent, Month, OpenError, OverBudget, Project, Refusal,
    Reviewer, SavedPlan, Session, Stopped, Terms, leased, named, release,
};
use opsctl_sandbox::Sandbox;

use crate::support::copy;
use crate::support::inside::sandbox;

async fn open(sandbox: &Sandbox, file: &Path, edit: impl FnOnce(String) -> String) -> Session {
    open_at(sandbox, file, edit, None).await
}

async fn open_at(
    sandbox: &Sandbox,
    file: &Path,
    edit: impl FnOnce(String) -> String,
    player: Option<Arc<dyn Player>>,
) -> Session {
    let text = edit(std::fs::read_to_string(file).expect("the project's config"));
    let document = Document::parse(file, text).expect("it is TOML");
    let project = Project::read(&document, "dev", Folders::Read).expect("it is valid");
    let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
    let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
    let connection = Connection { player, ..Connection::to(target) };
    Session::open(project, connection).await.expect("it answers")
}

async fn carry_out(session: &Session, intent: &Intent) -> Done {
    let who = LeaseHolder { user: "test".into(), ..LeaseHolder::default() };
    let done = session.run(intent).carry_out(&who).await.expect("it begins");
    assert!(done.is_ok(), "{done:?}");
    let held = lease::read(&session.context.aws, session.bucket()).await;
    assert!(held.is_err() || held.is_ok_and(|held| held.is_none()), "the lease was given back");
    done
}

/// Minimum and maximum of the endpoint's scaling, as AWS has them.
async fn scaling(session: &Session) -> (i64, i64) {
    let all = Intent::deploy(session, false, false);
    let (_, have) = session.run(&all).plan().await.expect("planned");
    let id = "autoscaling/numbers".parse().expect("an id");
    let Some(Observation::Present(seen)) = have.observations.get(&id) else { panic!("it is scaled") };
    let seen = serde_json::to_value(seen).expect("plain data");
    (seen["min"].as_i64().expect("a number"), seen["max"].as_i64().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_deploys_scales_and_destroys_without_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("project/opsctl.toml");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &folder.path().join("project"));
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let mut session = open(&sandbox, &file, |text| text).await;
    let mut events = session.events.take().expect("nobody took them");

    // Nothing is deployed: scaling says so and begins nothing, and no lease is left.
    let to = Scale { max: Some(8), ..Scale::default() };
    let scale = Intent::scale(&session, &[], to).expect("the config scales it");
    let refused = session.run(&scale).carry_out(&LeaseHolder::default()).await;
    let Err(Refusal::Problems(problems)) = refused else { panic!("it is not there: {refused:?}") };
    assert!(problems.0[0].message.contains("endpoint/numbers is not deployed yet"), "{problems:?}");

    let deploy = Intent::deploy(&session, false, false);
    let done = carry_out(&session, &deploy).await;
    assert_eq!(done.plan.steps.len(), session.desired.nodes.len());
    assert!(carry_out(&session, &deploy).await.plan.is_empty(), "deployed is deployed");
    let told: Vec<Event> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    assert!(matches!(told.last(), Some(Event::RunFinished { .. })), "{:?}", told.last());

    let done = carry_out(&session, &scale).await;
    let steps: Vec<_> = done.plan.steps.iter().map(|s| (s.target.to_string(), s.why.clone())).collect();
    let why = ["max: 4 -> 8", "min kept at 1, target kept at 10 (live)"].map(str::to_owned).to_vec();
    assert_eq!(steps, [("autoscaling/numbers".to_owned(), why)]);
    assert_eq!(scaling(&session).await, (1, 8));
    // The config says 4, and what was not given stays as it is.
    let to = Scale { min: Some(2), ..Scale::default() };
    carry_out(&session, &Intent::scale(&session, &[], to).expect("the config scales it")).await;
    assert_eq!(scaling(&session).await, (2, 8));

    // What the config no longer names is invoked by its name in AWS.
    let renamed = open(&sandbox, &file, |text| text.replace("function.classify", "function.renamed")).await;
    let left = named::resource(&renamed, "digits-dev-classify", |kind| kind == KindName::Function).await;
    let left = left.expect("it can be read").expect("it is there");
    let request = Request { payload: Media::json("{}"), accept: None };
    let sent = invoke::send(&renamed, &left, request).await;
    // Nothing runs in this sandbox, so it has no answer.
    let missing = matches!(sent, Err(InvokeError::Failed { code, .. }) if code == codes::NOT_DEPLOYED);
    assert!(!missing, "{sent:?}");

    // Somebody else holds the lease: nothing is begun, and the lease stays theirs.
    let theirs = LeaseHolder { user: "ann".into(), ..LeaseHolder::default() };
    let held =
        lease::acquire(&session.context, session.bucket(), &theirs, lease::LeaseTiming::default()).await;
    let other = open(&sandbox, &file, |text| text).await;
    let destroy = Intent::destroy(&other, false);
    let refused = other.run(&destroy).carry_out(&LeaseHolder::default()).await;
    assert!(matches!(refused, Err(Refusal::Lease(_))), "{refused:?}");
    held.expect("free").release().await.expect("ours");

    carry_out(&other, &destroy).await;
    let (_, have) = other.run(&destroy).plan().await.expect("planned");
    let present = |kind: KindName| {
        have.observations.iter().any(|(id, l)| id.kind == kind && !matches!(l, Observation::Absent))
    };
    assert!(!present(KindName::Bucket) && !present(KindName::Endpoint) && !present(KindName::Function));
    sandbox.stop().await;
}

/// Says what a test wants of it, and notes what it was asked.
struct Scripted {
    sees: bool,
    consents: bool,
    asked: Vec<&'static str>,
}

impl Scripted {
    fn new() -> Self {
        Self { sees: true, consents: true, asked: Vec::new() }
    }
}

impl Reviewer for Scripted {
    type Refused = &'static str;

    fn applied(&mut self) {
        self.asked.push("applied");
    }

    fn show(&mut self, _: &Plan, _: &Observed) -> bool {
        self.asked.push("show");
        self.sees
    }

    async fn consent(&mut self, _: &Plan) -> Result<bool, &'static str> {
        self.asked.push("consent");
        Ok(self.consents)
    }

    async fn begin(&mut self, _: &Plan) -> Result<(), &'static str> {
        self.asked.push("begin");
        Ok(())
    }
}

/// A place that runs no code.
struct Nowhere;

impl Player for Nowhere {
    fn training(&self, _: &str) -> Played {
        Played::AsAws
    }

    fn serving(&self, _: &str, _: bool) -> Played {
        Played::AsAws
    }

    fn is_ready(&self) -> BoxFuture<'static, Result<(), Diagnostic>> {
        let refused = Diagnostic::error(codes::NOT_PLAYED, KeyPath::default(), "not here", "elsewhere");
        Box::pin(async move { Err(refused) })
    }
}

/// What a place cannot do holds for a program as for a person, and is said before anybody is asked.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_place_cannot_do_is_refused_before_consent() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("opsctl.toml");
    let config = "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n[training.t]\nsource = \"code\"\n";
    std::fs::write(&file, config).expect("written");
    std::fs::create_dir(folder.path().join("code")).expect("made");
    std::fs::write(folder.path().join("code/train.py"), "").expect("written");
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let session = open_at(&sandbox, &file, |text| text, Some(Arc::new(Nowhere))).await;
    let deploy = Intent::deploy(&session, false, false);
    let refused = session.run(&deploy).carry_out(&LeaseHolder::default()).await;
    assert!(matches!(&refused, Err(Refusal::NotHere(why)) if why.message == "not here"), "{refused:?}");
    let mut willing = Scripted::new();
    let asks = Terms { asks: true, ..Terms::default() };
    let refused = session.carry_out_reviewed(&deploy, asks, &mut willing).await;
    assert!(matches!(&refused, Err(Stopped::Before(Refusal::NotHere(_)))), "{refused:?}");
    assert_eq!(willing.asked, ["show"]);
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0);
    sandbox.stop().await;
}

/// Nothing is done that its reviewer did not see, or did not want, and no lease is left; what nobody has to
/// answer to is shown when it can no longer change.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_shown_and_asked_for_before_it_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("opsctl.toml");
    std::fs::write(&file, "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n").expect("written");
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let session = open(&sandbox, &file, |text| text).await;
    let deploy = Intent::deploy(&session, false, false);
    let asks = Terms { asks: true, ..Terms::default() };
    let calls = |call: &str| sandbox.state().calls.of(call);

    let mut dry = Scripted::new();
    let terms = Terms { dry_run: true, ..Terms::default() };
    let ended = session.carry_out_reviewed(&deploy, terms, &mut dry).await;
    assert!(matches!(ended, Ok(Ending::Shown)), "{ended:?}");
    assert_eq!(dry.asked, ["show"]);

    let mut unwilling = Scripted { consents: false, ..Scripted::new() };
    let ended = session.carry_out_reviewed(&deploy, asks, &mut unwilling).await;
    assert!(matches!(ended, Ok(Ending::Declined)), "{ended:?}");
    assert_eq!(unwilling.asked, ["show", "consent"]);

    let mut blind = Scripted { sees: false, ..Scripted::new() };
    let ended = session.carry_out_reviewed(&deploy, asks, &mut blind).await;
    assert!(matches!(ended, Ok(Ending::Unseen { created: None })), "{ended:?}");
    assert_eq!(blind.asked, ["show"]);
    assert_eq!(calls("s3:CreateBucket"), 0, "nothing was done so far");

    let mut blind = Scripted { sees: false, ..Scripted::new() };
    let ended = session.carry_out_reviewed(&deploy, Terms::default(), &mut blind).await;
    let Ok(Ending::Unseen { created: Some(bucket) }) = ended else { panic!("it has a lease: {ended:?}") };
    assert_eq!(blind.asked, ["begin", "show"]);
    assert_eq!(bucket, session.bucket());
    let held = lease::read(&session.context.aws, &bucket).await.expect("it can be read");
    assert!(held.is_none(), "the lease was given back");

    let mut willing = Scripted::new();
    let ended = session.carry_out_reviewed(&deploy, asks, &mut willing).await;
    assert!(matches!(&ended, Ok(Ending::Done(done)) if done.is_ok()), "{ended:?}");
    assert_eq!(willing.asked, ["show", "consent", "begin"]);
    // Nothing is to do, so nobody is asked.
    let mut willing = Scripted::new();
    let ended = session.carry_out_reviewed(&deploy, asks, &mut willing).await;
    assert!(matches!(&ended, Ok(Ending::Done(done)) if done.plan.is_empty()), "{ended:?}");
    assert_eq!(willing.asked, ["show", "begin"]);
    sandbox.stop().await;
}

/// What was saved is done as it was, and nothing else is.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_carries_out_a_saved_plan() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("opsctl.toml");
    std::fs::write(&file, "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n").expect("written");
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let session = open(&sandbox, &file, |text| text).await;
    let deploy = Intent::deploy(&session, false, false);
    let (plan, _) = session.run(&deploy).plan().await.expect("planned");
    let mut document = opsctl::report::plan::json(&plan, &session.kinds, &session.place);
    document.as_object_mut().expect("it is one").extend(SavedPlan::members(&plan, &deploy));
    let saved = SavedPlan::read(document.to_string().as_bytes()).expect("it was just saved");
    let who = LeaseHolder::default();

    let other = open(&sandbox, &file, |text| text + "\n[bucket]\nkeep_old_versions = \"9d\"\n").await;
    let now = Intent::deploy(&other, false, false);
    let refused = other.run(&now).carry_out_saved(&saved, &who).await;
    let Err(Refusal::OutOfDate(different)) = refused else { panic!("it is another: {refused:?}") };
    assert!(matches!(&different[..], [Difference::MadeOf { .. }]), "{different:?}");
    assert_eq!(sandbox.state().calls.of("s3:CreateBucket"), 0);

    let intent = saved.intent(&session, false, false);
    let done = session.run(&intent).carry_out_saved(&saved, &who).await.expect("it still holds");
    assert!(done.is_ok() && !done.plan.is_empty(), "{done:?}");
    let mut again = Scripted::new();
    let terms = Terms { saved: Some(&saved), ..Terms::default() };
    let ended = session.carry_out_reviewed(&intent, terms, &mut again).await;
    assert!(matches!(&ended, Ok(Ending::Done(done)) if done.plan.is_empty()), "{ended:?}");
    assert_eq!(again.asked, ["applied", "show", "begin"]);
    sandbox.stop().await;
}

/// Data alone, with no more requests than there are changes.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_uploads_without_a_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("project/opsctl.toml");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &folder.path().join("project"));
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let mut session = open(&sandbox, &file, |text| text).await;
    let unknown = upload::intent(&session, &["nobody".to_owned()]);
    assert!(matches!(unknown, Err(NotMeant::Unknown(_))), "{unknown:?}");

    // There is no bucket yet: a deploy of the same intent makes it, and sends the data.
    let data = upload::intent(&session, &[]).expect("the config has data");
    assert!(upload::carry_out(&mut session, &data, false).await.expect("it can be read").is_none());
    carry_out(&session, &data).await;
    let compared = upload::compare(&mut session, &data, false, |_, _| ()).await;
    let compared = compared.expect("it can be read").expect("there is a bucket");
    assert_eq!((compared.todo.len(), compared.done.len()), (0, 1));
    compared.leave(&session);

    std::fs::write(folder.path().join("project/data/digits/more.txt"), "more").expect("the folder is ours");
    let mut session = open(&sandbox, &file, |text| text).await;
    let compared = upload::compare(&mut session, &data, false, |_, _| ()).await;
    let compared = compared.expect("it can be read").expect("there is a bucket");
    assert_eq!(compared.todo[0].difference(&session).send.len(), 1);
    // While somebody else holds the lease nothing is begun.
    let other = open(&sandbox, &file, |text| text).await;
    let (theirs, timing) = (LeaseHolder::default(), lease::LeaseTiming::default());
    let held = lease::acquire(&other.context, other.bucket(), &theirs, timing).await.expect("free");
    assert!(matches!(Upload::begin(&session, compared).await, Err(UploadRefusal::Op(_))));
    held.release().await.expect("ours");
    let sent = upload::carry_out(&mut session, &data, false).await.expect("it begins").expect("a bucket");
    assert!(sent.failed.is_none(), "{:?}", sent.failed);
    let compared = upload::compare(&mut session, &data, true, |_, _| ()).await.expect("it can be read");
    assert!(compared.expect("a bucket").todo.is_empty(), "what was sent is there");
    sandbox.stop().await;
}

/// A budget holds for a program as for a person: before the first write, and for the plan that is made
/// under the lease.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_holds_without_a_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("project/opsctl.toml");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &folder.path().join("project"));
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let who = LeaseHolder::default();
    let tight = open(&sandbox, &file, |text| text.replace("# monthly = 200", "monthly = 1")).await;
    let deploy = Intent::deploy(&tight, false, false);
    let refused = tight.run(&deploy).carry_out(&who).await;
    let Err(Refusal::OverBudget(OverBudget { month: Month::Known { most, .. }, .. })) = refused else {
        panic!("it costs more: {refused:?}")
    };
    let (plan, _) = tight.run(&deploy).plan().await.expect("planned");
    assert_eq!(plan.steps.len(), tight.desired.nodes.len(), "nothing was made");
    carry_out_within(&tight, &deploy, most).await;

    // What passed does not train; before the lease is taken, somebody deletes the model.
    let edited =
        open(&sandbox, &file, |text| text.replace("LOG_LEVEL = \"INFO\"", "LOG_LEVEL = \"DEBUG\"")).await;
    let deploy = Intent::deploy(&edited, false, false);
    let (plan, have) = edited.run(&deploy).plan().await.expect("planned");
    assert!(
        !plan.is_empty() && plan.steps.iter().all(|step| step.target.kind != KindName::Training),
        "{plan:?}"
    );
    let cost = opsctl::run::cost(&edited, &deploy, &plan, &have);
    let run = edited.run(&deploy).within(Some(cost.highest_month().expect("known")));
    let gated = run.gate(plan, have).await.expect("it is within the limit");
    delete_models(&edited).await;
    let refused = run.begin(gated, &who, false).await.err();
    assert!(matches!(refused, Some(Refusal::OverBudget(_))), "{refused:?}");
    let held = lease::read(&edited.context.aws, edited.bucket()).await.expect("it can be read");
    assert!(held.is_none(), "the lease was given back");
    sandbox.stop().await;
}

async fn carry_out_within(session: &Session, intent: &Intent, most: Money) {
    let run = session.run(intent).within(Some(most));
    let done = run.carry_out(&LeaseHolder::default()).await.expect("it is within the limit");
    assert!(done.is_ok(), "{done:?}");
}

/// All archives of trained models, in every version.
async fn delete_models(session: &Session) {
    let (s3, bucket) = (&session.context.aws.s3, session.bucket());
    let listed = s3.list_objects_v2().bucket(bucket).send().await.expect("listed");
    let models: Vec<&str> = listed
        .contents()
        .iter()
        .filter_map(|o| o.key())
        .filter(|key| key.ends_with("model.tar.gz"))
        .collect();
    assert!(!models.is_empty(), "something was trained");
    for key in models {
        s3.delete_object().bucket(bucket).key(key).send().await.expect("deleted");
    }
}

/// What is wrong is typed: a program decides what to say.
#[test]
fn a_config_that_is_wrong_opens_nothing() {
    let text = "[project]\nname = \"x\"\nregion = \"us-east-1\"\n[data.d]\npath = \"nowhere\"\n";
    let document = Document::parse(Path::new("opsctl.toml"), text.to_owned()).expect("it is TOML");
    let Err(OpenError::Invalid(wrong)) = Project::read(&document, "dev", Folders::Read) else {
        panic!("the folder is not there");
    };
    assert!(wrong.1.has_errors());
    assert!(
        Project::read(&document, "dev", Folders::Spared).is_ok(),
        "what looks or deletes needs no folder"
    );
}

/// What AWS has dated is as old as AWS's clock says, whatever this machine's does.
#[tokio::test(flavor = "multi_thread")]
async fn ages_are_of_awss_clock() {
    const DAY: u64 = 86_400;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("opsctl.toml");
    let lab = "[project]\nname = \"lab\"\n[notebook.lab]\ninstance_type = \"ml.t3.xlarge\"\n";
    std::fs::write(&file, lab).expect("written");
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let session = open(&sandbox, &file, |text| text).await;
    carry_out(&session, &Intent::deploy(&session, false, false)).await;
    sandbox.state().clock.advance(Duration::from_secs(400 * DAY));
    let session = open(&sandbox, &file, |text| text).await;
    let have = engine::observe_readable(&session.desired, &session.registry, &session.context).await;
    let overview = Overview::of(&session, &session.desired, &have.expect("it can be read")).await;
    let ages: Vec<u64> = overview.rows.iter().filter_map(|row| Some(row.age?.as_secs() / DAY)).collect();
    assert!(!ages.is_empty() && ages.iter().all(|days| *days == 400), "{ages:?}");
    sandbox.stop().await;
}

/// What `opsctl check` finds in all environments of a file, and what `opsctl lease` does.
#[tokio::test(flavor = "multi_thread")]
async fn a_program_checks_and_breaks_a_lease_without_a_command_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("opsctl.toml");
    let text = "[project]\nname = \"shop\"\n\n[env.prod.project]\nregion = \"us-east-1\"\n";
    let document = Document::parse(&file, text.to_owned()).expect("it is TOML");
    let Checked { problems, resources, silent } =
        check::every_environment(&document, "dev", None, |_| Diagnostics::default());
    let found: Vec<_> = problems.0.iter().map(|problem| problem.code).collect();
    assert_eq!((found, resources, silent), (vec![codes::NO_REGION], 1, 0), "{problems:?}");

    std::fs::write(&file, text.replace("[env.prod.project]\n", "")).expect("written");
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let session = open(&sandbox, &file, |text| text).await;
    assert!(ProjectLease::find(&session).await.expect("it can be read").is_none(), "there is no bucket");
    let _ = carry_out(&session, &Intent::deploy(&session, false, false)).await;
    let held = leased(&session.context, &LeaseHolder::default()).await.expect("it is free");
    let found = ProjectLease::find(&session).await.expect("it can be read").expect("it is held");
    assert!(found.is_held() && found.bucket == session.bucket(), "{found:?}");
    found.take_away(&session).await.expect("it is the same holder");
    assert!(ProjectLease::find(&session).await.expect("it can be read").is_none());
    assert!(release(&session.context, held).await.is_some(), "it was lost");
    sandbox.stop().await;
}
