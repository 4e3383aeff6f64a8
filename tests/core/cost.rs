//! Money, the table of prices, and what one resource costs: by numbers that were computed by hand.

use opsctl::cost::{Bill, Estimate, Item, Listed, Prices, Question, Rate};
use opsctl::domain::usage::{Instances, Memory, Purpose, Runs, Storage};
use opsctl::domain::{HumanDuration, Money, ResourceId, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

fn money(text: &str) -> Money {
    text.parse().unwrap()
}

#[test]
fn money_is_exact_and_rounded_only_to_be_shown() {
    let tenth: Money = (0..10).map(|_| money("0.1")).sum();
    assert_eq!(tenth, Money::dollars(1));
    assert_eq!((money("0.0000041667") * 3_600).to_string(), "0.01500012");
    assert_eq!(money("0.14").part(1, 730).to_string(), "0.000191780822");
    let fine = ["0", "0.23", "0.7364", "0.00375003", "12.005", "1234.5"].map(|text| money(text).fine());
    assert_eq!(fine, ["0", "0.23", "0.7364", "0.0038", "12.005", "1,234.50"]);
    let coarse = ["0", "0.004", "0.7", "9.994", "167.9", "12345.5"].map(|text| money(text).coarse());
    assert_eq!(coarse, ["0", "0.00", "0.70", "9.99", "168", "12,346"]);
    for wrong in ["", "-1", "1e3", "$5", "1.", ".5", "0.1234567890123", "1,000", "inf"] {
        assert!(wrong.parse::<Money>().is_err(), "{wrong}");
    }
    assert_eq!(serde_json::to_string(&money("0.23")).unwrap(), "0.23");
    assert_eq!(serde_json::from_str::<Money>("12.5").unwrap(), money("12.5"));
    assert!(serde_json::from_str::<Money>("-3").unwrap_err().to_string().contains("such as 200"));
}

/// Each row can be asked for: none is misspelled, doubled or free.
#[test]
fn the_table_is_read_whole() {
    let text = std::fs::read_to_string("src/cost/data/prices.txt").unwrap();
    let prices = Prices::of("us-east-1");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], format!("d\t{}", prices.date()));
    assert_eq!(prices.rows().count(), lines.len() - 1);
    for (item, price) in prices.rows() {
        assert!(!price.is_zero(), "{item}");
        let item_of = |of: &str| match item.split_once('/').unwrap().0 {
            "hosting" => Item::Instance(Purpose::Hosting, of.to_owned()),
            "training" => Item::Instance(Purpose::Training, of.to_owned()),
            "notebook" => Item::Instance(Purpose::Notebook, of.to_owned()),
            "ec2" => Item::Instance(Purpose::Ec2, of.to_owned()),
            "lambda" => Item::Provisioned { is_arm: of.ends_with("arm64") },
            "storage" => Item::Stored(match of {
                "ml" => Storage::MlVolume,
                "gp3" => Storage::Ebs,
                _ => Storage::S3,
            }),
            other => panic!("nobody asks for {other}"),
        };
        let item_of = item_of(item.split_once('/').unwrap().1);
        assert_eq!((item_of.to_string(), prices.price(&item_of)), (item.to_owned(), Some(price)));
    }
    // As AWS's pages have them.
    let hosting = |of: &str| prices.price(&Item::Instance(Purpose::Hosting, of.to_owned()));
    assert_eq!(hosting("ml.m5.large"), Some(money("0.115")));
    assert_eq!(hosting("ml.nothing.large"), None);
    assert_eq!(Prices::of("eu-west-9").rows().count(), 0);
}

/// The sandbox answers as AWS's price list from a copy.
#[test]
fn the_sandbox_has_the_same_table() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap();
    assert_eq!(read("src/cost/data/prices.txt"), read("src/sandbox/services/pricing/prices.txt"));
}

fn product(region: &str, usage: &str, unit: &str, price: &str) -> Value {
    json!({
        "product": { "attributes": { "regionCode": region, "usagetype": usage } },
        "terms": { "OnDemand": { "a.b": { "priceDimensions": { "a.b.c": {
            "beginRange": "0", "unit": unit, "pricePerUnit": { "USD": price },
        } } } } },
    })
}

/// What the price list says is of others until it is shown to be what was asked for.
#[test]
fn only_what_was_asked_for_is_a_price() {
    let item = Item::Instance(Purpose::Hosting, "ml.m5.large".into());
    let question = Question::of(&item, "eu-central-1");
    assert_eq!(question.service, "AmazonSageMaker");
    let said = |products: &[Value]| question.answered(products).map(|price| price.to_string());
    let right = product("eu-central-1", "EUC1-Host:ml.m5.large", "Hrs", "0.1380000000");
    assert_eq!(said(std::slice::from_ref(&right)).as_deref(), Some("0.138"));
    for wrong in [
        product("eu-west-1", "EUC1-Host:ml.m5.large", "Hrs", "0.138"),
        product("eu-central-1", "EUC1-Train:ml.m5.large", "Hrs", "0.138"),
        product("eu-central-1", "EUC1-AsyncInf-Host:ml.m5.large", "Hrs", "0.138"),
        product("eu-central-1", "EUC1-Host:ml.m5.large", "Quantity", "0.138"),
        product("eu-central-1", "EUC1-Host:ml.m5.large", "Hrs", "0.0000000000"),
        product("eu-central-1", "EUC1-Host:ml.m5.large", "Hrs", "-1"),
        product("eu-central-1", "EUC1-Host:ml.m5.large", "Hrs", "1e999"),
        json!({ "product": 3, "terms": [] }),
        json!(null),
    ] {
        assert_eq!(said(std::slice::from_ref(&wrong)), None, "{wrong}");
        assert_eq!(said(&[wrong.clone(), right.clone()]).as_deref(), Some("0.138"), "{wrong}");
    }
    // Two prices of one thing are none.
    assert_eq!(said(&[right, product("eu-central-1", "EUC1-Host:ml.m5.large", "Hrs", "0.2")]), None);
}

/// Each price says where it is from, and of which day.
#[test]
fn the_price_list_comes_before_the_table() {
    let item = |of: &str| Item::Instance(Purpose::Hosting, of.to_owned());
    let listed = Listed { price: money("0.2"), date: "2026-11-29".into() };
    let prices = Prices::of("us-east-1").with([(item("ml.m5.large"), listed)], None);
    assert_eq!(prices.price(&item("ml.m5.large")), Some(money("0.2")));
    assert_eq!(prices.price(&item("ml.m5.xlarge")), Some(money("0.23")));
    let all = [item("ml.m5.xlarge"), item("ml.m5.large"), item("ml.none")];
    let sources = prices.sources(&all);
    let said: Vec<_> = sources.iter().map(|s| (s.name, s.items.join(" "))).collect();
    let expected =
        [("price-list", "hosting/ml.m5.large".to_owned()), ("table", "hosting/ml.m5.xlarge".to_owned())];
    assert_eq!(said, expected);
    let days = format!("2026-11-29 (AWS's price list) and {} (opsctl's table)", prices.date());
    assert_eq!(prices.days(&sources), days);
}

fn prices() -> Prices {
    Prices::given(
        "us-east-1",
        "2026-10-05",
        [
            ("hosting/ml.m5.large", money("0.115")),
            ("training/ml.m5.xlarge", money("0.23")),
            ("notebook/ml.t3.xlarge", money("0.2")),
            ("ec2/t2.xlarge", money("0.1856")),
            ("lambda/provisioned-x86_64", money("0.0000041667")),
            ("storage/ml", money("0.14")),
            ("storage/gp3", money("0.08")),
            ("storage/s3", money("0.023")),
        ],
    )
}

fn instances(purpose: Purpose, instance_type: &str, count: u64) -> Option<Instances> {
    Some(Instances { purpose, instance_type: instance_type.to_owned(), count })
}

fn estimate(usage: &Usage, usual: Option<HumanDuration>) -> Estimate {
    let id: ResourceId = "endpoint/numbers".parse().unwrap();
    Estimate::of(id, usage, usual, &prices(), "`opsctl destroy`".to_owned())
}

fn shown(rates: [Rate; 3]) -> [String; 3] {
    rates.map(|rate| format!("{} {}", rate.per_hour(), rate.per_month()))
}

#[test]
fn an_endpoint_costs_its_instances_between_its_bounds() {
    let usage = Usage { instances: instances(Purpose::Hosting, "ml.m5.large", 2), ..Usage::default() };
    let of = estimate(&usage, None);
    assert_eq!(shown([of.now, of.idle, of.most]), ["0.23 167.90", "0.23 167.90", "0.23 167.90"]);
    let scaled = usage.and(Usage { scaled: Some((1, 4)), ..Usage::default() });
    let of = estimate(&scaled, None);
    assert_eq!(of.what, "ml.m5.large, 1–4 instances");
    assert_eq!(shown([of.now, of.idle, of.most]), ["0.23 167.90", "0.115 83.95", "0.46 335.80"]);
}

#[test]
fn a_notebook_costs_its_disk_when_it_stopped_itself() {
    let usage = |count, runs| Usage {
        instances: instances(Purpose::Notebook, "ml.t3.xlarge", count),
        stored: vec![(Storage::MlVolume, 10 << 30)],
        runs,
        ..Usage::default()
    };
    let month = |of: &Estimate| [of.now, of.idle, of.most].map(|rate| rate.per_month().to_string());
    assert_eq!(month(&estimate(&usage(1, Runs::UntilIdle), None)), ["147.40", "1.40", "147.40"]);
    // Stopped, it can be started again.
    assert_eq!(month(&estimate(&usage(0, Runs::UntilIdle), None)), ["1.40", "1.40", "147.40"]);
    assert_eq!(month(&estimate(&usage(1, Runs::Always), None)), ["147.40", "147.40", "147.40"]);
}

#[test]
fn a_job_costs_by_the_run_and_nothing_when_it_does_not_run() {
    let (at_most, spot) = (HumanDuration::hours(1), true);
    let usage = Usage {
        instances: instances(Purpose::Training, "ml.m5.xlarge", 2),
        stored: vec![(Storage::MlVolume, 73 << 30)],
        runs: Runs::Once { at_most, spot },
        ..Usage::default()
    };
    let of = estimate(&usage, Some(HumanDuration::minutes(30)));
    // While it runs, an hour is billed as an hour, and a month has no more than the whole run.
    assert_eq!(shown([of.now, of.idle, of.most]), ["0.474 0.474", "0.00 0.00", "0.474 0.474"]);
    let run = of.run.unwrap();
    // 2 × 0.23, and 73 GB at 0.14 / 730 an hour.
    assert_eq!(run.per_hour.to_string(), "0.474");
    assert_eq!(run.usual_price().unwrap().to_string(), "0.237");
    assert_eq!((run.highest_price().to_string(), run.spot), ("0.474".to_owned(), true));
}

#[test]
fn initialized_environments_cost_their_memory() {
    let memory = Some(Memory { mb: 128, is_arm: false });
    let usage = Usage { memory, environments: Some(2), ..Usage::default() };
    assert_eq!(estimate(&usage, None).idle.per_hour().to_string(), "0.00375003");
    let none = Usage { environments: Some(0), ..usage.clone() };
    assert_eq!(estimate(&none, None).idle, Rate::ZERO);
    let without = Usage { environments: None, ..usage };
    assert_eq!(estimate(&without, None).idle, Rate::ZERO);
    // The other processor has no price here, and is not free.
    let arm =
        Usage { memory: Some(Memory { mb: 128, is_arm: true }), environments: Some(1), ..Usage::default() };
    assert_eq!(estimate(&arm, None).unknown, ["price of provisioned concurrency"]);
}

#[test]
fn what_has_no_price_is_named_and_not_free() {
    let usage = Usage { instances: instances(Purpose::Hosting, "ml.m9.large", 1), ..Usage::default() };
    let of = estimate(&usage, None);
    assert_eq!(
        (of.unknown.as_slice(), of.idle),
        (&["price of ml.m9.large for hosting".to_owned()][..], Rate::ZERO)
    );
}

fn usages() -> impl Strategy<Value = Usage> {
    let purpose = prop_oneof![Just(Purpose::Hosting), Just(Purpose::Training), Just(Purpose::Notebook)];
    let kind = prop_oneof![Just("ml.m5.large"), Just("ml.m5.xlarge"), Just("ml.t3.xlarge"), Just("ml.none")];
    let runs = prop_oneof![
        Just(Runs::Always),
        Just(Runs::UntilIdle),
        Just(Runs::Once { at_most: HumanDuration::hours(3), spot: false }),
    ];
    let scaled = proptest::option::of((0_u64..5, 5_u64..9));
    let stored = proptest::collection::vec((Just(Storage::MlVolume), 0_u64..1 << 45), 0..3);
    (purpose, kind, 0_u64..9, runs, scaled, stored, proptest::option::of(0_u64..50)).prop_map(
        |(purpose, kind, count, runs, scaled, stored, environments)| Usage {
            instances: instances(purpose, kind, count),
            runs,
            scaled,
            stored,
            environments,
            memory: Some(Memory { mb: 131, is_arm: false }),
            ..Usage::default()
        },
    )
}

proptest! {
    /// To the last decimal, in any order: nothing is rounded before it is shown.
    #[test]
    fn the_sum_of_the_resources_is_the_total(usages in proptest::collection::vec(usages(), 0..12)) {
        let all: Vec<Estimate> = usages.iter().map(|usage| estimate(usage, None)).collect();
        let month = |all: &[Estimate], of: fn(&Estimate) -> Rate| -> Money {
            all.iter().map(|estimate| of(estimate).per_month()).sum()
        };
        let bill = Bill(all.clone());
        let mut turned = all.clone();
        turned.reverse();
        for of in [|e: &Estimate| e.now, |e: &Estimate| e.idle, |e: &Estimate| e.most] {
            let total: Rate = bill.0.iter().map(of).sum();
            prop_assert_eq!(total.per_month(), month(&all, of));
            prop_assert_eq!(month(&turned, of), month(&all, of));
        }
        prop_assert_eq!(bill.idle().per_month(), month(&all, |e| e.idle));
        for estimate in &all {
            prop_assert!(estimate.idle.per_month() <= estimate.most.per_month());
        }
    }
}
