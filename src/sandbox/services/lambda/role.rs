//! Whether Lambda may assume a role.

use super::region::invalid;
use crate::call::Call;
use crate::fault::Fault;
use crate::services::iam;

/// AWS says the same whether the role is not there, does not trust Lambda, or is too new to be known
/// everywhere (docs/aws/errors-and-retries.md#new-roles).
pub(super) fn check(call: &Call, arn: &str) -> Result<(), Fault> {
    iam::assumable(&call.shared, arn, "lambda.amazonaws.com")
        .map_err(|_| invalid("The role defined for the function cannot be assumed by Lambda."))
}
