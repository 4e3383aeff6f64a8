//! Which conditions hold back whom.

use super::*;

fn class(operator: &str, key: &str, value: &str) -> Restriction {
    let condition = Condition::new(operator, key, vec![value.into()]);
    restriction_of(&condition, std::slice::from_ref(&condition))
}

#[test]
fn classes() {
    for (operator, key, value, expected) in [
        ("Bool", "aws:MultiFactorAuthPresent", "true", Restriction::Strong),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", "true", Restriction::Void),
        ("Bool", "aws:MultiFactorAuthPresent", "false", Restriction::Weak),
        ("StringEquals", "aws:RequestedRegion", "eu-west-1", Restriction::Weak),
        ("Bool", "aws:SecureTransport", "true", Restriction::Weak),
        ("StringLike", "aws:PrincipalArn", "*", Restriction::Void),
        ("StringEquals", "iam:PassedToService", "lambda.amazonaws.com", Restriction::Strong),
        ("StringLike", "iam:PassedToService", "*", Restriction::Void),
        ("StringEqualsIfExists", "iam:PassedToService", "lambda.amazonaws.com", Restriction::Strong),
        ("ForAllValues:StringEquals", "aws:TagKeys", "a", Restriction::Void),
        (
            "ForAllValues:StringLike",
            "token.actions.githubusercontent.com:sub",
            "repo:o/r:*",
            Restriction::Strong,
        ),
        ("IpAddress", "aws:SourceIp", "0.0.0.0/0", Restriction::Void),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", Restriction::Strong),
        ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8", Restriction::Weak),
        ("StringEquals", "aws:ResourceTag/team", "a", Restriction::Strong),
        ("StringLike", "aws:ResourceTag/team", "*", Restriction::Strong),
        ("StringLikeIfExists", "aws:ResourceTag/team", "*", Restriction::Void),
        ("StringEquals", "aws:RequestTag/team", "a", Restriction::Weak),
        ("StringEquals", "s3:prefix", "home/", Restriction::Strong),
        ("StringEquals", "kms:ViaService", "s3.eu-west-1.amazonaws.com", Restriction::Strong),
        ("StringLike", "kms:ViaService", "s3.*.amazonaws.com", Restriction::Strong),
        ("StringLike", "kms:ViaService", "*", Restriction::Weak),
        ("StringLike", "kms:ViaService", "*.amazonaws.com", Restriction::Weak),
        ("StringLike", "kms:ViaService", "*.eu-west-1.amazonaws.com", Restriction::Weak),
        ("StringLikeIfExists", "kms:ViaService", "s3.*.amazonaws.com", Restriction::Void),
        ("StringSounds", "s3:prefix", "home/", Restriction::Unknown),
        ("StringEquals", "aws:NoSuchKey", "x", Restriction::Unknown),
        ("Null", "aws:PrincipalArn", "false", Restriction::Void),
        ("Null", "aws:MultiFactorAuthAge", "false", Restriction::Strong),
        ("StringNotEquals", "aws:PrincipalTag/x", "placeholder", Restriction::Weak),
    ] {
        assert_eq!(class(operator, key, value), expected, "{operator} {key} {value}");
    }
}

#[test]
fn services_of_a_region() {
    for (written, plain) in [
        ("states.eu-west-1.amazonaws.com", "states.amazonaws.com"),
        ("states.us-gov-east-1.amazonaws.com", "states.amazonaws.com"),
        ("ec2.amazonaws.com.cn", "ec2.amazonaws.com"),
        ("ecs-tasks.amazonaws.com", "ecs-tasks.amazonaws.com"),
        (
            "member.org.stacksets.cloudformation.amazonaws.com",
            "member.org.stacksets.cloudformation.amazonaws.com",
        ),
    ] {
        assert_eq!(plain_service(written), plain);
    }
}
