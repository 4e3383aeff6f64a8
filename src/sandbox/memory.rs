//! The bytes of requests that wait in memory, over all connections: a thousand of them may have eighty
//! megabytes each under way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::clock::real_sleep;
use super::fault::Fault;

/// All bodies together: the archives of three functions, each as large as Lambda takes.
const ALL: usize = 256 << 20;

/// What every connection may hold besides: most requests are smaller, and never wait.
const OWN: usize = 64 << 10;

/// How long a request waits for others to be answered.
const WAIT: Duration = Duration::from_secs(10);

/// How long a body may still be arriving while others wait for its room: over loopback, the largest takes a
/// second.
const GRACE: Duration = Duration::from_secs(5);

/// The memory for bodies.
#[derive(Clone, Debug)]
pub struct Memory {
    free: Arc<Semaphore>,
    wait: Duration,
    grace: Duration,
    waiting: Arc<watch::Sender<Waiting>>,
}

/// Those that wait for room.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    count: usize,
    /// Since when there are some.
    since: Option<Instant>,
}

impl Default for Memory {
    fn default() -> Self {
        Self::of(ALL, WAIT, GRACE)
    }
}

impl Memory {
    fn of(all: usize, wait: Duration, grace: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(all)), wait, grace, waiting: Arc::default() }
    }

    /// The part of one request; nothing yet.
    pub fn room(&self) -> Room {
        Room { memory: self.clone(), own: OWN, held: None, began: Instant::now() }
    }

    fn no_room() -> Fault {
        let message = "the sandbox has no room for more requests that are as large: send it again";
        Fault::new(503, "ServiceUnavailable", message)
    }
}

/// One that waits, until dropped.
struct Waiter<'m>(&'m watch::Sender<Waiting>);

impl<'m> Waiter<'m> {
    fn of(waiting: &'m watch::Sender<Waiting>) -> Self {
        waiting.send_modify(|waiting| {
            waiting.count += 1;
            waiting.since.get_or_insert_with(Instant::now);
        });
        Self(waiting)
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| {
            waiting.count -= 1;
            waiting.since = waiting.since.filter(|_| waiting.count > 0);
        });
    }
}

/// What one request holds, until dropped.
#[derive(Debug)]
pub struct Room {
    memory: Memory,
    own: usize,
    held: Option<OwnedSemaphorePermit>,
    began: Instant,
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
        let free = || Arc::clone(&self.memory.free);
        let room = match free().try_acquire_many_owned(more) {
            Ok(room) => Some(room),
            Err(_) => {
                let _waiter = Waiter::of(&self.memory.waiting);
                tokio::select! {
                    biased;
                    room = free().acquire_many_owned(more) => room.ok(),
                    () = real_sleep(self.memory.wait) => None,
                }
            }
        };
        match (room, &mut self.held) {
            (Some(room), Some(held)) => held.merge(room),
            (Some(room), held) => *held = Some(room),
            (None, _) => return Err(Memory::no_room()),
        }
        Ok(())
    }

    /// The next piece of a body that is held here; unless others wait for its room and it has had the time to
    /// arrive. Whoever sends slowly holds nobody up.
    ///
    /// # Errors
    /// 503; what is held is to be dropped.
    pub async fn next<T>(&self, piece: impl Future<Output = T>) -> Result<T, Fault> {
        tokio::select! {
            biased;
            piece = piece => Ok(piece),
            () = self.wanted_by_others() => Err(Memory::no_room()),
        }
    }

    async fn wanted_by_others(&self) {
        let mut waiting = self.memory.waiting.subscribe();
        loop {
            let since =
                waiting.wait_for(|waiting| waiting.since.is_some()).await.map(|waiting| waiting.since);
            let (Ok(Some(since)), true) = (since, self.held.is_some()) else {
                return std::future::pending().await;
            };
            let since = since.max(self.began);
            real_sleep(self.memory.grace.saturating_sub(since.elapsed())).await;
            if waiting.borrow().since.is_some_and(|now| now <= since) {
                return;
            }
        }
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
        let memory = Memory::of(1_000, Duration::from_millis(1), GRACE);
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

    #[tokio::test]
    async fn what_arrives_slowly_makes_room_for_what_waits() {
        let memory = Memory::of(1_000, Duration::from_secs(60), Duration::from_millis(1));
        let mut slow = memory.room();
        slow.grow(OWN + 900).await.unwrap();
        let slow = async {
            let next = slow.next(std::future::pending::<()>()).await;
            assert_eq!(next.unwrap_err().status, 503);
            drop(slow);
        };
        let mut other = memory.room();
        let (room, ()) = tokio::join!(other.grow(OWN + 900), slow);
        room.unwrap();
        // Nobody waits: it may be as slow as it likes.
        assert_eq!(other.next(async { 1 }).await.unwrap(), 1);
        assert!(memory.waiting.borrow().since.is_none());
    }
}
