//! What is accepted, and what is proposed instead of what is not.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::args::AuditArgs;
use super::files;
use crate::audit::{Audit, Baseline, Instant};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::cli::wrote::{Replace, unwritten};
use crate::domain::{codes, many, shown};
use crate::inputs::{self, Record};
use crate::run::audit::Proposals;

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
    proposals: &Proposals,
    folder: &Path,
    replace: Replace,
    record: &Record,
    ui: &Ui,
) -> Result<(), Failure> {
    let Proposals { roles, unused } = proposals;
    let files = roles.iter().flat_map(|role| &role.files);
    let files: Vec<(PathBuf, &str)> = files.map(|(name, text)| (folder.join(name), text.as_str())).collect();
    if !files.is_empty() {
        replace.allows(record, files.iter().map(|(file, _)| (file.as_path(), "--write DIR")))?;
        fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    }
    for (file, text) in &files {
        write(file, text).map_err(|error| unwritten(file, &error))?;
    }
    record.note_all(files.iter().map(|(file, _)| file.as_path()));
    for role in roles {
        ui.say(&format!("{}: {}.", role.name, role.notes.join("; ")));
    }
    ui.say(&match roles.len() {
        0 => "There is nothing to propose, and nothing was written.".to_owned(),
        n => format!("Wrote {} to {}; each only takes rights away.", many(n, "proposal"), folder.display()),
    });
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

/// Others may write to the folder as well: a link there is replaced, not followed.
fn write(file: &Path, text: &str) -> io::Result<()> {
    if file.is_symlink() {
        fs::remove_file(file)?;
    }
    inputs::write(file, text)
}
