//! What is open by a tag only, on things whose tags the caller sets: on what it makes, or on what is there.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::audit::escalate::{CENTER_WAYS, EXISTING_WAYS, EscalationPath, PASSING_WAYS};
use opsctl_iam::action_set::ActionId;
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::{Catalogue, Level};
use opsctl_iam::condition::{self, Asked, ConditionResult, Operator};
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::keys::is_form;
use opsctl_iam::policy::{Condition, Statement};
use opsctl_iam::tagging::fitting_values;

/// A call of a way.
struct Known {
    /// The calls that set tags of what it takes.
    taggers: Vec<ActionId>,
    /// See [`makes`].
    makes: bool,
}

/// The calls of all ways.
static CALLS: LazyLock<HashMap<ActionId, Known>> = LazyLock::new(|| {
    let ways = PASSING_WAYS.iter().map(|(_, way)| way).chain(&*EXISTING_WAYS).chain(&*CENTER_WAYS);
    let actions = ways.flat_map(|way| way.actions.iter().copied());
    let known = |action| Known { taggers: taggers(action).collect(), makes: makes(action) };
    actions.map(|action| (action, known(action))).collect()
});

/// The calls that set tags of things of the types that an action takes.
fn taggers(action: ActionId) -> impl Iterator<Item = ActionId> {
    const SETS: [&str; 3] = ["Tag", "AddTags", "CreateTags"];
    let catalogue = Catalogue::embedded();
    let types = move |id: ActionId| catalogue.resource_templates(id);
    // A service tags what is its own: machines, say, EC2 and not Systems Manager.
    let services = types(action).filter_map(|of| catalogue.service(Arn::pattern(of)?.service));
    let mut services: Vec<_> = services.collect();
    services.dedup();
    let sets = move |id: &ActionId| {
        let name = catalogue.name(*id).split(':').nth(1).unwrap_or_default();
        catalogue.has_level(*id, Level::Tagging)
            && SETS.iter().any(|verb| name.starts_with(verb))
            && types(*id).any(|of| types(action).any(|other| of == other))
    };
    services.into_iter().flatten().filter(sets)
}

/// The calls that set tags of what the calls of a way take.
pub fn calls(ways: &[ActionId]) -> Vec<ActionId> {
    let known = ways.iter().filter_map(|action| CALLS.get(action));
    known.flat_map(|known| &known.taggers).copied().collect()
}

/// The calls that set tags first, where all calls of a way are open that way or without a tag; empty where
/// the call that makes the thing sets them. `None`: some call is not open. On all things, or on some.
pub fn first(way: &EscalationPath, effective: &Effective, on_all: bool) -> Option<Vec<ActionId>> {
    if !effective.asks_tags {
        return None;
    }
    let open = if on_all { &effective.open } else { &effective.some };
    let mut found = Vec::new();
    for &action in way.actions.iter().filter(|&&action| !open.contains(action)) {
        found.extend(Tagged { effective, way, action, on_all }.opened()?);
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}

/// Whether the tags that a statement asks for may be set of what a call of a way takes.
pub fn meets(way: &EscalationPath, action: ActionId, effective: &Effective, grant: &Grant) -> bool {
    let is_new = || CALLS.get(&action).is_some_and(|known| known.makes);
    let tagged = Tagged { effective, way, action, on_all: false };
    effective.asks_tags && !is_new() && tagged.meeting(Set::default(), grant).is_some()
}

/// A call of a way that somebody may make on what has some tags.
struct Tagged<'a> {
    effective: &'a Effective,
    way: &'a EscalationPath,
    action: ActionId,
    on_all: bool,
}

/// Tags, and the calls that set them.
#[derive(Clone, Default)]
struct Set<'a> {
    tags: Vec<(&'a str, String)>,
    calls: Vec<ActionId>,
}

impl Set<'_> {
    fn value(&self, tag: &str) -> Option<&str> {
        self.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag)).map(|(_, value)| value.as_str())
    }

    /// Whether a condition holds for what has these tags. A variable stands for itself.
    fn meets(&self, tag: &str, c: &Condition) -> bool {
        let (operator, value) = (Operator::parse(&c.operator), self.value(tag));
        if operator.base.eq_ignore_ascii_case("Null") {
            return c.values.iter().any(|v| v.eq_ignore_ascii_case("true")) == value.is_none();
        }
        match value {
            Some(value) => condition::admits(c, value) == Some(true),
            None => operator.is_negated() || operator.if_exists || operator.for_all,
        }
    }
}

impl<'a> Tagged<'a> {
    /// The calls that set the tags by which it is open.
    fn opened(&self) -> Option<Vec<ActionId>> {
        let effective = self.effective;
        if CALLS.get(&self.action)?.makes || effective.allowing(self.action).next().is_none() {
            return None;
        }
        let names = |g: &&'a Grant| match self.on_all {
            true => g.unlimited.contains(self.action),
            false => g.actions.contains(self.action),
        };
        let limits: Option<&'a [Grant]> = match &effective.ceiling {
            Ceiling::None => None,
            Ceiling::Known { grants, .. } => Some(grants),
            Ceiling::Missing { .. } => return None,
        };
        let allows = effective.allows.iter().map(|s| &s.grant).filter(names);
        let sets = allows.filter_map(|grant| self.meeting(Set::default(), grant));
        let within = |set: Set<'a>| match limits {
            None => Some(set),
            Some(grants) => {
                let mut allows = grants.iter().filter(|g| g.statement.allow).filter(names);
                allows.find_map(|grant| self.meeting(set.clone(), grant))
            }
        };
        let denies = || {
            let more = limits.unwrap_or_default().iter().filter(|g| !g.statement.allow);
            effective.denies.iter().map(|s| &s.grant).chain(more).filter(|g| self.is_denied(g))
        };
        let spared = |set: Set<'a>| denies().try_fold(set, |set, deny| self.spared(set, deny));
        sets.filter_map(within).find_map(spared).map(|set| set.calls)
    }

    /// With the tags that a statement asks for, if nothing else holds it back.
    fn meeting<'s>(&self, set: Set<'s>, grant: &'s Grant) -> Option<Set<'s>> {
        let all = &grant.statement.conditions;
        let mut others = all.iter().filter(|c| tag_of(c).is_none());
        let is_form = |c: &Condition| is_form(&c.key) && Operator::parse(&c.operator).is_known();
        if !others.all(|c| condition::restriction_of(c, all).is_open() || is_form(c)) {
            return None;
        }
        let asked = all.iter().filter_map(|c| Some((tag_of(c)?, c)));
        asked.into_iter().try_fold(set, |set, (tag, c)| match set.meets(tag, c) {
            true => Some(set),
            false => self.with(set, tag, c),
        })
    }

    /// With a tag that meets a condition.
    fn with<'s>(&self, mut set: Set<'s>, tag: &'s str, c: &Condition) -> Option<Set<'s>> {
        if set.value(tag).is_some() {
            return None;
        }
        let written = || c.values.first().cloned().unwrap_or_else(|| "x".to_owned());
        let values = fitting_values(c).into_iter().map(|value| value.unwrap_or_else(written));
        let (value, call) = values.into_iter().find_map(|value| {
            let call = self.call_that_sets(tag, &value)?;
            Some((value, call))
        })?;
        set.tags.push((tag, value));
        set.calls.extend(call);
        Some(set)
    }

    /// Whether a Deny is about the call, on so much that it counts.
    fn is_denied(&self, deny: &Grant) -> bool {
        deny.unlimited.contains(self.action) || deny.confines.contains(self.action)
    }

    /// With a tag more, if that is what a Deny spares.
    fn spared(&self, set: Set<'a>, deny: &'a Grant) -> Option<Set<'a>> {
        let all = &deny.statement.conditions;
        let (asked, others): (Vec<&Condition>, Vec<&Condition>) =
            all.iter().partition(|c| tag_of(c).is_some());
        let asked: Vec<(&str, &Condition)> =
            asked.into_iter().filter_map(|c| Some((tag_of(c)?, c))).collect();
        if !asked.iter().all(|(tag, c)| set.meets(tag, c)) {
            return Some(set);
        }
        // On some things only it leaves others.
        if all.is_empty() && !deny.unlimited.contains(self.action) {
            return Some(set);
        }
        let others = others.into_iter().cloned().collect::<Vec<_>>();
        let others = Statement { conditions: others, ..Statement::clone(&deny.statement) };
        let holds = others.conditions.is_empty()
            || condition::is_guard(&others) && !condition::guards_by_form(&others);
        if !holds {
            return Some(set);
        }
        asked.into_iter().find_map(|(tag, c)| self.with(set.clone(), tag, &condition::opposite(c)?))
    }

    /// The call that may give a tag to what the call takes; `Some(None)`: the one that makes it, in a service
    /// that has no other.
    fn call_that_sets(&self, tag: &str, value: &str) -> Option<Option<ActionId>> {
        let taggers = CALLS.get(&self.action).map_or(&[][..], |known| &known.taggers);
        if taggers.is_empty() {
            let mut others = self.way.actions.iter().filter(|&&other| makes_for(other, self.action));
            return others.any(|&other| self.may_set(other, tag, value)).then_some(None);
        }
        taggers.iter().find(|&&tagger| self.may_set(tagger, tag, value)).map(|&tagger| Some(tagger))
    }

    /// Whether a call may be made that sets a tag.
    fn may_set(&self, call: ActionId, tag: &str, value: &str) -> bool {
        let effective = self.effective;
        let among = if self.on_all { &effective.open } else { &effective.some };
        if !among.contains(call) {
            return false;
        }
        let asked = Asked { sets: Some((tag, Some(value))), ..Asked::default() };
        let opens = |g: &Grant| {
            let names = if self.on_all { &g.unlimited } else { &g.actions };
            names.contains(call) && self.reads(&g.statement, asked) == ConditionResult::Open
        };
        let denies = |g: &Grant| {
            let all = &g.statement;
            let is_sure = || all.conditions.is_empty() || condition::is_decided(all, asked);
            g.unlimited.contains(call) && condition::read(all, asked) == ConditionResult::Open && is_sure()
        };
        let limits: &[Grant] = match &effective.ceiling {
            Ceiling::Known { grants, .. } => grants,
            _ => &[],
        };
        let within = || match effective.ceiling {
            Ceiling::Known { .. } => limits.iter().any(|g| g.statement.allow && opens(g)),
            _ => true,
        };
        let denied = || {
            let more = limits.iter().filter(|g| !g.statement.allow);
            effective.denies.iter().map(|s| &s.grant).chain(more).any(denies)
        };
        effective.allowing(call).any(|s| opens(&s.grant)) && within() && !denied()
    }

    /// How a statement on tags reads, with which call makes the thing set aside where that may be made.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html>
    fn reads(&self, statement: &Statement, asked: Asked<'_>) -> ConditionResult {
        const MADE_BY: &str = "ec2:CreateAction";
        let is_by = |c: &Condition| c.key.eq_ignore_ascii_case(MADE_BY);
        if !statement.conditions.iter().any(is_by) {
            return condition::read(statement, asked);
        }
        let may = |name: &String| {
            let named = Catalogue::embedded().expand(&format!("ec2:{name}"));
            named.iter().any(|&id| self.effective.some.contains(id))
        };
        if !statement.conditions.iter().filter(|c| is_by(c)).all(|c| c.values.iter().any(may)) {
            return ConditionResult::Held;
        }
        let rest = statement.conditions.iter().filter(|c| !is_by(c)).cloned().collect();
        condition::read(&Statement { conditions: rest, ..Statement::clone(statement) }, asked)
    }
}

/// The tag of what is acted upon that a condition is on, by the key of any service: `ec2:ResourceTag/team`.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html#amazonec2-policy-keys>
fn tag_of(c: &Condition) -> Option<&str> {
    condition::resource_tag(&c.key)
}

/// Whether an action makes what it takes, so that there are no tags to ask for: `lambda:CreateFunction`, and
/// not `lambda:CreateFunctionUrlConfig`.
fn makes(action: ActionId) -> bool {
    const VERBS: [&str; 5] = ["Create", "Register", "Import", "Request", "Run"];
    let catalogue = Catalogue::embedded();
    let name = catalogue.name(action).split(':').nth(1).unwrap_or_default();
    let Some(made) = VERBS.iter().find_map(|verb| name.strip_prefix(verb)) else { return false };
    let made = made.to_ascii_lowercase();
    catalogue.resource_templates(action).any(|of| {
        let of = type_of(of);
        made == of || made.strip_suffix('s').is_some_and(|one| one == of)
    })
}

/// Whether one call of a service makes, or changes, what another takes, and its tags with it.
fn makes_for(maker: ActionId, action: ActionId) -> bool {
    let catalogue = Catalogue::embedded();
    let mut types = catalogue.resource_templates(maker);
    maker != action && types.any(|of| catalogue.resource_templates(action).any(|other| of == other))
}

/// The type of things with an ARN, in small letters: `taskdefinition` of `…:task-definition/${…}`, and
/// `pipeline` of `…:${PipelineName}`.
fn type_of(template: &str) -> String {
    let resource = template.splitn(6, ':').nth(5).unwrap_or_default();
    let first = resource.trim_start_matches('/').split([':', '/']).next().unwrap_or_default();
    let letters: String = first.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = letters.to_ascii_lowercase();
    plain.strip_suffix("name").map_or(plain.clone(), str::to_owned)
}
