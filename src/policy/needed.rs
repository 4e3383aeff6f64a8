//! What whoever runs opsctl must be allowed: each permission, on what, under which condition, and when. The
//! documents and the questions are both made of it, so that neither has what the other lacks.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    AUDIT, BOUNDS, DOCTOR, LOGS, Names, OF_CHANGES, PRICES, QUALIFIED, Whom, boundary, condition, fitting,
    images, is_reading, logs,
};
use crate::config::Encryption;
use crate::desired::{AnyKind, Desired, GivenRole, KeyUse, Kind, Node};
use crate::domain::{Action, KindName, ResourceId, Scope, action};
use crate::inputs::{RemoteLook, bucket_and_key};
use crate::resources::bucket::Bucket;
use crate::resources::data::Data;
use crate::resources::instance::Instance;
use crate::resources::manifest::Manifest;
use crate::resources::model::{Model, Spec};
use crate::resources::role::Role;
use opsctl_iam::arn::Arn;

/// One permission.
#[derive(Debug)]
pub(super) struct Need {
    pub permission: &'static str,
    pub arn: String,
    pub condition: Value,
    /// Whether the ARN is of the project, and has its name.
    pub is_ours: bool,
}

/// What is to be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// All that any command does.
    Any,
    /// It is made, which AWS allows or not by a few actions: what is not among them may be missing.
    Making,
}

/// In which work it is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// Something is made, which fails without it.
    Making,
    /// All else that the config asks for.
    Working,
    /// It is looked at beside the config, and opsctl does without: a report, an audit, what is left of an
    /// earlier config, what `doctor` asks.
    Beside,
}

/// What it is collected for.
#[derive(Clone, Copy)]
pub(super) enum For<'a> {
    Documents(Whom, Names),
    /// For this work with each resource, by their names as they are now.
    Questions(&'a dyn Fn(&Node) -> Option<Work>),
}

/// The first words of operations without which nothing is made. With `ENDING` and what does neither they are
/// all that kinds call, which a test holds.
pub(super) const MAKING: &[&str] = &[
    "Create",
    "PutObject",
    "PutProvisionedConcurrencyConfig",
    "PutRolePolicy",
    "PutScalingPolicy",
    "RegisterScalableTarget",
    "RunInstances",
];

/// All that is needed.
pub(super) fn needed(desired: &Desired, kinds: &[Box<dyn AnyKind>], asked: For<'_>) -> Vec<Need> {
    let (whom, names) = match asked {
        For::Documents(whom, names) => (whom, names),
        For::Questions(_) => (Whom::Deployer, Names::Exact),
    };
    let (boundary, asks) = (boundary(desired), matches!(asked, For::Questions(_)));
    let (scope, latest, needs) = (&desired.scope, When::Beside, Vec::new());
    let mut walk = Walk { scope, boundary, whom, names, asks, latest, needs };
    let latest = |node: &Node| match asked {
        For::Documents(..) => Some(When::Beside),
        For::Questions(work) => work(node).map(|work| match work {
            Work::Any => When::Working,
            Work::Making => When::Making,
        }),
    };
    let meant: BTreeMap<&ResourceId, When> =
        desired.nodes.iter().filter_map(|node| Some((&node.id, latest(node)?))).collect();
    walk.project(desired, kinds, &meant);
    let latest = meant.values().max().copied().unwrap_or(When::Making);
    walk.latest = if asks { latest } else { When::Beside };
    walk.pass(desired, &meant);
    walk.looked_at(desired);
    walk.images(desired);
    walk.remotes(desired);
    walk.encryption(desired, kinds, &meant);
    if !asks {
        walk.left(desired, kinds);
        walk.audit();
    }
    walk.needs
}

pub(super) struct Walk<'a> {
    pub(super) scope: &'a Scope,
    /// The permissions boundary of every role that is made.
    boundary: Option<&'a str>,
    pub(super) whom: Whom,
    pub(super) names: Names,
    /// Whether each resource is meant by its own name.
    asks: bool,
    /// What is needed later than this is left out.
    latest: When,
    needs: Vec<Need>,
}

impl Walk<'_> {
    fn project(
        &mut self,
        desired: &Desired,
        kinds: &[Box<dyn AnyKind>],
        meant: &BTreeMap<&ResourceId, When>,
    ) {
        let bucket = desired.nodes.iter().find(|node| node.id.kind == KindName::Bucket);
        for kind in kinds {
            for node in desired.nodes.iter().filter(|node| node.id.kind == kind.name()) {
                let Some(latest) = meant.get(&node.id) else { continue };
                self.latest = *latest;
                self.node(kind.as_ref(), node, bucket);
            }
        }
    }

    /// What the verbs of its kind, `logs` and `invoke` need of one resource.
    fn node(&mut self, kind: &dyn AnyKind, node: &Node, bucket: Option<&Node>) {
        let physical = match (kind.fingerprinted() && !self.asks, node.physical.rsplit_once('-')) {
            // The next one has another.
            (true, Some((name, suffix))) => format!("{name}-{}", "?".repeat(suffix.len())),
            _ => node.physical.clone(),
        };
        let mut arns = kind.arns(self.scope, &physical);
        if node.spec_as::<Role>().is_some_and(|role| !role.instance_profile) {
            arns.retain(|arn| !arn.contains(":instance-profile/"));
        }
        let logs = logs(self.scope, kind, &physical);
        if !logs.is_empty() && self.latest > When::Making {
            arns.extend(logs);
            self.calls(LOGS, &arns, When::Working);
        }
        if self.asks {
            arns.retain(|arn| !arn.starts_with(&self.scope.s3_arn("")));
        }
        if let Some(bucket) = bucket {
            arns.extend(self.in_bucket(kind, node, &physical, bucket));
        }
        let calls = match self.names {
            Names::Exact => node.spec.calls(),
            Names::OfProject => kind.calls().to_vec(),
        };
        self.calls(&calls, &arns, When::Making);
        self.calls(kind.reported(), &arns, When::Beside);
        if self.whom == Whom::Deployer {
            for (action, arn) in node.spec.also_needs() {
                for permission in action.needs() {
                    self.others(When::Making, permission, arn.clone(), Value::Null);
                }
            }
            self.calls(kind.invoked().as_slice(), &arns, When::Working);
        }
    }

    /// The bucket and what of it one resource is about.
    fn in_bucket(&self, kind: &dyn AnyKind, node: &Node, physical: &str, bucket: &Node) -> Vec<String> {
        let bare = self.scope.s3_arn(&bucket.physical);
        let with = |keys: Vec<String>| -> Vec<String> {
            keys.iter().map(|key| format!("{bare}/{key}")).chain([bare.clone()]).collect()
        };
        if self.asks {
            return with(node.spec.object_keys(&node.physical));
        }
        if self.whom == Whom::Deployer {
            return <Bucket as Kind>::arns(self.scope, &bucket.physical);
        }
        let mut keys = match self.names {
            // Data sets have no prefix of the project in their keys.
            Names::OfProject if node.spec_as::<Data>().is_some() => vec![Manifest::key("data/*")],
            _ => kind.read_keys(physical),
        };
        if node.spec_as::<Model>().is_some_and(Spec::is_of_this_machine) {
            keys.push(format!("{}*", Model::artifacts(self.scope)));
        }
        with(keys)
    }

    /// Calls that are about these. Those that make something are needed then, if they are of that work.
    pub(super) fn calls(&mut self, calls: &[Action], arns: &[String], when: When) {
        let mut all: BTreeMap<&'static str, When> = BTreeMap::new();
        for call in calls {
            let operation = call.operation();
            let makes = MAKING.iter().any(|word| operation.starts_with(word));
            let when = if makes { when } else { when.max(When::Working) };
            for permission in call.needs() {
                // A service has its own role once.
                let once = permission == action::iam::CreateServiceLinkedRole.name;
                let when = if once { when.max(When::Working) } else { when };
                all.entry(permission).and_modify(|first| *first = when.min(*first)).or_insert(when);
            }
        }
        // Whom a role is passed to depends on the role.
        all.remove(action::iam::PassRole.name);
        for (permission, when) in all {
            let plans = self.whom == Whom::Planner;
            if permission == BOUNDS && self.boundary.is_none() {
                continue;
            }
            if plans && (!is_reading(permission) || OF_CHANGES.contains(&permission)) {
                continue;
            }
            let mut fitting = fitting(permission, arns);
            // A plan asks for the alias.
            if plans && QUALIFIED.contains(&permission) {
                fitting.retain(|arn| arn.ends_with(":*"));
            }
            for arn in fitting {
                let condition = condition(self.scope, self.boundary, permission, &arn);
                self.need(when, Need { permission, arn, condition, is_ours: true });
            }
        }
    }

    /// Passing a role to the service that assumes it, where something that is meant runs with it. That of
    /// somebody else is looked at before it is used.
    fn pass(&mut self, desired: &Desired, meant: &BTreeMap<&ResourceId, When>) {
        let pass = |arn: &str, service: &str, is_ours: bool| Need {
            permission: action::iam::PassRole.name,
            arn: arn.to_owned(),
            condition: json!({ "StringEquals": { "iam:PassedToService": service } }),
            is_ours,
        };
        let deploys = self.whom == Whom::Deployer;
        let users = desired.nodes.iter().filter(|node| meant.contains_key(&node.id));
        let used: BTreeSet<&ResourceId> = users.flat_map(|node| &node.needs).collect();
        for node in desired.nodes.iter().filter(|node| deploys && used.contains(&node.id)) {
            let Some(spec) = node.spec_as::<Role>() else { continue };
            let arn = <Role as Kind>::arns(self.scope, &node.physical).swap_remove(0);
            self.need(When::Making, pass(&arn, spec.assumed_by, true));
        }
        let given: Vec<&GivenRole> = desired.given_to(|node| meant.contains_key(&node.id)).collect();
        for given in given {
            self.others(When::Working, action::iam::GetRole.name, given.arn.clone(), Value::Null);
            if deploys {
                self.need(When::Making, pass(&given.arn, given.service, false));
            }
        }
    }

    /// What others have made and is looked at before the first write: the boundary, and the instance profiles
    /// of roles.
    fn looked_at(&mut self, desired: &Desired) {
        if let Some(boundary) = self.boundary {
            self.others(When::Working, action::iam::GetPolicy.name, boundary.to_owned(), Value::Null);
        }
        for node in &desired.nodes {
            let is_given = desired.given.iter().any(|given| desired.origin.get(&node.id) == Some(&given.at));
            let Some(instance) = node.spec_as::<Instance>().filter(|_| is_given) else { continue };
            let named = match instance.profile_arn.as_str() {
                arn if arn.starts_with("arn:") => arn.to_owned(),
                name => self.scope.iam_arn(&format!("instance-profile/{name}")),
            };
            self.others(When::Working, action::iam::GetInstanceProfile.name, named, Value::Null);
        }
    }

    /// Whether images are in their registries.
    fn images(&mut self, desired: &Desired) {
        for image in images(&desired.nodes) {
            for permission in action::ecr::BatchGetImage.needs() {
                self.others(When::Working, permission, image.arn(&self.scope.partition), Value::Null);
            }
        }
    }

    /// What is read of other buckets.
    fn remotes(&mut self, desired: &Desired) {
        let arn = |rest: &str| self.scope.s3_arn(rest);
        for remote in &desired.remotes {
            let Some((bucket, key)) = bucket_and_key(&remote.uri) else { continue };
            let condition = match key {
                "" => Value::Null,
                key => json!({ "StringLike": { "s3:prefix": format!("{key}*") } }),
            };
            self.others(When::Working, action::s3::ListBucket.name, arn(bucket), condition);
            if remote.look == RemoteLook::Object {
                let object = arn(&format!("{bucket}/{key}"));
                self.others(When::Working, action::s3::GetObject.name, object, Value::Null);
            }
        }
    }

    /// What AWS's services do with the key in the name of whoever calls them.
    fn encryption(
        &mut self,
        desired: &Desired,
        kinds: &[Box<dyn AnyKind>],
        meant: &BTreeMap<&ResourceId, When>,
    ) {
        let has = |kind: KindName| meant.keys().any(|id| id.kind == kind);
        let uses = kinds.iter().filter(|kind| has(kind.name())).filter_map(|kind| kind.key_use());
        let uses: Vec<KeyUse> = uses.collect();
        let region = &self.scope.region;
        let via = |service: &str| {
            let service = Encryption::via(&[service], region);
            json!({ "StringEquals": { "kms:ViaService": service } })
        };
        // What was encrypted with them is read until it is written again.
        for KeyUse { service, looks, .. } in &uses {
            for key in &desired.former_kms_keys {
                for action in looks.iter() {
                    self.others(When::Working, action.name, key.clone(), via(service));
                }
            }
        }
        let Some(key) = &desired.kms_key else { return };
        let deploys = self.whom == Whom::Deployer;
        for KeyUse { service, changes, looks } in &uses {
            for action in if deploys { changes.iter() } else { looks.iter() } {
                self.others(When::Making, action.name, key.clone(), via(service));
            }
        }
        let grants = kinds.iter().any(|kind| kind.grants_key() && has(kind.name()));
        let when = if grants { When::Making } else { When::Working };
        self.others(when, action::kms::DescribeKey.name, key.clone(), Value::Null);
        if deploys {
            // For volumes and functions, which services use without anybody.
            let condition = json!({ "Bool": { "kms:GrantIsForAWSResource": "true" } });
            self.others(when, action::kms::CreateGrant.name, key.clone(), condition);
        }
    }

    fn audit(&mut self) {
        let of = |what: &str| self.scope.iam_arn(&format!("{what}/*"));
        let (partition, resource) = (&self.scope.partition, "policy/*");
        let aws = Arn { partition, service: "iam", region: "", account: "aws", resource }.to_string();
        self.calls(PRICES, &[], When::Beside);
        for permission in DOCTOR.iter().flat_map(|call| call.needs()) {
            let arns = fitting(permission, &[of("role"), of("user")]);
            // Of what is not the project's, such as a quota, only reads are asked for.
            let arns = if arns.is_empty() { vec!["*".to_owned()] } else { arns };
            arns.into_iter().for_each(|arn| self.others(When::Beside, permission, arn, Value::Null));
        }
        for permission in AUDIT.iter().flat_map(|call| call.needs()) {
            let arns = fitting(permission, &[of("role"), of("policy"), aws.clone()]);
            arns.into_iter().for_each(|arn| self.others(When::Beside, permission, arn, Value::Null));
        }
    }

    /// What is about nothing of the project.
    fn others(&mut self, when: When, permission: &'static str, arn: String, condition: Value) {
        self.need(when, Need { permission, arn, condition, is_ours: false });
    }

    fn need(&mut self, when: When, need: Need) {
        if when <= self.latest {
            self.needs.push(need);
        }
    }
}
