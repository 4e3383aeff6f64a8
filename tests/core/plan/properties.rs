//! What holds for every project, not only for the one beside: made by chance, see [`recipe`](super::recipe).

use opsctl::desired::Desired;
use opsctl::domain::{KindName, Verb};
use opsctl::plan::{Mode, Plan};
use opsctl::resources::kinds;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::RngSeed;
use serde_json::json;
use std::collections::BTreeSet;

use super::keys::{Key, TABLES};
use super::recipe::{ELSEWHERE, Recipe, any_recipe, elsewhere, keys};
use super::world::{Account, DEPLOY, DESTROY, PRUNE, shown};

/// What may have happened to a resource behind our back.
#[derive(Clone, Copy, Debug)]
pub enum Drift {
    Gone,
    Failed,
    Busy,
    Leaving,
    OutputGone,
    ArchiveGone,
    Changed,
}

pub fn any_drift() -> impl Strategy<Value = Vec<(Index, Drift)>> {
    use Drift::*;
    let what = prop::sample::select(&[Gone, Failed, Busy, Leaving, OutputGone, ArchiveGone, Changed][..]);
    prop::collection::vec((any::<Index>(), what), 0..4)
}

/// Whether AWS takes its time for it, and tells in which state it is. Whatever else is there is ready.
fn has_status(kind: KindName) -> bool {
    let kind = kinds().into_iter().find(|known| known.name() == kind).unwrap();
    kind.usual(Verb::Create).is_some_and(|usual| usual.as_secs() > 2)
}

/// Lets it happen, where it can.
pub fn befall(account: &mut Account, want: &Desired, drift: &[(Index, Drift)]) {
    for (which, drift) in drift {
        let id = &which.get(&want.nodes).id;
        let (kind, id) = (id.kind, id.to_string());
        if !account.has(want, &id) {
            continue;
        }
        let seen = account.seen(want, &id);
        let is = |word: &str, phase: &str| json!({ "word": word, "phase": phase, "reason": "a reason" });
        let mut set = |field: &str, value| {
            if let Some(place) = seen.get_mut(field) {
                *place = value;
            }
        };
        match drift {
            Drift::Failed | Drift::Busy | Drift::Leaving if !has_status(kind) => {}
            Drift::Gone => account.remove(want, &id),
            Drift::Failed => set("status", is("Failed", "failed")),
            Drift::Busy => set("status", is("Creating", "busy")),
            Drift::Leaving => set("status", is("Deleting", "leaving")),
            Drift::OutputGone => set("output", json!(false)),
            Drift::ArchiveGone => set("archive", json!(false)),
            Drift::Changed => {
                for (field, value) in [
                    ("retention_days", json!(1)),
                    ("min", json!(0)),
                    ("versioning", json!(false)),
                    ("requested", json!(7)),
                    ("trust", json!({})),
                    ("weighted", json!(true)),
                    ("attached", json!(false)),
                    ("digest", json!("")),
                ] {
                    if field != "attached" || id.starts_with("notebook") {
                        set(field, value);
                    }
                }
            }
        }
    }
}

/// Some of the steps, each after those that it waits for, in an order made by chance.
fn some_in_order(plan: &Plan, dice: &[Index], count: Index) -> Vec<usize> {
    let (mut done, mut order) = (BTreeSet::new(), Vec::new());
    for roll in dice.iter().take(count.index(plan.steps.len() + 1)) {
        let ready: Vec<usize> = plan
            .steps
            .iter()
            .filter(|step| !done.contains(&step.id) && step.after.is_subset(&done))
            .map(|step| step.id)
            .collect();
        let next = *roll.get(&ready);
        done.insert(next);
        order.push(next);
    }
    order
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(&[DEPLOY, PRUNE][..])
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests asks for more of them")]
/// A few, always the same; as many others as PROPTEST_CASES says.
pub fn sample(cases: u32) -> ProptestConfig {
    let usual = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => usual,
        None => ProptestConfig { cases, rng_seed: RngSeed::Fixed(9), ..usual },
    }
}

proptest! {
    #![proptest_config(sample(16))]

    /// From any project to any other, whatever happened between: what was planned is all there was to do. The
    /// account refuses steps that come too early; [`Account::deploy`] plans again.
    #[test]
    fn a_plan_that_was_done_leaves_nothing_to_plan(
        recipes in prop::collection::vec((any_recipe(), any_mode(), any_drift()), 1..4)
    ) {
        let mut account = Account::default();
        for (recipe, mode, drift) in recipes {
            let want = recipe.desired();
            account.deploy(&want, mode);
            befall(&mut account, &want, &drift);
            account.deploy(&want, mode);
            if mode == PRUNE {
                prop_assert!(account.observe(&want).leftovers.is_empty());
            }
        }
        let nothing = Recipe::nothing().desired();
        account.deploy(&nothing, DESTROY);
        prop_assert!(account.is_empty());
    }

    /// Broken off anywhere, in any order that the plan allows, and run again: as if nothing had been.
    #[test]
    fn what_was_broken_off_ends_the_same(
        (before, after) in (any_recipe(), any_recipe()),
        (mode, drift) in (any_mode(), any_drift()),
        (dice, count) in (prop::collection::vec(any::<Index>(), 128), any::<Index>()),
    ) {
        let (before, after) = (before.desired(), after.desired());
        let mut account = Account::with(&before);
        befall(&mut account, &before, &drift);
        let mut undisturbed = account.clone();
        undisturbed.deploy(&after, mode);
        let plan = account.plan(&after, mode);
        account.apply_some(&plan, &after, &some_in_order(&plan, &dice, count));
        account.deploy(&after, mode);
        prop_assert_eq!(account.inventory(), undisturbed.inventory());
        account.deploy(&after, DESTROY);
        prop_assert!(account.is_empty());
    }

    /// One leaf: its own resources and those that have them in them, each by the right verb, and no other.
    #[test]
    fn an_edit_of_one_leaf_plans_exactly_its_dependents(
        recipe in any_recipe(),
        which in prop::collection::vec(any::<Index>(), 8),
    ) {
        let account = Account::with(&recipe.desired());
        let edits = recipe.edits();
        for edit in which.iter().map(|which| which.get(&edits)) {
            let want = edit.after.desired();
            let plan = account.plan(&want, DEPLOY);
            let steps = plan.steps.iter().map(|s| format!("{} {}", s.op.verb().as_str(), s.target));
            let steps: BTreeSet<_> = steps.collect();
            prop_assert_eq!(steps, edit.steps(&want), "{}\n{}", edit.what, shown(&plan));
        }
    }
}

/// A new key is found by chance too, or [`ELSEWHERE`] says why not.
#[test]
fn recipes_have_every_key_of_the_schema() {
    let known = keys();
    let all: Vec<&Key> = TABLES.iter().flat_map(|(_, keys)| keys).collect();
    let name = |key: &Key| format!("{}.{}", key.table, key.key);
    let missing = all.iter().filter(|key| !known.contains(&name(key)) && elsewhere(key).is_none());
    let missing: Vec<String> = missing.map(|key| name(key)).collect();
    assert_eq!(missing, Vec::<String>::new(), "nothing tells their values: say them in KNOWN of recipe.rs");
    let both = all.iter().filter(|key| known.contains(&name(key))).filter_map(|key| elsewhere(key));
    assert_eq!(both.collect::<Vec<_>>(), Vec::<&str>::new(), "recipes have them: they are not elsewhere");
    let gone = known.iter().filter(|known| all.iter().all(|key| name(key) != **known));
    assert_eq!(gone.collect::<Vec<_>>(), Vec::<&String>::new());
    let held: BTreeSet<&str> = all.iter().filter_map(|key| elsewhere(key)).collect();
    let gone = ELSEWHERE.iter().filter(|(key, _)| !held.contains(key));
    assert_eq!(gone.collect::<Vec<_>>(), Vec::<&(&str, &str)>::new(), "no key is called so");
}
