//! Requests on their way to `s3s`, which has no way to leave signatures unchecked: they are taken off here,
//! and with them goes its decoding of bodies in signed chunks, so this does that too.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError};

use bytes::{Buf as _, Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use hyper::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use s3s::dto;
use s3s::xml::{Deserialize as _, Deserializer};
use tokio::sync::Mutex;

use super::refusal::malformed_xml;
use crate::authority::Principal;
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::protocol::scope::CredentialScope;
use crate::protocol::{self, Body, Request};
use crate::state::SandboxState;
use crate::tags::Tags;

/// What `s3s` does not hand over of a request. It is in the request's extensions.
#[derive(Clone, Debug, Default)]
pub struct Wire {
    pub request_id: String,
    pub principal: Principal,
    /// Region of the signature.
    pub region: Option<String>,
    /// Whether anybody has signed it. Nobody looks how.
    pub signed: bool,
    /// The canned ACL, or the name of a grant header.
    pub acl: Option<String>,
    /// SHA-256 of the body, when the client has signed it in one piece.
    pub payload: Option<String>,
    /// Length of the body without the framing of chunks.
    pub length: Option<u64>,
    /// Algorithm of the checksum that follows the body.
    pub trailer: Option<String>,
    pub trailers: Trailers,
    /// Tags of a bucket to be made, for which `s3s` has no field yet.
    pub tags: Tags,
}

/// Headers that follow a body; known once it has been read to its end.
pub type Trailers = Arc<std::sync::Mutex<BTreeMap<String, String>>>;

/// A request's body, shared with whoever throws away the part that nobody has read.
type Shared = Arc<Mutex<Body>>;

/// What is left of a request's body once it is answered.
#[derive(Debug)]
pub struct Rest(Shared);

/// So much of an unread body is read all the same.
const DRAINED: usize = 16 << 20;

impl Rest {
    /// Reads what nobody has read: a connection closed on unread bytes is reset, and the client may lose the
    /// answer, so that a `SlowDown` would look like a broken line.
    pub async fn drain(self) {
        let mut body = self.0.lock().await;
        let mut left = DRAINED;
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => return,
            }
        }
    }
}

/// A request for `s3s`, as if it were unsigned and its body plain.
pub async fn prepare(shared: &SandboxState, request: Request) -> Result<(s3s::HttpRequest, Rest), Fault> {
    let (mut head, mut body) = request.into_parts();
    let (mut wire, exchange) = (Wire::of(&head), Exchange::of(&head));
    head.headers.remove(AUTHORIZATION);
    head.uri = without_signature(&head.uri);
    if may_create_bucket(&head) {
        let (bytes, tags) = split_tags(protocol::collect(shared, body, 64 << 10).await?)?;
        wire.tags = tags;
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        body = protocol::full(bytes);
    }
    let body: Shared = Arc::new(Mutex::new(body));
    let rest = Rest(Arc::clone(&body));
    let input = Input { body, buffer: BytesMut::new() };
    let plain = if text(&head.headers, "x-amz-content-sha256").starts_with("STREAMING-") {
        unframe_headers(&mut head.headers, wire.length);
        let decoder = Decoder { input, state: State::Size, trailers: Arc::clone(&wire.trailers) };
        stream::try_unfold(decoder, |mut decoder| async {
            Ok::<_, io::Error>(decoder.next().await?.map(|bytes| (bytes, decoder)))
        })
        .left_stream()
    } else {
        stream::try_unfold(input, |input| async {
            Ok::<_, io::Error>(input.more().await?.map(|bytes| (bytes, input)))
        })
        .right_stream()
    };
    // What `s3s` reads whole waits in memory; what it hands over goes to the disk.
    let room = is_document(&head).then(|| shared.memory.room());
    let plain = stream::try_unfold((Box::pin(plain), room), |(mut plain, mut room)| async {
        let next = match &room {
            Some(room) => {
                room.next(plain.try_next()).await.map_err(|fault| io::Error::other(fault.message))?
            }
            None => plain.try_next().await,
        };
        let Some(bytes) = next? else { return Ok(None) };
        if let Some(room) = &mut room {
            room.grow(bytes.len()).await.map_err(|fault| io::Error::other(fault.message))?;
        }
        Ok::<_, io::Error>(Some((bytes, (plain, room))))
    });
    let arriving = plain.map_ok(move |bytes| Frame::data(exchange.deliver(bytes)));
    let body = s3s::Body::http_body_unsync(StreamBody::new(arriving));
    head.extensions.insert(wire);
    Ok((hyper::Request::from_parts(head, body), rest))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

impl Wire {
    fn of(head: &Parts) -> Self {
        let header = |name| Some(text(&head.headers, name)).filter(|value| !value.is_empty());
        let scope = CredentialScope::of(head);
        let is_presigned_v2 = head.uri.query().is_some_and(|query| query.contains("AWSAccessKeyId="));
        let is_sha256 = |value: &str| value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        let grant = head.headers.keys().find(|name| name.as_str().starts_with("x-amz-grant-"));
        Self {
            request_id: Exchange::of(head).id.clone(),
            principal: head.extensions.get().cloned().unwrap_or_default(),
            signed: scope.is_some() || is_presigned_v2 || head.headers.contains_key(AUTHORIZATION),
            region: scope.and_then(|scope| scope.region),
            acl: header("x-amz-acl").map(str::to_owned).or_else(|| grant.map(ToString::to_string)),
            payload: header("x-amz-content-sha256").filter(|value| is_sha256(value)).map(str::to_owned),
            length: header("x-amz-decoded-content-length")
                .or_else(|| header("content-length"))
                .and_then(|length| length.parse().ok()),
            trailer: header("x-amz-trailer")
                .and_then(|names| {
                    names.split(',').find_map(|name| name.trim().strip_prefix("x-amz-checksum-"))
                })
                .map(str::to_owned),
            ..Self::default()
        }
    }
}

/// The parameters of presigned URLs, of signature versions 4 and 2.
const SIGNATURE: &[&str] = &[
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
    "AWSAccessKeyId",
    "Expires",
    "Signature",
    "x-amz-security-token",
];

fn without_signature(uri: &Uri) -> Uri {
    let Some(query) = uri.query() else { return uri.clone() };
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| !SIGNATURE.contains(&pair.split_once('=').map_or(*pair, |(name, _)| name)))
        .collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{}{mark}{}", uri.path(), kept.join("&")).parse().unwrap_or_else(|_| uri.clone())
}

fn unframe_headers(headers: &mut HeaderMap, length: Option<u64>) {
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    let codings: Vec<String> = text(headers, "content-encoding")
        .split(',')
        .map(|coding| coding.trim().to_owned())
        .filter(|coding| !coding.is_empty() && coding != "aws-chunked")
        .collect();
    headers.remove(CONTENT_ENCODING);
    if let Ok(value) = HeaderValue::from_str(&codings.join(","))
        && !codings.is_empty()
    {
        headers.insert(CONTENT_ENCODING, value);
    }
}

/// Whether the body is XML, or a form: what is posted, and what is put as a setting (`?policy`).
fn is_document(head: &Parts) -> bool {
    let is_setting = |pair: &str| pair.split_once('=').is_none_or(|(_, value)| value.is_empty());
    let is_put =
        head.method == Method::PUT && head.uri.query().is_some_and(|query| query.split('&').any(is_setting));
    head.method == Method::POST || is_put
}

/// A bucket's configuration is small; an object that looks like one by its path passes through unharmed.
fn may_create_bucket(head: &Parts) -> bool {
    let length: u64 = text(&head.headers, "content-length").parse().unwrap_or(0);
    head.method == Method::PUT
        && head.uri.query().is_none()
        && !head.uri.path().trim_matches('/').contains('/')
        && (1..64 << 10).contains(&length)
}

/// Takes `<Tags>` out of a `CreateBucketConfiguration`.
fn split_tags(body: Bytes) -> Result<(Bytes, Tags), Fault> {
    let found = std::str::from_utf8(&body).ok().filter(|text| text.contains("<CreateBucketConfiguration"));
    let Some((before, rest)) = found.and_then(|text| text.split_once("<Tags>")) else {
        return Ok((body, Tags::new()));
    };
    let (tags, after) = rest.split_once("</Tags>").ok_or_else(malformed_xml)?;
    let document = format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    let mut xml = Deserializer::new(document.as_bytes());
    let tagging = dto::Tagging::deserialize(&mut xml).map_err(|_| malformed_xml())?;
    let configuration = Bytes::from(format!("{before}{after}"));
    Ok((configuration, from_set(tagging.tag_set)?))
}

/// Control characters of keys as references, as S3 writes them when a list is not asked for with
/// `encoding-type=url`. XML 1.0 has no such references: some readers take them, others fail (reported:
/// https://github.com/basho/riak_cs/pull/1255).
pub fn with_references(xml: &str) -> String {
    let mut written = String::with_capacity(xml.len());
    for c in xml.chars() {
        match c {
            '\t' | '\n' => written.push(c),
            c if c < ' ' => written.push_str(&format!("&#x{:x};", u32::from(c))),
            c => written.push(c),
        }
    }
    written
}

/// Reads the tags of S3's XML, in which each has a key and a value.
pub fn from_set(set: dto::TagSet) -> Result<Tags, Fault> {
    let pair = |tag: dto::Tag| Some((tag.key?, tag.value?));
    set.into_iter().map(|tag| pair(tag).ok_or_else(malformed_xml)).collect()
}

/// The bytes of a request as they come.
struct Input {
    body: Shared,
    buffer: BytesMut,
}

impl Input {
    /// The next bytes of the body; `None` at its end.
    async fn more(&self) -> io::Result<Option<Bytes>> {
        let mut body = self.body.lock().await;
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame.map_err(io::Error::other)?.into_data() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    /// A line without its CRLF; `None` when the body ends first.
    async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(end);
                self.buffer.advance(2);
                return String::from_utf8(line.to_vec()).map(Some).map_err(io::Error::other);
            }
            if self.buffer.len() > LONGEST_LINE {
                return Err(io::Error::other("a line of the chunked body is too long"));
            }
            match self.more().await? {
                Some(bytes) => self.buffer.extend_from_slice(&bytes),
                None => return Ok(None),
            }
        }
    }
}

/// Lines between chunks hold a length and a signature, those after them a header.
const LONGEST_LINE: usize = 16 << 10;

/// `aws-chunked`: chunks of `<hex length>[;chunk-signature=…]`, a last one of length 0, then trailing headers
/// (docs/aws/s3.md#checksums).
struct Decoder {
    input: Input,
    state: State,
    trailers: Trailers,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Size,
    Data(u64),
    Trailers,
    Done,
}

impl Decoder {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let early = || io::Error::new(io::ErrorKind::UnexpectedEof, "the chunked body ended too early");
        loop {
            match self.state {
                State::Size => {
                    let line = self.input.line().await?.ok_or_else(early)?;
                    let size = line.split(';').next().unwrap_or_default();
                    let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
                    self.state = if size == 0 { State::Trailers } else { State::Data(size) };
                }
                State::Data(0) => {
                    if !self.input.line().await?.ok_or_else(early)?.is_empty() {
                        return Err(io::Error::other("a chunk is longer than it says"));
                    }
                    self.state = State::Size;
                }
                State::Data(left) => {
                    if self.input.buffer.is_empty() {
                        let bytes = self.input.more().await?.ok_or_else(early)?;
                        self.input.buffer.extend_from_slice(&bytes);
                    }
                    let length = self.input.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    self.state = State::Data(left - length as u64);
                    return Ok(Some(self.input.buffer.split_to(length).freeze()));
                }
                State::Trailers => match self.input.line().await? {
                    Some(line) if !line.is_empty() => {
                        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
                        let mut trailers = self.trailers.lock().unwrap_or_else(PoisonError::into_inner);
                        trailers.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
                    }
                    _ => self.state = State::Done,
                },
                State::Done => {
                    // HTTP's own end of the body is still to be read, or the connection cannot be used again.
                    while self.input.more().await?.is_some() {}
                    return Ok(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    /// Decodes a body that comes in pieces of `size` bytes.
    async fn decode(text: &'static str, size: usize) -> io::Result<(String, BTreeMap<String, String>)> {
        let pieces = text.as_bytes().chunks(size).map(|piece| Ok(Frame::data(Bytes::from_static(piece))));
        let body = StreamBody::new(stream::iter(pieces.collect::<Vec<_>>()));
        let input = Input { body: Arc::new(Mutex::new(body.boxed_unsync())), buffer: BytesMut::new() };
        let mut decoder = Decoder { input, state: State::Size, trailers: Trailers::default() };
        let mut decoded = Vec::new();
        while let Some(bytes) = decoder.next().await? {
            decoded.extend_from_slice(&bytes);
        }
        let trailers = decoder.trailers.lock().unwrap().clone();
        Ok((String::from_utf8(decoded).unwrap(), trailers))
    }

    #[tokio::test]
    async fn chunks_are_joined_however_they_come() {
        let body = "5;chunk-signature=00\r\nhello\r\nA\r\n, \r\nworld!\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        for size in [1, 2, 3, 7, 1_000] {
            let (decoded, trailers) = decode(body, size).await.unwrap();
            assert_eq!(decoded, "hello, \r\nworld!");
            assert_eq!(trailers["x-amz-checksum-crc32"], "AAAAAA==");
        }
        for broken in ["5\r\nhel", "5\r\nhello!\r\n0\r\n\r\n", "x\r\n", ""] {
            assert!(decode(broken, 2).await.is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_presigned_url_loses_its_signature_only() {
        let uri: Uri =
            "/b/k%20?versionId=a&X-Amz-Signature=s&X-Amz-Expires=1&x-id=GetObject".parse().unwrap();
        assert_eq!(without_signature(&uri).to_string(), "/b/k%20?versionId=a&x-id=GetObject");
        let uri: Uri = "/b/k?AWSAccessKeyId=a&Signature=s%3D&Expires=1".parse().unwrap();
        assert_eq!(without_signature(&uri).to_string(), "/b/k");
    }

    #[test]
    fn tags_of_a_new_bucket_are_taken_out() {
        let body = "<CreateBucketConfiguration xmlns=\"x\">\
                    <LocationConstraint>eu-west-1</LocationConstraint>\
                    <Tags><Tag><Key>k</Key><Value>a&amp;b</Value></Tag></Tags>\
                    </CreateBucketConfiguration>";
        let (rest, tags) = split_tags(Bytes::from_static(body.as_bytes())).unwrap();
        assert!(rest.ends_with(b"</LocationConstraint></CreateBucketConfiguration>"));
        assert_eq!(tags, Tags::from([("k".to_owned(), "a&b".to_owned())]));
    }
}
