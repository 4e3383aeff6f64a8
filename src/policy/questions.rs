//! What a simulator of IAM is asked before something is done: each action with the resources that it will
//! touch, by their own names. The documents of `opsctl policy` allow more, because names change; a tighter
//! policy is right too.

use std::collections::{BTreeMap, BTreeSet};

use opsctl_iam::pattern;

use crate::desired::{AnyKind, Desired, Kind, Node};
use crate::domain::{Action, KindName, ResourceId, Scope, action};
use crate::resources::role::Role;

use super::{BOUNDS, LOGS, boundary, condition, fitting, logs};

/// Whether each of the actions is allowed on each of the resources, where these keys have these values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub actions: Vec<String>,
    pub resources: Vec<String>,
    pub context: Vec<(String, String)>,
}

/// What is to be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// All that any command does.
    Any,
    /// It is made, which AWS allows or not by a few actions: what is not among them may be missing.
    Making,
}

/// The first words of operations without which nothing is made.
const MAKING: &[&str] = &[
    "Create",
    "PutObject",
    "PutProvisionedConcurrencyConfig",
    "PutRolePolicy",
    "PutScalingPolicy",
    "RegisterScalableTarget",
    "RunInstances",
];

type Context = Vec<(String, String)>;

/// What must be allowed for this work, in as few questions as say no more than that.
pub fn questions(
    desired: &Desired,
    kinds: &[Box<dyn AnyKind>],
    work: impl Fn(&Node) -> Option<Work>,
) -> Vec<Question> {
    let known = known(desired, kinds);
    let mut asked =
        Asked { scope: &desired.scope, boundary: boundary(desired), known, pairs: BTreeMap::new() };
    let bucket = desired.nodes.iter().find(|node| node.id.kind == KindName::Bucket);
    let mut users: BTreeSet<&ResourceId> = BTreeSet::new();
    for kind in kinds {
        for node in desired.nodes.iter().filter(|node| node.id.kind == kind.name()) {
            if let Some(work) = work(node) {
                users.extend(&node.needs);
                asked.node(kind.as_ref(), node, bucket, work);
            }
        }
    }
    for role in desired.nodes.iter().filter(|node| users.contains(&node.id)) {
        asked.pass(role);
    }
    for given in desired.given_to(|node| work(node).is_some()) {
        let context = vec![("iam:PassedToService".into(), given.service.into())];
        asked.ask(action::iam::PassRole.name, &given.arn, context);
    }
    asked.questions()
}

/// The ARNs that are known to the end.
fn known(desired: &Desired, kinds: &[Box<dyn AnyKind>]) -> Vec<String> {
    let arns = |node: &Node| {
        let kind = kinds.iter().find(|kind| kind.name() == node.id.kind);
        kind.map_or_else(Vec::new, |kind| kind.arns(&desired.scope, &node.physical))
    };
    desired.nodes.iter().flat_map(arns).filter(|arn| !is_pattern(arn)).collect()
}

fn is_pattern(arn: &str) -> bool {
    arn.contains(['*', '?'])
}

struct Asked<'a> {
    scope: &'a Scope,
    boundary: Option<&'a str>,
    known: Vec<String>,
    pairs: BTreeMap<(String, Context), BTreeSet<String>>,
}

impl Asked<'_> {
    fn node(&mut self, kind: &dyn AnyKind, node: &Node, bucket: Option<&Node>, work: Work) {
        let mut arns = kind.arns(self.scope, &node.physical);
        if node.spec_as::<Role>().is_some_and(|role| !role.instance_profile) {
            arns.retain(|arn| !arn.contains(":instance-profile/"));
        }
        arns.retain(|arn| !arn.starts_with(&format!("arn:{}:s3:::", self.scope.partition)));
        if let Some(bucket) = bucket {
            let bare = format!("arn:{}:s3:::{}", self.scope.partition, bucket.physical);
            let keys = node.spec.object_keys(&node.physical);
            arns.extend(keys.iter().map(|key| format!("{bare}/{key}")));
            arns.push(bare);
        }
        let logs = logs(self.scope, kind, &node.physical);
        if !logs.is_empty() && work == Work::Any {
            arns.extend(logs);
            self.calls(LOGS, &arns, work);
        }
        self.calls(&node.spec.calls(), &arns, work);
        if work == Work::Any {
            self.calls(kind.invoked().as_slice(), &arns, work);
        }
    }

    fn calls(&mut self, calls: &[Action], arns: &[String], work: Work) {
        let is_part = |call: &&Action| {
            let operation = call.name.split(':').nth(1).unwrap_or_default();
            work == Work::Any || MAKING.iter().any(|word| operation.starts_with(word))
        };
        let all: BTreeSet<&str> = calls.iter().filter(is_part).flat_map(|call| call.needs()).collect();
        for permission in all {
            // Whom a role is passed to depends on the role, and a service has its own role once.
            let skipped = [action::iam::PassRole.name, action::iam::CreateServiceLinkedRole.name];
            if permission == BOUNDS && self.boundary.is_none() {
                continue;
            }
            if permission == skipped[0] || (permission == skipped[1] && work == Work::Making) {
                continue;
            }
            for arn in fitting(permission, arns) {
                let condition = condition(self.scope, self.boundary, permission, &arn);
                let keys = condition["StringEquals"].as_object().into_iter().flatten();
                let keys = keys.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
                let keys = keys.collect();
                self.ask(permission, &self.resolved(&arn), keys);
            }
        }
    }

    /// Passing a role to the service that assumes it.
    fn pass(&mut self, node: &Node) {
        let Some(service) = node.spec_as::<Role>().and_then(|spec| spec.assumed_by()) else { return };
        let arn = <Role as Kind>::arns(self.scope, &node.physical).swap_remove(0);
        self.ask(action::iam::PassRole.name, &arn, vec![("iam:PassedToService".into(), service.into())]);
    }

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
