//! Which tags meet a condition.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>

use crate::condition::Operator;
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
