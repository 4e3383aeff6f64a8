//! The bytes of requests that wait in memory, over all connections: a thousand of them may have eighty
//! megabytes each under way.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::clock::real_sleep;
use super::fault::Fault;

/// All bodies together: the archives of three functions, each as large as Lambda takes.
const ALL: usize = 256 << 20;

/// What every connection may hold besides: most requests are smaller, and never wait.
const OWN: usize = 64 << 10;

/// How long a request waits for others to be answered.
const WAIT: Duration = Duration::from_secs(10);

/// The memory for bodies.
#[derive(Clone, Debug)]
pub struct Memory {
    free: Arc<Semaphore>,
    wait: Duration,
}

impl Default for Memory {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(ALL)), wait: WAIT }
    }
}

impl Memory {
    /// The part of one request; nothing yet.
    pub fn room(&self) -> Room {
        Room { memory: self.clone(), own: OWN, held: None }
    }
}

/// What one request holds, until dropped.
#[derive(Debug)]
pub struct Room {
    memory: Memory,
    own: usize,
    held: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Waits for room for so many bytes more.
    ///
    /// # Errors
    /// 503, which every SDK sends again, when there is none for too long.
    pub async fn grow(&mut self, by: usize) -> Result<(), Fault> {
        let own = by.min(self.own);
        self.own -= own;
        let more = u32::try_from(by - own).unwrap_or(u32::MAX);
        if more == 0 {
            return Ok(());
        }
        let room = tokio::select! {
            biased;
            room = Arc::clone(&self.memory.free).acquire_many_owned(more) => room.ok(),
            () = real_sleep(self.memory.wait) => None,
        };
        match (room, &mut self.held) {
            (Some(room), Some(held)) => held.merge(room),
            (Some(room), held) => *held = Some(room),
            (None, _) => {
                let message = "the sandbox has no room for more requests that are as large: send it again";
                return Err(Fault::new(503, "ServiceUnavailable", message));
            }
        }
        Ok(())
    }

    /// A body that holds its room as long as anybody has it.
    pub fn keep(self, body: BytesMut) -> Bytes {
        struct Kept(BytesMut, #[expect(dead_code, reason = "it is held")] Room);
        impl AsRef<[u8]> for Kept {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Bytes::from_owner(Kept(body, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_bodies_together_are_bounded_and_small_ones_never_wait() {
        let memory = Memory { free: Arc::new(Semaphore::new(1_000)), wait: Duration::from_millis(1) };
        let mut first = memory.room();
        first.grow(OWN + 600).await.unwrap();
        let body = first.keep(BytesMut::from(&b"body"[..]));
        let mut second = memory.room();
        second.grow(OWN).await.unwrap();
        second.grow(400).await.unwrap();
        assert_eq!(second.grow(1).await.unwrap_err().status, 503);
        memory.room().grow(OWN).await.unwrap();
        let again = body.clone();
        drop(body);
        assert!(second.grow(600).await.is_err(), "a copy of it is under way");
        drop(again);
        second.grow(600).await.unwrap();
    }
}
