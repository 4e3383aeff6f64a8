//! The documents say what the program does: references are generated from its types, and every command that a
//! document shows must at least be one.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory, Parser};
use expect_test::expect_file;
use opsctl::cli::Cli;

use crate::support::commands::{ALONE, CHANGES, LOOKS};

const HEAD: &str = "\
# Commands

<!-- Written from src/cli/commands: UPDATE_EXPECT=1 cargo test --test e2e documents -->

Every command with its options, as `opsctl COMMAND --help` shows them. Options of all commands are listed once, here:
";

#[test]
fn the_command_reference_is_fresh() {
    let text =
        |command: Command| command.term_width(100).render_long_help().to_string().trim_end().to_owned();
    let mut document = format!("{HEAD}\n```text\n{}\n```\n", text(quiet(Cli::command())));
    let mut tree = Cli::command();
    tree.build();
    let inner = |command: &Command| -> Vec<Command> {
        let inner: Vec<Command> = command.get_subcommands().cloned().collect();
        inner.into_iter().rev().filter(|c| c.get_name() != "help").collect()
    };
    let shared: Vec<String> = tree.get_arguments().map(|a| a.get_id().to_string()).collect();
    let mut level = inner(&tree);
    while let Some(command) = level.pop() {
        level.extend(inner(&command));
        let name = command.get_bin_name().expect("the tree is built").to_owned();
        let own = without_globals(command, &shared);
        document.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", text(own)));
    }
    expect_file!["../../docs/commands.md"].assert_eq(&document);
}

#[test]
fn the_schema_of_events_is_fresh() {
    let schema = opsctl::report::live::schema::schema();
    expect_file!["../../docs/events.schema.json"].assert_eq(&format!("{schema:#}\n"));
}

/// Every `opsctl …` in a `sh` block of README.md and docs/ is a command line that opsctl can read.
#[test]
fn every_command_in_the_documents_is_one() {
    let mut documents = vec![root().join("README.md"), root().join("src/cli/commands/init/README.md")];
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        let paths = fs::read_dir(folder).expect("docs/ can be read").map(|e| e.expect("it is there").path());
        let (inner, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
        folders.extend(inner);
        documents.extend(files.into_iter().filter(|path| path.extension().is_some_and(|e| e == "md")));
    }
    for document in documents {
        let text = fs::read_to_string(&document).unwrap_or_else(|e| panic!("{}: {e}", document.display()));
        let commands: Vec<Vec<String>> =
            shell_lines(&text).into_iter().filter_map(|line| arguments(&line)).collect();
        for arguments in &commands {
            let parsed = Cli::try_parse_from(arguments);
            // `--help` and `--version` end the parser too, and are fine.
            let wrong = parsed.err().filter(clap::Error::use_stderr);
            assert!(
                wrong.is_none(),
                "{}: {}\n{}",
                document.display(),
                arguments.join(" "),
                wrong.expect("just seen")
            );
        }
        if document == root().join("README.md") {
            assert!(commands.len() >= 2, "the README shows how opsctl is used");
        }
    }
}

/// Every command has examples, and they are command lines that opsctl can read.
#[test]
fn every_example_of_a_command_is_one() {
    let without = ["bucket", "help"];
    for command in
        Cli::command().get_subcommands().filter(|c| !c.is_hide_set() && !without.contains(&c.get_name()))
    {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines: Vec<&str> = text.lines().skip_while(|line| *line != "Examples:").skip(1).collect();
        assert!(!lines.is_empty(), "{} has no examples", command.get_name());
        for line in lines {
            let line = line.split(" > ").next().expect("the command").trim();
            let parsed = Cli::try_parse_from(arguments(line).expect("it begins with opsctl"));
            assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("just seen"));
        }
    }
}

/// What must be so of every command is tried with lists, in which a new one is missed.
#[test]
fn every_command_is_in_the_lists_of_commands() {
    let mut tree = Cli::command();
    tree.build();
    let (mut level, mut missing, mut count) = (vec![tree], Vec::new(), 0);
    while let Some(command) = level.pop() {
        let inner: Vec<Command> =
            command.get_subcommands().filter(|c| c.get_name() != "help").cloned().collect();
        // The program itself has none.
        let words: Vec<&str> = command.get_bin_name().unwrap_or_default().split(' ').skip(1).collect();
        let is_listed = |line: &&str| line.split(' ').take(words.len()).eq(words.iter().copied());
        let is_alone = words.first().is_some_and(|first| ALONE.contains(first));
        if inner.is_empty() && !is_alone && !LOOKS.iter().chain(CHANGES).any(is_listed) {
            missing.push(words.join(" "));
        }
        count += usize::from(inner.is_empty());
        level.extend(inner);
    }
    assert_eq!(missing, [] as [&str; 0], "add them to tests/e2e/support/commands.rs");
    assert!(count > 30, "only {count} commands were found");
}

#[test]
fn commands_are_found_in_shell_blocks() {
    let text = "opsctl no\n```sh\n$ opsctl -c 'my file.toml' plan # looks\nAWS_REGION=eu-west-1 opsctl deploy \\\n  --yes && opsctl status | head\ncargo run -- --sandbox check\n```\n";
    let found: Vec<_> = shell_lines(text).iter().filter_map(|line| arguments(line)).collect();
    let words = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
    let expected =
        ["opsctl|-c|my file.toml|plan", "opsctl|deploy|--yes", "opsctl|status", "opsctl|--sandbox|check"]
            .map(words);
    assert_eq!(found, expected);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Help without what differs between machines.
fn quiet(command: Command) -> Command {
    command.mut_args(|argument| argument.hide_env_values(true))
}

/// The options of every command are shown once, with `opsctl` itself.
fn without_globals(command: Command, of_opsctl: &[String]) -> Command {
    let shared = |id: &str| ["help", "version"].contains(&id) || of_opsctl.iter().any(|known| known == id);
    quiet(command).mut_args(|a| if shared(a.get_id().as_str()) { a.hide(true) } else { a })
}

/// The commands of the fenced `sh` blocks: joined where a line continues, split where a shell would.
fn shell_lines(document: &str) -> Vec<String> {
    let (mut inside, mut text) = (false, String::new());
    for line in document.lines() {
        match line.trim_start().strip_prefix("```") {
            Some(language) => inside = !inside && matches!(language.trim(), "sh" | "bash" | "console"),
            None if inside => text.push_str(&match line.strip_suffix('\\') {
                Some(begun) => begun.to_owned(),
                None => format!("{line}\n"),
            }),
            None => {}
        }
    }
    let commands = text.lines().flat_map(|line| line.split("&&").flat_map(|part| part.split([';', '|'])));
    commands.map(|command| command.trim().to_owned()).filter(|command| !command.is_empty()).collect()
}

/// The words of a command line that runs opsctl, `opsctl` first. `None` for other programs.
fn arguments(line: &str) -> Option<Vec<String>> {
    let (mut words, mut quote) = (vec![String::new()], None);
    for c in line.strip_prefix("$ ").unwrap_or(line).chars() {
        match (quote, c) {
            (None, '#') if words.last().is_some_and(String::is_empty) => break,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, c) if c.is_whitespace() => words.push(String::new()),
            (_, c) => words.last_mut().expect("never empty").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    let assigned = words.iter().take_while(|word| word.contains('=') && !word.starts_with('-')).count();
    let words = &words[assigned..];
    let rest = match words.first()?.as_str() {
        "cargo" if words.get(1)? == "run" => words.split(|word| word == "--").nth(1)?,
        program if program.rsplit('/').next() == Some("opsctl") => &words[1..],
        _ => return None,
    };
    // Redirections are the shell's.
    let rest = rest.iter().take_while(|word| !word.starts_with(['>', '<']) && !word.starts_with("2>"));
    Some(std::iter::once("opsctl".to_owned()).chain(rest.cloned()).collect())
}
