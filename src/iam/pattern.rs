//! IAM's wildcards: `*` is any run of characters (also `:` and `/`), `?` is exactly one.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

/// Whether `text` matches `pattern`, case-sensitively, as IAM compares ARNs.
pub fn matches(pattern: &str, text: &str) -> bool {
    glob(pattern.as_bytes(), text.as_bytes(), |a, b| a == b)
}

/// Whether `text` matches `pattern` whatever the case, as IAM compares actions.
pub fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    glob(pattern.as_bytes(), text.as_bytes(), |a, b| a.eq_ignore_ascii_case(&b))
}

/// Whether the pattern holds a wildcard.
pub fn is_wild(pattern: &str) -> bool {
    pattern.bytes().any(|b| b == b'*' || b == b'?')
}

/// Whether the pattern is nothing but wildcards, so that it matches everything; `?*` leaves out only the
/// empty text.
pub fn is_everything(pattern: &str) -> bool {
    let questions = pattern.bytes().filter(|b| *b == b'?').count();
    pattern.contains('*') && questions < 3 && pattern.bytes().all(|b| b == b'*' || b == b'?')
}

/// Whether a pattern matches whatever another one matches.
pub fn includes(wide: &str, narrow: &str) -> bool {
    // To a comparison of texts `?` is a `*` too: it must also do for none and for many characters.
    let stands_for = |run: &str| matches(wide, &narrow.replace('*', run));
    matches(wide, narrow)
        && (!wide.contains('?')
            || !narrow.contains('*')
            || (stands_for("") && stands_for(&"\u{1}".repeat(wide.len() + 1))))
}

/// Whether some text matches both patterns; a policy variable may be any text.
pub fn meet(a: &str, b: &str) -> bool {
    let of_prefix = literal_prefix(a).bytes().zip(literal_prefix(b).bytes());
    if !a.contains("${") && !b.contains("${") && of_prefix.into_iter().any(|(a, b)| a != b) {
        return false;
    }
    let (a, b) = (with_variables_open(a), with_variables_open(b));
    // Which rests of `b` may still match, for each rest of `a`.
    let mut open = vec![false; b.len() + 1];
    open[0] = true;
    for at in 0..=a.len() {
        let mut next = vec![false; b.len() + 1];
        for other in 0..=b.len() {
            if !open[other] {
                continue;
            }
            let (one, two) = (a.get(at), b.get(other));
            if (one == Some(&'*') && two.is_some()) || two == Some(&'*') {
                open[other + 1] = true;
            }
            if (two == Some(&'*') && one.is_some()) || one == Some(&'*') {
                next[other] = true;
            }
            if let (Some(one), Some(two)) = (one, two)
                && (one == two || *one == '?' || *two == '?')
            {
                next[other + 1] = true;
            }
        }
        if at == a.len() {
            break;
        }
        open = next;
    }
    open[b.len()]
}

/// Whether IAM fills in `${NAME}`: names of keys have the prefix of a service (`aws:username`, also with a
/// default: `aws:PrincipalTag/team, 'none'`), and three stand for a sign of patterns
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>).
pub fn is_variable(name: &str) -> bool {
    name.split(',').next().is_some_and(|key| key.contains(':')) || matches!(name, "*" | "?" | "$")
}

/// Whether a pattern matches a text for some value of the variables in it. What is no variable of IAM's is
/// filled in by nobody, and in no name.
pub fn may_match(pattern: &str, text: &str) -> bool {
    let names = pattern.split("${").skip(1).map(|rest| rest.split('}').next().unwrap_or_default());
    names.into_iter().all(is_variable)
        && matches(&with_variables_open(pattern).into_iter().collect::<String>(), text)
}

/// A pattern whose variables may be anything.
pub(crate) fn with_variables_open(pattern: &str) -> Vec<char> {
    let (mut open, mut rest) = (String::new(), pattern);
    while let Some((before, after)) = rest.split_once("${") {
        open.push_str(before);
        open.push('*');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    open.push_str(rest);
    open.chars().collect()
}

/// The part of a pattern before its first wildcard: every match begins with it.
pub fn literal_prefix(pattern: &str) -> &str {
    let end = pattern.bytes().position(|b| b == b'*' || b == b'?').unwrap_or(pattern.len());
    &pattern[..end]
}

/// Greedy match with one point of return: on a mismatch only the latest `*` can take one more byte,
/// because an earlier one could not do better. Linear memory, no recursion.
fn glob(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || same(byte, text[t]) => {
                // `?` is one character, which may be several bytes of UTF-8.
                t += if byte == b'?' { char_len(text[t]) } else { 1 };
                p += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    retry = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

fn char_len(first: u8) -> usize {
    match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, written as slowly and plainly as can be.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.first(), text.first()) {
            (None, None) => true,
            (Some(b'*'), _) => naive(&pattern[1..], text) || (!text.is_empty() && naive(pattern, &text[1..])),
            (Some(b'?'), Some(_)) => naive(&pattern[1..], &text[1..]),
            (Some(a), Some(b)) if a == b => naive(&pattern[1..], &text[1..]),
            _ => false,
        }
    }

    #[test]
    fn agrees_with_the_definition_on_every_short_string() {
        fn strings(alphabet: &[u8], length: usize) -> Vec<Vec<u8>> {
            (0..length).fold(vec![vec![]], |all, _| {
                let longer = all.iter().flat_map(|s| alphabet.iter().map(|&c| [s.as_slice(), &[c]].concat()));
                [vec![vec![]], longer.collect()].concat()
            })
        }
        for pattern in strings(b"ab*?", 5) {
            for text in strings(b"ab", 5) {
                assert_eq!(glob(&pattern, &text, |a, b| a == b), naive(&pattern, &text));
            }
        }
    }

    #[test]
    fn patterns_include_and_meet_as_their_texts_do() {
        let mut all = vec![String::new()];
        for _ in 0..4 {
            let longer = all.iter().flat_map(|s| ["a", "b", "*", "?"].map(|c| format!("{s}{c}")));
            all = [all.clone(), longer.collect()].concat();
            all.sort();
            all.dedup();
        }
        let mut texts = vec![String::new()];
        for _ in 0..6 {
            let longer = texts.iter().flat_map(|s| ["a", "b"].map(|c| format!("{s}{c}")));
            texts = [texts.clone(), longer.collect()].concat();
            texts.sort();
            texts.dedup();
        }
        let sets: Vec<Vec<bool>> =
            all.iter().map(|p| texts.iter().map(|text| matches(p, text)).collect()).collect();
        for (one, set) in all.iter().zip(&sets) {
            for (other, others) in all.iter().zip(&sets) {
                let both = set.iter().zip(others);
                assert_eq!(meet(one, other), both.clone().any(|(a, b)| *a && *b), "{one} {other}");
                let within = both.clone().all(|(wide, narrow)| *wide || !*narrow);
                assert!(within || !includes(one, other), "{one} does not include {other}");
            }
        }
        assert!(includes("arn:*:role/*", "arn:aws:role/app-*") && !includes("role/?", "role/*"));
        assert!(meet("home/${aws:username}/*", "home/ann/x") && !meet("secret/*", "public/*"));
    }

    #[test]
    fn case_counts_for_resources_only() {
        assert!(matches_ignoring_case("IAM:create?olicyVersion", "iam:CreatePolicyVersion"));
        assert!(!matches("arn:aws:s3:::A*", "arn:aws:s3:::abc"));
        assert!(matches("arn:aws:iam:*:role/x", "arn:aws:iam::111122223333:role/x"), "`*` crosses colons");
        assert!(matches("a?c", "aéc"));
    }
}
