//! Any bytes as the manifest of a data set, which lies in a bucket where others may write.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opsctl::resources::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    let manifest = Manifest::parse(bytes);
    let _ = manifest.bytes();
    assert_eq!(Manifest::parse(&manifest.to_json()).files, manifest.files);
});
