//! What service control policies that list what is allowed leave out: the Deny statements that say the same.
//! <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_syntax.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::condition::Operator;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Condition, Document, Policy, Selector, Statement};

/// More statements than anybody writes; what is beyond is read for its actions alone.
const MOST: usize = 128;

/// What the policies of one level leave out, as a Deny; `None` when they leave out nothing.
///
/// What is left out by all of several statements is, for each of them, an action that it does not name, a
/// resource that it does not, or a condition that does not hold: one Deny for each choice.
pub(super) fn left_out(policies: &BTreeMap<String, Document>) -> Option<Policy> {
    let statements = || policies.values().filter_map(Document::policy).flat_map(|policy| &policy.statements);
    let allows = merged(statements().filter(|s| s.allow));
    let mut denied = vec![Denied::default()];
    for allow in &allows {
        let choices: Vec<Denied> = denied.iter().flat_map(|known| known.less(allow)).collect();
        denied = match choices.len() > MOST {
            false => choices,
            true => denied.iter().filter_map(|known| known.but_actions(&allow.actions)).collect(),
        };
    }
    (!allows.is_empty() && !denied.is_empty()).then(|| Policy {
        version: Some("2012-10-17".to_owned()),
        statements: denied.into_iter().map(|denied| Arc::new(denied.statement())).collect(),
        size: 0,
    })
}

/// Statements that differ in their actions only, as one.
fn merged<'a>(allows: impl Iterator<Item = &'a Arc<Statement>>) -> Vec<Statement> {
    let mut all: Vec<Statement> = Vec::new();
    for allow in allows {
        let same = |known: &&mut Statement| {
            known.resources == allow.resources && known.conditions == allow.conditions
        };
        let listed = |known: &mut Statement| match (&mut known.actions, &allow.actions) {
            (Selector::Only(known), Selector::Only(more)) => {
                known.extend(more.iter().cloned());
                true
            }
            _ => false,
        };
        if !all.iter_mut().find(same).is_some_and(listed) {
            all.push(Statement::clone(allow));
        }
    }
    all
}

/// What is denied: some actions on some resources while all conditions hold.
#[derive(Clone)]
struct Denied {
    actions: Selector,
    resources: Selector,
    conditions: Vec<Condition>,
}

impl Default for Denied {
    /// Everything.
    fn default() -> Self {
        let everything = || Selector::Except(Vec::new());
        Self { actions: everything(), resources: everything(), conditions: Vec::new() }
    }
}

impl Denied {
    /// What of it a statement does not allow.
    fn less(&self, allow: &Statement) -> Vec<Self> {
        let mut left: Vec<Self> = self.but_actions(&allow.actions).into_iter().collect();
        let resources = allow.resources.as_ref().and_then(|scope| but(&self.resources, scope, false));
        left.extend(resources.map(|resources| Self { resources, ..self.clone() }));
        left.extend(allow.conditions.iter().filter_map(|c| {
            let conditions = [self.conditions.clone(), fails(c)?].concat();
            Some(Self { conditions, ..self.clone() })
        }));
        left
    }

    fn but_actions(&self, allowed: &Selector) -> Option<Self> {
        but(&self.actions, allowed, true).map(|actions| Self { actions, ..self.clone() })
    }

    fn statement(self) -> Statement {
        let all = |scope: Selector| match scope {
            Selector::Except(spared) if spared.is_empty() => Selector::Only(vec!["*".to_owned()]),
            scope => scope,
        };
        Statement {
            sid: None,
            allow: false,
            actions: all(self.actions),
            resources: Some(all(self.resources)),
            principals: None,
            conditions: self.conditions,
        }
    }
}

/// What one selector selects and another does not; `None` for nothing. Of patterns that have a part in common
/// nothing is left, unless the catalogue tells what: the less is denied, the more is found.
fn but(selected: &Selector, other: &Selector, of_actions: bool) -> Option<Selector> {
    let lower = |text: &str| if of_actions { text.to_ascii_lowercase() } else { text.to_owned() };
    let includes = |wide: &String, narrow: &String| pattern::includes(&lower(wide), &lower(narrow));
    let meets = |one: &String, other: &String| pattern::meet(&lower(one), &lower(other));
    let is_all = |pattern: &String| pattern::is_everything(pattern) || (of_actions && pattern == "*:*");
    let left = match (selected, other) {
        (Selector::Except(spared), Selector::Only(more)) => {
            let spared: Vec<String> = spared.iter().chain(more).cloned().collect();
            return (!spared.iter().any(is_all)).then_some(Selector::Except(spared));
        }
        (Selector::Only(listed), Selector::Only(gone)) => {
            let rest = |one: &String| match gone.iter().any(|gone| meets(gone, one)) {
                false => vec![one.clone()],
                true if of_actions && !gone.iter().any(|gone| is_all(gone) || includes(gone, one)) => {
                    named_but(one, gone)
                }
                true => Vec::new(),
            };
            listed.iter().flat_map(rest).collect()
        }
        (Selector::Except(spared), Selector::Except(left)) => {
            let all = Selector::Only(left.clone());
            return but(&all, &Selector::Only(spared.clone()), of_actions);
        }
        (Selector::Only(listed), Selector::Except(left)) => {
            let within = |one: &&String| left.iter().any(|wide| is_all(wide) || includes(wide, one));
            let narrower = left.iter().filter(|one| listed.iter().any(|wide| includes(wide, one)));
            let mut both: Vec<String> = listed.iter().filter(within).chain(narrower).cloned().collect();
            both.sort();
            both.dedup();
            both
        }
    };
    (!left.is_empty()).then_some(Selector::Only(left))
}

/// The catalogued actions that a pattern names and others do not.
fn named_but(pattern: &str, gone: &[String]) -> Vec<String> {
    let catalogue = Catalogue::embedded();
    let names = catalogue.expand(pattern).into_iter().map(|id| catalogue.name(id));
    let is_gone = |name: &str| gone.iter().any(|gone| pattern::matches_ignoring_case(gone, name));
    names.filter(|name| !is_gone(name)).map(str::to_owned).collect()
}

const OPPOSITES: [(&str, &str); 12] = [
    ("StringEquals", "StringNotEquals"),
    ("StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
    ("StringLike", "StringNotLike"),
    ("ArnEquals", "ArnNotEquals"),
    ("ArnLike", "ArnNotLike"),
    ("IpAddress", "NotIpAddress"),
    ("NumericEquals", "NumericNotEquals"),
    ("NumericLessThan", "NumericGreaterThanEquals"),
    ("NumericLessThanEquals", "NumericGreaterThan"),
    ("DateEquals", "DateNotEquals"),
    ("DateLessThan", "DateGreaterThanEquals"),
    ("DateLessThanEquals", "DateGreaterThan"),
];

/// What holds whenever a condition does not; `None` where conditions cannot say it.
fn fails(c: &Condition) -> Option<Vec<Condition>> {
    let operator = Operator::parse(&c.operator);
    let made = |operator: String, values: Vec<String>| Condition::new(operator, &*c.key, values);
    let is = |base: &str| operator.base.eq_ignore_ascii_case(base);
    if is("Null") || is("Bool") {
        let [value] = c.values.as_slice() else { return None };
        let other = if value.eq_ignore_ascii_case("true") { "false" } else { "true" };
        // Of a key that is absent a condition says no, and one with IfExists says yes.
        let says = if is("Null") || operator.if_exists { "" } else { "IfExists" };
        let plain = !operator.for_all && !operator.for_any;
        return plain.then(|| vec![made(format!("{}{says}", operator.base), vec![other.to_owned()])]);
    }
    let (base, is_negated) = OPPOSITES.iter().find_map(|(one, other)| {
        let negated = other.contains("Not");
        (is(one).then_some((*other, negated))).or_else(|| is(other).then_some((*one, negated)))
    })?;
    if c.values.is_empty() || (!is_negated && c.values.len() > 1) {
        return None;
    }
    // The opposite says yes of a key that is absent where it is a negation.
    let now_negated = base.contains("Not");
    let mut all = Vec::new();
    let name = match (operator.for_all, operator.for_any) {
        (true, _) => format!("ForAnyValue:{base}"),
        (_, true) => format!("ForAllValues:{base}"),
        _ if operator.if_exists && now_negated => {
            all.push(made("Null".to_owned(), vec!["false".to_owned()]));
            base.to_owned()
        }
        _ if operator.if_exists || operator.is_negated() || now_negated => base.to_owned(),
        _ => format!("{base}IfExists"),
    };
    all.push(made(name, c.values.clone()));
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_whenever_a_condition_does_not() {
        let of = |operator: &str, values: &[&str]| {
            let c = Condition::new(operator, "k", values.iter().map(|v| (*v).to_owned()).collect());
            fails(&c).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))
        };
        for (operator, values, expected) in [
            ("StringEquals", &["a", "b"][..], "StringNotEquals k = a, b"),
            ("StringNotLike", &["a"], "StringLike k = a"),
            ("StringEqualsIfExists", &["a"], "Null k = false and StringNotEquals k = a"),
            ("StringNotEqualsIfExists", &["a"], "StringEquals k = a"),
            ("ForAnyValue:StringLike", &["a"], "ForAllValues:StringNotLike k = a"),
            ("ForAllValues:StringLike", &["a"], "ForAnyValue:StringNotLike k = a"),
            ("Bool", &["true"], "BoolIfExists k = false"),
            ("BoolIfExists", &["true"], "Bool k = false"),
            ("Null", &["true"], "Null k = false"),
            ("NumericLessThan", &["3"], "NumericGreaterThanEqualsIfExists k = 3"),
            ("NumericLessThanIfExists", &["3"], "NumericGreaterThanEquals k = 3"),
            ("NotIpAddress", &["192.0.2.0/24"], "IpAddress k = 192.0.2.0/24"),
        ] {
            assert_eq!(of(operator, values).as_deref(), Some(expected), "{operator}");
        }
        for (operator, values) in [("NumericLessThan", &["3", "4"][..]), ("BinaryEquals", &["QQ=="])] {
            assert_eq!(of(operator, values), None, "{operator}");
        }
    }

    #[test]
    fn what_one_selector_selects_and_another_does_not() {
        let list = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let only = |all: &[&str]| Selector::Only(list(all));
        let except = |all: &[&str]| Selector::Except(list(all));
        let left = |one: &Selector, other: &Selector| but(one, other, true);
        assert_eq!(left(&except(&[]), &only(&["s3:*"])), Some(except(&["s3:*"])));
        assert_eq!(left(&except(&["s3:*"]), &only(&["*"])), None);
        assert_eq!(left(&except(&[]), &except(&["iam:*"])), Some(only(&["iam:*"])));
        assert_eq!(left(&only(&["iam:*", "sts:*"]), &only(&["iam:*"])), Some(only(&["sts:*"])));
        let some = left(&only(&["sts:*"]), &only(&["sts:Get*"])).expect("some are left");
        assert!(some.patterns().contains(&"sts:AssumeRole".to_owned()), "{some:?}");
        assert!(!some.patterns().iter().any(|name| name.starts_with("sts:Get")), "{some:?}");
        assert_eq!(left(&only(&["iam:Get*", "s3:*"]), &except(&["iam:*"])), Some(only(&["iam:Get*"])));
        assert_eq!(left(&except(&["iam:Get*"]), &except(&["iam:Get*"])), None);
    }
}
