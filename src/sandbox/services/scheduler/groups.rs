//! Schedule groups and their tags. A group takes its schedules with it, after it has answered.

use std::time::Duration;

use serde_json::{Value, json};

use super::{DEFAULT, GROUPS, SCHEDULES, conflict, invalid, missing};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::{Reply, values};
use crate::state::SandboxState;
use crate::store::{Entry, merge};
use crate::tags;

/// How long AWS deletes one; what is in it goes first.
const DELETES: Duration = Duration::from_secs(30);

pub(super) fn arn(shared: &SandboxState, region: &str, name: &str) -> String {
    shared.arn("scheduler", region, &format!("schedule-group/{name}"))
}

/// A group that takes schedules.
pub(super) fn active(call: &Call, name: &str) -> Result<(), Fault> {
    if name == DEFAULT {
        return Ok(());
    }
    let group = call.table(GROUPS).get(name).ok_or_else(|| missing("Schedule group", name))?;
    match group["State"] == "ACTIVE" {
        true => Ok(()),
        false => Err(conflict(format!("Schedule group {name} is being deleted."))),
    }
}

pub(super) fn create(call: &Call) -> Result<Reply, Fault> {
    let (name, arn) = (call.text("Name"), arn(&call.shared, &call.region, call.text("Name")));
    let given = tags::from_list(call.list("Tags"));
    tags::check(&given).map_err(invalid)?;
    let group = json!({
        "Name": name, "Arn": arn, "State": "ACTIVE", "CreationDate": call.timestamp(),
        "LastModificationDate": call.timestamp(),
    });
    if name == DEFAULT || !call.table(GROUPS).insert_new(name, group)? {
        return Err(conflict(format!("Schedule group {name} already exists.")));
    }
    tags::add(&call.shared, &arn, given, "ValidationException")?;
    Ok(Reply::json(200, &json!({ "ScheduleGroupArn": arn })))
}

pub(super) fn get(call: &Call) -> Result<Reply, Fault> {
    let name = call.text("Name");
    let group = call.table(GROUPS).get(name).ok_or_else(|| missing("Schedule group", name))?;
    Ok(Reply::json(200, &group))
}

pub(super) fn list(call: &Call) -> Result<Reply, Fault> {
    let groups = call.table(GROUPS).list(call.maybe("NamePrefix").unwrap_or_default());
    let size = call.number("MaxResults").map_or(100, |size| size.clamp(1, 100) as usize);
    let page = call.page(groups, "NextToken", size).ok_or_else(|| invalid("Invalid NextToken"))?;
    Ok(Reply::json(200, &json!({ "ScheduleGroups": page.items, "NextToken": page.next })))
}

pub(super) fn delete(call: &Call) -> Result<Reply, Fault> {
    let name = call.text("Name");
    if name == DEFAULT {
        return Err(invalid("The default schedule group cannot be deleted."));
    }
    let timeline = call.shared.timeline().then_gone(DELETES);
    let leaving = call.table(GROUPS).update(name, |entry| {
        let mut doc = entry.doc.clone();
        merge(&mut doc, json!({ "State": "DELETING", "LastModificationDate": call.timestamp() }));
        *entry = Entry::planned(doc, timeline);
        Ok(())
    });
    leaving?.ok_or_else(|| missing("Schedule group", name))?;
    for (key, _) in call.table(SCHEDULES).list(&format!("{name}/")) {
        call.table(SCHEDULES).remove(&key)?;
    }
    tags::forget(&call.shared, &arn(&call.shared, &call.region, name))?;
    Ok(Reply::json(200, &json!({})))
}

/// Only groups have tags.
fn tagged(call: &Call) -> Result<String, Fault> {
    let given = call.text("ResourceArn");
    let name = given.rsplit('/').next().unwrap_or_default();
    let known = name == DEFAULT || call.table(GROUPS).has(name);
    match known && arn(&call.shared, &call.region, name) == given {
        true => Ok(given.to_owned()),
        false => Err(missing("Schedule group", name)),
    }
}

pub(super) fn tag(call: &Call) -> Result<Reply, Fault> {
    let arn = tagged(call)?;
    let given = tags::from_list(call.list("Tags"));
    tags::add(&call.shared, &arn, given, "ValidationException")?;
    Ok(Reply::json(200, &json!({})))
}

pub(super) fn untag(call: &Call) -> Result<Reply, Fault> {
    let arn = tagged(call)?;
    tags::remove(&call.shared, &arn, values(call, "TagKeys"))?;
    Ok(Reply::json(200, &json!({})))
}

pub(super) fn list_tags(call: &Call) -> Result<Reply, Fault> {
    let tags: Value = tags::to_list(&tags::of(&call.shared, &tagged(call)?));
    Ok(Reply::json(200, &json!({ "Tags": tags })))
}
