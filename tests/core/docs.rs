//! Pages that are written from the code's own tables.

use opsctl::domain::codes;

use expect_test::expect_file;

#[path = "../../src/cli/exit.rs"]
mod exit;

#[test]
fn the_page_of_codes_is_fresh() {
    let mut page = String::from(
        "# Codes\n\n\
         <!-- Written from src/domain/codes.rs: UPDATE_EXPECT=1 cargo test --no-default-features --test core docs -->\n\n\
         Every problem that opsctl reports has a code, and `opsctl explain CODE` prints what is here. A code never\n\
         changes its meaning, so scripts may match on it. Those of the audit (`IAM…`) are explained by the same command.\n",
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
         <!-- Written from src/cli/exit.rs: UPDATE_EXPECT=1 cargo test --no-default-features --test core docs -->\n\n\
         What a script learns from how opsctl ends. A number never changes its meaning; new ones may come. With several\n\
         problems, the first that stopped the run decides.\n\n\
         | Code | Meaning |\n|---:|---|\n",
    );
    for (exit, meaning) in exit::MEANINGS {
        page.push_str(&format!("| {} | {meaning} |\n", *exit as u8));
    }
    page.push_str(
        "\n## What a stream that takes nothing changes\n\n\
         - Results go to stdout. One that cannot be written is not 0: 1 where the disk is full or the like, 141 where the\n  \
         reader has ended.\n\
         - Progress, warnings and errors go to stderr. When that cannot be written (a full disk), nobody can be told, and\n  \
         the code stays what the command has done: a failure is not 0 without its words either, and what was done is\n  \
         done. `opsctl check -o json` has the warnings on stdout.\n\
         - A stdout that is closed (`>&-`) is not noticed. Rust opens `/dev/null` in the place of a closed stream before the\n  \
         program's first line\n  \
         (<https://github.com/rust-lang/rust/blob/master/library/std/src/sys/pal/unix/mod.rs>, `sanitize_standard_fds`),\n  \
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
