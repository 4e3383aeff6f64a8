//! Any bytes as an archive: of a model that a training has left, of code that a client uploads. What comes
//! out is inside of the folder it is for.

#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use opsctl::archive;
use opsctl_sandbox::runners::archive::{unpack_tar_gz, unpack_zip};
use tokio::runtime::Runtime;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    // A tar is mutated as it is, and packed for its reader.
    let packed = match kind % 4 {
        0 | 2 => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
            std::io::Write::write_all(&mut gz, bytes).expect("memory");
            gz.finish().expect("memory")
        }
        _ => bytes.to_vec(),
    };
    if kind % 4 < 2 {
        let mut with_code = Vec::new();
        let code = [("inference.py", &b"x"[..])];
        if archive::with_code(&packed[..], code.iter().map(|(p, c)| (*p, *c)), &mut with_code).is_ok() {
            let mut read = tar::Archive::new(flate2::read::GzDecoder::new(&with_code[..]));
            let mut ours = 0;
            for entry in read.entries().expect("a tar") {
                let entry = entry.expect("an entry");
                assert!(entry.header().entry_type().is_file());
                let path = entry.path().expect("a path").to_string_lossy().into_owned();
                ours += usize::from(path == "code/inference.py");
            }
            assert_eq!(ours, 1, "our code, once");
        }
    }
    let around = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    let (file, target) = (around.path().join("archive"), around.path().join("target"));
    std::fs::write(&file, &packed).expect("written");
    RUNTIME.block_on(async {
        let _ = match kind % 4 {
            3 => unpack_zip(&file, &target).await,
            _ => unpack_tar_gz(&file, &target).await,
        };
    });
    assert_eq!(names(around.path()), ["archive", "target"]);
    assert_eq!(std::fs::read(&file).expect("still there"), packed);
});
