//! What documents of Systems Manager let their callers do on machines.

use crate::audit::escalate::EscalationPath;
use crate::audit::role_view::RoleView;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

/// Documents of AWS that run what the caller sends.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html>
const RUN_ANYTHING: [&str; 12] = [
    "AWS-ApplyAnsiblePlaybooks",
    "AWS-ApplyChefRecipes",
    "AWS-ApplyDSCMofs",
    "AWS-InstallApplication",
    "AWS-InstallPowerShellModule",
    "AWS-RunAnsiblePlaybook",
    "AWS-RunDockerAction",
    "AWS-RunDocument",
    "AWS-RunPowerShellScript",
    "AWS-RunRemoteScript",
    "AWS-RunSaltState",
    "AWS-RunShellScript",
];

/// The session that leads to a port of the machine itself and to no shell. One to a port of any host leads to
/// the credentials of the machine's role, too.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-sessions-start.html#sessions-start-port-forwarding>
const TO_A_PORT: &str = "AWS-StartPortForwardingSession";

/// Without it, on every statement, whoever names no document gets a shell.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-specify-session-document.html>
const CHECK: &str = "ssm:SessionDocumentAccessCheck";

/// Whether the documents that the role may use, where the way begins with a call that takes one, run what it
/// likes.
pub(super) fn runs_commands(view: &RoleView<'_>, way: &EscalationPath) -> bool {
    let Some(call) = way.actions.first().map(|&action| Catalogue::embedded().name(action)) else {
        return true;
    };
    let statements = || view.effective.allows.iter().map(|s| &s.grant).filter(|grant| grant.names(call));
    match call {
        "ssm:SendCommand" => statements().any(|grant| takes(grant, sends_anything)),
        "ssm:StartSession" => {
            !statements().all(is_checked) || statements().any(|grant| takes(grant, |name| name != TO_A_PORT))
        }
        _ => true,
    }
}

/// Whether a statement is on a document of some kind.
fn takes(grant: &Grant, is_one: impl Fn(&str) -> bool) -> bool {
    let takes = |pattern: &String| match pattern.split_once("document/") {
        Some((_, name)) => is_one(name),
        None => !pattern.contains("instance/"),
    };
    match &grant.statement.resources {
        Some(Selector::Only(patterns)) => patterns.iter().any(takes),
        _ => true,
    }
}

/// Those that AWS writes for one purpose, such as a snapshot, do not; what is in documents of others nobody
/// told.
fn sends_anything(name: &str) -> bool {
    !name.starts_with("AWS") || RUN_ANYTHING.iter().any(|known| pattern::matches(name, known))
}

fn is_checked(grant: &Grant) -> bool {
    grant.statement.conditions.iter().any(|c| {
        let is_true = || c.values.iter().all(|value| value.eq_ignore_ascii_case("true"));
        c.key.eq_ignore_ascii_case(CHECK) && c.operator.to_ascii_lowercase().starts_with("bool") && is_true()
    })
}
