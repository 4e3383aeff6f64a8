//! What is sent to a model: given, in a file, or the sample of the config.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::error::Failure;
use super::exit::Exit;
use super::files;
use crate::domain::codes;
use crate::domain::media::{self, JSON, Media};

/// Where a payload comes from, as the command line says it.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    pub text: Option<&'a str>,
    pub file: Option<&'a Path>,
    pub content_type: Option<&'a str>,
}

/// The sample of this config: two configs in one folder have two.
fn sample(config: &Path) -> PathBuf {
    const SAMPLE: &str = "sample.json";
    match config.file_stem().filter(|stem| *stem != "opsctl") {
        Some(stem) => config.with_file_name(stem).join(SAMPLE),
        None => config.with_file_name(SAMPLE),
    }
}

/// The payload that is given, or the sample of the config. What says that it is JSON is JSON.
pub fn payload(given: Given<'_>, config: &Path) -> Result<Media, Failure> {
    let sample = sample(config);
    let file = match (given.text, given.file) {
        (None, None) if sample.is_file() => Some(sample.as_path()),
        (_, file) => file,
    };
    let bytes = match (given.text, file) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(file)) if file == Path::new("-") => {
            files::stdin(files::LARGE).map_err(|e| unreadable(file, &e))?
        }
        (None, Some(file)) => files::read(file, files::LARGE).map_err(|e| unreadable(file, &e))?,
        (None, None) => {
            let help = format!("add --payload TEXT or --file FILE, or write {}", sample.display());
            return Err(Failure::new(codes::USAGE, Exit::Usage, "there is no payload", help));
        }
    };
    let by_name = || file.and_then(media::of_file);
    let said = given.content_type.or_else(by_name).unwrap_or(JSON);
    content_type(said)?;
    let media = Media { content_type: said.to_owned(), bytes };
    if media.is_json() { json(media, &given) } else { Ok(media) }
}

/// JSON as it is sent. Whoever wrote no type, and whose file says none, is told how.
fn json(media: Media, given: &Given<'_>) -> Result<Media, Failure> {
    // Editors on Windows begin a file with it; JSON has none (RFC 8259, section 8.1).
    let bytes = media.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&media.bytes);
    match serde_json::from_slice::<Value>(bytes) {
        Ok(_) => Ok(Media::json(bytes)),
        Err(error) => {
            // The words of the reader are about its own work.
            let message = match error.is_eof() {
                true => "the payload is not JSON: it ends too early".to_owned(),
                false => {
                    let (line, column) = (error.line(), error.column());
                    format!("the payload is not JSON from line {line}, column {column} on")
                }
            };
            let help = match given.text {
                Some(_) => "in a shell, put it in single quotes; what is no JSON has a --content-type",
                None => "say what it is with --content-type, such as image/jpeg",
            };
            Err(Failure::new(codes::USAGE, Exit::Usage, message, help))
        }
    }
}

/// Refuses what is no content type.
pub fn content_type(said: &str) -> Result<(), Failure> {
    if is_type(said) {
        return Ok(());
    }
    let message = format!("`{said}` is no content type");
    Err(Failure::new(codes::USAGE, Exit::Usage, message, "write one like text/csv or image/jpeg"))
}

/// `type/subtype`, with parameters (<https://www.rfc-editor.org/rfc/rfc9110#section-8.3.1>), as long as
/// SageMaker takes it.
fn is_type(text: &str) -> bool {
    let is_short = text.len() <= 1_024 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let main = text.split(';').next().unwrap_or_default().trim();
    let is_token = |token: &str| {
        !token.is_empty()
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte))
    };
    is_short && main.split_once('/').is_some_and(|(kind, of)| is_token(kind) && is_token(of))
}

fn unreadable(file: &Path, error: &io::Error) -> Failure {
    let message = format!("{} cannot be read: {error}", file.display());
    Failure::new(codes::LOCAL_IO, Exit::Failed, message, "check the path")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_is_said_or_known_by_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("opsctl.toml");
        let of = |name: &str, content_type: Option<&str>| {
            let file = folder.path().join(name);
            std::fs::write(&file, b"\xff\xd8 1,2").unwrap();
            let sent = payload(Given { text: None, file: Some(&file), content_type }, &config);
            sent.ok().map(|media| media.content_type)
        };
        assert_eq!(of("dog.jpeg", None).as_deref(), Some("image/jpeg"));
        assert_eq!(of("dog.jpeg", Some("application/x-image")).as_deref(), Some("application/x-image"));
        // JSON, for which it is taken, it is not.
        assert_eq!(of("dog", None), None);
        for wrong in ["csv", "text/", "/csv", "text/csv\nX: y", "text/c sv"] {
            assert_eq!(of("dog", Some(wrong)), None, "{wrong}");
        }
        let text = |content_type| payload(Given { text: Some("1,2"), file: None, content_type }, &config);
        assert_eq!(text(Some("text/csv; header=absent")).unwrap().bytes, b"1,2");
        assert!(text(None).is_err());
        let said = |text: &str| {
            let given = Given { text: Some(text), file: None, content_type: None };
            match payload(given, &config) {
                Err(Failure::Message { message, .. }) => message,
                _ => panic!("{text}"),
            }
        };
        assert_eq!(said("nope"), "the payload is not JSON from line 1, column 2 on");
        assert_eq!(said("{\"a\": 1"), "the payload is not JSON: it ends too early");
    }
}
