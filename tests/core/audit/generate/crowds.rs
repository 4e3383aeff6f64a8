//! Accounts in which many may do something to many: where asking of each pair grows with the square.

use serde_json::json;

use super::super::world::*;

/// Users who may join groups, all or by a pattern of names, and groups with ways of their own, of which a
/// few deny something; roles to be led to.
pub fn joining(users: usize, groups: usize) -> World {
    let group_arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:group/{name}");
    let join = |pattern: &str| allow(&["iam:AddUserToGroup"], &[&group_arn(pattern)]);
    let mut world = World::of((0..groups).map(|n| {
        let role = role(&format!("of-{n}")).trusts(trust_own_account());
        if n % 50 == 7 { role.aws("AdministratorAccess") } else { role.aws("AmazonS3ReadOnlyAccess") }
    }));
    for n in 0..groups {
        let mut statements = vec![allow(&["s3:GetObject"], &[&format!("arn:aws:s3:::of-{n}/*")])];
        statements.push(match n % 3 {
            0 => allow(&["sts:AssumeRole"], &[&role_arn(&format!("of-{n}"))]),
            1 => allow(&["iam:PassRole", "lambda:CreateFunction"], &["*"]),
            _ => allow(&["iam:CreateAccessKey"], &[&user_arn(&format!("u{n}-*"))]),
        });
        if n % 10 == 9 {
            statements.push(deny(&["s3:DeleteObject"], &[&format!("arn:aws:s3:::of-{n}/*")]));
        }
        world = world.group(group(&format!("team-{}-{n}", n % 10), &statements));
    }
    for n in 0..users {
        let statements = match n % 3 {
            0 => vec![allow(&["iam:AddUserToGroup"], &["*"])],
            1 => vec![join("team-*")],
            _ => vec![join(&format!("team-{}-*", n % 10))],
        };
        let mut user = user(&format!("u{n}-x"), &statements);
        user["GroupList"] = json!([format!("team-{}-{}", n % groups % 10, n % groups)]);
        world = world.user(user);
    }
    world
}

/// Roles of which each may write into all that a policy bounds, which half of them are, and no two of the
/// others hold the same.
pub fn delegating(size: usize) -> World {
    let limit = policy_arn("limit");
    let reads = customer_policy("limit", allow(&["s3:Get*"], &["*"]));
    let roles = (0..size).map(|n| {
        let role = role(&format!("r-{n}"));
        if n % 2 == 1 {
            return role.boundary(&limit).can(allow(&["s3:GetObject"], &["*"]));
        }
        let writes = allow(&["iam:PutRolePolicy", "iam:AttachRolePolicy"], &["*"]);
        let writes = when(writes, "StringEquals", "iam:PermissionsBoundary", &*limit);
        role.can(vec![writes, allow(&["sqs:SendMessage"], &[&format!("arn:aws:sqs:*:*:q-{n}")])])
    });
    World::of(roles).policy(reads)
}

/// Roles of ten teams that may tag each other, assume those of their team, and rewrite the trust of those; no
/// two hold the same.
pub fn tagging(size: usize) -> World {
    let roles = (0..size).map(|n| {
        let assumes = allow(&["sts:AssumeRole"], &["*"]);
        let assumes = when(assumes, "StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}");
        let queue = allow(&["sqs:SendMessage"], &[&format!("arn:aws:sqs:*:*:q-{n}")]);
        let rewrites = allow(&["iam:UpdateAssumeRolePolicy"], &["*"]);
        let fence = when(
            deny(&["iam:UpdateAssumeRolePolicy"], &["*"]),
            "StringNotEquals",
            "aws:ResourceTag/team",
            "${aws:PrincipalTag/team}",
        );
        let tags = allow(&["iam:TagRole"], &["*"]);
        let role = role(&format!("r-{n}")).trusts(trust_own_account()).tag("team", &format!("t{}", n % 10));
        role.can(vec![assumes, tags, rewrites, fence, queue])
    });
    World::of(roles)
}
