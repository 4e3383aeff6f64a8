//! What is wrong with a function.

use std::collections::BTreeMap;

use super::code;
use super::layers;
use super::section::Item;
use super::url::Url;
use crate::desired::Draft;
use crate::domain::{HumanDuration, KeyPath, codes, many};
use crate::inputs::Tree;
use crate::limits::LAMBDA_RESERVED;
use crate::resources::concurrency::Concurrency;
use crate::resources::literal_secret;

/// Runtimes that Lambda still lets one create (docs/aws/lambda.md#runtimes).
const RUNTIMES: [&str; 4] = ["python3.14", "python3.13", "python3.12", "python3.11"];
/// What it calls deprecated: of the first it still makes functions, of the others no more.
const OLD_RUNTIMES: [&str; 6] =
    ["python3.10", "python3.9", "python3.8", "python3.7", "python3.6", "python2.7"];
/// The variable that holds the name of a function's endpoint.
pub(super) const ENDPOINT_NAME: &str = "ENDPOINT_NAME";

/// Layers and concurrency, as Lambda takes them.
fn lint_more(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    layers::lint(&item.layers, &at.join("layers"), draft);
    if item.url == Some(Url::Public) {
        let text = "everybody who has its address may call the function, and you are billed for it";
        let help = "write \"iam\" for callers with credentials, or allow C132 in [lint]";
        draft.warn(codes::PUBLIC_URL, at.join("url"), text, help);
    }
    let Some(reserved) = item.reserved_concurrency else { return };
    if reserved < item.provisioned_concurrency {
        let text = format!(
            "`provisioned_concurrency` is {}, and only {} may run at once",
            item.provisioned_concurrency,
            many(i64::from(reserved), "call")
        );
        let help = "raise it, or lower `provisioned_concurrency`";
        draft.error(codes::BAD_RANGE, at.join("reserved_concurrency"), text, help);
    }
}

pub(super) fn lint(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    lint_more(item, at, draft);
    literal_secret::warn(&item.environment, &at.join("environment"), draft);
    if item.provisioned_concurrency != 0 {
        Concurrency::lint(item.provisioned_concurrency, at, draft);
    }
    lint_runtime(item, at, draft);
    if item.timeout < HumanDuration::seconds(60) {
        let text =
            format!("the function gives up after {}, the endpoint may answer after up to 60s", item.timeout);
        draft.warn(codes::SHORT_TIMEOUT, at.join("timeout"), text, "write \"90s\"");
    }
    for (key, patterns) in [("include", &item.include), ("exclude", &item.exclude)] {
        if item.source.is_none() && !patterns.is_empty() {
            let text = format!("`{key}` chooses files of `source`, and there is none");
            draft.error(codes::BAD_VALUE, at.join(key), text, "add `source`, or remove it");
        }
    }
    for name in item.environment.keys() {
        let key = at.join("environment").join(name);
        if LAMBDA_RESERVED.contains(&name.as_str()) {
            let text = format!("Lambda keeps the variable {name} for itself");
            draft.error(codes::ENTRY_NAME, key, text, "give it another name");
        } else if name == ENDPOINT_NAME {
            let text = format!("opsctl itself sets {name}, to the endpoint that `endpoint` names");
            draft.error(codes::SET_BY_OPSCTL, key, text, "remove it");
        }
    }
    lint_names(item, at, draft);
}

fn lint_runtime(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    if !RUNTIMES.contains(&item.runtime.as_str()) {
        let key = at.join("runtime");
        let help = format!("one of {}", RUNTIMES.join(", "));
        if OLD_RUNTIMES.contains(&item.runtime.as_str()) {
            let text = match item.runtime == OLD_RUNTIMES[0] {
                true => format!("the runtime {} is deprecated", item.runtime),
                false => {
                    format!("Lambda refuses to create a function with {}, which it has closed", item.runtime)
                }
            };
            draft.warn(codes::OLD_RUNTIME, key, text, help);
        } else if !item.runtime.starts_with("python") {
            let text = format!("the function's handler is Python, and `{}` is not", item.runtime);
            draft.error(codes::BAD_VALUE, key, text, help);
        }
    }
}

/// What Python makes names by that are not written where they are made.
const MAKES_NAMES: [&str; 4] = ["globals", "exec", "setattr", "__getattr__"];

/// A handler whose name is nowhere in its file: every call would fail with `Runtime.HandlerNotFound`.
pub fn refuse_no_handler(item: &Item, tree: &Tree, file: &str, at: &KeyPath, draft: &mut Draft<'_>) {
    let Some((_, function)) = item.handler.rsplit_once('.') else { return };
    let Some(entry) = tree.entry(file) else { return };
    let text = String::from_utf8_lossy(&entry.content);
    let words = || text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let is_made = text.contains("import *") || words().any(|word| MAKES_NAMES.contains(&word));
    if function.is_empty() || is_made || words().any(|word| word == function) {
        return;
    }
    let defined = text.lines().filter_map(|line| line.strip_prefix("def "));
    let defined: Vec<&str> = defined.filter_map(|rest| rest.split('(').next()).map(str::trim).collect();
    let help = match defined.as_slice() {
        [] => format!("define it there: def {function}(event, context)"),
        defined => format!("it defines: {}", defined.join(", ")),
    };
    draft.error(
        codes::NOT_IN_SOURCE,
        at.join("handler"),
        format!("there is no `{function}` in {file}"),
        help,
    );
}

/// Its own name, and that of its handler.
fn lint_names(item: &Item, at: &KeyPath, draft: &mut Draft<'_>) {
    // AWS's own pattern has whole ARNs and qualifiers in it
    // (https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html).
    let fits = |name: &&str| {
        (1..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    if let Some(name) = item.name.as_deref().filter(|name| !fits(name)) {
        let text = format!("`{name}` is not the name of a function");
        let help = "write 64 letters, digits, hyphens and underscores at most, without ARN and version";
        draft.error(codes::BAD_NAME, at.join("name"), text, help);
    }
    if !item.handler.contains('.') {
        let text = format!("`{}` names no function", item.handler);
        draft.error(
            codes::BAD_VALUE,
            at.join("handler"),
            text,
            "write <file>.<function>, like \"handler.lambda_handler\"",
        );
    } else if item.source.is_none() && item.handler != code::TEMPLATE_HANDLER {
        let text = format!(
            "`{}` is not in opsctl's own code, which the function has without `source`",
            item.handler
        );
        draft.error(codes::BAD_VALUE, at.join("handler"), text, "add `source`, or remove `handler`");
    }
}

/// Lambda measures the variables as JSON: "exceeded the 4KB limit. String measured: {...}".
pub fn size(environment: &BTreeMap<String, String>, at: &KeyPath, draft: &mut Draft<'_>) {
    let size = serde_json::to_string(environment).expect("text is plain data").len();
    if size > 4_096 {
        let text =
            format!("the environment has {size} bytes with `{ENDPOINT_NAME}`, Lambda allows 4,096 in all");
        draft.error(codes::TOO_LARGE, at.join("environment"), text, "put large values into the bucket");
    }
}
