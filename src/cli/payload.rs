//! The JSON that is sent to a model: given, in a file, or the sample of the config.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::Failure;
use super::exit::Exit;
use super::files;
use crate::domain::codes;

/// The sample of this config: two configs in one folder have two.
fn sample(config: &Path) -> PathBuf {
    const SAMPLE: &str = "sample.json";
    match config.file_stem().filter(|stem| *stem != "opsctl") {
        Some(stem) => config.with_file_name(stem).join(SAMPLE),
        None => config.with_file_name(SAMPLE),
    }
}

/// JSON that is given, or the sample of the config.
pub fn payload(text: Option<&str>, file: Option<&Path>, config: &Path) -> Result<Vec<u8>, Failure> {
    let sample = sample(config);
    let bytes = match (text, file) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(file)) if file == Path::new("-") => {
            files::stdin(files::LARGE).map_err(|e| unreadable(file, &e))?
        }
        (None, Some(file)) => files::read(file, files::LARGE).map_err(|e| unreadable(file, &e))?,
        (None, None) if sample.is_file() => {
            files::read(&sample, files::LARGE).map_err(|e| unreadable(&sample, &e))?
        }
        (None, None) => {
            let help = format!("add --payload JSON or --file FILE, or write {}", sample.display());
            return Err(Failure::new(codes::USAGE, Exit::Usage, "there is no payload", help));
        }
    };
    // Editors on Windows begin a file with it; JSON has none (RFC 8259, section 8.1).
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).map(<[u8]>::to_vec).unwrap_or(bytes);
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let message = format!("the payload is not JSON: {error}");
            let help = match text {
                Some(_) => "in a shell, put it in single quotes",
                None => "opsctl sends JSON; bytes such as a picture's go into a text of it, in base64",
            };
            Err(Failure::new(codes::USAGE, Exit::Usage, message, help))
        }
    }
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be read: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the path")
}
