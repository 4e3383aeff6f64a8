//! Tests of one kind: `instance`.

use opsctl::desired::Kind;
use opsctl::resources::instance::Instance;

use super::made_again;
use crate::plan::world::Files;

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
