//! Whether what was read from disk is a document of S3's, and the bytes that it names are there.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::blob;
use super::bucket::Bucket;
use super::object::History;
use super::uploads::{PARTS, Part, Upload};

/// Whether a value is a document of a table; else why not.
pub fn shape(table: &str, doc: &Value) -> Result<(), String> {
    match table {
        "s3.buckets" => typed::<Bucket>(doc).map(drop),
        PARTS => typed::<Part>(doc).map(drop),
        _ if table.starts_with("s3.uploads.") => typed::<Upload>(doc).map(drop),
        _ if table.starts_with("s3.objects.") => match typed::<History>(doc)?.versions.is_empty() {
            true => Err("it has no versions".to_owned()),
            false => Ok(()),
        },
        _ => Ok(()),
    }
}

fn typed<'a, T: Deserialize<'a>>(doc: &'a Value) -> Result<T, String> {
    T::deserialize(doc).map_err(|error| error.to_string())
}

/// Whether all the bytes that a document names are in the folder of a sandbox.
pub fn has_bytes(root: &Path, table: &str, key: &str, doc: &Value) -> bool {
    let is_whole =
        |file: &Path, size| file.metadata().is_ok_and(|about| about.is_file() && about.len() == size);
    if let Some(bucket) = table.strip_prefix("s3.objects.") {
        let folder = blob::objects(root, bucket);
        let history: History = typed(doc).unwrap_or_default();
        let mut contents = history.versions.iter().filter_map(|version| version.content.as_ref());
        return contents.all(|content| is_whole(&folder.join(&content.blob), content.size));
    }
    if table == PARTS
        && let (Some((upload, _)), Ok(part)) = (key.split_once('/'), typed::<Part>(doc))
    {
        return is_whole(&blob::parts(root, upload).join(&part.blob), part.size);
    }
    true
}
