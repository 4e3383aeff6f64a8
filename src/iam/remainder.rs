//! Whether patterns leave anything between them: some ARN that all of these match, and none of those. Decided
//! exactly, by reading them side by side.

use std::collections::HashSet;

use crate::arn::Arn;
use crate::pattern;

/// So many places in so many patterns are looked at; what is more counts as something left.
const MOST: usize = 4_000;

/// What no pattern names.
const OTHER: char = '\u{1}';

/// One sign of a pattern. Fields of an ARN but the last hold no colon.
#[derive(Clone, Copy, PartialEq)]
enum Sign {
    Is(char),
    One { in_field: bool },
    Run { in_field: bool },
}

/// Where in a pattern one may be after a text.
type Places = Vec<usize>;

/// Whether some ARN matches every pattern of `all` and no pattern of `none`. A policy variable may be
/// anything: what takes away by one takes nothing away for sure.
///
/// # Examples
/// ```
/// use opsctl_iam::remainder::is_left;
///
/// let dev = "arn:aws:lambda:*:111122223333:function:dev-*";
/// assert!(is_left(&[dev], &["arn:aws:lambda:*:*:function:dev-prod-*"]));
/// assert!(!is_left(&[dev], &["arn:aws:lambda:*:*:function:d*"]));
/// assert!(!is_left(&[dev, "arn:aws:lambda:*:*:function:*-x"], &["*-x"]));
/// ```
pub fn is_left(all: &[&str], none: &[&str]) -> bool {
    let takes = |gone: &&&str| !gone.contains("${") && all.iter().all(|one| pattern::meet(one, gone));
    let none: Vec<Vec<Sign>> = none.iter().filter(takes).map(|gone| signs(gone)).collect();
    if none.is_empty() && all.len() < 2 {
        return true;
    }
    let all: Vec<Vec<Sign>> = all.iter().map(|one| signs(one)).collect();
    let start: Vec<Places> = all.iter().chain(&none).map(|signs| closed(signs, vec![0])).collect();
    let (mut seen, mut open) = (HashSet::new(), vec![start]);
    while let Some(state) = open.pop() {
        let ends = |(signs, places): (&Vec<Sign>, &Places)| places.contains(&signs.len());
        let (inner, outer) = state.split_at(all.len());
        if all.iter().zip(inner).all(ends) && !none.iter().zip(outer).any(ends) {
            return true;
        }
        if seen.len() > MOST {
            return true;
        }
        for next in next_signs(all.iter().chain(&none).zip(&state)) {
            let after: Vec<Places> =
                all.iter().chain(&none).zip(&state).map(|(signs, at)| step(signs, at, next)).collect();
            let (inner, outer) = after.split_at(all.len());
            let is_over = inner.iter().any(Vec::is_empty)
                || none.iter().zip(outer).any(|(signs, places)| takes_all(signs, places));
            if !is_over && seen.insert(after.clone()) {
                open.push(after);
            }
        }
    }
    false
}

/// Whether a pattern matches whatever comes after these places.
fn takes_all(signs: &[Sign], places: &[usize]) -> bool {
    let last = signs.len().checked_sub(1);
    last.is_some_and(|last| signs[last] == Sign::Run { in_field: false } && places.contains(&last))
}

/// The signs of which patterns may tell one from another at their places.
fn next_signs<'s>(all: impl Iterator<Item = (&'s Vec<Sign>, &'s Places)>) -> Vec<char> {
    let named = all.flat_map(|(signs, places)| {
        places.iter().filter_map(|&place| match signs.get(place) {
            Some(Sign::Is(c)) => Some(*c),
            _ => None,
        })
    });
    let mut next: Vec<char> = named.chain([OTHER]).collect();
    next.sort_unstable();
    next.dedup();
    next
}

fn step(signs: &[Sign], places: &[usize], next: char) -> Places {
    let after = places.iter().filter_map(|&place| match *signs.get(place)? {
        Sign::Is(c) => (c == next).then_some(place + 1),
        Sign::One { in_field } => (!in_field || next != ':').then_some(place + 1),
        Sign::Run { in_field } => (!in_field || next != ':').then_some(place),
    });
    closed(signs, after.collect())
}

/// With the places behind runs, which may be of nothing.
fn closed(signs: &[Sign], mut places: Places) -> Places {
    let mut at = 0;
    while let Some(&place) = places.get(at) {
        if let Some(Sign::Run { .. }) = signs.get(place) {
            places.push(place + 1);
        }
        at += 1;
    }
    places.sort_unstable();
    places.dedup();
    places
}

fn signs(text: &str) -> Vec<Sign> {
    let text: String = pattern::with_variables_open(text).into_iter().collect();
    let in_fields = Arn::pattern(&text).is_some_and(|arn| {
        arn.account.is_empty() || pattern::is_wild(arn.account) || arn.account_id().is_some()
    });
    let mut colons = 0;
    let read = |c: char| {
        colons += usize::from(c == ':');
        let in_field = in_fields && colons < 5;
        match c {
            '*' => Sign::Run { in_field },
            '?' => Sign::One { in_field },
            c => Sign::Is(c),
        }
    };
    text.chars().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_names() {
        let on = |name: &str| format!("arn:aws:lambda:*:111122223333:function:{name}");
        let left = |all: &[&str], none: &[&str]| {
            let [all, none] = [all, none].map(|names| names.iter().map(|n| on(n)).collect::<Vec<_>>());
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            let none: Vec<&str> = none.iter().map(String::as_str).collect();
            is_left(&all, &none)
        };
        for (all, none, expected) in [
            (&["a*"][..], &[][..], true),
            (&["a*", "*b"], &[], true),
            (&["a*", "b*"], &[], false),
            (&["a*"], &["ab*"], true),
            (&["a*"], &["a?*"], true),
            (&["a*"], &["a?*", "a"], false),
            (&["a?"], &["*"], false),
            (&["?"], &["a", "b"], true),
            (&["a*b*c"], &["*b*"], false),
            (&["a*", "*c", "*b*"], &["abc"], true),
            (&["abc"], &["a${aws:username}c"], true),
        ] {
            assert_eq!(left(all, none), expected, "{all:?} but {none:?}");
        }
    }

    #[test]
    fn fields_are_read_by_themselves() {
        let here = "arn:aws:lambda:eu-west-1:*:*";
        let any = "arn:aws:lambda:?*:111122223333:function:?*";
        assert!(!is_left(&[any, "arn:aws:lambda:us-*:111122223333:function:*", here], &[]));
        assert!(is_left(&[any], &[here]));
        assert!(!is_left(&[any], &["arn:aws:lambda:*:*:function:*"]));
        let dev = "arn:aws:lambda:*:111122223333:function:dev-*";
        assert!(!is_left(&[any, dev, "arn:aws:lambda:*:111122223333:function:ok-*"], &[]));
    }
}
