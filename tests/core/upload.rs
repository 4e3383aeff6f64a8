//! The pure half of an upload: what is sent, and what is known without reading.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use opsctl::domain::{Crc64, KeyPath, Stored, codes};
use opsctl::inputs::{Inputs, Source, Tree, UseAs};
use opsctl::resources::data::{Bandwidth, Difference, SendReason};
use opsctl::resources::manifest::Manifest;
use tempfile::TempDir;

const ALL: UseAs = UseAs::Data { include: Vec::new(), exclude: Vec::new() };

fn source() -> [Source; 1] {
    [Source { path: "it".into(), use_as: ALL, at: KeyPath::of(["data", "it", "path"]), no_code: Vec::new() }]
}

/// A folder of files that were written long before anybody looks.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("it")).unwrap();
    for (path, content) in files {
        write(&folder, path, content);
    }
    folder
}

fn write(folder: &TempDir, path: &str, content: &str) {
    let file = folder.path().join("it").join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

fn read(folder: &TempDir) -> Tree {
    Inputs::read(folder.path(), source()).tree(Path::new("it"), &ALL).unwrap().clone().unwrap()
}

/// Waits until a write would leave a trace in a file's times.
fn next_tick(folder: &TempDir) {
    let (probe, start) = (folder.path().join("probe"), SystemTime::now());
    loop {
        fs::write(&probe, "").unwrap();
        let modified = fs::metadata(&probe).unwrap().modified().unwrap();
        if modified.duration_since(start).is_ok_and(|d| d > Duration::from_millis(40)) {
            return;
        }
    }
}

fn there(files: &[(&str, &str)]) -> BTreeMap<String, Stored> {
    let stored = |content: &str| Stored {
        size: content.len() as u64,
        crc: Crc64::of(content.as_bytes()),
        etag: "\"e\"".into(),
    };
    files.iter().map(|(path, content)| ((*path).to_owned(), stored(content))).collect()
}

#[test]
fn new_larger_edited_gone_and_the_same() {
    let folder = folder(&[("new", "12345"), ("larger", "123"), ("edited", "ab"), ("same", "x")]);
    let (tree, there) =
        (read(&folder), there(&[("larger", "1"), ("edited", "cd"), ("same", "x"), ("gone", "")]));
    let difference = Difference::of(&tree, &there, false);
    let send: Vec<_> = difference.send.iter().map(|(e, why)| (&*e.path, *why)).collect();
    assert_eq!(
        send,
        [("new", SendReason::New), ("larger", SendReason::Size), ("edited", SendReason::Content)],
        "largest first"
    );
    assert_eq!(
        (difference.gone.as_slice(), difference.same, difference.bytes()),
        (["gone"].as_slice(), 1, 10)
    );
    assert_eq!(
        difference.to_string(),
        "1 new, 1 of another size, 1 of other content (10 B), 1 only in the bucket, kept, 1 the same"
    );
    assert!(Difference::of(&tree, &there, true).to_string().contains("1 deleted"));
}

#[test]
fn only_delete_makes_work_of_what_is_gone() {
    let folder = folder(&[("same", "x")]);
    let (tree, there) = (read(&folder), there(&[("same", "x"), ("gone", "")]));
    assert!(Difference::of(&tree, &there, false).is_empty());
    assert!(!Difference::of(&tree, &there, true).is_empty());
}

#[test]
fn a_fresh_checkout_is_the_same_folder() {
    let files = [("a", "1"), ("b/c", "2")];
    let (one, other) = (folder(&files), folder(&files));
    assert_eq!(read(&one).digest(), read(&other).digest());
    assert!(Difference::of(&read(&one), &there(&files), true).is_empty());
}

#[test]
fn the_manifest_has_the_digest_of_the_folder_whatever_else_is_there() {
    let folder = folder(&[("a", "1"), ("b", "2")]);
    let tree = read(&folder);
    let manifest = Manifest::of("digits/dev".into(), &tree, there(&[("a", "1"), ("b", "2"), ("stray", "3")]));
    assert_eq!(Some(&manifest.digest), tree.digest().as_ref());
    assert_eq!((manifest.stray, manifest.bytes()), (1, 3));
    assert_eq!(Manifest::parse(&serde_json::to_vec(&manifest).unwrap()), manifest);
    assert_eq!(Manifest::parse(b"{\"format\":1,\"digest\":\"d\",\"files\":{}}"), Manifest::default());
    assert_eq!(Manifest::parse(b"not JSON"), Manifest::default());
    assert_eq!(Manifest::key("data/dogs/"), "data/dogs.opsctl-manifest.json");
}

#[test]
fn unchanged_files_are_not_read_again() {
    let (folder, cache) = (folder(&[("a", "1"), ("b", "2")]), tempfile::tempdir().unwrap());
    next_tick(&folder);
    Inputs::read_cached(folder.path(), source(), cache.path());
    let mut again = Inputs::walk(folder.path(), source());
    again.recall(cache.path());
    assert_eq!(again.unread(Path::new("it"), &ALL), 0);
    // The checksum of another file under the same name: what the cache says is what counts.
    write(&folder, "a", "9");
    let mut again = Inputs::walk(folder.path(), source());
    again.recall(cache.path());
    assert_eq!(again.unread(Path::new("it"), &ALL), 1, "an edit of the same size is seen");
}

#[test]
fn an_edit_that_hides_its_time_is_seen() {
    let (folder, cache) = (folder(&[("a", "1")]), tempfile::tempdir().unwrap());
    let file = folder.path().join("it/a");
    let then = fs::metadata(&file).unwrap().modified().unwrap();
    next_tick(&folder);
    let before = read(&folder);
    Inputs::read_cached(folder.path(), source(), cache.path());
    fs::write(&file, "2").unwrap();
    fs::File::open(&file).unwrap().set_modified(then).unwrap();
    let inputs = Inputs::read_cached(folder.path(), source(), cache.path());
    let after = inputs.tree(Path::new("it"), &ALL).unwrap().clone().unwrap();
    assert_eq!(before.entries[0].stamp.modified, after.entries[0].stamp.modified);
    assert_ne!(before.digest(), after.digest());
}

#[test]
fn what_is_not_older_than_the_look_is_not_trusted() {
    let (folder, cache) = (folder(&[("a", "1")]), tempfile::tempdir().unwrap());
    // As a clock that goes wrong, or a file that is being written, has it: not older than the look.
    let file = fs::File::open(folder.path().join("it/a")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(60)).unwrap();
    Inputs::read_cached(folder.path(), source(), cache.path());
    let mut again = Inputs::walk(folder.path(), source());
    again.recall(cache.path());
    assert_eq!(again.unread(Path::new("it"), &ALL), 1);
}

#[test]
fn a_broken_cache_costs_time_only() {
    let (folder, cache) = (folder(&[("a", "1")]), tempfile::tempdir().unwrap());
    next_tick(&folder);
    Inputs::read_cached(folder.path(), source(), cache.path());
    for file in fs::read_dir(cache.path()).unwrap() {
        fs::write(file.unwrap().path(), "{\"format\":1,\"se").unwrap();
    }
    let inputs = Inputs::read_cached(folder.path(), source(), cache.path());
    assert_eq!(
        inputs.tree(Path::new("it"), &ALL).unwrap().as_ref().unwrap().digest(),
        read(&folder).digest()
    );
}

#[test]
fn names_of_every_kind_are_kept_as_they_are() {
    let long = format!("{}/{}", "d".repeat(200), "f".repeat(200));
    let names = ["with space", "a+b", "100%", "e\u{301}", "\u{e9}", "~tilde", "#hash", "a:b", &long, "empty"];
    let folder = folder(&names.map(|name| (name, if name == "empty" { "" } else { name })));
    let mut expected: Vec<_> = names.to_vec();
    expected.sort_unstable();
    let tree = read(&folder);
    assert_eq!(tree.entries.iter().map(|e| &*e.path).collect::<Vec<_>>(), expected);
    assert!(tree.entry("e\u{301}").unwrap().crc != tree.entry("\u{e9}").unwrap().crc, "two files, two names");
    assert_eq!(tree.entry("empty").unwrap().crc, Some(Crc64::EMPTY));
}

#[test]
fn a_name_that_no_listing_can_tell_is_refused() {
    let folder = folder(&[("icon\r", ""), ("bell\u{7}", "")]);
    let inputs = Inputs::read(folder.path(), source());
    let problem = inputs.tree(Path::new("it"), &ALL).unwrap().as_ref().unwrap_err();
    assert_eq!(problem.code, codes::LOCAL_IO);
    assert!(problem.message.starts_with(r#"the name "bell\u{7}" has the character '\u{7}'"#), "{problem:?}");
}

#[test]
fn bandwidths_are_bytes_per_second() {
    let per_second = |text: &str| text.parse::<Bandwidth>().map(Bandwidth::bytes_per_second);
    assert_eq!(per_second("20MB/s"), Ok(20_000_000));
    assert_eq!(per_second("1.5 MiB/s"), Ok(1_572_864));
    assert_eq!(per_second("500kB"), Ok(500_000));
    for bad in ["", "0", "fast", "100Mbit/s", "20Mb/s", "-1MB/s"] {
        assert!(per_second(bad).unwrap_err().contains("20MB/s"), "{bad}");
    }
}
