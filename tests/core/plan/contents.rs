//! What a destroy deletes and leaves of what others have put into something of ours.

use opsctl::domain::{Contents, Tally};
use opsctl::plan::{Op, Plan};
use serde_json::json;

use super::world::{Account, DESTROY, DESTROY_ADOPTED, Files, shown};
use expect_test::expect_file;

fn holds(others: u64) -> Contents {
    let examples = (0..others.min(3)).map(|n| format!("precious/{n}.pdf")).collect();
    Contents {
        ours: Tally { objects: 7, old_versions: 2, bytes: 7_000 },
        others: Tally { objects: others, old_versions: 0, bytes: others * 1_000 },
        examples,
        leaves_markers: false,
        digest: if others == 0 { String::new() } else { "theirs".into() },
    }
}

/// Nobody reads "nothing else is left" where S3 keeps something.
#[test]
fn a_release_tells_of_markers_that_stay() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "bucket/main")["owner"] = json!("adopted");
    for leaves_markers in [true, false] {
        let contents = Contents { leaves_markers, ..holds(0) };
        account.contents.insert("bucket/main".parse().unwrap(), contents);
        let plan = account.plan(&want, DESTROY);
        let step = plan.steps.iter().find(|step| step.target.to_string() == "bucket/main");
        let why = &step.expect("it goes").why;
        assert_eq!(why.iter().any(|why| why.contains("delete marker")), leaves_markers, "{why:?}");
    }
}

/// What was there before stays; all that opsctl made around it goes.
#[test]
fn destroy_releases_what_was_adopted() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "bucket/main")["owner"] = json!("adopted");
    account.seen(&want, "role/training-numbers")["owner"] = json!("adopted");
    account.contents.insert("bucket/main".parse().unwrap(), holds(5));
    let plan = account.clone().deploy(&want, DESTROY);
    let released: Vec<_> =
        plan.steps.iter().filter(|s| s.op == Op::Release).map(|s| s.target.to_string()).collect();
    assert_eq!(released, ["role/training-numbers", "bucket/main"]);
    assert_eq!(plan.steps.len(), want.nodes.len());
    expect_file!["plans/release.txt"].assert_eq(&shown(&plan));
    let plan = account.deploy(&want, DESTROY_ADOPTED);
    assert!(account.is_empty());
    expect_file!["plans/destroy_adopted.txt"].assert_eq(&shown(&plan));
}

/// What somebody else has in a bucket does not stay when the whole bucket goes, and nobody says so.
#[test]
fn what_others_have_in_a_bucket_goes_with_it() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "bucket/main")["owner"] = json!("adopted");
    account.seen(&want, "data/digits")["owner"] = json!("nobody");
    account.contents.insert("bucket/main".parse().unwrap(), holds(5));
    let stays = |plan: &Plan| plan.foreign.iter().map(|f| f.target.to_string()).collect::<Vec<_>>();
    assert_eq!(stays(&account.plan(&want, DESTROY)), ["data/digits"]);
    assert_eq!(stays(&account.plan(&want, DESTROY_ADOPTED)), [""; 0]);
}

/// Our own bucket stays for the objects that others have put into it.
#[test]
fn destroy_leaves_the_objects_of_others() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.contents.insert("bucket/main".parse().unwrap(), holds(1));
    let plan = account.clone().deploy(&want, DESTROY);
    let last = plan.steps.last().unwrap();
    assert_eq!((last.target.to_string().as_str(), &last.op), ("bucket/main", &Op::Release));
    account.deploy(&want, DESTROY_ADOPTED);
    assert!(account.is_empty());
}
