//! `opsctl status`: what lives, and in which state.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::json;

use crate::cli::Ended;
use crate::cli::act::{print_left, print_warnings};
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::{Owner, Phase, Status, shown};
use crate::engine;
use crate::plan::Look;
use crate::run::{Folders, Session};

pub async fn run(global: &Global, ui: &Ui, env: &Environment) -> Ended {
    with_session(global, env, Folders::Spared, async |session| show(session, ui).await).await
}

async fn show(session: &Session, ui: &Ui) -> Ended {
    print_warnings(session, ui);
    let look = engine::observe(&session.desired, &session.registry, &session.world).await;
    let have = look.map_err(Failure::Look)?;
    let mut incomplete = false;
    let rows: Vec<(_, _, Status, Option<&Owner>)> = session
        .desired
        .nodes
        .iter()
        .map(|node| {
            let look = have.looks.get(&node.id);
            let owner = match look {
                Some(Look::Present(seen)) => Some(seen.owner()),
                _ => None,
            };
            let status = match look {
                Some(Look::Present(seen)) => seen.status().clone(),
                Some(Look::Unreadable(why, _)) => {
                    incomplete = true;
                    Status::new("unreadable", Phase::Failed).because(Some(why.clone()))
                }
                _ => Status::new("absent", Phase::Stopped),
            };
            (&node.id, &node.physical, status, owner)
        })
        .collect();
    if ui.json() {
        let resources = rows.iter().map(|(id, physical, status, owner)| {
            json!({
                "kind": id.kind.as_str(), "name": id.name, "physical": physical, "state": status.word,
                "ready": status.phase == Phase::Ready && owner.is_none_or(Owner::is_managed),
                "reason": status.reason, "ours": owner.map(|owner| owner.is_managed()),
                "owner": owner.map(ToString::to_string),
            })
        });
        ui.out_json(&json!({
            "format": 1, "resources": resources.collect::<Vec<_>>(), "leftovers": have.leftovers,
        }));
    } else {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(["RESOURCE", "STATE", "NAME IN AWS"]);
        for (id, physical, status, owner) in &rows {
            let reason = status.reason.as_deref().and_then(|r| r.trim().lines().last());
            let reason = reason.map(|r| format!(" ({})", shown::line(r))).unwrap_or_default();
            let foreign = owner.filter(|owner| !owner.is_managed());
            let foreign =
                foreign.map(|owner| format!(", not this project's: {}", shown::line(&owner.to_string())));
            let state = format!("{}{reason}{}", shown::line(&status.word), foreign.unwrap_or_default());
            table.add_row([id.to_string(), state, shown::line(physical).into_owned()]);
        }
        for leftover in &have.leftovers {
            let (id, physical) = (leftover.id.to_string(), shown::line(&leftover.physical).into_owned());
            table.add_row([shown::line(&id).into_owned(), "not in the config".into(), physical]);
        }
        ui.out(&format!("{table}\n"));
        print_left(&have, ui);
    }
    Ok(if incomplete { Exit::Incomplete } else { Exit::Done })
}
