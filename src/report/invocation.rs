//! The response of `opsctl invoke`: as a document, and what is said of it beside the answer.

use serde_json::{Value, json};

use super::answer::decoded;
use crate::run::invoke::{Response, Start};

/// What `opsctl invoke -o json` prints.
pub fn document(response: &Response) -> Value {
    let Response { status, body, start, .. } = response;
    let init = start.as_ref().map(|start| match start {
        Start::Warm => json!(null),
        Start::Cold(ms) => json!(ms),
    });
    let cold = start.as_ref().map(|start| matches!(start, Start::Cold(_)));
    json!({
        "format": 1, "status": status, "answer": decoded(body), "response": body,
        "latency_ms": rounded(response), "cold_start": cold, "init_ms": init,
    })
}

/// `status 200 in 12.3 ms, cold start (800 ms to initialize)`
pub fn status(response: &Response) -> String {
    let start = match response.start {
        None => String::new(),
        Some(Start::Warm) => ", warm".to_owned(),
        Some(Start::Cold(ms)) => format!(", cold start ({ms} ms to initialize)"),
    };
    format!("status {} in {} ms{start}", response.status, rounded(response))
}

/// In milliseconds, to a tenth.
fn rounded(response: &Response) -> f64 {
    (response.latency_ms * 10.0).round() / 10.0
}
