//! A log in the project's bucket, read while its writer runs: that writes what is new as a numbered part, and
//! the whole at the end.

use crate::aws::{OpResult, OpResultExt, SdkResultExt, whole};
use crate::desired::LogObject;
use crate::domain::action;
use crate::engine::OpCx;

/// A log in parts, and how far it was read.
#[derive(Debug)]
pub struct PartedLog {
    log: LogObject,
    next: u32,
    read: usize,
    /// The beginning of a line whose end has not come.
    begun: Vec<u8>,
}

impl PartedLog {
    /// From its beginning.
    pub fn new(log: LogObject) -> Self {
        Self { log, next: 0, read: 0, begun: Vec::new() }
    }

    /// The lines that came since it was read last. Once the whole is there, its end.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn more(&mut self, cx: &OpCx<'_>, bucket: &str) -> OpResult<String> {
        let LogObject { key, parts } = &self.log;
        while let Some(part) = object(cx, bucket, &format!("{parts}{:06}", self.next), 0).await? {
            self.next += 1;
            self.read += part.len();
            self.begun.extend(part);
        }
        let head = cx.aws.s3.head_object().bucket(bucket).key(key).send().await;
        let whole = head.op(action::s3::GetObject).found()?.and_then(|head| head.content_length());
        let whole = whole.and_then(|length| usize::try_from(length).ok());
        if whole.is_some_and(|length| length > self.read)
            && let Some(rest) = object(cx, bucket, key, self.read).await?
        {
            self.read += rest.len();
            self.begun.extend(rest);
        }
        let lines = match (whole, self.begun.iter().rposition(|byte| *byte == b'\n')) {
            (Some(_), _) => std::mem::take(&mut self.begun),
            (None, Some(end)) => self.begun.drain(..=end).collect(),
            (None, None) => Vec::new(),
        };
        Ok(String::from_utf8_lossy(&lines).into_owned())
    }
}

/// What an object holds from a byte on. `None`: there is none.
async fn object(cx: &OpCx<'_>, bucket: &str, key: &str, from: usize) -> OpResult<Option<Vec<u8>>> {
    let range = (from > 0).then(|| format!("bytes={from}-"));
    let call = cx.aws.s3.get_object().bucket(bucket).key(key).set_range(range);
    let found = whole(|| call.clone().send()).await.op(action::s3::GetObject).found()?;
    Ok(found.map(|(_, body)| body))
}

/// The last lines of a whole log. `None`: there is none.
///
/// # Errors
/// What AWS said.
pub async fn tail(cx: &OpCx<'_>, bucket: &str, key: &str) -> OpResult<Option<String>> {
    const MUCH: usize = 256 * 1024;
    let head = cx.aws.s3.head_object().bucket(bucket).key(key).send().await;
    let length = head.op(action::s3::GetObject).found()?.and_then(|head| head.content_length());
    let Some(length) = length.and_then(|length| usize::try_from(length).ok()).filter(|length| *length > 0)
    else {
        return Ok(None);
    };
    let end = object(cx, bucket, key, length.saturating_sub(MUCH)).await?;
    Ok(end.map(|end| String::from_utf8_lossy(&end).into_owned()))
}
