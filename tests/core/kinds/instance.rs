//! Tests of one kind: `instance`.

use super::made_again;

#[test]
fn what_is_gone_is_made_again() {
    made_again("instance/numbers-on-ec2");
}
