//! What is wrong with a job, wherever it runs.

use std::collections::BTreeMap;

use super::hyperparameter::{PROGRAM, SUBMIT_DIRECTORY, TOOLKIT};
use super::job::{Item, Platform};
use crate::desired::Draft;
use crate::domain::{KeyPath, codes};

/// The problems that both places have in common.
pub fn common(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    refuse_ours(item, at, draft);
    if item.on == Platform::Sagemaker {
        refuse_variables(item, at, draft);
    }
    let mut channels = BTreeMap::new();
    for (i, name) in item.data.iter().enumerate() {
        // A script finds a channel by SM_CHANNEL_<NAME>, in capitals.
        if let Some(other) = channels.insert(name.to_uppercase(), name) {
            let text = match other == name {
                true => format!("`{name}` is named twice"),
                false => format!(
                    "`{name}` and `{other}` are both SM_CHANNEL_{} to the script",
                    name.to_uppercase()
                ),
            };
            draft.error(
                codes::BAD_VALUE,
                at.join("data").join(i.to_string()),
                text,
                "name each channel once",
            );
        }
    }
    // The toolkit refuses others, because it builds a command of a shell from it
    // (https://github.com/aws/sagemaker-training-toolkit/pull/243).
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-/".contains(c);
    if !item.entry.ends_with(".py") && !item.entry.chars().all(plain) {
        let text = format!("`{}` is run by a shell, and has characters that a shell reads", item.entry);
        draft.error(
            codes::BAD_VALUE,
            at.join("entry"),
            text,
            "rename it: letters, digits, `.`, `_`, `+` and `-`",
        );
    }
}

/// Refuses names that the toolkit reads: what is written there would be overwritten.
fn refuse_ours(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    for name in item.hyperparameters.keys().filter(|name| TOOLKIT.contains(&name.as_str())) {
        let help = match name.as_str() {
            PROGRAM => "name the script by `entry`",
            SUBMIT_DIRECTORY => "name the folder by `source`",
            _ => "remove it",
        };
        let text = format!("opsctl itself sends the hyperparameter `{name}`");
        draft.error(codes::SET_BY_OPSCTL, at.join("hyperparameters").join(name), text, help);
    }
}

/// Warns of texts that a container with an old toolkit would take apart.
pub fn warn_of_spaces(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let odd = |c: char| c.is_whitespace() || "\"'\\$`;&|<>()*?[]{}#~".contains(c);
    for (name, value) in &item.hyperparameters {
        if value.plain().contains(odd) {
            let text =
                format!("the toolkit of this image takes `{name}` apart at spaces and what a shell reads");
            let help = format!("read SM_HP_{} in the script, or use a newer image", name.to_uppercase());
            draft.warn(codes::SPLIT_AT_SPACES, at.join("hyperparameters").join(name), text, help);
        }
    }
}

/// Variables that the container sets, whatever the job says
/// (https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md).
const CONTAINER: &[&str] = &[
    "SAGEMAKER_PROGRAM",
    "SAGEMAKER_SUBMIT_DIRECTORY",
    "SM_CHANNELS",
    "SM_CURRENT_HOST",
    "SM_CURRENT_INSTANCE_TYPE",
    "SM_FRAMEWORK_PARAMS",
    "SM_HOSTS",
    "SM_HPS",
    "SM_INPUT_CONFIG_DIR",
    "SM_INPUT_DATA_CONFIG",
    "SM_INPUT_DIR",
    "SM_LOG_LEVEL",
    "SM_MODEL_DIR",
    "SM_MODULE_DIR",
    "SM_MODULE_NAME",
    "SM_NETWORK_INTERFACE_NAME",
    "SM_NUM_CPUS",
    "SM_NUM_GPUS",
    "SM_OUTPUT_DATA_DIR",
    "SM_OUTPUT_DIR",
    "SM_RESOURCE_CONFIG",
    "SM_TRAINING_ENV",
    "SM_USER_ARGS",
    "SM_USER_ENTRY_POINT",
    "TRAINING_JOB_ARN",
    "TRAINING_JOB_NAME",
];

fn refuse_variables(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let of_channel =
        |name: &str| item.data.iter().any(|c| name == format!("SM_CHANNEL_{}", c.to_uppercase()));
    let of_value =
        |name: &str| item.hyperparameters.keys().any(|h| name == format!("SM_HP_{}", h.to_uppercase()));
    for name in item.environment.keys() {
        if CONTAINER.contains(&name.as_str()) || of_channel(name) || of_value(name) {
            let help = match name.as_str() {
                "SAGEMAKER_PROGRAM" => "name the script by `entry`",
                "SAGEMAKER_SUBMIT_DIRECTORY" => "name the folder by `source`",
                _ => "remove it, or give your own variable another name",
            };
            let text = format!("the container itself sets {name}");
            draft.error(codes::SET_BY_OPSCTL, at.join("environment").join(name), text, help);
        }
    }
}
