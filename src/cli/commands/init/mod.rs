//! `opsctl init`: a new project, or the config for one that is there.

mod templates;

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum as _};
use serde_json::json;

use self::templates::{CONFIG, Starter, Template};
use crate::cli::CommandResult;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::hints::quoted;
use crate::cli::ui::Ui;
use crate::config::Name;
use crate::domain::{codes, shown};
use crate::inputs;
use crate::resources::{kinds, schema};

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Write into this folder
    #[arg(default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,
    /// Name of the project (default: the folder's name)
    #[arg(long)]
    pub name: Option<String>,
    /// What to start with
    #[arg(long, value_enum, default_value_t = Template::Minimal)]
    pub template: Template,
    /// Write the template's code and data also into a folder that has other files
    #[arg(long)]
    pub all: bool,
}

/// As much of a folder's name as fits: `<name>-dev-instance-numbers-on-ec2-ap-southeast-1` is a role, with 64
/// characters.
const FITTING: usize = 20;
const SCHEMA: &str = "opsctl.schema.json";
const IGNORE: &str = ".gitignore";
/// The sandbox's state and caches, and what Python leaves.
const IGNORED: &str = ".opsctl/\n__pycache__/\n";
/// What a repository has before anything is in it, besides what is hidden. What is there of it stays.
const NO_FILES: [&str; 3] = ["readme", "licen", "copying"];

/// Writes the chosen template. What is there already is never overwritten.
pub fn run(args: &InitArgs, ui: &Ui) -> CommandResult {
    let folder = &args.folder;
    let name = project_name(args)?;
    let schema = format!("{:#}\n", schema(&kinds()));
    let config = args.template.config(&name);
    let mut files = vec![
        Starter { path: CONFIG, content: config.into_bytes() },
        Starter { path: SCHEMA, content: schema.into_bytes() },
    ];
    let starters = args.template.starters(&name);
    // What an earlier `init` has written, that a full disk or a signal may have ended, is nobody else's.
    let mut others = other_files(folder)?;
    others.retain(|name| !is_of_template(folder, Path::new(name), files.iter().chain(&starters)));
    let whole = args.all || others.is_empty();
    // All or nothing: what is there already stops it before the first file is written.
    let mut left_out = Vec::new();
    if whole {
        free_folders(folder, &starters)?;
        files.extend(starters);
        files.push(Starter { path: IGNORE, content: IGNORED.as_bytes().to_vec() });
        files.retain(|file| !["README.md", IGNORE].contains(&file.path) || !folder.join(file.path).exists());
    } else {
        left_out = starters.iter().map(|starter| starter.path).filter(|path| *path != "README.md").collect();
    }
    let mut new = Vec::new();
    for file in &files {
        if !is_there(&folder.join(file.path), &file.content)? {
            new.push(file);
        }
    }
    for file in &new {
        write(&folder.join(file.path), &file.content)?;
    }
    let new: Vec<&str> = new.iter().map(|file| file.path).collect();
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "name": name, "written": new, "left_out": left_out }));
        return Ok(Exit::Done);
    }
    ui.say(&wrote(&new, whole));
    let called = folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_owned()));
    if args.name.is_none() && called.is_some_and(|called| called != *name) {
        ui.say(&format!("The project is called `{name}`, by its folder; --name gives it another name."));
    }
    if !whole {
        ui.say(&format!(
            "The folder has files of its own ({}), so the template's code and data were left out:\n\
             {}`opsctl init {}` adds them.",
            few(&others),
            listed(&left_out),
            with_all(args)
        ));
    }
    ui.say(&next(folder, whole));
    Ok(Exit::Done)
}

/// Which files were new; `whole`: of all that the template has.
fn wrote(new: &[&str], whole: bool) -> String {
    match new {
        [] if whole => "Everything is there already.".to_owned(),
        [] => format!("{CONFIG} is there already."),
        few if few.len() < 3 => format!("Wrote {}.", few.join(" and ")),
        many => format!("Wrote {} files.", many.len()),
    }
}

/// The arguments of the same command again, with `--all`.
fn with_all(args: &InitArgs) -> String {
    let mut words = vec!["--all".to_owned()];
    if args.template != Template::Minimal {
        let template = args.template.to_possible_value();
        words.extend(template.map(|template| format!("--template {}", template.get_name())));
    }
    words.extend(args.name.as_ref().map(|name| format!("--name {}", quoted(name))));
    if args.folder != Path::new(".") {
        words.push(quoted(&args.folder.display().to_string()));
    }
    words.join(" ")
}

/// The commands that come next, each with what to know of it.
const NEXT: [(&str, &str); 4] = [
    ("check", ""),
    ("--sandbox deploy", "# on this machine: no account, no cost"),
    ("--sandbox invoke", ""),
    ("plan", "# with an AWS account"),
];

/// What to do now, one command per line.
fn next(folder: &Path, whole: bool) -> String {
    let mut lines = vec!["Next:".to_owned()];
    if folder.canonicalize().ok() != std::env::current_dir().and_then(|here| here.canonicalize()).ok() {
        lines.push(format!("  cd {}", quoted(&shown::line(&folder.display().to_string()))));
    }
    if !whole {
        lines.push("  edit opsctl.toml: `path`, `source` and `code` are your folders".to_owned());
    }
    lines.extend(
        NEXT.iter().map(|(command, note)| format!("  opsctl {command:<17}{note}").trim_end().to_owned()),
    );
    lines.join("\n")
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
        return here.any(|file| fs::read(folder.join(path)).is_ok_and(|there| there == file.content));
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

fn few(names: &[String]) -> String {
    const MOST: usize = 3;
    let shown = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{shown}, …") } else { shown }
}

/// Paths, one a line, folders of several files as one.
fn listed(paths: &[&str]) -> String {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for path in paths {
        folders.entry(path.split_once('/').map_or(*path, |(top, _)| top)).or_default().push(path);
    }
    let line = |(top, files): (&str, Vec<&str>)| match files.as_slice() {
        [one] => format!("  {one}\n"),
        many => format!("  {top}/ ({} files)\n", many.len()),
    };
    folders.into_iter().map(line).collect()
}

fn project_name(args: &InitArgs) -> Result<Name, Failure> {
    let from_folder = || {
        let folder = args.folder.canonicalize().unwrap_or_else(|_| args.folder.clone());
        let name = folder.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let fitting: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let words: Vec<&str> = fitting.split('-').filter(|w| !w.is_empty()).collect();
        let name: String = words.join("-").chars().take(FITTING).collect();
        name.trim_end_matches('-').to_owned()
    };
    let wanted = args.name.clone().unwrap_or_else(from_folder);
    wanted
        .parse()
        .map_err(|error: String| Failure::new(codes::BAD_NAME, Exit::Usage, error, "give one with --name"))
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
