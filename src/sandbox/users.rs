//! Which commands of this machine use the sandbox: whoever ends it is told.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

/// From the last sign of a command on it counts as there for so long; it gives one every 20 seconds.
const LONGEST_SILENCE: Duration = Duration::from_secs(90);

/// A command that uses a sandbox of another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub pid: u32,
    /// Its name, such as `deploy`.
    pub command: String,
}

/// The commands that have said that they use it.
#[derive(Debug, Default)]
pub struct Users(Mutex<BTreeMap<u32, (String, Instant)>>);

impl Users {
    /// Takes note of a command.
    pub(super) fn note(&self, user: User) {
        let mut users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|pid, (_, last)| is_there(*pid, *last));
        users.insert(user.pid, (user.command, Instant::now()));
    }

    /// Those whose process lives.
    pub(super) fn living(&self) -> Vec<User> {
        let users = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let living = users.iter().filter(|(pid, (_, last))| is_there(**pid, *last));
        living.map(|(pid, (command, _))| User { pid: *pid, command: command.clone() }).collect()
    }
}

fn is_there(pid: u32, last: Instant) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    last.elapsed() < LONGEST_SILENCE && pid.is_some_and(|pid| test_kill_process(pid).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_ended_uses_nothing() {
        let users = Users::default();
        let user = |pid, command: &str| User { pid, command: command.to_owned() };
        let mut child = std::process::Command::new("true").spawn().unwrap();
        users.note(user(std::process::id(), "deploy"));
        child.wait().unwrap();
        users.note(user(child.id(), "status"));
        assert_eq!(users.living(), [user(std::process::id(), "deploy")]);
    }
}
