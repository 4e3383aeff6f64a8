//! A principal in the graph, and what trust policies ask of it.

use crate::audit::account::{Role, Tag, name_of};
use crate::audit::trust::SAID_IDENTITY;
use opsctl_iam::circumstance::is_on_mfa;
use opsctl_iam::condition;
use opsctl_iam::pattern;
use opsctl_iam::policy::Condition;

/// A role or user.
pub(super) struct Node {
    pub arn: String,
    pub id: String,
    pub tags: Vec<(String, String)>,
    pub entries_account: bool,
    /// As `entries_account`, with MFA; told apart only at a moment that has it.
    pub entries_mfa: bool,
    /// The policy that bounds it.
    pub boundary: Option<String>,
    /// Whether it may have MFA itself.
    pub may_have_mfa: bool,
    pub admin: bool,
    pub rewritable: bool,
    /// Its trust asks for a source identity.
    pub asks_identity: bool,
    /// In an instance profile, and trusted by EC2: machines may have it.
    pub of_machines: bool,
}

impl Node {
    /// A principal that nothing is known of yet but its name, its unique id and its tags.
    pub fn new(arn: &str, id: &str, tags: &[Tag]) -> Self {
        Self {
            arn: arn.to_owned(),
            id: id.to_owned(),
            tags: tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect(),
            entries_account: false,
            entries_mfa: false,
            boundary: None,
            may_have_mfa: false,
            admin: false,
            rewritable: true,
            asks_identity: false,
            of_machines: false,
        }
    }

    /// Whether the principal is as a condition on the caller asks.
    pub fn meets(&self, c: &Condition) -> bool {
        let operator = condition::Operator::parse(&c.operator);
        let key = c.key.to_ascii_lowercase();
        let is_user = self.arn.contains(":user/");
        let value = match key.strip_prefix("aws:principaltag/") {
            Some(tag) => {
                self.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag)).map(|(_, v)| v.as_str())
            }
            None if key == "aws:principalarn" => Some(self.arn.as_str()),
            None if key == "aws:principaltype" => Some(if is_user { "User" } else { "AssumedRole" }),
            None if is_on_mfa(c) => return self.may_have_mfa,
            None if key == "aws:userid" => return self.has_id(c),
            // Whoever may set one says what it likes; see `Graph::may_say_so`.
            None if c.key.eq_ignore_ascii_case(SAID_IDENTITY) => return true,
            None => is_user.then(|| name_of(&self.arn)),
        };
        if operator.base.eq_ignore_ascii_case("Null") {
            return c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == value.is_none();
        }
        match value {
            Some(value) => condition::admits(c, value) == Some(true),
            None => operator.is_negated() || operator.if_exists || operator.for_all,
        }
    }
}

impl Node {
    /// Whether a condition on `aws:userid` lets it in. Sessions of roles are called what their callers like.
    fn has_id(&self, c: &Condition) -> bool {
        let operator = condition::Operator::parse(&c.operator);
        if self.arn.contains(":user/") {
            return condition::admits(c, &self.id) == Some(true);
        }
        let named = |v: &String| {
            let (id, _) = v.split_once(':').unwrap_or((v, ""));
            id == self.id || (operator.takes_wildcards() && pattern::matches(id, &self.id))
        };
        operator.is_negated() || c.values.iter().any(named)
    }
}

/// A role that lets principals of the account in who are as its conditions ask.
pub(super) struct Asking {
    /// The one principal that it names.
    pub named: Option<String>,
    pub conditions: Vec<Condition>,
    pub role: usize,
}

/// Whether a condition is on a tag that the caller carries.
pub(super) fn is_on_tag(c: &Condition) -> bool {
    c.key.to_ascii_lowercase().starts_with("aws:principaltag/")
}

/// The condition of a role's trust with the role's own tags in place of their variables.
pub(super) fn with_tags_of(role: &Role, c: &Condition) -> Condition {
    let mut filled = c.clone();
    for value in filled.values.iter_mut().filter(|value| value.contains("${")) {
        for tag in &role.tags {
            for prefix in ["aws:ResourceTag/", "iam:ResourceTag/"] {
                *value = value.replace(&format!("${{{prefix}{}}}", tag.key), &tag.value);
            }
        }
    }
    filled
}
