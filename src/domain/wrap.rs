//! Text in lines. Suggested commands are filled in before: a command that a line ends within is copied as
//! another one.

/// A text in lines of at most so many columns, broken at blanks; a longer word stays whole, and so does a
/// command between backticks: what the terminal itself breaks is copied as it is. There is one line at least.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words(text) {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// What no line ends within.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut rest) = (Vec::new(), Some(text));
    while let Some(text) = rest {
        let end = text.find(' ').unwrap_or(text.len());
        let end = command_end(text).unwrap_or(end);
        words.push(&text[..end]);
        rest = text.get(end + 1..);
    }
    words
}

/// Where a command that a text begins with ends, with what is attached to it.
fn command_end(text: &str) -> Option<usize> {
    let command = text.strip_prefix('`').filter(|command| command.starts_with("opsctl "))?;
    let end = 1 + command.find('`')?;
    Some(text[end..].find(' ').map_or(text.len(), |blank| end + blank))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stay_whole() {
        let text = "until `opsctl --sandbox destroy`: all of it";
        assert_eq!(wrapped(text, 28), ["until", "`opsctl --sandbox destroy`:", "all of it"]);
        assert_eq!(wrapped(text, 20), ["until", "`opsctl --sandbox destroy`:", "all of it"]);
        assert_eq!(wrapped(text, 80), [text]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(wrapped("a  b", 80), ["a  b"]);
        assert_eq!(wrapped("`x y", 2), ["`x", "y"]);
    }
}
