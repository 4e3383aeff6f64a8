//! The program of a training instance: within EC2's limit, and whole whatever the values are.

use std::path::Path;
use std::process::{Command, Stdio};

use opsctl::resources::instance::{Instance, Missing, Outcome, Spec, user_data};
use opsctl::resources::training::hyperparameter::Hyperparameter;

use crate::project;

const NASTY: &str = r#"it's "quoted"; $(touch /tmp/x) `id` $HOME \n \\ {{region}} ä ' ; exit 1 #"#;

/// The spec of a job whose values try to break out.
fn spec(value: &str) -> Spec {
    let folder = tempfile::tempdir().unwrap();
    for file in ["src/it's.py", "data/a.csv"] {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "1").unwrap();
    }
    let text = format!(
        r#"
[project]
name = "shop"
[data.shoes]
path = "data"
[training.shoes]
on = "ec2"
source = "src"
entry = "it's.py"
data = ["shoes"]
max_runtime = "1h"
hyperparameters = {{ text = {value}, rate = 0.1, on = true }}
environment = {{ TEXT = {value} }}
"#,
        value = toml::Value::from(value)
    );
    let (project, said) = project::said_about(&folder.path().join("opsctl.toml"), text, "dev");
    assert!(!said.contains("error"), "{said}");
    let desired = project.unwrap().desired;
    let node = desired.node(&"instance/shoes".parse().unwrap()).unwrap();
    node.spec_as::<Instance>().unwrap().clone()
}

#[track_caller]
fn bash(arguments: &[&str], script: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("bash")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_is_bash_and_small_enough() {
    let script = user_data::script("shop-dev-shoes-0123456789", &spec(NASTY), "us-east-1");
    bash(&["-n"], &script);
    assert!(script.len() < user_data::LIMIT - 1_000, "{} bytes leave little for values", script.len());
}

#[test]
fn every_placeholder_is_filled() {
    let script = user_data::script("job", &spec("plain"), "us-east-1");
    let left: Vec<_> = script.lines().filter(|line| !line.starts_with('#') && line.contains("={{")).collect();
    assert_eq!(left, [] as [&str; 0]);
}

#[test]
fn values_arrive_as_they_were_written() {
    let spec = spec(NASTY);
    let script = user_data::script("job", &spec, "us-east-1");
    let (head, _) = script.split_once("\nML=").unwrap();
    let told = |variable: &str| bash(&["-s"], &format!("{head}\nprintf '%s' \"${variable}\"\n"));
    assert_eq!(told("JOB"), "job");
    assert_eq!(told("ENTRY"), "it's.py");
    assert_eq!(told("CHANNELS"), format!("shoes {}", spec.channels[0].uri));
    assert_eq!(told("DEADLINE"), "3600");
    assert_eq!(told("REGION"), "us-east-1");
    let environment: serde_json::Value = serde_json::from_str(&told("ENVIRONMENT")).unwrap();
    assert_eq!(environment["TEXT"], NASTY);
    let hyperparameters: serde_json::Value = serde_json::from_str(&told("HYPERPARAMETERS")).unwrap();
    assert_eq!(hyperparameters, serde_json::json!({ "text": NASTY, "rate": "0.1", "on": "true" }));
}

/// Runs the job's own part of the script in a folder that stands for the instance, with this machine's
/// Python.
fn run(entry: &str, code: &str, hyperparameters: &str) -> String {
    let root = tempfile::tempdir().unwrap();
    let mut spec = spec("plain");
    spec.hyperparameters = serde_json::from_str(hyperparameters).unwrap();
    run_in(root.path(), &spec, entry, code, "run_script\n")
}

/// The same of some of its steps.
fn run_in(root: &Path, spec: &Spec, entry: &str, code: &str, steps: &str) -> String {
    let (ml, work, venv) = (root.join("opt/ml"), root.join("opt/opsctl"), root.join("venv"));
    for folder in [ml.join("code"), work, venv.join("bin")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let python = bash(&["-s"], "command -v python3");
    let _ = std::os::unix::fs::symlink(python.trim(), venv.join("bin/python"));
    std::fs::write(ml.join("code").join(entry), code).unwrap();
    let mut spec = spec.clone();
    spec.code.entry = entry.to_owned();
    let script = user_data::script("job", &spec, "us-east-1");
    let (whole, _) = script.split_once("\nif [[ ${1:-} == work ]]").unwrap();
    let place = |path: &Path| path.display().to_string();
    bash(
        &["-s"],
        &format!("export OPSCTL_ROOT='{}' OPSCTL_VENV='{}'\n{whole}\n{steps}", place(root), place(&venv)),
    )
}

/// A script that knows relative paths alone.
#[test]
fn relative_paths_are_there_and_become_the_model() {
    let code = r#"
import os
with open("pictures/set one/1.txt") as file:
    text = file.read()
for path in ["TrainedModels/model.pth", "TrainedModels/.hidden/a", "runs/best.json"]:
    os.makedirs(os.path.dirname(path), exist_ok=path.endswith("pth") or path.startswith("runs"))
    with open(path, "w") as file:
        file.write(text)
"#;
    let root = tempfile::tempdir().unwrap();
    let ml = root.path().join("opt/ml");
    let data = ml.join("input/data/dogs");
    for folder in [&data, &ml.join("model")] {
        std::fs::create_dir_all(folder).unwrap();
    }
    std::fs::write(data.join("1.txt"), "woof").unwrap();
    let mut spec = spec("plain");
    spec.inputs = [("dogs".to_owned(), "pictures/set one".to_owned())].into();
    spec.outputs = vec!["TrainedModels/".into(), "runs/best.json".into()];
    run_in(root.path(), &spec, "train.py", code, "lay_out\nrun_script\ncollect\n");
    let model = |name: &str| std::fs::read_to_string(ml.join("model").join(name)).unwrap();
    for file in ["model.pth", ".hidden/a", "best.json"] {
        assert_eq!(model(file), "woof", "{file}");
    }
}

/// What the instance writes of a job whose script this is.
fn result(code: &str, outputs: &[&str]) -> Outcome {
    let root = tempfile::tempdir().unwrap();
    result_in(root.path(), code, outputs)
}

fn result_in(root: &Path, code: &str, outputs: &[&str]) -> Outcome {
    for folder in ["model", "output/data"] {
        std::fs::create_dir_all(root.join("opt/ml").join(folder)).unwrap();
    }
    let mut spec = spec("plain");
    spec.outputs = outputs.iter().map(|path| (*path).to_owned()).collect();
    let steps = "fetch() { :; }\nprepare_python() { :; }\ncopy() { :; }\nshutdown() { :; }\n\
                 set +e\n(set -e; work) >\"$LOG\" 2>&1\nfinish\ncat \"$WORK/result.json\"\n";
    serde_json::from_str(&run_in(root, &spec, "train.py", code, steps)).unwrap()
}

/// Hours of work are not thrown away for a name, or for a file beside it.
#[test]
fn what_was_trained_is_stored_whatever_the_outputs_do() {
    let code = r#"
import os
top = os.environ["SM_MODEL_DIR"]
data = os.environ["SM_OUTPUT_DATA_DIR"]
for path in [top + "/model.pth", top + "/same", "out/model.pth", "out/same", "out/new", data + "/curve"]:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write("same" if path.endswith("same") else path)
if os.path.isdir("lost"):
    os.symlink("nowhere", "lost/link")
"#;
    for (outputs, exit, missing) in [
        (&["out/"][..], 0, None),
        (&["classes.json", "out/"], 1, Some(Missing::Outputs(vec!["classes.json".into()]))),
        (&["out/", "lost/"], 1, None),
    ] {
        let root = tempfile::tempdir().unwrap();
        let outcome = result_in(root.path(), code, outputs);
        assert_eq!((outcome.exit_code, outcome.missing), (exit, missing), "{}", outcome.message);
        let work = root.path().join("opt/opsctl");
        let list = |archive: &str| {
            let list = format!("tar -tzf '{}' | sort", work.join(archive).display());
            bash(&["-s"], &list).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        let files = ["model.pth", "new", "out/", "out/model.pth", "same"];
        assert_eq!(list("model.tar.gz"), files, "{outputs:?}");
        assert_eq!(list("output.tar.gz"), ["curve"]);
        let own = std::fs::read_to_string(root.path().join("opt/ml/model/model.pth")).unwrap();
        assert!(own.ends_with("ml/model/model.pth"), "{own}");
    }
}

/// In a field of the result; the message has the script's own words in it.
#[test]
fn what_a_script_that_ended_well_has_not_left_is_said_in_a_field() {
    let nothing = result("pass", &[]);
    assert_eq!((nothing.exit_code, nothing.missing), (1, Some(Missing::Model)), "{}", nothing.message);
    let other = result("pass", &["out ä/", "other.pth", "third.pth"]);
    let both = Missing::Outputs(vec!["other.pth".into(), "third.pth".into()]);
    assert_eq!(other.missing, Some(both), "{}", other.message);
    assert!(other.message.contains("left no other.pth, third.pth"), "{}", other.message);
    let own = r#"
import os
with open(os.environ["SM_OUTPUT_DIR"] + "/failure", "w") as file:
    file.write("eval.py ended well, but left no other.pth, but wrote nothing to SM_MODEL_DIR")
raise SystemExit(3)
"#;
    let failed = result(own, &["other.pth"]);
    assert_eq!((failed.exit_code, failed.missing), (3, None), "{}", failed.message);
    assert!(failed.message.contains("left no other.pth"), "{}", failed.message);
    let older: Outcome = serde_json::from_str(r#"{"exit_code":1,"message":"a","seconds":2}"#).unwrap();
    assert_eq!(older.missing, None);
}

#[test]
fn a_script_of_the_shell_is_run_by_one() {
    let said = run("script.sh", "echo \"from $0 by $(basename \"$(command -v python)\")\"\n", "{}");
    assert!(said.ends_with("from ./script.sh by python\n"), "{said}");
}

#[test]
fn text_arrives_as_it_was_written() {
    let texts =
        ["1.10", "null", "1e3", "true", "12345678901234567890123", "two words", "it's \"quoted\"", "adam"];
    let values: serde_json::Map<String, serde_json::Value> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| {
            let sent = Hyperparameter::sent(&serde_json::Value::from(*text)).unwrap();
            (format!("p{i}"), serde_json::Value::from(sent))
        })
        .collect();
    let read =
        "import json, os\nprint(json.dumps([json.loads(os.environ['SM_HPS'])[f'p{i}'] for i in range(8)]))\n";
    let said = run("train.py", read, &serde_json::Value::from(values).to_string());
    let read: Vec<String> = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    assert_eq!(read, texts);
}

/// The same choice as of SageMaker's reasons (`src/domain/status.rs`).
#[test]
fn the_message_is_the_error_of_the_script_itself() {
    let script = user_data::script("job", &spec("plain"), "us-east-1");
    let (whole, _) = script.split_once("\nif [[ ${1:-} == work ]]").unwrap();
    let traceback =
        "Traceback (most recent call last):\n  File \"/x/train.py\", line 3, in <module>\n    main()\n";
    for (code, log, failure, message) in [
        (1, format!("{traceback}ValueError: bad\nCompile with `X`\n"), None, "exit code 1: ValueError: bad"),
        (
            1,
            "lib.SomeError: no\n  more of it\nWARNING: leaked\n".into(),
            None,
            "exit code 1: lib.SomeError: no",
        ),
        (1, format!("{traceback}KeyError: 1\n\n{traceback}mylib.Stop\n"), None, "exit code 1: mylib.Stop"),
        (1, "no GPU here\n\n".into(), None, "exit code 1: no GPU here"),
        (1, format!("{traceback}ValueError: bad\n"), Some("my own words"), "exit code 1: my own words"),
        (3, "opsctl: run train.py\n".into(), None, "exit code 3"),
        (
            137,
            "x: line 101: 26 Killed  \"$VENV/bin/python\"\n".into(),
            None,
            "exit code 137: killed, as the kernel does when memory runs out",
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let (ml, work) = (root.path().join("opt/ml/output"), root.path().join("opt/opsctl"));
        std::fs::create_dir_all(&ml).unwrap();
        std::fs::create_dir_all(&work).unwrap();
        std::fs::write(work.join("train.log"), &log).unwrap();
        std::fs::write(work.join("step"), "run train.py\n").unwrap();
        if let Some(failure) = failure {
            std::fs::write(ml.join("failure"), failure).unwrap();
        }
        let root = root.path().display();
        // As it is called, by a supervisor that continues whatever fails.
        let said = bash(&["-s"], &format!("export OPSCTL_ROOT='{root}'\n{whole}\nset +e\nmessage {code}\n"));
        assert_eq!(said, format!("run train.py: {message}"), "{log}");
    }
}

/// What the whole program leaves, as an instance runs it: the result, and what is in the archives.
#[cfg(target_os = "linux")]
fn ended(code: &str, max_runtime_s: i32, terminate_after: Option<u32>) -> (Outcome, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let mut spec = spec("plain");
    (spec.code.entry, spec.max_runtime_s) = ("train.py".into(), max_runtime_s);
    spec.outputs = vec!["out/".into()];
    let place = root.path();
    let python = bash(&["-s"], "command -v python3");
    std::fs::create_dir_all(place.join("venv/bin")).unwrap();
    std::fs::create_dir_all(place.join("opt/ml/code")).unwrap();
    std::os::unix::fs::symlink(python.trim(), place.join("venv/bin/python")).unwrap();
    std::fs::write(place.join("opt/ml/code/train.py"), code).unwrap();
    let script = user_data::script("job", &spec, "us-east-1");
    let (whole, end) = script.split_once("\nif [[ ${1:-} == work ]]").unwrap();
    let script = format!(
        "{whole}\nfetch() {{ :; }}\ncopy() {{ :; }}\nshutdown() {{ :; }}\n\nif [[ ${{1:-}} == work ]]{end}"
    );
    std::fs::write(place.join("user-data"), script).unwrap();
    let told = match terminate_after {
        Some(seconds) => format!("sleep {seconds}\nkill $!\n"),
        None => String::new(),
    };
    let (opt, at) = (place.join("opt/opsctl"), place.display());
    let said = bash(
        &["-s"],
        &format!(
            "cd '{at}'\nexport OPSCTL_ROOT='{at}' OPSCTL_VENV='{at}/venv'\n\
             bash user-data >said 2>&1 &\n{told}wait || true\ncat opt/opsctl/result.json\n"
        ),
    );
    let archives = ["model.tar.gz", "output.tar.gz"].into_iter().filter(|name| opt.join(name).exists());
    let files = archives.flat_map(|name| {
        let list = bash(&["-s"], &format!("tar -tzf '{}' | sort", opt.join(name).display()));
        list.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    (serde_json::from_str(&said).unwrap(), files.collect())
}

/// Hours of work are not thrown away at the deadline, or because somebody stops the job: as on SageMaker.
#[cfg(target_os = "linux")] // macOS has no `timeout`
#[test]
fn a_stopped_job_keeps_what_it_has_made() {
    let code = |then: &str| {
        let writes = r#"
import os, sys, time
model, data = os.environ["SM_MODEL_DIR"], os.environ["SM_OUTPUT_DATA_DIR"]
for path in [model + "/m.txt", "out/best", data + "/curve"]:
    open(path, "w").write("1")
"#;
        format!("{writes}{then}\n")
    };
    let all = ["best", "m.txt", "curve"];
    let (outcome, files) = ended(&code("time.sleep(60)"), 2, None);
    assert!(outcome.stopped && outcome.message.ends_with("stopped at the deadline of 2 s"), "{outcome:?}");
    assert_eq!(files, all);
    let (outcome, files) = ended(&code("time.sleep(60)"), 600, Some(2));
    assert!(outcome.stopped && outcome.message.ends_with("stopped by a signal"), "{outcome:?}");
    assert_eq!(files, all);
    let deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)";
    let (outcome, _) = ended(&code(deaf), 600, Some(2));
    assert!(outcome.stopped && outcome.message.ends_with("stopped by a signal"), "{outcome:?}");
    // What fails by itself, with the exit code of a time limit too, has no model.
    for code_of in [3, 124] {
        let (outcome, files) = ended(&code(&format!("sys.exit({code_of})")), 600, None);
        assert_eq!((outcome.exit_code, outcome.stopped), (code_of, false), "{outcome:?}");
        assert_eq!(files, ["curve"]);
    }
    let (outcome, files) = ended(&code(""), 600, None);
    assert_eq!((outcome.exit_code, outcome.stopped, files), (0, false, all.map(str::to_owned).to_vec()));
}
