//! What is left over, in few lines: each deploy of something new leaves a generation of it.

use crate::domain::fingerprint::stem;
use crate::plan::Leftover;

/// More generations than these are counted.
const LISTED: usize = 2;

/// One thing that is left over, or how many generations of one resource.
pub enum Left<'a> {
    One(&'a Leftover),
    Many(&'a Leftover, usize),
}

/// In the order of the first of each. What `is_told` for itself stays alone.
pub fn grouped<'l>(
    leftovers: impl IntoIterator<Item = &'l Leftover>,
    is_told: impl Fn(&Leftover) -> bool,
) -> Vec<Left<'l>> {
    let mut groups: Vec<(Option<&str>, Vec<&Leftover>)> = Vec::new();
    for leftover in leftovers {
        let stem = stem(&leftover.physical).filter(|_| !is_told(leftover));
        let is_one = |(of, group): &&mut (Option<&str>, Vec<&Leftover>)| {
            *of == stem && stem.is_some() && group[0].id.kind == leftover.id.kind
        };
        match groups.iter_mut().find(is_one) {
            Some((_, group)) => group.push(leftover),
            None => groups.push((stem, vec![leftover])),
        }
    }
    let line = |(_, group): (Option<&str>, Vec<_>)| match group.len() {
        0..=LISTED => group.into_iter().map(Left::One).collect(),
        many => vec![Left::Many(group[0], many)],
    };
    groups.into_iter().flat_map(line).collect::<Vec<_>>()
}

/// `training/shop-dev-numbers-*: 9 earlier versions`, of a kind and a name.
pub fn counted(leftover: &Leftover, many: usize) -> (String, String) {
    let stem = stem(&leftover.physical).unwrap_or(&leftover.physical);
    (format!("{}/{stem}-*", leftover.id.kind), format!("{many} earlier versions"))
}
