//! Tests of one kind: `training`.

use opsctl::resources::training::Training;

use super::made_again;
use crate::plan::world::Files;
use crate::project::said_about;

#[test]
fn what_is_gone_is_made_again() {
    made_again("training/numbers");
}

/// A job of another recipe has another name, and finds no checkpoints to resume from.
#[test]
fn checkpoints_are_those_of_one_recipe() {
    let mut files = Files::new();
    files.edit("[training.numbers]\n", "[training.numbers]\ncheckpoints = true\n");
    let place = || {
        let want = files.desired();
        let job = want.node(&"training/numbers".parse().unwrap()).unwrap();
        let place = job.spec_as::<Training>().unwrap().checkpoints_of(&job.physical).unwrap();
        assert!(place.ends_with(&format!("/checkpoints/{}/", job.physical)), "{place}");
        place
    };
    let before = place();
    files.write("data/digits/0.csv", "9,9,9\n");
    assert_ne!(place(), before);
}

/// What `check` says of a job whose entry is a shell script.
fn said_of_shell(script: &str, keys: &str) -> String {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("src")).unwrap();
    std::fs::write(project.path().join("src/train.sh"), script).unwrap();
    let config = format!(
        "[project]\nname = \"small\"\nregion = \"us-east-1\"\n\
         [training.t]\nsource = \"src\"\nentry = \"train.sh\"\nmax_runtime = \"10m\"\n{keys}"
    );
    said_about(&project.path().join("opsctl.toml"), config, "dev").1
}

#[test]
fn a_shell_script_with_line_ends_of_windows_is_refused() {
    let said = said_of_shell("#!/bin/bash\r\npython train.py\r\n", "");
    assert!(said.contains("the lines of `train.sh` end as on Windows"), "{said}");
    assert_eq!(said_of_shell("#!/bin/bash\npython train.py\n", ""), "");
}

/// Whatever the image: it is a line of a shell.
#[test]
fn hyperparameters_that_a_shell_takes_apart_are_said() {
    let keys = "hyperparameters = { name = \"it's\", text = \"a b\", rate = 0.1 }\n";
    let said = said_of_shell("#!/bin/sh\n", keys);
    assert_eq!(said.matches("warning[C113]: what runs a shell script takes `").count(), 2, "{said}");
    assert!(said.contains("read SM_HP_NAME in the script") && !said.contains("newer image"), "{said}");
}
