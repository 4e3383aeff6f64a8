//! ECR, as far as whoever wants to run an image asks it: whether the image is there.
//!
//! The sandbox has no registry, and takes an image for what its name says (docs/sandbox.md). So every image
//! is there, but for those that a test takes away: `POST /_sandbox/ecr {"missing": ["team/x:1", "team/y"]}`.

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;
use crate::state::SandboxState;

/// The operations.
pub const API: Api = Api {
    name: "ecr",
    signing_name: "ecr",
    target: "AmazonEC2ContainerRegistry_V20150921",
    invalid: "InvalidParameterException",
    faults: FaultCodes { throttle: (400, "ThrottlingException"), internal: (500, "ServerException") },
    operations: &[op("BatchGetImage", &[], batch_get_image)],
};

/// What was taken away: whole repositories, and single tags or digests of them.
const TABLE: &str = "ecr.missing";
const MISSING: &str = "missing";

/// `POST /_sandbox/ecr`: what is not there, in the place of what was not there before.
///
/// # Errors
/// 400 for anything but a list of texts.
pub(crate) fn post(shared: &SandboxState, posted: &Value) -> Answer {
    let names = posted[MISSING].as_array().filter(|names| names.iter().all(Value::is_string));
    let names = names.ok_or_else(|| Fault::new(400, "BadRequest", "a list of images is wanted: missing"))?;
    let missing = json!({ MISSING: names });
    shared.global(TABLE).put(MISSING, missing.clone())?;
    Ok(missing)
}

fn is_missing(shared: &SandboxState, name: &str) -> bool {
    let all = shared.global(TABLE).get(MISSING).unwrap_or_default();
    all[MISSING].as_array().is_some_and(|all| all.iter().any(|one| one == name))
}

fn batch_get_image(call: &Call) -> Answer {
    let repository = call.text("repositoryName");
    let registry = call.maybe("registryId").unwrap_or(&call.shared.account);
    if is_missing(&call.shared, repository) {
        let message = format!(
            "The repository with name '{repository}' does not exist in the registry with id '{registry}'"
        );
        return Err(Fault::new(400, "RepositoryNotFoundException", message));
    }
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for id in call.list("imageIds") {
        let text = |member: &str| id[member].as_str();
        let failure = match (text("imageDigest"), text("imageTag")) {
            (None, None) => {
                Some(("MissingDigestAndTag", "Invalid request parameters: both tag and digest are null"))
            }
            (Some(digest), _) if is_missing(&call.shared, &format!("{repository}@{digest}")) => {
                Some(("ImageNotFound", "Requested image not found"))
            }
            (None, Some(tag)) if is_missing(&call.shared, &format!("{repository}:{tag}")) => {
                Some(("ImageNotFound", "Requested image not found"))
            }
            _ => None,
        };
        match failure {
            Some((code, reason)) => {
                failures.push(json!({ "imageId": id, "failureCode": code, "failureReason": reason }));
            }
            None => images.push(json!({
                "registryId": registry, "repositoryName": repository, "imageId": id,
                "imageManifest": MANIFEST,
                "imageManifestMediaType": "application/vnd.docker.distribution.manifest.v2+json",
            })),
        }
    }
    Ok(json!({ "images": images, "failures": failures }))
}

/// Of an image without layers.
const MANIFEST: &str =
    r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","layers":[]}"#;
