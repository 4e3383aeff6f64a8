//! The shipped project as it may be after an hour of requests.

use std::collections::{BTreeMap, BTreeSet};

use opsctl::audit::{Finding, Severity, Status as FindingStatus};
use opsctl::domain::{Facts, KindName, Money, ResourceId, Status};
use opsctl::evidence::*;
use serde_json::json;

const NOW: i64 = 1_795_903_200;

fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

fn resource(name: &str, physical: &str, word: &str, needs: &[&str]) -> Resource {
    Resource {
        id: id(name),
        physical: physical.to_owned(),
        status: Status::ready(word),
        ready: true,
        differs: Vec::new(),
        instead: None,
        readable: true,
        age_s: Some(7_200),
        took_s: None,
        needs: needs.iter().map(|need| id(need)).collect::<BTreeSet<_>>().into_iter().collect(),
        facts: Facts::default(),
        attributes: Vec::new(),
        why: None,
        page: None,
    }
}

fn with(mut resource: Resource, attributes: &[(&str, &str)], why: Option<&str>) -> Resource {
    resource.attributes = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    resource.why = why.map(str::to_owned);
    resource
}

#[expect(clippy::too_many_lines, reason = "a document")]
fn resources() -> Vec<Resource> {
    let bucket = "digits-dev-123456789012-us-east-1";
    let mut endpoint = with(
        resource(
            "endpoint/numbers",
            "digits-dev-numbers",
            "InService",
            &["endpoint-config/numbers", "log-group/endpoint-numbers"],
        ),
        &[
            ("Instance type", "ml.m5.large"),
            ("Instances now", "3"),
            ("Configuration", "digits-dev-numbers-4e7781c154"),
        ],
        Some("2 vCPU, and it may be scaled"),
    );
    endpoint.facts =
        Facts { instances: Some(3), instance_type: Some("ml.m5.large".into()), ..Facts::default() };
    let mut scaling = resource(
        "autoscaling/numbers",
        "endpoint/digits-dev-numbers/variant/AllTraffic",
        "Registered",
        &["endpoint/numbers"],
    );
    scaling.facts = Facts { min: Some(1), max: Some(4), target: Some(10.0), ..Facts::default() };
    let mut warm = resource(
        "concurrency/classify",
        "function:digits-dev-classify:live",
        "READY",
        &["function/classify"],
    );
    warm.facts = Facts { warm: Some(2), ..Facts::default() };
    let mut training = with(
        resource(
            "training/numbers",
            "digits-dev-numbers-4e7781c154",
            "Completed",
            &["data/digits", "role/training-numbers"],
        ),
        &[
            ("Instance type", "1 × ml.m5.xlarge"),
            ("Script", "train.py"),
            ("Hyperparameters", "epochs = 40, seed = 7"),
        ],
        None,
    );
    training.took_s = Some(312);
    vec![
        with(
            resource("bucket/main", bucket, "Available", &[]),
            &[("Public access blocked", "yes"), ("Encryption", "AES256"), ("Versioning", "yes")],
            None,
        ),
        with(
            resource("data/digits", &format!("s3://{bucket}/data/digits/"), "Available", &["bucket/main"]),
            &[("Files", "1,797"), ("Size", "1.2 MB"), ("Digest", "22a2f81fd0")],
            None,
        ),
        resource(
            "log-group/endpoint-numbers",
            "/aws/sagemaker/Endpoints/digits-dev-numbers",
            "Available",
            &[],
        ),
        resource(
            "role/training-numbers",
            "digits-dev-training-numbers-us-east-1",
            "Available",
            &["bucket/main"],
        ),
        resource("role/function-classify", "digits-dev-function-classify-us-east-1", "Available", &[]),
        training,
        with(
            resource("instance/numbers-on-ec2", "digits-dev-numbers-on-ec2-1", "Completed", &["data/digits"]),
            &[("Instance", "i-0123456789abcdef0"), ("Instance type", "t2.xlarge")],
            Some("low cost, and more memory than the base tier"),
        ),
        resource("model/numbers", "digits-dev-numbers-4e7781c154", "Available", &["training/numbers"]),
        resource("endpoint-config/numbers", "digits-dev-numbers-4e7781c154", "Available", &["model/numbers"]),
        endpoint,
        scaling,
        with(
            resource(
                "function/classify",
                "digits-dev-classify",
                "Active",
                &["endpoint/numbers", "role/function-classify"],
            ),
            &[("Runtime", "python3.13, x86_64"), ("Memory", "128 MB"), ("Calls", "digits-dev-numbers")],
            None,
        ),
        warm,
        with(
            resource("notebook/lab", "digits-dev-lab", "InService", &["bucket/main"]),
            &[("Instance type", "ml.t3.xlarge"), ("Disk", "5 GB")],
            Some("16 GiB; 4 GiB ran out"),
        ),
    ]
}

fn jobs() -> Vec<Job> {
    let epochs =
        |of: fn(f64) -> f64| (1..=40).map(|epoch| (f64::from(epoch), of(f64::from(epoch)))).collect();
    let artifact = |folder: &str, job: &str| Artifact {
        uri: format!("s3://digits-dev-123456789012-us-east-1/{folder}/{job}/output/model.tar.gz"),
        bytes: Some(48_211),
        written_at: Some(Time(NOW - 6_000)),
    };
    vec![
        Job {
            id: id("training/numbers"),
            physical: "digits-dev-numbers-4e7781c154".into(),
            earlier: false,
            axis: Axis::Counted("epoch".into()),
            metrics: vec![
                Series::new("train:loss", epochs(|epoch| 2.3 / epoch)),
                Series::new("test:accuracy", epochs(|epoch| 0.981 - 0.7 / epoch)),
            ],
            last_lines: vec!["epoch=40 train_loss=0.0575".into(), "test_accuracy=0.9635".into()],
            artifact: Some(artifact("training", "digits-dev-numbers-4e7781c154")),
        },
        Job {
            id: id("instance/numbers-on-ec2"),
            physical: "digits-dev-numbers-on-ec2-1".into(),
            earlier: false,
            axis: Axis::Measurement,
            metrics: Vec::new(),
            last_lines: vec!["saved model.npz".into()],
            artifact: Some(artifact("instances", "digits-dev-numbers-on-ec2-1")),
        },
    ]
}

/// From one request a minute to forty, and back.
fn per_minute() -> Vec<(f64, f64)> {
    (0..60)
        .map(|minute| {
            let wave = (f64::from(minute) / 60.0 * std::f64::consts::PI).sin();
            ((NOW - 3_600 + i64::from(minute) * 60) as f64, (wave * 40.0).round())
        })
        .collect()
}

fn traffic() -> Traffic {
    let all = per_minute();
    let count = |at: f64| match at as i64 - NOW {
        ..-2_400 => 1.0,
        -2_400..-1_800 => 2.0,
        _ => 3.0,
    };
    let each = all.iter().map(|(at, value)| (*at, value / count(*at))).collect();
    let activity = |minute: i64, to: u32| {
        Activity {
        started_at: Time(NOW - 60 * minute),
        ended_at: Some(Time(NOW - 60 * minute + 240)),
        status: "Successful".into(),
        description: format!("Setting desired instance count to {to}."),
        cause: "monitor alarm TargetTracking-endpoint/digits-dev-numbers/variant/AllTraffic-AlarmHigh in state ALARM".into(),
    }
    };
    Traffic {
        id: id("endpoint/numbers"),
        window: Window { from: Time(NOW - 86_400), to: Time(NOW), period_s: 60 },
        latency_ms: Series::new(
            "model latency",
            all.iter().map(|(at, value)| (*at, 8.0 + value / 10.0)).collect(),
        ),
        errors: Series::new("errors", all.iter().map(|(at, _)| (*at, 0.0)).collect()),
        invocations: Series::new("invocations", all),
        per_instance: Series::new("invocations per instance", each),
        instances: [(3_600, 1.0), (2_400, 2.0), (1_800, 3.0)]
            .map(|(before, count)| Step { at: Time(NOW - before), count })
            .into(),
        target: Some(10.0),
        min: Some(1),
        max: Some(4),
        activities: vec![activity(34, 3), activity(44, 2)],
    }
}

fn finding() -> Finding {
    Finding {
        rule: "IAM201",
        severity: Severity::Medium,
        resource: "arn:aws:iam::123456789012:role/digits-dev-training-numbers-us-east-1".into(),
        title: "may do everything to every bucket".into(),
        evidence: vec!["policy opsctl, statement 1".into()],
        fix: "name the bucket".into(),
        fingerprint: "0123456789abcdef".into(),
        status: FindingStatus::New,
        actions: Vec::new(),
        cause: String::new(),
        line: None,
        compliance: &[],
        muted: None,
    }
}

fn price(hour: &str, month: &str) -> Price {
    Price { hour: hour.parse::<Money>().unwrap(), month: month.parse().unwrap() }
}

#[expect(clippy::too_many_lines, reason = "a document")]
pub fn whole() -> Evidence {
    let calls = Series::new("invocations", per_minute());
    let past = |at: i64, kind: KindName, physical: &str, state: &str, current: bool| Past {
        at: Some(Time(at)),
        kind: KindWord(kind),
        physical: physical.into(),
        state: state.into(),
        current,
        serves: None,
        took_s: (kind == KindName::Training).then_some(312),
        measured: if kind == KindName::Training {
            BTreeMap::from([("test:accuracy".into(), 0.9635)])
        } else {
            BTreeMap::new()
        },
        note: String::new(),
    };
    Evidence {
        format: 1,
        version: "0.1.0",
        written_at: Time(NOW),
        project: "digits".into(),
        environment: "dev".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        target: "account 123456789012, us-east-1".into(),
        gaps: Vec::new(),
        advice: vec![Advice {
            code: "C101".into(),
            at: "endpoint.numbers.autoscaling.target_invocations_per_instance".into(),
            message: "10 is per instance per minute: 0.17 requests a second are enough to add an instance"
                .into(),
            help: "load-test one instance".into(),
        }],
        resources: resources(),
        leftovers: vec![Leftover {
            kind: KindWord(KindName::Model),
            physical: "digits-dev-numbers-cc2ce805af".into(),
        }],
        jobs: jobs(),
        endpoints: vec![traffic()],
        functions: vec![FunctionTraffic {
            id: id("function/classify"),
            window: Window { from: Time(NOW - 86_400), to: Time(NOW), period_s: 60 },
            errors: Series::new("errors", calls.points.iter().map(|(at, _)| (*at, 0.0)).collect()),
            duration_ms: Series::new("duration", calls.points.iter().map(|(at, _)| (*at, 21.5)).collect()),
            utilization: Series::default(),
            spillover: Series::default(),
            invocations: calls,
        }],
        invocation: Some(Invocation {
            through: id("function/classify"),
            payload: json!({ "pixels": [0, 0, 5, 13] }),
            outcome: InvocationOutcome::Answered {
                status: 200,
                latency_ms: 34.2,
                cold_start: Some(false),
                init_ms: None,
                answer: json!([{ "label": "7", "score": 0.998 }]),
                response: json!({ "statusCode": 200, "body": "[{\"label\": \"7\", \"score\": 0.998}]" }),
            },
        }),
        roles: vec![Role {
            name: "digits-dev-function-classify-us-east-1".into(),
            arn: "arn:aws:iam::123456789012:role/opsctl/digits/dev/digits-dev-function-classify-us-east-1"
                .into(),
            trusted: vec!["lambda.amazonaws.com".into()],
            used_by: vec![id("function/classify")],
            grants: vec![Grant {
                effect: "Allow".into(),
                actions: vec!["sagemaker:InvokeEndpoint".into()],
                resources: vec![
                    "arn:aws:sagemaker:us-east-1:123456789012:endpoint/digits-dev-numbers".into(),
                ],
                conditional: false,
            }],
            attached: Vec::new(),
        }],
        audit: Some(Audit {
            whole_account: false,
            roles: 4,
            findings: vec![finding()],
            not_evaluated: Vec::new(),
        }),
        cost: Cost {
            prices_of: "2026-11-28".into(),
            now: price("0.345", "251.85"),
            idle: price("0.115", "83.95"),
            most: price("0.46", "335.8"),
            resources: vec![Billed {
                id: id("endpoint/numbers"),
                what: "1–4 × ml.m5.large".into(),
                now: price("0.345", "251.85"),
                idle: price("0.115", "83.95"),
                most: price("0.46", "335.8"),
                unknown: Vec::new(),
                run: None,
            }],
            unknown: Vec::new(),
            by_use: vec!["requests of functions".into()],
        },
        history: vec![
            past(NOW - 600, KindName::Function, "digits-dev-classify:2", "live", true),
            past(NOW - 7_200, KindName::Training, "digits-dev-numbers-4e7781c154", "Completed", true),
            past(NOW - 90_000, KindName::Training, "digits-dev-numbers-cc2ce805af", "Completed", false),
        ],
    }
}
