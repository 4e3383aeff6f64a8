//! A payload for the model, straight to its endpoint.

use aws_sdk_sagemakerruntime::primitives::Blob;
use tokio::time::Instant;

use crate::aws::{OpResult, SdkResultExt};
use crate::domain::{Media, action, media};
use crate::engine::OpCx;
use crate::engine::invoke::{Request, Response};

/// Sends it, as it is.
pub async fn send(cx: &OpCx<'_>, endpoint: &str, request: Request) -> OpResult<Response> {
    let Request { payload, accept } = request;
    let start = Instant::now();
    let call = cx.aws.runtime.invoke_endpoint().endpoint_name(endpoint);
    let call = call.content_type(payload.content_type);
    let call = call.accept(accept.as_deref().unwrap_or(media::JSON));
    let answer = call.body(Blob::new(payload.bytes)).send().await;
    let answer = answer.op(action::sagemaker::InvokeEndpoint)?;
    let latency_ms = start.elapsed().as_secs_f64() * 1000.0;
    let content_type = answer.content_type().unwrap_or(media::JSON).to_owned();
    let bytes = answer.body().map(|body| body.as_ref().to_vec()).unwrap_or_default();
    let answer = Media { content_type, bytes };
    Ok(Response { status: 200, body: answer.value().unwrap_or_default(), answer, latency_ms, start: None })
}
