//! What the server remembers: buckets, what their objects were, open uploads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::answer::Fault;
use crate::counters::Counters;
use crate::intake::{Kept, Received};
use crate::request::Head;

pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "us-east-1";

#[derive(Default)]
pub struct Store {
    buckets: Mutex<BTreeMap<String, Bucket>>,
    pub counters: Counters,
    pub verify: bool,
}

#[derive(Default)]
pub struct Bucket {
    pub objects: BTreeMap<String, Object>,
    pub uploads: BTreeMap<String, Upload>,
    /// The documents of `PUT /bucket?setting`, given back as they came.
    pub settings: BTreeMap<String, String>,
}

#[derive(Clone)]
pub struct Object {
    pub size: u64,
    pub etag: String,
    pub crc64: Option<u64>,
    /// Given back by GET and HEAD: content type, metadata, checksum.
    pub headers: Vec<(String, String)>,
    /// In seconds since 1970.
    pub modified: u64,
    /// `None`: thrown away.
    pub body: Option<Vec<(Kept, u64)>>,
}

pub struct Upload {
    pub key: String,
    pub parts: BTreeMap<u32, Part>,
    /// As the client named it when it began.
    pub algorithm: Option<String>,
    pub headers: Vec<(String, String)>,
    pub began: u64,
}

#[derive(Clone)]
pub struct Part {
    pub body: Received,
    pub modified: u64,
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A CRC as S3 writes it.
pub fn base64_of(crc: u64) -> String {
    BASE64_STANDARD.encode(crc.to_be_bytes())
}

/// What an object gives back of the request that made it.
pub fn lasting(head: &Head) -> Vec<(String, String)> {
    const NAMES: [&str; 5] =
        ["content-type", "content-encoding", "cache-control", "content-disposition", "content-language"];
    let lasts = |(name, _): &(&str, &str)| NAMES.contains(name) || name.starts_with("x-amz-meta-");
    // aws-chunked is how the body came, not what it is.
    let plain = |(name, value): &(&str, &str)| *name != "content-encoding" || !value.contains("aws-chunked");
    head.headers().filter(lasts).filter(plain).map(|(n, v)| (n.to_owned(), v.to_owned())).collect()
}

impl Object {
    pub fn new(head: &Head, received: Received) -> Self {
        let mut headers = lasting(head);
        headers.extend(received.stated.clone());
        if received.stated.is_some() {
            headers.push(("x-amz-checksum-type".to_owned(), "FULL_OBJECT".to_owned()));
        }
        let empty = (received.size == 0).then(Vec::new);
        Self {
            size: received.size,
            etag: received.etag,
            crc64: received.crc64,
            headers,
            modified: now(),
            body: received.kept.map(|kept| vec![(kept, received.size)]).or(empty),
        }
    }

    pub fn is(&self, size: u64, etag: &str, crc64: Option<u64>) -> bool {
        self.size == size && (self.etag == etag || crc64.is_some() && crc64 == self.crc64)
    }
}

impl Store {
    pub fn new(verify: bool) -> Self {
        Self { verify, ..Self::default() }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().expect("no holder of this lock panics")
    }

    pub fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// False if it was there already.
    pub fn create(&self, bucket: &str) -> bool {
        let mut buckets = self.lock();
        let had = buckets.len();
        buckets.entry(bucket.to_owned()).or_default();
        buckets.len() > had
    }

    pub fn delete(&self, bucket: &str) -> Result<(), Fault> {
        if !self.within(bucket, |b| Ok(b.objects.is_empty()))? {
            return Err(Fault::new(409, "BucketNotEmpty", "The bucket you tried to delete is not empty."));
        }
        self.lock().remove(bucket);
        Ok(())
    }

    /// Forgets objects and uploads; buckets and their settings stay.
    pub fn clear(&self) {
        for bucket in self.lock().values_mut() {
            bucket.objects.clear();
            bucket.uploads.clear();
        }
    }

    pub fn within<T>(
        &self,
        bucket: &str,
        work: impl FnOnce(&mut Bucket) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut buckets = self.lock();
        let missing = || Fault::new(404, "NoSuchBucket", "The specified bucket does not exist");
        work(buckets.get_mut(bucket).ok_or_else(missing)?)
    }
}

impl Bucket {
    pub fn object(&self, key: &str) -> Result<&Object, Fault> {
        self.objects.get(key).ok_or_else(|| Fault::new(404, "NoSuchKey", "The specified key does not exist."))
    }

    pub fn upload(&mut self, head: &Head) -> Result<&mut Upload, Fault> {
        let upload = self.uploads.get_mut(head.query("uploadId").unwrap_or_default());
        upload.filter(|upload| upload.key == head.key).ok_or_else(Fault::no_upload)
    }

    /// The conditions of a write: `If-Match`, `If-None-Match: *`.
    pub fn admit(&self, head: &Head) -> Result<(), Fault> {
        let there = self.objects.get(&head.key);
        if head.header("if-none-match").is_some() && there.is_some() {
            return Err(Fault::precondition());
        }
        match head.header("if-match") {
            Some(wanted) if self.object(&head.key)?.etag != wanted.trim_matches('"') => {
                Err(Fault::precondition())
            }
            _ => Ok(()),
        }
    }
}
