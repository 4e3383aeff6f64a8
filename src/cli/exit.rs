//! Exit codes: append-only, documented in docs/exit-codes.md.

macro_rules! exit_codes {
    ($($name:ident $code:literal $meaning:literal;)*) => {
        /// How the process ends.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Exit {
            $(#[doc = $meaning] $name = $code,)*
        }

        /// Every code with its meaning, for the manual page and docs/exit-codes.md.
        pub const MEANINGS: &[(Exit, &str)] = &[$((Exit::$name, $meaning)),*];
    };
}

exit_codes! {
    Done 0 "done, or nothing to do";
    Failed 1 "failed";
    Changes 2 "changes or findings, only where asked (--detailed-exitcode, --fail-on)";
    Config 3 "config invalid";
    Denied 4 "credentials or permission";
    LeaseHeld 5 "another deploy holds the lease, or took it over";
    RolledBack 6 "the endpoint rolled back to its old configuration";
    TimedOut 8 "timed out, AWS keeps working";
    OverLimit 9 "a quota was exceeded, or a budget would be";
    Incomplete 10 "incomplete: something could not be read";
    Usage 64 "the command line cannot be read, or consent is missing";
    Bug 70 "a bug in opsctl";
    Interrupted 130 "interrupted (143 after SIGTERM or SIGHUP)";
    // 128 + SIGPIPE, as of other tools.
    Pipe 141 "done, but the reader of the output had ended before all of it was written (as `head` does)";
}
