//! A principal as others see it: what trust policies ask of it, and what may be done to it.

use super::account::{Role, Tag, name_of};
use super::said;
use opsctl_iam::circumstance::is_on_mfa;
use opsctl_iam::condition::{self, Asked, Bound, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::Condition;
use opsctl_iam::tagging::fitting_values;

/// The tags of something.
type Tagged = Vec<(String, String)>;

/// A role or user.
#[derive(Clone)]
pub struct Node {
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
    /// What its trust asks callers to say, and so to be allowed: a source identity, tags of the session.
    pub asked_to: Vec<&'static str>,
    /// What its trust asks callers to say.
    pub said: said::Asked,
    /// What services that it trusts must act for, by service, where the trust says so: patterns of ARNs.
    pub sources: Vec<(String, Option<Vec<String>>)>,
    /// The names of its instance profiles.
    pub profiles: Vec<String>,
    /// In an instance profile, and trusted by EC2: machines may have it.
    pub of_machines: bool,
    /// A service's alone, with what AWS wrote for it; see `serving`.
    pub serves: bool,
}

impl Node {
    /// A role with what is known of it as something that is acted upon.
    pub fn of_role(role: &Role) -> Self {
        let boundary = role.permissions_boundary.as_ref().map(|boundary| boundary.arn.clone());
        let profiles = role.instance_profiles.iter().map(|profile| profile.name.clone()).collect();
        Self { boundary, profiles, ..Self::new(&role.arn, &role.role_id, &role.tags) }
    }

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
            asked_to: Vec::new(),
            said: said::Asked::default(),
            sources: Vec::new(),
            profiles: Vec::new(),
            of_machines: false,
            serves: false,
        }
    }

    /// Notes what a service must act for; no condition: for anything.
    pub fn add_sources(&mut self, service: &str, asked: &[&Condition]) {
        let values = || asked.iter().flat_map(|c| c.values.clone()).collect::<Vec<_>>();
        let more = (!asked.is_empty()).then(values);
        match self.sources.iter_mut().find(|(known, _)| known == service) {
            Some((_, known)) => match (known.as_mut(), more) {
                (Some(known), Some(more)) => known.extend(more),
                _ => *known = None,
            },
            None => self.sources.push((service.to_owned(), more)),
        }
    }

    /// What a service must act for, where that is told.
    pub fn sources_of(&self, service: &str) -> Option<&[String]> {
        self.sources.iter().find(|(known, _)| known == service)?.1.as_deref()
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
            // What the caller says: what it likes, or what it is to be. See `Graph::may_say_so`.
            None if !["aws:username", "aws:principalarn"].contains(&key.as_str()) => {
                return operator.is_negated()
                    || c.values.is_empty()
                    || c.values.iter().any(|v| self.has_all_of(v));
            }
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
    /// Whether it has a value for each variable on the caller.
    fn has_all_of(&self, value: &str) -> bool {
        let value = value.to_ascii_lowercase();
        let mut tags = value.split("${aws:principaltag/").skip(1).filter_map(|rest| rest.split('}').next());
        let has = |tag: &str| self.tags.iter().any(|(key, _)| key.eq_ignore_ascii_case(tag.trim()));
        (!value.contains("${aws:username}") || self.arn.contains(":user/")) && tags.all(has)
    }

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
        // One that nobody thinks of: only what leaves out all its sessions keeps it out.
        let of_some_session = || condition::admits(c, &format!("{}:=@=", self.id)) == Some(true);
        if operator.is_negated() { of_some_session() } else { c.values.iter().any(named) }
    }
}

/// A role that lets principals of the account in who are as its conditions ask.
#[derive(Clone)]
pub struct Asking {
    /// The one principal that it names.
    pub named: Option<String>,
    /// Whether it lets in `*`, so that nobody needs a policy of their own.
    pub anyone: bool,
    pub conditions: Vec<Condition>,
    pub role: usize,
}

/// Whether a condition is on a tag that the caller carries.
pub fn is_on_tag(c: &Condition) -> bool {
    c.key.to_ascii_lowercase().starts_with("aws:principaltag/")
}

/// The condition of a role's trust with the role's own tags in place of their variables.
pub fn with_tags_of(role: &Role, c: &Condition) -> Condition {
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

impl Node {
    /// The action that sets its tags.
    pub fn tag_action(&self) -> &'static str {
        match &self.arn {
            arn if arn.contains(":user/") => "iam:TagUser",
            arn if arn.contains(":policy/") => "iam:TagPolicy",
            _ => "iam:TagRole",
        }
    }

    /// The action that takes its tags off.
    pub fn untag_action(&self) -> &'static str {
        match self.tag_action() {
            "iam:TagUser" => "iam:UntagUser",
            "iam:TagPolicy" => "iam:UntagPolicy",
            _ => "iam:UntagRole",
        }
    }

    /// Whether somebody may give it a value of a tag, or take the tag off.
    pub fn may_be_tagged(&self, effective: &Effective, tag: &str, value: Option<&str>) -> bool {
        let action = if value.is_some() { self.tag_action() } else { self.untag_action() };
        let asked = Asked { tags: Tags::Told(&self.tags), sets: Some((tag, value)), ..Asked::default() };
        effective.decide_for(action, &self.arn, asked) == Decision::Allowed
    }

    /// Its tags without those by which a Deny is about it, or with others in their place, as far as somebody
    /// may do that.
    fn spared(&self, effective: &Effective, action: &str) -> Option<Vec<(String, String)>> {
        let limits = match &effective.ceiling {
            Ceiling::Known { grants, .. } => &grants[..],
            _ => &[],
        };
        let grants = effective.denies.iter().map(|s| &s.grant).chain(limits);
        let about = grants.filter(|g| !g.statement.allow && g.names(action) && g.reaches(&self.arn));
        let mut all = self.tags.clone();
        for c in about.flat_map(|grant| &grant.statement.conditions) {
            let Some(tag) = resource_tag(c) else { continue };
            let other = || {
                let another = || Condition::new("StringNotLike", &*c.key, c.values.clone());
                let wanted = condition::opposite(c).unwrap_or_else(another);
                let value = self.settable(effective, tag, &wanted)?;
                Some((tag.to_owned(), value))
            };
            let is_there = all.iter().any(|(key, _)| key.eq_ignore_ascii_case(tag));
            let replaced = match is_there && self.may_be_tagged(effective, tag, None) {
                true => None,
                false => Some(other()?),
            };
            all.retain(|(key, _)| !key.eq_ignore_ascii_case(tag));
            all.extend(replaced);
        }
        Some(all)
    }

    /// The tags with which it may be acted upon, of those that a statement asks for and that may be set: of
    /// something whose tags nobody knows.
    fn tags_asked(&self, effective: &Effective, action: &str, service: Option<&str>) -> Option<Tagged> {
        let decide = |tags: Tags<'_>| self.decide(effective, action, tags, service);
        if decide(Tags::Settable) != Decision::Allowed {
            return None;
        }
        let limits = match &effective.ceiling {
            Ceiling::Known { grants, .. } => &grants[..],
            _ => &[],
        };
        let grants = effective.allows.iter().map(|s| &s.grant).chain(limits);
        let about = grants.filter(|g| g.statement.allow && g.names(action) && g.reaches(&self.arn));
        about
            .filter_map(|grant| self.tagged(effective, grant))
            .find(|tags| decide(Tags::Told(tags)) == Decision::Allowed)
    }

    fn admits_tagged(&self, effective: &Effective, action: &str, service: Option<&str>) -> bool {
        self.tags_asked(effective, action, service).is_some()
    }

    /// A value that meets a condition on a tag of it and that somebody may give it.
    pub fn settable(&self, effective: &Effective, tag: &str, c: &Condition) -> Option<String> {
        let may = |value: Option<&str>| {
            let tags = Tags::Told(&self.tags);
            let asked = Asked { service: None, tags, sets: Some((tag, value)), boundary: None };
            effective.decide_for(self.tag_action(), &self.arn, asked) == Decision::Allowed
        };
        let found = fitting_values(c).into_iter().find(|value| may(value.as_deref()));
        found.map(|value| value.unwrap_or_else(|| "x".to_owned()))
    }

    /// Its tags with those added that a statement about it asks for and that may be set.
    fn tagged(&self, effective: &Effective, grant: &Grant) -> Option<Vec<(String, String)>> {
        let mut all = self.tags.clone();
        for c in &grant.statement.conditions {
            let Some(tag) = resource_tag(c) else { continue };
            let value = self.settable(effective, tag, c)?;
            all.retain(|(key, _)| !key.eq_ignore_ascii_case(tag));
            all.push((tag.to_owned(), value));
        }
        Some(all)
    }

    /// What is decided of a call on it, by what is known of its tags and its boundary.
    pub fn decide(
        &self,
        effective: &Effective,
        action: &str,
        tags: Tags<'_>,
        service: Option<&str>,
    ) -> Decision {
        let boundary = Bound::of(action, self.boundary.as_deref());
        effective.decide_for(action, &self.arn, Asked { service, tags, sets: None, boundary })
    }

    /// Whether it may be acted upon, by what is known of its tags, or can be made so.
    pub fn admits_call(&self, effective: &Effective, action: &str, service: Option<&str>) -> bool {
        match self.decide(effective, action, Tags::Told(&self.tags), service) {
            Decision::Allowed => true,
            _ => self.tags_first(effective, action, service).is_some(),
        }
    }

    /// Other tags than its own with which it may be acted upon, and which may be set; `None`: there are no
    /// such, or its own do.
    pub fn tags_first(&self, effective: &Effective, action: &str, service: Option<&str>) -> Option<Tagged> {
        if !effective.asks_tags {
            return None;
        }
        let decide = |tags: Tags<'_>| self.decide(effective, action, tags, service);
        match decide(Tags::Told(&self.tags)) {
            Decision::Allowed | Decision::Unknown => None,
            Decision::DeniedExplicitly => {
                let spared = || self.spared(effective, action);
                let open = decide(Tags::Settable) == Decision::Allowed;
                open.then(spared)?.filter(|tags| decide(Tags::Told(tags)) == Decision::Allowed)
            }
            _ => self.tags_asked(effective, action, service),
        }
    }
}

/// The tag of what is acted upon that a condition is on.
fn resource_tag(c: &Condition) -> Option<&str> {
    let (prefix, tag) = c.key.split_once('/')?;
    ["aws:ResourceTag", "iam:ResourceTag"].iter().any(|key| key.eq_ignore_ascii_case(prefix)).then_some(tag)
}

/// Whether an action is allowed on something of IAM's, such as a policy, perhaps after it was tagged. What
/// tags it has is in no dump.
pub fn may_on(effective: &Effective, action: &str, arn: &str) -> bool {
    let is_tagged = || Node::new(arn, "", &[]).admits_tagged(effective, action, None);
    match effective.decide(action, arn) {
        Decision::Allowed => true,
        Decision::Conditional | Decision::NotAllowed => is_tagged(),
        _ => false,
    }
}

/// As [`may_on`], of a role or user that has this boundary, or none, and no tags.
pub fn may_within(effective: &Effective, action: &str, arn: &str, boundary: Option<&str>) -> bool {
    let node = Node { boundary: boundary.map(str::to_owned), ..Node::new(arn, "", &[]) };
    match node.decide(effective, action, Tags::Untold, None) {
        Decision::Allowed => true,
        Decision::Conditional | Decision::NotAllowed => node.admits_tagged(effective, action, None),
        _ => false,
    }
}

/// Whether a role or user of a name may be made, with this boundary where one is told, and if need be with a
/// tag that must be given it.
pub fn may_make(effective: &Effective, create: &str, arn: &str, boundary: Option<Bound<'_>>) -> bool {
    let asked = Asked { boundary, ..Asked::default() };
    if effective.decide_for(create, arn, asked) == Decision::Allowed {
        return true;
    }
    let node = Node::new(arn, "", &[]);
    let makes = effective.allows.iter().map(|s| &s.grant).filter(|g| g.names(create) && g.reaches(arn));
    makes.flat_map(|grant| &grant.statement.conditions).any(|c| {
        let Some((_, tag)) =
            c.key.split_once('/').filter(|(key, _)| key.eq_ignore_ascii_case("aws:RequestTag"))
        else {
            return false;
        };
        node.settable(effective, tag, c).is_some_and(|value| {
            let asked = Asked { sets: Some((tag, Some(&value))), ..asked };
            effective.decide_for(create, arn, asked) == Decision::Allowed
        })
    })
}
