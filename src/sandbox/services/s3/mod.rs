//! S3 on disk. The crate `s3s` speaks the protocol; here are the buckets and objects behind its trait.
//!
//! The path of a request: `wire` strips its signature and unframes its body, `s3s` finds and decodes the
//! operation, `AccessCheck` admits it if its caller may (`access`), and one function of the table below
//! answers. Documents (buckets, the versions of each key, uploads, parts) are in the store, bytes in files of
//! their own (`blob`). A file is complete before a document names it, so a kill at any moment leaves the old
//! object or the new one.

mod access;
pub mod api;
mod blob;
mod bucket;
mod buckets;
mod copy;
mod delete;
mod digest;
mod get;
mod listing;
mod multipart;
mod object;
mod policy;
mod put;
mod refusal;
mod settings;
mod tagging;
#[cfg(test)]
mod tests;
mod uploads;
mod whole;
mod wire;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use hyper::header::{CONTENT_LENGTH, DATE};
use hyper::http::request::Parts;
use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::dto::*;
use s3s::host::{S3Host, VirtualHost};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Error, S3Request, S3Response, S3Result, s3_error};

pub use self::bucket::region;
pub use self::whole::has_bytes;
use self::wire::Wire;
use crate::clock::http_date;
use crate::constraint::Constraint;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::guard;
use crate::model;
use crate::protocol::{self, BodyError, Request, Response};
use crate::rules::AwsRule;
use crate::state::SandboxState;

/// The service, for the server's table.
pub struct Service(S3Service);

const FAULT_CODES: FaultCodes = FaultCodes { throttle: (503, "SlowDown"), internal: (500, "InternalError") };

impl Service {
    /// The service over the state of a sandbox.
    pub fn new(shared: &Arc<SandboxState>) -> Self {
        blob::sweep(shared);
        let mut builder = S3ServiceBuilder::new(Buckets(Arc::clone(shared)));
        // Access is checked only where there is authentication, so there is one, which nothing ever reaches.
        builder.set_auth(NoAuth);
        builder.set_access(AccessCheck(Arc::clone(shared)));
        builder.set_host(Loopback);
        Self(builder.build())
    }
}

impl protocol::Service for Service {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn operations(&self) -> Vec<(&'static str, &'static [Constraint])> {
        INPUTS.iter().filter_map(|input| Some((input.strip_suffix("Input")?, &[][..]))).collect()
    }

    fn claims(&self, _: &Parts) -> bool {
        // Nothing in an unsigned request says that it is for S3; the server gives it those that nobody
        // claims.
        false
    }

    fn handle<'a>(&'a self, shared: &'a Arc<SandboxState>, request: Request) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let exchange = request.extensions().get::<Arc<Exchange>>().cloned();
            let answer = match wire::prepare(shared, request).await {
                Ok((request, rest)) => {
                    let answer = self.0.call(request).await;
                    rest.drain().await;
                    answer.map_err(|_| Fault::new(500, "InternalError", "the answer cannot be written"))
                }
                Err(fault) => Err(fault),
            };
            let answer = answer.or_else(|fault| S3Error::from(fault).to_http_response());
            let mut answer = match answer {
                Ok(refused) if refused.status().as_u16() >= 400 => rewrite(refused, refusal::finished).await,
                Ok(list)
                    if exchange.is_some_and(|exchange| {
                        exchange.operation().is_some_and(|name| name.starts_with("List"))
                    }) =>
                {
                    rewrite(list, wire::with_references).await
                }
                Ok(answer) => answer.map(|body| body.map_err(BodyError::from).boxed_unsync()),
                Err(_) => protocol::respond(500, "application/xml", ""),
            };
            // By the clock that dates objects: their age is the difference.
            if let Some(date) = http_date(shared.clock.steady()) {
                answer.headers_mut().insert(DATE, date);
            }
            answer
        })
    }
}

/// Changes the text of an answer. Refusals and lists are small.
async fn rewrite(answer: s3s::HttpResponse, change: impl Fn(&str) -> String) -> Response {
    let (mut head, body) = answer.into_parts();
    let bytes = body.collect().await.map(|collected| collected.to_bytes()).unwrap_or_default();
    let body = match std::str::from_utf8(&bytes) {
        Ok(xml) if !xml.is_empty() => change(xml).into(),
        _ => bytes,
    };
    head.headers.remove(CONTENT_LENGTH);
    hyper::Response::from_parts(head, protocol::full(body))
}

/// What every operation gets besides its input.
#[derive(Clone)]
struct Cx {
    shared: Arc<SandboxState>,
    wire: Wire,
}

struct Buckets(Arc<SandboxState>);

/// The operations: each a method of the trait, its input and output, and the function that answers it. The
/// [`AccessCheck`] refuses all others by their name.
macro_rules! operations {
    ($($method:ident: $input:ident => $output:ident, $run:path;)*) => {
        #[async_trait::async_trait]
        impl S3 for Buckets {
            $(async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                let wire: Wire = request.extensions.get().cloned().unwrap_or_default();
                let id = wire.request_id.clone();
                let cx = Cx { shared: Arc::clone(&self.0), wire };
                $run(cx, request.input).await.map(S3Response::new).map_err(|fault| refuse(fault, id))
            })*
        }

        /// Names of the inputs, which are those of the operations with `Input` at the end.
        const INPUTS: &[&str] = &[$(stringify!($input)),*];
    };
}

operations! {
    list_buckets: ListBucketsInput => ListBucketsOutput, buckets::list;
    head_bucket: HeadBucketInput => HeadBucketOutput, buckets::head;
    create_bucket: CreateBucketInput => CreateBucketOutput, buckets::create;
    delete_bucket: DeleteBucketInput => DeleteBucketOutput, buckets::delete;
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput, buckets::location;

    get_bucket_tagging: GetBucketTaggingInput => GetBucketTaggingOutput, tagging::get_bucket;
    put_bucket_tagging: PutBucketTaggingInput => PutBucketTaggingOutput, tagging::put_bucket;
    delete_bucket_tagging: DeleteBucketTaggingInput => DeleteBucketTaggingOutput, tagging::delete_bucket;
    get_object_tagging: GetObjectTaggingInput => GetObjectTaggingOutput, tagging::get_object;
    put_object_tagging: PutObjectTaggingInput => PutObjectTaggingOutput, tagging::put_object;
    delete_object_tagging: DeleteObjectTaggingInput => DeleteObjectTaggingOutput, tagging::delete_object;

    get_public_access_block: GetPublicAccessBlockInput => GetPublicAccessBlockOutput,
        settings::get_public_access;
    put_public_access_block: PutPublicAccessBlockInput => PutPublicAccessBlockOutput,
        settings::put_public_access;
    delete_public_access_block: DeletePublicAccessBlockInput => DeletePublicAccessBlockOutput,
        settings::delete_public_access;
    get_bucket_encryption: GetBucketEncryptionInput => GetBucketEncryptionOutput, settings::get_encryption;
    put_bucket_encryption: PutBucketEncryptionInput => PutBucketEncryptionOutput, settings::put_encryption;
    delete_bucket_encryption: DeleteBucketEncryptionInput => DeleteBucketEncryptionOutput,
        settings::delete_encryption;
    get_bucket_versioning: GetBucketVersioningInput => GetBucketVersioningOutput, settings::get_versioning;
    put_bucket_versioning: PutBucketVersioningInput => PutBucketVersioningOutput, settings::put_versioning;
    get_bucket_policy: GetBucketPolicyInput => GetBucketPolicyOutput, settings::get_policy;
    put_bucket_policy: PutBucketPolicyInput => PutBucketPolicyOutput, settings::put_policy;
    delete_bucket_policy: DeleteBucketPolicyInput => DeleteBucketPolicyOutput, settings::delete_policy;
    get_bucket_policy_status: GetBucketPolicyStatusInput => GetBucketPolicyStatusOutput,
        settings::get_policy_status;
    get_bucket_lifecycle_configuration: GetBucketLifecycleConfigurationInput =>
        GetBucketLifecycleConfigurationOutput, settings::get_lifecycle;
    put_bucket_lifecycle_configuration: PutBucketLifecycleConfigurationInput =>
        PutBucketLifecycleConfigurationOutput, settings::put_lifecycle;
    delete_bucket_lifecycle: DeleteBucketLifecycleInput => DeleteBucketLifecycleOutput,
        settings::delete_lifecycle;
    get_bucket_ownership_controls: GetBucketOwnershipControlsInput => GetBucketOwnershipControlsOutput,
        settings::get_ownership;
    put_bucket_ownership_controls: PutBucketOwnershipControlsInput => PutBucketOwnershipControlsOutput,
        settings::put_ownership;

    put_object: PutObjectInput => PutObjectOutput, put::put_object;
    copy_object: CopyObjectInput => CopyObjectOutput, copy::copy_object;
    get_object: GetObjectInput => GetObjectOutput, get::get_object;
    head_object: HeadObjectInput => HeadObjectOutput, get::head_object;
    get_object_attributes: GetObjectAttributesInput => GetObjectAttributesOutput, get::get_attributes;
    delete_object: DeleteObjectInput => DeleteObjectOutput, delete::delete_object;
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput, delete::delete_objects;

    list_objects: ListObjectsInput => ListObjectsOutput, listing::list_objects;
    list_objects_v2: ListObjectsV2Input => ListObjectsV2Output, listing::list_objects_v2;
    list_object_versions: ListObjectVersionsInput => ListObjectVersionsOutput, listing::list_versions;

    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput, multipart::create;
    upload_part: UploadPartInput => UploadPartOutput, multipart::upload_part;
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput, multipart::upload_part_copy;
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
        multipart::complete;
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput, multipart::abort;
    list_parts: ListPartsInput => ListPartsOutput, uploads::list_parts;
    list_multipart_uploads: ListMultipartUploadsInput => ListMultipartUploadsOutput, uploads::list;
}

fn refuse(fault: Fault, request_id: String) -> S3Error {
    let mut error = S3Error::from(fault);
    error.set_request_id(request_id);
    error
}

/// Asked by `s3s` once it knows the operation, before it decodes the input.
struct AccessCheck(Arc<SandboxState>);

/// Headers that ask for what is not here. AWS's own would be obeyed; ignoring them would be a lie.
const NOT_HERE: &[&str] = &[
    "x-amz-bucket-object-lock-enabled",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-rename-source",
];

#[async_trait::async_trait]
impl S3Access for AccessCheck {
    async fn check(&self, cx: &mut S3AccessContext<'_>) -> S3Result<()> {
        let operation = cx.s3_op().name().to_owned();
        let unsupported = NOT_HERE.iter().find(|name| cx.headers().contains_key(**name));
        let unchecked =
            !["content-md5", "x-amz-sdk-checksum-algorithm", "x-amz-checksum-algorithm", "x-amz-trailer"]
                .iter()
                .any(|name| cx.headers().contains_key(*name))
                && !cx.headers().keys().any(|name| name.as_str().starts_with("x-amz-checksum-"));
        let wire: Wire = cx.extensions_mut().get().cloned().unwrap_or_default();
        let exchange: Option<Arc<Exchange>> = cx.extensions_mut().get().cloned();
        let method = cx.method().clone();
        let asked = access::Asked::of(cx);
        let admitted = async {
            guard::check_effect(&method, "s3", &operation)?;
            if let Some(exchange) = exchange {
                self.0.admit(&exchange, "s3", FAULT_CODES, &operation).await?;
            }
            if !wire.signed && self.0.enforces(AwsRule::S3AnonymousRefused) {
                return Err(Fault::new(403, "AccessDenied", "Access Denied"));
            }
            if let Some(header) = unsupported {
                return Err(Fault::not_implemented("s3", &format!("{operation} with {header}")));
            }
            if !INPUTS.iter().any(|input| input.strip_suffix("Input") == Some(&operation)) {
                return Err(Fault::not_implemented("s3", &operation));
            }
            asked.authorize(&self.0, &wire, &operation)?;
            let needed = model::needs_checksum("s3", &operation);
            if needed && unchecked && self.0.enforces(AwsRule::S3NeedsChecksum) {
                let message = "Missing required header for this request: Content-MD5";
                return Err(Fault::new(400, "InvalidRequest", message));
            }
            Ok(())
        };
        admitted.await.map_err(|fault| refuse(fault, wire.request_id.clone()))
    }
}

struct NoAuth;

#[async_trait::async_trait]
impl S3Auth for NoAuth {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Err(s3_error!(
            NotImplemented,
            "the sandbox does not implement s3:PostObject; see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md"
        ))
    }
}

/// `bucket.localhost:4566`, for clients that cannot be told to put the bucket into the path.
struct Loopback;

impl S3Host for Loopback {
    fn parse_host_header<'a>(&'a self, host: &'a str) -> S3Result<VirtualHost<'a>> {
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        Ok(match name.strip_suffix(".localhost") {
            Some(bucket) => VirtualHost::new("localhost").with_bucket(bucket),
            None => VirtualHost::new(name),
        })
    }
}
