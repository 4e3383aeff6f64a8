//! Workflow commands of GitHub Actions: lines of the output that the runner obeys
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>). Everything in them is
//! escaped, so that text from outside stays text.

use super::shown;

/// `::name key=value,…::message`; what has no value is left out.
pub fn command(name: &str, properties: &[(&str, &str)], message: &str) -> String {
    let given: Vec<String> = properties
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| format!("{key}={}", property(value)))
        .collect();
    let space = if given.is_empty() { "" } else { " " };
    format!("::{name}{space}{}::{}", given.join(","), data(&shown::text(message)))
}

/// A message.
pub fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// The value of a property.
pub fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_cannot_command() {
        assert_eq!(command("endgroup", &[], ""), "::endgroup::");
        assert_eq!(
            command(
                "error",
                &[("file", "a,b:c.toml"), ("line", ""), ("title", "C002")],
                "1%\n::stop::\u{1b}[0m"
            ),
            "::error file=a%2Cb%3Ac.toml,title=C002::1%25%0A\\u{3a}:stop::\\u{1b}[0m"
        );
    }
}
