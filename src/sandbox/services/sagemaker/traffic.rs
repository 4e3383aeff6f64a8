//! What CloudWatch knows of an endpoint's invocations
//! (docs/aws/sagemaker-endpoints.md#metrics-of-an-endpoint): what auto scaling follows.

use std::sync::Arc;
use std::time::Duration;

use super::endpoint::{Endpoint, Variant};
use super::{ENDPOINT, endpoint};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::services::cloudwatch::{self, MINUTE, MetricId};
use crate::state::SandboxState;

/// What counts invocations. AWS has zeros of these for an endpoint that nobody invokes, so it is scaled in.
const INVOCATIONS: [&str; 2] = ["Invocations", "InvocationsPerInstance"];

/// The measurements of one variant in service.
#[derive(Debug)]
pub struct Traffic {
    shared: Arc<SandboxState>,
    region: String,
    dimensions: [(&'static str, String); 2],
    instances: u64,
}

impl Traffic {
    /// That of a variant of an endpoint.
    pub fn of(endpoint: &Endpoint, variant: &Variant) -> Self {
        Self {
            shared: Arc::clone(&endpoint.shared),
            region: endpoint.region.clone(),
            dimensions: [("EndpointName", endpoint.name.clone()), ("VariantName", variant.name.clone())],
            // A serverless variant has none.
            instances: variant.instances.max(1),
        }
    }

    /// A request has come for the variant, however it will end.
    pub fn arrived(&self) {
        for (metric, value) in INVOCATIONS.into_iter().zip([1.0, 1.0 / self.instances as f64]) {
            self.measure(metric, value, "None");
        }
    }

    /// The container has answered, or has not in time. Latency is in microseconds.
    pub fn answered(&self, after: Duration, refused: Option<&Fault>) {
        self.measure("ModelLatency", after.as_micros() as f64, "Microseconds");
        let status = |fault: &Fault| fault.extra.get("OriginalStatusCode")?.as_u64();
        let status = refused.map(|fault| status(fault).unwrap_or_default());
        let of_client = status.is_some_and(|status| (400..500).contains(&status));
        let errors =
            [("Invocation4XXErrors", of_client), ("Invocation5XXErrors", status.is_some() && !of_client)];
        for (metric, is_one) in errors {
            self.measure(metric, f64::from(u8::from(is_one)), "None");
        }
    }

    fn of_metric<'a>(&'a self, metric: &'a str, unit: &'a str) -> MetricId<'a> {
        MetricId { namespace: "AWS/SageMaker", metric, dimensions: &self.dimensions, unit }
    }

    fn measure(&self, metric: &str, value: f64, unit: &str) {
        cloudwatch::record(&self.shared, &self.region, &self.of_metric(metric, unit), value);
    }

    /// The minute from `start` on is over: nothing has come in it, unless something is measured.
    fn fall_silent(&self, start: Millis) {
        for metric in INVOCATIONS {
            let measure = self.of_metric(metric, "None");
            let seen = cloudwatch::read(&self.shared, &self.region, &measure, start, start + MINUTE, MINUTE);
            if seen.is_empty() {
                cloudwatch::record_at(&self.shared, &self.region, &measure, start, 0.0);
            }
        }
    }
}

/// Measures zero for the variants that served through the minute from `start` on without an invocation.
pub fn close_minute(shared: &Arc<SandboxState>, start: Millis) {
    for (region, name, doc) in shared.everywhere(ENDPOINT.table) {
        let endpoint = Endpoint::new(shared, &region, &name);
        for variant in endpoint::serving(&doc) {
            Traffic::of(&endpoint, &variant).fall_silent(start);
        }
    }
}
