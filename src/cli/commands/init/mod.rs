//! `opsctl init`: a new project, or the config for one that is there.

mod chosen;
mod templates;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum as _};
use serde_json::json;

use self::chosen::Chosen;
use self::templates::{CONFIG, Template};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::config::Name;
use crate::domain::shell::quoted;
use crate::domain::{codes, few, shown};

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

/// Writes the chosen template. What is there already is never overwritten.
pub fn run(args: &InitArgs, ui: &Ui) -> CommandResult {
    let name = project_name(args)?;
    let chosen = Chosen::of(args, &name)?;
    let new = chosen.write(&args.folder)?;
    if ui.json() {
        let left_out = &chosen.left_out;
        ui.out_json(&json!({ "format": 1, "name": name, "written": new, "left_out": left_out }));
        return Ok(Exit::Done);
    }
    ui.say(&wrote(&new, chosen.whole));
    if !chosen.kept.is_empty() {
        ui.say(&format!("Left as it was: {}.", chosen.kept.join(" and ")));
    }
    let called = args.folder.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_owned()));
    if args.name.is_none() && called.is_some_and(|called| called != *name) {
        ui.say(&format!("The project is called `{name}`, by its folder; --name gives it another name."));
    }
    if !chosen.whole {
        ui.say(&format!(
            "The folder has files of its own ({}), so the template's code and data were left out:\n\
             {}`opsctl init {}` adds them.",
            few(&chosen.others, 3),
            listed(&chosen.left_out),
            with_all(args)
        ));
    }
    ui.say(&next(&args.folder, chosen.whole, Ui::width_err()));
    Ok(Exit::Done)
}

/// Which files were new; `whole`: of all that the template has.
fn wrote(new: &[&str], whole: bool) -> String {
    match new {
        [] if whole => "Everything is there already.".to_owned(),
        [] => format!("{CONFIG} is there already."),
        one_or_two if one_or_two.len() < 3 => format!("Wrote {}.", one_or_two.join(" and ")),
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

/// What to do now, one command per line; what to know of it is above it where it has no room beside it.
fn next(folder: &Path, whole: bool, columns: usize) -> String {
    let mut lines = vec!["Next:".to_owned()];
    if folder.canonicalize().ok() != std::env::current_dir().and_then(|here| here.canonicalize()).ok() {
        lines.push(format!("  cd {}", quoted(&shown::line(&folder.display().to_string()))));
    }
    if !whole {
        lines.push("  edit opsctl.toml: `path`, `source` and `code` are your folders".to_owned());
    }
    for (command, note) in NEXT {
        let line = format!("  opsctl {command:<17}{note}");
        if line.len() > columns {
            lines.extend([format!("  {note}"), format!("  opsctl {command}")]);
        } else {
            lines.push(line.trim_end().to_owned());
        }
    }
    lines.join("\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_fits_forty_columns() {
        let narrow = next(Path::new("."), true, 40);
        assert!(narrow.lines().all(|line| line.len() <= 40), "{narrow}");
        let deploy = "\n  # on this machine: no account, no cost\n  opsctl --sandbox deploy\n";
        assert!(narrow.contains(deploy), "{narrow}");
        let wide = next(Path::new("."), true, 80);
        assert!(
            wide.contains("\n  opsctl --sandbox deploy # on this machine: no account, no cost\n"),
            "{wide}"
        );
    }
}
