//! Buckets: their settings, and lists of what is in them. And who is asking (STS), so that one endpoint is
//! enough.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::ops::Bound;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::answer::{Answer, Fault, Stamp, escape};
use crate::objects::{Answered, quoted};
use crate::request::{Head, pairs};
use crate::store::{ACCOUNT, REGION, Store};

/// Settings, and the error of S3 for one that was never made. An empty one answers an empty document instead.
pub const SETTINGS: [(&str, &str); 10] = [
    ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("lifecycle", "NoSuchLifecycleConfiguration"),
    ("location", ""),
    ("logging", ""),
    ("notification", ""),
    ("ownershipControls", "OwnershipControlsNotFoundError"),
    ("policy", "NoSuchBucketPolicy"),
    ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("tagging", "NoSuchTagSet"),
    ("versioning", ""),
];

/// What `encoding-type=url` leaves as it is.
const IN_KEYS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

pub fn setting(head: &Head) -> Option<(&'static str, &'static str)> {
    SETTINGS.into_iter().find(|(name, _)| head.query(name).is_some())
}

pub fn create(store: &Store, head: &Head, _: &str) -> Answered {
    // In us-east-1 making one's own bucket again succeeds.
    store.create(&head.bucket);
    Ok(Answer::empty(200).with("location", format!("/{}", head.bucket)))
}

pub fn delete(store: &Store, head: &Head, _: &str) -> Answered {
    store.delete(&head.bucket)?;
    Ok(Answer::empty(204))
}

pub fn head(store: &Store, head: &Head, _: &str) -> Answered {
    store.within(&head.bucket, |_| Ok(()))?;
    Ok(Answer::empty(200).with("x-amz-bucket-region", REGION))
}

pub fn put_setting(store: &Store, head: &Head, document: &str) -> Answered {
    let (name, _) = setting(head).unwrap_or_default();
    store.within(&head.bucket, |bucket| {
        bucket.settings.insert(name.to_owned(), document.to_owned());
        Ok(Answer::empty(200))
    })
}

pub fn delete_setting(store: &Store, head: &Head, _: &str) -> Answered {
    let (name, _) = setting(head).unwrap_or_default();
    store.within(&head.bucket, |bucket| {
        bucket.settings.remove(name);
        Ok(Answer::empty(204))
    })
}

pub fn get_setting(store: &Store, head: &Head, _: &str) -> Answered {
    let (name, missing) = setting(head).unwrap_or_default();
    match store.within(&head.bucket, |bucket| Ok(bucket.settings.get(name).cloned()))? {
        Some(document) => Ok(Answer { body: document.into_bytes(), ..Answer::empty(200) }),
        None if missing.is_empty() => Ok(Answer::xml("<Configuration/>".to_owned())),
        None => Err(Fault::new(404, missing, format!("The bucket has no {name}."))),
    }
}

pub fn names(store: &Store, _: &Head, _: &str) -> Answered {
    let bucket = |name: &String| {
        format!(
            "<Bucket><Name>{}</Name><CreationDate>{}</CreationDate></Bucket>",
            escape(name),
            Stamp(0).iso()
        )
    };
    let buckets: String = store.names().iter().map(bucket).collect();
    Ok(Answer::xml(format!(
        "<ListAllMyBucketsResult><Owner><ID>{ACCOUNT}</ID></Owner><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
    )))
}

/// `ListObjectsV2`, and `ListObjects` of old clients.
pub fn list(store: &Store, head: &Head, _: &str) -> Answered {
    let said = |name: &str| head.query(name).unwrap_or_default();
    let (prefix, delimiter) = (said("prefix"), said("delimiter"));
    let most = head.query("max-keys").and_then(|n| n.parse().ok()).unwrap_or(1000).min(1000);
    // Our token is the last key of the page before, or the common prefix that ended it.
    let after = ["continuation-token", "marker", "start-after"].into_iter().find_map(|name| head.query(name));
    let url = said("encoding-type") == "url";
    let written = |key: &str| if url { utf8_percent_encode(key, IN_KEYS).to_string() } else { escape(key) };

    let (mut contents, mut prefixes) = (String::new(), BTreeSet::new());
    let (mut count, mut last, mut more) = (0, String::new(), false);
    store.within(&head.bucket, |bucket| {
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        for (key, object) in bucket.objects.range::<str, _>((from, Bound::Unbounded)) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            let folder = (!delimiter.is_empty()).then(|| rest.find(delimiter)).flatten();
            let folder = folder.map(|at| key[..prefix.len() + at + delimiter.len()].to_owned());
            let told = folder.as_ref().is_some_and(|f| prefixes.contains(f) || after.is_some_and(|a| a == f));
            if told {
                continue;
            }
            if count == most {
                more = true;
                break;
            }
            count += 1;
            last = folder.clone().unwrap_or_else(|| key.clone());
            match folder {
                Some(folder) => drop(prefixes.insert(folder)),
                None => {
                    let (key, etag) = (written(key), escape(&quoted(&object.etag)));
                    let (size, modified) = (object.size, Stamp(object.modified).iso());
                    let crc = object.crc64.map(|_| "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>");
                    let _ = write!(
                        contents,
                        "<Contents><Key>{key}</Key><LastModified>{modified}</LastModified><ETag>{etag}</ETag>{}<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>",
                        crc.unwrap_or_default()
                    );
                }
            }
        }
        Ok(())
    })?;
    let prefixes: String = prefixes
        .iter()
        .map(|p| format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", written(p)))
        .collect();
    let next = match (more, head.query("list-type")) {
        (false, _) => String::new(),
        (true, Some(_)) => format!("<NextContinuationToken>{}</NextContinuationToken>", escape(&last)),
        (true, None) => format!("<NextMarker>{}</NextMarker>", written(&last)),
    };
    let encoding = if url { "<EncodingType>url</EncodingType>" } else { "" };
    Ok(Answer::xml(format!(
        "<ListBucketResult><Name>{}</Name><Prefix>{}</Prefix><Delimiter>{}</Delimiter><KeyCount>{count}</KeyCount><MaxKeys>{most}</MaxKeys><IsTruncated>{more}</IsTruncated>{encoding}{next}{contents}{prefixes}</ListBucketResult>",
        escape(&head.bucket),
        written(prefix),
        written(delimiter),
    )))
}

/// `POST /`: STS, the one service beside S3 that an upload asks.
pub fn identity(_: &Store, _: &Head, document: &str) -> Answered {
    if !pairs(document).contains(&("Action".to_owned(), "GetCallerIdentity".to_owned())) {
        return Err(Fault::new(501, "NotImplemented", "s3sink knows S3 and STS GetCallerIdentity only"));
    }
    Ok(Answer::xml(format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/bench</Arn><UserId>AIDABENCH</UserId><Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"
    )))
}
