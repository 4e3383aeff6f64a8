//! Which key the alias of `[encryption] kms_key` stands for: asked before anything is planned, because names
//! and policies are made of it (docs/decisions/0073).

use crate::aws::{Clients, OpErrorKind, OpResult};
use crate::config::Encryption;
use crate::domain::{Diagnostic, codes};

/// Looks it up.
///
/// # Errors
/// AWS cannot be reached. That there is none, or that nobody may see it, is an answer.
pub async fn find(aws: &Clients, alias: &str) -> OpResult<Result<String, Diagnostic>> {
    let problem =
        |text: String, help: &str| Ok(Err(Diagnostic::error(codes::NO_KEY, Encryption::at(), text, help)));
    let help = "name another one, or the ARN of the key itself; `aws kms list-aliases` shows what there is";
    let key = match aws.kms.key(alias).await {
        Ok(key) => key,
        Err(error) if error.kind == OpErrorKind::NotFound => {
            return problem(format!("there is no key {alias}"), help);
        }
        Err(error) if matches!(error.kind, OpErrorKind::Denied | OpErrorKind::Invalid) => {
            return problem(format!("the key {alias} cannot be looked up: {}", error.message), help);
        }
        Err(error) => return Err(error),
    };
    if key.state != "Enabled" {
        let help = "enable it, or name another key";
        return problem(format!("the key {alias} is in the state {}", key.state), help);
    }
    if key.spec != "SYMMETRIC_DEFAULT" {
        let text =
            format!("the key {alias} is of the kind {}, and AWS's services need a symmetric one", key.spec);
        return problem(text, "name a key of the kind SYMMETRIC_DEFAULT");
    }
    Ok(Ok(key.arn))
}
