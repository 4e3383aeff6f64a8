//! AWS's own messages, made short enough to be read.

use crate::config::section::nearest;

/// More than so many of a list help nobody.
const FEW: usize = 8;
/// Longer messages lose their end.
const LONGEST: usize = 2_000;

/// A message whose long lists are a count, with the entry that is nearest to the value that was refused.
pub(super) fn shortened(message: &str) -> String {
    let mut short = String::new();
    let mut rest = message;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((list, end)) = after.split_once(']') else { break };
        let entries: Vec<&str> = list.split(',').map(str::trim).collect();
        short += before;
        rest = end;
        if entries.len() <= FEW {
            short += &format!("[{list}]");
            continue;
        }
        let value = before.rsplit_once("Value '").and_then(|(_, value)| value.split('\'').next());
        let near = value.and_then(|value| nearest(value, entries.iter().copied()));
        let near = near.map(|near| format!(", {near} among them")).unwrap_or_default();
        short += &format!("[one of {}{near}]", entries.len());
    }
    short += rest;
    match short.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &short[..end]),
        None => short,
    }
}

/// Without what the program of a profile's `credential_process` wrote to stderr, which the SDK hands on: it
/// may name a token or a password.
pub(super) fn without_stderr(text: String) -> String {
    match text.split_once(" Stderr: ") {
        Some((before, _)) => format!(
            "{before} Run the command that `credential_process` names by itself: what it writes to stderr, \
             which may hold secrets, is not shown here"
        ),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_for_credentials_says_is_not_repeated() {
        let sdk = "Error retrieving credentials: external process exited with code exit status: 3. Stderr: bad token planted";
        let told = without_stderr(sdk.to_owned());
        assert!(told.starts_with(
            "Error retrieving credentials: external process exited with code exit status: 3. Run"
        ));
        assert!(!told.contains("planted"), "{told}");
        assert_eq!(without_stderr("no route".to_owned()), "no route");
    }

    #[test]
    fn a_list_of_everything_becomes_the_nearest() {
        let types: Vec<String> = (0..200).map(|i| format!("ml.x{i}.large")).collect();
        let message = |list: &str| {
            format!(
                "Value 'ml.m5.xlrage' at 'instanceType' failed to satisfy constraint: \
                 Member must satisfy enum value set: [{list}]"
            )
        };
        let said = shortened(&message(&format!("{}, ml.m5.xlarge", types.join(", "))));
        assert!(said.ends_with("enum value set: [one of 201, ml.m5.xlarge among them]"), "{said}");
        let few = message("a, b");
        assert_eq!(shortened(&few), few);
        assert_eq!(shortened("no end ["), "no end [");
        assert_eq!(shortened(&"ä".repeat(3_000)).chars().count(), LONGEST + 1);
    }
}
