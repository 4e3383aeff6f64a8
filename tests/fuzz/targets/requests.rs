//! Any request to the sandbox: a first line (`POST / sagemaker`, with the service that it is signed for),
//! headers, an empty line, a body. It is answered, in time, and not by a bug.

#![no_main]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use opsctl_sandbox::{Sandbox, SandboxOptions};
use tempfile::TempDir;
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static SANDBOX: Mutex<Option<(Sandbox, TempDir, u32)>> = Mutex::new(None);

/// A new sandbox now and then, so that it does not fill up.
const REQUESTS: u32 = 2_000;

fn start() -> (Sandbox, TempDir, u32) {
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let options = SandboxOptions { runs: false, ..SandboxOptions::new(root.path()) };
    (RUNTIME.block_on(Sandbox::start(options)).expect("a sandbox"), root, REQUESTS)
}

fn request(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = end.map_or((bytes, &b""[..]), |end| (&bytes[..end], &bytes[end + 2..]));
    let head = std::str::from_utf8(head).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target, service) = (first.next()?, first.next()?, first.next()?);
    // What is asked of the sandbox itself may be to wait for an hour.
    if target.contains("_sandbox") || head.contains('\r') {
        return None;
    }
    let mut text = format!("{method} {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n");
    if service != "-" {
        text.push_str(&format!(
            "authorization: AWS4-HMAC-SHA256 Credential=AKIA/20261128/us-east-1/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\n"
        ));
    }
    for line in lines {
        let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        if !["host", "connection", "content-length", "transfer-encoding", "expect"].contains(&name.trim()) {
            text.push_str(&format!("{line}\r\n"));
        }
    }
    text.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    Some([text.as_bytes(), body].concat())
}

fuzz_target!(|bytes: &[u8]| {
    let Some(request) = request(bytes) else { return };
    let mut kept = SANDBOX.lock().expect("one at a time");
    let (sandbox, _root, left) = kept.get_or_insert_with(start);
    let mut stream = TcpStream::connect(sandbox.address()).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a time");
    // It may have refused before all was sent.
    let _ = stream.write_all(&request);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("no answer within 10 s"),
        _ => {}
    }
    let text = String::from_utf8_lossy(&answer);
    assert!(!text.contains("a bug in the sandbox"), "{text}");
    *left -= 1;
    if *left == 0 {
        let (sandbox, root, _) = kept.take().expect("it is there");
        RUNTIME.block_on(sandbox.stop());
        drop(root);
    }
});
