//! What a person has who comes back in a month: a config, and the folders that it names gone or spoiled.

use std::fs;

use crate::support::{Beside, World};

const CONFIG: &str = r#"
[project]
name = "old"
region = "eu-west-1"
[data.things]
path = "things"
[training.t]
source = "src"
entry = "train.py"
data = ["things"]
[notebook.lab]
[endpoint.e]
model = "t"
code = "serving"
instance_type = "ml.m5.large"
[function.f]
endpoint = "e"
source = "function"
handler = "app.handler"
"#;

const HANDLER: &str = "def handler(event, context): pass\n";

fn world() -> World {
    let world = World::with_config(CONFIG).sandbox();
    for file in ["things/a", "src/train.py", "serving/inference.py"] {
        world.write(file, "");
    }
    world.write("function/app.py", HANDLER);
    world.run(["bucket", "--yes"]).success();
    world.run(["upload", "--yes"]).success();
    world
}

#[test]
fn what_takes_away_looks_or_fetches_needs_no_folder() {
    let world = world();
    for folder in ["things", "src", "serving", "function"] {
        fs::remove_dir_all(world.path(folder)).unwrap();
    }
    // What makes something refuses, and names them all.
    let plan =
        world.run(["plan"]).ended(3).says("there is no folder ./things").says("there is no folder ./src");
    drop(plan.says("there is no folder ./serving").says("there is no folder ./function"));
    world.run(["status"]).success().says("Uploaded").says("warning[C009]");
    world.run(["data", "pull", "--to", "back"]).success().says("1 fetched");
    world.run(["notebook", "stop"]).ended(1).says("notebook/lab is not deployed");
    world.run(["destroy", "--yes"]).success().says("Nothing is left").says("warning[C009]");
    world.run(["destroy", "--yes"]).success().says("Nothing to delete.\n").does_not_say("Nothing to do");
}

const AT_WORK: &str = r#"
[project]
name = "old"
region = "eu-west-1"
[data.things]
path = "things"
[training.a]
source = "src"
entry = "train.py"
image = "sklearn-1.2"
data = ["things"]
[notebook.n]
"#;

/// What bills can be looked at and stopped from any machine, and is the project's all the same.
#[test]
fn what_runs_is_known_without_its_files() {
    let world = World::with_config(AT_WORK).sandbox();
    let script =
        "import os\nopen(os.environ['SM_MODEL_DIR'] + '/m', 'w').write('1')\nprint('it was trained')\n";
    world.write("things/a", "1");
    world.write("src/train.py", script);
    world.run(["deploy", "--yes"]).success();
    for folder in ["things", "src"] {
        fs::remove_dir_all(world.path(folder)).unwrap();
    }
    let status = world.run(["status"]).success().says("could not be compared with the config: there is no");
    let status = status.says("Completed").does_not_say("not in the config");
    drop(status.does_not_say("--prune").does_not_say("absent"));
    world.run(["logs", "training/a"]).success().says("it was trained").says("this is the latest there is");
    world.run(["model", "pull", "--to", "model.tar.gz"]).success().says("this is the latest there is");
    world.run(["stop", "notebook/n"]).success().says("notebook/n is stopped");
    world.run(["report", "--out", "report.md", "--format", "markdown"]).success();
    assert!(!world.read("report.md").contains("no longer in the config"), "{}", world.read("report.md"));
    world.run(["deploy", "--yes"]).ended(3).says("there is no folder ./src");
    world.run(["destroy", "--yes"]).success().says("Nothing is left");
}

/// Without --to the folder is ./things, which is the data set's own.
#[test]
fn a_file_that_was_edited_is_not_replaced() {
    let world = world();
    world.write("things/a", "edited");
    let edited = || fs::read_to_string(world.path("things/a")).unwrap();
    world.run(["data", "pull"]).ended(1).says("error[U315]: things/a is there").says("`--force` replaces");
    assert_eq!(edited(), "edited");
    world.run(["data", "pull", "--to", "copy"]).success().says("1 fetched");
    world.run(["data", "pull", "--force"]).success().says("1 fetched");
    assert_eq!(edited(), "");
    world.run(["data", "pull"]).success().says("1 the same");
    // A path that is named may be named by mistake.
    world.write("copy/a", "edited");
    world.run(["data", "pull", "--to", "copy"]).ended(1).says("error[U315]: copy/a is there");
    world.run(["data", "pull", "--to", "copy", "--force"]).success().says("1 fetched");
}

/// A folder that the user named may be a link; what it holds may not lead out of it.
#[test]
fn a_pull_stays_in_the_folder_that_was_named() {
    let world = World::with_config(CONFIG).sandbox();
    for file in ["things/a", "things/sub/deep/b", "src/train.py", "serving/inference.py"] {
        world.write(file, "1");
    }
    world.write("function/app.py", HANDLER);
    world.run(["upload", "--yes"]).success();
    let link = |to: &str, at: &str| {
        fs::create_dir_all(world.path(at).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(to, world.path(at)).unwrap();
    };
    fs::create_dir(world.path("photos")).unwrap();
    link("../photos", "out/sub");
    link("../nowhere", "gone/sub");
    for (folder, force) in [("out", None), ("out", Some("--force")), ("gone", None)] {
        let pull = ["data", "pull", "--to", folder].into_iter().chain(force);
        let said = format!("error[U315]: {folder}/sub is a link that leads out of its folder");
        world.run(pull).ended(1).says(&said);
        assert!(!world.path(folder).join("a").exists(), "nothing was written");
    }
    assert_eq!(fs::read_dir(world.path("photos")).unwrap().count(), 0);
    // Inside of it a link is as good as a folder.
    fs::create_dir_all(world.path("within/real")).unwrap();
    link("real", "within/sub");
    world.run(["data", "pull", "--to", "within"]).success().says("2 fetched");
    assert_eq!(world.read("within/real/deep/b"), "1");
    // Where it leads to may be there or not.
    link("photos", "there");
    link("later", "first");
    link("first", "second");
    for folder in ["there", "second"] {
        world.run(["data", "pull", "--to", folder]).success().says(&format!("{folder}: 2 fetched"));
        world.run(["data", "pull", "--to", folder]).success().says("2 the same");
    }
    assert_eq!((world.read("photos/a"), world.read("later/sub/deep/b")), ("1".into(), "1".into()));
}

/// Whatever is written where the user says: theirs stays, opsctl's own is written again.
#[test]
fn no_file_of_the_users_is_replaced_unasked() {
    let world = World::with_config("[project]\nname = \"files\"\nregion = \"us-east-1\"\n").sandbox();
    for (command, option) in [
        (&["plan", "--out", "thesis.txt"][..], "--out FILE"),
        (&["report", "--format", "html", "--out", "thesis.txt"], "--out FILE"),
        (&["audit-iam", "--save", "thesis.txt"], "--save FILE"),
        (&["audit-iam", "--also", "csv=thesis.txt"], "--also FORMAT=FILE"),
    ] {
        world.write("thesis.txt", "years");
        let ran = world.run(command.iter().copied()).ended(1);
        ran.says("error[U315]: thesis.txt is there, and nothing shows that opsctl wrote what is in it")
            .says(&format!("`{option}` writes elsewhere, `--force` replaces what is there"));
        assert_eq!(world.read("thesis.txt"), "years");
        let force = command.iter().copied().chain(["--force"]);
        assert_eq!(world.run(force).code, Some(0), "{command:?}");
        assert_ne!(world.read("thesis.txt"), "years");
        // What opsctl wrote is its own until somebody edits it.
        assert_eq!(world.run(command.iter().copied()).code, Some(0), "{command:?}");
    }
    for command in [
        &["plan", "--out", "-"][..],
        &["invoke", "--to", "-"],
        &["model", "pull", "--to", "-"],
        &["data", "pull", "--to", "-"],
        &["audit-iam", "--save", "-"],
        &["audit-iam", "--also", "csv=-"],
        &["audit-iam", "--baseline", "-", "--update-baseline"],
        &["man", "-"],
    ] {
        let ran = world.run(command.iter().copied()).ended(64).says("error[U302]");
        assert!(!world.path("-").exists(), "{ran}");
    }
    for command in ["plan", "audit-iam"] {
        let idle = "`--force` replaces a file, and this command writes none";
        world.run([command, "--force"]).ended(64).says(idle);
    }
}

/// One file named twice would be lost: what is read is replaced, and of two reports one is left.
#[test]
fn a_file_is_named_by_one_option() {
    let world = World::empty();
    world.write("dump.json", r#"{"RoleDetailList": []}"#);
    std::os::unix::fs::symlink("dump.json", world.path("link.json")).unwrap();
    fs::create_dir(world.path("sub")).unwrap();
    fs::hard_link(world.path("dump.json"), world.path("hard.json")).unwrap();
    // It leads nowhere yet, by way of another.
    std::os::unix::fs::symlink("../new", world.path("sub/far")).unwrap();
    std::os::unix::fs::symlink("sub/far", world.path("near")).unwrap();
    let dump = world.read("dump.json");
    let run = |input: &str, more: &[&str]| {
        world.run(["audit-iam", "--input", input].into_iter().chain(more.iter().copied()))
    };
    for (input, more, options) in [
        ("dump.json", &["--also", "html=./dump.json", "--force"][..], "--input and --also"),
        ("link.json", &["--also", "html=dump.json", "--force"], "--input and --also"),
        ("dump.json", &["--also", "csv=new", "--also", "html=sub/../new"], "--also and --also"),
        ("dump.json", &["--also", "html=hard.json", "--force"], "--input and --also"),
        ("dump.json", &["--also", "csv=near", "--also", "html=new"], "--also and --also"),
        (
            "dump.json",
            &["--baseline", "new", "--update-baseline", "--also", "csv=new"],
            "--baseline and --also",
        ),
        ("dump.json", &["--baseline", "dump.json", "--update-baseline"], "--input and --baseline"),
        ("dump.json", &["--usage", "dump.json", "--also", "csv=dump.json"], "--input and --also"),
    ] {
        run(input, more).ended(64).says(&format!("error[U302]: {options} name the same file"));
        assert!(world.read("dump.json") == dump && !world.path("new").exists(), "{more:?}");
    }
    world.run(["--sandbox", "audit-iam", "--save", "new", "--also", "json=new"]).ended(64);
    // Two readers, two folders, and what keeps nothing.
    assert_ne!(run("dump.json", &["--against", "dump.json"]).code, Some(64));
    run("dump.json", &["--also", "csv=new", "--also", "csv=sub/new"]).ended(10);
    run("dump.json", &["--also", "csv=/dev/null", "--also", "html=/dev/null"]).ended(10);
}

/// It may be as large as the model, and `/tmp` is often in memory.
#[test]
fn what_a_killed_deploy_was_packing_goes_with_the_next() {
    let world = World::shipped().sandbox();
    fs::create_dir(world.path("tmp")).unwrap();
    let world = world.env("TMPDIR", "tmp");
    let beside = Beside::start(&world, &[]);
    let left = || fs::read_dir(world.path("tmp")).unwrap().count();
    // Each of them: the archive is there for as long as it is sent.
    beside.strike(&["delay=500ms@s3:PutObject#1x0"]);
    let packed = || {
        let folders = fs::read_dir(world.path("tmp")).unwrap().flatten();
        folders.map(|folder| folder.path()).any(|folder| folder.join("model.tar.gz").exists())
    };
    world.kill_when(["deploy", "--yes"], packed);
    assert_eq!(left(), 1);
    beside.strike(&[]);
    world.run(["lease", "break", "--yes"]).success();
    world.run(["deploy", "--yes"]).success();
    assert_eq!(left(), 0);
}

/// `.opsctl` may come with a repository: a link to what has no end, and a pipe that nobody writes to.
#[test]
fn what_lies_in_dot_opsctl_and_is_no_file_is_not_read() {
    let world = world();
    let written = world.path(".opsctl/written.json");
    let pipe = || rustix::fs::mkfifoat(rustix::fs::CWD, &written, rustix::fs::Mode::RWXU).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &written).unwrap();
    world.run(["plan"]).success();
    fs::remove_file(&written).unwrap();
    pipe();
    world.run(["plan"]).success();
}

#[test]
fn a_name_that_cannot_be_sent_does_not_keep_anybody_from_destroying() {
    let world = world();
    world.write("things/bell\u{7}", "");
    fs::remove_file(world.path("src/train.py")).unwrap();
    world.run(["plan"]).ended(3).says("error[E215]").says("error[C010]");
    world.run(["destroy", "--yes"]).success().says("Nothing is left");
}

/// `source = "."` is what many projects have; the files that opsctl writes there are no part of it.
#[test]
fn what_opsctl_writes_into_a_source_changes_no_plan() {
    let world = World::with_config(
        "[project]\nname = \"flat\"\nregion = \"eu-west-1\"\n[training.t]\nsource = \".\"\n\
        entry = \"train.py\"\n\
         [data.things]\npath = \"things\"\n",
    )
    .sandbox();
    world.write("train.py", "");
    world.write("things/a", "12");
    let fingerprint = || world.run(["plan", "-o", "json"]).success().json()["fingerprint"].clone();
    let before = fingerprint();
    world.run(["plan", "--out", "saved.json"]).success();
    world.write("README.md", "# flat\n");
    assert_eq!(fingerprint(), before);
    world.write("saved2.json", "{}");
    assert_ne!(fingerprint(), before);
}
