//! Which tags meet a condition, and who may give them to itself.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>

use crate::condition::{self, Asked, ConditionResult, Operator};
use crate::grant::Grant;
use crate::policy::Condition;

/// Values of a tag that meet a condition on it; `None` for one that only the call decides, or that no value
/// meets.
pub fn fitting_values(c: &Condition) -> Vec<Option<String>> {
    let operator = Operator::parse(&c.operator);
    if operator.base.eq_ignore_ascii_case("Null") {
        let may_be_any = !c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
        return may_be_any.then_some(None).into_iter().collect();
    }
    if operator.is_negated() {
        return vec![Some("\u{1}".to_owned())];
    }
    let like = operator.takes_wildcards();
    let value = |v: &String| match v.contains("${") {
        true => None,
        false => Some(if like { v.replace(['*', '?'], "x") } else { v.clone() }),
    };
    c.values.iter().map(value).collect()
}

/// Whether a principal may give itself a tag that its own statements ask for, by a statement that does not
/// itself ask for one.
pub fn tags_itself<'g, I: Iterator<Item = &'g Grant>>(own: &str, grants: impl Fn() -> I) -> bool {
    const OWN_TAG: &str = "aws:PrincipalTag/";
    let is_on_tag =
        |c: &&Condition| c.key.get(..OWN_TAG.len()).is_some_and(|key| key.eq_ignore_ascii_case(OWN_TAG));
    let by_tag = |grant: &Grant| grant.statement.conditions.iter().any(|c| is_on_tag(&c));
    let action = if own.contains(":user/") { "iam:TagUser" } else { "iam:TagRole" };
    let tags = |grant: &&Grant| grant.names(action) && grant.reaches(own);
    let may = |tag: &str, value: Option<&str>| {
        let asked = Asked { sets: Some((tag, value)), ..Asked::default() };
        let reads = |grant: &Grant| condition::read(&grant.statement, asked);
        let allowed = |g: &Grant| g.statement.allow && !by_tag(g) && reads(g) != ConditionResult::Never;
        let denied = |g: &Grant| {
            let decided = condition::is_decided(&g.statement, asked);
            !g.statement.allow && decided && reads(g) == ConditionResult::Open
        };
        grants().filter(tags).any(allowed) && !grants().filter(tags).any(denied)
    };
    let asked = grants().flat_map(|grant| &grant.statement.conditions).filter(is_on_tag);
    asked
        .into_iter()
        .any(|c| fitting_values(c).iter().any(|value| may(&c.key[OWN_TAG.len()..], value.as_deref())))
}
