use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Model;
use super::section::{self, Given};
use crate::config::Network;
use crate::desired::{Draft, Kind, Seen};
use crate::domain::{
    Action, Attributes, FieldChange, KindName, Needs, Scope, action, attributes, changes, console,
};
use crate::inputs::{Remote, Source, UseAs, bucket_and_key};
use crate::limits::Bound;
use crate::resources::instance::Instance;
use crate::resources::training::Training;
use crate::resources::training::job::of_model;
use crate::resources::used;

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

/// As `[endpoint.NAME]` asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub role_arn: String,
    pub image: String,
    /// Where the training job leaves its archive, or where that of `[model.NAME]` is; empty where there is
    /// none.
    pub trained: String,
    /// Where the archive comes from, unless a training makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
    pub code: Option<Serving>,
    pub bucket: String,
    pub environment: BTreeMap<String, String>,
    /// Left out where there is none, so that a model keeps the name that it had before these keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub isolated: bool,
}

impl Spec {
    /// The archive that the endpoint loads; `None`: its container fetches the model itself.
    pub fn data_url(&self, model: &str) -> Option<String> {
        match self.code {
            Some(_) => Some(format!("s3://{}/{}", self.bucket, Model::key(model))),
            None => Some(self.trained.clone()).filter(|uri| !uri.is_empty()),
        }
    }

    /// The value of [`Model::TRAINED_TAG`]. A tag has 256 characters, and not all that a key may have
    /// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Tag.html>).
    pub fn trained_tag(&self) -> String {
        let fits = |c: char| c.is_ascii_alphanumeric() || " _.:/=+-@".contains(c);
        match self.trained.as_str() {
            "" => "none".to_owned(),
            uri if uri.len() <= 256 && uri.chars().all(fits) => uri.to_owned(),
            uri => format!("s3 {}", &blake3::hash(uri.as_bytes()).to_hex()[..16]),
        }
    }

    /// Whether its archive is sent from here.
    pub fn is_of_this_machine(&self) -> bool {
        matches!(self.given, Some(Given::Local { .. }))
    }

    /// The value of [`Model::ARTIFACT_TAG`].
    pub fn artifact_tag(&self) -> Option<String> {
        self.given.as_ref().map(Given::tag).filter(|tag| !tag.is_empty())
    }

    /// The value of [`Model::CODE_TAG`].
    pub fn code_tag(&self) -> &str {
        self.code.as_ref().map_or("none", |code| &code.digest[..10])
    }
}

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub role_arn: String,
    pub image: String,
    pub trained: String,
    /// Empty of one that a training made.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub artifact: String,
    pub code: String,
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub network: Option<Network>,
    #[serde(default)]
    pub isolated: bool,
    /// Whether the archive that it loads is in the bucket.
    pub archive: bool,
    /// Whether that is another one than opsctl has packed.
    #[serde(default)]
    pub replaced: bool,
}

impl Kind for Model {
    const NAME: KindName = KindName::Model;
    const SECTION: Option<&'static str> = Some("model");
    const FINGERPRINTED: bool = true;
    type Section = section::Section;
    type Spec = Spec;
    type State = State;

    fn sources(section: &Self::Section) -> Vec<Source> {
        section::sources(section)
    }

    fn remotes(section: &Self::Section) -> Vec<Remote> {
        section::remotes(section)
    }

    fn desired(section: &Self::Section, draft: &mut Draft<'_>) {
        section::keep(section, draft);
    }

    fn bound() -> &'static [Bound] {
        section::BOUND
    }

    fn wanted(want: &Spec) -> State {
        State {
            role_arn: want.role_arn.clone(),
            image: want.image.clone(),
            trained: want.trained_tag(),
            artifact: want.artifact_tag().unwrap_or_default(),
            code: want.code_tag().to_owned(),
            environment: want.environment.clone(),
            network: want.network.clone(),
            isolated: want.isolated,
            archive: true,
            replaced: false,
        }
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let from = if want.given.is_some() { "artifact" } else { "trained by" };
        let want = Self::wanted(want);
        let moved = job(&seen.trained) != job(&want.trained);
        changes()
            .field(from, job(&seen.trained), job(&want.trained), Needs::Replace)
            // Of the same name, other content.
            .when(
                !moved && seen.artifact != want.artifact,
                "artifact",
                short(&seen.artifact),
                short(&want.artifact),
                Needs::Replace,
            )
            .field("code", &seen.code, &want.code, Needs::Replace)
            .field("image", &seen.image, &want.image, Needs::Replace)
            .field("role", &seen.role_arn, &want.role_arn, Needs::Replace)
            .network(&seen.network, &want.network, Needs::Replace)
            .field("isolation", seen.isolated, want.isolated, Needs::Replace)
            .when(
                seen.environment != want.environment,
                "environment",
                "other values",
                "these",
                Needs::Replace,
            )
            .done()
    }

    fn made_of(seen: &State) -> Option<(KindName, String)> {
        let (_, key) = bucket_and_key(&seen.trained)?;
        let (root, rest) = key.split_once('/')?;
        let kind = match root {
            Training::OUTPUT => KindName::Training,
            Instance::OUTPUT => KindName::Instance,
            _ => return None,
        };
        Some((kind, rest.split_once('/')?.0.to_owned()))
    }

    fn uses(_: &str, seen: &State) -> Vec<(KindName, String)> {
        let read = used::in_values(seen.environment.values().chain([&seen.trained]));
        read.chain([used::role(&seen.role_arn)]).chain(Self::made_of(seen)).collect()
    }

    fn gone(want: &Spec, seen: &State) -> Vec<FieldChange> {
        let again = match (&want.code, &want.given) {
            (Some(_), _) => "packed again",
            (None, None) => "trained again",
            (None, Some(Given::Local { .. })) => "sent again",
            // Whoever has it may do with it what he likes; a deploy looks for it before all else.
            (None, Some(_)) => return Vec::new(),
        };
        let other = seen.archive && seen.replaced;
        changes()
            .when(!seen.archive, "archive", "gone", again, Needs::Update)
            .when(other, "archive", "replaced by somebody", again, Needs::Update)
            .done()
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        Some(console::sagemaker("models", physical, region))
    }

    fn read_keys(physical: &str) -> Vec<String> {
        vec![Self::key(physical)]
    }

    fn object_keys(want: &Spec, physical: &str) -> Vec<String> {
        let packed_here = bucket_and_key(&want.trained).filter(|_| want.is_of_this_machine());
        packed_here.map(|(_, key)| key.to_owned()).into_iter().chain(Self::read_keys(physical)).collect()
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
            action::s3::ListMultipartUploadParts,
            action::s3::AbortMultipartUpload,
        ]
    }
}

/// The job that made it, or where it is from.
fn job(uri: &str) -> &str {
    of_model(uri).unwrap_or(uri)
}

fn short(known_by: &str) -> &str {
    known_by.get(..10).unwrap_or(if known_by.is_empty() { "none" } else { known_by })
}
