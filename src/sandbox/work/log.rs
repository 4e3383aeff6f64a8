//! A container's log stream. The lines of a process may not wait for files, so they queue here and are
//! written in batches: as many as came while the last batch was written.

use std::path::Path;
use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::runners::process::{Line, LineSink};
use crate::services::logs;
use crate::state::SandboxState;

const LARGEST_BATCH: usize = 1_000;

enum Entry {
    Line(String),
    /// Answered when all lines before it are written.
    Mark(oneshot::Sender<()>),
}

/// Writes to one stream of CloudWatch Logs.
#[derive(Clone, Debug)]
pub struct LogStream {
    send: UnboundedSender<Entry>,
    /// The container's private root. Lines show its paths as they are inside: `/opt/ml/…`.
    root: Arc<str>,
}

impl LogStream {
    /// Opens a stream of a log group, and the file that it is also written to.
    pub fn open(shared: &Arc<SandboxState>, region: &str, group: &str, stream: &str, root: &Path) -> Self {
        let (send, mut receive) = unbounded_channel();
        let [region, group, stream] = [region, group, stream].map(str::to_owned);
        let writer = Arc::clone(shared);
        shared.spawn(async move {
            let mut batch = Vec::new();
            while receive.recv_many(&mut batch, LARGEST_BATCH).await > 0 {
                let (mut lines, mut marks) = (Vec::new(), Vec::new());
                for entry in batch.drain(..) {
                    match entry {
                        Entry::Line(text) => lines.push(text),
                        Entry::Mark(mark) => marks.push(mark),
                    }
                }
                if !lines.is_empty()
                    && let Err(fault) = logs::append(&writer, &region, &group, &stream, &lines)
                {
                    tracing::warn!(group, stream, fault = fault.message, "lines of a log are lost");
                }
                for mark in marks {
                    // Whoever waited may have gone.
                    let _ = mark.send(());
                }
            }
        });
        Self { send, root: root.to_string_lossy().into() }
    }

    /// The text with the container's own paths.
    pub fn inside(&self, text: &str) -> String {
        text.replace(&*self.root, "")
    }

    /// Writes a line of the sandbox's own.
    pub fn say(&self, text: &str) {
        // The writer ends with the sandbox only.
        let _ = self.send.send(Entry::Line(self.inside(text)));
    }

    /// Where the lines of a process go.
    pub fn sink(&self) -> LineSink {
        let stream = self.clone();
        Arc::new(move |line: Line| stream.say(&line.text))
    }

    /// Waits until what was said is written.
    pub async fn flush(&self) {
        let (mark, written) = oneshot::channel();
        if self.send.send(Entry::Mark(mark)).is_ok() {
            // An error: the sandbox stops.
            let _ = written.await;
        }
    }
}
