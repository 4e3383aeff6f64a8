//! Listing keys: by prefix, folded at a delimiter, in pages. A page reads what it shows, however large the
//! bucket is.

use std::ops::Bound;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto;
use serde_json::Value;

use super::Cx;
use super::bucket::owner;
use super::object::{Content, History, moment, objects_table};
use super::refusal::invalid_argument;
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::Store;

/// A page has at most this many entries.
const LONGEST_PAGE: i32 = 1_000;

/// What to list.
#[derive(Debug)]
pub struct Query<'a> {
    pub table: &'a str,
    pub prefix: &'a str,
    pub delimiter: Option<&'a str>,
    /// Keys and folded prefixes up to and including this are left out.
    pub after: &'a str,
    /// The key `after` is looked at again: not all of its items were on the page before.
    pub resume: bool,
    pub most: usize,
}

/// One page.
#[derive(Debug)]
pub struct Listed<T> {
    pub items: Vec<T>,
    pub prefixes: Vec<String>,
    /// The key or prefix shown last, when more follow.
    pub next: Option<String>,
}

/// Walks over a table in order of its keys; `show` says the items of a document, none of a hidden one. `name`
/// is the part of a document's key that is the object's.
pub fn walk<T>(
    store: &Store,
    query: &Query<'_>,
    name: fn(&str) -> &str,
    mut show: impl FnMut(&str, Value) -> Result<Vec<T>, Fault>,
) -> Result<Listed<T>, Fault> {
    let mut page = Listed { items: Vec::new(), prefixes: Vec::new(), next: None };
    let mut last = None;
    let mut cursor = match query.after {
        after if after < query.prefix => Bound::Included(query.prefix.to_owned()),
        after if query.resume => Bound::Included(after.to_owned()),
        after => Bound::Excluded(after.to_owned()),
    };
    if query.most == 0 {
        return Ok(page);
    }
    while let Some((key, doc)) = store.first(query.table, cursor.as_ref().map(String::as_str)) {
        if !key.starts_with(query.prefix) {
            break;
        }
        let folded = query.delimiter.and_then(|delimiter| fold(name(&key), query.prefix, delimiter));
        if let Some(folded) = folded.filter(|folded| *folded <= query.after) {
            let Some(next) = behind(folded) else { break };
            cursor = Bound::Included(next);
            continue;
        }
        let items = show(&key, doc)?;
        if items.is_empty() {
            cursor = Bound::Excluded(key);
            continue;
        }
        let shown = if folded.is_some() { 1 } else { items.len() };
        let room = query.most - page.items.len() - page.prefixes.len();
        if room == 0 {
            page.next = last;
            break;
        }
        match folded {
            Some(folded) => {
                page.prefixes.push(folded.to_owned());
                let Some(next) = behind(folded) else { break };
                (last, cursor) = (Some(folded.to_owned()), Bound::Included(next));
            }
            None => {
                page.items.extend(items.into_iter().take(room));
                last = Some(name(&key).to_owned());
                if shown > room {
                    page.next = last;
                    break;
                }
                cursor = Bound::Excluded(key);
            }
        }
    }
    Ok(page)
}

/// The key up to the first delimiter behind the prefix.
fn fold<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    let rest = key.get(prefix.len()..)?;
    let found = (!delimiter.is_empty()).then(|| rest.find(delimiter)).flatten()?;
    Some(&key[..prefix.len() + found + delimiter.len()])
}

/// The first string that is behind all that start with `prefix`.
fn behind(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        // The code points behind U+D7FF are no characters up to U+E000.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

/// Keys as the client wants them written: XML cannot hold every character, so it may ask for URL's escapes.
pub struct Coding(bool);

const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/').remove(b'*');

impl Coding {
    /// As a request asks for it.
    pub fn new(wanted: Option<&dto::EncodingType>) -> Self {
        Self(wanted.is_some_and(|coding| coding.as_str() == dto::EncodingType::URL))
    }

    /// A text as the answer has it.
    pub fn of(&self, text: &str) -> Option<String> {
        Some(if self.0 { utf8_percent_encode(text, ESCAPED).to_string() } else { text.to_owned() })
    }

    /// The same of a text that may not be there.
    pub fn maybe(&self, text: Option<&str>) -> Option<String> {
        text.filter(|text| !text.is_empty()).and_then(|text| self.of(text))
    }

    /// Common prefixes as the answer has them.
    pub fn prefixes(&self, prefixes: &[String]) -> Option<Vec<dto::CommonPrefix>> {
        Some(prefixes.iter().map(|prefix| dto::CommonPrefix { prefix: self.of(prefix) }).collect())
    }
}

/// The size of a page as asked for.
pub fn page_size(shared: &SandboxState, asked: Option<i32>, name: &str) -> Result<i32, Fault> {
    let longest = if shared.short_pages { 1 } else { LONGEST_PAGE };
    match asked.unwrap_or(LONGEST_PAGE) {
        size @ 0.. => Ok(size.min(longest)),
        _ => Err(invalid_argument(format!("Argument {name} must be an integer between 0 and 2147483647"))),
    }
}

fn show_object(coding: &Coding, key: &str, modified: u64, content: &Content) -> dto::Object {
    let sum = content.sum.as_ref();
    dto::Object {
        checksum_algorithm: sum.map(|sum| vec![dto::ChecksumAlgorithm::from_static(sum.algorithm.name())]),
        checksum_type: sum.map(|sum| sum.kind.into()),
        e_tag: Some(content.etag()),
        key: coding.of(key),
        last_modified: Some(moment(modified)),
        size: Some(content.size as i64),
        storage_class: Some(content.about.storage_class.clone().unwrap_or_else(|| "STANDARD".into()).into()),
        ..Default::default()
    }
}

/// The whole key of a document is the object's.
fn whole(key: &str) -> &str {
    key
}

/// The newest versions, which both operations list.
fn objects(
    cx: &Cx,
    query: &Query<'_>,
    coding: &Coding,
    with_owner: bool,
) -> Result<Listed<dto::Object>, Fault> {
    walk(&cx.shared.store, query, whole, |key, doc| {
        let history = History::read(doc)?;
        let Some((version, content)) = history.versions.first().zip(history.latest()) else {
            return Ok(Vec::new());
        };
        let mut object = show_object(coding, key, version.modified, content);
        object.owner = with_owner.then(|| owner(&cx.shared));
        Ok(vec![object])
    })
}

/// Answers ListObjectsV2.
pub async fn list_objects_v2(
    cx: Cx,
    input: dto::ListObjectsV2Input,
) -> Result<dto::ListObjectsV2Output, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let most = page_size(&cx.shared, input.max_keys, "max-keys")?;
    let token = input.continuation_token.as_deref().map(read_token).transpose()?;
    let query = Query {
        table: &objects_table(&bucket.name),
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: token.as_deref().or(input.start_after.as_deref()).unwrap_or_default(),
        resume: false,
        most: most as usize,
    };
    let coding = Coding::new(input.encoding_type.as_ref());
    let page = objects(&cx, &query, &coding, input.fetch_owner.unwrap_or(false))?;
    Ok(dto::ListObjectsV2Output {
        name: Some(bucket.name),
        prefix: coding.of(query.prefix),
        max_keys: Some(most),
        key_count: Some((page.items.len() + page.prefixes.len()) as i32),
        continuation_token: input.continuation_token,
        is_truncated: Some(page.next.is_some()),
        next_continuation_token: page.next.as_deref().map(write_token),
        contents: Some(page.items),
        common_prefixes: coding.prefixes(&page.prefixes),
        delimiter: coding.maybe(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        start_after: coding.maybe(input.start_after.as_deref()),
        ..Default::default()
    })
}

fn write_token(key: &str) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

fn read_token(token: &str) -> Result<String, Fault> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| invalid_argument("The continuation token provided is incorrect"))
}

/// The older form: markers are keys, and the next one is said only where prefixes are folded.
pub async fn list_objects(cx: Cx, input: dto::ListObjectsInput) -> Result<dto::ListObjectsOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let most = page_size(&cx.shared, input.max_keys, "max-keys")?;
    let query = Query {
        table: &objects_table(&bucket.name),
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after: input.marker.as_deref().unwrap_or_default(),
        resume: false,
        most: most as usize,
    };
    let coding = Coding::new(input.encoding_type.as_ref());
    let page = objects(&cx, &query, &coding, true)?;
    Ok(dto::ListObjectsOutput {
        name: Some(bucket.name),
        prefix: coding.of(query.prefix),
        marker: coding.of(query.after),
        max_keys: Some(most),
        is_truncated: Some(page.next.is_some()),
        next_marker: page.next.filter(|_| query.delimiter.is_some()).and_then(|key| coding.of(&key)),
        contents: Some(page.items),
        common_prefixes: coding.prefixes(&page.prefixes),
        delimiter: coding.maybe(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        ..Default::default()
    })
}

/// A version or a delete marker, on its way into the list of its kind.
struct Shown {
    id: String,
    entry: Result<dto::ObjectVersion, dto::DeleteMarkerEntry>,
}

impl Shown {
    fn of(
        version: &super::object::Version,
        key: &str,
        is_latest: bool,
        coding: &Coding,
        owner: &dto::Owner,
    ) -> Self {
        let (is_latest, owner, version_id) = (Some(is_latest), Some(owner.clone()), Some(version.id.clone()));
        let entry = match &version.content {
            Some(content) => {
                let object = show_object(coding, key, version.modified, content);
                Ok(dto::ObjectVersion {
                    checksum_algorithm: object.checksum_algorithm,
                    checksum_type: object.checksum_type,
                    e_tag: object.e_tag,
                    is_latest,
                    key: object.key,
                    last_modified: object.last_modified,
                    owner,
                    size: object.size,
                    storage_class: object.storage_class.map(|class| class.as_str().to_owned().into()),
                    version_id,
                    ..Default::default()
                })
            }
            None => Err(dto::DeleteMarkerEntry {
                is_latest,
                key: coding.of(key),
                last_modified: Some(moment(version.modified)),
                owner,
                version_id,
            }),
        };
        Self { id: version.id.clone(), entry }
    }
}

/// Answers ListObjectVersions.
pub async fn list_versions(
    cx: Cx,
    input: dto::ListObjectVersionsInput,
) -> Result<dto::ListObjectVersionsOutput, Fault> {
    let bucket = cx.bucket(&input.bucket, input.expected_bucket_owner.as_deref())?;
    let most = page_size(&cx.shared, input.max_keys, "max-keys")?;
    let after = input.key_marker.as_deref().unwrap_or_default();
    let marker = input.version_id_marker.as_deref().filter(|marker| !marker.is_empty());
    if marker.is_some() && after.is_empty() {
        return Err(invalid_argument("A version-id marker cannot be specified without a key marker."));
    }
    let query = Query {
        table: &objects_table(&bucket.name),
        prefix: input.prefix.as_deref().unwrap_or_default(),
        delimiter: input.delimiter.as_deref(),
        after,
        resume: marker.is_some(),
        most: most as usize,
    };
    let coding = Coding::new(input.encoding_type.as_ref());
    let owner = owner(&cx.shared);
    let page = walk(&cx.shared.store, &query, whole, |key, doc| {
        let versions = History::read(doc)?.versions;
        // A marker that was deleted since leaves the rest of its key to be shown again, not to be missed.
        let seen = marker
            .filter(|_| key == after)
            .and_then(|marker| versions.iter().position(|version| version.id == marker))
            .map_or(0, |index| index + 1);
        let shown = versions.iter().enumerate().skip(seen);
        Ok(shown.map(|(index, version)| Shown::of(version, key, index == 0, &coding, &owner)).collect())
    })?;
    let next_version = page.items.last().map(|shown| shown.id.clone());
    let is_prefix = page.next.is_some() && page.next.as_ref() == page.prefixes.last();
    let (mut versions, mut markers) = (Vec::new(), Vec::new());
    for shown in page.items {
        match shown.entry {
            Ok(version) => versions.push(version),
            Err(marker) => markers.push(marker),
        }
    }
    Ok(dto::ListObjectVersionsOutput {
        common_prefixes: coding.prefixes(&page.prefixes),
        delete_markers: Some(markers),
        delimiter: coding.maybe(input.delimiter.as_deref()),
        encoding_type: input.encoding_type,
        is_truncated: Some(page.next.is_some()),
        key_marker: coding.of(after),
        max_keys: Some(most),
        name: Some(bucket.name),
        next_version_id_marker: page.next.as_ref().and(next_version).filter(|_| !is_prefix),
        next_key_marker: page.next.and_then(|key| coding.of(&key)),
        prefix: coding.of(query.prefix),
        version_id_marker: Some(marker.unwrap_or_default().to_owned()),
        versions: Some(versions),
        ..Default::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_all_that_start_with_a_prefix() {
        for (prefix, next) in [("a/", "a0"), ("a\u{10FFFF}", "b"), ("\u{D7FF}", "\u{E000}")] {
            assert_eq!(behind(prefix).as_deref(), Some(next));
            assert!(*format!("{prefix}zzz") < *next);
        }
        assert_eq!(behind("\u{10FFFF}"), None);
        assert_eq!(behind(""), None);
    }

    #[test]
    fn keys_fold_at_the_first_delimiter_behind_the_prefix() {
        assert_eq!(fold("a/b/c", "a/", "/"), Some("a/b/"));
        assert_eq!(fold("a/b", "a/", "/"), None);
        assert_eq!(fold("a/b", "", "/"), Some("a/"));
        assert_eq!(fold("a--b", "", "--"), Some("a--"));
    }
}
