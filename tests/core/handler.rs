//! opsctl's own function handler, which Python runs: what it sends to an endpoint, and what it answers.

use std::process::Command;

#[test]
fn it_takes_calls_and_requests_of_any_content_type() {
    let handler = concat!(env!("CARGO_MANIFEST_DIR"), "/src/resources/function");
    let calls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/core/handler_calls.py");
    let ran = Command::new("python3").args(["-B", calls, handler]).output().expect("python3 runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
