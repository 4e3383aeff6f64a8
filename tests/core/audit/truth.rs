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
fn rules_are_told_apart_and_explained() {
    let rules: Vec<_> = rules::all().collect();
    for (i, rule) in rules.iter().enumerate() {
        let same = rules[..i].iter().find(|other| other.id == rule.id || other.slug == rule.slug);
        assert!(same.is_none(), "{}", rule.id);
        for text in [rule.title, rule.what, rule.why, rule.fix] {
            assert!(!text.is_empty(), "{}", rule.id);
        }
        assert!(rule.page.starts_with("https://docs.aws.amazon.com/"), "{}", rule.id);
    }
    assert!(rules.is_sorted_by_key(|rule| rule.id));
    assert_eq!(rules::find("full-access-policy").map(|rule| rule.id), Some("IAM101"));
}

/// By an archetype, or by a test of its own in this folder.
#[test]
fn every_rule_is_planted_or_has_its_own_test() {
    let planted: Vec<&str> = archetypes().flat_map(|a| a.must).copied().collect();
    let folders = ["tests/core/audit", "tests/core/audit/cases"];
    let tests: String = folders
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        // What UPDATE_EXPECT writes is no test of anybody's.
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let untried: Vec<&str> =
        rules::all().map(|rule| rule.id).filter(|id| !planted.contains(id) && !tests.contains(id)).collect();
    assert_eq!(untried, Vec::<&str>::new());
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
