//! Bytes with their content type: what is sent to a model, and what it answers.

use std::path::Path;

use serde_json::Value;

use super::bytes;

/// JSON's own (<https://www.rfc-editor.org/rfc/rfc8259#section-11>).
pub const JSON: &str = "application/json";

/// What is in a request or in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

impl Media {
    /// JSON text, as it is.
    pub fn json(text: impl Into<Vec<u8>>) -> Self {
        Self { content_type: JSON.to_owned(), bytes: text.into() }
    }

    /// Whether it says that it is JSON.
    pub fn is_json(&self) -> bool {
        main_type(&self.content_type) == JSON
    }

    /// Its text, where it is text.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok().filter(|text| !text.contains('\0'))
    }

    /// JSON where it is JSON, text where it is text; none of a picture.
    pub fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.bytes).ok().or_else(|| self.text().map(Value::from))
    }

    /// JSON or text, and of anything else how much there is.
    ///
    /// # Examples
    /// ```
    /// use opsctl::domain::Media;
    /// use serde_json::json;
    ///
    /// assert_eq!(Media::json("[[0.5, 2.25]]").shown(), json!([[0.5, 2.25]]));
    /// let picture = Media { content_type: "image/png".into(), bytes: vec![0x89, 0x50, 0x4e, 0x47] };
    /// assert_eq!(picture.shown(), json!("4 B of image/png"));
    /// ```
    pub fn shown(&self) -> Value {
        self.value().unwrap_or_else(|| Value::from(self.summary()))
    }

    /// `12 kB of image/png`
    pub fn summary(&self) -> String {
        format!("{} of {}", bytes(self.bytes.len() as u64), self.content_type)
    }
}

/// Without its parameters: `text/csv` of `text/csv; header=present`.
fn main_type(content_type: &str) -> String {
    content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The content type of a file by the ending of its name: those that SageMaker's algorithms and the toolkits
/// of its containers take (<https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-inference.html>,
/// <https://github.com/aws/sagemaker-inference-toolkit>,
/// <https://github.com/aws/sagemaker-huggingface-inference-toolkit>), and IANA's for the rest.
///
/// # Examples
/// ```
/// use opsctl::domain::media::of_file;
///
/// assert_eq!(of_file("dog.JPG".as_ref()), Some("image/jpeg"));
/// assert_eq!(of_file("data".as_ref()), None);
/// ```
pub fn of_file(file: &Path) -> Option<&'static str> {
    let ending = file.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "json" => JSON,
        "jsonl" | "jsonlines" | "ndjson" => "application/jsonlines",
        "csv" => "text/csv",
        "libsvm" | "svm" | "svmlight" => "text/libsvm",
        "txt" | "text" => "text/plain",
        "npy" => "application/x-npy",
        "npz" => "application/x-npz",
        "parquet" => "application/x-parquet",
        "rec" | "recordio" | "pbr" => "application/x-recordio-protobuf",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "webp" => "image/webp",
        "tif" | "tiff" => "image/tiff",
        "flac" => "audio/flac",
        "mp3" => "audio/mpeg",
        "ogg" => "audio/ogg",
        "wav" => "audio/wav",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        "bin" => "application/octet-stream",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_it_is_found() {
        let of = |content_type: &str, bytes: &[u8]| Media {
            content_type: content_type.to_owned(),
            bytes: bytes.to_vec(),
        };
        assert!(of("Application/JSON; charset=utf-8", b"1").is_json());
        assert!(!of("application/jsonlines", b"1\n2").is_json());
        assert_eq!(of("text/csv", b"1,2\n").value(), Some(Value::from("1,2\n")));
        assert_eq!(of("text/plain", b"[1]").value(), Some(serde_json::json!([1])));
        for binary in [b"\x89PNG".as_slice(), b"a\0b"] {
            assert_eq!(of("image/png", binary).value(), None);
        }
    }
}
