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

/// Tokens of a language model (`EOS_TOKEN = "</s>"`), keys of objects and of tables, numbers, names of
/// secrets and references to other resources are none.
fn is_secret(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let of = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    let is_flag = ["true", "false", "none", "null"].contains(&value.to_ascii_lowercase().as_str());
    let is_named = ["arn:", "s3://", "http://", "https://", "/"].iter().any(|begin| value.starts_with(begin));
    let is_path = value.contains('/') && value.len() < 32;
    if is_number || is_flag || is_named || value.contains("${") {
        return false;
    }
    if of(&["PASSWORD", "PASSWD", "PASSPHRASE"]) {
        return true;
    }
    let is_plain = value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=+/".contains(c));
    if of(&["TOKEN", "SECRET"]) {
        return is_plain && !is_path && value.len() >= 8;
    }
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit());
    of(&["_KEY", "APIKEY"]) && is_plain && !is_path && !value.contains('.') && has_digit && value.len() >= 16
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
        ] {
            assert!(!is_secret(name, value), "{name}");
        }
    }
}
