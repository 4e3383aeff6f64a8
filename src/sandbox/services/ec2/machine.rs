//! What really runs on an instance.

use std::sync::{Arc, OnceLock};

use crate::sandbox::tags::Tags;
use crate::sandbox::world::World;

/// An instance that begins to run for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booted {
    pub region: String,
    pub instance_id: String,
    pub instance_type: String,
    /// Decoded. Runs once, at the first boot (aws-facts §12).
    pub user_data: Option<Vec<u8>>,
    /// The role whose credentials the instance has.
    pub role_arn: Option<String>,
    pub tags: Tags,
}

/// Runs what instances are started for. It ends an instance by [`super::shut_down`], as the instance's own
/// `shutdown` would.
pub trait Machine: Send + Sync {
    /// The instance has begun to run. Must not block: long work goes into [`World::spawn`].
    fn boot(&self, world: Arc<World>, instance: Booted);

    /// The instance was stopped or terminated from outside: what runs on it has to end.
    fn power_off(&self, world: &Arc<World>, region: &str, instance_id: &str);
}

/// Runs nothing: an instance just stays until it is terminated.
#[derive(Clone, Copy, Debug)]
pub struct Idle;

impl Machine for Idle {
    fn boot(&self, _: Arc<World>, _: Booted) {}

    fn power_off(&self, _: &Arc<World>, _: &str, _: &str) {}
}

/// The one machine of a world; [`Idle`] until another is installed.
#[derive(Default)]
pub struct Machines(OnceLock<Arc<dyn Machine>>);

impl Machines {
    /// Says what runs instances from now on. Only the first call counts: instances do not change hosts.
    pub fn install(&self, machine: Arc<dyn Machine>) {
        let _ = self.0.set(machine);
    }

    pub(super) fn get(&self) -> &dyn Machine {
        self.0.get().map_or(&Idle, |machine| &**machine)
    }
}

impl std::fmt::Debug for Machines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Machines").field(&self.0.get().is_some()).finish()
    }
}
