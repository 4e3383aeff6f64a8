//! Lists of functions, versions, aliases and provisioned concurrency, a page at a time.

use serde_json::{Value, json};

use super::region::{invalid, is_state};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;

/// A page of configurations, which have no states in lists
/// <https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html>.
pub(super) fn listed(call: &Call, member: &str, mut all: Vec<(String, Value)>) -> Result<Reply, Fault> {
    for (_, configuration) in &mut all {
        if let Some(members) = configuration.as_object_mut() {
            members.retain(|name, _| !is_state(name));
        }
    }
    page(call, member, all, 50)
}

/// A page of at most `most`, however many are asked for (AWS: "MaxItems … up to 50").
pub(super) fn page(
    call: &Call,
    member: &str,
    all: Vec<(String, Value)>,
    most: usize,
) -> Result<Reply, Fault> {
    let asked = call.number("MaxItems").and_then(|number| usize::try_from(number).ok()).unwrap_or(most);
    let page = call.page(all, "Marker", asked.min(most)).ok_or_else(|| invalid("Invalid Marker"))?;
    let mut output = json!({member: page.items});
    if let Some(next) = page.next {
        output["NextMarker"] = Value::from(next);
    }
    Ok(Reply::json(200, &output))
}
