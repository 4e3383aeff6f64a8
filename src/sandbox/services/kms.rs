//! KMS, as far as whoever names a key asks it: which key an alias stands for.
//!
//! Nothing is encrypted here, and no key is made: every key that a request names is there, and so is one
//! behind every alias. Members that name a key are kept and given back (docs/sandbox.md).

use opsctl_iam::arn::Arn;
use serde_json::json;

use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;
use crate::state::SandboxState;

/// The operations.
pub const API: Api = Api {
    name: "kms",
    signing_name: "kms",
    target: "TrentService",
    invalid: "ValidationException",
    faults: FaultCodes { throttle: (400, "ThrottlingException"), internal: (500, "KMSInternalException") },
    operations: &[op("DescribeKey", &[], describe_key)],
};

fn describe_key(call: &Call) -> Answer {
    let named = call.text("KeyId");
    let arn = arn_of(&call.shared, &call.region, named)
        .ok_or_else(|| Fault::new(400, "NotFoundException", format!("Invalid keyId '{named}'")))?;
    let account = Arn::parse(&arn).map_or("", |arn| arn.account);
    let id = arn.rsplit('/').next().unwrap_or_default();
    let manager = if is_of_aws(&arn) { "AWS" } else { "CUSTOMER" };
    Ok(json!({"KeyMetadata": {
        "AWSAccountId": account, "KeyId": id, "Arn": arn, "CreationDate": 1_700_000_000,
        "Enabled": true, "Description": "", "KeyUsage": "ENCRYPT_DECRYPT", "KeyState": "Enabled",
        "Origin": "AWS_KMS", "KeyManager": manager, "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT", "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"], "MultiRegion": false,
    }}))
}

/// Whether it is the one that AWS keeps for S3, which whoever may use S3 here may use
/// (<https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#aws-managed-key>).
pub fn is_of_aws(arn: &str) -> bool {
    arn.rsplit('/').next() == Some(&id_behind("aws/s3"))
}

/// The same key each time, which the alias is known by.
fn id_behind(alias: &str) -> String {
    let hash = blake3::hash(alias.as_bytes()).to_hex();
    let part = |from: usize, to: usize| hash[from..to].to_owned();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

/// The ARN of the key that is meant by an ARN, an alias or an id.
pub fn arn_of(shared: &SandboxState, region: &str, named: &str) -> Option<String> {
    let arn = Arn::parse(named);
    let id = match arn.map_or(named, |arn| arn.resource).split_once('/') {
        Some(("key", id)) => id.to_owned(),
        Some(("alias", name)) => id_behind(name),
        Some(_) => return None,
        None => named.to_owned(),
    };
    let resource = &format!("key/{id}");
    let own = || shared.arn("kms", region, resource);
    Some(arn.map_or_else(own, |arn| Arn { resource, ..arn }.to_string()))
}

#[cfg(test)]
mod tests {
    use super::arn_of;
    use crate::wire_tests::sandbox;

    #[tokio::test]
    async fn an_alias_stands_for_one_key() {
        let (_root, sandbox) = sandbox(&[]).await;
        let key = |named: &str| arn_of(sandbox.state(), "us-east-1", named);
        let found = key("alias/vision").unwrap();
        assert!(found.starts_with("arn:aws:kms:us-east-1:123456789012:key/"), "{found}");
        assert_eq!(key("arn:aws:kms:us-east-1:123456789012:alias/vision"), Some(found.clone()));
        assert_eq!(key(&found), Some(found.clone()));
        assert_eq!(key(found.rsplit('/').next().unwrap()), Some(found));
        let theirs = key("arn:aws:kms:us-east-1:999999999999:alias/vision").unwrap();
        assert!(theirs.starts_with("arn:aws:kms:us-east-1:999999999999:key/"), "{theirs}");
        assert_eq!(key("secret/x"), None);
        sandbox.stop().await;
    }
}
