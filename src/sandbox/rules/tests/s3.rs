//! S3.

use super::lab::{Lab, Told};

fn in_region(region: &str) -> String {
    format!(
        "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    )
}

async fn bucket(lab: &Lab) -> Told {
    lab.s3("PUT /data", &in_region("eu-west-1")).await
}

pub async fn location_constraint(lab: &Lab) -> Told {
    lab.s3("PUT /data", "").await
}

pub async fn bucket_region(lab: &Lab) -> Told {
    let frankfurt = "AWS4-HMAC-SHA256 Credential=k/20261130/eu-central-1/s3/aws4_request";
    lab.send(None, "PUT /data", &[("authorization", frankfurt)], in_region("eu-central-1")).await?;
    lab.s3("GET /data", "").await
}

pub async fn anonymous_refused(lab: &Lab) -> Told {
    bucket(lab).await?;
    lab.send(None, "GET /data", &[], "").await
}

pub async fn acl_disabled(lab: &Lab) -> Told {
    bucket(lab).await?;
    lab.send(Some("s3"), "PUT /data/key", &[("x-amz-acl", "public-read")], "x").await
}

pub async fn block_public_policy(lab: &Lab) -> Told {
    bucket(lab).await?;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}]}"#;
    let checked = [("x-amz-sdk-checksum-algorithm", "CRC32")];
    lab.send(Some("s3"), "PUT /data?policy", &checked, policy).await
}

pub async fn needs_checksum(lab: &Lab) -> Told {
    bucket(lab).await?;
    let rule =
        "<Rule><Prefix></Prefix><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>";
    let lifecycle = format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>");
    let tagging = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>";
    let mut told = lab.s3("POST /data?delete", "<Delete><Object><Key>x</Key></Object></Delete>").await;
    for (request, body) in [("PUT /data?lifecycle", &*lifecycle), ("PUT /data?tagging", tagging)] {
        let other = lab.s3(request, body).await;
        assert_eq!(other.is_ok(), told.is_ok(), "{request}: {other:?}");
        told = other;
    }
    told
}

pub async fn smallest_part(lab: &Lab) -> Told {
    bucket(lab).await?;
    let begun = lab.s3("POST /data/key?uploads", "").await?;
    let id =
        begun.as_str().unwrap().split_once("<UploadId>").unwrap().1.split('<').next().unwrap().to_owned();
    let mut parts = String::new();
    for number in [1, 2] {
        let etag = lab.s3(&format!("PUT /data/key?partNumber={number}&uploadId={id}"), "small").await?;
        let etag = etag.as_str().unwrap().trim_matches('"');
        parts += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let all = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    lab.s3(&format!("POST /data/key?uploadId={id}"), &all).await
}
