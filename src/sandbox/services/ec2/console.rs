//! The console output of instances: what their user data prints, in a file for each.

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{INSTANCES, instances};
use crate::call::{Answer, Call};
use crate::clock::iso8601;
use crate::state::SandboxState;

const FOLDER: &str = "ec2/console";
/// AWS keeps the last 64 KB (docs/aws/ec2.md#reading-state).
const KEPT: usize = 64 << 10;

fn file(shared: &SandboxState, instance_id: &str) -> PathBuf {
    shared.root.join(FOLDER).join(format!("{instance_id}.log"))
}

/// Adds a line to the console of an instance. A console that cannot be written is no reason to end its
/// instance.
pub fn write_console(shared: &SandboxState, instance_id: &str, line: &str) {
    let written = shared.folder(FOLDER).and_then(|_| {
        let mut file = File::options().create(true).append(true).open(file(shared, instance_id))?;
        file.write_all(format!("{line}\n").as_bytes())
    });
    if let Err(error) = written {
        tracing::warn!(instance = instance_id, %error, "a line of a console is lost");
    }
}

pub(super) fn get_console_output(call: &Call) -> Answer {
    let id = call.text("InstanceId");
    if !call.table(INSTANCES).has(id) {
        return Err(instances::missing(&[id]));
    }
    let bytes = std::fs::read(file(&call.shared, id)).unwrap_or_default();
    let last = &bytes[bytes.len().saturating_sub(KEPT)..];
    Ok(json!({"instanceId": id, "timestamp": iso8601(call.now()), "output": STANDARD.encode(last)}))
}
