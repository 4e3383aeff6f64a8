//! 2xx: what a role may make of its rights.
//!
//! Two tiers: CAPABLE, the actions are there; REACHABLE, a target exists now that makes an administrator.

use super::rule::{Check, Context, Hit, Rule};
use crate::audit::account::{is_aws_owned, name_of};
use crate::audit::escalate::{CENTER_WAYS, EXISTING_WAYS, EscalationPath, PASSING_WAYS, USER_WAYS};
use crate::audit::finding::Severity;
use crate::audit::graph::Via;
use crate::audit::role_view::RoleView;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Ceiling;

const PASS_ROLE: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html";
const DELEGATION: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-delegate";
const ASSUME: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage-assume.html";
const MANAGE: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_controlling.html";

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM201",
        slug: "self-escalation",
        severity: Severity::High,
        title: "The role can write its own permissions",
        what: "The role may put, attach or rewrite policies that apply to itself.",
        why: "It is an administrator in one call.",
        fix: "Drop the iam write actions, or let only a deploy role hold them, on named ARNs and with a boundary condition.",
        page: DELEGATION,
        check: Check::Role(self_escalation),
    },
    Rule {
        id: "IAM202",
        slug: "principal-access",
        severity: Severity::High,
        title: "The role can take over other principals",
        what: "The role may make keys or passwords for users, give users rights, or rewrite who may become a role.",
        why: "It can act as whoever has the most rights in the account.",
        fix: "Drop the action, or limit it to the user or role it is for.",
        page: MANAGE,
        check: Check::Role(principal_access),
    },
    Rule {
        id: "IAM203",
        slug: "passrole-to-new",
        severity: Severity::High,
        title: "The role can run its own code with another role",
        what: "The role may pass a role to a service and start something there that runs with it.",
        why: "Code of the caller's choice then has the rights of the role that was passed.",
        fix: "Limit iam:PassRole to the ARN of the one role and, by iam:PassedToService, to the one service.",
        page: PASS_ROLE,
        check: Check::Role(pass_to_new),
    },
    Rule {
        id: "IAM204",
        slug: "existing-resource",
        severity: Severity::Medium,
        title: "The role can use what already runs with another role",
        what: "The role may change or enter any function, instance, notebook, job or stack of the account.",
        why: "What runs there has a role of its own, which may have more rights.",
        fix: "Name the resources, or bind the grant to a tag that the role cannot set.",
        page: PASS_ROLE,
        check: Check::Role(existing_resource),
    },
    Rule {
        id: "IAM205",
        slug: "assume-any",
        severity: Severity::High,
        title: "The role can assume any role that lets it in",
        what: "The role may call sts:AssumeRole on all resources.",
        why: "Any role that trusts the account as a whole is open to it, also one made tomorrow.",
        fix: "Name the roles to assume.",
        page: ASSUME,
        check: Check::Role(assume_any),
    },
    Rule {
        id: "IAM206",
        slug: "passrole-any",
        severity: Severity::Medium,
        title: "The role can pass any role to any service",
        what: "The role may call iam:PassRole on all roles, without a limit on the service.",
        why: "One more permission to start something makes it a way to every role.",
        fix: "Name the role, and add the condition iam:PassedToService.",
        page: PASS_ROLE,
        check: Check::Role(pass_any),
    },
    Rule {
        id: "IAM207",
        slug: "boundary-removal",
        severity: Severity::High,
        title: "The role can loosen permissions boundaries",
        what: "The role may remove or change boundaries, or rewrite the policy that is its own boundary.",
        why: "A boundary that its subject can lift is none.",
        fix: "Deny the boundary actions in the boundary itself, and the rewriting of its policy.",
        page: DELEGATION,
        check: Check::Role(boundary_removal),
    },
    Rule {
        id: "IAM208",
        slug: "reaches-admin",
        severity: Severity::Critical,
        title: "The role can become an administrator",
        what: "A chain of roles that assume, are passed or are rewritten leads from the role to an administrator.",
        why: "Whoever controls the first link controls the account.",
        fix: "Cut the chain at its last link: narrow the trust of the administrator role.",
        page: ASSUME,
        check: Check::Role(reaches_admin),
    },
    Rule {
        id: "IAM209",
        slug: "identity-center",
        severity: Severity::High,
        title: "The role can hand out rights through Identity Center",
        what: "The role may change what a permission set allows, or assign one.",
        why: "Permission sets reach every account of the organization.",
        fix: "Leave these actions to the role that administers Identity Center.",
        page: "https://docs.aws.amazon.com/singlesignon/latest/userguide/iam-auth-access-using-id-policies.html",
        check: Check::Role(identity_center),
    },
    Rule {
        id: "IAM210",
        slug: "role-cycle",
        severity: Severity::Info,
        title: "Roles that can assume each other in a cycle",
        what: "From the role one can come back to it by assuming roles.",
        why: "A session can renew itself forever, so expiry and revocation do not end it.",
        fix: "Let roles be assumed in one direction only.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining",
        check: Check::Account(role_cycles),
    },
];

/// How an action is held, strongest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Held {
    No,
    /// On all resources, but only at the right moment (MFA, network).
    AtTimes,
    Everywhere,
}

fn held(view: &RoleView<'_>, action: ActionId) -> Held {
    if view.effective.open.contains(action) {
        Held::Everywhere
    } else if view.effective.allows_at_times(action) {
        Held::AtTimes
    } else {
        Held::No
    }
}

/// What was found of a family of ways; the worst severity counts.
#[derive(Default)]
struct Found {
    severity: Option<Severity>,
    evidence: Vec<String>,
    causes: Vec<String>,
    /// The actions whose statements are in the evidence already: many paths share one.
    told: Vec<ActionId>,
}

impl Found {
    fn add(&mut self, severity: Severity, line: String) {
        self.severity = self.severity.max(Some(severity));
        self.evidence.push(line);
    }

    /// The statements that give an action, as evidence and as cause.
    fn because(&mut self, cx: &Context<'_>, view: &RoleView<'_>, action: ActionId) {
        if self.told.contains(&action) {
            return;
        }
        self.told.push(action);
        for line in view.effective.evidence(cx.catalogue, action, 2) {
            if !self.evidence.contains(&line) {
                self.evidence.push(line);
            }
        }
        self.causes.extend(
            view.effective
                .allowing(action)
                .take(1)
                .map(|s| format!("{} in {}", cx.catalogue.name(action), s.source.label())),
        );
    }

    fn hit(mut self, view: &RoleView<'_>) -> Option<Hit> {
        let severity = self.severity?;
        // What is reached first, what is only possible next, then the statements that give it.
        self.evidence.sort_by_key(|line| (!line.starts_with("REACHABLE"), !line.starts_with("CAPABLE")));
        const SHOWN: usize = 8;
        let capable = self.evidence.iter().filter(|line| line.starts_with("CAPABLE")).count();
        if capable > SHOWN {
            let start = self.evidence.iter().position(|line| line.starts_with("CAPABLE")).unwrap_or(0);
            self.evidence.drain(start + SHOWN..start + capable);
            self.evidence.insert(start + SHOWN, format!("CAPABLE: {} ways more", capable - SHOWN));
        }
        self.causes.sort();
        self.causes.dedup();
        self.evidence.extend(view.effective.limits());
        Some(Hit::new(self.causes.join(", "), self.evidence).severity(severity))
    }
}

/// Literal administrators need no list of what an administrator may do: IAM103 and IAM201 speak for all.
fn says_it_all(cx: &Context<'_>, view: &RoleView<'_>) -> bool {
    view.is_everything(cx) || matches!(view.effective.ceiling, Ceiling::Missing { .. })
}

fn lowered_if(at_times: bool, severity: Severity) -> Severity {
    if at_times { severity.lowered() } else { severity }
}

fn self_escalation(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam {
        return None;
    }
    let mut found = Found::default();
    if let Some((action, on)) = view.self_rewrite() {
        found.add(Severity::Critical, format!("REACHABLE: {action} on {on} applies to the role itself"));
        cx.catalogue.find(action).into_iter().for_each(|id| found.because(cx, view, id));
    }
    for name in [
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:CreatePolicyVersion",
        "iam:SetDefaultPolicyVersion",
    ] {
        let Some(action) = cx.catalogue.find(name) else { continue };
        let held = held(view, action);
        if held == Held::No || found.severity == Some(Severity::Critical) {
            continue;
        }
        let at_times = held == Held::AtTimes;
        found.add(
            lowered_if(at_times, Severity::High),
            format!("CAPABLE: {name} on all resources{}", times(at_times)),
        );
        found.because(cx, view, action);
    }
    // A policy that the role holds and whose default version it may choose among several.
    for policy in view.role.attached.iter().filter(|p| !is_aws_owned(&p.arn)) {
        let several = cx.engine.policy(&policy.arn).is_some_and(|known| known.versions.len() > 1);
        if several
            && found.severity.is_none()
            && view.effective.decide("iam:SetDefaultPolicyVersion", &policy.arn) == Decision::Allowed
        {
            found.add(
                Severity::High,
                format!(
                    "REACHABLE: iam:SetDefaultPolicyVersion on {}, which has several versions",
                    policy.arn
                ),
            );
            found.causes.push(policy.arn.clone());
        }
    }
    found.hit(view)
}

fn times(at_times: bool) -> &'static str {
    if at_times { ", while its condition holds" } else { "" }
}

fn principal_access(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(cx, view) {
        return None;
    }
    let mut found = Found::default();
    for name in USER_WAYS {
        let Some(action) = cx.catalogue.find(name) else { continue };
        let target =
            cx.graph.admin_users.iter().find(|user| view.effective.decide(name, user) == Decision::Allowed);
        match (held(view, action), target) {
            (_, Some(user)) => {
                found.add(Severity::Critical, format!("REACHABLE: {name} on {user}, an administrator"))
            }
            (Held::No, None) => continue,
            (held, None) => {
                let at_times = held == Held::AtTimes;
                found.add(
                    lowered_if(at_times, Severity::High),
                    format!("CAPABLE: {name} on all resources{}", times(at_times)),
                );
            }
        }
        found.because(cx, view, action);
    }
    if let Some(action) = cx.catalogue.find("iam:UpdateAssumeRolePolicy") {
        let (_, target) = if view.effective.some.contains(action) {
            cx.graph.judge(&view.effective, action, Via::Rewrite, view.index)
        } else {
            (false, None)
        };
        let held = held(view, action);
        match target {
            Some(role) => found.add(
                Severity::Critical,
                format!("REACHABLE: iam:UpdateAssumeRolePolicy on {role}, which leads to an administrator"),
            ),
            None if held != Held::No => {
                let at_times = held == Held::AtTimes;
                found.add(
                    lowered_if(at_times, Severity::High),
                    format!("CAPABLE: iam:UpdateAssumeRolePolicy on all roles{}", times(at_times)),
                );
            }
            None => {}
        }
        if target.is_some() || held != Held::No {
            found.because(cx, view, action);
        }
    }
    rewrite_and_assume(cx, view, &mut found);
    found.hit(view)
}

/// Put or attach a policy to a role that this one can assume: as good as doing it to oneself.
fn rewrite_and_assume(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Found) {
    for name in ["iam:PutRolePolicy", "iam:AttachRolePolicy"] {
        let Some(action) = cx
            .catalogue
            .find(name)
            .filter(|&id| view.effective.some.contains(id) && !view.effective.open.contains(id))
        else {
            continue;
        };
        let assumable = cx.graph.assumable(view.index);
        let writable =
            |arn: &&str| *arn != view.role.arn && view.effective.decide(name, arn) == Decision::Allowed;
        if let Some(role) = assumable.into_iter().find(writable) {
            found.add(Severity::Critical, format!("REACHABLE: {name} on {role}, which the role can assume"));
            found.because(cx, view, action);
        }
    }
}

fn pass_to_new(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(cx, view) {
        return None;
    }
    let pass = cx.catalogue.find("iam:PassRole")?;
    let mut found = Found::default();
    for (index, (service, way)) in PASSING_WAYS.iter().enumerate() {
        let at_times = !way.is_open(&view.effective.some);
        if at_times
            && !way
                .actions
                .iter()
                .all(|&a| view.effective.some.contains(a) || view.effective.allows_at_times(a))
        {
            continue;
        }
        let reach = cx.graph.passes(view, pass, index);
        match (reach.admin, reach.unlimited) {
            (Some(role), _) => {
                let severity = lowered_if(at_times || reach.at_times, Severity::Critical);
                found.add(severity, format!("REACHABLE: {} with {role} passed to {service}", way.name()));
            }
            (None, true) => {
                let severity = lowered_if(at_times || reach.at_times, Severity::High);
                found.add(
                    severity,
                    format!(
                        "CAPABLE: {} with any role passed to {service}{}",
                        way.name(),
                        times(at_times || reach.at_times)
                    ),
                );
            }
            (None, false) => continue,
        }
        found.because(cx, view, pass);
        way.actions.iter().for_each(|&action| found.because(cx, view, action));
    }
    found.hit(view)
}

/// The ways that the role has on all resources, each as CAPABLE; what else is known of one is added.
fn ways_everywhere(
    cx: &Context<'_>,
    view: &RoleView<'_>,
    ways: &[EscalationPath],
    severity: Severity,
    reaches: impl Fn(&EscalationPath) -> Option<(Severity, String)>,
) -> Option<Hit> {
    if says_it_all(cx, view) {
        return None;
    }
    let mut found = Found::default();
    for way in ways {
        let held = way.actions.iter().map(|&action| held(view, action)).min().unwrap_or(Held::No);
        if held == Held::No {
            continue;
        }
        let at_times = held == Held::AtTimes;
        found.add(
            lowered_if(at_times, severity),
            format!("CAPABLE: {} on all resources{}", way.name(), times(at_times)),
        );
        if let Some((severity, target)) = reaches(way) {
            found.add(lowered_if(at_times, severity), format!("REACHABLE: {} on {target}", way.name()));
        }
        way.actions.iter().take(1).for_each(|&action| found.because(cx, view, action));
    }
    found.hit(view)
}

/// What runs is in no dump, except that a role in an instance profile is there for machines to have.
fn existing_resource(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let machines = |way: &EscalationPath| {
        let role =
            (way.service == "ec2").then(|| cx.graph.machine_role_reaching_admin(view.index)).flatten()?;
        Some((Severity::High, format!("machines of {role}, which leads to an administrator")))
    };
    ways_everywhere(cx, view, &EXISTING_WAYS, Severity::Medium, machines)
}

fn identity_center(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    ways_everywhere(cx, view, &CENTER_WAYS, Severity::High, |_| None)
}

fn assume_any(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if says_it_all(cx, view) {
        return None;
    }
    let action = cx.catalogue.find("sts:AssumeRole")?;
    let held = held(view, action);
    if held == Held::No {
        return None;
    }
    let at_times = held == Held::AtTimes;
    let (any, admin) = cx.graph.judge(&view.effective, action, Via::Assume, view.index);
    let mut found = Found::default();
    match admin {
        Some(role) => found.add(
            lowered_if(at_times, Severity::Critical),
            format!("REACHABLE: {role} lets the account in, and leads to an administrator"),
        ),
        None if any => found.add(
            lowered_if(at_times, Severity::High),
            "REACHABLE: there are roles that let the account in".into(),
        ),
        None => found.add(
            lowered_if(at_times, Severity::High),
            format!("CAPABLE: sts:AssumeRole on all resources{}", times(at_times)),
        ),
    }
    found.because(cx, view, action);
    found.hit(view)
}

fn pass_any(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(cx, view) {
        return None;
    }
    let action = cx.catalogue.find("iam:PassRole").filter(|&id| view.effective.open.contains(id))?;
    let mut found = Found::default();
    match cx.graph.service_reaches_admin() {
        Some(role) => {
            found.add(Severity::High, format!("{role} trusts a service and leads to an administrator"))
        }
        None => {
            found.add(Severity::Medium, "no role that trusts a service leads to an administrator now".into())
        }
    }
    found.because(cx, view, action);
    found.hit(view)
}

fn boundary_removal(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(cx, view) {
        return None;
    }
    let mut found = Found::default();
    let bounded = matches!(view.effective.ceiling, Ceiling::Known { .. });
    for name in ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"] {
        let Some(action) = cx.catalogue.find(name) else { continue };
        if bounded && view.effective.decide(name, &view.role.arn) == Decision::Allowed {
            found.add(Severity::High, format!("REACHABLE: {name} on the role itself"));
        } else if view.effective.open.contains(action) {
            found.add(Severity::Medium, format!("CAPABLE: {name} on all roles"));
        } else {
            continue;
        }
        found.because(cx, view, action);
    }
    for name in ["iam:DeleteUserPermissionsBoundary", "iam:PutUserPermissionsBoundary"] {
        if let Some(action) = cx.catalogue.find(name).filter(|&id| view.effective.open.contains(id)) {
            found.add(Severity::Medium, format!("CAPABLE: {name} on all users"));
            found.because(cx, view, action);
        }
    }
    if let Ceiling::Known { source, .. } = &view.effective.ceiling {
        if view.effective.decide("iam:CreatePolicyVersion", &source.arn) == Decision::Allowed
            && !is_aws_owned(&source.arn)
        {
            found.add(
                Severity::High,
                format!("REACHABLE: iam:CreatePolicyVersion on {}, its own boundary", source.arn),
            );
            cx.catalogue
                .find("iam:CreatePolicyVersion")
                .into_iter()
                .for_each(|id| found.because(cx, view, id));
        }
        for name in ["iam:CreateRole", "iam:CreateUser"] {
            if let Some(action) = cx.catalogue.find(name).filter(|&id| view.effective.open.contains(id)) {
                found.add(
                    Severity::Medium,
                    format!(
                        "CAPABLE: {name} without a condition on iam:PermissionsBoundary, while bounded itself"
                    ),
                );
                found.because(cx, view, action);
            }
        }
    }
    found.hit(view)
}

fn reaches_admin(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let chain = cx.graph.chain(view.index)?;
    let cause = chain.rsplit(' ').next().unwrap_or_default().to_owned();
    let mut evidence = vec![format!("REACHABLE: {chain}")];
    evidence.extend(view.effective.limits());
    Some(Hit::new(cause, evidence))
}

fn role_cycles(cx: &Context<'_>) -> Vec<Hit> {
    let mut hits = Vec::new();
    for circle in cx.graph.circles() {
        let mut arns: Vec<&str> = circle.iter().map(|&index| cx.account.roles[index].arn.as_str()).collect();
        arns.sort_unstable();
        let names: Vec<String> = arns.iter().map(|arn| name_of(arn).to_owned()).collect();
        let evidence = format!("{} can assume each other", opsctl_iam::grant::shorten(&names));
        hits.extend(arns.iter().map(|&arn| Hit::new(arns[0], vec![evidence.clone()]).on(arn)));
    }
    hits
}
