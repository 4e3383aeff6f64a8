//! Who may become the roles.

use serde_json::{Value, json};

use super::super::world::*;
use super::{ADMIN, Archetype};

/// Every rule about trust that a proper trust policy does not break.
pub const TRUST: &[&str] = &[
    "IAM301", "IAM302", "IAM303", "IAM304", "IAM305", "IAM306", "IAM307", "IAM308", "IAM309", "IAM310",
    "IAM311", "IAM312", "IAM313", "IAM314", "IAM315", "IAM316",
];

const GITHUB: &str = "token.actions.githubusercontent.com";
const EKS: &str = "oidc.eks.eu-west-1.amazonaws.com/id/ABC";
const COGNITO: &str = "cognito-identity.amazonaws.com";

/// What the account has of identity providers.
pub const PROVIDERS: [&str; 4] = [
    "oidc-provider/token.actions.githubusercontent.com",
    "oidc-provider/gitlab.com",
    "oidc-provider/oidc.eks.eu-west-1.amazonaws.com/id/ABC",
    "saml-provider/okta",
];

fn by_token(provider: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity"})
}

/// Trust in a provider for one subject, the audience checked.
fn oidc(host: &str, subject: &str) -> Value {
    let web = by_token(&super::provider(&format!("oidc-provider/{host}")));
    let web = when(web, "StringEquals", &format!("{host}:aud"), "sts.amazonaws.com");
    when(web, "StringLike", &format!("{host}:sub"), subject)
}

fn github(subject: &str) -> Value {
    document(oidc(GITHUB, subject))
}

fn pool() -> Value {
    when(by_token(COGNITO), "StringEquals", "cognito-identity.amazonaws.com:aud", "eu-west-1:1234")
}

fn saml() -> Value {
    let provider = super::provider("saml-provider/okta");
    json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithSAML"})
}

fn foreign(role: &str) -> Value {
    trust(json!({"AWS": format!("arn:aws:iam::999988887777:{role}")}))
}

fn denied(principal: Value) -> Value {
    json!({"Effect": "Deny", "Principal": principal, "Action": "sts:*"})
}

/// The archetypes.
pub const ARCHETYPES: &[Archetype] = &[
    Archetype {
        name: "public",
        must: &["IAM301"],
        must_not: &["IAM302"],
        make: |r| r.trusts(document(trust(json!({"AWS": "*"})))),
    },
    Archetype {
        name: "public-void",
        must: &["IAM301"],
        must_not: &["IAM302"],
        make: |r| r.trusts(document(when(trust(json!("*")), "StringLike", "aws:PrincipalOrgID", "*"))),
    },
    Archetype {
        name: "org",
        must: &["IAM302"],
        must_not: &["IAM301"],
        make: |r| r.trusts(document(when(trust(json!("*")), "StringEquals", "aws:PrincipalOrgID", "o-1"))),
    },
    Archetype {
        name: "vendor",
        must: &["IAM303"],
        must_not: &["IAM301", "IAM304"],
        make: |r| r.trusts(document(foreign("role/v"))),
    },
    Archetype {
        name: "vendor-star-id",
        must: &["IAM303"],
        must_not: &["IAM304"],
        make: |r| r.trusts(document(when(foreign("role/v"), "StringLike", "sts:ExternalId", "*"))),
    },
    Archetype {
        name: "vendor-id",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(document(when(foreign("role/v"), "StringEquals", "sts:ExternalId", "x"))),
    },
    Archetype {
        name: "vendor-root",
        must: &["IAM304"],
        must_not: &["IAM303"],
        make: |r| r.trusts(document(when(foreign("root"), "StringEquals", "sts:ExternalId", "x"))),
    },
    Archetype {
        name: "vendor-reader",
        must: &["IAM116"],
        must_not: ADMIN,
        make: |r| {
            r.trusts(document(when(foreign("role/v"), "StringEquals", "sts:ExternalId", "x")))
                .aws("ReadOnlyAccess")
        },
    },
    Archetype {
        name: "oidc-any",
        must: &["IAM305"],
        must_not: &["IAM306"],
        make: |r| r.trusts(github("repo:*")),
    },
    Archetype {
        name: "oidc-ref",
        must: &["IAM306"],
        must_not: &["IAM305"],
        make: |r| r.trusts(github("repo:org/app:*")),
    },
    Archetype {
        name: "oidc-env",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(github("repo:org/app:environment:prod")),
    },
    Archetype {
        name: "deputy",
        must: &["IAM309"],
        must_not: ADMIN,
        make: |r| r.trusts(trust_service("scheduler.amazonaws.com")),
    },
    Archetype {
        name: "deputy-told",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(when(
                trust(json!({"Service": "scheduler.amazonaws.com"})),
                "StringEquals",
                "aws:SourceAccount",
                ACCOUNT,
            )))
        },
    },
    Archetype {
        name: "gone",
        must: &["IAM310"],
        must_not: &["IAM301"],
        make: |r| r.trusts(document(trust(json!({"AWS": "AROAGONE"})))),
    },
    Archetype {
        name: "root-admin",
        must: &["IAM103", "IAM312"],
        must_not: &["IAM301"],
        make: |r| {
            r.trusts(document(trust(json!({"AWS": [format!("arn:aws:iam::{ACCOUNT}:root")]}))))
                .aws("AdministratorAccess")
                .tag("tier", "x")
        },
    },
    Archetype {
        name: "org-by-deny",
        must: &["IAM302"],
        must_not: &["IAM301"],
        make: |r| {
            r.trusts(document(vec![
                trust(json!("*")),
                when(denied(json!("*")), "StringNotEquals", "aws:PrincipalOrgID", "o-1"),
            ]))
        },
    },
    Archetype {
        name: "any-org",
        must: &["IAM301"],
        must_not: &["IAM302"],
        make: |r| r.trusts(document(when(trust(json!("*")), "StringLike", "aws:PrincipalOrgID", "o-*"))),
    },
    Archetype {
        name: "closed",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(document(vec![trust(json!("*")), denied(json!("*"))])),
    },
    Archetype {
        name: "closed-to-accounts",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(document(vec![trust(json!({"AWS": "*"})), denied(json!({"AWS": "*"}))])),
    },
    Archetype {
        name: "spared-by-deny",
        must: &[],
        must_not: &["IAM301", "IAM311"],
        make: |r| {
            let but = json!({"Effect": "Deny", "NotPrincipal": {"AWS": role_arn("fixed-harmless")},
                "Action": "sts:AssumeRole"});
            r.trusts(document(vec![trust(json!("*")), but]))
        },
    },
    Archetype {
        name: "by-name-anywhere",
        must: &["IAM301"],
        must_not: &[],
        make: |r| {
            r.trusts(document(when(
                trust(json!("*")),
                "ArnLike",
                "aws:PrincipalArn",
                "arn:aws:iam::*:role/Deploy",
            )))
        },
    },
    Archetype {
        name: "by-name-here",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(when(trust(json!("*")), "ArnLike", "aws:PrincipalArn", role_arn("Deploy*"))))
        },
    },
    Archetype {
        name: "by-tag",
        must: &["IAM301"],
        must_not: &[],
        make: |r| r.trusts(document(when(trust(json!("*")), "StringEquals", "aws:PrincipalTag/team", "a"))),
    },
    Archetype {
        name: "vendor-over",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(when(
                foreign("root"),
                "DateLessThan",
                "aws:CurrentTime",
                "2025-01-01T00:00:00Z",
            )))
        },
    },
    Archetype {
        name: "vendor-any-id",
        must: &["IAM303"],
        must_not: &["IAM304"],
        make: |r| r.trusts(document(when(foreign("role/v"), "StringLike", "sts:ExternalId", "?*"))),
    },
    Archetype {
        name: "vendor-id-by-deny",
        must: &[],
        must_not: &["IAM303"],
        make: |r| {
            r.trusts(document(vec![
                foreign("role/v"),
                when(denied(json!("*")), "StringNotEquals", "sts:ExternalId", "x"),
            ]))
        },
    },
    Archetype {
        name: "vendor-digits",
        must: &["IAM303", "IAM304"],
        must_not: &["IAM301"],
        make: |r| r.trusts(document(trust(json!({"AWS": "999988887777"})))),
    },
    Archetype {
        name: "own-digits",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(document(trust(json!({"AWS": ACCOUNT})))),
    },
    Archetype {
        name: "oidc-both",
        must: &[],
        must_not: &["IAM305", "IAM306"],
        make: |r| {
            r.trusts(document(when(
                oidc(GITHUB, "repo:org/*"),
                "StringEquals",
                "token.actions.githubusercontent.com:sub",
                "repo:org/app:environment:prod",
            )))
        },
    },
    Archetype {
        name: "oidc-one-of-many",
        must: &["IAM305"],
        must_not: &["IAM307"],
        make: |r| {
            let web = by_token(&super::provider("oidc-provider/token.actions.githubusercontent.com"));
            let web =
                when(web, "StringEquals", "token.actions.githubusercontent.com:aud", "sts.amazonaws.com");
            r.trusts(document(when(
                web,
                "StringLike",
                "token.actions.githubusercontent.com:sub",
                json!(["repo:org/app:ref:refs/heads/main", "*"]),
            )))
        },
    },
    Archetype {
        name: "oidc-proposals",
        must: &["IAM306"],
        must_not: &["IAM305"],
        make: |r| r.trusts(github("repo:org/app:pull_request")),
    },
    Archetype {
        name: "gitlab-any",
        must: &["IAM305"],
        must_not: &["IAM306"],
        make: |r| r.trusts(document(oidc("gitlab.com", "project_path:*"))),
    },
    Archetype {
        name: "gitlab-ref",
        must: &["IAM306"],
        must_not: &["IAM305"],
        make: |r| r.trusts(document(oidc("gitlab.com", "project_path:group/app:ref_type:branch:ref:*"))),
    },
    Archetype {
        name: "gitlab-main",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(document(oidc("gitlab.com", "project_path:group/app:ref_type:branch:ref:main"))),
    },
    Archetype {
        name: "oidc-gone",
        must: &["IAM313"],
        must_not: &["IAM305"],
        make: |r| {
            r.trusts(document(oidc("oidc.eks.eu-west-1.amazonaws.com/id/GONE", "system:serviceaccount:a:b")))
        },
    },
    Archetype {
        name: "eks-any",
        must: &["IAM316"],
        must_not: &["IAM305"],
        make: |r| r.trusts(document(oidc(EKS, "system:serviceaccount:*"))),
    },
    Archetype {
        name: "eks-one",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(document(oidc(EKS, "system:serviceaccount:ns:app"))),
    },
    Archetype {
        name: "google-any",
        must: &["IAM305"],
        must_not: &[],
        make: |r| r.trusts(document(by_token("accounts.google.com"))),
    },
    Archetype {
        name: "google-app",
        must: &[],
        must_not: &["IAM305"],
        make: |r| {
            r.trusts(document(when(
                by_token("accounts.google.com"),
                "StringEquals",
                "accounts.google.com:aud",
                "1.apps",
            )))
        },
    },
    Archetype {
        name: "pool-any",
        must: &["IAM314"],
        must_not: &[],
        make: |r| r.trusts(document(by_token(COGNITO))),
    },
    Archetype {
        name: "pool-guests",
        must: &["IAM314"],
        must_not: &[],
        make: |r| {
            r.trusts(document(when(
                pool(),
                "ForAnyValue:StringLike",
                "cognito-identity.amazonaws.com:amr",
                "un*",
            )))
            .can(allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"]))
        },
    },
    Archetype {
        name: "pool-members",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(when(
                pool(),
                "ForAnyValue:StringLike",
                "cognito-identity.amazonaws.com:amr",
                "authenticated",
            )))
            .can(allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"]))
        },
    },
    Archetype { name: "saml-any", must: &["IAM308"], must_not: &[], make: |r| r.trusts(document(saml())) },
    Archetype {
        name: "saml-aud",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(when(saml(), "StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml")))
        },
    },
    Archetype {
        name: "deputy-any-account",
        must: &["IAM309"],
        must_not: &[],
        make: |r| {
            r.trusts(document(when(
                trust(json!({"Service": "scheduler.amazonaws.com"})),
                "ArnLike",
                "aws:SourceArn",
                "arn:aws:scheduler:*:*:*",
            )))
        },
    },
    Archetype {
        name: "anywhere",
        must: &["IAM315"],
        must_not: &[],
        make: |r| r.trusts(trust_service("rolesanywhere.amazonaws.com")),
    },
    Archetype {
        name: "session-gone",
        must: &["IAM310"],
        must_not: &["IAM301"],
        make: |r| {
            r.trusts(document(trust(json!({"AWS": format!("arn:aws:sts::{ACCOUNT}:assumed-role/nobody/x")}))))
        },
    },
    Archetype {
        name: "session-there",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(trust(
                json!({"AWS": format!("arn:aws:sts::{ACCOUNT}:assumed-role/fixed-harmless/x")}),
            )))
        },
    },
    Archetype {
        name: "not-principal",
        must: &["IAM311"],
        must_not: &["IAM301"],
        make: |r| {
            r.trusts(document(
                json!({"Effect": "Allow", "NotPrincipal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}),
            ))
        },
    },
    Archetype {
        name: "misspelled",
        must: &["IAM317"],
        must_not: &[],
        make: |r| r.trusts(trust_service("lamda.amazonaws.com")),
    },
    Archetype {
        name: "any-action",
        must: &["IAM318"],
        must_not: &[],
        make: |r| {
            r.trusts(document(json!({"Effect": "Allow", "Principal": {"AWS": role_arn("fixed-harmless")},
                "Action": "sts:*"})))
        },
    },
    Archetype {
        name: "foreign-by-condition",
        must: &["IAM303", "IAM304"],
        must_not: &["IAM301"],
        make: |r| {
            r.trusts(document(when(
                trust(json!("*")),
                "StringEquals",
                "aws:PrincipalAccount",
                "999988887777",
            )))
        },
    },
    Archetype {
        name: "foreign-role-by-condition",
        must: &["IAM303"],
        must_not: &["IAM301", "IAM304"],
        make: |r| {
            let theirs = "arn:aws:iam::999988887777:role/v*";
            r.trusts(document(when(trust(json!({"AWS": "*"})), "ArnLike", "aws:PrincipalArn", theirs)))
        },
    },
    Archetype {
        name: "own-by-condition",
        must: &[],
        must_not: TRUST,
        make: |r| {
            r.trusts(document(when(trust(json!("*")), "StringEquals", "aws:PrincipalAccount", ACCOUNT)))
        },
    },
];
