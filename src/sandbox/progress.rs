//! What the user should hear while something takes long that takes no time on AWS, such as packages being
//! installed.

use std::fmt;
use std::sync::Arc;

type Listener = dyn Fn(&str) + Send + Sync;

/// Who is told. Nobody, unless somebody listens.
#[derive(Clone, Default)]
pub struct ProgressSink(Option<Arc<Listener>>);

impl ProgressSink {
    /// A sink that hands everything to a listener.
    pub fn new(listener: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// One line.
    pub fn say(&self, text: &str) {
        if let Some(listener) = &self.0 {
            listener(text);
        }
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProgressSink").field(&self.0.is_some()).finish()
    }
}
