//! Whether roles are used, and how they are kept.

use serde_json::json;

use super::super::world::*;
use super::Archetype;

/// The archetypes.
pub const ARCHETYPES: &[Archetype] = &[
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
    Archetype {
        name: "yearly",
        must: &[],
        must_not: &["IAM401"],
        make: |r| r.used("2026-05-01T00:00:00Z").tag("opsctl:keep-until", "2027-01-01"),
    },
    Archetype {
        name: "break-glass",
        must: &[],
        must_not: &["IAM402"],
        make: |r| r.never_used().tag("BreakGlass", "true"),
    },
    Archetype {
        name: "no-machine",
        must: &["IAM408"],
        must_not: &[],
        make: |r| r.trusts(trust_service("ec2.amazonaws.com")).never_used(),
    },
    Archetype {
        name: "machine",
        must: &[],
        must_not: &["IAM408"],
        make: |r| {
            r.trusts(trust_service("ec2.amazonaws.com"))
                .never_used()
                .set("InstanceProfileList", json!([{"InstanceProfileName": "m"}]))
        },
    },
    Archetype {
        name: "session-long",
        must: &["IAM505"],
        must_not: &["IAM104"],
        make: |r| r.aws("AdministratorAccess").set("MaxSessionDuration", 43_200),
    },
    Archetype {
        name: "session-short",
        must: &[],
        must_not: &["IAM505"],
        make: |r| r.aws("AdministratorAccess").set("MaxSessionDuration", 3_600),
    },
    Archetype {
        name: "session-long-harmless",
        must: &[],
        must_not: &["IAM505"],
        make: |r| r.aws("AmazonS3ReadOnlyAccess").set("MaxSessionDuration", 43_200),
    },
    Archetype {
        name: "crowded",
        must: &["IAM507"],
        must_not: &[],
        make: |r| {
            r.aws("AmazonS3ReadOnlyAccess")
                .aws("AmazonSQSReadOnlyAccess")
                .aws("AmazonSNSReadOnlyAccess")
                .aws("AmazonEC2ReadOnlyAccess")
                .aws("AmazonRDSReadOnlyAccess")
                .aws("AmazonVPCReadOnlyAccess")
                .aws("AmazonKinesisReadOnlyAccess")
                .aws("AmazonESReadOnlyAccess")
                .aws("AmazonDynamoDBReadOnlyAccess")
        },
    },
    Archetype {
        name: "wordy",
        must: &["IAM507"],
        must_not: &[],
        make: |r| r.can(allow(&["s3:GetObject"; 700], &["arn:aws:s3:::b/*"])),
    },
];
