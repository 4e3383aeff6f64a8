//! Tests of one kind: `instance`.

use opsctl::desired::Kind;
use opsctl::resources::instance::Instance;

use super::made_again;
use crate::plan::world::{Account, DEPLOY, Files, shown};

#[test]
fn what_is_gone_is_made_again() {
    made_again("instance/numbers-on-ec2");
}

/// AWS's console has it by AWS's own id.
#[test]
fn its_page_is_that_of_its_id() {
    let want = Files::new().desired();
    let node = want.nodes.iter().find(|node| node.id.to_string() == "instance/numbers-on-ec2").unwrap();
    let mut state = Instance::wanted(node.spec_as::<Instance>().unwrap());
    assert_eq!(Instance::console_path(&node.physical, &state, "us-east-1"), None);
    state.instance_id = Some("i-0123".into());
    let path = Instance::console_path(&node.physical, &state, "us-east-1");
    assert_eq!(path.as_deref(), Some("ec2/home?region=us-east-1#InstanceDetails:instanceId=i-0123"));
}

#[test]
fn paths_and_the_network_are_of_the_job() {
    let plain = Files::new();
    let mut account = Account::with(&plain.desired());
    let mut files = Files::new();
    let section = "[training.numbers-on-ec2]\n";
    let keys =
        "inputs = { digits = \"images\" }\noutputs = [\"TrainedModels\", \"a.pth\"]\nnetwork = \"company\"\n";
    files.edit(section, &format!("{section}{keys}"));
    files.append(
        "[network.company]\nsubnets = [\"subnet-0b000000000000000\", \"subnet-0a000000000000000\"]\n\
         security_groups = [\"sg-0a000000000000000\"]\n",
    );
    let want = files.desired();
    let node = want.node(&"instance/numbers-on-ec2".parse().unwrap()).unwrap();
    let spec = node.spec_as::<Instance>().unwrap();
    assert_eq!(spec.inputs["digits"], "images");
    assert_eq!(spec.outputs, ["TrainedModels/", "a.pth"]);
    let said = shown(&account.deploy(&want, DEPLOY));
    for change in [
        "network: none -> subnet-0b000000000000000 with sg-0a000000000000000",
        "outputs:  -> TrainedModels/, a.pth",
        "inputs.digits",
    ] {
        assert!(said.contains(change), "{change}: {said}");
    }
}

/// A data set that only `inputs` names is a channel too, and what the script leaves is no code.
#[test]
fn an_input_is_read_and_an_output_is_no_code() {
    let files = |keys: &str| {
        let mut files = Files::new();
        files.append(&format!(
            "[training.flat]\non = \"ec2\"\nsource = \"training\"\nmax_runtime = \"1h\"\n{keys}"
        ));
        files
    };
    let job = |files: &Files| {
        let want = files.desired();
        let node = want.node(&"instance/flat".parse().unwrap()).unwrap();
        (node.physical.clone(), node.spec_as::<Instance>().unwrap().clone())
    };
    let keys = "inputs = { digits = \"pictures\" }\noutputs = [\"out\"]\n";
    let with = files(keys);
    let (name, spec) = job(&with);
    assert_eq!(spec.channels[0].name, "digits");
    with.write("training/out/model.pth", "weights");
    with.write("training/pictures/1.jpg", "x");
    assert_eq!(job(&with).0, name, "they are no code");
    // Code there would be missed.
    let warned = |with: &Files| {
        let (_, said) = crate::project::said_about(&with.file(), with.text().to_owned(), "dev");
        said.matches("C133").count()
    };
    assert_eq!(warned(&with), 0);
    with.write("training/out/__init__.py", "");
    with.write("training/pictures/load.py", "");
    assert_eq!((job(&with).0, warned(&with)), (name, 2));
    let without = files("data = [\"digits\"]\n");
    without.write("training/out/model.pth", "weights");
    assert_ne!(job(&without).1.code.digest, spec.code.digest);
}
