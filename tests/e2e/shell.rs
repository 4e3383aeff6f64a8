//! What a shell shows of opsctl: what can be typed next, and manual pages.

use std::process::Command;

use crate::support::World;

/// What bash offers behind a line, by the script that `opsctl completions` prints.
fn offered(world: &World, line: &str) -> Vec<String> {
    // As bash calls a completion: the words, and the one that is being typed.
    let script = r#"
        PATH="$(dirname "$0"):$PATH"
        source <("$0" completions bash)
        mapfile -t COMP_WORDS < <(printf '%s' "$LINE" | tr ' ' '\n'; echo)
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        COMP_TYPE=9
        _clap_complete_opsctl opsctl "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["-c", script]);
    let output = world.through(bash, []).env("LINE", line).output().expect("there is a bash");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{line}: {said}");
    String::from_utf8_lossy(&output.stdout).lines().filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[test]
fn completions_know_the_names_of_the_config_its_environments_and_codes() {
    let world = World::shipped();
    for (line, offers) in [
        (
            "opsctl logs ",
            &[
                "training/numbers",
                "instance/numbers-on-ec2",
                "endpoint/numbers",
                "function/classify",
                "notebook/lab",
            ][..],
        ),
        ("opsctl logs trai", &["training/numbers"]),
        ("opsctl stop ", &["training/numbers", "instance/numbers-on-ec2", "notebook/lab"]),
        ("opsctl train ", &["numbers", "numbers-on-ec2"]),
        ("opsctl -c config/dog-breeds.toml data pull ", &["dogs"]),
        ("opsctl --config=config/dog-breeds.toml scale ", &["breeds", "classify"]),
        ("opsctl invoke --endpoint ", &["numbers"]),
        ("opsctl --env ", &["dev", "prod"]),
        ("opsctl deploy --env p", &["prod"]),
        ("opsctl explain IAM101", &["IAM101"]),
        ("opsctl explain E20", &["E201", "E202", "E203", "E204", "E205", "E206", "E207", "E208", "E209"]),
        ("opsctl --region eu-west-", &["eu-west-1", "eu-west-2", "eu-west-3"]),
        ("opsctl audit-iam --fail-on ", &["critical", "high", "medium", "low", "info", "none"]),
        ("opsctl audit-iam --format s", &["sarif"]),
        ("opsctl depl", &["deploy"]),
    ] {
        let found = offered(&world, line);
        // Options can follow everywhere; they are clap's own business.
        let found: Vec<&str> = found.iter().map(String::as_str).filter(|it| !it.starts_with('-')).collect();
        assert_eq!(found, offers, "{line}");
    }
}

/// What cannot be read offers nothing, says nothing, and is no failure.
#[test]
fn completions_are_silent_about_what_is_wrong() {
    let names = |world: &World, line: &str| {
        offered(world, line).into_iter().filter(|it| !it.starts_with('-')).collect::<Vec<_>>()
    };
    let world = World::empty();
    assert_eq!(names(&world, "opsctl logs "), [""; 0]);
    assert_eq!(names(&world, "opsctl -c nowhere.toml train "), [""; 0]);
    assert_eq!(names(&world, "opsctl --env "), ["dev"]);
    for text in ["[training", "training = 3", "[[training]]\nx = 1", "\u{0}"] {
        world.write("opsctl.toml", text);
        assert_eq!(names(&world, "opsctl logs "), [""; 0], "{text:?}");
    }
    // A shell that is none.
    let world = World::empty().env("OPSCTL_COMPLETE", "tcsh");
    let ran = world.run(["--", "opsctl", "logs", ""]).success();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
}

#[test]
fn every_shell_has_a_script_that_asks_opsctl() {
    let world = World::empty();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        world.run(["completions", shell]).success().says("opsctl").says("OPSCTL_COMPLETE");
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let world = World::empty();
    world.run(["man", "man1"]).success().says("Wrote ");
    let page = world.read("man1/opsctl-deploy.1");
    assert!(page.starts_with(".ie ") || page.contains(".TH OPSCTL-DEPLOY 1"), "{page}");
    let example = ".SH EXAMPLES\n.nf\n  opsctl deploy\n  opsctl \\-\\-sandbox deploy \\-\\-yes\n";
    assert!(page.contains(example), "its examples\n{page}");
    assert!(!page.contains("endpoint\\-url"), "options of all commands are on one page\n{page}");
    assert!(world.read("man1/opsctl-data-pull.1").contains("Download what is in the bucket"));
    let whole = world.run(["man"]).success().stdout;
    let ends = ".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ndone, or nothing to do\n.TP\n\\fB1\\fR\nfailed\n";
    assert!(whole.contains(ends), "{whole}");
    assert_eq!(whole, world.read("man1/opsctl.1"));
    assert!(whole.contains("endpoint\\-url") && whole.contains("opsctl\\-deploy(1)"), "{whole}");
    // One that cannot be written.
    world.write("file", "");
    assert_eq!(world.run(["man", "file/man1", "-o", "json"]).ended(1).error_code(), "E215");
}

/// Pages of an older opsctl are replaced; what somebody else has there is not.
#[test]
fn a_manual_page_takes_no_place_of_others() {
    let world = World::empty();
    let run = |more: &[&str]| world.run(["man", "man1"].into_iter().chain(more.iter().copied()));
    run(&[]).success();
    let page = world.read("man1/opsctl.1");
    let older = page.replace(concat!("opsctl ", env!("CARGO_PKG_VERSION")), "opsctl 0.0.1");
    assert_ne!(older, page);
    world.write("man1/opsctl.1", &older);
    world.write("man1/opsctl-plan.1", "");
    run(&[]).success();
    assert_eq!(world.read("man1/opsctl.1"), page);
    world.write("man1/opsctl.1", "thesis");
    let refused = "error[U315]: man1/opsctl.1 is there, and nothing shows that opsctl wrote what is in it";
    run(&[]).ended(1).says(refused).says("`--force` replaces");
    assert_eq!(world.read("man1/opsctl.1"), "thesis");
    // A page of opsctl's behind a link is somebody's too.
    world.write("elsewhere", &older);
    std::fs::remove_file(world.path("man1/opsctl.1")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", world.path("man1/opsctl.1")).unwrap();
    run(&[]).ended(1).says(refused);
    run(&["--force"]).success();
    assert_eq!((world.read("elsewhere"), world.read("man1/opsctl.1")), (older, page));
    assert!(!world.path("man1/opsctl.1").is_symlink());
    world.run(["man", "--force"]).ended(64).says("this command writes none");
}
