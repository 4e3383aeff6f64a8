//! Files that opsctl writes to paths the user names.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PathBufValueParser, TypedValueParser};

use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::desired;
use crate::domain::codes;
use crate::inputs::{self, Record, is_output, source_of};
use crate::run::Session;

/// Whether such a file may take the place of another.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct Replace {
    /// Replace a file that is there and that opsctl did not write
    #[arg(long)]
    pub force: bool,
}

impl Replace {
    /// Refuses a file where something of the user's is in its place, and `--force` where none is written.
    /// Each comes with the option that names it. It is asked before the work is done.
    pub fn allows<'a>(
        self,
        record: &Record,
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
    ) -> Result<(), Failure> {
        self.allows_but(files, |file| record.is_in_the_way(file))
    }

    /// The same of files that are known by something else than the record.
    pub fn allows_but<'a>(
        self,
        files: impl IntoIterator<Item = (&'a Path, &'a str)>,
        is_in_the_way: impl Fn(&Path) -> bool,
    ) -> Result<(), Failure> {
        let mut files = files.into_iter().peekable();
        if self.force {
            return files.peek().map(drop).ok_or_else(nothing_to_replace);
        }
        match files.find(|(file, _)| is_in_the_way(file)) {
            Some((file, option)) => {
                let message =
                    format!("{} is there, and nothing shows that opsctl wrote what is in it", file.display());
                Err(in_the_way(message, option))
            }
            None => Ok(()),
        }
    }
}

/// A place that is written to, and that stdout cannot be: the result of the command goes there.
pub fn place() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match path == Path::new("-") {
        true => Err("stdout has the result of the command; give a name, `./-` if it is that"),
        false => Ok(path),
    })
}

fn nothing_to_replace() -> Failure {
    let message = "`--force` replaces a file, and this command writes none";
    Failure::new(codes::USAGE, Exit::Usage, message, "name a file to write, or leave out `--force`")
}

/// Something of the user's is in the place of what opsctl would write.
pub fn in_the_way(message: String, option: &str) -> Failure {
    let help = format!("nothing was written: `{option}` writes elsewhere, `--force` replaces what is there");
    Failure::new(codes::YOURS_IS_THERE, Exit::Failed, message, help)
}

/// Writes a file as a whole, and notes that it is opsctl's.
pub fn write(record: &Record, file: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    inputs::write(file, content).map_err(|error| unwritten(file, &error))?;
    record.note(file);
    Ok(())
}

/// A file that could not be written.
pub fn unwritten(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the folder, or name another file")
}

/// The record of the session's project.
pub fn record(session: &Session) -> Record {
    Record::of(session.config.document.folder())
}

/// Says that a file which was written for the user is in one of the sources, and left out of it: a pulled
/// model must not train again, but may have been pulled there to be trained on.
pub fn say_left_out(session: &Session, ui: &Ui, file: &Path) {
    let sources = desired::sources(&session.config, &session.kinds);
    // Of code, what opsctl writes for people is never a part: nothing can go wrong.
    let is_output = || std::fs::read(file).is_ok_and(|content| is_output(&content));
    let source = source_of(session.config.document.folder(), file, &sources);
    if let Some(source) = source.filter(|source| !(source.use_as.is_code() && is_output())) {
        ui.say(&format!(
            "note: {} is in {}, but is left out of it because opsctl wrote it; a copy would count",
            file.display(),
            source.at
        ));
    }
}
