use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::desired::Draft;
use crate::domain::{Days, FieldChange, Human, KeyPath, Needs, Owner, Scope, Status, Verb, changes, codes};
use crate::limits;
use crate::resources::{Kind, KindName};

pub struct Bucket;

/// `[bucket]`: one per project and environment; every key has a default.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Bucket")]
pub struct Section {
    /// Its name; the default is `<project>-<environment>-<account>-<region>`, which nobody else has.
    name: Option<String>,
    /// How long overwritten and deleted objects are kept.
    keep_old_versions: Days,
    /// When parts of interrupted uploads are thrown away; they are billed until then.
    abort_uploads_after: Days,
}

impl Default for Section {
    fn default() -> Self {
        Self { name: None, keep_old_versions: Days::new(30), abort_uploads_after: Days::new(7) }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub region: String,
    /// Deny everything that does not come over TLS.
    pub policy: Value,
    pub keep_old_versions_days: i32,
    pub abort_uploads_days: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub owner: Owner,
    /// All four switches of Block Public Access.
    pub public_access_blocked: bool,
    /// The default encryption's algorithm.
    pub encryption: Option<String>,
    pub versioning: bool,
    pub policy: Option<Value>,
    pub keep_old_versions_days: Option<i32>,
    pub abort_uploads_days: Option<i32>,
}

impl Bucket {
    /// There is one bucket; the others find it by this name.
    pub const MAIN: &'static str = "main";

    /// The bucket's name, for specs that put things into it.
    pub fn name(draft: &Draft<'_>) -> String {
        draft.node(KindName::Bucket, Self::MAIN).map_or_else(String::new, |node| node.physical.clone())
    }
}

/// Refuses plain HTTP (https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html).
fn tls_only(bucket: &str, partition: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "DenyWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            // In capitals, which AWS does not mind (action names are case-insensitive,
            // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html), because
            // moto leaves the condition out and would lock everybody out of the bucket.
            "Action": "S3:*",
            "Resource": [format!("arn:{partition}:s3:::{bucket}"), format!("arn:{partition}:s3:::{bucket}/*")],
            "Condition": { "Bool": { "aws:SecureTransport": "false" } }
        }]
    })
}

impl Kind for Bucket {
    const NAME: KindName = KindName::Bucket;
    const SECTION: Option<&'static str> = Some("bucket");
    type Section = Section;
    type Spec = Spec;
    type Seen = Seen;

    fn desired(section: &Section, draft: &mut Draft<'_>) {
        lint(section, draft);
        let Scope { project, environment, account, region, partition } = draft.scope;
        let name = match &section.name {
            Some(name) => name.clone(),
            None => format!("{project}-{environment}-{account}-{region}"),
        };
        let spec = Spec {
            region: region.clone(),
            policy: tls_only(&name, partition),
            keep_old_versions_days: section.keep_old_versions.count() as i32,
            abort_uploads_days: section.abort_uploads_after.count() as i32,
        };
        draft.add::<Self>(Self::MAIN, name, &spec, [], KeyPath::of(["bucket"]));
    }

    fn diff(want: &Spec, seen: &Seen) -> Vec<FieldChange> {
        let days = |days: Option<i32>| days.map_or_else(|| "forever".to_owned(), |d| format!("{d} days"));
        changes()
            .field("public access blocked", seen.public_access_blocked, true, Needs::Update)
            .field("encryption", seen.encryption.as_deref().unwrap_or("none"), "AES256", Needs::Update)
            .field("versioning", seen.versioning, true, Needs::Update)
            .when(seen.policy.as_ref() != Some(&want.policy), "policy", "another", "TLS only", Needs::Update)
            .field(
                "keep old versions",
                days(seen.keep_old_versions_days),
                days(Some(want.keep_old_versions_days)),
                Needs::Update,
            )
            .field("abort uploads after", days(seen.abort_uploads_days), days(Some(want.abort_uploads_days)), Needs::Update)
            .done()
    }

    fn status(_: &Seen) -> Status {
        Status::ready("Available")
    }

    fn owner(seen: &Seen) -> Owner {
        seen.owner.clone()
    }

    fn usual(verb: Verb) -> Option<Human> {
        (verb == Verb::Create).then_some(Human::seconds(2))
    }

    fn iam_actions() -> &'static [&'static str] {
        &[
            "s3:ListAllMyBuckets",
            "s3:ListBucket",
            "s3:CreateBucket",
            "s3:GetBucketLocation",
            "s3:GetBucketTagging",
            "s3:PutBucketTagging",
            "s3:GetBucketPublicAccessBlock",
            "s3:PutBucketPublicAccessBlock",
            "s3:GetEncryptionConfiguration",
            "s3:PutEncryptionConfiguration",
            "s3:GetBucketVersioning",
            "s3:PutBucketVersioning",
            "s3:GetBucketPolicy",
            "s3:PutBucketPolicy",
            "s3:GetLifecycleConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:ListBucketVersions",
            "s3:ListBucketMultipartUploads",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:DeleteBucket",
        ]
    }
}

fn lint(section: &Section, draft: &mut Draft<'_>) {
    let at = KeyPath::of(["bucket"]);
    if let Some(name) = &section.name
        && let Some(why) = limits::bucket_name(name)
    {
        let text = format!("\"{name}\" is no name for a bucket: {why}");
        draft.error(codes::BAD_NAME, at.join("name"), text, format!("see {}", limits::BUCKET_NAMES));
    }
    for (key, days) in
        [("keep_old_versions", section.keep_old_versions), ("abort_uploads_after", section.abort_uploads_after)]
    {
        if days.count() == 0 {
            let text = format!("`{key}` is zero, and S3 counts in days, from one on");
            draft.error(codes::LIMIT, at.join(key), text, "write \"1d\" or more");
        }
    }
}
