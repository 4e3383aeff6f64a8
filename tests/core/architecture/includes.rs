//! Files that are compiled in.

use std::collections::BTreeSet;

use super::sources;

/// What is in another folder and compiled in is an arrow too, which no path shows.
const INCLUDES_ELSEWHERE: [(&str, &str); 2] = [
    // The templates of `init` are the examples that are published.
    ("src/cli/commands/init/templates.rs", "../../../../config/"),
    // What keys there are, for what is judged before any section is read.
    ("src/config/secrets.rs", "../../config/opsctl.schema.json"),
];

#[test]
fn files_that_are_compiled_in_are_beside_the_code() {
    let (mut found, mut count) = (BTreeSet::new(), 0);
    for file in &sources() {
        for (_, line) in file.code() {
            let Some((_, included)) =
                line.split_once("include_str!(").or_else(|| line.split_once("include_bytes!("))
            else {
                continue;
            };
            count += 1;
            let path = included.split('"').nth(1).unwrap_or_default();
            if path.starts_with("..") {
                found.insert((file.path.display().to_string(), path.to_owned()));
            }
        }
    }
    let is_known = |(file, path): &&(String, String)| {
        INCLUDES_ELSEWHERE.iter().any(|(known, below)| file == known && path.starts_with(below))
    };
    assert_eq!(found.iter().filter(|one| !is_known(one)).collect::<Vec<_>>(), [] as [&(String, String); 0]);
    let known: BTreeSet<&str> = found.iter().map(|(file, _)| file.as_str()).collect();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), INCLUDES_ELSEWHERE.map(|(file, _)| file));
    assert!(count > 20, "only {count} were found");
}
