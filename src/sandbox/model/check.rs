//! An input held against its model: first the types, which a protocol refuses by itself, then the
//! constraints.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Kind, Member, Service, Shape};
#[cfg(test)]
use crate::constraint::Constraint;
use crate::constraint::{Limits, Violation, Violations, cut, join, lower_first};
use crate::rules::AwsRule;
use crate::state::SandboxState;

/// How deep an input is looked into. Some shapes contain themselves.
const DEEPEST: usize = 32;

/// Shapes that a rule of their own guards, so that it can be switched off alone; none: the service refuses in
/// words of its own.
const GUARDED: &[(&str, &str, Option<AwsRule>)] = &[
    ("sagemaker", "TrainingInstanceType", Some(AwsRule::TrainingInstanceType)),
    ("sagemaker", "ProductionVariantInstanceType", Some(AwsRule::HostingInstanceType)),
    ("sagemaker", "InstanceType", Some(AwsRule::NotebookInstanceType)),
    ("lambda", "Weight", Some(AwsRule::AliasWeights)),
    ("lambda", "Runtime", None),
];

/// Whether values have types on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Json,
    /// Everything is text: the query protocols.
    Text,
}

/// The model of one operation's input.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    service: &'static Service,
    shape: &'static Shape,
}

impl Input {
    pub(super) fn new(service: &'static Service, shape: &'static Shape) -> Self {
        Self { service, shape }
    }

    /// The first value that is not of its type: what is wrong with it, in the words of AWS's own parser.
    pub fn wrong_type(&self, form: Form, input: &Value) -> Option<String> {
        self.mistyped(self.shape, form, input, 0)
    }

    /// Looks for the constraints that the input breaks.
    pub fn check(&self, shared: &SandboxState, input: &Value, found: &mut Violations) {
        self.find(shared, self.shape, input, String::new(), found, 0);
    }

    /// Whether a rule asks for no more than the model.
    #[cfg(test)]
    pub fn says(&self, rule: &Constraint) -> bool {
        let (mut shape, mut required) = (self.shape, false);
        for segment in rule.path().split('.') {
            let Kind::Structure(members) = &shape.kind else { return false };
            let name = segment.trim_end_matches("[]");
            let Some(member) = members.iter().find(|member| member.name == name) else { return false };
            required = member.required;
            let Some(inner) = self.shape(member.shape) else { return false };
            shape = inner;
            if segment.ends_with("[]") {
                let Kind::List(item) = &shape.kind else { return false };
                let Some(item) = self.shape(item) else { return false };
                shape = item;
            }
        }
        let guarded = GUARDED.iter().any(|(_, name, _)| *name == shape.name);
        !guarded && (required || !rule.is_required()) && limits(shape).is_within(&rule.limits())
    }

    fn shape(&self, name: &str) -> Option<&'static Shape> {
        self.service.shapes.get(name)
    }

    fn mistyped(&self, shape: &Shape, form: Form, value: &Value, depth: usize) -> Option<String> {
        if depth > DEEPEST || value.is_null() {
            return None;
        }
        let inside =
            |name: &str, form: Form, value: &Value| self.mistyped(self.shape(name)?, form, value, depth + 1);
        match (&shape.kind, value) {
            // An empty list is an empty text there.
            (Kind::List(_) | Kind::Structure(_) | Kind::Map(..), Value::String(text))
                if form == Form::Text && text.is_empty() =>
            {
                None
            }
            // In a path or a query a list of one is a text.
            (Kind::List(_), Value::String(_)) if form == Form::Text => None,
            (Kind::Structure(members), Value::Object(given)) => {
                let wrong = |member: &Member| {
                    let form = if member.is_text { Form::Text } else { form };
                    inside(member.shape, form, given.get(member.name)?)
                };
                members.iter().find_map(wrong)
            }
            (Kind::List(item), Value::Array(items)) => {
                items.iter().find_map(|value| inside(item, form, value))
            }
            // The query protocols have no maps in the operations here.
            (Kind::Map(..), Value::Array(_)) if form == Form::Text => None,
            (Kind::Map(_, item), Value::Object(values)) => {
                values.values().find_map(|value| inside(item, form, value))
            }
            (Kind::Structure(_) | Kind::Map(..), Value::Array(_)) => {
                Some("Start of list found where not expected".to_owned())
            }
            (Kind::Structure(_) | Kind::Map(..), _) => Some("Unexpected field type".to_owned()),
            (Kind::List(_), _) => Some("Expected list or null".to_owned()),
            (Kind::Document, _) => None,
            (_, Value::Array(_)) => Some("Start of list found where not expected".to_owned()),
            (_, Value::Object(_)) => Some("Start of structure or map found where not expected".to_owned()),
            (kind, value) => scalar(kind, form, value),
        }
    }

    fn find(
        &self,
        shared: &SandboxState,
        shape: &'static Shape,
        value: &Value,
        path: String,
        found: &mut Violations,
        depth: usize,
    ) {
        if depth > DEEPEST || found.is_full() {
            return;
        }
        if !path.is_empty() && self.is_enforced(shared, shape) {
            for must in limits(shape).broken(value) {
                found.add(Violation::of(path.clone(), value, must));
            }
        }
        // Of what is too long no more has to be looked at than it may have.
        let most = limits(shape).length.map_or(usize::MAX, |(_, most)| most);
        match (&shape.kind, value) {
            (Kind::Structure(members), Value::Object(given)) => {
                for member in members {
                    let path = join(path.clone(), &lower_first(member.name));
                    match (given.get(member.name).filter(|value| !value.is_null()), self.shape(member.shape))
                    {
                        (Some(value), Some(shape)) => self.find(shared, shape, value, path, found, depth + 1),
                        (None, _) if member.required => found.add(Violation::missing(path)),
                        _ => {}
                    }
                }
            }
            (Kind::List(item), Value::Array(items)) => {
                let Some(shape) = self.shape(item) else { return };
                for (index, value) in items.iter().take(most).enumerate() {
                    if found.is_full() {
                        break;
                    }
                    // AWS counts list members from 1.
                    let path = format!("{path}.{}.member", index + 1);
                    self.find(shared, shape, value, path, found, depth + 1);
                }
            }
            (Kind::Map(key, item), Value::Object(values)) => {
                let (Some(key), Some(item)) = (self.shape(key), self.shape(item)) else { return };
                for (name, value) in values.iter().take(most) {
                    if found.is_full() {
                        break;
                    }
                    self.find_of_entry(shared, (key, item), (name, value), &path, found);
                    if matches!(item.kind, Kind::Structure(_) | Kind::List(_) | Kind::Map(..)) {
                        self.find(shared, item, value, join(path.clone(), &cut(name)), found, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }

    /// What is wrong with the name and the value of one entry of a map.
    fn find_of_entry(
        &self,
        shared: &SandboxState,
        (key, item): (&'static Shape, &'static Shape),
        (name, value): (&str, &Value),
        path: &str,
        found: &mut Violations,
    ) {
        let of_key = limits(key).broken(&Value::from(name));
        let of_value = if self.is_enforced(shared, item) { limits(item).broken(value) } else { vec![] };
        for (side, broken) in [("keys", of_key), ("value", of_value)] {
            if !broken.is_empty() {
                found.add(Violation::of_map(path.to_owned(), side, name, &broken));
            }
        }
    }

    fn is_enforced(&self, shared: &SandboxState, shape: &Shape) -> bool {
        let guard = GUARDED.iter().find(|(service, name, _)| {
            *name == shape.name
                && super::SERVICES.get(service).is_some_and(|it| std::ptr::eq(it, self.service))
        });
        guard.is_none_or(|(.., rule)| rule.is_some_and(|rule| shared.enforces(rule)))
    }
}

/// The constraints of a shape. A number has a range, everything else a length.
fn limits(shape: &'static Shape) -> Limits<'static> {
    let is_number = matches!(shape.kind, Kind::Integer | Kind::Float);
    let given = (shape.min.is_some() || shape.max.is_some()).then_some((shape.min, shape.max));
    Limits {
        pattern: shape.pattern.filter(|_| shape.kind == Kind::Text),
        range: given
            .filter(|_| is_number)
            .map(|(min, max)| (min.unwrap_or(i64::MIN), max.unwrap_or(i64::MAX))),
        length: given.filter(|_| !is_number && shape.kind != Kind::Blob).map(|(min, max)| {
            let size = |side: Option<i64>, otherwise| {
                side.and_then(|n| usize::try_from(n).ok()).unwrap_or(otherwise)
            };
            (size(min, 0), size(max, usize::MAX))
        }),
        one_of: &shape.values,
    }
}

/// A number, a switch or a text where another of them should be. The words are those of AWS's parser of JSON,
/// which is written in Java.
fn scalar(kind: &Kind, form: Form, value: &Value) -> Option<String> {
    let text = value.as_str();
    let fits = match kind {
        Kind::Text => text.is_some(),
        Kind::Blob => {
            return text.is_none_or(|text| STANDARD.decode(text).is_err()).then(|| NOT_BASE64.to_owned());
        }
        Kind::Boolean if form == Form::Text => {
            text.is_some_and(|text| ["true", "false"].iter().any(|word| text.eq_ignore_ascii_case(word)))
        }
        Kind::Boolean => value.is_boolean(),
        Kind::Integer if form == Form::Text => text.is_some_and(|text| text.parse::<i64>().is_ok()),
        Kind::Integer => {
            value.as_i64().is_some() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
        }
        Kind::Float if form == Form::Text => text.is_some_and(|text| text.parse::<f64>().is_ok()),
        // What JSON has no numbers for is text.
        Kind::Float => {
            value.is_number() || text.is_some_and(|text| ["NaN", "Infinity", "-Infinity"].contains(&text))
        }
        Kind::Time => value.is_number() || text.is_some(),
        _ => true,
    };
    let wanted = match kind {
        Kind::Boolean => "a Boolean",
        Kind::Integer => "an Integer",
        Kind::Float => "a Float",
        Kind::Time => "a Date",
        _ => "an String",
    };
    let found = match value {
        Value::Bool(_) => "class java.lang.Boolean",
        Value::Number(_) => "class com.amazon.coral.value.json.numbers.TruncatingBigNumber",
        _ => "class java.lang.String",
    };
    (!fits).then(|| format!("{found} cannot be converted to {wanted}"))
}

const NOT_BASE64: &str = "the value of a blob is not base64";
