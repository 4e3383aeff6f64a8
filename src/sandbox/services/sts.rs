//! STS: who asks, and sessions of roles. Whoever has none is the account's one user, because the sandbox
//! takes any key.

use opsctl_iam::policy::Document;
use serde_json::{Value, json};

use super::{access, iam};
use crate::authority::{CALLER, Denied, Principal, Session};
use crate::call::{Answer, Call};
use crate::clock::iso8601;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::query::{Api, Flavor};

/// The operations.
pub const API: Api = Api {
    name: "sts",
    flavor: Flavor::Query,
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    invalid: "ValidationError",
    faults: FaultCodes { throttle: (400, "Throttling"), internal: (500, "InternalFailure") },
    operations: &[op("AssumeRole", &[], assume_role), op("GetCallerIdentity", &[], get_caller_identity)],
};

/// Seconds that a session lasts when nothing is said. The sandbox's do not end.
const USUAL: u64 = 3_600;

/// What a session of another kind would need, and is not here.
const UNSUPPORTED: &[&str] = &["PolicyArns", "Tags", "TransitiveTagKeys", "SerialNumber", "SourceIdentity"];

fn get_caller_identity(call: &Call) -> Answer {
    let (arn, id) = match &call.principal {
        Principal::User => {
            (call.shared.arn("iam", "", &format!("user/{CALLER}")), "AIDASANDBOX0000000000".to_owned())
        }
        Principal::Session(session) => (session.arn(), id(call, session)),
    };
    Ok(json!({"Account": call.shared.account, "Arn": arn, "UserId": id}))
}

/// `AROA…:session`
fn id(call: &Call, session: &Session) -> String {
    let role = iam::assumed_role(&call.shared, &session.role);
    format!("{}:{}", role.map_or_else(|| "AROASANDBOX0000000000".to_owned(), |role| role.id), session.name)
}

fn assume_role(call: &Call) -> Answer {
    if let Some(member) = UNSUPPORTED.iter().find(|member| call.input.get(**member).is_some()) {
        return Err(Fault::not_implemented("sts", &format!("AssumeRole with {member}")));
    }
    let arn = call.text("RoleArn");
    // A role that is not there is refused like one that trusts others.
    let trust = iam::assumed_role(&call.shared, arn).and_then(|role| role.trust);
    access::assume(&call.shared, &call.principal, arn, trust)
        .map_err(|Denied(message)| Fault::new(403, "AccessDenied", message))?;
    if let Some(policy) = call.maybe("Policy")
        && Document::read(Value::from(policy)).policy().is_none()
    {
        return Err(Fault::new(400, "MalformedPolicyDocument", "The policy is not valid."));
    }
    iam::note_use(&call.shared, arn, &call.region)?;
    let session = Session {
        policy: call.maybe("Policy").map(str::to_owned),
        ..Session::new(arn, call.text("RoleSessionName"))
    };
    let seconds = call.number("DurationSeconds").and_then(|seconds| u64::try_from(seconds).ok());
    let credentials = session.credentials();
    Ok(json!({
        "AssumedRoleUser": {"AssumedRoleId": id(call, &session), "Arn": session.arn()},
        "Credentials": {
            "AccessKeyId": credentials.access_key_id,
            "SecretAccessKey": credentials.secret_access_key,
            "SessionToken": credentials.session_token,
            "Expiration": iso8601(call.now() + seconds.unwrap_or(USUAL) * 1_000),
        },
    }))
}
