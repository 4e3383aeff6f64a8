//! S3's refusals. Members of a fault's `extra` become headers of the answer.

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Error, S3ErrorCode};

use crate::call::Fault;

impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        let code = match fault.code.as_ref() {
            // The framework's word for trouble with files, in S3's language.
            "InternalFailure" => S3ErrorCode::InternalError,
            code => match code.parse() {
                Ok(code) => code,
                Err(never) => match never {},
            },
        };
        let mut error = Self::with_message(code, fault.message);
        if let Ok(status) = StatusCode::from_u16(fault.status) {
            error.set_status_code(status);
        }
        let pairs = fault.extra.iter().filter_map(|(name, value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value.as_str()?).ok()?))
        });
        error.set_headers(headers_of_xml(pairs));
        error
    }
}

/// `s3s` puts our headers in place of its own, the content type among them.
fn headers_of_xml(pairs: impl Iterator<Item = (HeaderName, HeaderValue)>) -> HeaderMap {
    let content_type = (hyper::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    pairs.chain([content_type]).collect()
}

pub fn no_such_key() -> Fault {
    Fault::new(404, "NoSuchKey", "The specified key does not exist.")
}

pub fn no_such_version() -> Fault {
    Fault::new(404, "NoSuchVersion", "The specified version does not exist.")
}

pub fn precondition_failed() -> Fault {
    Fault::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

pub fn invalid_argument(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidArgument", message)
}

pub fn invalid_request(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidRequest", message)
}

pub fn malformed_xml() -> Fault {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    Fault::new(400, "MalformedXML", message)
}
