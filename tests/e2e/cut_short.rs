//! What a person does after an upload, or a command that deletes, was killed in the middle.

use aws_sdk_s3::types::BucketVersioningStatus;

use crate::by_hand::Bench;

const SECTION: &str = "[data.things]\npath = \"things\"\n";

impl Bench {
    /// In a bucket of others that keeps versions, with these files uploaded.
    fn in_versions_of_theirs(files: &[(&str, &str)]) -> Self {
        let bench = Self::in_theirs(files);
        bench.keeps_versions(Some(BucketVersioningStatus::Enabled));
        bench.world.run(["deploy", "--adopt", "--yes"]).success();
        bench
    }
}

/// What each of them has sent is an old version by the end: no manifest has ever named it.
#[test]
fn old_versions_that_broken_off_uploads_have_sent_are_ours() {
    for reverts in [true, false] {
        let bench = Bench::in_versions_of_theirs(&[("a", "one"), ("b", "bee")]);
        bench.ours("a", b"two");
        bench.ours("new", b"new");
        bench.killed_with("new");
        bench.forget();
        bench.ours("a", b"one");
        bench.remove("new");
        if !reverts {
            bench.remove("a");
        }
        bench.upload();
        bench.world.run(["destroy", "--yes"]).success().does_not_say("did not put there");
        assert_eq!(bench.versions(), (Vec::new(), 0));
    }
}

/// `--verify` replaces on purpose what somebody has put in the place of files of the folder.
#[test]
fn a_verification_that_was_killed_goes_on() {
    for is_made in [true, false] {
        let files = [("a", "one"), ("b", "bee")];
        let bench = if is_made { Bench::with(&files, &[]) } else { Bench::in_theirs(&files) };
        bench.world.run(["deploy", "--adopt", "--yes"]).success();
        bench.theirs("a", b"theirs");
        bench.theirs("b", b"theirs");
        bench.killed_by(&["upload", "--verify", "--yes"], "a");
        bench.forget();
        bench.upload();
        assert_eq!((bench.there("a"), bench.there("b")), (b"one".to_vec(), b"bee".to_vec()));
        bench.world.run(["plan", "--detailed-exitcode"]).success();
    }
}

/// A file changes after its checksum was announced, and before it is sent.
#[test]
fn what_changed_before_it_was_sent_is_ours() {
    let bench = Bench::with(&[("z", "1")], &[]);
    bench.upload();
    bench.ours("new", b"announced");
    bench.ours("large", &vec![7; 20 << 20]);
    // The lease, the manifest, and the file.
    bench.served.strike(&["delay=3s@s3:PutObject#2x1", "delay=30s@s3:UploadPart#1x0"]);
    let is_announced = || {
        let held = bench.served.hits() > 0;
        if held && !bench.is_there("new") {
            bench.ours("new", b"sent");
        }
        bench.is_there("new")
    };
    bench.world.kill_when(["upload", "--yes"], is_announced);
    bench.served.strike(&[]);
    assert_eq!(bench.there("new"), b"sent");
    bench.remove("large");
    bench.forget();
    bench.world.run(["destroy", "--yes"]).success().says("Nothing is left");
}

/// What is deleted is what is there, whatever the manifest names.
#[test]
fn what_a_prune_deletes_is_counted() {
    let bench = Bench::with(&[("a", "1"), ("b", "2")], &[]);
    bench.killed_by(&["deploy", "--yes"], "b");
    bench.forget();
    bench.world.run(["status"]).success().says("2 files, 2 bytes (unknown)");
    let config = bench.world.read("opsctl.toml");
    assert!(config.contains(SECTION));
    bench.world.write("opsctl.toml", &config.replace(&format!("{SECTION}delete = true\n"), ""));
    bench.world.run(["deploy", "--prune", "--yes"]).success().says("deletes from it 2 objects");
    assert!(!bench.is_there("a") && !bench.is_there("b"));
}

/// A copy of a bucket, or two projects in one.
#[test]
fn the_manifest_of_another_project_stays() {
    let bench = Bench::with(&[("a", "1")], &[]);
    bench.world.run(["bucket", "--yes"]).success();
    let manifest = r#"{"format":2,"owner":"other/dev","digest":"x","stray":0,"files":{}}"#;
    let key = "data/things.opsctl-manifest.json";
    bench.served.with("eu-west-1", async |aws| {
        let put = aws.s3.put_object().bucket(bench.bucket).key(key).body(manifest.as_bytes().to_vec().into());
        put.send().await.expect("put");
    });
    bench.theirs("theirs", b"theirs");
    bench.world.run(["destroy", "--yes"]).success().says("it belongs to other/dev");
    assert!(bench.is_there("theirs"));
    bench.served.with("eu-west-1", async |aws| {
        aws.s3.head_object().bucket(bench.bucket).key(key).send().await.expect("it is there");
    });
}

/// Somebody has replaced a file, and taken back what he had put somewhere else.
#[test]
fn versions_below_what_somebody_has_put_there_are_told_apart() {
    for is_made in [true, false] {
        let files = [("a", "1"), ("b", "2")];
        let bench = if is_made { Bench::with(&files, &[]) } else { Bench::in_versions_of_theirs(&files) };
        bench.upload();
        bench.theirs("a", b"theirs: first");
        bench.theirs("a", b"theirs");
        // A copy has the metadata of what it is of.
        bench.served.with("eu-west-1", async |aws| {
            let (from, to) = (format!("{}/data/things/b", bench.bucket), "data/things/copy");
            let copy = aws.s3.copy_object().bucket(bench.bucket).copy_source(from).key(to);
            copy.send().await.expect("copied");
            aws.s3.delete_object().bucket(bench.bucket).key(to).send().await.expect("deleted");
        });
        bench.world.run(["destroy", "--yes"]).success();
        assert_eq!(bench.there("a"), b"theirs");
        let (versions, _) = bench.versions();
        let of_a = ["data/things/a 6".to_owned(), "data/things/a 13".to_owned()];
        let copy = (!is_made).then(|| "data/things/copy 1".to_owned());
        assert_eq!(versions, of_a.into_iter().chain(copy).collect::<Vec<_>>(), "{is_made}");
    }
}
