//! Who holds the folder of a sandbox, and why another could not start in it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::options::SPEEDS;
use crate::{fault, files};

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the sandbox in {} is in use by another process{}", root.display(), describe(holder))]
    Held { root: PathBuf, holder: Holder },
    #[error("{} is not the folder of a sandbox: no sandbox made `{found}` in it", root.display())]
    Foreign { root: PathBuf, found: String },
    #[error("the sandbox cannot listen on 127.0.0.1:{port}: {source}")]
    Listen { port: u16, source: std::io::Error },
    #[error("the sandbox cannot use {}: {}", path.display(), fault::with_causes(source))]
    Root { path: PathBuf, source: std::io::Error },
    #[error("the sandbox's speed is a number from {} to {}, not {speed}", SPEEDS.start(), SPEEDS.end())]
    Speed { speed: f64 },
}

/// Who has the lock of a root: the process, and where it serves when it announced itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    pub pid: Option<u32>,
    pub endpoint: Option<String>,
    /// Nobody waits for its end.
    pub background: bool,
    /// See [`crate::SandboxOptions::program`].
    pub program: String,
    /// Where its state was when it began.
    pub root: Option<PathBuf>,
}

fn describe(holder: &Holder) -> String {
    let pid = holder.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
    let endpoint = holder.endpoint.as_ref().map(|url| format!(", which serves on {url}")).unwrap_or_default();
    pid + &endpoint
}

/// Reads who holds the root at `place`, without touching it: what a client needs to use a sandbox that is
/// already served.
pub fn holder_of(place: &Path) -> Holder {
    let announced: Option<Holder> =
        files::read(&place.join("serve.json")).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let pid = files::read_text(&place.join("lock")).and_then(|text| text.trim().parse().ok());
    let Holder { endpoint, background, program, root, .. } =
        announced.filter(|holder| holder.pid == pid).unwrap_or_default();
    let endpoint = endpoint.filter(|url| is_ours(url));
    Holder { pid, background: background && endpoint.is_some(), endpoint, program, root }
}

/// Whether a sandbox may have announced this URL. Others can write into a folder, and what `--sandbox` makes
/// is not for everybody.
fn is_ours(url: &str) -> bool {
    let address = url.strip_prefix("http://").and_then(|address| address.parse::<SocketAddr>().ok());
    address.is_some_and(|address| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_announcement_is_believed_when_it_is_of_this_machine() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("lock"), "7\n").unwrap();
        let announced = |url: &str| {
            std::fs::write(root.path().join("serve.json"), format!(r#"{{"pid":7,"endpoint":"{url}"}}"#))
                .unwrap();
            holder_of(root.path()).endpoint
        };
        for url in ["http://127.0.0.1:4566", "http://[::1]:80"] {
            assert_eq!(announced(url).as_deref(), Some(url));
        }
        for url in
            ["http://10.0.0.1:80", "https://127.0.0.1:1", "file:///etc/passwd", "http://127.0.0.1:1@evil", ""]
        {
            assert_eq!(announced(url), None, "{url}");
        }
    }
}
