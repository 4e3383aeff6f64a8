//! The documents of the AWS managed policies, for dumps that name a policy without its document (AWS leaves
//! out those used only as a boundary). Embedded and pinned like the catalogue; a snapshot, so the account's
//! own copy always comes first.

use std::io::Read;
use std::sync::LazyLock;

use crate::policy::Document;

static MANAGED: &[u8] = include_bytes!("data/managed.gz");

static TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::with_capacity(3_600_000);
    flate2::read::GzDecoder::new(MANAGED)
        .read_to_string(&mut text)
        .expect("data/managed.gz is part of the program and covered by a test");
    text
});

/// One AWS managed policy of the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Managed {
    /// Its ARN.
    pub arn: &'static str,
    /// The version that is the default one: `v7`.
    pub version: &'static str,
    /// Day of the latest change, `YYYY-MM-DD`.
    pub updated: &'static str,
    json: &'static str,
}

impl Managed {
    /// The document as AWS published it, as JSON.
    pub fn json(&self) -> &'static str {
        self.json
    }

    /// The document, read by the same reader as the account's own.
    pub fn document(&self) -> Document {
        Document::read(serde_json::Value::String(self.json.to_owned()))
    }
}

/// Every policy of the snapshot.
pub fn all() -> impl Iterator<Item = Managed> {
    TEXT.lines().filter_map(parse)
}

/// The policy of an ARN.
pub fn find(arn: &str) -> Option<Managed> {
    let start = match TEXT.starts_with(&format!("{arn}\t")) {
        true => 0,
        false => TEXT.find(&format!("\n{arn}\t"))? + 1,
    };
    TEXT[start..].lines().next().and_then(parse)
}

fn parse(line: &'static str) -> Option<Managed> {
    let mut fields = line.splitn(4, '\t');
    Some(Managed {
        arn: fields.next()?,
        version: fields.next()?,
        updated: fields.next()?,
        json: fields.next()?,
    })
}

/// The day of the newest policy in the snapshot.
pub fn date() -> &'static str {
    static DATE: LazyLock<&str> =
        LazyLock::new(|| all().map(|policy| policy.updated).max().unwrap_or_default());
    &DATE
}
