//! `opsctl policy role`: what a role has to allow that somebody else makes.

use clap::Args;
use serde_json::{Value, json};

use super::{AccountArgs, desired, several};
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::desired::Desired;
use crate::domain::codes;
use crate::policy::{self, GivenPolicy};

#[derive(Debug, Args)]
pub struct RoleArgs {
    /// The section that names it, such as training/NAME; all of them without
    #[arg(value_name = "SECTION/NAME")]
    pub section: Option<String>,
    #[command(flatten)]
    pub account: AccountArgs,
}

/// Prints the documents of the roles that are meant, for whoever makes them.
pub async fn run(args: &RoleArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let desired = desired(&args.account, global, env).await?;
    let is_meant = |section: &str| {
        let name = section.split('/').next_back();
        args.section.as_deref().is_none_or(|given| given == section || Some(given) == name)
    };
    let roles = policy::given(&desired, is_meant);
    if roles.is_empty() {
        return Err(none(args.section.as_deref(), &desired));
    }
    if ui.json() {
        let roles: Vec<Value> = roles.iter().map(document).collect();
        ui.out_json(&json!({ "format": 1, "roles": roles }));
        return Ok(Exit::Done);
    }
    let count = roles.iter().map(|role| role.documents.len()).sum();
    if count > 1 && !ui.out_is_terminal() {
        let help = match roles.len() {
            1 => "`-o json` prints all in a list",
            _ => "name a section, such as training/NAME; `-o json` prints all in a list",
        };
        return Err(several(count, help.to_owned()));
    }
    for GivenPolicy { arn, services, sections, documents } in &roles {
        ui.out(&documents.iter().map(|document| format!("{document:#}\n")).collect::<String>());
        let services = services.iter().copied().collect::<Vec<_>>().join(" and ");
        let sections = sections.join(", ");
        ui.say(&format!("{arn} has to allow this for {sections}, and to trust {services}."));
    }
    Ok(Exit::Done)
}

fn document(role: &GivenPolicy) -> Value {
    let GivenPolicy { arn, services, sections, documents } = role;
    json!({ "role": arn, "services": services, "sections": sections, "documents": documents })
}

/// That nothing is meant.
fn none(section: Option<&str>, desired: &Desired) -> Failure {
    let named: Vec<String> =
        policy::given(desired, |_| true).into_iter().flat_map(|role| role.sections).collect();
    let (message, help) = match section {
        Some(section) if !named.is_empty() => {
            (format!("{section} names no `role`"), format!("these do: {}", named.join(", ")))
        }
        _ => {
            let help = "write `role = \"arn:…\"` into a section";
            ("no section names a role of yours".to_owned(), help.to_owned())
        }
    };
    Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help)
}
