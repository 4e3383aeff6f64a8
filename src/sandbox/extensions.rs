//! Extensions of a sandbox that are neither documents nor time: who runs functions, what was measured in this
//! process.
//!
//! A service keeps its own here, one value per type, so that the shared state need not know their types. The
//! backend of a service is plugged in here too ([`Plug`]).

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Extension = Arc<dyn Any + Send + Sync>;

/// A trait object behind a service, such as `dyn sagemaker::Backend`: the service calls it and knows no more
/// of it.
pub trait Plug: Send + Sync + 'static {
    /// What is behind the service until something is plugged in.
    fn unplugged() -> Arc<Self>;
}

/// One value per type. Extensions live as long as the process; what must survive it belongs into the store.
#[derive(Default)]
pub struct Extensions(Mutex<HashMap<TypeId, Extension>>);

impl Extensions {
    /// Keeps a part, in place of an earlier one of its type.
    pub fn put<T: Send + Sync + 'static>(&self, part: T) {
        self.all().insert(TypeId::of::<T>(), Arc::new(part));
    }

    /// The part of this type; the default one from now on, if there was none.
    pub fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let part = Arc::clone(self.all().entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default())));
        part.downcast().unwrap_or_else(|_| unreachable!("a part is kept under its own type"))
    }

    /// Has a service use this from now on.
    pub fn plug<P: Plug + ?Sized>(&self, plug: Arc<P>) {
        self.put(plug);
    }

    /// What is behind a service.
    pub fn plugged<P: Plug + ?Sized>(&self) -> Arc<P> {
        let fresh = || -> Extension { Arc::new(P::unplugged()) };
        let part = Arc::clone(self.all().entry(TypeId::of::<Arc<P>>()).or_insert_with(fresh));
        let plug: Arc<Arc<P>> =
            part.downcast().unwrap_or_else(|_| unreachable!("a part is kept under its own type"));
        Arc::clone(&plug)
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TypeId, Extension>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions").field("count", &self.all().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_by_its_type_and_shared() {
        let parts = Extensions::default();
        *parts.get::<Mutex<u8>>().lock().unwrap() += 1;
        assert_eq!(*parts.get::<Mutex<u8>>().lock().unwrap(), 1);
        parts.put(Mutex::new(7_u8));
        assert_eq!(*parts.get::<Mutex<u8>>().lock().unwrap(), 7);
        assert_eq!(*parts.get::<Mutex<u16>>().lock().unwrap(), 0);
    }

    trait Greeter: Send + Sync {
        fn greet(&self) -> &'static str;
    }

    struct Says(&'static str);

    impl Greeter for Says {
        fn greet(&self) -> &'static str {
            self.0
        }
    }

    impl Plug for dyn Greeter {
        fn unplugged() -> Arc<Self> {
            Arc::new(Says("nobody"))
        }
    }

    #[test]
    fn what_is_plugged_in_last_is_used() {
        let parts = Extensions::default();
        assert_eq!(parts.plugged::<dyn Greeter>().greet(), "nobody");
        for name in ["one", "two"] {
            parts.plug::<dyn Greeter>(Arc::new(Says(name)));
            assert_eq!(parts.plugged::<dyn Greeter>().greet(), name);
        }
    }
}
