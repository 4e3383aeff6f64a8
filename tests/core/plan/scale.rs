//! `scale` as a mode of the planner: what it changes, what it keeps, and whose numbers win.

use opsctl::desired::Desired;
use opsctl::domain::Scale;
use opsctl::plan::{self, Mode, Plan};
use opsctl::resources::kinds;
use serde_json::json;

use super::world::{Account, Files};

const NOTHING: Scale = Scale { min: None, max: None, target: None, provisioned_concurrency: None };

fn to_scale(want: &Desired, names: &[&str], to: Scale) -> Result<Desired, String> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    want.to_scale(&kinds(), &names, &to).map_err(|problem| format!("{}: {}", problem.code, problem.message))
}

/// The steps as `verb target: reasons`.
#[track_caller]
fn steps(account: &Account, want: &Desired, to: Scale) -> Vec<String> {
    let want = to_scale(want, &[], to).unwrap();
    let plan = account.plan(&want, Mode::Scale(to));
    let line = |s: &opsctl::plan::Step| format!("{:?} {}: {}", s.op.verb(), s.target, s.why.join("; "));
    plan.steps.iter().map(line).collect()
}

/// A plan that says less than it keeps, or touches more than it scales, is not sound.
#[test]
fn the_checker_knows_what_scaling_may_do() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    let to = Scale { max: Some(6), ..NOTHING };
    let parts = to_scale(&want, &[], to).unwrap();
    let have = account.observe(&parts);
    let good = account.plan(&parts, Mode::Scale(to));
    let check = |plan: &Plan| plan::check::check(plan, &parts, &have, &kinds(), Mode::Scale(to));
    assert_eq!(check(&good), [] as [&str; 0]);
    let mut silent = good.clone();
    silent.steps[0].why.pop();
    assert_eq!(check(&silent), ["the plan does not say what autoscaling/numbers keeps"]);
    account.seen(&want, "autoscaling/numbers")["min"] = json!(3);
    let other = account.plan(&parts, Mode::Scale(to));
    assert!(!check(&other).is_empty(), "numbers of another moment");
    let whole = account.plan(&want, Mode::Destroy { adopted: false });
    assert!(!check(&whole).is_empty(), "more than what is scaled");
}

/// Scaling carries no tags: whose endpoint it is decides.
#[test]
fn what_stands_on_something_foreign_is_not_scaled() {
    let want = Files::new().desired();
    for owner in [json!("nobody"), json!({ "other": "shop/prod" })] {
        let mut account = Account::with(&want);
        account.seen(&want, "endpoint/numbers")["owner"] = owner;
        let to = Scale { max: Some(9), ..NOTHING };
        let said = account.refused(&to_scale(&want, &[], to).unwrap(), Mode::Scale(to));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with(
                "E203: endpoint `shop-dev-numbers` exists and is not this project's by its tags"
            ),
            "{said:?}"
        );
    }
}

/// Traffic, or somebody at the console, may have moved what the config says: it stays where it is, and the
/// plan says so.
#[test]
fn what_is_not_given_stays_as_it_is_and_is_named() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "autoscaling/numbers")["max"] = json!(8);
    account.seen(&want, "autoscaling/numbers")["policy"]["scale_in_cooldown_s"] = json!(300);
    assert_eq!(
        steps(&account, &want, Scale { min: Some(2), ..NOTHING }),
        ["Update autoscaling/numbers: min: 1 -> 2; \
          max kept at 8, target kept at 600, scale_in_cooldown kept at 5m (live)"]
    );
    let both = Scale { max: Some(6), target: Some(20.0), provisioned_concurrency: Some(3), ..NOTHING };
    assert_eq!(
        steps(&account, &want, both),
        [
            "Update autoscaling/numbers: max: 8 -> 6; target: 600 -> 20; \
             min kept at 1, scale_in_cooldown kept at 5m (live)",
            "Update concurrency/classify: provisioned_concurrency: 2 -> 3",
        ]
    );
    // What is so already is no step.
    assert_eq!(steps(&account, &want, Scale { max: Some(8), ..NOTHING }), [] as [&str; 0]);
    // Without a number the config has the last word.
    assert_eq!(
        steps(&account, &want, NOTHING),
        ["Update autoscaling/numbers: max: 8 -> 4; scale_in_cooldown: 5m -> 30s"]
    );
}

#[test]
fn what_the_config_does_not_scale_needs_all_numbers() {
    let mut files = Files::new();
    files.edit(
        "[endpoint.numbers.autoscaling]\nmin = 1\nmax = 4\ntarget_invocations_per_instance = 600\n",
        "",
    );
    files.edit("provisioned_concurrency = 2\n", "provisioned_concurrency = 0\n");
    let want = files.desired();
    let account = Account::with(&want);
    let half = to_scale(&want, &[], Scale { max: Some(3), ..NOTHING });
    assert_eq!(half.unwrap_err(), "U303: nothing is scaled in the config");
    let help = |to: Scale| want.to_scale(&kinds(), &[], &to).unwrap_err().help;
    assert!(help(Scale { min: Some(1), max: Some(3), ..NOTHING }).starts_with("give --target too, or add ["));
    assert!(help(Scale { target: Some(9.0), ..NOTHING }).starts_with("give --min and --max too"));
    let nothing = "add [endpoint.NAME.autoscaling] or [function.NAME], or give --min, --max and --target";
    assert_eq!(help(NOTHING), nothing);
    let all = Scale { min: Some(1), max: Some(3), target: Some(9.0), provisioned_concurrency: Some(1) };
    assert_eq!(
        steps(&account, &want, all),
        ["Create autoscaling/numbers: not there yet", "Create concurrency/classify: not there yet"]
    );
    let wrong = to_scale(&want, &["numbers"], Scale { min: Some(5), ..all });
    assert!(wrong.unwrap_err().contains("`min` (5) is above `max` (3)"));
    let unknown = to_scale(&want, &["numbers", "nobody"], all);
    assert!(unknown.unwrap_err().contains("there is no endpoint or function `nobody`"));
}

#[test]
fn only_what_is_deployed_is_scaled_and_numbers_must_fit_what_lives() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    let refused = |account: &Account, to: Scale| {
        let parts = to_scale(&want, &[], to).unwrap();
        account.refused(&parts, Mode::Scale(to))
    };
    let more = refused(&account, Scale { min: Some(9), ..NOTHING });
    assert!(more[0].contains("`min` (9) is above `max` (4)"), "{more:?}");
    let none = refused(&account, Scale { provisioned_concurrency: Some(0), ..NOTHING });
    assert!(none[0].contains("`provisioned_concurrency` is 0, which Lambda does not take"), "{none:?}");
    // As the file is refused too: by AWS's model, and by what its pages say.
    let zero = refused(&account, Scale { min: Some(0), ..NOTHING });
    assert!(zero[0].contains("`min` is 0, which Application Auto Scaling does not take"), "{zero:?}");
    for target in [0.0, f64::NAN] {
        let none = refused(&account, Scale { target: Some(target), ..NOTHING });
        assert!(none[0].contains("the target must be above zero"), "{none:?}");
    }
    account.hide(&want, "autoscaling/numbers", "no");
    let hidden = refused(&account, Scale { min: Some(2), ..NOTHING });
    assert!(hidden[0].contains("autoscaling/numbers could not be read: no"), "{hidden:?}");
    account.remove(&want, "endpoint/numbers");
    let gone = refused(&account, Scale { min: Some(2), ..NOTHING });
    assert!(gone[0].contains("endpoint/numbers is not deployed yet"), "{gone:?}");
}
