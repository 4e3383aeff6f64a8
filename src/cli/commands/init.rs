//! `opsctl init`: the shipped project, as a start.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::CommandResult;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::hints::quoted;
use crate::cli::ui::Ui;
use crate::config::Name;
use crate::domain::codes;
use crate::resources::{kinds, schema};

#[derive(Debug, Args)]
pub struct InitArgs {
    /// Write into this folder
    #[arg(default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,
    /// Name of the project (default: the folder's name)
    #[arg(long)]
    pub name: Option<String>,
}

macro_rules! shipped {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../../../config/", $path)))),*] };
}

/// Everything that `opsctl --sandbox deploy` needs, as it is in config/.
const FILES: &[(&str, &str)] = shipped! {
    "opsctl.toml" "sample.json"
    "training/train.py" "training/requirements.txt"
    "training-ec2/train.py" "training-ec2/requirements.txt"
    "serving/inference.py" "serving/requirements.txt"
    "data/digits/train/0.csv" "data/digits/train/1.csv" "data/digits/train/2.csv" "data/digits/train/3.csv"
    "data/digits/train/4.csv" "data/digits/train/5.csv" "data/digits/train/6.csv" "data/digits/train/7.csv"
    "data/digits/train/8.csv" "data/digits/train/9.csv"
    "data/digits/test/0.csv" "data/digits/test/1.csv" "data/digits/test/2.csv" "data/digits/test/3.csv"
    "data/digits/test/4.csv" "data/digits/test/5.csv" "data/digits/test/6.csv" "data/digits/test/7.csv"
    "data/digits/test/8.csv" "data/digits/test/9.csv"
};
/// What names the shipped project, replaced by the new one's name.
const SHIPPED_NAMES: [(&str, &str); 2] =
    [("name   = \"digits\"", "name   = \"{name}\""), ("digits-dev-…", "{name}-dev-…")];
/// The folders that are the project's: files are not put between those of others.
const FOLDERS: &[&str] = &["training", "training-ec2", "serving", "data/digits"];
/// As much of a folder's name as fits: `<name>-dev-instance-numbers-on-ec2-ap-southeast-1` is a role, with 64
/// characters.
const FITTING: usize = 20;
const SCHEMA: &str = "opsctl.schema.json";
/// The sandbox's state and caches.
const IGNORED: &str = ".opsctl/\n";

pub fn run(args: &InitArgs, ui: &Ui) -> CommandResult {
    let folder = &args.folder;
    let name = project_name(args)?;
    // All or nothing: what is there already stops it before the first file is written.
    let files = FILES.iter().map(|(path, _)| *path).chain([SCHEMA]);
    if let Some(there) = FOLDERS.iter().copied().chain(files).find(|path| folder.join(path).exists()) {
        let message = format!("{} is already there", folder.join(there).display());
        let help = "choose another folder: `opsctl init DIR`; what you need can be moved from there";
        return Err(Failure::new(codes::EXISTS, Exit::Failed, message, help));
    }
    for (path, content) in FILES {
        let named = SHIPPED_NAMES.iter().fold((*content).to_owned(), |content, (from, to)| {
            content.replace(from, &to.replace("{name}", &name))
        });
        write(&folder.join(path), &named)?;
    }
    write(&folder.join(SCHEMA), &format!("{:#}\n", schema(&kinds())))?;
    let ignore = folder.join(".gitignore");
    let kept = ignore.exists();
    if !kept {
        write(&ignore, IGNORED)?;
    }
    let written = FILES.len() + 1 + usize::from(!kept);
    ui.say(&format!("Wrote {written} files. opsctl.toml explains every key."));
    if kept {
        ui.say("Add .opsctl/ to .gitignore: the sandbox keeps its state there.");
    }
    let enter = match folder.canonicalize().ok() == std::env::current_dir().ok() {
        true => String::new(),
        false => format!("`cd {}`, then ", quoted(&folder.display().to_string())),
    };
    ui.say(&format!(
        "Next: {enter}`opsctl check`, then `opsctl --sandbox deploy` (no account needed), then `opsctl plan`"
    ));
    Ok(Exit::Done)
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

fn write(file: &Path, content: &str) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, content));
    written.map_err(|error| {
        let message = format!("{} cannot be written: {error}", file.display());
        Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the folder's permissions")
    })
}
