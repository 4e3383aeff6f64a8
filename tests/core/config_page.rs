//! docs/config.md: every section and key, written from the schema, AWS's models and the shipped file.

use std::collections::BTreeMap;

use expect_test::expect_file;
use opsctl::config::{Config, Document};
use opsctl::domain::HumanDuration;
use opsctl::limits::{Bound, Member};
use opsctl::resources::{kinds, schema};
use regex_lite::Regex;
use serde_json::Value;

use crate::project;

const SHIPPED: &str = "config/opsctl.toml";

/// What the page says before the sections.
const HEAD: &str = r#"# The config file

<!-- Written from the types in src that read the file, and from the limits that AWS publishes:
UPDATE_EXPECT=1 cargo test --no-default-features --test core config_page -->

One TOML file says what AWS runs of a project. This page has every section and key of it, with type, default and
limits.

The shortest file names a project:

```toml
[project]
name   = "digits"
region = "us-east-1"
```

## How it is read

- **Where.** `--config FILE`, else `OPSCTL_CONFIG`, else the nearest `opsctl.toml` or `config/opsctl.toml` in this folder
  or one above it, up to the root of the Git repository. Paths in the file are relative to it.
- **Strictly.** An unknown key is an error, with the nearest known one. `opsctl check` reads the whole file without AWS
  and reports every problem at once, each with its line and a [code](codes.md).
- **Per environment.** `--env NAME` (or `OPSCTL_ENV`; without either `dev`) lays `[env.NAME]` over the rest: tables are
  merged key by key, anything else is replaced. See [`[env]`](#env).
- **In your editor.** `opsctl init` writes `opsctl.schema.json` beside the file, which names it in its first lines: editors
  with TOML support complete keys and show these descriptions. `opsctl schema` prints it.
- **No secrets.** Values are sent to AWS as they are, and whoever may read the job, model or function sees them
  ([security.md](security.md#secrets)).

## Types

| Type | What to write |
|---|---|
| text | `"in quotes"` |
| name | text: lowercase letters, digits and single hyphens, beginning with a letter, up to 40 characters. The NAMEs of tables are such names too; those of `[data.NAME]` may also have capitals, `.` and `_`, and 64 characters |
| whole number, number | `4`, `0.5` |
| boolean | `true`, `false` |
| duration | `"30s"`, `"15m"`, `"1h 30m"`, `"90d"` |
| days | a duration of whole days: `"30d"` |
| bandwidth | bytes per second: `"20MB/s"`, `"512KiB/s"` |
| list of … | `["one", "two"]` |
| permission | `{ actions = ["s3:GetObject"], resources = ["arn:aws:s3:::my-files/*"] }`: IAM's actions, and the ARNs of what they are about, in which `${bucket}` is the name of the project's bucket; `"*"` for actions that are about nothing in particular |
| table of … | a table of its own, `[training.NAME.environment]`, with one line for each entry |

"Required" in the column of defaults means that the key must be there; "none" that leaving it out turns it off.
"#;

/// What the page says of `[env]`, which has no keys of its own.
const ENV: &str = r#"
## [env]

`[env.NAME.SECTION…]`: what differs in the environment NAME. Every environment has resources of its own, with NAME in
their names; nothing is shared. Nothing is required here, and a table may be empty: `[env.staging]` makes `--env staging`
possible. The environment `dev` needs no table.

```toml
[env.prod.project]
account = "123456789012"   # production is deployed to this account, and to no other

[env.prod.endpoint.numbers.autoscaling]
max = 8
```
"#;

#[test]
fn the_page_of_the_config_is_fresh() {
    let schema = schema(&kinds());
    let shipped = uncommented(&std::fs::read_to_string(SHIPPED).expect("the shipped config"));
    let mut sections: Vec<(&String, &Value)> = schema["properties"]
        .as_object()
        .expect("an object")
        .iter()
        .filter(|(key, _)| *key != "env")
        .collect();
    // In the order of the shipped file, which names every section.
    sections.sort_by_key(|(key, _)| shipped.find(&format!("\n[{key}")).expect("the shipped file has it"));
    let page = Page { schema: &schema, shipped: &shipped };
    let sections: String =
        sections.into_iter().map(|(key, of_section)| page.section(key, of_section)).collect();
    expect_file!["../../docs/config.md"].assert_eq(&format!("{HEAD}{sections}{ENV}"));
}

/// The file with the tables that only some projects need, and that are comments there: from their header to
/// the next empty line.
fn uncommented(shipped: &str) -> String {
    let mut within = false;
    let lines = shipped.lines().map(|line| {
        within = line.starts_with("# [") || (within && line.starts_with("# "));
        let line = if within { &line[2..] } else { line };
        format!("{line}\n")
    });
    lines.collect()
}

struct Page<'a> {
    schema: &'a Value,
    shipped: &'a str,
}

impl Page<'_> {
    fn section(&self, key: &str, of_section: &Value) -> String {
        let of_section = self.resolve(of_section);
        let text = match of_section["patternProperties"].as_object() {
            Some(named) => {
                let item = self.resolve(named.values().next().expect("a pattern"));
                self.table(&format!("{key}.NAME"), item)
            }
            None => self.table(key, of_section),
        };
        let example = example(self.shipped, key);
        let mut problem = String::new();
        // An example that could not be read would be none.
        if let Err(failed) = Document::parse(SHIPPED.as_ref(), example.clone()) {
            problem.clone_from(&failed.1.message);
        }
        assert_eq!(problem, "", "{example}");
        format!("{text}\n```toml\n{example}```\n")
    }

    /// A heading, what the table is, and a row for each key; the tables in it follow.
    fn table(&self, path: &str, of_table: &Value) -> String {
        let said = description(of_table);
        let begins = format!("`[{path}]`: ");
        let said = said.strip_prefix(&begins).unwrap_or_else(|| panic!("{path} is not described: {said:?}"));
        let mut text = format!("\n## [{path}]\n\n{}\n\n", wrapped(&sentence(said)));
        text.push_str("| Key | Type | Default | Meaning |\n|---|---|---|---|\n");
        let required: Vec<&str> =
            of_table["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut keys: Vec<(&String, &Value)> =
            of_table["properties"].as_object().expect("keys").iter().collect();
        let table = self.region(path);
        keys.sort_by_key(|(key, _)| {
            let line =
                Regex::new(&format!(r"(?m)^(# |\[{path}\.)?{key}\b", path = pattern(path))).expect("fine");
            line.find(table).unwrap_or_else(|| panic!("{SHIPPED} does not show {path}.{key}")).start()
        });
        let mut inner = Vec::new();
        for (key, of_key) in keys {
            let resolved = self.resolve(of_key);
            if resolved["properties"].is_object() {
                inner.push((key, resolved));
                let anchor: String = format!("{path}{key}").to_lowercase().replace('.', "");
                let said = description(of_key);
                let said = format!("[A table of its own](#{anchor}). {}", without_default(&said));
                let default = default_said(&description(of_key)).unwrap_or_else(|| "none".to_owned());
                text.push_str(&format!("| `{key}` | table | {default} | {} |\n", said.trim_end()));
                continue;
            }
            let default = match (required.contains(&key.as_str()), default_said(&description(of_key))) {
                (true, _) => "required".to_owned(),
                (false, Some(said)) => said,
                (false, None) => self.default(path, key, of_key),
            };
            let meaning = [without_default(&description(of_key)), self.bounds(path, key, of_key)];
            let meaning = meaning.join(" ").trim().replace('|', r"\|");
            assert!(meaning.len() > 4, "{path}.{key} is not described");
            let of_type = self.type_of(of_key);
            text.push_str(&format!("| `{key}` | {of_type} | {default} | {meaning} |\n"));
        }
        for (key, of_key) in inner {
            text.push_str(&self.table(&format!("{path}.{key}"), of_key));
        }
        text
    }

    /// The part of the shipped file from a table's first header on.
    fn region(&self, path: &str) -> &str {
        let header = Regex::new(&format!(r"(?m)^\[{}\]", pattern(path))).expect("fine");
        let found = header.find(self.shipped).unwrap_or_else(|| panic!("{SHIPPED} has no [{path}]"));
        &self.shipped[found.start()..]
    }

    fn default(&self, path: &str, key: &str, of_key: &Value) -> String {
        let empty = |value: &Value| match value {
            Value::Object(map) => map.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        match &of_key["default"] {
            // A table that may be left out has none of its own.
            Value::Null if self.resolve(of_key)["additionalProperties"].is_object() => "empty".to_owned(),
            // What may be left out and has no default is not there then.
            Value::Null if of_key.to_string().contains("\"null\"") => "none".to_owned(),
            Value::Null => {
                panic!("say in the description of {path}.{key} what leaving it out means: \"Default none.\"")
            }
            value if empty(value) => "empty".to_owned(),
            Value::Number(n) if n.as_f64().is_some_and(|n| n.fract() == 0.0) => {
                format!("`{}`", n.as_f64().expect("just seen"))
            }
            value => format!("`{value}`"),
        }
    }

    /// What is allowed of a key, by opsctl's own schema or by AWS's models.
    fn bounds(&self, path: &str, key: &str, of_key: &Value) -> String {
        match (of_key["minimum"].as_i64(), of_key["maximum"].as_i64()) {
            (Some(min), Some(max)) => format!("{} to {}.", number(min), number(max)),
            _ => bounds(path, key, self.resolve(of_key)["additionalProperties"].is_object()),
        }
    }

    fn type_of(&self, of_key: &Value) -> String {
        let one = |word: &str| match word {
            "string" => "text",
            "integer" => "whole number",
            "number" => "number",
            "boolean" => "boolean",
            other => panic!("the page has no word for {other}"),
        };
        let reference = [&of_key["$ref"], &of_key["allOf"][0]["$ref"], &of_key["anyOf"][0]["$ref"]];
        let reference =
            reference.into_iter().find_map(Value::as_str).map(|to| to.rsplit('/').next().unwrap_or(to));
        let resolved = self.resolve(of_key);
        match (reference, resolved["enum"].as_array(), resolved["type"].as_str()) {
            (Some("LintCode"), ..) => "code".to_owned(),
            (_, Some(values), _) => {
                values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(" or ")
            }
            (Some("Name" | "ChannelName"), ..) => "name".to_owned(),
            (Some("Idle"), ..) => "duration or `\"never\"`".to_owned(),
            (Some(named @ ("Duration" | "Days" | "Bandwidth")), ..) => named.to_lowercase(),
            (Some("Hyperparameter"), ..) => "values".to_owned(),
            (Some("Permission"), ..) => "permission".to_owned(),
            (Some("Channels"), ..) => "list of names, or table of them".to_owned(),
            (_, _, Some("array")) => {
                format!("list of {}s", self.type_of(&resolved["items"])).replace("texts", "text")
            }
            (_, _, Some("object")) => {
                // Names of a certain form have a pattern.
                let patterns = resolved["patternProperties"].as_object();
                let named = patterns.and_then(|patterns| patterns.values().next());
                format!("table of {}", self.type_of(named.unwrap_or(&resolved["additionalProperties"])))
            }
            (_, _, Some(word)) => one(word).to_owned(),
            // Optional text.
            _ => one(of_key["type"][0].as_str().unwrap_or_else(|| panic!("a type: {of_key}"))).to_owned(),
        }
    }

    /// Follows references, and the one real type of an optional one.
    fn resolve<'v>(&'v self, schema: &'v Value) -> &'v Value {
        let any = ["anyOf", "allOf"].iter().find_map(|key| schema[*key].as_array());
        let inner = any.and_then(|of| of.iter().find(|one| one["$ref"].is_string()));
        match (schema["$ref"].as_str(), inner) {
            (Some(to), _) => {
                self.resolve(self.schema.pointer(to.trim_start_matches('#')).expect("it is there"))
            }
            (None, Some(inner)) => self.resolve(inner),
            _ => schema,
        }
    }
}

/// The header of a table in the shipped file, as a pattern.
fn pattern(path: &str) -> String {
    path.replace('.', r"\.").replace("NAME", "[a-z0-9-]+")
}

/// In one line.
fn description(of: &Value) -> String {
    of["description"].as_str().unwrap_or_default().replace('\n', " ")
}

/// With a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    let end = if text.ends_with('.') { "" } else { "." };
    first.chain(characters).collect::<String>() + end
}

/// The sentence about the default, where it depends on something: "Default `ml.m5.xlarge`, on EC2
/// `t2.xlarge`."
fn about_default(text: &str) -> Option<std::ops::Range<usize>> {
    let start = text.find("Default ")?;
    // A point in a version is none at the end of a sentence.
    let rest = &text[start..];
    let end = rest.find(". ").unwrap_or(rest.len() - 1);
    Some(start..start + end)
}

fn default_said(text: &str) -> Option<String> {
    about_default(text).map(|at| text[at].trim_start_matches("Default ").to_owned())
}

fn without_default(text: &str) -> String {
    let kept = match about_default(text) {
        Some(at) => {
            format!("{} {}", text[..at.start].trim(), text[at.end + 1..].trim())
        }
        None => text.to_owned(),
    };
    kept.trim().to_owned()
}

/// Lines of at most 110 columns.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("never empty");
        if line.len() + word.len() + 1 > 110 {
            lines.push(word.to_owned());
        } else {
            let gap = if line.is_empty() { "" } else { " " };
            line.push_str(&format!("{gap}{word}"));
        }
    }
    lines.join("\n")
}

/// The tables of one section in the shipped file, without the blank lines around them.
fn example(shipped: &str, section: &str) -> String {
    let (mut kept, mut within) = (String::new(), false);
    for line in shipped.lines() {
        if let Some(header) = line.strip_prefix('[') {
            within = header.starts_with(&format!("{section}.")) || header.starts_with(&format!("{section}]"));
        }
        if within {
            kept.push_str(&format!("{line}\n"));
        }
    }
    format!("{}\n", kept.trim_end())
}

/// What AWS's models allow of a key.
fn bounds(path: &str, key: &str, is_table: bool) -> String {
    let section = path.split('.').next().expect("the first");
    let below =
        path.strip_prefix(section).unwrap_or_default().trim_start_matches(".NAME").trim_start_matches('.');
    let of_section = |name: &str, part: &str| match below {
        "" => name == section,
        below => part == below,
    };
    let mut said: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for kind in kinds() {
        // A kind without a section is written as a table of its whole.
        let name = kind.section().unwrap_or(kind.name().as_str());
        if of_section(name, kind.name().as_str()) {
            for bound in kind.bound().iter().filter(|bound| bound.key == key) {
                let bound = bound_said(bound).filter(|said| !is_table || said.ends_with("entries"));
                said.entry(kind.name().as_str()).or_default().extend(bound);
            }
        }
    }
    let platform = |kind: &str| if kind == "instance" { " on EC2" } else { "" };
    let all: Vec<String> = said
        .into_iter()
        .rev()
        .flat_map(|(kind, bounds)| bounds.into_iter().map(move |bound| bound + platform(kind)))
        .collect();
    if all.is_empty() {
        String::new()
    } else {
        format!("{}.", sentence(&all.join("; ")).trim_end_matches('.'))
    }
}

/// With commas between thousands.
fn number(n: i64) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    groups.map(|group| std::str::from_utf8(group).expect("digits")).collect::<Vec<_>>().join(",")
}

fn bound_said(bound: &Bound) -> Option<String> {
    let members = bound.members();
    let member = Member::of(&members[0])?;
    // A value of an enum is shown by its kind of name; the whole list is AWS's.
    if member.values().is_some() {
        return None;
    }
    let time = |n: i64| HumanDuration::seconds(n.unsigned_abs()).to_string();
    let is_time = ["Seconds", "Timeout", "Cooldown"].iter().any(|word| bound.member.contains(word));
    let range = |show: &dyn Fn(i64) -> String| match (member.min, member.max) {
        (Some(min), Some(max)) if max < i64::from(i32::MAX) => {
            Some(format!("{} to {}", show(min), show(max)))
        }
        (Some(min), _) => Some(format!("{} or more", show(min))),
        (None, Some(max)) if max < i64::from(i32::MAX) => Some(format!("at most {}", show(max))),
        _ => None,
    };
    match member.kind {
        "integer" | "long" if is_time => range(&time),
        "integer" | "long" | "double" | "float" => range(&number),
        "map" | "list" => member.max.map(|max| format!("at most {} entries", number(max))),
        _ => member.max.map(|max| format!("at most {} characters", number(max))),
    }
}

/// Where a default depends on something, the description says it: these are the real ones.
#[test]
fn the_defaults_that_descriptions_tell_are_the_real_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("code")).expect("a folder");
    std::fs::write(folder.path().join("code/train.py"), "").expect("a script");
    let text = "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n[training.a]\nsource = \"code\"\n\
                [training.b]\nsource = \"code\"\non = \"ec2\"\n";
    let (read, said) = project::said_about(&folder.path().join("opsctl.toml"), text.into(), "dev");
    let desired = read.expect("it is TOML").desired;
    let all: String =
        desired.nodes.iter().map(|node| format!("{} {:?}\n", node.physical, node.spec)).collect();
    assert!(!said.contains("error"), "{said}");
    for real in [
        "shop-dev-000000000000-us-east-1",
        "pytorch-training:2.6.0",
        "\"ml.m5.xlarge\"",
        "\"t2.xlarge\"",
        "/aws/service/ami-amazon-linux-latest/al2023",
    ] {
        assert!(all.contains(real), "{real}\n{all}");
    }
    let schema = schema(&kinds()).to_string();
    for told in
        ["Default `<project>-<environment>-<account>-<region>`", "Default `ml.m5.xlarge`, on EC2 `t2.xlarge`"]
    {
        assert!(schema.contains(told), "{told}");
    }
}

/// What the page shows is read as it says.
#[test]
fn the_examples_of_the_page_are_valid() {
    let page = std::fs::read_to_string("docs/config.md").expect("the page");
    let blocks: Vec<&str> =
        page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    // All of them together are one file: the first, and the shipped one in parts.
    let whole = blocks[1..].join("\n");
    let document = Document::parse(SHIPPED.as_ref(), whole).unwrap_or_else(|e| panic!("{}", e.1.message));
    let sections = project::sections(&kinds());
    for environment in ["dev", "prod"] {
        let (config, problems) = Config::read(&document, environment, &sections);
        assert!(!problems.has_errors(), "{problems:?}");
        assert_eq!(config.project.account.is_some(), environment == "prod");
    }
}
