//! Files that the audit reads and writes.

use std::io;
use std::path::Path;

use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::files;
use crate::cli::wrote::unwritten;
use crate::domain::codes;
use crate::inputs;

/// Reads a file, or stdin for `-`.
pub fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let text = match file == Path::new("-") {
        true => files::stdin(files::LARGE),
        false => files::read(file, files::LARGE),
    };
    text.map_err(|error| unreadable(file, &error))
}

/// A file that is not there, or may not be read.
pub fn unreadable(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be read: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the path")
}

/// Writes a file as a whole.
pub fn write(file: &Path, text: &str) -> Result<(), Failure> {
    inputs::write(file, text).map_err(|error| unwritten(file, &error))
}

/// A file that holds something else.
pub fn bad(file: &Path, what: &str, error: &dyn std::fmt::Display) -> Failure {
    let message = format!("{} is not {what}: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "see `opsctl audit-iam --help`")
}

/// Options that are wrong, or wrong together.
pub fn usage(message: String, help: String) -> Failure {
    Failure::new(codes::USAGE, Exit::Usage, message, help)
}

/// A file that is nothing of what is read.
pub fn refused(file: &Path, why: &str) -> Failure {
    const HELP: &str = "it takes what `aws iam get-account-authorization-details`, --save or `terraform show \
                        -json PLAN` writes, a CloudFormation template, or with --policy a policy document";
    let message = format!("{} cannot be audited: {why}", file.display());
    Failure::new(codes::NOT_AUDITABLE, Exit::Failed, message, HELP)
}
