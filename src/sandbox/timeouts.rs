//! How long the server waits for a client that sends nothing, or next to nothing: neither a head nor a body
//! may take forever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::clock::real_sleep;

/// From the end of an answer to the end of the next head, so also how long a connection may be idle. SDKs
/// give theirs up after 90 s at the latest: the server must not close one that a client is about to use.
pub const HEAD: Duration = Duration::from_secs(120);

/// Between two pieces of a body. S3 itself waits 20 s; a laptop that trains a model is slower.
pub const PIECE: Duration = Duration::from_secs(60);

/// What must come in every second of waiting, over as many as [`PIECE`] has. Whoever sends a byte a minute
/// holds memory and a connection that others cannot have.
const SLOWEST: u64 = 4 << 10;

/// Why a body ended: what was waited for did not come in time.
#[derive(Debug, thiserror::Error)]
#[error("the request's body did not come: none of it for {} seconds, or too little of it", PIECE.as_secs())]
pub struct BodyTimeout;

/// Why a body ended.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A body that ends with [`BodyTimeout`] when nothing of it comes for too long, or too little.
pub struct TimedBody<B> {
    body: B,
    limit: Duration,
    /// How long has been waited for it, and what has come, since it was last found fast enough.
    waited: Duration,
    received: u64,
    /// Runs while a piece is awaited.
    patience: Option<(Instant, Pause)>,
}

type Pause = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<B> TimedBody<B> {
    /// A body whose pieces are waited for only so long.
    pub fn new(body: B) -> Self {
        Self::within(body, PIECE)
    }

    fn within(body: B, limit: Duration) -> Self {
        Self { body, limit, waited: Duration::ZERO, received: 0, patience: None }
    }

    /// Whether what came while it was waited for is enough; then counting starts again.
    fn is_fast_enough(&mut self) -> bool {
        let waited = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        let least = waited.saturating_mul(SLOWEST) / 1_000;
        let enough = self.received >= least;
        (self.waited, self.received) = (Duration::ZERO, 0);
        enough
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
            if let Some((since, _)) = self.patience.take() {
                self.waited += since.elapsed();
            }
            if let Some(Ok(frame)) = &frame {
                self.received += frame.data_ref().map_or(0, Bytes::len) as u64;
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        loop {
            // Only waits count: a disk that is slow is not the client's fault.
            let left = self.limit.saturating_sub(self.waited);
            let (_, patience) =
                self.patience.get_or_insert_with(|| (Instant::now(), Box::pin(real_sleep(left))));
            ready!(patience.as_mut().poll(cx));
            self.patience = None;
            if !self.is_fast_enough() {
                return Poll::Ready(Some(Err(BodyTimeout.into())));
            }
        }
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

    fn piece() -> Result<Frame<Bytes>, Error> {
        Ok(Frame::data(Bytes::from_static(b"x")))
    }

    #[tokio::test]
    async fn a_body_that_stops_ends() {
        let stops = stream::iter([piece()]).chain(stream::pending());
        let mut body = TimedBody::within(StreamBody::new(Box::pin(stops)), Duration::from_millis(1));
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().unwrap_err().is::<BodyTimeout>());
    }

    #[tokio::test]
    async fn a_body_that_drips_ends_too() {
        let drips = stream::repeat_with(piece).then(|piece| async {
            real_sleep(Duration::from_millis(2)).await;
            piece
        });
        let mut body = TimedBody::within(StreamBody::new(Box::pin(drips)), Duration::from_millis(20));
        let error = loop {
            if let Err(error) = body.frame().await.unwrap() {
                break error;
            }
            assert!(body.received < 1_000, "no piece came too late, and it never ends");
        };
        assert!(error.is::<BodyTimeout>());
    }

    /// What was sent before buys no time.
    #[tokio::test]
    async fn a_large_body_that_drips_in_the_end_ends_too() {
        let large = stream::iter([Ok(Frame::data(Bytes::from(vec![0; 1 << 20])))]);
        let drips = stream::repeat_with(piece).then(|piece| async {
            real_sleep(Duration::from_millis(2)).await;
            piece
        });
        let mut body =
            TimedBody::within(StreamBody::new(Box::pin(large.chain(drips))), Duration::from_millis(20));
        let mut pieces = 0;
        while body.frame().await.unwrap().is_ok() {
            pieces += 1;
            assert!(pieces < 1_000, "it never ends");
        }
    }
}
