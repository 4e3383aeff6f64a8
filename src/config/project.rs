//! The `[project]` table, and the whole config of one environment.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::audit::Audit;
use super::network;
use super::section;
use super::{Access, Budget, Document, Encryption, Lint, Name, Networks};
use crate::domain::{Diagnostic, Diagnostics, HumanDuration, KeyPath, Tags, codes};
use crate::limits;

/// `[project]`: what every AWS name begins with, and where it is deployed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// Becomes part of every AWS name and of the ownership tags. Another name is another project: nothing is
    /// renamed.
    pub name: Name,
    /// The AWS region. `--region` and `AWS_REGION` come before this key (with `--sandbox` `--region` alone),
    /// the profile after it. Default none.
    pub region: Option<String>,
    /// Twelve digits: credentials for any other account are refused. Default any account.
    pub account: Option<String>,
    /// So long after a deploy, what bills by the hour is ended by EventBridge Scheduler, whether or not
    /// this machine is on: endpoints and provisioned concurrency are deleted, notebooks stopped. Each deploy
    /// renews it; `[env.NAME.project]` sets it for one environment. Default never.
    pub ttl: Option<HumanDuration>,
    /// Tags on everything that opsctl makes and that takes tags, beside its own (`opsctl:project` and so on):
    /// `tags = { team = "vision" }`. Another value is set in place; tags that others have put stay. What was
    /// adopted keeps its own. Default none.
    #[serde(default)]
    pub tags: Tags,
}

/// One environment of a config file: `[env.NAME]` is already laid over the rest.
#[derive(Clone, Debug)]
pub struct Config {
    pub document: Document,
    pub environment: String,
    pub project: Project,
    pub access: Access,
    pub audit: Audit,
    pub budget: Budget,
    pub lint: Lint,
    pub networks: Networks,
    pub encryption: Encryption,
}

/// The environment when none is named.
pub const DEFAULT_ENVIRONMENT: &str = "dev";
pub(super) const SHARED_KEYS: [&str; 8] =
    ["project", "access", "network", "encryption", "audit", "budget", "lint", "env"];

impl Config {
    /// [`Config::read`], refused when anything is wrong.
    ///
    /// # Examples
    /// ```
    /// use std::path::Path;
    ///
    /// use opsctl::config::{Config, Document};
    ///
    /// let text = "[project]\nname = \"digits\"\n\n[env.prod.project]\nregion = \"eu-west-1\"\n";
    /// let document = Document::parse(Path::new("opsctl.toml"), text.into()).expect("it is TOML");
    /// let config = Config::of(&document, "prod", &[]).expect("a valid config");
    /// assert_eq!(config.project.region.as_deref(), Some("eu-west-1"));
    /// assert!(Config::of(&document, "staging", &[]).is_err());
    /// ```
    pub fn of(
        document: &Document,
        environment: &str,
        sections: &[&'static str],
    ) -> Result<Self, Diagnostics> {
        let (config, problems) = Self::read(document, environment, sections);
        if problems.has_errors() { Err(problems) } else { Ok(config) }
    }

    /// Checks what does not belong to a kind: top-level keys, `[project]`, the environment's name. A
    /// `[project]` that cannot be read is replaced by a stand-in, so that the problems of the sections are
    /// reported together with its own.
    pub fn read(document: &Document, environment: &str, sections: &[&'static str]) -> (Self, Diagnostics) {
        let mut problems = Diagnostics::default();
        check_environments(document, environment, &mut problems);
        let merged = document.environment(environment);
        check_sections(&merged, sections, &mut problems);
        check_values(&merged, &mut problems);
        let project = Project::read(&merged, &mut problems);
        let access: Access = shared(&merged, "access", &mut problems);
        access.lint(project.account.as_deref(), project.region.as_deref(), &mut problems);
        let audit: Audit = shared(&merged, "audit", &mut problems);
        audit.lint(&mut problems);
        let budget: Budget = shared(&merged, "budget", &mut problems);
        let lint: Lint = shared(&merged, "lint", &mut problems);
        lint.check(&mut problems);
        let networks: Networks = shared(&merged, "network", &mut problems);
        network::lint(&networks, &mut problems);
        let encryption: Encryption = shared(&merged, "encryption", &mut problems);
        encryption.lint(project.region.as_deref(), &mut problems);
        let (document, environment) = (merged, environment.to_owned());
        let config =
            Self { document, environment, project, access, audit, budget, lint, networks, encryption };
        (config, problems)
    }

    /// The raw values of a section.
    pub fn section(&self, key: &str) -> Option<&Value> {
        self.document.values().get(key)
    }
}

/// The hyperparameter, and the place in it: `weights[2]`.
fn member(at: &KeyPath) -> String {
    let mut keys = at.0.iter().skip_while(|key| *key != "hyperparameters").skip(1);
    let name = keys.next().cloned().unwrap_or_default();
    keys.fold(name, |name, key| match key.parse::<usize>() {
        Ok(place) => format!("{name}[{place}]"),
        Err(_) => format!("{name}.{key}"),
    })
}

/// The environment that is meant, and all that the file has.
fn check_environments(document: &Document, environment: &str, problems: &mut Diagnostics) {
    if environment != DEFAULT_ENVIRONMENT && !document.environments().contains(environment) {
        let known: Vec<_> = document.environments().into_iter().collect();
        problems.push(Diagnostic::error(
            codes::UNKNOWN_ENVIRONMENT,
            KeyPath::of(["env"]),
            format!("there is no environment \"{environment}\" in the file"),
            match (section::nearest(environment, known.iter().copied()), environment.parse::<Name>()) {
                (Some(near), _) => format!("did you mean \"{near}\"?"),
                (None, Ok(_)) => format!("add a table [env.{environment}] (it may be empty)"),
                (None, Err(text)) => {
                    format!("use {}", text.split_once(", expected ").map_or("another name", |(_, name)| name))
                }
            },
        ));
    }
    if document.values().get("env").is_some_and(|env| !env.is_object()) {
        let text = "`env` is not a table";
        problems.push(Diagnostic::error(codes::BAD_VALUE, KeyPath::of(["env"]), text, "write [env.NAME]"));
    }
    for (name, is_table) in document.environment_tables() {
        let at = KeyPath::of(["env", name]);
        if let Err(text) = name.parse::<Name>() {
            let (text, expected) = text.split_once(", expected ").unwrap_or((&text, "another name"));
            problems.push(Diagnostic::error(codes::BAD_NAME, at, text, format!("use {expected}")));
        } else if !is_table {
            let text = format!("`env.{name}` is not a table");
            problems.push(Diagnostic::error(codes::BAD_VALUE, at, text, format!("write [env.{name}]")));
        }
    }
}

/// Top-level keys that are nobody's.
fn check_sections(merged: &Document, sections: &[&'static str], problems: &mut Diagnostics) {
    for key in merged.values().keys().filter(|k| !SHARED_KEYS.contains(&k.as_str())) {
        if !sections.contains(&key.as_str()) {
            let known = sections.iter().copied().chain(SHARED_KEYS);
            let help = match section::nearest(key, known.clone()) {
                Some(near) => format!("did you mean [{near}]?"),
                None => format!("known here: {}", known.collect::<Vec<_>>().join(", ")),
            };
            let text = format!("unknown section `{key}`");
            problems.push(Diagnostic::error(codes::UNKNOWN_KEY, KeyPath::of([key]), text, help));
        }
    }
}

/// Values that nothing takes, whatever their key.
fn check_values(merged: &Document, problems: &mut Diagnostics) {
    for (key, value) in merged.values() {
        refuse_nul(value, &KeyPath::of([key]), problems);
    }
    for at in merged.not_json().filter(|at| at.0.iter().any(|key| key == "hyperparameters")) {
        let text = format!(
            "`{}` is a number that JSON, which hyperparameters are sent as, does not have",
            member(at)
        );
        let help = "write it in quotes: it arrives as that text";
        problems.push(Diagnostic::error(codes::BAD_VALUE, at.clone(), text, help));
    }
}

impl Project {
    /// Its section, or a stand-in for one that cannot be read.
    fn read(merged: &Document, problems: &mut Diagnostics) -> Self {
        let project = merged.values().get("project").cloned().unwrap_or(Value::Object(Default::default()));
        let written = |key: &str| project.get(key).and_then(Value::as_str).map(str::to_owned);
        let stand_in = || {
            let (region, account) = (written("region"), written("account"));
            Self { name: Name::stand_in(), region, account, ttl: None, tags: Tags::new() }
        };
        let before = problems.0.len();
        let read: Option<Self> = section::read(&project, &KeyPath::of(["project"]), problems);
        if merged.values().get("project").is_none() {
            for problem in problems.0.iter_mut().skip(before) {
                problem.message = "there is no [project]".into();
                problem.help = "begin the file with [project], `name = \"…\"` and `region = \"…\"`".into();
            }
        }
        let project = read.unwrap_or_else(stand_in);
        if let Some(account) = &project.account {
            problems.extend(limits::account(account, &KeyPath::of(["project", "account"])));
        }
        if let Some(region) = &project.region {
            problems.extend(limits::region(region, &KeyPath::of(["project", "region"])));
        }
        problems.extend(project.ttl.and_then(ttl));
        limits::tags(&project.tags, &KeyPath::of(["project", "tags"]), problems);
        project
    }
}

/// How long a project may live: longer than it takes to be made, and not so long that nobody knows any more.
fn ttl(ttl: HumanDuration) -> Option<Diagnostic> {
    const TIMES: std::ops::RangeInclusive<HumanDuration> =
        HumanDuration::minutes(30)..=HumanDuration::days(365);
    let at = KeyPath::of(["project", "ttl"]);
    let refused = |text: String| {
        let help =
            format!("write {} to {}; without `ttl` nothing ends by itself", TIMES.start(), TIMES.end());
        Some(Diagnostic::error(codes::BAD_VALUE, at.clone(), text, help))
    };
    match TIMES.contains(&ttl) {
        true if ttl.0.subsec_nanos() == 0 => None,
        true => refused(format!("`ttl` is {ttl}, and schedules are of whole seconds")),
        false => refused(format!("`ttl` is {ttl}")),
    }
}

/// No file has a NUL in its name, no process has one in a variable or an argument, and AWS takes none.
fn refuse_nul(value: &Value, at: &KeyPath, problems: &mut Diagnostics) {
    let mut refuse = |at: &KeyPath| {
        let text = format!("{:?} has a NUL in it, and neither AWS nor any process takes one", at.last());
        problems.push(Diagnostic::error(codes::BAD_VALUE, at.clone(), text, "leave it out"));
    };
    if at.last().contains('\0') || value.as_str().is_some_and(|text| text.contains('\0')) {
        refuse(at);
    }
    match value {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, item)| refuse_nul(item, &at.join(i.to_string()), problems));
        }
        Value::Object(map) => map.iter().for_each(|(key, item)| refuse_nul(item, &at.join(key), problems)),
        _ => {}
    }
}

/// A table of which everything has a default.
fn shared<T: DeserializeOwned + Default>(document: &Document, key: &str, problems: &mut Diagnostics) -> T {
    let values = document.values().get(key).cloned().unwrap_or(Value::Object(Default::default()));
    section::read(&values, &KeyPath::of([key]), problems).unwrap_or_default()
}
