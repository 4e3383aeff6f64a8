//! What a simulator of IAM is asked before something is done: each action with the resources that it will
//! touch, by their own names. The documents of `opsctl policy` allow more, because names change; a tighter
//! policy is right too.

use std::collections::{BTreeMap, BTreeSet};

use opsctl_iam::pattern;
use serde_json::Value;

use super::needed::{For, Work, needed};
use crate::desired::{AnyKind, Desired, Node, kind_of};
use crate::domain::Scope;

/// Whether each of the actions is allowed on each of the resources, where these keys have these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub context: Vec<(String, String)>,
}

type Context = Vec<(String, String)>;

/// What must be allowed for this work, in as few questions as say no more than that.
pub fn questions(
    desired: &Desired,
    kinds: &[Box<dyn AnyKind>],
    work: impl Fn(&Node) -> Option<Work>,
) -> Vec<Question> {
    let known = known(desired, kinds);
    let mut asked = Asked { scope: &desired.scope, known, pairs: BTreeMap::new() };
    for need in needed(desired, kinds, For::Questions(&work)) {
        let resource = asked.resolved(&need.arn);
        asked.ask(need.permission, &resource, context(&need.condition));
    }
    asked.questions()
}

/// Values that meet a condition.
fn context(condition: &Value) -> Context {
    let operators = ["StringEquals", "StringLike", "Bool"];
    let keys = operators.iter().filter_map(|operator| condition[*operator].as_object()).flatten();
    let value = |value: &Value| value.as_str().map(|text| text.replace(['*', '?'], ""));
    keys.filter_map(|(key, one)| Some((key.clone(), value(one)?))).collect()
}

/// The ARNs that are known to the end.
fn known(desired: &Desired, kinds: &[Box<dyn AnyKind>]) -> Vec<String> {
    let arns = |node: &Node| kind_of(kinds, node.id.kind).arns(&desired.scope, &node.physical);
    desired.nodes.iter().flat_map(arns).filter(|arn| !is_pattern(arn)).collect()
}

fn is_pattern(arn: &str) -> bool {
    arn.contains(['*', '?'])
}

struct Asked<'a> {
    scope: &'a Scope,
    known: Vec<String>,
    pairs: BTreeMap<(String, Context), BTreeSet<String>>,
}

impl Asked<'_> {
    /// The name that a pattern stands for here, else one that it could.
    fn resolved(&self, arn: &str) -> String {
        if arn == "*" || !is_pattern(arn) {
            return arn.to_owned();
        }
        let known = self.known.iter().find(|known| pattern::matches(arn, known));
        known.cloned().unwrap_or_else(|| arn.replace('?', "0").replace('*', "x"))
    }

    fn ask(&mut self, action: &str, resource: &str, mut context: Context) {
        if let Some(region) = requested_region(self.scope, action) {
            context.push(("aws:RequestedRegion".to_owned(), region.to_owned()));
        }
        self.pairs.entry((action.to_owned(), context)).or_default().insert(resource.to_owned());
    }

    /// Actions of the same resources are one question, and so are resources of the same actions.
    fn questions(self) -> Vec<Question> {
        let mut actions: BTreeMap<(BTreeSet<String>, Context), Vec<String>> = BTreeMap::new();
        for ((action, context), resources) in self.pairs {
            actions.entry((resources, context)).or_default().push(action);
        }
        let mut resources: BTreeMap<(Vec<String>, Context), BTreeSet<String>> = BTreeMap::new();
        for ((of, context), actions) in actions {
            resources.entry((actions, context)).or_default().extend(of);
        }
        let question = |((actions, context), resources): ((Vec<String>, Context), BTreeSet<String>)| {
            Question { actions, resources: resources.into_iter().collect(), context }
        };
        resources.into_iter().map(question).collect()
    }
}

/// Where the request goes: IAM is in one region of a partition
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
/// aws:RequestedRegion). `None`: not known.
fn requested_region<'a>(scope: &'a Scope, action: &str) -> Option<&'a str> {
    match (action.split(':').next(), scope.partition.as_str()) {
        (Some("iam"), "aws") => Some("us-east-1"),
        (Some("iam"), _) => None,
        _ => Some(&scope.region),
    }
}
