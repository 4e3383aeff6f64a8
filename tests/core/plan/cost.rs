//! What a plan changes in what is billed, and what there is costs.

use expect_test::expect;
use opsctl::cost::{Cost, Prices, live};
use opsctl::desired::Desired;
use opsctl::domain::Money;
use opsctl::plan::Mode;
use opsctl::report::cost::{self as render, CostLook};
use opsctl::report::style::Styles;
use opsctl::resources::kinds;
use serde_json::json;

use super::world::{Account, DEPLOY, DESTROY, Files, PRUNE};

fn prices() -> Prices {
    let price = |text: &str| text.parse::<Money>().unwrap();
    Prices::given(
        "us-east-1",
        "2026-10-05",
        [
            ("hosting/ml.m5.large", price("0.115")),
            ("hosting/ml.m5.xlarge", price("0.23")),
            ("training/ml.m5.xlarge", price("0.23")),
            ("notebook/ml.t3.xlarge", price("0.2")),
            ("ec2/t2.xlarge", price("0.1856")),
            ("lambda/provisioned-x86_64", price("0.0000041667")),
            ("storage/ml", price("0.14")),
            ("storage/gp3", price("0.08")),
            ("storage/s3", price("0.023")),
        ],
    )
}

#[track_caller]
fn cost(account: &Account, want: &Desired, mode: Mode) -> Cost {
    let (plan, have) = (account.plan(want, mode), account.observe(want));
    Cost::of(&plan, want, &have, &kinds(), prices())
}

/// An account in which the endpoint has so many instances.
fn deployed(want: &Desired, instances: i32) -> Account {
    let mut account = Account::with(want);
    account.seen(want, "endpoint/numbers")["instances"] = json!(instances);
    account
}

fn look(width: Option<usize>) -> CostLook<'static> {
    static STYLES: Styles = Styles::plain();
    CostLook { width, styles: &STYLES, suggest: &str::to_owned }
}

fn page(cost: &Cost, width: Option<usize>) -> String {
    render::human(cost, None, look(width))
}

/// idle = 0.115 × 730 (endpoint) + 2 × 0.125 GB × 3600 × 730 × 0.0000041667 (function) + 10 × 0.14 (the
/// notebook's disk) = 83.95 + 2.7375 + 1.40; at most 4 × 83.95 + 2.7375 + 1.40 + 0.2 × 730.
#[test]
fn a_first_deploy_costs_what_it_makes() {
    let want = Files::new().desired();
    let cost = cost(&Account::default(), &want, DEPLOY);
    expect![[r#"
        Cost on AWS
          prices   opsctl's table of 2026-10-05
          idle     0 → 88 USD a month (0 → 0.1207 an hour)
          at most  0 → 486 USD a month (0 → 0.6657 an hour)
          a run    training/numbers 0.0196 USD for 5m, at most 0.2358 for 1h
          a run    instance/numbers-on-ec2 0.0157 USD for 5m, at most 0.1889 for 1h
          bills    per hour, even when idle, until `opsctl destroy`: endpoint/numbers 0.115 (ml.m5.large, 1–4 instances), function/classify 0.0038 (2 × 128 MB initialized)
          excludes data in and out, logs, requests, what jobs leave in the bucket
    "#]].assert_eq(&page(&cost, None));
    // 485.94, and an hour of each job with its disk: 0.2358 + 0.1889.
    assert_eq!(cost.highest_month().unwrap().fine(), "486.3622");
}

#[test]
fn what_is_destroyed_does_not_end_by_itself() {
    let mut files = Files::new();
    files.edit("[project]", "[project]\nttl = \"8h\"");
    let want = files.desired();
    let ends = |account: &Account, mode| page(&cost(account, &want, mode), None).contains("ends itself 8h");
    assert!(ends(&Account::default(), DEPLOY));
    assert!(!ends(&deployed(&want, 1), DESTROY));
}

#[test]
fn forty_columns_read_well() {
    let want = Files::new().desired();
    let page = page(&cost(&Account::default(), &want, DEPLOY), Some(40));
    expect![[r#"
        Cost on AWS
          prices   opsctl's table of 2026-10-05
          idle     0 → 88 USD a month (0 →
                   0.1207 an hour)
          at most  0 → 486 USD a month (0 →
                   0.6657 an hour)
          a run    training/numbers 0.0196 USD
                   for 5m, at most 0.2358 for 1h
          a run    instance/numbers-on-ec2
                   0.0157 USD for 5m, at most
                   0.1889 for 1h
          bills    per hour, even when idle,
                   until `opsctl destroy`:
                   endpoint/numbers 0.115
                   (ml.m5.large, 1–4 instances),
                   function/classify 0.0038 (2 ×
                   128 MB initialized)
          excludes data in and out, logs,
                   requests, what jobs leave in
                   the bucket
    "#]]
    .assert_eq(&page);
    assert!(page.lines().all(|line| line.chars().count() <= 40), "{page}");
}

#[test]
fn a_change_shows_what_it_was_and_what_it_will_be() {
    let mut files = Files::new();
    let account = deployed(&files.desired(), 1);
    files.edit("max = 4", "max = 6");
    files.edit("instance_type = \"ml.m5.large\"", "instance_type = \"ml.m5.xlarge\"\nwhy = \"p95 of 80 ms\"");
    files.edit("rate = 0.1", "rate = 0.2");
    let want = files.desired();
    let cost = cost(&account, &want, DEPLOY);
    expect![[r#"
        Cost on AWS
          prices   opsctl's table of 2026-10-05
          idle     88 → 172 USD a month (0.1207 → 0.2357 an hour)
          at most  486 → 1,158 USD a month (0.6657 → 1.5857 an hour)
          a run    training/numbers 0.0196 USD for 5m, at most 0.2358 for 1h
          bills    per hour, even when idle, until `opsctl destroy`: endpoint/numbers 0.23 (ml.m5.xlarge, 1–6 instances), function/classify 0.0038 (2 × 128 MB initialized)
          excludes data in and out, logs, requests, what jobs leave in the bucket
          why      endpoint/numbers: p95 of 80 ms
    "#]].assert_eq(&render::human(&cost, Some(&want.reasons), look(None)));
}

#[test]
fn a_reason_changes_no_plan() {
    let mut files = Files::new();
    let account = deployed(&files.desired(), 1);
    files.edit("instance_type = \"ml.m5.large\"", "instance_type = \"ml.m5.large\"\nwhy = \"it is enough\"");
    files.edit("volume_gb = 10", "volume_gb = 10\nwhy = \" \"");
    let want = files.desired();
    assert!(account.plan(&want, DEPLOY).is_empty());
    // One that says nothing is none.
    assert_eq!(want.reasons.into_values().collect::<Vec<_>>(), ["it is enough"]);
}

#[test]
fn what_the_config_lost_costs_until_it_is_pruned() {
    let mut files = Files::new();
    let account = deployed(&files.desired(), 3);
    files.edit("[notebook.lab]\nvolume_gb = 10\n", "");
    let rest = files.text().split_once("[endpoint.numbers]").unwrap().0.to_owned();
    files.rewrite(rest);
    let want = files.desired();
    // Three instances now; autoscaling may take them to 1 and to 4.
    let kept = cost(&account, &want, DEPLOY);
    assert_eq!(kept.after.idle().per_month().fine(), "88.0875");
    assert_eq!(kept.after.now().per_hour().fine(), "0.5507");
    let ended: Vec<_> = kept.after.0.iter().filter(|e| e.idle.runs()).map(|e| e.ended_by.clone()).collect();
    assert_eq!(ended, ["`opsctl deploy --prune`", "`opsctl deploy --prune`"]);
    let pruned = cost(&account, &want, PRUNE);
    assert_eq!((pruned.before.now(), pruned.after.idle().runs()), (kept.before.now(), false));
}

#[test]
fn nothing_costs_after_a_destroy() {
    let want = Files::new().desired();
    let account = deployed(&want, 1);
    let cost = cost(&account, &want, DESTROY);
    assert!(cost.after.idle().is_zero() && cost.after.most().is_zero() && cost.runs.is_empty());
    expect![[r#"
        Cost on AWS
          prices   opsctl's table of 2026-10-05
          idle     88 → 0 USD a month (0.1207 → 0 an hour)
          at most  486 → 0 USD a month (0.6657 → 0 an hour)
    "#]]
    .assert_eq(&page(&cost, None));
}

#[test]
fn what_runs_now_is_told_as_it_is() {
    let want = Files::new().desired();
    let mut account = deployed(&want, 3);
    account.seen(&want, "training/numbers")["status"] =
        json!({ "word": "InProgress", "phase": "busy", "reason": null });
    account.seen(&want, "notebook/lab")["status"] =
        json!({ "word": "Stopped", "phase": "stopped", "reason": null });
    let bill = live(&want, &account.observe(&want), &kinds(), &prices());
    // 3 × 0.115, the function's 0.00375, the training with its disk 0.23575, and the notebook's disk 0.00192.
    assert_eq!(bill.now().per_hour().fine(), "0.5864");
    expect![[r#"
        Cost on AWS
          prices   opsctl's table of 2026-10-05
          now      256 USD a month (0.5864 an hour)
          idle     88 USD a month (0.1207 an hour)
          at most  486 USD a month (0.9014 an hour)
          bills    per hour now, until `opsctl destroy`: endpoint/numbers 0.345 (ml.m5.large, 1–4 instances), function/classify 0.0038 (2 × 128 MB initialized)
          bills    per hour now, until `opsctl stop training/numbers`: training/numbers 0.2358 (1 × ml.m5.xlarge)
          excludes data in and out, logs, requests, what jobs leave in the bucket
    "#]].assert_eq(&render::now(&bill, &prices(), look(None)));
    expect!["0.5864 USD/h now, at most 0.9014; `opsctl destroy` ends it"]
        .assert_eq(&render::short(&bill, false).unwrap());
}

/// Stopped for taking too long, it has cost 0.2358: that is in the budget, once, and no month of it.
#[test]
fn a_job_that_runs_is_in_the_budget() {
    let want = Files::new().desired();
    let mut account = deployed(&want, 1);
    let idle = cost(&account, &want, DEPLOY).highest_month().unwrap();
    account.seen(&want, "training/numbers")["status"] =
        json!({ "word": "InProgress", "phase": "busy", "reason": null });
    let runs = cost(&account, &want, DEPLOY);
    assert_eq!((runs.highest_month().unwrap() - idle).fine(), "0.2358");
    let bill = live(&want, &account.observe(&want), &kinds(), &prices());
    assert!(bill.now().per_hour() <= bill.most().per_hour());
}

/// A command that is copied goes where this one goes, however wide the terminal is.
#[test]
fn commands_are_filled_in_before_lines_are_broken() {
    let want = Files::new().desired();
    let bill = live(&want, &deployed(&want, 1).observe(&want), &kinds(), &prices());
    let suggest = |text: &str| text.replace("`opsctl ", "`opsctl --sandbox -c opsctl.toml ");
    for width in 20..120 {
        let page = render::now(&bill, &prices(), CostLook { suggest: &suggest, ..look(Some(width)) });
        let whole = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            whole.matches("`opsctl").count(),
            whole.matches("`opsctl --sandbox -c opsctl.toml").count()
        );
        assert!(whole.contains("`opsctl --sandbox -c opsctl.toml destroy`"), "{page}");
        // Only what one copies is longer.
        let long = |line: &&str| line.chars().count() > width.max(40);
        let commands = page.lines().filter(long).all(|line| line.trim_start().starts_with("`opsctl "));
        assert!(commands, "{width}\n{page}");
        assert!(page.contains("`opsctl --sandbox -c opsctl.toml destroy`"), "in one line\n{page}");
    }
}

/// Who scales one endpoint sees sums of that endpoint, and that they are no more than that.
#[test]
fn sums_of_a_part_say_so() {
    let want = Files::new().desired();
    let cost = Cost { is_part: true, ..cost(&Account::default(), &want, DEPLOY) };
    assert!(page(&cost, None).starts_with("Cost on AWS of this part of the project\n"));
    let bill = live(&want, &deployed(&want, 1).observe(&want), &kinds(), &prices());
    let short = render::short(&bill, true).unwrap();
    assert!(short.contains(" USD/h now for this part of the project, at most "), "{short}");
}

#[test]
fn what_could_not_be_read_is_in_no_sum_and_every_sum_says_so() {
    let want = Files::new().desired();
    let mut account = deployed(&want, 1);
    account.hide(&want, "endpoint/numbers", "AccessDenied");
    let bill = live(&want, &account.observe(&want), &kinds(), &prices());
    let page = render::now(&bill, &prices(), look(None));
    assert!(page.contains("now      at least 150 USD a month"), "{page}");
    assert!(
        page.contains("unknown  what endpoint/numbers costs (it could not be read); in no sum"),
        "{page}"
    );
    assert!(render::short(&bill, false).unwrap().starts_with("at least 0.2057 USD/h now"), "{page}");
}

#[test]
fn a_run_is_expected_to_take_as_long_as_the_last() {
    let mut files = Files::new();
    let want = files.desired();
    let mut account = deployed(&want, 1);
    account.seen(&want, "training/numbers")["took_s"] = json!(600);
    files.edit("epochs = 5", "epochs = 6");
    let cost = cost(&account, &files.desired(), DEPLOY);
    let run = cost.after.of(&"training/numbers".parse().unwrap()).unwrap().run.clone().unwrap();
    assert_eq!(run.usual_price().unwrap().fine(), "0.0393");
    let line = page(&cost, None).lines().find(|line| line.contains("a run")).unwrap().to_owned();
    assert_eq!(line, "  a run    training/numbers about 0.0393 USD (10m as the last), at most 0.2358 for 1h");
}

#[test]
fn what_has_no_price_is_no_sum_and_no_gate_passes() {
    let mut files = Files::new();
    files.edit("instance_type = \"ml.m5.large\"", "instance_type = \"ml.c5.large\"");
    let cost = cost(&Account::default(), &files.desired(), DEPLOY);
    assert_eq!(cost.highest_month().unwrap_err(), ["price of ml.c5.large for hosting"]);
    assert!(page(&cost, None).contains("unknown  price of ml.c5.large for hosting; in no sum"));
}

/// Tags get lost, and what has lost them bills on: a destroy does not end it, nor what stays for it.
#[test]
fn what_lost_its_tags_has_a_price() {
    let want = Files::new().desired();
    let mut account = deployed(&want, 2);
    let have = account.observe(&want);
    let before = live(&want, &have, &kinds(), &prices());
    for id in ["endpoint/numbers", "autoscaling/numbers"] {
        account.seen(&want, id)["owner"] = json!("nobody");
    }
    let have = account.observe(&want);
    let bill = live(&want, &have, &kinds(), &prices());
    assert_eq!((bill.now(), bill.most()), (before.now(), before.most()));
    let ended_by = |id: &str| &bill.0.iter().find(|it| it.id.to_string() == id).unwrap().ended_by;
    assert_eq!(ended_by("endpoint/numbers"), "`opsctl destroy` when it has its tags again");
    let destroyed = cost(&account, &want, DESTROY);
    assert!(destroyed.after.now().runs());
    // A function that has lost them keeps its endpoint.
    let mut account = deployed(&want, 2);
    account.seen(&want, "function/classify")["owner"] = json!("nobody");
    let bill = live(&want, &account.observe(&want), &kinds(), &prices());
    let endpoint = bill.0.iter().find(|it| it.id.to_string() == "endpoint/numbers").unwrap();
    assert_eq!(endpoint.ended_by, "`opsctl destroy` when function/classify has its tags again, or is gone");
    // What another project has is its own.
    let mut account = deployed(&want, 2);
    account.seen(&want, "endpoint/numbers")["owner"] = json!({ "other": "shop / prod" });
    let bill = live(&want, &account.observe(&want), &kinds(), &prices());
    assert!(bill.0.iter().all(|it| it.id.to_string() != "endpoint/numbers"));
}
