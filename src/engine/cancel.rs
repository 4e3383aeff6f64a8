//! Ctrl-C in two stages: the first starts nothing new and lets calls in flight finish, the second drops the waits.

use tokio_util::sync::CancellationToken;

/// Shared by everything that runs.
#[derive(Clone, Debug, Default)]
pub struct Cancel {
    /// Start nothing new, stop waiting for what AWS goes on doing by itself.
    pub drain: CancellationToken,
    /// Drop everything now.
    pub abort: CancellationToken,
}
