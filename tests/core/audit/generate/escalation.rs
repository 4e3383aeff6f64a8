//! What roles may make of their rights.

use serde_json::Value;

use super::super::world::*;
use super::{ADMIN, Archetype, GRAB, S3_BOUNDARY};

fn pass(service: &str) -> Value {
    when(allow(&["iam:PassRole"], &["*"]), "StringEquals", "iam:PassedToService", service)
}

/// The archetypes.
pub const ARCHETYPES: &[Archetype] = &[
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
    Archetype {
        name: "esc-any-service",
        must: &["IAM203", "IAM206"],
        must_not: ADMIN,
        make: |r| {
            let pass = when(
                allow(&["iam:PassRole"], &["*"]),
                "StringLike",
                "iam:PassedToService",
                "*.amazonaws.com",
            );
            r.can(vec![pass, allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"])])
        },
    },
    Archetype {
        name: "esc-attach-any",
        must: &["IAM201"],
        must_not: ADMIN,
        make: |r| {
            r.can(when(
                allow(&["iam:AttachRolePolicy"], &["*"]),
                "ArnLike",
                "iam:PolicyARN",
                "arn:aws:iam::aws:policy/*",
            ))
        },
    },
    Archetype {
        name: "esc-attach-one",
        must: &[],
        must_not: GRAB,
        make: |r| {
            r.can(when(allow(&["iam:AttachRolePolicy"], &["*"]), "ArnEquals", "iam:PolicyARN", S3_BOUNDARY))
        },
    },
    Archetype {
        name: "esc-delegated",
        must: &[],
        must_not: GRAB,
        make: |r| {
            r.can(when(
                allow(&["iam:PutRolePolicy"], &["*"]),
                "StringEquals",
                "iam:PermissionsBoundary",
                S3_BOUNDARY,
            ))
        },
    },
    Archetype {
        name: "esc-own-account",
        must: &["IAM201"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iam:PutRolePolicy"], &["arn:aws:iam::${aws:PrincipalAccount}:role/*"])),
    },
    Archetype {
        name: "esc-abroad",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(allow(&["iam:PutRolePolicy"], &["arn:aws:iam::999988887777:role/*"])),
    },
    Archetype {
        name: "esc-tls",
        must: &["IAM201"],
        must_not: ADMIN,
        make: |r| {
            r.can(vec![
                allow(&["iam:PutRolePolicy"], &["*"]),
                when(deny(&["*"], &["*"]), "Bool", "aws:SecureTransport", "false"),
            ])
        },
    },
    Archetype {
        name: "esc-to-admin-tls",
        must: &["IAM208"],
        must_not: ADMIN,
        make: |r| {
            r.can(vec![
                allow(&["iam:PassRole"], &[&role_arn("fixed-admin")]),
                allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
                when(deny(&["*"], &["*"]), "Bool", "aws:SecureTransport", "false"),
            ])
        },
    },
    Archetype {
        name: "unbound-scoped",
        must: &[],
        must_not: &["IAM207"],
        make: |r| r.can(allow(&["iam:DeleteRolePermissionsBoundary"], &[&role_arn("fixed-harmless")])),
    },
    Archetype {
        name: "center-assign",
        must: &["IAM209"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["sso:CreateAccountAssignment"], &["*"])),
    },
    Archetype {
        name: "center-reads",
        must: &[],
        must_not: &["IAM209"],
        make: |r| r.can(allow(&["sso:List*", "sso:Describe*"], &["*"])),
    },
    Archetype {
        name: "session-any",
        must: &["IAM204"],
        must_not: GRAB,
        make: |r| r.can(allow(&["ssm:StartSession"], &["*"])),
    },
    Archetype {
        name: "session-tagged",
        must: &[],
        must_not: &["IAM204"],
        make: |r| {
            r.can(when(allow(&["ssm:StartSession"], &["*"]), "StringEquals", "ssm:resourceTag/team", "a"))
        },
    },
];
