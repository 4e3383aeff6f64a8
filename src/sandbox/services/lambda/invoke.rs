//! Invocations (docs/aws/lambda.md#invoking): which version runs, how large payloads may be, what is told
//! about the end.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::HeaderValue;
use serde::de::IgnoredAny;

use super::backend::{self, FunctionVersion, Invocation, Invoked};
use super::concurrency::{Running, Slot};
use super::provisioned;
use super::region::{LambdaRegion, Target};
use super::settled::check_active;
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::rules::AwsRule;
use crate::services::cloudwatch::{self, MetricId};

/// docs/aws/lambda.md#limits
const LARGEST_REQUEST: usize = 6 << 20;
const LARGEST_EVENT: usize = 1 << 20;
/// Lambda tries an event again after a minute, and after two (docs/aws/lambda.md#invoking).
const EVENT_RETRIES: [Duration; 2] = [Duration::from_secs(60), Duration::from_secs(120)];

pub(super) async fn invoke(call: Call) -> Result<Reply, Fault> {
    let (lambda, target) = (LambdaRegion::of(&call), Target::of(&call)?);
    let found = lambda.find(&target)?;
    let version = found.version(draw(&call));
    let configuration = lambda.version(&target.name, version)?;
    check_active(&call, &configuration)?;
    let kind = header(&call, "x-amz-invocation-type").unwrap_or("RequestResponse");
    let invocation = invocation(&call, &lambda, &target, kind)?;
    let provisioned = provisioned::of_version(&lambda, &target.name, version);
    let run = Run {
        version: FunctionVersion::new(&lambda, &configuration, provisioned),
        qualifier: target.qualifier,
        lambda,
        invocation,
    };
    match kind {
        "DryRun" => Ok(Reply::empty()),
        "Event" => {
            call.shared.spawn(run.deliver());
            Ok(Reply { status: 202, ..Reply::empty() })
        }
        "RequestResponse" => answer(&call, version, run.once().await?),
        other => Err(Fault::new(
            400,
            "ValidationException",
            format!(
                "1 validation error detected: Value '{other}' at 'invocationType' failed to satisfy \
                 constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"
            ),
        )),
    }
}

/// An invocation that came to the function's URL.
pub(super) async fn by_url(
    call: &Call,
    lambda: LambdaRegion,
    target: Target,
    payload: Bytes,
) -> Result<Invoked, Fault> {
    let found = lambda.find(&target)?;
    let version = found.version(draw(call));
    let configuration = lambda.version(&target.name, version)?;
    check_active(call, &configuration)?;
    let provisioned = provisioned::of_version(&lambda, &target.name, version);
    let invocation = Invocation {
        request_id: call.request_id.clone(),
        invoked_arn: lambda.arn(&target.name, target.qualifier.as_deref()),
        payload,
        client_context: None,
    };
    let version = FunctionVersion::new(&lambda, &configuration, provisioned);
    Run { version, qualifier: target.qualifier, lambda, invocation }.once().await
}

fn answer(call: &Call, version: &str, invoked: Invoked) -> Result<Reply, Fault> {
    let mut reply = Reply::raw(200, HeaderValue::from_static("application/json"), invoked.payload)
        .header("x-amz-executed-version", version);
    if let Some(error) = &invoked.function_error {
        reply = reply.header("x-amz-function-error", error);
    }
    if header(call, "x-amz-log-type") == Some("Tail") {
        reply = reply.header("x-amz-log-result", &STANDARD.encode(&invoked.log_tail));
    }
    Ok(reply)
}

fn header<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.headers.get(name)?.to_str().ok()
}

fn invocation(call: &Call, lambda: &LambdaRegion, target: &Target, kind: &str) -> Result<Invocation, Fault> {
    let unreadable = |what: String| {
        let message = format!("Could not parse request body into json: {what}");
        Fault::new(400, "InvalidRequestContentException", message)
    };
    let most = if kind == "Event" { LARGEST_EVENT } else { LARGEST_REQUEST };
    let size = call.body.len();
    if size > most && call.shared.enforces(AwsRule::PayloadSize) {
        let message =
            format!("{size} byte payload is too large for the {kind} invocation type (limit {most} bytes)");
        return Err(Fault::new(413, "RequestTooLargeException", message));
    }
    // Without a payload, the event is an empty object.
    let payload = if size == 0 { Bytes::from_static(b"{}") } else { call.body.clone() };
    serde_json::from_slice::<IgnoredAny>(&payload)
        .map_err(|error| unreadable(format!("Could not parse payload into json: {error}")))?;
    let client_context = header(call, "x-amz-client-context")
        .map(|encoded| STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok()))
        .map(|decoded| {
            decoded.ok_or_else(|| {
                unreadable("Client context must be a valid Base64-encoded JSON object.".into())
            })
        })
        .transpose()?;
    Ok(Invocation {
        request_id: call.request_id.clone(),
        invoked_arn: lambda.arn(&target.name, target.qualifier.as_deref()),
        payload,
        client_context,
    })
}

/// A number in [0, 1) for the weights of an alias.
fn draw(call: &Call) -> f64 {
    let hash = blake3::hash(format!("{}{}", call.request_id, call.now()).as_bytes());
    let bytes = hash.as_bytes();
    f64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) / (f64::from(u32::MAX) + 1.0)
}

/// One invocation on its way.
struct Run {
    lambda: LambdaRegion,
    version: FunctionVersion,
    /// As the caller named it, for the metrics.
    qualifier: Option<String>,
    invocation: Invocation,
}

impl Run {
    async fn once(&self) -> Result<Invoked, Fault> {
        let slot = self.enter()?;
        let shared = Arc::clone(&self.lambda.shared);
        let backend = backend::of(&shared);
        let busy = self.occupy();
        let invoked = backend.invoke(shared, self.version.clone(), self.invocation.clone()).await?;
        drop((slot, busy));
        self.measure_end(&invoked);
        Ok(invoked)
    }

    fn enter(&self) -> Result<Slot, Fault> {
        let entered = self.lambda.shared.extensions.get::<Running>().enter(&self.lambda, &self.version.name);
        if entered.is_err() {
            self.measure("Throttles", 1.0, "Count");
        }
        entered
    }

    /// How much of the provisioned concurrency is in use: what auto scaling follows. It is measured when
    /// there are invocations only, so without any nothing is scaled in, as on AWS
    /// (docs/aws/autoscaling.md#target-tracking).
    fn occupy(&self) -> Slot {
        let running = self.lambda.shared.extensions.get::<Running>();
        let (slot, count) = running.occupy(&self.lambda, &self.version.name, &self.version.version);
        let provisioned = f64::from(self.version.provisioned);
        if provisioned > 0.0 {
            let used = (count as f64).min(provisioned);
            self.measure("ProvisionedConcurrentExecutions", used, "Count");
            self.measure("ProvisionedConcurrencyUtilization", used / provisioned, "None");
        }
        slot
    }

    /// An event is tried three times, and then thrown away.
    async fn deliver(self) {
        let mut pauses = EVENT_RETRIES.into_iter();
        loop {
            let failed = match self.once().await {
                Ok(invoked) => invoked.function_error,
                Err(fault) => Some(fault.code.into_owned()),
            };
            let Some(error) = failed else { return };
            tracing::debug!(function = self.version.name, error, "an event was not processed");
            let Some(pause) = pauses.next() else { return };
            self.lambda.shared.clock.sleep(self.lambda.shared.pace.of(pause)).await;
        }
    }

    fn measure_end(&self, invoked: &Invoked) {
        let error = if invoked.function_error.is_some() { 1.0 } else { 0.0 };
        self.measure("Invocations", 1.0, "Count");
        self.measure("Errors", error, "Count");
        self.measure("Duration", invoked.duration.as_secs_f64() * 1_000.0, "Milliseconds");
        if invoked.provisioned {
            self.measure("ProvisionedConcurrencyInvocations", 1.0, "Count");
        } else if self.version.provisioned > 0 {
            self.measure("ProvisionedConcurrencySpilloverInvocations", 1.0, "Count");
        }
    }

    /// By function, and by the version or alias that was named
    /// (docs/aws/cloudwatch.md#endpoint-and-function-metrics).
    fn measure(&self, metric: &str, value: f64, unit: &str) {
        let name = self.version.name.as_str();
        let mut dimensions = vec![vec![("FunctionName", name.to_owned())]];
        if let Some(qualifier) = &self.qualifier {
            let resource = ("Resource", format!("{name}:{qualifier}"));
            dimensions.push(vec![("FunctionName", name.to_owned()), resource]);
        }
        for dimensions in dimensions {
            let measure = MetricId { namespace: "AWS/Lambda", metric, dimensions: &dimensions, unit };
            cloudwatch::record(&self.lambda.shared, &self.lambda.region, &measure, value);
        }
    }
}
