//! Code archives: files named by their SHA-256, so that versions share them and a kill leaves no half of one.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::header::HeaderValue;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::region::{FUNCTIONS, VERSIONS, invalid, not_found};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::root::remove_own;
use crate::rules::AwsRule;
use crate::runners::archive::unzipped_size;
use crate::services::objects::{ObjectName, Objects};
use crate::state::SandboxState;

const FOLDER: &str = "lambda/code";
/// Where the archives are downloaded; a path that no AWS API has.
pub(super) const DOWNLOAD: &str = "/lambda-code/{Sha256}";

/// docs/aws/lambda.md#limits. The request limit is the whole JSON with the archive in base64.
const LARGEST_REQUEST: usize = 70_167_211;
const LARGEST_ARCHIVE: usize = 50 << 20;
const LARGEST_UNZIPPED: u64 = 250 << 20;

/// A stored archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    /// Base64 of its SHA-256, as on the wire.
    pub sha256: String,
    pub size: usize,
}

/// Stores the archive that `code` holds or names.
pub(super) async fn receive(call: &Call, code: &Value) -> Result<Package, Fault> {
    let text = |name: &str| code[name].as_str().map(str::to_owned);
    let archive = match (text("ZipFile"), text("S3Bucket"), text("S3Key")) {
        (Some(encoded), None, None) => uploaded(call, &encoded)?,
        (None, Some(bucket), Some(key)) => {
            let object = ObjectName { bucket, key, version: text("S3ObjectVersion") };
            let objects = call.shared.extensions.plugged::<dyn Objects>();
            objects.read(Arc::clone(&call.shared), call.region.clone(), object).await?
        }
        _ if code.get("ImageUri").is_some() => {
            return Err(Fault::new(
                501,
                "NotImplemented",
                "the sandbox runs functions of PackageType Zip only",
            ));
        }
        _ => return Err(invalid("Please provide a source for function code.")),
    };
    // Some kilobytes may unzip to 250 MB: not on a thread that answers others.
    let (most, checked) = (largest_unzipped(call), archive.clone());
    tokio::task::spawn_blocking(move || check(&checked, most)).await.map_err(std::io::Error::other)??;
    let sha256 = STANDARD.encode(Sha256::digest(&archive));
    let path = file(&call.shared, &sha256);
    if !path.exists() {
        let folder = call.shared.folder(FOLDER)?;
        let mut temporary = tempfile::NamedTempFile::new_in(&folder)?;
        temporary.write_all(&archive)?;
        temporary.persist(&path).map_err(|error| error.error)?;
    }
    Ok(Package { sha256, size: archive.len() })
}

fn uploaded(call: &Call, encoded: &str) -> Result<Bytes, Fault> {
    let archive = STANDARD
        .decode(encoded)
        .map_err(|_| Fault::new(400, "SerializationException", "ZipFile is not base64"))?;
    let too_large = call.body.len() > LARGEST_REQUEST || archive.len() > LARGEST_ARCHIVE;
    if too_large && call.shared.enforces(AwsRule::CodeSize) {
        let message = format!(
            "Request must be smaller than {LARGEST_REQUEST} bytes for the {} operation",
            call.operation
        );
        return Err(Fault::new(413, "RequestEntityTooLargeException", message));
    }
    Ok(archive.into())
}

fn largest_unzipped(call: &Call) -> u64 {
    if call.shared.enforces(AwsRule::CodeSize) { LARGEST_UNZIPPED } else { u64::MAX }
}

fn check(archive: &[u8], most: u64) -> Result<(), Fault> {
    let unreadable =
        || invalid("Could not unzip uploaded file. Please check your file, then try to upload again.");
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).map_err(|_| unreadable())?;
    if zip.is_empty() {
        return Err(invalid("Uploaded file must be a non-empty zip"));
    }
    match unzipped_size(&mut zip, most).map_err(|_| unreadable())? {
        Some(_) => Ok(()),
        None => Err(invalid(format!("Unzipped size must be smaller than {LARGEST_UNZIPPED} bytes"))),
    }
}

/// The file of an archive.
pub(super) fn file(shared: &SandboxState, sha256: &str) -> PathBuf {
    shared.root.join(FOLDER).join(hex(sha256) + ".zip")
}

/// Where `GetFunction` says that the code is.
pub(super) fn location(shared: &SandboxState, sha256: &str) -> String {
    shared.endpoint_url().to_owned() + &DOWNLOAD.replace("{Sha256}", &hex(sha256))
}

/// Serves an archive. As with the presigned URLs of AWS, knowing the URL is enough.
pub(super) fn get_code(call: &Call) -> Result<Reply, Fault> {
    let name = call.text("Sha256");
    let path = call.shared.root.join(FOLDER).join(format!("{name}.zip"));
    if name.bytes().all(|byte| byte.is_ascii_hexdigit()) && path.is_file() {
        return Ok(Reply::raw(200, HeaderValue::from_static("application/zip"), std::fs::read(path)?));
    }
    Err(not_found("There is no such archive."))
}

/// Removes archives that no version has any more. Only at the start: nobody is uploading then.
pub(super) fn sweep(shared: &SandboxState) {
    let documents = [FUNCTIONS, VERSIONS].iter().flat_map(|table| shared.store.list(table, ""));
    let used: BTreeSet<PathBuf> = documents
        .filter_map(|(_, document)| Some(file(shared, document["Configuration"]["CodeSha256"].as_str()?)))
        .collect();
    let files = std::fs::read_dir(shared.root.join(FOLDER)).into_iter().flatten().flatten();
    for path in files.map(|file| file.path()).filter(|path| !used.contains(path)) {
        // One that stays costs nothing but its space, and the next start tries again.
        let _ = remove_own(&shared.root, &path);
    }
}

/// From base64 to hexadecimal digits, which are good in file names and URLs.
fn hex(sha256: &str) -> String {
    let bytes = STANDARD.decode(sha256).unwrap_or_default();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
