//! A page that is drawn again and again: as much of it as the terminal has lines for.

use crate::domain::many;

/// The beginning of a page, and how much is below it. A line that is longer than the terminal is wide takes
/// several.
pub fn fitted(page: &str, rows: usize, columns: usize) -> String {
    let taken = |line: &str| visible(line).max(1).div_ceil(columns.max(1));
    let lines: Vec<&str> = page.lines().collect();
    let all: usize = lines.iter().map(|line| taken(line)).sum();
    // The cursor stands in the last line.
    let room = rows.saturating_sub(1);
    if all <= room {
        return page.to_owned();
    }
    let (mut shown, mut used) = (0, 1);
    while lines.get(shown).is_some_and(|line| used + taken(line) <= room) {
        used += taken(lines[shown]);
        shown += 1;
    }
    let more = lines.len() - shown;
    let below = format!("… {} below; a higher terminal, or without --watch, shows them", many(more, "line"));
    let below: String = below.chars().take(columns).collect();
    lines[..shown].iter().map(|line| format!("{line}\n")).collect::<String>() + &below + "\n"
}

/// The characters of a line that are seen: colors are not.
fn visible(line: &str) -> usize {
    let mut rest = line.chars();
    let mut seen = 0;
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' => _ = rest.by_ref().find(char::is_ascii_alphabetic),
            _ => seen += 1,
        }
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_higher_than_the_terminal() {
        let page: String = (1..=30).map(|n| format!("\u{1b}[32mline {n}\u{1b}[0m\n")).collect();
        assert_eq!(fitted(&page, 40, 80), page);
        let shown = fitted(&page, 24, 80);
        assert_eq!(shown.lines().count(), 23);
        assert!(
            shown.ends_with("… 8 lines below; a higher terminal, or without --watch, shows them\n"),
            "{shown}"
        );
        // A line of 200 characters takes three.
        let long = format!("{}\n", "x".repeat(200)).repeat(10);
        assert_eq!(fitted(&long, 24, 80).lines().count(), 7 + 1);
        assert_eq!(fitted(&long, 1, 1).lines().count(), 1);
    }
}
