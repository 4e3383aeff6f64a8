//! `opsctl init`: the shipped project, as a start.

use std::fs;
use std::path::Path;

use super::Ended;
use super::args::InitArgs;
use super::error::Failure;
use super::exit::Exit;
use super::ui::Ui;
use crate::config::Name;
use crate::domain::codes;

macro_rules! shipped {
    ($($path:literal)*) => { &[$(($path, include_str!(concat!("../../config/", $path)))),*] };
}

/// Everything that `opsctl --sandbox deploy` needs, as it lies in config/.
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
/// The shipped project's own name, replaced by the new one's.
const SHIPPED_NAME: &str = "name   = \"digits\"";

pub fn run(args: &InitArgs, ui: &Ui) -> Ended {
    let folder = &args.folder;
    let name = project_name(args)?;
    // All or nothing: one file that is there already stops it before the first is written.
    if let Some((there, _)) = FILES.iter().find(|(path, _)| folder.join(path).exists()) {
        let message = format!("{} is already there", folder.join(there).display());
        return Err(Failure::said(
            codes::EXISTS,
            Exit::Failed,
            message,
            "choose another folder: opsctl init DIR",
        ));
    }
    for (path, content) in FILES {
        let content = content.replace(SHIPPED_NAME, &format!("name   = \"{name}\""));
        write(&folder.join(path), &content)?;
    }
    ui.say(&format!("Wrote {} files. opsctl.toml explains every key.", FILES.len()));
    ui.say("Next: opsctl check, then opsctl --sandbox deploy (no account needed), then opsctl plan");
    Ok(Exit::Done)
}

fn project_name(args: &InitArgs) -> Result<Name, Failure> {
    let from_folder = || {
        let folder = args.folder.canonicalize().unwrap_or_else(|_| args.folder.clone());
        let name = folder.file_name().map(|n| n.to_string_lossy().to_lowercase()).unwrap_or_default();
        let fitting: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let words: Vec<&str> = fitting.split('-').filter(|w| !w.is_empty()).collect();
        words.join("-")
    };
    let wanted = args.name.clone().unwrap_or_else(from_folder);
    wanted
        .parse()
        .map_err(|error: String| Failure::said(codes::BAD_NAME, Exit::Usage, error, "give one with --name"))
}

fn write(file: &Path, content: &str) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(file, content));
    written.map_err(|error| {
        let message = format!("{} cannot be written: {error}", file.display());
        Failure::said(codes::LOCAL_IO, Exit::Failed, message, "check the folder's permissions")
    })
}
