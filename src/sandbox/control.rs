//! `/_sandbox/…`: what tests and `sandbox status` ask the sandbox itself, next to AWS's own paths.
//!
//! | path | |
//! |---|---|
//! | `GET health` | who it is: pid, endpoint, account, region |
//! | `GET calls`, `DELETE calls` | counts and log of calls; forget them |
//! | `GET faults`, `POST faults`, `DELETE faults` | rules with their hits; add rules; remove all |
//! | `GET clock`, `POST clock {"advance_ms": n}` | sandbox time; move it forward |
//! | `POST iam {"role": …}`, `POST quotas {"account": "fresh"}` | a role's past; what the account may have |
//! | `POST regions {"off": ["me-south-1"]}`, `POST ecr {"missing": ["team/x:1"]}` | regions that are not enabled; images that are not there |
//! | `GET users`, `POST users {"pid": n, "command": …}` | commands that use it; one more |
//! | `POST stop` | ends `sandbox serve`, also one in the background |
//! | `POST interrupt {"job": …}` | takes the instance of a running spot job away |

use std::sync::Arc;
use std::time::Duration;

use hyper::http::request::Parts;
use serde_json::{Value, json};

use super::call::Answer;
use super::clock::iso8601;
use super::fault::Fault;
use super::protocol::{Body, Response, collect, json11, respond};
use super::regions;
use super::services::{ecr, iam, quotas};
use super::state::SandboxState;
use super::work;

/// A posted document is small.
const LARGEST: usize = 1 << 20;

/// Ten years: what is tried out here ends long before.
const FURTHEST: u64 = 10 * 365 * 86_400_000;

pub(super) async fn answer(shared: &Arc<SandboxState>, head: &Parts, path: &str, body: Body) -> Response {
    match carry_out(shared, head.method.as_str(), path, body).await {
        Ok(document) => respond(200, "application/json", document.to_string()),
        Err(fault) => json11::render(&fault, "application/json"),
    }
}

async fn carry_out(shared: &Arc<SandboxState>, method: &str, path: &str, body: Body) -> Answer {
    let bad = |message: String| Fault::new(400, "BadRequest", message);
    let document = collect(shared, body, LARGEST).await?;
    let posted = || serde_json::from_slice::<Value>(&document).map_err(|error| bad(error.to_string()));
    match (method, path) {
        ("GET", "health") => Ok(json!({
            "pid": std::process::id(), "endpoint": shared.endpoint_url(),
            "account": shared.account, "region": shared.region,
        })),
        ("GET", "calls") => Ok(shared.calls.report()),
        ("DELETE", "calls") => {
            shared.calls.reset();
            Ok(json!({}))
        }
        ("GET", "faults") => Ok(shared.faults.report()),
        ("POST", "faults") => {
            shared.faults.post(posted()?).map_err(|error| bad(error.to_string()))?;
            Ok(shared.faults.report())
        }
        ("DELETE", "faults") => {
            shared.faults.clear();
            Ok(json!([]))
        }
        ("GET", "clock") => Ok(clock(shared)),
        ("POST", "clock") => {
            let by = posted()?["advance_ms"].as_u64().filter(|by| *by <= FURTHEST).ok_or_else(|| {
                bad(format!("advance_ms must be a number of milliseconds, at most {FURTHEST}"))
            })?;
            shared.clock.advance(Duration::from_millis(by));
            Ok(clock(shared))
        }
        ("GET", "users") => Ok(json!(shared.users.living())),
        ("POST", "users") => {
            let user = serde_json::from_value(posted()?).map_err(|error| bad(error.to_string()))?;
            shared.users.note(user);
            Ok(json!({}))
        }
        ("POST", "stop") => {
            shared.asked_to_stop.cancel();
            Ok(json!({}))
        }
        ("POST", "iam") => iam::control::post(shared, posted()?),
        ("POST", "regions") => regions::post(shared, &posted()?),
        ("POST", "ecr") => ecr::post(shared, &posted()?),
        ("POST", "interrupt") => work::interrupt(shared, &posted()?),
        ("POST", "quotas") => quotas::post(shared, posted()?),
        _ => Err(Fault::new(404, "NotFound", format!("no {method} /_sandbox/{path}"))),
    }
}

fn clock(shared: &SandboxState) -> Value {
    let now = shared.clock.now();
    json!({"now_ms": now, "now": iso8601(now), "speed": shared.clock.speed(), "pace": shared.pace})
}
