//! What is accepted, and what is proposed instead of what is not.

use std::path::Path;

use super::args::AuditArgs;
use super::files;
use crate::audit::{Account, Audit, Baseline, Instant, Settings, Usage};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::cli::wrote::unwritten;
use crate::domain::{codes, many, shown};
use crate::run;

/// Marks the findings that the baseline accepts; with `--update-baseline`, accepts those of now.
pub fn accept_known(args: &AuditArgs, result: &mut Audit, now: Instant, ui: &Ui) -> Result<(), Failure> {
    let Some(file) = &args.baseline else { return Ok(()) };
    let baseline = read(file, args.update_baseline)?;
    baseline.apply(result, now);
    if args.update_baseline {
        files::write(file, &baseline.updated(result).to_text())?;
        ui.say(&format!(
            "Wrote {}. Edit it to say why each finding is accepted, by whom, and until when.",
            file.display()
        ));
    }
    Ok(())
}

fn read(file: &Path, may_be_new: bool) -> Result<Baseline, Failure> {
    if may_be_new && !file.exists() {
        return Ok(Baseline::default());
    }
    if !file.exists() {
        let message = format!("there is no baseline {}", file.display());
        let help =
            "--update-baseline writes one with the current findings; edit it to say why each is accepted";
        return Err(Failure::new(codes::LOCAL_IO, Exit::Failed, message, help));
    }
    let text = String::from_utf8_lossy(&files::read(file)?).into_owned();
    Baseline::parse(&text).map_err(|error| files::bad(file, "a baseline", &error))
}

/// Proposals, never applied: a policy and its difference per role that its owner can change.
pub fn propose(
    account: &Account,
    usage: &Usage,
    settings: &Settings,
    folder: &Path,
    ui: &Ui,
) -> Result<(), Failure> {
    let proposals = run::audit::propose(account, usage, settings, folder);
    let run::audit::Proposals { written, unused } =
        proposals.map_err(|(file, error)| unwritten(&file, &error))?;
    for role in &written {
        ui.say(&format!("{}: {}.", role.name, role.notes.join("; ")));
    }
    let count = many(written.len(), "proposal");
    ui.say(&format!("Wrote {count} to {}; each only takes rights away.", folder.display()));
    if !unused.is_empty() {
        let (count, names) = (unused.len(), unused[..unused.len().min(5)].join(", "));
        let more = if count > 5 { ", …" } else { "" };
        ui.say(&format!(
            "{} used nothing of what is allowed, and a policy without statements is none: {}{more}. Delete \
             what is not needed, or see IAM401 and IAM402.",
            many(count, "role"),
            shown::line(&names)
        ));
    }
    Ok(())
}
