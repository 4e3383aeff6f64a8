//! Plans that `plan --out` has saved: the fingerprint decides whether one still holds, and its steps are for
//! the reader.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::error::Failure;
use super::exit::Exit;
use super::files;
use crate::domain::{codes, few_sentences};
use crate::plan::{Plan, Step};

/// A plan as it was saved: its promise, and what it said that it would do.
pub struct Saved {
    fingerprint: String,
    steps: BTreeSet<(String, String)>,
}

impl Saved {
    /// Whether this is the plan that was saved.
    pub fn holds(&self, plan: &Plan) -> Result<(), Failure> {
        if self.fingerprint == plan.fingerprint() {
            return Ok(());
        }
        if plan.is_empty() {
            let message = "the saved plan was applied already: everything is as the config says, and \
                           nothing is left to do";
            let help = "there is no need to run it again; `opsctl status` shows what is there";
            return Err(Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, help));
        }
        let step = |step: &Step| (step.op.verb().as_str().to_owned(), step.target.to_string());
        let now: BTreeSet<_> = plan.steps.iter().map(step).collect();
        let gone = self.steps.difference(&now).map(|(verb, id)| format!("no longer to {verb} {id}"));
        let new = now.difference(&self.steps).map(|(verb, id)| format!("also to {verb} {id}"));
        let mut different: Vec<_> = gone.chain(new).collect();
        if different.is_empty() {
            different.push("the same steps with other values or for other reasons".into());
        }
        let message = format!(
            "the saved plan is out of date: the config, the sources or AWS changed since; what differs: {}",
            few_sentences(&different)
        );
        let help = "make a new one with `opsctl plan --out`";
        Err(Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, help))
    }

    /// Reads one.
    pub fn load(file: &Path) -> Result<Self, Failure> {
        let read = || -> Result<Self, String> {
            let text = files::read(file, files::LARGE).map_err(|e| e.to_string())?;
            let value: Value = serde_json::from_slice(&text).map_err(|e| e.to_string())?;
            let fingerprint =
                value["fingerprint"].as_str().ok_or_else(|| "it has no fingerprint".to_owned())?;
            let steps = value["steps"].as_array().into_iter().flatten();
            let word = |step: &Value, key| step[key].as_str().unwrap_or_default().to_owned();
            let steps = steps.map(|step| (word(step, "op"), word(step, "target"))).collect();
            Ok(Self { fingerprint: fingerprint.to_owned(), steps })
        };
        read().map_err(|error| {
            let message = format!("{} is not a saved plan: {error}", file.display());
            Failure::new(codes::LOCAL_IO, Exit::Usage, message, "`opsctl plan --out FILE` makes one")
        })
    }
}
