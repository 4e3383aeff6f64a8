//! Counts every request, retries included: speed is a feature, and a second deploy must write nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use schemars::JsonSchema;
use serde::Serialize;

/// How many calls a run made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Calls {
    pub reads: u64,
    pub writes: u64,
}

/// An SDK interceptor that counts; one is shared by all clients of a run.
#[derive(Clone, Debug, Default)]
pub struct CallCounter(Arc<Mutex<BTreeMap<String, u64>>>);

impl CallCounter {
    /// The sum over all services.
    pub fn total(&self) -> Calls {
        let counts = self.0.lock().expect("counting does not panic");
        counts.iter().fold(Calls::default(), |mut sum, (operation, n)| {
            if reads(operation) {
                sum.reads += n
            } else {
                sum.writes += n
            }
            sum
        })
    }

    /// Counts a request that no SDK client sends.
    pub(crate) fn count(&self, operation: &str) {
        let mut counts = self.0.lock().expect("counting does not panic");
        match counts.get_mut(operation) {
            Some(n) => *n += 1,
            None => drop(counts.insert(operation.to_owned(), 1)),
        }
    }

    /// Calls by operation (`SageMaker:DescribeEndpoint`), for `-v`.
    pub fn by_operation(&self) -> BTreeMap<String, u64> {
        self.0.lock().expect("counting does not panic").clone()
    }
}

/// AWS names its reading operations by these verbs; invoking is neither, and counts as a read: it changes no
/// resource.
pub(super) fn reads(operation: &str) -> bool {
    let name = operation.rsplit(':').next().unwrap_or(operation);
    ["Get", "List", "Describe", "Head", "Filter", "Invoke", "Simulate", "BatchGet"]
        .iter()
        .any(|verb| name.starts_with(verb))
}

#[dyn_dispatch_hint]
impl Intercept for CallCounter {
    fn name(&self) -> &'static str {
        "CallCounter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = cfg.load::<Metadata>() {
            self.count(&format!("{}:{}", call.service(), call.name()));
        }
        Ok(())
    }
}
