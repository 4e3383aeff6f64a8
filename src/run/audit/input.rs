//! Files to audit: a dump, or what is not deployed yet.

use std::collections::BTreeSet;

use serde_json::Value;

use super::account::whole;
use crate::audit::account::{Account, plain_text};
use crate::audit::planned::{self, Kind};
use crate::audit::surroundings::Surroundings;
use opsctl_iam::policy::Document;
use opsctl_iam::time::Instant;

/// Of what a file is an account.
#[derive(Debug)]
pub struct Input {
    pub account: Account,
    pub kind: Kind,
}

/// Reads a dump, the JSON of a plan of Terraform, a template of CloudFormation, or a policy that is called
/// `name`, by what the file holds. `home` is the account that a plan or a template is for, where it is known.
///
/// # Errors
/// Why it is none of them.
pub fn input(name: &str, text: &[u8], home: Option<&str>, now: Instant) -> Result<Input, String> {
    let value = json(text)?;
    let wrapped = || Kind::of(&unwrapped(value.clone()));
    let kind = Kind::of(&value).or_else(wrapped).ok_or(
        "it has no RoleDetailList (a dump), no planned_values (a plan of Terraform), no Resources (a \
         template of CloudFormation) and no Statement (a policy)",
    )?;
    let account = match kind {
        Kind::Dump => whole(text).map_err(|error| error.to_string())?,
        Kind::TerraformPlan | Kind::CloudFormation => planned::of_plan_in(&value, kind, home, now),
        Kind::Policy => policies(&[(name.to_owned(), text.to_vec())], now)?,
    };
    Ok(Input { account, kind })
}

/// Reads policy documents, each under its name. One that is none is named in the account's problems.
///
/// # Errors
/// Why the first is none, when none of them is.
pub fn policies(files: &[(String, Vec<u8>)], now: Instant) -> Result<Account, String> {
    let (mut documents, mut refused, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (name, text) in files {
        match json(text).and_then(policy) {
            Ok(document) => {
                let mut own = name.clone();
                let mut count = 1;
                while !taken.insert(own.clone()) {
                    count += 1;
                    own = format!("{name}-{count}");
                }
                documents.push((own, document));
            }
            Err(why) => refused.push((name, why)),
        }
    }
    if documents.is_empty() {
        let first = refused.into_iter().next();
        return Err(first.map_or_else(|| "there is no policy in it".to_owned(), |(_, why)| why));
    }
    let mut account = planned::of_policies(documents, now);
    for (name, why) in refused {
        account.problem("", &format!("{name} was left out: {why}"));
    }
    Ok(account)
}

/// Reads policies of resources and of the organization.
///
/// # Errors
/// Why the file is no list of them.
pub fn surroundings(text: &[u8]) -> Result<Surroundings, String> {
    Surroundings::from_value(json(text)?).map_err(|error| error.to_string())
}

/// A document of what a principal may do.
fn policy(value: Value) -> Result<Value, String> {
    let document = unwrapped(value);
    if document["Statement"].is_null() {
        return Err("it has no Statement, so it is no policy".to_owned());
    }
    let read = Document::read(document.clone());
    match read.statements().iter().any(|statement| statement.principals.is_some()) {
        true => {
            Err("it has a Principal, so it is the policy of a resource or of a role's trust: see --resources"
                .to_owned())
        }
        false => Ok(document),
    }
}

/// What `aws iam get-policy-version` and `get-role-policy` put around a document is no part of it.
fn unwrapped(mut value: Value) -> Value {
    for place in ["/PolicyVersion/Document", "/PolicyDocument"] {
        if let Some(document) = value.pointer_mut(place).filter(|document| document.is_object()) {
            return document.take();
        }
    }
    value
}

/// JSON, or the YAML of a template.
fn json(text: &[u8]) -> Result<Value, String> {
    let text = plain_text(text);
    let error = match serde_json::from_slice(&text) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    match std::str::from_utf8(&text) {
        Ok(yaml) if is_yaml(yaml) => {
            planned::of_yaml(yaml).map_err(|why| format!("it is YAML that cannot be read: {why}"))
        }
        _ => Err(not_json(&text, &error)),
    }
}

/// Whether a text begins as YAML does that is not JSON too: with `---` or a key.
fn is_yaml(text: &str) -> bool {
    let is_key = |line: &str| {
        let key = line.split_once(':').filter(|(_, rest)| rest.is_empty() || rest.starts_with(' '));
        key.is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric()))
    };
    let said = |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', '%']);
    text.lines().find(said).is_some_and(|line| line.starts_with("---") || is_key(line.trim_end()))
}

/// What else it is, when that can be seen, and how it becomes JSON.
fn not_json(text: &[u8], error: &serde_json::Error) -> String {
    if text.starts_with(b"PK\x03\x04") {
        return "it is a plan as Terraform saves it: `terraform show -json PLAN` writes its JSON".to_owned();
    }
    let start = String::from_utf8_lossy(&text[..text.len().min(1 << 16)]);
    let said = |line: &&str| !line.trim().is_empty() && !line.starts_with(['#', '/']);
    let mut lines = start.lines().filter(said);
    let is_block = |line: &str| {
        ["resource", "data", "module", "variable", "provider", "terraform", "locals", "output"]
            .iter()
            .any(|word| line.strip_prefix(word).is_some_and(|rest| rest.starts_with([' ', '{'])))
            && line.trim_end().ends_with('{')
    };
    match lines.next() {
        Some(line) if is_block(line) || lines.any(is_block) => {
            "it is Terraform's language: `terraform plan -out PLAN` and then `terraform show -json PLAN` \
             write JSON"
                .to_owned()
        }
        _ if error.is_eof() => format!("it is cut off ({error})"),
        _ => error.to_string(),
    }
}
