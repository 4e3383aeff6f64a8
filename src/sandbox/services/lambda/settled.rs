//! What a function's state refuses.

use serde_json::Value;

use super::region::conflict;
use crate::call::Call;
use crate::fault::Fault;
use crate::rules::AwsRule;

/// What is refused before a function is active (docs/aws/lambda.md#states).
pub(super) fn check_active(call: &Call, configuration: &Value) -> Result<(), Fault> {
    let cannot = "The operation cannot be performed at this time.";
    let state = configuration["State"].as_str().unwrap_or_default();
    if state == "Pending" && call.shared.enforces(AwsRule::FunctionPending) {
        return Err(conflict(format!("{cannot} The function is currently in the following state: {state}")));
    }
    Ok(())
}

/// As [`check_active`], for what an update must not be disturbed by.
pub(super) fn check_settled(call: &Call, configuration: &Value) -> Result<(), Fault> {
    check_active(call, configuration)?;
    if configuration["LastUpdateStatus"] == "InProgress" && call.shared.enforces(AwsRule::FunctionUpdating) {
        let arn = configuration["FunctionArn"].as_str().unwrap_or_default();
        return Err(conflict(format!(
            "The operation cannot be performed at this time. An update is in progress for resource: {arn}"
        )));
    }
    Ok(())
}
