//! The first of many.

/// `a, b and 3 more`: so many of them, and how many there are besides.
pub fn few<S: AsRef<str>>(all: &[S], shown: usize) -> String {
    joined(all, shown, ", ", " and ")
}

/// The first eight of many differences or messages, which may have commas in them.
pub fn few_sentences<S: AsRef<str>>(all: &[S]) -> String {
    joined(all, 8, "; ", "; and ")
}

fn joined<S: AsRef<str>>(all: &[S], shown: usize, between: &str, last: &str) -> String {
    let (first, others) = all.split_at(all.len().min(shown));
    let first = first.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(between);
    if others.is_empty() { first } else { format!("{first}{last}{} more", others.len()) }
}

#[cfg(test)]
mod tests {
    use super::{few, few_sentences};

    #[test]
    fn the_first_are_named_and_the_others_counted() {
        assert_eq!(few(&["a", "b", "c"], 3), "a, b, c");
        assert_eq!(few(&["a", "b", "c"], 2), "a, b and 1 more");
        assert_eq!(few_sentences(&["a"; 9]), format!("{}a; and 1 more", "a; ".repeat(7)));
        assert_eq!(few::<&str>(&[], 2), "");
    }
}
