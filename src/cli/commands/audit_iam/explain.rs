//! `opsctl audit-iam explain`: why a role may, or may not, do something.

use serde_json::json;

use crate::audit::explain;
use crate::audit::{Account, Instant};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::domain::{codes, shown};
use opsctl_iam::decide::Decision;

/// Prints the decision and what it rests on. What cannot be decided exits with 10.
pub fn run(
    account: &Account,
    role: &str,
    action: &str,
    resource: Option<&str>,
    now: Instant,
    ui: &Ui,
) -> CommandResult {
    is_one(action)?;
    is_one_resource(resource)?;
    let Some(answer) = explain::explain(account, role, action, resource, now) else {
        let (message, help) =
            (format!("the account has no role or user `{role}`"), "give its name or its whole ARN");
        return Err(Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, help));
    };
    let decision = answer.decision.words();
    if ui.json() {
        ui.out_json(&json!({
            "format": 1, "role": answer.role, "action": answer.action, "resource": answer.resource,
            "decision": decision, "because": answer.lines,
        }));
    } else {
        let lines: String = answer.lines.iter().map(|line| format!("  {}\n", shown::line(line))).collect();
        let [role, action, resource] =
            [&answer.role, &answer.action, &answer.resource].map(|it| shown::line(it));
        ui.out(&format!("{role} {action} on {resource}: {decision}\n{lines}"));
    }
    Ok(if answer.decision == Decision::Unknown { Exit::Incomplete } else { Exit::Done })
}

/// A question about a pattern has as many answers as it has actions.
fn is_one(action: &str) -> Result<(), Failure> {
    let named = action.split_once(':').is_some_and(|(service, name)| !service.is_empty() && !name.is_empty());
    if named && !action.contains(['*', '?']) {
        return Ok(());
    }
    let message = format!("`{action}` is not an action");
    let help = "name one, such as s3:GetObject; for everything that a role may do, run the audit";
    Err(Failure::new(codes::USAGE, Exit::Usage, message, help))
}

/// No pattern names what is no ARN, and a definite no would be wrong of what it stands for.
fn is_one_resource(resource: Option<&str>) -> Result<(), Failure> {
    match resource.filter(|resource| !explain::is_resource(resource)) {
        None => Ok(()),
        Some(resource) => {
            let message = format!("`{resource}` is not an ARN");
            let help = "name one, such as arn:aws:s3:::bucket/key, or `*` for what has none";
            Err(Failure::new(codes::USAGE, Exit::Usage, message, help))
        }
    }
}
