//! ECR's `BatchGetImage`, the one call that opsctl makes of it: whether an image is there. Whoever is to run
//! an image must be allowed this call, so AWS's own registries allow it to every account, where
//! `DescribeImages` is denied
//! (<https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html>).

use serde_json::json;

use super::json::{JsonCall, JsonClient, Shared};
use super::rates::RateLimitedClient;
use super::{OpError, OpErrorKind, OpResult};
use crate::domain::action;

pub(super) const CALL: JsonCall = JsonCall {
    service: "ECR",
    operation: "BatchGetImage",
    host: "api.ecr",
    fips_host: "ecr-fips",
    signing_name: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921",
    content_type: "application/x-amz-json-1.1",
    action: action::ecr::BatchGetImage,
};

/// What an image may be written as; without them only the oldest form is found.
const MEDIA_TYPES: &[&str] = &[
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
];

/// The client.
#[derive(Clone, Debug)]
pub struct Ecr(JsonClient);

impl Ecr {
    pub(super) fn new(shared: &Shared<'_>, client: RateLimitedClient) -> Self {
        Self(JsonClient::new(&CALL, shared, client))
    }

    /// Whether a registry has an image, by its digest (`sha256:…`) or its tag.
    ///
    /// # Errors
    /// What AWS said; [`OpErrorKind::NotFound`] of a repository that is not there.
    pub async fn has(&self, registry: &str, repository: &str, version: &str) -> OpResult<bool> {
        let member = if version.contains(':') { "imageDigest" } else { "imageTag" };
        let input = json!({
            "registryId": registry, "repositoryName": repository,
            "imageIds": [{ member: version }], "acceptedMediaTypes": MEDIA_TYPES,
        });
        let answer = self.0.ask(input).await?;
        let failure = &answer["failures"][0];
        match failure["failureCode"].as_str() {
            None => Ok(true),
            Some("ImageNotFound") => Ok(false),
            Some(code) => {
                let reason = failure["failureReason"].as_str().unwrap_or_default();
                Err(OpError::new(CALL.action, OpErrorKind::Unexpected, format!("{code}: {reason}")))
            }
        }
    }
}
