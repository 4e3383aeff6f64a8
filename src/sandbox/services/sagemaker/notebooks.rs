//! Notebook instances and their lifecycle configurations (docs/aws/sagemaker-notebooks.md).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::instances::{Count, within_quota};
use super::resource::invalid;
use super::{LIFECYCLE_CONFIG, NOTEBOOK, roles};
use crate::call::{Answer, Call};
use crate::clock::{Millis, epoch_seconds};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::services::quotas::Use;
use crate::state::SandboxState;
use crate::store::{Entry, merge};

const PLATFORMS: &[&str] = &[
    "notebook-al1-v1",
    "notebook-al2-v1",
    "notebook-al2-v2",
    "notebook-al2-v3",
    "notebook-al2023-v1",
    "notebook-al2023-v2",
];
const IMDS: Constraint = Constraint::ANY
    .at("InstanceMetadataServiceConfiguration.MinimumInstanceMetadataServiceVersion")
    .required()
    .one_of(&["1", "2"]);
const PLATFORM: Constraint = Constraint::ANY.at("PlatformIdentifier").one_of(PLATFORMS);

/// What CreateNotebookInstance takes.
pub const CREATE: &[Constraint] = &[Constraint::ANY.at("InstanceType").required(), PLATFORM, IMDS];
/// What UpdateNotebookInstance takes.
pub const UPDATE: &[Constraint] = &[PLATFORM, IMDS];

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

/// Starts from Amazon Linux 2023 only since 2026-07-01 (docs/aws/sagemaker-notebooks.md#platforms); the texts
/// are not AWS's.
fn check_platform(shared: &SandboxState, platform: &Value, verb: &str) -> Result<(), Fault> {
    let platform = platform.as_str().unwrap_or_default();
    let closed = platform.starts_with("notebook-al1") || platform.starts_with("notebook-al2-");
    if closed && shared.enforces(AwsRule::NotebookPlatform) {
        return Err(invalid(format!(
            "Notebook instances with the platform identifier {platform} can no longer be {verb}. Use notebook-al2023-v1."
        )));
    }
    Ok(())
}

fn check_lifecycle_config(call: &Call) -> Result<(), Fault> {
    match call.maybe("LifecycleConfigName") {
        Some(name) => LIFECYCLE_CONFIG.get(call, name).map(|_| ()),
        None => Ok(()),
    }
}

/// Answers CreateNotebookInstance.
pub fn create(call: &Call) -> Answer {
    let instance_type = call.text("InstanceType");
    check_platform(&call.shared, &call.input["PlatformIdentifier"], "created")?;
    let offline = call.text("DirectInternetAccess") == "Disabled" && call.maybe("SubnetId").is_none();
    if offline && call.shared.enforces(AwsRule::NotebookWithoutInternet) {
        return Err(invalid("SubnetId is required when DirectInternetAccess is Disabled"));
    }
    check_lifecycle_config(call)?;
    roles::assumable(&call.shared, call.text("RoleArn"))?;
    check_quota(call, instance_type)?;

    let mut doc = NOTEBOOK.document(
        call,
        json!({
            "NotebookInstanceStatus": "Pending",
            "DirectInternetAccess": "Enabled",
            "RootAccess": "Enabled",
            "VolumeSizeInGB": 5,
            "PlatformIdentifier": "notebook-al2023-v1",
            "IpAddressType": "ipv4",
            // IMDSv1 is allowed unless it is forbidden (docs/aws/sagemaker-notebooks.md#settings).
            "InstanceMetadataServiceConfiguration": {"MinimumInstanceMetadataServiceVersion": "1"},
            "LastModifiedTime": call.timestamp(),
            "Url": format!("{}.notebook.{}.sagemaker.aws", call.text("NotebookInstanceName"), call.region),
        }),
    );
    rename(&mut doc, "LifecycleConfigName", "NotebookInstanceLifecycleConfigName");
    rename(&mut doc, "SecurityGroupIds", "SecurityGroups");
    let plan = call.shared.timeline().then_at(minutes(4), |at| settled("InService", at));
    NOTEBOOK.create(call, Entry::planned(doc, plan))
}

/// The end of a transition, as a patch.
fn settled(status: &str, at: Millis) -> Value {
    json!({"NotebookInstanceStatus": status, "LastModifiedTime": epoch_seconds(at)})
}

/// Two members are called differently in and out.
fn rename(doc: &mut Value, from: &str, to: &str) {
    if let Some(members) = doc.as_object_mut()
        && let Some(value) = members.remove(from)
    {
        members.insert(to.to_owned(), value);
    }
}

fn check_quota(call: &Call, instance_type: &str) -> Result<(), Fault> {
    let more = Count::from([(instance_type.to_owned(), 1)]);
    within_quota(&call.shared, Use::Notebook, &in_use(&call.shared, &call.region), &more)
}

/// What the notebooks have that run.
pub(super) fn in_use(shared: &SandboxState, region: &str) -> Count {
    let mut used = Count::new();
    for (_, doc) in shared.table(NOTEBOOK.table, region).list("") {
        if matches!(doc["NotebookInstanceStatus"].as_str(), Some("Pending" | "InService" | "Stopping")) {
            *used.entry(doc["InstanceType"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
    }
    used
}

/// What a verb asks for: the states that it is allowed in, the state that it begins, how long that lasts, and
/// the state that it ends in; none: the notebook is gone (docs/aws/sagemaker.md#not-found-and-wrong-state,
/// docs/aws/sagemaker-notebooks.md#notebook-states).
struct Transition {
    from: &'static [&'static str],
    through: &'static str,
    lasts: Duration,
    to: Option<&'static str>,
}

const START: Transition = transition(&["Stopped", "Failed"], "Pending", minutes(4), Some("InService"));
const STOP: Transition = transition(&["InService"], "Stopping", minutes(2), Some("Stopped"));
const CHANGE: Transition = transition(&["Stopped", "Failed"], "Updating", minutes(1), Some("Stopped"));
const DELETE: Transition = transition(&["Stopped", "Failed"], "Deleting", minutes(2), None);

const fn transition(
    from: &'static [&'static str],
    through: &'static str,
    lasts: Duration,
    to: Option<&'static str>,
) -> Transition {
    Transition { from, through, lasts, to }
}

impl Transition {
    fn check(&self, shared: &SandboxState, doc: &Value) -> Result<(), Fault> {
        let status = doc["NotebookInstanceStatus"].as_str().unwrap_or_default();
        if self.from.contains(&status) || !shared.enforces(AwsRule::NotebookState) {
            return Ok(());
        }
        let arn = doc["NotebookInstanceArn"].as_str().unwrap_or_default();
        Err(invalid(format!(
            "Status ({status}) not in ([{}]). Unable to transition to ({}) for Notebook Instance ({arn})",
            self.from.join(", "),
            self.through
        )))
    }

    /// Begins the transition after `change`; answers with the document.
    fn begin(&self, call: &Call, change: impl FnOnce(&mut Value) -> Result<(), Fault>) -> Answer {
        let now = call.timestamp();
        NOTEBOOK.update(call, |entry| {
            self.check(&call.shared, &entry.doc)?;
            change(&mut entry.doc)?;
            entry.doc["NotebookInstanceStatus"] = self.through.into();
            entry.doc["LastModifiedTime"] = now;
            let plan = call.shared.timeline();
            let plan = match self.to {
                Some(status) => plan.then_at(self.lasts, |at| settled(status, at)),
                None => plan.then_gone(self.lasts),
            };
            entry.timeline = plan.into();
            Ok(entry.doc.clone())
        })
    }
}

/// Answers StartNotebookInstance.
pub fn start(call: &Call) -> Answer {
    let doc = NOTEBOOK.find(call)?;
    START.check(&call.shared, &doc)?;
    check_quota(call, doc["InstanceType"].as_str().unwrap_or_default())?;
    START.begin(call, |doc| check_platform(&call.shared, &doc["PlatformIdentifier"], "started"))?;
    Ok(json!({}))
}

/// Answers StopNotebookInstance.
pub fn stop(call: &Call) -> Answer {
    STOP.begin(call, |_| Ok(()))?;
    Ok(json!({}))
}

/// Answers DeleteNotebookInstance.
pub fn delete(call: &Call) -> Answer {
    let doc = DELETE.begin(call, |_| Ok(()))?;
    NOTEBOOK.forget_tags(call, &doc)?;
    Ok(json!({}))
}

/// Members that `Disassociate…` takes away.
const DISASSOCIATED: &[(&str, &str)] = &[
    ("DisassociateLifecycleConfig", "NotebookInstanceLifecycleConfigName"),
    ("DisassociateDefaultCodeRepository", "DefaultCodeRepository"),
    ("DisassociateAdditionalCodeRepositories", "AdditionalCodeRepositories"),
];

/// Answers UpdateNotebookInstance.
pub fn update(call: &Call) -> Answer {
    check_platform(&call.shared, &call.input["PlatformIdentifier"], "made")?;
    check_lifecycle_config(call)?;
    NOTEBOOK.find(call)?;
    if let Some(role) = call.maybe("RoleArn") {
        roles::assumable(&call.shared, role)?;
    }
    let mut patch = call.input.clone();
    rename(&mut patch, "LifecycleConfigName", "NotebookInstanceLifecycleConfigName");
    if let Some(members) = patch.as_object_mut() {
        members.retain(|name, value| !name.starts_with("Disassociate") && !value.is_null());
    }
    CHANGE.begin(call, |doc| {
        let smaller = call.number("VolumeSizeInGB") < doc["VolumeSizeInGB"].as_i64();
        if call.number("VolumeSizeInGB").is_some()
            && smaller
            && call.shared.enforces(AwsRule::NotebookVolumeGrows)
        {
            return Err(invalid("The volume of a notebook instance can be increased but not decreased"));
        }
        merge(doc, patch);
        for (flag, member) in DISASSOCIATED {
            if call.flag(flag)
                && let Some(members) = doc.as_object_mut()
            {
                members.remove(*member);
            }
        }
        Ok(())
    })?;
    Ok(json!({}))
}

/// A URL that is valid for five minutes (docs/aws/sagemaker-notebooks.md#presigned-urls). No Jupyter runs
/// behind it here.
pub fn presign(call: &Call) -> Answer {
    let doc = NOTEBOOK.find(call)?;
    if doc["NotebookInstanceStatus"] != "InService" {
        let status = doc["NotebookInstanceStatus"].as_str().unwrap_or_default();
        return Err(invalid(format!("Notebook instance is not in InService state. Current state: {status}")));
    }
    let token = blake3::hash(format!("{}{}", call.request_id, call.now()).as_bytes()).to_hex();
    let host = doc["Url"].as_str().unwrap_or_default();
    Ok(json!({"AuthorizedUrl": format!("https://{host}?authToken={token}")}))
}

/// The text is not AWS's.
fn check_scripts(call: &Call) -> Result<(), Fault> {
    let scripts = ["OnCreate", "OnStart"].into_iter().flat_map(|member| call.list(member));
    let is_base64 =
        |script: &Value| script["Content"].as_str().is_none_or(|text| STANDARD.decode(text).is_ok());
    if !scripts.into_iter().all(is_base64) && call.shared.enforces(AwsRule::LifecycleBase64) {
        return Err(invalid("The Content of a lifecycle hook must be a base64-encoded string"));
    }
    Ok(())
}

/// Answers CreateNotebookInstanceLifecycleConfig.
pub fn create_lifecycle_config(call: &Call) -> Answer {
    check_scripts(call)?;
    let doc = LIFECYCLE_CONFIG.document(call, json!({"LastModifiedTime": call.timestamp()}));
    LIFECYCLE_CONFIG.create(call, doc)
}

/// Answers UpdateNotebookInstanceLifecycleConfig.
pub fn update_lifecycle_config(call: &Call) -> Answer {
    check_scripts(call)?;
    let now = call.timestamp();
    LIFECYCLE_CONFIG.update(call, |entry| {
        for member in ["OnCreate", "OnStart"] {
            if let Some(hook) = call.input.get(member) {
                entry.doc[member] = hook.clone();
            }
        }
        entry.doc["LastModifiedTime"] = now;
        Ok(())
    })?;
    Ok(json!({}))
}

/// What a notebook uses cannot go (docs/aws/sagemaker-notebooks.md#lifecycle-configurations); the text is not
/// AWS's.
pub fn delete_lifecycle_config(call: &Call) -> Answer {
    let name = call.text("NotebookInstanceLifecycleConfigName");
    let used = |doc: &Value| doc["NotebookInstanceLifecycleConfigName"] == name;
    let users = call.table(NOTEBOOK.table).list("");
    if let Some((user, _)) = users.iter().find(|(_, doc)| used(doc))
        && call.shared.enforces(AwsRule::LifecycleConfigInUse)
    {
        return Err(invalid(format!(
            "Unable to delete Notebook Instance Lifecycle Config '{name}'. (Details: it is in use by the \
             notebook instance {user}.)"
        )));
    }
    LIFECYCLE_CONFIG.delete(call)
}
