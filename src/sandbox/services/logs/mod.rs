//! CloudWatch Logs: groups and streams are documents, events are in a file per stream.
//!
//! [`append`] is how the rest of the sandbox writes logs: training jobs, model servers, functions.

mod events;
mod groups;
mod read;

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;
use crate::state::SandboxState;
use events::Event;

const GROUPS: &str = "logs.group";
const STREAMS: &str = "logs.stream";

/// The retention periods that AWS offers, in days (docs/aws/cloudwatch-logs.md#retention).
const RETENTION: Constraint = Constraint::ANY.at("retentionInDays").required().one_of(&[
    "1", "3", "5", "7", "14", "30", "60", "90", "120", "150", "180", "365", "400", "545", "731", "1096",
    "1827", "2192", "2557", "2922", "3288", "3653",
]);

/// The operations.
pub const API: Api = Api {
    name: "logs",
    signing_name: "logs",
    target: "Logs_20140328",
    invalid: "InvalidParameterException",
    faults: FaultCodes {
        throttle: (400, "ThrottlingException"),
        internal: (503, "ServiceUnavailableException"),
    },
    operations: &[
        op("CreateLogGroup", &[], groups::create_log_group),
        op("DeleteLogGroup", &[], groups::delete_log_group),
        op("PutRetentionPolicy", &[RETENTION], groups::put_retention_policy),
        op("DeleteRetentionPolicy", &[], groups::delete_retention_policy),
        op("AssociateKmsKey", &[], groups::associate_kms_key),
        op("DisassociateKmsKey", &[], groups::disassociate_kms_key),
        op("DescribeLogGroups", &[], groups::describe_log_groups),
        op("CreateLogStream", &[], groups::create_log_stream),
        op("DeleteLogStream", &[], groups::delete_log_stream),
        op("DescribeLogStreams", &[], groups::describe_log_streams),
        op("TagResource", &[], groups::tag_resource),
        op("UntagResource", &[], groups::untag_resource),
        op("ListTagsForResource", &[], groups::list_tags_for_resource),
        op("PutLogEvents", &[], put_log_events),
        op("GetLogEvents", &[], read::get_log_events),
        op("FilterLogEvents", &[], read::filter_log_events),
    ],
};

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterException", message)
}

fn missing_group() -> Fault {
    Fault::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn missing_stream() -> Fault {
    Fault::new(400, "ResourceNotFoundException", "The specified log stream does not exist.")
}

/// Neither name can contain a colon, so a group's streams are what starts with `<group>:`.
fn stream_key(group: &str, stream: &str) -> String {
    format!("{group}:{stream}")
}

/// The group that a reading operation names, by name or by ARN in `logGroupIdentifier`.
fn group_named(call: &Call) -> Result<String, Fault> {
    let identifier = call.maybe("logGroupName").or_else(|| call.maybe("logGroupIdentifier"));
    let identifier =
        identifier.ok_or_else(|| invalid("Either logGroupName or logGroupIdentifier is required."))?;
    let name =
        identifier.split_once(":log-group:").map_or(identifier, |(_, name)| name.trim_end_matches(":*"));
    if call.table(GROUPS).has(name) { Ok(name.to_owned()) } else { Err(missing_group()) }
}

fn put_log_events(call: &Call) -> Answer {
    let (group, stream) = (call.text("logGroupName"), call.text("logStreamName"));
    if !call.table(GROUPS).has(group) {
        return Err(missing_group());
    }
    let ingested = call.now();
    let event = |event: &Value| Event {
        timestamp: event["timestamp"].as_u64().unwrap_or(ingested),
        ingested,
        message: event["message"].as_str().unwrap_or_default().to_owned(),
    };
    let events: Vec<Event> = call.list("logEvents").iter().map(event).collect();
    if !events.is_sorted_by_key(|event| event.timestamp) {
        return Err(invalid("Log events in a single PutLogEvents request must be in chronological order."));
    }
    write(&call.shared, &call.region, group, stream, &events)?.ok_or_else(missing_stream)?;
    Ok(json!({"nextSequenceToken": "0"}))
}

/// Adds events to a stream, as one step with its document; `None` when there is no such stream.
fn write(
    shared: &SandboxState,
    region: &str,
    group: &str,
    stream: &str,
    events: &[Event],
) -> Result<Option<()>, Fault> {
    let (Some(first), Some(last)) = (events.first(), events.last()) else { return Ok(Some(())) };
    let path = events::stream_file(shared, region, group, stream);
    shared.table(STREAMS, region).update(&stream_key(group, stream), |entry| {
        // Under the store's lock, which makes writers take turns.
        events::append(&path, events)?;
        groups::note_events(&mut entry.doc, first.timestamp, last.timestamp, last.ingested);
        Ok(())
    })
}

/// Writes lines to a log stream as now, making group and stream when they are missing (a group that AWS makes
/// by itself has no retention). Empty lines are dropped, as the agents of AWS do.
pub fn append(
    shared: &SandboxState,
    region: &str,
    group: &str,
    stream: &str,
    lines: &[impl AsRef<str>],
) -> Result<(), Fault> {
    let now: Millis = shared.clock.now();
    let event = |line: &str| Event { timestamp: now, ingested: now, message: line.to_owned() };
    let events: Vec<Event> =
        lines.iter().map(AsRef::as_ref).filter(|line| !line.trim().is_empty()).map(event).collect();
    shared.table(GROUPS, region).insert_new(group, groups::new_group(shared, region, group))?;
    let document = groups::new_stream(shared, region, group, stream);
    shared.table(STREAMS, region).insert_new(&stream_key(group, stream), document)?;
    // A stream deleted just now takes the lines with it.
    write(shared, region, group, stream, &events).map(|_| ())
}
