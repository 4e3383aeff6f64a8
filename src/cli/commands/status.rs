//! `opsctl status`: deployed resources and their states.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use crate::cli::CommandResult;
use crate::cli::act::{print_left, print_warnings};
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::desired::Node;
use crate::domain::{Owner, Phase, ResourceId, Status, shown};
use crate::engine;
use crate::plan::{Leftover, Observation, Observed};
use crate::run::{Folders, Session};

pub async fn run(global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| show(session, ui).await).await
}

async fn show(session: &Session, ui: &Ui) -> CommandResult {
    print_warnings(session, ui);
    let have = engine::observe(&session.desired, &session.registry, &session.context).await;
    let have = have.map_err(Failure::Unread)?;
    let rows: Vec<Row<'_>> = session.desired.nodes.iter().map(|node| Row::of(node, &have, session)).collect();
    if ui.json() {
        ui.out_json(&document(&rows, &have.leftovers));
    } else {
        ui.out(&format!("{}\n", table(&rows, &have.leftovers)));
        print_left(&have, ui);
    }
    let unreadable =
        |node: &Node| matches!(have.observations.get(&node.id), Some(Observation::Unreadable(..)));
    Ok(if session.desired.nodes.iter().any(unreadable) { Exit::Incomplete } else { Exit::Done })
}

/// A resource of the config, its state in AWS, and whose it is there.
struct Row<'a> {
    node: &'a Node,
    status: Status,
    owner: Option<&'a Owner>,
}

impl<'a> Row<'a> {
    fn of(node: &'a Node, have: &'a Observed, session: &Session) -> Self {
        let owner_of = |id: &ResourceId| match have.observations.get(id) {
            Some(Observation::Present(seen)) => Some(seen.owner()),
            _ => None,
        };
        let (status, owner) = match have.observations.get(&node.id) {
            Some(Observation::Present(seen)) => {
                // A part is its whole's.
                let kind = session.kind(node.id.kind).owned_with();
                let whole = node.needs.iter().find(|need| Some(need.kind) == kind).and_then(owner_of);
                let owner = whole.filter(|owner| !owner.is_managed()).unwrap_or(seen.owner());
                (seen.status().clone(), Some(owner))
            }
            Some(Observation::Unreadable(why, _)) => {
                (Status::new("unreadable", Phase::Failed).because(Some(why.clone())), None)
            }
            Some(Observation::Absent | Observation::Taken(_)) | None => {
                (Status::new("absent", Phase::Stopped), None)
            }
        };
        Self { node, status, owner }
    }
}

fn document(rows: &[Row<'_>], leftovers: &[Leftover]) -> Value {
    let resources = rows.iter().map(|Row { node, status, owner }| {
        json!({
            "kind": node.id.kind.as_str(), "name": node.id.name, "physical": node.physical,
            "state": status.word,
            "ready": status.phase == Phase::Ready && owner.is_none_or(Owner::is_managed),
            "reason": status.reason, "ours": owner.map(|owner| owner.is_managed()),
            "owner": owner.map(ToString::to_string),
        })
    });
    json!({ "format": 1, "resources": resources.collect::<Vec<_>>(), "leftovers": leftovers })
}

fn table(rows: &[Row<'_>], leftovers: &[Leftover]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["RESOURCE", "STATE", "NAME IN AWS"]);
    for Row { node, status, owner } in rows {
        let reason = status.cause().map(|cause| format!(" ({cause})")).unwrap_or_default();
        let foreign = owner.filter(|owner| !owner.is_managed());
        let foreign =
            foreign.map(|owner| format!(", not this project's: {}", shown::line(&owner.to_string())));
        let state = format!("{}{reason}{}", shown::line(&status.word), foreign.unwrap_or_default());
        table.add_row([node.id.to_string(), state, shown::line(&node.physical).into_owned()]);
    }
    for leftover in leftovers {
        let (id, physical) = (leftover.id.to_string(), shown::line(&leftover.physical).into_owned());
        table.add_row([shown::line(&id).into_owned(), "not in the config".into(), physical]);
    }
    table
}
