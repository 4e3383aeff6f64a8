//! Documents that are legal and odd, and conditions that who calls or the day decides.

use serde_json::{Value, json};

use super::super::world::*;
use super::{ADMIN, Archetype, GRAB};

/// Policies with several versions, of which only the default counts.
pub fn policies() -> Vec<Value> {
    let harmless = || document(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    let strong = || document(allow(&["iam:PutRolePolicy"], &["*"]));
    let two = |name: &str, first: Value, second: Value| {
        let mut policy = customer_policy(name, json!([]));
        policy["DefaultVersionId"] = "v2".into();
        policy["PolicyVersionList"] = json!([
            {"VersionId": "v1", "IsDefaultVersion": false, "Document": first},
            {"VersionId": "v2", "IsDefaultVersion": true, "Document": second},
        ]);
        policy
    };
    vec![two("odd-in-force", harmless(), strong()), two("odd-not-in-force", strong(), harmless())]
}

/// The archetypes.
pub const ARCHETYPES: &[Archetype] = &[
    Archetype {
        name: "one-statement",
        must: &["IAM103"],
        must_not: &[],
        make: |r| {
            r.set(
                "RolePolicyList",
                json!([{"PolicyName": "p",
                "PolicyDocument": {"Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}]),
            )
        },
    },
    Archetype {
        name: "encoded",
        must: &["IAM103"],
        must_not: &[],
        make: |r| {
            let all = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C\
                %22Action%22%3A%22%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
            r.set("RolePolicyList", json!([{"PolicyName": "p", "PolicyDocument": all}]))
        },
    },
    Archetype {
        name: "marked",
        must: &["IAM103"],
        must_not: &[],
        make: |r| {
            r.set(
                "RolePolicyList",
                json!([{"PolicyName": "p",
                "PolicyDocument": format!("\u{feff}{}", document(allow(&["*"], &["*"])))}]),
            )
        },
    },
    Archetype {
        name: "booleans",
        must: &["IAM104"],
        must_not: &["IAM103"],
        make: |r| r.can(when(allow(&["*"], &["*"]), "Bool", "aws:MultiFactorAuthPresent", true)),
    },
    Archetype {
        name: "case",
        must: &["IAM201"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iAm:pUtRoLePoLiCy"], &["*"])),
    },
    Archetype {
        name: "wild-middle",
        must: &["IAM201"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iam:Put*Policy"], &["*"])),
    },
    Archetype {
        name: "wild-arn",
        must: &["IAM201"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["iam:PutRolePolicy"], &["arn:*:iam::*:*"])),
    },
    Archetype {
        name: "question-star",
        must: &["IAM110"],
        must_not: ADMIN,
        make: |r| r.can(allow(&["s3:GetObject"], &["?*"])),
    },
    Archetype {
        name: "only-others",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(when(allow(&["*"], &["*"]), "ArnEquals", "aws:PrincipalArn", role_arn("somebody"))),
    },
    Archetype {
        name: "only-this",
        must: &["IAM103"],
        must_not: &["IAM104"],
        make: |r| r.can(when(allow(&["*"], &["*"]), "ArnLike", "aws:PrincipalArn", role_arn("only-this-*"))),
    },
    Archetype {
        name: "all-but-others",
        must: &[],
        must_not: GRAB,
        make: |r| {
            r.can(vec![
                allow(&["*"], &["*"]),
                when(deny(&["*"], &["*"]), "ArnNotLike", "aws:PrincipalArn", role_arn("somebody")),
            ])
        },
    },
    Archetype {
        name: "all-but-this",
        must: &["IAM103"],
        must_not: &[],
        make: |r| {
            r.can(vec![
                allow(&["*"], &["*"]),
                when(deny(&["*"], &["*"]), "ArnNotLike", "aws:PrincipalArn", role_arn("all-but-this-*")),
            ])
        },
    },
    Archetype {
        name: "over",
        must: &[],
        must_not: GRAB,
        make: |r| {
            r.can(when(allow(&["*"], &["*"]), "DateLessThan", "aws:CurrentTime", "2025-01-01T00:00:00Z"))
        },
    },
    Archetype {
        name: "until-later",
        must: &["IAM103"],
        must_not: &[],
        make: |r| {
            r.can(when(allow(&["*"], &["*"]), "DateLessThan", "aws:CurrentTime", "2030-01-01T00:00:00Z"))
        },
    },
    Archetype {
        name: "for-users",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(when(allow(&["*"], &["*"]), "StringLike", "aws:username", "*")),
    },
    Archetype {
        name: "never-both",
        must: &["IAM605"],
        must_not: GRAB,
        make: |r| {
            r.can(when(
                when(allow(&["*"], &["*"]), "StringEquals", "aws:RequestedRegion", "a"),
                "StringNotEquals",
                "aws:RequestedRegion",
                "a",
            ))
        },
    },
    Archetype {
        name: "elsewhere",
        must: &[],
        must_not: GRAB,
        make: |r| r.can(when(allow(&["*"], &["*"]), "StringEquals", "aws:PrincipalAccount", "999988887777")),
    },
    Archetype {
        name: "office",
        must: &["IAM104"],
        must_not: &["IAM103"],
        make: |r| r.can(when(allow(&["*"], &["*"]), "IpAddress", "aws:SourceIp", "10.0.0.0/8")),
    },
    Archetype {
        name: "anyones-office",
        must: &["IAM103"],
        must_not: &["IAM104"],
        make: |r| {
            r.can(when(
                allow(&["*"], &["*"]),
                "IpAddress",
                "aws:SourceIp",
                json!(["10.0.0.0/8", "0.0.0.0/0"]),
            ))
        },
    },
    Archetype {
        name: "in-force",
        must: &["IAM201"],
        must_not: &[],
        make: |r| r.attach(&policy_arn("odd-in-force")),
    },
    Archetype {
        name: "not-in-force",
        must: &[],
        must_not: GRAB,
        make: |r| r.attach(&policy_arn("odd-not-in-force")),
    },
    Archetype {
        name: "twice-named",
        must: &["IAM603"],
        must_not: GRAB,
        make: |r| {
            r.can(json!([{"Sid": "a", "Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"},
                {"Sid": "a", "Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}]))
        },
    },
    Archetype {
        name: "bucket-for-object",
        must: &["IAM602"],
        must_not: &[],
        make: |r| r.can(allow(&["s3:GetObject"], &["arn:aws:s3:::b"])),
    },
    Archetype {
        name: "object-for-bucket",
        must: &["IAM602"],
        must_not: &[],
        make: |r| r.can(allow(&["s3:ListBucket"], &["arn:aws:s3:::b/*"])),
    },
    Archetype {
        name: "bucket-and-object",
        must: &[],
        must_not: &["IAM602"],
        make: |r| r.can(allow(&["s3:ListBucket", "s3:GetObject"], &["arn:aws:s3:::b", "arn:aws:s3:::b/*"])),
    },
    Archetype {
        name: "unknown-action",
        must: &["IAM601"],
        must_not: GRAB,
        make: |r| r.can(allow(&["s3:GetObjct"], &["arn:aws:s3:::b/*"])),
    },
];
