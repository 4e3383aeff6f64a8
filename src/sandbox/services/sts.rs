//! STS: GetCallerIdentity. Every caller is the account's one user, because the sandbox takes any key.

use serde_json::json;

use crate::call::{Answer, Call};
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::query::{Api, Flavor};

pub const API: Api = Api {
    name: "sts",
    flavor: Flavor::Query,
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    invalid: "ValidationError",
    faults: FaultCodes { throttle: (400, "Throttling"), internal: (500, "InternalFailure") },
    operations: &[op("GetCallerIdentity", &[], get_caller_identity)],
};

/// The name of the user that every caller is.
pub const CALLER: &str = "sandbox";

fn get_caller_identity(call: &Call) -> Answer {
    Ok(json!({
        "Account": call.shared.account,
        "Arn": call.shared.arn("iam", "", &format!("user/{CALLER}")),
        "UserId": "AIDASANDBOX0000000000",
    }))
}
