//! Secrets that are written into an environment. AWS shows its values to whoever may describe the resource
//! (docs/decisions/0062-roles-of-others.md).

use std::collections::BTreeMap;

use crate::desired::Draft;
use crate::domain::{KeyPath, codes};

/// Warns of each variable or hyperparameter, which are at `at`, whose name and value both look like a secret.
pub fn warn(values: &BTreeMap<String, String>, at: &KeyPath, draft: &mut Draft<'_>) {
    for name in values.iter().filter(|(name, value)| is_secret(name, value)).map(|(name, _)| name) {
        let text =
            format!("`{name}` looks like a secret, and AWS shows it to everybody who may describe this");
        let help =
            "let the code read it from Secrets Manager or SSM, by `permissions`; or allow C135 in [lint]";
        draft.warn(codes::LITERAL_SECRET, at.join(name), text, help);
    }
}

/// How keys begin that their services mark, whatever the variable is called.
const MARKED: [&str; 13] = [
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "sk-proj-",
    "sk-ant-",
    "hf_",
    "dapi",
    "https://hooks.slack.com/services/",
];
/// Of keys that name a thing of AWS, of a table or of a program.
const NO_SECRET: [&str; 24] = [
    "S3",
    "OBJECT",
    "BUCKET",
    "PARTITION",
    "SORT",
    "PRIMARY",
    "FOREIGN",
    "GROUP",
    "INDEX",
    "CACHE",
    "HASH",
    "RANGE",
    "KMS",
    "PUBLIC",
    "MODEL",
    "DATA",
    "FILE",
    "JOIN",
    "INPUT",
    "OUTPUT",
    "IMAGE",
    "LABEL",
    "FEATURE",
    "TARGET",
];
const NO_WORDS: [&str; 4] = ["true", "false", "none", "null"];

/// Tokens of a language model (`EOS_TOKEN = "</s>"`), keys of objects and of tables, numbers, names of
/// secrets and references to other resources are none.
fn is_secret(name: &str, value: &str) -> bool {
    if value.contains("${") {
        return false;
    }
    let marked = MARKED.iter().find_map(|mark| value.strip_prefix(mark));
    let is_one = |rest: &str| is_plain(rest) && (!rest.contains('/') || value.starts_with("https://"));
    let is_marked = marked.is_some_and(|rest| rest.len() >= 16 && is_one(rest));
    if is_marked || has_password(value) || value.contains("PRIVATE KEY-----") {
        return true;
    }
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    let is_flag = NO_WORDS.contains(&value.to_ascii_lowercase().as_str());
    let is_named = ["arn:", "s3://", "http://", "https://", "/"].iter().any(|begin| value.starts_with(begin));
    if is_number || is_flag || is_named {
        return false;
    }
    let words = words(name);
    let (last, before) = match &words[..] {
        [.., before, last] => (last.as_str(), before.as_str()),
        [last] => (last.as_str(), ""),
        [] => return false,
    };
    let is_path = value.contains('/') && value.len() < 32;
    let is_text = is_plain(value) && !is_path && value.len() >= 8;
    match last {
        _ if ["PASSWORD", "PASSWD", "PASSPHRASE"].iter().any(|end| last.ends_with(end)) => true,
        "PWD" | "PASS" => value.len() >= 8 && !is_path,
        "PAT" | "CREDENTIAL" | "CREDENTIALS" => is_text && value.len() >= 16 && !value.contains('.'),
        _ if last.ends_with("TOKEN") || last.ends_with("SECRET") => is_text,
        "APIKEY" => is_text && !value.contains('.'),
        "KEY" if ["API", "SECRET", "PRIVATE", "AUTH"].contains(&before) => is_text && !value.contains('.'),
        "KEY" if !before.is_empty() && !NO_SECRET.contains(&before) => {
            let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
            // What has no digit is a word or several, but for one that nobody can read.
            let is_run = value.len() >= 24 && value.bytes().all(|byte| byte.is_ascii_alphanumeric());
            is_text && !value.contains('.') && value.len() >= 16 && (has_digit || is_run)
        }
        _ => false,
    }
}

fn is_plain(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=+/".contains(c))
}

/// The parts of a name, in capitals: `clientSecret` and `CLIENT_SECRET` have the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() || (was_small && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        was_small = c.is_ascii_lowercase();
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphanumeric()) {
            word.push(c.to_ascii_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether it is an address with a password in it: `postgres://user:password@host/db`.
fn has_password(value: &str) -> bool {
    let Some((scheme, rest)) = value.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
    !scheme.is_empty() && user.is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::is_secret;

    #[test]
    fn a_secret_is_known_by_its_name_and_its_value() {
        for (name, value) in [
            ("HF_TOKEN", "hf_AbCdEfGhIjKlMnOp"),
            ("HUGGING_FACE_HUB_TOKEN", "hf_1234567890"),
            ("DB_PASSWORD", "correct horse"),
            ("OPENAI_API_KEY", "sk-proj-0123456789abcdef"),
            ("clientSecret", "0123456789abcdef"),
            ("api_key", "abcdefghijklmnopqrstuvwxyz"),
            ("OPENAI_KEY", "skabcdefghijklmnopqrstuvwxyz"),
            ("DATABASE_URL", "postgres://admin:hunter2@db.internal/x"),
            ("SLACK_WEBHOOK", "https://hooks.slack.com/services/T000/B000/XXXXXXXX"),
            ("GITHUB_PAT", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"),
            ("whatever", "ghp_0123456789abcdefghijklmnopqrstuvwxyz"),
            ("DB_PWD", "hunter2hunter2"),
            ("DB_PASS", "hunter2hunter2"),
            ("CREDENTIALS", "0123456789abcdef"),
            ("PRIVATE_KEY", "-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ"),
            ("SECRET_KEY", "django-insecure-abcdefgh"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ] {
            assert!(is_secret(name, value), "{name}");
        }
        for (name, value) in [
            ("HF_MODEL_ID", "distilbert-base-uncased-finetuned-sst-2-english"),
            ("HF_TASK", "text-classification"),
            ("EOS_TOKEN", "<|endoftext|>"),
            ("PAD_TOKEN", "[PAD]"),
            ("MAX_TOKEN", "123456789012"),
            ("TOKENIZERS_PARALLELISM", "false"),
            ("DB_SECRET", "prod/database"),
            ("DB_SECRET", "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf"),
            ("MODEL_KEY", "models/2026-11-30/model.tar.gz"),
            ("PARTITION_KEY", "customer_id"),
            ("KMS_KEY", "${bucket}"),
            ("HF_TOKEN", ""),
            ("s3_key", "models-2026-11-30-shoes"),
            ("key_path", "0123456789abcdef0123456789abcdef"),
            ("tokenizer", "bert-base-uncased"),
            ("max_tokens", "all-of-them"),
            ("partition_key", "customer_identifier_2026"),
            ("key", "0123456789abcdef"),
            ("monkey", "abcdefghijklmnopqrstuvwxyz01"),
            ("sort_key", "year"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "credentials.json"),
            ("MODEL_URL", "https://huggingface.co/org/model"),
            ("HF_MODEL_ID", "hf_internal/tiny"),
            ("API_KEY_SECRET_NAME", "prod-openai-key"),
            ("FIRST_PASS", "coarse"),
            ("KMS_KEY", "1234abcd-12ab-34cd-56ef-1234567890ab"),
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
