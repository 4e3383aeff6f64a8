//! `[encryption]`: a key of the user's own for all that is made.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::places::partition;
use crate::domain::{Diagnostic, Diagnostics, KeyPath, codes};
use crate::limits::ArnOf;
use opsctl_iam::arn::Arn;

/// `[encryption]`: with which key what opsctl makes is encrypted. Without it AWS's own keys are used.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Encryption {
    /// A symmetric KMS key in the project's region: the ARN of the key or of an alias, or `"alias/NAME"`. It
    /// encrypts the bucket, jobs and their volumes, endpoints, notebooks, the environment of functions, log
    /// groups and the disks of EC2 instances. It is used, and never changed. An adopted bucket keeps its own
    /// encryption. Another key trains again, and makes notebooks again. Default none.
    pub kms_key: Option<String>,
    /// The ARNs of keys that `kms_key` was before: what is in the bucket stays under the key that it was
    /// written with, and the generated roles may decrypt with these.
    pub former_kms_keys: Vec<String>,
}

const EXAMPLE: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

impl Encryption {
    /// The alias that is written in place of a key, which only AWS can tell.
    pub fn alias(&self) -> Option<&str> {
        let written = self.kms_key.as_deref()?;
        let name = Arn::parse(written).map_or(written, |arn| arn.resource);
        name.starts_with("alias/").then_some(written)
    }

    pub(super) fn lint(&self, region: Option<&str>, problems: &mut Diagnostics) {
        if let Some(written) = &self.kms_key {
            lint(written, &Self::at(), region, problems);
        }
        for (index, written) in self.former_kms_keys.iter().enumerate() {
            let at = KeyPath::of(["encryption", "former_kms_keys"]).join(index.to_string());
            match Arn::parse(written).is_some_and(|arn| arn.resource.starts_with("key/")) {
                true => lint(written, &at, region, problems),
                false => {
                    let help = format!("objects are under keys, whatever an alias names now: \"{EXAMPLE}\"");
                    let text = format!("\"{written}\" is no ARN of a key");
                    problems.push(Diagnostic::error(codes::BAD_ARN, at, text, help));
                }
            }
        }
    }

    /// The key of the config.
    pub fn at() -> KeyPath {
        KeyPath::of(["encryption", "kms_key"])
    }

    /// What the services are called in `kms:ViaService`
    /// (<https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service>).
    pub fn via(services: &[&str], region: &str) -> Vec<String> {
        let suffix = partition(region).1;
        services.iter().map(|service| format!("{service}.{region}.{suffix}")).collect()
    }
}

/// A key or alias as it is written.
fn lint(written: &str, at: &KeyPath, region: Option<&str>, problems: &mut Diagnostics) {
    let name = at.0.get(1).map_or("kms_key", String::as_str);
    let refused = |text: &str, help: String| {
        Diagnostic::error(codes::BAD_ARN, at.clone(), format!("`{name}` {text}"), help)
    };
    let help = format!("write the key's ARN (\"{EXAMPLE}\"), that of an alias, or \"alias/NAME\"");
    if !written.starts_with("alias/") && Arn::parse(written).is_none() {
        problems.push(refused("is neither an ARN nor an alias", help));
        return;
    }
    if !written.starts_with("alias/") {
        let (noun, kinds) = ("encryption key", &["key/", "alias/"][..]);
        // A key may be another account's.
        let of = ArnOf { noun, example: EXAMPLE, service: "kms", kinds, account: None, region };
        if let Some(problem) = of.refuse(written, at) {
            problems.push(problem);
            return;
        }
    }
    let arn = Arn::parse(written);
    if let Some((arn, region)) = arn.zip(region).filter(|(arn, region)| arn.region != *region) {
        let text = format!("is in {}, the project in {region}", arn.region);
        problems.push(refused(&text, format!("AWS takes a key of the same region: name one in {region}")));
        return;
    }
    let (kind, name) = arn.map_or(written, |arn| arn.resource).split_once('/').unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || kind == "alias" && "_/".contains(c);
    // https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
    if name.is_empty() || name.len() > 250 || !name.chars().all(plain) {
        problems.push(refused("is no name of a key", help));
    } else if kind == "alias" && name.starts_with("aws/") {
        let text = "is a key of AWS's own, whose policy lets nobody hand it on";
        problems.push(refused(text, "name a key of yours, or remove it: AWS's are used then".into()));
    }
}
