//! Exit codes: append-only, documented in docs/exit-codes.md.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Failed = 1,
    /// Only where asked: `--detailed-exitcode`, `--fail-on`.
    Changes = 2,
    Config = 3,
    /// Credentials or permission.
    Denied = 4,
    LeaseHeld = 5,
    /// The endpoint went back to its old configuration.
    RolledBack = 6,
    /// Timed out; AWS keeps working.
    TimedOut = 8,
    /// A quota or a budget was exceeded.
    Gate = 9,
    /// Something could not be read, so the answer is incomplete.
    Incomplete = 10,
    Usage = 64,
    Bug = 70,
    Interrupted = 130,
    /// The reader of stdout ended before everything was written: 128 + SIGPIPE, as of other tools.
    Pipe = 141,
}

/// Every code with its meaning, for docs/exit-codes.md and `opsctl --help`.
pub const MEANINGS: &[(Exit, &str)] = &[
    (Exit::Done, "done, or nothing to do"),
    (Exit::Failed, "failed"),
    (Exit::Changes, "changes or findings, only where asked (--detailed-exitcode, --fail-on)"),
    (Exit::Config, "config invalid"),
    (Exit::Denied, "credentials or permission"),
    (Exit::LeaseHeld, "another deploy holds the lease, or took it over"),
    (Exit::RolledBack, "the endpoint rolled back to its old configuration"),
    (Exit::TimedOut, "timed out, AWS keeps working"),
    (Exit::Gate, "a quota was exceeded, or a budget would be"),
    (Exit::Incomplete, "incomplete: something could not be read"),
    (Exit::Usage, "the command line cannot be read, or consent is missing"),
    (Exit::Bug, "a bug in opsctl"),
    (Exit::Interrupted, "interrupted (143 after SIGTERM)"),
    (
        Exit::Pipe,
        "done, but the reader of the output had ended before all of it was written (as `head` does)",
    ),
];
