use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::{Kind, Seen};
use crate::domain::{
    Action, Attributes, FieldChange, KindName, Needs, Scope, action, attributes, changes, console,
};
use crate::inputs::UseAs;

pub struct Model;

/// The user's serving code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    pub path: PathBuf,
    /// What of it is packed; the digest is of that.
    #[serde(skip, default = "all_code")]
    pub use_as: UseAs,
    pub entry: String,
    pub digest: String,
}

fn all_code() -> UseAs {
    UseAs::ALL_CODE
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub role_arn: String,
    pub image: String,
    /// Where the training job leaves its archive.
    pub trained: String,
    pub code: Option<Serving>,
    pub bucket: String,
    pub environment: BTreeMap<String, String>,
}

impl Spec {
    /// The archive that the endpoint loads.
    pub fn data_url(&self, model: &str) -> String {
        match self.code {
            Some(_) => format!("s3://{}/{}", self.bucket, Model::key(model)),
            None => self.trained.clone(),
        }
    }

    /// The value of [`Model::CODE_TAG`].
    pub fn code_tag(&self) -> &str {
        self.code.as_ref().map_or("none", |code| &code.digest[..10])
    }
}

impl Model {
    /// Where a repacked archive lies; its folder is deleted with the model.
    pub fn key(model: &str) -> String {
        format!("{}model.tar.gz", Self::folder(model))
    }

    pub fn folder(model: &str) -> String {
        format!("models/{model}/")
    }

    /// The tags that record what a model was made from.
    pub const TRAINED_TAG: &'static str = "opsctl:trained";
    pub const CODE_TAG: &'static str = "opsctl:code";
    /// The tag with the entity tag of its own archive, as opsctl put it.
    pub const ARCHIVE_TAG: &'static str = "opsctl:archive-etag";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub role_arn: String,
    pub image: String,
    pub trained: String,
    pub code: String,
    pub environment: BTreeMap<String, String>,
    /// Whether the archive that it loads is in the bucket.
    pub archive: bool,
    /// Whether that is another one than opsctl has packed.
    #[serde(default)]
    pub replaced: bool,
}

impl Kind for Model {
    const NAME: KindName = KindName::Model;
    const FINGERPRINTED: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn wanted(want: &Spec) -> State {
        State {
            role_arn: want.role_arn.clone(),
            image: want.image.clone(),
            trained: want.trained.clone(),
            code: want.code_tag().to_owned(),
            environment: want.environment.clone(),
            archive: true,
            replaced: false,
        }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let want = Self::wanted(want);
        changes()
            .field("trained by", job(&seen.trained), job(&want.trained), Needs::Replace)
            .field("code", &seen.code, &want.code, Needs::Replace)
            .field("image", &seen.image, &want.image, Needs::Replace)
            .field("role", &seen.role_arn, &want.role_arn, Needs::Replace)
            .when(
                seen.environment != want.environment,
                "environment",
                "other values",
                "these",
                Needs::Replace,
            )
            .done()
    }

    fn lost(want: &Spec, seen: &State) -> Vec<FieldChange> {
        let again = if want.code.is_some() { "packed again" } else { "trained again" };
        let other = seen.archive && seen.replaced;
        changes()
            .when(!seen.archive, "archive", "gone", again, Needs::Update)
            .when(other, "archive", "replaced by somebody", again, Needs::Update)
            .done()
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(console::sagemaker("models", physical, region))
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        vec![scope.arn("sagemaker", &format!("model/{physical}"))]
    }

    fn attributes(state: &State) -> Attributes {
        attributes::listed([
            ("Image", state.image.clone()),
            ("Trained by", state.trained.clone()),
            ("Archive is there", attributes::yes(state.archive)),
        ])
    }

    fn calls() -> &'static [Action] {
        &[
            action::sagemaker::ListModels,
            action::sagemaker::DescribeModel,
            action::sagemaker::ListTags,
            action::sagemaker::AddTags,
            action::sagemaker::DeleteTags,
            action::sagemaker::CreateModel,
            action::sagemaker::DeleteModel,
            action::s3::GetObject,
            action::s3::PutObject,
            action::s3::ListBucket,
            action::s3::ListBucketVersions,
            action::s3::DeleteObject,
            action::s3::DeleteObjectVersion,
            action::s3::ListBucketMultipartUploads,
            action::s3::AbortMultipartUpload,
        ]
    }
}

/// `s3://bucket/training/<job>/output/model.tar.gz` → `<job>`.
fn job(uri: &str) -> &str {
    uri.trim_end_matches("/output/model.tar.gz").rsplit('/').next().unwrap_or(uri)
}
