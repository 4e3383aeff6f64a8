//! 5xx: how roles and policies are kept.

use crate::audit::role_view::{RoleKind, RoleView};
use std::collections::HashMap;
use std::sync::Arc;

use super::rule::{BOUNDARIES, Check, Context, Hit, Rule};
use super::trust::foreign;
use crate::audit::account::{ManagedPolicy, PolicyVersion, is_aws_owned};
use crate::audit::finding::Severity;
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, has_admin_kernel, is_admin};
use opsctl_iam::grant::Grant;
use opsctl_iam::policy::Document;

const POLICIES: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-vs-inline.html";
const VERSIONS: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html";
const LIMITS: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html";

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM501",
        slug: "policy-unused",
        severity: Severity::Low,
        title: "A policy that nobody uses",
        what: "A customer managed policy is attached to nothing and is nobody's boundary, and is past the grace period.",
        why: "It waits to be attached by mistake, and hides what is in force.",
        fix: "Delete it, its older versions first.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_manage-delete.html",
        check: Check::Account(policy_unused),
    },
    Rule {
        id: "IAM502",
        slug: "no-boundary",
        severity: Severity::Low,
        title: "A role without a permissions boundary",
        what: "The settings ask for a boundary on every role, and this one has none.",
        why: "Nothing limits what a later policy may add.",
        fix: "Attach the account's boundary.",
        page: BOUNDARIES,
        check: Check::Role(no_boundary),
    },
    Rule {
        id: "IAM503",
        slug: "boundary-ineffective",
        severity: Severity::Medium,
        title: "A boundary that bounds nothing",
        what: "The boundary allows everything, or enough of IAM to become an administrator.",
        why: "It looks like a wall and is none.",
        fix: "Tighten it, and deny in it the editing of boundaries.",
        page: BOUNDARIES,
        check: Check::Role(boundary_ineffective),
    },
    Rule {
        id: "IAM504",
        slug: "boundary-missing",
        severity: Severity::High,
        title: "The boundary's policy is nowhere to be found",
        what: "The role names a boundary whose document is not in the account's data.",
        why: "What the role may do is unknown.",
        fix: "Restore the policy, or detach the boundary.",
        page: BOUNDARIES,
        check: Check::Role(boundary_missing),
    },
    Rule {
        id: "IAM505",
        slug: "long-session",
        severity: Severity::Medium,
        title: "Long sessions on a powerful or foreign role",
        what: "Sessions may last more than four hours, on a role that leads to an administrator or that a foreign account may assume.",
        why: "A stolen session works until it ends.",
        fix: "Set the maximum session duration to one hour, four at most.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-settings.html",
        check: Check::Role(long_session),
    },
    Rule {
        id: "IAM506",
        slug: "inline-policy",
        severity: Severity::Info,
        title: "Inline policies",
        what: "The role carries policies of its own, on a role that no tool is known to have made.",
        why: "They have no versions, are not reused, and are easily overlooked.",
        fix: "Move what several roles share to a managed policy.",
        page: POLICIES,
        check: Check::Role(inline_policy),
    },
    Rule {
        id: "IAM507",
        slug: "near-limits",
        severity: Severity::Info,
        title: "Near a quota of IAM",
        what: "At least 90 % of a quota is used: 10 attached policies, 10,240 characters of inline policies, 6,144 characters of a managed policy, 1,000 roles, 1,500 customer policies.",
        why: "The next deployment fails.",
        fix: "Merge policies, delete unused roles, or ask for a higher quota.",
        page: LIMITS,
        check: Check::Account(near_limits),
    },
    Rule {
        id: "IAM508",
        slug: "owner-tag",
        severity: Severity::Info,
        title: "A required tag is missing",
        what: "The settings name tags that every role carries; this one lacks some.",
        why: "Nobody can be asked whether the role is still needed.",
        fix: "Tag the role.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html",
        check: Check::Role(owner_tag),
    },
    Rule {
        id: "IAM509",
        slug: "duplicate",
        severity: Severity::Info,
        title: "The same policy twice",
        what: "Several customer managed policies have the same statements, or a role holds a policy that another of its policies contains.",
        why: "One will be changed and the other forgotten; and taking one away changes nothing.",
        fix: "Keep one.",
        page: POLICIES,
        check: Check::Account(duplicates),
    },
    Rule {
        id: "IAM510",
        slug: "deprecated-aws-policy",
        severity: Severity::Low,
        title: "A policy that AWS has withdrawn",
        what: "An attached AWS managed policy is older than the catalogue and no longer in it.",
        why: "AWS does not maintain it; once detached it cannot be attached again.",
        fix: "Move to the successor that AWS names.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-deprecated.html",
        check: Check::Role(deprecated),
    },
    Rule {
        id: "IAM511",
        slug: "newer-version-not-default",
        severity: Severity::Info,
        title: "Versions of a policy that are not in force",
        what: "A newer version is not the default, all five versions are kept, or a version that is not in force makes an administrator.",
        why: "iam:SetDefaultPolicyVersion puts any of them in force in one call.",
        fix: "Delete the versions that are not needed.",
        page: VERSIONS,
        check: Check::Account(versions),
    },
];

fn customer_policies<'a>(cx: &'a Context<'_>) -> impl Iterator<Item = &'a ManagedPolicy> {
    cx.account.policies.iter().filter(|policy| !policy.is_aws_owned())
}

/// What a document gives on all resources, for those who hold it alone.
fn open_set(grants: &[Grant]) -> ActionSet {
    let mut open = ActionSet::default();
    grants
        .iter()
        .filter(|g| g.statement.allow && g.restriction.is_open())
        .for_each(|g| open.union(&g.unlimited));
    let denies = grants.iter().filter(|g| !g.statement.allow && g.statement.conditions.is_empty());
    denies.for_each(|g| open.subtract(&g.unlimited));
    open
}

fn makes_admin(cx: &Context<'_>, document: &Document) -> bool {
    cx.engine.compile(document).is_some_and(|grants| is_admin(&open_set(&grants), cx.catalogue))
}

fn policy_unused(cx: &Context<'_>) -> Vec<Hit> {
    let bounds = |arn: &str| {
        let roles = cx.account.roles.iter().filter_map(|role| role.permissions_boundary.as_ref());
        roles
            .chain(cx.account.users.iter().filter_map(|user| user.permissions_boundary.as_ref()))
            .any(|b| b.arn == arn)
    };
    customer_policies(cx)
        .filter(|policy| policy.attachment_count == Some(0) && policy.boundary_count.unwrap_or(0) == 0)
        .filter(|policy| {
            policy
                .create_date
                .is_some_and(|created| created.days_until(cx.settings.now) > cx.settings.grace_days)
        })
        .filter(|policy| !bounds(&policy.arn))
        .map(|policy| {
            let admin = policy.default_document().is_some_and(|document| makes_admin(cx, document));
            let mut evidence = vec!["attached to nothing, and nobody's boundary".to_owned()];
            if admin {
                evidence.push("whoever gets it is an administrator".into());
            }
            Hit::new("unused", evidence).on(&*policy.arn).severity(if admin {
                Severity::Medium
            } else {
                Severity::Low
            })
        })
        .collect()
}

fn no_boundary(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let alters = ["iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"];
    let delegates = || {
        alters.iter().any(|name| cx.catalogue.find(name).is_some_and(|id| view.effective.open.contains(id)))
    };
    (cx.settings.require_boundary && matches!(view.effective.ceiling, Ceiling::None)).then(|| {
        let hit = Hit::new("no boundary", vec!["the role has no permissions boundary".into()]);
        if delegates() { hit.severity(Severity::Medium) } else { hit }
    })
}

fn boundary_ineffective(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let Ceiling::Known { source, grants } = &view.effective.ceiling else { return None };
    let open = open_set(grants);
    let fact = if open.len() == cx.catalogue.len() {
        "allows everything"
    } else if has_admin_kernel(&open, cx.catalogue) {
        "allows enough of IAM to become an administrator"
    } else if !is_aws_owned(&source.arn)
        && view.effective.decide("iam:CreatePolicyVersion", &source.arn) == Decision::Allowed
    {
        "can be rewritten by the role itself"
    } else {
        return None;
    };
    Some(Hit::new(&*source.arn, vec![format!("boundary {} {fact}", source.name)]))
}

fn boundary_missing(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let Ceiling::Missing { arn } = &view.effective.ceiling else { return None };
    Some(Hit::new(&**arn, vec![format!("no document of {arn}")]))
}

fn long_session(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    const FOUR_HOURS: u32 = 4 * 3600;
    let is_foreign = view.admissions.iter().any(|a| !foreign(cx, a).is_empty());
    if !is_foreign && !cx.is_privileged(view) {
        return None;
    }
    let Some(seconds) = view.role.max_session_duration else {
        if cx.account.problems.iter().any(|problem| problem.rule == "IAM505") {
            return None;
        }
        cx.without_data(
            "IAM505",
            &view.role.arn,
            "the data does not include MaxSessionDuration (ListRoles does)",
        );
        return None;
    };
    (seconds > FOUR_HOURS)
        .then(|| Hit::new("session", vec![format!("sessions may last {} hours", seconds / 3600)]))
}

fn inline_policy(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    // A role that nobody may assume, and that has no id, stands for a policy file: where that goes is open.
    let trusts_nobody = view.role.trust.policy().is_some_and(|policy| policy.statements.is_empty());
    if trusts_nobody && view.role.role_id.is_empty() {
        return None;
    }
    let generated = view.role.path.starts_with("/service-role/")
        || view.role.tags.iter().any(|t| t.key.starts_with("opsctl:") || t.key.starts_with("aws:"));
    let names: Vec<&str> = view.role.inline.iter().map(|policy| policy.name.as_str()).collect();
    (!names.is_empty() && !generated)
        .then(|| Hit::new("inline policies", vec![format!("inline policies: {}", names.join(", "))]))
}

/// Default quotas; numbers of policies and roles can be raised, sizes cannot.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
fn near_limits(cx: &Context<'_>) -> Vec<Hit> {
    let near = |used: usize, quota: usize, what: &str| {
        (used * 10 >= quota * 9).then(|| format!("{} % of {quota} {what}", used * 100 / quota))
    };
    let size = |document: &Document| document.policy().map_or(0, |policy| policy.size);
    let mut hits = Vec::new();
    for role in cx.account.roles.iter().filter(|role| RoleKind::of(role) == RoleKind::Ordinary) {
        let inline = role.inline.iter().map(|policy| size(&policy.document)).sum();
        let facts = [
            near(role.attached.len(), 10, "attached managed policies"),
            near(inline, 10_240, "characters of inline policies"),
        ];
        if facts.iter().any(Option::is_some) {
            hits.push((role.arn.clone(), facts.into_iter().flatten().collect::<Vec<_>>()));
        }
    }
    for policy in customer_policies(cx) {
        let used = policy.default_document().map_or(0, size);
        hits.push((
            policy.arn.clone(),
            near(used, 6_144, "characters of a managed policy").into_iter().collect(),
        ));
    }
    let whole = [
        near(cx.account.roles.len(), 1_000, "roles of the account"),
        near(customer_policies(cx).count(), 1_500, "customer managed policies of the account"),
    ];
    let root = cx.account.iam_arn("root");
    hits.push((root, whole.into_iter().flatten().collect()));
    let found = hits.into_iter().filter(|(_, facts)| !facts.is_empty());
    found.map(|(arn, facts)| Hit::new("quota", facts).on(arn)).collect()
}

fn owner_tag(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let missing: Vec<&str> = cx
        .settings
        .required_tags
        .iter()
        .map(String::as_str)
        .filter(|key| view.role.tag(key).is_none())
        .collect();
    (!missing.is_empty())
        .then(|| Hit::new(missing.join(", "), vec![format!("missing: {}", missing.join(", "))]))
}

fn duplicates(cx: &Context<'_>) -> Vec<Hit> {
    let mut by_text: HashMap<String, Vec<&str>> = HashMap::new();
    for policy in customer_policies(cx) {
        if let Some(document) = policy.default_document().and_then(Document::policy) {
            // Names of statements say nothing about what they do.
            let mut statements = document.statements.clone();
            statements.iter_mut().for_each(|s| Arc::make_mut(s).sid = None);
            let mut texts: Vec<String> = statements.iter().map(|s| format!("{s:?}")).collect();
            texts.sort();
            by_text.entry(texts.join("\n")).or_default().push(&policy.arn);
        }
    }
    let mut hits = contained(cx);
    for mut arns in by_text.into_values().filter(|arns| arns.len() > 1) {
        arns.sort_unstable();
        for arn in &arns[1..] {
            hits.push(Hit::new(arns[0], vec![format!("the same statements as {}", arns[0])]).on(*arn));
        }
    }
    hits
}

/// Roles with a policy whose every statement another of their policies covers. Deny and conditions are left
/// out: one statement does not show what they add up to.
fn contained(cx: &Context<'_>) -> Vec<Hit> {
    let mut known: HashMap<(&str, &str), bool> = HashMap::new();
    let mut hits = Vec::new();
    let ordinary = cx.account.roles.iter().filter(|role| RoleKind::of(role) == RoleKind::Ordinary);
    for role in ordinary.filter(|role| role.attached.len() > 1) {
        let arns: Vec<&str> = role.attached.iter().map(|policy| policy.arn.as_str()).collect();
        let mut within = |inner, outer| {
            *known.entry((inner, outer)).or_insert_with(|| {
                let grants = cx.engine.managed(inner).zip(cx.engine.managed(outer));
                grants.is_some_and(|(inner, outer)| contains(&outer, &inner))
            })
        };
        let mut evidence = Vec::new();
        for (place, inner) in arns.iter().enumerate() {
            let outer = arns.iter().enumerate().find(|(other, outer)| {
                // Of two that are alike the first stays.
                *other != place && within(inner, outer) && !(within(outer, inner) && *other > place)
            });
            let name = crate::audit::account::name_of;
            evidence.extend(outer.map(|(_, outer)| {
                format!("policy {} gives nothing that policy {} does not", name(inner), name(outer))
            }));
        }
        if !evidence.is_empty() {
            hits.push(
                Hit::new(evidence.join("; "), evidence).on(&*role.arn).title("A policy within another"),
            );
        }
    }
    hits
}

fn contains(outer: &[Grant], inner: &[Grant]) -> bool {
    let plain = |grants: &[Grant]| grants.iter().all(|g| g.statement.allow);
    plain(outer)
        && plain(inner)
        && !inner.is_empty()
        && inner.iter().all(|i| !i.actions.is_empty() && outer.iter().any(|o| o.covers(i)))
}

fn deprecated(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let withdrawn = |arn: &str| {
        let older = cx
            .engine
            .policy(arn)
            .and_then(|policy| policy.create_date)
            .is_some_and(|day| day.day().as_str() < cx.catalogue.date());
        is_aws_owned(arn) && !cx.catalogue.has_managed_policy(arn) && older
    };
    let gone: Vec<&str> =
        view.role.attached.iter().map(|p| p.arn.as_str()).filter(|arn| withdrawn(arn)).collect();
    (!gone.is_empty()).then(|| {
        Hit::new(
            gone.join(", "),
            gone.iter()
                .map(|arn| format!("{arn} is not in the catalogue of {}", cx.catalogue.date()))
                .collect(),
        )
    })
}

fn versions(cx: &Context<'_>) -> Vec<Hit> {
    let number = |v: &PolicyVersion| v.id.trim_start_matches('v').parse::<u32>().unwrap_or(0);
    let mut hits = Vec::new();
    for policy in customer_policies(cx) {
        let in_force = |v: &&PolicyVersion| v.is_default || v.id == policy.default_version;
        let Some(default) = policy.versions.iter().find(in_force) else { continue };
        let mut evidence = Vec::new();
        let mut severity = Severity::Info;
        if let Some(newer) =
            policy.versions.iter().filter(|v| number(v) > number(default)).max_by_key(|v| number(v))
        {
            evidence.push(format!("{} is in force, {} is newer", default.id, newer.id));
        }
        if policy.versions.len() >= 5 {
            evidence.push("all five versions are kept".into());
        }
        let strong = policy.versions.iter().filter(|v| !in_force(v)).find(|v| makes_admin(cx, &v.document));
        if let Some(strong) = strong.filter(|_| !makes_admin(cx, &default.document)) {
            evidence.push(format!("{}, not in force, makes an administrator", strong.id));
            severity = Severity::Medium;
        }
        if !evidence.is_empty() {
            hits.push(Hit::new("versions", evidence).on(&*policy.arn).severity(severity));
        }
    }
    hits
}
