//! The tags of the user's own: put in place, never over those of others, and taken off again.

use opsctl::domain::tags;
use opsctl::plan::{Op, Plan};
use serde_json::json;

use super::world::{ADOPT, Account, DEPLOY, Files};

fn with_tags(tags: &str) -> Files {
    let mut files = Files::new();
    files.edit("[project]", &format!("[project]\ntags = {{ {tags} }}"));
    files
}

/// What changes, per kind of change, and that nothing else does.
fn changed(plan: &Plan) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for step in &plan.steps {
        let Op::Update { changes, .. } = &step.op else { panic!("{} is not updated", step.target) };
        all.extend(changes.iter().map(ToString::to_string));
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn other_tags_are_an_update_of_all_that_has_tags_and_of_nothing_else() {
    let mut account = Account::with(&Files::new().desired());
    let want = with_tags("team = \"vision\", \"cost center\" = \"7\"").desired();
    let plan = account.deploy(&want, DEPLOY);
    assert_eq!(changed(&plan), ["tags.cost center: none -> 7", "tags.team: none -> vision"]);
    let untouched: Vec<&str> = plan.unchanged.iter().map(|id| id.kind.as_str()).collect();
    assert_eq!(untouched, ["data", "instance", "autoscaling", "concurrency"], "they have none of their own");
    // Another value, and one less: nothing is trained again.
    let want = with_tags("team = \"sound\"").desired();
    let plan = account.deploy(&want, DEPLOY);
    assert_eq!(changed(&plan), ["tags.cost center: 7 -> none", "tags.team: vision -> sound"]);
    let plan = account.deploy(&Files::new().desired(), DEPLOY);
    assert_eq!(changed(&plan), ["tags.team: sound -> none"]);
}

#[test]
fn what_others_tag_stays_and_what_they_change_is_put_back() {
    let want = with_tags("team = \"vision\"").desired();
    let mut account = Account::with(&want);
    account.seen(&want, "endpoint/numbers")["tags"]["theirs"] = json!("1");
    assert!(account.plan(&want, DEPLOY).is_empty());
    account.seen(&want, "endpoint/numbers")["tags"]["team"] = json!("sound");
    account.seen(&want, "role/notebook-lab")["tags"].as_object_mut().unwrap().remove("team");
    account.seen(&want, "bucket/main")["tags"].as_object_mut().unwrap().remove(tags::KEYS_TAG);
    let plan = account.deploy(&want, DEPLOY);
    assert_eq!(
        changed(&plan),
        ["tags.opsctl:tags: none -> team", "tags.team: none -> vision", "tags.team: sound -> vision"]
    );
    assert_eq!(account.seen(&want, "endpoint/numbers")["tags"]["theirs"], "1");
    // Without tags in the config, that of others is still not taken off.
    account.deploy(&Files::new().desired(), DEPLOY);
    assert_eq!(account.seen(&want, "endpoint/numbers")["tags"], json!({ "theirs": "1" }));
}

/// What somebody else made keeps the tags that it has.
#[test]
fn what_is_adopted_is_not_tagged() {
    let want = with_tags("team = \"vision\"").desired();
    let mut account = Account::with(&want);
    let bucket = account.seen(&want, "bucket/main");
    bucket["owner"] = json!("nobody");
    bucket["tags"] = json!({ "team": "theirs" });
    let plan = account.plan(&want, ADOPT);
    let Op::Update { changes, .. } = &plan.steps[0].op else { panic!("{plan:?}") };
    assert!(changes.iter().all(|change| !change.path.starts_with("tags.")), "{changes:?}");
    bucket_is(&mut account, &want, "adopted");
    assert!(account.plan(&want, DEPLOY).steps.iter().all(|s| !s.why.iter().any(|w| w.starts_with("tags."))));
}

fn bucket_is(account: &mut Account, want: &opsctl::desired::Desired, owner: &str) {
    account.seen(want, "bucket/main")["owner"] = json!(owner);
}

/// Keys may have spaces, and signs of equality.
#[test]
fn the_list_of_keys_can_be_read_back() {
    let keys = ["a b", "a==b", "a=sb", "plain", "é:/"];
    let all: tags::Tags = keys.iter().map(|key| ((*key).to_owned(), "1".to_owned())).collect();
    let put = tags::with_list(&all);
    assert!(tags::differences(&all, &put).is_empty());
    let gone = tags::differences(&tags::Tags::new(), &put);
    let gone: Vec<&str> = gone.iter().filter_map(tags::changed).collect();
    assert_eq!(gone, keys);
}

/// Another tag is another plan, also where only something new is made.
#[test]
fn a_plan_with_other_tags_is_another_plan() {
    let plan = |files: Files| Account::default().plan(&files.desired(), DEPLOY).fingerprint();
    assert_ne!(plan(with_tags("team = \"vision\"")), plan(with_tags("team = \"sound\"")));
}
