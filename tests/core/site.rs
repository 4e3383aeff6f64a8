//! The pages of docs/ as a book: docs/SUMMARY.md has every one of them, once. `.ci/site` builds it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use regex_lite::Regex;

/// The parts for users, with the titles of the pages where their headings are too long for a list.
const PARTS: &[(&str, &[(&str, &str)])] = &[
    ("Learn", &[("Tutorial", "tutorial.md")]),
    (
        "Guides",
        &[
            ("Change data and code", "tasks/change-data-and-code.md"),
            ("Call your model", "calling.md"),
            ("Roll back", "tasks/roll-back.md"),
            ("Keep costs down", "tasks/costs.md"),
            ("Prices and budgets", "cost.md"),
            ("Several environments", "tasks/environments.md"),
            ("In a pipeline", "ci.md"),
            ("Company accounts", "tasks/company-accounts.md"),
            ("Move from the console", "tasks/adopt.md"),
            ("Remove everything", "tasks/remove.md"),
            ("Make a report", "report.md"),
            ("Upload data", "upload.md"),
            ("The IAM audit", "audit.md"),
            ("The sandbox", "sandbox.md"),
            ("Troubleshooting", "troubleshooting.md"),
        ],
    ),
    (
        "Reference",
        &[
            ("The config file", "config.md"),
            ("Commands", "commands.md"),
            ("Codes", "codes.md"),
            ("Exit codes", "exit-codes.md"),
            ("Events", "events.md"),
            ("Environment variables", "environment.md"),
            ("Permissions", "permissions.md"),
        ],
    ),
    (
        "Security and reliability",
        &[
            ("Security model", "security.md"),
            ("What is managed", "managed.md"),
            ("What is tested", "reliability.md"),
        ],
    ),
    (
        "Develop opsctl",
        &[
            ("How it is built", "architecture.md"),
            ("Contributing", "contributing.md"),
            ("How opsctl speaks", "messages.md"),
            ("Glossary", "glossary.md"),
        ],
    ),
];

/// Folders for those who develop it, below a page of their own.
const FOLDERS: &[(&str, &str, &str)] = &[
    ("Step by step", "contributing.md", "guides"),
    ("Inside", "architecture.md", "inside"),
    ("Decisions", "decisions/README.md", "decisions"),
    ("How AWS behaves", "aws/README.md", "aws"),
];

fn pages() -> Vec<String> {
    fn walk(folder: &Path, pages: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, pages);
            } else if path.extension().is_some_and(|e| e == "md") {
                pages.push(path.strip_prefix("docs").unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut pages = Vec::new();
    walk(Path::new("docs"), &mut pages);
    pages.retain(|page| page != "SUMMARY.md");
    pages.sort();
    pages
}

fn heading(page: &str) -> String {
    let text = std::fs::read_to_string(Path::new("docs").join(page)).unwrap();
    let first = text.lines().next().unwrap();
    first.strip_prefix("# ").unwrap_or_else(|| panic!("docs/{page} begins with its heading")).replace('`', "")
}

#[test]
fn the_summary_of_the_book_has_every_page_once() {
    let all = pages();
    let mut summary = String::from(
        "# Summary\n\n\
        <!-- Written by tests/core/site.rs: UPDATE_EXPECT=1 cargo test --no-default-features --test core \
        site -->\n\n\
         [opsctl](README.md)\n",
    );
    let mut listed: Vec<&str> = vec!["README.md"];
    for (part, pages) in PARTS {
        summary.push_str(&format!("\n# {part}\n\n"));
        for (title, page) in *pages {
            summary.push_str(&format!("- [{title}]({page})\n"));
            listed.push(page);
            let below = FOLDERS.iter().filter(|(_, above, _)| above == page);
            for folder in below.flat_map(|(_, _, folder)| inside(&all, folder)) {
                summary.push_str(&format!("  - [{}]({folder})\n", heading(folder)));
                listed.push(folder);
            }
        }
    }
    for (title, page, folder) in FOLDERS.iter().filter(|(_, page, _)| page.ends_with("README.md")) {
        summary.push_str(&format!("- [{title}]({page})\n"));
        listed.push(page);
        for page in inside(&all, folder) {
            summary.push_str(&format!("  - [{}]({page})\n", heading(page)));
            listed.push(page);
        }
    }
    let unique: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let missing: Vec<&String> = all.iter().filter(|page| !unique.contains(page.as_str())).collect();
    assert!(missing.is_empty(), "in no part of tests/core/site.rs: {missing:?}");
    expect_file!["../../docs/SUMMARY.md"].assert_eq(&summary);
}

/// The pages of a folder, without its first.
fn inside<'a>(all: &'a [String], folder: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("{folder}/");
    all.iter()
        .map(String::as_str)
        .filter(move |page| page.starts_with(&start) && !page.ends_with("README.md"))
}

/// What is not below docs/ is not on the site, so pages name it by its address on GitHub. It is there.
#[test]
fn links_out_of_the_book_lead_to_files_of_the_repository() {
    let link = Regex::new(r"\]\(<?([^)>\s]+)>?\)").unwrap();
    let code = Regex::new(r"`[^`]*`").unwrap();
    let ours = "https://github.com/opsctl/opsctl/blob/main/";
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        let text = std::fs::read_to_string(Path::new("docs").join(&page)).unwrap();
        let text: String = text.split("```").step_by(2).collect();
        for found in link.captures_iter(&code.replace_all(&text, "``")) {
            let target = found[1].split('#').next().unwrap();
            let there = match (target.strip_prefix(ours), target.contains("://")) {
                (Some(path), _) => Path::new(path).exists(),
                (None, true) => true,
                (None, false) => {
                    let depth = page.matches('/').count();
                    let up = target.split('/').take_while(|part| *part == "..").count();
                    let file: PathBuf = Path::new("docs").join(&page).with_file_name(target);
                    up <= depth && (target.is_empty() || file.is_file())
                }
            };
            count += 1;
            if !there {
                wrong.push(format!("docs/{page}: {}", &found[1]));
            }
        }
    }
    assert!(wrong.is_empty(), "write {ours}… for what is not a page of docs/:\n{}", wrong.join("\n"));
    assert!(count > 200, "only {count} links were found: does this test still read them?");
}
