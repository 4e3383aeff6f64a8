//! Multipart uploads.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crc_fast::CrcAlgorithm::Crc64Nvme;
use md5::{Digest, Md5};

use crate::answer::{Answer, Fault, Stamp, elements, escape, unescape};
use crate::counters::event;
use crate::intake::{Received, hex};
use crate::objects::{Answered, quoted};
use crate::request::Head;
use crate::store::{Object, Part, Store, Upload, base64_of, lasting, now};

/// Of every part but the last (S3's limits: `qfacts.html`).
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
const MOST_PARTS: u32 = 10_000;

pub fn create(store: &Store, head: &Head, _: &str) -> Answered {
    let algorithm = head.header("x-amz-checksum-algorithm").map(str::to_owned);
    let upload = Upload {
        key: head.key.clone(),
        parts: BTreeMap::new(),
        algorithm: algorithm.clone(),
        headers: lasting(head),
        began: now(),
    };
    let id = store.within(&head.bucket, |bucket| {
        let last = bucket.uploads.last_key_value().and_then(|(id, _)| id.parse::<u64>().ok());
        let id = format!("{:032}", last.unwrap_or_default() + 1);
        bucket.uploads.insert(id.clone(), upload);
        Ok(id)
    })?;
    let answer = Answer::xml(format!(
        "<InitiateMultipartUploadResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{id}</UploadId></InitiateMultipartUploadResult>",
        escape(&head.bucket),
        escape(&head.key)
    ));
    Ok(match algorithm {
        Some(algorithm) => answer.with("x-amz-checksum-algorithm", algorithm),
        None => answer,
    })
}

pub fn part(store: &Store, head: &Head, received: Received) -> Answered {
    let number =
        head.query("partNumber").and_then(|n| n.parse().ok()).filter(|n| (1..=MOST_PARTS).contains(n));
    let invalid = || Fault::new(400, "InvalidArgument", "Part number must be an integer between 1 and 10000");
    let number = number.ok_or_else(invalid)?;
    let mut answer = Answer::empty(200).with("etag", quoted(&received.etag));
    answer.headers.extend(received.stated.clone());
    let identical = store.within(&head.bucket, |bucket| {
        let upload = bucket.upload(head)?;
        let same = |part: &Part| part.body.size == received.size && part.body.etag == received.etag;
        let identical = upload.parts.get(&number).is_some_and(same);
        upload.parts.insert(number, Part { body: received, modified: now() });
        Ok(identical)
    })?;
    if identical {
        store.counters.event(event::IDENTICAL);
    }
    Ok(answer)
}

pub fn complete(store: &Store, head: &Head, document: &str) -> Answered {
    let wanted: Vec<(u32, String)> = elements(document, "Part")
        .into_iter()
        .filter_map(|part| {
            let number = elements(part, "PartNumber").first()?.trim().parse().ok()?;
            Some((number, unescape(elements(part, "ETag").first()?).trim_matches('"').to_owned()))
        })
        .collect();
    let object = store.within(&head.bucket, |bucket| {
        bucket.admit(head)?;
        let upload = bucket.upload(head)?;
        let object = assembled(upload, &wanted)?;
        agrees(head, &object, store.verify)?;
        let id = head.query("uploadId").unwrap_or_default();
        bucket.uploads.remove(id);
        bucket.objects.insert(head.key.clone(), object.clone());
        Ok(object)
    })?;
    let checksum = object.crc64.map(base64_of).map(|crc| {
        format!("<ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>")
    });
    Ok(Answer::xml(format!(
        "<CompleteMultipartUploadResult><Location>/{0}/{1}</Location><Bucket>{0}</Bucket><Key>{1}</Key><ETag>{2}</ETag>{3}</CompleteMultipartUploadResult>",
        escape(&head.bucket),
        escape(&head.key),
        escape(&quoted(&object.etag)),
        checksum.unwrap_or_default()
    )))
}

fn assembled(upload: &Upload, wanted: &[(u32, String)]) -> Result<Object, Fault> {
    let invalid = |code, message: &str| Err(Fault::new(400, code, message));
    if wanted.is_empty() {
        return invalid("MalformedXML", "You must specify at least one part");
    }
    if !wanted.is_sorted_by(|a, b| a.0 < b.0) {
        return invalid("InvalidPartOrder", "The list of parts was not in ascending order.");
    }
    let mut object = Object {
        size: 0,
        etag: String::new(),
        crc64: Some(crc_fast::checksum(Crc64Nvme, b"")),
        headers: upload.headers.clone(),
        modified: now(),
        body: Some(Vec::new()),
    };
    let mut etags = Some(Md5::new());
    for (index, (number, etag)) in wanted.iter().enumerate() {
        let Some(Part { body: part, .. }) = upload.parts.get(number).filter(|part| part.body.etag == *etag)
        else {
            return invalid("InvalidPart", "One or more of the specified parts could not be found.");
        };
        if part.size < SMALLEST_PART && index + 1 < wanted.len() {
            return invalid(
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
            );
        }
        object.size += part.size;
        let crcs = object.crc64.zip(part.crc64);
        object.crc64 = crcs.map(|(all, one)| crc_fast::checksum_combine(Crc64Nvme, all, one, part.size));
        object.body = object.body.zip(part.kept.clone()).map(|(mut body, kept)| {
            body.push((kept, part.size));
            body
        });
        etags = etags.zip(md5_of(etag)).map(|(all, md5)| all.chain_update(md5));
    }
    // S3's own form where the parts have MD5s.
    let digest = match (etags, object.crc64) {
        (Some(md5), _) => hex(&md5.finalize()),
        (None, crc) => format!("{:016x}{:08x}", crc.unwrap_or_default(), object.size),
    };
    object.etag = format!("{digest}-{}", wanted.len());
    if let Some(crc) = object.crc64.filter(|_| upload.algorithm.as_deref() == Some("CRC64NVME")) {
        object.headers.push(("x-amz-checksum-crc64nvme".to_owned(), base64_of(crc)));
        object.headers.push(("x-amz-checksum-type".to_owned(), "FULL_OBJECT".to_owned()));
    }
    Ok(object)
}

fn md5_of(etag: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(etag.get(at..at + 2)?, 16).ok();
    (etag.len() == 32).then(|| (0..32).step_by(2).map(byte).collect())?
}

/// What the client said of the whole object.
fn agrees(head: &Head, object: &Object, verify: bool) -> Result<(), Fault> {
    let size = head.header("x-amz-mp-object-size").and_then(|size| size.parse::<u64>().ok());
    if size.is_some_and(|size| size != object.size) {
        return Err(Fault::new(400, "InvalidRequest", "The x-amz-mp-object-size is not that of the parts."));
    }
    let name = "x-amz-checksum-crc64nvme";
    match (head.header(name), object.crc64.map(|crc| BASE64_STANDARD.encode(crc.to_be_bytes()))) {
        (Some(wanted), Some(got)) if verify && wanted != got => Err(Fault::mismatch(name, wanted, &got)),
        _ => Ok(()),
    }
}

pub fn abort(store: &Store, head: &Head, _: &str) -> Answered {
    store.within(&head.bucket, |bucket| {
        bucket.upload(head)?;
        bucket.uploads.remove(head.query("uploadId").unwrap_or_default());
        Ok(())
    })?;
    Ok(Answer::empty(204))
}

pub fn list_parts(store: &Store, head: &Head, _: &str) -> Answered {
    let number = |name: &str, default: u32| head.query(name).and_then(|n| n.parse().ok()).unwrap_or(default);
    let (after, most) = (number("part-number-marker", 0), number("max-parts", 1000).min(1000) as usize);
    let (algorithm, parts, more) = store.within(&head.bucket, |bucket| {
        let upload = bucket.upload(head)?;
        let mut rest = upload.parts.range(after + 1..);
        let parts: Vec<(u32, Part)> = rest.by_ref().take(most).map(|(n, part)| (*n, part.clone())).collect();
        Ok((upload.algorithm.clone(), parts, rest.next().is_some()))
    })?;
    let mut body = format!(
        "<ListPartsResult><Bucket>{}</Bucket><Key>{}</Key><UploadId>{}</UploadId><PartNumberMarker>{after}</PartNumberMarker><MaxParts>{most}</MaxParts><IsTruncated>{more}</IsTruncated>",
        escape(&head.bucket),
        escape(&head.key),
        head.query("uploadId").unwrap_or_default(),
    );
    if let Some((last, _)) = parts.last() {
        let _ = write!(body, "<NextPartNumberMarker>{last}</NextPartNumberMarker>");
    }
    if let Some(algorithm) = algorithm {
        let _ = write!(body, "<ChecksumAlgorithm>{}</ChecksumAlgorithm>", escape(&algorithm));
    }
    for (number, part) in &parts {
        let crc = part.body.crc64.map(base64_of);
        let crc = crc.map(|crc| format!("<ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME>")).unwrap_or_default();
        let (modified, etag, size) =
            (Stamp(part.modified).iso(), escape(&quoted(&part.body.etag)), part.body.size);
        let _ = write!(
            body,
            "<Part><PartNumber>{number}</PartNumber><LastModified>{modified}</LastModified><ETag>{etag}</ETag><Size>{size}</Size>{crc}</Part>"
        );
    }
    Ok(Answer::xml(body + "</ListPartsResult>"))
}

/// All on one page: nobody measures with more than a thousand open uploads.
pub fn list_uploads(store: &Store, head: &Head, _: &str) -> Answered {
    let prefix = head.query("prefix").unwrap_or_default();
    let uploads = store.within(&head.bucket, |bucket| {
        let ours = bucket.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
        let mut uploads: Vec<(String, String, u64)> =
            ours.map(|(id, upload)| (upload.key.clone(), id.clone(), upload.began)).collect();
        uploads.sort();
        Ok(uploads)
    })?;
    let upload = |(key, id, began): &(String, String, u64)| {
        let (key, began) = (escape(key), Stamp(*began).iso());
        format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{began}</Initiated></Upload>")
    };
    let (bucket, all) = (escape(&head.bucket), uploads.iter().map(upload).collect::<String>());
    Ok(Answer::xml(format!(
        "<ListMultipartUploadsResult><Bucket>{bucket}</Bucket><IsTruncated>false</IsTruncated>{all}</ListMultipartUploadsResult>"
    )))
}
