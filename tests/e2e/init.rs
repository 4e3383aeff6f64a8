//! `opsctl init`: how a project begins, in an empty folder and beside what is there.

use serde_json::{Value, json};

use crate::support::World;

#[test]
fn a_project_starts_with_init() {
    let world = World::empty();
    let ran = world.run(["init", "my-project"]).success();
    ran.says("\n  cd my-project\n  opsctl check\n  opsctl --sandbox deploy ");
    let config = "my-project/opsctl.toml";
    assert_eq!(world.toml(config)["project"]["name"], "my-project");
    world.run(["-c", config, "check"]).success().says("valid, 9 resources").does_not_say("warning");

    // What it names is there, and the sandbox's state stays out of git.
    let written: Value = serde_json::from_str(&world.read("my-project/opsctl.schema.json")).expect("JSON");
    assert_eq!(written["title"], "opsctl.toml");
    assert_eq!(world.read("my-project/.gitignore"), ".opsctl/\n__pycache__/\n");
    assert!(world.read("my-project/README.md").starts_with("# my-project\n"));
    for template in ["minimal", "digits", "dog-breeds"] {
        world.run(["init", template, "--name", "other-name", "--template", template]).success();
        let config = format!("{template}/opsctl.toml");
        world.run(["-c", &config, "check"]).success();
        // What a comment says of names is true of this one's.
        let text = world.read(&config);
        assert!(!text.contains("digits-dev") && !text.contains("dog-breeds"), "{text}");
        // Again it has nothing to do, and nothing there is said to be somebody's.
        let again = ["-c", &config, "init", template, "--name", "other-name", "--template", template];
        world.run(again).success().says("Everything is there already.").does_not_say("files of its own");
    }
    assert!(world.read("digits/opsctl.toml").contains("begins every AWS name: other-name-dev-…"));
    world.run(["init", "a folder whose name is much longer than AWS takes it"]).success();
    world.run(["-c", "a folder whose name is much longer than AWS takes it/opsctl.toml", "check"]).success();
    let ran = world.run(["init", "0", "-o", "json"]);
    assert!(ran.code == Some(0) || ran.error_code() == "C007", "{ran}");
}

#[test]
fn init_puts_nothing_beside_what_is_there_unless_it_is_asked_to() {
    let names = |world: &World, folder: &str| {
        let entries = std::fs::read_dir(world.path(folder)).expect("it is there");
        let mut names: Vec<_> =
            entries.map(|e| e.expect("readable").file_name().into_string().expect("text")).collect();
        names.sort();
        names
    };
    let world = World::empty();
    world.write("mine/mine.py", "mine");
    let ran = world.run(["init", "mine"]).success();
    ran.says("Wrote opsctl.toml and opsctl.schema.json")
        .says("(mine.py)")
        .says("\n  training/ (2 files)\n")
        .says("`opsctl init --all mine`");
    assert_eq!(names(&world, "mine"), ["mine.py", "opsctl.schema.json", "opsctl.toml"]);
    let again = world.run(["init", "mine"]).success();
    // What an `init` before this wrote is nobody else's.
    again.says("opsctl.toml is there already").says("files of its own (mine.py)");
    // Asked, it adds the rest, but not between the files of others, and then not even in part.
    world.write("mine/training/mine.py", "mine");
    assert_eq!(world.run(["init", "mine", "--all", "-o", "json"]).ended(1).error_code(), "U304");
    assert!(!world.path("mine/serving").exists() && !world.path("mine/training/train.py").exists());
    std::fs::remove_dir_all(world.path("mine/training")).expect("it is there");
    world.run(["init", "mine", "--all"]).success();
    world.run(["-c", "mine/opsctl.toml", "check"]).success();
    assert_eq!(world.read("mine/mine.py"), "mine");
    // Never over what is there.
    world.write("mine/opsctl.toml", "mine");
    assert_eq!(world.run(["init", "mine", "-o", "json"]).ended(1).error_code(), "U304");
    assert_eq!(world.read("mine/opsctl.toml"), "mine");

    // A repository that somebody has just made has no files yet.
    for file in ["README.md", "LICENSE", ".gitignore", ".git/config"] {
        world.write(&format!("new/{file}"), "mine");
    }
    let written = world.run(["init", "new", "-o", "json"]).success().json();
    assert_eq!(written["left_out"], json!([]));
    assert!(world.path("new/training/train.py").exists());
    world.run(["init", "new"]).success().says("Left as it was: README.md and .gitignore.\n");
    assert_eq!(world.read("new/README.md") + &world.read("new/.gitignore"), "minemine");
}

/// What a person does first, and wrongly.
#[test]
fn a_file_is_no_folder_and_a_changed_name_is_said() {
    let world = World::empty();
    world.write("file1", "mine");
    world.run(["init", "file1"]).ended(64).says("U304").says("file1 is a file").says("`opsctl init DIR`");
    assert_eq!(world.read("file1"), "mine");
    for (folder, name) in [("a.txt", "a-txt"), ("UPPER Case", "upper-case")] {
        world
            .run(["init", folder])
            .success()
            .says(&format!("The project is called `{name}`, by its folder;"));
        assert_eq!(world.toml(&format!("{folder}/opsctl.toml"))["project"]["name"], name);
    }
    // Beside files of one's own the config comes first: until it names them, `check` refuses it.
    world.write("own/mine.py", "mine");
    let ran = world.run(["init", "own"]).success();
    let place = |words: &str| {
        ran.stderr.find(words).or_else(|| ran.stdout.find(words)).unwrap_or_else(|| panic!("{words}: {ran}"))
    };
    assert!(place("edit opsctl.toml") < place("opsctl check"), "{ran}");
    // A line start or an escape code in a folder's name is shown, not done.
    let ran = world.run(["init", "g\u{1b}[31mvil\n::error::q"]).success();
    assert!(!ran.stderr.contains('\u{1b}') && !ran.stdout.contains('\u{1b}'), "{ran}");
}
