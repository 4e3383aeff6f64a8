//! How much of the internet ranges of addresses take in.

use std::net::IpAddr;

/// Of so many public addresses in a hundred a list that takes them in keeps nobody in particular out: whoever
/// is not let in from here is let in from a rented machine over there.
const OPEN: u128 = 25;

/// What no caller has as a public address: first and last, by
/// <https://www.iana.org/assignments/iana-ipv4-special-registry/> and, from 224.0.0.0 on, multicast and the
/// former class E.
const NOT_PUBLIC_V4: [(u128, u128); 9] = [
    (0x0000_0000, 0x00ff_ffff),
    (0x0a00_0000, 0x0aff_ffff),
    (0x6440_0000, 0x647f_ffff),
    (0x7f00_0000, 0x7fff_ffff),
    (0xa9fe_0000, 0xa9fe_ffff),
    (0xac10_0000, 0xac1f_ffff),
    (0xc0a8_0000, 0xc0a8_ffff),
    (0xc612_0000, 0xc613_ffff),
    (0xe000_0000, 0xffff_ffff),
];

/// All of IPv6 that is given to anybody: 2000::/3.
const PUBLIC_V6: (u128, u128) = (0x2000 << 112, (0x4000 << 112) - 1);

/// Whether ranges of addresses take in a quarter or more of the public ones, of IPv4 or of IPv6.
pub(crate) fn are_open(ranges: &[String]) -> bool {
    let mut taken: [Vec<(u128, u128)>; 2] = Default::default();
    for range in ranges {
        if let Some((list, from, to)) = span(range) {
            taken[list].push((from, to));
        }
    }
    let all_v4 = (0, u128::from(u32::MAX));
    let reserved: u128 = NOT_PUBLIC_V4.iter().map(|&(from, to)| to - from + 1).sum();
    let in_reserved = |(from, to): (u128, u128)| -> u128 {
        NOT_PUBLIC_V4.iter().map(|&other| common((from, to), other)).sum()
    };
    let [v4, v6] = taken.map(joined);
    let public = v4.iter().map(|&range| common(range, all_v4) - in_reserved(range)).sum::<u128>();
    let public_v6 = v6.iter().map(|&range| common(range, PUBLIC_V6)).sum::<u128>();
    let share = |part: u128, whole: u128| part / (whole / 100) >= OPEN;
    share(public, all_v4.1 + 1 - reserved) || share(public_v6, PUBLIC_V6.1 - PUBLIC_V6.0 + 1)
}

/// Whether all addresses of a range are in another one; an address alone is a range of one.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_IPAddress>
pub(crate) fn is_within(range: &str, wider: &str) -> bool {
    let spans = span(range).zip(span(wider));
    spans.is_some_and(|((list, from, to), wider)| list == wider.0 && wider.1 <= from && to <= wider.2)
}

/// The version of a range, 0 for IPv4 and 1 for IPv6, and its first and last address.
fn span(range: &str) -> Option<(usize, u128, u128)> {
    let (address, bits) = range.split_once('/').unwrap_or((range, ""));
    let (list, start, width) = match address.trim().parse::<IpAddr>().ok()? {
        IpAddr::V4(v4) => (0, u128::from(u32::from(v4)), 32u32),
        IpAddr::V6(v6) => (1, u128::from(v6), 128),
    };
    let bits = if bits.is_empty() { width } else { bits.parse().ok()? };
    let host = width.checked_sub(bits)?;
    let mask = 1u128.checked_shl(host).map_or(u128::MAX, |size| size - 1);
    Some((list, start & !mask, start | mask))
}

/// The ranges in order, those that overlap or meet as one.
fn joined(mut ranges: Vec<(u128, u128)>) -> Vec<(u128, u128)> {
    ranges.sort_unstable();
    let mut all: Vec<(u128, u128)> = Vec::new();
    for (from, to) in ranges {
        match all.last_mut() {
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

/// How many addresses two ranges have in common.
fn common(one: (u128, u128), other: (u128, u128)) -> u128 {
    let (from, to) = (one.0.max(other.0), one.1.min(other.1));
    // All of IPv6 is one more than fits; it is compared with a part of it only.
    if from > to { 0 } else { (to - from).saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::are_open;

    #[test]
    fn a_quarter_of_what_is_public_is_open() {
        let open = |ranges: &[&str]| are_open(&ranges.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>());
        for ranges in [
            &["0.0.0.0/0"][..],
            &["::/0"],
            &["0.0.0.0/1", "128.0.0.0/1"],
            &["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"],
            &["128.0.0.0/1"],
            &["2000::/3"],
            &["::/1", "8000::/1"],
            &["203.0.113.0/24", "11.0.0.0/8", "64.0.0.0/2"],
        ] {
            assert!(open(ranges), "{ranges:?}");
        }
        for ranges in [
            &["203.0.113.7"][..],
            &["203.0.113.0/24", "2001:db8::/32"],
            &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
            &["52.0.0.0/8", "54.0.0.0/8"],
            &["224.0.0.0/3"],
            &["fc00::/7"],
            &["nonsense", "1.2.3.4/99"],
        ] {
            assert!(!open(ranges), "{ranges:?}");
        }
    }
}
