//! Tags of one's own by which one may do more, and that one may set, or take off, before one does it.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_iam-tags.html>

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use super::node::{Node, is_on_tag};
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Selector, Statement};

use super::account::{Boundary, Role, User};
use super::evaluate::Engine;

/// The tags of a principal.
pub type OwnTags = Vec<(String, String)>;

/// So many sets of tags are tried for one principal, and so many values of one tag.
pub const MOST: usize = 32;

const VARIABLE: &str = "${aws:principaltag/";

/// What one may act upon: its ARN and its tags.
pub type Target = (String, OwnTags);

/// The values that a text could stand for.
type Values = Rc<[String]>;

/// What there is to act upon, the likeliest first; what is asked of all of it is asked once.
#[derive(Clone)]
pub struct Targets {
    all: Vec<Target>,
    /// By the tag.
    values: RefCell<HashMap<String, Values>>,
    /// By what is before and after them in a pattern.
    named: RefCell<HashMap<(String, String), Values>>,
}

impl Targets {
    /// Of these, in their order.
    pub fn new(all: Vec<Target>) -> Self {
        Self { all, values: RefCell::default(), named: RefCell::default() }
    }

    /// The values that a tag has.
    fn values_of(&self, tag: &str) -> Values {
        let tag = tag.to_ascii_lowercase();
        let of_tag = || {
            let all = self.all.iter().flat_map(|(_, tags)| tags);
            all.filter(|(key, _)| key.eq_ignore_ascii_case(&tag)).map(|(_, value)| value.clone())
        };
        let known = |values: &mut HashMap<String, Values>| {
            Rc::clone(values.entry(tag.clone()).or_insert_with(|| distinct(of_tag())))
        };
        known(&mut self.values.borrow_mut())
    }

    /// The values with which a pattern names something.
    fn named(&self, before: &str, after: &str) -> Values {
        let all = || self.all.iter().filter_map(|(arn, _)| named(before, after, arn));
        let mut known = self.named.borrow_mut();
        let key = (before.to_owned(), after.to_owned());
        Rc::clone(known.entry(key).or_insert_with(|| distinct(all())))
    }
}

/// Each once, in their order.
fn distinct(values: impl Iterator<Item = String>) -> Values {
    let mut known = HashSet::new();
    values.filter(|value| known.insert(value.clone())).collect()
}

impl Engine<'_> {
    /// The statements about a role, and of what bounds it, that ask for tags of it.
    pub fn tags_asked_by_role(&self, role: &Role) -> Vec<Statement> {
        let written = self.written_by_role(role);
        let own = asking(written.grants.iter().map(|(_, grant)| grant));
        [own, self.tags_asked_by(role.permissions_boundary.as_ref())].concat()
    }

    /// The same of a user, by its groups too.
    pub fn tags_asked_by_user(&self, user: &User) -> Vec<Statement> {
        let written = self.written_by_user(user, &self.groups_of(user));
        let own = asking(written.grants.iter().map(|(_, grant)| grant));
        [own, self.tags_asked_by(user.permissions_boundary.as_ref())].concat()
    }

    fn tags_asked_by(&self, boundary: Option<&Boundary>) -> Vec<Statement> {
        let limits = boundary.and_then(|boundary| self.managed(&boundary.arn));
        asking(limits.iter().flat_map(|grants| grants.iter()))
    }
}

/// A tag, and what helps: a value, or that it is not there.
type Change = (String, Option<String>);

/// Where tags come from.
pub struct OwnTagging<'a, F> {
    /// Whether the principal may be given a value of a tag, or none.
    pub may: F,
    /// What there is to act upon, the likeliest first.
    pub targets: &'a Targets,
}

impl<F: Fn(&str, Option<&str>) -> bool> OwnTagging<'_, F> {
    /// The sets of tags, other than its own, with which statements read in a principal's favor.
    pub fn helpful(&self, node: &Node, statements: &[Statement]) -> Vec<OwnTags> {
        let mut all = vec![node.tags.clone()];
        for statement in statements {
            let now = |tags: &OwnTags| Node { tags: tags.clone(), ..node.clone() };
            let more: Vec<OwnTags> =
                all.iter().flat_map(|tags| self.fitting(&now(tags), statement)).collect();
            for tags in more {
                if !all.contains(&tags) {
                    all.push(tags);
                }
            }
            all.truncate(MOST + 1);
        }
        all.remove(0);
        all
    }

    /// The sets of tags with which a statement reads in favor: an Allow whose every condition on tags holds,
    /// a Deny of which one does not.
    fn fitting(&self, node: &Node, statement: &Statement) -> Vec<OwnTags> {
        let on_tags = statement.conditions.iter().filter(|c| is_on_tag(c));
        let needs = on_tags.filter(|c| node.meets(c) != statement.allow).map(|c| self.values(node, c));
        let variables = self.by_variables(node, statement);
        if !statement.allow {
            return needs.chain(variables).flatten().map(|change| changed(&node.tags, &change)).collect();
        }
        let mut sets = vec![node.tags.clone()];
        for changes in needs.chain(variables) {
            let with =
                |tags: &OwnTags| changes.iter().map(|change| changed(tags, change)).collect::<Vec<_>>();
            sets = sets.iter().flat_map(with).take(MOST).collect();
        }
        sets
    }

    /// What may be made of the tag that a condition is on so that it reads the other way.
    fn values(&self, node: &Node, c: &Condition) -> Vec<Change> {
        let Some((_, tag)) = c.key.split_once('/') else { return Vec::new() };
        let written = c.values.iter().filter(|v| !v.contains("${")).map(|v| v.replace(['*', '?'], "x"));
        let of_targets = c.values.iter().flat_map(|v| self.tags_named(v).to_vec());
        let other = ["x", "q7"].map(str::to_owned);
        let values = written.chain(of_targets).chain(other).map(Some).chain([None]);
        let by_variable = c.values.iter().any(|v| v.contains("${"));
        let before = node.meets(c);
        let flips = |change: &Change| {
            by_variable || Node { tags: changed(&node.tags, change), ..node.clone() }.meets(c) != before
        };
        let changes = values.map(|value| (tag.to_owned(), value));
        changes.filter(flips).filter(|change| self.allows(node, change)).take(MOST).collect()
    }

    /// What may be made of each tag that a variable stands for, by what it could name.
    fn by_variables(&self, node: &Node, statement: &Statement) -> Vec<Vec<Change>> {
        let mut found = Vec::new();
        let mut add = |tag: &str, values: Values| {
            let away = (!statement.allow).then_some(None);
            let changes = values.iter().cloned().map(Some).chain(away).map(|value| (tag.to_owned(), value));
            let changes: Vec<Change> =
                changes.filter(|change| self.allows(node, change)).take(MOST).collect();
            found.extend((!changes.is_empty()).then_some(changes));
        };
        for text in statement.resources.iter().flat_map(Selector::patterns) {
            let Some((before, tag, after)) = variable(text) else { continue };
            add(tag, self.targets.named(before, after));
        }
        for c in statement.conditions.iter().filter(|c| !is_on_tag(c)) {
            let Some((_, of)) = c.key.split_once('/') else { continue };
            for (_, tag, _) in c.values.iter().filter_map(|value| variable(value)) {
                add(tag, self.targets.values_of(of));
            }
        }
        found
    }

    /// The values of the tag of what is acted upon that a variable stands for.
    fn tags_named(&self, value: &str) -> Values {
        let lower = value.to_ascii_lowercase();
        let tag = ["${aws:resourcetag/", "${iam:resourcetag/"].iter().find_map(|v| lower.strip_prefix(v));
        tag.and_then(|rest| rest.split('}').next())
            .map_or_else(|| [].into(), |tag| self.targets.values_of(tag))
    }

    /// Whether a change is one, and may be made.
    fn allows(&self, node: &Node, (tag, value): &Change) -> bool {
        let now = node.tags.iter().find(|(key, _)| key.eq_ignore_ascii_case(tag)).map(|(_, v)| v);
        now != value.as_ref() && (self.may)(tag, value.as_deref())
    }
}

/// Whether a statement asks for a tag of whoever calls.
fn asks_for_tags(statement: &Statement) -> bool {
    let resources = statement.resources.iter().flat_map(Selector::patterns);
    let texts = resources.chain(statement.conditions.iter().flat_map(|c| &c.values));
    statement.conditions.iter().any(is_on_tag) || texts.into_iter().any(|text| variable(text).is_some())
}

/// The statements of some that ask for a tag of whoever calls.
fn asking<'g>(grants: impl Iterator<Item = &'g Grant>) -> Vec<Statement> {
    let statements = grants.filter(|grant| grant.depends).map(|grant| &*grant.statement);
    statements.filter(|statement| asks_for_tags(statement)).cloned().collect()
}

/// The calls that make one set of tags of another.
pub fn calls(node: &Node, wanted: &OwnTags) -> Vec<String> {
    let has = |tags: &OwnTags, tag: &str| tags.iter().any(|(key, _)| key.eq_ignore_ascii_case(tag));
    let arn = &node.arn;
    let set = wanted.iter().filter(|tag| !node.tags.contains(tag));
    let set = set.map(|(key, value)| format!("{} of {key} = {value} on {arn}", node.tag_action()));
    let off = node.tags.iter().filter(|(key, _)| !has(wanted, key));
    let off = off.map(|(key, _)| format!("{} of {key} on {arn}", node.untag_action()));
    set.chain(off).collect()
}

fn changed(tags: &OwnTags, (tag, value): &Change) -> OwnTags {
    let others = tags.iter().filter(|(key, _)| !key.eq_ignore_ascii_case(tag)).cloned();
    let mut all: OwnTags = others.chain(value.iter().map(|value| (tag.clone(), value.clone()))).collect();
    all.sort();
    all
}

/// A text with a variable on a tag of the caller, taken apart: what is before, the tag, what is after.
fn variable(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.to_ascii_lowercase().find(VARIABLE)?;
    let (inside, after) = text[start + VARIABLE.len()..].split_once('}')?;
    let tag = inside.split(',').next().unwrap_or_default().trim();
    Some((&text[..start], tag, after))
}

/// The value between two parts of a pattern with which this matches an ARN: one that stands between
/// separators, where the parts have wildcards.
fn named(before: &str, after: &str, arn: &str) -> Option<String> {
    if let Some(value) = arn.strip_prefix(before).and_then(|rest| rest.strip_suffix(after)) {
        return Some(value.to_owned());
    }
    if !pattern::is_wild(before) && !pattern::is_wild(after) {
        return None;
    }
    let breaks: Vec<usize> = arn.match_indices([':', '/', '-', '_', '.']).map(|(place, _)| place).collect();
    let starts = breaks.iter().map(|place| place + 1);
    let ends = || breaks.iter().copied().chain([arn.len()]);
    let values = starts.flat_map(|start| ends().filter(move |end| *end > start).map(move |end| start..end));
    let fits = |value: &&str| pattern::matches(&format!("{before}{value}{after}"), arn);
    values.map(|range| &arn[range]).find(fits).map(str::to_owned)
}
