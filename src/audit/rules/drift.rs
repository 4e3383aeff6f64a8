//! 7xx: whether the roles that opsctl keeps are what the configuration says.

use crate::audit::role_view::RoleView;
use std::collections::{BTreeMap, BTreeSet};

use super::rule::{Check, Context, Hit, Rule};
use crate::audit::account::{InlinePolicy, Role};
use crate::audit::expected::ExpectedRole;
use crate::audit::finding::Severity;
use crate::domain::many;
use opsctl_iam::effective::Effective;
use opsctl_iam::grant::shorten;
use opsctl_iam::policy::{Document, Policy};

const DRIFT: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_manage-edit.html";
const TAGS: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags_roles.html";

/// The rules of the family. Not evaluated without a configuration.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM701",
        slug: "drift-changed",
        severity: Severity::Medium,
        title: "The role is not what the configuration says",
        what: "Trust, policies, boundary, session or tags were changed outside opsctl.",
        why: "What was reviewed is not what is in force.",
        fix: "Run `opsctl deploy` to put it right, or change the configuration.",
        page: DRIFT,
        check: Check::Role(changed),
    },
    Rule {
        id: "IAM702",
        slug: "drift-missing",
        severity: Severity::Medium,
        title: "A role of the configuration does not exist",
        what: "The configuration names a role that the account does not have.",
        why: "What runs with it fails.",
        fix: "Run `opsctl deploy`.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create.html",
        check: Check::Account(missing),
    },
    Rule {
        id: "IAM703",
        slug: "drift-extra-grant",
        severity: Severity::High,
        title: "The role may do more than the configuration says",
        what: "The effective permissions grew: the actions are listed.",
        why: "Somebody or something gave a deployed workload rights that nobody reviewed.",
        fix: "Run `opsctl deploy` to take them away, and find out who added them.",
        page: DRIFT,
        check: Check::Role(extra_grant),
    },
    Rule {
        id: "IAM704",
        slug: "claims-opsctl",
        severity: Severity::Medium,
        title: "A role carries opsctl's tag and is not in the configuration",
        what: "The role is marked as this project's, and nothing in the configuration makes it.",
        why: "It was copied, or made by another configuration; nobody here keeps it.",
        fix: "Remove the tag or the role.",
        page: TAGS,
        check: Check::Role(claims),
    },
    Rule {
        id: "IAM705",
        slug: "orphaned",
        severity: Severity::Medium,
        title: "A role was left over when its resource went",
        what: "The role is marked as this project's, is not in the configuration, and is not used any more.",
        why: "Its rights remain, and nothing needs them.",
        fix: "Run `opsctl destroy` for it, or delete it.",
        page: TAGS,
        check: Check::Role(orphaned),
    },
];

/// What the configuration says of a role; notes once that there is none.
fn expected<'a>(cx: &Context<'a>, role: &Role, rule: &'static str) -> Option<&'a ExpectedRole> {
    let Some(expected) = &cx.settings.expected else {
        cx.without_data(rule, "", "no configuration to compare with");
        return None;
    };
    expected.roles.get(&role.name)
}

fn differs(seen: &Document, want: &Policy) -> bool {
    seen.policy().is_none_or(|seen| seen.canonical() != want.canonical())
}

fn changed(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let want = expected(cx, view.role, "IAM701")?;
    let role = view.role;
    let mut facts = Vec::new();
    if want.trust.as_ref().is_some_and(|trust| differs(&role.trust, trust)) {
        facts.push("the trust policy was changed".to_owned());
    }
    let seen: BTreeMap<&str, &InlinePolicy> =
        role.inline.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    for (name, policy) in &want.inline {
        match seen.get(name.as_str()) {
            None => facts.push(format!("inline policy {name} is gone")),
            Some(seen) if differs(&seen.document, policy) => {
                facts.push(format!("inline policy {name} was changed"))
            }
            Some(_) => {}
        }
    }
    facts.extend(
        seen.keys()
            .filter(|name| !want.inline.contains_key(**name))
            .map(|name| format!("inline policy {name} was added")),
    );
    let attached: BTreeSet<&str> = role.attached.iter().map(|policy| policy.arn.as_str()).collect();
    facts.extend(
        want.attached
            .iter()
            .filter(|arn| !attached.contains(arn.as_str()))
            .map(|arn| format!("{arn} was detached")),
    );
    facts.extend(
        attached.iter().filter(|arn| !want.attached.contains(**arn)).map(|arn| format!("{arn} was attached")),
    );
    let boundary = role.permissions_boundary.as_ref().map(|boundary| &boundary.arn);
    if boundary != want.boundary.as_ref() {
        facts.push(format!("the boundary is {}", boundary.map_or("none", String::as_str)));
    }
    if let (Some(want), Some(seen)) = (want.max_session_duration, role.max_session_duration)
        && want != seen
    {
        facts.push(format!("sessions may last {seen} s, not {want} s"));
    }
    let wrong = want.tags.iter().filter(|(key, value)| role.tag(key) != Some(value));
    facts.extend(
        wrong.map(|(key, value)| {
            format!("the tag {key} is {}, not {value}", role.tag(key).unwrap_or("missing"))
        }),
    );
    (!facts.is_empty()).then(|| Hit::new(facts.join("; "), facts))
}

fn missing(cx: &Context<'_>) -> Vec<Hit> {
    let Some(expected) = &cx.settings.expected else {
        cx.without_data("IAM702", "", "no configuration to compare with");
        return Vec::new();
    };
    let seen: BTreeSet<&str> = cx.account.roles.iter().map(|role| role.name.as_str()).collect();
    let missing = expected.roles.keys().filter(|name| !seen.contains(name.as_str()));
    missing
        .map(|name| {
            let arn = cx.account.iam_arn(&format!("role/{name}"));
            Hit::new("missing", vec![format!("the role {name} does not exist")]).on(arn)
        })
        .collect()
}

fn extra_grant(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let want = expected(cx, view.role, "IAM703")?;
    let inline = want.inline.iter().map(|(name, policy)| InlinePolicy {
        name: name.clone(),
        document: Document::Parsed(policy.clone()),
    });
    let attached = want
        .attached
        .iter()
        .map(|arn| crate::audit::account::Attachment { name: String::new(), arn: arn.clone() });
    let boundary = want.boundary.clone().map(|arn| crate::audit::account::Boundary { arn });
    let intended = Role {
        inline: inline.collect(),
        attached: attached.collect(),
        permissions_boundary: boundary,
        ..Role::default()
    };
    let intended = cx.engine.role(&intended);
    let held = |effective: &Effective| {
        let mut all = effective.some.clone();
        all.union(&effective.held);
        all
    };
    let mut more = held(&view.effective);
    more.subtract(&held(&intended));
    let mut evidence = Vec::new();
    let mut names: Vec<String> = more.iter().map(|id| cx.catalogue.name(id).to_owned()).collect();
    if !names.is_empty() {
        evidence.push(format!("{} more than configured: {}", many(names.len(), "action"), shorten(&names)));
    }
    // The same actions on more resources, or under fewer conditions: statements that no configured one
    // covers.
    let beyond = view.effective.allows.iter().filter(|seen| {
        let mut within = held(&view.effective);
        within.intersect(&seen.grant.actions);
        !within.is_empty() && !intended.allows.iter().any(|wanted| wanted.grant.covers(&seen.grant))
    });
    for seen in beyond {
        let actions = seen.grant.statement.actions.patterns();
        names.extend(actions.iter().filter(|_| more.is_empty()).cloned());
        evidence
            .push(format!("not configured: {}", seen.evidence(actions.first().map_or("", String::as_str))));
    }
    // A Deny or a boundary that went gives actions back without any statement that grew.
    names.sort();
    names.dedup();
    (!evidence.is_empty()).then(|| Hit::new(shorten(&names), evidence))
}

/// Whether the role carries this project's tag and is nothing that the configuration makes.
fn is_unknown_claim(cx: &Context<'_>, role: &Role) -> Option<bool> {
    let expected = cx.settings.expected.as_ref().filter(|expected| !expected.claim.is_empty())?;
    let claims = expected.claim.iter().all(|(key, value)| role.tag(key) == Some(value.as_str()));
    Some(claims && !expected.roles.contains_key(&role.name))
}

fn is_idle(cx: &Context<'_>, role: &Role) -> bool {
    let used = role.last_used.as_ref().and_then(|used| used.date);
    used.is_none_or(|day| day.days_until(cx.settings.now) > cx.settings.stale_after_days)
}

fn claims(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    (is_unknown_claim(cx, view.role)? && !is_idle(cx, view.role)).then(|| {
        Hit::new("claim", vec!["tagged as this project's, in use, and not in the configuration".into()])
    })
}

fn orphaned(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    (is_unknown_claim(cx, view.role)? && is_idle(cx, view.role)).then(|| {
        Hit::new("orphan", vec!["tagged as this project's, not used, and not in the configuration".into()])
    })
}
