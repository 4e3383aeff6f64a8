//! What roles may do: clean workloads, FullAccess and its like, administrators, broad grants.

use serde_json::json;

use super::super::world::*;
use super::{ADMIN, Archetype, GRAB, S3_BOUNDARY, mfa};

const BROAD: &[&str] =
    &["IAM102", "IAM107", "IAM108", "IAM109", "IAM110", "IAM111", "IAM112", "IAM113", "IAM114", "IAM115"];

const TRUST: &[&str] = super::trust::TRUST;

/// The archetypes.
pub const ARCHETYPES: &[Archetype] = &[
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
            r.can(json!({"Effect": "Allow", "Action": "sqs:SendMessage",
                "NotResource": "arn:aws:sqs:*:*:private"}))
        },
    },
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
    Archetype {
        name: "boundary-power",
        must: &[],
        must_not: &["IAM503"],
        make: |r| r.aws("AmazonS3ReadOnlyAccess").boundary("arn:aws:iam::aws:policy/PowerUserAccess"),
    },
    Archetype {
        name: "boundary-admin",
        must: &["IAM503"],
        must_not: ADMIN,
        make: |r| r.aws("AmazonS3ReadOnlyAccess").boundary("arn:aws:iam::aws:policy/AdministratorAccess"),
    },
    Archetype {
        name: "wild-spread",
        must: &["IAM102"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["sqs:*e*", "sqs:*a*", "sqs:*u*"], &["*"])),
    },
    Archetype {
        name: "wild-half",
        must: &[],
        must_not: &["IAM102"],
        make: |r| r.can(allow(&["sqs:Get*", "sqs:List*"], &["*"])),
    },
    Archetype {
        name: "ransom",
        must: &["IAM110", "IAM113"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["s3:GetObject", "s3:DeleteObject", "s3:PutEncryptionConfiguration"], &["*"])),
    },
    Archetype {
        name: "blind-scoped",
        must: &[],
        must_not: &["IAM114"],
        make: |r| {
            r.can(allow(
                &["cloudtrail:StopLogging"],
                &["arn:aws:cloudtrail:eu-west-1:111122223333:trail/mine"],
            ))
        },
    },
    Archetype {
        name: "tokens-ecr",
        must: &[],
        must_not: &["IAM112"],
        make: |r| r.can(allow(&["ecr:GetAuthorizationToken"], &["*"])),
    },
    Archetype {
        name: "contained",
        must: &["IAM509"],
        must_not: ADMIN,
        make: |r| r.aws("AmazonS3FullAccess").aws("AmazonS3ReadOnlyAccess"),
    },
    Archetype {
        name: "side-by-side",
        must: &[],
        must_not: &["IAM509"],
        make: |r| r.aws("AmazonS3ReadOnlyAccess").aws("AmazonSQSReadOnlyAccess"),
    },
];
