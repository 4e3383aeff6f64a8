//! A test invocation, with its answer.

use super::{Session, ends};
use crate::aws::OpResult;
use crate::domain::{Media, codes};
use crate::engine::invoke::{Request, Response, Start};
use crate::evidence::{Invocation, InvocationOutcome};
use crate::run::invoke::{self, InvokeError};
use crate::run::jobs::Job;

/// Invokes it once. That it failed is what the test shows; an error is only what ends the command.
///
/// # Errors
/// What AWS said.
pub async fn invoked(session: &Session, through: &Job, payload: Media) -> OpResult<Invocation> {
    let sent = payload.shown();
    let request = Request { payload, accept: None };
    let outcome = match invoke::send(session, through, request).await {
        Ok(response) => answered(response),
        Err(InvokeError::Op(error)) if ends(&error) => return Err(error),
        Err(InvokeError::Op(error)) => {
            InvocationOutcome::Failed { code: error.code().to_string(), error: error.to_string() }
        }
        Err(InvokeError::Model { whole, .. }) => {
            InvocationOutcome::Failed { code: codes::MODEL_ERROR.to_string(), error: whole }
        }
        Err(InvokeError::Failed { code, message, .. }) => {
            InvocationOutcome::Failed { code: code.to_string(), error: message }
        }
    };
    Ok(Invocation { through: through.id.clone(), payload: sent, outcome })
}

fn answered(response: Response) -> InvocationOutcome {
    InvocationOutcome::Answered {
        status: response.status,
        latency_ms: (response.latency_ms * 10.0).round() / 10.0,
        cold_start: response.start.map(|start| matches!(start, Start::Cold(_))),
        init_ms: response.start.and_then(|start| match start {
            Start::Warm => None,
            Start::Cold(ms) => Some(ms),
        }),
        answer: response.answer.shown(),
        response: response.body,
    }
}
