//! Tests of one kind: `training`.

use opsctl::resources::training::Training;

use super::made_again;
use crate::plan::world::Files;

#[test]
fn what_is_gone_is_made_again() {
    made_again("training/numbers");
}

/// A job of another recipe has another name, and finds no checkpoints to resume from.
#[test]
fn checkpoints_are_those_of_one_recipe() {
    let mut files = Files::new();
    files.edit("[training.numbers]\n", "[training.numbers]\ncheckpoints = true\n");
    let place = || {
        let want = files.desired();
        let job = want.node(&"training/numbers".parse().unwrap()).unwrap();
        let place = job.spec_as::<Training>().unwrap().checkpoints_of(&job.physical).unwrap();
        assert!(place.ends_with(&format!("/checkpoints/{}/", job.physical)), "{place}");
        place
    };
    let before = place();
    files.write("data/digits/0.csv", "9,9,9\n");
    assert_ne!(place(), before);
}
