//! The errors that an operation may return.

use std::borrow::Cow;
use std::io::ErrorKind;

use serde_json::{Map, Value};

/// A refusal; the protocol renders it as AWS renders it there.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// AWS's error code as it is on the wire: `ValidationException`, `NoSuchEntity`.
    pub code: Cow<'static, str>,
    pub message: String,
    /// HTTP status.
    pub status: u16,
    /// Further members of the error: `OriginalMessage`, `Reason`.
    pub extra: Map<String, Value>,
}

impl Fault {
    /// An answer with this HTTP status, code and message.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), status, extra: Map::new() }
    }

    /// Adds a member to the error.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(name.to_owned(), value.into());
        self
    }

    /// What the sandbox does not do. 501 is retried by no SDK.
    pub fn not_implemented(service: &str, operation: &str) -> Self {
        let message = format!(
            "the sandbox does not implement {service}:{operation}; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md"
        );
        Self::new(501, "NotImplemented", message)
    }
}

/// The sandbox's own trouble with its files. A disk that is full stays so: its status is one that no SDK
/// retries.
impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        let causes = with_causes(&error);
        if matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::ReadOnlyFilesystem
        ) {
            let message = format!(
                "the sandbox cannot write: {causes}. Free some space there, or set OPSCTL_SANDBOX to a folder elsewhere"
            );
            return Self::new(507, "SandboxDiskFull", message);
        }
        Self::new(500, "InternalFailure", format!("the sandbox cannot use its files: {causes}"))
    }
}

/// An error with its causes, for a message: that a disk is full is often the last of them.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_once_and_with_what_to_do() {
        let full = Fault::from(std::io::Error::from(ErrorKind::StorageFull));
        assert_eq!((full.status, full.code.as_ref()), (507, "SandboxDiskFull"));
        assert!(full.message.contains("OPSCTL_SANDBOX"), "{}", full.message);
        let other = Fault::from(std::io::Error::from(ErrorKind::PermissionDenied));
        assert_eq!((other.status, other.code.as_ref()), (500, "InternalFailure"));
    }
}
