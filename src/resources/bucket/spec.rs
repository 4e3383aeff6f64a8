use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Keys;
use crate::config::Name;
use crate::desired::{Draft, KeyUse, Kind, Seen};
use crate::domain::{
    Action, Attributes, Days, FieldChange, HumanDuration, KeyPath, KindName, LEASE_KEY, Needs, Phase, Scope,
    Status, Usage, Verb, action, attributes, changes, codes, many,
};
use crate::limits;
use opsctl_iam as iam;

/// The kind.
pub struct Bucket;

/// `[bucket]`: the bucket for data, code and models, one per project and environment. The whole table may be
/// left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Bucket")]
pub struct Section {
    /// Its name. Default `<project>-<environment>-<account>-<region>`. Bucket names are global, so choose one
    /// that nobody else has.
    name: Option<String>,
    /// How long overwritten and deleted objects are kept. At least one day.
    keep_old_versions: Days,
    /// When the parts of interrupted uploads are deleted; until then they are billed. At least one day.
    abort_uploads_after: Days,
}

impl Default for Section {
    fn default() -> Self {
        Self { name: None, keep_old_versions: Days::new(30), abort_uploads_after: Days::new(7) }
    }
}

/// As its section asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub region: String,
    /// Deny everything that does not come over TLS.
    pub policy: Value,
    /// The same for our folders alone, to be put into the policy of a bucket that is not ours.
    pub statement: Value,
    /// [`Keys::folders`].
    pub folders: Vec<String>,
    pub keep_old_versions_days: i32,
    pub abort_uploads_days: i32,
    /// Encrypts what is put into our own bucket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// All four switches of Block Public Access.
    pub public_access_blocked: bool,
    /// The default encryption, as `Bucket::encryption` says it.
    pub encryption: Option<String>,
    /// The KMS key of it, as S3 says it: an ARN, an id, or an alias. Of a bucket that opsctl did not make the
    /// key itself, if it is a customer's.
    #[serde(default)]
    pub kms_key: Option<String>,
    pub versioning: bool,
    pub policy: Option<Value>,
    /// The lifecycle rules of our names, by their ids.
    pub rules: BTreeMap<String, OwnRule>,
}

/// A lifecycle rule, as far as we set it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OwnRule {
    pub prefix: String,
    pub keep_old_versions_days: Option<i32>,
    pub abort_uploads_days: Option<i32>,
    /// Whether it is switched off, does more, or does it to other objects.
    #[serde(default)]
    pub altered: bool,
}

impl Spec {
    /// The lifecycle rules by their ids: one for all of our own bucket, one for each of our folders in
    /// another's.
    pub fn rules(&self, bucket_is_ours: bool) -> BTreeMap<String, OwnRule> {
        let rule = |prefix: &str| OwnRule {
            prefix: prefix.to_owned(),
            keep_old_versions_days: Some(self.keep_old_versions_days),
            abort_uploads_days: Some(self.abort_uploads_days),
            altered: false,
        };
        if bucket_is_ours {
            return BTreeMap::from([(Bucket::RULE.to_owned(), rule(""))]);
        }
        self.folders.iter().map(|folder| (format!("{}:{folder}", Bucket::RULE), rule(folder))).collect()
    }
}

impl Bucket {
    /// The id of our lifecycle rule, and the beginning of the ids of our folders' rules.
    pub const RULE: &'static str = "opsctl";
    /// The `Sid` of our statement in our own bucket's policy, and in that of an adopted one.
    pub const SIDS: [&'static str; 2] = ["DenyWithoutTls", "OpsctlDenyWithoutTls"];

    /// A default encryption in words. Without a bucket key each object is a request to KMS
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html>).
    pub(super) fn encryption(algorithm: &str, key: Option<&str>, bucket_key: bool) -> String {
        let key = key.map(|key| format!(" with {key}")).unwrap_or_default();
        let lacks = algorithm.starts_with("aws:kms") && !bucket_key;
        format!("{algorithm}{key}{}", if lacks { ", without a bucket key" } else { "" })
    }

    /// Whether a lifecycle rule is one of ours.
    pub fn is_own_rule(id: &str) -> bool {
        id.strip_prefix(Self::RULE).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    }

    /// There is one bucket; the others find it by this name.
    pub const MAIN: &'static str = "main";

    /// The bucket's name, for specs that put things into it.
    pub fn name(draft: &Draft<'_>) -> String {
        draft.node(KindName::Bucket, Self::MAIN).map_or_else(String::new, |node| node.physical.clone())
    }
}

/// Refuses plain HTTP (https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html).
fn tls_only(sid: &str, resources: &[String]) -> Value {
    json!({
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        // In capitals, which AWS does not mind (action names are case-insensitive,
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html), because
        // moto leaves the condition out and would lock everybody out of the bucket.
        "Action": "S3:*",
        "Resource": resources,
        "Condition": { "Bool": { "aws:SecureTransport": "false" } }
    })
}

/// Its data sets have a size of their own.
const KEPT: &str = "what jobs leave in the bucket";

impl Kind for Bucket {
    const NAME: KindName = KindName::Bucket;
    const SECTION: Option<&'static str> = Some("bucket");
    const ADOPTABLE: bool = true;
    const USED_BY_ALL: bool = true;
    // Parts of an upload are decrypted, too.
    const KEY_USE: Option<KeyUse> = Some(KeyUse {
        service: "s3",
        changes: &[action::kms::Decrypt, action::kms::GenerateDataKey],
        looks: &[action::kms::Decrypt],
    });
    type Section = Section;
    type Spec = Spec;
    type State = State;

    fn items() -> Vec<&'static str> {
        vec!["bucket"]
    }

    fn desired(section: &Section, draft: &mut Draft<'_>) {
        let Scope { project, environment, account, region, .. } = draft.scope;
        let name = match &section.name {
            Some(name) => name.clone(),
            None => format!("{project}-{environment}-{account}-{region}"),
        };
        lint(section, &name, draft);
        let folders = Keys::folders(draft.scope);
        let arn = draft.scope.s3_arn(&name);
        let [own, shared] = Self::SIDS;
        let whole = tls_only(own, &[arn.clone(), format!("{arn}/*")]);
        let in_folders: Vec<String> = folders.iter().map(|folder| format!("{arn}/{folder}*")).collect();
        let spec = Spec {
            region: region.clone(),
            policy: json!({ "Version": "2012-10-17", "Statement": [whole] }),
            statement: tls_only(shared, &in_folders),
            folders,
            keep_old_versions_days: section.keep_old_versions.count() as i32,
            abort_uploads_days: section.abort_uploads_after.count() as i32,
            kms_key: draft.kms_key(),
        };
        draft.add::<Self>(Self::MAIN, name, spec, [], KeyPath::of(["bucket"]));
    }

    fn wanted(want: &Spec) -> State {
        State {
            public_access_blocked: true,
            encryption: Some(match want.kms_key.as_deref() {
                Some(key) => Self::encryption("aws:kms", Some(key), true),
                None => Self::encryption("AES256", None, false),
            }),
            kms_key: want.kms_key.clone(),
            versioning: true,
            policy: Some(want.policy.clone()),
            rules: want.rules(true),
        }
    }

    fn diff(want: &Spec, Seen { owner, state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        if !owner.is_made() {
            // Somebody else's: only what we put into it is compared.
            let has = seen.policy.as_ref().is_some_and(|policy| iam::has(policy, &want.statement));
            return changes()
                .when(
                    !has,
                    "policy",
                    "without opsctl's",
                    "with a statement for this project's folders",
                    Needs::Update,
                )
                .when(
                    seen.rules != want.rules(false),
                    "lifecycle",
                    "without opsctl's",
                    "with rules for this project's folders",
                    Needs::Update,
                )
                .done();
        }
        let wanted = Self::wanted(want);
        let days = |days: Option<i32>| days.map_or_else(|| "forever".to_owned(), |d| many(d, "day"));
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        let rule = seen.rules.get(Self::RULE).filter(|rule| rule.prefix.is_empty());
        let policy = seen.policy.as_ref().is_some_and(|policy| iam::same(policy, &want.policy));
        changes()
            .field(
                "public access blocked",
                seen.public_access_blocked,
                wanted.public_access_blocked,
                Needs::Update,
            )
            .field("encryption", text(&seen.encryption), text(&wanted.encryption), Needs::Update)
            .field("versioning", seen.versioning, wanted.versioning, Needs::Update)
            .when(!policy, "policy", "another", "TLS only", Needs::Update)
            .when(
                rule.is_some_and(|rule| rule.altered),
                "lifecycle rule",
                "does more, or less, than opsctl set",
                "opsctl's own",
                Needs::Update,
            )
            .field(
                "keep old versions",
                days(rule.and_then(|r| r.keep_old_versions_days)),
                days(Some(want.keep_old_versions_days)),
                Needs::Update,
            )
            .field(
                "abort uploads after",
                days(rule.and_then(|r| r.abort_uploads_days)),
                days(Some(want.abort_uploads_days)),
                Needs::Update,
            )
            .done()
    }

    fn taken(want: &Spec, seen: &State) -> Vec<String> {
        let [own, shared] = [want.rules(true), want.rules(false)];
        let ours =
            |(id, rule): &(&String, &OwnRule)| own.get(*id) == Some(*rule) || shared.get(*id) == Some(*rule);
        let statement = seen.policy.as_ref().is_some_and(|policy| iam::is_taken(policy, &want.statement));
        let statement = statement.then(|| format!("the statement `{}` of its policy", Self::SIDS[1]));
        let rules = seen.rules.iter().filter(|rule| !ours(rule));
        statement.into_iter().chain(rules.map(|(id, _)| format!("the lifecycle rule `{id}`"))).collect()
    }

    fn keys(Seen { owner, state, .. }: &Seen<State>) -> Vec<String> {
        // In one that somebody else made it says nothing of the objects that are opsctl's.
        Self::encrypts_with(state).filter(|_| owner.is_made()).map(str::to_owned).into_iter().collect()
    }

    fn encrypts_with(seen: &State) -> Option<&str> {
        // An alias that stands here is one that somebody has set, and is put back, or that may not be looked
        // up.
        seen.kms_key.as_deref().filter(|key| !key.contains("alias/"))
    }

    fn is_at_work(_: &Status) -> bool {
        false
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        (verb == Verb::Create).then_some(HumanDuration::seconds(2))
    }

    fn usage(_want: &Spec) -> Usage {
        Usage::by_use(KEPT)
    }

    fn used(seen: &Seen<State>) -> Usage {
        if seen.status.phase == Phase::Leaving { Usage::default() } else { Usage::by_use(KEPT) }
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(format!("s3/buckets/{physical}?region={region}"))
    }

    fn read_keys(_: &str) -> Vec<String> {
        vec![LEASE_KEY.to_owned()]
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        let arn = scope.s3_arn(physical);
        vec![format!("{arn}/*"), arn]
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            ("Public access blocked", attributes::yes(state.public_access_blocked)),
            ("Encryption", state.encryption.clone().unwrap_or_else(|| "none".into())),
            ("Versioning", attributes::yes(state.versioning)),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::s3::ListAllMyBuckets,
            action::tag::GetResources,
            action::s3::ListBucket,
            action::s3::CreateBucket,
            action::s3::GetObject,
            action::s3::GetObjectVersion,
            action::s3::PutObject, // the lease
            action::s3::GetBucketTagging,
            action::s3::PutBucketTagging,
            action::s3::GetBucketPublicAccessBlock,
            action::s3::PutBucketPublicAccessBlock,
            action::s3::GetEncryptionConfiguration,
            action::s3::PutEncryptionConfiguration,
            action::s3::GetBucketVersioning,
            action::s3::PutBucketVersioning,
            action::s3::GetBucketPolicy,
            action::s3::PutBucketPolicy,
            action::s3::DeleteBucketPolicy,
            action::s3::GetLifecycleConfiguration,
            action::s3::PutLifecycleConfiguration,
            action::s3::ListBucketVersions,
            action::s3::ListBucketMultipartUploads,
            action::s3::AbortMultipartUpload,
            action::s3::DeleteObject,
            action::s3::DeleteObjectVersion,
            action::s3::DeleteBucket,
        ]
    }
}

fn lint(section: &Section, name: &str, draft: &mut Draft<'_>) {
    let at = KeyPath::of(["bucket"]);
    if let Some(why) = limits::bucket_name(name) {
        let text = format!("\"{name}\" is no name for a bucket: {why}");
        match section.name {
            Some(_) => {
                draft.error(codes::BAD_NAME, at.join("name"), text, format!("see {}", limits::BUCKET_NAMES));
            }
            // What is wrong with its length or with the region is reported elsewhere.
            None if name.len() > 63 || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') => {}
            // So is an environment that is no name.
            None if draft.scope.environment.parse::<Name>().is_err() => {}
            None => {
                let help =
                    format!("set `name` in [bucket], or rename the project; see {}", limits::BUCKET_NAMES);
                draft.error(codes::BAD_NAME, KeyPath::of(["project", "name"]), text, help);
            }
        }
    }
    for (key, days) in [
        ("keep_old_versions", section.keep_old_versions),
        ("abort_uploads_after", section.abort_uploads_after),
    ] {
        if days.count() == 0 {
            let text = format!("`{key}` is zero, and S3 counts in days, from one on");
            draft.error(codes::LIMIT, at.join(key), text, "write \"1d\" or more");
        }
    }
}
