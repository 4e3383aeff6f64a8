//! Tests of one kind: `function`.

use opsctl::desired::Desired;
use opsctl::policy::{self, Names, Whom};
use opsctl::resources::function::{Function, Spec};
use opsctl::resources::kinds;
use opsctl::resources::role::Role;
use serde_json::json;

use super::{made_again, put_right};
use crate::plan::world::{Account, DEPLOY, Files, shown};
use crate::project;

#[test]
fn what_is_gone_is_made_again() {
    made_again("function/classify");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([
        ("function/classify", "/live", json!(null), "alias: none -> live"),
        ("function/classify", "/live/more", json!({ "tracing": "Active" }), "tracing: Active -> default"),
        (
            "function/classify",
            "/latest/more",
            json!({ "tracing": "Active" }),
            "$LATEST: another code or configuration -> as the alias",
        ),
        ("function/classify", "/reserved", json!(0), "reserved concurrency: 0 -> none"),
        ("function/classify", "/live/config/storage_mb", json!(1024), "ephemeral_storage_mb: 1024 -> 512"),
        ("function/classify", "/live/config/layers", json!(["arn:a"]), "layers: arn:a -> none"),
        (
            "function/classify",
            "/latest/config/environment",
            json!({}),
            "$LATEST: another code or configuration -> as the alias",
        ),
        ("function/classify", "/weighted", json!(true), "alias weights: some -> none"),
        ("function/classify", "/live/config/memory_mb", json!(512), "memory_mb: 512 -> 128"),
        ("function/classify", "/live/config/environment", json!({}), "environment: other values -> these"),
    ]);
}

fn function(want: &Desired) -> &Spec {
    want.node(&"function/classify".parse().unwrap()).unwrap().spec_as::<Function>().unwrap()
}

fn policy_of(want: &Desired, role: &str) -> String {
    let node = want.node(&format!("role/{role}").parse().unwrap()).unwrap();
    node.spec_as::<Role>().unwrap().policy.to_string()
}

/// The project with more lines in its function.
fn with(lines: &str) -> Files {
    let mut files = Files::new();
    files.edit("[function.classify]", &format!("[function.classify]\n{lines}"));
    files
}

#[test]
fn a_url_is_opened_closed_and_put_right() {
    let mut account = Account::with(&Files::new().desired());
    let step = |account: &mut Account, lines: &str, why: &str| {
        let said = shown(&account.deploy(&with(lines).desired(), DEPLOY));
        assert!(said.contains("~ function/classify") && said.contains(why), "{why}: {said}");
    };
    step(&mut account, "url = \"iam\"", "url: none -> iam");
    step(&mut account, "url = \"public\"", "url: iam -> public");
    // Somebody has taken away a permission, the whole address, or made it anybody's.
    let want = with("url = \"public\"").desired();
    for (at, value, why) in [
        ("/url/open", json!(false), "url: public, without its permissions -> public"),
        ("/url", json!(null), "url: none -> public"),
    ] {
        *account.seen(&want, "function/classify").pointer_mut(at).unwrap() = value;
        step(&mut account, "url = \"public\"", why);
    }
    step(&mut account, "", "url: public -> none");

    // Whoever may open a function to everybody is told apart, but where any config is allowed.
    let policy = |lines: &str, names| {
        let documents = policy::documents(&with(lines).desired(), &kinds(), Whom::Deployer, names);
        serde_json::to_string(&documents).unwrap()
    };
    for (lines, names, opens) in
        [("", Names::Exact, false), ("url = \"iam\"", Names::Exact, true), ("", Names::OfProject, true)]
    {
        let text = policy(lines, names);
        for call in ["lambda:AddPermission", "lambda:CreateFunctionUrlConfig"] {
            assert_eq!(text.contains(call), opens, "{lines} {call}");
        }
        assert!(text.contains("lambda:DeleteFunctionUrlConfig"), "{text}");
    }
}

#[test]
fn storage_layers_and_concurrency_are_updates() {
    let mut account = Account::with(&Files::new().desired());
    let layer = "arn:aws:lambda:us-east-1:123456789012:layer:tools:3";
    let files =
        with(&format!("ephemeral_storage_mb = 2048\nlayers = [\"{layer}\"]\nreserved_concurrency = 5"));
    let want = files.desired();
    let documents = policy::documents(&want, &kinds(), Whom::Deployer, Names::Exact);
    let text = serde_json::to_string(&documents).unwrap();
    assert!(text.contains("lambda:GetLayerVersion") && text.contains(layer), "{text}");
    let said = shown(&account.deploy(&want, DEPLOY));
    for why in [
        "ephemeral_storage_mb: 512 -> 2048".to_owned(),
        format!("layers: none -> {layer}"),
        "reserved concurrency: none -> 5".to_owned(),
    ] {
        assert!(said.contains(&why), "{why}: {said}");
    }
}

#[test]
fn requirements_are_installed_and_known_by_their_text() {
    let mut files = Files::new();
    files.edit("source = \"function\"", "source = \"own\"");
    files.write("own/handler.py", "def lambda_handler(event, context): ...");
    let bare = function(&files.desired()).clone();
    assert_eq!(bare.packages, None);
    // What the runtime or the folder has needs no installation.
    files.write("own/requirements.txt", "boto3\n# a comment\n");
    assert_eq!(function(&files.desired()).packages, None);

    files.write("own/requirements.txt", "requests==2.32.5\n");
    let want = files.desired();
    let packed = function(&want).clone();
    assert!(packed.packages.is_some() && packed.code_sha256 != bare.code_sha256);
    let mut account = Account::with(&want);
    for (file, text) in [
        ("own/requirements.txt", "requests==2.32.4\n"),
        ("own/requirements.lock", "requests==2.32.3 --hash=sha256:00\n"),
        ("own/handler.py", "def lambda_handler(event, context): return 1"),
    ] {
        files.write(file, text);
        let said = shown(&account.deploy(&files.desired(), DEPLOY));
        assert!(said.contains("~ function/classify") && said.contains("code: "), "{file}: {said}");
    }
    // Digests that begin alike are two.
    let want = files.desired();
    let digest = function(&want).code_sha256.clone();
    let other = format!("{}0000000000000", &digest["packed-".len()..][..3]);
    account.seen(&want, "function/classify")["live"]["code_sha256"] = json!(format!("packed-{other}"));
    let said = shown(&account.deploy(&want, DEPLOY));
    assert!(said.contains("~ function/classify") && said.contains("code: "), "{said}");
    // Another Python or processor has other wheels.
    let digest = |files: &Files| function(&files.desired()).packages.clone().unwrap().digest;
    let before = digest(&files);
    let mut other = files;
    other.edit("source = \"own\"", "source = \"own\"\narchitecture = \"arm64\"");
    assert_ne!(digest(&other), before);
}

/// A function with these requirements and files.
fn requiring(requirements: &str, more: &[(&str, &str)]) -> Files {
    let mut files = Files::new();
    files.edit("source = \"function\"", "source = \"own\"");
    files.write("own/handler.py", "def lambda_handler(event, context): ...");
    files.write("own/requirements.txt", requirements);
    for (file, text) in more {
        files.write(file, text);
    }
    files
}

/// The deploy after a change to it said "updated", and took the packages of before from the cache.
#[test]
fn packages_are_known_by_all_that_the_requirements_name() {
    let digest = |files: &Files| function(&files.desired()).packages.clone().unwrap().digest;
    for (requirements, named) in [
        ("-r reqs/base.txt\n", "own/reqs/base.txt"),
        ("-rreqs/base.txt\n", "own/reqs/base.txt"),
        ("-r ../common.txt\n", "common.txt"),
        ("six\n-c ../constraints.txt\n", "constraints.txt"),
        ("toml\n--find-links=wheels\n", "own/wheels/toml-1-py3-none-any.whl"),
        ("./wheels/toml-1-py3-none-any.whl\n", "own/wheels/toml-1-py3-none-any.whl"),
        ("wheels/toml-1-py3-none-any.whl\n", "own/wheels/toml-1-py3-none-any.whl"),
        ("../toml-1-py3-none-any.whl\n", "toml-1-py3-none-any.whl"),
    ] {
        let files = requiring(requirements, &[(named, "six==1.15.0\n")]);
        let before = digest(&files);
        let mut account = Account::with(&files.desired());
        files.write(named, "six==1.16.0\n");
        assert_ne!(digest(&files), before, "{requirements}");
        let said = shown(&account.deploy(&files.desired(), DEPLOY));
        assert!(said.contains("~ function/classify") && said.contains("code: "), "{requirements}: {said}");
    }
}

/// What the runtime has is in some version there, and in any is not in a lock.
#[test]
fn what_is_asked_for_in_a_version_is_installed() {
    let is_installed = |requirements: &str, more: &[(&str, &str)]| {
        function(&requiring(requirements, more).desired()).packages.is_some()
    };
    for requirements in [
        "boto3==1.28.0\n",
        "six --hash=sha256:00\n",
        "six\n-c ../held.txt\n",
        "boto3[crt]\n",
        "-r ../held.txt",
    ] {
        assert!(is_installed(requirements, &[("held.txt", "six==1.15.0\n")]), "{requirements}");
    }
    assert!(is_installed("boto3\n", &[("own/requirements.lock", "toml==0.10.2\n")]));
    // Samples of requests are no package of that name.
    assert!(is_installed("requests\n", &[("own/requests/get.json", "{}")]));
    assert!(!is_installed("requests==2.32.5\n", &[("own/requests/__init__.py", "")]));
    assert!(!is_installed("boto3\nsix ; python_version < '4'\n-r ../held.txt\n", &[("held.txt", "six\n")]));
    assert!(!is_installed("six\n-c ../held.txt\n", &[("held.txt", "urllib4<2\n")]));
}

#[test]
fn a_lock_alone_is_installed() {
    let mut files = Files::new();
    files.edit("source = \"function\"", "source = \"own\"");
    files.write("own/handler.py", "def lambda_handler(event, context): ...");
    files.write("own/requirements.lock", "toml==0.10.2\n");
    assert_eq!(function(&files.desired()).packages.clone().unwrap().file, "requirements.lock");
}

#[test]
fn an_environment_may_name_endpoints() {
    let more = "\n[endpoint.other]\nmodel = \"numbers\"\n\n[function.classify.environment]\n\
                OTHER = \"https://x/${endpoint.other}/y\"\nFILES = \"${bucket}\"\nPLAIN = \"$${HOME}\"\n";
    let mut files = Files::new();
    files.append(more);
    let want = files.desired();
    let environment = &function(&want).configuration.environment;
    let prefix = &want.scope.prefix();
    assert_eq!(environment["OTHER"], format!("https://x/{prefix}other/y"));
    assert!(environment["FILES"].starts_with(prefix.as_str()), "{environment:?}");
    assert_eq!(environment["PLAIN"], "${HOME}");
    // What it is told of, it may invoke; and it is made after that.
    let policy = policy_of(&want, "function-classify");
    assert!(policy.contains(&format!("endpoint/{prefix}other")), "{policy}");
    let node = want.node(&"function/classify".parse().unwrap()).unwrap();
    assert!(node.needs.contains(&"endpoint/other".parse().unwrap()), "{:?}", node.needs);

    let wrong = more.replace("${endpoint.other}", "${endpoint.another}").replace("${bucket}", "${buckets}");
    let file = std::path::Path::new("tests/core/plan/project/opsctl.toml");
    let text = Files::new().text().to_owned() + &wrong;
    let (_, said) = project::said_about(file, text, "dev");
    assert_eq!(said.matches("error[C006]").count(), 2, "{said}");
    assert!(said.contains("there is no [endpoint.another]"), "{said}");
    assert!(!said.contains("buckets"), "a value may be a secret: {said}");
}

/// What `check` says of a function whose folder has these files.
fn said_of(files: &[(&str, &str)], lines: &str) -> String {
    let mut all = Files::new();
    for (file, text) in files {
        all.write(&format!("own/{file}"), text);
    }
    all.edit("source = \"function\"", &format!("source = \"own\"\n{lines}"));
    project::said_about(&all.file(), all.text().to_owned(), "dev").1
}

#[test]
fn a_handler_that_its_file_does_not_have_is_refused() {
    let said = |text: &str| said_of(&[("app.py", text)], "handler = \"app.nothere\"\n");
    let text = said("def run(event, context): ...\ndef other(): ...\n");
    assert!(
        text.contains("there is no `nothere` in app.py") && text.contains("it defines: run, other"),
        "{text}"
    );
    for given in [
        "from pkg import nothere\n",
        "nothere = lambda event, context: 1\n",
        "from pkg import *\n",
        "globals()['not' + 'here'] = print\n",
    ] {
        assert!(!said(given).contains("there is no `nothere`"), "{given}: {}", said(given));
    }
}

/// It outranks what opsctl asks pip for: what is built is for the machine that builds it.
#[test]
fn requirements_that_have_packages_built_are_refused() {
    let handler = ("handler.py", "def lambda_handler(event, context): ...");
    let text = said_of(&[handler, ("requirements.txt", "--no-binary :all:\nmarkupsafe\n")], "");
    assert!(text.contains("error[C025]: `--no-binary :all:` builds packages for this machine"), "{text}");
}
