//! 305 to 308, 313, 314, 316: identity providers, and what of their tokens is checked.

use super::guests::cognito;
use super::objection::objections;
use super::rule::{Check, Context, Hit, Rule};
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::trust::{Admission, Principal};
use opsctl_iam::condition::Operator;
use opsctl_iam::pattern;

const OIDC: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html";
const SAML: &str = "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_saml.html";

/// The rules of the family that are about federation.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM305",
        slug: "oidc-subject",
        severity: Severity::Critical,
        title: "Strangers at the identity provider may assume the role",
        what: "The trust in an OIDC provider does not fix the subject to one organization.",
        why: "Everybody with an account at the provider can make a token that fits.",
        fix: "Fix the subject, for GitHub with StringLike token.actions.githubusercontent.com:sub = repo:ORG/REPO:environment:NAME.",
        page: OIDC,
        check: Check::Role(oidc_subject),
    },
    Rule {
        id: "IAM306",
        slug: "oidc-any-ref",
        severity: Severity::Medium,
        title: "Any branch or pull request may assume the role",
        what: "The subject names an organization or repository, and leaves branch, tag and environment open.",
        why: "Whoever may open a branch can run with the role, before any review.",
        fix: "Fix `environment:NAME` or `ref:refs/heads/main` in the subject.",
        page: OIDC,
        check: Check::Role(oidc_any_ref),
    },
    Rule {
        id: "IAM307",
        slug: "oidc-audience",
        severity: Severity::Medium,
        title: "The audience of the token is not checked",
        what: "The trust in an OIDC provider does not fix `aud`.",
        why: "A token made for another service of the same provider fits too.",
        fix: "Add StringEquals aud, for GitHub sts.amazonaws.com.",
        page: OIDC,
        check: Check::Role(oidc_audience),
    },
    Rule {
        id: "IAM308",
        slug: "saml-audience",
        severity: Severity::Medium,
        title: "The audience of the SAML assertion is not checked",
        what: "The role may be assumed with SAML, and neither SAML:aud nor SAML:iss is fixed.",
        why: "An assertion made for another service provider fits too.",
        fix: "Add StringEquals SAML:aud = https://signin.aws.amazon.com/saml.",
        page: SAML,
        check: Check::Role(saml_audience),
    },
    Rule {
        id: "IAM313",
        slug: "missing-provider",
        severity: Severity::Medium,
        title: "The trust policy names an identity provider that does not exist",
        what: "The account has no SAML or OIDC provider of that ARN.",
        why: "Whoever makes a provider of that name controls who gets in.",
        fix: "Remove the statement.",
        page: OIDC,
        check: Check::Role(missing_provider),
    },
    Rule {
        id: "IAM314",
        slug: "cognito",
        severity: Severity::High,
        title: "A Cognito identity pool is not told apart, or lets guests in",
        what: "The trust in cognito-identity.amazonaws.com does not fix `aud`, or lets guests into a role that may write or read data.",
        why: "Any identity pool of any account fits, or anybody without signing in.",
        fix: "Fix aud to the pool's id, and amr to authenticated.",
        page: "https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html",
        check: Check::Role(cognito),
    },
    Rule {
        id: "IAM316",
        slug: "eks-wide",
        severity: Severity::High,
        title: "Any pod of the cluster may assume the role",
        what: "The trust in a cluster does not fix namespace and service account.",
        why: "Whoever may start a pod anywhere in the cluster has the role.",
        fix: "Fix the subject to system:serviceaccount:NAMESPACE:NAME, or the session tags of pod identity.",
        page: "https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html",
        check: Check::Role(eks_wide),
    },
];

/// The OIDC provider of an admission, and what its subject is fixed to.
struct Subject<'a> {
    host: &'a str,
    /// One entry per condition on the subject; of each, the values, and whether `*` in them is a wildcard.
    /// All conditions must hold, and any value of one will do.
    fixed: Vec<Vec<(&'a str, bool)>>,
}

impl Subject<'_> {
    /// For evidence: the value that reaches farthest.
    fn shown(&self) -> &str {
        let values =
            self.fixed.iter().min_by_key(|values| widest_of(self.host, values)).into_iter().flatten();
        values
            .max_by_key(|&&(value, wild)| width_at(self.host, value, wild))
            .map_or("any", |(value, _)| value)
    }
}

/// Providers that need no entry in the account, and whose subject is one person among all of the provider's.
const CONSUMER: [&str; 3] = ["accounts.google.com", "www.amazon.com", "graph.facebook.com"];

fn subjects<'a>(a: &'a Admission<'a>) -> impl Iterator<Item = Subject<'a>> + 'a {
    let hosts = a.principals.iter().filter_map(|p| match *p {
        Principal::Oidc { host, .. } if !a.negated && a.by("sts:AssumeRoleWithWebIdentity") => Some(host),
        _ => None,
    });
    hosts.map(|host| {
        let all = &a.statement.conditions;
        let is_subject = |key: &str| {
            key.len() == host.len() + 4
                && key.to_ascii_lowercase().starts_with(&host.to_ascii_lowercase())
                && key.to_ascii_lowercase().ends_with(":sub")
        };
        let fixing = all.iter().filter(|c| {
            let operator = Operator::parse(&c.operator);
            is_subject(&c.key)
                && operator.is_known()
                && !operator.is_negated()
                && !operator.base.eq_ignore_ascii_case("Null")
        });
        let fixed = fixing.map(|c| {
            let wild = Operator::parse(&c.operator).takes_wildcards();
            c.values.iter().map(|v| (v.as_str(), wild)).collect()
        });
        Subject { host, fixed: fixed.collect() }
    })
}

fn is_eks(host: &str) -> bool {
    host.starts_with("oidc.eks.")
}

/// Providers whose address already names the customer: every subject is of one organization.
fn is_own_tenant(host: &str) -> bool {
    const TENANTS: [&str; 9] = [
        // An enterprise of GitHub that has its own issuer; the shared one has no path.
        "token.actions.githubusercontent.com/",
        "vstoken.dev.azure.com/",
        "oidc.vercel.com/",
        "oidc.fly.io/",
        "oidc.circleci.com/org/",
        "api.bitbucket.org/2.0/workspaces/",
        "cognito-idp.",
        "sts.windows.net/",
        "login.microsoftonline.com/",
    ];
    TENANTS.iter().any(|tenant| host.starts_with(tenant)) || host.contains("/id/")
}

/// Claims of GitHub and GitLab that fix the organization as well as the subject does.
const OWNER_CLAIMS: &[&str] = &[
    ":repository_owner_id",
    ":repository_owner",
    ":repository_id",
    ":repository",
    ":job_workflow_ref",
    ":namespace_path",
    ":namespace_id",
    ":project_path",
    ":terraform_organization_id",
    ":terraform_organization_name",
];

fn owner_is_fixed(a: &Admission<'_>) -> bool {
    let all = &a.statement.conditions;
    all.iter().any(|c| {
        let key = c.key.to_ascii_lowercase();
        // The owner ends at the first slash: `octo*` is octo-evil, too.
        let literal = |v: &String| {
            let owner = v.split('/').next().unwrap_or_default();
            !Operator::parse(&c.operator).takes_wildcards() || !(owner.is_empty() || pattern::is_wild(owner))
        };
        OWNER_CLAIMS.iter().any(|claim| key.ends_with(claim))
            && a.fixes_any(|k| k == key)
            && c.values.iter().all(literal)
    })
}

/// How far a subject reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    /// One branch, environment or the like.
    Narrow,
    AnyRef,
    AnyRepository,
    Strangers,
}

/// Providers whose one address serves many customers, and what in a subject names one of them. Without that,
/// the subject is anybody's: each customer decides what its own subjects look like.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_create_for-idp_oidc.html>
const SHARED: &[(&str, &[&str])] = &[
    (
        "token.actions.githubusercontent.com",
        &[
            "repo",
            "repository",
            "repository_owner",
            "repository_owner_id",
            "repository_id",
            "job_workflow_ref",
            "workflow_ref",
            "enterprise",
            "enterprise_id",
        ],
    ),
    ("gitlab.com", &["project_path", "project_id", "namespace_path", "namespace_id"]),
    ("app.terraform.io", &["organization"]),
    ("app.eu.terraform.io", &["organization"]),
    ("agent.buildkite.com", &["organization"]),
    ("oidc.codefresh.io", &["account"]),
    ("api.pulumi.com/oidc", &["org", "pulumi.organization.login"]),
    ("app.env0.com", &["organizationId"]),
    ("oidc.vercel.com", &["owner"]),
    ("scalr.io", &["account"]),
];

fn is_shared(host: &str) -> bool {
    SHARED.iter().any(|(shared, _)| host.eq_ignore_ascii_case(shared))
}

/// Whether a subject of a provider with many customers names one of them.
fn names_owner(host: &str, value: &str) -> bool {
    let Some((_, claims)) = SHARED.iter().find(|(shared, _)| host.eq_ignore_ascii_case(shared)) else {
        return true;
    };
    // `environment:prod:repository_owner:ORG` as well as `repo:ORG/REPO:environment:prod`.
    let parts: Vec<&str> = value.split(':').collect();
    parts.windows(2).any(|pair| {
        let owner = pair[1].split('/').next().unwrap_or_default();
        claims.contains(&pair[0]) && !owner.is_empty() && !pattern::is_wild(owner)
    })
}

fn width_at(host: &str, value: &str, wild: bool) -> Width {
    match names_owner(host, value) {
        true => width(value, wild),
        false => Width::Strangers,
    }
}

fn width(value: &str, wild: bool) -> Width {
    // Whoever may propose a change runs with the role, before any review.
    if value.ends_with(":pull_request") {
        return Width::AnyRef;
    }
    if !wild || !pattern::is_wild(value) {
        return Width::Narrow;
    }
    let literal = pattern::literal_prefix(value);
    // `repo:ORG/REPO:…`, `project_path:GROUP/PROJECT:…`: the owner ends at the first slash.
    if let Some((_, name)) =
        literal.split_once(':').filter(|(kind, _)| ["repo", "project_path", "repository"].contains(kind))
    {
        return match name.split_once('/') {
            None => Width::Strangers,
            _ if pins_ref(value) => Width::Narrow,
            Some((_, repository)) => match repository.split_once(':') {
                None => Width::AnyRepository,
                Some((_, rest)) if OPEN_ENDED.contains(&rest) => Width::AnyRef,
                Some(_) => Width::Narrow,
            },
        };
    }
    // `organization:ORG:project:P:workspace:W:run_phase:*`, `org/ID/project/ID/user/*`.
    match literal.split([':', '/', '|']).filter(|part| !part.is_empty()).count() {
        0 | 1 => Width::Strangers,
        2 | 3 if literal.ends_with([':', '/', '|']) => Width::AnyRepository,
        2 => Width::Strangers,
        _ => Width::Narrow,
    }
}

/// What may stand between the repository and a wildcard that leaves branch and environment open.
const OPEN_ENDED: [&str; 12] = [
    "",
    "ref",
    "ref:",
    "ref:refs/",
    "ref:refs/heads/",
    "environment:",
    "pull_request",
    "ref_type:",
    "ref_type:branch",
    "ref_type:branch:",
    "ref_type:branch:ref",
    "ref_type:branch:ref:",
];

/// Whether a subject with wildcards earlier on ends in one branch or environment.
fn pins_ref(value: &str) -> bool {
    let ends = [":environment:", ":ref:refs/heads/", ":ref:"];
    let tail = ends.iter().find_map(|end| value.rsplit_once(end)).map(|(_, tail)| tail);
    tail.is_some_and(|tail| !tail.is_empty() && !pattern::is_wild(tail))
}

fn widest_of(host: &str, values: &[(&str, bool)]) -> Width {
    values.iter().map(|&(value, wild)| width_at(host, value, wild)).max().unwrap_or(Width::Strangers)
}

/// Whether subjects are service accounts of Kubernetes, whose providers have any address.
fn is_of_cluster(s: &Subject<'_>) -> bool {
    let mut values = s.fixed.iter().flatten();
    is_eks(s.host) || values.any(|(value, _)| value.starts_with("system:serviceaccount:"))
}

/// Whether a provider is one's own, and its tokens are for one application: who comes is a colleague.
fn is_for_colleagues(a: &Admission<'_>, host: &str) -> bool {
    let audience = format!("{}:aud", host.to_ascii_lowercase());
    !is_shared(host) && a.fixes_any(|key| key == audience)
}

/// Issuers that many share, and what the audience of their tokens begins with before the customer's name.
/// <https://vercel.com/docs/oidc/reference>,
/// <https://www.pulumi.com/docs/pulumi-cloud/access-management/oidc/client/aws/>
const AUDIENCE_OF_OWNER: [(&str, &str); 2] =
    [("oidc.vercel.com", "https://vercel.com/"), ("api.pulumi.com/oidc", "aws:")];

/// Whether the audience names one customer of the issuer.
fn audience_names_owner(a: &Admission<'_>, host: &str) -> bool {
    let Some((_, prefix)) = AUDIENCE_OF_OWNER.iter().find(|(of, _)| host.eq_ignore_ascii_case(of)) else {
        return false;
    };
    let names = |value: &String| {
        value.strip_prefix(prefix).is_some_and(|owner| !owner.is_empty() && !pattern::is_wild(owner))
    };
    a.fixing(&format!("{host}:aud")).any(|c| c.values.iter().all(names))
}

fn widest(subject: &Subject<'_>) -> Width {
    subject.fixed.iter().map(|values| widest_of(subject.host, values)).min().unwrap_or(Width::Strangers)
}

pub(super) fn oidc_subject(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let open = |s: &Subject<'_>| {
            let own =
                is_own_tenant(s.host) || is_for_colleagues(a, s.host) || audience_names_owner(a, s.host);
            !is_of_cluster(s) && !own && widest(s) == Width::Strangers
        };
        let consumer = a.principals.iter().find_map(|p| match *p {
            Principal::Public(host) if CONSUMER.contains(&host) && !a.negated => Some(host),
            _ => None,
        });
        let app = a.statement.conditions.iter().any(|c| {
            let key = c.key.to_ascii_lowercase();
            // The audience that a service account asks for, `oaud`, is its owner's choice.
            let told = [":aud", ":app_id", ":sub", ":email", ":user_id"];
            // `*.apps.googleusercontent.com` is everybody's application.
            let any = key.ends_with("aud") && Operator::parse(&c.operator).takes_wildcards();
            consumer.is_some_and(|host| key.starts_with(host))
                && told.iter().any(|claim| key.ends_with(claim))
                && a.fixes_by(c)
                && !(any && c.values.iter().any(|v| pattern::is_wild(v)))
        });
        if let Some(host) = consumer.filter(|_| !app) {
            return Some(format!("{host} with any application and any person"));
        }
        let subject = subjects(a).find(open).filter(|_| !owner_is_fixed(a))?;
        Some(match subject.fixed.is_empty() {
            true => format!("{} with any subject", subject.host),
            false => {
                format!("{} with subject {}, which is not one organization's", subject.host, subject.shown())
            }
        })
    })
}

/// How far a subject reaches together with claims beside it: where the owner is fixed, the repository or the
/// branch may be left open.
fn reach(a: &Admission<'_>, s: &Subject<'_>) -> Width {
    let width = widest(s);
    if width != Width::Strangers || !owner_is_fixed(a) {
        return width;
    }
    let pinned = |values: &Vec<(&str, bool)>| values.iter().all(|(value, _)| pins_ref(value));
    if s.fixed.iter().any(pinned) {
        return Width::Narrow;
    }
    let named = a.statement.conditions.iter().any(|c| {
        let plain =
            !Operator::parse(&c.operator).takes_wildcards() || c.values.iter().all(|v| !pattern::is_wild(v));
        let key = c.key.to_ascii_lowercase();
        plain && REPOSITORY_CLAIMS.iter().any(|claim| key.ends_with(claim)) && a.fixes_by(c)
    });
    if named { Width::AnyRef } else { Width::AnyRepository }
}

/// Claims that name one repository.
const REPOSITORY_CLAIMS: [&str; 3] = [":repository", ":repository_id", ":project_path"];

fn oidc_any_ref(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let mut severity = Severity::Medium;
    let mut reached = view.admissions.iter().flat_map(|a| subjects(a).map(move |s| reach(a, &s)));
    if reached.any(|width| width == Width::AnyRepository) {
        severity = Severity::High;
    }
    let hit = objections(view, |a| {
        let open = |s: &Subject<'_>| {
            let width = reach(a, s);
            let own =
                is_own_tenant(s.host) || is_for_colleagues(a, s.host) || audience_names_owner(a, s.host);
            let tenant = own && width == Width::Strangers;
            tenant || width == Width::AnyRef || width == Width::AnyRepository
        };
        let pinned = a.fixes_any(|key| {
            [":ref", ":environment", ":job_workflow_ref"].iter().any(|claim| key.ends_with(claim))
        });
        let subject = subjects(a).filter(|s| !is_of_cluster(s)).find(open).filter(|_| !pinned)?;
        Some(format!("{} with subject {}", subject.host, subject.shown()))
    })?;
    let hit = hit.severity(severity);
    let colleagues =
        |s: &Subject<'_>| !is_shared(s.host) && widest(s) == Width::Strangers && !is_of_cluster(s);
    match view.admissions.iter().flat_map(subjects).find(colleagues) {
        Some(subject) => {
            Some(hit.title("Whoever has an account at the identity provider may assume the role").fix(
                format!("Fix {}:sub, or a claim for the group of people that the role is for.", subject.host),
            ))
        }
        None => Some(hit),
    }
}

fn oidc_audience(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let host = a.principals.iter().find_map(|p| match *p {
            Principal::Oidc { host, .. } if a.by("sts:AssumeRoleWithWebIdentity") && !a.negated => {
                Some(host.to_ascii_lowercase())
            }
            _ => None,
        })?;
        let checked = a.fixes_any(|key| {
            key.strip_prefix(host.as_str()).is_some_and(|claim| [":aud", ":azp", ":oaud"].contains(&claim))
        });
        (!checked).then(|| format!("{host} with any audience"))
    })
}

fn saml_audience(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    objections(view, |a| {
        let saml = a.by("sts:AssumeRoleWithSAML")
            && a.principals
                .iter()
                .any(|p| matches!(p, Principal::Saml(arn) if !arn.contains("saml-provider/AWSSSO_")));
        (saml && !a.fixes("SAML:aud") && !a.fixes("SAML:iss"))
            .then(|| "SAML assertions for any audience".into())
    })
}

fn missing_provider(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let account = cx.account;
    let mut missing: Vec<&str> = Vec::new();
    for principal in view.admissions.iter().flat_map(|a| &a.principals) {
        let (arn, listed) = match *principal {
            Principal::Oidc { arn, .. } => (arn, &account.oidc_providers),
            Principal::Saml(arn) if !arn.contains("saml-provider/AWSSSO_") => (arn, &account.saml_providers),
            _ => continue,
        };
        match listed {
            // When they were asked for in vain, that is said once for the account.
            None if account.problems.iter().any(|problem| problem.rule == "IAM313") => {}
            None => cx.without_data("IAM313", &view.role.arn, "the identity providers were not listed"),
            Some(known) if known.contains(arn) || missing.contains(&arn) => {}
            Some(_) => missing.push(arn),
        }
    }
    (!missing.is_empty()).then(|| {
        Hit::new(missing.join(", "), missing.iter().map(|arn| format!("{arn} does not exist")).collect())
    })
}

fn eks_wide(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let open = |s: &Subject<'_>| {
        let wide = |values: &Vec<_>| values.iter().any(|&(v, wild)| eks_is_wide(v, wild));
        is_of_cluster(s) && s.fixed.iter().all(wide)
    };
    let hit = objections(view, |a| {
        if let Some(subject) = subjects(a).find(open) {
            return Some(format!("{} with subject {}", subject.host, subject.shown()));
        }
        let pods = a.principals.contains(&Principal::Service("pods.eks.amazonaws.com"));
        let told = a.fixes_any(|key| {
            key.starts_with("aws:requesttag/") || key == "aws:sourcearn" || key == "aws:sourceaccount"
        });
        (pods && !told && cx.is_privileged(view))
            .then(|| "any pod identity association, on a privileged role".into())
    })?;
    // `system:serviceaccount:team-*:app` is not any pod.
    let named = |s: Subject<'_>| {
        let rest = s.shown().strip_prefix("system:serviceaccount:").unwrap_or_default();
        !pattern::literal_prefix(rest).is_empty()
            || rest.split(':').nth(1).is_some_and(|name| !pattern::is_wild(name))
    };
    let mut wide = view.admissions.iter().flat_map(subjects).filter(open).peekable();
    Some(match wide.peek().is_some() && wide.all(named) {
        true => hit.title("Pods of several namespaces may assume the role").severity(Severity::Medium),
        false => hit,
    })
}

/// `system:serviceaccount:NAMESPACE:NAME`: the namespace at least must be named.
fn eks_is_wide(value: &str, wild: bool) -> bool {
    let namespace = pattern::literal_prefix(value).strip_prefix("system:serviceaccount:");
    wild && pattern::is_wild(value) && namespace.is_none_or(|rest| !rest.contains(':'))
}
