//! How a sandbox is to be.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::StatePace;
use crate::faults::FaultRule;
use crate::progress::ProgressSink;
use crate::rules::AwsRule;

/// Sandbox seconds per real second that make sense: a day in a second, or a second in a quarter of an hour.
pub const SPEEDS: RangeInclusive<f64> = 0.001..=100_000.0;

/// How a sandbox is to be: where it keeps its state, and how its time passes.
#[derive(Clone, Debug)]
pub struct SandboxOptions {
    /// Directory of all state; made when missing. One process at a time may use it.
    pub root: PathBuf,
    /// Port on 127.0.0.1; 0 lets the system choose a free one.
    pub port: u16,
    /// Sandbox seconds per real second; 1.0 is real time.
    pub speed: f64,
    /// How long state changes take: `Short` for tests and commands, `Realistic` for `sandbox serve`.
    pub pace: StatePace,
    /// Faults to inject from the first call on; more can be posted to `/_sandbox/faults`.
    pub faults: Vec<FaultRule>,
    /// Rules of AWS that are not enforced (see [`crate::SandboxState::enforces`]); tests switch single rules
    /// off.
    pub rules_off: BTreeSet<AwsRule>,
    /// The twelve digits of the one account.
    pub account: String,
    /// Region of requests that name none.
    pub region: String,
    /// Write `<root>/serve.json`, so that other processes find this sandbox and use it instead of their own.
    pub announce: bool,
    /// Nobody waits for its end: whoever needs the root may end it.
    pub background: bool,
    /// Which build of a program serves it; other builds replace one in the background.
    pub program: String,
    /// Directory of what is costly to make and outlives the state: Python environments with their packages.
    pub cache: PathBuf,
    /// Really run the user's code. Without, everything only goes through its states: for tests of the control
    /// plane.
    pub runs: bool,
    /// How long at least something stays that AWS deletes after it has answered; for tests of that time.
    pub lingers: Duration,
    /// Every list begins with an empty page and continues with one item per page (S3's only with one per
    /// page). AWS says that any page may be short or empty while there are more (`iam:ListRoles`,
    /// `tag:GetResources`, `ec2:DescribeInstances`); what reads one page only is found with this.
    pub short_pages: bool,
    /// Who hears of what takes long here and not on AWS.
    pub progress: ProgressSink,
}

impl SandboxOptions {
    /// The defaults for use inside a command or a test: any port, short pace, nothing announced.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            cache: root.join("cache"),
            runs: true,
            root,
            port: 0,
            speed: 1.0,
            pace: StatePace::Short,
            faults: Vec::new(),
            rules_off: BTreeSet::new(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            announce: false,
            background: false,
            program: String::new(),
            lingers: Duration::ZERO,
            short_pages: false,
            progress: ProgressSink::default(),
        }
    }
}
