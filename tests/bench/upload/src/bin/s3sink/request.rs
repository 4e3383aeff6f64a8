//! One request: its head, and its body as a stream of payload.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;

use crate::chunked::Chunked;
use crate::wire::Wire;

/// What S3 allows for headers is less.
const LARGEST_HEAD: usize = 64 * 1024;

pub struct Head {
    pub method: String,
    pub bucket: String,
    pub key: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
}

impl Head {
    fn new(request: &httparse::Request) -> Self {
        let target = request.path.unwrap_or("/");
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = percent_decode_str(path.strip_prefix('/').unwrap_or(path)).decode_utf8_lossy();
        let (bucket, key) = path.split_once('/').unwrap_or((&path, ""));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Self {
            method: request.method.unwrap_or_default().to_owned(),
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            query: pairs(query),
            headers: request.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    pub fn queries(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn keeps_alive(&self) -> bool {
        !self.header("connection").is_some_and(|v| v.eq_ignore_ascii_case("close"))
    }

    fn is_aws_chunked(&self) -> bool {
        self.header("x-amz-content-sha256").is_some_and(|v| v.starts_with("STREAMING-"))
            || self.header("content-encoding").is_some_and(|v| v.contains("aws-chunked"))
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// `a=b&c` decoded.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let decode = |s: &str| percent_decode_str(&s.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    };
    text.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()
}

/// A connection as a sequence of requests.
pub struct Conversation {
    pub wire: Wire,
    buffer: Vec<u8>,
    /// `buffer[start..]` is not yet used.
    start: usize,
    /// When the next byte may be taken, under a rate cap.
    due: Instant,
}

impl Conversation {
    pub fn new(wire: Wire) -> Self {
        Self { wire, buffer: Vec::new(), start: 0, due: Instant::now() }
    }

    /// The next request, or `None` if the client is done.
    pub fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 96];
            let mut request = httparse::Request::new(&mut headers);
            match request.parse(&self.buffer[self.start..]).map_err(io::Error::other)? {
                httparse::Status::Complete(length) => {
                    let head = Head::new(&request);
                    self.start += length;
                    return Ok(Some(head));
                }
                httparse::Status::Partial if self.buffer.len() - self.start > LARGEST_HEAD => {
                    return Err(io::Error::other("the head of the request has no end"));
                }
                httparse::Status::Partial => {
                    let began = self.start < self.buffer.len();
                    if self.more()? == 0 {
                        return if began { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(None) };
                    }
                }
            }
        }
    }

    fn more(&mut self) -> io::Result<usize> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
        self.wire.fill(&mut self.buffer)
    }

    /// Streams the payload of the request to `each` (an error of which ends the connection) and returns its
    /// trailers.
    pub fn body(
        &mut self,
        head: &Head,
        rate_cap: u64,
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Vec<(String, String)>> {
        let mut left = match head.header("content-length").map(str::parse::<u64>) {
            Some(Ok(length)) => length,
            Some(Err(error)) => return Err(io::Error::other(error)),
            None => 0,
        };
        let mut outer =
            head.header("transfer-encoding").is_some_and(|v| v.contains("chunked")).then(Chunked::default);
        let mut inner = head.is_aws_chunked().then(Chunked::default);
        let expects = head.header("expect").is_some_and(|v| v.eq_ignore_ascii_case("100-continue"));
        if expects && (left > 0 || outer.is_some()) {
            self.wire.send(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let refused = Cell::new(None);
        let mut pass = |bytes: &[u8]| {
            if let Err(error) = each(bytes) {
                refused.set(Some(error));
            }
        };
        // The payload within the body: all of it, or what aws-chunked has wrapped.
        let mut payload = |bytes: &[u8]| match &mut inner {
            Some(inner) => inner.feed(bytes, &mut pass).map(drop),
            None => {
                pass(bytes);
                Ok(())
            }
        };
        while outer.as_ref().map_or(left > 0, |outer| !outer.ended()) {
            if self.start == self.buffer.len() && self.more()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let here = &self.buffer[self.start..];
            let used = match &mut outer {
                Some(outer) => {
                    let mut wrong = Ok(());
                    let used = outer.feed(here, |bytes| {
                        wrong = std::mem::replace(&mut wrong, Ok(())).and_then(|()| payload(bytes))
                    });
                    wrong.and(used).map_err(io::Error::other)?
                }
                None => {
                    let now = usize::try_from(left).unwrap_or(usize::MAX).min(here.len());
                    payload(&here[..now]).map_err(io::Error::other)?;
                    left -= now as u64;
                    now
                }
            };
            if let Some(error) = refused.take() {
                return Err(error);
            }
            self.start += used;
            self.pace(used, rate_cap);
        }
        Ok(inner.or(outer).map(|chunked| chunked.trailers).unwrap_or_default())
    }

    fn pace(&mut self, bytes: usize, rate_cap: u64) {
        if rate_cap > 0 {
            let now = Instant::now();
            self.due = self.due.max(now) + Duration::from_secs_f64(bytes as f64 / rate_cap as f64);
            std::thread::sleep(self.due - now);
        }
    }
}
