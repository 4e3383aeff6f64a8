//! 319, 320: who is let in by policies of resources, where they are given.

use std::borrow::Cow;

use super::rule::{Check, Context, Hit, Rule};
use super::trust::{fixes_organization, foreign, identifies_account};
use crate::audit::finding::Severity;
use crate::audit::trust::{Admission, Principal, named};
use opsctl_iam::catalogue::Level;
use opsctl_iam::condition;
use opsctl_iam::grant::{condition_text, shorten};
use opsctl_iam::policy::Statement;

const RESOURCES: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html";

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM319",
        slug: "resource-public",
        severity: Severity::High,
        title: "A resource is open to everybody",
        what: "The policy of a bucket, key, queue, function or secret allows every principal, under no condition that tells whose.",
        why: "Anybody with an AWS account, and often without one, can use it.",
        fix: "Name the principals, or add a condition on aws:PrincipalOrgID or aws:SourceAccount.",
        page: RESOURCES,
        check: Check::Account(public),
    },
    Rule {
        id: "IAM320",
        slug: "resource-foreign",
        severity: Severity::Medium,
        title: "Another account may use a resource",
        what: "The policy of a resource names a principal of an account that is not yours.",
        why: "What it may do is decided there, not here.",
        fix: "Remove the statement, or name the account in [audit] own_accounts or known_accounts.",
        page: RESOURCES,
        check: Check::Account(shared),
    },
];

/// Keys that tell whose call it is, of some services only.
const OWN_KEYS: [&str; 3] = ["kms:calleraccount", "s3:dataaccesspointaccount", "lambda:functionurlauthtype"];

/// The statements that let somebody in, of every resource, as those of a trust policy are seen.
fn each<'a>(cx: &'a Context<'_>) -> impl Iterator<Item = (&'a str, Admission<'a>)> {
    let policies = cx.account.surroundings.resource_policies.iter();
    policies.flat_map(|(of, document)| {
        let statements =
            document.policy().into_iter().flat_map(|policy| policy.statements.iter().enumerate());
        statements.filter(|(_, s)| s.allow && s.principals.is_some()).map(move |(index, s)| {
            let statement: &Statement = s;
            let admission = Admission {
                statement: Cow::Borrowed(statement),
                index,
                principals: named(statement),
                negated: statement.principals.as_ref().is_some_and(|p| p.negated),
                restriction: condition::restriction(statement),
            };
            (of.as_str(), admission)
        })
    })
}

fn line(a: &Admission<'_>, what: &str) -> String {
    let actions = shorten(a.statement.actions.patterns());
    let label = a.statement.label(a.index);
    format!("{label}: {what}: {actions}{}", condition_text(&a.statement, a.restriction))
}

fn public(cx: &Context<'_>) -> Vec<Hit> {
    let open = |a: &Admission<'_>| {
        let told =
            identifies_account(a) || fixes_organization(a) || a.fixes_any(|key| OWN_KEYS.contains(&key));
        (a.negated || a.principals.contains(&Principal::Anyone)) && !told
    };
    let hit = |(of, a): (&str, Admission<'_>)| {
        let changes = a.statement.actions.patterns().iter().flat_map(|p| cx.engine.expand(p).to_vec());
        let writes =
            |id| cx.catalogue.has_level(id, Level::Write) || cx.catalogue.has_level(id, Level::Permissions);
        let severity = if changes.into_iter().any(writes) { Severity::Critical } else { Severity::High };
        Hit::new(a.statement.label(a.index), vec![line(&a, "everybody")]).on(of).severity(severity)
    };
    each(cx).filter(|(_, a)| open(a)).map(hit).collect()
}

fn shared(cx: &Context<'_>) -> Vec<Hit> {
    let hit = |(of, a): (&str, Admission<'_>)| {
        let mut accounts: Vec<String> = foreign(cx, &a)
            .into_iter()
            .map(|(account, _)| account.to_owned())
            .filter(|account| !cx.settings.known_accounts.contains_key(account))
            .collect();
        accounts.sort();
        accounts.dedup();
        let who = accounts.join(", ");
        (!accounts.is_empty() && !fixes_organization(&a))
            .then(|| Hit::new(who.clone(), vec![line(&a, &format!("account {who}"))]).on(of))
    };
    each(cx).filter_map(hit).collect()
}
