//! The resource that an argument means, and why it means none, in words.

use super::error::Failure;
use super::exit::Exit;
use crate::domain::{KindName, codes};
use crate::run::Session;
use crate::run::jobs::Job;
use crate::run::named::{Unnamed, resource};

/// Of which resources one is meant.
pub struct Among<'a> {
    /// What they have in common: "has a log".
    pub what: &'a str,
    pub kinds: &'a dyn Fn(KindName) -> bool,
}

/// The resource that `given` means.
pub async fn named(session: &Session, given: &str, among: &Among<'_>) -> Result<Job, Failure> {
    let unnamed = match resource(session, given, among.kinds).await? {
        Ok(job) => return Ok(job),
        Err(unnamed) => unnamed,
    };
    let (message, help) = match unnamed {
        Unnamed::Unknown { near: Some(near) } => {
            (format!("there is no `{given}`"), format!("did you mean `{near}`?"))
        }
        Unnamed::Unknown { near: None } => {
            (format!("there is no `{given}`"), "`opsctl status` lists all".to_owned())
        }
        Unnamed::Several(ids) => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            let (last, others) = ids.split_last().expect("several are some");
            (format!("several resources are named `{given}`"), format!("{} or {last}?", others.join(", ")))
        }
        Unnamed::OtherKind(id) => {
            let kinds: Vec<&str> =
                KindName::ALL.iter().filter(|kind| (among.kinds)(**kind)).map(|kind| kind.as_str()).collect();
            let help = format!("what {}: {}", among.what, kinds.join(", "));
            (format!("`{id}` is none that {}", among.what), help)
        }
    };
    Err(Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help))
}
