//! Whether SageMaker can assume the role that it was given.

use super::resource::invalid;
use crate::fault::Fault;
use crate::services::iam;
use crate::state::SandboxState;

const PRINCIPAL: &str = "sagemaker.amazonaws.com";

/// Refuses a role that is not there, that does not trust SageMaker, or that was made a moment ago: IAM's
/// changes take up to a minute or two to reach the services (docs/aws/errors-and-retries.md#new-roles). AWS
/// has one text for all three.
pub fn assumable(shared: &SandboxState, arn: &str) -> Result<(), Fault> {
    iam::assumable(shared, arn, PRINCIPAL).map_err(|_| {
        invalid(format!(
            "Could not assume role {arn}. Please ensure that the role exists and allows principal \
             '{PRINCIPAL}' to assume the role."
        ))
    })
}
