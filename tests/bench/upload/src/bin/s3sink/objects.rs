//! Objects: put, copied, read, deleted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use percent_encoding::percent_decode_str;

use crate::answer::{Answer, Fault, Stamp, elements, escape, unescape};
use crate::counters::event;
use crate::intake::{Kept, Received};
use crate::request::Head;
use crate::store::{Object, Store, now};

pub type Answered = Result<Answer, Fault>;

pub fn put(store: &Store, head: &Head, received: Received) -> Answered {
    let object = Object::new(head, received);
    let mut answer = Answer::empty(200).with("etag", quoted(&object.etag));
    answer
        .headers
        .extend(object.headers.iter().filter(|(name, _)| name.starts_with("x-amz-checksum-")).cloned());
    let identical = store.within(&head.bucket, |bucket| {
        bucket.admit(head)?;
        let identical =
            bucket.objects.get(&head.key).is_some_and(|o| o.is(object.size, &object.etag, object.crc64));
        bucket.objects.insert(head.key.clone(), object);
        Ok(identical)
    })?;
    if identical {
        store.counters.event(event::IDENTICAL);
    }
    Ok(answer)
}

pub fn copy(store: &Store, head: &Head, _: &str) -> Answered {
    let source = percent_decode_str(head.header("x-amz-copy-source").unwrap_or_default()).decode_utf8_lossy();
    let (bucket, key) = source.trim_start_matches('/').split_once('/').unwrap_or_default();
    let object = store.within(bucket, |bucket| bucket.object(key).cloned())?;
    if head.header("x-amz-copy-source-if-match").is_some_and(|wanted| wanted.trim_matches('"') != object.etag)
    {
        return Err(Fault::precondition());
    }
    let body = format!(
        "<CopyObjectResult><ETag>{}</ETag><LastModified>{}</LastModified></CopyObjectResult>",
        escape(&quoted(&object.etag)),
        Stamp(now()).iso()
    );
    store.within(&head.bucket, |bucket| {
        bucket.admit(head)?;
        bucket.objects.insert(head.key.clone(), Object { modified: now(), ..object });
        Ok(())
    })?;
    Ok(Answer::xml(body))
}

pub fn head(store: &Store, head: &Head, _: &str) -> Answered {
    let object = store.within(&head.bucket, |bucket| bucket.object(&head.key).cloned())?;
    Ok(match met(head, &object)? {
        false => unchanged(&object),
        true => Answer { length: Some(object.size), ..described(&object, 200) },
    })
}

pub fn get(store: &Store, head: &Head, _: &str) -> Answered {
    let object = store.within(&head.bucket, |bucket| bucket.object(&head.key).cloned())?;
    if !met(head, &object)? {
        return Ok(unchanged(&object));
    }
    let Some(segments) = &object.body else {
        return Err(Fault::new(
            501,
            "NotImplemented",
            "This body was thrown away; start s3sink with --keep.",
        ));
    };
    let Some(range) = head.header("range") else {
        return Ok(Answer { body: read(segments, 0, object.size)?, ..described(&object, 200) });
    };
    let Some((first, end)) = bounds(range, object.size) else {
        return Err(Fault::new(416, "InvalidRange", "The requested range is not satisfiable"));
    };
    let mut answer = described(&object, 206);
    // The checksum is that of the whole object; S3 leaves it out of a part as well.
    answer.headers.retain(|(name, _)| !name.starts_with("x-amz-checksum-"));
    let answer = answer.with("content-range", format!("bytes {first}-{}/{}", end - 1, object.size));
    Ok(Answer { body: read(segments, first, end)?, ..answer })
}

pub fn delete(store: &Store, head: &Head, _: &str) -> Answered {
    store.within(&head.bucket, |bucket| {
        bucket.objects.remove(&head.key);
        Ok(())
    })?;
    Ok(Answer::empty(204))
}

pub fn delete_many(store: &Store, head: &Head, document: &str) -> Answered {
    let keys: Vec<String> = elements(document, "Key").into_iter().map(unescape).collect();
    store.within(&head.bucket, |bucket| {
        keys.iter().for_each(|key| drop(bucket.objects.remove(key)));
        Ok(())
    })?;
    let quiet = elements(document, "Quiet") == ["true"];
    let deleted = |key: &String| format!("<Deleted><Key>{}</Key></Deleted>", escape(key));
    let deleted: String = if quiet { String::new() } else { keys.iter().map(deleted).collect() };
    Ok(Answer::xml(format!("<DeleteResult>{deleted}</DeleteResult>")))
}

pub fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

fn described(object: &Object, status: u16) -> Answer {
    let mut answer = Answer::empty(status)
        .with("etag", quoted(&object.etag))
        .with("last-modified", Stamp(object.modified).http())
        .with("accept-ranges", "bytes");
    answer.headers.extend(object.headers.iter().cloned());
    answer
}

/// A 304 has no body, so nothing to check by a checksum; botocore fails on one that says otherwise.
fn unchanged(object: &Object) -> Answer {
    let mut answer = described(object, 304);
    answer.headers.retain(|(name, _)| !name.starts_with("x-amz-checksum-"));
    answer
}

/// The conditions of a read: false is "not modified".
fn met(head: &Head, object: &Object) -> Result<bool, Fault> {
    let matches = |list: &str| {
        list.split(',').any(|tag| tag.trim() == "*" || tag.trim().trim_matches('"') == object.etag)
    };
    if head.header("if-match").is_some_and(|list| !matches(list)) {
        return Err(Fault::precondition());
    }
    Ok(!head.header("if-none-match").is_some_and(matches))
}

/// `bytes=first-last`, `bytes=first-`, `bytes=-length` as first and end.
fn bounds(range: &str, size: u64) -> Option<(u64, u64)> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let (first, end) = match (first, last) {
        ("", length) => (size.saturating_sub(length.parse().ok()?), size),
        (first, "") => (first.parse().ok()?, size),
        (first, last) => (first.parse().ok()?, size.min(last.parse::<u64>().ok()?.checked_add(1)?)),
    };
    (first < end).then_some((first, end))
}

fn read(segments: &[(Kept, u64)], first: u64, end: u64) -> Result<Vec<u8>, Fault> {
    let gone = |error: std::io::Error| {
        Fault::new(500, "InternalError", format!("a kept body cannot be read: {error}"))
    };
    let mut out = Vec::new();
    let mut at = 0;
    for (kept, size) in segments {
        let (from, to) = (first.clamp(at, at + size) - at, end.clamp(at, at + size) - at);
        match kept {
            Kept::Memory(bytes) => out.extend_from_slice(&bytes[from as usize..to as usize]),
            Kept::File(path) => {
                let mut file = File::open(path.as_ref()).map_err(gone)?;
                file.seek(SeekFrom::Start(from)).map_err(gone)?;
                file.take(to - from).read_to_end(&mut out).map_err(gone)?;
            }
        }
        at += size;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[test]
    fn ranges() {
        assert_eq!(bounds("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(bounds("bytes=90-200", 100), Some((90, 100)));
        assert_eq!(bounds("bytes=-7", 100), Some((93, 100)));
        assert_eq!(bounds("bytes=100-", 100), None);
    }
}
