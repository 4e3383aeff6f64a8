//! What is found in the account decides: busy, failed, foreign, unreadable, changed behind our back.

use opsctl::domain::{Needs, Owner, ResourceId};
use opsctl::plan::{Lost, Op, Verb};
use serde_json::json;

use super::world::{ADOPT, Account, DEPLOY, DESTROY, Files, PRUNE, shown};
use expect_test::expect_file;

/// The steps as words.
#[track_caller]
fn steps(plan: &opsctl::plan::Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|s| format!("{} {}: {}", s.op.verb().as_str(), s.target, s.why.join("; ")))
        .collect()
}

#[test]
fn what_is_being_made_is_awaited() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "endpoint/numbers")["status"] =
        json!({ "word": "Creating", "phase": "busy", "reason": null });
    account.seen(&want, "training/numbers")["status"] =
        json!({ "word": "InProgress", "phase": "busy", "reason": null });
    let plan = account.deploy(&want, DEPLOY);
    assert_eq!(
        steps(&plan),
        [
            "update training/numbers: status: InProgress -> ready",
            "update endpoint/numbers: status: Creating -> ready",
        ]
    );
    let Op::Update { changes, .. } = &plan.steps[0].op else { panic!() };
    assert_eq!(changes[0].needs, Needs::Wait);
}

#[test]
fn what_failed_is_made_again_with_its_parts() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    let reason = "The primary container did not pass the ping health check.";
    account.seen(&want, "endpoint/numbers")["status"] =
        json!({ "word": "Failed", "phase": "failed", "reason": reason });
    let plan = account.deploy(&want, DEPLOY);
    expect_file!["plans/failed_endpoint.txt"].assert_eq(&shown(&plan));
}

#[test]
fn a_failed_training_is_run_again_under_its_name() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "training/numbers")["status"] =
        json!({ "word": "Failed", "phase": "failed", "reason": "ClientError" });
    let plan = account.deploy(&want, DEPLOY);
    assert_eq!(
        steps(&plan),
        [
            "delete training/numbers: status: Failed (ClientError) -> re-created",
            "create training/numbers: status: Failed (ClientError) -> re-created",
        ]
    );
}

#[test]
fn failed_parts_are_made_again_alone() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "concurrency/classify")["status"] =
        json!({ "word": "FAILED", "phase": "failed", "reason": null });
    let plan = account.deploy(&want, DEPLOY);
    assert_eq!(
        plan.steps.iter().map(|s| (s.op.verb(), s.target.to_string())).collect::<Vec<_>>(),
        [
            (Verb::Delete, "concurrency/classify".to_owned()),
            (Verb::Create, "concurrency/classify".to_owned()),
        ]
    );
}

#[test]
fn a_stopped_notebook_is_as_wanted() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "notebook/lab")["status"] =
        json!({ "word": "Stopped", "phase": "stopped", "reason": null });
    assert!(account.plan(&want, DEPLOY).is_empty());
}

#[test]
fn a_silent_rollback_is_seen() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "endpoint/numbers")["config"] = json!("shop-dev-numbers-older");
    let plan = account.plan(&want, DEPLOY);
    assert_eq!(plan.steps.len(), 1);
    assert!(
        plan.steps[0].why[0].starts_with("configuration: shop-dev-numbers-older -> "),
        "{:?}",
        plan.steps[0].why
    );
}

#[test]
fn what_is_gone_is_made_again() {
    let want = Files::new().desired();
    for node in &want.nodes {
        let mut account = Account::with(&want);
        account.remove(&want, &node.id.to_string());
        let made = account.deploy(&want, DEPLOY).steps;
        assert!(
            made.iter().any(|s| s.target == node.id && s.op.verb() == Verb::Create),
            "{} stays away",
            node.id
        );
    }
}

#[test]
fn what_is_not_ours_is_not_touched() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    account.seen(&want, "bucket/main")["owner"] = json!({ "other": "shop/prod" });
    assert_eq!(
        account.refused(&want, DEPLOY),
        [
            "E203: bucket `shop-dev-000000000000-us-east-1` exists and belongs to shop/prod (rename yours; what another project or environment of opsctl has is never taken from it)",
            "E203: notebook `shop-dev-lab` exists and has no tags of this project (rename yours, or take it over with `opsctl deploy --adopt`)",
        ]
    );
    // Its data and endpoints may live on it: no flag takes it.
    assert_eq!(account.refused(&want, ADOPT), account.refused(&want, DEPLOY)[..1]);
}

#[test]
fn what_is_not_ours_can_be_adopted() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    // Already as wanted: its tags were lost. It is ours again.
    account.seen(&want, "notebook/lab")["owner"] = json!("nobody");
    let bucket = account.seen(&want, "bucket/main");
    (bucket["owner"], bucket["versioning"]) = (json!("nobody"), json!(false));
    (bucket["policy"], bucket["rules"]) = (json!(null), json!({}));
    let group = account.seen(&want, "log-group/function-classify");
    (group["owner"], group["retention_days"]) = (json!("nobody"), json!(null));
    let plan = account.deploy(&want, ADOPT);
    assert_eq!(
        steps(&plan),
        [
            "update bucket/main: owner: nobody -> shop/dev (adopted: destroy will not delete it); \
             policy: without opsctl's -> with a statement for this project's folders; \
             lifecycle: without opsctl's -> with rules for this project's folders",
            "update log-group/function-classify: owner: nobody -> shop/dev (adopted: destroy will not delete it)",
            "update notebook/lab: owner: nobody -> shop/dev",
        ]
    );
}

/// Parts and data sets carry no tags: they are owned as what they stand on.
#[test]
fn what_stands_on_something_foreign_is_neither_changed_nor_deleted() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    for (whole, part) in [
        ("endpoint/numbers", "autoscaling/numbers"),
        ("function/classify", "concurrency/classify"),
        ("bucket/main", "data/digits"),
    ] {
        account.seen(&want, whole)["owner"] = json!("nobody");
        let plan = account.plan(&want, DESTROY);
        let touched = |id: &str| plan.steps.iter().any(|step| step.target.to_string() == id);
        assert!(!touched(whole) && !touched(part), "{:?}", steps(&plan));
        let foreign: Vec<String> = plan.foreign.iter().map(|foreign| foreign.target.to_string()).collect();
        assert!(foreign.contains(&whole.to_owned()) && foreign.contains(&part.to_owned()), "{foreign:?}");
    }
    // What AWS is deleting may have lost its tags first: its part goes with it.
    let mut account = Account::with(&want);
    account.seen(&want, "endpoint/numbers")["owner"] = json!("nobody");
    account.seen(&want, "endpoint/numbers")["status"] = json!({ "word": "Deleting", "phase": "leaving" });
    let plan = account.plan(&want, DESTROY);
    let goes = |id: &str| plan.steps.iter().any(|step| step.target.to_string() == id);
    assert!(goes("autoscaling/numbers") && goes("endpoint/numbers"), "{:?}", steps(&plan));
}

/// To make it again, or to put ours in its place, would take away what somebody else made.
#[test]
fn a_stranger_that_differs_is_not_adopted() {
    let cases = [
        ("notebook/lab", "volume_gb", json!(50), "volume_gb: 50 -> 10"),
        ("notebook/lab", "volume_gb", json!(5), "volume_gb: 5 -> 10"),
        ("endpoint/numbers", "config", json!("by-hand"), "configuration: by-hand -> shop-dev-numbers-"),
        ("training/numbers", "image", json!("mine"), "image: mine -> "),
        ("function/classify", "weighted", json!(true), "alias weights: some -> none"),
    ];
    let want = Files::new().desired();
    for (id, field, value, why) in cases {
        let mut account = Account::with(&want);
        account.seen(&want, id)["owner"] = json!("nobody");
        account.seen(&want, id)[field] = value;
        let said = account.refused(&want, ADOPT).join("\n");
        assert!(
            said.contains("is not this project's, and taking it over would overwrite what is there: "),
            "{said}"
        );
        assert!(said.contains(why) && said.ends_with("(delete it yourself, or rename yours)"), "{said}");
        let said = account.refused(&want, DEPLOY).join("\n");
        assert!(said.ends_with("it differs from yours, so it cannot be taken over)"), "{said}");
    }
}

#[test]
fn an_adopted_thing_is_never_made_again() {
    let want = Files::new().desired();
    for owner in ["adopted", "nobody"] {
        let mut account = Account::with(&want);
        account.seen(&want, "role/training-numbers")["owner"] = json!(owner);
        account.seen(&want, "role/training-numbers")["path"] = json!("/");
        let said = account.refused(&want, ADOPT);
        let not_ours = "E203: role `shop-dev-training-numbers-us-east-1` is not this project's, and \
                        would have to be re-created: path: / -> /opsctl/shop/dev/ \
                        (delete it yourself, or rename yours)";
        assert_eq!(said, [not_ours]);
    }
}

#[test]
fn what_was_adopted_and_left_the_config_is_released_by_prune() {
    let mut files = Files::new();
    let want = files.desired();
    let mut account = Account::with(&want);
    account.seen(&want, "role/notebook-lab")["owner"] = json!("adopted");
    files.edit("[notebook.lab]\nvolume_gb = 10\n", "");
    let want = files.desired();
    let plan = account.deploy(&want, PRUNE);
    let done: Vec<_> = plan.steps.iter().map(|s| format!("{} {}", s.op.verb().as_str(), s.target)).collect();
    assert_eq!(done, ["delete notebook/shop-dev-lab", "release role/shop-dev-notebook-lab-us-east-1"]);
}

#[test]
fn what_cannot_be_read_is_not_planned() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.hide(&want, "endpoint/numbers", "sagemaker:DescribeEndpoint: AccessDenied");
    let said = "E202: endpoint/numbers could not be read: sagemaker:DescribeEndpoint: AccessDenied";
    assert_eq!(
        account.refused(&want, DEPLOY),
        [format!("{said} (nothing was changed; allow the call and run it again)")]
    );
    assert_eq!(
        account.refused(&want, DESTROY),
        [format!("{said} (nothing was changed; allow the call and run it again)")]
    );
}

#[test]
fn destroy_goes_backwards() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    let plan = account.deploy(&want, DESTROY);
    assert!(account.is_empty());
    expect_file!["plans/destroy.txt"].assert_eq(&shown(&plan));
}

#[test]
fn destroy_takes_the_leftovers_too_each_before_what_it_uses() {
    let mut files = Files::new();
    let mut account = Account::with(&files.desired());
    files.write("serving/inference.py", "def model_fn(folder): return folder\n");
    files.edit("epochs = 5", "epochs = 6");
    files.edit("[notebook.lab]", "[notebook.den]");
    account.deploy(&files.desired(), DEPLOY);
    let want = files.desired();
    let plan = account.deploy(&want, DESTROY);
    assert!(account.is_empty());
    expect_file!["plans/destroy_with_leftovers.txt"].assert_eq(&shown(&plan));
}

#[test]
fn destroy_leaves_what_is_not_ours() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "notebook/lab")["owner"] = json!({ "other": "zoo/dev" });
    let plan = account.plan(&want, DESTROY);
    assert!(plan.steps.iter().all(|s| s.target.to_string() != "notebook/lab"));
}

#[test]
fn prune_does_nothing_where_nothing_is_left() {
    let want = Files::new().desired();
    assert!(Account::with(&want).plan(&want, PRUNE).is_empty());
}

#[test]
fn equal_plans_have_equal_fingerprints() {
    let mut files = Files::new();
    let want = files.desired();
    let one = Account::default().plan(&want, DEPLOY).fingerprint();
    assert_eq!(one, Account::default().plan(&files.desired(), DEPLOY).fingerprint());
    files.write("data/digits/0.csv", "9,9,9\n");
    assert_ne!(one, Account::default().plan(&files.desired(), DEPLOY).fingerprint());
    files.edit("min = 1", "min = 2");
    assert_ne!(one, Account::default().plan(&files.desired(), DEPLOY).fingerprint());
}

/// What was trained is trained again when a model needs it, and only then.
#[test]
fn a_lost_output_is_made_again_when_it_is_needed() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "training/numbers")["output"] = json!(false);
    assert!(account.plan(&want, DEPLOY).is_empty(), "the model has an archive of its own");
    let mut archive = account.clone();
    archive.seen(&want, "model/numbers")["archive"] = json!(false);
    assert_eq!(
        steps(&archive.deploy(&want, DEPLOY)),
        [
            "delete training/numbers: its output is gone, and model/numbers needs it",
            "create training/numbers: its output is gone, and model/numbers needs it",
            "update model/numbers: archive: gone -> packed again",
        ]
    );
    let alone = want.only(|node| node.id.to_string() == "training/numbers", true);
    assert_eq!(
        steps(&account.clone().deploy(&alone, DEPLOY)),
        ["delete training/numbers: its output is gone", "create training/numbers: its output is gone",],
        "nobody has it"
    );
    account.remove(&want, "model/numbers");
    assert_eq!(
        steps(&account.deploy(&want, DEPLOY)),
        [
            "delete training/numbers: its output is gone, and model/numbers needs it",
            "create training/numbers: its output is gone, and model/numbers needs it",
            "create model/numbers: not there yet",
        ]
    );
}

/// Whose weights are in it, nobody knows: it is neither read nor overwritten. What opsctl has packed itself,
/// it packs again.
#[test]
fn a_replaced_archive_is_not_read() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "model/numbers")["replaced"] = json!(true);
    assert_eq!(
        steps(&account.clone().deploy(&want, DEPLOY)),
        ["update model/numbers: archive: replaced by somebody -> packed again"]
    );
    account.seen(&want, "training/numbers")["replaced"] = json!(true);
    let refused = account.refused(&want, DEPLOY);
    assert!(refused[0].starts_with("E245: training job `"), "{refused:?}");
    assert!(!account.plan(&want, DESTROY).is_empty());
}

/// The same again would end the same way, for money: the code, the data or a setting is to be changed.
#[test]
fn what_saved_nothing_is_not_trained_again() {
    let files = Files::new();
    let want = files.desired();
    let mut account = Account::with(&want);
    account.remove(&want, "model/numbers");
    let job = account.seen(&want, "training/numbers");
    (job["output"], job["saved_nothing"]) = (json!(false), json!(true));
    job["status"] = json!({ "word": "Completed", "phase": "failed", "reason": "it wrote nothing" });
    let refused = account.refused(&want, DEPLOY);
    assert_eq!(
        refused,
        ["E240: training/numbers is not trained again from the same: it wrote nothing \
          (save the model there; changed code, data or settings are trained)"]
    );
    files.write("data/digits/0.csv", "9,9,9\n");
    let edited = files.desired();
    assert!(
        steps(&account.clone().deploy(&edited, DEPLOY))
            .iter()
            .any(|s| s.starts_with("create training/numbers"))
    );
    assert!(!account.plan(&want, DESTROY).is_empty());
}

/// What opsctl puts into an adopted whole must not be there already, made by somebody else.
#[test]
fn what_others_have_under_a_name_of_ours_is_not_overwritten() {
    let want = Files::new().desired();
    let other = json!({ "Version": "2012-10-17", "Statement": [] });
    let taken = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut account = Account::with(&want);
        let role = account.seen(&want, "role/training-numbers");
        role["owner"] = json!("nobody");
        change(role);
        account
    };
    // What is exactly as opsctl would write it is used.
    assert!(!taken(&|_| ()).plan(&want, ADOPT).is_empty());
    let account = taken(&|role| role["policy"] = other.clone());
    let refused = account.refused(&want, ADOPT);
    assert!(
        refused[0].starts_with("E203") && refused[0].contains("the inline policy `opsctl`"),
        "{refused:?}"
    );
    // Our own tags say that opsctl had it in hands.
    let mut account = taken(&|role| role["policy"] = other.clone());
    account.seen(&want, "role/training-numbers")["owner"] =
        json!({ "partly": { "said": "shop/?", "made": false } });
    let plan = account.plan(&want, ADOPT);
    assert!(
        plan.steps[0].why[0].starts_with("owner: shop/?, as far as its tags say"),
        "{:?}",
        plan.steps[0].why
    );
}

#[test]
fn data_that_others_added_to_is_not_trained_on() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    let id = want
        .nodes
        .iter()
        .find(|node| node.id.kind == opsctl::domain::KindName::Data)
        .expect("one")
        .id
        .to_string();
    account.seen(&want, &id)["mixed"] = json!("1 object that nobody uploaded: x");
    let refused = account.refused(&want, DEPLOY);
    assert!(
        refused[0].starts_with("E203") && refused[0].contains("1 object that nobody uploaded: x"),
        "{refused:?}"
    );
}

/// A folder that is suddenly empty is most likely not mounted.
#[test]
fn a_data_set_is_not_emptied() {
    let mut files = Files::new();
    files.edit("[data.digits]", "[data.digits]\ndelete = true\nexclude = [\"*\"]");
    let want = files.desired();
    let account = Account::with(&want);
    // One that never had a file stays so.
    assert!(account.plan(&want, DEPLOY).steps.is_empty());
    let mut account = Account::with(&want);
    (account.seen(&want, "data/digits")["files"], account.seen(&want, "data/digits")["digest"]) =
        (json!(3), json!("other"));
    let refused = account.refused(&want, DEPLOY);
    assert!(
        refused[0].starts_with("E264") && refused[0].contains("would delete 3 files from the bucket"),
        "{refused:?}"
    );
    // Nothing would be deleted without the key, and all of it read.
    files.edit("\ndelete = true", "");
    let want = files.desired();
    let mut account = Account::with(&want);
    (account.seen(&want, "data/digits")["files"], account.seen(&want, "data/digits")["digest"]) =
        (json!(3), json!("other"));
    let refused = account.refused(&want, DEPLOY);
    assert!(refused[0].contains("the bucket has 3 files of it, which a training would read"), "{refused:?}");
}

/// The same where the section has left the config too: `--prune` leaves it as well.
#[test]
fn what_lost_its_tags_and_its_section_keeps_what_it_uses() {
    let full = Files::new();
    let before = full.desired();
    let mut files = Files::new();
    files.edit("[notebook.lab]\nvolume_gb = 10\n", "");
    let want = files.desired();
    let id = |kind: &str| {
        let node = before.nodes.iter().find(|node| node.id.to_string() == kind).unwrap();
        ResourceId::new(node.id.kind, node.physical.clone())
    };
    for (mode, kept) in [(PRUNE, 2), (DESTROY, 3)] {
        let mut account = Account::with(&before);
        let (role, lab) = (id("role/notebook-lab"), id("notebook/lab"));
        account.seen(&before, "notebook/lab")["owner"] = json!("nobody");
        let uses = [role.clone(), "bucket/main".parse().unwrap()].into();
        account.lost = vec![Lost { id: lab.clone(), owner: Owner::Nobody, uses }];
        let plan = account.deploy(&want, mode);
        assert!(account.has(&before, "role/notebook-lab"), "{:?}", steps(&plan));
        assert!(account.has(&before, "bucket/main"), "{:?}", steps(&plan));
        let used_by: Vec<_> = plan.foreign.iter().map(|it| (&it.target, it.used_by.as_ref())).collect();
        assert!(used_by.contains(&(&role, Some(&lab))) && used_by.contains(&(&lab, None)), "{used_by:?}");
        assert_eq!(used_by.len(), kept, "{used_by:?}");
        let shown = shown(&plan);
        assert!(shown.contains("opsctl:resource=notebook/lab`"), "{shown}");
        assert!(!shown.contains("--prune deletes them"), "{shown}");
    }
}

/// Tags get lost, and what has lost them may be at work: a destroy leaves what it uses, its earlier
/// generations too, and says for whom.
#[test]
fn destroy_leaves_what_is_used_by_what_it_leaves() {
    let mut files = Files::new();
    let before = files.desired();
    let mut account = Account::with(&before);
    files.edit("epochs = 5", "epochs = 6");
    let want = files.desired();
    account.deploy(&want, DEPLOY);
    account.seen(&want, "endpoint/numbers")["owner"] = json!("nobody");
    let plan = account.deploy(&want, DESTROY);
    for id in [
        "endpoint-config/numbers",
        "model/numbers",
        "training/numbers",
        "role/endpoint-numbers",
        "bucket/main",
    ] {
        assert!(account.has(&want, id) && account.has(&before, id), "{id}: {:?}", steps(&plan));
        let foreign = plan.foreign.iter().find(|foreign| foreign.target.to_string() == id).unwrap();
        assert_eq!(foreign.used_by, Some("endpoint/numbers".parse().unwrap()), "{id}");
    }
    for id in ["notebook/lab", "role/notebook-lab", "function/classify"] {
        assert!(!account.has(&want, id), "{id}: {:?}", steps(&plan));
    }
    expect_file!["plans/destroy_used.txt"].assert_eq(&shown(&plan));
    // What another project has there is at work without ours.
    let mut account = Account::with(&want);
    account.seen(&want, "endpoint/numbers")["owner"] = json!({ "other": "shop/prod" });
    let plan = account.plan(&want, DESTROY);
    assert!(plan.foreign.iter().all(|foreign| foreign.used_by.is_none()), "{:?}", plan.foreign);
}

/// A job that has ended uses nothing, whether or not its tags still say whose it was.
#[test]
fn destroy_leaves_nothing_for_a_job_that_has_ended() {
    let want = Files::new().desired();
    let mut account = Account::with(&want);
    account.seen(&want, "training/numbers")["owner"] = json!("nobody");
    let steps = steps(&account.plan(&want, DESTROY));
    let goes = |id: &str| steps.iter().any(|step| step.starts_with(&format!("delete {id}")));
    assert!(!goes("training/numbers") && goes("role/training-numbers") && goes("bucket/main"), "{steps:?}");
}

/// A name that opsctl makes is its own, also without any tag; one that the config fixes may be anybody's.
#[test]
fn what_lost_all_its_tags_is_left_of_this_project() {
    let mut fixed = Files::new();
    fixed.append("\n[bucket]\nname = \"theirs\"\n");
    let plain = || Files::new().desired();
    for (want, id, is_left) in [
        (plain(), "bucket/main", true),
        (plain(), "role/endpoint-numbers", true),
        // A job that has ended: AWS keeps its record, and destroy takes the tags off.
        (plain(), "training/numbers", false),
        (fixed.desired(), "bucket/main", false),
    ] {
        let mut account = Account::with(&want);
        account.seen(&want, id)["owner"] = json!("nobody");
        let plan = account.plan(&want, DESTROY);
        let foreign = plan.foreign.iter().find(|foreign| foreign.target.to_string() == id).unwrap();
        assert_eq!(foreign.may_be_ours(&plan.scope), is_left, "{foreign:?}");
        // What lies in it is said with it.
        let lies = plan.foreign.iter().find(|foreign| foreign.target.to_string() == "data/digits");
        assert!(lies.is_none_or(|data| !data.may_be_ours(&plan.scope)), "{lies:?}");
    }
}
