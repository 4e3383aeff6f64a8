//! `opsctl man`: manual pages, from the same texts as `--help`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;
use serde_json::json;

use super::Cli;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::{self, Exit};
use crate::cli::ui::Ui;
use crate::cli::wrote::{Replace, place};
use crate::domain::{codes, many};
use crate::inputs::Output;

#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write a page for every command into this folder, such as ~/.local/share/man/man1 (default: print the
    /// page of opsctl)
    #[arg(value_name = "DIR", value_parser = place())]
    pub folder: Option<PathBuf>,
    #[command(flatten)]
    pub replace: Replace,
}

/// Writes one page per command into the folder, or the whole to stdout.
pub fn run(args: &ManArgs, ui: &Ui) -> CommandResult {
    let mut whole = Cli::command().disable_help_subcommand(true);
    whole.build();
    let Some(folder) = &args.folder else {
        args.replace.allows_but([], is_in_the_way)?;
        ui.out(&page(whole, "opsctl")?);
        return Ok(Exit::Done);
    };
    let written = pages(whole)?;
    let files: Vec<PathBuf> = written.iter().map(|(name, _)| folder.join(name)).collect();
    args.replace.allows_but(files.iter().map(|file| (file.as_path(), "man DIR")), is_in_the_way)?;
    fs::create_dir_all(folder).map_err(|error| unwritten(folder, &error))?;
    for (file, (_, text)) in files.iter().zip(&written) {
        write(file, text).map_err(|error| unwritten(file, &error))?;
    }
    if ui.json() {
        let names: Vec<&String> = written.iter().map(|(name, _)| name).collect();
        ui.out_json(&json!({ "format": 1, "written": names }));
    } else {
        ui.say(&format!("Wrote {}.", many(written.len(), "page")));
    }
    Ok(Exit::Done)
}

/// Whether something else is there than an empty file or a page of opsctl's, of whatever version: packages
/// and other machines write pages too, so it is known by what it says. A link is somebody's own.
fn is_in_the_way(file: &Path) -> bool {
    /// More than what comes before the title.
    const BEGINNING: u64 = 1 << 10;
    let Ok(about) = file.symlink_metadata() else { return false };
    let is_page = || {
        let mut beginning = Vec::new();
        File::open(file).and_then(|file| file.take(BEGINNING).read_to_end(&mut beginning)).ok()?;
        let beginning = String::from_utf8_lossy(&beginning).into_owned();
        Some(beginning.lines().any(|line| line.starts_with(".TH OPSCTL") && line.contains("\"opsctl ")))
    };
    !about.is_file() || (about.len() > 0 && is_page() != Some(true))
}

/// In the place of what is there; what a link leads to stays.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let output = Output::inside(file)?;
    output.content().write_all(text.as_bytes())?;
    output.finish()
}

/// The files, with their texts.
fn pages(whole: Command) -> Result<Vec<(String, String)>, Failure> {
    let shared: Vec<String> = whole.get_arguments().map(|it| it.get_id().to_string()).collect();
    let mut level = vec![("opsctl".to_owned(), whole)];
    let mut pages = Vec::new();
    while let Some((name, command)) = level.pop() {
        let inner = command.get_subcommands().filter(|it| !it.is_hide_set());
        level.extend(inner.map(|it| (format!("{name}-{}", it.get_name()), it.clone())));
        // The options of every command are on the page of opsctl.
        let own = match name == "opsctl" {
            true => command,
            false => command.mut_args(|it| {
                let of_all = shared.iter().any(|id| it.get_id() == id.as_str());
                it.hide(of_all)
            }),
        };
        pages.push((format!("{name}.1"), page(own, &name)?));
    }
    pages.sort();
    Ok(pages)
}

/// One page, in the language of `man`.
fn page(command: Command, name: &str) -> Result<String, Failure> {
    // What the environment holds is nothing for a page.
    let command = command.mut_args(|it| it.hide_env_values(true));
    let mut text = Vec::new();
    let version = concat!("opsctl ", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command).title(name.to_uppercase()).source(version).manual("opsctl").date("");
    man.render(&mut text).map_err(|error| unwritten(Path::new(name), &error))?;
    let page = with_examples(&String::from_utf8_lossy(&text));
    // What it ends with is the same for every command, as the options are that all have.
    Ok(if name == "opsctl" { page + &exit_status() } else { page })
}

/// The section of the codes with which opsctl ends.
fn exit_status() -> String {
    let code = |(exit, meaning): &(Exit, &str)| {
        format!(".TP\n\\fB{}\\fR\n{}\n", *exit as u8, meaning.replace('-', "\\-"))
    };
    format!(".SH \"EXIT STATUS\"\n{}", exit::MEANINGS.iter().map(code).collect::<String>())
}

/// What help shows at its end stands under EXTRA, filled like prose. It is lines to copy.
fn with_examples(page: &str) -> String {
    let Some((before, rest)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let (lines, after) = rest.split_once("\n.SH ").unwrap_or((rest, ""));
    let (heading, lines) = match lines.strip_prefix("Examples:\n") {
        Some(lines) => ("EXAMPLES", lines),
        None => ("NOTES", lines),
    };
    format!("{before}.SH {heading}\n.nf\n{lines}\n.fi\n.SH {after}")
}

fn unwritten(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be written: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "name another folder")
}
