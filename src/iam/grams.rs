//! A quick no for patterns: what a pattern says between its wildcards is somewhere in every text that it
//! matches. Thousands of patterns are not compared with thousands of texts that cannot match.

/// The runs of three characters that occur in some texts: a bit for each, by the low bits of the characters.
pub struct Grams(Box<[u64]>);

const BITS: u32 = 6;

impl Grams {
    /// Those of texts.
    pub fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut seen = vec![0; 1 << (3 * BITS) >> 6].into_boxed_slice();
        for text in texts {
            for place in text.as_bytes().windows(3).map(place) {
                seen[place >> 6] |= 1 << (place & 63);
            }
        }
        Self(seen)
    }

    /// Whether one of the texts may match; `false` is certain.
    pub fn may_match(&self, pattern: &str) -> bool {
        let occurs = |place: usize| self.0[place >> 6] & (1 << (place & 63)) != 0;
        pattern.split(['*', '?']).all(|piece| piece.as_bytes().windows(3).map(place).all(occurs))
    }
}

fn place(gram: &[u8]) -> usize {
    gram.iter().fold(0, |place, byte| place << BITS | usize::from(byte & ((1 << BITS) - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern;

    #[test]
    fn never_says_no_to_what_matches() {
        let texts = ["s3:getobject", "iam:passrole", "ec2:runinstances"];
        let grams = Grams::of(texts);
        for pattern in ["*", "*:get*", "iam:pass?ole", "*pass*ole", "?am:*", "*zzz*", "*1234*", "ec2:*xyz"] {
            let matched = texts.iter().any(|text| pattern::matches(pattern, text));
            assert!(grams.may_match(pattern) || !matched, "{pattern}");
        }
        assert!(!grams.may_match("*1234*") && !grams.may_match("*zzz*"));
    }
}
