//! `opsctl audit-iam explain ROLE ACTION [RESOURCE]`: why a role or user may, or may not.

mod comer;

use std::rc::Rc;

use self::comer::Comer;
use super::account::{Account, Role, Tag};
use super::evaluate::{BESIDE, Engine};
use super::node::Node;
use super::own_tags;
use super::variables;
use opsctl_iam::arn::Arn;
use opsctl_iam::caller::begins_later;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::condition::{Asked, Bound, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Sourced;
use opsctl_iam::time::Instant;

/// The answer, and what it rests on.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub role: String,
    pub action: String,
    pub resource: String,
    pub decision: Decision,
    /// One line per statement or limit that had a say.
    pub lines: Vec<String>,
}

/// Explains whether a role, or else a user, (name or ARN) may do an action to a resource (an ARN; `*` if not
/// given). `None` when the account has neither.
pub fn explain(
    account: &Account,
    role: &str,
    action: &str,
    resource: Option<&str>,
    now: Instant,
) -> Option<Explanation> {
    let parts = account.parts();
    if !parts.is_empty() {
        return parts.iter().find_map(|part| explain(part, role, action, resource, now));
    }
    let engine = Engine::at(account, now);
    let comer = Comer::find(&engine, role)?;
    let (arn, tags, written) = (comer.arn, comer.tags, Rc::clone(&comer.effective));
    // What begins later is not there yet.
    let effective = variables::only(&written, |s| begins_later(&s.grant.statement, now).is_none());
    let resource = resource.unwrap_or("*");
    let mut lines = Vec::new();
    if engine.catalogue.find(action).is_none() {
        lines.push(format!(
            "{action} is not in the catalogue of {}; it is matched as text",
            Catalogue::embedded().date()
        ));
    }
    lines.extend(evidence(&written, tags, (action, resource), now));
    let takes = |id| engine.catalogue.resource_templates(id).next().is_some();
    if resource == "*" && engine.catalogue.find(action).is_some_and(takes) {
        lines.push("asked for all resources; name an ARN to ask about one".into());
    }
    let about = About::of(account, resource);
    let (mut decision, open) = variables::decide(&effective, tags, (action, resource), about.asked(action));
    lines.extend(open);
    if let Some(calls) = about.tagged_first(&effective, action) {
        decision = Decision::Conditional;
        lines.push(format!("depends on tags of {resource}: allowed after {calls}, which is allowed"));
    }
    let target = account.roles.iter().find(|role| role.arn == resource);
    if let Some(target) = target.filter(|_| action.eq_ignore_ascii_case("sts:AssumeRole")) {
        let (by_trust, told) = comer.enters(&engine, target, decision);
        decision = by_trust;
        lines.extend(told);
    } else if let Some((by_resource, told)) = comer.by_resource(&engine, action, resource, decision) {
        decision = by_resource;
        lines.push(told);
    }
    let lost = account.problems.iter().filter(|problem| problem.resource == arn);
    let before = lines.len();
    lines.extend(lost.map(|problem| problem.reason.clone()));
    let is_whole = written.unreadable.is_empty() && lines.len() == before;
    // What could not be read may allow or deny anything; no more than what is denied already, or outside the
    // boundary.
    let decision = match decision {
        Decision::Allowed | Decision::Conditional | Decision::NotAllowed if !is_whole => Decision::Unknown,
        known => known,
    };
    let [role, action, resource] = [arn, action, resource].map(str::to_owned);
    Some(Explanation { role, action, resource, decision, lines })
}

/// Whether somebody of the account, by ARN, may become a role.
pub(super) fn becomes(engine: &Engine<'_>, role: &Role, who: &str) -> Option<Decision> {
    const ASSUME: &str = "sts:AssumeRole";
    let comer = Comer::find(engine, who)?;
    let about = About::of(engine.account, &role.arn);
    let asked = about.asked(ASSUME);
    let (own, _) = variables::decide(&comer.effective, comer.tags, (ASSUME, &role.arn), asked);
    Some(comer.enters(engine, role, own).0)
}

/// What the account knows of what is acted upon.
#[derive(Default)]
struct About<'a> {
    arn: &'a str,
    tags: Option<Vec<(String, String)>>,
    boundary: Option<&'a str>,
}

impl<'a> About<'a> {
    fn of(account: &'a Account, arn: &'a str) -> Self {
        let role = account.roles.iter().find(|role| role.arn == arn);
        let user = account.users.iter().find(|user| user.arn == arn);
        let known = role.map(|role| (&role.tags, &role.permissions_boundary));
        let Some((tags, boundary)) = known.or(user.map(|user| (&user.tags, &user.permissions_boundary)))
        else {
            return Self::default();
        };
        let tags = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        Self { arn, tags: Some(tags), boundary: boundary.as_ref().map(|boundary| boundary.arn.as_str()) }
    }

    /// The calls on its tags after which an action on it is allowed that now is not.
    fn tagged_first(&self, effective: &Effective, action: &str) -> Option<String> {
        let tags = self.tags.clone()?;
        let node = Node { tags, boundary: self.boundary.map(str::to_owned), ..Node::new(self.arn, "", &[]) };
        let calls = own_tags::calls(&node, &node.tags_first(effective, action, None)?);
        (!calls.is_empty()).then(|| calls.join(", then "))
    }

    fn asked(&self, action: &str) -> Asked<'_> {
        let Some(tags) = &self.tags else { return Asked::default() };
        let boundary = Bound::of(action, self.boundary);
        Asked { tags: Tags::Told(tags), boundary, ..Asked::default() }
    }
}

/// Whether a text is what one can ask about: `*`, or an ARN with all its fields.
pub fn is_resource(text: &str) -> bool {
    text == "*" || Arn::pattern(text).is_some_and(|arn| !arn.service.is_empty() && !arn.resource.is_empty())
}

/// A line for each statement or limit that has a say.
fn evidence(
    effective: &Effective,
    tags: &[Tag],
    (action, resource): (&str, &str),
    now: Instant,
) -> Vec<String> {
    let names = |s: &&Sourced| s.grant.names(action);
    let mut lines = Vec::new();
    for sourced in effective.allows.iter().chain(&effective.denies).filter(names) {
        let covers = variables::may_reach(&sourced.grant, tags, resource);
        let reach = if covers { "" } else { " (does not cover the resource)" };
        let begins = begins_later(&sourced.grant.statement, now);
        let begins = begins.map(|begins| format!(" (begins on {})", begins.day())).unwrap_or_default();
        lines.push(format!("{}{reach}{begins}", sourced.evidence(action)));
    }
    for sourced in effective.void.iter().filter(names) {
        lines.push(format!("{} (its condition cannot hold now)", sourced.evidence(action)));
    }
    match &effective.ceiling {
        Ceiling::None => {}
        Ceiling::Missing { arn } => lines.push(format!("boundary {arn}: its document is missing")),
        Ceiling::Known { source, .. } => {
            let says = match effective.within_ceiling(action, resource, None) {
                Decision::Allowed => "lets it through",
                Decision::Conditional => "lets it through while a condition holds",
                _ => "does not let it through",
            };
            lines.push(format!("boundary {} {says}", source.name));
        }
    }
    lines.extend(effective.unreadable.iter().map(|(what, why)| format!("{what} could not be read: {why}")));
    lines
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} on {} by {}: {}", self.action, self.resource, self.role, self.decision.words())?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  - {line}"))
    }
}
