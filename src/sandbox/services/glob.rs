//! AWS's wildcards, in policies and in filters: `*` is any text, `?` is any one character.

/// Whether `text` as a whole matches `pattern`, case-sensitively.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where to resume when a star has to swallow one more character.
    let mut retry: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                retry = Some((at, seen));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((star, swallowed)) = retry else { return false };
                retry = Some((star, swallowed + 1));
                (at, seen) = (star + 1, swallowed + 1);
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, text) in [("*", ""), ("a*c", "abbc"), ("a*b*c", "aXbXbc"), ("?b", "ab"), ("a", "a")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a*c", "abcd"), ("?", ""), ("A", "a"), ("a*b", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
