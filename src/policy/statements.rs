//! Grants written as few statements, in documents that IAM takes.

use std::collections::{BTreeMap, BTreeSet};

use opsctl_iam::pattern;
use opsctl_iam::policy::{Document, Statement};
use serde_json::{Value, json};

/// "The size of each managed policy cannot exceed 6,144 characters", white space not counted
/// (docs/aws/iam.md#limits).
pub const LARGEST: usize = 6_144;

/// Actions with the resources that they are on; a condition is kept as its text, which sorts.
#[derive(Debug, Default)]
pub(super) struct Grants(BTreeMap<(String, String), BTreeSet<String>>);

impl Grants {
    pub(super) fn add(&mut self, action: &str, resource: String, condition: Value) {
        self.0.entry((action.to_owned(), condition.to_string())).or_default().insert(resource);
    }

    /// What a statement allows.
    pub(super) fn statement(&mut self, statement: &Value) {
        let read = Statement::from_json(statement.clone()).expect("opsctl writes what IAM takes");
        for action in read.actions.patterns() {
            for resource in read.on() {
                self.add(action, resource.clone(), statement["Condition"].clone());
            }
        }
    }

    /// What has the same resources and the same condition is one statement. They fill one document after the
    /// other.
    pub(super) fn documents(&self) -> Vec<Value> {
        let mut statements: BTreeMap<(BTreeSet<&str>, &str), Vec<&str>> = BTreeMap::new();
        for ((action, condition), resources) in &self.0 {
            let covered =
                |one: &&String| resources.iter().any(|other| other != *one && pattern::matches(other, one));
            let widest = resources.iter().filter(|one| !covered(one)).map(String::as_str).collect();
            statements.entry((widest, condition)).or_default().push(action);
        }
        let written = statements.iter().map(|((resources, condition), actions)| {
            let mut statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
            if let Ok(condition @ Value::Object(_)) = serde_json::from_str(condition) {
                statement["Condition"] = condition;
            }
            statement
        });
        let mut documents: Vec<Vec<Value>> = Vec::new();
        for statement in written {
            match documents.last_mut() {
                Some(last) if size(last.iter().chain([&statement])) <= LARGEST => last.push(statement),
                _ => documents.push(vec![statement]),
            }
        }
        documents.iter().map(|statements| document(statements.iter())).collect()
    }
}

fn document<'a>(statements: impl Iterator<Item = &'a Value>) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

/// Characters as IAM counts them.
fn size<'a>(statements: impl Iterator<Item = &'a Value>) -> usize {
    Document::read(document(statements)).policy().map_or(usize::MAX, |policy| policy.size)
}
