//! Regions, and whether the account has enabled them. Those that were opened after March 20, 2019 an account
//! has to enable first
//! (<https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-regions.html>); the sandbox's has all,
//! but for those that a test switches off: `POST /_sandbox/regions {"off": ["me-south-1"]}`.

use serde_json::{Value, json};

use crate::fault::Fault;
use crate::state::SandboxState;

const TABLE: &str = "account.regions";
const OFF: &str = "off";

/// `POST /_sandbox/regions`: those that are off, in the place of those that were.
///
/// # Errors
/// 400 for anything but a list of texts.
pub fn post(shared: &SandboxState, posted: &Value) -> Result<Value, Fault> {
    let names = posted[OFF].as_array().filter(|names| names.iter().all(Value::is_string));
    let names = names.ok_or_else(|| Fault::new(400, "BadRequest", "a list of regions is wanted: off"))?;
    let off = json!({ OFF: names });
    shared.global(TABLE).put(OFF, off.clone())?;
    Ok(off)
}

/// Those that are off.
pub fn off(shared: &SandboxState) -> Vec<String> {
    let all = shared.global(TABLE).get(OFF).unwrap_or_default();
    let names = all[OFF].as_array().into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

/// Refuses what is sent to a region that is off: there the account's keys are unknown.
pub fn check(shared: &SandboxState, region: &str) -> Result<(), Fault> {
    if !off(shared).iter().any(|name| name == region) {
        return Ok(());
    }
    Err(Fault::new(403, "InvalidClientTokenId", "The security token included in the request is invalid."))
}
