//! The lines of a log stream, whoever writes it.

use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

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
