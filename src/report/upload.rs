//! What an upload sends and what it leaves, for people and as JSON.

use serde_json::{Value, json};

use super::style::Styles;
use crate::domain::{ResourceId, Verb, bytes, grouped, many, shown};
use crate::resources::data::SendReason;
use crate::run::Session;
use crate::run::upload::DataSet;

/// How many files a person wants to see by name.
const SHOWN: usize = 10;

/// A line for each data set; below it what differs, and the first files.
pub fn human(session: &Session, todo: &[DataSet], done: &[DataSet], styles: &Styles) -> String {
    let mut text = String::new();
    for set in done {
        let files = many(set.tree(session).entries.len(), "file");
        text += &format!("{} is up to date: {files} at {}\n", set.id, set.spec.uri());
    }
    for set in todo {
        let (difference, id) = (set.difference(session), &set.id);
        let sign = if set.verb() == Verb::Create { styles.create("+") } else { styles.update("~") };
        text += &format!("{sign} {id}  {}\n", styles.faint(&set.spec.uri()));
        for line in difference.words() {
            text += &format!("    {line}\n");
        }
        if set.rewrite {
            let why = "an upload was interrupted, or somebody else changed the data";
            text += &format!("    the manifest is out of date ({why})\n");
        }
        let mut names: Vec<String> = difference
            .send
            .iter()
            .filter(|_| set.verb() == Verb::Update)
            .map(|(entry, why)| {
                format!("{} {} ({})", mark(*why), shown::line(&entry.path), bytes(entry.size()))
            })
            .collect();
        let gone = difference.gone.iter().filter(|_| difference.delete);
        names.extend(gone.map(|path| format!("- {}", shown::line(path))));
        for name in names.iter().take(SHOWN) {
            text += &format!("      {name}\n");
        }
        if names.len() > SHOWN {
            text += &format!("      … and {} more\n", grouped(names.len() - SHOWN));
        }
    }
    text
}

fn mark(why: SendReason) -> &'static str {
    if why == SendReason::New { "+" } else { "~" }
}

/// The same as one document.
pub fn json(session: &Session, todo: &[DataSet], done: &[DataSet]) -> Value {
    let step = |set: &DataSet| {
        let difference = set.difference(session);
        let send = difference.send.iter().map(|(entry, why)| {
            let why = match why {
                SendReason::New => "new",
                SendReason::Size => "size",
                SendReason::Content => "content",
            };
            json!({ "path": &*entry.path, "bytes": entry.size(), "why": why })
        });
        json!({
            "target": set.id,
            "op": set.verb(),
            "why": difference.words(),
            "send": send.collect::<Vec<_>>(),
            "gone": difference.gone,
            "delete": difference.delete,
        })
    };
    let unchanged: Vec<&ResourceId> = done.iter().map(|set| &set.id).collect();
    json!({ "format": 1, "target": session.place, "steps": todo.iter().map(step).collect::<Vec<_>>(),
        "unchanged": unchanged })
}
