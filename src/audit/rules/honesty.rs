//! 9xx: what the audit could not see. Never findings: entries of `not_evaluated`, and exit code 10.

use super::rule::{Check, Context, Rule};
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::policy::Document;
use opsctl_iam::restriction::Restriction;

/// The rows of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM901",
        slug: "unreadable",
        severity: Severity::Info,
        title: "A document could not be read",
        what: "A policy or trust document does not follow IAM's grammar, or is missing from the data.",
        why: "What it grants is unknown; it must not count as clean.",
        fix: "Look at the document; if IAM accepts it, report a fault of opsctl.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html",
        check: Check::Reading,
    },
    Rule {
        id: "IAM902",
        slug: "indeterminate",
        severity: Severity::Info,
        title: "A condition could not be decided",
        what: "A condition has an operator or a key that this version does not know. It was treated as one that holds back.",
        why: "The role may be able to do more than the report says.",
        fix: "Check the spelling; if AWS documents it, a newer opsctl may know it.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html",
        check: Check::Reading,
    },
    Rule {
        id: "IAM903",
        slug: "incomplete",
        severity: Severity::Info,
        title: "Part of the account could not be read",
        what: "A page, a job or a permission was missing while the data was collected.",
        why: "A clean result would mean nothing.",
        fix: "Grant iam:GetAccountAuthorizationDetails and the other reads, and run again.",
        page: "https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html",
        check: Check::Reading,
    },
];

/// Notes what could not be read about a role.
pub fn of_role(cx: &Context<'_>, view: &RoleView<'_>) {
    let arn = &view.role.arn;
    if let Document::Malformed(why) = &view.role.trust {
        cx.undecided("IAM901", arn, format!("trust policy: {why}"));
    }
    of_permissions(cx, arn, &view.effective);
    for admission in view.admissions.iter().filter(|a| a.restriction == Restriction::Unknown) {
        let conditions: Vec<String> =
            admission.statement.conditions.iter().map(ToString::to_string).collect();
        cx.undecided("IAM902", arn, format!("{}: {}", admission.label(), conditions.join(" and ")));
    }
}

/// Notes what could not be read of what a principal holds.
fn of_permissions(cx: &Context<'_>, arn: &str, effective: &Effective) {
    for (what, why) in &effective.unreadable {
        cx.undecided("IAM901", arn, format!("{what}: {why}"));
    }
    if let Ceiling::Missing { arn: boundary } = &effective.ceiling {
        cx.undecided("IAM901", arn, format!("boundary {boundary}: its document is not in the data"));
    }
    for sourced in effective.allows.iter().filter(|s| s.grant.restriction == Restriction::Unknown) {
        let statement = &sourced.grant.statement;
        let place = format!("{}, {}", sourced.source.label(), statement.label(sourced.grant.index));
        let conditions: Vec<String> = statement.conditions.iter().map(ToString::to_string).collect();
        cx.undecided("IAM902", arn, format!("{place}: {}", conditions.join(" and ")));
    }
}

/// Notes what could not be read about the account.
pub fn of_account(cx: &Context<'_>) {
    for (place, group) in cx.account.groups.iter().enumerate() {
        of_permissions(cx, &group.arn, &cx.engine.group_at(place));
    }
    for (place, user) in cx.account.users.iter().enumerate() {
        of_permissions(cx, &user.arn, &cx.engine.user_at(place));
    }
    for problem in &cx.account.problems {
        cx.undecided(problem.rule, &problem.resource, problem.reason.clone());
    }
}
