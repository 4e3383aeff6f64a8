//! The IAM documents of `opsctl policy`, of the shipped project.

use expect_test::expect_file;
use opsctl::policy::trust::{self, Runs};
use opsctl::policy::{self, LARGEST, Names, Whom};
use opsctl::resources::kinds;
use opsctl_iam::policy::Document;
use serde_json::Value;

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
