//! `opsctl explain`: what a code means.

use clap::Args;

use crate::audit::{find_rule, report as audit_report};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::config::section::nearest;
use crate::domain::codes;

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// A code such as C101, or nothing for all of them
    pub code: Option<String>,
}

/// Prints what a code or a rule of the audit means; without one, the list of codes.
pub fn run(args: &ExplainArgs, ui: &Ui) -> CommandResult {
    let Some(code) = &args.code else {
        let lines: String = codes::ALL.iter().map(|e| format!("{}  {}\n", e.code, e.title)).collect();
        ui.out(&lines);
        return Ok(Exit::Done);
    };
    if let Some(rule) = find_rule(code) {
        ui.out(&audit_report::explain(rule));
        return Ok(Exit::Done);
    }
    let Some(found) = codes::explained(code) else {
        let near = nearest(code, codes::ALL.iter().map(|e| e.code));
        let help = near.map_or_else(
            || "`opsctl explain` lists all codes".into(),
            |near| format!("did you mean {near}?"),
        );
        return Err(Failure::new(codes::USAGE, Exit::Usage, format!("there is no code `{code}`"), help));
    };
    if ui.json() {
        ui.out_json(
            &serde_json::json!({ "format": 1, "code": found.code, "title": found.title, "text": found.text }),
        );
    } else {
        ui.out(&format!("{}: {}\n\n{}\n", found.code, found.title, found.text));
    }
    Ok(Exit::Done)
}
