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

/// The accounts by which AWS writes logs into buckets, region by region: those of load balancers, and those
/// of Redshift, by a user. Newer regions have a service's principal instead.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html>,
/// <https://docs.aws.amazon.com/redshift/latest/mgmt/db-auditing-logging.html>
const BALANCERS: &str = "127311923021 033677994240 027434742980 797873946194 098369216593 754344448648 \
    589379963580 718504428378 383597477331 600734575887 114774131450 783225319266 582318560864 985666609251 \
    054676820928 156460612806 652711504416 635631232127 009996457667 897822967062 076674570225 507241528517 \
    048591011584 190560391635 638102146993";
const REDSHIFT: &str = "193672423079 391106570357 262260360010 902366379725 365689465814 313564881002 \
    865932855811 090321488786 760740231472 361669875840 762762565011 404641285394 907379612154 053454850223 \
    210876761215 307160386991 945612479654 915173422425 729911121831 013126148197 075028567923";

/// Whether it is AWS that writes logs, and does no more.
fn writes_logs(a: &Admission<'_>, account: &str, by: Principal<'_>) -> bool {
    let is_one = match by {
        Principal::Identity { arn, .. } => arn.ends_with(":user/logs") && REDSHIFT.contains(account),
        _ => BALANCERS.contains(account),
    };
    let only = ["s3:PutObject", "s3:GetBucketAcl"];
    let is_log = |action: &String| only.iter().any(|name| name.eq_ignore_ascii_case(action));
    is_one && matches!(&a.statement.actions, Selector::Only(all) if all.iter().all(is_log))
}

/// The canonical ids of accounts, of which nothing tells whose they are. A principal of one's own is shown by
/// its ARN.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-bucket-user-policy-specifying-principal-intro.html>
fn canonical_ids<'a>(a: &Admission<'a>) -> impl Iterator<Item = &'a str> {
    let is_id = |id: &&str| id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let listed = if a.negated { Vec::new() } else { a.principals.clone() };
    let ids = listed.into_iter().filter_map(|p| if let Principal::Other(id) = p { Some(id) } else { None });
    ids.filter(is_id)
}

fn shared(cx: &Context<'_>) -> Vec<Hit> {
    let hit = |(of, a): (&str, Admission<'_>)| {
        let mut accounts: Vec<String> = foreign(cx, &a)
            .into_iter()
            .filter(|&(account, by)| !writes_logs(&a, account, by))
            .map(|(account, _)| account.to_owned())
            .filter(|account| !cx.settings.known_accounts.contains_key(account))
            .collect();
        accounts.extend(canonical_ids(&a).map(str::to_owned));
        accounts.sort();
        accounts.dedup();
        let who = accounts.join(", ");
        (!accounts.is_empty() && !fixes_organization(&a))
            .then(|| Hit::new(who.clone(), vec![line(&a, &format!("account {who}"))]).on(of))
    };
    each(cx).filter_map(hit).collect()
}
