//! The service's clock: the times that a service writes can be compared with its own `Date` only, not with
//! the clock of this machine, which may be hours off.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

/// The `Date` of the answer to one call, whose interceptor this is.
#[derive(Clone, Debug, Default)]
pub struct AnswerDate(Arc<Mutex<Option<DateTime>>>);

impl AnswerDate {
    /// What the service's clock said.
    pub fn get(&self) -> Option<DateTime> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long ago `then` was by that clock. `None`: the service did not say what time it is.
    pub fn since(&self, then: &DateTime) -> Option<Duration> {
        let seconds = self.get()?.secs().saturating_sub(then.secs());
        Some(Duration::from_secs(seconds.try_into().unwrap_or_default()))
    }
}

#[dyn_dispatch_hint]
impl Intercept for AnswerDate {
    fn name(&self) -> &'static str {
        "AnswerDate"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date;
        Ok(())
    }
}
