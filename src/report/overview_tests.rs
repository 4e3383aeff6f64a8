//! A project as people see it, at the widths that terminals have, and as programs read it.

use expect_test::expect;

use super::*;
use crate::cost::{Estimate, Prices};
use crate::domain::usage::{Instances, Purpose};
use crate::domain::{HumanDuration, KindName, Money, ResourceId, Status, Usage};

fn row(id: &str, physical: &str, status: Status) -> Row {
    Row {
        id: id.parse().unwrap(),
        physical: physical.to_owned(),
        status,
        owner: Some(Owner::Ours),
        differs: Vec::new(),
        not_compared: None,
        instead: None,
        is_readable: true,
        age: Some(Duration::from_secs(7_300)),
        metrics: Vec::new(),
        took: None,
        facts: Facts::default(),
        page: None,
    }
}

fn overview() -> Overview {
    let mut training = row("training/numbers", "digits-dev-numbers-0e9d75e0f6", Status::ready("Completed"));
    training.metrics = vec![("test:accuracy".to_owned(), 0.9814), ("train:loss".to_owned(), 0.009)];
    training.took = Some(HumanDuration::seconds(312));
    let mut endpoint = row("endpoint/numbers", "digits-dev-numbers", Status::ready("InService"));
    endpoint.facts.instances = Some(2);
    endpoint.facts.instance_type = Some("ml.m5.large".to_owned());
    endpoint.page = Some("https://us-east-1.console.aws.amazon.com/sagemaker/…".to_owned());
    let mut autoscaling = row(
        "autoscaling/numbers",
        "endpoint/digits-dev-numbers/variant/AllTraffic",
        Status::ready("Registered"),
    );
    autoscaling.facts = Facts { min: Some(1), max: Some(4), target: Some(600.0), ..Facts::default() };
    autoscaling.age = None;
    let failed =
        Status::new("Failed", Phase::Failed).because(Some("Traceback\nValueError: \u{1b}[31mbad".into()));
    let mut other = row("instance/plain", "digits-dev-plain-1234567890", failed);
    other.owner = Some(Owner::Nobody);
    let leftover = Leftover {
        runs: None,
        bills: false,
        id: ResourceId::new(KindName::Model, "digits-dev-numbers-aaaaaaaaaa"),
        physical: "digits-dev-numbers-aaaaaaaaaa".to_owned(),
        adopted: false,
    };
    let replaced = Leftover {
        runs: None,
        bills: false,
        id: ResourceId::new(KindName::Training, "digits-dev-numbers-bbbbbbbbbb"),
        physical: "digits-dev-numbers-bbbbbbbbbb".to_owned(),
        adopted: false,
    };
    let prices = Prices::given("us-east-1", "2026-10-05", [("hosting/ml.m5.large", Money::dollars(1))]);
    let (purpose, instance_type) = (Purpose::Hosting, "ml.m5.large".to_owned());
    let instances = Some(Instances { purpose, instance_type, count: 2 });
    let usage = Usage { instances, scaled: Some((1, 4)), ..Usage::default() };
    let ended_by = "`opsctl destroy`".to_owned();
    let bill = Bill(vec![Estimate::of(endpoint.id.clone(), &usage, None, &prices, ended_by)]);
    Overview {
        rows: vec![training, endpoint, autoscaling, other],
        leftovers: vec![leftover, replaced],
        lost: Vec::new(),
        marked: Default::default(),
        unread: Vec::new(),
        bill,
        prices,
    }
}

#[test]
fn names_are_whole_at_every_width() {
    let mut text = String::new();
    for width in [None, Some(80), Some(40)] {
        let shown = human(&overview(), width, &Styles::plain());
        assert!(shown.lines().all(|line| line == line.trim_end()), "{shown}");
        text += &format!("{width:?}\n{shown}\n");
    }
    expect![[r#"
        None
        RESOURCE             STATE                               AGE  NAME IN AWS
        training/numbers     Completed                           2h   digits-dev-numbers-0e9d75e0f6
          test:accuracy 0.981 · train:loss 0.009 · took 5m
        endpoint/numbers     InService                           2h   digits-dev-numbers
          2 × ml.m5.large
          https://us-east-1.console.aws.amazon.com/sagemaker/…
          2.00 USD/h
        autoscaling/numbers  Registered                               endpoint/digits-dev-numbers/variant/AllTraffic
          scales 1–4 · 600 invocations per instance per minute
        instance/plain       Failed, not this project's: nobody  2h   digits-dev-plain-1234567890
          ValueError: \u{1b}[31mbad
        model                not in the config                        digits-dev-numbers-aaaaaaaaaa
        training/numbers     earlier version                          digits-dev-numbers-bbbbbbbbbb

        Some(80)
        RESOURCE             STATE                               AGE
        training/numbers     Completed                           2h
          digits-dev-numbers-0e9d75e0f6
          test:accuracy 0.981 · train:loss 0.009 · took 5m
        endpoint/numbers     InService                           2h
          digits-dev-numbers
          2 × ml.m5.large
          https://us-east-1.console.aws.amazon.com/sagemaker/…
          2.00 USD/h
        autoscaling/numbers  Registered
          endpoint/digits-dev-numbers/variant/AllTraffic
          scales 1–4 · 600 invocations per instance per minute
        instance/plain       Failed, not this project's: nobody  2h
          digits-dev-plain-1234567890
          ValueError: \u{1b}[31mbad
        model                not in the config
          digits-dev-numbers-aaaaaaaaaa
        training/numbers     earlier version
          digits-dev-numbers-bbbbbbbbbb

        Some(40)
        training/numbers
          Completed  2h
          digits-dev-numbers-0e9d75e0f6
          test:accuracy 0.981 · train:loss 0.009 · took 5m
        endpoint/numbers
          InService  2h
          digits-dev-numbers
          2 × ml.m5.large
          https://us-east-1.console.aws.amazon.com/sagemaker/…
          2.00 USD/h
        autoscaling/numbers
          Registered
          endpoint/digits-dev-numbers/variant/AllTraffic
          scales 1–4 · 600 invocations per instance per minute
        instance/plain
          Failed, not this project's: nobody  2h
          digits-dev-plain-1234567890
          ValueError: \u{1b}[31mbad
        model
          not in the config
          digits-dev-numbers-aaaaaaaaaa
        training/numbers
          earlier version
          digits-dev-numbers-bbbbbbbbbb

    "#]].assert_eq(&text);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a document")]
fn programs_read_the_same_facts() {
    let scope = Scope::new("digits", "dev", "123456789012", "us-east-1");
    expect![[r#"
        {
          "account": "123456789012",
          "cost": {
            "currency": "USD",
            "live": {
              "idle": {
                "hour": 1.0,
                "month": 730.0
              },
              "most": {
                "hour": 4.0,
                "month": 2920.0
              },
              "now": {
                "hour": 2.0,
                "month": 1460.0
              },
              "resources": [
                {
                  "by_use": [],
                  "ended_by": "destroy",
                  "idle": {
                    "hour": 1.0,
                    "month": 730.0
                  },
                  "most": {
                    "hour": 4.0,
                    "month": 2920.0
                  },
                  "now": {
                    "hour": 2.0,
                    "month": 1460.0
                  },
                  "run": null,
                  "target": "endpoint/numbers",
                  "unknown": [],
                  "what": "ml.m5.large, 1–4 instances"
                }
              ],
              "unknown": []
            },
            "prices": {
              "date": "2026-10-05",
              "note": null,
              "region": "us-east-1",
              "source": "table",
              "sources": [
                {
                  "date": "2026-10-05",
                  "items": [
                    "hosting/ml.m5.large"
                  ],
                  "name": "table"
                }
              ]
            }
          },
          "environment": "dev",
          "format": 1,
          "leftovers": [
            {
              "adopted": false,
              "id": "model/digits-dev-numbers-aaaaaaaaaa",
              "physical": "digits-dev-numbers-aaaaaaaaaa"
            },
            {
              "adopted": false,
              "id": "training/digits-dev-numbers-bbbbbbbbbb",
              "physical": "digits-dev-numbers-bbbbbbbbbb"
            }
          ],
          "lost": [],
          "project": "digits",
          "region": "us-east-1",
          "resources": [
            {
              "age_s": 7300,
              "differs": [],
              "kind": "training",
              "metrics": {
                "test:accuracy": 0.9814,
                "train:loss": 0.009
              },
              "name": "numbers",
              "ours": true,
              "owner": "this project",
              "page": null,
              "physical": "digits-dev-numbers-0e9d75e0f6",
              "ready": true,
              "reason": null,
              "serves_instead": null,
              "state": "Completed",
              "took_s": 312
            },
            {
              "age_s": 7300,
              "differs": [],
              "instance_type": "ml.m5.large",
              "instances": 2,
              "kind": "endpoint",
              "metrics": {},
              "name": "numbers",
              "ours": true,
              "owner": "this project",
              "page": "https://us-east-1.console.aws.amazon.com/sagemaker/…",
              "physical": "digits-dev-numbers",
              "ready": true,
              "reason": null,
              "serves_instead": null,
              "state": "InService",
              "took_s": null
            },
            {
              "age_s": null,
              "differs": [],
              "kind": "autoscaling",
              "max": 4,
              "metrics": {},
              "min": 1,
              "name": "numbers",
              "ours": true,
              "owner": "this project",
              "page": null,
              "physical": "endpoint/digits-dev-numbers/variant/AllTraffic",
              "ready": true,
              "reason": null,
              "serves_instead": null,
              "state": "Registered",
              "target": 600.0,
              "took_s": null
            },
            {
              "age_s": 7300,
              "differs": [],
              "kind": "instance",
              "metrics": {},
              "name": "plain",
              "ours": false,
              "owner": "nobody",
              "page": null,
              "physical": "digits-dev-plain-1234567890",
              "ready": false,
              "reason": "Traceback\nValueError: \u001b[31mbad",
              "serves_instead": null,
              "state": "Failed",
              "took_s": null
            }
          ],
          "target": "account 123456789012, us-east-1",
          "unread": []
        }
    "#]]
    .assert_eq(&format!("{:#}\n", json(&overview(), &scope, "account 123456789012, us-east-1")));
}

#[test]
fn a_run_ends_with_what_it_made() {
    let overview = overview();
    let whole = |row: &Row| match row.id.kind {
        KindName::Endpoint => row.facts.clone().and(overview.rows[2].facts.clone()),
        _ => row.facts.clone(),
    };
    let rows: Vec<(&Row, Facts)> = overview.rows.iter().take(2).map(|row| (row, whole(row))).collect();
    expect![[r#"
        the run:
          training/numbers  test:accuracy 0.981 · train:loss 0.009 · took 5m
          endpoint/numbers  InService · 2 × ml.m5.large · scales 1–4 · 600 invocations per instance per minute
                            https://us-east-1.console.aws.amazon.com/sagemaker/…
    "#]]
    .assert_eq(&format!("the run:\n{}", summary(&rows)));
}

/// A config that was changed and not deployed: what answers is told from what the config asks for.
#[test]
fn what_serves_is_told_from_what_the_config_asks_for() {
    let mut overview = overview();
    let physical = "digits-dev-numbers-bbbbbbbbbb".to_owned();
    let endpoint: ResourceId = "endpoint/numbers".parse().unwrap();
    overview.rows[0].instead = Some(Instead { endpoint, physical: physical.clone() });
    overview.rows[1].differs = vec!["configuration: a -> b".to_owned()];
    overview.marked.insert(ResourceId::new(KindName::Training, physical), "serves".to_owned());
    let text = human(&overview, Some(80), &Styles::plain());
    for said in [
        "not what endpoint/numbers serves: that is digits-dev-numbers-bbbbbbbbbb",
        "not as the config has it: configuration: a -> b; `opsctl deploy` changes that",
        "earlier version, serves",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn generations_that_only_lie_there_are_counted() {
    let mut overview = overview();
    for n in 0..9 {
        let physical = format!("digits-dev-numbers-000000000{n}");
        let id = ResourceId::new(KindName::Training, physical.clone());
        overview.leftovers.push(Leftover { id, physical, ..overview.leftovers[0].clone() });
    }
    let failed = overview.leftovers.last().unwrap().id.clone();
    overview.marked.insert(failed, "Failed".to_owned());
    let text = human(&overview, None, &Styles::plain());
    let of = |words: &str| text.lines().filter(|line| line.contains(words)).collect::<Vec<_>>();
    assert_eq!(of("9 earlier versions").len(), 1, "{text}");
    assert!(of("9 earlier versions")[0].ends_with("digits-dev-numbers-*"), "{text}");
    assert_eq!(of("earlier version, Failed").len(), 1, "{text}");
}

#[test]
fn what_could_not_be_compared_is_no_leftover() {
    let mut endpoint = row("endpoint/numbers", "digits-dev-numbers", Status::ready("InService"));
    endpoint.not_compared = Some("there is no folder ./serving".to_owned());
    let overview = Overview { rows: vec![endpoint], leftovers: Vec::new(), ..overview() };
    let shown = human(&overview, None, &Styles::plain());
    assert!(
        shown.contains("could not be compared with the config: there is no folder ./serving\n"),
        "{shown}"
    );
    let document = json(&overview, &Scope::new("digits", "dev", "123456789012", "us-east-1"), "SANDBOX");
    assert_eq!(document["resources"][0]["not_compared"], "there is no folder ./serving");
}
