//! 2xx: what a role may make of its rights.
//!
//! Two tiers: CAPABLE, the actions are there; REACHABLE, a target exists now that makes an administrator.

use super::center::identity_center;
use super::documents::runs_commands;
use super::found::{Gathered, Held, held, lowered_if, says_it_all, times, ways_everywhere, with_tagging};
use super::rule::{Check, Context, Hit, Rule};
use super::takeover::principal_access;
use crate::audit::account::{User, is_aws_owned, name_of};
use crate::audit::escalate::{EXISTING_WAYS, EscalationPath, LEADS, PASSING_WAYS};
use crate::audit::finding::Severity;
use crate::audit::graph::Via;
use crate::audit::role_view::RoleView;
use crate::audit::services::PASSING_UNSURELY;
use crate::audit::ways;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::Level;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Ceiling;
use opsctl_iam::grant::Sourced;
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

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
        why: "It can act as whoever has the most rights in the account, or give anybody more.",
        fix: "Drop one of the calls, or limit them to principals with a permissions boundary, by the condition iam:PermissionsBoundary.",
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
        check: Check::Ways(pass_to_new),
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
        check: Check::Ways(existing_resource),
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
        check: Check::Ways(assume_any),
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
        check: Check::Ways(pass_any),
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
        check: Check::Ways(identity_center),
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
    Rule {
        id: "IAM211",
        slug: "user-reaches-admin",
        severity: Severity::Critical,
        title: "A user can become an administrator",
        what: "Calls that the user may make, by policies of its own or of its groups, end with an administrator.",
        why: "Users have keys that do not expire: whoever finds one controls the account.",
        fix: "Cut the chain at its last link, or take the calls from the user or the group that has them.",
        page: ASSUME,
        check: Check::Account(user_reaches_admin),
    },
    Rule {
        id: "IAM212",
        slug: "user-admin",
        severity: Severity::High,
        title: "A user is an administrator",
        what: "The policies of the user and of its groups make it an administrator.",
        why: "Users have keys that do not expire: whoever finds one controls the account.",
        fix: "Let people come through Identity Center or a role with MFA, and delete the user's keys.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/best-practices.html#bp-users-federation-idp",
        check: Check::Account(admin_users),
    },
];

fn self_escalation(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam {
        return None;
    }
    let mut found = Gathered::default();
    let shed = view.sheds(cx.engine);
    // What takes off a boundary alone is IAM206.
    let actions = ["iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:SetDefaultPolicyVersion"];
    let by_deny = |call: &String| actions.iter().any(|action| call.split(' ').next() == Some(action));
    if let Some(calls) = shed.as_ref().filter(|calls| calls.iter().any(by_deny)) {
        let calls = calls.join(", then ");
        found.add(
            Severity::Critical,
            format!("REACHABLE: {calls}: what the role is denied is its own to allow"),
        );
        let used = actions.iter().filter(|action| calls.contains(*action));
        used.filter_map(|action| cx.catalogue.find(action)).for_each(|id| found.because(cx, view, id));
    }
    if let Some((action, on)) = view.self_rewrite(cx.engine) {
        // Within a boundary or beside a Deny that leave too little, what it gives itself counts for less.
        let severity = match cx.engine.may_be_admin(&view.effective) || shed.is_some() {
            true => Severity::Critical,
            false => Severity::Medium,
        };
        let first = cx.graph.calls_first(&view.effective, action, on).map(|calls| format!("{calls}, then "));
        let first = first.unwrap_or_default();
        found.add(severity, format!("REACHABLE: {first}{action} on {on} applies to the role itself"));
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
        // Under a condition on boundaries it may be about others only.
        let not_its_own =
            name.contains("RolePolicy") && view.decide_itself(&view.effective, name) == Decision::NotAllowed;
        if held == Held::No || not_its_own || found.severity == Some(Severity::Critical) {
            continue;
        }
        let at_times = held == Held::AtTimes;
        found.add(
            lowered_if(at_times, Severity::High),
            format!("CAPABLE: {name} on all resources{}", times(at_times)),
        );
        found.because(cx, view, action);
    }
    chooses_a_version(cx, view, &mut found);
    found.hit(view)
}

/// A policy that the role holds and whose default version it may choose among several.
fn chooses_a_version(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Gathered) {
    for policy in view.role.attached.iter().filter(|p| !is_aws_owned(&p.arn)) {
        if found.severity.is_some()
            || view.effective.decide("iam:SetDefaultPolicyVersion", &policy.arn) != Decision::Allowed
        {
            continue;
        }
        let more = cx.engine.kept_back(&policy.arn);
        let changes_rights = |id| LEADS.contains(id) || cx.catalogue.has_level(id, Level::Permissions);
        if !more.is_empty() {
            found.add(
                if more.iter().any(changes_rights) { Severity::High } else { Severity::Low },
                format!(
                    "REACHABLE: iam:SetDefaultPolicyVersion on {}, which has a version that allows more",
                    policy.arn
                ),
            );
            found.causes.push(policy.arn.clone());
        }
    }
}

fn pass_to_new(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(view) {
        return None;
    }
    let pass = cx.catalogue.find("iam:PassRole")?;
    let home = cx.engine.home();
    let mut found = Gathered::default();
    for (index, (service, way)) in PASSING_WAYS.iter().enumerate() {
        let opening = ways::opening(way, &view.effective, home);
        let at_times = opening.is_none();
        let may = |&action: &ActionId| {
            view.effective.some.contains(action) || view.effective.allows_at_times(action)
        };
        let waits = || way.actions.iter().all(may) && ways::is_left(way, &view.effective, home);
        if at_times && !waits() {
            continue;
        }
        let tagging = opening.unwrap_or_default();
        let calls = with_tagging(&tagging, way);
        let reach = cx.graph.passes(view, pass, index);
        match (reach.admin, reach.unlimited) {
            (Some(role), _) => {
                let severity = lowered_if(at_times || reach.at_times, Severity::Critical);
                found.add(severity, format!("REACHABLE: {calls} with {role} passed to {service}"));
            }
            (None, true) => {
                let severity = lowered_if(at_times || reach.at_times, Severity::High);
                found.add(
                    severity,
                    format!(
                        "CAPABLE: {calls} with any role passed to {service}{}",
                        times(at_times || reach.at_times)
                    ),
                );
            }
            (None, false) => continue,
        }
        found.because(cx, view, pass);
        way.actions.iter().chain(&tagging).for_each(|&action| found.because(cx, view, action));
    }
    pass_elsewhere(cx, view, pass, &mut found);
    found.hit(view)
}

/// An administrator passed to a service that the table does not have, in which the role may change things:
/// what the service does with it is not known, and seldom nothing.
fn pass_elsewhere(cx: &Context<'_>, view: &RoleView<'_>, pass: ActionId, found: &mut Gathered) {
    if view.effective.allowing(pass).next().is_none() {
        return;
    }
    for (service, name) in PASSING_UNSURELY {
        let service = format!("{service}.amazonaws.com");
        let is_open = |&id: &ActionId| ways::is_open_call(id, &view.effective, cx.engine.home());
        let action = cx.catalogue.find(name).filter(is_open);
        let passed =
            action.and_then(|id| Some((id, cx.graph.passed_to(&view.effective, &service, view.index)?)));
        if let Some((action, role)) = passed.filter(|_| found.severity < Some(Severity::Critical)) {
            let line = format!("CAPABLE: {name} with {role} passed to {service}, which may act with it");
            found.add(Severity::High, line);
            found.because(cx, view, pass);
            found.because(cx, view, action);
        }
    }
    for (service, role) in cx.graph.passed_elsewhere(&view.effective, view.index) {
        let names = service.split('.').filter_map(|part| cx.catalogue.service(part));
        let writes = |id: &ActionId| {
            cx.catalogue.has_level(*id, Level::Write)
                && ways::is_open_call(*id, &view.effective, cx.engine.home())
        };
        let Some(action) = names.flatten().find(writes) else { continue };
        found.add(
            Severity::High,
            format!(
                "CAPABLE: {} with {role} passed to {service}, which may act with it",
                cx.catalogue.name(action)
            ),
        );
        found.because(cx, view, pass);
        found.because(cx, view, action);
    }
}

/// What runs is in no dump, except that a role in an instance profile is there for machines to have.
fn existing_resource(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    /// Machines, as ARNs write them.
    const MACHINES: &str = ":instance/";
    let home = cx.engine.home();
    let pass = cx.catalogue.find("iam:PassRole");
    let machines = |way: &EscalationPath| {
        // The role of what exists can be exchanged, too.
        let passes = PASSING_WAYS.iter().position(|(_, passing)| passing.actions == way.actions);
        let passed = passes.zip(pass).and_then(|(index, pass)| cx.graph.passes(view, pass, index).admin);
        if let Some(role) = passed {
            return Some((Severity::Critical, format!("what is there, with {role} passed to it")));
        }
        if way.service != "ec2" || !ways::is_left_on(way, &view.effective, home, MACHINES) {
            return None;
        }
        if let Some(role) = cx.graph.machine_role_reaching_admin(view.index) {
            return Some((Severity::High, format!("machines of {role}, which leads to an administrator")));
        }
        // What its machines are given a moment later.
        let takeover = cx.graph.takeover(view.index).filter(|takeover| !takeover.depends)?;
        let role = cx.graph.machine_role(&takeover.of)?;
        Some((Severity::High, format!("machines of {role}, after {}", takeover.in_order())))
    };
    let ways = EXISTING_WAYS.iter().filter(|way| runs_commands(view, way));
    ways_everywhere(cx, view, ways, Severity::Medium, machines)
}

fn assume_any(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if says_it_all(view) {
        return None;
    }
    let action = cx.catalogue.find("sts:AssumeRole")?;
    let held = held(view, action);
    if held == Held::No {
        return assume_abroad(view);
    }
    let at_times = held == Held::AtTimes;
    let (any, admin) = cx.graph.judge(&view.effective, action, Via::Assume, view.index);
    let mut found = Gathered::default();
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

/// Roles of any account by their name alone: whoever makes one of that name is trusted with what is sent to
/// it.
fn assume_abroad(view: &RoleView<'_>) -> Option<Hit> {
    let any_account = |arn: &&String| {
        arn.contains(":role/") && Arn::pattern(arn).is_some_and(|arn| pattern::is_wild(arn.account))
    };
    let told = |s: &&Sourced| {
        s.grant.statement.conditions.iter().any(|c| c.key.to_ascii_lowercase().starts_with("aws:resource"))
    };
    let allows = view
        .effective
        .allows
        .iter()
        .filter(|s| s.grant.names("sts:AssumeRole") && !told(s) && !is_aws_owned(&s.source.arn));
    let found = allows.filter_map(|s| match &s.grant.statement.resources {
        Some(Selector::Only(patterns)) => Some((s, patterns.iter().find(any_account)?)),
        _ => None,
    });
    let evidence: Vec<(String, String)> = found
        .map(|(s, arn)| {
            (format!("sts:AssumeRole on {arn} in {}", s.source.label()), s.evidence("sts:AssumeRole"))
        })
        .collect();
    let (causes, evidence): (Vec<_>, Vec<_>) = evidence.into_iter().unzip();
    (!causes.is_empty()).then(|| {
        Hit::new(causes.join(", "), evidence)
            .severity(Severity::Low)
            .title("The role can assume roles of any account, by their name")
            .fix("Put the account into the ARN, or add the condition aws:ResourceAccount or aws:ResourceOrgID.")
    })
}

fn pass_any(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(view) {
        return None;
    }
    let action = cx.catalogue.find("iam:PassRole").filter(|&id| view.effective.open.contains(id))?;
    let mut found = Gathered::default();
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
    if !view.touches_iam || says_it_all(view) {
        return None;
    }
    let mut found = Gathered::default();
    let bounded = matches!(view.effective.ceiling, Ceiling::Known { .. });
    let own = if view.sheds(cx.engine).is_some() { Severity::Critical } else { Severity::High };
    for name in ["iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"] {
        let Some(action) = cx.catalogue.find(name) else { continue };
        if bounded && view.may_itself(&view.effective, name) {
            found.add(own, format!("REACHABLE: {name} on the role itself"));
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
        let may = |action: &str, on: &str| view.effective.decide(action, on) == Decision::Allowed;
        if let Some(call) = cx.engine.new_version(&source.arn, may) {
            let action = call.split(' ').next().unwrap_or_default();
            found.add(own, format!("REACHABLE: {call}, its own boundary"));
            cx.catalogue.find(action).into_iter().for_each(|id| found.because(cx, view, id));
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
    let first = cx.graph.first_of_all(view.index, &view.effective);
    evidence.extend(first.map(|calls| format!("before that: {calls}")));
    evidence.extend(view.written.limits());
    // Which administrator is next changes with every new one; how the role begins does not.
    let hit = Hit::new(cause, evidence).known_by(cx.graph.first_action(view.index).unwrap_or_default());
    Some(match cx.graph.ends_with_calls(view.index) {
        true => {
            hit.fix("Nobody on the way is an administrator yet: take the last call from whoever may make it.")
        }
        false => hit,
    })
}

/// The users themselves are not judged, but what leads from them is.
fn user_reaches_admin(cx: &Context<'_>) -> Vec<Hit> {
    let users = cx.account.users.iter().enumerate();
    let hit = |(place, user): (usize, &User)| {
        let chain = cx.graph.chain(cx.account.roles.len() + place)?;
        let mut evidence = vec![format!("REACHABLE: {chain}")];
        if !user.groups.is_empty() {
            evidence.push(format!("the user is in {}", opsctl_iam::grant::shorten(&user.groups)));
        }
        let cause = chain.rsplit(' ').next().unwrap_or_default().to_owned();
        let begins = cx.graph.first_action(cx.account.roles.len() + place).unwrap_or_default();
        Some(Hit::new(cause, evidence).on(&*user.arn).known_by(begins))
    };
    users.filter_map(hit).collect()
}

fn admin_users(cx: &Context<'_>) -> Vec<Hit> {
    let telling = ["iam:PutUserPolicy", "iam:AttachUserPolicy", "iam:PutRolePolicy", "iam:PassRole"];
    let telling: Vec<_> = telling.iter().filter_map(|name| cx.catalogue.find(name)).collect();
    let users = cx.account.users.iter().filter(|user| cx.graph.admin_users.contains(&user.arn));
    let hit = |user: &User| {
        let effective = cx.engine.user(user);
        let gives = |s: &&Sourced| telling.iter().any(|&id| s.grant.unlimited.contains(id));
        let given: Vec<&Sourced> = effective.allows.iter().filter(gives).collect();
        let mut causes: Vec<String> = given.iter().map(|s| s.source.label()).collect();
        causes.sort();
        causes.dedup();
        let mut evidence: Vec<String> = given.iter().map(|s| s.evidence("iam:PutUserPolicy")).collect();
        if !user.groups.is_empty() {
            evidence.push(format!("the user is in {}", opsctl_iam::grant::shorten(&user.groups)));
        }
        evidence.extend(effective.limits());
        Hit::new(causes.join(", "), evidence).on(&*user.arn)
    };
    users.map(hit).collect()
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
