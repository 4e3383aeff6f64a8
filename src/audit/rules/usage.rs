//! 4xx: whether a role is used.

use super::{Check, Context, Hit, RoleView, Rule};
use crate::audit::finding::Severity;
use crate::audit::time::Instant;

const LAST_USED: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage_delete.html#roles-delete_prerequisites";
const LAST_ACCESSED: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html";

/// How far back IAM remembers the use of a role, in days. aws-facts §13.2.
const TRACKED_DAYS: i64 = 400;

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM401",
        slug: "stale",
        severity: Severity::Medium,
        title: "The role has not been used for long",
        what: "The latest use of the role lies further back than `--stale-after` (90 days unless set).",
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

/// Notes what is not told, and yields what is. A kept role, or one within the grace period, is nobody's fault.
fn judged(cx: &Context<'_>, view: &RoleView<'_>, rule: &'static str) -> Option<Use> {
    let now = cx.settings.now;
    let kept = view.role.tag("opsctl:keep-until").and_then(Instant::parse).is_some_and(|until| until > now);
    let is_new =
        view.role.create_date.is_some_and(|created| created.days_until(now) <= cx.settings.grace_days);
    if kept || is_new {
        return None;
    }
    let known = use_of(view);
    if matches!(known, Use::Untold) {
        let missing = if view.role.last_used.is_none() { "RoleLastUsed" } else { "CreateDate" };
        cx.undecided(rule, &view.role.arn, format!("the data does not tell {missing}"));
        return None;
    }
    Some(known)
}

fn severity(cx: &Context<'_>, view: &RoleView<'_>) -> Severity {
    if view.is_privileged(cx) { Severity::High } else { Severity::Medium }
}

fn stale(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let Use::At(used) = judged(cx, view, "IAM401")? else { return None };
    // By the second: exactly the limit is not yet stale.
    let limit = cx.settings.stale_after_days * crate::audit::time::DAY;
    (cx.settings.now.0 - used.0 > limit).then(|| {
        let days = used.days_until(cx.settings.now);
        let region = view
            .role
            .last_used
            .as_ref()
            .and_then(|used| used.region.as_deref())
            .map_or_else(String::new, |r| format!(" in {r}"));
        Hit::new("unused", vec![format!("last used {}{region}, {days} days ago", used.day()), created(view)])
            .severity(severity(cx, view))
            .title(format!("Not used for {days} days"))
            .fix(removal(view))
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
        Hit::new("never used", vec![fact, created(view)]).severity(severity(cx, view)).fix(removal(view))
    })
}

fn old(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let limit = cx.settings.old_after_days?;
    let age = view.role.create_date?.days_until(cx.settings.now);
    let reviewed = view.role.tag("opsctl:reviewed").and_then(Instant::parse);
    if age <= limit || reviewed.is_some_and(|day| day.days_until(cx.settings.now) <= limit) {
        return None;
    }
    Some(Hit::new("old", vec![created(view)]).severity(if age > 730 {
        Severity::Low
    } else {
        Severity::Info
    }))
}

fn created(view: &RoleView<'_>) -> String {
    view.role
        .create_date
        .map_or_else(|| "created on an unknown day".to_owned(), |day| format!("created {}", day.day()))
}

/// The commands that remove a role, in the order that IAM demands.
fn removal(view: &RoleView<'_>) -> String {
    let role = &view.role.name;
    let mut steps = vec![format!(
        "Disable it first and wait: aws iam put-role-permissions-boundary --role-name {role} --permissions-boundary arn:aws:iam::aws:policy/AWSDenyAll"
    )];
    for profile in view.role.instance_profiles.iter().filter_map(|p| p.get("InstanceProfileName")?.as_str()) {
        steps.push(format!(
            "aws iam remove-role-from-instance-profile --role-name {role} --instance-profile-name {profile}"
        ));
    }
    for policy in &view.role.attached {
        steps.push(format!("aws iam detach-role-policy --role-name {role} --policy-arn {}", policy.arn));
    }
    for policy in &view.role.inline {
        steps.push(format!("aws iam delete-role-policy --role-name {role} --policy-name {}", policy.name));
    }
    steps.push(format!("aws iam delete-role --role-name {role}"));
    steps.join("\n")
}
