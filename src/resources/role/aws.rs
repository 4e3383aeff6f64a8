use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_iam::types::{InstanceProfile, Tag};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::spec::{Role, Spec, State};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, Owner, Scope, Tags, action};
use crate::engine::{Driver, Found, OpCx, make};
use opsctl_iam as iam;

impl Driver for Role {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let (iam, path) = (&cx.aws.iam, cx.scope.iam_path());
        let roles = async {
            let mut pages = iam.list_roles().path_prefix(&path).max_items(1000).into_paginator().send();
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.op(action::iam::ListRoles)?;
                found.extend(page.roles().iter().map(|role| role.role_name().to_owned()));
            }
            OpResult::Ok(found)
        };
        // One is left where its role was deleted by hand.
        let profiles = async {
            let call = iam.list_instance_profiles().path_prefix(&path).max_items(1000);
            let mut pages = call.into_paginator().send();
            let mut found = Vec::new();
            while let Some(page) = pages.next().await {
                let page = page.op(action::iam::ListInstanceProfiles)?;
                found.extend(page.instance_profiles().iter().map(|p| p.instance_profile_name().to_owned()));
            }
            OpResult::Ok(found)
        };
        let (roles, profiles) = futures_util::try_join!(roles, profiles)?;
        let names: BTreeSet<String> = roles.into_iter().chain(profiles).collect();
        // The path is the environment's in every region; the name ends with its region.
        let region = format!("-{}", cx.scope.region);
        Ok(names.into_iter().filter(|name| name.ends_with(&region)).map(Found::new).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, role: &str) -> OpResult<Option<Seen<State>>> {
        let iam = &cx.aws.iam;
        let get = async { iam.get_role().role_name(role).send().await.op(action::iam::GetRole).found() };
        let policy = async {
            iam.get_role_policy()
                .role_name(role)
                .policy_name(Self::POLICY)
                .send()
                .await
                .op(action::iam::GetRolePolicy)
                .found()
        };
        let profile = async { if of_instance(cx, role) { profile(cx, role).await } else { Ok(None) } };
        let (got, policy, inline, attached, profile) =
            futures_util::try_join!(get, policy, inline(cx, role), attached(cx, role), profile)?;
        let of_profile = profile.as_ref().map(|profile| profile_owner(cx, profile));
        let Some(found) = got.and_then(|g| g.role) else {
            return Ok(of_profile.filter(is_own).map(|_| Self::left_over()));
        };
        let profile_is_foreign = of_profile.as_ref().is_some_and(|owner| !is_own(owner));
        let profile_lost_tags = matches!(of_profile, Some(Owner::Partly { .. }));
        let tags =
            with_profile(found.tags(), profile.as_ref().filter(|_| of_profile.as_ref().is_some_and(is_own)));
        let in_profile =
            profile.as_ref().map(|profile| match profile.roles().first().map(|r| r.role_name()) {
                Some(name) if name == role => Self::ITSELF.to_owned(),
                other => other.unwrap_or("nothing").to_owned(),
            });
        let owner = Owner::of(found.tags().iter().map(|t| (t.key(), t.value())), &cx.scope);
        let state = State {
            path: found.path().to_owned(),
            trust: document(found.assume_role_policy_document().unwrap_or_default()),
            policy: policy.map(|p| document(p.policy_document())),
            more_policies: inline.into_iter().filter(|name| name != Self::POLICY).collect(),
            attached,
            in_profile,
            profile_is_foreign,
            profile_lost_tags,
            boundary: found
                .permissions_boundary()
                .and_then(|boundary| boundary.permissions_boundary_arn())
                .map(str::to_owned),
            longest_session: found.max_session_duration(),
        };
        let tags = tags.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Ok(Some(Seen::ready(owner, "Available", state).tagged(tags)))
    }

    async fn in_the_way(&self, cx: &OpCx<'_>, role: &str) -> OpResult<Option<String>> {
        if !of_instance(cx, role) {
            return Ok(None);
        }
        let owner = profile(cx, role).await?.map(|profile| profile_owner(cx, &profile));
        Ok(owner.filter(|owner| !is_own(owner)).map(|_| "the instance profile of its name".to_owned()))
    }

    async fn create(&self, cx: &OpCx<'_>, role: &str, spec: &Spec) -> OpResult<()> {
        make(self, cx, role, action::iam::CreateRole, || async {
            let call = cx.aws.iam.create_role().role_name(role).path(cx.scope.iam_path());
            let call = call.set_tags(Some(tags(cx.tags()))).description("Made by opsctl");
            let call = call.assume_role_policy_document(spec.trust.to_string());
            let call = call.set_permissions_boundary(spec.boundary.clone());
            call.send().await.op(action::iam::CreateRole).map(drop)
        })
        .await?;
        settle(cx, role, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, role: &str, spec: &Spec, changes: &[FieldChange]) -> OpResult<()> {
        let iam = &cx.aws.iam;
        // First: who may write policies only within it may write this one after it.
        if let Some(boundary) = spec.boundary.as_ref().filter(|_| is_changed(changes)) {
            let call = iam.put_role_permissions_boundary().role_name(role).permissions_boundary(boundary);
            call.send().await.op(action::iam::PutRolePermissionsBoundary)?;
        }
        let found = iam.get_role().role_name(role).send().await.op(action::iam::GetRole)?.role;
        let tags = found.as_ref().map(|r| r.tags()).unwrap_or_default();
        let ours = Owner::of(tags.iter().map(|t| (t.key(), t.value())), &cx.scope).is_made();
        let seen = document(found.as_ref().and_then(|r| r.assume_role_policy_document()).unwrap_or_default());
        let trust = match ours {
            true => Some(spec.trust.clone()),
            false if iam::has(&seen, &spec.trust_statement()) => None,
            false => Some(iam::with(Some(&seen), &spec.trust_statement())),
        };
        if let Some(trust) = trust {
            let call = iam.update_assume_role_policy().role_name(role).policy_document(trust.to_string());
            call.send().await.op(action::iam::UpdateAssumeRolePolicy)?;
        }
        settle(cx, role, spec).await?;
        if ours {
            for policy in attached(cx, role).await? {
                detach(cx, role, &policy).await?;
            }
            for policy in inline(cx, role).await?.iter().filter(|name| *name != Self::POLICY) {
                delete_inline(cx, role, policy).await?;
            }
        }
        Ok(())
    }

    /// IAM refuses to delete a role that has anything left; only the console cascades
    /// (docs/aws/iam.md#deleting-a-role).
    async fn delete(&self, cx: &OpCx<'_>, role: &str) -> OpResult<()> {
        let iam = &cx.aws.iam;
        for profile in profiles(cx, role).await? {
            let call = iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
            call.send().await.op(action::iam::RemoveRoleFromInstanceProfile).ignore_not_found()?;
        }
        delete_profile(cx, role).await?;
        for policy in attached(cx, role).await? {
            detach(cx, role, &policy).await?;
        }
        for policy in inline(cx, role).await? {
            delete_inline(cx, role, &policy).await?;
        }
        cx.retry_busy(action::iam::DeleteRole, || async {
            iam.delete_role().role_name(role).send().await.op(action::iam::DeleteRole).ignore_not_found()
        })
        .await
    }

    async fn release(&self, cx: &OpCx<'_>, role: &str) -> OpResult<()> {
        let iam = &cx.aws.iam;
        delete_profile(cx, role).await?;
        delete_inline(cx, role, Self::POLICY).await?;
        let Some(found) = iam.get_role().role_name(role).send().await.op(action::iam::GetRole).found()?
        else {
            return Ok(());
        };
        let trust = document(found.role().and_then(|r| r.assume_role_policy_document()).unwrap_or_default());
        // A role cannot be without a statement: if ours is the only one, it stays.
        if let Some(rest) = iam::without(&trust, &[Self::SID]).filter(|rest| *rest != trust) {
            let call = iam.update_assume_role_policy().role_name(role).policy_document(rest.to_string());
            call.send().await.op(action::iam::UpdateAssumeRolePolicy)?;
        }
        let keys = Scope::tag_keys().map(str::to_owned).to_vec();
        iam.untag_role()
            .role_name(role)
            .set_tag_keys(Some(keys))
            .send()
            .await
            .op(action::iam::UntagRole)
            .ignore_not_found()
    }

    async fn adopt(&self, cx: &OpCx<'_>, role: &str) -> OpResult<()> {
        let found = cx.aws.iam.get_role().role_name(role).send().await.op(action::iam::GetRole)?;
        let seen = found.role().map(|role| role.tags()).unwrap_or_default();
        let owner = Owner::of(seen.iter().map(|t| (t.key(), t.value())), &cx.scope);
        let tags = tags(cx.tags_back(&owner));
        cx.aws
            .iam
            .tag_role()
            .role_name(role)
            .set_tags(Some(tags))
            .send()
            .await
            .op(action::iam::TagRole)
            .map(drop)
    }

    /// The instance profile goes first: the list of the keys is read from the role.
    async fn retag(&self, cx: &OpCx<'_>, role: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        let iam = &cx.aws.iam;
        let profile = if of_instance(cx, role) { profile(cx, role).await? } else { None };
        if profile.is_some_and(|profile| is_own(&profile_owner(cx, &profile))) {
            if !gone.is_empty() {
                let call = iam.untag_instance_profile().instance_profile_name(role);
                let call = call.set_tag_keys(Some(gone.clone())).send().await;
                call.op(action::iam::UntagInstanceProfile)?;
            }
            if !put.is_empty() {
                let call = iam.tag_instance_profile().instance_profile_name(role);
                let call = call.set_tags(Some(tags(put.clone()))).send().await;
                call.op(action::iam::TagInstanceProfile)?;
            }
        }
        if !gone.is_empty() {
            let call = iam.untag_role().role_name(role).set_tag_keys(Some(gone)).send().await;
            call.op(action::iam::UntagRole)?;
        }
        if put.is_empty() {
            return Ok(());
        }
        let call = iam.tag_role().role_name(role).set_tags(Some(tags(put))).send().await;
        call.op(action::iam::TagRole).map(drop)
    }
}

/// The tags of a role but for those that its instance profile has otherwise: they are put on both.
fn with_profile(role: &[Tag], profile: Option<&InstanceProfile>) -> Tags {
    let of = |tags: &[Tag]| -> Tags {
        tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
    };
    let mut all = of(role);
    if let Some(profile) = profile {
        let others = of(profile.tags());
        all.retain(|key, value| others.get(key) == Some(value));
    }
    all
}

fn is_changed(changes: &[FieldChange]) -> bool {
    changes.iter().any(|change| change.path == Role::BOUNDARY)
}

/// The names of the inline policies; none when the role is not there.
async fn inline(cx: &OpCx<'_>, role: &str) -> OpResult<Vec<String>> {
    let pages = cx.aws.iam.list_role_policies().role_name(role).into_paginator().items().send();
    let names: Result<Vec<String>, _> = pages.collect().await;
    Ok(names.op(action::iam::ListRolePolicies).found()?.unwrap_or_default())
}

/// The ARNs of the attached policies; none when the role is not there.
async fn attached(cx: &OpCx<'_>, role: &str) -> OpResult<Vec<String>> {
    let pages = cx.aws.iam.list_attached_role_policies().role_name(role).into_paginator().items().send();
    let policies: Result<Vec<_>, _> = pages.collect().await;
    let policies = policies.op(action::iam::ListAttachedRolePolicies).found()?.unwrap_or_default();
    Ok(policies.into_iter().filter_map(|p| p.policy_arn).collect())
}

async fn profile(cx: &OpCx<'_>, name: &str) -> OpResult<Option<InstanceProfile>> {
    let call = cx.aws.iam.get_instance_profile().instance_profile_name(name);
    Ok(call
        .send()
        .await
        .op(action::iam::GetInstanceProfile)
        .found()?
        .and_then(|found| found.instance_profile))
}

/// Whose an instance profile is. One without tags at a path that nobody else uses has lost them.
fn profile_owner(cx: &OpCx<'_>, profile: &InstanceProfile) -> Owner {
    match Owner::of(profile.tags().iter().map(|t| (t.key(), t.value())), &cx.scope) {
        Owner::Nobody | Owner::Partly { .. } if profile.path() != cx.scope.iam_path() => Owner::Nobody,
        Owner::Nobody => Owner::Partly { said: "nothing".to_owned(), made: true },
        owner => owner,
    }
}

fn is_own(owner: &Owner) -> bool {
    matches!(owner, Owner::Ours | Owner::Partly { .. })
}

/// The names of the instance profiles that hold the role; none when it is not there.
async fn profiles(cx: &OpCx<'_>, role: &str) -> OpResult<Vec<String>> {
    let pages = cx.aws.iam.list_instance_profiles_for_role().role_name(role).into_paginator().items().send();
    let profiles: Result<Vec<_>, _> = pages.collect().await;
    let profiles = profiles.op(action::iam::ListInstanceProfilesForRole).found()?.unwrap_or_default();
    Ok(profiles.into_iter().map(|p| p.instance_profile_name).collect())
}

async fn delete_inline(cx: &OpCx<'_>, role: &str, policy: &str) -> OpResult<()> {
    let call = cx.aws.iam.delete_role_policy().role_name(role).policy_name(policy);
    call.send().await.op(action::iam::DeleteRolePolicy).ignore_not_found()
}

/// Deletes the instance profile of the role, if opsctl made it.
async fn delete_profile(cx: &OpCx<'_>, role: &str) -> OpResult<()> {
    if !of_instance(cx, role) {
        return Ok(());
    }
    let Some(profile) = profile(cx, role).await?.filter(|profile| is_own(&profile_owner(cx, profile))) else {
        return Ok(());
    };
    for inside in profile.roles() {
        take_out(cx, role, inside.role_name()).await?;
    }
    let call = cx.aws.iam.delete_instance_profile().instance_profile_name(role);
    call.send().await.op(action::iam::DeleteInstanceProfile).ignore_not_found()
}

async fn take_out(cx: &OpCx<'_>, profile: &str, role: &str) -> OpResult<()> {
    let call = cx.aws.iam.remove_role_from_instance_profile().instance_profile_name(profile).role_name(role);
    call.send().await.op(action::iam::RemoveRoleFromInstanceProfile).ignore_not_found()
}

/// Makes the instance profile of the role's name, with that role in it.
async fn put_profile(cx: &OpCx<'_>, role: &str) -> OpResult<()> {
    let iam = &cx.aws.iam;
    match profile(cx, role).await? {
        None => {
            let call = iam.create_instance_profile().instance_profile_name(role).path(cx.scope.iam_path());
            let call = call.set_tags(Some(tags(cx.tags())));
            call.send().await.op(action::iam::CreateInstanceProfile).ignore_already_exists()?;
        }
        Some(profile) if !is_own(&profile_owner(cx, &profile)) => {
            let message = format!("an instance profile `{role}` exists and carries no tags of this project");
            return Err(OpError::new(
                action::iam::CreateInstanceProfile,
                OpErrorKind::AlreadyExists,
                message,
            ));
        }
        Some(profile) => {
            if profile_owner(cx, &profile) != Owner::Ours {
                let call = iam.tag_instance_profile().instance_profile_name(role);
                let call = call.set_tags(Some(tags(cx.tags())));
                call.send().await.op(action::iam::TagInstanceProfile)?;
            }
            // A profile holds one role.
            for other in profile.roles().iter().filter(|other| other.role_name() != role) {
                take_out(cx, role, other.role_name()).await?;
            }
            if profile.roles().iter().any(|inside| inside.role_name() == role) {
                return Ok(());
            }
        }
    }
    let call = iam.add_role_to_instance_profile().instance_profile_name(role).role_name(role);
    match call.send().await.op(action::iam::AddRoleToInstanceProfile) {
        // That it is full means that a run before this one has done it.
        Err(error) if error.kind == OpErrorKind::Quota => Ok(()),
        other => other.map(drop),
    }
}

/// Puts our policy, and makes the instance profile where one is wanted.
async fn settle(cx: &OpCx<'_>, role: &str, spec: &Spec) -> OpResult<()> {
    let iam = &cx.aws.iam;
    // IAM is replicated world-wide: the role of a moment ago may not be found yet.
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_general.html#troubleshoot_general_eventual-consistency
    cx.retry(
        action::iam::PutRolePolicy,
        std::time::Duration::from_secs(60),
        |kind| *kind == OpErrorKind::NotFound,
        || async {
            let call = iam
                .put_role_policy()
                .role_name(role)
                .policy_name(Role::POLICY)
                .policy_document(spec.policy.to_string());
            call.send().await.op(action::iam::PutRolePolicy).map(drop)
        },
    )
    .await?;
    if spec.instance_profile { put_profile(cx, role).await } else { Ok(()) }
}

async fn detach(cx: &OpCx<'_>, role: &str, policy: &str) -> OpResult<()> {
    let call = cx.aws.iam.detach_role_policy().role_name(role).policy_arn(policy);
    call.send().await.op(action::iam::DetachRolePolicy).ignore_not_found()
}

fn of_instance(cx: &OpCx<'_>, role: &str) -> bool {
    role.strip_prefix(&cx.scope.prefix()).is_some_and(|user| user.starts_with("instance-"))
}

fn tags(tags: BTreeMap<String, String>) -> Vec<Tag> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().expect("key and value are set");
    tags.into_iter().map(tag).collect()
}

/// IAM returns documents URL-encoded (RFC 3986).
fn document(text: &str) -> Value {
    serde_json::from_str(&percent_decode_str(text).decode_utf8_lossy()).unwrap_or(Value::Null)
}
