//! Whether a caller may do something with buckets and objects, in S3's words.

use percent_encoding::percent_decode_str;
use s3s::access::S3AccessContext;
use s3s::path::S3Path;
use serde_json::{Map, Value, json};

use super::Cx;
use super::wire::Wire;
use crate::authority::{self, Denied, Request};
use crate::fault::Fault;
use crate::state::SandboxState;

/// What an operation is about: of its input, what decides who may do it.
pub(super) struct Asked(Value);

impl Asked {
    /// From the path, the parameters and the headers of a request, which is not decoded yet.
    pub fn of(cx: &S3AccessContext<'_>) -> Self {
        let mut input = Map::new();
        match cx.s3_path() {
            S3Path::Root => {}
            S3Path::Bucket { bucket } => {
                input.insert("Bucket".to_owned(), Value::from(&**bucket));
            }
            S3Path::Object { bucket, key } => {
                input.insert("Bucket".to_owned(), Value::from(&**bucket));
                input.insert("Key".to_owned(), Value::from(&**key));
            }
        }
        let decode =
            |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        for pair in cx.uri().query().unwrap_or_default().split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            for (known, member) in [("versionId", "VersionId"), ("prefix", "Prefix")] {
                if name == known {
                    input.insert(member.to_owned(), decode(value).into());
                }
            }
        }
        for (known, member) in [("x-amz-copy-source", "CopySource"), ("x-amz-tagging", "Tagging")] {
            if let Some(value) = cx.headers().get(known).and_then(|value| value.to_str().ok()) {
                input.insert(member.to_owned(), percent_decode_str(value).decode_utf8_lossy().into());
            }
        }
        Self(Value::Object(input))
    }

    /// # Errors
    /// S3's `AccessDenied`.
    pub fn authorize(&self, shared: &SandboxState, wire: &Wire, operation: &str) -> Result<(), Fault> {
        let region = wire.region.as_deref().unwrap_or(&shared.region);
        let request =
            Request { principal: &wire.principal, service: "s3", operation, region, input: &self.0 };
        authority::authorize(shared, &request)
            .map_err(|Denied(message)| Fault::new(403, "AccessDenied", message))
    }
}

impl Cx {
    /// The same of one object, by an operation that names many or names it otherwise.
    pub(super) fn authorize(
        &self,
        operation: &str,
        bucket: &str,
        key: &str,
        id: Option<&str>,
    ) -> Result<(), Fault> {
        let asked = Asked(json!({"Bucket": bucket, "Key": key, "VersionId": id}));
        asked.authorize(&self.shared, &self.wire, operation)
    }

    /// Who may not list a bucket does not learn what is not in it
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>).
    pub(super) fn hide(&self, bucket: &str, fault: Fault) -> Fault {
        // What is asked for is no prefix, so whatever is said of prefixes is no refusal.
        let asked = Asked(json!({"Bucket": bucket}));
        match fault.code.as_ref() {
            "NoSuchKey" => {
                asked.authorize(&self.shared, &self.wire, "GetMissingObject").err().unwrap_or(fault)
            }
            _ => fault,
        }
    }
}
