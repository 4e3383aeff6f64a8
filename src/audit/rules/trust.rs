//! 3xx: who may become a role.

use super::federation::oidc_subject;
use super::objection::objections;
use super::rule::{Check, Context, Hit, Rule};
use crate::audit::account::partition_of;
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::trust::{ASSUME, Admission, Principal};
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::condition::{Operator, plain_service};
use opsctl_iam::pattern;
use opsctl_iam::policy::Condition;

const PRINCIPAL: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html";
const EXTERNAL_ID: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html";
const DEPUTY: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html";
const TRUST_ROLES: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html";

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM301",
        slug: "public",
        severity: Severity::Critical,
        title: "Anybody may assume the role",
        what: "The trust policy lets in every principal of every account, without a condition that names who.",
        why: "Whoever learns the ARN has the role's rights.",
        fix: "Name the principals, or at least the organization with aws:PrincipalOrgID.",
        page: PRINCIPAL,
        check: Check::Role(public),
    },
    Rule {
        id: "IAM302",
        slug: "org-wide",
        severity: Severity::Low,
        title: "The whole organization may assume the role",
        what: "The trust policy lets in every principal, held back only by the organization.",
        why: "The weakest account of the organization decides who has the role.",
        fix: "Add a condition on aws:PrincipalArn, or on aws:PrincipalOrgPaths with the unit that needs it.",
        page: PRINCIPAL,
        check: Check::Role(org_wide),
    },
    Rule {
        id: "IAM303",
        slug: "external-no-externalid",
        severity: Severity::High,
        title: "A foreign account may assume the role without an external id",
        what: "The trust policy names an account that is not yours, and fixes no sts:ExternalId.",
        why: "Another customer of that party can have it act on this account (the confused deputy).",
        fix: "Ask the party for an external id and add StringEquals sts:ExternalId; name your own accounts with --own-account.",
        page: EXTERNAL_ID,
        check: Check::Role(external_without_id),
    },
    Rule {
        id: "IAM304",
        slug: "external-root",
        severity: Severity::Medium,
        title: "Every principal of a foreign account may assume the role",
        what: "The trust policy names a foreign account as a whole instead of one of its roles.",
        why: "That account decides alone who gets in.",
        fix: "Name the party's role.",
        page: PRINCIPAL,
        check: Check::Role(external_root),
    },
    Rule {
        id: "IAM309",
        slug: "confused-deputy",
        severity: Severity::Medium,
        title: "A service may be talked into using the role for somebody else",
        what: "The trust in a service that supports aws:SourceAccount and aws:SourceArn fixes neither.",
        why: "Another account may have the service act with this role.",
        fix: "Add StringEquals aws:SourceAccount with the own account.",
        page: DEPUTY,
        check: Check::Role(confused_deputy),
    },
    Rule {
        id: "IAM310",
        slug: "orphan-principal",
        severity: Severity::Medium,
        title: "The trust policy names somebody who is gone",
        what: "A principal is the bare id that AWS leaves of a deleted one, or a role or user that the account does not have.",
        why: "Whoever is created again under that name gets in, and nobody remembers why it is there.",
        fix: "Remove the principal.",
        page: PRINCIPAL,
        check: Check::Role(orphan_principal),
    },
    Rule {
        id: "IAM311",
        slug: "notprincipal",
        severity: Severity::Critical,
        title: "Everybody but some may assume the role",
        what: "The trust policy allows with NotPrincipal.",
        why: "Everybody who is not listed gets in, strangers included.",
        fix: "List the principals that may.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html",
        check: Check::Role(not_principal),
    },
    Rule {
        id: "IAM312",
        slug: "own-root-privileged",
        severity: Severity::Medium,
        title: "A powerful role trusts the whole account",
        what: "A role with an administrator's reach lets in everybody in the account whose own policies allow it.",
        why: "One wide sts:AssumeRole anywhere makes its holder an administrator.",
        fix: "Name the roles that may assume it, or ask for MFA.",
        page: TRUST_ROLES,
        check: Check::Role(own_root_privileged),
    },
    Rule {
        id: "IAM315",
        slug: "roles-anywhere",
        severity: Severity::Medium,
        title: "Any certificate of any trust anchor may assume the role",
        what: "The trust in rolesanywhere.amazonaws.com fixes neither a certificate attribute nor the trust anchor.",
        why: "Every certificate that any anchor of the account accepts gets the role.",
        fix: "Add ArnEquals aws:SourceArn with the trust anchor, and StringEquals aws:PrincipalTag/x509Subject/CN.",
        page: "https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html",
        check: Check::Role(roles_anywhere),
    },
    Rule {
        id: "IAM317",
        slug: "odd-service",
        severity: Severity::Low,
        title: "An odd service principal",
        what: "A service principal looks misspelled, or several compute services share one role.",
        why: "A misspelled one does nothing; a shared role gives each service the rights of all.",
        fix: "Correct the name, or make one role per service.",
        page: PRINCIPAL,
        check: Check::Role(odd_service),
    },
    Rule {
        id: "IAM318",
        slug: "trust-wildcard-action",
        severity: Severity::Medium,
        title: "The trust policy allows more than assuming",
        what: "The trust policy allows `sts:*` or `*`, or lets foreign principals set session tags or the source identity.",
        why: "Session tags decide access elsewhere, and the source identity is what the log shows.",
        fix: "Name the one action; condition session tags.",
        page: TRUST_ROLES,
        check: Check::Role(wildcard_action),
    },
];

const ORGANIZATION: &[&str] = &[
    "aws:principalorgid",
    "aws:principalorgmasteraccountid",
    "aws:principalorgpaths",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
];

/// Keys that identify the calling principal's account. The external id is not among them: strangers may know
/// it.
const IDENTITY: &[&str] = &[
    "aws:principalaccount",
    "aws:principalarn",
    "aws:userid",
    "aws:sourceaccount",
    "aws:sourceowner",
    "aws:sourcearn",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:sourceip",
    "aws:vpcsourceip",
    "aws:sourcevpcarn",
    "aws:vpceaccount",
];

fn allows_anyone(a: &Admission<'_>) -> bool {
    !a.negated && a.principals.contains(&Principal::Anyone)
}

fn is_identity_key(key: &str) -> bool {
    IDENTITY.contains(&key) || key.starts_with("aws:principaltag/")
}

/// Whether the statement tells whose principals may come, of all there are. A tag or a name does not: anybody
/// can make a role of that name, with that tag, in an account of their own.
pub(super) fn identifies_account(a: &Admission<'_>) -> bool {
    let all = &a.statement.conditions;
    all.iter().any(|c| {
        let key = c.key.to_ascii_lowercase();
        let wild = Operator::parse(&c.operator).takes_wildcards();
        let tells = |value: &String| match key.as_str() {
            "aws:principalarn" => names_account(value),
            "aws:sourcearn" => names_account(value) || names_bucket(value),
            // `AROAEXAMPLE:session`: an id, which is nobody else's, and what its caller chooses.
            "aws:userid" => !value.contains("${") && (!wild || pattern::literal_prefix(value).len() >= 16),
            "aws:sourceip" => true,
            // Everybody's networks have the same private addresses.
            // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-vpcsourceip>
            "aws:vpcsourceip" => false,
            _ => is_literal(value, wild),
        };
        IDENTITY.contains(&key.as_str()) && a.fixes_by(c) && c.values.iter().all(tells)
    })
}

/// A value that is one, and not the caller's own: a variable of the role's account is one, too.
fn is_literal(value: &str, wild: bool) -> bool {
    let own = ["${aws:resourceaccount}", "${aws:resourceorgid}"];
    let value = value.to_ascii_lowercase();
    own.contains(&value.as_str()) || !(value.contains("${") || (wild && pattern::is_wild(&value)))
}

/// Whether an ARN, perhaps with wildcards, is of one account.
fn names_account(arn: &str) -> bool {
    let account = Arn::pattern(arn).map_or("", |arn| arn.account);
    !account.is_empty() && is_literal(account, true)
        // The variable has a colon of its own.
        || arn.to_ascii_lowercase().contains(":${aws:resourceaccount}:")
}

/// Whether an ARN is of one bucket: it has no account, and nobody else's bucket has the name.
fn names_bucket(arn: &str) -> bool {
    let is_bucket = |arn: &Arn<'_>| arn.service == "s3" && !arn.resource.is_empty();
    Arn::pattern(arn).filter(is_bucket).is_some_and(|arn| is_literal(arn.resource, true))
}

/// Whether the statement is limited to one organization, or to several that are named.
pub(super) fn fixes_organization(a: &Admission<'_>) -> bool {
    a.statement.conditions.iter().any(|c| {
        let wild = Operator::parse(&c.operator).takes_wildcards();
        let one = |value: &String| is_literal(value.split('/').next().unwrap_or_default(), wild);
        ORGANIZATION.iter().any(|key| c.key.eq_ignore_ascii_case(key))
            && a.fixes_by(c)
            && c.values.iter().all(one)
    })
}

/// Whether a statement lets in services alone.
pub(super) fn is_of_services(a: &Admission<'_>) -> bool {
    a.fixes("aws:PrincipalIsAWSService") || a.fixes("aws:PrincipalServiceName")
}

fn public(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let open = |a: &Admission<'_>| {
        let told = identifies_account(a) || fixes_organization(a);
        // `Federated: "*"` is told apart by the provider's keys.
        let by_token = a.fixes_any(|key| key.ends_with(":sub") || key.ends_with(":aud"));
        allows_anyone(a) && !told && !by_token && !is_of_services(a)
    };
    let hit = objections(view, |a| open(a).then(|| "every principal of every account".into()))?;
    // A secret keeps out who only knows the ARN. MFA does not: strangers have it in accounts of their own.
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_mfa_configure-api-require.html>
    let keyed = view.admissions.iter().filter(|a| open(a)).all(|a| a.fixes("sts:ExternalId"));
    Some(if keyed { hit.severity(Severity::High) } else { hit })
}

/// Whether somebody who is nobody in particular can become the role: IAM301 or IAM305.
pub(super) fn allows_outsiders(cx: &Context<'_>, view: &RoleView<'_>) -> bool {
    public(cx, view).is_some() || oidc_subject(cx, view).is_some()
}

fn org_wide(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let wide = allows_anyone(a) && fixes_organization(a) && !a.fixes_any(is_identity_key);
        wide.then(|| "every principal of the organization".into())
    })
}

/// The foreign accounts of an admission.
pub(super) fn foreign<'a>(cx: &Context<'_>, a: &Admission<'a>) -> Vec<(&'a str, Principal<'a>)> {
    let account = |p: &Principal<'a>| match *p {
        Principal::Account(id) => Some((id, *p)),
        Principal::Identity { account, .. } => Some((account, *p)),
        _ => None,
    };
    let listed = if a.negated { &[][..] } else { a.principals.as_slice() };
    listed.iter().filter_map(account).filter(|(id, _)| !cx.is_own(id)).collect()
}

fn called(cx: &Context<'_>, account: &str) -> String {
    cx.settings
        .known_accounts
        .get(account)
        .map_or_else(|| account.to_owned(), |name| format!("{account} ({name})"))
}

fn external_without_id(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let foreign: Vec<_> = foreign(cx, a)
            .into_iter()
            // A foreign role of people who bring MFA is not a third party acting for many customers.
            .filter(|(_, p)| !(matches!(p, Principal::Identity { .. }) && a.asks_for_mfa()))
            .collect();
        let ours = fixes_organization(a);
        if foreign.is_empty() || a.fixes("sts:ExternalId") || ours {
            return None;
        }
        let mut names: Vec<String> = foreign.iter().map(|(account, _)| called(cx, account)).collect();
        names.sort();
        names.dedup();
        Some(format!("foreign account {} without an external id", names.join(", ")))
    })
}

fn external_root(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let told = fixes_organization(a);
        let mut roots: Vec<_> = foreign(cx, a)
            .into_iter()
            .filter(|(account, p)| {
                // Parties that document their whole account, with an external id, mean it.
                let documented =
                    a.fixes("sts:ExternalId") && cx.settings.known_accounts.contains_key(*account);
                // `role/*` is all of the account under another name.
                let any = |v: &str| {
                    let partition = partition_of(v).filter(|p| !pattern::is_wild(p)).unwrap_or("aws");
                    let resource = "role/\u{1}";
                    Arn { partition, service: "iam", region: "", account, resource }.to_string()
                };
                let some = |c: &Condition| c.values.iter().all(|v| !pattern::matches(v, &any(v)));
                let by_arn = a.fixing("aws:PrincipalArn").any(some);
                matches!(p, Principal::Account(_)) && !documented && !by_arn
            })
            .map(|(account, _)| called(cx, account))
            .collect();
        roots.sort();
        (!roots.is_empty() && !told).then(|| format!("all of foreign account {}", roots.join(", ")))
    })
}

/// Services whose documentation shows SourceAccount or SourceArn in the trust policy of the role. Kept short:
/// with ec2 it cannot be met, with cloudtrail and elastictranscoder it broke roles (prowler #4714), and for
/// lambda, ecs-tasks and sagemaker AWS's own examples and consoles leave it out.
/// <https://docs.aws.amazon.com/personalize/latest/dg/cross-service-confused-deputy-prevention.html> and its
/// like.
const SENDS_SOURCE: &[&str] =
    &["appstream", "bedrock", "comprehend", "datasync", "personalize", "scheduler", "states"];

fn confused_deputy(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let told = a.negated
            || a.fixes_any(|key| key == "aws:sourceaccount")
            || fixes_organization(a)
            || a.fixing("aws:SourceArn").any(|c| c.values.iter().all(|arn| names_account(arn)));
        let deputies = a.principals.iter().filter_map(|p| match p {
            Principal::Service(name) => Some((*name, plain_service(name))),
            _ => None,
        });
        let sends = |plain: &str| {
            plain.strip_suffix(".amazonaws.com").is_some_and(|service| SENDS_SOURCE.contains(&service))
        };
        deputies
            .filter(|(_, plain)| sends(plain) && !told)
            .map(|(name, _)| format!("{name} for any account"))
            .next()
    })
}

fn orphan_principal(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let gone: Vec<String> = a
            .principals
            .iter()
            .filter_map(|p| match *p {
                Principal::Removed(id) => Some(id.to_owned()),
                Principal::Identity { account, arn } if account == cx.account.id => {
                    let session = arn.split(":assumed-role/").nth(1).and_then(|rest| rest.split('/').next());
                    let missing = (arn.contains(":role/") && !cx.graph.has_role(arn))
                        || session.is_some_and(|name| cx.account.roles.iter().all(|role| role.name != name))
                        || (arn.contains(":user/") && cx.graph.lacks_user(arn));
                    missing.then(|| arn.to_owned())
                }
                _ => None,
            })
            .collect();
        (!gone.is_empty()).then(|| format!("{} no longer exists", gone.join(", ")))
    })
}

fn not_principal(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| a.negated.then(|| "everybody but the listed principals".into()))
}

fn own_root_privileged(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !cx.is_privileged(view) {
        return None;
    }
    objections(view, |a| {
        let root = a.principals.iter().any(|p| matches!(p, Principal::Account(id) if *id == cx.account.id));
        let told =
            a.asks_for_mfa() || a.fixes_any(|key| is_identity_key(key) && key != "aws:principalaccount");
        (root && !a.negated && !told && a.by("sts:AssumeRole"))
            .then(|| "the whole account, on a role with an administrator's reach".into())
    })
}

fn roles_anywhere(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let anywhere = a.principals.contains(&Principal::Service("rolesanywhere.amazonaws.com"));
        let told = a.fixes_any(|key| key == "aws:sourcearn" || key.starts_with("aws:principaltag/x509"));
        (anywhere && !told).then(|| "any certificate of any trust anchor".into())
    })
}

/// Services that run the customer's code.
const COMPUTE: &[&str] = &[
    "ec2",
    "lambda",
    "ecs-tasks",
    "glue",
    "codebuild",
    "sagemaker",
    "batch",
    "tasks.apprunner",
    "pods.eks",
    "emr-serverless",
];

fn odd_service(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let services: Vec<&str> = view
        .admissions
        .iter()
        .flat_map(|a| &a.principals)
        .filter_map(|p| if let Principal::Service(name) = p { Some(*name) } else { None })
        .collect();
    let mut facts: Vec<String> = services.iter().filter_map(|name| misspelled(name)).collect();
    let mut compute: Vec<&str> = services
        .iter()
        .filter_map(|s| s.strip_suffix(".amazonaws.com"))
        .filter(|s| COMPUTE.contains(s))
        .collect();
    compute.sort_unstable();
    compute.dedup();
    if compute.len() > 1 {
        facts.push(format!("{} share the role", compute.join(", ")));
    }
    (!facts.is_empty()).then(|| Hit::new(facts.join("; "), facts))
}

/// Principals that are no service prefix, but real. [memory of AWS's documentation; only used to keep quiet]
const MORE_SERVICES: &[&str] = &[
    "application-insights",
    "ecs-tasks",
    "edgelambda",
    "events",
    "states",
    "scheduler",
    "config",
    "delivery.logs",
    "logs",
    "vpc-flow-logs",
    "apidestinations.events",
    "pipes",
    "spotfleet",
    "spot",
    "ec2fleet",
    "replicator.lambda",
    "ops.apigateway",
    "monitoring.rds",
    "transitgateway",
    "credentials.iot",
    "hooks.cloudformation",
    "build.apprunner",
    "tasks.apprunner",
    "resources.cloudformation",
    "member.org.stacksets.cloudformation",
    "stacksets.cloudformation",
    "pods.eks",
    "eks-fargate-pods",
    "eks-nodegroup",
    "opsworks-cm",
    "continuousexport.discovery",
    "email.cognito-idp",
    "streams.metrics.cloudwatch",
    "export.rds",
    "rds",
    "ssm-incidents",
    "cloudwatch",
    "channels.lex",
    "lexv2",
    "guardduty",
    "macie",
];

fn misspelled(name: &str) -> Option<String> {
    let Some(service) =
        name.strip_suffix(".amazonaws.com").or_else(|| name.strip_suffix(".amazonaws.com.cn"))
    else {
        let whole =
            name.ends_with(".aws.internal") || name.ends_with(".aws.com") || name.ends_with(".amazonaws.eu");
        return (!whole).then(|| format!("{name} is not a service principal"));
    };
    let known = |s: &str| Catalogue::embedded().service(s).is_some() || MORE_SERVICES.contains(&s);
    // Regional principals: `logs.eu-west-1.amazonaws.com`.
    if known(service) || service.contains('.') {
        return None;
    }
    let near = COMPUTE
        .iter()
        .chain(MORE_SERVICES)
        .copied()
        .chain(Catalogue::embedded().services().map(|(s, _)| s))
        .find(|s| s.len() > 3 && strsim::damerau_levenshtein(s, service) == 1)?;
    Some(format!("{name} is unknown, and near {near}.amazonaws.com"))
}

fn wildcard_action(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let patterns = a.statement.actions.patterns();
        if let Some(wide) = patterns.iter().find(|p| {
            pattern::is_everything(p)
                || p.eq_ignore_ascii_case("sts:*")
                || (pattern::is_wild(p) && ASSUME.iter().all(|x| pattern::matches_ignoring_case(p, x)))
        }) {
            return Some(format!("the action {wide}"));
        }
        let marks = ["sts:TagSession", "sts:SetSourceIdentity"].into_iter().find(|action| a.by(action))?;
        let told = a.fixes_any(|key| key.starts_with("aws:requesttag/") || key == "sts:sourceidentity")
            || a.statement.conditions.iter().any(|c| {
                c.key.eq_ignore_ascii_case("aws:TagKeys")
                    || c.key.eq_ignore_ascii_case("sts:TransitiveTagKeys")
            });
        (!foreign(cx, a).is_empty() && !told).then(|| format!("{marks} for a foreign account"))
    })
}
