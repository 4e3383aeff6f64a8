//! Generated accounts against their truth.

use opsctl::audit::rules;

use super::generate::{FIXED, archetypes, count, errors, generate};

#[test]
fn everything_planted_is_found_and_no_decoy_is() {
    for size in [count(), count() + 7] {
        let (world, truth) = generate(size);
        let audit = world.audit();
        assert_eq!(audit.summary.roles, size + FIXED);
        let errors = errors(&audit, &truth);
        assert!(errors.is_empty(), "{}", errors.join("\n"));
        assert!(
            !audit.is_incomplete(),
            "{:?}",
            audit.not_evaluated.iter().filter(|n| !n.optional).collect::<Vec<_>>()
        );
    }
}

#[test]
fn the_archetypes_speak_of_known_rules() {
    for rule in archetypes().flat_map(|a| a.must.iter().chain(a.must_not)) {
        assert!(rules::find(rule).is_some(), "{rule}");
    }
}

#[test]
fn one_policy_that_breaks_many_roles_is_one_group() {
    let (world, _) = generate(2 * count());
    let audit = world.audit();
    let group = audit
        .groups()
        .into_iter()
        .find(|g| g.first().rule == "IAM101" && g.first().cause == "AmazonS3FullAccess")
        .expect("a group");
    // In each of two rounds: the one that has nothing else, and the one that also has a policy within it.
    assert_eq!(group.findings.len(), 4);
}
