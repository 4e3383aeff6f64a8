//! With which rights something runs: with a role that opsctl makes, to which `permissions` add, or with the
//! one that `role` names, which somebody else made (docs/decisions/0062-roles-of-others.md).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::spec::{Assumer, Role};
use crate::config::section;
use crate::desired::{Draft, GivenRole};
use crate::domain::places::partition;
use crate::domain::{KeyPath, ResourceId, codes, grouped, many};
use crate::limits::ArnOf;
use crate::resources::bucket::Bucket;
use crate::resources::references::{Piece, pieces};
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::pattern;

/// Actions that are allowed on resources, beside what opsctl allows by itself.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// IAM's actions: `s3:GetObject`.
    pub actions: Vec<String>,
    /// The ARNs of what they are about, in which `${bucket}` is the name of the project's bucket; `"*"` for
    /// actions that are about nothing in particular.
    pub resources: Vec<String>,
}

/// The keys of a section that say it.
#[derive(Clone, Copy, Debug)]
pub struct Rights<'a> {
    /// The ARN of a role of others.
    pub role: Option<&'a str>,
    pub permissions: &'a [Permission],
}

/// The role that something runs with.
#[derive(Clone, Debug)]
pub struct Assumed {
    pub arn: String,
    /// `None` of a role that opsctl does not make.
    pub made: Option<ResourceId>,
}

/// Characters of all inline policies of a role, white space not counted
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const LARGEST: usize = 10_240;

impl Role {
    /// The role of `user` (`training-breeds`), whose section stands at `at`, with these statements; or the
    /// one that the section names.
    pub fn of_rights(
        user: &str,
        rights: &Rights<'_>,
        who: Assumer,
        mut statements: Vec<Value>,
        draft: &mut Draft<'_>,
        at: &KeyPath,
    ) -> Assumed {
        let permissions = rights.filled(at, draft);
        let rights = &Rights { permissions: &permissions, ..*rights };
        rights.lint(at, draft);
        if let Some(arn) = rights.role {
            let service = who.service();
            draft.gives(GivenRole { arn: arn.to_owned(), service, at: at.clone(), statements });
            return Assumed { arn: arn.to_owned(), made: None };
        }
        statements.extend(rights.permissions.iter().map(Permission::statement));
        let size = json!(statements).to_string().chars().filter(|c| !c.is_whitespace()).count();
        if size > LARGEST && !rights.permissions.is_empty() {
            let (size, most) = (many(size, "character"), grouped(LARGEST));
            let text = format!("the policy of the role has {size} with them, IAM takes {most}");
            let help = "name fewer, or make a role of your own and name it by `role`";
            draft.error(codes::TOO_LARGE, at.join("permissions"), text, help);
        }
        let arn = Self::arn(draft.scope, user);
        Assumed { arn, made: Some(Self::of_user(user, who, statements, draft, at)) }
    }
}

impl Permission {
    fn statement(&self) -> Value {
        json!({ "Effect": "Allow", "Action": self.actions, "Resource": self.resources })
    }
}

impl Rights<'_> {
    /// The permissions with their references filled in.
    fn filled(&self, at: &KeyPath, draft: &mut Draft<'_>) -> Vec<Permission> {
        let permissions = self.permissions.iter().enumerate();
        let filled = permissions.map(|(i, permission)| {
            let at = at.join("permissions").join(i.to_string()).join("resources");
            let resources = permission.resources.iter().enumerate();
            let resources = resources.map(|(i, resource)| fill(resource, &at.join(i.to_string()), draft));
            Permission { resources: resources.collect(), actions: permission.actions.clone() }
        });
        filled.collect()
    }

    fn lint(&self, at: &KeyPath, draft: &mut Draft<'_>) {
        if let Some(role) = self.role {
            let at = at.join("role");
            let (account, region) = draft.home();
            let of = ArnOf {
                noun: "IAM role",
                example: "arn:aws:iam::123456789012:role/training",
                service: "iam",
                kinds: &["role/"],
                account,
                region,
            };
            draft.problems.extend(of.refuse(role, &at));
        }
        if self.role.is_some() && !self.permissions.is_empty() {
            let text = "`permissions` are put into the role that opsctl makes, and `role` names another";
            let help = "remove one of the two; what the role of others may do is for them to say";
            draft.error(codes::BAD_VALUE, at.join("permissions"), text, help);
            return;
        }
        for (i, permission) in self.permissions.iter().enumerate() {
            permission.lint(&at.join("permissions").join(i.to_string()), draft);
        }
    }
}

impl Permission {
    fn lint(&self, at: &KeyPath, draft: &mut Draft<'_>) {
        for (key, list) in [("actions", &self.actions), ("resources", &self.resources)] {
            if list.is_empty() {
                let text = format!("`{key}` is empty, and IAM takes no such statement");
                draft.error(
                    codes::BAD_VALUE,
                    at.join(key),
                    text,
                    "name what is allowed, or remove all of it",
                );
            }
        }
        for (i, action) in self.actions.iter().enumerate() {
            lint_action(action, &at.join("actions").join(i.to_string()), draft);
        }
        for (i, resource) in self.resources.iter().enumerate() {
            self.lint_resource(resource, &at.join("resources").join(i.to_string()), draft);
        }
    }

    fn lint_resource(&self, resource: &str, at: &KeyPath, draft: &mut Draft<'_>) {
        // Stands in for a wildcard, which is no part of an ARN's own characters.
        let plain = resource.replace(['*', '?'], "x");
        let arn = Arn::parse(&plain);
        if resource != "*" && arn.is_none() {
            let text = format!("\"{resource}\" is no ARN");
            draft.error(
                codes::BAD_VALUE,
                at.clone(),
                text,
                "write an ARN (\"arn:aws:s3:::bucket/*\"), or \"*\"",
            );
            return;
        }
        if let (Some(arn), Some(region)) = (arn, draft.home().1)
            && !resource.starts_with("arn:*")
            && arn.partition != partition(region).0
        {
            let (theirs, ours) = (arn.partition, partition(region).0);
            let text = format!("\"{resource}\" is of the partition {theirs}, and {region} is in {ours}");
            draft.error(codes::BAD_VALUE, at.clone(), text, format!("write arn:{ours}:…"));
        }
        let catalogue = Catalogue::embedded();
        let actions = self.actions.iter().flat_map(|action| catalogue.expand(action));
        let limited: BTreeSet<&str> = actions
            .filter(|id| catalogue.resource_templates(*id).next().is_some())
            .map(|id| catalogue.name(id))
            .collect();
        let is_all = resource == "*" || resource.ends_with(":*") && resource.matches(':').count() == 5;
        if let (true, Some(action)) = (is_all, limited.first()) {
            let text = format!("\"{resource}\" allows {action} on everything of the account");
            draft.warn(codes::WIDE_PERMISSION, at.clone(), text, "name the ARNs that it is about");
        }
    }
}

/// A resource with the name of the bucket in it. IAM's own variables, such as `${aws:PrincipalTag/team}`,
/// stay: it fills them in.
fn fill(resource: &str, at: &KeyPath, draft: &mut Draft<'_>) -> String {
    let mut text = String::new();
    for piece in pieces(resource) {
        match piece {
            Piece::Text(piece) => text += piece,
            Piece::Reference("bucket") => text += &Bucket::name(draft),
            Piece::Reference(variable) if pattern::is_variable(variable) => {
                text += &format!("${{{variable}}}");
            }
            Piece::Reference(_) | Piece::Open(_) | Piece::Escaped => {
                let message = format!("\"{resource}\" has a reference that nothing fills in here");
                let help = "there is ${bucket}; write any other name itself (`name = \"…\"` fixes it)";
                draft.error(codes::UNKNOWN_REFERENCE, at.clone(), message, help);
            }
        }
    }
    text
}

fn lint_action(action: &str, at: &KeyPath, draft: &mut Draft<'_>) {
    let catalogue = Catalogue::embedded();
    if pattern::is_wild(action) {
        let count = catalogue.expand(action).len();
        let text = match count {
            0 => format!("`{action}` matches no action of AWS"),
            n => format!("`{action}` allows {}, and what AWS adds", many(n, "action")),
        };
        let code = if count == 0 { codes::UNKNOWN_ACTION } else { codes::WIDE_PERMISSION };
        draft.warn(code, at.clone(), text, "name the actions that are needed");
        return;
    }
    let Some((service, name)) = action.split_once(':').filter(|(s, n)| !s.is_empty() && !n.is_empty()) else {
        let text = format!("\"{action}\" is no action");
        draft.error(codes::BAD_VALUE, at.clone(), text, "write SERVICE:Action, such as \"s3:GetObject\"");
        return;
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if !service.chars().all(plain) || !name.chars().all(plain) {
        let text = format!("\"{action}\" is no action");
        draft.error(codes::BAD_VALUE, at.clone(), text, "write SERVICE:Action, such as \"s3:GetObject\"");
        return;
    }
    if catalogue.find(action).is_some() {
        return;
    }
    let help = match catalogue.service(&service.to_ascii_lowercase()) {
        Some(range) => section::nearest(action, range.map(|id| catalogue.name(id))).map_or_else(
            || format!("see the actions of {service}"),
            |near| format!("did you mean `{near}`?"),
        ),
        None => section::nearest(service, catalogue.services().map(|(prefix, _)| prefix)).map_or_else(
            || "see AWS's list of services".to_owned(),
            |near| format!("did you mean `{near}:{name}`?"),
        ),
    };
    let text = format!("AWS had no action `{action}` on {}, and IAM takes any name", catalogue.date());
    draft.warn(codes::UNKNOWN_ACTION, at.clone(), text, help);
}
