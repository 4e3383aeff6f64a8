//! What is wrong with a function's layers: Lambda would refuse it in the middle of a deploy.

use std::collections::BTreeMap;

use crate::desired::Draft;
use crate::domain::{Diagnostic, KeyPath, codes};
use crate::limits::ArnOf;
use opsctl_iam::arn::Arn;

const EXAMPLE: &str = "arn:aws:lambda:us-east-1:123456789012:layer:tools:1";
/// <https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html>
const MOST: usize = 5;

/// A layer without its version, and that.
fn parts(arn: &str) -> Option<(&str, &str)> {
    let (layer, version) = arn.rsplit_once(':')?;
    let resource = Arn::parse(layer)?.resource;
    let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    (is_version && resource.starts_with("layer:")).then_some((layer, version))
}

/// One that AWS's own pattern is worth holding against; what is wrong with others is said in words.
pub(super) fn whole(text: &str) -> Option<String> {
    parts(text).map(|_| text.to_owned())
}

pub(super) fn lint(layers: &[String], at: &KeyPath, draft: &mut Draft<'_>) {
    if layers.len() > MOST {
        let text = format!("there are {} layers, Lambda takes {MOST}", layers.len());
        draft.error(codes::LIMIT, at.clone(), text, "put their files into fewer layers");
    }
    let (_, region) = draft.home();
    let mut versions = BTreeMap::new();
    for (i, arn) in layers.iter().enumerate() {
        let at = at.join(i.to_string());
        let of = ArnOf {
            noun: "AWS Lambda layer",
            example: EXAMPLE,
            service: "lambda",
            kinds: &["layer:"],
            account: None,
            region,
        };
        if let Some(wrong) = of.refuse(arn, &at) {
            // In a list it has a number in the place of a name.
            let message = wrong.message.replacen(&format!("`{i}`"), &format!("\"{arn}\""), 1);
            draft.problems.push(Diagnostic { message, ..wrong });
            continue;
        }
        let Some((layer, version)) = parts(arn) else {
            let text = format!("\"{arn}\" names a layer without its version");
            draft.error(codes::BAD_ARN, at, text, format!("write it as \"{EXAMPLE}\""));
            continue;
        };
        let theirs = Arn::parse(arn).map_or("", |arn| arn.region);
        if let Some(region) = region.filter(|region| *region != theirs) {
            let text =
                format!("the layer is in {theirs}, and Lambda takes those of its own region, {region}");
            draft.error(codes::BAD_ARN, at, text, "publish it there, and name that version");
        } else if let Some(other) = versions.insert(layer, version) {
            let text = format!("two versions of one layer, {other} and {version}: Lambda takes one");
            draft.error(codes::BAD_VALUE, at, text, "leave one of them out");
        }
    }
}
