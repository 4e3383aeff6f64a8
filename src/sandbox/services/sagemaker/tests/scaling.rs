//! Application Auto Scaling of endpoints.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Bench, DIMENSION, text, with};
use crate::AwsRule;
use crate::clock::real_sleep;
use crate::services::cloudwatch;

fn target(patch: Value) -> Value {
    let base = json!({
        "ServiceNamespace": "sagemaker", "ResourceId": "endpoint/e/variant/main",
        "ScalableDimension": DIMENSION,
    });
    with(base, patch)
}

const METRIC: &str = "SageMakerVariantInvocationsPerInstance";

fn policy(metric: &str, goal: f64) -> Value {
    target(json!({
        "PolicyName": "p",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": goal,
            "PredefinedMetricSpecification": {"PredefinedMetricType": metric},
            "ScaleInCooldown": 30,
            "ScaleOutCooldown": 30,
        },
    }))
}

#[tokio::test]
async fn targets_are_checked_clamp_the_live_count_and_bind_the_instance_type() {
    let bench = Bench::new(&[]).await;
    let range = |least: u64, most: u64| target(json!({"MinCapacity": least, "MaxCapacity": most}));
    let missing = bench.scaling("RegisterScalableTarget", range(1, 4)).await.unwrap_err();
    assert!(missing.contains("Could not find endpoint"), "{missing}");
    bench.endpoint("ml.m5.large").await;
    for (input, expected) in [
        (target(json!({})), "MinCapacity and MaxCapacity are required"),
        (range(3, 2), "Maximum capacity cannot be less than minimum capacity"),
        (range(0, 2), "at least 1"),
        (with(range(1, 2), json!({"ResourceId": "endpoint/e"})), "Unsupported service namespace"),
        (with(range(1, 2), json!({"ResourceId": "endpoint/e/variant/x"})), "Could not find variant \"x\""),
    ] {
        let error = bench.scaling("RegisterScalableTarget", input).await.unwrap_err();
        assert!(error.starts_with("ValidationException") && error.contains(expected), "{error}");
    }
    let none = bench.scaling("DeregisterScalableTarget", target(json!({}))).await.unwrap_err();
    assert!(none.starts_with("ObjectNotFoundException: No scalable target registered for"), "{none}");

    let tags = with(range(2, 4), json!({"Tags": {"k": "v"}}));
    let arn = bench.scaling("RegisterScalableTarget", tags).await.unwrap()["ScalableTargetARN"].clone();
    let listed = bench.scaling("ListTagsForResource", json!({"ResourceARN": arn})).await.unwrap();
    assert_eq!(listed["Tags"], json!({"k": "v"}));
    bench.endpoint_becomes("Updating").await;
    bench.advance(10);
    let live = bench.endpoint_becomes("InService").await;
    assert_eq!(live["ProductionVariants"][0]["CurrentInstanceCount"], 2);
    let of_sagemaker = json!({"ServiceNamespace": "sagemaker"});
    let activities = bench.scaling("DescribeScalingActivities", of_sagemaker.clone()).await.unwrap();
    let activity = &activities["ScalingActivities"][0];
    assert_eq!(
        (text(&activity["StatusCode"]), text(&activity["Cause"])),
        ("Successful", "minimum capacity was set to 2")
    );

    bench.config("bigger", "m", "ml.m5.xlarge").await.unwrap();
    let update = json!({"EndpointName": "e", "EndpointConfigName": "bigger"});
    let bound = bench.ask("UpdateEndpoint", update.clone()).await.unwrap_err();
    assert!(bound.contains("Application Auto Scaling"), "{bound}");
    bench.done("DeleteEndpoint", json!({"EndpointName": "e"})).await;
    let left = bench.scaling("DescribeScalableTargets", of_sagemaker).await.unwrap();
    assert_eq!(left["ScalableTargets"], json!([]));
}

#[tokio::test]
async fn scheduled_actions_are_kept_and_go_with_their_target() {
    let bench = Bench::new(&[]).await;
    bench.endpoint("ml.m5.large").await;
    let action = target(json!({
        "ScheduledActionName": "night", "Schedule": "cron(0 22 * * ? *)",
        "ScalableTargetAction": {"MinCapacity": 2},
    }));
    let early = bench.scaling("PutScheduledAction", action.clone()).await.unwrap_err();
    assert!(early.starts_with("ObjectNotFoundException: No scalable target registered for"), "{early}");
    let range = target(json!({"MinCapacity": 1, "MaxCapacity": 4}));
    bench.scaling("RegisterScalableTarget", range).await.unwrap();
    for (patch, expected) in [
        (json!({"Schedule": "tonight"}), "Schedule must be"),
        (json!({"ScalableTargetAction": {"MinCapacity": null}}), "MinCapacity or MaxCapacity is required"),
        (
            json!({"ScalableTargetAction": {"MinCapacity": 3, "MaxCapacity": 2}}),
            "cannot be less than minimum",
        ),
    ] {
        let error = bench.scaling("PutScheduledAction", with(action.clone(), patch)).await.unwrap_err();
        assert!(error.starts_with("ValidationException") && error.contains(expected), "{error}");
    }
    let of_sagemaker = json!({"ServiceNamespace": "sagemaker"});
    let name = target(json!({"ScheduledActionName": "night"}));
    bench.scaling("PutScheduledAction", action.clone()).await.unwrap();
    let listed = bench.scaling("DescribeScheduledActions", of_sagemaker.clone()).await.unwrap();
    assert_eq!(listed["ScheduledActions"][0]["ScalableTargetAction"], json!({"MinCapacity": 2}));
    bench.scaling("DeleteScheduledAction", name.clone()).await.unwrap();
    let gone = bench.scaling("DeleteScheduledAction", name).await.unwrap_err();
    assert!(gone.starts_with("ObjectNotFoundException: No scheduled action found for"), "{gone}");
    bench.scaling("PutScheduledAction", action).await.unwrap();
    bench.scaling("DeregisterScalableTarget", target(json!({}))).await.unwrap();
    let left = bench.scaling("DescribeScheduledActions", of_sagemaker).await.unwrap();
    assert_eq!(left["ScheduledActions"], json!([]));
}

#[tokio::test]
async fn burstable_variants_are_no_targets() {
    for (off, refused) in [(&[][..], true), (&[AwsRule::BurstableVariant][..], false)] {
        let bench = Bench::new(off).await;
        bench.endpoint("ml.t2.medium").await;
        let range = target(json!({"MinCapacity": 1, "MaxCapacity": 2}));
        let answer = bench.scaling("RegisterScalableTarget", range).await;
        assert_eq!(answer.is_err_and(|error| error.contains("with ml.t2.medium instance type")), refused);
    }
}

#[tokio::test]
async fn a_policy_has_two_alarms_and_goes_with_its_target() {
    let bench = Bench::new(&[]).await;
    bench.endpoint("ml.m5.large").await;
    let metric = METRIC;
    let early = bench.scaling("PutScalingPolicy", policy(metric, 10.0)).await.unwrap_err();
    assert!(early.starts_with("ObjectNotFoundException"), "{early}");
    let range = target(json!({"MinCapacity": 1, "MaxCapacity": 2}));
    bench.scaling("RegisterScalableTarget", range).await.unwrap();
    let wrong =
        bench.scaling("PutScalingPolicy", policy("LambdaProvisionedConcurrencyUtilization", 1.0)).await;
    assert!(wrong.unwrap_err().contains("is not supported"));

    let first = bench.scaling("PutScalingPolicy", policy(metric, 10.0)).await.unwrap();
    let again = bench.scaling("PutScalingPolicy", policy(metric, 20.0)).await.unwrap();
    assert_eq!(first, again, "names stay");
    let names: Vec<&str> =
        first["Alarms"].as_array().unwrap().iter().map(|alarm| text(&alarm["AlarmName"])).collect();
    assert!(names[0].starts_with("TargetTracking-endpoint/e/variant/main-AlarmHigh-"), "{names:?}");
    let all = alarms(&bench).await;
    let low = all.iter().find(|alarm| alarm["AlarmName"] == names[1]).unwrap();
    assert_eq!((low["Threshold"].as_f64(), low["EvaluationPeriods"].as_u64()), (Some(18.0), Some(15)));
    bench.scaling("DeregisterScalableTarget", target(json!({}))).await.unwrap();
    assert_eq!(alarms(&bench).await, [] as [Value; 0]);
    let gone = bench.scaling("DeleteScalingPolicy", target(json!({"PolicyName": "p"}))).await.unwrap_err();
    assert!(gone.starts_with("ObjectNotFoundException: No scaling policy found for"), "{gone}");
}

/// The case: ten invocations a minute and instance, 30 s cooldowns, and five times as many as that for six
/// minutes.
#[tokio::test]
async fn load_scales_out_to_the_formula_and_fifteen_quiet_minutes_scale_in() {
    for (most, most_seen, then) in [(4, 4, &[3, 2, 1][..]), (10, 5, &[4, 3, 2, 1])] {
        let bench = Bench::new(&[]).await;
        bench.endpoint("ml.m5.large").await;
        let range = target(json!({"MinCapacity": 1, "MaxCapacity": most}));
        bench.scaling("RegisterScalableTarget", range).await.unwrap();
        bench.scaling("PutScalingPolicy", policy(METRIC, 10.0)).await.unwrap();

        for _ in 0..6 {
            for _ in 0..50 {
                bench.invoke().await;
            }
            bench.advance(1);
        }
        let quiet_since = bench.shared().clock.now();
        assert_eq!(alarm_states(&bench).await, ["ALARM", "OK"]);
        assert_eq!(settles_at(&bench, most_seen).await, most_seen);
        assert_eq!(settles_at(&bench, 1).await, 1);

        let of_sagemaker = json!({"ServiceNamespace": "sagemaker"});
        let told = bench.scaling("DescribeScalingActivities", of_sagemaker).await.unwrap();
        let activities: Vec<&Value> = told["ScalingActivities"].as_array().unwrap().iter().rev().collect();
        let set_to = |count: u64| format!("Setting desired instance count to {count}.");
        let (out, down) = (activities[0], &activities[1..]);
        assert_eq!(text(&out["Description"]), set_to(most_seen));
        assert!(
            text(&out["Cause"])
                .starts_with("monitor alarm TargetTracking-endpoint/e/variant/main-AlarmHigh-")
        );
        assert!(text(&out["Cause"]).ends_with("in state ALARM triggered policy p"));
        let described: Vec<&str> = down.iter().map(|activity| text(&activity["Description"])).collect();
        assert_eq!(described, then.iter().map(|count| set_to(*count)).collect::<Vec<_>>());
        assert!(down.iter().all(|activity| text(&activity["Cause"]).contains("-AlarmLow-")), "{told}");
        assert!(activities.iter().all(|activity| activity["StatusCode"] == "Successful"), "{told}");
        assert!(!told.to_string().contains("\"_"), "what is the sandbox's own stays with it");
        let first_down = down[0]["StartTime"].as_f64().unwrap() * 1_000.0;
        let minutes = (first_down - quiet_since as f64) / 60_000.0;
        assert!(minutes > 14.0, "scaled in after {minutes} minutes");
    }
}

/// The states of the policy's alarms: high, low.
async fn alarm_states(bench: &Bench) -> Vec<String> {
    alarms(bench).await.iter().map(|alarm| text(&alarm["StateValue"]).to_owned()).collect()
}

async fn alarms(bench: &Bench) -> Vec<Value> {
    let described = bench.ask_of(&cloudwatch::API, "DescribeAlarms", json!({})).await.unwrap();
    described["MetricAlarms"].as_array().unwrap().clone()
}

/// Lets minutes go by until the endpoint is in service with so many instances.
async fn settles_at(bench: &Bench, instances: u64) -> u64 {
    let mut live = 0;
    for _ in 0..600 {
        let endpoint = bench.done("DescribeEndpoint", json!({"EndpointName": "e"})).await;
        live = endpoint["ProductionVariants"][0]["CurrentInstanceCount"].as_u64().unwrap_or_default();
        if live == instances && endpoint["EndpointStatus"] == "InService" {
            break;
        }
        bench.advance(1);
        real_sleep(Duration::from_millis(5)).await;
    }
    live
}

/// One answer is bounded, however much is asked for (docs/aws/cloudwatch.md#measurements).
#[tokio::test]
async fn measurements_come_in_answers_of_a_bounded_size() {
    let bench = Bench::new(&[]).await;
    let ask = |operation, input| bench.ask_of(&cloudwatch::API, operation, input);
    let now = bench.shared().clock.now() / 1_000 / 60 * 60;
    let start = now - 60 * 60;
    let datum = |minute: u64| json!({"MetricName": "m", "Value": minute, "Timestamp": start + minute * 60});
    let data: Vec<Value> = (0..5).map(datum).collect();
    ask("PutMetricData", json!({"Namespace": "N", "MetricData": data})).await.unwrap();
    let query = |id: &str, metric: &str| {
        let metric = json!({"Namespace": "N", "MetricName": metric});
        json!({"Id": id, "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}})
    };
    let queries = json!([query("a", "m"), query("none", "of that name"), query("b", "m")]);
    let (mut token, mut pages) = (Value::Null, Vec::new());
    loop {
        let mut input = json!({"MetricDataQueries": queries, "StartTime": start, "EndTime": now,
            "MaxDatapoints": 3, "ScanBy": "TimestampAscending"});
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let page = ask("GetMetricData", input).await.unwrap();
        let shown =
            |result: &Value| format!("{} {} {}", result["Id"], result["Values"], result["StatusCode"]);
        pages.push(
            page["MetricDataResults"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>().join(", "),
        );
        token = page["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(
        pages,
        [
            r#""a" [0.0,1.0,2.0] "PartialData""#,
            r#""a" [3.0,4.0] "Complete", "none" [] "Complete", "b" [0.0] "PartialData""#,
            r#""b" [1.0,2.0,3.0] "PartialData""#,
            r#""b" [4.0] "Complete""#,
        ]
    );
    for token in ["", "x", "1", "1.x", "-1.0"] {
        let input =
            json!({"MetricDataQueries": queries, "StartTime": start, "EndTime": now, "NextToken": token});
        assert!(ask("GetMetricData", input).await.is_err(), "{token:?}");
    }

    let statistics = |minutes: u64| {
        json!({"Namespace": "N", "MetricName": "m", "StartTime": now - minutes * 60, "EndTime": now,
            "Period": 60, "Statistics": ["Sum"]})
    };
    assert_eq!(
        ask("GetMetricStatistics", statistics(1_440)).await.unwrap()["Datapoints"].as_array().unwrap().len(),
        5
    );
    let refused = ask("GetMetricStatistics", statistics(1_441)).await.unwrap_err();
    assert!(refused.starts_with("InvalidParameterCombination: You have requested up to 1441"), "{refused}");
    for (values, good) in [(150, true), (151, false)] {
        let datum = json!({"MetricName": "v", "Values": vec![1; values]});
        let put = ask("PutMetricData", json!({"Namespace": "N", "MetricData": [datum]})).await;
        assert_eq!(put.is_ok(), good, "{values}: {put:?}");
    }
}
