//! How many instances of each type the account may have, against how many the config begins with.

use std::collections::BTreeMap;

use super::Check;
use crate::aws::{OpResult, SdkResultExt};
use crate::domain::action;
use crate::resources::endpoint_config::EndpointConfig;
use crate::resources::notebook::Notebook;
use crate::resources::training::Training;
use crate::run::Session;

const CHECK: &str = "quota";
const SERVICE: &str = "sagemaker";

/// A quota as AWS lists it.
struct Quota {
    code: String,
    value: f64,
}

/// What the config needs at the least, by the names of the quotas (docs/aws/sagemaker.md#quotas). Trainings
/// may run at the same time.
fn needed(session: &Session) -> BTreeMap<String, i64> {
    let mut needed = BTreeMap::new();
    let mut add = |instance_type: &str, usage: &str, count: i64| {
        *needed.entry(format!("{instance_type} for {usage}")).or_default() += count;
    };
    for node in &session.desired.nodes {
        if let Some(spec) = node.spec_as::<Training>() {
            let usage =
                if spec.max_wait_s.is_some() { "spot training job usage" } else { "training job usage" };
            add(&spec.instance_type, usage, i64::from(spec.instance_count));
        }
        if let Some(spec) = node.spec_as::<EndpointConfig>() {
            add(&spec.instance_type, "endpoint usage", i64::from(spec.instance_count));
        }
        if let Some(spec) = node.spec_as::<Notebook>() {
            add(&spec.instance_type, "notebook instance usage", 1);
        }
    }
    needed
}

/// Whether each quota has room for what the config begins with. What is in use already is not counted.
pub(super) async fn instances(session: &Session) -> Vec<Check> {
    let needed = needed(session);
    if needed.is_empty() {
        return Vec::new();
    }
    let known = match quotas(session, &needed).await {
        Ok(known) => known,
        Err(error) => return vec![Check::unread(CHECK, &error)],
    };
    let region = &session.context.scope.region;
    let home =
        format!("https://{region}.console.aws.amazon.com/servicequotas/home/services/{SERVICE}/quotas");
    let judge = |(name, count): (&String, &i64)| match known.get(name) {
        Some(quota) if quota.value < *count as f64 => {
            let message = format!("{name}: the config needs {count}, the account may have {}", quota.value);
            Check::fails(CHECK, message, format!("ask for more: {home}/{}", quota.code))
        }
        Some(quota) => {
            Check::ok(CHECK, format!("{name}: {count} of {}, present use not counted", quota.value))
        }
        None => Check::unknown(CHECK, format!("AWS lists no quota `{name}`"), format!("look for it: {home}")),
    };
    needed.iter().map(judge).collect()
}

/// Those of the names that AWS lists: what was applied to the account, else the default.
async fn quotas(session: &Session, needed: &BTreeMap<String, i64>) -> OpResult<BTreeMap<String, Quota>> {
    let client = &session.context.aws.quotas;
    let mut known = BTreeMap::new();
    let mut pages =
        client.list_service_quotas().service_code(SERVICE).max_results(100).into_paginator().send();
    while let Some(page) = pages.next().await {
        for quota in page.op(action::servicequotas::ListServiceQuotas)?.quotas() {
            note(quota, needed, &mut known);
        }
        if known.len() == needed.len() {
            return Ok(known);
        }
    }
    let defaults = client.list_aws_default_service_quotas().service_code(SERVICE).max_results(100);
    let mut pages = defaults.into_paginator().send();
    while let Some(page) = pages.next().await {
        for quota in page.op(action::servicequotas::ListAWSDefaultServiceQuotas)?.quotas() {
            note(quota, needed, &mut known);
        }
    }
    Ok(known)
}

fn note(
    quota: &aws_sdk_servicequotas::types::ServiceQuota,
    needed: &BTreeMap<String, i64>,
    known: &mut BTreeMap<String, Quota>,
) {
    let (Some(name), Some(value)) = (quota.quota_name(), quota.value()) else { return };
    if needed.contains_key(name) {
        let code = quota.quota_code().unwrap_or_default().to_owned();
        known.entry(name.to_owned()).or_insert(Quota { code, value });
    }
}
