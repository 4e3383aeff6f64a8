//! Which calls of IAM send a key at all, where that decides who may give rights: a condition on a key that a
//! call never sends does not hold for it.
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_iam.html>

use crate::condition::Operator;
use crate::policy::{Condition, Statement};

/// The calls that name a managed policy; no other sends `iam:PolicyARN`.
const ATTACH: [&str; 6] = [
    "iam:AttachGroupPolicy",
    "iam:AttachRolePolicy",
    "iam:AttachUserPolicy",
    "iam:DetachGroupPolicy",
    "iam:DetachRolePolicy",
    "iam:DetachUserPolicy",
];

/// The calls that make something with tags; besides them, those that tag and untag.
const MAKE_WITH_TAGS: [&str; 8] = [
    "iam:CreateInstanceProfile",
    "iam:CreateOpenIDConnectProvider",
    "iam:CreatePolicy",
    "iam:CreateRole",
    "iam:CreateSAMLProvider",
    "iam:CreateUser",
    "iam:CreateVirtualMFADevice",
    "iam:UploadServerCertificate",
];

/// Whether a condition never holds for a request without its key.
pub fn needs_key(c: &Condition) -> bool {
    let operator = Operator::parse(&c.operator);
    match operator.base.eq_ignore_ascii_case("Null") {
        true => !c.values.is_empty() && c.values.iter().all(|v| v.eq_ignore_ascii_case("false")),
        false => !operator.if_exists && !operator.for_all && (operator.for_any || !operator.is_negated()),
    }
}

/// Whether a key is on the tags that a call sets.
pub fn is_of_tags(key: &str) -> bool {
    let prefix = "aws:RequestTag/";
    key.eq_ignore_ascii_case("aws:TagKeys")
        || key.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Whether a statement has a condition that only some calls send the key of.
pub(crate) fn is_limited(statement: &Statement) -> bool {
    statement.conditions.iter().any(|c| (is_on_policy(c) || is_of_tags(&c.key)) && needs_key(c))
}

/// Whether a call sends all keys without which the statement's conditions do not hold.
pub(crate) fn sends_all(action: &str, statement: &Statement) -> bool {
    statement.conditions.iter().filter(|c| needs_key(c)).all(|c| {
        let is_of = |all: &[&str]| all.iter().any(|name| name.eq_ignore_ascii_case(action));
        if is_on_policy(c) {
            return is_of(&ATTACH);
        }
        let (service, call) = action.split_once(':').unwrap_or((action, ""));
        let tags = |verb: &str| call.get(..verb.len()).is_some_and(|v| v.eq_ignore_ascii_case(verb));
        !is_of_tags(&c.key)
            || !service.eq_ignore_ascii_case("iam")
            || tags("Tag")
            || tags("Untag")
            || is_of(&MAKE_WITH_TAGS)
    })
}

fn is_on_policy(c: &Condition) -> bool {
    c.key.eq_ignore_ascii_case("iam:PolicyARN")
}
