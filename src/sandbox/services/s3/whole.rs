//! Whether the bytes that a document names are there.

use std::path::Path;

use serde::Deserialize as _;
use serde_json::Value;

use super::blob;
use super::object::History;
use super::uploads::{PARTS, Part};

/// Whether all the bytes that a document names are in the folder of a sandbox.
pub fn has_bytes(root: &Path, table: &str, key: &str, doc: &Value) -> bool {
    let is_whole =
        |file: &Path, size| file.metadata().is_ok_and(|about| about.is_file() && about.len() == size);
    if let Some(bucket) = table.strip_prefix("s3.objects.") {
        let folder = blob::objects(root, bucket);
        let history: History = History::deserialize(doc).unwrap_or_default();
        let mut contents = history.versions.iter().filter_map(|version| version.content.as_ref());
        return contents.all(|content| is_whole(&folder.join(&content.blob), content.size));
    }
    if table == PARTS
        && let (Some((upload, _)), Ok(part)) = (key.split_once('/'), Part::deserialize(doc))
    {
        return is_whole(&blob::parts(root, upload).join(&part.blob), part.size);
    }
    true
}
