//! The SageMaker runtime: `InvokeEndpoint` (docs/aws/sagemaker-endpoints.md#invoking). Whatever predicts is
//! behind [`super::sagemaker::backend::Backend`]; here are the refusals, the limits, and the choice of the
//! variant.

use std::time::{Duration, Instant};

use hyper::header::{HeaderName, HeaderValue};

use super::sagemaker::backend::{self, Invocation, model_error};
use super::sagemaker::{Endpoint, Traffic, Variant};
use crate::call::Call;
use crate::clock::real_sleep;
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op_async;
use crate::protocol::rest_json::{Api, Reply, raw_route};
use crate::rules::AwsRule;

/// Unlike the control plane's `ValidationException`.
const INVALID: &str = "ValidationError";

const NAME: Constraint = Constraint::ANY.length(0, 63).pattern("[a-zA-Z0-9](-*[a-zA-Z0-9])*");

/// The operations.
pub const API: Api = Api {
    name: "sagemaker-runtime",
    signing_name: "sagemaker",
    invalid: INVALID,
    faults: FaultCodes::USUAL,
    public: &[],
    routes: &[raw_route(
        "POST",
        "/endpoints/{EndpointName}/invocations",
        op_async("InvokeEndpoint", &[NAME.at("EndpointName").required()], |call| Box::pin(invoke(call))),
    )],
};

/// The body's maximum in the model. Today's guide says 25 MB for real-time endpoints; what passes here passes
/// there.
const LARGEST_PAYLOAD: usize = 6_291_456;

/// A container has so long to answer, in real time as its process is real.
const TIMEOUT: Duration = Duration::from_secs(60);

const TIMED_OUT: &str = "Your invocation timed out while waiting for a response from container primary. \
                         Review the latency metrics for each container in Amazon CloudWatch, resolve the \
                         issue, and try again.";

/// Header members of the input, with their longest length.
const CUSTOM_ATTRIBUTES: (&str, usize) = ("x-amzn-sagemaker-custom-attributes", 1_024);
const TARGET_VARIANT: (&str, usize) = ("x-amzn-sagemaker-target-variant", 63);
const INFERENCE_ID: (&str, usize) = ("x-amzn-sagemaker-inference-id", 64);
const CONTENT_TYPE: (&str, usize) = ("content-type", 1_024);
const ACCEPT: (&str, usize) = ("accept", 1_024);

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, INVALID, message)
}

fn header(call: &Call, (name, longest): (&'static str, usize)) -> Result<Option<String>, Fault> {
    let Some(value) = call.headers.get(name) else { return Ok(None) };
    match value.to_str() {
        Ok(text) if text.len() <= longest => Ok(Some(text.to_owned())),
        _ => Err(invalid(format!("The header {name} must be at most {longest} ASCII characters"))),
    }
}

async fn invoke(call: Call) -> Result<Reply, Fault> {
    let endpoint = Endpoint::new(&call.shared, &call.region, call.text("EndpointName"));
    // An endpoint that is still being created is not there yet either; one that is updated serves.
    let serves = match endpoint.status().as_deref() {
        Some("InService" | "Updating" | "SystemUpdating" | "RollingBack") => true,
        Some(_) => !call.shared.enforces(AwsRule::InvokeNeedsService),
        None => false,
    };
    if !serves {
        let (name, account) = (&endpoint.name, &call.shared.account);
        return Err(invalid(format!("Endpoint {name} of account {account} not found.")));
    }
    if call.body.len() > LARGEST_PAYLOAD && call.shared.enforces(AwsRule::InvokePayloadLimit) {
        return Err(invalid(format!(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have \
             length less than or equal to {LARGEST_PAYLOAD}"
        )));
    }
    let target = header(&call, TARGET_VARIANT)?;
    let serving = endpoint.serving();
    let variant = choose(&serving, target.as_deref(), &call.request_id)?;
    let request = Invocation {
        body: call.body.clone(),
        content_type: header(&call, CONTENT_TYPE)?,
        accept: header(&call, ACCEPT)?,
        custom_attributes: header(&call, CUSTOM_ATTRIBUTES)?,
        inference_id: header(&call, INFERENCE_ID)?,
    };

    let traffic = Traffic::of(&endpoint, variant);
    traffic.arrived();
    let begun = Instant::now();
    let answer = backend::of(&call.shared).invoke(endpoint.clone(), variant.name.clone(), request);
    let prediction = tokio::select! {
        prediction = answer => prediction,
        () = real_sleep(TIMEOUT) => Err(model_error(&endpoint, 0, TIMED_OUT)),
    };
    traffic.answered(begun.elapsed(), prediction.as_ref().err());
    let prediction = prediction?;
    let content_type = HeaderValue::from_str(&prediction.content_type)
        .unwrap_or(HeaderValue::from_static("application/json"));
    let mut reply = Reply::raw(200, content_type, prediction.body)
        .header("x-amzn-invoked-production-variant", &variant.name);
    if let Some(Ok(value)) = prediction.custom_attributes.map(|value| HeaderValue::from_str(&value)) {
        reply.headers.push((HeaderName::from_static(CUSTOM_ATTRIBUTES.0), value));
    }
    Ok(reply)
}

/// The variant that was asked for, else one by the weights. The lot is drawn from the request's id, so a run
/// of calls is the same each time.
fn choose<'a>(variants: &'a [Variant], target: Option<&str>, request_id: &str) -> Result<&'a Variant, Fault> {
    if let Some(target) = target {
        let found = variants.iter().find(|variant| variant.name == target);
        return found.ok_or_else(|| invalid(format!("The variant {target} does not exist in this endpoint")));
    }
    let total: f64 = variants.iter().map(|variant| variant.weight).sum();
    let drawn = u64::from_le_bytes(
        blake3::hash(request_id.as_bytes()).as_bytes()[..8].try_into().unwrap_or_default(),
    );
    let mut left = drawn as f64 / u64::MAX as f64 * total;
    for variant in variants {
        left -= variant.weight;
        if left <= 0.0 && variant.weight > 0.0 {
            return Ok(variant);
        }
    }
    Err(invalid("No production variant with a weight above zero"))
}
