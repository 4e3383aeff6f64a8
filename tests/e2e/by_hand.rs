//! What somebody puts below a data set's prefix by hand: no command deletes or replaces it, whatever was
//! refused or broken off before.

use std::fs;
use std::time::Duration;

use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, CreateBucketConfiguration,
    VersioningConfiguration,
};

use crate::support::{Beside, World, pause};

const CONFIG: &str = "[project]\nname = \"small\"\nregion = \"eu-west-1\"\n\
                      [data.things]\npath = \"things\"\ndelete = true\n";
const BUCKET: &str = "small-dev-123456789012-eu-west-1";
const UNKNOWN: &str = "is there already, and no upload knows it";

/// A project, and a sandbox that lives as long as this.
pub struct Bench {
    pub world: World,
    pub served: Beside,
    pub bucket: &'static str,
}

impl Bench {
    pub fn with(files: &[(&str, &str)], faults: &[&str]) -> Self {
        let world = World::with_config(CONFIG).sandbox();
        fs::create_dir_all(world.path("things")).expect("made");
        let served = Beside::start(&world, faults);
        let bench = Self { world, served, bucket: BUCKET };
        files.iter().for_each(|(name, text)| bench.ours(name, text.as_bytes()));
        bench
    }

    /// In a bucket of others, which keeps no versions.
    pub fn in_theirs(files: &[(&str, &str)]) -> Self {
        let bench = Self { bucket: "theirs", ..Self::with(files, &[]) };
        bench.world.write("opsctl.toml", &format!("{CONFIG}[bucket]\nname = \"theirs\"\n"));
        bench.served.with("eu-west-1", async |aws| {
            let region =
                CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuWest1);
            let made = aws.s3.create_bucket().bucket("theirs").create_bucket_configuration(region.build());
            made.send().await.expect("made");
        });
        bench
    }

    /// Whether the bucket keeps versions from now on; `None`: as it did.
    pub fn keeps_versions(&self, status: Option<BucketVersioningStatus>) {
        let Some(status) = status else { return };
        self.served.with("eu-west-1", async |aws| {
            let to = VersioningConfiguration::builder().status(status.clone()).build();
            let call = aws.s3.put_bucket_versioning().bucket(self.bucket).versioning_configuration(to);
            call.send().await.expect("set");
        });
    }

    /// A file of the folder.
    pub fn ours(&self, name: &str, content: &[u8]) {
        fs::write(self.world.path("things").join(name), content).expect("written");
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.world.path("things").join(name)).expect("removed");
    }

    /// An object of somebody's.
    pub fn theirs(&self, name: &str, content: &[u8]) {
        let (key, body) = (format!("data/things/{name}"), content.to_vec());
        self.served.with("eu-west-1", async |aws| {
            let put = aws.s3.put_object().bucket(self.bucket).key(&key).body(body.into());
            put.checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.expect("put");
        });
    }

    pub fn there(&self, name: &str) -> Vec<u8> {
        let key = format!("data/things/{name}");
        self.served.with("eu-west-1", async |aws| {
            let found = aws.s3.get_object().bucket(self.bucket).key(&key).send().await.expect("it is there");
            found.body.collect().await.expect("read").to_vec()
        })
    }

    pub fn is_there(&self, name: &str) -> bool {
        let key = format!("data/things/{name}");
        self.served.with("eu-west-1", async |aws| {
            aws.s3.head_object().bucket(self.bucket).key(&key).send().await.is_ok()
        })
    }

    /// Keys and sizes of all versions, and the number of markers.
    pub fn versions(&self) -> (Vec<String>, usize) {
        self.served.with("eu-west-1", async |aws| {
            let found = aws.s3.list_object_versions().bucket(self.bucket).prefix("data/things/").send().await;
            let found = found.expect("a list");
            let sizes = found.versions().iter().map(|version| {
                format!("{} {}", version.key().expect("a key"), version.size().expect("a size"))
            });
            (sizes.collect::<Vec<_>>(), found.delete_markers().len())
        })
    }

    /// How many markers there are in the whole bucket, where nothing else is.
    pub fn markers(&self) -> usize {
        self.served.with("eu-west-1", async |aws| {
            let found = aws.s3.list_object_versions().bucket(self.bucket).send().await.expect("a list");
            assert!(found.versions().is_empty(), "{found:?}");
            found.delete_markers().len()
        })
    }

    /// From here on it is another machine.
    pub fn forget(&self) {
        fs::remove_dir_all(self.world.path(".opsctl/cache")).expect("removed");
        self.world.run(["lease", "break", "--yes"]).success();
    }

    pub fn upload(&self) {
        self.world.run(["upload", "--yes"]).success();
    }

    /// An upload that meets what nobody knows.
    pub fn refused(&self, name: &str) {
        let refused = self.world.run(["upload", "--yes"]).ended(1).says("error[E203]");
        refused.says(&format!("data/things/{name} {UNKNOWN}"));
    }

    /// An upload that is killed when it has sent a small file, while it sends a large one.
    pub fn killed_with(&self, small: &str) {
        self.killed_by(&["upload", "--yes"], small);
    }

    pub fn killed_by(&self, command: &[&str], small: &str) {
        self.ours("large", &vec![7; 20 << 20]);
        self.served.strike(&["delay=30s@s3:UploadPart#1x0"]);
        let content = fs::read(self.world.path("things").join(small)).expect("it is here");
        let is_sent = || self.is_there(small) && self.there(small) == content;
        self.world.kill_when(command.iter().copied(), is_sent);
        self.served.strike(&[]);
        self.remove("large");
    }
}

#[test]
fn all_that_is_in_the_way_is_named_at_once() {
    let bench = Bench::with(&[("a", "1")], &[]);
    bench.upload();
    for name in ["x", "y", "z", "same"] {
        bench.theirs(name, b"theirs");
        bench.ours(name, b"ours");
    }
    bench.ours("same", b"theirs");
    bench.ours("fine", b"ours");
    let refused = bench.world.run(["upload", "--yes"]).ended(1).says("error[E203]");
    refused.says("3 objects are there already, and no upload knows them: x, y, z");
}

#[test]
fn what_was_replaced_or_was_there_is_neither_deleted_nor_replaced() {
    let bench = Bench::with(&[("a", "1"), ("gone", "2"), ("replaced", "3")], &[]);
    bench.upload();
    bench.theirs("replaced", b"theirs");
    bench.theirs("new", b"theirs too");
    bench.theirs("large", b"small");
    bench.remove("gone");
    bench.remove("replaced");
    for _ in 0..2 {
        let refused = bench.world.run(["upload", "--yes"]).ended(1).says("error[E203]");
        refused.says("data/things/: 1 object not deleted, being replaced since the upload: replaced");
        assert_eq!(bench.there("replaced"), b"theirs");
    }
    // Here it is the folder's again.
    bench.ours("replaced", b"theirs");

    bench.ours("new", b"ours");
    bench.refused("new");
    bench.refused("new");
    bench.world.run(["upload", "--yes", "--verify"]).ended(1).says("1 object that opsctl did not upload");
    assert_eq!(bench.there("new"), b"theirs too");
    bench.remove("new");
    bench.ours("large", &vec![7; 20 << 20]);
    bench.refused("large");
    assert_eq!(bench.there("large"), b"small");
    bench.remove("large");
    // The same file needs no upload.
    bench.ours("new", b"theirs too");
    bench.upload();
    bench.theirs("a", b"by hand");
    bench.world.run(["destroy", "--yes"]).success().says("Nothing else is left").says("others put objects");
    assert_eq!((bench.there("a"), bench.there("large")), (b"by hand".to_vec(), b"small".to_vec()));
}

/// Neither by a manifest nor by the journal.
#[test]
fn what_a_refused_upload_was_about_to_send_is_not_ours() {
    let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
    for first in [false, true] {
        let bench = Bench::with(&[("a", "1")], &[]);
        match first {
            true => drop(bench.world.run(["bucket", "--yes"]).success()),
            false => bench.upload(),
        }
        for name in &names {
            bench.theirs(name, b"theirs");
            bench.ours(name, name.as_bytes());
        }
        let refused = bench.world.run(["upload", "--yes"]).ended(1).says("error[E203]");
        refused.says("40 objects are there already, and no upload knows them: n0, n1, n10 and 37 more");
        bench.world.run(["destroy", "--yes"]).success();
        for name in &names {
            assert_eq!(bench.there(name), b"theirs", "{name}");
        }
    }
}

#[test]
fn what_a_broken_off_upload_has_sent_is_ours_and_what_came_after_it_is_not() {
    // The file is another one by now.
    let bench = Bench::with(&[("a", "1")], &[]);
    bench.upload();
    bench.ours("new", b"sent");
    bench.killed_with("new");
    bench.ours("new", b"edited");
    bench.upload();
    assert_eq!(bench.there("new"), b"edited");

    // Somebody has replaced it.
    for command in ["upload", "destroy"] {
        bench.ours(command, b"sent");
        bench.killed_with(command);
        bench.theirs(command, b"theirs");
        match command {
            "upload" => bench.refused(command),
            _ => drop(bench.world.run(["destroy", "--yes"]).success()),
        }
        assert_eq!(bench.there(command), b"theirs");
        bench.remove(command);
    }
}

/// The manifest says it, so that every machine knows: CI runs on a new one each time.
#[test]
fn what_a_broken_off_upload_has_sent_is_known_on_another_machine() {
    let bench = Bench::with(&[("a", "1"), ("b", "2")], &[]);
    bench.upload();
    // Of an upload that replaces, adds and would delete, after which the folder is as it was.
    bench.ours("a", b"changed");
    bench.ours("new", b"sent");
    bench.remove("b");
    bench.killed_with("new");
    bench.forget();
    bench.world.run(["plan"]).success().says("~ data/things");
    bench.ours("a", b"1");
    bench.ours("b", b"2");
    bench.remove("new");
    bench.upload();
    assert_eq!((bench.there("a"), bench.there("b")), (b"1".to_vec(), b"2".to_vec()));
    assert!(!bench.is_there("new"), "`delete = true` deletes it");
    bench.world.run(["plan", "--detailed-exitcode"]).success();

    // The file is another one by now.
    bench.ours("new", b"sent");
    bench.killed_with("new");
    bench.forget();
    bench.ours("new", b"edited");
    bench.upload();
    assert_eq!(bench.there("new"), b"edited");

    // Killed twice, each time with another one.
    for text in ["once", "twice"] {
        bench.ours("again", text.as_bytes());
        bench.killed_with("again");
        bench.forget();
    }
    bench.theirs("theirs", b"theirs");
    bench.world.run(["destroy", "--yes"]).success().says("others put objects");
    assert!(bench.is_there("theirs") && !bench.is_there("again") && !bench.is_there("new"));
}

/// Nobody has read the files of a first upload before they are sent.
#[test]
fn a_first_upload_that_was_broken_off_goes_on_elsewhere_with_other_files() {
    let bench = Bench::with(&[("a", "1")], &[]);
    bench.killed_with("a");
    bench.forget();
    bench.ours("a", b"edited");
    bench.upload();
    assert_eq!(bench.there("a"), b"edited");

    // What somebody has put there since is not what it has sent.
    for then in ["upload", "deploy", "destroy"] {
        let bench = Bench::with(&[("a", "1")], &[]);
        bench.killed_with("a");
        bench.theirs("a", b"theirs");
        bench.forget();
        match then {
            "destroy" => drop(bench.world.run(["destroy", "--yes"]).success().says("others put objects")),
            _ => drop(bench.world.run([then, "--yes"]).ended(1).says("error[E203]").says(UNKNOWN)),
        }
        assert_eq!(bench.there("a"), b"theirs", "{then}");
    }
}

/// Each time with other files.
#[test]
fn uploads_that_were_broken_off_one_after_the_other_leave_nothing_behind() {
    for then in ["upload", "destroy"] {
        let bench = Bench::with(&[("a", "one")], &[]);
        bench.killed_with("a");
        bench.forget();
        bench.ours("a", b"two");
        bench.killed_with("a");
        bench.forget();
        bench.ours("b", b"bee");
        bench.remove("a");
        match then {
            "upload" => bench.upload(),
            _ => drop(bench.world.run(["destroy", "--yes"]).success().says("Nothing is left")),
        }
        assert!(!bench.is_there("a"), "{then}");
    }
    let bench = Bench::in_theirs(&[("a", "one")]);
    bench.keeps_versions(Some(BucketVersioningStatus::Enabled));
    bench.killed_by(&["deploy", "--adopt", "--yes"], "a");
    bench.forget();
    bench.ours("a", b"two");
    bench.killed_with("a");
    bench.forget();
    bench.world.run(["destroy", "--yes"]).success().does_not_say("others put objects");
    assert_eq!(bench.versions(), (Vec::new(), 0));
}

/// A data set that is half deleted is uploaded again, and is nobody else's.
#[test]
fn a_prune_that_was_killed_is_no_reason_to_replace_or_refuse() {
    for is_made in [true, false] {
        let files = [("a", "1"), ("b", "2")];
        let bench = if is_made { Bench::with(&files, &[]) } else { Bench::in_theirs(&files) };
        bench.world.run(["deploy", "--adopt", "--yes"]).success();
        bench.theirs("theirs", b"theirs");
        let config = bench.world.read("opsctl.toml");
        let without = config.replace("[data.things]\npath = \"things\"\ndelete = true\n", "");
        bench.world.write("opsctl.toml", &without);
        bench.served.strike(&["delay=30s@s3:DeleteObjects"]);
        bench.world.kill_when(["deploy", "--prune", "--yes"], || bench.served.hits() > 0);
        bench.served.strike(&[]);
        bench.world.write("opsctl.toml", &config);
        bench.ours("theirs", b"ours");
        bench.refused("theirs");
        assert_eq!(bench.there("theirs"), b"theirs");
        bench.remove("theirs");
        bench.ours("a", b"edited");
        bench.upload();
        assert_eq!(bench.there("a"), b"edited");
        bench.world.run(["destroy", "--yes"]).success().says("data/things/theirs");
        assert!(bench.is_there("theirs") && !bench.is_there("a") && !bench.is_there("b"));
    }
}

/// In a bucket of others, by version.
#[test]
fn old_versions_of_others_stay() {
    let bench = Bench::in_theirs(&[("a", "ours"), ("b", "ours")]);
    bench.keeps_versions(Some(BucketVersioningStatus::Enabled));
    bench.served.with("eu-west-1", async |aws| {
        // They had a file of that name once, and have deleted it.
        let put = aws.s3.put_object().bucket("theirs").key("data/things/a");
        put.body(b"theirs".to_vec().into()).send().await.expect("put");
        aws.s3.delete_object().bucket("theirs").key("data/things/a").send().await.expect("deleted");
    });
    bench.world.run(["deploy", "--adopt", "--yes"]).success();
    bench.served.with("eu-west-1", async |aws| {
        let put = aws.s3.put_object().bucket("theirs").key("data/things/b");
        put.body(b"by hand".to_vec().into()).send().await.expect("put");
    });
    bench.ours("b", b"ours again");
    bench.upload();
    assert_eq!(bench.versions().0.len(), 5, "{:?}", bench.versions());
    bench.world.run(["destroy", "--yes"]).success();
    assert_eq!(bench.versions(), (vec!["data/things/a 6".to_owned(), "data/things/b 7".to_owned()], 1));
}

/// Between the look and the delete, with and without versions.
#[test]
fn what_is_put_there_while_all_is_deleted_stays() {
    let files = [("a", "1"), ("b", "2"), ("c", "3")];
    let enabled = Some(BucketVersioningStatus::Enabled);
    let suspended = Some(BucketVersioningStatus::Suspended);
    let own = (Bench::with(&files, &[]), None, None);
    let theirs = [(None, None), (suspended.clone(), None), (suspended, enabled.clone()), (None, enabled)];
    let theirs = theirs.map(|(before, after)| (Bench::in_theirs(&files), before, after));
    for (bench, before, after) in [own].into_iter().chain(theirs) {
        bench.keeps_versions(before);
        bench.world.run(["deploy", "--adopt", "--yes"]).success();
        bench.keeps_versions(after);
        bench.served.strike(&["delay=5s@s3:DeleteObjects#1x1"]);
        let destroyed = std::thread::scope(|scope| {
            let destroy = scope.spawn(|| bench.world.run(["destroy", "--yes"]));
            while bench.served.hits() == 0 {
                pause(Duration::from_millis(20));
            }
            bench.theirs("b", b"by hand");
            bench.theirs("new", b"by hand");
            destroy.join().expect("it ends")
        });
        let is_adopted = bench.bucket != BUCKET;
        drop(if is_adopted { destroyed.success() } else { destroyed.ended(1).says("error[E216]") });
        assert!(!bench.is_there("a") && !bench.is_there("c"));
        bench.world.run(["destroy", "--yes"]).success();
        assert_eq!((bench.there("b"), bench.there("new")), (b"by hand".to_vec(), b"by hand".to_vec()));
    }
}

/// A list of versions ends in the middle of those of one object; when the newer ones are gone, the next is
/// what a reader gets.
#[test]
fn old_versions_behind_the_end_of_a_page_go_too() {
    for (bench, versions) in [(Bench::with(&[], &[]), 3), (Bench::in_theirs(&[]), 3)] {
        for version in 0..versions {
            // 1,000 on a page, three of each.
            (0..350).for_each(|n| bench.ours(&format!("{n}"), format!("{n} {version}").as_bytes()));
            if version == 0 {
                bench.keeps_versions((bench.bucket != BUCKET).then_some(BucketVersioningStatus::Enabled));
                bench.world.run(["deploy", "--adopt", "--yes"]).success();
            } else {
                bench.upload();
            }
        }
        bench.world.run(["destroy", "--yes"]).success().does_not_say("others");
        let left = bench.served.with("eu-west-1", async |aws| {
            let found = aws.s3.list_object_versions().bucket(bench.bucket).prefix("data/").send().await;
            found.map_or(0, |found| found.versions().len() + found.delete_markers().len())
        });
        assert_eq!(left, 0, "in {}", bench.bucket);
    }
}

/// `--adopted` deletes what was shown, and no more: what takes its place is not smaller than it by chance.
#[test]
fn what_comes_after_the_plan_of_a_whole_bucket_stays() {
    for (is_made, then) in [(true, "thesis"), (false, "thesis"), (false, "seen")] {
        let files = [("a", "1")];
        let bench = if is_made { Bench::with(&files, &[]) } else { Bench::in_theirs(&files) };
        bench.world.run(["deploy", "--adopt", "--yes"]).success();
        bench.theirs("seen", b"theirs");
        bench.served.strike(&["delay=5s@s3:DeleteObjects#1x1"]);
        let destroyed = std::thread::scope(|scope| {
            let destroy = scope.spawn(|| bench.world.run(["destroy", "--adopted", "--yes"]));
            while bench.served.hits() == 0 {
                pause(Duration::from_millis(20));
            }
            bench.theirs(then, b"thesis");
            destroy.join().expect("it ends")
        });
        destroyed.ended(1).says("error[E216]");
        assert_eq!(bench.there(then), b"thesis");
        bench.world.run(["destroy", "--adopted", "--yes"]).success().says(&format!("data/things/{then}"));
        assert!(!bench.is_there(then));
    }
}

/// The console's "folders" are empty.
#[test]
fn a_file_whose_name_ends_with_a_slash_is_somebodys() {
    let bench = Bench::with(&[("a", "1")], &[]);
    bench.upload();
    bench.theirs("notes/", b"precious");
    bench.theirs("empty/", b"");
    bench.world.run(["destroy", "--yes"]).success().says("others put objects");
    assert_eq!((bench.there("notes/"), bench.is_there("empty/")), (b"precious".to_vec(), false));
}

/// What is shown is what is done, also after an upload that did not come to its end.
#[test]
fn what_differs_is_what_is_there() {
    let bench = Bench::with(&[("a", "1"), ("b", "2")], &[]);
    bench.upload();
    bench.ours("a", b"changed");
    bench.ours("new", b"sent");
    bench.killed_with("new");
    bench.forget();
    bench.world.run(["data", "pull", "--to", "pulled"]).success().says("did not come to its end");
    assert_eq!(fs::read(bench.world.path("pulled/new")).expect("fetched"), b"sent");
    bench.ours("a", b"1");
    bench.remove("new");
    let shown = bench.world.run(["upload", "--dry-run"]).success();
    shown.says("1 deleted").says("- new");
    bench.upload();
    assert!(!bench.is_there("new"));
}

/// The manifest does not know what somebody has deleted; `--verify` looks.
#[test]
fn a_file_that_was_deleted_by_hand_makes_room_for_a_folder() {
    let bench = Bench::with(&[("a", "1"), ("b", "2")], &[]);
    bench.world.edit("opsctl.toml", "delete = true\n", "");
    bench.upload();
    bench.remove("a");
    fs::create_dir(bench.world.path("things/a")).expect("made");
    bench.ours("a/x", b"3");
    bench.world.run(["upload", "--yes"]).ended(1).says("error[E268]").says("upload --verify");
    bench.served.with("eu-west-1", async |aws| {
        aws.s3.delete_object().bucket(bench.bucket).key("data/things/a").send().await.expect("deleted");
    });
    bench.world.run(["upload", "--verify", "--yes"]).success();
    assert_eq!(bench.there("a/x"), b"3");
    bench.world.run(["plan", "--detailed-exitcode"]).success();
}

/// A delete in a bucket whose versions are suspended leaves a marker, which has the id that somebody's next
/// object gets. Where versions are kept again, nothing gets it any more.
#[test]
fn markers_that_stay_are_told_and_others_go() {
    const SAID: &str = "so S3 keeps a delete marker of each object that goes";
    let bench = Bench::in_theirs(&[("a", "1")]);
    bench.keeps_versions(Some(BucketVersioningStatus::Suspended));
    bench.world.run(["deploy", "--adopt", "--yes"]).success();
    bench.world.run(["destroy", "--dry-run"]).says(SAID);
    bench.world.run(["destroy", "--yes"]).success().says("Nothing else is left").says(SAID);
    assert!(bench.markers() > 0);
    bench.world.run(["deploy", "--adopt", "--yes"]).success();
    bench.keeps_versions(Some(BucketVersioningStatus::Enabled));
    bench.world.run(["destroy", "--yes"]).success().does_not_say("marker").does_not_say("did not put there");
    assert_eq!(bench.markers(), 0);
}

/// What is from before the versions is below them, and has the id of what is put there while they are
/// suspended.
#[test]
fn what_is_put_in_the_place_of_a_first_version_stays() {
    let bench = Bench::in_theirs(&[("a", "1"), ("b", "1")]);
    bench.world.run(["deploy", "--adopt", "--yes"]).success();
    bench.keeps_versions(Some(BucketVersioningStatus::Enabled));
    bench.ours("a", b"two");
    bench.ours("b", b"two");
    bench.upload();
    bench.keeps_versions(Some(BucketVersioningStatus::Suspended));
    bench.served.strike(&["delay=3s@s3:DeleteObjects#1x1"]);
    std::thread::scope(|scope| {
        let destroy = scope.spawn(|| bench.world.run(["destroy", "--yes"]).success());
        while bench.served.hits() == 0 {
            pause(Duration::from_millis(20));
        }
        bench.theirs("a", b"by hand");
        destroy.join().expect("it ends");
    });
    assert_eq!(bench.there("a"), b"by hand");
    assert_eq!(bench.versions().0, ["data/things/a 7"]);
}

/// To a destroy the bucket is still somebody's.
#[test]
fn the_lease_of_an_adoption_that_was_killed_is_told() {
    let bench = Bench::in_theirs(&[("a", "1")]);
    bench.served.strike(&["delay=30s@s3:PutBucketTagging#1x0"]);
    bench.world.kill_when(["deploy", "--adopt", "--yes"], || bench.served.hits() > 0);
    bench.served.strike(&[]);
    let destroyed = bench.world.run(["destroy", "--yes"]).success().says("Nothing to delete");
    destroyed.says("`theirs` holds `.opsctl/lease.json` of a run").says("lease break` deletes it");
    bench.keeps_versions(Some(BucketVersioningStatus::Enabled));
    let told = bench.world.run(["destroy", "--yes", "-o", "json"]).success();
    told.says("lease break` deletes it");
    bench.world.run(["lease", "break", "--yes"]).success();
    assert_eq!(bench.markers(), 0);
    bench.world.run(["destroy", "--yes"]).success().does_not_say("lease");
}
