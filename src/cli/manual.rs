//! What opsctl can say about itself: schema, completions, codes.

use clap::CommandFactory;

use super::Ended;
use super::args::{Cli, CompletionsArgs, ExplainArgs};
use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::audit::{find_rule, report as audit_report};
use crate::config::section::nearest;
use crate::domain::codes;
use crate::resources::{self, kinds};

pub fn schema(ui: &Ui) -> Ended {
    ui.out(&format!("{:#}\n", resources::schema(&kinds())));
    Ok(Exit::Done)
}

pub fn completions(args: &CompletionsArgs, ui: &Ui) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "opsctl", &mut script);
    ui.out(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}

pub fn explain(args: &ExplainArgs, ui: &Ui) -> Ended {
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
        return Err(Failure::said(codes::USAGE, Exit::Usage, format!("there is no code `{code}`"), help));
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
