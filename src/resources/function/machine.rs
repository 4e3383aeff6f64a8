//! For which machine a library is made: Python packages bring compiled ones, for the machine that pip ran on.

use std::path::Path;

use crate::desired::Draft;
use crate::domain::{KeyPath, codes};
use crate::inputs::{Entry, Tree};

/// Warns of libraries that cannot be loaded where the function runs: the function starts, and fails at its
/// first import.
pub fn warn_of_foreign(tree: &Tree, folder: &Path, architecture: &str, at: &KeyPath, draft: &mut Draft<'_>) {
    let foreign = |entry: &&Entry| made_for(entry).is_some_and(|machine| machine != architecture);
    let mut all = tree.entries.iter().filter(foreign);
    let Some(first) = all.next() else { return };
    let more = match all.count() {
        0 => String::new(),
        n => format!(" ({n} more cannot be loaded either)"),
    };
    let machine = made_for(first).unwrap_or_default();
    let text = format!("{} is made for {machine}, and the function runs on {architecture}{more}", first.path);
    let platform = if architecture == "arm64" { "manylinux2014_aarch64" } else { "manylinux2014_x86_64" };
    let folder = folder.display();
    let help =
        format!("pip install --platform {platform} --only-binary=:all: -t {folder} …, or set `architecture`");
    draft.warn(codes::FOREIGN_LIBRARY, at.clone(), text, help);
}

/// The machine of a library or program, in Lambda's words where it has one; `None` for any other file.
fn made_for(entry: &Entry) -> Option<&'static str> {
    let named = |ends: &[&str]| ends.iter().any(|end| entry.path.ends_with(end));
    match entry.content.as_slice() {
        // https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html: e_machine is at 18, in the order
        // of bytes that the sixth one says.
        [0x7f, b'E', b'L', b'F', _, order, rest @ ..] if rest.len() >= 14 => {
            let machine = [rest[12], rest[13]];
            let machine = match order {
                2 => u16::from_be_bytes(machine),
                _ => u16::from_le_bytes(machine),
            };
            Some(match machine {
                62 => "x86_64",
                183 => "arm64",
                _ => "another processor",
            })
        }
        // Mach-O, of one processor or of several. Java's classes begin like the latter.
        [0xcf, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] if named(&[".so", ".dylib"]) => {
            Some("macOS")
        }
        [b'M', b'Z', ..] if named(&[".pyd", ".dll"]) => Some("Windows"),
        _ => None,
    }
}
