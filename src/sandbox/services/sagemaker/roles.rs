//! Whether SageMaker can assume the role that it was given.

use serde_json::Value;

use super::resource::invalid;
use crate::sandbox::call::Fault;
use crate::sandbox::world::World;

/// IAM's table of roles, by role name.
const ROLES: &str = "iam.role";
const PRINCIPAL: &str = "sagemaker.amazonaws.com";

/// Refuses a role that is not there, that does not trust SageMaker, or that was made a moment ago: IAM's changes
/// take up to a minute or two to reach the services (aws-facts §1.4). AWS has one text for all three.
pub fn assumable(world: &World, arn: &str) -> Result<(), Fault> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let role = world.global(ROLES).get(name).filter(|role| role["Arn"] == arn);
    let broken = match &role {
        None => world.enforces("role-exists"),
        Some(role) => {
            let early = role["UsableAt"].as_u64().is_some_and(|at| at > world.clock.now());
            (early && world.enforces("role-propagation"))
                || (!trusts(&role["AssumeRolePolicyDocument"]) && world.enforces("role-trust"))
        }
    };
    if broken {
        return Err(invalid(format!(
            "Could not assume role {arn}. Please ensure that the role exists and allows principal '{PRINCIPAL}' to \
             assume the role."
        )));
    }
    Ok(())
}

/// Whether a trust policy, as JSON or as its text, allows SageMaker to assume the role.
fn trusts(policy: &Value) -> bool {
    let parsed = policy.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let statements = &parsed.as_ref().unwrap_or(policy)["Statement"];
    one_or_many(statements).iter().any(|statement| {
        let services = &statement["Principal"]["Service"];
        statement["Effect"] == "Allow" && one_or_many(services).iter().any(|service| service == PRINCIPAL)
    })
}

/// IAM lets a list of one be written without its brackets.
fn one_or_many(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::trusts;

    #[test]
    fn a_trust_policy_is_read_in_all_its_spellings() {
        let one =
            json!({"Statement": {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}}});
        let many = json!({"Statement": [
            {"Effect": "Deny", "Principal": "*"},
            {"Effect": "Allow", "Principal": {"Service": ["ec2.amazonaws.com", "sagemaker.amazonaws.com"]}},
        ]});
        let other =
            json!({"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}}]});
        assert!(trusts(&one) && trusts(&many) && trusts(&json!(many.to_string())));
        assert!(!trusts(&other) && !trusts(&json!("no JSON")) && !trusts(&json!(null)));
    }
}
