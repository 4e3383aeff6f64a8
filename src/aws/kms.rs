//! KMS's `DescribeKey`, the one call that opsctl makes of it: which key an alias stands for, and whose it is.

use serde_json::{Value, json};

use super::OpResult;
use super::json::{JsonCall, JsonClient, Shared};
use super::rates::RateLimitedClient;
use crate::domain::action;

pub(super) const CALL: JsonCall = JsonCall {
    service: "KMS",
    operation: "DescribeKey",
    host: "kms",
    fips_host: "kms-fips",
    signing_name: "kms",
    target: "TrentService",
    content_type: "application/x-amz-json-1.1",
    action: action::kms::DescribeKey,
};

/// The client.
#[derive(Clone, Debug)]
pub struct Kms(JsonClient);

/// A key, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`.
    pub state: String,
    /// `SYMMETRIC_DEFAULT` of one that encrypts data for AWS's services.
    pub spec: String,
    /// Whether AWS keeps it for a service, such as `alias/aws/s3`: whoever may use the service may use it
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key>).
    pub is_of_aws: bool,
}

impl Kms {
    pub(super) fn new(shared: &Shared<'_>, client: RateLimitedClient) -> Self {
        Self(JsonClient::new(&CALL, shared, client))
    }

    /// The key of an ARN or an alias.
    ///
    /// # Errors
    /// What AWS said; `NotFound` of one that is not there.
    pub async fn key(&self, name: &str) -> OpResult<Key> {
        let answer = self.0.ask(json!({ "KeyId": name })).await?;
        let text = |member: &str| {
            let value: &Value = &answer["KeyMetadata"][member];
            value.as_str().unwrap_or_default().to_owned()
        };
        let is_of_aws = text("KeyManager") == "AWS";
        Ok(Key { arn: text("Arn"), state: text("KeyState"), spec: text("KeySpec"), is_of_aws })
    }
}
