//! `opsctl report`: what is gathered of a deployed project, and how what cannot be read is said.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_cloudwatchlogs::types::InputLogEvent;
use opsctl::aws::{self, Clients, TargetOptions};
use opsctl::config::Document;
use opsctl::domain::{HumanDuration, KindName};
use opsctl::engine::lease::LeaseHolder;
use opsctl::evidence::Evidence;
use opsctl::report::page;
use opsctl::resources::autoscaling::Autoscaling;
use opsctl::resources::training::Training;
use opsctl::run::evidence::{AuditOf, Wanted, gather};
use opsctl::run::{Connection, Folders, Intent, Project, Session};
use opsctl_sandbox::Sandbox;
use opsctl_sandbox::services::cloudwatch::{MINUTE, MetricId, record_at};

use crate::support::copy;
use crate::support::inside::sandbox;

const WANTED: Wanted = Wanted { since: HumanDuration::hours(3), audit: AuditOf::Project };
/// What a script may print.
const LINE: &str = "train_loss=0.25 <script>alert(1)</script>|`x`\u{1b}[31m\u{202e}";

async fn open(sandbox: &Sandbox, folder: &Path) -> Session {
    let file = folder.join("opsctl.toml");
    let text = std::fs::read_to_string(&file).expect("the project's config");
    let document = Document::parse(&file, text).expect("it is TOML");
    let project = Project::read(&document, "dev", Folders::Read).expect("it is valid");
    let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
    let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
    Session::open(project, Connection::to(target)).await.expect("it answers")
}

/// The name in AWS of the only resource of a kind.
fn physical(session: &Session, kind: KindName) -> String {
    session.desired.nodes.iter().find(|node| node.id.kind == kind).expect("it is wanted").physical.clone()
}

/// A training that printed, an endpoint that was asked more from minute to minute, and that scaled.
async fn used(session: &Session, sandbox: &Sandbox) {
    let (job, endpoint) = (physical(session, KindName::Training), physical(session, KindName::Endpoint));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let (group, stream) = (Training::LOG_GROUP, format!("{job}/algo-1-1"));
    let logs = &session.context.aws.logs;
    // Nothing ran, so nothing has made it.
    logs.create_log_group().log_group_name(group).send().await.expect("a group");
    let made = logs.create_log_stream().log_group_name(group).log_stream_name(&stream).send().await;
    made.expect("a stream");
    let event = |text: &str| {
        InputLogEvent::builder().timestamp(now as i64).message(text).build().expect("all is given")
    };
    let lines = ["train_loss=0.5", LINE, "test_accuracy=0.9"].map(event);
    let put = logs.put_log_events().log_group_name(group).log_stream_name(&stream);
    put.set_log_events(Some(lines.into())).send().await.expect("events");

    let dimensions = [("EndpointName", endpoint.clone()), ("VariantName", "AllTraffic".to_owned())];
    for minute in 1..=5 {
        let at = now - minute * MINUTE;
        for (metric, value) in
            [("Invocations", 30.0), ("InvocationsPerInstance", 15.0), ("ModelLatency", 8_000.0)]
        {
            let measure =
                MetricId { namespace: "AWS/SageMaker", metric, dimensions: &dimensions, unit: "None" };
            record_at(sandbox.state(), "us-east-1", &measure, at, value);
        }
    }
    let scale = session.context.aws.autoscaling.register_scalable_target();
    let scale =
        scale.service_namespace(ServiceNamespace::Sagemaker).resource_id(Autoscaling::resource_id(&endpoint));
    let scale = scale.scalable_dimension(ScalableDimension::SageMakerVariantDesiredInstanceCount);
    scale.min_capacity(3).max_capacity(4).send().await.expect("it scales");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_has_what_is_there_and_says_what_could_not_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &project);
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let session = open(&sandbox, &project).await;

    // Before anything is there, it says just that.
    let nothing = gather(&session, WANTED).await.expect("it can be read");
    assert_eq!((nothing.ready().0, nothing.gaps.len()), (0, 0), "{:?}", nothing.gaps);
    assert!(nothing.jobs.is_empty() && nothing.history.is_empty() && nothing.endpoints.is_empty());

    let deploy = Intent::deploy(&session, false, false);
    let done = session.run(&deploy).carry_out(&LeaseHolder::default()).await.expect("it begins");
    assert!(done.is_ok(), "{done:?}");
    used(&session, &sandbox).await;

    let writes = session.context.aws.calls.total().writes;
    let evidence = gather(&session, WANTED).await.expect("it can be read");
    assert_eq!(session.context.aws.calls.total().writes, writes, "a report writes nothing to AWS");
    shows_all(&evidence);
    let html = page::html(&evidence, &str::to_owned);
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && !html.contains("<script"), "escaped");
    assert!(!html.contains(['\u{1b}', '\u{202e}']) && html.contains("\\u{1b}[31m"));

    // What is refused or gone is a gap, and the rest is there.
    for (fault, what) in [
        ("fail=AccessDenied@cloudwatch:GetMetricData#1x0", "the metrics of endpoints and functions"),
        (
            "fail=AccessDenied@application-autoscaling:DescribeScalingActivities#1x0",
            "the scaling activities of",
        ),
        ("fail=AccessDenied@lambda:ListVersionsByFunction#1x0", "the versions of function/classify"),
        ("fail=AccessDenied@logs:GetLogEvents#1x0", "the log of training/numbers"),
        ("fail=AccessDenied@iam:GetAccountAuthorizationDetails#1x0", "the audit of roles"),
        ("fail=AccessDenied@sagemaker:DescribeNotebookInstance#1x0", "notebook/lab"),
        ("fail=AccessDenied@iam:ListRoles#1x0", "role *"),
        ("fail=AccessDenied@sagemaker:ListTrainingJobs#1x0", "training job *"),
    ] {
        sandbox.state().faults.extend(vec![fault.parse().expect("a rule")]);
        let partly = gather(&session, WANTED).await.expect("the rest can be read");
        sandbox.state().faults.clear();
        let gap = partly.gaps.iter().find(|gap| gap.what.starts_with(what));
        let gap = gap.unwrap_or_else(|| panic!("{fault}: {:?}", partly.gaps));
        assert!(gap.why.contains("AccessDenied"), "{fault}: {}", gap.why);
        assert!(!partly.is_complete() && partly.resources.len() == evidence.resources.len());
        assert!(page::html(&partly, &str::to_owned).contains("This report is incomplete"));
    }
    sandbox.stop().await;
}

/// A config that was changed back and not deployed again: what is deployed and idle is not what answers.
#[tokio::test(flavor = "multi_thread")]
async fn a_report_is_of_what_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let project = folder.path().join("project");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("config"), &project);
    let sandbox = sandbox(&folder.path().join("sandbox")).await;
    let file = project.join("opsctl.toml");
    let first = std::fs::read_to_string(&file).expect("the project's config");
    let other = first.replacen("epochs        = 40", "epochs        = 30", 1);
    let deployed = async |text: &str| {
        std::fs::write(&file, text).expect("the folder is ours");
        let session = open(&sandbox, &project).await;
        let deploy = Intent::deploy(&session, false, false);
        let done = session.run(&deploy).carry_out(&LeaseHolder::default()).await.expect("it begins");
        assert!(done.is_ok(), "{done:?}");
        session
    };
    deployed(&first).await;
    let session = deployed(&other).await;
    let serves = physical(&session, KindName::Training);
    let whole = gather(&session, WANTED).await.expect("it can be read");
    assert!(whole.resources.iter().all(|of| of.instead.is_none() && of.differs.is_empty()), "{whole:?}");

    std::fs::write(&file, first.replacen("max = 4", "max = 7", 1)).expect("the folder is ours");
    let session = open(&sandbox, &project).await;
    let evidence = gather(&session, WANTED).await.expect("it can be read");
    let of = |id: &str| evidence.resource(&id.parse().expect("an id")).expect("it is in the config");
    assert!(of("endpoint/numbers").differs[0].starts_with("configuration: "), "{evidence:?}");
    assert_eq!(of("autoscaling/numbers").differs, ["max: 4 -> 7"]);
    for id in ["training/numbers", "model/numbers", "endpoint-config/numbers"] {
        assert!(of(id).instead.is_some(), "{id}: {evidence:?}");
    }
    let (ready, all) = evidence.ready();
    assert_eq!(ready + 2, all, "the endpoint, and how it scales");
    let job = &evidence.jobs[0];
    assert_eq!((job.earlier, &job.physical), (true, &serves), "what serves comes first");
    let past = |physical: &str| {
        evidence.history.iter().find(|past| past.physical == physical && past.kind.0 == KindName::Training)
    };
    assert_eq!(past(&serves).and_then(|past| past.serves), Some(true));
    assert_eq!(past(&of("training/numbers").physical).and_then(|past| past.serves), Some(false));
    let html = page::html(&evidence, &str::to_owned);
    assert!(!html.contains("are deployed and ready") && html.contains("Not as the config has it"), "{ready}");
    sandbox.stop().await;
}

/// More than is read of one answer is said to be more.
#[tokio::test(flavor = "multi_thread")]
async fn measurements_behind_the_last_page_that_is_read_are_not_silently_missing() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
    let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as u64;
    let points = aws::MOST_PAGES as u64 + 1;
    let dimensions = [("EndpointName", "numbers".to_owned())];
    for minute in 1..=points {
        let (namespace, metric) = ("AWS/SageMaker", "Invocations");
        let measure = MetricId { namespace, metric, dimensions: &dimensions, unit: "None" };
        record_at(sandbox.state(), "us-east-1", &measure, now - minute * MINUTE, 1.0);
    }
    let metric = aws::Metric {
        namespace: "AWS/SageMaker".into(),
        name: "Invocations".into(),
        dimensions: dimensions.map(|(name, value)| (name.into(), value)).into(),
        statistic: "Sum".into(),
    };
    let now = (now / 1_000) as i64;
    let time = aws::MetricTime { from: now - 2 * 60 * points as i64, to: now + 60, period: 60 };
    let cloudwatch = Clients::new(&target).cloudwatch;
    let read = async |page| {
        let metrics = vec![metric.clone()];
        let read = cloudwatch.read(&aws::MetricQuery { metrics, time, page }).await.expect("it can be read");
        (read.series[0].len(), read.is_cut)
    };
    assert_eq!(read(Some(1)).await, (aws::MOST_PAGES, true));
    assert_eq!(read(None).await, (points as usize, false));
    sandbox.stop().await;
}

fn shows_all(evidence: &Evidence) {
    assert_eq!(evidence.gaps, []);
    let (ready, all) = evidence.ready();
    assert!(ready == all || ready + 2 >= all, "the endpoint may still be scaling: {ready} of {all}");

    let job = evidence.jobs.iter().find(|job| job.id.kind == KindName::Training).expect("it trained");
    let losses: Vec<f64> =
        job.metrics.iter().find(|m| m.name == "train:loss").expect("measured").values().collect();
    assert_eq!(losses, [0.5, 0.25], "each line of the log, not only the last");
    assert_eq!(job.last_lines.len(), 3);
    assert!(job.artifact.is_some(), "{job:?}");

    let [traffic] = &evidence.endpoints[..] else { panic!("one endpoint") };
    assert_eq!(traffic.invocations.sum(), 150.0);
    assert_eq!(traffic.per_instance.max(), Some(15.0));
    assert_eq!(traffic.latency_ms.mean(), Some(8.0), "microseconds are made milliseconds");
    assert_eq!((traffic.target, traffic.min, traffic.max), (Some(10.0), Some(3), Some(4)));
    assert!(traffic.instances.iter().any(|step| step.count == 2.0), "30 invocations, 15 each: {traffic:?}");
    assert!(traffic.activities[0].cause.contains("minimum capacity was set to 3"), "{traffic:?}");

    let of = |kind: KindName| evidence.history.iter().filter(move |past| past.kind.0 == kind).count();
    assert_eq!((of(KindName::Training), of(KindName::EndpointConfig), of(KindName::Function)), (1, 1, 1));
    let lambda =
        evidence.roles.iter().find(|role| role.trusted == ["lambda.amazonaws.com"]).expect("its role");
    assert!(lambda.grants.iter().any(|grant| grant.actions.contains(&"sagemaker:InvokeEndpoint".to_owned())));
    let audit = evidence.audit.as_ref().expect("it was asked for");
    assert_eq!(audit.roles, evidence.roles.len(), "the project's roles, and no others");
    let along: Vec<String> =
        evidence.lineage()[0].iter().flatten().map(|resource| resource.id.to_string()).collect();
    let wanted =
        ["data/digits", "training/numbers", "model/numbers", "endpoint/numbers", "function/classify"];
    assert_eq!(along, wanted);
}
