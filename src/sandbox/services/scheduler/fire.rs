//! Calls the targets of what is due, with the permissions of the schedule's role. A target that refuses is
//! tried again as the schedule's retry policy says; by then the schedule itself may be gone.

use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderMap;
use serde_json::{Value, json};

use super::{EVENTS, SCHEDULES};
use crate::authority::{self, Denied, Principal, Request, Session};
use crate::call::Call;
use crate::clock::Millis;
use crate::fault::Fault;
use crate::operation::{Operation, Run};
use crate::services::{autoscaling, iam, lambda, sagemaker};
use crate::state::SandboxState;

/// Who assumes the role.
pub(super) const SERVICE: &str = "scheduler.amazonaws.com";

/// Schedules are this exact (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html>).
const MINUTE: Millis = 60_000;

/// Fires until the sandbox stops.
pub async fn watch(shared: Arc<SandboxState>) {
    loop {
        shared.clock.until(shared.clock.now() / MINUTE * MINUTE + MINUTE).await;
        fire_due(&shared).await;
    }
}

/// Fires what is due now, and tries again what was refused.
pub async fn fire_due(shared: &Arc<SandboxState>) {
    let now = shared.clock.now();
    for (region, key, schedule) in shared.everywhere(SCHEDULES) {
        let at = schedule["_At"].as_u64().unwrap_or(Millis::MAX);
        if at > now || schedule["State"] != "ENABLED" || schedule["_Fired"] == true {
            continue;
        }
        if let Err(fault) = fire(shared, &region, &key, &schedule, now) {
            tracing::warn!(schedule = key, error = fault.message, "cannot be fired");
        }
    }
    for (region, key, event) in shared.everywhere(EVENTS) {
        if event["Next"].as_u64().unwrap_or_default() <= now
            && let Err(fault) = attempt(shared, &region, &key, event, now).await
        {
            tracing::warn!(schedule = key, error = fault.message, "what it calls cannot be noted");
        }
    }
}

/// Makes an event of a schedule, once.
fn fire(shared: &SandboxState, region: &str, key: &str, schedule: &Value, now: Millis) -> Result<(), Fault> {
    let table = shared.table(SCHEDULES, region);
    let is_first = match schedule["ActionAfterCompletion"] == "DELETE" {
        true => table.remove(key)?.is_some(),
        false => {
            let noted = table.update(key, |entry| {
                let is_first = entry.doc["_Fired"] != true;
                entry.doc["_Fired"] = true.into();
                Ok(is_first)
            });
            noted?.unwrap_or(false)
        }
    };
    if is_first {
        let age = schedule["Target"]["RetryPolicy"]["MaximumEventAgeInSeconds"].as_u64().unwrap_or_default();
        let left = schedule["Target"]["RetryPolicy"]["MaximumRetryAttempts"].as_u64().unwrap_or_default();
        let event =
            json!({ "Target": schedule["Target"], "Next": now, "Left": left, "Until": now + age * 1_000 });
        shared.table(EVENTS, region).put(key, event)?;
    }
    Ok(())
}

async fn attempt(
    shared: &Arc<SandboxState>,
    region: &str,
    key: &str,
    mut event: Value,
    now: Millis,
) -> Result<(), Fault> {
    let table = shared.table(EVENTS, region);
    let target = event["Target"]["Arn"].as_str().unwrap_or_default().to_owned();
    // Whoever takes it calls; and after its time nobody does, however far the clock was moved.
    let is_over = event["Until"].as_u64().unwrap_or_default() < now;
    if table.remove(key)?.is_none() || is_over {
        return Ok(());
    }
    let Err(fault) = call(shared, region, &event["Target"]).await else {
        tracing::info!(target: "opsctl::sandbox", schedule = key, calls = target, "fires");
        return Ok(());
    };
    let left = event["Left"].as_u64().unwrap_or_default();
    if left == 0 || event["Until"].as_u64().unwrap_or_default() <= now {
        tracing::warn!(schedule = key, calls = target, error = fault.message, "was refused, and is given up");
        return Ok(());
    }
    tracing::debug!(schedule = key, calls = target, error = fault.message, "was refused");
    event["Left"] = (left - 1).into();
    event["Next"] = (now + MINUTE).into();
    table.put(key, event)
}

async fn call(shared: &Arc<SandboxState>, region: &str, target: &Value) -> Result<(), Fault> {
    let arn = target["Arn"].as_str().unwrap_or_default();
    let (service, row) = operation(arn).ok_or_else(|| Fault::not_implemented("scheduler", arn))?;
    let input =
        target["Input"].as_str().and_then(|input| serde_json::from_str(input).ok()).unwrap_or(json!({}));
    let role = target["RoleArn"].as_str().unwrap_or_default();
    let denied = |what: String| Err(Fault::new(403, "AccessDeniedException", what));
    if iam::assumable(shared, role, SERVICE).is_err() {
        return denied(format!("{role} cannot be assumed"));
    }
    let principal = Principal::Session(Session::new(role, "scheduler"));
    let asked = Request { principal: &principal, service, operation: row.name(), region, input: &input };
    if let Err(Denied(message)) = authority::authorize(shared, &asked) {
        return denied(message);
    }
    iam::note_use(shared, role, region)?;
    let call = Call {
        shared: Arc::clone(shared),
        service,
        operation: row.name(),
        region: region.to_owned(),
        principal,
        request_id: "scheduler".to_owned(),
        input,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    row.run(call).await
}

/// An operation of the sandbox that a schedule can call.
#[derive(Clone, Copy)]
pub(super) enum Row {
    Json(&'static Operation),
    Rest(&'static Operation<crate::protocol::rest_json::Reply>),
}

impl Row {
    fn name(self) -> &'static str {
        match self {
            Self::Json(row) => row.name,
            Self::Rest(row) => row.name,
        }
    }

    async fn run(self, call: Call) -> Result<(), Fault> {
        match self {
            Self::Json(row) => answer(row, call).await,
            Self::Rest(row) => answer(row, call).await,
        }
    }
}

async fn answer<T>(row: &Operation<T>, call: Call) -> Result<(), Fault> {
    match row.run {
        Run::Now(run) => run(&call).map(drop),
        Run::Later(run) => run(call).await.map(drop),
    }
}

/// The operation of a universal target: `arn:aws:scheduler:::aws-sdk:sagemaker:deleteEndpoint`
/// (<https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html>).
pub(super) fn operation(target: &str) -> Option<(&'static str, Row)> {
    let (service, name) = target.split_once(":scheduler:::aws-sdk:")?.1.split_once(':')?;
    let is_meant = |known: &str| {
        let mut letters = known.chars();
        letters
            .next()
            .is_some_and(|first| name.strip_prefix(first.to_ascii_lowercase()) == Some(letters.as_str()))
    };
    let json = |api: &'static [Operation]| api.iter().find(|row| is_meant(row.name)).map(Row::Json);
    match service {
        "sagemaker" => Some(("sagemaker", json(sagemaker::API.operations)?)),
        "applicationautoscaling" => Some(("application-autoscaling", json(autoscaling::API.operations)?)),
        "lambda" => {
            let mut rows = lambda::API.routes.iter().map(|route| &route.operation);
            Some(("lambda", Row::Rest(rows.find(|row| is_meant(row.name))?)))
        }
        _ => None,
    }
}
