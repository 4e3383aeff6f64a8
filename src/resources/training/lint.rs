//! What is wrong with a job, wherever it runs.

use std::collections::BTreeMap;

use super::hyperparameter::{PROGRAM, SUBMIT_DIRECTORY, TOOLKIT};
use super::job::{Item, Platform};
use crate::desired::Draft;
use crate::domain::{KeyPath, codes};
use crate::resources::image;

/// The problems that both places have in common.
pub fn common(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    refuse_ours(item, at, draft);
    refuse_variables(item, at, draft);
    refuse_unpassable(item, at, draft);
    refuse_patterns(item, at, draft);
    // The toolkit refuses others, because it builds a command of a shell from it
    // (https://github.com/aws/sagemaker-training-toolkit/pull/243).
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-/".contains(c);
    let entry = item.entry();
    if !entry.ends_with(".py") && !entry.chars().all(plain) {
        let text = format!("`{entry}` is run by a shell, and has characters that a shell reads");
        draft.error(
            codes::BAD_VALUE,
            at.join("entry"),
            text,
            "rename it: letters, digits, `.`, `_`, `+` and `-`",
        );
    }
}

/// An algorithm brings its own program, image and metrics
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AlgorithmSpecification.html>).
pub fn of_algorithm(algorithm: &str, item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let given = [
        ("source", item.source.is_some()),
        ("entry", item.entry.is_some()),
        ("include", !item.include.is_empty()),
        ("exclude", !item.exclude.is_empty()),
        ("image", item.image.is_some()),
        ("metrics", !item.metrics.is_empty()),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        let text = format!("`{key}` has no meaning beside `algorithm`: {algorithm} brings its own");
        draft.error(codes::BAD_VALUE, at.join(*key), text, "remove it, or remove `algorithm`");
    }
}

/// Nothing is packed for a container that has its program in it.
pub fn of_container(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let given = [
        ("entry", item.entry.is_some()),
        ("include", !item.include.is_empty()),
        ("exclude", !item.exclude.is_empty()),
    ];
    for (key, _) in given.iter().filter(|(_, given)| *given) {
        let text =
            format!("`{key}` is of the files of `source`, and there is none: the image brings its program");
        draft.error(codes::BAD_VALUE, at.join(*key), text, "add `source`, or remove it");
    }
}

/// Refuses patterns of metrics that cannot be read, or do not say which part is the value: of several groups
/// it is the first.
fn refuse_patterns(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    for (metric, pattern) in &item.metrics {
        let groups = regex_lite::Regex::new(pattern).map(|r| r.captures_len());
        // The whole match counts as one.
        if groups.as_ref().map_or(true, |groups| *groups < 2) {
            let why = groups.err().map_or_else(|| "it has no group".to_owned(), |e| e.to_string());
            let text = format!("the pattern of the metric `{metric}` cannot be used: {why}");
            draft.error(
                codes::BAD_PATTERN,
                at.join("metrics").join(metric),
                text,
                "for example 'accuracy=([0-9.]+)'",
            );
        }
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

/// Warns of texts that a container would take apart: one with an old toolkit those of any script, every one
/// those of a shell script, which it runs as a line of a shell (aws/sagemaker-training-toolkit `process.py`).
pub fn warn_of_spaces(item: &Item, is_old: bool, at: &KeyPath, draft: &mut Draft<'_>) {
    let who = match (item.runs_in_shell(), is_old) {
        (true, _) => "what runs a shell script",
        (false, true) => "the toolkit of this image",
        (false, false) => return,
    };
    let odd = |c: char| c.is_whitespace() || "\"'\\$`;&|<>()*?[]{}#~".contains(c);
    for (name, value) in &item.hyperparameters {
        if value.plain().contains(odd) {
            let text = format!("{who} takes `{name}` apart at spaces and what a shell reads");
            let variable = format!("read SM_HP_{} in the script", name.to_uppercase());
            let help =
                if item.runs_in_shell() { variable } else { format!("{variable}, or use a newer image") };
            draft.warn(codes::SPLIT_AT_SPACES, at.join("hyperparameters").join(name), text, help);
        }
    }
}

/// Variables that the container sets, whatever the job says
/// (https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md).
const CONTAINER: &[&str] = &[
    image::PROGRAM,
    image::SUBMIT_DIRECTORY,
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

/// Those that opsctl itself sets on EC2 (src/resources/instance/user_data.sh).
const INSTANCE: &[&str] = &[
    "SM_CHANNELS",
    "SM_CURRENT_HOST",
    "SM_HOSTS",
    "SM_HPS",
    "SM_INPUT_DIR",
    "SM_MODEL_DIR",
    "SM_NUM_CPUS",
    "SM_NUM_GPUS",
    "SM_OUTPUT_DATA_DIR",
    "SM_OUTPUT_DIR",
    "TRAINING_JOB_NAME",
];

/// Refuses names that no variable can have, and those that are one variable to the script.
fn refuse_unpassable(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    for name in item.environment.keys() {
        let at = at.join("environment").join(name);
        let first = |c: char| c.is_ascii_alphabetic() || c == '_';
        let is_name = name.starts_with(first) && name.chars().all(|c| first(c) || c.is_ascii_digit());
        // SageMaker's own model says the same of its jobs.
        if item.on == Platform::Ec2 && !is_name {
            let text = format!("{name:?} is not a name of an environment variable");
            draft.error(codes::BAD_NAME, at, text, "use letters, digits and `_`, not beginning with a digit");
        }
    }
    let mut variables = BTreeMap::new();
    for name in item.hyperparameters.keys() {
        let at = at.join("hyperparameters").join(name);
        let variable = format!("SM_HP_{}", name.to_uppercase());
        if name.is_empty() || name.contains('=') {
            let text = format!("{name:?} cannot be the name of a hyperparameter: it becomes {variable:?}");
            draft.error(codes::BAD_NAME, at, text, "use letters, digits, `_` and `-`");
        } else if let Some(other) = variables.insert(variable.clone(), name) {
            let text = format!("`{other}` and `{name}` are both {variable} to the script");
            draft.error(codes::BAD_VALUE, at, text, "rename one of them");
        }
    }
}

fn refuse_variables(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    let (theirs, whose) = match item.on {
        Platform::Sagemaker => (CONTAINER, "the container"),
        Platform::Ec2 => (INSTANCE, "opsctl"),
    };
    let of_channel = |name: &str| {
        item.data
            .entries()
            .any(|c| name == format!("SM_CHANNEL_{}", c.channel.unwrap_or(c.data).to_uppercase()))
    };
    let of_value =
        |name: &str| item.hyperparameters.keys().any(|h| name == format!("SM_HP_{}", h.to_uppercase()));
    for name in item.environment.keys() {
        if theirs.contains(&name.as_str()) || of_channel(name) || of_value(name) {
            let help = match name.as_str() {
                image::PROGRAM => "name the script by `entry`",
                image::SUBMIT_DIRECTORY => "name the folder by `source`",
                _ => "remove it, or give your own variable another name",
            };
            let text = format!("{whose} itself sets {name}");
            draft.error(codes::SET_BY_OPSCTL, at.join("environment").join(name), text, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_variables_of_the_instance_are_those_that_its_program_sets() {
        let program = include_str!("../instance/user_data.sh");
        let words = program.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        // Those of a channel and of a hyperparameter are named after it.
        let of_a_name = |word: &&str| ["SM_CHANNEL_", "SM_HP_"].iter().any(|start| word.starts_with(start));
        let set: BTreeSet<&str> = words.filter(|w| w.starts_with("SM_") && !of_a_name(w)).collect();
        let known = INSTANCE.iter().copied().filter(|name| name.starts_with("SM_")).collect();
        assert_eq!(set, known);
        assert!(program.contains("TRAINING_JOB_NAME=job"));
    }
}
