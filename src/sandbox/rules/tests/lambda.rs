//! Lambda.

use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::lab::{Lab, ROLE, Told};
use crate::store::merge;

const FUNCTION: &str = "/2015-03-31/functions/f";

fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"def handler(event, context): return event\n").unwrap();
    zip.finish().unwrap().into_inner()
}

async fn create(lab: &Lab, patch: Value) -> Told {
    let mut function = json!({
        "FunctionName": "f",
        "Runtime": "python3.12",
        "Handler": "app.handler",
        "Role": ROLE,
        "Code": {"ZipFile": STANDARD.encode(archive())},
    });
    merge(&mut function, patch);
    lab.lambda("POST /2015-03-31/functions", function).await
}

/// Function `f`, active.
async fn function(lab: &Lab) -> Result<(), String> {
    create(lab, json!({})).await?;
    lab.advance(1);
    Ok(())
}

async fn publish(lab: &Lab) -> Told {
    let published = lab.lambda(&format!("POST {FUNCTION}/versions"), json!({})).await?;
    lab.advance(1);
    Ok(published)
}

/// Function `f` with versions 1 and 2.
async fn versions(lab: &Lab) -> Result<(), String> {
    function(lab).await?;
    publish(lab).await?;
    lab.lambda(&format!("PUT {FUNCTION}/configuration"), json!({"Description": "another"})).await?;
    lab.advance(1);
    publish(lab).await?;
    Ok(())
}

async fn alias(lab: &Lab, version: &str, weights: Value) -> Told {
    let alias = json!({"Name": "live", "FunctionVersion": version,
        "RoutingConfig": {"AdditionalVersionWeights": weights}});
    lab.lambda(&format!("POST {FUNCTION}/aliases"), alias).await
}

async fn provision(lab: &Lab, qualifier: &str, count: u64) -> Told {
    let line = format!("PUT /2019-09-30/functions/f/provisioned-concurrency?Qualifier={qualifier}");
    lab.lambda(&line, json!({"ProvisionedConcurrentExecutions": count})).await
}

async fn invoke(lab: &Lab, kind: &str, payload: String) -> Told {
    let headers = [("x-amz-invocation-type", kind)];
    lab.send(Some("lambda"), &format!("POST {FUNCTION}/invocations"), &headers, payload).await
}

async fn reserve(lab: &Lab, count: u64) -> Told {
    let line = "PUT /2017-10-31/functions/f/concurrency";
    lab.lambda(line, json!({"ReservedConcurrentExecutions": count})).await
}

pub async fn function_pending(lab: &Lab) -> Told {
    create(lab, json!({})).await?;
    invoke(lab, "DryRun", String::new()).await
}

pub async fn function_updating(lab: &Lab) -> Told {
    function(lab).await?;
    lab.lambda(&format!("PUT {FUNCTION}/configuration"), json!({"Description": "another"})).await?;
    publish(lab).await
}

pub async fn payload_size(lab: &Lab) -> Told {
    function(lab).await?;
    invoke(lab, "DryRun", format!("\"{}\"", " ".repeat(6 << 20))).await
}

pub async fn concurrency_limit(lab: &Lab) -> Told {
    function(lab).await?;
    reserve(lab, 0).await?;
    invoke(lab, "RequestResponse", String::new()).await
}

pub async fn reserved_headroom(lab: &Lab) -> Told {
    function(lab).await?;
    reserve(lab, 950).await
}

pub async fn runtime_deprecated(lab: &Lab) -> Told {
    create(lab, json!({"Runtime": "python3.8"})).await
}

pub async fn environment_reserved(lab: &Lab) -> Told {
    create(lab, json!({"Environment": {"Variables": {"AWS_ACCESS_KEY_ID": "x"}}})).await
}

pub async fn environment_size(lab: &Lab) -> Told {
    create(lab, json!({"Environment": {"Variables": {"LONG": "x".repeat(5_000)}}})).await
}

/// An archive that says of its file that it has 300 MB.
pub async fn code_size(lab: &Lab) -> Told {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("zeros", zip::write::SimpleFileOptions::default()).unwrap();
    for _ in 0..=250 {
        zip.write_all(&[0; 1 << 20]).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    create(lab, json!({"Code": {"ZipFile": STANDARD.encode(archive)}})).await
}

pub async fn code_bucket_region(lab: &Lab) -> Told {
    let frankfurt = "AWS4-HMAC-SHA256 Credential=k/20261130/eu-central-1/s3/aws4_request";
    let signed = [("authorization", frankfurt)];
    let place = "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>";
    lab.send(None, "PUT /elsewhere", &signed, place).await?;
    lab.send(None, "PUT /elsewhere/f.zip", &signed, archive()).await?;
    create(lab, json!({"Code": {"ZipFile": null, "S3Bucket": "elsewhere", "S3Key": "f.zip"}})).await
}

pub async fn alias_weights(lab: &Lab) -> Told {
    versions(lab).await?;
    alias(lab, "1", json!({"2": 1.5})).await
}

pub async fn version_referenced(lab: &Lab) -> Told {
    versions(lab).await?;
    alias(lab, "1", json!({})).await?;
    lab.lambda(&format!("DELETE {FUNCTION}?Qualifier=1"), json!({})).await
}

pub async fn provisioned_unpublished(lab: &Lab) -> Told {
    function(lab).await?;
    provision(lab, "$LATEST", 1).await
}

pub async fn provisioned_weights(lab: &Lab) -> Told {
    versions(lab).await?;
    alias(lab, "1", json!({"2": 0.5})).await?;
    provision(lab, "live", 1).await
}

/// While the alias moves from one version to the other.
pub async fn alias_shifts(lab: &Lab) -> Told {
    versions(lab).await?;
    alias(lab, "1", json!({})).await?;
    provision(lab, "live", 1).await?;
    lab.lambda(&format!("PUT {FUNCTION}/aliases/live"), json!({"FunctionVersion": "2"})).await?;
    provision(lab, "live", 2).await
}

pub async fn provisioned_once(lab: &Lab) -> Told {
    versions(lab).await?;
    alias(lab, "1", json!({})).await?;
    provision(lab, "live", 1).await?;
    provision(lab, "1", 1).await
}

pub async fn provisioned_headroom(lab: &Lab) -> Told {
    versions(lab).await?;
    provision(lab, "1", 950).await
}
