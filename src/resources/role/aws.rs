use aws_sdk_iam::types::Tag;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::spec::{Role, Seen, Spec};
use crate::domain::{FieldChange, Owner};
use crate::engine::{Driver, Expected, Found, OpCx, OpErrorKind, OpResult, Outcomes, make};

impl Driver for Role {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let mut pages = cx.aws.iam.list_roles().path_prefix(cx.scope.iam_path()).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.op("iam:ListRoles")?;
            found.extend(page.roles().iter().map(|role| Found::new(role.role_name())));
        }
        // The path is the environment's in every region; the name ends with its region.
        let region = format!("-{}", cx.scope.region);
        Ok(found.into_iter().filter(|f| f.physical.ends_with(&region)).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, role: &str) -> OpResult<Option<Seen>> {
        let iam = &cx.aws.iam;
        let get = async { iam.get_role().role_name(role).send().await.op("iam:GetRole").found() };
        let policy = async {
            iam.get_role_policy().role_name(role).policy_name(Self::POLICY).send().await.op("iam:GetRolePolicy").found()
        };
        let attached = async {
            let call = iam.list_attached_role_policies().role_name(role);
            call.send().await.op("iam:ListAttachedRolePolicies").found()
        };
        let profile = async {
            if !of_instance(cx, role) {
                return Ok(None);
            }
            iam.get_instance_profile().instance_profile_name(role).send().await.op("iam:GetInstanceProfile").found()
        };
        let (got, policy, attached, profile) = futures_util::try_join!(get, policy, attached, profile)?;
        let Some(found) = got.and_then(|g| g.role) else { return Ok(None) };
        let attached = attached.map(|a| a.attached_policies.unwrap_or_default()).unwrap_or_default();
        Ok(Some(Seen {
            owner: Owner::of(found.tags().iter().map(|t| (t.key(), t.value())), &cx.scope),
            trust: document(found.assume_role_policy_document().unwrap_or_default()),
            policy: policy.map(|p| document(p.policy_document())),
            attached: attached.into_iter().filter_map(|p| p.policy_arn).collect(),
            instance_profile: profile.and_then(|p| p.instance_profile).is_some_and(|p| !p.roles().is_empty()),
        }))
    }

    async fn create(&self, cx: &OpCx<'_>, role: &str, spec: &Spec) -> OpResult<()> {
        make(self, cx, role, "iam:CreateRole", || async {
            let call = cx.aws.iam.create_role().role_name(role).path(cx.scope.iam_path()).set_tags(Some(tags(cx)));
            let call = call.assume_role_policy_document(spec.trust.to_string()).description("Made by opsctl");
            call.send().await.op("iam:CreateRole").map(drop)
        })
        .await?;
        settle(cx, role, spec, &[]).await
    }

    async fn update(&self, cx: &OpCx<'_>, role: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        let call = cx.aws.iam.list_attached_role_policies().role_name(role);
        let attached = call.send().await.op("iam:ListAttachedRolePolicies")?.attached_policies.unwrap_or_default();
        let attached: Vec<String> = attached.into_iter().filter_map(|p| p.policy_arn).collect();
        let call = cx.aws.iam.update_assume_role_policy().role_name(role).policy_document(spec.trust.to_string());
        call.send().await.op("iam:UpdateAssumeRolePolicy")?;
        settle(cx, role, spec, &attached).await
    }

    /// IAM refuses to delete a role that has anything left; only the console cascades (aws-facts §2).
    async fn delete(&self, cx: &OpCx<'_>, role: &str) -> OpResult<()> {
        let iam = &cx.aws.iam;
        let profiles = iam.list_instance_profiles_for_role().role_name(role).send().await;
        if let Some(profiles) = profiles.op("iam:ListInstanceProfilesForRole").found()? {
            for profile in profiles.instance_profiles().iter().map(|p| p.instance_profile_name()) {
                let call = iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
                call.send().await.op("iam:RemoveRoleFromInstanceProfile").gone()?;
            }
        }
        if of_instance(cx, role) {
            let call = iam.delete_instance_profile().instance_profile_name(role);
            call.send().await.op("iam:DeleteInstanceProfile").gone()?;
        }
        let attached = iam.list_attached_role_policies().role_name(role).send().await;
        for policy in attached.op("iam:ListAttachedRolePolicies").found()?.and_then(|a| a.attached_policies).unwrap_or_default() {
            detach(cx, role, policy.policy_arn().unwrap_or_default()).await?;
        }
        let inline = iam.list_role_policies().role_name(role).send().await;
        for policy in inline.op("iam:ListRolePolicies").found()?.map(|p| p.policy_names).unwrap_or_default() {
            let call = iam.delete_role_policy().role_name(role).policy_name(policy);
            call.send().await.op("iam:DeleteRolePolicy").gone()?;
        }
        cx.retry_busy("iam:DeleteRole", || async {
            iam.delete_role().role_name(role).send().await.op("iam:DeleteRole").gone()
        })
        .await
    }

    async fn adopt(&self, cx: &OpCx<'_>, role: &str) -> OpResult<()> {
        cx.aws.iam.tag_role().role_name(role).set_tags(Some(tags(cx))).send().await.op("iam:TagRole").map(drop)
    }
}

/// Puts the policy, takes off what others attached, and makes the instance profile where one is wanted.
async fn settle(cx: &OpCx<'_>, role: &str, spec: &Spec, attached: &[String]) -> OpResult<()> {
    let iam = &cx.aws.iam;
    // IAM is replicated world-wide: the role of a moment ago may not be found yet (aws-facts §1.4).
    cx.retry("iam:PutRolePolicy", std::time::Duration::from_secs(60), |kind| *kind == OpErrorKind::NotFound, || async {
        let call = iam.put_role_policy().role_name(role).policy_name(Role::POLICY).policy_document(spec.policy.to_string());
        call.send().await.op("iam:PutRolePolicy").map(drop)
    })
    .await?;
    for policy in attached {
        detach(cx, role, policy).await?;
    }
    if spec.instance_profile {
        let call = iam.create_instance_profile().instance_profile_name(role).path(cx.scope.iam_path());
        call.set_tags(Some(tags(cx))).send().await.op("iam:CreateInstanceProfile").there()?;
        let call = iam.add_role_to_instance_profile().instance_profile_name(role).role_name(role);
        match call.send().await.op("iam:AddRoleToInstanceProfile") {
            // A profile holds one role; that it is full means that a run before this one has done it.
            Err(error) if error.kind == OpErrorKind::Quota => {}
            other => other.map(drop)?,
        }
    }
    Ok(())
}

async fn detach(cx: &OpCx<'_>, role: &str, policy: &str) -> OpResult<()> {
    let call = cx.aws.iam.detach_role_policy().role_name(role).policy_arn(policy);
    call.send().await.op("iam:DetachRolePolicy").gone()
}

fn of_instance(cx: &OpCx<'_>, role: &str) -> bool {
    role.strip_prefix(&cx.scope.prefix()).is_some_and(|user| user.starts_with("instance-"))
}

fn tags(cx: &OpCx<'_>) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("key and value are set");
    cx.tags().into_iter().map(tag).collect()
}

/// IAM returns documents URL-encoded (RFC 3986).
fn document(text: &str) -> Value {
    serde_json::from_str(&percent_decode_str(text).decode_utf8_lossy()).unwrap_or(Value::Null)
}
