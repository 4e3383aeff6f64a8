//! What the SageMaker kinds share: tags, and the tails of logs.

use std::collections::BTreeSet;

use aws_sdk_sagemaker::types::{Tag, VpcConfig};

use crate::aws::{OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::config::Network;
use crate::desired::Seen;
use crate::domain::{KindName, Owner, Scope, Status, Tags, action};
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

/// The tags of `<resource type>/<name>`; none when it does not exist.
async fn tags_of(cx: &OpCx<'_>, resource: &str) -> OpResult<Vec<Tag>> {
    for arn in arns(cx, resource) {
        let mut pages = cx.aws.sagemaker.list_tags().resource_arn(arn).into_paginator().send();
        let mut tags = Vec::new();
        let is_there = loop {
            let Some(page) = pages.next().await else { break true };
            let Some(page) = page.op(action::sagemaker::ListTags).found()? else { break false };
            tags.extend(page.tags.unwrap_or_default());
        };
        if is_there {
            return Ok(tags);
        }
    }
    Ok(Vec::new())
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

/// A network, as SageMaker takes it.
pub fn vpc(network: &Network) -> VpcConfig {
    let vpc = VpcConfig::builder().set_subnets(Some(network.subnets.clone()));
    vpc.set_security_group_ids(Some(network.security_groups.clone())).build()
}

/// Puts the ownership tags on `<resource type>/<name>`.
pub async fn adopt(cx: &OpCx<'_>, resource: &str) -> OpResult<()> {
    put(cx, resource, tags(cx, []).unwrap_or_default()).await
}

/// Takes the ownership tags off again.
pub async fn remove_ownership_tags(cx: &OpCx<'_>, resource: &str) -> OpResult<()> {
    untag(cx, resource, Scope::tag_keys().map(str::to_owned).into()).await
}

async fn put(cx: &OpCx<'_>, resource: &str, tags: Vec<Tag>) -> OpResult<()> {
    let mut done = Ok(());
    for arn in arns(cx, resource) {
        let call = cx.aws.sagemaker.add_tags().resource_arn(arn).set_tags(Some(tags.clone()));
        done = call.send().await.op(action::sagemaker::AddTags).map(drop);
        if !is_missing(&done) {
            break;
        }
    }
    done
}

async fn untag(cx: &OpCx<'_>, resource: &str, keys: Vec<String>) -> OpResult<()> {
    let mut done = Ok(());
    for arn in arns(cx, resource) {
        let call = cx.aws.sagemaker.delete_tags().resource_arn(arn).set_tag_keys(Some(keys.clone()));
        done = call.send().await.op(action::sagemaker::DeleteTags).map(drop);
        if !is_missing(&done) {
            break;
        }
    }
    done
}

fn is_missing(done: &OpResult<()>) -> bool {
    done.as_ref().is_err_and(|error| error.kind == OpErrorKind::NotFound)
}

/// Takes tags off `<resource type>/<name>`, and puts others on.
pub async fn retag(cx: &OpCx<'_>, resource: &str, gone: Vec<String>, tags: Tags) -> OpResult<()> {
    if !gone.is_empty() {
        untag(cx, resource, gone).await?;
    }
    if tags.is_empty() {
        return Ok(());
    }
    let tags = tags.into_iter().map(|(key, value)| of(&key, &value)).collect();
    put(cx, resource, tags).await
}

/// Notes something on `<resource type>/<name>`, for the runs to come.
pub async fn note(cx: &OpCx<'_>, resource: &str, key: &str, value: &str) -> OpResult<()> {
    put(cx, resource, vec![of(key, value)]).await
}

/// Takes the note off again.
pub async fn erase(cx: &OpCx<'_>, resource: &str, key: &str) -> OpResult<()> {
    untag(cx, resource, vec![key.to_owned()]).await
}

fn of(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build()
}

/// In small letters, as SageMaker writes ARNs, and where the name has capitals as it is: not every call knows
/// the one that it has given.
fn arns(cx: &OpCx<'_>, resource: &str) -> Vec<String> {
    let mut arns = vec![cx.scope.arn("sagemaker", &resource.to_lowercase())];
    let exact = cx.scope.arn("sagemaker", resource);
    if exact != arns[0] {
        arns.push(exact);
    }
    arns
}

/// Names, in small letters, of what has this project's tags, is not called as its resources are, and may not
/// be wanted: what had its name from the config ([`crate::desired::Draft::physical`]). ARNs do not tell its
/// capitals, so [`is_left`] decides. `types`: how the ARNs of the kind, and of what is made with it, go on
/// behind the account.
pub async fn tagged(cx: &OpCx<'_>, kind: KindName, types: &[&str]) -> OpResult<BTreeSet<String>> {
    let filters: Vec<String> = types.iter().map(|of| format!("sagemaker:{of}")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    let arns = super::tagged::tagged(cx, &filters).await?;
    let names = arns.iter().filter_map(|arn| arn.split_once('/')).map(|(_, name)| name.to_lowercase());
    Ok(names.filter(|name| !cx.may_be_ours(name) && is_unwanted(cx, kind, name)).collect())
}

fn is_unwanted(cx: &OpCx<'_>, kind: KindName, name: &str) -> bool {
    cx.wanted(kind).all(|wanted| wanted != name)
}

/// Whether a name is one of those found by tags, and not wanted in these very capitals.
pub fn is_left(cx: &OpCx<'_>, kind: KindName, tagged: &BTreeSet<String>, name: &str) -> bool {
    tagged.contains(&name.to_ascii_lowercase()) && is_unwanted(cx, kind, name)
}

/// Lists a SageMaker resource by the prefix of our names, in as many pages as there are.
macro_rules! list_owned {
    ($cx:expr, $call:ident, $action:path, $items:ident, $name:ident) => {{
        let prefix = $cx.scope.prefix();
        let call = $cx.aws.sagemaker.$call().name_contains(prefix.trim_end_matches('-'));
        // `NameContains` looks anywhere in the name.
        $crate::resources::sagemaker::list_pages!(call, $action, $items, $name, |name| $cx.may_be_ours(name))
    }};
}
pub(crate) use list_owned;

/// Lists those of a SageMaker resource whose names are meant, wherever they begin.
macro_rules! list_of {
    ($cx:expr, $call:ident, $action:path, $items:ident, $name:ident, $is_meant:expr) => {
        $crate::resources::sagemaker::list_pages!(
            $cx.aws.sagemaker.$call(),
            $action,
            $items,
            $name,
            $is_meant
        )
    };
}
pub(crate) use list_of;

/// Of any lifetime, which a closure by itself is not.
pub fn by_name<F: Fn(&str) -> bool>(is_meant: F) -> F {
    is_meant
}

macro_rules! list_pages {
    ($call:expr, $action:path, $items:ident, $name:ident, $is_meant:expr) => {{
        let is_meant = $crate::resources::sagemaker::by_name($is_meant);
        // A page is 10 by default, and lists are rated low (2 per second: aws-solutions/deepracer-on-aws#87).
        let mut pages = $call.max_results(100).into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.op($action)?;
            found.extend(page.$items().iter().filter_map(|item| {
                let physical = item.$name().filter(|name: &&str| is_meant(name))?.to_owned();
                Some(Found { physical, created: item.creation_time().map_or(0, |t| t.secs()) })
            }));
        }
        found
    }};
}
pub(crate) use list_pages;

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
