//! EventBridge Scheduler: groups, which have tags, and schedules that call AWS once (`fire`). It is what
//! ends a project by its `ttl` (docs/aws/scheduler.md).

mod fire;
mod groups;
mod schedules;
#[cfg(test)]
mod tests;

pub use fire::{fire_due, watch};

use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::rest_json::{Api, route};

const GROUPS: &str = "scheduler.group";
/// By `<group>/<name>`: neither can contain a slash.
const SCHEDULES: &str = "scheduler.schedule";
/// What was fired, and is tried again until its target takes it.
const EVENTS: &str = "scheduler.event";

/// The group of a schedule that names none. Nobody made it, and nobody deletes it.
const DEFAULT: &str = "default";

/// The operations.
pub const API: Api = Api {
    name: "scheduler",
    signing_name: "scheduler",
    invalid: "ValidationException",
    faults: FaultCodes { throttle: (429, "ThrottlingException"), internal: (500, "InternalServerException") },
    public: &[],
    routes: &[
        route("POST", "/schedule-groups/{Name}", op("CreateScheduleGroup", &[], groups::create)),
        route("GET", "/schedule-groups/{Name}", op("GetScheduleGroup", &[], groups::get)),
        route("DELETE", "/schedule-groups/{Name}", op("DeleteScheduleGroup", &[], groups::delete)),
        route("GET", "/schedule-groups", op("ListScheduleGroups", &[], groups::list)),
        route("POST", "/schedules/{Name}", op("CreateSchedule", &[], schedules::create)),
        route("PUT", "/schedules/{Name}", op("UpdateSchedule", &[], schedules::update)),
        route("GET", "/schedules/{Name}", op("GetSchedule", &[], schedules::get)),
        route("DELETE", "/schedules/{Name}", op("DeleteSchedule", &[], schedules::delete)),
        route("GET", "/schedules", op("ListSchedules", &[], schedules::list)),
        route("POST", "/tags/{ResourceArn}", op("TagResource", &[], groups::tag)),
        route("DELETE", "/tags/{ResourceArn}", op("UntagResource", &[], groups::untag)),
        route("GET", "/tags/{ResourceArn}", op("ListTagsForResource", &[], groups::list_tags)),
    ],
};

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "ValidationException", message)
}

fn conflict(message: impl Into<String>) -> Fault {
    Fault::new(409, "ConflictException", message)
}

fn missing(what: &str, name: &str) -> Fault {
    Fault::new(404, "ResourceNotFoundException", format!("{what} {name} does not exist."))
}
