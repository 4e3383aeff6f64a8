//! S3 as a client sees it: the real SDK over real HTTP.

use std::path::Path;

use aws_sdk_s3 as s3;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    BucketLocationConstraint, BucketVersioningStatus, ChecksumAlgorithm, ChecksumMode, ChecksumType,
    CompletedMultipartUpload, CompletedPart, CreateBucketConfiguration, Delete, ObjectIdentifier, Tag,
    Tagging, VersioningConfiguration,
};

use super::api;
use crate::{Sandbox, SandboxOptions, tags};

const REGION: &str = "eu-west-1";

fn client_in(sandbox: &Sandbox, region: &str) -> s3::Client {
    s3::Client::from_conf(
        s3::Config::builder()
            .behavior_version(s3::config::BehaviorVersion::latest())
            .endpoint_url(sandbox.endpoint_url())
            .region(s3::config::Region::new(region.to_owned()))
            .credentials_provider(s3::config::Credentials::for_tests())
            .retry_config(s3::config::retry::RetryConfig::disabled())
            .build(),
    )
}

/// A sandbox with a bucket, and a client of its region.
async fn bucket(root: &Path, faults: &[&str]) -> (Sandbox, s3::Client) {
    let faults = faults.iter().map(|word| word.parse().unwrap()).collect();
    let sandbox = Sandbox::start(SandboxOptions { faults, ..SandboxOptions::new(root) }).await.unwrap();
    let client = client_in(&sandbox, REGION);
    let place = BucketLocationConstraint::from(REGION);
    let configuration = CreateBucketConfiguration::builder()
        .location_constraint(place)
        .tags(Tag::builder().key("opsctl:project").value("a+b").build().unwrap())
        .build();
    let made = client.create_bucket().bucket("data-1").create_bucket_configuration(configuration);
    match made.send().await {
        Ok(_) => {}
        Err(error) => assert_eq!(code(&error), "BucketAlreadyOwnedByYou"),
    }
    (sandbox, client)
}

fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or("none").to_owned()
}

macro_rules! refused {
    ($call:expr, $code:literal) => {{
        let error = $call.send().await.unwrap_err();
        assert_eq!(code(&error), $code, "{error:?}");
        error
    }};
}

fn body(text: &str) -> ByteStream {
    ByteStream::from(text.as_bytes().to_vec())
}

async fn text(client: &s3::Client, key: &str) -> String {
    let answer = client.get_object().bucket("data-1").key(key).send().await.unwrap();
    String::from_utf8(answer.body.collect().await.unwrap().to_vec()).unwrap()
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn buckets_keep_aws_rules_of_regions_names_and_settings() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    let arn = "arn:aws:s3:::data-1";
    assert_eq!(tags::of(sandbox.state(), arn)["opsctl:project"], "a+b");
    refused!(client.create_bucket().bucket("other-1"), "IllegalLocationConstraintException");
    refused!(client.create_bucket().bucket("xn--a"), "InvalidBucketName");
    refused!(client.create_bucket().bucket("a-s3alias"), "InvalidBucketName");
    let east = client_in(&sandbox, "us-east-1");
    let wrong = CreateBucketConfiguration::builder().location_constraint("us-east-1".into()).build();
    refused!(
        east.create_bucket().bucket("east-1").create_bucket_configuration(wrong),
        "InvalidLocationConstraint"
    );
    for _ in 0..2 {
        east.create_bucket().bucket("east-1").send().await.unwrap();
    }
    refused!(east.create_bucket().bucket("data-1"), "BucketAlreadyOwnedByYou");
    let redirect = refused!(east.list_objects_v2().bucket("data-1"), "PermanentRedirect");
    assert_eq!(redirect.raw_response().unwrap().headers().get("x-amz-bucket-region"), Some(REGION));
    let head = client.head_bucket().bucket("data-1").send().await.unwrap();
    assert_eq!(head.bucket_region(), Some(REGION));
    assert!(
        client.head_bucket().bucket("none-1").send().await.unwrap_err().into_service_error().is_not_found()
    );
    let place = east.get_bucket_location().bucket("data-1").send().await.unwrap();
    assert_eq!(place.location_constraint().unwrap().as_str(), REGION);
    let all = client.list_buckets().bucket_region("us-east-1").send().await.unwrap();
    assert_eq!(all.buckets().iter().filter_map(|bucket| bucket.name()).collect::<Vec<_>>(), ["east-1"]);
    let page = client.list_buckets().max_buckets(1).send().await.unwrap();
    assert!(page.continuation_token().is_some());

    let tagging =
        Tagging::builder().tag_set(Tag::builder().key("k").value("v").build().unwrap()).build().unwrap();
    client.put_bucket_tagging().bucket("data-1").tagging(tagging).send().await.unwrap();
    assert_eq!(client.get_bucket_tagging().bucket("data-1").send().await.unwrap().tag_set().len(), 1);
    let blocked = client.get_public_access_block().bucket("data-1").send().await.unwrap();
    assert_eq!(blocked.public_access_block_configuration().unwrap().block_public_policy(), Some(true));
    let encryption = client.get_bucket_encryption().bucket("data-1").send().await.unwrap();
    let rule = &encryption.server_side_encryption_configuration().unwrap().rules()[0];
    assert_eq!(rule.apply_server_side_encryption_by_default().unwrap().sse_algorithm().as_str(), "AES256");
    let owned = client.get_bucket_ownership_controls().bucket("data-1").send().await.unwrap();
    let rule = &owned.ownership_controls().unwrap().rules()[0];
    assert_eq!(rule.object_ownership().as_str(), "BucketOwnerEnforced");
    refused!(client.get_bucket_policy().bucket("data-1"), "NoSuchBucketPolicy");
    let public = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject",
        "Resource":"arn:aws:s3:::data-1/*"}}"#;
    refused!(client.put_bucket_policy().bucket("data-1").policy(public), "AccessDenied");
    refused!(client.put_bucket_policy().bucket("data-1").policy("{"), "MalformedPolicy");
    let (objects, both) =
        (r#""arn:aws:s3:::data-1/*""#, r#"["arn:aws:s3:::data-1/*","arn:aws:s3:::data-1"]"#);
    let tls = public.replace("Allow", "Deny").replace(objects, both);
    client.put_bucket_policy().bucket("data-1").policy(&tls).send().await.unwrap();
    let kept = client.get_bucket_policy().bucket("data-1").send().await.unwrap();
    let meaning = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let mut turned = meaning(&tls);
    turned["Statement"]["Resource"].as_array_mut().unwrap().reverse();
    assert_eq!(meaning(kept.policy().unwrap()), turned);
    refused!(client.get_bucket_lifecycle_configuration().bucket("data-1"), "NoSuchLifecycleConfiguration");
    let unknown = refused!(client.get_bucket_cors().bucket("data-1"), "NotImplemented");
    assert!(unknown.message().unwrap().contains("s3:GetBucketCors"));

    client.delete_bucket().bucket("data-1").send().await.unwrap();
    assert!(tags::of(sandbox.state(), arn).is_empty());
    assert_eq!(sandbox.state().calls.of("s3:DeleteBucket"), 1);
    sandbox.stop().await;
}

#[tokio::test]
async fn objects_come_back_as_they_were_whatever_their_key() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    let long = "k".repeat(1_024);
    let keys = [
        "a/b/c.txt",
        "../../etc/passwd",
        "a b+c&d=e%20?#",
        "größe/日本語/🐕",
        "a//b",
        "/lead",
        "end/",
        ".",
        &long,
    ];
    for key in keys {
        let put = client.put_object().bucket("data-1").key(key).body(body(key));
        let put =
            put.content_type("text/plain").metadata("who", "me").tagging("a=1&b=x%20y").send().await.unwrap();
        assert!(put.checksum_crc32().is_some(), "the SDK's own checksum is echoed");
        assert_eq!(text(&client, key).await, key);
    }
    let listed = client.list_objects_v2().bucket("data-1").send().await.unwrap();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(listed.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>(), sorted);
    let refused = client.put_object().bucket("data-1").key(format!("{long}k")).body(body("")).send().await;
    assert_eq!(code(&refused.unwrap_err()), "KeyTooLongError");

    let get = || client.get_object().bucket("data-1").key("a/b/c.txt");
    let head = client.head_object().bucket("data-1").key("a/b/c.txt").checksum_mode(ChecksumMode::Enabled);
    let head = head.send().await.unwrap();
    assert_eq!((head.content_type(), head.content_length()), (Some("text/plain"), Some(9)));
    assert_eq!(head.metadata().unwrap()["who"], "me");
    assert_eq!(head.e_tag(), Some("\"cec8c51be9837b6cfa1689868f1a4791\""));
    assert!(head.checksum_crc32().is_some());
    assert_eq!(head.server_side_encryption().unwrap().as_str(), "AES256");
    let part = get().range("bytes=2-4").send().await.unwrap();
    assert_eq!((part.content_range(), part.tag_count()), (Some("bytes 2-4/9"), Some(2)));
    assert_eq!(part.body.collect().await.unwrap().to_vec(), b"b/c");
    refused!(get().range("bytes=9-"), "InvalidRange");
    refused!(get().if_match("\"0\""), "PreconditionFailed");
    let same = get().if_none_match(head.e_tag().unwrap()).send().await.unwrap_err();
    assert_eq!(same.raw_response().unwrap().status().as_u16(), 304);

    // Writes that hold only under a condition, or only if the bytes are what the client says.
    let put = || client.put_object().bucket("data-1").key("a/b/c.txt").body(body("new"));
    refused!(put().if_none_match("*"), "PreconditionFailed");
    refused!(put().if_match("\"0\""), "PreconditionFailed");
    refused!(put().key("none").if_match("\"0\""), "NoSuchKey");
    refused!(put().content_md5("AAAAAAAAAAAAAAAAAAAAAA=="), "BadDigest");
    refused!(put().checksum_sha256("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="), "BadDigest");
    refused!(put().acl("public-read".into()), "AccessControlListNotSupported");
    refused!(put().expected_bucket_owner("000000000000"), "AccessDenied");
    assert_eq!(text(&client, "a/b/c.txt").await, "a/b/c.txt");
    for algorithm in ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"] {
        put().checksum_algorithm(ChecksumAlgorithm::from(algorithm)).send().await.unwrap();
    }
    let copy = client.copy_object().bucket("data-1").key("copy").copy_source("data-1/a/b/c.txt");
    copy.send().await.unwrap();
    let copied = client.head_object().bucket("data-1").key("copy").send().await.unwrap();
    assert_eq!(copied.e_tag(), Some("\"22af645d1859cb5ca6da0c484f1f37ea\""));
    refused!(client.copy_object().bucket("data-1").key("copy").copy_source("data-1/copy"), "InvalidRequest");
    // Each object has one file; refused and replaced ones have none.
    assert_eq!(files(&root.path().join("s3/objects/data-1")), keys.len() + 1);
    assert_eq!(files(&root.path().join("s3/incoming")), 0);
    sandbox.stop().await;
}

#[tokio::test]
async fn versions_pile_up_and_go_one_by_one() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    let put = |text: &str| client.put_object().bucket("data-1").key("k").body(body(text)).send();
    let version = |status| {
        let status = VersioningConfiguration::builder().status(status).build();
        client.put_bucket_versioning().bucket("data-1").versioning_configuration(status).send()
    };
    assert_eq!(put("null").await.unwrap().version_id(), None);
    version(BucketVersioningStatus::Enabled).await.unwrap();
    let first = put("1").await.unwrap().version_id().unwrap().to_owned();
    put("2").await.unwrap();
    let marker = client.delete_object().bucket("data-1").key("k").send().await.unwrap();
    assert_eq!(marker.delete_marker(), Some(true));
    let gone = refused!(client.get_object().bucket("data-1").key("k"), "NoSuchKey");
    assert_eq!(gone.raw_response().unwrap().headers().get("x-amz-delete-marker"), Some("true"));
    let marked = client.get_object().bucket("data-1").key("k").version_id(marker.version_id().unwrap());
    refused!(marked, "MethodNotAllowed");
    let old = client.get_object().bucket("data-1").key("k").version_id(&first).send().await.unwrap();
    assert_eq!(old.body.collect().await.unwrap().to_vec(), b"1");
    assert_eq!(client.list_objects_v2().bucket("data-1").send().await.unwrap().key_count(), Some(0));
    version(BucketVersioningStatus::Suspended).await.unwrap();
    put("null again").await.unwrap();
    assert_eq!(text(&client, "k").await, "null again");
    refused!(client.delete_bucket().bucket("data-1"), "BucketNotEmpty");

    // As opsctl empties a bucket, in pages of two.
    let (mut seen, mut key, mut id) = (Vec::new(), None, None);
    loop {
        let list = client.list_object_versions().bucket("data-1").max_keys(2);
        let page = list.set_key_marker(key).set_version_id_marker(id).send().await.unwrap();
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
        let page_ids: Vec<_> = versions
            .chain(markers)
            .map(|(key, id)| ObjectIdentifier::builder().key(key.unwrap()).set_version_id(id.map(Into::into)))
            .map(|object| object.build().unwrap())
            .collect();
        seen.extend(page_ids.iter().map(|object| object.version_id().unwrap().to_owned()));
        let delete = Delete::builder().set_objects(Some(page_ids)).build().unwrap();
        let deleted = client.delete_objects().bucket("data-1").delete(delete).send().await.unwrap();
        assert!(deleted.errors().is_empty());
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
        if !page.is_truncated.unwrap() {
            break;
        }
    }
    assert_eq!(seen.len(), 4, "the null version was replaced: {seen:?}");
    assert_eq!(files(&root.path().join("s3/objects/data-1")), 0);
    client.delete_bucket().bucket("data-1").send().await.unwrap();
    sandbox.stop().await;
}

/// A byte that is another one when it arrives: the checksum of the SDK finds it, and nothing is kept.
#[tokio::test]
async fn what_is_corrupted_on_its_way_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &["corrupt@s3:PutObject#1x3", "corrupt@s3:UploadPart"]).await;
    let put = || client.put_object().bucket("data-1").key("k");
    // What is in memory has its hash signed; a file's checksum follows it.
    refused!(put().body(body("hello")), "XAmzContentSHA256Mismatch");
    let file = root.path().join("file");
    std::fs::write(&file, "hello").unwrap();
    refused!(put().body(ByteStream::from_path(&file).await.unwrap()), "BadDigest");
    put().body(body("")).send().await.unwrap();
    assert_eq!(sandbox.state().faults.hits(), 3, "nothing of an empty object can be corrupted");
    put().body(body("hello")).send().await.unwrap();
    assert_eq!(text(&client, "k").await, "hello");

    let upload = client.create_multipart_upload().bucket("data-1").key("m").send().await.unwrap();
    let part = || {
        let id = upload.upload_id().unwrap();
        client.upload_part().bucket("data-1").key("m").upload_id(id).part_number(1)
    };
    refused!(part().body(ByteStream::from_path(&file).await.unwrap()), "BadDigest");
    part().body(body("hello")).send().await.unwrap();
    sandbox.stop().await;
}

/// What no SDK sends: a deletion without a checksum (docs/aws/s3.md#deleting-many-objects).
#[tokio::test]
async fn a_deletion_of_many_needs_a_checksum() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let root = tempfile::tempdir().unwrap();
    let (sandbox, _) = bucket(root.path(), &[]).await;
    let body = "<Delete><Object><Key>k</Key></Object></Delete>";
    let mut stream = tokio::net::TcpStream::connect(sandbox.address()).await.unwrap();
    let request = format!(
        "POST /data-1?delete HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS any:key\r\nConnection: \
         close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("Content-MD5"), "{answer}");
    sandbox.stop().await;
}

#[tokio::test]
async fn lists_fold_and_page_and_hide_deleted_keys() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    for key in ["a", "b/1", "b/2", "c/1", "d", "e é"] {
        client.put_object().bucket("data-1").key(key).body(body("")).send().await.unwrap();
    }
    let mut seen = Vec::new();
    let mut pages =
        client.list_objects_v2().bucket("data-1").delimiter("/").into_paginator().page_size(2).send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= 2);
        seen.extend(page.common_prefixes().iter().filter_map(|prefix| prefix.prefix()).map(str::to_owned));
        seen.extend(page.contents().iter().filter_map(|object| object.key()).map(str::to_owned));
    }
    seen.sort_unstable();
    assert_eq!(seen, ["a", "b/", "c/", "d", "e é"]);
    let list = || client.list_objects_v2().bucket("data-1");
    let keys = |page: s3::operation::list_objects_v2::ListObjectsV2Output| {
        page.contents().iter().filter_map(|object| object.key()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(keys(list().prefix("b/").send().await.unwrap()), ["b/1", "b/2"]);
    assert_eq!(keys(list().start_after("b/2").max_keys(1).send().await.unwrap()), ["c/1"]);
    assert!(keys(list().max_keys(0).send().await.unwrap()).is_empty());
    refused!(list().continuation_token("?"), "InvalidArgument");
    let v1 = client.list_objects().bucket("data-1").delimiter("/").max_keys(2).send().await.unwrap();
    assert_eq!(v1.next_marker(), Some("b/"));
    let v1 = client.list_objects().bucket("data-1").delimiter("/").marker("b/").send().await.unwrap();
    assert_eq!(v1.common_prefixes()[0].prefix(), Some("c/"));
    sandbox.stop().await;
}

#[tokio::test]
async fn parts_become_one_object_and_what_aws_refuses_is_refused() {
    const PART: usize = 5 << 20;
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    let start = || client.create_multipart_upload().bucket("data-1").key("big");
    let part = |id: &str, number, size| {
        let part = client.upload_part().bucket("data-1").key("big").upload_id(id).part_number(number);
        part.body(ByteStream::from(vec![b'0' + number as u8; size]))
    };
    let finish = |id: &str, parts: &[CompletedPart]| {
        let listed = CompletedMultipartUpload::builder().set_parts(Some(parts.to_vec())).build();
        client.complete_multipart_upload().bucket("data-1").key("big").upload_id(id).multipart_upload(listed)
    };
    let listed = |number, etag: Option<&str>| {
        CompletedPart::builder().part_number(number).set_e_tag(etag.map(Into::into))
    };

    let upload = start().checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
    assert_eq!(upload.checksum_type(), Some(&ChecksumType::Composite));
    let id = upload.upload_id().unwrap();
    let mut parts = Vec::new();
    for (number, size) in [(2, 3), (1, PART)] {
        let sent = part(id, number, size).checksum_algorithm(ChecksumAlgorithm::Crc32).send().await.unwrap();
        parts.push(listed(number, sent.e_tag()).set_checksum_crc32(sent.checksum_crc32).build());
    }
    refused!(part(id, 3, 1).checksum_algorithm(ChecksumAlgorithm::Sha256), "InvalidRequest");
    refused!(part(id, 10_001, 1), "InvalidArgument");
    refused!(finish(id, &parts), "InvalidPartOrder");
    parts.reverse();
    let shown =
        client.list_parts().bucket("data-1").key("big").upload_id(id).max_parts(1).send().await.unwrap();
    assert_eq!((shown.parts()[0].size(), shown.is_truncated()), (Some(PART as i64), Some(true)));
    let under_way = client.list_multipart_uploads().bucket("data-1").send().await.unwrap();
    assert_eq!(under_way.uploads()[0].upload_id(), Some(id));
    refused!(finish(id, &[listed(1, Some("\"0\"")).checksum_crc32("AAAAAA==").build()]), "InvalidPart");
    refused!(finish(id, &[listed(1, None).build()]), "InvalidRequest");
    let done = finish(id, &parts).if_none_match("*").send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    assert!(done.checksum_crc32().unwrap().ends_with("-2"));
    refused!(finish(id, &parts), "NoSuchUpload");
    let whole = client.get_object().bucket("data-1").key("big").checksum_mode(ChecksumMode::Enabled).send();
    let whole = whole.await.unwrap().body.collect().await.unwrap().to_vec();
    assert_eq!((whole.len(), &whole[PART - 1..]), (PART + 3, b"1222".as_slice()));
    let second = client.get_object().bucket("data-1").key("big").part_number(2).send().await.unwrap();
    assert_eq!((second.content_length(), second.parts_count()), (Some(3), Some(2)));

    // A checksum of the whole, a part copied from elsewhere, and a last part in the middle.
    let upload = start()
        .checksum_algorithm(ChecksumAlgorithm::Crc64Nvme)
        .checksum_type(ChecksumType::FullObject)
        .send()
        .await
        .unwrap();
    let id = upload.upload_id().unwrap();
    let copy = client.upload_part_copy().bucket("data-1").key("big").upload_id(id).part_number(1);
    let copied = copy.copy_source("data-1/big").copy_source_range("bytes=0-9").send().await.unwrap();
    let etag = copied.copy_part_result().unwrap().e_tag().unwrap().to_owned();
    let sent = part(id, 2, 1).checksum_algorithm(ChecksumAlgorithm::Crc64Nvme).send().await.unwrap();
    let parts = [listed(1, Some(&etag)).build(), listed(2, sent.e_tag()).build()];
    refused!(finish(id, &parts), "EntityTooSmall");
    refused!(finish(id, &parts[..1]).if_none_match("*"), "PreconditionFailed");
    refused!(finish(id, &parts[..1]).checksum_crc64_nvme("AAAAAAAAAAA="), "BadDigest");
    let done = finish(id, &parts[..1]).send().await.unwrap();
    assert_eq!(done.checksum_type(), Some(&ChecksumType::FullObject));
    assert_eq!(text(&client, "big").await, "1111111111");

    let id = start().send().await.unwrap().upload_id().unwrap().to_owned();
    part(&id, 1, 1).send().await.unwrap();
    client.abort_multipart_upload().bucket("data-1").key("big").upload_id(&id).send().await.unwrap();
    refused!(part(&id, 1, 1), "NoSuchUpload");
    assert_eq!(files(&root.path().join("s3/parts")), 0);
    assert_eq!(files(&root.path().join("s3/objects/data-1")), 1);
    sandbox.stop().await;
}

#[tokio::test]
async fn faults_reach_the_client_and_objects_survive_a_restart() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &["throttle@s3:PutObject#2"]).await;
    let put = || client.put_object().bucket("data-1").key("k").body(ByteStream::from(vec![7; 3 << 20]));
    put().send().await.unwrap();
    let throttled = refused!(put(), "SlowDown");
    assert_eq!(throttled.raw_response().unwrap().status().as_u16(), 503);
    assert!(throttled.meta().extra("aws_request_id").is_some());
    assert_eq!(sandbox.state().calls.of("s3:PutObject"), 2);
    // What a killed sandbox was receiving is no object, and is thrown away.
    std::fs::write(root.path().join("s3/incoming/torn"), "half").unwrap();
    sandbox.stop().await;

    let (sandbox, client) = bucket(root.path(), &[]).await;
    assert_eq!(files(&root.path().join("s3/incoming")), 0);
    let head = client.head_object().bucket("data-1").key("k").send().await.unwrap();
    assert_eq!(head.content_length(), Some(3 << 20));
    sandbox.stop().await;
}

#[tokio::test]
async fn an_answer_can_break_off_in_its_body() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &["truncate@s3:GetObject", "truncate@s3:HeadObject"]).await;
    let body = ByteStream::from(vec![7; 10_000]);
    client.put_object().bucket("data-1").key("k").body(body).send().await.unwrap();
    let get = || client.get_object().bucket("data-1").key("k").send();
    let broken = get().await.unwrap();
    assert_eq!(broken.content_length(), Some(10_000));
    broken.body.collect().await.unwrap_err();
    assert_eq!(get().await.unwrap().body.collect().await.unwrap().into_bytes().len(), 10_000);
    // It has no body to break off in.
    client.head_object().bucket("data-1").key("k").send().await.unwrap_err();
    assert_eq!(sandbox.state().faults.hits(), 2);
    sandbox.stop().await;
}

#[tokio::test]
async fn runners_move_files_without_http() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    let shared = sandbox.state();
    let (from, to) = (root.path().join("from"), root.path().join("made/on/the/way"));
    std::fs::write(&from, "weights").unwrap();
    api::put_file(shared, "data-1", "out/model.tar.gz", &from).await.unwrap();
    assert_eq!(text(&client, "out/model.tar.gz").await, "weights");
    client.put_object().bucket("data-1").key("p").body(body("x")).send().await.unwrap();
    api::get_to_file(shared, "data-1", "out/model.tar.gz", &to).await.unwrap();
    assert_eq!(std::fs::read(&to).unwrap(), b"weights");
    let listed = api::list(shared, "data-1", "out/").unwrap();
    assert_eq!((listed.len(), listed[0].key.as_str(), listed[0].size), (1, "out/model.tar.gz", 7));
    assert_eq!(api::get_to_file(shared, "data-1", "none", &to).await.unwrap_err().code, "NoSuchKey");
    assert_eq!(api::list(shared, "none-1", "").unwrap_err().code, "NoSuchBucket");
    assert_eq!(api::region(shared, "data-1").unwrap(), REGION);
    sandbox.stop().await;
}

/// What is wrong is said in S3's words, and every answer can be read, whatever is in a key.
#[tokio::test]
async fn refusals_have_words_and_answers_are_xml() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    let named = refused!(client.create_bucket().bucket("No_Name"), "InvalidBucketName");
    assert_eq!(named.message(), Some("The specified bucket is not valid."));
    let long = refused!(client.put_object().bucket("data-1").key("k".repeat(1_025)), "KeyTooLongError");
    assert_eq!(long.message(), Some("Your key is too long"));
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::from("On")).build();
    let odd = client.put_bucket_versioning().bucket("data-1").versioning_configuration(on);
    let malformed = refused!(odd, "MalformedXML");
    assert!(malformed.message().unwrap().starts_with("The XML you provided was not well-formed"));

    // Asked for without an encoding, S3 writes references that XML does not have; this client reads them.
    let key = "a\u{1}b";
    client.put_object().bucket("data-1").key(key).body(body("x")).send().await.unwrap();
    let listed = client.list_objects_v2().bucket("data-1").send().await.unwrap();
    assert_eq!(listed.contents().iter().filter_map(|object| object.key()).collect::<Vec<_>>(), [key]);
    let gone = refused!(client.get_object().bucket("data-1").key("c\u{1}d"), "NoSuchKey");
    assert!(gone.message().is_some());
    sandbox.stop().await;
}

/// The objects of a folder that somebody emptied: they are gone, and can be made again.
#[tokio::test]
async fn an_object_whose_bytes_are_gone_is_set_aside() {
    let root = tempfile::tempdir().unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    for key in ["a", "b"] {
        client.put_object().bucket("data-1").key(key).body(body("bytes")).send().await.unwrap();
    }
    sandbox.stop().await;
    std::fs::remove_dir_all(root.path().join("s3/objects")).unwrap();
    let (sandbox, client) = bucket(root.path(), &[]).await;
    assert_eq!(sandbox.set_aside().len(), 2);
    assert!(sandbox.set_aside()[0].why.contains("its bytes are gone"));
    assert!(client.list_objects_v2().bucket("data-1").send().await.unwrap().contents().is_empty());
    client.put_object().bucket("data-1").key("a").body(body("again")).send().await.unwrap();
    assert_eq!(text(&client, "a").await, "again");
    sandbox.stop().await;
}
