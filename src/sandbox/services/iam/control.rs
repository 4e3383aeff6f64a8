//! `POST /_sandbox/iam`: gives a role a past, which no API of AWS can; or the sandbox's user policies: from
//! then on, what they do not allow is refused, in AWS's words.
//!
//! ```json
//! {"role": "old-trainer", "created": "2025-01-31T00:00:00Z",
//!  "last_used": "2026-06-01T00:00:00Z", "region": "eu-west-1",
//!  "services": {"s3": {"last": "2026-06-01T00:00:00Z", "region": "eu-west-1",
//!                      "actions": {"GetObject": null}}}}
//! {"user_policies": [{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}]}
//! ```

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ROLES, held, roles, stamp};
use crate::authority::CALLER;
use crate::call::Answer;
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::merge;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleHistory {
    role: String,
    created: Option<String>,
    last_used: Option<String>,
    region: Option<String>,
    /// What `GetServiceLastAccessedDetails` is to say, by service: `last`, `region`, `actions`.
    services: Option<Value>,
}

/// Carries out the request; answers with the role.
pub(crate) fn post(shared: &SandboxState, posted: Value) -> Answer {
    let bad = |message: String| Fault::new(400, "BadRequest", message);
    if let Some(policies) = posted.get("user_policies") {
        let user = json!({held::POLICIES: policies});
        shared.global(held::USER).put(CALLER, user.clone())?;
        return Ok(user);
    }
    let past: RoleHistory = serde_json::from_value(posted).map_err(|error| bad(error.to_string()))?;
    let mut patch = json!({});
    let whole_seconds = |text: &str| {
        let time = humantime::parse_rfc3339_weak(text).map_err(|error| bad(format!("{text}: {error}")))?;
        let since = time.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok::<_, Fault>(stamp(since.as_millis() as u64))
    };
    if let Some(created) = &past.created {
        // A role with a past has long been known everywhere.
        merge(&mut patch, json!({"CreateDate": whole_seconds(created)?, "UsableAt": 0}));
    }
    if let Some(last) = &past.last_used {
        let region = past.region.as_deref().unwrap_or(&shared.region);
        merge(&mut patch, json!({"RoleLastUsed": {"LastUsedDate": whole_seconds(last)?, "Region": region}}));
    }
    if let Some(services) = past.services {
        merge(&mut patch, json!({"ServicesLastAccessed": services}));
    }
    let aged = shared.global(ROLES).update(&past.role, |entry| {
        merge(&mut entry.doc, patch);
        Ok(entry.doc.clone())
    });
    aged?.ok_or_else(|| roles::missing(&past.role))
}
