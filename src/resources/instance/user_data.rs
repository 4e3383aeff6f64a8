//! The program of a training instance, as user data.

use serde_json::json;

use super::Spec;
use crate::domain::shell;

/// EC2's limit, before base64 (docs/aws/ec2.md#user-data).
pub const LIMIT: usize = 16_384;
const TEMPLATE: &str = include_str!("user_data.sh");
/// Amazon Linux 2023's own Python 3.9 is too old for today's packages.
const PYTHON: &str = "python3.12";

/// Fills the template for one job. `region` is the bucket's.
pub fn script(job: &str, spec: &Spec, region: &str) -> String {
    let channels: Vec<String> = spec.channels.iter().map(|c| format!("{} {}", c.name, c.uri)).collect();
    let inputs: Vec<String> = spec.inputs.iter().map(|(channel, path)| format!("{channel} {path}")).collect();
    let values = [
        ("job", job.to_owned()),
        ("output", spec.output.clone()),
        ("code", spec.code.uri()),
        ("entry", spec.code.entry.clone()),
        ("channels", channels.join("\n")),
        ("inputs", inputs.join("\n")),
        ("outputs", spec.outputs.join("\n")),
        ("hyperparameters", json!(spec.hyperparameters).to_string()),
        ("environment", json!(spec.environment).to_string()),
        ("python", PYTHON.to_owned()),
        // Scripts for EC2 usually have no argument parser; SM_HPS has the same values.
        ("pass_args", "0".to_owned()),
        ("region", region.to_owned()),
        ("deadline", spec.max_runtime_s.to_string()),
    ];
    values.iter().fold(without_comments(TEMPLATE), |script, (name, value)| {
        script.replace(&format!("={{{{{name}}}}}\n"), &format!("={}\n", shell::in_quotes(value)))
    })
}

/// The template without its whole-line comments: they are for whoever reads it here, and would take from
/// [`LIMIT`] what channels, hyperparameters and environment need.
fn without_comments(template: &str) -> String {
    let is_comment = |line: &str| line.trim_start().starts_with("# ") || line.trim() == "#";
    template.split_inclusive('\n').filter(|line| !is_comment(line)).collect()
}
