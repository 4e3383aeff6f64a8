use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::{Draft, Kind, Seen};
use crate::domain::{
    Action, FieldChange, KeyPath, KindName, Needs, ResourceId, Scope, Status, Usage, action, changes, many,
};

use crate::resources::encryption::{KMS_KEY, word};

/// The kind.
pub struct LogGroup;

/// Days that log events are kept: one of the values CloudWatch takes.
const RETENTION_DAYS: i32 = 30;

/// As what writes to it asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub retention_days: i32,
    /// Encrypts its events; `None`: whatever somebody has set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
}

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub retention_days: Option<i32>,
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Nobody has set anything of it, no tag either.
    pub bare: bool,
}

impl LogGroup {
    pub(super) const RETENTION: &'static str = "retention";
    /// Where Lambda writes the log of a function.
    pub const FUNCTIONS: &'static str = "/aws/lambda/";
    /// Where SageMaker writes the logs of an endpoint's containers.
    pub const ENDPOINTS: &'static str = "/aws/sagemaker/Endpoints/";

    /// Whose log a group below `root` is, by its name or ARN.
    pub fn writer<'t>(root: &str, text: &'t str) -> Option<&'t str> {
        text.split_once(":log-group:").map_or(text, |(_, group)| group).strip_prefix(root)
    }

    /// Adds the log group of a function or endpoint; `name` is `<kind>-<name>`.
    pub fn of_writer(
        name: &str,
        root: &str,
        writer: &str,
        draft: &mut Draft<'_>,
        at: &KeyPath,
    ) -> ResourceId {
        let spec = Spec { retention_days: RETENTION_DAYS, kms_key: draft.kms_key() };
        draft.add::<Self>(name, format!("{root}{writer}"), spec, [], at.clone())
    }
}

impl Kind for LogGroup {
    const NAME: KindName = KindName::LogGroup;
    const ADOPTABLE: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn wanted(want: &Spec) -> State {
        State { retention_days: Some(want.retention_days), kms_key: want.kms_key.clone(), bare: false }
    }

    fn diff(want: &Spec, Seen { owner, state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        if !owner.is_made() {
            return Vec::new(); // a shorter retention would delete what others keep
        }
        let days = |days: Option<i32>| days.map_or_else(|| "never expires".to_owned(), |d| many(d, "day"));
        changes()
            .field(
                Self::RETENTION,
                days(seen.retention_days),
                days(Self::wanted(want).retention_days),
                Needs::Update,
            )
            .when(
                want.kms_key.is_some() && seen.kms_key != want.kms_key,
                KMS_KEY,
                word(&seen.kms_key),
                word(&want.kms_key),
                Needs::Update,
            )
            .done()
    }

    // A role that may make log groups does so with the last lines of a function that was destroyed
    // (docs/aws/cloudwatch-logs.md#groups-that-come-back).
    fn made_by_aws(seen: &State) -> bool {
        seen.bare
    }

    fn made_for(physical: &str, _: &State) -> Vec<String> {
        vec![physical.to_owned()]
    }

    fn is_at_work(_: &Status) -> bool {
        false
    }

    fn usage(_want: &Spec) -> Usage {
        Usage::by_use("logs")
    }

    fn used(_seen: &Seen<State>) -> Usage {
        Usage::by_use("logs")
    }

    fn console_path(physical: &str, _: &State, region: &str) -> Option<String> {
        // Slashes of the name are escaped twice, the sign of the escape as `$`.
        let name = physical.replace('/', "$252F");
        Some(format!("cloudwatch/home?region={region}#logsV2:log-groups/log-group/{name}"))
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        // Without the end to tag it, with it for all else
        // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html).
        let arn = scope.arn("logs", &format!("log-group:{physical}"));
        vec![format!("{arn}:*"), arn]
    }

    fn calls() -> &'static [Action] {
        &[
            action::tag::GetResources,
            action::logs::DescribeLogGroups,
            action::logs::ListTagsForResource,
            action::logs::CreateLogGroup,
            action::logs::TagResource,
            action::logs::UntagResource,
            action::logs::PutRetentionPolicy,
            action::logs::AssociateKmsKey,
            action::logs::DeleteLogGroup,
        ]
    }

    fn calls_for(want: &Spec) -> Vec<Action> {
        let calls = Self::calls().iter().copied();
        calls.filter(|call| want.kms_key.is_some() || *call != action::logs::AssociateKmsKey).collect()
    }
}
