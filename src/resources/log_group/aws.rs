use std::collections::{BTreeSet, HashMap};

use aws_sdk_cloudwatchlogs::types::{LogGroup as Group, LogGroupClass};

use super::spec::{LogGroup, Spec, State};
use crate::aws::{OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::config::Encryption;
use crate::desired::Seen;
use crate::domain::{FieldChange, Owner, Scope, Tags, action};
use crate::engine::{Driver, Found, OpCx, make};
use crate::resources::encryption;
use crate::resources::tagged::tagged;

impl Driver for LogGroup {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let list =
            |root: &'static str| async move { named(cx, &format!("{root}{}", cx.scope.prefix())).await };
        let (functions, endpoints, arns) = futures_util::try_join!(
            list(Self::FUNCTIONS),
            list(Self::ENDPOINTS),
            tagged(cx, &["logs:log-group"])
        )?;
        let mut names: BTreeSet<String> =
            functions.into_iter().chain(endpoints).filter_map(|g| g.log_group_name).collect();
        // Those of writers whose names the config fixes.
        let tagged = arns.iter().filter_map(|arn| arn.split_once(":log-group:"));
        names.extend(tagged.map(|(_, name)| name.trim_end_matches(":*").to_owned()));
        Ok(names.into_iter().map(Found::new).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, group: &str) -> OpResult<Option<Seen<State>>> {
        let describe = named(cx, group);
        let tags = async {
            let call = cx.aws.logs.list_tags_for_resource().resource_arn(arn(cx, group));
            call.send().await.op(action::logs::ListTagsForResource).found()
        };
        let (groups, tags) = futures_util::try_join!(describe, tags)?;
        let Some(found) = groups.iter().find(|g| g.log_group_name() == Some(group)) else {
            return Ok(None);
        };
        let tags = tags.and_then(|t| t.tags).unwrap_or_default();
        let standard = found.log_group_class().is_none_or(|class| *class == LogGroupClass::Standard);
        let bare = tags.is_empty()
            && found.retention_in_days().is_none()
            && found.kms_key_id().is_none()
            && found.metric_filter_count().unwrap_or_default() == 0
            && standard;
        let owner = Owner::of(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())), &cx.scope);
        let kms_key = encryption::found(found.kms_key_id());
        let state = State { bare, kms_key, retention_days: found.retention_in_days() };
        let seen = Seen::ready(owner, "Available", state);
        Ok(Some(seen.tagged(tags.iter().map(|(k, v)| (k.as_str(), v.as_str())))))
    }

    async fn create(&self, cx: &OpCx<'_>, group: &str, spec: &Spec) -> OpResult<()> {
        let tags: HashMap<_, _> = cx.tags().into_iter().collect();
        make(self, cx, group, action::logs::CreateLogGroup, || async {
            let call = cx.aws.logs.create_log_group().log_group_name(group).set_tags(Some(tags.clone()));
            let call = call.set_kms_key_id(spec.kms_key.clone());
            call.send().await.op(action::logs::CreateLogGroup).map(drop)
        })
        .await
        .map_err(|error| of_the_key(cx, spec, error))?;
        retain(cx, group, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, group: &str, spec: &Spec, changes: &[FieldChange]) -> OpResult<()> {
        // Adopting alone changes no retention.
        if changes.iter().any(|c| c.path == LogGroup::RETENTION) {
            retain(cx, group, spec).await?;
        }
        match spec.kms_key.as_ref().filter(|_| changes.iter().any(|c| c.path == encryption::KMS_KEY)) {
            Some(key) => {
                let call = cx.aws.logs.associate_kms_key().log_group_name(group).kms_key_id(key);
                let done = call.send().await.op(action::logs::AssociateKmsKey).map(drop);
                done.map_err(|error| of_the_key(cx, spec, error))
            }
            None => Ok(()),
        }
    }

    async fn delete(&self, cx: &OpCx<'_>, group: &str) -> OpResult<()> {
        cx.aws
            .logs
            .delete_log_group()
            .log_group_name(group)
            .send()
            .await
            .op(action::logs::DeleteLogGroup)
            .ignore_not_found()
    }

    async fn release(&self, cx: &OpCx<'_>, group: &str) -> OpResult<()> {
        untag(cx, group, Scope::tag_keys().map(str::to_owned).to_vec()).await
    }

    async fn adopt(&self, cx: &OpCx<'_>, group: &str) -> OpResult<()> {
        let seen = self.observe(cx, group).await?;
        let owner = seen.map_or(Owner::Nobody, |seen| seen.owner);
        tag(cx, group, cx.tags_back(&owner)).await
    }

    async fn retag(&self, cx: &OpCx<'_>, group: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        if !gone.is_empty() {
            untag(cx, group, gone).await?;
        }
        if put.is_empty() { Ok(()) } else { tag(cx, group, put).await }
    }
}

async fn tag(cx: &OpCx<'_>, group: &str, tags: Tags) -> OpResult<()> {
    let tags: HashMap<_, _> = tags.into_iter().collect();
    let call = cx.aws.logs.tag_resource().resource_arn(arn(cx, group)).set_tags(Some(tags));
    call.send().await.op(action::logs::TagResource).map(drop)
}

async fn untag(cx: &OpCx<'_>, group: &str, keys: Vec<String>) -> OpResult<()> {
    let call = cx.aws.logs.untag_resource().resource_arn(arn(cx, group)).set_tag_keys(Some(keys));
    call.send().await.op(action::logs::UntagResource).ignore_not_found()
}

/// The groups whose names begin so.
async fn named(cx: &OpCx<'_>, prefix: &str) -> OpResult<Vec<Group>> {
    let mut pages = cx.aws.logs.describe_log_groups().log_group_name_prefix(prefix).into_paginator().send();
    let mut groups = Vec::new();
    while let Some(page) = pages.next().await {
        groups.extend(page.op(action::logs::DescribeLogGroups)?.log_groups.unwrap_or_default());
    }
    Ok(groups)
}

/// CloudWatch Logs uses the key itself, so the key's own policy has to let it, and what is refused then says
/// neither (docs/aws/cloudwatch-logs.md#keys).
fn of_the_key(cx: &OpCx<'_>, spec: &Spec, mut error: OpError) -> OpError {
    let refused = [OpErrorKind::Invalid, OpErrorKind::Denied].contains(&error.kind);
    if refused && spec.kms_key.is_some() {
        let service = Encryption::via(&["logs"], &cx.scope.region).concat();
        error.message += &format!(
            " (does the policy of the key let {service} use it? \
             https://github.com/opsctl/opsctl/blob/main/docs/aws/cloudwatch-logs.md has the statement)"
        );
    }
    error
}

async fn retain(cx: &OpCx<'_>, group: &str, spec: &Spec) -> OpResult<()> {
    let call =
        cx.aws.logs.put_retention_policy().log_group_name(group).retention_in_days(spec.retention_days);
    call.send().await.op(action::logs::PutRetentionPolicy).map(drop)
}

fn arn(cx: &OpCx<'_>, group: &str) -> String {
    cx.scope.arn("logs", &format!("log-group:{group}"))
}
