//! S3's refusals. Members of a fault's `extra` become headers of the answer.

use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use s3s::{S3Error, S3ErrorCode};

use crate::fault::Fault;
use crate::protocol::query;

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

/// What S3 says of codes for which `s3s` has no words
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
const WORDS: &[(&str, &str)] = &[
    (
        "BadDigest",
        "The Content-MD5 or checksum value that you specified did not match what the server received.",
    ),
    ("EntityTooLarge", "Your proposed upload exceeds the maximum allowed object size."),
    ("InvalidArgument", "Invalid Argument"),
    ("InvalidBucketName", "The specified bucket is not valid."),
    ("InvalidDigest", "The Content-MD5 or checksum value that you specified is not valid."),
    ("InvalidRange", "The requested range is not satisfiable"),
    ("InvalidURI", "Couldn't parse the specified URI."),
    ("KeyTooLongError", "Your key is too long"),
    ("MalformedXML", MALFORMED_XML),
    ("MethodNotAllowed", "The specified method is not allowed against this resource."),
    ("MissingContentLength", "You must provide the Content-Length HTTP header."),
    ("NotImplemented", "A header or query you provided requested a function that is not implemented."),
];

/// A refusal as it goes out: with a message, and without the characters that XML cannot hold, which come from
/// keys and values of the request.
pub fn finished(xml: &str) -> String {
    let mut xml = query::writable(xml).into_owned();
    let code =
        xml.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map(|(code, _)| code);
    let words =
        WORDS.iter().find(|(known, _)| Some(*known) == code).map_or("Invalid Request", |(_, words)| words);
    if !xml.contains("<Message>")
        && let Some(at) = xml.find("</Code>").map(|at| at + "</Code>".len())
    {
        xml.insert_str(at, &format!("<Message>{words}</Message>"));
    }
    xml
}

/// 404, NoSuchKey.
pub fn no_such_key() -> Fault {
    Fault::new(404, "NoSuchKey", "The specified key does not exist.")
}

/// 404, NoSuchVersion.
pub fn no_such_version() -> Fault {
    Fault::new(404, "NoSuchVersion", "The specified version does not exist.")
}

/// 412, PreconditionFailed.
pub fn precondition_failed() -> Fault {
    Fault::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
}

/// 400, InvalidArgument.
pub fn invalid_argument(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidArgument", message)
}

/// 400, InvalidRequest.
pub fn invalid_request(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidRequest", message)
}

const MALFORMED_XML: &str =
    "The XML you provided was not well-formed or did not validate against our published schema";

/// 400, MalformedXML.
pub fn malformed_xml() -> Fault {
    Fault::new(400, "MalformedXML", MALFORMED_XML)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_message_and_is_xml() {
        let bare = "<?xml version=\"1.0\"?><Error><Code>KeyTooLongError</Code></Error>";
        assert!(
            finished(bare)
                .ends_with("<Code>KeyTooLongError</Code><Message>Your key is too long</Message></Error>")
        );
        let told = "<Error><Code>NoSuchKey</Code><Message>a\u{0}b</Message></Error>";
        assert_eq!(finished(told), "<Error><Code>NoSuchKey</Code><Message>a\u{fffd}b</Message></Error>");
    }
}
