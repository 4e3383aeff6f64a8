//! 319, 320: who is let in by policies of resources, where they are given.

use super::rule::{Check, Context, Hit, Rule};
use super::trust::{fixes_organization, foreign, identifies_account, is_of_services};
use crate::audit::finding::Severity;
use crate::audit::trust::{Admission, Principal, let_in};
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::Level;
use opsctl_iam::grant::{condition_text, shorten};
use opsctl_iam::pattern;
use opsctl_iam::policy::{Document, Policy, Selector, Statement};

const RESOURCES: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_identity-vs-resource.html";

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM319",
        slug: "resource-public",
        severity: Severity::High,
        title: "A resource is open to everybody",
        what: "The policy of a bucket, key, queue, function or secret allows every principal, under no condition that says whose.",
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

/// Keys that tell whose call it is, of some services only. A mount target is in a network of one's own, so
/// that AWS calls what comes through one not public.
/// <https://docs.aws.amazon.com/efs/latest/ug/access-control-block-public-access.html#what-is-a-public-policy>
const OWN_KEYS: [&str; 3] =
    ["kms:calleraccount", "s3:dataaccesspointaccount", "elasticfilesystem:accessedviamounttarget"];

/// The statements that let somebody in, of every resource, less what the Deny statements beside them and in
/// the organization's resource control policies take away.
fn each<'a>(cx: &'a Context<'_>) -> impl Iterator<Item = (&'a str, Admission<'a>)> {
    let around = &cx.account.surroundings;
    let controls: Vec<&Policy> =
        around.resource_control_policies.values().filter_map(Document::policy).collect();
    around.resource_policies.iter().flat_map(move |(of, document)| {
        let own = Arn::pattern(of).is_none_or(|of| of.account.is_empty() || of.account == cx.account.id);
        let controls = if own { controls.as_slice() } else { &[] };
        let admissions =
            document.policy().map(|policy| let_in(policy, controls, Some(cx.settings.now), reaches));
        admissions.into_iter().flatten().map(move |admission| (of.as_str(), admission))
    })
}

/// Whether a Deny names all actions and resources of an Allow.
fn reaches(deny: &Statement, allow: &Statement) -> bool {
    let all = |mine: Option<&Selector>, theirs: Option<&Selector>, same: fn(&str, &str) -> bool| match (
        mine, theirs,
    ) {
        (Some(Selector::Only(wider)), Some(Selector::Only(all))) => {
            all.iter().all(|one| wider.iter().any(|wider| same(wider, one)))
        }
        _ => false,
    };
    all(Some(&deny.actions), Some(&allow.actions), pattern::matches_ignoring_case)
        && all(deny.resources.as_ref(), allow.resources.as_ref(), pattern::matches)
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
        (a.negated || a.principals.contains(&Principal::Anyone)) && !told && !is_of_services(a)
    };
    let hit = |(of, a): (&str, Admission<'_>)| {
        let by_url = a.statement.conditions_on("lambda:InvokedViaFunctionUrl").next().is_some();
        let changes = a.statement.actions.patterns().iter().flat_map(|p| cx.engine.expand(p).to_vec());
        // A function's URL is there to be called, as a page is to be read.
        let is_url = |id| cx.catalogue.name(id) == "lambda:InvokeFunctionUrl";
        let writes = |id| {
            !is_url(id)
                && [Level::Write, Level::Permissions].iter().any(|&level| cx.catalogue.has_level(id, level))
        };
        let severity =
            if !by_url && changes.into_iter().any(writes) { Severity::Critical } else { Severity::High };
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
