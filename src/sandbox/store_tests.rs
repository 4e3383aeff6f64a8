//! Tests of [`super`].

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use super::*;

fn open(root: &Path) -> (Store, Arc<Clock>) {
    let clock = Arc::new(Clock::open(root, 1.0));
    (Store::open(root, Arc::clone(&clock), |_, _, _, _| true).unwrap(), clock)
}

#[test]
fn documents_survive_a_restart_and_leftovers_of_a_kill_are_ignored() {
    let root = tempfile::tempdir().unwrap();
    let long = format!("us-east-1/{}", "x/".repeat(300));
    let (store, _) = open(root.path());
    store.put("t", "us-east-1/a b", json!({"n": 1})).unwrap();
    store.put("t", &long, json!({"n": 2})).unwrap();
    let torn = root.path().join("state/t/us-east-1%2Fa%20b.json.tmp");
    std::fs::write(&torn, b"{\"key\":\"us-ea").unwrap();

    let (store, _) = open(root.path());
    assert_eq!(store.get("t", "us-east-1/a b"), Some(json!({"n": 1})));
    assert_eq!(store.get("t", &long), Some(json!({"n": 2})));
    store.put("t", "us-east-1/a b", json!({"n": 3})).unwrap();
    assert!(!torn.exists());
    assert_eq!(open(root.path()).0.get("t", "us-east-1/a b"), Some(json!({"n": 3})));
}

#[test]
fn states_advance_with_the_clock_in_memory_and_after_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let (store, clock) = open(root.path());
    let plan = || {
        TimelineBuilder::new(clock.now(), StatePace::Realistic)
            .then(Duration::from_secs(60), json!({"Status": "InService", "Why": null, "In": {"b": 2}}))
            .then_gone(Duration::from_secs(60))
    };
    let doc = json!({"Status": "Creating", "Why": "new", "In": {"a": 1}});
    store.put("t", "k", Entry::planned(doc.clone(), plan())).unwrap();
    assert_eq!(store.get("t", "k"), Some(doc));

    clock.advance(Duration::from_secs(61));
    let later = json!({"Status": "InService", "In": {"a": 1, "b": 2}});
    assert_eq!(store.list("t", ""), [("k".to_owned(), later.clone())]);
    clock.save().unwrap();
    let (again, later_clock) = open(root.path());
    assert_eq!(again.get("t", "k"), Some(later));

    later_clock.advance(Duration::from_secs(61));
    assert_eq!(again.get("t", "k"), None);
    assert!(again.insert_new("t", "k", json!({})).unwrap(), "a name is free again once its plan removed it");
}

#[test]
fn a_broken_document_is_set_aside_and_the_others_are_there() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = open(root.path());
    for key in ["a", "b", "c"] {
        store.put("t", key, json!({"n": key})).unwrap();
    }
    let mode = std::fs::metadata(store.file("t", "a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "documents hold environment values");
    for (key, broken) in [("a", ""), ("b", "{\"key\":\"b\",\"doc\":{\"n\"")] {
        std::fs::write(store.file("t", key), broken).unwrap();
    }
    let (again, _) = open(root.path());
    assert_eq!(again.list("t", ""), [("c".to_owned(), json!({"n": "c"}))]);
    assert_eq!(again.set_aside().len(), 2);
    assert_eq!(SetAside::all(root.path()).len(), 2);
    // A folder in the place of a document, and a file in that of a table.
    std::fs::create_dir(again.file("t", "d")).unwrap();
    std::fs::write(root.path().join("state/u"), "x").unwrap();
    let (mixed, _) = open(root.path());
    assert_eq!(mixed.set_aside().len(), 2);
    mixed.put("t", "d", json!({})).and_then(|()| mixed.put("u", "r", json!({}))).unwrap();
    std::fs::remove_dir_all(root.path().join("state/u")).unwrap();
    std::fs::remove_file(mixed.file("t", "d")).unwrap();
    // JSON, and a document by its shape: whatever is in it may be of the wrong type, deep inside.
    let one = again.file("t", "c");
    let right = std::fs::read_to_string(&one).unwrap();
    for wrong in
        [right.replace("\"n\"", "\"m\""), right.replace("\"c\"}", "5}"), right.replace("checksum", "sum")]
    {
        assert_ne!(wrong, right);
        std::fs::write(&one, wrong).unwrap();
        let opened = open(root.path()).0;
        assert_eq!(opened.set_aside()[0].why, "somebody changed it, or another version of opsctl wrote it");
        std::fs::write(&one, &right).unwrap();
    }
    std::fs::rename(&one, again.file("t", "b")).unwrap();
    assert_eq!(open(root.path()).0.set_aside()[0].why, "its key is not its name");
    again.put("t", "a", json!({"n": "again"})).unwrap();
    std::fs::write(again.file("t", "a"), "x").unwrap();
    let (third, _) = open(root.path());
    assert_eq!(SetAside::all(root.path()).len(), 9, "what had one name does not replace the other");
    assert!(third.set_aside()[0].to_string().contains("t-a.json.2"), "{}", third.set_aside()[0]);
}

#[test]
fn an_update_may_cancel_the_plan_and_a_refused_one_changes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let (store, clock) = open(root.path());
    let plan = TimelineBuilder::new(clock.now(), StatePace::Realistic)
        .then(Duration::from_secs(1), json!({"s": "up"}));
    store.put("t", "k", Entry::planned(json!({"s": "new"}), plan)).unwrap();

    let refused = store.update("t", "k", |entry| {
        entry.doc["s"] = json!("half");
        Err::<(), _>(Fault::new(400, "ValidationException", "no"))
    });
    assert_eq!(refused.unwrap_err().code, "ValidationException");
    assert_eq!(store.get("t", "k"), Some(json!({"s": "new"})));

    let stopped = store.update("t", "k", |entry| {
        entry.doc["s"] = json!("stopped");
        entry.timeline = Timeline::default();
        Ok(7)
    });
    assert_eq!(stopped.unwrap(), Some(7));
    clock.advance(Duration::from_secs(2));
    assert_eq!(store.get("t", "k"), Some(json!({"s": "stopped"})));
    assert_eq!(store.update("t", "gone", |_| Ok(())).unwrap(), None);
    assert_eq!(store.first("t", Bound::Excluded("a")), Some(("k".to_owned(), json!({"s": "stopped"}))));
    assert_eq!(store.first("t", Bound::Excluded("k")), None);
    let emptied = store.upsert("t", "new", |entry| Ok(entry.replace(json!({}).into()).is_none()));
    assert!(emptied.unwrap());
    store.upsert("t", "new", |entry| Ok(entry.take())).unwrap();
    assert_eq!(store.get("t", "new"), None);
    assert_eq!(store.remove("t", "k").unwrap(), Some(json!({"s": "stopped"})));
    assert!(open(root.path()).0.list("t", "").is_empty());
}

#[test]
fn a_scoped_table_sees_its_own_region_only() {
    let root = tempfile::tempdir().unwrap();
    let (store, _) = open(root.path());
    let (east, west) = (store.table("t", "us-east-1"), store.table("t", "us-west-2"));
    assert!(east.insert_new("a1", json!(1)).unwrap());
    assert!(west.insert_new("a1", json!(2)).unwrap());
    assert!(!east.insert_new("a1", json!(3)).unwrap());
    assert_eq!(east.list("a"), [("a1".to_owned(), json!(1))]);
    assert!(east.list("b").is_empty());
}
