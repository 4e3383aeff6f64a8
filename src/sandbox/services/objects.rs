//! S3 as the other services see it: code, data and models come from there, results go there.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::extensions::Plug;
use crate::fault::Fault;
use crate::state::SandboxState;

/// Who has the objects. URIs are `s3://bucket/key`.
pub trait Objects: Send + Sync {
    /// Whether the bucket is in this region and has an object with this key, or one that it is a prefix of.
    fn holds(&self, shared: Arc<SandboxState>, region: String, uri: String) -> BoxFuture<'static, bool>;

    /// Writes an object; the error is a text for a `FailureReason`.
    fn put(
        &self,
        shared: Arc<SandboxState>,
        region: String,
        uri: String,
        body: Bytes,
    ) -> BoxFuture<'static, Result<(), String>>;

    /// Reads an object whole.
    ///
    /// # Errors
    /// The fault to answer with, in Lambda's words: it alone reads objects by itself.
    fn read(
        &self,
        shared: Arc<SandboxState>,
        region: String,
        object: ObjectName,
    ) -> BoxFuture<'static, Result<Bytes, Fault>>;
}

/// An object that holds a function's archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    pub bucket: String,
    pub key: String,
    pub version: Option<String>,
}

/// Without S3 nobody can say what it lacks, and what is written is nowhere.
pub struct NoObjects;

impl Objects for NoObjects {
    fn holds(&self, _: Arc<SandboxState>, _: String, _: String) -> BoxFuture<'static, bool> {
        Box::pin(async { true })
    }

    fn put(
        &self,
        _: Arc<SandboxState>,
        _: String,
        _: String,
        _: Bytes,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }

    fn read(
        &self,
        _: Arc<SandboxState>,
        _: String,
        _: ObjectName,
    ) -> BoxFuture<'static, Result<Bytes, Fault>> {
        let message = "this sandbox takes a function's code from Code.ZipFile only, not from S3; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md";
        Box::pin(async move { Err(Fault::new(501, "ServiceException", message)) })
    }
}

impl Plug for dyn Objects {
    fn unplugged() -> Arc<Self> {
        Arc::new(NoObjects)
    }
}
