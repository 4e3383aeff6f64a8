//! `action.yml`: its shell runs here as in a job, with the sandbox as AWS and a `gh` that keeps comments in a
//! file.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::{World, search_path};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A job of one pull request.
struct Job {
    world: World,
    temp: PathBuf,
}

impl Job {
    fn new() -> Self {
        let world = World::shipped();
        let temp = world.path("../runner");
        let programs = temp.join("bin");
        fs::create_dir_all(&programs).expect("the folder is ours");
        let link = |from: &Path, name: &str| {
            std::os::unix::fs::symlink(from, programs.join(name)).expect("the folder is ours");
        };
        link(Path::new(env!("CARGO_BIN_EXE_opsctl")), "opsctl");
        link(&root().join("tests/e2e/support/gh.py"), "gh");
        Self { world, temp }
    }

    fn script(&self, name: &str, variables: &[(&str, &str)]) -> Output {
        let path = search_path().into_string().expect("a text");
        let file = |name: &str| self.temp.join(name).display().to_string();
        Command::new("bash")
            .arg(root().join(".ci/action").join(name))
            .current_dir(self.world.path(""))
            .env_clear()
            .env("HOME", self.world.path("../home"))
            .env("PATH", format!("{}:{path}", self.temp.join("bin").display()))
            .env("RUNNER_TEMP", &self.temp)
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_OUTPUT", file("output"))
            .env("GITHUB_STEP_SUMMARY", file("summary"))
            .env("GITHUB_PATH", file("path"))
            .env("GITHUB_REPOSITORY", "me/digits")
            .env("GITHUB_REF", "refs/pull/7/merge")
            .env("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")
            .env("FAKE_GITHUB", &self.temp)
            .env("OPSCTL_SANDBOX", self.world.sandbox_folder())
            .env("OPSCTL_SANDBOX_IDLE", "0s")
            .env("IN_SANDBOX", "true")
            .env("IN_COMMENT", "true")
            .env("IN_COMMENT_AUTHOR", "github-actions[bot]")
            .envs(variables.iter().copied())
            .output()
            .expect("bash is there")
    }

    #[track_caller]
    fn run(&self, variables: &[(&str, &str)], code: i32) -> String {
        let output = self.script("run.sh", variables);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("it is text");
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.temp.join(name)).unwrap_or_default()
    }

    fn outputs(&self) -> Vec<String> {
        self.read("output").lines().map(str::to_owned).collect()
    }

    fn comments(&self) -> Vec<Value> {
        serde_json::from_str(&self.read("comments.json")).unwrap_or_default()
    }
}

#[test]
fn a_pull_request_has_one_comment_that_is_kept_up_to_date() {
    let job = Job::new();
    // What somebody else wrote stays, whatever it begins with.
    let marker = "<!-- opsctl:plan digits/dev -->";
    let theirs =
        format!("[{{\"id\": 1, \"user\": {{\"login\": \"mallory\"}}, \"body\": \"{marker} mine\"}}]");
    fs::write(job.temp.join("comments.json"), theirs).expect("the folder is ours");
    job.run(&[], 0);
    let comments = job.comments();
    assert_eq!(comments.len(), 2, "{comments:?}");
    let body = comments[1]["body"].as_str().expect("a text");
    assert!(body.starts_with(marker) && body.contains("to create"), "{body}");
    assert_eq!(job.read("summary"), body, "the summary has it too");
    let outputs = job.outputs();
    assert!(outputs.contains(&"changes=true".to_owned()) && outputs.contains(&"exit-code=2".to_owned()));
    assert!(job.temp.join("opsctl-plan.bin").is_file());

    // The config changed, and so does the comment.
    job.world.edit("config/opsctl.toml", "max = 4\n", "max = 9\n");
    job.run(&[], 0);
    let comments = job.comments();
    assert_eq!((comments.len(), comments[0]["body"].as_str()), (2, Some(&*format!("{marker} mine"))));

    // A run of a fork may not write: the plan is in the summary all the same.
    fs::write(job.temp.join("denied"), "").expect("the folder is ours");
    let text = job.run(&[], 0);
    assert!(text.contains("::warning title=opsctl::"), "{text}");
    fs::remove_file(job.temp.join("denied")).expect("it is there");

    // What a budget refuses is shown to whoever reviews it, with the reason, and then the job fails.
    job.world.edit("config/opsctl.toml", "# monthly = 200", "monthly = 12.5");
    let text = job.run(&[], 9);
    assert!(text.contains("::error") && text.contains("E243"), "{text}");
    let comments = job.comments();
    let body = comments[1]["body"].as_str().expect("a text");
    assert!(body.contains("to create") && body.contains("**Refused** (E243): a month could cost"), "{body}");
    assert!(job.read("summary").ends_with(body), "the summary has it too");
    let outputs = job.outputs();
    assert!(
        outputs.last().is_some_and(|last| last.starts_with("markdown-file=")),
        "no plan file: {outputs:?}"
    );
    job.world.edit("config/opsctl.toml", "monthly = 12.5", "# monthly = 200");

    // On a branch there is nothing to comment on, and nobody is asked.
    fs::remove_file(job.temp.join("asked")).expect("it is there");
    job.run(&[("GITHUB_REF", "refs/heads/main")], 0);
    assert_eq!(job.read("asked"), "");

    // What is wrong with the config ends the job, with opsctl's own code.
    job.world.edit("config/opsctl.toml", "max = 9\n", "maxx = 9\n");
    let text = job.run(&[], 3);
    assert!(text.contains("::error") && text.contains("maxx"), "{text}");
}

#[test]
fn it_deploys_scales_and_audits() {
    let job = Job::new();
    // Only what takes no time, of a project of its own.
    job.world.write("opsctl.toml", "[project]\nname = \"small\"\nregion = \"us-east-1\"\n");
    job.run(&[("IN_CONFIG", "opsctl.toml"), ("IN_COMMENT", "false")], 0);
    let plan = job.temp.join("opsctl-plan.bin").display().to_string();
    let deploy = [("IN_COMMAND", "deploy"), ("IN_CONFIG", "opsctl.toml"), ("IN_WAIT", "1m")];
    job.run(&[&deploy[..], &[("IN_PLAN_FILE", plan.as_str())]].concat(), 0);
    assert!(job.read("summary").contains("bucket/main"), "{}", job.read("summary"));
    // The job is run again: its plan is done, and it ends well.
    let again = job.run(&[&deploy[..], &[("IN_PLAN_FILE", plan.as_str())]].concat(), 0);
    assert!(again.contains("The saved plan was applied already.") && !again.contains("::error"), "{again}");
    job.run(&deploy, 0);
    // Nothing of it is scaled. Why a command failed is in the summary, without the runner's own lines.
    let scale = [("IN_COMMAND", "scale"), ("IN_CONFIG", "opsctl.toml"), ("IN_MAX", "3"), ("IN_NAME", "x")];
    job.run(&scale, 64);
    let summary = job.read("summary");
    assert!(summary.contains("`opsctl scale` ended with exit code 64") && summary.contains("error[U303]"));
    assert!(!summary.contains("::error"), "{summary}");
    job.world.write("broken.toml", "[project]\n");
    job.run(&[("IN_CONFIG", "broken.toml"), ("IN_COMMENT", "false")], 3);
    let summary = job.read("summary");
    assert!(summary.contains("`opsctl plan` ended with exit code 3") && summary.contains("error[C003]"));
    let audit = [("IN_COMMAND", "audit-iam"), ("IN_UPLOAD_SARIF", "true"), ("IN_CONFIG", "opsctl.toml")];
    job.run(&audit, 0);
    let sarif: Value = serde_json::from_str(&job.read("opsctl-audit.sarif")).expect("it is SARIF");
    assert_eq!(sarif["version"], "2.1.0");
    let uploaded: Value = serde_json::from_str(&job.read("sarif.json")).expect("it was uploaded");
    assert_eq!(uploaded["ref"], "refs/pull/7/merge");
    assert!(job.read("summary").contains("IAM audit"));
    // The summary has what the SARIF has: the roles of the account beside those of the config.
    let notebook = "[project]\nname = \"small\"\nregion = \"us-east-1\"\n[notebook.lab]\n";
    job.world.write("opsctl.toml", notebook);
    job.run(&deploy, 0);
    job.world.write("opsctl.toml", &format!("{notebook}[notebook.other]\n"));
    job.run(&[&audit[..], &[("IN_FAIL_ON", "medium")]].concat(), 2);
    let sarif: Value = serde_json::from_str(&job.read("opsctl-audit.sarif")).expect("it is SARIF");
    let found: BTreeSet<&str> = sarif["runs"][0]["results"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|r| r["ruleId"].as_str())
        .collect();
    assert!(found.contains("IAM702"), "the role of the other notebook is not there: {found:?}");
    let summary = job.read("opsctl-audit.md");
    assert!(found.iter().all(|rule| summary.contains(&format!("| {rule} |"))), "{found:?}\n{summary}");
    assert!(job.read("summary").ends_with(&summary));

    // What comes from outside is an argument, never a part of a script, and an option only as what it is for.
    let mark = job.temp.join("owned");
    let evil = format!("$(touch {0}); `touch {0}`", mark.display());
    for variable in
        ["IN_ENVIRONMENT", "IN_CONFIG", "IN_NAME", "IN_MIN", "IN_WAIT", "IN_FAIL_ON", "IN_PLAN_FILE"]
    {
        for command in ["plan", "deploy", "scale", "audit-iam"] {
            let given = [("IN_COMMAND", command), ("IN_CONFIG", "opsctl.toml"), ("IN_COMMENT", "false")];
            let _ = job.script("run.sh", &[&given[..], &[(variable, evil.as_str())]].concat());
        }
    }
    assert!(!mark.exists(), "a value was run");
    job.run(&[("IN_COMMAND", "destroy")], 64);
}

#[test]
fn opsctl_is_installed_only_where_it_is_missing() {
    let job = Job::new();
    let output = job.script("install.sh", &[]);
    assert!(output.status.success() && job.read("path").is_empty());
    let refused = job.script("install.sh", &[("OPSCTL_VERSION", "1.0; curl example.com")]);
    assert_eq!(refused.status.code(), Some(64));
}

/// Every input reaches the script, every variable of the script is an input, and no input is in a script.
#[test]
fn the_inputs_are_those_of_the_script() {
    let text = fs::read_to_string(root().join("action.yml")).expect("it is there");
    let given: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim().split_once(": ${{ inputs."))
        .map(|(name, _)| name)
        .collect();
    let script = fs::read_to_string(root().join(".ci/action/run.sh")).expect("it is there");
    let used = regex_lite::Regex::new(r"\bIN_[A-Z_]+").expect("a pattern");
    let used: BTreeSet<&str> = used.find_iter(&script).map(|found| found.as_str()).collect();
    let of_inputs: BTreeSet<&str> = given.iter().copied().filter(|name| name.starts_with("IN_")).collect();
    assert_eq!(used, of_inputs);
    let declared = text.lines().skip_while(|line| *line != "inputs:").take_while(|line| *line != "outputs:");
    let declared = declared.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in declared.map(|line| line.trim().trim_end_matches(':')) {
        assert!(text.contains(&format!("inputs.{name} }}}}")), "{name} is not used");
    }
    let scripts = text.lines().filter(|line| line.trim_start().starts_with("run:"));
    assert!(scripts.clone().all(|line| !line.contains("${{")) && scripts.count() == 2);
}
