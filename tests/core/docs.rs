//! Pages that are written from the code's own tables.

use std::path::{Path, PathBuf};

use expect_test::expect_file;
use opsctl::domain::codes;
use regex_lite::Regex;

#[path = "../../src/cli/exit.rs"]
mod exit;

#[test]
fn the_page_of_codes_is_fresh() {
    let mut page = String::from(
        "# Codes\n\n\
         <!-- Written from src/domain/codes.rs:\n\
         UPDATE_EXPECT=1 cargo test --no-default-features --test core docs -->\n\n\
         Every problem that opsctl reports has a code, and `opsctl explain CODE` prints what is here. A\n\
         code never changes its meaning, so scripts may match on it. Those of the audit (`IAM…`) are\n\
         explained by the same command.\n",
    );
    let parts = [
        ("C0", "Errors in the config"),
        ("C1", "Warnings and lints of the config"),
        ("E2", "Errors while at work"),
        ("U3", "Usage"),
    ];
    for (prefix, title) in parts {
        page.push_str(&format!("\n## {title}\n"));
        for explained in codes::ALL.iter().filter(|e| e.code.starts_with(prefix)) {
            page.push_str(&format!("\n### {}: {}\n\n{}\n", explained.code, explained.title, explained.text));
        }
    }
    assert_eq!(page.matches("\n### ").count(), codes::ALL.len(), "a code is in no part");
    expect_file!["../../docs/codes.md"].assert_eq(&page);
}

#[test]
fn the_page_of_exit_codes_is_fresh() {
    let mut page = String::from(
        "# Exit codes\n\n\
         <!-- Written from src/cli/exit.rs:\n\
         UPDATE_EXPECT=1 cargo test --no-default-features --test core docs -->\n\n\
         What a script learns from how opsctl ends. A number never changes its meaning; new ones may come.\n\
         With several problems, the first that stopped the run decides.\n\n\
         | Code | Meaning |\n|---:|---|\n",
    );
    for (exit, meaning) in exit::MEANINGS {
        page.push_str(&format!("| {} | {meaning} |\n", *exit as u8));
    }
    page.push_str(
        "\n`status`, `report` and `audit-iam` end with 10 when something could not be read: they say what\n\
         there is. `plan` and `deploy` are about what the config names, and end with 0 when all of that was\n\
         read, also where something that may be left over was not: that is a warning, `unread` in JSON.\n\
         What would delete it (`destroy`, `--prune`) ends with 4.\n\n\
         `destroy` ends with 1 when something of this project stays: what has lost some of its tags, and\n\
         what is used by something that has lost them. Nothing failed, but it is not all gone, and may cost\n\
         money. What others have, what was adopted, and a bucket with objects of others stay with 0.\n\n\
         ## What a stream that takes nothing changes\n\n\
         - Results go to stdout. One that cannot be written is not 0: 1 where the disk is full or the\n  \
         like, 141 where the reader has ended.\n\
         - Progress, warnings and errors go to stderr. When that cannot be written (a full disk), nobody\n  \
         can be told, and the code stays what the command has done: a failure is not 0 without its words\n  \
         either, and what was done is done. `opsctl check -o json` has the warnings on stdout.\n\
         - A stdout that is closed (`>&-`) is not noticed. Rust opens `/dev/null` in the place of a\n  \
         closed stream before the program's first line (`sanitize_standard_fds` in\n  \
         <https://github.com/rust-lang/rust/blob/master/library/std/src/sys/pal/unix/mod.rs>),\n  \
         and in the same way other programs say that they want no output.\n",
    );
    expect_file!["../../docs/exit-codes.md"].assert_eq(&page);
}

#[test]
fn exit_codes_are_in_their_order() {
    let numbers: Vec<u8> = exit::MEANINGS.iter().map(|(exit, _)| *exit as u8).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[test]
fn the_page_of_environment_variables_has_all_that_are_read() {
    let read = regex_lite::Regex::new(r#"(?:get\(|path\(|starts_with\(|env = )"([A-Z_]+)"#).unwrap();
    let page = std::fs::read_to_string("docs/environment.md").unwrap();
    let mut count = 0;
    for file in ["src/cli/environment.rs", "src/cli/args.rs"] {
        let code = std::fs::read_to_string(file).unwrap();
        for found in read.captures_iter(&code) {
            count += 1;
            assert!(page.contains(&format!("`{}`", &found[1])), "docs/environment.md lacks {}", &found[1]);
        }
    }
    assert!(count > 12, "only {count} variables were found");
}

/// The map of the audit has every file and folder of it.
#[test]
fn the_map_of_the_audit_is_whole() {
    let text = std::fs::read_to_string("src/audit/mod.rs").unwrap();
    let (map, modules) = text.split_once("\n\n").expect("the map stands first");
    let module = Regex::new(r"(?m)^(?:pub )?mod (\w+);").unwrap();
    let named = |name: &str| map.contains(&format!(" {name}.rs ")) || map.contains(&format!(" {name}/ "));
    let missing: Vec<&str> = module
        .captures_iter(modules)
        .map(|found| found.get(1).unwrap().as_str())
        .filter(|name| !named(name))
        .collect();
    assert_eq!(missing, [] as [&str; 0]);
}

/// Every public item has a docstring. What a command line reads is not counted: its words are the help.
#[test]
fn public_items_say_what_they_are_for() {
    let item = Regex::new(r"^\s*pub (?:const |async )*(?:fn|struct|enum|trait|const|static|type) [A-Za-z_]+")
        .unwrap();
    let read_from_the_command_line =
        Regex::new(r"derive\(.*\b(?:Args|Parser|Subcommand|ValueEnum)\b").unwrap();
    let (mut all, mut bare) = (0, Vec::new());
    for file in rust_files(Path::new("src")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let is_of_tests = |two: &[&str]| two[0] == "#[cfg(test)]" && two[1].ends_with('{');
        let tests = lines.windows(2).position(is_of_tests);
        for n in (0..tests.unwrap_or(lines.len())).filter(|n| item.is_match(lines[*n])) {
            let mut above = n;
            while let Some(first) = attribute_above(&lines[..above]) {
                above = first;
            }
            if lines[above..n].iter().any(|line| read_from_the_command_line.is_match(line)) {
                continue;
            }
            all += 1;
            if above == 0 || !lines[above - 1].trim_start().starts_with("///") {
                bare.push(format!("{}:{}", file.display(), n + 1));
            }
        }
    }
    assert_eq!(bare, [] as [&str; 0]);
    assert!(all > 2_500, "only {all} were found");
}

/// The first line of the attribute that these lines end with.
fn attribute_above(lines: &[&str]) -> Option<usize> {
    let begins = |line: &&str| line.trim_start().starts_with("#[");
    match lines.last()?.trim() {
        line if begins(&line) => Some(lines.len() - 1),
        ")]" => lines.iter().rposition(begins),
        _ => None,
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && !path.to_string_lossy().ends_with("tests.rs")
        {
            files.push(path);
        }
    }
    files.sort();
    files
}
