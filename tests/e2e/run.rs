//! Green only when green: what a run says, writes and leaves behind when something is in its way.

use std::fs::File;
use std::io::{PipeWriter, pipe};

use crate::support::World;

const BUCKET: &str = "[project]\nname = \"streams\"\nregion = \"us-east-1\"\n";

/// A pipe whose reader has ended.
fn closed() -> PipeWriter {
    pipe().expect("a pipe").1
}

fn full() -> File {
    File::options().write(true).open("/dev/full").expect("this is Linux")
}

/// Nothing that could not be said is a success: not to a full disk, not to a reader that ended.
#[test]
fn what_could_not_be_written_is_not_done() {
    let world = World::with_config(BUCKET).sandbox();
    for command in [&["explain"][..], &["--help"], &["schema"], &["plan"], &["check"]] {
        assert!(world.run_into(command.iter().copied(), full()).ended(1).stderr.contains("E215"));
        let ran = world.run_into(command.iter().copied(), closed()).ended(141);
        assert!(!ran.stderr.contains("error"), "a reader may leave: {ran}");
    }
    // What was asked for by an exit code is answered by it, whoever reads.
    let changes = ["plan", "--detailed-exitcode", "-o", "json"];
    let _ = world.run_into(changes, closed()).ended(2);
    // A plan that nobody could see is not carried out.
    let _ = world.run_into(["deploy", "--yes"], full()).ended(1).says("E215");
    let _ = world.run(changes).ended(2);
    // What has begun goes on to its end without its reader.
    let _ = world.run_into(["deploy", "--yes", "-o", "json"], closed()).ended(141);
    let _ = world.run(changes).success();
}
