//! The response of `opsctl invoke`: as a document, and what is said of it beside the answer.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::engine::invoke::{Response, Start};

/// What `opsctl invoke -o json` prints. An answer that is neither JSON nor text is in `answer_base64`.
pub fn document(response: &Response) -> Value {
    let Response { status, body, answer, start, .. } = response;
    let init = start.as_ref().map(|start| match start {
        Start::Warm => json!(null),
        Start::Cold(ms) => json!(ms),
    });
    let cold = start.as_ref().map(|start| matches!(start, Start::Cold(_)));
    let value = answer.value();
    let bytes = value.is_none().then(|| BASE64_STANDARD.encode(&answer.bytes));
    let mut document = json!({
        "format": 1, "status": status, "answer": value, "content_type": answer.content_type, "response": body,
        "latency_ms": rounded(response), "cold_start": cold, "init_ms": init,
    });
    if let Some(bytes) = bytes {
        document["answer_base64"] = json!(bytes);
    }
    document
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
