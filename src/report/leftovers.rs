//! What is left over, in few lines: each deploy of something new leaves a generation of it.

use crate::domain::KindName;
use crate::domain::fingerprint::stem;
use crate::plan::Leftover;

/// More generations than these are counted.
const LISTED: usize = 2;

/// One thing that is left over, or how many generations of one resource.
pub enum Left<'a, T = Leftover> {
    One(&'a T),
    Many(&'a T, usize),
}

/// The kind and the name that generations of one resource have in common.
pub type Common<'l> = Option<(KindName, &'l str)>;

/// In the order of the first of each. What `is_told` for itself stays alone.
pub fn grouped<'l>(
    leftovers: impl IntoIterator<Item = &'l Leftover>,
    is_told: impl Fn(&Leftover) -> bool,
) -> Vec<Left<'l>> {
    grouped_by(leftovers, |leftover| {
        let stem = stem(&leftover.physical).filter(|_| !is_told(leftover))?;
        Some((leftover.id.kind, stem))
    })
}

/// In the order of the first of each, by what generations have in common.
pub fn grouped_by<'l, T>(
    leftovers: impl IntoIterator<Item = &'l T>,
    of: impl Fn(&'l T) -> Common<'l>,
) -> Vec<Left<'l, T>> {
    let mut groups: Vec<(Common<'_>, Vec<&T>)> = Vec::new();
    for leftover in leftovers {
        let name = of(leftover);
        match groups.iter_mut().find(|(known, _)| name.is_some() && *known == name) {
            Some((_, group)) => group.push(leftover),
            None => groups.push((name, vec![leftover])),
        }
    }
    let line = |(_, group): (Option<_>, Vec<_>)| match group.len() {
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
