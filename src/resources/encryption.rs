//! What kinds say of the key that they are encrypted with (docs/decisions/0073).

use crate::domain::{Changes, Needs};

/// The path of a change of it.
pub const KMS_KEY: &str = "kms_key";
/// Among the attributes of a resource.
pub const KEY: &str = "KMS key";

/// A key in plans.
pub fn word(key: &Option<String>) -> &str {
    key.as_deref().unwrap_or("none")
}

impl Changes {
    /// Adds the key when it is another, or none.
    pub fn kms_key(self, seen: &Option<String>, want: &Option<String>, needs: Needs) -> Self {
        self.field(KMS_KEY, word(seen), word(want), needs)
    }
}

/// As AWS answers, which has an empty text for none in places.
#[cfg(feature = "sdk")]
pub fn found(key: Option<&str>) -> Option<String> {
    key.filter(|key| !key.is_empty()).map(str::to_owned)
}
