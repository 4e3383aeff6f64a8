//! Which operation a request is, by method, path and query.

use crate::answer::{Answer, Fault};
use crate::intake::Received;
use crate::request::Head;
use crate::store::Store;
use crate::{buckets, multipart, objects};

/// How an operation is carried out: with its small document, or with a body that was streamed.
#[derive(Clone, Copy)]
pub enum Work {
    Document(fn(&Store, &Head, &str) -> Result<Answer, Fault>),
    Body(fn(&Store, &Head, Received) -> Result<Answer, Fault>),
}

/// The name as CloudTrail has it, and the work.
pub fn route(head: &Head) -> (&'static str, Work) {
    use Work::{Body, Document};
    let has = |name: &str| head.query(name).is_some();
    let setting = buckets::setting(head).is_some();
    match (head.method.as_str(), head.bucket.is_empty(), head.key.is_empty()) {
        // Not named by the document, which is not read yet: STS's one operation, or any of IAM's.
        ("POST", true, _) if head.header("x-amz-target").is_none() => ("Query", Document(buckets::identity)),
        ("GET", true, _) => ("ListBuckets", Document(buckets::names)),

        ("PUT", _, true) if setting => ("PutBucketSetting", Document(buckets::put_setting)),
        ("PUT", _, true) => ("CreateBucket", Document(buckets::create)),
        ("HEAD", _, true) => ("HeadBucket", Document(buckets::head)),
        ("GET", _, true) if setting => ("GetBucketSetting", Document(buckets::get_setting)),
        ("GET", _, true) if has("uploads") => ("ListMultipartUploads", Document(multipart::list_uploads)),
        ("GET", _, true) if !unknown(head) => ("ListObjects", Document(buckets::list)),
        ("POST", _, true) if has("delete") => ("DeleteObjects", Document(objects::delete_many)),
        ("DELETE", _, true) if setting => ("DeleteBucketSetting", Document(buckets::delete_setting)),
        ("DELETE", _, true) => ("DeleteBucket", Document(buckets::delete)),

        ("PUT", _, false) if has("uploadId") => ("UploadPart", Body(multipart::part)),
        ("PUT", _, false) if head.header("x-amz-copy-source").is_some() => {
            ("CopyObject", Document(objects::copy))
        }
        ("PUT", _, false) if !unknown(head) => ("PutObject", Body(objects::put)),
        ("POST", _, false) if has("uploads") => ("CreateMultipartUpload", Document(multipart::create)),
        ("POST", _, false) if has("uploadId") => ("CompleteMultipartUpload", Document(multipart::complete)),
        ("GET", _, false) if has("uploadId") => ("ListParts", Document(multipart::list_parts)),
        ("DELETE", _, false) if has("uploadId") => ("AbortMultipartUpload", Document(multipart::abort)),
        ("GET", _, false) if !unknown(head) => ("GetObject", Document(objects::get)),
        ("HEAD", _, false) => ("HeadObject", Document(objects::head)),
        ("DELETE", _, false) => ("DeleteObject", Document(objects::delete)),
        _ => ("NotImplemented", Document(not_implemented)),
    }
}

/// A subresource that is not here. It must not be taken for the plain operation.
fn unknown(head: &Head) -> bool {
    const OTHERS: [&str; 6] = ["acl", "attributes", "object-lock", "retention", "tagging", "versions"];
    head.queries().any(|(name, _)| OTHERS.contains(&name))
}

fn not_implemented(_: &Store, head: &Head, _: &str) -> Result<Answer, Fault> {
    let query: Vec<&str> = head.queries().map(|(name, _)| name).collect();
    Err(Fault::new(501, "NotImplemented", format!("{} ?{}", head.method, query.join("&"))))
}
