//! Tests of one kind: `endpoint`.

use super::made_again;

#[test]
fn what_is_gone_is_made_again() {
    made_again("endpoint/numbers");
}
