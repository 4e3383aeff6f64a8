//! `opsctl upload` against the sandbox: nothing twice, nothing lost, nothing damaged.

use std::fs;
use std::path::Path;

use aws_sdk_s3::types::ChecksumAlgorithm;
use serde_json::Value;

use crate::support::{Beside, Ran, World};

const CONFIG: &str =
    "[project]\nname = \"small\"\nregion = \"eu-west-1\"\n[data.things]\npath = \"things\"\n";

fn world(files: &[(&str, &str)]) -> World {
    let world = World::with_config(CONFIG).sandbox();
    for (path, content) in files {
        put(&world, path, content.as_bytes());
    }
    world
}

fn put(world: &World, path: &str, content: &[u8]) {
    let file = world.path("things").join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

fn upload(world: &World) -> Ran {
    world.run(["upload", "--yes", "-o", "json"]).success()
}

/// What the report's line says, such as `3 sent (12 B), 1 the same`.
fn report(ran: &Ran) -> String {
    let events = ran.events();
    let line = events.iter().find(|event| event["event"] == "step_log").expect("a report");
    line["line"].as_str().expect("text").to_owned()
}

fn calls(ran: &Ran) -> (u64, u64) {
    let calls = &ran.finished()["calls"];
    (calls["reads"].as_u64().unwrap(), calls["writes"].as_u64().unwrap())
}

/// Fetches everything with our own client and compares byte for byte. `tests/bench/upload_kill.py` does it
/// with boto3.
fn same_in_the_bucket(world: &World) {
    let to = world.path("fetched");
    let _ = fs::remove_dir_all(&to);
    world.run(["data", "pull", "--to", to.to_str().unwrap()]).success();
    assert_eq!(tree(&to), tree(&world.path("things")));
}

fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, below: &str, files: &mut Vec<(String, Vec<u8>)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let (path, name) =
                entry.map(|e| (e.path(), format!("{below}/{}", e.file_name().display()))).unwrap();
            if path.is_dir() {
                walk(&path, &name, files);
            } else {
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    let mut files = Vec::new();
    walk(folder, "", &mut files);
    files.sort();
    files
}

/// Bytes that do not repeat, so that no two parts are the same.
fn much(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

#[test]
fn only_what_differs_is_sent() {
    let names =
        ["a", "with space", "a+b", "100%", "deep/er/e\u{301}", "deep/er/\u{e9}", "~t#h:c?q&x=y", "empty"];
    let files = names.map(|name| (name, if name == "empty" { "" } else { name }));
    let world = world(&files);
    world.run(["bucket", "--yes"]).success();

    let first = upload(&world);
    assert_eq!(report(&first), "8 sent (51 B)");
    // Who are we, whose bucket is it, is there a manifest, and still under the lease, do jobs or instances
    // read there, and nothing of others where it goes; then the lease, a manifest of what is about to come,
    // the files, the manifest, whether the lease is still ours, and its end.
    assert_eq!(calls(&first), (8, 12));
    same_in_the_bucket(&world);

    // Unchanged: who are we, is it still that manifest. Nothing is shown as done, because nothing was.
    let again = world.run(["upload", "--yes"]).success();
    assert_eq!(
        again.stdout,
        "data/things is up to date: 8 files at s3://small-dev-123456789012-eu-west-1/data/things/\n"
    );

    // A fresh checkout: new times, and no cache.
    for (name, content) in files {
        put(&world, name, content.as_bytes());
    }
    fs::remove_dir_all(world.path(".opsctl/cache")).unwrap();
    world.run(["upload", "--yes"]).success().says("up to date");

    // An edit of the same size, a new file, one that is gone.
    put(&world, "a", b"b");
    put(&world, "new", b"new");
    fs::remove_file(world.path("things/a+b")).unwrap();
    world.run(["upload", "--dry-run"]).success().says("1 only in the bucket, kept").says("~ a (1 B)");
    let changed = upload(&world);
    let kept = "1 only in the bucket, where training reads them (`delete = true` removes them)";
    assert_eq!(report(&changed), format!("2 sent (4 B), 6 the same, {kept}"));
    // Two of the looks are for jobs that may read it.
    assert_eq!(calls(&changed), (7, 6), "two files, their manifest twice and the lease, and seven looks");

    // The config says that what is gone goes.
    world.edit("opsctl.toml", "path = \"things\"", "path = \"things\"\ndelete = true");
    let deleted = upload(&world);
    assert_eq!(report(&deleted), "0 sent (0 B), 1 deleted, 8 the same");
    same_in_the_bucket(&world);
    world.run(["deploy", "--yes"]).success();
    world.run(["plan", "--detailed-exitcode"]).ended(0);
}

#[test]
fn a_folder_that_is_suddenly_empty_deletes_nothing() {
    let world = world(&[("a", "1")]);
    world.edit("opsctl.toml", "path = \"things\"", "path = \"things\"\ndelete = true");
    upload(&world);
    fs::remove_file(world.path("things/a")).unwrap();
    // Refused before anything is shown as something that will be done, by whatever would do it.
    for args in [&["upload", "--yes"][..], &["upload", "--dry-run"], &["plan"], &["deploy", "--yes"]] {
        let refused =
            world.run(args.iter().copied()).ended(1).says("error[E264]: things has nothing to upload");
        let refused = refused.says("would delete 1 file from the bucket").does_not_say("failed");
        refused.does_not_say("E210").does_not_say("- a");
    }
    let refused = world.run(["upload", "--yes", "-o", "json"]).ended(1).json();
    assert_eq!((&refused["error"]["code"], &refused["error"]["retryable"]), (&"E264".into(), &false.into()));
    put(&world, "a", b"1");
    world.run(["upload", "--yes"]).success().says("up to date");
    // Who means it says so.
    fs::remove_file(world.path("things/a")).unwrap();
    fs::write(world.path("opsctl.toml"), CONFIG.split_once("[data").unwrap().0).unwrap();
    world.run(["deploy", "--prune", "--yes"]).success();
}

/// S3 has both names, a folder cannot: neither a training's nor one here. Also where nothing is trained yet.
#[test]
fn a_file_that_becomes_a_folder_is_refused_while_it_stays_in_the_bucket() {
    for training in ["[training.t]\nsource = \"src\"\ndata = [\"things\"]\nmax_runtime = \"10m\"\n", ""] {
        let world = world(&[("a", "1"), ("b/c", "2"), ("../src/train.py", "")]);
        fs::write(world.path("opsctl.toml"), format!("{CONFIG}{training}")).unwrap();
        upload(&world);
        for (was, is) in [("a", "a/x"), ("b/c", "b")] {
            fs::remove_file(world.path("things").join(was)).unwrap();
            if is == "b" {
                fs::remove_dir(world.path("things/b")).unwrap();
            }
            put(&world, is, b"3");
            for args in [&["upload", "--yes"][..], &["upload", "--dry-run"], &["plan"], &["deploy", "--yes"]]
            {
                let refused = world.run(args.iter().copied()).ended(1);
                let both = format!("no folder can have both that and the file `{is}`");
                let refused = refused.says(&format!("error[E268]: `{was}` stays in the bucket, and {both}"));
                refused.says("delete = true").does_not_say("+ ");
            }
            world.edit("opsctl.toml", "path = \"things\"", "path = \"things\"\ndelete = true");
            world.run(["upload", "--yes"]).success().says("1 deleted");
            same_in_the_bucket(&world);
            world.edit("opsctl.toml", "\ndelete = true", "");
        }
    }
}

#[test]
fn large_files_go_in_parts_and_come_back() {
    let world = world(&[("small", "1")]);
    put(&world, "large", &much(40 << 20));
    let first = upload(&world);
    assert_eq!(report(&first), "2 sent (41.9 MB)");
    same_in_the_bucket(&world);
    world.run(["upload", "--yes"]).success().says("up to date");
}

/// One in five is told to slow down, one connection in fifty is cut, and some bodies arrive damaged.
#[test]
fn a_bad_day_changes_nothing() {
    let world = world(&[]);
    for n in 0..300 {
        put(&world, &format!("{}/{n}", n % 7), format!("{n}").repeat(n + 1).as_bytes());
    }
    put(&world, "large", &much(33 << 20));
    world.run(["bucket", "--yes"]).success();
    let faults = [
        "throttle@s3:PutObject%20",
        "cut@s3:PutObject%2",
        "corrupt@s3:PutObject%2",
        "throttle@s3:UploadPart%20",
        "corrupt@s3:UploadPart#3",
    ];
    let served = Beside::start(&world, &faults);
    let sent = report(&upload(&world));
    assert!(sent.starts_with("301 sent") && sent.contains("requests repeated"), "{sent}");
    drop(served);
    same_in_the_bucket(&world);
    world.run(["upload", "--yes", "--verify"]).success().says("up to date");
}

/// What is stored by now: whole objects, and parts of the one upload.
/// Objects of the data sets, the manifest among them, and parts of a large one.
fn objects_and_parts(served: &Beside) -> (usize, usize) {
    let bucket = "small-dev-123456789012-eu-west-1";
    served.with("eu-west-1", async |aws| {
        let objects = aws.s3.list_objects_v2().bucket(bucket).prefix("data/").send().await.expect("listed");
        let uploads = aws.s3.list_multipart_uploads().bucket(bucket).send().await.expect("listed");
        let Some(upload) = uploads.uploads().first() else { return (objects.contents().len(), 0) };
        let parts = aws.s3.list_parts().bucket(bucket);
        let parts = parts.set_key(upload.key.clone()).set_upload_id(upload.upload_id.clone());
        (objects.contents().len(), parts.send().await.expect("listed").parts().len())
    })
}

/// Killed while it sends: what S3 has confirmed is not sent again, parts of a large file included.
#[test]
fn a_killed_upload_goes_on_where_it_was() {
    let world = world(&[]);
    for n in 0..40 {
        put(&world, &format!("small/{n}"), format!("{n}").as_bytes());
    }
    put(&world, "large", &much(80 << 20));
    world.run(["bucket", "--yes"]).success();
    // The sandbox lives on, and only the client dies.
    let served = Beside::start(&world, &["delay=30s@s3:UploadPart#5x0"]);
    world.kill_when(["upload", "--yes"], || objects_and_parts(&served) == (41, 4));
    served.strike(&[]);
    let before = (served.count("s3:PutObject"), served.count("s3:UploadPart"));
    let rest = upload(&world);
    let after = (served.count("s3:PutObject"), served.count("s3:UploadPart"));
    // Of the small files, only those whose answer had not come; of the ten parts, not the four that were
    // there.
    assert!(after.0 - before.0 < 40, "{}", report(&rest));
    assert_eq!(after.1 - before.1, 6);
    assert!(report(&rest).contains("; 33.6 MB of them were there)"), "{}", report(&rest));
    assert_eq!(served.count("s3:CreateMultipartUpload"), 1);
    drop(served);
    same_in_the_bucket(&world);
}

/// A file may be called anything: a terminal and a pipeline obey nothing of it, and a program gets it
/// exactly.
#[test]
fn the_name_of_a_file_commands_nobody() {
    let world = world(&[("a", "1"), ("gone\n::stop-commands::x", "1")]);
    world.edit("opsctl.toml", "path = \"things\"", "path = \"things\"\ndelete = true");
    upload(&world);
    fs::remove_file(world.path("things/gone\n::stop-commands::x")).unwrap();
    let name = "b\n::error::c\u{202e}.csv";
    put(&world, name, b"1");
    let ran = world.run(["upload", "--dry-run"]).success();
    let ran = ran.says(r"+ b\n\u{3a}:error::c\u{202e}.csv (1 B)").says(r"- gone\n\u{3a}:stop-commands::x");
    assert!(!ran.stdout.lines().any(|line| line.trim_start().starts_with("::")), "{ran}");
    let told = world.run(["upload", "--dry-run", "-o", "json"]).success().json();
    assert_eq!(told["steps"][0]["send"][0]["path"], name, "{told}");
    upload(&world);
    put(&world, name, b"edited");
    world.run(["data", "pull"]).ended(1).says(r"error[U315]: things/b\n\u{3a}:error::c\u{202e}.csv is there");
}

/// What a killed pull leaves in a folder of data is not data, and goes with the next pull.
#[test]
fn a_killed_pull_leaves_nothing_that_is_sent() {
    let world = world(&[("a", "1"), ("deep/b", "2")]);
    upload(&world);
    fs::remove_dir_all(world.path("things")).unwrap();
    let names = || if world.path("things").is_dir() { tree(&world.path("things")) } else { Vec::new() };
    let served = Beside::start(&world, &["delay=300s@s3:GetObject#2x0"]);
    world.kill_when(["data", "pull", "--to", "things"], || {
        served.hits() > 1 && names().iter().any(|(name, _)| name.ends_with(".part"))
    });
    served.strike(&[]);
    assert!(names().iter().any(|(name, _)| name.ends_with(".part")), "it was killed in the middle");
    put(&world, "a", b"1");
    put(&world, "deep/b", b"2");
    world.run(["upload", "--yes"]).success().says("is up to date: 2 files");
    world.run(["data", "pull", "--to", "things"]).success().says("2 the same");
    assert_eq!(names().iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["/a", "/deep/b"]);
}

/// One slot, and a file that needs parts by the time it is read: it must not wait for the slot that it has
/// itself.
#[test]
fn a_file_that_grows_meanwhile_finds_its_place() {
    let config = format!("{CONFIG}max_concurrency = 1\n");
    let world = World::with_config(&config).sandbox();
    put(&world, "first", b"sent while the other grows");
    put(&world, "second", b"small");
    world.run(["bucket", "--yes"]).success();
    let served = Beside::start(&world, &["delay=4s@s3:PutObject#1"]);
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| upload(&world));
        // Whoever asks for the manifest has looked at the folder already.
        while served.count("s3:GetObject") == 0 {
            std::thread::yield_now();
        }
        put(&world, "second", &much(17 << 20));
        sending.join().expect("it ends");
    });
    assert_eq!(served.count("s3:CreateMultipartUpload"), 1);
    drop(served);
    same_in_the_bucket(&world);
}

#[test]
fn what_is_really_there_counts_with_verify() {
    let world = world(&[("kept", "1"), ("lost", "2"), ("replaced", "3")]);
    upload(&world);
    // Somebody else deletes one and replaces another, and the manifest does not know.
    let bucket = "small-dev-123456789012-eu-west-1";
    let served = Beside::start(&world, &[]);
    served.with("eu-west-1", async |aws| {
        aws.s3.delete_object().bucket(bucket).key("data/things/lost").send().await.expect("deleted");
        let put = aws.s3.put_object().bucket(bucket).key("data/things/replaced").body(b"4".to_vec().into());
        put.send().await.expect("replaced");
    });
    world.run(["upload", "--yes"]).success().says("up to date");
    let repaired = world.run(["upload", "--yes", "--verify", "-o", "json"]).success();
    assert_eq!(report(&repaired), "2 sent (2 B), 1 the same");
    same_in_the_bucket(&world);
}

#[test]
fn a_link_that_leads_out_is_named() {
    let world = world(&[("a", "1")]);
    std::os::unix::fs::symlink("/etc/hostname", world.path("things/out")).unwrap();
    world.run(["upload", "--yes"]).ended(3).says("things/out leads out of its folder");
    fs::remove_file(world.path("things/out")).unwrap();
    std::os::unix::fs::symlink(world.path("things"), world.path("things/loop")).unwrap();
    world.run(["upload", "--yes"]).ended(3).says("things/loop");
}

#[test]
fn without_a_bucket_one_is_made() {
    let world = world(&[("a", "1")]);
    let planned: Value = world.run(["upload", "--dry-run", "-o", "json"]).success().json();
    let targets: Vec<_> = planned["steps"].as_array().unwrap().iter().map(|step| &step["target"]).collect();
    assert_eq!(targets, ["bucket/main", "data/things"]);
    world.run(["upload", "--yes"]).success();
    same_in_the_bucket(&world);
}

/// A journal is what this machine remembers; the bucket is what is there.
#[test]
fn a_journal_of_a_bucket_that_is_gone_is_not_believed() {
    let world = world(&[("a", "1"), ("b", "2")]);
    put(&world, "large", &much(20 << 20));
    world.run(["bucket", "--yes"]).success();
    let served = Beside::start(&world, &["delay=30s@s3:UploadPart#1x0"]);
    world.kill_when(["upload", "--yes"], || objects_and_parts(&served).0 == 3);
    served.strike(&[]);
    world.run(["destroy", "--yes"]).success();
    world.run(["bucket", "--yes"]).success();
    assert!(report(&upload(&world)).starts_with("3 sent"));
    drop(served);
    same_in_the_bucket(&world);
}

/// What an interrupted upload has overwritten is found, though the folder is again as the manifest says.
#[test]
fn a_change_that_was_taken_back_is_taken_back_in_the_bucket() {
    let world = world(&[("x", "1"), ("y", "1")]);
    upload(&world);
    put(&world, "x", b"2");
    put(&world, "large", &much(20 << 20));
    let served = Beside::start(&world, &["delay=30s@s3:UploadPart#1x0"]);
    // The first is the lease.
    world.kill_when(["upload", "--yes"], || served.count("s3:PutObject") >= 2);
    served.strike(&[]);
    put(&world, "x", b"1");
    fs::remove_file(world.path("things/large")).unwrap();
    world.run(["plan", "--detailed-exitcode"]).ended(2);
    upload(&world);
    drop(served);
    same_in_the_bucket(&world);
    world.run(["upload", "--yes"]).success().says("up to date");
}

/// Objects that are not ours stay, do not come back with the data, and are told of by who looks.
/// Nothing was uploaded, so nothing under the names of the folder's files is what an upload has sent.
#[test]
fn what_was_there_before_the_first_upload_is_left_alone() {
    let world = world(&[("a", "1"), ("b", "2")]);
    fs::write(world.path("opsctl.toml"), CONFIG.split_once("[data").unwrap().0).unwrap();
    world.run(["deploy", "--yes"]).success();
    let served = Beside::start(&world, &[]);
    served.with("eu-west-1", async |aws| {
        let put = aws.s3.put_object().bucket("small-dev-123456789012-eu-west-1").key("data/things/a");
        let put = put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).body(b"theirs".to_vec().into());
        put.send().await.expect("put");
    });
    fs::write(world.path("opsctl.toml"), CONFIG).unwrap();
    for args in [&["upload", "--verify", "--yes"][..], &["upload", "--yes"], &["deploy", "--yes"]] {
        let refused = world.run(args.iter().copied()).ended(1);
        refused.says("error[E203]").says("data/things/a is there already, and no upload knows it");
    }
    world.run(["upload", "--verify", "--yes"]).ended(1).says("data/things/a is there already");
    served.with("eu-west-1", async |aws| {
        let get = aws.s3.get_object().bucket("small-dev-123456789012-eu-west-1").key("data/things/a");
        let body = get.send().await.expect("get").body.collect().await.expect("body");
        assert_eq!(&body.into_bytes()[..], b"theirs");
    });
}

#[test]
fn what_others_put_there_is_left_alone() {
    let world = world(&[("a", "1")]);
    world.edit("opsctl.toml", "path = \"things\"", "path = \"things\"\ndelete = true");
    upload(&world);
    let bucket = "small-dev-123456789012-eu-west-1";
    let served = Beside::start(&world, &[]);
    served.with("eu-west-1", async |aws| {
        for key in ["data/things/", "data/things/theirs"] {
            aws.s3.put_object().bucket(bucket).key(key).body(Vec::new().into()).send().await.expect("put");
        }
    });
    world.run(["upload", "--yes"]).success().says("up to date");
    for options in ["--yes", "--dry-run"] {
        let place = "s3://small-dev-123456789012-eu-west-1/data/things/";
        let refused = world.run(["upload", "--verify", options]).ended(1).does_not_say("up to date");
        refused.says(&format!("error[E203]: data set `{place}` holds 1 object that opsctl did not upload"));
    }
    assert_eq!(objects_and_parts(&served).0, 4, "ours, theirs, the folder marker, the manifest");
    drop(served);
    same_in_the_bucket(&world);
}
