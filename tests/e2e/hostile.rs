//! `tests/cases/hostile` has one file for each case: files, then commands with all that they say and how they
//! end. `UPDATE_EXPECT=1` rewrites what they say. Files are written as they are, or, when their head says
//! `escaped`, with `\xNN` for a byte and `\*N{…}` for a text N times.

use std::fs;
use std::path::PathBuf;

use crate::support::golden::same_as_files;
use crate::support::{Ran, World};

const FOLDER: &str = "tests/cases/hostile";

struct Case {
    /// Everything before the first command, as it is written.
    given: String,
    files: Vec<(String, Vec<u8>)>,
    variables: Vec<(String, String)>,
    commands: Vec<Vec<String>>,
}

fn read(text: &str) -> Case {
    let start = text.find("\n$ opsctl").map_or(text.len(), |at| at + 1);
    let (given, rest) = text.split_at(start);
    let mut case =
        Case { given: given.to_owned(), files: Vec::new(), variables: Vec::new(), commands: Vec::new() };
    let mut escaped = false;
    for line in given.lines() {
        if let Some(head) = line.strip_prefix("--- ") {
            escaped = head.ends_with(" escaped");
            case.files.push((head.trim_end_matches(" escaped").to_owned(), Vec::new()));
        } else if let Some(variable) = line.strip_prefix("env ").filter(|_| case.files.is_empty()) {
            let (name, value) = variable.split_once('=').expect("env NAME=VALUE");
            case.variables.push((name.to_owned(), value.to_owned()));
        } else if let Some((_, content)) = case.files.last_mut() {
            match escaped {
                // The last line feed too is written as an escape.
                true => content.extend(unescaped(line)),
                false => content.extend(format!("{line}\n").bytes()),
            }
        }
    }
    let commands = rest.lines().filter_map(|line| line.strip_prefix("$ opsctl"));
    case.commands = commands.map(|words| words.split_whitespace().map(str::to_owned).collect()).collect();
    case
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        if let Some(hex) = after.strip_prefix('x') {
            bytes.push(u8::from_str_radix(&hex[..2], 16).expect("two digits"));
            rest = &hex[2..];
        } else if let Some((times, more)) = after.strip_prefix('*').and_then(|many| many.split_once('{')) {
            let (repeated, more) = more.split_once('}').expect("a closing brace");
            bytes.extend(repeated.repeat(times.parse().expect("a number")).bytes());
            rest = more;
        } else {
            bytes.push(b'\\');
            rest = after.strip_prefix('\\').unwrap_or(after);
        }
    }
    bytes.extend(rest.bytes());
    bytes
}

/// What nobody may be told, whatever the input: nothing that a terminal or a CI server obeys, and no panic.
fn harm(ran: &Ran) -> Vec<String> {
    let said = || ran.stdout.chars().chain(ran.stderr.chars());
    let obeyed = |c: &char| {
        (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut harm: Vec<String> = said().filter(obeyed).map(|c| format!("it says {c:?}")).collect();
    let mut lines = ran.stdout.lines().chain(ran.stderr.lines());
    // Unless it is spoken to.
    if !ran.to_string().contains("--format github") && lines.any(|line| line.trim_start().starts_with("::")) {
        harm.push("a CI server obeys a line that begins with ::".to_owned());
    }
    if ran.stderr.contains("panicked at") {
        harm.push("it panicked".to_owned());
    }
    // A key has the length that it has; programs are told the whole of it.
    if ran.stderr.len() > 20_000 {
        harm.push(format!("it says {} bytes", ran.to_string().len()));
    }
    harm.into_iter().map(|harm| format!("{harm}\n{ran}")).collect()
}

fn cases() -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(FOLDER).expect("the folder is there").flatten().map(|e| e.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "case"));
    files.sort();
    files
}

#[test]
fn hostile_input_is_answered_with_a_message_a_code_and_a_status() {
    let (mut wrong, mut said) = (Vec::new(), Vec::new());
    let all = cases();
    assert!(all.len() > 30, "{}", all.len());
    for file in all {
        let text = fs::read_to_string(&file).expect("readable");
        let case = read(&text);
        let mut world = World::empty();
        for (name, content) in &case.files {
            let path = world.path(name);
            fs::create_dir_all(path.parent().expect("below the folder")).expect("the folder is ours");
            fs::write(path, content).expect("the folder is ours");
        }
        if case.commands.iter().flatten().any(|word| word == "--sandbox") {
            let folder = world.sandbox_folder();
            world = world.env("OPSCTL_SANDBOX", folder.display());
        }
        for (name, value) in &case.variables {
            world = world.env(name, value);
        }
        let mut is = case.given.clone();
        for command in &case.commands {
            let ran = world.run(command.iter().map(String::as_str));
            wrong.extend(harm(&ran).into_iter().map(|harm| format!("{}: {harm}", file.display())));
            is += &ran.to_string();
        }
        said.push((file, is));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    same_as_files(said, "other answers than expected");
}
