//! Who asks, and whether they may: sessions of roles, which have credentials of their own, and what refuses
//! their requests. Signatures are not verified: the session token says whose the credentials are.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use opsctl_iam::arn::Arn;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::extensions::Plug;
use super::fault::Fault;
use super::state::{SandboxState, arn_of};

/// The name of the user that every caller is who has no session.
pub const CALLER: &str = "sandbox";

/// Begins every session token of the sandbox; any other token is somebody's who needs none here.
const TOKEN: &str = "opsctl-sandbox.";
/// Begins the access keys that go with them.
const KEY: &str = "ASIASANDBOX";

/// Whose credentials have signed a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Principal {
    /// Any key: the account's one user.
    #[default]
    User,
    Session(Session),
}

/// A role that somebody has assumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The role's ARN.
    pub role: String,
    pub name: String,
    /// The session policy that `AssumeRole` was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// What a client signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

impl Principal {
    /// From the access key and the session token of a request.
    ///
    /// # Errors
    /// `InvalidClientTokenId`: a session's key without its token.
    pub fn of(access_key: Option<&str>, token: Option<&str>) -> Result<Self, Fault> {
        let session = token
            .and_then(|token| token.strip_prefix(TOKEN))
            .and_then(|encoded| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).ok()?).ok());
        match session {
            Some(session) => Ok(Self::Session(session)),
            None if access_key.is_some_and(|key| key.starts_with(KEY)) => {
                let message = "The security token included in the request is invalid.";
                Err(Fault::new(403, "InvalidClientTokenId", message))
            }
            None => Ok(Self::User),
        }
    }
}

impl Session {
    /// The session of a service that has assumed a role: `name` is what the service calls it, cut to what a
    /// session's name may be (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
    pub fn new(role: &str, name: &str) -> Self {
        Self { role: role.to_owned(), name: name.chars().take(64).collect(), policy: None }
    }

    /// The same credentials every time: they say the session.
    pub fn credentials(&self) -> Credentials {
        let encoded = URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default());
        let hash = blake3::hash(encoded.as_bytes()).to_hex();
        Credentials {
            access_key_id: format!("{KEY}{}", hash[..9].to_uppercase()),
            secret_access_key: hash[..40].to_owned(),
            session_token: format!("{TOKEN}{encoded}"),
        }
    }

    /// `arn:aws:sts::123456789012:assumed-role/ROLE/SESSION`: a role's path is not in it.
    pub fn arn(&self) -> String {
        let (account, name) = Arn::parse(&self.role).map_or(("", ""), |role| (role.account, role.name()));
        let resource = &format!("assumed-role/{name}/{}", self.name);
        arn_of("sts", "", account, resource)
    }
}

/// What somebody wants to have done.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub principal: &'a Principal,
    pub service: &'a str,
    pub operation: &'a str,
    pub region: &'a str,
    /// Of S3: `Bucket`, `Key`, `VersionId`, `Prefix`, `CopySource`, `Tagging`.
    pub input: &'a Value,
}

/// Why a request is refused, in AWS's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(pub String);

/// What decides. Without one, everybody may do everything.
pub trait Authority: Send + Sync {
    /// Decides a request before it is carried out.
    ///
    /// # Errors
    /// The refusal.
    fn decide(&self, shared: &SandboxState, request: &Request<'_>) -> Result<(), Denied>;
}

struct Nobody;

impl Authority for Nobody {
    fn decide(&self, _: &SandboxState, _: &Request<'_>) -> Result<(), Denied> {
        Ok(())
    }
}

impl Plug for dyn Authority {
    fn unplugged() -> Arc<Self> {
        Arc::new(Nobody)
    }
}

/// Asks whoever decides.
///
/// # Errors
/// The refusal.
pub fn authorize(shared: &SandboxState, request: &Request<'_>) -> Result<(), Denied> {
    shared.extensions.plugged::<dyn Authority>().decide(shared, request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_say_whose_they_are() {
        let session = Session::new("arn:aws:iam::123456789012:role/opsctl/app", "f");
        assert_eq!(session.arn(), "arn:aws:sts::123456789012:assumed-role/app/f");
        let Credentials { access_key_id: key, session_token: token, .. } = session.credentials();
        assert_eq!(key.len(), 20);
        assert_eq!(Principal::of(Some(&key), Some(&token)), Ok(Principal::Session(session)));
        assert_eq!(Principal::of(Some(&key), None).unwrap_err().code, "InvalidClientTokenId");
        for token in [None, Some("FwoGZXIvYXdzE"), Some("opsctl-sandbox.?")] {
            assert_eq!(Principal::of(Some("AKIA"), token), Ok(Principal::User));
        }
    }
}
