//! The IAM documents of `opsctl policy`, of the shipped project.

use std::collections::BTreeSet;

use expect_test::expect_file;
use opsctl::desired::Desired;
use opsctl::policy::trust::{self, Runs};
use opsctl::policy::{self, LARGEST, Names, Whom, Work};
use opsctl::resources::kinds;
use opsctl_iam::policy::Document;
use serde_json::Value;

use crate::plan::world::Files;
use crate::project::shipped_in;

fn documents(whom: Whom, names: Names) -> Vec<Value> {
    policy::documents(&shipped_in("123456789012", "us-east-1"), &kinds(), whom, names)
}

fn shown(documents: &[Value]) -> String {
    documents.iter().map(|document| format!("{document:#}\n")).collect()
}

#[test]
fn the_documents_of_the_shipped_project() {
    expect_file!["policy/deployer.json"].assert_eq(&shown(&documents(Whom::Deployer, Names::Exact)));
    expect_file!["policy/any-name.json"].assert_eq(&shown(&documents(Whom::Deployer, Names::OfProject)));
    expect_file!["policy/planner.json"].assert_eq(&shown(&documents(Whom::Planner, Names::Exact)));
}

#[test]
fn every_document_is_one_that_iam_takes() {
    for whom in [Whom::Deployer, Whom::Planner] {
        for names in [Names::Exact, Names::OfProject] {
            for document in documents(whom, names) {
                let text = document.to_string();
                assert!(text.chars().filter(|c| !c.is_whitespace()).count() <= LARGEST, "{whom:?} {names:?}");
                assert!(Document::read(document).policy().is_some());
            }
        }
    }
}

#[test]
fn a_repository_is_trusted_whole_and_alone() {
    let runs = Runs::Environment("prod".into());
    let document = trust::github("aws", "123456789012", "me/digits", &runs);
    let condition = &document["Statement"][0]["Condition"];
    assert_eq!(
        condition["StringEquals"]["token.actions.githubusercontent.com:sub"],
        "repo:me/digits:environment:prod"
    );
    let document = trust::github("aws", "123456789012", "me/digits", &Runs::Branch("main".into()));
    assert!(document.to_string().contains("repo:me/digits:ref:refs/heads/main"));
    for bad in ["digits", "me/*", "/x", "me/a/b", "me/a b", ""] {
        assert!(trust::repository(bad).is_err(), "{bad}");
    }
    for bad in ["*", "pr?d", "a b", ""] {
        assert!(trust::name(bad).is_err(), "{bad}");
    }
}

/// The test project with everything that whoever deploys needs more for: a key, a former one, a network,
/// layers, a boundary, and data of others.
pub fn with_everything() -> Desired {
    const KEY: &str = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-12345678901";
    let mut files = Files::new();
    let layer = "arn:aws:lambda:us-east-1:999999999999:layer:pillow:3";
    files.edit(
        "[function.classify]\n",
        &format!("[function.classify]\nnetwork = \"company\"\nlayers = [\"{layer}\"]\n"),
    );
    files.append(&format!(
        "\n[network.company]\nsubnets = [\"subnet-0b000000000000000\"]\n\
         security_groups = [\"sg-0a000000000000000\"]\n\
         \n[encryption]\nkms_key = \"{KEY}a\"\nformer_kms_keys = [\"{KEY}b\"]\n\
         \n[access]\npermissions_boundary = \"arn:aws:iam::000000000000:policy/most\"\n\
         \n[model.theirs]\nartifact = \"s3://theirs/models/resnet.tar.gz\"\nimage = \"pytorch\"\n"
    ));
    files.desired()
}

fn asked(desired: &Desired, work: Work) -> BTreeSet<String> {
    let questions = policy::questions(desired, &kinds(), |_| Some(work));
    questions.into_iter().flat_map(|question| question.actions).collect()
}

/// What the documents allow and no question is about is what opsctl does without: a report, an audit, the
/// looks of `doctor`, the end of what an earlier config has left.
#[test]
fn what_the_documents_allow_is_asked() {
    let desired = with_everything();
    let documents = policy::documents(&desired, &kinds(), Whom::Deployer, Names::Exact);
    let statements = documents.iter().flat_map(|document| document["Statement"].as_array().unwrap());
    let actions = statements.flat_map(|statement| statement["Action"].as_array().unwrap());
    let allowed: BTreeSet<String> = actions.map(|action| action.as_str().unwrap().to_owned()).collect();
    let asked = asked(&desired, Work::Any);
    assert_eq!(asked.difference(&allowed).collect::<Vec<_>>(), [] as [&String; 0]);
    let unasked: Vec<String> = allowed.difference(&asked).map(|name| format!("{name}\n")).collect();
    expect_file!["policy/unasked.txt"].assert_eq(&unasked.concat());
}

/// A function is not made without its layers, its network and its key, whatever its own calls are.
#[test]
fn what_aws_checks_of_whoever_makes_something_is_asked_before() {
    let asked = asked(&with_everything(), Work::Making);
    for needed in ["kms:CreateGrant", "kms:Encrypt", "lambda:GetLayerVersion", "ec2:DescribeSubnets"] {
        assert!(asked.contains(needed), "{needed}: {asked:?}");
    }
    for later in ["iam:GetPolicy", "ecr:BatchGetImage", "logs:GetLogEvents", "lambda:InvokeFunction"] {
        assert!(!asked.contains(later), "{later}: {asked:?}");
    }
}
