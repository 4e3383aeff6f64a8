//! What a shell offers while a command line is typed: besides commands and options the names of the config,
//! its environments, profiles and codes. The script of `opsctl completions` calls opsctl for it, with
//! [`VARIABLE`] set.
//!
//! It reads the config and nothing else: no AWS, no sources. A file that cannot be read offers nothing, and
//! nothing is said: a message would stand in the middle of what is typed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::Command;
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};

use super::environment::{self, Asked};
use super::files;
use crate::audit::report::Format as AuditFormat;
use crate::audit::{self, Severity};
use crate::config::Document;
use crate::config::project::DEFAULT_ENVIRONMENT;
use crate::desired::AnyKind;
use crate::domain::{KindName, ResourceId, codes};
use crate::limits;
use crate::resources::kinds;

/// Holds the name of the shell that asks.
pub const VARIABLE: &str = "OPSCTL_COMPLETE";

/// Whether a shell asked about a command line, and has its answer.
pub fn answered(whole: fn() -> Command) -> bool {
    let here = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(|| offering(whole())).var(VARIABLE);
    asked.try_complete(std::env::args_os(), here.as_deref()).unwrap_or(true)
}

/// A value to offer, and what it means.
type Offer = (String, Option<&'static str>);

/// Which values belong to an argument.
struct Answer {
    /// The words of the command; none for options of all commands.
    command: &'static [&'static str],
    argument: &'static str,
    offers: fn() -> Vec<Offer>,
}

const fn to(command: &'static [&'static str], argument: &'static str, offers: fn() -> Vec<Offer>) -> Answer {
    Answer { command, argument, offers }
}

const ANSWERS: &[Answer] = &[
    to(&[], "env", environments),
    to(&[], "profile", profiles),
    to(&[], "region", regions),
    to(&["upload"], "names", || names(|kind| kind.name() == KindName::Data)),
    to(&["data", "pull"], "name", || names(|kind| kind.name() == KindName::Data)),
    to(&["model", "pull"], "name", || names(|kind| kind.leaves_artifact())),
    to(&["train"], "names", || names(|kind| kind.is_called(KindName::Training))),
    to(&["notebook"], "name", || names(|kind| kind.name() == KindName::Notebook)),
    to(&["scale"], "names", || names(is_scaled)),
    to(&["invoke"], "target", || names(|kind| kind.invoked().is_some())),
    to(&["invoke"], "endpoint", || names(|kind| kind.name() == KindName::Endpoint)),
    to(&["logs"], "target", || resources(|kind| kind.has_log())),
    to(&["stop"], "target", || resources(|kind| kind.stops())),
    to(&["start"], "target", || resources(|kind| kind.starts())),
    to(&["open"], "target", || resources(|_| true)),
    to(&["explain"], "code", explained),
    to(&["audit-iam"], "fail_on", severities),
    to(&["audit-iam"], "severity", || Severity::ALL.iter().map(|severity| plain(severity.word())).collect()),
    to(&["audit-iam"], "rule", rules),
    to(&["audit-iam"], "format", || AuditFormat::ALL.iter().map(|(word, _)| plain(word)).collect()),
];

/// The command line with all that is offered.
fn offering(whole: Command) -> Command {
    ANSWERS.iter().fold(whole, |whole, Answer { command, argument, offers }| {
        let candidate = |(value, help): Offer| CompletionCandidate::new(value).help(help.map(Into::into));
        let offers = ArgValueCandidates::new(move || offers().into_iter().map(candidate).collect());
        with(whole, command, argument, offers)
    })
}

fn with(command: Command, words: &[&str], argument: &'static str, offers: ArgValueCandidates) -> Command {
    match words {
        [] => command.mut_arg(argument, |it| it.add(offers)),
        [first, rest @ ..] => command.mut_subcommand(first, |inner| with(inner, rest, argument, offers)),
    }
}

fn plain(value: &str) -> Offer {
    (value.to_owned(), None)
}

fn environments() -> Vec<Offer> {
    let mut names = BTreeSet::from([DEFAULT_ENVIRONMENT.to_owned()]);
    names.extend(document().iter().flat_map(Document::environments).map(str::to_owned));
    names.iter().map(|name| plain(name)).collect()
}

fn regions() -> Vec<Offer> {
    limits::regions().map(plain).collect()
}

/// The sections of AWS's configuration files
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>).
fn profiles() -> Vec<Offer> {
    let mut names = BTreeSet::new();
    for file in Asked::read().profiles {
        let bytes = files::read(&file, files::SMALL).unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) else {
                continue;
            };
            if !["sso-session ", "services "].iter().any(|other| header.starts_with(other)) {
                names.insert(header.strip_prefix("profile ").unwrap_or(header).trim().to_owned());
            }
        }
    }
    names.iter().map(|name| plain(name)).collect()
}

/// What the config names of these kinds.
fn names(is_meant: fn(&dyn AnyKind) -> bool) -> Vec<Offer> {
    found(is_meant).into_iter().map(|id| (id.name, None)).collect()
}

/// The same as KIND/NAME.
fn resources(is_meant: fn(&dyn AnyKind) -> bool) -> Vec<Offer> {
    found(is_meant).into_iter().map(|id| (id.to_string(), None)).collect()
}

/// Whether a part of it is what `opsctl scale` changes.
fn is_scaled(kind: &dyn AnyKind) -> bool {
    kinds().iter().any(|part| part.is_scaled() && part.part_of() == Some(kind.name()))
}

/// What has a table of its own in the config, in the order of the kinds.
fn found(is_meant: fn(&dyn AnyKind) -> bool) -> Vec<ResourceId> {
    let Some(document) = document() else { return Vec::new() };
    let typed = value_of(&typed(), "-e", "--env").map(|it| it.to_string_lossy().into_owned());
    let environment = typed.or_else(|| Asked::read().environment);
    let environment = environment.as_deref().unwrap_or(DEFAULT_ENVIRONMENT);
    let merged = document.environment(environment);
    // A list where a table belongs has no names.
    let is_table = |section: &str| merged.values().get(section).is_some_and(serde_json::Value::is_object);
    let mut found = Vec::new();
    for kind in kinds().iter().filter(|kind| kind.section().is_some_and(is_table) && is_meant(kind.as_ref()))
    {
        let items = kind.items(&merged).into_iter();
        found.extend(items.filter_map(|at| Some(ResourceId::new(kind.name(), at.0.get(1)?))));
    }
    found
}

/// The config file that the command line means, as far as it is typed.
fn document() -> Option<Document> {
    let typed = value_of(&typed(), "-c", "--config").map(PathBuf::from);
    let file = environment::find_config(typed.or_else(|| Asked::read().config).as_deref()).ok()?;
    Document::read(&file, files::read(&file, files::SMALL).ok()?).ok()
}

/// The words that are typed so far: the shell's script puts them behind `--`.
fn typed() -> Vec<OsString> {
    std::env::args_os().skip_while(|word| word != "--").skip(1).collect()
}

/// The value of an option, in the ways that clap reads it.
fn value_of(words: &[OsString], short: &str, long: &str) -> Option<OsString> {
    words.iter().enumerate().find_map(|(i, word)| {
        let text = word.to_string_lossy();
        if text == short || text == long {
            return words.get(i + 1).filter(|value| !value.is_empty()).cloned();
        }
        let rest = text.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
        let rest = rest.or_else(|| text.strip_prefix(short).filter(|_| !text.starts_with("--")));
        rest.map(|rest| rest.trim_start_matches('=')).filter(|rest| !rest.is_empty()).map(OsString::from)
    })
}

fn explained() -> Vec<Offer> {
    let codes = codes::ALL.iter().map(|it| (it.code.to_owned(), Some(it.title)));
    codes.chain(rules()).collect()
}

fn rules() -> Vec<Offer> {
    audit::rules::all().map(|rule| (rule.id.to_owned(), Some(rule.title))).collect()
}

fn severities() -> Vec<Offer> {
    Severity::ALL.iter().map(|severity| severity.word()).chain(["none"]).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn every_argument_that_is_answered_is_there() {
        offering(Cli::command()).build();
    }

    #[test]
    fn the_value_of_an_option_is_found_in_all_its_forms() {
        for line in [
            "opsctl -c a.toml logs",
            "opsctl logs --config a.toml",
            "opsctl --config=a.toml",
            "opsctl -ca.toml",
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(value_of(&words, "-c", "--config"), Some("a.toml".into()), "{line}");
        }
        for line in ["opsctl -c", "opsctl --color always", "opsctl logs"] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(value_of(&words, "-c", "--config"), None, "{line}");
        }
    }
}
