//! The policies of AWS that the sandbox knows. Their documents are AWS's, but for two: `ReadOnlyAccess` (98
//! KB on AWS) is cut to the sandbox's services, and `AmazonSageMakerFullAccess` (14 KB) to the statements
//! that concern training, hosting, notebooks, S3, ECR and `iam:PassRole`. The data marks these as abridged.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::state::arn_of;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Managed {
    name: String,
    path: String,
    /// The only version that the sandbox has.
    version: String,
    created: String,
    updated: String,
    abridged: bool,
    document: Value,
}

static ALL: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let all: Vec<Managed> =
        serde_json::from_str(include_str!("aws_managed.json")).expect("the file beside this one is right");
    all.iter().map(Managed::entry).collect()
});

impl Managed {
    /// ARN and document, of the same shape as those of customer managed policies.
    fn entry(&self) -> (String, Value) {
        let arn = arn_of("iam", "", "aws", &format!("policy{}{}", self.path, self.name));
        let id: String = blake3::hash(arn.as_bytes()).to_hex()[..17].to_uppercase();
        let document = json!({
            "PolicyName": self.name,
            "PolicyId": format!("ANPA{id}"),
            "Arn": arn,
            "Path": self.path,
            "Description": if self.abridged { "Abridged by the sandbox." } else { "" },
            "CreateDate": self.created,
            "UpdateDate": self.updated,
            "DefaultVersionId": self.version,
            "Versions": {&self.version: {"Document": self.document.to_string(), "CreateDate": self.updated}},
        });
        (arn, document)
    }
}

/// A policy of AWS by its ARN.
pub(super) fn find(arn: &str) -> Option<Value> {
    ALL.get(arn).cloned()
}

/// All of them, by ARN.
pub(super) fn all() -> impl Iterator<Item = (String, Value)> {
    ALL.iter().map(|(arn, document)| (arn.clone(), document.clone()))
}
