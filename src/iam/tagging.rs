//! What conditions ask of a call that sets tags, and which tags meet a condition.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>

use crate::condition::{Operator, admits};
use crate::policy::Condition;

/// Whether a condition on the tags of a call holds when it sets this one. Others that it asks for are set
/// beside it.
pub(crate) fn allows_tag(c: &Condition, tag: &str, value: Option<&str>, allow: bool) -> Option<bool> {
    let key = c.key.to_ascii_lowercase();
    let is_null = Operator::parse(&c.operator).base.eq_ignore_ascii_case("Null");
    let is_absent = || c.values.iter().any(|v| v.eq_ignore_ascii_case("true"));
    if key == "aws:tagkeys" {
        return if is_null { Some(!is_absent()) } else { admits(c, tag) };
    }
    match key.strip_prefix("aws:requesttag/")? {
        named if !named.eq_ignore_ascii_case(tag) => (!allow).then_some(false),
        _ if is_null => Some(!is_absent()),
        _ => match value.filter(|_| !c.values.iter().any(|v| v.contains("${"))) {
            Some(value) => admits(c, value),
            None => (!allow).then_some(false),
        },
    }
}

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
