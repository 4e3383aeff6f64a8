//! Whether Lambda may assume a role, by the documents that IAM keeps (table `iam.role`).

use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::place::invalid;
use crate::sandbox::call::{Call, Fault};

const SERVICE: &str = "lambda.amazonaws.com";

/// AWS says the same whether the role is not there, does not trust Lambda, or is too new to be known everywhere
/// (aws-facts §1.4).
pub(super) fn check(call: &Call, arn: &str) -> Result<(), Fault> {
    let account = arn.split(':').nth(4);
    if account.is_some_and(|account| account != call.world.account) {
        return Err(Fault::new(403, "AccessDeniedException", "Cross-account pass role is not allowed."));
    }
    let name = arn.rsplit('/').next().unwrap_or_default();
    let role = call.world.global("iam.role").get(name).filter(|role| role["Arn"] == arn);
    let usable_at = role.as_ref().and_then(|role| role["UsableAt"].as_u64()).unwrap_or(0);
    let broken = [
        ("role-exists", role.is_none()),
        ("role-trust", role.is_some_and(|role| !trusts(&role["AssumeRolePolicyDocument"], SERVICE))),
        ("role-propagation", call.now() < usable_at),
    ];
    if broken.iter().any(|(rule, broken)| *broken && call.world.enforces(rule)) {
        return Err(invalid("The role defined for the function cannot be assumed by Lambda."));
    }
    Ok(())
}

/// Whether a trust policy lets a service assume the role. IAM may keep it as JSON, as text, or encoded for a URL.
fn trusts(policy: &Value, service: &str) -> bool {
    let parsed = policy.as_str().and_then(|text| {
        let decoded = percent_decode_str(text).decode_utf8_lossy();
        serde_json::from_str(text).or_else(|_| serde_json::from_str(&decoded)).ok()
    });
    let policy = parsed.as_ref().unwrap_or(policy);
    let names = |value: &Value, wanted: &[&str]| {
        many(value).iter().filter_map(|one| one.as_str()).any(|one| wanted.contains(&one))
    };
    many(&policy["Statement"]).iter().any(|statement| {
        statement["Effect"] == "Allow"
            && names(&statement["Action"], &["sts:AssumeRole", "sts:*", "*"])
            && names(&statement["Principal"]["Service"], &[service])
    })
}

/// In a policy, a list of one may be written without the list.
fn many(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_trust_policy_is_read_in_every_form() {
        let statement =
            json!({"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": "sts:AssumeRole"});
        let plain = json!({"Statement": statement});
        let lists = json!({"Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRole"],
                                          "Principal": {"Service": ["sagemaker.amazonaws.com", SERVICE]}}]});
        let text = json!(plain.to_string());
        let encoded = json!(
            percent_encoding::utf8_percent_encode(&plain.to_string(), percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        );
        for policy in [plain, lists, text, encoded] {
            assert!(trusts(&policy, SERVICE), "{policy}");
            assert!(!trusts(&policy, "ec2.amazonaws.com"), "{policy}");
        }
        assert!(!trusts(&Value::Null, SERVICE));
    }
}
