//! The resource that an argument means, and why it means none, in words.

use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::domain::{KindName, ResourceId, codes, shown};
use crate::run::Session;
use crate::run::jobs::Job;
use crate::run::named::{Unnamed, resource};

/// Of which resources one is meant.
pub struct Among<'a> {
    /// What they have in common: "has a log".
    pub what: &'a str,
    pub kinds: &'a dyn Fn(KindName) -> bool,
}

impl Among<'_> {
    /// What of the config can be meant.
    fn known(&self, ids: &[ResourceId]) -> String {
        let some = ids.iter().take(8).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match some.is_empty() {
            true => format!("the config has nothing that {}", self.what),
            false => format!("what {}: {some}", self.what),
        }
    }
}

/// The resource that `given` means.
pub async fn named(session: &Session, given: &str, among: &Among<'_>) -> Result<Job, Failure> {
    let unnamed = match resource(session, given, among.kinds).await? {
        Ok(job) => return Ok(job),
        Err(unnamed) => unnamed,
    };
    let (message, help) = match unnamed {
        Unnamed::Unknown { help } => (format!("there is no `{given}`"), help),
        Unnamed::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let (last, others) = ids.split_last().expect("several are some");
            (format!("several resources are named `{given}`"), format!("{} or {last}?", others.join(", ")))
        }
        Unnamed::OtherKind { known } => {
            (format!("`{given}` is nothing that {}", among.what), among.known(&known))
        }
    };
    Err(Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help))
}

/// Says that a job is the latest there is, where files that it would be named after are missing.
pub fn say_latest(session: &Session, job: &Job, ui: &Ui) {
    if let Some(why) = session.is_only_latest(&job.id) {
        let why = shown::line(why);
        ui.say(&format!("{}: {why}; this is the latest there is, {}.", job.id, job.physical));
    }
}

/// The resource that is meant where none is named: the only one of the config.
pub fn only_one(session: &Session, among: &Among<'_>) -> Result<Job, Failure> {
    let ids = session.desired.nodes.iter().map(|node| &node.id).filter(|id| (among.kinds)(id.kind));
    let known: Vec<ResourceId> = ids.cloned().collect();
    let message = match known.as_slice() {
        [one] => return Ok(Job::of(session, one.clone())),
        [] => "no resource is named",
        _ => "several resources may be meant: name one",
    };
    Err(Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, among.known(&known)))
}
