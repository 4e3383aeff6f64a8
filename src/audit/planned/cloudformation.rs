//! The IAM of a CloudFormation template.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_IAM.html>
//!
//! Functions are worked out as far as a template alone allows: parameters by their defaults, references by
//! the name that a resource is given, conditions by both. What stays open is a text that names one thing, so
//! that it is never everything, and is told.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::policies::account_in;
use super::{Built, Holder, iam_arn, list};

pub(super) fn read(template: &Value, home: Option<&str>) -> Built {
    let account = home.map(str::to_owned).or_else(|| account_in(&template.to_string()));
    let mut built = Built::new(account);
    let none = Map::new();
    let resources = template["Resources"].as_object().unwrap_or(&none);
    let reader = Reader {
        template,
        account: built.account.clone(),
        open: RefCell::default(),
        called: RefCell::default(),
        asked: RefCell::default(),
        decided: RefCell::default(),
    };
    let is_made = |resource: &Value| match &resource["Condition"] {
        Value::String(condition) => reader.decide(condition, 0) != Some(false),
        _ => true,
    };
    let made = || resources.iter().filter(|(_, resource)| is_made(resource));
    for (id, resource) in made() {
        reader.make(id, resource, &mut built);
    }
    for (id, resource) in made() {
        reader.connect(id, resource, &mut built);
    }
    if resources.is_empty() {
        built.problems.push((String::new(), "the template has no resource".to_owned()));
    }
    for what in rewritten(template) {
        let advice = "audit what `aws cloudformation get-template --template-stage Processed` answers";
        built.problems.push((String::new(), format!("{what}: {advice}")));
    }
    for id in nested(resources) {
        let reason = format!("{id} is a template of its own: audit that one as well");
        built.problems.push((String::new(), reason));
    }
    for what in reader.open.into_inner() {
        built.problems.push((String::new(), format!("the template does not tell {what}")));
    }
    if resources
        .values()
        .any(|r| r["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::Serverless::")))
    {
        let reason = "the template has resources of AWS::Serverless, whose roles the transform makes: audit \
                      what `aws cloudformation get-template --template-stage Processed` answers";
        built.problems.push((String::new(), reason.into()));
    }
    built
}

/// What CloudFormation writes into a template before it makes anything, in words.
fn rewritten(template: &Value) -> Vec<String> {
    /// What these make of a template is read, or told apart.
    const KNOWN: [&str; 2] = ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"];
    let named = |transform: &Value| {
        let name = transform.as_str().or(transform["Name"].as_str())?;
        (!KNOWN.contains(&name)).then(|| format!("the transform {name} may make anything of the template"))
    };
    let of_top = match &template["Transform"] {
        Value::Array(several) => several.iter().collect(),
        one => vec![one],
    };
    let mut found: Vec<String> = of_top.into_iter().filter_map(named).collect();
    let resources = template["Resources"].as_object();
    for (place, map) in [("the template", template.as_object()), ("Resources", resources)] {
        let written = map.into_iter().flatten().filter(|(key, _)| key.starts_with("Fn::"));
        found.extend(written.map(|(key, _)| format!("{key} in {place} makes what is not written there")));
    }
    found
}

/// Resources that are templates of their own.
fn nested(resources: &Map<String, Value>) -> impl Iterator<Item = &String> {
    const NESTED: [&str; 4] = [
        "AWS::CloudFormation::Stack",
        "AWS::CloudFormation::StackSet",
        "AWS::ServiceCatalog::CloudFormationProvisionedProduct",
        "AWS::Serverless::Application",
    ];
    let is_nested = |kind: &str| NESTED.contains(&kind) || kind.ends_with("::MODULE");
    resources.iter().filter(move |(_, r)| r["Type"].as_str().is_some_and(is_nested)).map(|(id, _)| id)
}

struct Reader<'t> {
    template: &'t Value,
    account: String,
    /// What the template leaves open of its roles, users, groups and policies, in words.
    open: RefCell<BTreeSet<String>>,
    /// What its resources are called, with what that leaves open.
    called: RefCell<HashMap<String, (Called, BTreeSet<String>)>>,
    /// Those whose names are being worked out, each by way of the one before.
    asked: RefCell<Vec<String>>,
    /// Its conditions, as far as they are decided; in no circle, but a template may hold one.
    decided: RefCell<HashMap<String, Option<bool>>>,
}

/// A resource, as others refer to it.
#[derive(Clone)]
struct Called {
    name: String,
    path: String,
}

impl Reader<'_> {
    /// Notes what is open, and stands for it by a text that is one thing.
    fn untold(&self, what: String, stand_in: impl Into<Value>) -> Value {
        self.open.borrow_mut().insert(what);
        stand_in.into()
    }

    fn make(&self, id: &str, resource: &Value, built: &mut Built) {
        if !is_of_iam(resource) {
            return;
        }
        let properties = self.value(&resource["Properties"]);
        let path = properties["Path"].as_str().unwrap_or("/");
        let name = self.name(id);
        let holder = match resource["Type"].as_str() {
            Some("AWS::IAM::Role") => {
                built.roles.push(json!({"RoleName": name, "Arn": self.arn(id), "Path": path,
                    "AssumeRolePolicyDocument": properties["AssumeRolePolicyDocument"],
                    "RolePolicyList": [], "AttachedManagedPolicies": [], "InstanceProfileList": [],
                    "Tags": properties["Tags"], "MaxSessionDuration": properties["MaxSessionDuration"],
                    "PermissionsBoundary": boundary(&properties)}));
                Holder::Role
            }
            Some("AWS::IAM::User") => {
                built.users.push(json!({"UserName": name, "Arn": self.arn(id), "Path": path,
                    "GroupList": properties["Groups"], "Tags": properties["Tags"],
                    "PermissionsBoundary": boundary(&properties)}));
                Holder::User
            }
            Some("AWS::IAM::Group") => {
                built.groups.push(json!({"GroupName": name, "Arn": self.arn(id), "Path": path}));
                Holder::Group
            }
            Some("AWS::IAM::ManagedPolicy") => {
                built.add_policy(&name, &self.arn(id), properties["PolicyDocument"].clone());
                return;
            }
            _ => return,
        };
        for policy in list(&properties["Policies"]) {
            let called = policy["PolicyName"].as_str().unwrap_or("policy");
            built.write(holder, &name, called, policy["PolicyDocument"].clone());
        }
        for arn in list(&properties["ManagedPolicyArns"]).filter_map(Value::as_str) {
            built.attach(holder, &name, arn);
        }
    }

    fn connect(&self, id: &str, resource: &Value, built: &mut Built) {
        if !is_of_iam(resource) {
            return;
        }
        let properties = self.value(&resource["Properties"]);
        let called = properties["PolicyName"].as_str().unwrap_or(id).to_owned();
        let document = &properties["PolicyDocument"];
        let holders = [("Roles", Holder::Role), ("Users", Holder::User), ("Groups", Holder::Group)];
        let each = |key: &str| -> Vec<String> {
            list(&properties[key]).filter_map(Value::as_str).map(str::to_owned).collect()
        };
        match resource["Type"].as_str() {
            Some("AWS::IAM::Policy") => {
                for (key, kind) in holders {
                    each(key).iter().for_each(|name| built.write(kind, name, &called, document.clone()));
                }
            }
            Some("AWS::IAM::ManagedPolicy") => {
                for (key, kind) in holders {
                    each(key).iter().for_each(|name| built.attach(kind, name, &self.arn(id)));
                }
            }
            Some("AWS::IAM::RolePolicy" | "AWS::IAM::UserPolicy" | "AWS::IAM::GroupPolicy") => {
                for (key, kind) in
                    [("RoleName", Holder::Role), ("UserName", Holder::User), ("GroupName", Holder::Group)]
                {
                    if let Some(name) = properties[key].as_str() {
                        built.write(kind, name, &called, document.clone());
                    }
                }
            }
            Some("AWS::IAM::UserToGroupAddition") => {
                let group = properties["GroupName"].as_str().unwrap_or_default();
                each("Users").iter().for_each(|user| built.join(user, group));
            }
            Some("AWS::IAM::InstanceProfile") => {
                for role in each("Roles") {
                    let profile = json!({"InstanceProfileName": self.name(id)});
                    built.push(Holder::Role, &role, "InstanceProfileList", profile);
                }
            }
            _ => {}
        }
    }

    /// The name of a resource: the one that it is given, else its own in the template.
    fn name(&self, id: &str) -> String {
        self.called(id).name
    }

    /// What a resource is called, worked out once. CloudFormation refuses names in a circle, IAM long ones.
    fn called(&self, id: &str) -> Called {
        const DEEPEST: usize = 50;
        const LONGEST: usize = 512;
        if let Some((known, open)) = self.called.borrow().get(id) {
            self.open.borrow_mut().extend(open.iter().cloned());
            return known.clone();
        }
        let own = || Called { name: id.to_owned(), path: "/".to_owned() };
        let is_circle = self.asked.borrow().iter().any(|asked| asked == id);
        if is_circle || self.asked.borrow().len() >= DEEPEST {
            let why = if is_circle { "whose name is made of itself" } else { "behind too many others" };
            self.untold(format!("what {id} is called, {why}"), Value::Null);
            return own();
        }
        let before = self.open.take();
        self.asked.borrow_mut().push(id.to_owned());
        let mut called = self.given_to(id);
        self.asked.borrow_mut().pop();
        if called.name.len() + called.path.len() > LONGEST {
            self.untold(format!("what {id} is called: that is longer than IAM takes"), Value::Null);
            called = own();
        }
        let open = self.open.replace(before);
        self.open.borrow_mut().extend(open.iter().cloned());
        self.called.borrow_mut().insert(id.to_owned(), (called.clone(), open));
        called
    }

    fn given_to(&self, id: &str) -> Called {
        let properties = &self.template["Resources"][id]["Properties"];
        let keys = ["RoleName", "UserName", "GroupName", "ManagedPolicyName", "InstanceProfileName"];
        let given = keys.iter().find_map(|key| self.value(&properties[key]).as_str().map(str::to_owned));
        let path = self.value(&properties["Path"]);
        let path = path.as_str().filter(|path| path.starts_with('/')).unwrap_or("/");
        Called { name: given.unwrap_or_else(|| id.to_owned()), path: path.to_owned() }
    }

    fn arn(&self, id: &str) -> String {
        let kind = self.template["Resources"][id]["Type"].as_str().unwrap_or_default();
        if !kind.starts_with("AWS::IAM::") {
            return format!("arn:aws:template:::{id}");
        }
        let (_, kind) = kind.rsplit_once("::").unwrap_or(("", kind));
        let kind = match kind {
            "ManagedPolicy" => "policy".to_owned(),
            "InstanceProfile" => "instance-profile".to_owned(),
            other => other.to_ascii_lowercase(),
        };
        let Called { name, path } = self.called(id);
        iam_arn(&self.account, &kind, &path, &name)
    }

    /// A value with its functions worked out.
    fn value(&self, value: &Value) -> Value {
        match value {
            Value::Array(items) => {
                items.iter().map(|item| self.value(item)).filter(|item| !item.is_null()).collect()
            }
            Value::Object(map) => match map.iter().next().filter(|_| map.len() == 1) {
                Some((function, argument)) if function == "Ref" || function.starts_with("Fn::") => {
                    self.function(function, argument)
                }
                _ => {
                    // Beside other keys a function writes into what it stands in.
                    for key in map.keys().filter(|key| map.len() > 1 && key.starts_with("Fn::")) {
                        self.untold(format!("what {key} makes"), Value::Null);
                    }
                    Value::Object(map.iter().map(|(key, item)| (key.clone(), self.value(item))).collect())
                }
            },
            plain => plain.clone(),
        }
    }

    fn function(&self, function: &str, argument: &Value) -> Value {
        let text = |value: &Value| match self.value(value) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        match (function, argument) {
            ("Ref", Value::String(name)) => self.reference(name),
            ("Fn::GetAtt", Value::Array(parts)) => match (parts.first(), parts.get(1)) {
                (Some(Value::String(id)), Some(Value::String(attribute))) => self.attribute(id, attribute),
                _ => Value::Null,
            },
            ("Fn::GetAtt", Value::String(path)) => match path.split_once('.') {
                Some((id, attribute)) => self.attribute(id, attribute),
                None => Value::Null,
            },
            ("Fn::Sub", Value::String(pattern)) => self.substitute(pattern, &Value::Null).into(),
            ("Fn::Sub", Value::Array(parts)) => {
                let pattern = parts.first().and_then(Value::as_str).unwrap_or_default();
                self.substitute(pattern, parts.get(1).unwrap_or(&Value::Null)).into()
            }
            ("Fn::Join", Value::Array(parts)) => {
                let between = parts.first().and_then(Value::as_str).unwrap_or_default();
                let items = self.value(parts.get(1).unwrap_or(&Value::Null));
                list(&items).map(text).collect::<Vec<_>>().join(between).into()
            }
            ("Fn::If", Value::Array(parts)) => self.either(parts),
            ("Fn::FindInMap", Value::Array(parts)) => self.in_map(parts),
            ("Fn::Select", Value::Array(parts)) => {
                let place = parts.first().map(&text).and_then(|n| n.parse::<usize>().ok());
                let items = self.value(parts.get(1).unwrap_or(&Value::Null));
                match place.and_then(|n| items.get(n)) {
                    Some(item) => item.clone(),
                    None => self.untold("what Fn::Select takes".to_owned(), "select-of-the-template"),
                }
            }
            ("Fn::Split", Value::Array(parts)) => {
                let at = parts.first().and_then(Value::as_str).filter(|at| !at.is_empty()).unwrap_or(",");
                let whole = parts.get(1).map(text).unwrap_or_default();
                whole.split(at).collect()
            }
            (_, argument) => {
                let about = argument.as_str().map(|name| format!(" of {name}")).unwrap_or_default();
                let stand_in =
                    format!("{}-of-the-template", function.trim_start_matches("Fn::").to_ascii_lowercase());
                self.untold(format!("what {function}{about} is"), stand_in)
            }
        }
    }

    /// `Fn::FindInMap`, of a map of the template.
    fn in_map(&self, parts: &[Value]) -> Value {
        let key = |n: usize| parts.get(n).map(|part| self.value(part)).unwrap_or(Value::Null);
        let found = match (key(0).as_str(), key(1).as_str(), key(2).as_str()) {
            (Some(map), Some(one), Some(two)) => &self.template["Mappings"][map][one][two],
            _ => &Value::Null,
        };
        match found {
            Value::Null => {
                self.untold(format!("what Fn::FindInMap finds in {}", key(0)), "findinmap-of-the-template")
            }
            found => found.clone(),
        }
    }

    /// `Fn::If`: the branch that the defaults choose; of two that may both be, the first that is there.
    fn either(&self, parts: &[Value]) -> Value {
        let branch = |n: usize| parts.get(n).map(|part| self.value(part)).unwrap_or(Value::Null);
        let name = parts.first().and_then(Value::as_str).unwrap_or_default();
        match self.decide(name, 0) {
            Some(true) => branch(1),
            Some(false) => branch(2),
            None => {
                let what =
                    format!("whether the condition {name} holds: what it asks for is judged as if it did");
                let first = self.untold(what, branch(1));
                if first.is_null() { branch(2) } else { first }
            }
        }
    }

    /// As [`Self::holds`], of a condition by its name. It is decided once: in a circle, or by way of too many
    /// others, the template does not say.
    fn decide(&self, name: &str, depth: usize) -> Option<bool> {
        if let Some(known) = self.decided.borrow().get(name) {
            return *known;
        }
        self.decided.borrow_mut().insert(name.to_owned(), None);
        let holds = self.holds(&self.template["Conditions"][name], depth);
        self.decided.borrow_mut().insert(name.to_owned(), holds);
        holds
    }

    /// Whether a condition holds by the defaults of the parameters; `None` when the template does not say.
    fn holds(&self, condition: &Value, depth: usize) -> Option<bool> {
        const DEEPEST: usize = 20;
        let (function, argument) = condition.as_object()?.iter().next().filter(|_| depth < DEEPEST)?;
        let each = || list(argument).map(|part| self.holds(part, depth + 1));
        match function.as_str() {
            "Condition" => self.decide(argument.as_str()?, depth + 1),
            "Fn::Equals" => {
                let before = self.open.take();
                let (one, other) = (self.value(argument.get(0)?), self.value(argument.get(1)?));
                let told = self.open.borrow().is_empty() && is_told(argument);
                self.open.borrow_mut().extend(before);
                let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                told.then(|| text(&one) == text(&other))
            }
            "Fn::Not" => each().next()?.map(|holds| !holds),
            "Fn::And" if each().any(|holds| holds == Some(false)) => Some(false),
            "Fn::And" => each().all(|holds| holds == Some(true)).then_some(true),
            "Fn::Or" if each().any(|holds| holds == Some(true)) => Some(true),
            "Fn::Or" => each().all(|holds| holds == Some(false)).then_some(false),
            _ => None,
        }
    }

    fn reference(&self, name: &str) -> Value {
        let pseudo = match name {
            "AWS::AccountId" => Some(self.account.as_str()),
            "AWS::Region" => Some("us-east-1"),
            "AWS::Partition" => Some("aws"),
            "AWS::URLSuffix" => Some("amazonaws.com"),
            "AWS::StackName" => Some("stack"),
            "AWS::StackId" => Some("arn:aws:cloudformation:us-east-1:000000000000:stack/stack/id"),
            "AWS::NoValue" => return Value::Null,
            _ => None,
        };
        if let Some(value) = pseudo {
            return value.into();
        }
        let parameter = &self.template["Parameters"][name];
        if parameter.is_object() {
            let listed = parameter["Type"].as_str().is_some_and(|kind| kind.contains("List"));
            // Of these the default is a name in Parameter Store.
            let stored = parameter["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::SSM::"));
            return match &parameter["Default"] {
                _ if stored => self.untold(format!("the parameter {name}, which Parameter Store has"), name),
                Value::Null => self.untold(format!("the parameter {name}, which has no default"), name),
                Value::String(text) if listed => text.split(',').map(str::trim).collect(),
                default => default.clone(),
            };
        }
        match self.template["Resources"][name]["Type"].as_str() {
            Some("AWS::IAM::ManagedPolicy") => self.arn(name).into(),
            _ => self.name(name).into(),
        }
    }

    fn attribute(&self, id: &str, attribute: &str) -> Value {
        match attribute.ends_with("Arn") {
            true => self.arn(id).into(),
            false => format!("{id}.{attribute}").into(),
        }
    }

    /// `${Name}`, `${Name.Attribute}`, and `${!Literal}`, which is a variable of the policy.
    fn substitute(&self, pattern: &str, own: &Value) -> String {
        let (mut filled, mut rest) = (String::new(), pattern);
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else { break };
            filled.push_str(before);
            let value = match name.strip_prefix('!') {
                Some(literal) => format!("${{{literal}}}").into(),
                None if own.get(name).is_some() => self.value(&own[name]),
                None => match name.split_once('.') {
                    Some((id, attribute)) => self.attribute(id, attribute),
                    None => self.reference(name),
                },
            };
            match value {
                Value::String(text) => filled.push_str(&text),
                other => filled.push_str(&other.to_string()),
            }
            rest = tail;
        }
        filled + rest
    }
}

fn is_of_iam(resource: &Value) -> bool {
    resource["Type"].as_str().is_some_and(|kind| kind.starts_with("AWS::IAM::"))
}

/// Whether what is compared is the same wherever the template is deployed: region and account are not.
fn is_told(compared: &Value) -> bool {
    let text = compared.to_string();
    !["AWS::Region", "AWS::AccountId", "AWS::Partition", "AWS::StackName", "AWS::URLSuffix"]
        .iter()
        .any(|name| text.contains(name))
}

fn boundary(properties: &Value) -> Value {
    match properties["PermissionsBoundary"].as_str() {
        Some(arn) => json!({"PermissionsBoundaryArn": arn}),
        None => Value::Null,
    }
}
