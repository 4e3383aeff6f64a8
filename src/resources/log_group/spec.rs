use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::{Draft, Kind};
use crate::domain::{FieldChange, KeyPath, KindName, Needs, Owner, ResourceId, Status, changes};

pub struct LogGroup;

/// Days that log events are kept: one of the values CloudWatch takes.
const RETENTION_DAYS: i32 = 30;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    pub retention_days: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub owner: Owner,
    pub retention_days: Option<i32>,
    /// Nobody has set anything of it, no tag either.
    #[serde(default)]
    pub bare: bool,
}

impl LogGroup {
    pub(super) const RETENTION: &'static str = "retention";
    /// Where Lambda writes the log of a function.
    pub const FUNCTIONS: &'static str = "/aws/lambda/";
    /// Where SageMaker writes the logs of an endpoint's containers.
    pub const ENDPOINTS: &'static str = "/aws/sagemaker/Endpoints/";

    /// Adds the log group of a function or endpoint; `name` is `<kind>-<name>`.
    pub fn of_writer(
        name: &str,
        root: &str,
        writer: &str,
        draft: &mut Draft<'_>,
        at: &KeyPath,
    ) -> ResourceId {
        let spec = Spec { retention_days: RETENTION_DAYS };
        draft.add::<Self>(name, format!("{root}{writer}"), spec, [], at.clone())
    }
}

impl Kind for LogGroup {
    const NAME: KindName = KindName::LogGroup;
    const ADOPTABLE: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type Seen = Seen;

    fn diff(want: &Spec, seen: &Seen) -> Vec<FieldChange> {
        if seen.owner != Owner::Ours {
            return Vec::new(); // a shorter retention would delete what others keep
        }
        let days =
            |days: Option<i32>| days.map_or_else(|| "never expires".to_owned(), |d| format!("{d} days"));
        changes()
            .field(Self::RETENTION, days(seen.retention_days), days(Some(want.retention_days)), Needs::Update)
            .done()
    }

    // A role that may make log groups does so with the last lines of a function that was destroyed
    // (docs/aws/cloudwatch-logs.md#groups-that-come-back).
    fn made_by_aws(seen: &Seen) -> bool {
        seen.bare
    }

    fn status(_: &Seen) -> Status {
        Status::ready("Available")
    }

    fn owner(seen: &Seen) -> Owner {
        seen.owner.clone()
    }

    fn iam_actions() -> &'static [&'static str] {
        &[
            "logs:DescribeLogGroups",
            "logs:ListTagsForResource",
            "logs:CreateLogGroup",
            "logs:TagResource",
            "logs:UntagResource",
            "logs:PutRetentionPolicy",
            "logs:DeleteLogGroup",
        ]
    }
}
