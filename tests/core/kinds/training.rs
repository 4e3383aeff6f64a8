//! Tests of one kind: `training`.

use super::made_again;

#[test]
fn what_is_gone_is_made_again() {
    made_again("training/numbers");
}
