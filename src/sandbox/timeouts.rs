//! How long the server waits for a client that sends nothing: neither a head nor a body may go on forever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::clock::real_sleep;

/// From the end of an answer to the end of the next head, so also how long a connection may be idle. SDKs
/// give theirs up after 90 s at the latest: the server must not close one that a client is about to use.
pub const HEAD: Duration = Duration::from_secs(120);

/// Between two pieces of a body. S3 itself waits 20 s; a laptop that trains a model is slower.
pub const PIECE: Duration = Duration::from_secs(60);

/// Why a body ended: nothing came for [`PIECE`].
#[derive(Debug, thiserror::Error)]
#[error("no byte of the request's body came for {} seconds", PIECE.as_secs())]
pub struct BodyTimeout;

/// Why a body ended.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A body that ends with [`BodyTimeout`] when nothing of it comes for too long.
pub struct TimedBody<B> {
    body: B,
    limit: Duration,
    /// Runs while a piece is awaited.
    patience: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<B> TimedBody<B> {
    pub fn new(body: B) -> Self {
        Self::within(body, PIECE)
    }

    fn within(body: B, limit: Duration) -> Self {
        Self { body, limit, patience: None }
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            self.patience = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let limit = self.limit;
        let patience = self.patience.get_or_insert_with(|| Box::pin(real_sleep(limit)));
        patience.as_mut().poll(cx).map(|()| Some(Err(BodyTimeout.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};

    use super::*;

    #[tokio::test]
    async fn a_body_that_stops_ends() {
        let piece = Ok::<_, Error>(Frame::data(Bytes::from_static(b"x")));
        let stops = stream::iter([piece]).chain(stream::pending());
        let mut body = TimedBody::within(StreamBody::new(Box::pin(stops)), Duration::from_millis(1));
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().unwrap_err().is::<BodyTimeout>());
    }
}
