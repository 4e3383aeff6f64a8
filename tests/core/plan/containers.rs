//! Trainings whose program is in the image: a container of the user's own, by its URI.

use std::path::Path;

use opsctl::resources::model::Model;
use opsctl::resources::training::Training;

use crate::project;

const OWN: &str = "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/training-and-serving:1";

/// What is said of a training with these keys, and what becomes of it.
fn read(keys: &str) -> (Option<project::Project>, String) {
    let text = format!(
        "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n[training.a]\n{keys}\n[endpoint.e]\nmodel = \"a\"\n"
    );
    project::said_about(Path::new("opsctl.toml"), text, "dev")
}

#[test]
fn a_container_of_ones_own_needs_no_source() {
    let (project, said) =
        read(&format!("image = \"{OWN}\"\nhyperparameters = {{ epochs = 5, name = \"x\" }}"));
    let project = project.unwrap();
    assert!(!project.problems.has_errors(), "{said}");
    let node = |id: &str| project.desired.node(&id.parse().unwrap()).unwrap();
    let job = node("training/a").spec_as::<Training>().unwrap();
    assert_eq!((job.image.as_str(), job.code.as_ref()), (OWN, None));
    // Without AWS's toolkit nobody decodes them.
    assert_eq!(job.hyperparameters["name"], "x");
    assert_eq!(node("model/e").spec_as::<Model>().unwrap().image, OWN);
}

#[test]
fn others_need_a_script() {
    let of_aws = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312";
    for keys in [
        format!("image = \"{of_aws}\""),
        "image = \"pytorch-2.6\"".to_owned(),
        "on = \"ec2\"\nimage = \"ami-1234567890abcdef0\"".to_owned(),
    ] {
        let (_, said) = read(&keys);
        assert!(said.contains("there is neither a script nor an algorithm"), "{keys}: {said}");
    }
    let (_, said) = read(&format!("image = \"{OWN}\"\nentry = \"train.py\""));
    assert!(said.contains("there is none: the image brings its program"), "{said}");
}
