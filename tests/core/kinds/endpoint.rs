//! Tests of one kind: `endpoint`.

use opsctl::resources::model::Model;

use super::made_again;
use crate::plan::world::Files;

#[test]
fn what_is_gone_is_made_again() {
    made_again("endpoint/numbers");
}

/// AWS's toolkits import the name without its ending; a container of others gets it as it is written.
#[test]
fn a_script_in_a_folder_is_a_module_of_a_package() {
    let program = |lines: &str| {
        let mut files = Files::new();
        for script in ["src/models/serve.py", "serve.py", "app/serve.py"] {
            files.write(&format!("serving/{script}"), "");
        }
        files.edit("[endpoint.numbers]", &format!("[endpoint.numbers]\n{lines}"));
        let want = files.desired();
        let node = want.node(&"model/numbers".parse().unwrap()).unwrap();
        node.spec_as::<Model>().unwrap().environment["SAGEMAKER_PROGRAM"].clone()
    };
    assert_eq!(program("entry = \"src/models/serve.py\""), "src.models.serve.py");
    assert_eq!(program("entry = \"serve.py\""), "serve.py");
    let own = "image = \"111122223333.dkr.ecr.us-east-1.amazonaws.com/own:1\"\nentry = \"app/serve.py\"";
    assert_eq!(program(own), "app/serve.py");
}
