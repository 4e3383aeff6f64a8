//! `inputs` and `outputs`: paths in the folder that a script runs in, for scripts that read and write there
//! (docs/decisions/0078).

use std::collections::BTreeMap;
use std::path::Path;

use crate::desired::Draft;
use crate::domain::{KeyPath, codes};
use crate::resources::training::job::Item;

/// As the program of the instance reads them: a folder, which is made before the script starts, ends in `/`.
pub(super) fn outputs(written: &[String]) -> Vec<String> {
    let shown = |path: &String| match is_folder(path) {
        true => format!("{}/", path.trim_end_matches('/')),
        false => path.clone(),
    };
    written.iter().map(shown).collect()
}

/// Whether a path is a folder, as far as its name tells.
fn is_folder(path: &str) -> bool {
    path.ends_with('/') || Path::new(path).extension().is_none()
}

/// Refuses paths that lead elsewhere, and those that are in each other's way.
pub(super) fn lint(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let inputs = item.inputs.iter().map(|(name, path)| (at.join("inputs").join(&**name), path));
    let outputs = item.outputs.iter().enumerate();
    let outputs = outputs.map(|(place, path)| (at.join("outputs").join(place.to_string()), path));
    let mut taken: BTreeMap<&str, KeyPath> = BTreeMap::new();
    for (at, written) in inputs.chain(outputs) {
        let path = written.trim_end_matches('/');
        if let Some(why) = refused(path) {
            let text = format!("{written:?} {why}");
            let help = "write a path in the folder of the script: \"dogImages\", \"out/model.pth\"";
            draft.error(codes::BAD_VALUE, at, text, help);
            continue;
        }
        let nested = |other: &&&str| is_in(path, other) || is_in(other, path);
        if let Some(other) = taken.keys().find(nested) {
            let text = format!("{path:?} and {other:?} are in each other's way");
            let help = "give each data set and each output a path of its own, none of them inside another";
            draft.error(codes::BAD_VALUE, at, text, help);
        } else if is_in(item.entry(), path) {
            let text = format!("the script {:?} is at {path:?}", item.entry());
            draft.error(codes::BAD_VALUE, at, text, "name what the script reads or writes, not the script");
        } else {
            taken.insert(path, at);
        }
    }
    lint_names(item, at, draft);
}

/// Refuses two files of one name: at the top of the model is room for one.
fn lint_names(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let mut names: BTreeMap<&str, &str> = BTreeMap::new();
    for (place, path) in item.outputs.iter().enumerate().filter(|(_, path)| !is_folder(path)) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(other) = names.insert(name, path).filter(|other| other != path) {
            let text =
                format!("{other:?} and {path:?} have the same name, and both go to the top of the model");
            let help = "let the script give them two names, or name the folders: of a folder the contents are packed";
            draft.error(codes::BAD_VALUE, at.join("outputs").join(place.to_string()), text, help);
        }
    }
}

/// Whether one path is the other, or below it.
fn is_in(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What a pattern of gitignore and a line of the program would not take as it is.
fn refused(path: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_alphanumeric() || "._-+=@, /".contains(c);
    let is_part = |part: &str| !matches!(part, "" | "." | "..") && part.trim() == part;
    match path.split('/').all(is_part) {
        false => Some("is no path in the folder of the script"),
        true if !path.chars().all(plain) => Some("has characters that no such path may have"),
        true => None,
    }
}
