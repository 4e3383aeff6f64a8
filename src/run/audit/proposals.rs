//! Smaller policies for the roles of an account, as files to review. Nothing is applied.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::audit::account::Role;
use crate::audit::evaluate::Engine;
use crate::audit::role_view::RoleKind;
use crate::audit::{Account, Settings, Usage, least};
use crate::domain::shown;

/// What was proposed.
#[derive(Debug, Default)]
pub struct Proposals {
    pub written: Vec<Proposed>,
    /// Roles that used nothing which they may do: a policy without statements is none.
    pub unused: Vec<String>,
}

/// A role with a policy of its own, and the difference to what it has now.
#[derive(Debug)]
pub struct Proposed {
    /// The name of its files, without their endings.
    pub name: String,
    pub notes: Vec<String>,
}

/// A file that could not be written, and why.
pub type Unwritten = (PathBuf, io::Error);

/// Writes a policy and its difference into `folder`, for each role that its owner can change.
///
/// # Errors
/// The first file that could not be written.
pub fn propose(
    account: &Account,
    usage: &Usage,
    settings: &Settings,
    folder: &Path,
) -> Result<Proposals, Unwritten> {
    let engine = Engine::at(account, settings.now);
    let (mut taken, mut proposals) = (BTreeSet::new(), Proposals::default());
    for role in account.roles.iter().filter(|role| is_ours_to_change(role, settings)) {
        let Some(used) = usage.roles.get(&role.arn) else { continue };
        let Some(proposal) = least::propose(&engine, role, used, settings) else { continue };
        if proposal.removed == 0 {
            continue;
        }
        if proposal.is_empty() {
            proposals.unused.push(role.name.clone());
            continue;
        }
        let name = file_name(role, &mut taken);
        for (ending, text) in [("json", &proposal.after), ("diff", &proposal.diff)] {
            let file = folder.join(format!("{name}.{ending}"));
            put(&file, text).map_err(|error| (file, error))?;
        }
        proposals.written.push(Proposed { name, notes: proposal.notes });
    }
    Ok(proposals)
}

/// Nobody edits the policies of a service-linked role; those of a platform come from its own templates, and a
/// role for emergencies is rightly idle.
fn is_ours_to_change(role: &Role, settings: &Settings) -> bool {
    RoleKind::of(role) == RoleKind::Ordinary && !settings.is_break_glass(role)
}

/// A file's name for a role. IAM allows letters, digits and `+=,.@_-`; a dump may hold anything, a path
/// included, and names that differ in case alone are one file on some disks.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_Role.html>
fn file_name(role: &Role, taken: &mut BTreeSet<String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    let name = &role.name;
    let can_be_one =
        (1..=64).contains(&name.len()) && name.chars().all(is_plain) && !name.starts_with(['.', '-']);
    if can_be_one && taken.insert(name.to_ascii_lowercase()) {
        return name.clone();
    }
    let kept: String = name.chars().filter(char::is_ascii_alphanumeric).take(40).collect();
    format!("{kept}~{}", &blake3::hash(role.arn.as_bytes()).to_hex()[..16])
}

/// Writes a file of ours into a folder that somebody else may write to as well: a link there is replaced, not
/// followed.
fn put(file: &Path, text: &str) -> io::Result<()> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    if fs::symlink_metadata(file).is_ok_and(|about| about.is_symlink()) {
        fs::remove_file(file)?;
    }
    fs::write(file, shown::json(text).as_bytes())
}
