//! Accounts of any size with the truth known by construction: each archetype says what must be found on its
//! roles and what must not. What it says nothing about is left open. The audit has no part in the truth.

use serde_json::{Value, json};

use super::world::*;

/// A kind of role, and the truth about it.
pub struct Archetype {
    pub name: &'static str,
    pub must: &'static [&'static str],
    pub must_not: &'static [&'static str],
    make: fn(RoleMaker) -> RoleMaker,
}

const ADMIN: &[&str] = &["IAM103", "IAM104"];
const GRAB: &[&str] = &["IAM103", "IAM104", "IAM201", "IAM202", "IAM203", "IAM205", "IAM208"];
const BROAD: &[&str] =
    &["IAM102", "IAM107", "IAM108", "IAM109", "IAM110", "IAM111", "IAM112", "IAM113", "IAM114", "IAM115"];
const TRUST: &[&str] = &[
    "IAM301", "IAM302", "IAM303", "IAM304", "IAM305", "IAM306", "IAM307", "IAM308", "IAM309", "IAM310",
    "IAM311", "IAM312", "IAM314", "IAM315", "IAM316",
];

fn pass(service: &str) -> Value {
    when(allow(&["iam:PassRole"], &["*"]), "StringEquals", "iam:PassedToService", service)
}

fn mfa(statement: Value) -> Value {
    when(statement, "Bool", "aws:MultiFactorAuthPresent", "true")
}

fn github(subject: &str) -> Value {
    let host = "token.actions.githubusercontent.com";
    let web = json!({"Effect": "Allow", "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{host}")}, "Action": "sts:AssumeRoleWithWebIdentity"});
    let web = when(web, "StringEquals", &format!("{host}:aud"), "sts.amazonaws.com");
    document(when(web, "StringLike", &format!("{host}:sub"), subject))
}

fn foreign(role: &str) -> Value {
    trust(json!({"AWS": format!("arn:aws:iam::999988887777:{role}")}))
}

const S3_BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

/// Every archetype.
pub const ARCHETYPES: &[Archetype] = &[
    // Clean workloads: nothing about permissions or trust.
    Archetype {
        name: "lambda-scoped",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["s3:GetObject", "s3:PutObject"], &["arn:aws:s3:::data/*"])),
    },
    Archetype {
        name: "lambda-logs",
        must: &[],
        must_not: BROAD,
        make: |r| r.aws("service-role/AWSLambdaBasicExecutionRole"),
    },
    Archetype {
        name: "lambda-vpc",
        must: &[],
        must_not: BROAD,
        make: |r| r.aws("service-role/AWSLambdaVPCAccessExecutionRole"),
    },
    Archetype {
        name: "ecs-pull",
        must: &[],
        must_not: &["IAM112", "IAM109", "IAM309"],
        make: |r| {
            r.trusts(trust_service("ecs-tasks.amazonaws.com"))
                .aws("service-role/AmazonECSTaskExecutionRolePolicy")
        },
    },
    Archetype {
        name: "trusts-ec2",
        must: &[],
        must_not: TRUST,
        make: |r| r.trusts(trust_service("ec2.amazonaws.com")),
    },
    Archetype { name: "trusts-own", must: &[], must_not: TRUST, make: |r| r.trusts(trust_own_account()) },
    // FullAccess and its like.
    Archetype {
        name: "full-s3",
        must: &["IAM101", "IAM102", "IAM110"],
        must_not: ADMIN,
        make: |r| r.aws("AmazonS3FullAccess"),
    },
    Archetype {
        name: "full-ec2",
        must: &["IAM101", "IAM102"],
        must_not: ADMIN,
        make: |r| r.aws("AmazonEC2FullAccess"),
    },
    Archetype {
        name: "full-lambda",
        must: &["IAM101", "IAM102"],
        must_not: ADMIN,
        make: |r| r.aws("AWSLambda_FullAccess"),
    },
    Archetype {
        name: "full-iam",
        must: &["IAM101", "IAM103", "IAM201"],
        must_not: &["IAM105"],
        make: |r| r.aws("IAMFullAccess"),
    },
    Archetype {
        name: "power-user",
        must: &["IAM106", "IAM107"],
        must_not: &["IAM101"],
        make: |r| r.aws("PowerUserAccess"),
    },
    Archetype {
        name: "data-scientist",
        must: &["IAM106"],
        must_not: &["IAM101"],
        make: |r| r.aws("job-function/DataScientist"),
    },
    Archetype {
        name: "support",
        must: &["IAM102"],
        must_not: &["IAM101"],
        make: |r| r.aws("AWSSupportAccess"),
    },
    Archetype {
        name: "cloudshell",
        must: &["IAM101", "IAM117"],
        must_not: ADMIN,
        make: |r| r.aws("AWSCloudShellFullAccess"),
    },
    // Administrators.
    Archetype {
        name: "admin-aws",
        must: &["IAM103"],
        must_not: &["IAM104", "IAM105"],
        make: |r| r.aws("AdministratorAccess"),
    },
    Archetype {
        name: "admin-star",
        must: &["IAM103"],
        must_not: &["IAM104", "IAM105"],
        make: |r| r.can(allow(&["*:*"], &["*"])),
    },
    Archetype {
        name: "admin-iam",
        must: &["IAM103"],
        must_not: &["IAM104", "IAM105"],
        make: |r| r.can(allow(&["iam:*"], &["*"])),
    },
    Archetype {
        name: "admin-not-action",
        must: &["IAM103", "IAM107"],
        must_not: &["IAM105"],
        make: |r| r.can(json!({"Effect": "Allow", "NotAction": "none:such", "Resource": "*"})),
    },
    Archetype {
        name: "admin-mfa",
        must: &["IAM104"],
        must_not: &["IAM103", "IAM105"],
        make: |r| r.can(mfa(allow(&["*"], &["*"]))),
    },
    Archetype {
        name: "admin-region",
        must: &["IAM103"],
        must_not: &["IAM104"],
        make: |r| r.can(when(allow(&["*"], &["*"]), "StringEquals", "aws:RequestedRegion", "eu-west-1")),
    },
    Archetype {
        name: "admin-denied",
        must: &["IAM105"],
        must_not: GRAB,
        make: |r| r.aws("AdministratorAccess").can(deny(&["*"], &["*"])),
    },
    Archetype {
        name: "admin-bounded",
        must: &["IAM105"],
        must_not: GRAB,
        make: |r| r.aws("AdministratorAccess").boundary(S3_BOUNDARY),
    },
    Archetype {
        name: "deny-not-action",
        must: &[],
        must_not: &["IAM107"],
        make: |r| r.can(json!({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"})),
    },
    Archetype {
        name: "not-resource",
        must: &["IAM108"],
        must_not: ADMIN,
        make: |r| {
            r.can(json!({"Effect": "Allow", "Action": "sqs:SendMessage", "NotResource": "arn:aws:sqs:*:*:private"}))
        },
    },
    // Broad grants.
    Archetype {
        name: "wild-sqs",
        must: &["IAM102"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["sqs:*"], &["*"])),
    },
    Archetype {
        name: "wild-scoped",
        must: &[],
        must_not: BROAD,
        make: |r| r.can(allow(&["sqs:*"], &["arn:aws:sqs:eu-west-1:111122223333:mine"])),
    },
    Archetype {
        name: "wild-bounded",
        must: &[],
        must_not: BROAD,
        make: |r| r.can(allow(&["sqs:*"], &["*"])).boundary(S3_BOUNDARY),
    },
    Archetype {
        name: "read-secrets",
        must: &["IAM110"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["secretsmanager:GetSecretValue"], &["*"])),
    },
    Archetype {
        name: "read-secrets-tagged",
        must: &[],
        must_not: &["IAM110"],
        make: |r| {
            r.can(when(
                allow(&["secretsmanager:GetSecretValue"], &["*"]),
                "StringEquals",
                "aws:ResourceTag/team",
                "a",
            ))
        },
    },
    Archetype {
        name: "read-all-buckets",
        must: &["IAM110"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["s3:Get*"], &["arn:aws:s3:::*"])),
    },
    Archetype {
        name: "decrypt",
        must: &["IAM115"],
        must_not: &["IAM110"],
        make: |r| r.can(allow(&["kms:Decrypt"], &["*"])),
    },
    Archetype {
        name: "decrypt-via",
        must: &[],
        must_not: &["IAM115"],
        make: |r| {
            r.can(when(
                allow(&["kms:Decrypt"], &["*"]),
                "StringEquals",
                "kms:ViaService",
                "s3.eu-west-1.amazonaws.com",
            ))
        },
    },
    Archetype {
        name: "expose",
        must: &["IAM111"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["s3:PutBucketPolicy"], &["*"])),
    },
    Archetype {
        name: "expose-scoped",
        must: &[],
        must_not: &["IAM111"],
        make: |r| r.can(allow(&["s3:PutBucketPolicy"], &["arn:aws:s3:::mine"])),
    },
    Archetype {
        name: "destroy",
        must: &["IAM113"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["ec2:TerminateInstances", "dynamodb:DeleteTable"], &["*"])),
    },
    Archetype {
        name: "destroy-scoped",
        must: &[],
        must_not: &["IAM113"],
        make: |r| r.can(allow(&["dynamodb:DeleteTable"], &["arn:aws:dynamodb:*:*:table/scratch"])),
    },
    Archetype {
        name: "blind",
        must: &["IAM114"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["cloudtrail:StopLogging"], &["*"])),
    },
    Archetype {
        name: "write",
        must: &["IAM109"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["sqs:SendMessage"], &["*"])),
    },
    Archetype {
        name: "metrics",
        must: &[],
        must_not: &["IAM109"],
        make: |r| r.can(allow(&["cloudwatch:PutMetricData", "xray:PutTraceSegments"], &["*"])),
    },
    Archetype {
        name: "tokens",
        must: &["IAM112"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["redshift:GetClusterCredentials"], &["*"])),
    },
    Archetype {
        name: "spend",
        must: &["IAM118"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["bedrock:InvokeModel"], &["*"])),
    },
    Archetype {
        name: "spend-region",
        must: &[],
        must_not: &["IAM118"],
        make: |r| {
            r.can(when(
                allow(&["bedrock:InvokeModel"], &["*"]),
                "StringEquals",
                "aws:RequestedRegion",
                "eu-west-1",
            ))
        },
    },
    Archetype {
        name: "tags-itself",
        must: &["IAM119"],
        must_not: ADMIN,
        make: |r| {
            r.can(vec![
                when(allow(&["ec2:StopInstances"], &["*"]), "StringEquals", "aws:ResourceTag/team", "a"),
                allow(&["ec2:CreateTags"], &["*"]),
            ])
        },
    },
    Archetype {
        name: "tagged",
        must: &[],
        must_not: &["IAM119"],
        make: |r| {
            r.can(when(allow(&["ec2:StopInstances"], &["*"]), "StringEquals", "aws:ResourceTag/team", "a"))
        },
    },
    // Escalation.
    Archetype {
        name: "esc-version",
        must: &["IAM201"],
        must_not: &["IAM104"],
        make: |r| r.can(allow(&["IAM:create?olicyVersion"], &["*"])),
    },
    Archetype {
        name: "esc-version-denied",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["iam:CreatePolicyVersion"], &["*"])).can(deny(&["iam:*"], &["*"])),
    },
    Archetype {
        name: "esc-put",
        must: &["IAM201"],
        must_not: &["IAM104"],
        make: |r| r.can(allow(&["iam:PutRolePolicy"], &["arn:aws:iam::*:role/*"])),
    },
    Archetype {
        name: "esc-put-bounded",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["iam:PutRolePolicy"], &["*"])).boundary(S3_BOUNDARY),
    },
    Archetype {
        name: "esc-key",
        must: &["IAM202"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iam:CreateAccessKey"], &["*"])),
    },
    Archetype {
        name: "esc-own-key",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["iam:CreateAccessKey"], &["arn:aws:iam::*:user/${aws:username}"])),
    },
    Archetype {
        name: "esc-split",
        must: &["IAM203", "IAM206"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iam:PassRole"], &["*"])).can(allow(&["ec2:RunInstances"], &["*"])),
    },
    Archetype {
        name: "esc-lambda",
        must: &["IAM203"],
        must_not: &["IAM103", "IAM206"],
        make: |r| {
            r.can(vec![
                pass("lambda.amazonaws.com"),
                allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
            ])
        },
    },
    Archetype {
        name: "esc-other-service",
        must: &[],
        must_not: GRAB,
        make: |r| {
            r.can(vec![
                pass("glue.amazonaws.com"),
                allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
            ])
        },
    },
    Archetype {
        name: "esc-harmless",
        must: &[],
        must_not: GRAB,
        make: |r| {
            r.can(vec![
                allow(&["iam:PassRole"], &[&role_arn("fixed-harmless")]),
                allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
            ])
        },
    },
    Archetype {
        name: "esc-to-admin",
        must: &["IAM203", "IAM208"],
        must_not: ADMIN,
        make: |r| {
            r.can(vec![
                allow(&["iam:PassRole"], &[&role_arn("fixed-admin")]),
                allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
            ])
        },
    },
    Archetype {
        name: "esc-half",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"])),
    },
    Archetype {
        name: "esc-update-code",
        must: &["IAM204"],
        must_not: GRAB,
        make: |r| r.can(allow(&["lambda:UpdateFunctionCode"], &["*"])),
    },
    Archetype {
        name: "deploys-one",
        must: &[],
        must_not: &["IAM204"],
        make: |r| {
            r.can(allow(
                &["lambda:UpdateFunctionCode"],
                &["arn:aws:lambda:eu-west-1:111122223333:function:one"],
            ))
        },
    },
    Archetype {
        name: "assume-any",
        must: &["IAM205"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["sts:AssumeRole"], &["*"])),
    },
    Archetype {
        name: "assume-one",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["sts:AssumeRole"], &[&role_arn("fixed-harmless")])),
    },
    Archetype {
        name: "assume-abroad",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["sts:AssumeRole"], &["arn:aws:iam::999988887777:role/*"])),
    },
    Archetype {
        name: "unbound",
        must: &["IAM207"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iam:DeleteRolePermissionsBoundary"], &["*"])),
    },
    Archetype {
        name: "center",
        must: &["IAM209"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["sso:PutInlinePolicyToPermissionSet"], &["*"])),
    },
    // Trust.
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
    // Use.
    Archetype {
        name: "stale",
        must: &["IAM401"],
        must_not: &["IAM402"],
        make: |r| r.used("2026-05-01T00:00:00Z"),
    },
    Archetype {
        name: "just-in-time",
        must: &[],
        must_not: &["IAM401", "IAM402"],
        make: |r| r.used("2026-08-03T00:00:00Z"),
    },
    Archetype { name: "never", must: &["IAM402"], must_not: &["IAM401"], make: |r| r.never_used() },
    Archetype {
        name: "never-new",
        must: &[],
        must_not: &["IAM401", "IAM402"],
        make: |r| r.never_used().created("2026-10-15T00:00:00Z"),
    },
    Archetype {
        name: "never-linked",
        must: &[],
        must_not: &["IAM401", "IAM402", "IAM101", "IAM102"],
        make: |r| r.path("/aws-service-role/x.amazonaws.com/").never_used().aws("AmazonS3FullAccess"),
    },
    Archetype {
        name: "never-center",
        must: &["IAM103"],
        must_not: &["IAM401", "IAM402", "IAM506"],
        make: |r| r.path("/aws-reserved/sso.amazonaws.com/").never_used().aws("AdministratorAccess"),
    },
    Archetype {
        name: "dormant-admin",
        must: &["IAM103", "IAM402", "IAM406"],
        must_not: &["IAM401"],
        make: |r| r.never_used().aws("AdministratorAccess"),
    },
];

/// The truth about an account of `size` generated roles: name and archetype, each archetype in turn.
pub fn truth(size: usize) -> Vec<(String, &'static Archetype)> {
    let archetypes = ARCHETYPES.iter().cycle().take(size).enumerate();
    archetypes.map(|(index, archetype)| (format!("{}-{index}", archetype.name), archetype)).collect()
}

/// How many roles [`generate`] adds for the others to aim at.
pub const FIXED: usize = 2;

/// An account of `size` roles besides the fixed ones, and the truth about it.
pub fn generate(size: usize) -> (World, Vec<(String, &'static Archetype)>) {
    let harmless = allow(&["s3:GetObject"], &["arn:aws:s3:::harmless/*"]);
    let mut roles = vec![role("fixed-harmless").trusts(trust_own_account()).can(harmless)];
    // Trusted by Lambda, so that passing it there is a way up; not by the account, so that assuming any role is not.
    roles.push(role("fixed-admin").aws("AdministratorAccess"));
    let truth = truth(size);
    roles.extend(truth.iter().map(|(name, archetype)| (archetype.make)(role(name))));
    (World::of(roles).with_aws_documents(), truth)
}

/// `name: rule missing` and `name: rule reported` for everything that is not as the truth says.
pub fn errors(audit: &opsctl::audit::Audit, truth: &[(String, &'static Archetype)]) -> Vec<String> {
    let mut found = std::collections::HashSet::new();
    for finding in &audit.findings {
        found.insert((finding.resource.rsplit('/').next().unwrap_or_default(), finding.rule));
    }
    let mut errors = Vec::new();
    for (name, archetype) in truth {
        let missing = archetype.must.iter().filter(|rule| !found.contains(&(name.as_str(), **rule)));
        errors.extend(missing.map(|rule| format!("{name}: {rule} missing")));
        let tripped = archetype.must_not.iter().filter(|rule| found.contains(&(name.as_str(), **rule)));
        errors.extend(tripped.map(|rule| format!("{name}: {rule} reported")));
    }
    errors
}
