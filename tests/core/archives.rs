//! The same files give the same bytes: whatever order, time or permission they come with.

use std::collections::BTreeMap;
use std::io::Read;

use opsctl::archive::{self, File};
use opsctl::domain::KeyPath;
use opsctl::inputs::{Inputs, Source, UseAs};

const FILES: [File<'_>; 3] =
    [("train.py", b"print(1)\n"), ("lib/net.py", b"x = 1\n"), ("requirements.txt", b"")];

fn reversed() -> Vec<File<'static>> {
    FILES.iter().rev().copied().collect()
}

#[test]
fn a_zip_does_not_depend_on_the_order() {
    assert_eq!(archive::zip(&FILES), archive::zip(&reversed()));
}

#[test]
fn a_tar_gz_does_not_depend_on_the_order() {
    assert_eq!(archive::tar_gz(&FILES), archive::tar_gz(&reversed()));
}

#[test]
fn archives_do_not_depend_on_times_and_permissions() {
    let pack = |prepare: fn(&std::path::Path)| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("train.py");
        std::fs::write(&file, "print(1)\n").unwrap();
        prepare(&file);
        let source =
            Source { path: ".".into(), use_as: UseAs::ALL_CODE, at: KeyPath::default(), no_code: Vec::new() };
        let inputs = Inputs::read(folder.path(), [source]);
        let tree = inputs.accepted(std::path::Path::new("."), &UseAs::ALL_CODE).unwrap();
        let files: Vec<_> = tree.entries.iter().map(|e| (&*e.path, e.content.as_slice())).collect();
        (tree.digest(), archive::zip(&files), archive::tar_gz(&files))
    };
    let one = pack(|_| {});
    let other = pack(|file| {
        use std::os::unix::fs::PermissionsExt;
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        std::fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
    });
    assert!(one == other);
}

/// A script that calls a helper beside it finds it as it was here.
#[test]
fn what_a_system_runs_may_be_run() {
    let files: [File<'_>; 4] = [
        ("a.py", b"print(1)\n"),
        ("b.sh", b"#!/bin/sh\n"),
        ("c", b"\x7fELF\x02"),
        ("d", b"#"), // shorter than what would tell
    ];
    let modes = [0o644, 0o755, 0o755, 0o644];
    let packed = archive::tar_gz(&files);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    for ((entry, mode), (_, content)) in tar.entries().unwrap().zip(modes).zip(files) {
        let mut entry = entry.unwrap();
        let mut held = Vec::new();
        entry.read_to_end(&mut held).unwrap();
        assert_eq!((entry.header().mode().unwrap(), held.as_slice()), (mode, content));
    }
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(archive::zip(&files))).unwrap();
    let zipped = |(i, _)| zip.by_index(i).unwrap().unix_mode().unwrap() & 0o777;
    assert_eq!(files.iter().enumerate().map(zipped).collect::<Vec<_>>(), modes);
}

#[test]
fn a_zip_holds_what_was_put_in() {
    let zipped = archive::zip(&FILES);
    let mut zip = zip::ZipArchive::new(std::io::Cursor::new(zipped)).unwrap();
    let mut held = BTreeMap::new();
    for i in 0..zip.len() {
        let mut file = zip.by_index(i).unwrap();
        assert_eq!(file.unix_mode().unwrap() & 0o777, 0o644, "Lambda must be able to read it");
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        held.insert(file.name().to_owned(), content);
    }
    assert_eq!(held, FILES.iter().map(|(path, content)| ((*path).to_owned(), content.to_vec())).collect());
}

/// A name of 2 MB compresses to some kilobytes: one of 10 GB would fill the memory.
#[test]
fn a_trained_archive_does_not_fill_the_memory_with_names() {
    let mut tar = archive::tar_gz_writer(Vec::new());
    archive::append(&mut tar, &"d/".repeat(1 << 20), 1, &b"x"[..]).unwrap();
    let trained = tar.into_inner().unwrap().finish().unwrap();
    let refused = archive::with_code(&trained[..], [], std::io::sink()).unwrap_err();
    assert_eq!(refused.to_string(), "a header of the archive is too large");
}

/// Long paths need extensions of the format; SageMaker unpacks into /opt/ml/code without a leading folder.
#[test]
fn a_tar_gz_holds_what_was_put_in() {
    let long = format!("{}net.py", "deep/".repeat(60));
    let files: Vec<File<'_>> =
        FILES.iter().copied().chain([(long.as_str(), b"y = 2\n".as_slice())]).collect();
    let packed = archive::tar_gz(&files);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(packed.as_slice()));
    let mut held = BTreeMap::new();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        assert_eq!((entry.header().mtime().unwrap(), entry.header().uid().unwrap()), (0, 0));
        let path = entry.path().unwrap().display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        held.insert(path, content);
    }
    assert_eq!(held.len(), 4);
    assert_eq!(held["lib/net.py"], b"x = 1\n");
    assert!(held.keys().any(|path| path.ends_with("deep/net.py") && path.len() > 250), "{held:?}");
}

/// By the first header alone: a model of 10 GB is not unpacked for a look.
#[test]
fn an_archive_is_known_by_its_beginning() {
    let gzip = |bytes: &[u8]| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut gzip, bytes).unwrap();
        gzip.finish().unwrap()
    };
    for (is, bytes) in [
        (true, archive::tar_gz(&[("model.json", b"{}")])),
        (true, archive::tar_gz(&[])),
        (false, b"x\n".to_vec()),
        (false, Vec::new()),
        (false, gzip(b"weights")),
        (false, gzip(&[b'w'; 2048])),
    ] {
        assert_eq!(archive::is_tar_gz(bytes.as_slice()).unwrap(), is, "{} bytes", bytes.len());
    }
}
