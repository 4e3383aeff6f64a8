//! When a role last used which service (docs/aws/iam.md#last-used). The sandbox does not trace calls to
//! roles, so it has data only where a test has set some ([`super::control`]); else it says what AWS says of
//! an unused service: the service is listed without a time.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{document, no_such_entity, page, policies, stamp};
use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::Entry;

const JOBS: &str = "iam.access-job";

/// Services by IAM prefix and by the name that AWS shows. `*` in a policy stands for these.
const SERVICES: &[(&str, &str)] = &[
    ("application-autoscaling", "Application Auto Scaling"),
    ("cloudwatch", "Amazon CloudWatch"),
    ("ec2", "Amazon EC2"),
    ("ecr", "Amazon Elastic Container Registry"),
    ("iam", "AWS Identity and Access Management"),
    ("kms", "AWS Key Management Service"),
    ("lambda", "AWS Lambda"),
    ("logs", "Amazon CloudWatch Logs"),
    ("s3", "Amazon S3"),
    ("sagemaker", "Amazon SageMaker"),
    ("servicequotas", "Service Quotas"),
    ("ssm", "AWS Systems Manager"),
    ("sts", "AWS Security Token Service"),
    ("tag", "AWS Resource Groups Tagging API"),
];

pub(super) fn generate(call: &Call) -> Answer {
    let arn = call.text("Arn");
    let unknown = || no_such_entity(format!("ARN {arn} is not found."));
    let services = if arn.contains(":role/") {
        let role = super::assume::role(&call.shared, arn).ok_or_else(unknown)?;
        let granted = granted(&call.shared, &role);
        let known = &role["ServicesLastAccessed"];
        let noted = known.as_object().into_iter().flatten().map(|(namespace, _)| namespace.clone());
        let all: BTreeSet<String> = granted.into_iter().chain(noted).collect();
        all.iter().map(|namespace| service(namespace, &known[namespace], arn)).collect::<Vec<_>>()
    } else {
        let policy = policies::find(&call.shared, arn).ok_or_else(unknown)?;
        let holders = policies::attached_to(&call.shared, arn);
        namespaces(policies::text(&policy)).iter().map(|namespace| of_holders(namespace, &holders)).collect()
    };
    let hash = blake3::hash(format!("{}{}", call.request_id, call.now()).as_bytes()).to_hex();
    let id = format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32]);
    let job = json!({
        "JobStatus": "IN_PROGRESS",
        "JobType": call.maybe("Granularity").unwrap_or("SERVICE_LEVEL"),
        "JobCreationDate": stamp(call.now()),
        "Services": services,
    });
    let done = |at| json!({"JobStatus": "COMPLETED", "JobCompletionDate": stamp(at)});
    let plan = call.shared.timeline().then_at(Duration::from_secs(2), done);
    call.shared.global(JOBS).put(&id, Entry::planned(job, plan))?;
    Ok(json!({"JobId": id}))
}

/// One service of a report on a policy: the holder that used it last, and how many did.
fn of_holders(namespace: &str, holders: &[(String, Value)]) -> Value {
    let uses = |role: &Value| role["ServicesLastAccessed"][namespace]["last"].is_string();
    let users = || holders.iter().map(|(_, role)| role).filter(|role| uses(role));
    let latest = users().max_by_key(|role| role["ServicesLastAccessed"][namespace]["last"].to_string());
    let mut shown = match latest {
        Some(role) => {
            let arn = role["Arn"].as_str().unwrap_or_default();
            service(namespace, &role["ServicesLastAccessed"][namespace], arn)
        }
        None => service(namespace, &Value::Null, ""),
    };
    shown["TotalAuthenticatedEntities"] = users().count().into();
    shown
}

/// The services that the policies of a role allow it to use.
fn granted(shared: &SandboxState, role: &Value) -> BTreeSet<String> {
    let attached = role["Attached"].as_object().into_iter().flatten();
    let managed = attached.filter_map(|(arn, _)| policies::find(shared, arn));
    let managed = managed.flat_map(|policy| namespaces(policies::text(&policy)));
    let inline = role["Inline"].as_object().into_iter().flatten();
    managed.chain(inline.flat_map(|(_, text)| namespaces(text.as_str()))).collect()
}

fn namespaces(text: Option<&str>) -> BTreeSet<String> {
    let Some(document) = text.and_then(document::parse) else { return BTreeSet::new() };
    let mut found = BTreeSet::new();
    for service in document.allowed_services() {
        match service {
            "*" => found.extend(SERVICES.iter().map(|(namespace, _)| (*namespace).to_owned())),
            named => {
                found.insert(named.to_ascii_lowercase());
            }
        }
    }
    found
}

/// One service of the answer; `known` is what a test has set: `{"last": time, "region": name, "actions":
/// {name: time}}`.
fn service(namespace: &str, known: &Value, entity: &str) -> Value {
    let name = SERVICES.iter().find(|(known, _)| *known == namespace).map_or(namespace, |(_, name)| name);
    let used = known["last"].is_string();
    let action = |(name, last): (&String, &Value)| {
        json!({
            "ActionName": name,
            "LastAccessedTime": last,
            "LastAccessedEntity": last.is_string().then_some(entity),
            "LastAccessedRegion": last.is_string().then(|| known["region"].clone()),
        })
    };
    json!({
        "ServiceName": name,
        "ServiceNamespace": namespace,
        "LastAuthenticated": known["last"],
        "LastAuthenticatedEntity": used.then_some(entity),
        "LastAuthenticatedRegion": known["region"],
        "TotalAuthenticatedEntities": u8::from(used),
        "TrackedActionsLastAccessed":
                known["actions"].as_object().into_iter().flatten().map(action).collect::<Vec<_>>(),
    })
}

pub(super) fn get(call: &Call) -> Answer {
    let id = call.text("JobId");
    let job: Option<Value> = call.shared.global(JOBS).get(id);
    let job = job.ok_or_else(|| -> Fault { no_such_entity(format!("Job ID {id} is not found.")) })?;
    let mut answer = super::pick(&job, &["JobStatus", "JobType", "JobCreationDate", "JobCompletionDate"]);
    let ready = job["JobStatus"] == "COMPLETED";
    let with_actions = job["JobType"] == "ACTION_LEVEL";
    let services = job["Services"].as_array().into_iter().flatten().filter(|_| ready).map(|service| {
        let mut service = service.clone();
        if !with_actions {
            service["TrackedActionsLastAccessed"] = Value::Null;
        }
        (service["ServiceNamespace"].as_str().unwrap_or_default().to_owned(), service)
    });
    let page = page(call, services.collect())?;
    answer["ServicesLastAccessed"] = page.items.into();
    answer["IsTruncated"] = page.next.is_some().into();
    answer["Marker"] = page.next.into();
    Ok(answer)
}
