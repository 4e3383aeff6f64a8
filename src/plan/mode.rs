//! What a plan is for.

use crate::domain::Scale;

/// What the plan is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Deploy {
        /// Also delete what is owned and no longer wanted.
        prune: bool,
        /// Take over resources of the wanted names that carry no tags of ours.
        adopt: bool,
    },
    Destroy {
        /// Also delete what somebody else made or put there, instead of releasing it.
        adopted: bool,
    },
    /// Other numbers for the parts of what is deployed (docs/decisions/0042), and nothing else. `want` has
    /// the parts with their wholes, which are only looked at.
    Scale(Scale),
}

impl Mode {
    /// Whether everything is to go.
    pub fn destroys(self) -> bool {
        matches!(self, Self::Destroy { .. })
    }

    /// Whether its plans may delete a bucket, so that its contents must be known.
    pub fn deletes(self) -> bool {
        matches!(self, Self::Destroy { .. } | Self::Deploy { prune: true, .. })
    }

    /// Whether it is agreed that what others made goes too.
    pub(super) fn deletes_adopted(self) -> bool {
        matches!(self, Self::Destroy { adopted: true })
    }
}
