//! 4xx: whether a role is used.

use super::rule::{Check, Context, Hit, Rule};
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::trust::Principal;
use crate::audit::usage::ServiceUse;
use crate::domain::many;
use crate::domain::shell::quoted;
use opsctl_iam::time::Instant;

const LAST_USED: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage_delete.html#roles-delete_prerequisites";
const LAST_ACCESSED: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html";

/// How far back IAM remembers the use of a role, in days. docs/aws/iam.md#last-used.
const TRACKED_DAYS: i64 = 400;

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM401",
        slug: "stale",
        severity: Severity::Medium,
        title: "The role has not been used for long",
        what: "The latest use of the role is further back than `--stale-after` (90 days unless set).",
        why: "Roles of people who left and of workloads that ended keep their rights, and nobody watches them.",
        fix: "Disable it first (a trust policy that denies, or a boundary that allows nothing), wait, then delete it.",
        page: LAST_USED,
        check: Check::Role(stale),
    },
    Rule {
        id: "IAM402",
        slug: "never-used",
        severity: Severity::Medium,
        title: "The role has never been used",
        what: "No use of the role is recorded, and it is older than `--grace` (30 days unless set).",
        why: "Rights that nobody uses serve only who finds them.",
        fix: "Delete it; if it is kept for an emergency, tag it as break-glass.",
        page: LAST_USED,
        check: Check::Role(never_used),
    },
    Rule {
        id: "IAM403",
        slug: "old",
        severity: Severity::Info,
        title: "The role is old and carries no sign of a review",
        what: "The role was created longer ago than the settings' limit and has no review tag.",
        why: "Policies and trust written years ago rarely fit what the workload is today.",
        fix: "Review trust and policies, then tag the role `opsctl:reviewed` with the day.",
        page: LAST_ACCESSED,
        check: Check::Role(old),
    },
    Rule {
        id: "IAM404",
        slug: "unused-services",
        severity: Severity::Low,
        title: "Services that the role may use and does not",
        what: "The role's policies allow services that it has not tried within `--stale-after`.",
        why: "What is not used can be taken away without anybody noticing, except an intruder.",
        fix: "Take the services out; --write DIR besides proposes the policy.",
        page: LAST_ACCESSED,
        check: Check::Role(unused_services),
    },
    Rule {
        id: "IAM405",
        slug: "unused-actions",
        severity: Severity::Low,
        title: "Actions that the role may use and does not",
        what: "Of a service that the role uses, tracked actions were not tried within `--stale-after`.",
        why: "What is not used can be taken away.",
        fix: "Take the actions out.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed-action-last-accessed.html",
        check: Check::Role(unused_actions),
    },
    Rule {
        id: "IAM406",
        slug: "dangerous-and-dormant",
        severity: Severity::Critical,
        title: "A dangerous role that nobody uses",
        what: "The role leads to an administrator or lets strangers in, and is stale or was never used.",
        why: "It costs nothing to remove and everything to leave.",
        fix: "Disable it today, delete it after a while.",
        page: LAST_USED,
        check: Check::Role(dangerous_and_dormant),
    },
    Rule {
        id: "IAM407",
        slug: "odd-region",
        severity: Severity::Info,
        title: "Last used in an unexpected region",
        what: "The latest use was in a region outside the settings' list.",
        why: "Intruders like regions that nobody watches.",
        fix: "Look at CloudTrail in that region.",
        page: LAST_ACCESSED,
        check: Check::Role(odd_region),
    },
    Rule {
        id: "IAM408",
        slug: "dead-workload",
        severity: Severity::Low,
        title: "A role for machines that no machine can have",
        what: "Only EC2 may assume the role, and it is in no instance profile.",
        why: "The workload is gone; the role is left over.",
        fix: "Delete the role.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html",
        check: Check::Role(dead_workload),
    },
];

/// How a role was used, as far as it is known.
enum Use {
    At(Instant),
    /// Not since creation, or not within the tracking period.
    Never {
        created: Instant,
    },
    Untold,
}

fn use_of(view: &RoleView<'_>) -> Use {
    match (&view.role.last_used, view.role.create_date) {
        (Some(used), _) if used.date.is_some() => used.date.map_or(Use::Untold, Use::At),
        (Some(_), Some(created)) => Use::Never { created },
        _ => Use::Untold,
    }
}

/// Whether a role is kept on purpose, or too young to be judged by its use.
fn spared(cx: &Context<'_>, view: &RoleView<'_>) -> bool {
    let now = cx.settings.now;
    let kept = view.role.tag("opsctl:keep-until").and_then(Instant::parse).is_some_and(|until| until > now);
    let is_new =
        view.role.create_date.is_some_and(|created| created.days_until(now) <= cx.settings.grace_days);
    let rare = &cx.settings.rarely_used;
    kept || is_new || rare.iter().any(|name| opsctl_iam::pattern::matches(name, &view.role.name))
}

/// Notes what is not told, and yields what is. A kept role, or one within the grace period, is nobody's
/// fault.
fn judged(cx: &Context<'_>, view: &RoleView<'_>, rule: &'static str) -> Option<Use> {
    if spared(cx, view) {
        return None;
    }
    let known = use_of(view);
    if matches!(known, Use::Untold) {
        let missing = if view.role.last_used.is_none() { "RoleLastUsed" } else { "CreateDate" };
        cx.undecided(rule, &view.role.arn, format!("the data does not include {missing}"));
        return None;
    }
    Some(known)
}

fn severity(cx: &Context<'_>, view: &RoleView<'_>) -> Severity {
    if cx.is_privileged(view) { Severity::High } else { Severity::Medium }
}

fn stale(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let Use::At(used) = judged(cx, view, "IAM401")? else { return None };
    // In whole days: exactly the limit is not yet stale.
    let age = used.days_until(cx.settings.now);
    (age > cx.settings.stale_after_days).then(|| {
        let region = view
            .role
            .last_used
            .as_ref()
            .and_then(|used| used.region.as_deref())
            .map_or_else(String::new, |r| format!(" in {r}"));
        let days = many(age, "day");
        Hit::new("unused", vec![format!("last used {}{region}, {days} ago", used.day()), created(view)])
            .severity(severity(cx, view))
            .title(format!("Not used for {days}"))
            .fix(removal(cx, view))
    })
}

fn never_used(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let Use::Never { created: since } = judged(cx, view, "IAM402")? else { return None };
    let age = since.days_until(cx.settings.now);
    (age > cx.settings.grace_days).then(|| {
        let fact = if age > TRACKED_DAYS {
            format!("no use recorded in the last {TRACKED_DAYS} days")
        } else {
            "no use recorded since creation".to_owned()
        };
        Hit::new("never used", vec![fact, created(view)]).severity(severity(cx, view)).fix(removal(cx, view))
    })
}

fn old(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let limit = cx.settings.old_after_days?;
    let age = view.role.create_date?.days_until(cx.settings.now);
    let reviewed = view.role.tag("opsctl:reviewed").and_then(Instant::parse);
    if age <= limit || reviewed.is_some_and(|day| day.days_until(cx.settings.now) <= limit) {
        return None;
    }
    let evidence = match reviewed {
        Some(day) => vec![created(view), format!("last reviewed {}", day.day())],
        None => vec![created(view), "no tag opsctl:reviewed".into()],
    };
    Some(Hit::new("old", evidence).severity(if age > 730 { Severity::Low } else { Severity::Info }))
}

fn created(view: &RoleView<'_>) -> String {
    view.role
        .create_date
        .map_or_else(|| "created on an unknown day".to_owned(), |day| format!("created {}", day.day()))
}

/// The commands that remove a role, in the order that IAM demands.
fn removal(cx: &Context<'_>, view: &RoleView<'_>) -> String {
    // A dump may hold anything, and people paste what they are told to run.
    let role = quoted(&view.role.name);
    let partition = quoted(cx.account.partition());
    let mut steps = vec![format!(
        "Disable it first and wait: aws iam put-role-permissions-boundary --role-name {role} --permissions-boundary arn:{partition}:iam::aws:policy/AWSDenyAll"
    )];
    for profile in view.role.instance_profiles.iter().map(|profile| quoted(&profile.name)) {
        steps.push(format!(
            "aws iam remove-role-from-instance-profile --role-name {role} --instance-profile-name {profile}"
        ));
    }
    for policy in view.role.attached.iter().map(|policy| quoted(&policy.arn)) {
        steps.push(format!("aws iam detach-role-policy --role-name {role} --policy-arn {policy}"));
    }
    for policy in view.role.inline.iter().map(|policy| quoted(&policy.name)) {
        steps.push(format!("aws iam delete-role-policy --role-name {role} --policy-name {policy}"));
    }
    steps.push(format!("aws iam delete-role --role-name {role}"));
    steps.join("\n")
}

/// The parts of a role's service-last-accessed data that this long without use makes findings of.
fn unused_for_long(cx: &Context<'_>, used: Option<Instant>) -> bool {
    used.is_none_or(|used| used.days_until(cx.settings.now) > cx.settings.stale_after_days)
}

/// The data of a role old enough to be judged by it; `None` also notes that there is none.
fn services<'a>(cx: &Context<'a>, view: &RoleView<'_>, rule: &'static str) -> Option<&'a [ServiceUse]> {
    let Some(services) = cx.usage.roles.get(&view.role.arn) else {
        cx.without_data(
            rule,
            if cx.usage.roles.is_empty() { "" } else { &view.role.arn },
            "no service-last-accessed data",
        );
        return None;
    };
    let age = view.role.create_date?.days_until(cx.settings.now);
    let dormant = match use_of(view) {
        Use::At(used) => unused_for_long(cx, Some(used)),
        Use::Never { .. } => true,
        Use::Untold => false,
    };
    // A role that nobody uses at all is IAM401 or IAM402, not a list of services.
    (age > cx.settings.stale_after_days && !dormant).then_some(services)
}

/// Whether a service is in what the role may do after Deny and boundary: AWS's list knows neither.
fn holds_any(cx: &Context<'_>, view: &RoleView<'_>, service: &str) -> bool {
    let mut actions = cx.catalogue.service(service).unwrap_or(0..0);
    actions.any(|id| view.effective.some.contains(id) || view.effective.held.contains(id))
}

fn unused_services(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    const READERS: [&str; 3] = ["/ReadOnlyAccess", "/SecurityAudit", "/ViewOnlyAccess"];
    let services = services(cx, view, "IAM404")?;
    if view.role.attached.iter().any(|p| READERS.iter().any(|name| p.arn.ends_with(name))) {
        return None;
    }
    let unused: Vec<&str> = services
        .iter()
        .filter(|s| unused_for_long(cx, s.last_authenticated) && holds_any(cx, view, &s.service_namespace))
        .map(|s| s.service_namespace.as_str())
        .collect();
    let sensitive =
        ["iam", "kms", "secretsmanager", "sts", "organizations", "s3"].iter().any(|s| unused.contains(s));
    (!unused.is_empty()).then(|| {
        Hit::new(
            unused.join(", "),
            vec![format!(
                "not used within {}: {}",
                many(cx.settings.stale_after_days, "day"),
                unused.join(", ")
            )],
        )
        .severity(if sensitive { Severity::Medium } else { Severity::Low })
    })
}

fn unused_actions(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let services = services(cx, view, "IAM405")?;
    if services.iter().all(|s| s.tracked_actions_last_accessed.is_empty()) {
        let reason = "the data covers services only; --usage-from-aws=actions covers actions";
        cx.without_data("IAM405", &view.role.arn, reason);
        return None;
    }
    let mut unused = Vec::new();
    for service in services.iter().filter(|s| !unused_for_long(cx, s.last_authenticated)) {
        for action in
            service.tracked_actions_last_accessed.iter().filter(|a| unused_for_long(cx, a.last_accessed))
        {
            let name = format!("{}:{}", service.service_namespace, action.name);
            let held = |id| view.effective.some.contains(id) || view.effective.held.contains(id);
            if cx.catalogue.find(&name).is_some_and(held) {
                unused.push(name);
            }
        }
    }
    unused.sort();
    (!unused.is_empty()).then(|| {
        Hit::new(
            unused.join(", "),
            vec![format!(
                "not used within {}: {}",
                many(cx.settings.stale_after_days, "day"),
                unused.join(", ")
            )],
        )
    })
}

fn dangerous_and_dormant(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let danger = if view.admin == crate::audit::role_view::Admin::Yes {
        "it is an administrator"
    } else if cx.graph.reaches_admin(view.index) {
        "it can become an administrator"
    } else if super::trust::allows_outsiders(cx, view) {
        "it lets strangers in"
    } else {
        return None;
    };
    let dormant = stale(cx, view).or_else(|| never_used(cx, view))?;
    let mut evidence = vec![danger.to_owned()];
    evidence.extend(dormant.evidence);
    Some(Hit::new(danger, evidence).fix(removal(cx, view)))
}

fn odd_region(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let regions = cx.settings.regions.as_ref()?;
    let region = view
        .role
        .last_used
        .as_ref()?
        .region
        .as_ref()
        .filter(|region| !region.is_empty() && !regions.contains(region))?;
    Some(Hit::new(&**region, vec![format!("last used in {region}")]))
}

fn dead_workload(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let mut principals = view.admissions.iter().flat_map(|a| &a.principals).peekable();
    let only_ec2 =
        principals.peek().is_some() && principals.all(|p| *p == Principal::Service("ec2.amazonaws.com"));
    if !only_ec2 || !view.role.instance_profiles.is_empty() || spared(cx, view) {
        return None;
    }
    // Used of late without a profile: by machines whose profile was taken apart since. They may still be
    // there.
    let fact = match use_of(view) {
        Use::At(used) if !unused_for_long(cx, Some(used)) => return None,
        Use::At(used) => format!("last used {}", used.day()),
        Use::Never { .. } | Use::Untold => "no use is recorded".to_owned(),
    };
    let evidence = vec!["trusted by EC2 only, and in no instance profile".into(), fact, created(view)];
    Some(Hit::new("no instance profile", evidence).fix(removal(cx, view)))
}
