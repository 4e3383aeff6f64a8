//! Whether one condition asks for what another asks for, or for more: fewer values, a smaller range, the same
//! in another order. What cannot be shown counts as different.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use std::cmp::Ordering;

use crate::addresses::is_within;
use crate::condition::Operator;
use crate::pattern;
use crate::policy::Condition;
use crate::time::Instant;

/// Whether whatever meets conditions meets others too: each of these is asked for by one of those.
pub fn ask_for(conditions: &[Condition], others: &[Condition]) -> bool {
    others.iter().all(|other| conditions.iter().any(|c| implies(c, other)))
}

/// What an operator compares by, apart from which side of it the values stand on.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Text,
    TextIgnoringCase,
    Pattern,
    /// `ArnEquals` and `ArnLike` behave identically.
    Arn,
    Address,
    Number,
    Date,
    /// Words: `true`, `false`.
    Word,
    Binary,
}

/// Which values on a scale fit: those that the ordering names, as they stand to the one that is written.
type Side = &'static [Ordering];

const SAME: Side = &[Ordering::Equal];
const LESS: Side = &[Ordering::Less];
const UP_TO: Side = &[Ordering::Less, Ordering::Equal];
const MORE: Side = &[Ordering::Greater];
const FROM: Side = &[Ordering::Greater, Ordering::Equal];

/// The operators without `Not`, in small letters.
const COMPARISONS: [(&str, Kind, Side); 18] = [
    ("stringequals", Kind::Text, SAME),
    ("stringequalsignorecase", Kind::TextIgnoringCase, SAME),
    ("stringlike", Kind::Pattern, SAME),
    ("arnequals", Kind::Arn, SAME),
    ("arnlike", Kind::Arn, SAME),
    ("ipaddress", Kind::Address, SAME),
    ("bool", Kind::Word, SAME),
    ("binaryequals", Kind::Binary, SAME),
    ("numericequals", Kind::Number, SAME),
    ("numericlessthan", Kind::Number, LESS),
    ("numericlessthanequals", Kind::Number, UP_TO),
    ("numericgreaterthan", Kind::Number, MORE),
    ("numericgreaterthanequals", Kind::Number, FROM),
    ("dateequals", Kind::Date, SAME),
    ("datelessthan", Kind::Date, LESS),
    ("datelessthanequals", Kind::Date, UP_TO),
    ("dategreaterthan", Kind::Date, MORE),
    ("dategreaterthanequals", Kind::Date, FROM),
];

/// An operator, understood.
#[derive(Clone, Copy)]
struct Comparison {
    kind: Kind,
    side: Side,
    negated: bool,
    /// Whether a request without the key meets it.
    passes_absent: bool,
}

impl Comparison {
    fn of(operator: Operator<'_>) -> Option<Self> {
        let base = operator.base.to_ascii_lowercase();
        let negated = operator.is_negated();
        let plain = if negated { base.replacen("not", "", 1) } else { base };
        let (_, kind, side) = COMPARISONS.iter().find(|(name, ..)| *name == plain)?;
        let passes_absent = operator.if_exists || operator.for_all || (negated && !operator.for_any);
        Some(Self { kind: *kind, side, negated, passes_absent })
    }

    /// Whether whatever one value of this fits, one of the other comparison fits too.
    fn takes_in(self, value: &str, other: Self, theirs: &str) -> bool {
        // What a variable stands for is known to be the same in the same words only.
        if value.contains("${") || theirs.contains("${") {
            return self.kind == other.kind && self.side == other.side && value == theirs;
        }
        match (self.kind, other.kind) {
            (Kind::Text | Kind::TextIgnoringCase, Kind::TextIgnoringCase) => {
                value.eq_ignore_ascii_case(theirs)
            }
            (Kind::Pattern, Kind::TextIgnoringCase) if !pattern::is_wild(value) => {
                value.eq_ignore_ascii_case(theirs)
            }
            (Kind::Text, Kind::Text) | (Kind::Binary, Kind::Binary) => value == theirs,
            (Kind::Pattern, Kind::Text) => !pattern::is_wild(value) && value == theirs,
            (Kind::Text | Kind::Pattern, Kind::Pattern) => pattern::includes(theirs, value),
            (Kind::Arn, Kind::Arn) => is_arn_within(value, theirs),
            (Kind::Address, Kind::Address) => value == theirs || is_within(value, theirs),
            (Kind::Word, Kind::Word) => value.eq_ignore_ascii_case(theirs),
            (Kind::Number, Kind::Number) => {
                let number = |text: &str| text.trim().parse::<f64>().ok();
                value == theirs && self.side == other.side
                    || on_scale(number(value), self.side, number(theirs), other.side)
            }
            (Kind::Date, Kind::Date) => {
                value == theirs && self.side == other.side
                    || on_scale(moment(value), self.side, moment(theirs), other.side)
            }
            _ => false,
        }
    }
}

fn moment(text: &str) -> Option<i64> {
    Instant::parse(text).map(|at| at.0).or_else(|| text.parse().ok())
}

/// Whether what lies on one side of a value lies on the other's side of the other value.
fn on_scale<T: PartialOrd>(value: Option<T>, side: Side, other: Option<T>, theirs: Side) -> bool {
    let Some(at) = value.zip(other).and_then(|(value, other)| value.partial_cmp(&other)) else {
        return false;
    };
    // The value itself, where it fits, and all beyond it on its side.
    let reaches = side.iter().filter(|of| **of != Ordering::Equal).all(|of| theirs.contains(of));
    let own = match at {
        Ordering::Equal => side.iter().all(|of| theirs.contains(of)),
        at => theirs.contains(&at),
    };
    reaches && own
}

/// Each of the six parts of an ARN is compared by itself.
fn is_arn_within(value: &str, wider: &str) -> bool {
    let parts = |arn| str::splitn(arn, 6, ':').collect::<Vec<&str>>();
    let (narrow, wide) = (parts(value), parts(wider));
    narrow.len() == wide.len()
        && narrow.iter().zip(&wide).all(|(narrow, wide)| pattern::includes(wide, narrow))
}

/// Whether whatever meets a condition meets the other one.
fn implies(c: &Condition, other: &Condition) -> bool {
    // Names of keys are compared whatever the case, those of tags in them, too.
    // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition.html>
    if !c.key.eq_ignore_ascii_case(&other.key) || (c.known.is_some() && c.known != other.known) {
        return false;
    }
    let (operator, theirs) = (Operator::parse(&c.operator), Operator::parse(&other.operator));
    let (Some(mine), Some(wider)) = (Comparison::of(operator), Comparison::of(theirs)) else {
        let same = |value: &String| other.values.iter().any(|v| v.eq_ignore_ascii_case(value));
        return c.operator.eq_ignore_ascii_case(&other.operator)
            && operator.base.eq_ignore_ascii_case("Null")
            && c.values.iter().all(same)
            || is_same(c, other);
    };
    let of_set = |o: &Operator<'_>| (o.for_all, o.for_any);
    if of_set(&operator) != of_set(&theirs)
        || mine.negated != wider.negated
        || (mine.passes_absent && !wider.passes_absent)
    {
        return false;
    }
    match mine.negated {
        false => c.values.iter().all(|v| other.values.iter().any(|w| mine.takes_in(v, wider, w))),
        true => other.values.iter().all(|w| c.values.iter().any(|v| wider.takes_in(w, mine, v))),
    }
}

/// The same, whatever the order of the values.
fn is_same(c: &Condition, other: &Condition) -> bool {
    let within = |all: &[String], of: &[String]| all.iter().all(|value| of.contains(value));
    c.operator.eq_ignore_ascii_case(&other.operator)
        && within(&c.values, &other.values)
        && within(&other.values, &c.values)
}
