//! The job's own log, read while it runs.

use std::collections::BTreeMap;

use tokio::sync::Mutex;

use super::Training;
use super::metrics::Metrics;
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;
use crate::resources::log_stream::new_lines;

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
