//! Parts of a sandbox that are neither documents nor time: who runs functions, what was measured in this process.
//!
//! A service keeps its own here, one value per type, so that the world need not know them.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Part = Arc<dyn Any + Send + Sync>;

/// One value per type. Parts live as long as the process; what must survive it belongs into the store.
#[derive(Default)]
pub struct Parts(Mutex<HashMap<TypeId, Part>>);

impl Parts {
    /// Keeps a part, in place of an earlier one of its type.
    pub fn put<T: Send + Sync + 'static>(&self, part: T) {
        self.all().insert(TypeId::of::<T>(), Arc::new(part));
    }

    /// Keeps a part unless there is one of its type: what a test has put there comes first.
    pub fn offer<T: Send + Sync + 'static>(&self, part: T) {
        self.all().entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(part));
    }

    /// The part of this type; the default one from now on, if there was none.
    pub fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let part = Arc::clone(self.all().entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())));
        part.downcast().unwrap_or_else(|_| unreachable!("a part is kept under its own type"))
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TypeId, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("count", &self.all().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_by_its_type_and_shared() {
        let parts = Parts::default();
        *parts.get::<Mutex<u8>>().lock().unwrap() += 1;
        assert_eq!(*parts.get::<Mutex<u8>>().lock().unwrap(), 1);
        parts.offer(Mutex::new(9_u8));
        assert_eq!(*parts.get::<Mutex<u8>>().lock().unwrap(), 1);
        parts.put(Mutex::new(7_u8));
        assert_eq!(*parts.get::<Mutex<u8>>().lock().unwrap(), 7);
        assert_eq!(*parts.get::<Mutex<u16>>().lock().unwrap(), 0);
    }
}
