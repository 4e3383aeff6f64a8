//! The query protocol of IAM and STS, and EC2's flavor of it: a form in, XML out.
//!
//! Input: `Tags.member.1.Key=a` (query) and `Tag.1.Key=a` (EC2) both become `{"Tags": [{"Key": "a"}]}`, all
//! values being strings. Output: a JSON object becomes elements; a list becomes `<Name><member>…` (query) or
//! `<Name><item>…` (EC2); a list under `"Name[]"` becomes repeated `<Name>` without a wrapper; null is left
//! out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use hyper::http::request::Parts;
use percent_encoding::percent_decode;
use quick_xml::escape::escape;
use serde_json::{Map, Value};

use super::{Decoded, Request, Response, Service, collect, respond};
use crate::authority::Denied;
use crate::call::Answer;
use crate::constraint::{self, Constraint, Shown, Violation};
use crate::exchange::Exchange;
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::model::Form;
use crate::operation::Operation;
use crate::state::SandboxState;

/// The largest form is the 16 KB user data of an instance, or a policy.
const LARGEST_FORM: usize = 1 << 20;

/// Members within members, as in `Filter.1.Value.2`: AWS's deepest have nine. Every level is a call of a
/// function.
const DEEPEST: usize = 32;

/// Members in all. The largest forms tag a thousand resources fifty times; each member takes many times the
/// bytes of its name.
const MOST_MEMBERS: usize = 50_000;

/// Which of the two XML dialects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavor {
    Query,
    Ec2,
}

/// A service of this protocol.
#[derive(Debug)]
pub struct Api {
    /// IAM prefix, and the name in a credential scope.
    pub name: &'static str,
    pub flavor: Flavor,
    /// XML namespace of the answers.
    pub namespace: &'static str,
    /// The service's code for an input that breaks a constraint: `ValidationError` for IAM and STS,
    /// `InvalidParameterValue` for EC2.
    pub invalid: &'static str,
    /// Its words for "too fast" and "my fault".
    pub faults: FaultCodes,
    pub operations: &'static [Operation],
}

impl Service for Api {
    fn name(&self) -> &'static str {
        self.name
    }

    fn operations(&self) -> Vec<(&'static str, &'static [Constraint])> {
        self.operations.iter().map(|row| (row.name, row.rules)).collect()
    }

    /// The action is in the body, so the head never says it.
    fn claims(&self, _: &Parts) -> bool {
        false
    }

    fn handle<'a>(&'a self, shared: &'a Arc<SandboxState>, request: Request) -> BoxFuture<'a, Response> {
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let request_id = &Exchange::of(&head).id;
            match self.answer(shared, &head, body).await {
                Ok((action, output)) => respond(200, "text/xml", self.render(&action, &output, request_id)),
                Err(fault) => render_fault(&fault, self.flavor, self.namespace, request_id),
            }
        })
    }
}

impl Api {
    async fn answer(
        &self,
        shared: &Arc<SandboxState>,
        head: &Parts,
        body: super::Body,
    ) -> Result<(String, Value), Fault> {
        let body = collect(shared, body, LARGEST_FORM).await?;
        let form = if body.is_empty() { head.uri.query().unwrap_or("").as_bytes() } else { &body[..] };
        let input = parse_form(form)?;
        let action = input["Action"].as_str().unwrap_or_default().to_owned();
        let operation = self.operations.iter().find(|row| row.name == action).ok_or(action.as_str());
        let refuse = |found: &[Violation]| self.refuse(found);
        let answer: Answer = Decoded {
            shared,
            service: self.name,
            faults: self.faults,
            head,
            operation,
            input,
            body: body.clone(),
            form: Form::Text,
            // What AWS answers there is known of the query protocol only.
            mistyped: if self.flavor == Flavor::Ec2 { self.invalid } else { "MalformedInput" },
            denied: match self.flavor {
                Flavor::Query => |Denied(message)| Fault::new(403, "AccessDenied", message),
                Flavor::Ec2 => |Denied(message)| {
                    let message = format!("You are not authorized to perform this operation. {message}");
                    Fault::new(403, "UnauthorizedOperation", message)
                },
            },
            refuse: &refuse,
        }
        .run()
        .await;
        answer.map(|output| (action, output))
    }

    /// EC2 names a missing parameter, one at a time; the others speak of all constraints
    /// (docs/aws/ec2.md#reading-state).
    fn refuse(&self, found: &[Violation]) -> Fault {
        match (self.flavor, found) {
            (Flavor::Ec2, [Violation { path, value: Shown::Missing, .. }, ..]) => {
                let name = path[..1].to_uppercase() + &path[1..];
                Fault::new(400, "MissingParameter", format!("The request must contain the parameter {name}"))
            }
            (Flavor::Ec2, [Violation { path, value: Shown::Text(value), .. }, ..]) => {
                Fault::new(400, self.invalid, format!("Value ({value}) for parameter {path} is invalid."))
            }
            _ => constraint::refusal(self.invalid, found),
        }
    }

    fn render(&self, action: &str, output: &Value, request_id: &str) -> String {
        let mut xml = format!("<{action}Response xmlns=\"{}\">", self.namespace);
        match self.flavor {
            Flavor::Query => {
                xml.push_str(&format!("<{action}Result>"));
                write_value(&mut xml, output, self.flavor);
                xml.push_str(&format!("</{action}Result><ResponseMetadata>"));
                write_element(&mut xml, "RequestId", &Value::from(request_id), self.flavor);
                xml.push_str("</ResponseMetadata>");
            }
            Flavor::Ec2 => {
                write_element(&mut xml, "requestId", &Value::from(request_id), self.flavor);
                write_value(&mut xml, output, self.flavor);
            }
        }
        xml + &format!("</{action}Response>")
    }
}

/// The error document of a flavor.
pub fn render_fault(fault: &Fault, flavor: Flavor, namespace: &str, request_id: &str) -> Response {
    let mut error = Map::new();
    if flavor == Flavor::Query {
        error.insert("Type".into(), Value::from(if fault.status < 500 { "Sender" } else { "Receiver" }));
    }
    error.insert("Code".into(), Value::from(fault.code.as_ref()));
    error.insert("Message".into(), Value::from(fault.message.as_str()));
    error.extend(fault.extra.clone());
    let mut xml = String::new();
    write_element(&mut xml, "Error", &Value::Object(error), flavor);
    let xml = match flavor {
        Flavor::Query => {
            format!(
                "<ErrorResponse xmlns=\"{namespace}\">{xml}<RequestId>{request_id}</RequestId></ErrorResponse>"
            )
        }
        Flavor::Ec2 => {
            format!("<Response><Errors>{xml}</Errors><RequestID>{request_id}</RequestID></Response>")
        }
    };
    respond(fault.status, "text/xml", xml)
}

fn write_value(xml: &mut String, value: &Value, flavor: Flavor) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (name, member) in members {
                write_element(xml, name, member, flavor);
            }
        }
        Value::Array(items) => {
            let name = match flavor {
                Flavor::Query => "member",
                Flavor::Ec2 => "item",
            };
            for item in items {
                write_element(xml, name, item, flavor);
            }
        }
        Value::String(text) => xml.push_str(&escape(writable(text).as_ref())),
        other => xml.push_str(&other.to_string()),
    }
}

fn write_element(xml: &mut String, name: &str, value: &Value, flavor: Flavor) {
    match (name.strip_suffix("[]"), value) {
        (_, Value::Null) => {}
        (Some(name), Value::Array(items)) => {
            for item in items {
                write_element(xml, name, item, flavor);
            }
        }
        _ => {
            xml.push_str(&format!("<{name}>"));
            write_value(xml, value, flavor);
            xml.push_str(&format!("</{name}>"));
        }
    }
}

/// XML 1.0 cannot hold control characters at all, not even as references; an answer with one could not be
/// read.
pub fn writable(text: &str) -> Cow<'_, str> {
    let unwritable =
        |c: char| (c < ' ' && !['\t', '\n', '\r'].contains(&c)) || ['\u{fffe}', '\u{ffff}'].contains(&c);
    match text.contains(unwritable) {
        true => text.replace(unwritable, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// A dotted form as a tree, before lists are told from objects.
#[derive(Debug, Default)]
struct Node {
    text: Option<String>,
    members: BTreeMap<String, Node>,
}

impl Node {
    fn into_value(mut self) -> Value {
        if self.members.is_empty() {
            return self.text.map_or(Value::Null, Value::String);
        }
        if self.members.len() == 1
            && let Some(list) = self.members.remove("member")
        {
            return list.into_value();
        }
        let numbers: Option<Vec<usize>> = self.members.keys().map(|name| name.parse().ok()).collect();
        if let Some(mut order) = numbers {
            order.sort_unstable();
            let mut take = |number: usize| self.members.remove(&number.to_string());
            return order.into_iter().filter_map(|number| take(number).map(Node::into_value)).collect();
        }
        self.members.into_iter().map(|(name, node)| (name, node.into_value())).collect()
    }
}

fn parse_form(form: &[u8]) -> Result<Value, Fault> {
    let (mut root, mut members) = (Node::default(), 0);
    for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let end = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (decode(&pair[..end]), decode(pair.get(end + 1..).unwrap_or_default()));
        let levels = name.split('.').count();
        members += levels;
        let wrong = match (levels > DEEPEST, members > MOST_MEMBERS) {
            (true, _) => Some("a parameter has too many levels"),
            (_, true) => Some("it has too many parameters"),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let message = format!("The query string contains a syntax error: {wrong}");
            return Err(Fault::new(400, "MalformedQueryString", message));
        }
        let node = name
            .split('.')
            .fold(&mut root, |node, segment| node.members.entry(segment.to_owned()).or_default());
        node.text = Some(value);
    }
    Ok(match root.into_value() {
        object @ Value::Object(_) => object,
        _ => Value::Object(Map::new()),
    })
}

fn decode(text: &[u8]) -> String {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const API: Api = Api {
        name: "iam",
        flavor: Flavor::Query,
        namespace: "urn:x",
        invalid: "ValidationError",
        faults: FaultCodes::USUAL,
        operations: &[],
    };

    #[test]
    fn both_flavors_of_lists_become_arrays() {
        let form = b"Action=A&Version=1&Tags.member.1.Key=a&Tags.member.1.Value=1+2%2B&Tags.member.2.Key=b\
            &Filter.1.Name=n&Filter.1.Value.2=y&Filter.1.Value.1=x&Filter.10.Name=z&Empty=";
        assert_eq!(
            parse_form(form).unwrap(),
            json!({"Action": "A", "Version": "1", "Empty": "",
                   "Tags": [{"Key": "a", "Value": "1 2+"}, {"Key": "b"}],
                   "Filter": [{"Name": "n", "Value": ["x", "y"]}, {"Name": "z"}]})
        );
        assert_eq!(parse_form(b"").unwrap(), json!({}));
    }

    #[test]
    fn a_form_without_a_bottom_is_refused() {
        let deep = |levels: usize| format!("{}=x", vec!["a"; levels].join("."));
        assert!(parse_form(deep(DEEPEST).as_bytes()).is_ok());
        for levels in [DEEPEST + 1, 200_000] {
            assert_eq!(parse_form(deep(levels).as_bytes()).unwrap_err().code, "MalformedQueryString");
        }
        let wide = |pairs: usize| (0..pairs).map(|n| format!("A.{n}=&")).collect::<String>();
        assert!(parse_form(wide(20_000).as_bytes()).is_ok());
        assert_eq!(parse_form(wide(30_000).as_bytes()).unwrap_err().code, "MalformedQueryString");
    }

    #[test]
    fn an_answer_is_xml_whatever_was_asked() {
        let mut xml = String::new();
        write_element(&mut xml, "Message", &json!("a\u{0}b\u{1b}[0m\tc\u{ffff}"), Flavor::Query);
        assert_eq!(xml, "<Message>a\u{fffd}b\u{fffd}[0m\tc\u{fffd}</Message>");
    }

    #[test]
    fn answers_are_the_xml_of_their_flavor() {
        let output =
            json!({"Role": {"RoleName": "a<b", "Gone": null, "Tags": [{"Key": "k"}]}, "IsTruncated": false});
        assert_eq!(
            API.render("GetRole", &output, "id"),
            "<GetRoleResponse xmlns=\"urn:x\"><GetRoleResult><IsTruncated>false</IsTruncated><Role>\
             <RoleName>a&lt;b</RoleName><Tags><member><Key>k</Key></member></Tags></Role></GetRoleResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetRoleResponse>"
        );
        let ec2 = Api { flavor: Flavor::Ec2, ..API };
        assert_eq!(
            ec2.render("DescribeX", &json!({"xSet": [{"id": 1}], "y[]": ["a", "b"]}), "id"),
            "<DescribeXResponse xmlns=\"urn:x\"><requestId>id</requestId><xSet><item><id>1</id></item></xSet>\
             <y>a</y><y>b</y></DescribeXResponse>"
        );
    }

    #[test]
    fn ec2_names_a_missing_parameter_in_its_own_words() {
        let constraints = &[constraint::Constraint::ANY.at("ImageId").required()];
        let found = constraint::Violations::of(constraints, &json!({}));
        let fault = Api { flavor: Flavor::Ec2, ..API }.refuse(found.told());
        assert_eq!(fault.code, "MissingParameter");
        assert_eq!(fault.message, "The request must contain the parameter ImageId");
        assert_eq!(API.refuse(found.told()).code, "ValidationError");
    }
}
