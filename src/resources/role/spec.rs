use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::section::NoSection;
use crate::desired::{Draft, Kind, Mixed, Seen};
use crate::domain::{
    Action, FieldChange, KeyPath, KindName, Needs, Owner, Phase, ResourceId, Scope, Status, action, changes,
    codes,
};
use opsctl_iam as iam;
use opsctl_iam::policy::{Document, Statement};

/// The kind.
pub struct Role;

/// As what uses it asks for it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spec {
    /// Part of its ARN, and fixed when it is made.
    pub path: String,
    pub trust: Value,
    /// The service that `trust` lets assume it.
    #[serde(skip)]
    pub assumed_by: &'static str,
    pub policy: Value,
    /// EC2 takes a role only inside a profile.
    pub instance_profile: bool,
    /// The ARN of its permissions boundary; `None`: whatever somebody has set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boundary: Option<String>,
}

/// What of it is compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub path: String,
    pub trust: Value,
    pub policy: Option<Value>,
    /// Names of inline policies beside ours, which has none.
    pub more_policies: Vec<String>,
    /// ARNs of attached managed policies; ours has none.
    pub attached: Vec<String>,
    /// The role in the instance profile of its name; none when there is no such profile.
    pub in_profile: Option<String>,
    /// Whether that profile is somebody else's.
    #[serde(default)]
    pub profile_is_foreign: bool,
    /// Whether that profile is ours by its path, and has lost tags.
    #[serde(default)]
    pub profile_lost_tags: bool,
    #[serde(default)]
    pub boundary: Option<String>,
    /// Seconds.
    #[serde(default)]
    pub longest_session: Option<i32>,
}

impl Spec {
    /// What an adopted role's trust policy must have: our statement, under a name by which it is found again.
    pub fn trust_statement(&self) -> Value {
        let mut statement = self.trust["Statement"][0].clone();
        statement["Sid"] = Role::SID.into();
        statement
    }
}

/// Who assumes a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Assumer {
    SageMaker,
    Lambda,
    Ec2,
    /// EventBridge Scheduler, for the schedules of one group.
    Scheduler {
        group: String,
    },
}

impl Assumer {
    pub(super) fn service(&self) -> &'static str {
        match self {
            Self::SageMaker => "sagemaker.amazonaws.com",
            Self::Lambda => "lambda.amazonaws.com",
            Self::Ec2 => "ec2.amazonaws.com",
            Self::Scheduler { .. } => "scheduler.amazonaws.com",
        }
    }

    fn trust(&self, account: &str) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": { "Service": self.service() },
            "Action": action::sts::AssumeRole
        });
        match self {
            // SageMaker documents the key; Lambda and EC2 do not send it when they assume a role.
            // https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html
            Self::SageMaker => {
                statement["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": account } });
            }
            // https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
            Self::Scheduler { group } => {
                statement["Condition"] =
                    json!({ "StringEquals": { "aws:SourceAccount": account, "aws:SourceArn": group } });
            }
            Self::Lambda | Self::Ec2 => {}
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    }
}

impl Role {
    /// The name of its one inline policy.
    pub const POLICY: &'static str = "opsctl";
    /// The `Sid` of our statement in an adopted role's trust policy.
    pub const SID: &'static str = "Opsctl";
    /// Seconds that a session of a role lasts at most, unless somebody says otherwise
    /// (https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html).
    const USUAL_SESSION: i32 = 3600;
    /// The path of a change of the permissions boundary.
    pub(super) const BOUNDARY: &'static str = "permissions boundary";
    /// What `in_profile` says of a profile that holds the role it is named after.
    pub const ITSELF: &'static str = "itself";

    /// What is left when the role is gone: its instance profile.
    pub fn left_over() -> Seen<State> {
        let state = State {
            path: String::new(),
            trust: Value::Null,
            policy: None,
            more_policies: Vec::new(),
            attached: Vec::new(),
            in_profile: None,
            profile_is_foreign: false,
            profile_lost_tags: false,
            boundary: None,
            longest_session: None,
        };
        let status = Status::new("InstanceProfileLeft", Phase::Leaving);
        Seen::new(Owner::Ours, status, state)
    }

    /// Role names are unique in the account whatever the path and the region, so the region is part of the
    /// name.
    pub fn physical(scope: &Scope, user: &str) -> String {
        format!("{}-{}", scope.physical(user), scope.region)
    }

    /// The user of a role of this name.
    pub fn user<'n>(scope: &Scope, physical: &'n str) -> Option<&'n str> {
        let rest = physical.strip_prefix(&scope.prefix())?.strip_suffix(&scope.region)?;
        rest.strip_suffix('-')
    }

    /// The ARN of the role of this user, a resource.
    pub fn arn(scope: &Scope, user: &str) -> String {
        scope.iam_arn(&format!("role{}{}", scope.iam_path(), Self::physical(scope, user)))
    }

    /// Adds the role of `user` (`training-breeds`) with these statements.
    pub fn of_user(
        user: &str,
        who: Assumer,
        statements: Vec<Value>,
        draft: &mut Draft<'_>,
        at: &KeyPath,
    ) -> ResourceId {
        let spec = Spec {
            path: draft.scope.iam_path(),
            trust: who.trust(&draft.scope.account),
            assumed_by: who.service(),
            policy: json!({ "Version": "2012-10-17", "Statement": statements }),
            instance_profile: who == Assumer::Ec2,
            boundary: draft.access().permissions_boundary.clone(),
        };
        draft.add::<Self>(user, Self::physical(draft.scope, user), spec, [], at.clone())
    }
}

/// None of a document that cannot be read.
fn statements(document: &Value) -> Vec<Arc<Statement>> {
    Document::read(document.clone()).statements().to_vec()
}

impl Kind for Role {
    const NAME: KindName = KindName::Role;
    const ADOPTABLE: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn wanted(want: &Spec) -> State {
        State {
            path: want.path.clone(),
            trust: want.trust.clone(),
            policy: Some(want.policy.clone()),
            more_policies: Vec::new(),
            attached: Vec::new(),
            in_profile: want.instance_profile.then(|| Self::ITSELF.to_owned()),
            profile_is_foreign: false,
            profile_lost_tags: false,
            boundary: want.boundary.clone(),
            longest_session: None,
        }
    }

    fn diff(want: &Spec, Seen { owner, state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        let ours = owner.is_made();
        let trust = if ours {
            iam::same(&seen.trust, &want.trust)
        } else {
            iam::has(&seen.trust, &want.trust_statement())
        };
        let policy = seen.policy.as_ref().is_some_and(|policy| iam::same(policy, &want.policy));
        let profile = seen.in_profile.as_deref();
        changes()
            // Others hand the role on by its ARN, and the path is part of it.
            .field("path", &seen.path, &want.path, Needs::Replace)
            .when(!trust, "trust policy", "another", "generated", Needs::Update)
            .when(
                ours && want.boundary.is_some() && seen.boundary != want.boundary,
                Self::BOUNDARY,
                seen.boundary.as_deref().unwrap_or("none"),
                want.boundary.as_deref().unwrap_or_default(),
                Needs::Update,
            )
            .when(!policy, "policy", "another", "generated", Needs::Update)
            .when(
                ours && !seen.more_policies.is_empty(),
                "more inline policies",
                seen.more_policies.join(", "),
                "none",
                Needs::Update,
            )
            .when(
                ours && !seen.attached.is_empty(),
                "attached policies",
                seen.attached.join(", "),
                "none",
                Needs::Update,
            )
            .when(
                want.instance_profile && profile != Some(Self::ITSELF),
                "instance profile",
                profile.map_or_else(|| "none".to_owned(), |role| format!("holds {role}")),
                "one",
                Needs::Update,
            )
            .when(
                want.instance_profile && seen.profile_lost_tags,
                "tags of the instance profile",
                "lost",
                "this project's",
                Needs::Update,
            )
            .done()
    }

    fn mixed(seen: &State) -> Option<Mixed> {
        let help = "rename or delete that; an instance would run with whatever role it holds";
        let what = "has an instance profile of its name that is not this project's by its tags";
        seen.profile_is_foreign.then(|| Mixed { code: codes::FOREIGN, what: what.to_owned(), help })
    }

    fn taken(want: &Spec, seen: &State) -> Vec<String> {
        let policy = seen.policy.as_ref().is_some_and(|policy| !iam::same(policy, &want.policy));
        let trust = iam::is_taken(&seen.trust, &want.trust_statement());
        let profile = want.instance_profile && seen.profile_is_foreign;
        [
            policy.then(|| format!("the inline policy `{}`", Self::POLICY)),
            trust.then(|| format!("the statement `{}` of its trust policy", Self::SID)),
            profile.then(|| "the instance profile of its name".to_owned()),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn left(want: Option<&Spec>, seen: &State) -> Vec<String> {
        let boundary = seen.boundary.as_ref().filter(|_| want.is_none_or(|want| want.boundary.is_none()));
        let boundary = boundary.map(|arn| format!("permissions boundary {arn}"));
        let session = seen.longest_session.filter(|seconds| *seconds != Self::USUAL_SESSION);
        let session = session.map(|seconds| format!("maximum session duration {seconds} s"));
        boundary.into_iter().chain(session).collect()
    }

    /// With which it reads what lies in the bucket, by the statements that opsctl wrote for that. What
    /// `permissions` allow has no condition.
    fn keys(Seen { state, .. }: &Seen<State>) -> Vec<String> {
        let via_s3 = |statement: &Statement| {
            let mut of_s3 = statement.conditions_on("kms:ViaService").flat_map(|condition| &condition.values);
            of_s3.any(|service| service.starts_with("s3."))
        };
        let statements: Vec<_> = state.policy.iter().flat_map(statements).collect();
        let reading = statements.iter().filter(|s| via_s3(s) && s.allows(action::kms::Decrypt.name));
        let keys = reading.flat_map(|statement| statement.on());
        keys.filter(|key| !key.contains("alias/")).cloned().collect()
    }

    /// A function, or a schedule, has only what `permissions` say of buckets, which know what is in them.
    fn lacks_of_key(want: &Spec, bucket: &str, key: &str) -> Vec<Action> {
        let assumers = [Assumer::SageMaker, Assumer::Ec2];
        if !assumers.iter().any(|who| want.assumed_by == who.service()) {
            return Vec::new();
        }
        let objects = format!(":s3:::{bucket}/");
        let statements = statements(&want.policy);
        let may = |does: Action, is_it: &dyn Fn(&str) -> bool| {
            let allowed = statements.iter().filter(|statement| statement.allows(does.name));
            allowed.flat_map(|statement| statement.on()).any(|pattern| is_it(pattern))
        };
        let in_it = |resource: &str| resource.contains(&objects);
        let with_key = |pattern: &str| iam::pattern::matches(pattern, key);
        let needs = [
            (action::s3::GetObject, action::kms::Decrypt),
            (action::s3::PutObject, action::kms::GenerateDataKey),
        ];
        let lacks = needs.iter().filter(|(does, needed)| may(*does, &in_it) && !may(*needed, &with_key));
        lacks.map(|(_, needed)| *needed).collect()
    }

    fn made_for(physical: &str, seen: &State) -> Vec<String> {
        let statements: Vec<_> = seen.policy.iter().flat_map(statements).collect();
        let arns = statements.iter().flat_map(|statement| statement.on());
        let arns = arns.map(|arn| arn.trim_end_matches(":*"));
        arns.filter(|arn| !arn.contains(['*', '?'])).chain([physical]).map(str::to_owned).collect()
    }

    fn is_at_work(_: &Status) -> bool {
        false
    }

    fn console_path(physical: &str, _: &State, _: &str) -> Option<String> {
        Some(format!("iam/home#/roles/details/{physical}"))
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        let of = |what: &str| scope.iam_arn(&format!("{what}{}{physical}", scope.iam_path()));
        vec![of("role"), of("instance-profile")]
    }

    fn calls() -> &'static [Action] {
        &[
            action::iam::ListRoles,
            action::iam::ListInstanceProfiles,
            action::iam::GetRole,
            action::iam::GetRolePolicy,
            action::iam::ListAttachedRolePolicies,
            action::iam::CreateRole,
            action::iam::TagRole,
            action::iam::UntagRole,
            action::iam::PutRolePermissionsBoundary,
            action::iam::PutRolePolicy,
            action::iam::UpdateAssumeRolePolicy,
            action::iam::DetachRolePolicy,
            action::iam::GetInstanceProfile,
            action::iam::CreateInstanceProfile,
            action::iam::TagInstanceProfile,
            action::iam::UntagInstanceProfile,
            action::iam::AddRoleToInstanceProfile,
            action::iam::RemoveRoleFromInstanceProfile,
            action::iam::DeleteInstanceProfile,
            action::iam::ListInstanceProfilesForRole,
            action::iam::ListRolePolicies,
            action::iam::DeleteRolePolicy,
            action::iam::DeleteRole,
        ]
    }
}
