//! What SageMaker's resources share: one document each under a name that is taken until it is deleted, texts
//! for "not there", lists, and tags.

use opsctl_iam::arn::Arn;
use serde_json::{Map, Value, json};

use crate::call::{Answer, Call};
use crate::clock::Millis;
use crate::fault::Fault;
use crate::rules::AwsRule;
use crate::state::SandboxState;
use crate::store::{Entry, merge};
use crate::tags;

/// Nearly every refusal of SageMaker has this code, also "not found"
/// (docs/aws/sagemaker.md#not-found-and-wrong-state).
pub const INVALID: &str = "ValidationException";

/// A refusal with [`INVALID`].
pub fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, INVALID, message)
}

/// A `FailureReason` holds 1024 characters (docs/aws/sagemaker-training.md#failure-reasons,
/// docs/aws/sagemaker-endpoints.md#endpoint-states).
pub fn failure_reason(text: &str) -> String {
    text.chars().take(1024).collect()
}

/// `LastModifiedTime` of a document.
pub fn modified(doc: &Value) -> Millis {
    (doc["LastModifiedTime"].as_f64().unwrap_or(0.0) * 1_000.0).round() as Millis
}

/// One kind of resource. Its documents are what `Describe…` answers, and members that begin with `_`, which
/// are the sandbox's own.
#[derive(Debug)]
pub struct Kind {
    pub table: &'static str,
    /// In ARNs: `endpoint-config`.
    pub path: &'static str,
    /// Members of the document that hold name, ARN and status; the status is empty where there is none.
    pub name: &'static str,
    pub arn: &'static str,
    pub status: &'static str,
    /// The list's member in the answer of `List…`, and what it shows of each document.
    pub list: &'static str,
    pub summary: &'static [&'static str],
    /// `SortBy` and `SortOrder` of a list that names none.
    pub order: (&'static str, &'static str),
    /// ListTrainingJobs takes a page first and filters it by status then
    /// (docs/aws/sagemaker-training.md#listing).
    pub filters_pages: bool,
    /// The refusals of an unknown name and of one that is taken, by ARN.
    pub missing: fn(&str) -> Fault,
    pub taken: fn(&str) -> Fault,
}

impl Kind {
    /// AWS writes names in ARNs in lower case.
    pub fn arn_of(&self, shared: &SandboxState, region: &str, name: &str) -> String {
        shared.arn("sagemaker", region, &format!("{}/{}", self.path, name.to_ascii_lowercase()))
    }

    /// The document of a new resource: the input without its tags, over `defaults`.
    pub fn document(&self, call: &Call, defaults: Value) -> Value {
        let mut doc = defaults;
        merge(&mut doc, call.input.clone());
        if let Some(members) = doc.as_object_mut() {
            members.remove("Tags");
        }
        doc[self.arn] = self.arn_of(&call.shared, &call.region, call.text(self.name)).into();
        doc["CreationTime"] = call.timestamp();
        doc
    }

    /// Keeps a new document and its tags; answers with its ARN. An invalid tag fails the whole call.
    pub fn create(&self, call: &Call, entry: impl Into<Entry>) -> Answer {
        let name = call.text(self.name);
        let arn = self.arn_of(&call.shared, &call.region, name);
        let tags = tags::from_list(call.list("Tags"));
        tags::check(&tags).map_err(invalid)?;
        if !call.table(self.table).insert_new(name, entry)? {
            return Err((self.taken)(&arn));
        }
        tags::add(&call.shared, &arn, tags, INVALID)?;
        Ok(json!({(self.arn): arn}))
    }

    /// The refusal of a name that is not there.
    pub fn missing(&self, call: &Call, name: &str) -> Fault {
        (self.missing)(&self.arn_of(&call.shared, &call.region, name))
    }

    /// The document that the call names.
    pub fn find(&self, call: &Call) -> Answer {
        self.get(call, call.text(self.name))
    }

    /// The document of that name.
    pub fn get(&self, call: &Call, name: &str) -> Answer {
        call.table(self.table).get(name).ok_or_else(|| self.missing(call, name))
    }

    /// Changes the entry that the call names as one step.
    pub fn update<T>(
        &self,
        call: &Call,
        change: impl FnOnce(&mut Entry) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let name = call.text(self.name);
        call.table(self.table).update(name, change)?.ok_or_else(|| self.missing(call, name))
    }

    /// `Describe…`
    pub fn describe(&self, call: &Call) -> Answer {
        self.find(call).map(public)
    }

    /// `Delete…` of what is gone at once.
    pub fn delete(&self, call: &Call) -> Answer {
        let name = call.text(self.name);
        let gone = call.table(self.table).remove(name)?.ok_or_else(|| self.missing(call, name))?;
        self.forget_tags(call, &gone)?;
        Ok(json!({}))
    }

    /// Deletes the tags of a document that is gone.
    pub fn forget_tags(&self, call: &Call, doc: &Value) -> Result<(), Fault> {
        tags::forget(&call.shared, doc[self.arn].as_str().unwrap_or_default())
    }

    /// `List…`: filtered, sorted, a page of it, a summary of each.
    pub fn list(&self, call: &Call) -> Answer {
        let wanted = call.maybe("StatusEquals");
        let has_status = |doc: &Value| wanted.is_none_or(|status| doc[self.status] == status);
        let late = self.filters_pages && call.shared.enforces(AwsRule::ListFiltersPages);

        let mut found = call.table(self.table).list("");
        found.retain(|(name, doc)| is_listed(call, name, doc) && (late || has_status(doc)));
        let by = match call.maybe("SortBy").unwrap_or(self.order.0) {
            "Name" => self.name,
            "Status" => self.status,
            member => member,
        };
        found.sort_by(|(name, doc), (other_name, other)| {
            compare(&doc[by], &other[by]).then_with(|| name.cmp(other_name))
        });
        if call.maybe("SortOrder").unwrap_or(self.order.1) == "Descending" {
            found.reverse();
        }

        // ListEndpoints documents a default of 10; the others are seen to have it too.
        let size = call.number("MaxResults").map_or(10, |size| size as usize);
        let page = call.page(found, "NextToken", size).ok_or_else(|| invalid("Invalid NextToken"))?;
        let items: Vec<Value> =
            page.items.iter().filter(|doc| has_status(doc)).map(|doc| pick(doc, self.summary)).collect();
        let mut answer = json!({(self.list): items});
        if let Some(next) = page.next {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    }

    /// The name in an ARN of this kind, when there is such a resource.
    fn holds_arn(&self, call: &Call, arn: &str) -> bool {
        call.table(self.table).list("").iter().any(|(_, doc)| doc[self.arn] == arn)
    }
}

/// A document without the sandbox's own members.
pub fn public(mut doc: Value) -> Value {
    if let Some(members) = doc.as_object_mut() {
        members.retain(|name, _| !name.starts_with('_'));
    }
    doc
}

fn pick(doc: &Value, members: &[&str]) -> Value {
    let picked = members.iter().filter_map(|name| Some(((*name).to_owned(), doc.get(name)?.clone())));
    Value::Object(Map::from_iter(picked))
}

fn compare(one: &Value, other: &Value) -> std::cmp::Ordering {
    match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => one.as_str().cmp(&other.as_str()),
    }
}

/// The filters that all lists have; a list that lacks one never gets it from an SDK.
fn is_listed(call: &Call, name: &str, doc: &Value) -> bool {
    let within = |filter: &str, member: &str, holds: fn(&f64, &f64) -> bool| {
        call.input[filter]
            .as_f64()
            .is_none_or(|limit| doc[member].as_f64().is_some_and(|at| holds(&at, &limit)))
    };
    call.maybe("NameContains").is_none_or(|part| name.contains(part))
        && within("CreationTimeAfter", "CreationTime", f64::gt)
        && within("CreationTimeBefore", "CreationTime", f64::lt)
        && within("LastModifiedTimeAfter", "LastModifiedTime", f64::gt)
        && within("LastModifiedTimeBefore", "LastModifiedTime", f64::lt)
}

/// The ARN of a tag operation, of a resource that exists.
fn tagged(call: &Call) -> Result<&str, Fault> {
    let arn = call.text("ResourceArn");
    let path = Arn::parse(arn).and_then(|arn| arn.resource.split_once('/')).map(|(path, _)| path);
    let kind = super::KINDS.iter().find(|kind| Some(kind.path) == path);
    match kind {
        Some(kind) if kind.holds_arn(call, arn) => Ok(arn),
        Some(kind) => Err((kind.missing)(arn)),
        None => Err(invalid(format!("Resource type of {arn} does not support tagging in the sandbox"))),
    }
}

/// Answers AddTags.
pub fn add_tags(call: &Call) -> Answer {
    let arn = tagged(call)?;
    tags::add(&call.shared, arn, tags::from_list(call.list("Tags")), INVALID)?;
    Ok(json!({"Tags": tags::to_list(&tags::of(&call.shared, arn))}))
}

/// Answers DeleteTags.
pub fn delete_tags(call: &Call) -> Answer {
    let arn = tagged(call)?;
    tags::remove(&call.shared, arn, call.list("TagKeys").iter().filter_map(Value::as_str))?;
    Ok(json!({}))
}

/// Answers ListTags.
pub fn list_tags(call: &Call) -> Answer {
    let tags = tags::to_list(&tags::of(&call.shared, tagged(call)?));
    let named = |tag: &Value| (tag["Key"].as_str().unwrap_or_default().to_owned(), tag.clone());
    let tags = tags.as_array().into_iter().flatten().map(named).collect();
    let size = call.number("MaxResults").map_or(50, |size| size as usize);
    let page = call.page(tags, "NextToken", size).ok_or_else(|| invalid("Invalid NextToken"))?;
    let mut answer = json!({"Tags": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}
