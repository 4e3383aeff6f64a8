//! The buffers of parts, used again and again: an allocator that gets megabytes back from many threads keeps them, and
//! twice the memory that is in use stays with the process.

use std::sync::{Arc, Mutex};

/// Buffers that nobody uses now. There are never more than were in use at once, which the gate bounds.
#[derive(Default)]
pub(super) struct Buffers(Mutex<Vec<Vec<u8>>>);

/// A buffer that goes back when it is dropped.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    home: Arc<Buffers>,
}

impl Buffers {
    /// A buffer of `length` bytes, whose content is not defined.
    pub fn take(self: &Arc<Self>, length: usize) -> Buffer {
        let mut bytes = self.0.lock().expect("nobody panics").pop().unwrap_or_default();
        bytes.resize(length, 0);
        Buffer { bytes, home: self.clone() }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl AsMut<[u8]> for Buffer {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        self.home.0.lock().expect("nobody panics").push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again() {
        let buffers = Arc::new(Buffers::default());
        let mut first = buffers.take(4);
        first.as_mut().copy_from_slice(b"abcd");
        let at = first.as_ref().as_ptr();
        drop(first);
        let second = buffers.take(3);
        assert_eq!((second.as_ref().as_ptr(), second.as_ref().len()), (at, 3));
        assert_eq!(buffers.take(2).as_ref().len(), 2, "one is in use, so there is another");
    }
}
