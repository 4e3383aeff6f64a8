//! What is sent to a kind that is invoked ([`crate::desired::Kind::INVOKED`]), and what comes back.

use serde_json::Value;

use crate::aws::OpError;
use crate::domain::Media;

/// What is sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub payload: Media,
    /// The content type that the answer should have; JSON when nobody says.
    pub accept: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Response {
    /// The `statusCode` of the function's answer, or the endpoint's HTTP status.
    pub status: i64,
    /// The whole of it: JSON or text, `null` where it is neither.
    pub body: Value,
    /// The model's answer alone: what the endpoint sent, or what is in the `body` of the function's response.
    pub answer: Media,
    pub latency_ms: f64,
    /// What the function did before it could answer.
    pub start: Option<Start>,
}

/// How an invocation of a function began, by its log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    Warm,
    /// A new environment was initialized first, in that many milliseconds.
    Cold(f64),
}

/// Why nothing came back.
#[derive(Debug)]
pub enum NoAnswer {
    /// What AWS said. [`crate::aws::OpErrorKind::ModelFailed`]: the words are those of a model's container.
    Op(OpError),
    /// As many calls run as the resource lets run at once by its own setting, which may be none.
    Reserved,
    /// The user's code failed.
    Raised {
        /// With what, and where.
        what: String,
        /// Whether it says that what it asked failed, and not itself.
        is_behind: bool,
    },
}

impl From<OpError> for NoAnswer {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}
