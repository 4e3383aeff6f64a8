//! The job's own log, read while it runs.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use super::Training;
use super::metrics::Metrics;
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// Remembers how far each stream was read.
#[derive(Debug, Default)]
pub struct Follower {
    metrics: Metrics,
    tokens: Mutex<BTreeMap<String, Option<String>>>,
}

impl Follower {
    /// One that also sends what the lines measure.
    pub fn new(metrics: Metrics) -> Self {
        Self { metrics, ..Self::default() }
    }

    /// Sends every new line as an event. Before the container starts there is neither group nor stream.
    pub async fn follow(&self, cx: &OpCx<'_>, job: &str) -> OpResult<()> {
        let mut tokens = self.tokens.lock().await;
        let call = cx
            .aws
            .logs
            .describe_log_streams()
            .log_group_name(Training::LOG_GROUP)
            .log_stream_name_prefix(format!("{job}/"));
        // A stream per instance, and a page holds 50.
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let Some(page) = page.op(action::logs::DescribeLogStreams).found()? else { return Ok(()) };
            for stream in page.log_streams().iter().filter_map(|s| s.log_stream_name()) {
                let token = tokens.entry(stream.to_owned()).or_default();
                for (_, line) in new_lines(cx, Training::LOG_GROUP, stream, token).await? {
                    self.metrics.tell(cx, &line);
                }
            }
        }
        Ok(())
    }
}

/// The events of a stream since `token`, with their time in milliseconds; `token` moves on.
pub async fn new_lines(
    cx: &OpCx<'_>,
    group: &str,
    stream: &str,
    token: &mut Option<String>,
) -> OpResult<Vec<(i64, String)>> {
    let mut lines = Vec::new();
    loop {
        let call = cx.aws.logs.get_log_events().log_group_name(group).log_stream_name(stream);
        let call = call.start_from_head(true).set_next_token(token.clone());
        let Some(page) = call.send().await.op(action::logs::GetLogEvents).found()? else { return Ok(lines) };
        lines.extend(page.events().iter().filter_map(|e| Some((e.timestamp()?, e.message()?.to_owned()))));
        // The end is where the token repeats; an empty page is not
        // (docs/aws/cloudwatch-logs.md#reading-a-stream).
        let next = page.next_forward_token().map(str::to_owned);
        if next.is_none() || next == *token {
            return Ok(lines);
        }
        *token = next;
    }
}
