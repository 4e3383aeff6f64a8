//! Tests of one kind: `model`.

use serde_json::json;

use super::{made_again, put_right};
use crate::project::said_about;

#[test]
fn what_is_gone_is_made_again() {
    made_again("model/numbers");
}

#[test]
fn what_was_changed_by_hand_is_put_right() {
    put_right([("model/numbers", "/archive", json!(false), "archive: gone -> packed again")]);
}

/// What `check` says of a project with this model, and with an endpoint that has these lines.
fn said(artifact: &str, endpoint: &str) -> String {
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join(artifact), "no archive").unwrap();
    let config = format!(
        "[project]\nname = \"small\"\nregion = \"us-east-1\"\n[model.m]\nartifact = \"{artifact}\"\n\
         [endpoint.e]\nmodel = \"m\"\n{endpoint}"
    );
    said_about(&project.path().join("opsctl.toml"), config, "dev").1
}

#[test]
fn an_archive_that_no_container_unpacks_is_refused() {
    for name in ["model.tar", "model.TGZ", "model.tar.bz2", "model.tar.gz"] {
        assert!(said(name, "").contains("error[C004]"), "{name}: {}", said(name, ""));
    }
    // A file of weights, and what some libraries save.
    for name in ["model.pth", "policy.zip"] {
        assert!(!said(name, "").contains("error["), "{name}: {}", said(name, ""));
    }
}

#[test]
fn a_model_is_served_also_where_its_endpoint_is_wrong() {
    let text = said("model.pth", "volume = 3\n");
    assert!(text.contains("C002") && !text.contains("C128"), "{text}");
}
