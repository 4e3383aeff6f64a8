//! What opsctl does without AWS: help, checks, refusals, and the errors of a machine that has nothing set up.

use std::net::TcpListener;

use clap::CommandFactory;
use expect_test::{expect, expect_file};
use opsctl::cli::Cli;
use serde_json::json;

use crate::support::World;

/// The smallest project that has everything a deploy can go wrong on early.
const SMALL: &str = r#"
[project]
name = "small"
region = "us-east-1"

[notebook.lab]
instance_type = "ml.t3.xlarge"
"#;

#[test]
fn every_command_has_help() {
    let world = World::empty();
    let mut tree = Cli::command();
    tree.build();
    let mut paths: Vec<Vec<String>> = vec![Vec::new()];
    for command in tree.get_subcommands().filter(|c| c.get_name() != "help") {
        paths.push(vec![command.get_name().to_owned()]);
        let inner = command.get_subcommands().filter(|c| c.get_name() != "help");
        paths.extend(inner.map(|c| vec![command.get_name().to_owned(), c.get_name().to_owned()]));
    }
    assert!(paths.len() > 15, "{paths:?}");
    for path in paths {
        let words = path.iter().map(String::as_str).chain(["--help"]);
        let ran = world.run(words).success().says(&format!(
            "Usage: {}",
            ["opsctl"].iter().copied().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
        ));
        assert_eq!(ran.stderr, "", "help that was asked for is the result");
    }
    world.run(["--version"]).success().says(concat!("opsctl ", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_variable_for_an_endpoint_that_is_set_but_empty_is_named() {
    let world = World::shipped().credentials().env("AWS_ENDPOINT_URL_IAM", "");
    world
        .run(["plan"])
        .ended(64)
        .says("AWS_ENDPOINT_URL_IAM is set but empty")
        .says("unset AWS_ENDPOINT_URL_IAM");
}

#[test]
fn what_is_no_address_is_refused_before_the_first_call() {
    let world = World::shipped().credentials().env("AWS_ENDPOINT_URL", "not a url");
    world.run(["plan"]).ended(64).says("error[U302]: AWS_ENDPOINT_URL is not a URL: not a url");
    let world = World::shipped().credentials();
    world.run(["--region", "a/b", "plan"]).ended(64).says("a region looks like us-east-1");
    world.run(["--region", "", "plan"]).ended(64).says("error[U302]");
    let world = World::with_config("[project]\nname = \"small\"\n").credentials().env("AWS_REGION", "a/b");
    world.run(["plan"]).ended(64).says("error[U302]: `a/b` is not an AWS region");
}

/// A region becomes part of every name and host name, wherever it comes from.
#[test]
fn a_region_that_aws_does_not_have_is_refused_before_the_first_call() {
    const NO_REGION: &str = "[project]\nname = \"small\"\n";
    let sandbox = World::with_config(NO_REGION).sandbox();
    let ran = sandbox.run(["--region", "us-esat-1", "plan"]).ended(64);
    let ran = ran.says("error[C021]: AWS has no region \"us-esat-1\"").says("it comes from --region");
    ran.says("us-east-1");
    sandbox.run(["--region", "us-east-3", "plan"]).success().says("warning[C115]");
    let world = World::with_config(NO_REGION).credentials().env("AWS_REGION", "us-esat-1");
    world.run(["plan"]).ended(64).says("error[C021]").says("it comes from AWS_REGION");
    // Nor is it a problem of a line of the file, which has a good one.
    let file = World::with_config("[project]\nname = \"small\"\nregion = \"us-east-1\"\n");
    let file = file.env("AWS_REGION", "us-esat-1");
    let ran = file.run(["check"]).ended(64).says("error[C021]").says("it comes from AWS_REGION");
    ran.does_not_say("opsctl.toml:");
    file.run(["--region", "us-esat-1", "check"]).ended(64).says("it comes from --region");
    // What is not AWS has regions of its own.
    let port = crate::support::free_port();
    let own = ["--endpoint-url", &format!("http://127.0.0.1:{port}"), "plan"];
    world.run(own).ended(1).says("error[E208]");
    let world = World::with_config(NO_REGION);
    world.write("aws", "[default]\nregion = us-esat-1\n");
    let file = world.path("aws");
    let world = world.env("AWS_CONFIG_FILE", file.display());
    world.run(["plan"]).ended(64).says("error[C021]").says("it comes from the profile");
}

/// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
#[test]
fn endpoints_are_those_that_the_sdks_use() {
    let nobody = format!("http://127.0.0.1:{}", crate::support::free_port());
    let web = web_server("200 OK", PAGE);
    let with = |profile: &str| {
        let world = World::with_config(SMALL).credentials();
        world.write("aws", &format!("[default]\n{profile}\n"));
        let file = world.path("aws");
        world.env("AWS_CONFIG_FILE", file.display())
    };
    with("").env("AWS_ENDPOINT_URL_STS", &web).run(["plan"]).ended(1).says("E236");
    with(&format!("endpoint_url = {web}")).run(["plan"]).ended(1).says("E236");
    // The SDK would go to AWS.
    with("endpoint_url = nonsense").run(["plan"]).ended(64).says("the profile's `endpoint_url` is not a URL");
    // The environment has the last word but for the command line.
    let world = with(&format!("endpoint_url = {web}")).env("AWS_ENDPOINT_URL", &nobody);
    world.run(["plan"]).ended(1).says("E208");
    world.run(["plan", "--endpoint-url", &web]).ended(1).says("E236");
    // Ignored, so the way is to AWS, through a proxy that is not there.
    let world = with(&format!("endpoint_url = {web}")).env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true");
    let world = world.env("AWS_ENDPOINT_URL", "not a url").env("HTTPS_PROXY", &nobody);
    world.run(["plan"]).ended(1).says("E208");
}

#[test]
fn a_command_line_that_cannot_be_read_has_its_code() {
    let world = World::shipped();
    let ran = world.run(["plan", "--no-such-flag", "-o", "json"]).ended(64);
    assert_eq!(ran.error_code(), "U302");
    assert!(ran.stderr.is_empty(), "{ran}");
    let world = World::shipped().env("OPSCTL_CONFIG", "");
    world
        .run(["check"])
        .ended(64)
        .says("error[U302]: OPSCTL_CONFIG is set but empty")
        .says("unset OPSCTL_CONFIG");
}

#[test]
fn suggestions_go_where_the_command_goes() {
    let world = World::shipped().sandbox();
    let ran = world.run(["-c", "config/opsctl.toml", "-e", "prod", "invoke"]).ended(1);
    ran.says("run `opsctl --sandbox -c config/opsctl.toml -e prod deploy` first");
    let ran = world.run(["-c", "config/opsctl.toml", "invoke", "-o", "json"]).ended(1);
    assert_eq!(ran.json()["error"]["help"], "run `opsctl --sandbox -c config/opsctl.toml deploy` first");
    world.edit("config/opsctl.toml", "allow = [\"C101\", \"C102\"] ", "allow = []");
    let ran = world.run(["plan", "--out", "p.json"]).success();
    ran.says("`opsctl --sandbox deploy --plan p.json`").says("SANDBOX, us-east-1");
    // Two configs in one folder have two samples.
    world.write("config/dog-breeds/sample.json", "no JSON");
    world.run(["invoke"]).ended(1).says("is not deployed");
    world.run(["-c", "config/dog-breeds.toml", "invoke"]).ended(64).says("the payload is not JSON");
    let unsaid = world.run(["invoke", "{\"a\": 1}"]).ended(64);
    unsaid.says("`{\"a\": 1}` is a payload, where a name is expected").says("--payload");
}

/// What opsctl suggests stands between backticks: there the options in use are put in.
#[test]
fn every_suggested_command_is_between_backticks() {
    let commands: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let mut bare = Vec::new();
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("our sources").flatten() {
            let path = entry.path();
            if path.is_dir() && !path.ends_with("sandbox") && !path.ends_with("tests") {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("examples.rs") {
                let text = std::fs::read_to_string(&path).expect("our sources");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
                for line in code.filter(|line| line.contains('"')) {
                    let said = |c: &String| {
                        let command = format!("opsctl {c}");
                        let mut said = line.match_indices(&command).map(|(at, word)| {
                            let whole = !line[at + word.len()..].starts_with(char::is_alphabetic);
                            whole && !line[..at].ends_with('`')
                        });
                        said.any(|bare| bare)
                    };
                    if commands.iter().any(said) && !line.contains("\"name\"") {
                        bare.push(format!("{}: {}", path.display(), line.trim()));
                    }
                }
            }
        }
    }
    assert_eq!(bare, [] as [&str; 0]);
}

/// The proxy is asked beside a bundle of certificates, and never for this machine.
#[test]
fn proxies_hold_with_a_bundle_and_not_for_this_machine() {
    use std::io::{BufRead, BufReader};
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let proxy = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (sender, asked) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut line = String::new();
            let _ = BufReader::new(stream).read_line(&mut line);
            let _ = sender.send(line);
        }
    });
    let bundle = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/support/authority.pem");
    let world = World::shipped().credentials().env("HTTPS_PROXY", &proxy).env("AWS_CA_BUNDLE", bundle);
    let named = format!("through the proxy {} (HTTPS_PROXY): ", &proxy["http://".len()..]);
    world.run(["plan"]).ended(1).says("error[E208]").says(&named);
    assert_eq!(asked.recv().expect("it was asked"), "CONNECT sts.us-east-1.amazonaws.com:443 HTTP/1.1\r\n");
    while asked.try_recv().is_ok() {}
    let world = World::shipped().sandbox().env("HTTP_PROXY", &proxy).env("HTTPS_PROXY", &proxy);
    world.run(["upload", "--yes"]).success();
    assert!(asked.try_recv().is_err(), "it was asked for this machine");
}

/// The SDK would go past it, which is what a proxy is there to prevent.
#[test]
fn a_proxy_that_cannot_be_read_is_an_error_without_its_password() {
    let world = World::shipped().credentials().env("https_proxy", "http://us:secret@:::bad");
    for command in [&["plan"][..], &["upload", "--yes"], &["audit-iam"]] {
        let ran = world.run(command.iter().copied()).ended(64).says("error[U302]: https_proxy is not a URL");
        assert!(!ran.to_string().contains("secret"), "{ran}");
    }
    let world = World::shipped().sandbox().env("https_proxy", "http://us:secret@:::bad");
    world.run(["check"]).success();
    world.run(["status"]).success();
}

#[test]
fn a_sandbox_that_cannot_start_says_why() {
    let world = World::shipped();
    world.write("file", "");
    let file = world.path("file");
    let world = world.env("OPSCTL_SANDBOX", file.display());
    world
        .run(["--sandbox", "plan"])
        .ended(1)
        .says("File exists (os error 17)")
        .says("something else is in the way");
    let world = World::shipped();
    world
        .run(["sandbox", "serve", "--speed", "0"])
        .ended(64)
        .says("error[U302]")
        .says("the sandbox's speed is a number");
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    world
        .run(["sandbox", "serve", "--port", &port])
        .ended(1)
        .says("Address already in use")
        .says("name another --port");
}

#[test]
fn a_file_without_a_certificate_that_can_be_read_is_named() {
    let world = World::shipped().credentials();
    world.write("bad.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let bundle = world.path("bad.pem");
    let world = world.env("AWS_CA_BUNDLE", bundle.display());
    world.run(["plan"]).ended(64).says("bad.pem, which cannot be used").says("PEM");
}

#[test]
fn a_wrong_command_line_is_64() {
    let world = World::with_config(SMALL);
    expect![[r#"
    $ opsctl deplyo
    ! error[U302]: unrecognized subcommand 'deplyo'
    ! 
    !   tip: a similar subcommand exists: 'deploy'
    ! 
    ! Usage: opsctl [OPTIONS] <COMMAND>
    !   help: try '--help'.
    exit 64
    "#]]
    .assert_eq(&world.run(["deplyo"]).to_string());
    for wrong in [
        &["plan", "--no-such-flag"][..],
        &["scale", "--target", "many"],
        &["--sandbox", "--endpoint-url", "http://127.0.0.1:1", "plan"],
        &["--endpoint-url", "http://[", "plan"],
        &["--endpoint-url", "localhost:4566", "plan"],
        &["--sandbox", "logs", "not-a-target"],
        &[],
    ] {
        world.run(wrong.iter().copied()).ended(64);
    }
}

#[test]
fn the_shipped_projects_are_valid() {
    let world = World::shipped();
    let shipped = world.run(["check"]).success();
    assert_eq!(shipped.stdout, "config/opsctl.toml: valid, 18 resources, 3 warnings allowed\n");
    // The case's own numbers: accepted, and what is doubtful about them is said.
    expect_file!["expected/dog-breeds.txt"]
        .assert_eq(&world.run(["-c", "config/dog-breeds.toml", "check"]).to_string());
    let quiet = world.run(["-c", "config/dog-breeds.toml", "check", "--quiet"]).success();
    assert_eq!(quiet.stderr, "");
    let found = world.run(["-c", "config/dog-breeds.toml", "check", "-o", "json"]).success().json();
    assert_eq!((&found["format"], &found["ok"], &found["resources"]), (&json!(1), &json!(true), &json!(18)));
    let problems = found["problems"].as_array().expect("a list");
    let codes: Vec<_> = problems.iter().map(|p| p["code"].as_str().expect("text")).collect();
    assert_eq!(codes, ["C101", "C102", "C102", "C105"]);
    let keys = ["code", "severity", "file", "line", "column", "key", "message", "help"];
    assert!(problems.iter().all(|p| keys.iter().all(|key| !p[key].is_null())), "{problems:?}");
}

/// `[env.prod]` asks for more concurrency than most accounts allow, and all of it is a rehearsal.
const WARNED: &str = r#"
[project]
name = "warned"
region = "us-east-1"
[training.t]
source = "src"
[endpoint.e]
model = "t"
[endpoint.e.autoscaling]
min = 1
max = 2
[function.f]
endpoint = "e"
[env.prod.function.f]
provisioned_concurrency = 901
"#;

/// A warning that comes with every command is read by nobody.
#[test]
fn warnings_are_given_where_the_config_is_judged_and_can_be_silenced() {
    let world = World::with_config(WARNED).sandbox();
    world.write("src/train.py", "");
    let check = world.run(["check"]).success().says("[C101]").says("`provisioned_concurrency = 2` fails");
    check.says("901 is more than an account").says("(in environment prod)");
    // Nobody's account is small in the sandbox.
    for command in [&["plan"][..], &["deploy", "--dry-run"]] {
        world.run(command.iter().copied()).success().says("[C101]").does_not_say("C105");
    }
    for command in [&["status"][..], &["scale", "--dry-run"], &["destroy", "--yes"], &["upload", "--yes"]] {
        world.run(command.iter().copied()).does_not_say("warning");
    }
    let allow = |codes: &str| world.write("opsctl.toml", &format!("{WARNED}[lint]\nallow = {codes}\n"));
    allow(r#"["C101", "C105"]"#);
    world.run(["check"]).success().does_not_say("warning[").says("2 warnings allowed");
    world.run(["plan"]).success().does_not_say("warning");
    // It silences something in one environment, or nothing in any.
    allow("[\"C101\"]\n[env.prod.lint]\nallow = [\"C105\", \"C106\"]");
    let check =
        world.run(["check"]).success().says("[C105]: `provisioned_concurrency = 2`").does_not_say("901");
    check.says("[C117]: C106 is allowed").says("(in environment prod)").does_not_say("C101 is allowed");
}

#[test]
fn every_problem_is_shown_at_once_where_it_stands() {
    let world = World::shipped();
    world.edit("config/opsctl.toml", "instance_type = \"ml.m5.large\"", "instance_typ = \"ml.m5.large\"");
    world.edit("config/opsctl.toml", "model         = \"numbers\"", "model         = \"number\"");
    world.edit("config/opsctl.toml", "memory_mb               = 128", "memory_mb               = 64");
    let found = world.run(["check", "-o", "json"]).ended(3);
    let code = found.error_code();
    let problems = found.json()["error"]["problems"].as_array().expect("a list").clone();
    let errors: Vec<_> = problems.iter().filter(|p| p["severity"] == "error").collect();
    assert!(errors.iter().any(|p| p["code"] == code.as_str()), "the first is the headline\n{found}");
    let at: Vec<_> = errors
        .iter()
        .map(|p| format!("{} {}", p["code"].as_str().unwrap_or(""), p["key"].as_str().unwrap_or("")))
        .collect();
    expect![[r#"
        C002 endpoint.numbers.instance_typ
        C019 function.classify.memory_mb"#]]
    .assert_eq(&at.join("\n"));
    for problem in &errors {
        assert_eq!(problem["file"], "config/opsctl.toml");
        let line = problem["line"].as_u64().expect("a number") as usize;
        let text = world.read("config/opsctl.toml").lines().nth(line - 1).unwrap_or_default().to_owned();
        let key = problem["key"].as_str().expect("text").rsplit('.').next().unwrap_or_default();
        assert!(
            text.contains(key) || text.starts_with('['),
            "line {line} is `{text}`, the problem is of {key}"
        );
    }
    let human = world.run(["check"]).ended(3);
    assert_eq!(human.stdout, "", "problems are not the result");
    for problem in &errors {
        assert!(human.stderr.contains(problem["message"].as_str().expect("text")), "{human}");
    }
}

#[test]
fn broken_files_are_refused() {
    let cases = [
        ("not TOML", "[project\nname = 1"),
        ("no project", ""),
        ("a name AWS refuses", "[project]\nname = \"Ünicode\""),
        ("unknown section", "[project]\nname = \"a\"\n[lambda.x]\nendpoint = \"y\""),
        ("unknown key", "[project]\nname = \"a\"\ncolour = \"red\""),
        ("wrong type", "[project]\nname = \"a\"\n[notebook.lab]\nvolume_gb = \"five\""),
    ];
    for (what, text) in cases {
        let world = World::with_config(text);
        let ran = world.run(["check", "-o", "json"]).ended(3);
        assert!(ran.error_code().starts_with("C0"), "{what}\n{ran}");
        let human = world.run(["check"]).ended(3);
        assert!(human.stderr.contains("help:"), "{what}\n{human}");
    }
}

#[test]
fn codes_are_explained() {
    let world = World::empty();
    world.run(["explain", "C101"]).success().says("C101: ").says("per MINUTE");
    let all = world.run(["explain"]).success();
    for line in all.stdout.lines() {
        let code = line.split_whitespace().next().expect("begins with a code");
        let found = world.run(["explain", code, "-o", "json"]).success().json();
        assert_eq!(found["code"], code);
    }
    assert_eq!(world.run(["explain", "C999", "-o", "json"]).ended(64).error_code(), "U302");
}

#[test]
fn editors_are_served() {
    let world = World::empty();
    let schema = world.run(["schema"]).success().json();
    let kinds = opsctl::resources::kinds();
    for section in kinds.iter().filter_map(|kind| kind.section()).chain(["project", "env"]) {
        assert!(schema["properties"][section].is_object(), "no [{section}] in {schema}");
    }
}

#[test]
fn the_config_is_found_from_below_and_missed_with_help() {
    let world = World::shipped();
    world.write("config/opsctl.toml", SMALL);
    world.run(["check"]).success().says("config/opsctl.toml");
    let nowhere = World::empty();
    expect![[r#"
    $ opsctl check
    ! error[C015]: there is no opsctl.toml here or in a folder above
    !   help: `opsctl init` writes one; `--config FILE` names another
    exit 3
    "#]]
    .assert_eq(&nowhere.run(["check"]).to_string());
    assert_eq!(nowhere.run(["deploy", "--yes", "-o", "json"]).ended(3).error_code(), "C015");
    assert_eq!(nowhere.run(["-c", "no.toml", "check", "-o", "json"]).ended(3).error_code(), "C015");
}

/// Nobody can be asked, so nothing is done; and nobody need be asked where there is nothing to do.
#[test]
fn nothing_is_changed_without_consent() {
    let data = "[data.d]\npath = \"d\"\n";
    let world = World::with_config(&format!("{SMALL}{data}")).sandbox();
    world.write("d/rows.csv", "1,2\n");
    let asked = |command: &str| {
        let ran = world.run([command]).ended(64).says("U301");
        assert!(ran.stderr.contains("--yes"), "{ran}");
        assert_eq!(world.run([command, "-o", "json"]).ended(64).error_code(), "U301");
    };
    for command in ["deploy", "bucket", "upload", "notebook"] {
        asked(command);
    }
    let ran = world.run(["bucket"]).says("+ bucket/main");
    let told = "error[U301]: there is no terminal to ask for confirmation\n  help: add --yes to go ahead\n";
    assert!(ran.stderr.ends_with(told), "{ran}");
    for command in ["upload", "train", "scale"] {
        world.run([command, "nope"]).ended(64).says("U303");
    }
    for command in ["destroy", "lease break"] {
        world.run(command.split(' ')).success();
    }
    world.run(["upload", "--yes"]).success();
    for command in ["upload", "bucket"] {
        world.run([command]).success();
        assert_eq!(world.run([command, "-o", "json"]).success().finished()["result"], "ok");
    }
    world.write("d/rows.csv", "1,2\n3,4\n");
    for command in ["upload", "destroy"] {
        asked(command);
    }
}

/// Exit 64, but no error: it was asked for nothing.
#[test]
fn alone_it_shows_what_there_is() {
    let world = World::empty();
    let ran = world.run([]).ended(64);
    assert!(
        ran.stderr.starts_with("Operationalize a machine-learning project") && ran.stderr.contains("deploy"),
        "{ran}"
    );
    world.run(["-e", "", "check"]).ended(64).says("U302");
}

#[test]
fn missing_credentials_are_named() {
    let world = World::with_config(SMALL);
    for command in
        [&["plan"][..], &["deploy", "--yes"], &["status"], &["destroy", "--yes"], &["logs", "notebook/lab"]]
    {
        let ran = world.run(command.iter().copied()).ended(4);
        assert!(ran.stderr.contains("E201") && ran.stderr.contains("--sandbox"), "{ran}");
        let ran = world.run(command.iter().copied().chain(["-o", "json"])).ended(4);
        assert_eq!(ran.error_code(), "E201");
    }
}

#[test]
fn an_unknown_profile_is_named() {
    let world = World::with_config(SMALL);
    let ran = world.run(["--profile", "nobody", "plan", "-o", "json"]).ended(4);
    assert_eq!(ran.error_code(), "E201");
    world.write("aws", "[default]\nregion = us-east-1\n[profile work]\nregion = eu-west-1\n");
    let file = world.path("aws");
    // Keys of the environment do not stand in for a profile that was asked for.
    let world = world.credentials().env("AWS_CONFIG_FILE", file.display());
    let ran = world.run(["--profile", "wrok", "plan"]).ended(4);
    ran.says("error[E201]: there is no AWS profile `wrok`").says("did you mean `work`?");
    world.run(["--profile", "zzzzzz", "plan"]).ended(4).says("there are: default, work");
}

#[test]
fn an_unreachable_endpoint_is_a_network_error() {
    let world = World::with_config(SMALL).credentials();
    let port = crate::support::free_port();
    let ran = world.run(["--endpoint-url", &format!("http://127.0.0.1:{port}"), "plan"]).ended(1);
    assert!(ran.stderr.contains("error[E208]"), "{ran}");
    let ran = world
        .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"))
        .run(["deploy", "--yes", "-o", "json"])
        .ended(1);
    assert_eq!(ran.error_code(), "E208");
    assert_eq!(ran.json()["error"]["retryable"], true);
    assert!(!ran.stdout.contains("test"), "the keys are nobody's business\n{ran}");
}

const PAGE: &str = "<html></html>";

/// Something listens and talks, but not AWS's language: it answers all requests alike.
fn web_server(status: &str, body: &str) -> String {
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    format!("http://127.0.0.1:{port}")
}

#[test]
fn an_endpoint_that_is_not_aws_is_no_answer() {
    let world = World::with_config(SMALL).credentials().env("AWS_MAX_ATTEMPTS", 1);
    // `python -m http.server` answers 501 to a POST; 503 is what a proxy says whose other side is down.
    for (status, body, expected) in [
        ("200 OK", PAGE, (Some(1), "E236")),
        ("501 Unsupported method", PAGE, (Some(1), "E236")),
        ("503 Service Unavailable", PAGE, (Some(1), "E237")),
        ("503 Service Unavailable", "upstream connect error", (Some(1), "E237")),
        ("503 Service Unavailable", "{\"error\": \"down\"}", (Some(1), "E237")),
    ] {
        let ran = world.run(["--endpoint-url", &web_server(status, body), "plan", "-o", "json"]);
        assert_eq!((ran.code, ran.error_code().as_str()), expected, "{status} {body}: {ran}");
    }
}
