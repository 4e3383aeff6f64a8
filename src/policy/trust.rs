//! Who may assume the role of a pipeline: one repository of GitHub, and of it one environment or branch.

use serde_json::{Value, json};

use crate::domain::action;
use opsctl_iam::arn::Arn;

/// Which runs of a repository are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runs {
    /// Those of jobs with this `environment:`.
    Environment(String),
    /// Those of this branch.
    Branch(String),
}

/// GitHub's identity provider, as its ARN and its claims name it.
const HOST: &str = "token.actions.githubusercontent.com";

/// The trust policy of the role.
/// <https://docs.github.com/en/actions/concepts/security/openid-connect>
pub fn github(partition: &str, account: &str, repository: &str, runs: &Runs) -> Value {
    let of = match runs {
        Runs::Environment(name) => format!("environment:{}", claim(name)),
        Runs::Branch(name) => format!("ref:refs/heads/{name}"),
    };
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Federated": provider(partition, account) },
            "Action": action::sts::AssumeRoleWithWebIdentity,
            "Condition": { "StringEquals": {
                format!("{HOST}:aud"): audience(partition),
                format!("{HOST}:sub"): format!("repo:{repository}:{of}"),
            } },
        }],
    })
}

/// The ARN of the provider, which an account has once.
pub fn provider(partition: &str, account: &str) -> String {
    let resource = format!("oidc-provider/{HOST}");
    Arn { partition, service: "iam", region: "", account, resource: &resource }.to_string()
}

/// What `aws-actions/configure-aws-credentials` asks for, by partition.
pub fn audience(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "sts.amazonaws.com.cn",
        _ => "sts.amazonaws.com",
    }
}

/// The provider's URL.
pub fn url() -> String {
    format!("https://{HOST}")
}

/// A name as it stands in a claim, where colons part the fields: GitHub writes them as `%3A`.
fn claim(name: &str) -> String {
    name.replace(':', "%3A")
}

/// Whether a text is OWNER/NAME, and nothing that IAM would read as a pattern.
///
/// # Errors
/// What it should be.
pub fn repository(text: &str) -> Result<String, String> {
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    match text.split_once('/') {
        Some((owner, name)) if plain(owner) && plain(name) => Ok(text.to_owned()),
        _ => Err("write OWNER/NAME, as in github.com/OWNER/NAME".to_owned()),
    }
}

/// Whether a text can be the name of an environment or a branch, whole.
///
/// # Errors
/// What it should be.
pub fn name(text: &str) -> Result<String, String> {
    let strange = |c: char| c.is_control() || c.is_whitespace() || "*?${}".contains(c);
    match text {
        "" => Err("it is empty".to_owned()),
        _ if text.chars().any(strange) => Err("write one name, without wildcards or blanks".to_owned()),
        _ => Ok(text.to_owned()),
    }
}
