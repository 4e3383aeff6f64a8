//! The sandbox's own S3, for the other services.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use crate::authority::{self, Denied, Principal, Request, Session};
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::objects::{ObjectName, Objects};
use crate::services::s3::api;
use crate::state::SandboxState;

/// The objects that the sandbox's S3 keeps.
pub struct S3Objects;

impl Objects for S3Objects {
    fn holds(&self, shared: Arc<SandboxState>, region: String, uri: String) -> BoxFuture<'static, bool> {
        Box::pin(async move {
            let Some((bucket, key)) = split(&uri) else { return false };
            api::region(&shared, bucket).is_ok_and(|its| its == region)
                && api::list(&shared, bucket, key).is_ok_and(|listed| !listed.is_empty())
        })
    }

    fn put(
        &self,
        shared: Arc<SandboxState>,
        _: String,
        uri: String,
        body: Bytes,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            let mut file = tempfile::NamedTempFile::new().map_err(|error| error.to_string())?;
            file.write_all(&body).map_err(|error| error.to_string())?;
            RoleObjects::new(&shared, None).upload(&uri, file.path()).await
        })
    }

    fn read(
        &self,
        shared: Arc<SandboxState>,
        region: String,
        object: ObjectName,
    ) -> BoxFuture<'static, Result<Bytes, Fault>> {
        Box::pin(async move {
            let ObjectName { bucket, key, version } = object;
            let place = api::region(&shared, &bucket).map_err(|fault| unreadable(&fault))?;
            if place != region && shared.enforces(AwsRule::CodeBucketRegion) {
                let message = format!(
                    "The bucket is in this region: {place}. Please use this region to retry the request"
                );
                return Err(unreadable(&Fault::new(301, "PermanentRedirect", message)));
            }
            let found = api::read(&shared, &bucket, &key, version.as_deref()).await;
            found.map_err(|fault| unreadable(&fault))
        })
    }
}

/// AWS's text, as recorded by LocalStack.
fn unreadable(fault: &Fault) -> Fault {
    let message = format!(
        "Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
        fault.code, fault.message
    );
    Fault::new(400, "InvalidParameterValueException", message)
}

/// `s3://bucket/key`.
pub fn split(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("s3://")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

fn located(uri: &str) -> Result<(&str, &str), String> {
    split(uri).ok_or_else(|| format!("{uri} is not an s3:// URI"))
}

/// The sandbox's S3 as a service uses it for somebody: with a role, whose policies decide, or by itself.
#[derive(Clone)]
pub struct RoleObjects {
    shared: Arc<SandboxState>,
    principal: Option<Principal>,
}

impl RoleObjects {
    /// For a session of a role; without one, nothing is asked.
    pub fn new(shared: &Arc<SandboxState>, session: Option<Session>) -> Self {
        Self { shared: Arc::clone(shared), principal: session.map(Principal::Session) }
    }

    fn authorize(&self, operation: &str, input: &Value) -> Result<(), String> {
        let Some(principal) = &self.principal else { return Ok(()) };
        let (service, region) = ("s3", &self.shared.region);
        let request = Request { principal, service, operation, region, input };
        authority::authorize(&self.shared, &request).map_err(|Denied(message)| message)
    }

    /// Makes an object of a file.
    pub async fn upload(&self, uri: &str, file: &Path) -> Result<(), String> {
        let (bucket, key) = located(uri)?;
        self.authorize("PutObject", &json!({"Bucket": bucket, "Key": key}))?;
        api::put_file(&self.shared, bucket, key, file).await.map_err(|fault| fault.message)
    }

    /// Whether the role may read an object.
    pub fn may_read(&self, uri: &str) -> Result<(), String> {
        let (bucket, key) = located(uri)?;
        self.authorize("GetObject", &json!({"Bucket": bucket, "Key": key}))
    }

    /// Makes a file of an object.
    pub async fn download(&self, uri: &str, file: &Path) -> Result<(), String> {
        let (bucket, key) = located(uri)?;
        self.authorize("GetObject", &json!({"Bucket": bucket, "Key": key}))?;
        api::get_to_file(&self.shared, bucket, key, file).await.map_err(|fault| fault.message)
    }

    /// Adds to `digest` which objects have keys that start with the URI's, and what is in them.
    pub fn add_all(&self, uri: &str, digest: &mut blake3::Hasher) -> Result<(), String> {
        let (bucket, prefix) = located(uri)?;
        for object in api::list(&self.shared, bucket, prefix).map_err(|fault| fault.message)? {
            digest.update(json!([bucket, object.key, object.size, object.etag]).to_string().as_bytes());
        }
        Ok(())
    }

    /// Makes files of all objects whose keys start with the URI's, named by the rest of their keys. Keys that
    /// end in `/` are folders of the console, not files.
    pub async fn download_all(&self, uri: &str, folder: &Path) -> Result<(), String> {
        let (bucket, prefix) = located(uri)?;
        self.authorize("ListObjectsV2", &json!({"Bucket": bucket, "Prefix": prefix}))?;
        let listed = api::list(&self.shared, bucket, prefix).map_err(|fault| fault.message)?;
        for object in listed.iter().filter(|object| !object.key.ends_with('/')) {
            let key = object.key.as_str();
            let rest = key[prefix.len()..].trim_start_matches('/');
            // The prefix may be the key of a single object.
            let name = if rest.is_empty() { key.rsplit('/').next().unwrap_or(key) } else { rest };
            let path = inside(folder, name).ok_or_else(|| format!("the key {key} is not a file's name"))?;
            self.authorize("GetObject", &json!({"Bucket": bucket, "Key": key}))?;
            api::get_to_file(&self.shared, bucket, key, &path).await.map_err(|fault| fault.message)?;
        }
        Ok(())
    }
}

/// A key may hold `..`; a file's path must not leave its folder.
fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    plain.then(|| folder.join(name))
}
