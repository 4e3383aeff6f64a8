//! The Resource Groups Tagging API: reads and writes the one table of tags, across services, in one region.
//!
//! As on AWS, roles are not among its resources, and other resources of IAM only in us-east-1. A resource
//! that had tags once is still returned, without any.

use std::collections::BTreeSet;

use opsctl_iam::arn::Arn;
use serde_json::{Map, Value, json};

use super::{ec2, s3};
use crate::call::{Answer, Call};
use crate::constraint::Constraint;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::paging::Page;
use crate::protocol::json11::Api;
use crate::state::SandboxState;
use crate::tags::{self, Tags};

/// The operations.
pub const API: Api = Api {
    name: "tagging",
    signing_name: "tagging",
    target: "ResourceGroupsTaggingAPI_20170126",
    invalid: "InvalidParameterException",
    faults: FaultCodes { throttle: (400, "ThrottledException"), internal: (500, "InternalServiceException") },
    operations: &[
        op(
            "GetResources",
            &[
                Constraint::ANY.at("ResourcesPerPage").range(1, 100),
                Constraint::ANY.at("ResourceTypeFilters").length(0, 100),
            ],
            get_resources,
        ),
        op("GetTagKeys", &[], get_tag_keys),
        op("GetTagValues", &[], get_tag_values),
        op("TagResources", &[], tag_resources),
        op("UntagResources", &[], untag_resources),
    ],
};

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterException", message)
}

/// Whether this API knows a resource in a region. A bucket's ARN does not say where it is.
fn is_served_in(arn: &Arn<'_>, region: &str, shared: &SandboxState) -> bool {
    match (arn.service, arn.kind()) {
        ("iam", "role" | "user" | "group") => false,
        ("iam", _) => region == "us-east-1",
        ("s3", bucket) => s3::region(shared, bucket).is_none_or(|of| of == region),
        _ => arn.region.is_empty() || arn.region == region,
    }
}

/// Whether an ARN is of `lambda:function`, or of `lambda`, which is all of a service.
fn is_of_type(arn: &Arn<'_>, filter: &str) -> bool {
    match filter.split_once(':') {
        Some(("s3", "bucket")) => arn.service == "s3",
        Some((service, kind)) => service == arn.service && kind == arn.kind(),
        None => filter == arn.service,
    }
}

/// Every tagged resource that this API shows in the call's region.
fn resources(call: &Call) -> Result<Vec<(String, Tags)>, Fault> {
    ec2::forget_gone(&call.shared, &call.region)?;
    let mut all = tags::all(&call.shared);
    all.retain(|(arn, _)| Arn::parse(arn).is_some_and(|arn| is_served_in(&arn, &call.region, &call.shared)));
    Ok(all)
}

fn texts(list: &[Value]) -> impl Iterator<Item = &str> + Clone {
    list.iter().filter_map(Value::as_str)
}

/// All filters must hold, each by any of its values; a filter without values asks for the key only.
fn admits(filters: &[Value], tags: &Tags) -> bool {
    filters.iter().all(|filter| {
        let wanted = filter["Values"].as_array().map_or(&[][..], Vec::as_slice);
        let held = filter["Key"].as_str().and_then(|key| tags.get(key));
        held.is_some_and(|held| wanted.is_empty() || texts(wanted).any(|value| value == held))
    })
}

/// A first page is asked for with an empty token or none, and the last one answers with an empty token.
fn page<T>(call: &Call, items: Vec<(String, T)>, size: usize) -> Result<Page<T>, Fault> {
    let refuse = || Fault::new(400, "PaginationTokenExpiredException", "The pagination token is not valid.");
    call.page(items, "PaginationToken", size).ok_or_else(refuse)
}

fn get_resources(call: &Call) -> Answer {
    let (arns, kinds, filters) =
        (call.list("ResourceARNList"), call.list("ResourceTypeFilters"), call.list("TagFilters"));
    let filtered = !kinds.is_empty() || !filters.is_empty();
    if !arns.is_empty() && filtered {
        return Err(invalid("You can't specify ResourceARNList together with other filters."));
    }
    let mut found = resources(call)?;
    found.retain(|(text, held)| {
        let of_type = |arn: Arn<'_>| kinds.is_empty() || texts(kinds).any(|kind| is_of_type(&arn, kind));
        (arns.is_empty() || texts(arns).any(|wanted| wanted == text))
            && Arn::parse(text).is_some_and(of_type)
            && admits(filters, held)
    });
    let size = call.number("ResourcesPerPage").and_then(|size| usize::try_from(size).ok()).unwrap_or(50);
    let shown = |(arn, held): (String, Tags)| {
        let mapping = json!({"ResourceARN": arn, "Tags": tags::to_list(&held)});
        (arn, mapping)
    };
    let page = page(call, found.into_iter().map(shown).collect(), size)?;
    Ok(json!({"ResourceTagMappingList": page.items, "PaginationToken": page.next.unwrap_or_default()}))
}

/// Names in order, a thousand to a page.
fn names(call: &Call, member: &str, names: BTreeSet<String>) -> Answer {
    let page = page(call, names.into_iter().map(|name| (name.clone(), name)).collect(), 1_000)?;
    Ok(json!({member: page.items, "PaginationToken": page.next.unwrap_or_default()}))
}

fn get_tag_keys(call: &Call) -> Answer {
    names(call, "TagKeys", resources(call)?.into_iter().flat_map(|(_, held)| held.into_keys()).collect())
}

fn get_tag_values(call: &Call) -> Answer {
    let key = call.text("Key");
    names(
        call,
        "TagValues",
        resources(call)?.into_iter().filter_map(|(_, mut held)| held.remove(key)).collect(),
    )
}

fn tag_resources(call: &Call) -> Answer {
    let wanted = tags::from_map(&call.input["Tags"]);
    tags::check(&wanted).map_err(invalid)?;
    each(call, |arn| tags::add(&call.shared, arn, wanted.clone(), "InvalidParameterException"))
}

fn untag_resources(call: &Call) -> Answer {
    each(call, |arn| tags::remove(&call.shared, arn, texts(call.list("TagKeys"))))
}

/// Changes one resource after the other; what cannot be changed is told by ARN, and the rest is done. The
/// sandbox cannot tell whether an untagged resource exists, so it takes any ARN that this API would serve.
fn each(call: &Call, change: impl Fn(&str) -> Result<(), Fault>) -> Answer {
    let mut failed = Map::new();
    for arn in texts(call.list("ResourceARNList")) {
        let served = Arn::parse(arn).is_some_and(|arn| is_served_in(&arn, &call.region, &call.shared));
        let refused = || invalid(format!("{arn} is not a resource that can be tagged here."));
        let changed = if served { change(arn) } else { Err(refused()) };
        if let Err(fault) = changed {
            failed.insert(
                arn.to_owned(),
                json!({"StatusCode": fault.status, "ErrorCode": fault.code, "ErrorMessage": fault.message}),
            );
        }
    }
    Ok(json!({"FailedResourcesMap": failed}))
}
