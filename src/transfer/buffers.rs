//! Reusable buffers for what is sent: an allocator that gets megabytes back from many threads
//! keeps them, and twice the memory that is in use stays with the process.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

/// Buffers that nobody uses now. There are never more than were in use at once, which the limit bounds.
pub(super) struct Buffers {
    free: Mutex<Vec<Vec<u8>>>,
    /// Bytes; what has grown beyond is given back to the allocator.
    largest: usize,
}

/// A buffer that goes back when it is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// None yet; each holds at most `largest` bytes.
    pub fn new(largest: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), largest })
    }

    /// A buffer with whatever it had in it before.
    pub fn take(self: &Arc<Self>) -> Buffer {
        let bytes = self.free.lock().expect("nobody panics").pop().unwrap_or_default();
        Buffer { bytes, home: self.clone() }
    }
}

impl Deref for Buffer {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.bytes
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.capacity() <= self.home.largest {
            let bytes = std::mem::take(&mut self.bytes);
            self.home.free.lock().expect("nobody panics").push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let buffers = Buffers::new(8);
        let mut first = buffers.take();
        first.extend(b"abcd");
        let at = first.as_ptr();
        drop(first);
        let mut second = buffers.take();
        assert_eq!(second.as_ptr(), at);
        assert!(buffers.take().is_empty(), "one is in use, so there is another");
        second.extend(b"beyond eight");
        drop(second);
        assert!(buffers.take().is_empty(), "it was too large to be kept");
    }
}
