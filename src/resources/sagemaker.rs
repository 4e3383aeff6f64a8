//! What the SageMaker kinds share: tags, and the tails of logs.

use aws_sdk_sagemaker::types::Tag;

use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{Owner, Scope, Status, Tags, action};
use crate::engine::OpCx;

/// Our ownership tags and more, as SageMaker's type.
pub fn tags<'a>(cx: &OpCx<'_>, more: impl IntoIterator<Item = (String, &'a str)>) -> Option<Vec<Tag>> {
    let more = more.into_iter().map(|(key, value)| (key, value.to_owned()));
    Some(
        cx.tags()
            .into_iter()
            .chain(more)
            .map(|(key, value)| Tag::builder().key(key).value(value).build())
            .collect(),
    )
}

/// The tags of `<resource type>/<name>`; none when it does not exist. Names are lower-cased in ARNs.
async fn tags_of(cx: &OpCx<'_>, resource: &str) -> OpResult<Vec<Tag>> {
    let mut pages = cx.aws.sagemaker.list_tags().resource_arn(arn(cx, resource)).into_paginator().send();
    let mut tags = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::sagemaker::ListTags).found()? else { break };
        tags.extend(page.tags.unwrap_or_default());
    }
    Ok(tags)
}

/// What is there, and its tags, asked for at the same time. When it is not there, what became of the question
/// for its tags does not matter.
pub async fn with_tags<T>(
    cx: &OpCx<'_>,
    resource: &str,
    describe: impl Future<Output = OpResult<Option<T>>>,
) -> OpResult<Option<(T, Vec<Tag>)>> {
    match futures_util::join!(describe, tags_of(cx, resource)) {
        (Ok(Some(found)), tags) => Ok(Some((found, tags?))),
        (other, _) => Ok(other?.map(|found| (found, Vec::new()))),
    }
}

/// What was seen, with its owner and its tags.
pub fn seen<S>(cx: &OpCx<'_>, tags: &[Tag], status: Status, state: S) -> Seen<S> {
    let pairs = || tags.iter().filter_map(|t| Some((t.key()?, t.value()?)));
    Seen::new(Owner::of(pairs(), &cx.scope), status, state).tagged(pairs())
}

/// The value of one tag.
pub fn tag<'t>(tags: &'t [Tag], key: &str) -> Option<&'t str> {
    tags.iter().find(|t| t.key() == Some(key)).and_then(|t| t.value())
}

/// Puts the ownership tags on `<resource type>/<name>`.
pub async fn adopt(cx: &OpCx<'_>, resource: &str) -> OpResult<()> {
    let call = cx.aws.sagemaker.add_tags().resource_arn(arn(cx, resource)).set_tags(tags(cx, []));
    call.send().await.op(action::sagemaker::AddTags).map(drop)
}

/// Takes the ownership tags off again.
pub async fn remove_ownership_tags(cx: &OpCx<'_>, resource: &str) -> OpResult<()> {
    untag(cx, resource, Scope::tag_keys().map(str::to_owned).into()).await
}

async fn untag(cx: &OpCx<'_>, resource: &str, keys: Vec<String>) -> OpResult<()> {
    let call = cx.aws.sagemaker.delete_tags().resource_arn(arn(cx, resource)).set_tag_keys(Some(keys));
    call.send().await.op(action::sagemaker::DeleteTags).map(drop)
}

/// Takes tags off `<resource type>/<name>`, and puts others on.
pub async fn retag(cx: &OpCx<'_>, resource: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
    if !gone.is_empty() {
        untag(cx, resource, gone).await?;
    }
    if put.is_empty() {
        return Ok(());
    }
    let put = put.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let call = cx.aws.sagemaker.add_tags().resource_arn(arn(cx, resource)).set_tags(Some(put));
    call.send().await.op(action::sagemaker::AddTags).map(drop)
}

/// Notes something on `<resource type>/<name>`, for the runs to come.
pub async fn note(cx: &OpCx<'_>, resource: &str, key: &str, value: &str) -> OpResult<()> {
    let tag = Tag::builder().key(key).value(value).build();
    let call = cx.aws.sagemaker.add_tags().resource_arn(arn(cx, resource)).tags(tag);
    call.send().await.op(action::sagemaker::AddTags).map(drop)
}

/// Takes the note off again.
pub async fn erase(cx: &OpCx<'_>, resource: &str, key: &str) -> OpResult<()> {
    let call = cx.aws.sagemaker.delete_tags().resource_arn(arn(cx, resource)).tag_keys(key);
    call.send().await.op(action::sagemaker::DeleteTags).map(drop)
}

fn arn(cx: &OpCx<'_>, resource: &str) -> String {
    cx.scope.arn("sagemaker", &resource.to_lowercase())
}

/// Lists a SageMaker resource by the prefix of our names, in as many pages as there are.
macro_rules! list_owned {
    ($cx:expr, $call:ident, $action:path, $items:ident, $name:ident) => {{
        let prefix = $cx.scope.prefix();
        // A page is 10 by default, and lists are rated low (2 per second: aws-solutions/deepracer-on-aws#87).
        let call = $cx.aws.sagemaker.$call().name_contains(prefix.trim_end_matches('-')).max_results(100);
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.op($action)?;
            // `NameContains` looks anywhere in the name.
            found.extend(page.$items().iter().filter_map(|item| {
                let physical = item.$name().filter(|name| $cx.may_be_ours(name))?.to_owned();
                Some(Found { physical, created: item.creation_time().map_or(0, |t| t.secs()) })
            }));
        }
        found
    }};
}
pub(crate) use list_owned;

/// Deletes the streams of one writer from a log group that is shared with others.
pub async fn delete_streams(cx: &OpCx<'_>, group: &str, prefix: &str) -> OpResult<()> {
    let call = cx.aws.logs.describe_log_streams().log_group_name(group).log_stream_name_prefix(prefix);
    let mut pages = call.into_paginator().send();
    let mut streams = Vec::new();
    while let Some(page) = pages.next().await {
        // The group appears with the first writer.
        let Some(page) = page.op(action::logs::DescribeLogStreams).found()? else { return Ok(()) };
        streams.extend(page.log_streams.unwrap_or_default().into_iter().filter_map(|s| s.log_stream_name));
    }
    for stream in streams {
        let call = cx.aws.logs.delete_log_stream().log_group_name(group).log_stream_name(stream);
        call.send().await.op(action::logs::DeleteLogStream).ignore_not_found()?;
    }
    Ok(())
}
