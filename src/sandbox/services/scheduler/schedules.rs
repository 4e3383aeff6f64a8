//! Schedules. Only one-time ones are carried out: `at(…)`, in UTC.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::{DEFAULT, SCHEDULES, conflict, fire, groups, invalid, missing};
use crate::call::Call;
use crate::clock::Millis;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::services::iam;

/// What a request says of a schedule; an update replaces all of it.
const MEMBERS: [&str; 10] = [
    "ActionAfterCompletion",
    "Description",
    "EndDate",
    "FlexibleTimeWindow",
    "KmsKeyArn",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "StartDate",
    "State",
    "Target",
];

/// What AWS fills in (<https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html>).
const MOST_ATTEMPTS: u64 = 185;
const LONGEST_AGE: u64 = 86_400;

/// The group, in the body of a write and the query of a read.
fn group(call: &Call) -> &str {
    call.maybe("GroupName").or_else(|| call.maybe("groupName")).unwrap_or(DEFAULT)
}

fn key(group: &str, name: &str) -> String {
    format!("{group}/{name}")
}

pub(super) fn create(call: &Call) -> Result<Reply, Fault> {
    let (group, name) = (group(call), call.text("Name"));
    groups::active(call, group)?;
    let schedule = schedule(call, group, name, call.timestamp())?;
    let arn = schedule["Arn"].clone();
    match call.table(SCHEDULES).insert_new(&key(group, name), schedule)? {
        true => Ok(Reply::json(200, &json!({ "ScheduleArn": arn }))),
        false => Err(conflict(format!("Schedule {name} already exists."))),
    }
}

pub(super) fn update(call: &Call) -> Result<Reply, Fault> {
    let (group, name) = (group(call), call.text("Name"));
    let key = key(group, name);
    let there = call.table(SCHEDULES).get(&key).ok_or_else(|| missing("Schedule", name))?;
    let schedule = schedule(call, group, name, there["CreationDate"].clone())?;
    let arn = schedule["Arn"].clone();
    let updated = call.table(SCHEDULES).update(&key, |entry| {
        entry.doc = schedule;
        Ok(())
    });
    // It may have been fired since.
    updated?.ok_or_else(|| missing("Schedule", name))?;
    Ok(Reply::json(200, &json!({ "ScheduleArn": arn })))
}

pub(super) fn get(call: &Call) -> Result<Reply, Fault> {
    let (group, name) = (group(call), call.text("Name"));
    let schedule = call.table(SCHEDULES).get(&key(group, name)).ok_or_else(|| missing("Schedule", name))?;
    Ok(Reply::json(200, &shown(&schedule)))
}

pub(super) fn delete(call: &Call) -> Result<Reply, Fault> {
    let (group, name) = (group(call), call.text("Name"));
    call.table(SCHEDULES).remove(&key(group, name))?.ok_or_else(|| missing("Schedule", name))?;
    Ok(Reply::json(200, &json!({})))
}

pub(super) fn list(call: &Call) -> Result<Reply, Fault> {
    let (in_group, begins) = (call.maybe("ScheduleGroup"), call.maybe("NamePrefix").unwrap_or_default());
    if let Some(group) = in_group.filter(|group| *group != DEFAULT) {
        // One on its way out still answers.
        let known = call.table(super::GROUPS).has(group);
        known.then_some(()).ok_or_else(|| missing("Schedule group", group))?;
    }
    let mut all = call.table(SCHEDULES).list(&in_group.map(|group| key(group, "")).unwrap_or_default());
    let is_wanted = |schedule: &Value| {
        schedule["Name"].as_str().is_some_and(|name| name.starts_with(begins))
            && call.maybe("State").is_none_or(|state| schedule["State"] == state)
    };
    all.retain(|(_, schedule)| is_wanted(schedule));
    let summary = |schedule: &Value| {
        let mut summary = json!({ "Target": { "Arn": schedule["Target"]["Arn"] } });
        for name in ["Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate"] {
            summary[name] = schedule[name].clone();
        }
        summary
    };
    let all = all.into_iter().map(|(key, schedule)| (key, summary(&schedule))).collect();
    let size = call.number("MaxResults").map_or(100, |size| size.clamp(1, 100) as usize);
    let page = call.page(all, "NextToken", size).ok_or_else(|| invalid("Invalid NextToken"))?;
    Ok(Reply::json(200, &json!({ "Schedules": page.items, "NextToken": page.next })))
}

fn shown(schedule: &Value) -> Value {
    let mut shown = schedule.clone();
    if let Some(members) = shown.as_object_mut() {
        members.retain(|name, _| !name.starts_with('_'));
    }
    shown
}

/// The document of a schedule as a request wants it.
fn schedule(call: &Call, group: &str, name: &str, created: Value) -> Result<Value, Fault> {
    let at = time(call)?;
    let target = &call.input["Target"];
    let (arn, role) =
        (target["Arn"].as_str().unwrap_or_default(), target["RoleArn"].as_str().unwrap_or_default());
    if fire::operation(arn).is_none() {
        return Err(Fault::not_implemented("scheduler", &format!("schedules with the target {arn}")));
    }
    let given = target["Input"].as_str().unwrap_or("{}");
    if !serde_json::from_str::<Value>(given).is_ok_and(|input| input.is_object()) {
        return Err(invalid("Provided Target.Input is not valid JSON."));
    }
    match call.input["FlexibleTimeWindow"]["Mode"].as_str() {
        Some("OFF") => {}
        _ => return Err(Fault::not_implemented("scheduler", "flexible time windows")),
    }
    // AWS says the same whether it is not there, does not trust the service, or is too new.
    iam::assumable(&call.shared, role, fire::SERVICE).map_err(|_| {
        invalid("The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
    })?;
    let mut doc = json!({
        "Name": name, "GroupName": group, "CreationDate": created, "LastModificationDate": call.timestamp(),
        "Arn": call.arn(&format!("schedule/{group}/{name}")), "_At": at,
    });
    for member in MEMBERS {
        if let Some(value) = call.input.get(member).filter(|value| !value.is_null()) {
            doc[member] = value.clone();
        }
    }
    for (member, usual) in
        [("State", "ENABLED"), ("ActionAfterCompletion", "NONE"), ("ScheduleExpressionTimezone", "UTC")]
    {
        if doc[member].is_null() {
            doc[member] = usual.into();
        }
    }
    let retry = &mut doc["Target"]["RetryPolicy"];
    for (member, usual) in
        [("MaximumRetryAttempts", MOST_ATTEMPTS), ("MaximumEventAgeInSeconds", LONGEST_AGE)]
    {
        if retry[member].is_null() {
            retry[member] = usual.into();
        }
    }
    Ok(doc)
}

/// When it is to be fired.
fn time(call: &Call) -> Result<Millis, Fault> {
    let expression = call.text("ScheduleExpression");
    let refused = || invalid(format!("Invalid Schedule Expression {expression}."));
    if ["rate(", "cron("].iter().any(|form| expression.starts_with(form)) {
        return Err(Fault::not_implemented("scheduler", "schedules that recur"));
    }
    if call.maybe("ScheduleExpressionTimezone").is_some_and(|zone| zone != "UTC") {
        return Err(Fault::not_implemented("scheduler", "time zones but UTC"));
    }
    let time = expression.strip_prefix("at(").and_then(|rest| rest.strip_suffix(')')).ok_or_else(refused)?;
    // `yyyy-mm-ddThh:mm:ss`, without a zone or a fraction.
    if time.len() != 19 || !time.contains('T') {
        return Err(refused());
    }
    let time = humantime::parse_rfc3339_weak(time).map_err(|_| refused())?;
    Ok(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as Millis)
}
