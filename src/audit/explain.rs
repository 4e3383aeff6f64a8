//! `opsctl audit-iam explain ROLE ACTION [RESOURCE]`: why a role may, or may not.

use super::account::{Account, Role};
use super::catalogue::Catalogue;
use super::decide::Decision;
use super::evaluate::{Ceiling, Effective, Engine, Sourced};
use super::pattern;
use super::time::Instant;

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

impl Decision {
    /// The answer in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Conditional => "allowed while a condition holds",
            Self::DeniedExplicitly => "denied by a Deny",
            Self::OutsideBoundary => "not allowed: the boundary leaves it out",
            Self::NotAllowed => "not allowed: no statement allows it",
            Self::Unknown => "unknown: the boundary's document is missing",
        }
    }
}

/// Explains whether a role (name or ARN) may do an action to a resource (an ARN; `*` if not given).
/// `None` when the account has no such role.
pub fn explain(
    account: &Account,
    role: &str,
    action: &str,
    resource: Option<&str>,
    now: Instant,
) -> Option<Explanation> {
    let role = account.roles.iter().find(|r| r.arn == role || r.name == role)?;
    let engine = Engine::at(account, now);
    let effective = engine.role(role);
    let resource = resource.unwrap_or("*");
    let mut lines = Vec::new();
    if engine.catalogue.find(action).is_none() {
        lines.push(format!(
            "{action} is not in the catalogue of {}; it is matched as text",
            Catalogue::embedded().date()
        ));
    }
    let names = |s: &&Sourced| s.grant.names(action);
    for sourced in effective.allows.iter().chain(&effective.denies).filter(names) {
        let reach = if sourced.grant.reaches(resource) { "" } else { " (does not cover the resource)" };
        lines.push(format!("{}{reach}", sourced.evidence(action)));
    }
    for sourced in effective.void.iter().filter(names) {
        lines.push(format!("{} (its condition can not hold for the role now)", sourced.evidence(action)));
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
    if resource == "*"
        && engine
            .catalogue
            .find(action)
            .is_some_and(|id| engine.catalogue.resource_templates(id).next().is_some())
    {
        lines.push("asked for all resources; name an ARN to ask about one".into());
    }
    if pattern::is_wild(action) {
        lines.push("an action with a wildcard is compared as text; ask about one action".into());
    }
    let decision = effective.decide(action, resource);
    let open = open_variables(role, &effective, action, resource);
    lines.extend(open.iter().cloned());
    // A variable's value is the caller's: what it may cover is neither allowed nor denied for sure.
    let decision = match decision {
        Decision::NotAllowed | Decision::OutsideBoundary | Decision::Allowed if !open.is_empty() => {
            Decision::Conditional
        }
        known => known,
    };
    Some(Explanation {
        role: role.arn.clone(),
        action: action.into(),
        resource: resource.into(),
        decision,
        lines,
    })
}

/// Statements that cover the resource, or spare it, only for some values of a variable such as `${aws:userid}`.
fn open_variables(role: &Role, effective: &Effective, action: &str, resource: &str) -> Vec<String> {
    let limits = match &effective.ceiling {
        Ceiling::Known { grants, .. } => &grants[..],
        _ => &[],
    };
    let own = effective.allows.iter().chain(&effective.denies);
    let grants = own.map(|s| (s.evidence(action), &s.grant));
    let grants = grants.chain(limits.iter().map(|grant| ("the boundary".to_owned(), grant)));
    let mut lines = Vec::new();
    for (place, grant) in grants.filter(|(_, grant)| grant.names(action)) {
        let patterns = grant.statement.resources.iter().flat_map(|scope| scope.patterns());
        for pattern in patterns.filter(|p| p.contains("${") && !pattern::matches(p, resource)) {
            let (filled, known) = filled(pattern, role);
            if pattern::matches(&filled, resource) {
                let given = if known { ", which the role's tags say" } else { "" };
                lines.push(format!("{place}: it depends on the variables of {pattern}{given}"));
            }
        }
    }
    lines
}

/// The pattern with its variables replaced by the role's tags, and by `*` where the caller decides.
fn filled(pattern: &str, role: &Role) -> (String, bool) {
    let (mut filled, mut rest, mut known) = (String::new(), pattern, true);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((variable, after)) = after.split_once('}') else { break };
        let name = variable.split(',').next().unwrap_or_default().trim();
        let is_tag = name.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("aws:PrincipalTag/"));
        let tag = if is_tag { role.tag(&name[17..]) } else { None };
        known &= tag.is_some();
        filled.push_str(before);
        filled.push_str(tag.unwrap_or("*"));
        rest = after;
    }
    (filled + rest, known)
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} on {} by {}: {}", self.action, self.resource, self.role, self.decision.words())?;
        self.lines.iter().try_for_each(|line| writeln!(f, "  - {line}"))
    }
}
