//! What every document of a table has. A file may be JSON and no document all the same: another version of
//! opsctl wrote it, or a person. It is looked at once, when it is read ([`crate::store::Store::open`]), so
//! that nothing that uses documents has to.

use std::path::Path;

use serde_json::Value;

use crate::services::s3;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Object,
    List,
}
use Kind::{List, Number, Object, Text};

/// The members that every document of a table has, from the moment it is made; S3's are read typed.
const SHAPES: &[(&str, &[(&str, Kind)])] = &[
    ("application-autoscaling.activity", &[("ActivityId", Text), ("ResourceId", Text), ("StatusCode", Text)]),
    ("application-autoscaling.policy", &[("PolicyName", Text), ("PolicyARN", Text), ("ResourceId", Text)]),
    (
        "application-autoscaling.scheduled-action",
        &[("ScheduledActionName", Text), ("ScheduledActionARN", Text), ("ResourceId", Text)],
    ),
    (
        "application-autoscaling.target",
        &[
            ("ResourceId", Text),
            ("ScalableDimension", Text),
            ("ScalableTargetARN", Text),
            ("MinCapacity", Number),
            ("MaxCapacity", Number),
        ],
    ),
    ("cloudwatch.alarm", &[("AlarmName", Text), ("AlarmArn", Text)]),
    ("ec2.instance", &[("Shown", Object)]),
    ("iam.access-job", &[("JobStatus", Text), ("Services", List)]),
    ("iam.instance-profile", &[("InstanceProfileName", Text), ("Arn", Text), ("Path", Text)]),
    ("iam.policy", &[("PolicyName", Text), ("Arn", Text), ("DefaultVersionId", Text), ("Versions", Object)]),
    (
        "iam.role",
        &[
            ("RoleName", Text),
            ("Arn", Text),
            ("Path", Text),
            ("AssumeRolePolicyDocument", Text),
            ("Attached", Object),
            ("Inline", Object),
        ],
    ),
    ("lambda.account", &[("ConcurrentExecutions", Number)]),
    ("lambda.alias", &[("AliasArn", Text), ("FunctionVersion", Text)]),
    ("lambda.function", &[("Configuration", Object)]),
    ("lambda.provisioned", &[("FunctionArn", Text), ("Status", Text)]),
    ("lambda.version", &[("Configuration", Object)]),
    ("logs.group", &[("logGroupName", Text), ("arn", Text), ("creationTime", Number)]),
    ("logs.stream", &[("logStreamName", Text), ("arn", Text), ("creationTime", Number)]),
    (
        "sagemaker.endpoint",
        &[("EndpointName", Text), ("EndpointArn", Text), ("EndpointStatus", Text), ("CreationTime", Number)],
    ),
    (
        "sagemaker.endpoint-config",
        &[("EndpointConfigName", Text), ("EndpointConfigArn", Text), ("ProductionVariants", List)],
    ),
    ("sagemaker.model", &[("ModelName", Text), ("ModelArn", Text), ("CreationTime", Number)]),
    (
        "sagemaker.notebook-instance",
        &[("NotebookInstanceName", Text), ("NotebookInstanceArn", Text), ("NotebookInstanceStatus", Text)],
    ),
    (
        "sagemaker.notebook-instance-lifecycle-config",
        &[("NotebookInstanceLifecycleConfigName", Text), ("NotebookInstanceLifecycleConfigArn", Text)],
    ),
    (
        "sagemaker.training-job",
        &[
            ("TrainingJobName", Text),
            ("TrainingJobArn", Text),
            ("TrainingJobStatus", Text),
            ("SecondaryStatus", Text),
            ("CreationTime", Number),
        ],
    ),
    ("servicequotas.account", &[]),
    ("tags", &[]),
];

/// Whether a value is a document of a table; else why not. What no service has a table for passes.
pub fn check(table: &str, doc: &Value) -> Result<(), String> {
    if table.starts_with("s3.") {
        return s3::shape(table, doc);
    }
    let Some((_, members)) = SHAPES.iter().find(|(name, _)| *name == table) else { return Ok(()) };
    let Value::Object(given) = doc else { return Err("it is no document of the sandbox's".to_owned()) };
    for (name, kind) in *members {
        let fits = match (kind, given.get(*name)) {
            (_, None) => return Err(format!("it has no `{name}`")),
            (Text, Some(value)) => value.is_string(),
            (Number, Some(value)) => value.is_number(),
            (Object, Some(value)) => value.is_object(),
            (List, Some(value)) => value.is_array(),
        };
        if !fits {
            return Err(format!("its `{name}` is of the wrong type"));
        }
    }
    if table == "tags" && !given.values().all(Value::is_string) {
        return Err("a tag is no text".to_owned());
    }
    Ok(())
}

/// Whether the files with the bytes that a document names are there.
pub fn check_bytes(root: &Path, table: &str, key: &str, doc: &Value) -> Result<(), String> {
    match s3::has_bytes(root, table, key, doc) {
        true => Ok(()),
        false => Err("its bytes are gone".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::json;

    use super::*;

    /// A table that nobody knows here would be read unchecked.
    #[test]
    fn every_table_of_a_service_has_a_shape() {
        let table = regex_lite::Regex::new("\"([a-z0-9-]+\\.[a-z-]+)\"").unwrap();
        let services: BTreeSet<&str> = SHAPES.iter().filter_map(|(name, _)| name.split('.').next()).collect();
        let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("services")];
        let mut used = BTreeSet::new();
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                used.extend(table.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
        used.retain(|name| services.contains(name.split('.').next().unwrap()));
        let known: BTreeSet<String> = SHAPES.iter().map(|(name, _)| (*name).to_owned()).collect();
        let missing: Vec<_> = used.difference(&known).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn what_is_json_and_no_document_is_told() {
        for (table, members) in
            SHAPES.iter().copied().chain([("s3.buckets", &[][..]), ("s3.parts", &[]), ("s3.objects.b", &[])])
        {
            for odd in [json!(null), json!(5), json!("x"), json!([])] {
                assert!(check(table, &odd).is_err(), "{table} {odd}");
            }
            let of = |value: &dyn Fn(Kind) -> Value| -> Value {
                members
                    .iter()
                    .map(|(name, kind)| ((*name).to_owned(), value(*kind)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            };
            if members.is_empty() {
                continue;
            }
            let right = of(&|kind| match kind {
                Text => json!("x"),
                Number => json!(1),
                Object => json!({}),
                List => json!([]),
            });
            assert_eq!(check(table, &right), Ok(()), "{table}");
            for wrong in [
                of(&|_| json!(null)),
                of(&|kind| if kind == Number { json!("5") } else { json!(5) }),
                json!({}),
            ] {
                assert!(check(table, &wrong).is_err(), "{table} {wrong}");
            }
        }
        assert!(check("tags", &json!({"k": 5})).is_err());
        assert_eq!(check("unheard.of", &json!(5)), Ok(()));
    }
}
