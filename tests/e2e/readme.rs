//! What README shows is what happens.

use std::fs;
use std::path::Path;

use crate::support::World;

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("it is there")
}

/// The fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A config without its comments, which README leaves out.
fn without_comments(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split('#').next().unwrap_or_default().trim_end().to_owned() + "\n").collect()
}

#[test]
fn the_file_that_readme_shows_is_the_one_that_init_writes() {
    let world = World::empty();
    world.run(["init", "digits"]).success();
    let shown = readme();
    let [config] = blocks(&shown, "toml")[..] else { panic!("README shows one file") };
    assert_eq!(without_comments(&world.read("digits/opsctl.toml")).trim_start(), config);
}

/// From nothing to the first answer and back, in the words of README.
#[test]
fn the_first_commands_of_readme_do_what_it_says() {
    let world = World::empty().sandbox();
    let text = readme();
    let (_, rest) = text.split_once("\n## Try it\n").expect("the section");
    let (section, _) = rest.split_once("\n## ").expect("the next one");
    let commands: Vec<&str> = blocks(section, "sh")
        .into_iter()
        .flat_map(str::lines)
        .flat_map(|line| line.split(" && "))
        .filter_map(|command| command.strip_prefix("opsctl "))
        .collect();
    let said: Vec<(&str, String)> = commands
        .iter()
        .map(|command| {
            // `cd ../digits`, and a sandbox that the test has chosen.
            let words = command.split(' ').map(|word| word.trim_start_matches("../"));
            let words = words.filter(|word| *word != "--sandbox");
            let config: &[&str] = match command.starts_with("init") {
                true => &[],
                false => &["-c", "digits/opsctl.toml"],
            };
            (*command, world.run(config.iter().copied().chain(words)).success().to_string())
        })
        .collect();
    let of = |word: &str| &said.iter().find(|(command, _)| command.contains(word)).expect(word).1;
    assert!(of(" deploy").contains("ask it      `opsctl"), "what comes next is said\n{}", of(" deploy"));
    assert!(of(" invoke").contains("\n7 ("), "{}", of(" invoke"));
    assert!(of(" status").contains("InService"), "{}", of(" status"));
    assert!(of(" destroy").contains("Nothing is left"), "{}", of(" destroy"));
    assert_eq!(said.len(), 6, "{commands:?}");
}
