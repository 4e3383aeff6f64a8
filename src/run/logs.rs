//! What the user's own code printed, wherever it ran: each kind says where its log is.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::Mutex;

use super::jobs::{Job, Newest};
use super::{Session, whose};
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::desired::{Log, Node};
use crate::domain::{ResourceId, action};
use crate::engine::{OpCx, Probe};
use crate::resources::log_stream::new_lines;
use crate::resources::parted_log::PartedLog;

/// How often new lines are looked for.
const EVERY: Duration = Duration::from_secs(2);

/// Whose log is about a resource: its own, or that of the whole it is part of.
pub fn writer(session: &Session, id: &ResourceId) -> Option<ResourceId> {
    let kind = session.kind(id.kind);
    if kind.has_log() {
        return Some(id.clone());
    }
    let whole = kind.part_of()?;
    session.kind(whole).has_log().then(|| ResourceId::new(whole, id.name.clone()))
}

/// Refuses the log group of somebody else: it outlives its writer, and has an owner of its own.
///
/// # Errors
/// As [`whose::ours`].
pub async fn group_is_ours(session: &Session, job: &Job) -> OpResult<()> {
    let Some(Log::Streams { group, .. }) = session.kind(job.id.kind).log(&job.physical) else {
        return Ok(());
    };
    let arn = session.desired.scope.arn("logs", &format!("log-group:{group}"));
    let is_group =
        |node: &&Node| session.kind(node.id.kind).arns(&session.desired.scope, &node.physical).contains(&arn);
    match session.desired.nodes.iter().find(is_group) {
        Some(node) => whose::ours(session, &node.id, &group).await.map(drop),
        None => Ok(()),
    }
}

/// A log, and how far it was read.
#[derive(Debug)]
pub enum LogReader {
    Streams {
        group: String,
        prefix: Option<String>,
        tokens: BTreeMap<String, Option<String>>,
    },
    /// In the project's bucket.
    Parts(PartedLog),
}

impl LogReader {
    /// Of a job's log, from the beginning. `None`: its kind has none.
    pub fn new(session: &Session, job: &Job, physical: &str) -> Option<Self> {
        Some(match session.kind(job.id.kind).log(physical)? {
            Log::Streams { group, prefix } => Self::Streams { group, prefix, tokens: BTreeMap::new() },
            Log::Object(log) => Self::Parts(PartedLog::new(log)),
        })
    }

    /// Whether it is in the project's bucket.
    pub fn is_in_bucket(&self) -> bool {
        matches!(self, Self::Parts(_))
    }

    /// What came since it was read last. `None`: nothing.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn more(&mut self, cx: &OpCx<'_>, bucket: &str) -> OpResult<Option<String>> {
        let text = match self {
            Self::Parts(log) => log.more(cx, bucket).await?,
            Self::Streams { group, prefix, tokens } => streams(cx, group, prefix.as_deref(), tokens).await?,
        };
        Ok((!text.is_empty()).then_some(text))
    }
}

/// The log of the newest job that has one: what is in it, and the reader for what comes. When it is to be
/// followed, a job that has only begun is waited for, and not its predecessor shown.
///
/// # Errors
/// What AWS said.
pub async fn newest(
    session: &Session,
    job: &Job,
    follows: bool,
) -> OpResult<Option<Newest<(String, LogReader)>>> {
    let cx = OpCx::new(&session.context, job.id.clone());
    job.newest_with(session, async |physical| {
        let Some(mut reader) = LogReader::new(session, job, physical) else { return Ok(None) };
        let text = reader.more(&cx, session.bucket()).await?;
        let begun = text.is_none() && follows && job.is_running(session, physical).await?;
        Ok((begun || text.is_some()).then_some((text.unwrap_or_default(), reader)))
    })
    .await
}

/// Reads on for as long as there may come something, or until `hears` breaks off. After each look it hears
/// what is new, if anything is.
///
/// # Errors
/// What AWS said.
pub async fn follow(
    session: &Session,
    job: &Job,
    physical: &str,
    reader: LogReader,
    hears: impl FnMut(Option<&str>) -> ControlFlow<()>,
) -> OpResult<()> {
    let cx = OpCx::new(&session.context, job.id.clone());
    let both = Mutex::new((reader, hears));
    let ended = cx.watch("new lines", EVERY, || async {
        let mut both = both.lock().await;
        let (reader, hears) = &mut *both;
        // In this order: what was written before the end is read after it.
        let is_running = job.is_running(session, physical).await?;
        let more = reader.more(&cx, session.bucket()).await?;
        let is_over = hears(more.as_deref()).is_break() || (!is_running && more.is_none());
        Ok(if is_over { Probe::Ready(()) } else { Probe::Pending("following".into()) })
    });
    ended.await
}

/// New events of all streams, in the order of time.
async fn streams(
    cx: &OpCx<'_>,
    group: &str,
    prefix: Option<&str>,
    tokens: &mut BTreeMap<String, Option<String>>,
) -> OpResult<String> {
    let call = cx.aws.logs.describe_log_streams().log_group_name(group);
    let mut pages = call.set_log_stream_name_prefix(prefix.map(str::to_owned)).into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::logs::DescribeLogStreams).found()? else { break };
        for stream in page.log_streams().iter().filter_map(|s| s.log_stream_name()) {
            let token = tokens.entry(stream.to_owned()).or_default();
            lines.extend(new_lines(cx, group, stream, token).await?);
        }
    }
    lines.sort_by_key(|(time, _)| *time);
    Ok(lines.iter().map(|(_, line)| format!("{}\n", line.trim_end())).collect())
}
