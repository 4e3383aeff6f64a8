//! Channels of a training, and trainings without a script.

use opsctl::domain::KindName;
use opsctl::resources::model::Model;
use opsctl::resources::training::Training;

use super::world::{Account, DEPLOY, Files, shown};
use crate::project;

#[test]
fn how_a_channel_is_read_is_part_of_the_job_and_not_of_the_data() {
    for (key, said) in [
        ("channel = \"train_data\"", "train_data"),
        ("content_type = \"text/csv\"", "text/csv"),
        ("input_mode = \"fastfile\"", "FastFile"),
        ("distribution = \"sharded\"", "ShardedByS3Key"),
    ] {
        let mut files = Files::new();
        let mut account = Account::with(&files.desired());
        files.edit("[data.digits]", &format!("[data.digits]\n{key}"));
        let want = files.desired();
        let plan = account.deploy(&want, DEPLOY);
        let text = shown(&plan);
        assert!(text.contains("+ training/numbers") && text.contains(said), "{key}: {text}");
        assert!(!text.contains("~ data/digits"), "{key}: {text}");
        // An instance copies all files, so only another name is another job there.
        assert_eq!(text.contains("+ instance/numbers-on-ec2"), key.starts_with("channel"), "{key}: {text}");
    }
}

const ALGORITHM: &str = r#"
[project]
name = "shop"
region = "us-east-1"

[data.sales]
path = "training"
content_type = "text/csv"

[training.demand]
algorithm = "xgboost-1.7"
data = { train = "sales", validation = "sales" }
hyperparameters = { num_round = 10, objective = "reg:squarederror", eta = "0.10" }

[endpoint.demand]
model = "demand"
"#;

#[test]
fn a_built_in_algorithm_needs_no_source_and_serves_what_it_made() {
    let file = std::path::Path::new("tests/core/config/files/opsctl.toml");
    let (project, said) = project::said_about(file, ALGORITHM.to_owned(), "dev");
    let desired = project.unwrap_or_else(|| panic!("{said}")).desired;
    let training = desired.nodes.iter().find(|node| node.id.kind == KindName::Training).unwrap();
    let training = training.spec_as::<Training>().unwrap();
    assert_eq!(training.image, "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1");
    assert_eq!(training.code, None);
    // No toolkit decodes them: the text is what was written.
    assert_eq!(training.hyperparameters["eta"], "0.10");
    let channels: Vec<(&str, Option<&str>)> =
        training.channels.iter().map(|c| (&*c.name, c.access.content_type.as_deref())).collect();
    assert_eq!(channels, [("train", Some("text/csv")), ("validation", Some("text/csv"))]);
    let model = desired.nodes.iter().find(|node| node.id.kind == KindName::Model).unwrap();
    assert_eq!(model.spec_as::<Model>().unwrap().image, training.image);
}
