//! What others have put into S3, and models that no training makes: read, and no resource of the project.

use std::path::Path;

use opsctl::archive;
use opsctl::config::{Config, Document};
use opsctl::desired::{self, Desired};
use opsctl::domain::{Diagnostic, Diagnostics, KeyPath, KindName, Scope, codes};
use opsctl::inputs::{Inputs, Listing};
use opsctl::plan::Plan;
use opsctl::policy::{self, Names, Whom};
use opsctl::resources::instance::Instance;
use opsctl::resources::kinds;
use opsctl::resources::model::{Model, Spec};
use opsctl::resources::role::Role;
use opsctl::resources::training::Training;
use serde_json::Value;

use super::world::{Account, DEPLOY, DESTROY, shown};
use crate::project;

const HEAD: &str = "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n";

/// What should be there, and what is wrong, when that was found in other buckets.
fn looked_at(
    folder: &Path,
    text: &str,
    found: Option<Result<Listing, Diagnostic>>,
) -> (Desired, Diagnostics) {
    let document = Document::parse(&folder.join("opsctl.toml"), format!("{HEAD}{text}")).unwrap();
    let kinds = kinds();
    let (config, problems) = Config::read(&document, "dev", &project::sections(&kinds));
    assert!(!problems.has_errors(), "{problems:#?}");
    let mut inputs = Inputs::read(folder, desired::sources(&config, &kinds));
    let remotes = desired::remotes(&config, &kinds).into_iter();
    inputs.found(remotes.filter_map(|remote| Some((remote, found.clone()?))));
    desired::build(&config, &Scope::new("shop", "dev", "123456789012", "us-east-1"), &inputs, &kinds)
}

#[track_caller]
fn wanted(folder: &Path, text: &str, found: Listing) -> Desired {
    let (desired, problems) = looked_at(folder, text, Some(Ok(found)));
    assert_eq!(problems.0, [], "{problems:#?}");
    desired
}

fn object(etag: &str) -> Listing {
    Listing { is_object: true, etag: Some(etag.into()), ..Listing::of([("model.tar.gz", 3, etag)]) }
}

fn model(desired: &Desired) -> &Spec {
    let node = desired.nodes.iter().find(|node| node.id.kind == KindName::Model).unwrap();
    node.spec_as::<Model>().unwrap()
}

fn policy_of(desired: &Desired, role: &str) -> String {
    let node = desired.node(&format!("role/{role}").parse().unwrap()).unwrap();
    node.spec_as::<Role>().unwrap().policy.to_string()
}

fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in [("weights/model.pth", "1"), ("code/inference.py", "2"), ("code/train.py", "3")] {
        std::fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    std::fs::write(folder.path().join("resnet.tar.gz"), archive::tar_gz(&[])).unwrap();
    folder
}

const REMOTE: &str = r#"
[model.weights]
artifact = "s3://theirs/models/resnet.tar.gz"
image = "pytorch-2.5"
environment = { COLOR = "blue", SIZE = "1" }

[endpoint.dogs]
model = "weights"
environment = { SIZE = "2" }
"#;

#[test]
fn an_archive_in_s3_is_read_where_it_is_and_known_by_its_etag() {
    let folder = files();
    let want = wanted(folder.path(), REMOTE, object("e1"));
    let spec = model(&want);
    assert_eq!(spec.data_url("m").as_deref(), Some("s3://theirs/models/resnet.tar.gz"));
    assert!(spec.image.ends_with("pytorch-inference:2.5.1-cpu-py311"), "{}", spec.image);
    let variables = |name: &str| spec.environment.get(name).map(String::as_str);
    assert_eq!((variables("COLOR"), variables("SIZE")), (Some("blue"), Some("2")));
    assert!(want.nodes.iter().all(|node| node.id.kind != KindName::Training));
    let policy = policy_of(&want, "endpoint-dogs");
    assert!(policy.contains("arn:aws:s3:::theirs/models/resnet.tar.gz\""), "{policy}");
    assert!(!policy.contains("theirs/*"), "{policy}");

    let mut account = Account::with(&want);
    let plan = account.deploy(&wanted(folder.path(), REMOTE, object("e2")), DEPLOY);
    let text = shown(&plan);
    assert!(text.contains("+ model/dogs") && text.contains("artifact: e1 -> e2"), "{text}");
    // With code it is packed again, into the project's own bucket.
    let with_code = REMOTE.replace("model = \"weights\"", "model = \"weights\"\ncode = \"code\"");
    let want = wanted(folder.path(), &with_code, object("e2"));
    let url = model(&want).data_url("m").unwrap();
    assert_eq!(url, "s3://shop-dev-123456789012-us-east-1/models/m/model.tar.gz");
}

#[test]
fn an_archive_or_a_folder_of_this_machine_is_known_by_its_content() {
    let folder = files();
    for (path, file) in [("resnet.tar.gz", "resnet.tar.gz"), ("weights", "weights/model.pth")] {
        let text = format!("[model.w]\nartifact = \"{path}\"\n[endpoint.dogs]\nmodel = \"w\"\n");
        let want = wanted(folder.path(), &text, Listing::default());
        let url = model(&want).data_url("m").unwrap();
        let ends = if path == "weights" { "/model.tar.gz" } else { "/resnet.tar.gz" };
        assert!(url.contains("/artifacts/") && url.ends_with(ends), "{url}");
        assert!(model(&want).image.contains("pytorch-inference:2.6"));
        let policy = policy_of(&want, "endpoint-dogs");
        assert!(policy.contains("us-east-1/artifacts/shop-dev-*"), "{policy}");
        let mut account = Account::with(&want);
        std::fs::write(folder.path().join(file), archive::tar_gz(&[("model.pth", b"other")])).unwrap();
        let plan = account.deploy(&wanted(folder.path(), &text, Listing::default()), DEPLOY);
        assert!(shown(&plan).contains("+ model/dogs"), "{}", shown(&plan));
        assert!(shown(&plan).contains("artifact: "), "{}", shown(&plan));
    }
}

#[test]
fn a_container_may_fetch_its_model() {
    let folder = files();
    let text = r#"
        [model.llm]
        image = "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-tgi-inference:2.6.0-tgi3.2.3-gpu-py311-cu124-ubuntu22.04"
        environment = { HF_MODEL_ID = "gpt2" }
        [endpoint.chat]
        model = "llm"
        instance_type = "ml.g5.xlarge"
    "#;
    let want = wanted(folder.path(), text, Listing::default());
    assert_eq!(model(&want).data_url("m"), None);
    assert_eq!(model(&want).environment["HF_MODEL_ID"], "gpt2");
    Account::with(&want);
}

const DATA: &str = r#"
[data.dogs]
uri = "s3://theirs/dogs"

[training.breeds]
source = "code"
data = ["dogs"]

[training.breeds-on-ec2]
on = "ec2"
instance_type = "m5.xlarge"
source = "code"
data = ["dogs"]
"#;

#[test]
fn data_in_s3_is_a_channel_and_no_resource() {
    let folder = files();
    let found = |etag: &str| Listing::of([("1.jpg", 3, etag), ("2.jpg", 4, "y")]);
    let want = wanted(folder.path(), DATA, found("x"));
    let by = |kind| want.nodes.iter().find(move |node| node.id.kind == kind);
    assert!(by(KindName::Data).is_none());
    let training = by(KindName::Training).unwrap().spec_as::<Training>().unwrap();
    let instance = by(KindName::Instance).unwrap().spec_as::<Instance>().unwrap();
    for channels in [&training.channels, &instance.channels] {
        assert_eq!((channels[0].name.as_str(), channels[0].uri.as_str()), ("dogs", "s3://theirs/dogs/"));
    }
    for role in ["training-breeds", "instance-breeds-on-ec2"] {
        let policy = policy_of(&want, role);
        assert!(policy.contains("arn:aws:s3:::theirs/dogs/*"), "{policy}");
        assert!(!policy.contains("arn:aws:s3:::theirs/*"), "{policy}");
    }
    let mut account = Account::with(&want);
    let plan = account.deploy(&wanted(folder.path(), DATA, found("z")), DEPLOY);
    let text = shown(&plan);
    assert!(text.contains("+ training/breeds") && text.contains("data.dogs: "), "{text}");
    assert!(text.contains("+ instance/breeds-on-ec2"), "{text}");
    let of_theirs = |plan: &Plan| plan.steps.iter().any(|step| step.physical.contains("theirs"));
    assert!(!of_theirs(&plan) && !of_theirs(&account.plan(&want, DESTROY)));

    // One file, and nothing that only begins so.
    let one = Listing { is_object: true, etag: Some("e".into()), ..Listing::of([("dogs", 1, "e")]) };
    let want = wanted(folder.path(), DATA, one);
    let policy = policy_of(&want, "training-breeds");
    assert!(policy.contains("arn:aws:s3:::theirs/dogs\""), "{policy}");
}

#[test]
fn a_version_says_which_data_it_is() {
    let folder = files();
    let text = |version: &str| {
        DATA.replace("s3://theirs/dogs\"", &format!("s3://theirs/dogs/\"\nversion = \"{version}\""))
    };
    let first = wanted(folder.path(), &text("1"), Listing::default());
    let mut account = Account::with(&first);
    assert!(account.plan(&wanted(folder.path(), &text("1"), Listing::default()), DEPLOY).is_empty());
    let plan = account.deploy(&wanted(folder.path(), &text("2"), Listing::default()), DEPLOY);
    assert!(shown(&plan).contains("+ training/breeds"), "{}", shown(&plan));
}

/// `check` calls nobody: the config is valid as long as nobody has looked.
#[test]
fn nobody_has_to_look_for_a_check() {
    let folder = files();
    for text in [REMOTE, DATA] {
        assert_eq!(looked_at(folder.path(), text, None).1.0, []);
    }
}

#[test]
fn what_cannot_be_read_is_an_error_before_anything_is_made() {
    let folder = files();
    for (text, key) in [(REMOTE, ["model", "weights", "artifact"]), (DATA, ["data", "dogs", "uri"])] {
        let said = Diagnostic::error(codes::REMOTE_ABSENT, KeyPath::of(key), "there is no bucket theirs", "");
        let (_, mut problems) = looked_at(folder.path(), text, Some(Err(said)));
        assert!(problems.has_errors());
        assert_eq!(problems.0[0].code, codes::REMOTE_ABSENT);
        // What takes away needs none of it.
        problems.spare_files();
        assert!(!problems.has_errors());
    }
}

#[test]
fn whoever_runs_opsctl_may_list_that_and_no_more() {
    let folder = files();
    for (text, key, may_get) in [(REMOTE, "models/resnet.tar.gz*", true), (DATA, "dogs*", false)] {
        let want = wanted(folder.path(), text, object("e"));
        for whom in [Whom::Deployer, Whom::Planner] {
            let documents = policy::documents(&want, &kinds(), whom, Names::Exact);
            let statements: Vec<&Value> =
                documents.iter().flat_map(|d| d["Statement"].as_array().unwrap()).collect();
            let theirs: Vec<&&Value> =
                statements.iter().filter(|s| s["Resource"].to_string().contains(":::theirs")).collect();
            let list = theirs.iter().find(|s| s["Action"].to_string().contains("s3:ListBucket")).unwrap();
            assert_eq!(list["Condition"]["StringLike"]["s3:prefix"], key);
            let actions: Vec<String> = theirs.iter().map(|s| s["Action"].to_string()).collect();
            assert_eq!(actions.iter().any(|a| a.contains("s3:GetObject")), may_get, "{actions:?}");
            let writes = ["s3:Put", "s3:Delete", "s3:Abort", "s3:*"];
            assert!(!actions.iter().any(|a| writes.iter().any(|w| a.contains(w))), "{actions:?}");
        }
    }
}
