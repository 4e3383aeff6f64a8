use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::section::NoSection;
use crate::desired::Draft;
use crate::domain::{FieldChange, KeyPath, Needs, Owner, ResourceId, Scope, Status, changes};
use crate::resources::{Kind, KindName};

pub struct Role;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub trust: Value,
    pub policy: Value,
    /// EC2 takes a role only inside a profile.
    pub instance_profile: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub owner: Owner,
    pub trust: Value,
    pub policy: Option<Value>,
    /// ARNs of attached managed policies; ours has none.
    pub attached: Vec<String>,
    pub instance_profile: bool,
}

/// Who assumes a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assumer {
    SageMaker,
    Lambda,
    Ec2,
}

impl Assumer {
    fn service(self) -> &'static str {
        match self {
            Self::SageMaker => "sagemaker.amazonaws.com",
            Self::Lambda => "lambda.amazonaws.com",
            Self::Ec2 => "ec2.amazonaws.com",
        }
    }

    fn trust(self, account: &str) -> Value {
        let mut statement = json!({
            "Effect": "Allow",
            "Principal": { "Service": self.service() },
            "Action": "sts:AssumeRole"
        });
        if self == Self::SageMaker {
            // SageMaker documents the key; Lambda and EC2 do not send it when they assume a role.
            // https://docs.aws.amazon.com/sagemaker/latest/dg/security-confused-deputy-prevention.html
            statement["Condition"] = json!({ "StringEquals": { "aws:SourceAccount": account } });
        }
        json!({ "Version": "2012-10-17", "Statement": [statement] })
    }
}

impl Role {
    /// The name of its one inline policy.
    pub const POLICY: &'static str = "opsctl";

    /// Role names are unique in the account whatever the path and the region, so the region is part of the name.
    pub fn physical(scope: &Scope, user: &str) -> String {
        format!("{}-{}", scope.physical(user), scope.region)
    }

    pub fn arn(scope: &Scope, user: &str) -> String {
        let Scope { partition, account, .. } = scope;
        format!("arn:{partition}:iam::{account}:role{}{}", scope.iam_path(), Self::physical(scope, user))
    }

    /// The instance profile of the role: same path, same name.
    pub fn profile_arn(scope: &Scope, user: &str) -> String {
        Self::arn(scope, user).replacen(":role/", ":instance-profile/", 1)
    }

    /// Adds the role of `user` (`training-breeds`) with these statements.
    pub fn of_user(user: &str, who: Assumer, statements: Vec<Value>, draft: &mut Draft<'_>, at: &KeyPath) -> ResourceId {
        let spec = Spec {
            trust: who.trust(&draft.scope.account),
            policy: json!({ "Version": "2012-10-17", "Statement": statements }),
            instance_profile: who == Assumer::Ec2,
        };
        draft.add::<Self>(user, Self::physical(draft.scope, user), &spec, [], at.clone())
    }
}

impl Kind for Role {
    const NAME: KindName = KindName::Role;
    type Section = NoSection;
    type Spec = Spec;
    type Seen = Seen;

    fn diff(want: &Spec, seen: &Seen) -> Vec<FieldChange> {
        changes()
            .when(want.trust != seen.trust, "trust policy", "another", "generated", Needs::Update)
            .when(seen.policy.as_ref() != Some(&want.policy), "policy", "another", "generated", Needs::Update)
            .when(!seen.attached.is_empty(), "attached policies", seen.attached.join(", "), "none", Needs::Update)
            .when(want.instance_profile && !seen.instance_profile, "instance profile", "none", "one", Needs::Update)
            .done()
    }

    fn status(_: &Seen) -> Status {
        Status::ready("Available")
    }

    fn owner(seen: &Seen) -> Owner {
        seen.owner.clone()
    }

    fn iam_actions() -> &'static [&'static str] {
        &[
            "iam:ListRoles",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:CreateRole",
            "iam:TagRole",
            "iam:PutRolePolicy",
            "iam:UpdateAssumeRolePolicy",
            "iam:DetachRolePolicy",
            "iam:GetInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:AddRoleToInstanceProfile",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:DeleteInstanceProfile",
            "iam:ListInstanceProfilesForRole",
            "iam:ListRolePolicies",
            "iam:DeleteRolePolicy",
            "iam:DeleteRole",
        ]
    }
}
