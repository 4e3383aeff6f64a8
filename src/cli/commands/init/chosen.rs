//! Which files of a template a folder gets, beside what it has already.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::InitArgs;
use super::templates::{CONFIG, Starter};
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::config::Name;
use crate::domain::codes;
use crate::inputs;
use crate::resources::{kinds, schema};

const SCHEMA: &str = "opsctl.schema.json";
const IGNORE: &str = ".gitignore";
/// The sandbox's state and caches, and what Python leaves.
const IGNORED: &str = ".opsctl/\n__pycache__/\n";
/// What is left as it is where it is there.
const KEPT: [&str; 2] = ["README.md", IGNORE];
/// What a repository has before anything is in it, besides what is hidden. What is there of it stays.
const NO_FILES: [&str; 3] = ["readme", "licen", "copying"];

/// What is to be written.
pub struct Chosen {
    files: Vec<Starter>,
    /// What the folder has of its own.
    pub others: Vec<String>,
    /// Whether it is all of the template.
    pub whole: bool,
    /// The template's files that are not.
    pub left_out: Vec<&'static str>,
    /// What a repository has from its beginning, and stays as it is.
    pub kept: Vec<&'static str>,
}

impl Chosen {
    /// Looks at the folder. Nothing is written yet.
    ///
    /// # Errors
    /// Something else is where a file has to be, or the folder cannot be read.
    pub fn of(args: &InitArgs, name: &Name) -> Result<Self, Failure> {
        let folder = &args.folder;
        let schema = format!("{:#}\n", schema(&kinds()));
        let config = args.template.config(name);
        let mut files = vec![
            Starter { path: CONFIG, content: config.into_bytes() },
            Starter { path: SCHEMA, content: schema.into_bytes() },
        ];
        let starters = args.template.starters(name);
        // What an earlier `init` has written, that a full disk or a signal may have ended, is nobody else's.
        let mut others = other_files(folder)?;
        others.retain(|name| !is_of_template(folder, Path::new(name), files.iter().chain(&starters)));
        let whole = args.all || others.is_empty();
        let (mut left_out, mut kept) = (Vec::new(), Vec::new());
        if whole {
            free_folders(folder, &starters)?;
            files.extend(starters);
            files.push(Starter { path: IGNORE, content: IGNORED.as_bytes().to_vec() });
            let stays = |file: &&Starter| KEPT.contains(&file.path) && folder.join(file.path).exists();
            kept = files.iter().filter(stays).filter(|f| !f.is_in(folder)).map(|f| f.path).collect();
            files.retain(|file| !stays(&file));
        } else {
            left_out =
                starters.iter().map(|starter| starter.path).filter(|path| *path != "README.md").collect();
        }
        Ok(Self { files, others, whole, left_out, kept })
    }

    /// Writes what is not there yet, and returns it. All or nothing: what is there already and is something
    /// else stops it before the first file.
    ///
    /// # Errors
    /// Something else is there, or a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<&'static str>, Failure> {
        let mut new = Vec::new();
        for file in &self.files {
            if !is_there(&folder.join(file.path), &file.content)? {
                new.push(file);
            }
        }
        for file in &new {
            write(&folder.join(file.path), &file.content)?;
        }
        Ok(new.iter().map(|file| file.path).collect())
    }
}

/// The files in a folder that make it somebody's project: nothing hidden, no README, no license.
fn other_files(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            let message = format!("{} is a file", folder.display());
            let help = "name a folder, which need not be there yet: `opsctl init DIR`";
            return Err(Failure::new(codes::EXISTS, Exit::Usage, message, help));
        }
        Err(error) => return Err(unusable(folder, "read", &error)),
    };
    let names: Result<Vec<String>, _> =
        entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned())).collect();
    let mut names = names.map_err(|error| unusable(folder, "read", &error))?;
    let counts = |name: &String| {
        let name = name.to_lowercase();
        !name.starts_with('.') && !NO_FILES.iter().any(|no| name.starts_with(no))
    };
    names.retain(counts);
    names.sort();
    Ok(names)
}

/// Whether a file, or all that is in a folder, is just what the template writes there: of an `init` before
/// this.
fn is_of_template<'s>(folder: &Path, path: &Path, files: impl Iterator<Item = &'s Starter> + Clone) -> bool {
    let Ok(entries) = fs::read_dir(folder.join(path)) else {
        let mut here = files.filter(|file| Path::new(file.path) == path);
        return here.any(|file| file.is_in(folder));
    };
    let counts = |name: &str| !name.starts_with('.') && name != "__pycache__";
    let names = entries.flatten().map(|entry| entry.file_name());
    let inner: Vec<PathBuf> =
        names.filter(|name| counts(&name.to_string_lossy())).map(|name| path.join(name)).collect();
    inner.iter().all(|path| is_of_template(folder, path, files.clone()))
}

/// Refuses to put files between those of others: folders of the template hold nothing else.
fn free_folders(folder: &Path, starters: &[Starter]) -> Result<(), Failure> {
    let mut pending: Vec<PathBuf> = starters
        .iter()
        .filter_map(|starter| starter.path.split_once('/'))
        .map(|(top, _)| top.into())
        .collect();
    pending.dedup();
    while let Some(inner) = pending.pop() {
        let Ok(entries) = fs::read_dir(folder.join(&inner)) else { continue };
        for entry in entries.flatten() {
            let path = inner.join(entry.file_name());
            let known = |starter: &Starter| Path::new(starter.path).starts_with(&path);
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if !starters.iter().any(known) {
                return Err(taken(&folder.join(path)));
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(path);
            }
        }
    }
    Ok(())
}

/// Whether the very file is there; another one of its name is an error.
fn is_there(file: &Path, content: &[u8]) -> Result<bool, Failure> {
    match fs::read(file) {
        Ok(there) if there == content => Ok(true),
        Ok(_) => Err(taken(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(_) if file.exists() => Err(taken(file)),
        Err(error) => Err(unusable(file, "written", &error)),
    }
}

fn taken(file: &Path) -> Failure {
    let message = format!("{} is already there", file.display());
    let help = "choose another folder: `opsctl init DIR`; what you need can be moved from there";
    Failure::new(codes::EXISTS, Exit::Failed, message, help)
}

fn write(file: &Path, content: &[u8]) -> Result<(), Failure> {
    let written =
        file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| inputs::write(file, content));
    written.map_err(|error| unusable(file, "written", &error))
}

fn unusable(path: &Path, how: &str, error: &std::io::Error) -> Failure {
    let message = format!("{} cannot be {how}: {error}", path.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the path and the folder's permissions")
}

#[cfg(test)]
mod tests {
    use super::super::{Template, project_name};
    use super::*;

    /// Of a full disk, for example.
    #[test]
    fn an_init_that_was_cut_off_goes_on() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("shop");
        let args = InitArgs { folder: folder.clone(), name: None, template: Template::Digits, all: false };
        let name = project_name(&args).unwrap();
        let starters = args.template.starters(&name);
        let few: Vec<&Starter> =
            starters.iter().filter(|starter| starter.path != "README.md").take(8).collect();
        for starter in &few {
            write(&folder.join(starter.path), &starter.content).unwrap();
        }
        let mine = |shipped: &[&Vec<Starter>]| {
            let mut others = other_files(&folder).unwrap();
            others
                .retain(|name| !is_of_template(&folder, Path::new(name), shipped.iter().copied().flatten()));
            others
        };
        assert!(few.iter().any(|starter| starter.path.contains('/')));
        assert_eq!(mine(&[&starters]), Vec::<String>::new());
        // What was edited, or put beside it, is the user's.
        std::fs::write(folder.join("training/mine.py"), "").unwrap();
        assert_eq!(mine(&[&starters]), ["training"]);
        assert_eq!(mine(&[]).len(), other_files(&folder).unwrap().len());
    }
}
