//! The command blocks of the tutorial, of the guides by task and of some references are run, one after the
//! other, as a reader runs them.
//!
//! `opsctl --sandbox` is what it is for the reader. Without it, AWS is a sandbox whose jobs only go through
//! their states. Comments in a page, which no reader sees, say what a reader does between the commands:
//!
//! | Comment before a block | |
//! |---|---|
//! | `<!-- starts with: TEMPLATE, deployed, running -->`, once | the reader has such a project, in git; the last word: jobs and servers really run |
//! | `<!-- not run: WHY -->` | the block is not run |
//! | `<!-- write: FILE -->`, `<!-- append: FILE -->` | the block is the file, or its end |
//! | `<!-- undo: FILE -->` | the last of these is taken back |
//!
//! A `text` block after a `sh` block is of what that has printed: each of its lines is in it, with any gaps
//! between words, and `…` for whatever is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use expect_test::expect;
use opsctl_sandbox::{Sandbox, SandboxOptions};
use regex_lite::Regex;
use tempfile::TempDir;

use crate::support::search_path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/sandbox-cache");

/// A block with the comment before it.
struct Block {
    line: usize,
    /// What the comment says: `not run` and why.
    mark: Option<(String, String)>,
    language: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let (mut blocks, mut mark, mut open) = (Vec::new(), None, None::<Block>);
    for (n, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text.push_str(&format!("{line}\n")),
            (None, Some(language)) => {
                let language = language.to_owned();
                open = Some(Block { line: n + 1, mark: mark.take(), language, text: String::new() });
            }
            (None, None) => {
                let comment = line.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
                mark = comment.and_then(|it| it.split_once(": ")).map(|(a, b)| (a.into(), b.into())).or(mark);
            }
        }
    }
    blocks
}

/// The pages whose blocks are run.
fn pages() -> Vec<PathBuf> {
    let tasks = fs::read_dir(Path::new(ROOT).join("docs/tasks")).expect("the guides by task");
    let mut pages: Vec<PathBuf> = tasks.map(|entry| entry.expect("it is there").path()).collect();
    let others = ["tutorial.md", "audit.md", "ci.md", "report.md", "sandbox.md", "upload.md"];
    pages.extend(others.map(|name| Path::new(ROOT).join("docs").join(name)));
    pages.sort();
    pages
}

/// The reader: a folder, a home, and a shell for each block.
struct Reader {
    folder: TempDir,
    here: PathBuf,
    aws: String,
    /// What was in files before they were edited.
    before: BTreeMap<PathBuf, String>,
    /// What the last block printed.
    printed: String,
}

impl Reader {
    fn new(aws: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("opsctl-page-").tempdir().expect("a temporary folder");
        for part in ["home", "bin", "work", ".git"] {
            fs::create_dir(folder.path().join(part)).expect("the folder is ours");
        }
        // Whoever reads the page answers yes.
        let program = format!("#!/bin/sh\nexec '{}' --yes \"$@\"\n", env!("CARGO_BIN_EXE_opsctl"));
        let file = folder.path().join("bin/opsctl");
        fs::write(&file, program).expect("the folder is ours");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(file, executable).expect("the file is ours");
        let here = folder.path().join("work");
        Self { folder, here, aws: aws.to_owned(), before: BTreeMap::new(), printed: String::new() }
    }

    fn run(&mut self, commands: &str, place: &str) {
        let (bin, after) = (self.folder.path().join("bin"), self.folder.path().join("here"));
        let path = search_path();
        let path = std::iter::once(bin).chain(std::env::split_paths(&path));
        let script = format!("set -euo pipefail\n{commands}\npwd > '{}'\n", after.display());
        let output = Command::new("bash")
            .args(["-c", &script])
            .current_dir(&self.here)
            .env_clear()
            .env("PATH", std::env::join_paths(path).expect("they were split"))
            .env("HOME", self.folder.path().join("home"))
            .env("AWS_ENDPOINT_URL", &self.aws)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            // Environments with their packages are made once for all tests, and nothing outlives its test.
            .env("OPSCTL_CACHE", CACHE)
            .env("OPSCTL_SANDBOX_IDLE", "0s")
            .env("GITHUB_STEP_SUMMARY", self.folder.path().join("summary.md"))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Reader")))
            .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "reader@example.com")))
            .output()
            .expect("there is a bash");
        self.printed =
            [output.stdout, output.stderr].map(|s| String::from_utf8_lossy(&s).into_owned()).concat();
        assert!(output.status.success(), "{place}\n{commands}\n{}\n{}", output.status, self.printed);
        let here = fs::read_to_string(after).expect("just written");
        self.here = PathBuf::from(here.trim_end());
    }

    /// Does to a file what the comment says.
    fn edit(&mut self, how: &str, file: &str, text: &str, place: &str) {
        let file = self.here.join(file);
        let had = fs::read_to_string(&file).unwrap_or_default();
        let has = match how {
            "write" => text.to_owned(),
            "append" => format!("{had}\n{text}"),
            "undo" => self.before.get(&file).unwrap_or_else(|| panic!("{place}: nothing to undo")).clone(),
            other => panic!("{place}: there is no mark `{other}`"),
        };
        self.before.insert(file.clone(), had);
        fs::write(file, has).unwrap_or_else(|e| panic!("{place}: {e}"));
    }

    /// The project that a page begins with.
    fn begin(&mut self, with: &str, place: &str) {
        let (template, rest) = with.split_once(", ").unwrap_or((with, ""));
        let init = format!(
            "opsctl init --template {template} digits\ncd digits\ngit init --quiet\ngit add --all\n\
             git commit --quiet --message start"
        );
        self.run(&init, place);
        if !rest.is_empty() {
            self.run("opsctl deploy", place);
        }
    }

    /// Every line is in what was printed.
    fn compare(&self, text: &str, place: &str) {
        for line in text.lines() {
            let words: Vec<String> = line.split_whitespace().map(regex_lite::escape).collect();
            // A gap is at least one blank, but for where something is left out.
            let pattern = words.join(r"[ ]+").replace("[ ]+…", "…").replace("…[ ]+", "…").replace('…', ".*");
            let found = Regex::new(&pattern).expect("escaped").is_match(&self.printed);
            assert!(found, "{place}: `{line}` is not in\n{}", self.printed);
        }
    }
}

/// What stands in for AWS.
async fn aws(root: &Path, runs: bool) -> Sandbox {
    let mut options = SandboxOptions::new(root);
    options.runs = runs;
    options.cache = CACHE.into();
    Sandbox::start(options).await.expect("the sandbox starts")
}

fn follow(name: &str) {
    let path = Path::new(ROOT).join("docs").join(name);
    let page = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    let state = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    let with = page.split("<!-- starts with: ").nth(1).and_then(|rest| rest.split(" -->").next());
    let aws = runtime.block_on(aws(state.path(), with.is_some_and(|with| with.ends_with("running"))));
    let mut reader = Reader::new(aws.endpoint_url());
    if let Some(with) = with {
        reader.begin(with, name);
    }
    for block in blocks(&page) {
        let place = format!("docs/{name}:{}", block.line);
        let mark = block.mark.as_ref().map(|(how, what)| (how.as_str(), what.as_str()));
        match (mark, block.language.as_str()) {
            (Some(("not run", _)), _) => continue,
            (Some(("starts with", _)) | None, _) => {}
            (Some((how, file)), _) => reader.edit(how, file, &block.text, &place),
        }
        match block.language.as_str() {
            "sh" => reader.run(&block.text, &place),
            "text" => reader.compare(&block.text, &place),
            _ => {}
        }
    }
    runtime.block_on(aws.stop());
}

macro_rules! pages {
    ($($test:ident: $page:literal)*) => {
        $(#[test]
        fn $test() {
            follow($page);
        })*

        const FOLLOWED: &[&str] = &[$($page),*];
    };
}

pages! {
    the_tutorial: "tutorial.md"
    auditing: "audit.md"
    in_a_pipeline: "ci.md"
    the_report: "report.md"
    the_sandbox: "sandbox.md"
    uploading: "upload.md"
    adopting: "tasks/adopt.md"
    changing_data_and_code: "tasks/change-data-and-code.md"
    costs: "tasks/costs.md"
    company_accounts: "tasks/company-accounts.md"
    environments: "tasks/environments.md"
    removing: "tasks/remove.md"
    rolling_back: "tasks/roll-back.md"
}

#[test]
fn every_guide_is_followed() {
    let names: Vec<String> = pages()
        .iter()
        .map(|path| {
            path.strip_prefix(Path::new(ROOT).join("docs")).expect("below docs").display().to_string()
        })
        .collect();
    let mut followed = FOLLOWED.to_vec();
    followed.sort_unstable();
    assert_eq!(names, followed);
}

/// What is not run is seldom, and has a reason.
#[test]
fn few_blocks_are_not_run() {
    let mut left_out = String::new();
    for path in pages() {
        let page = fs::read_to_string(&path).expect("a page");
        for block in blocks(&page).into_iter().filter(|block| block.language == "sh") {
            if let Some((_, why)) = block.mark.filter(|(how, _)| how == "not run") {
                let name = path.file_name().expect("a file").to_string_lossy();
                left_out.push_str(&format!("{name}: {why}\n"));
            }
        }
    }
    expect![[r#"
        ci.md: the tutorial does the same
        sandbox.md: serves until Ctrl-C
        sandbox.md: takes two terminals
        adopt.md: there is no such bucket
        company-accounts.md: needs a browser and an account
        tutorial.md: downloads 1.1 GB
        tutorial.md: downloads PyTorch
        tutorial.md: the stand-in for AWS has no PyTorch, and no console
    "#]]
    .assert_eq(&left_out);
}
