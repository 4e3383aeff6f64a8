//! IAM314: identity pools of Cognito, and what their guests may do.

use super::objection::objections;
use super::rule::{Context, Hit};
use crate::audit::finding::Severity;
use crate::audit::role_view::{Admin, RoleView};
use crate::audit::trust::Principal;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::catalogue::{KnownActions, Level};
use opsctl_iam::condition::Operator;
use opsctl_iam::pattern;
use opsctl_iam::policy::Condition;

pub(super) fn cognito(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let guests = Guests::of(cx, view);
    let hit = objections(view, |a| {
        if !a.principals.contains(&Principal::Public("cognito-identity.amazonaws.com")) {
            return None;
        }
        // `us-east-1:*` is any pool of the region.
        let named = |c: &Condition| {
            !Operator::parse(&c.operator).takes_wildcards() || c.values.iter().all(|v| !pattern::is_wild(v))
        };
        if !a.fixing("cognito-identity.amazonaws.com:aud").any(named) {
            return Some("any identity pool of any account".into());
        }
        let mut amr = a.statement.conditions_on("cognito-identity.amazonaws.com:amr").flat_map(|c| &c.values);
        let what = guests.words()?;
        if amr.any(|value| pattern::matches(value, "unauthenticated")) {
            return Some(format!("guests, into a role that may {what}"));
        }
        (!a.fixes("cognito-identity.amazonaws.com:amr"))
            .then(|| format!("{PERHAPS_GUESTS}, and into a role that may {what}"))
    })?;
    if !hit.cause.contains("guests, ") {
        return Some(hit);
    }
    let severity = if guests == Guests::Read { Severity::Medium } else { Severity::High };
    // Whether the pool has guests is not in the data.
    let perhaps = hit.cause.starts_with(PERHAPS_GUESTS);
    Some(hit.severity(if perhaps { severity.lowered() } else { severity }))
}

const PERHAPS_GUESTS: &str = "guests, too, where the pool lets them in";

/// What guests can do with a role, least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Guests {
    /// No more than what pools have guests for.
    Nothing,
    Read,
    ReadSecrets,
    Write,
}

/// What AWS's own guides give guests: events of an application, maps.
/// <https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html>,
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-RUM-get-started-authorization.html>
const FOR_GUESTS: [&str; 10] = [
    "cognito-identity:",
    "cognito-sync:",
    "mobileanalytics:",
    "mobiletargeting:PutEvents",
    "mobiletargeting:UpdateEndpoint",
    "rum:PutRumEvents",
    "geo:",
    "geo-maps:",
    "geo-places:",
    "geo-routes:",
];

static SECRETS: KnownActions = KnownActions::new(&[
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
    "kms:Decrypt",
    "dynamodb:Scan",
    "dynamodb:Query",
]);

impl Guests {
    fn of(cx: &Context<'_>, view: &RoleView<'_>) -> Self {
        let is_meant = |id: ActionId| FOR_GUESTS.iter().any(|own| cx.catalogue.name(id).starts_with(own));
        let has = |level: Level| {
            let mut others = view.effective.some.iter().filter(|&id| !is_meant(id));
            others.any(|id| cx.catalogue.has_level(id, level))
        };
        if view.admin == Admin::Yes || has(Level::Write) {
            Self::Write
        } else if SECRETS.any_in(&view.effective.some) {
            Self::ReadSecrets
        } else if has(Level::Read) || has(Level::List) {
            Self::Read
        } else {
            Self::Nothing
        }
    }

    fn words(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Read => Some("read"),
            Self::ReadSecrets => Some("read secrets or tables"),
            Self::Write => Some("write"),
        }
    }
}
