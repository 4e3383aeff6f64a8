//! The arrows of docs/architecture.md, kept by reading the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use opsctl::domain::codes;
use regex_lite::Regex;

/// Each area may name those before it.
const ORDER: [&str; 18] = [
    "domain",
    "archive",
    "limits",
    "inputs",
    "config",
    "aws",
    "audit",
    "evidence",
    "desired",
    "plan",
    "cost",
    "engine",
    "transfer",
    "resources",
    "policy",
    "run",
    "report",
    "cli",
];

/// The same inside the audit.
const AUDIT: [&str; 29] = [
    "lenient",
    "surroundings",
    "account",
    "usage",
    "expected",
    "settings",
    "finding",
    "variables",
    "evaluate",
    "explain",
    "dump",
    "services",
    "escalate",
    "trust",
    "circles",
    "role_view",
    "graph",
    "least",
    "against",
    "planned",
    "rules",
    "compliance",
    "audit",
    "filter",
    "baseline",
    "report",
    "answers",
    "collect",
    "last_accessed",
];

/// The same inside the command line.
const CLI: [&str; 24] = [
    "files",
    "exit",
    "args",
    "examples",
    "hints",
    "ui",
    "error",
    "environment",
    "complete",
    "hidden",
    "browser",
    "background",
    "sandbox",
    "session",
    "named",
    "payload",
    "stopped",
    "saved",
    "wrote",
    "budget",
    "done",
    "act",
    "commands",
    "signals",
];

/// The same inside the sandbox.
const SANDBOX: [&str; 34] = [
    "activity",
    "effect",
    "extensions",
    "fault",
    "files",
    "paging",
    "progress",
    "users",
    "root",
    "rules",
    "runners",
    "clock",
    "faults",
    "guard",
    "exchange",
    "memory",
    "served",
    "store",
    "timeouts",
    "counters",
    "state",
    "regions",
    "call",
    "policy_form",
    "tags",
    "constraint",
    "model",
    "operation",
    "protocol",
    "services",
    "work",
    "control",
    "server",
    "lib",
];

/// Packages of their own below `src/`: cargo keeps their arrows.
const MEMBERS: [&str; 2] = ["iam", "sandbox"];

const LONGEST_FILE: usize = 600;

struct File {
    path: PathBuf,
    /// The first folder, or the file's name, under `src/`.
    area: String,
    text: String,
}

/// All that is compiled of the program and its packages, but for files of tests only.
fn sources() -> Vec<File> {
    let files: Vec<File> = below("src").into_iter().filter(|file| !file.is_only_tests()).collect();
    assert!(files.len() > 50);
    files
}

/// What `sources` leaves out, and the tests in `tests`.
fn tests() -> Vec<File> {
    let beside = below("src").into_iter().filter(File::is_only_tests);
    let files: Vec<File> =
        beside.chain(["core", "e2e", "bench"].iter().flat_map(|f| below(&format!("tests/{f}")))).collect();
    assert!(files.len() > 50);
    files
}

fn below(top: &str) -> Vec<File> {
    fn walk(top: &str, folder: &Path, files: &mut Vec<File>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(top, &path, files);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let below = path.strip_prefix(top).unwrap();
                let first = below.iter().next().unwrap().to_str().unwrap();
                let area = first.trim_end_matches(".rs").to_owned();
                files.push(File { text: std::fs::read_to_string(&path).unwrap(), area, path });
            }
        }
    }
    let mut files = Vec::new();
    walk(top, Path::new(top), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

impl File {
    fn is_only_tests(&self) -> bool {
        self.path.to_str().unwrap().ends_with("tests.rs")
    }

    /// The lines that are neither comments nor an item that only tests have.
    fn code(&self) -> Vec<(usize, &str)> {
        let mut lines = self.text.lines().enumerate().map(|(i, line)| (i + 1, line));
        let mut code = Vec::new();
        while let Some((number, line)) = lines.next() {
            let text = line.trim_start();
            if text == "#[cfg(test)]" {
                let indent = &line[..line.len() - text.len()];
                let ends = |line: &str| {
                    line.strip_prefix(indent).is_some_and(|rest| {
                        rest == "}" || !rest.starts_with(' ') && rest.ends_with([';', ','])
                    })
                };
                lines.by_ref().find(|(_, line)| ends(line));
            } else if !text.starts_with("//") {
                code.push((number, line));
            }
        }
        code
    }

    /// What the code names behind `before::`, also inside braces: `before::{name, other::Thing}`.
    fn names_behind(&self, before: &str) -> Vec<(usize, String)> {
        let one = Regex::new(&format!(r"\b(?:{before})::([a-z_]+)")).unwrap();
        let several = Regex::new(&format!(r"\b(?:{before})::\{{")).unwrap();
        // A module by itself looks like a function: those of the order are meant.
        let name = Regex::new(r"^\s*([a-z_]+)(?:::|\s|$)").unwrap();
        let code = self.code();
        let mut found = Vec::new();
        for (i, (number, line)) in code.iter().enumerate() {
            found.extend(one.captures_iter(line).map(|one| (*number, one[1].to_owned())));
            for several in several.find_iter(line) {
                let rest =
                    std::iter::once(&line[several.end()..]).chain(code[i + 1..].iter().map(|(_, l)| *l));
                let (mut depth, mut item) = (1, String::new());
                for c in rest.flat_map(str::chars) {
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    if depth == 0 || depth == 1 && c == ',' {
                        found.extend(name.captures(&item).map(|name| (*number, name[1].to_owned())));
                        item.clear();
                    } else {
                        item.push(c);
                    }
                    if depth == 0 {
                        break;
                    }
                }
            }
        }
        found
    }

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }
}

/// The lines of `files` that name behind `before::` something that stands after them in `order`.
fn against<'f>(order: &[&str], before: &str, files: impl Iterator<Item = (String, &'f File)>) -> Vec<String> {
    let place = |name: &str| order.iter().position(|other| *other == name);
    let mut wrong = Vec::new();
    for (name, file) in files {
        let here = place(&name).unwrap_or_else(|| panic!("{name} has no place in the order"));
        for (number, to) in file.names_behind(before) {
            let is_function = place(&to).is_none() && !file.text.contains(&format!("{to}::"));
            if !is_function && place(&to).is_none_or(|there| there > here) {
                wrong.push(format!("{}: {name} names {to}", file.at(number)));
            }
        }
    }
    wrong
}

#[test]
fn arrows_point_one_way() {
    let files = sources();
    let others = |f: &&File| ["lib", "main"].contains(&f.area.as_str()) || MEMBERS.contains(&f.area.as_str());
    let areas = files.iter().filter(|f| !others(f)).map(|file| (file.area.clone(), file));
    let wrong = against(&ORDER, "crate", areas);
    assert_eq!(wrong, [] as [&str; 0], "arrows against docs/architecture.md");
}

#[test]
fn arrows_inside_the_audit_point_one_way() {
    let files = sources();
    let modules = files.iter().filter(|file| file.area == "audit").filter_map(|file| {
        let below = file.path.strip_prefix("src/audit").unwrap();
        let name = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        (name != "mod").then_some((name, file))
    });
    // In a folder, `super::` names its own files: those are told by `crate::audit::`.
    let (files, folders): (Vec<_>, Vec<_>) =
        modules.partition(|(_, file)| file.path.components().count() == 3);
    let mut wrong = against(&AUDIT, "super|crate::audit", files.into_iter());
    wrong.extend(against(&AUDIT, "crate::audit", folders.into_iter()));
    assert_eq!(wrong, [] as [&str; 0], "arrows inside src/audit");
}

#[test]
fn arrows_inside_the_command_line_point_one_way() {
    let files = sources();
    let modules = files.iter().filter(|file| file.area == "cli").filter_map(|file| {
        let below = file.path.strip_prefix("src/cli").unwrap();
        let name = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        // It stands in for the sandbox where that is left out.
        let name = if name == "no_sandbox" { "sandbox" } else { name };
        (name != "mod").then(|| (name.to_owned(), file))
    });
    // A command names its own files by `super::`.
    let (files, commands): (Vec<_>, Vec<_>) = modules.partition(|(name, _)| name != "commands");
    let mut wrong = against(&CLI, "super|crate::cli", files.into_iter());
    wrong.extend(against(&CLI, "crate::cli", commands.into_iter()));
    assert_eq!(wrong, [] as [&str; 0], "arrows inside src/cli");
}

#[test]
fn arrows_inside_the_sandbox_point_one_way() {
    let files = sources();
    let modules = files.iter().filter(|file| file.area == "sandbox").filter_map(|file| {
        let below = file.path.strip_prefix("src/sandbox").unwrap();
        let name = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
        let is_test = below.iter().any(|part| part == "tests");
        (name != "lib" && !is_test).then_some((name, file))
    });
    let (files, folders): (Vec<_>, Vec<_>) =
        modules.partition(|(_, file)| file.path.components().count() == 3);
    let mut wrong = against(&SANDBOX, "super|crate", files.into_iter());
    wrong.extend(against(&SANDBOX, "crate", folders.into_iter()));
    assert_eq!(wrong, [] as [&str; 0], "arrows inside src/sandbox");
}

/// The module that a file belongs to in `folder`: itself, or the folder below in which it lies.
fn module_in(folder: &Path, file: &Path) -> Option<String> {
    let below = file.strip_prefix(folder).ok()?.iter().next()?.to_str()?;
    let name = below.trim_end_matches(".rs");
    (!["mod", "lib", "main"].contains(&name)).then(|| name.to_owned())
}

/// What a file of `folder` names of its other modules: by the whole path, and by `super::` from where it lies.
fn names_beside(folder: &Path, file: &File) -> Vec<String> {
    let area = folder.strip_prefix("src").unwrap();
    let path: Vec<&str> =
        std::iter::once("crate").chain(area.iter().map(|part| part.to_str().unwrap())).collect();
    let below = file.path.strip_prefix(folder).unwrap().components().count();
    let is_root = file.path.file_name().is_some_and(|name| name == "mod.rs");
    let up = vec!["super"; below - usize::from(is_root)];
    // In the folder itself `super::` is this folder; deeper, its last `super` may be any other.
    let named = [path.join("::"), up.join("::")].into_iter().filter(|before| !before.is_empty());
    named.flat_map(|before| file.names_behind(&before)).map(|(_, name)| name).collect()
}

/// Of two modules side by side, files or folders, one may name the other, not both: what they share has a place
/// of its own. A kind that is a part is written in the section of its whole, so the whole names the part.
#[test]
fn modules_side_by_side_form_no_circle() {
    let files: Vec<File> =
        sources().into_iter().filter(|file| !MEMBERS.contains(&file.area.as_str())).collect();
    let folders: BTreeSet<&Path> = files
        .iter()
        .flat_map(|file| file.path.ancestors().skip(1))
        .filter(|f| f.starts_with("src"))
        .collect();
    assert!(folders.len() > 20);
    let mut wrong = Vec::new();
    for folder in folders {
        let inside = || files.iter().filter(|file| file.path.starts_with(folder));
        let modules: BTreeSet<String> = inside().filter_map(|file| module_in(folder, &file.path)).collect();
        let mut names: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for file in inside() {
            let Some(module) = module_in(folder, &file.path).and_then(|m| modules.get(&m)) else { continue };
            let others = names_beside(folder, file);
            let others = others.iter().filter_map(|name| modules.get(name)).filter(|other| *other != module);
            names.entry(module).or_default().extend(others);
        }
        // What names nobody that is left is in no circle, nor what nobody that is left names.
        loop {
            let named: BTreeSet<&String> = names.values().flatten().copied().collect();
            let is_end = |module: &&String| {
                !named.contains(module) || names[module].iter().all(|other| !names.contains_key(other))
            };
            let Some(module) = names.keys().copied().find(is_end) else { break };
            names.remove(module);
        }
        wrong.extend(names.keys().map(|module| folder.join(module.as_str()).display().to_string()));
    }
    assert_eq!(wrong, [] as [&str; 0], "these name each other in circles");
}

/// What answers must not share the client's reading of AWS, and policies are read by both sides.
#[test]
fn members_know_neither_the_program_nor_the_sdk() {
    for member in MEMBERS {
        let text = std::fs::read_to_string(format!("src/{member}/Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        let named = manifest["dependencies"].as_table().unwrap().keys();
        let wrong: Vec<_> = named.filter(|name| name.starts_with("aws") || *name == "opsctl").collect();
        assert_eq!(wrong, [] as [&str; 0], "{member}");
    }
}

/// No driver can tell the sandbox from AWS: the package is named by the command line alone.
#[test]
fn only_cli_names_the_sandbox() {
    let named = Regex::new(r"\bopsctl_sandbox\b").unwrap();
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|f| f.area != "cli") {
        let code = file.code().into_iter();
        wrong.extend(code.filter(|(_, line)| named.is_match(line)).map(|(number, _)| file.at(number)));
    }
    assert_eq!(wrong, [] as [&str; 0]);
}

/// `with_session` closes what it opens on every path; a command that opened by itself would not after `?`.
#[test]
fn sessions_are_opened_where_they_are_closed() {
    let opens = Regex::new(r"\bSession::open\b|\bsandbox::attach\b").unwrap();
    let files = sources();
    let places: BTreeSet<_> = files
        .iter()
        .filter(|file| file.area == "cli" && file.code().iter().any(|(_, line)| opens.is_match(line)))
        .map(|file| file.path.display().to_string())
        .collect();
    assert_eq!(places.into_iter().collect::<Vec<_>>(), ["src/cli/session.rs"]);
}

/// Kinds answer for themselves, so that one more is no line here: where their log, their artifact and their page
/// are, what `scale`, `stop` and `invoke` do with them, what a person does next.
#[test]
fn what_asks_kinds_names_none() {
    let named = Regex::new(r"\bKindName::(?:[A-Z][a-z]+)+\b|\bcrate::resources\b").unwrap();
    let asking = [
        "src/cli/commands/logs.rs",
        "src/cli/commands/model.rs",
        "src/cli/commands/open.rs",
        "src/cli/commands/scale.rs",
        "src/cli/commands/stop.rs",
        "src/cli/done.rs",
        "src/cli/named.rs",
        "src/cli/stopped.rs",
        "src/desired/",
        "src/domain/console.rs",
        "src/report/overview.rs",
        "src/run/address.rs",
        "src/run/jobs.rs",
        "src/run/named.rs",
        "src/run/stop.rs",
    ];
    let files = sources();
    let asks = |file: &&File, place: &str| file.path.to_str().unwrap().starts_with(place);
    let mut wrong = Vec::new();
    for place in asking {
        assert!(files.iter().any(|file| asks(&file, place)), "{place} is gone");
        for file in files.iter().filter(|file| asks(file, place)) {
            let code = file.code().into_iter();
            wrong.extend(code.filter(|(_, line)| named.is_match(line)).map(|(number, _)| file.at(number)));
        }
    }
    assert_eq!(wrong, [] as [&str; 0]);
}

#[test]
fn files_fit_a_head() {
    let long: Vec<_> = sources()
        .iter()
        .chain(&tests())
        .map(|f| (f.path.display().to_string(), f.text.lines().count()))
        .filter(|(_, lines)| *lines > LONGEST_FILE)
        .collect();
    assert_eq!(long, []);
}

#[test]
fn files_are_named_by_what_they_hold() {
    let vague = ["utils", "util", "helpers", "helper", "misc", "common", "types"];
    let named = |f: &&File| vague.contains(&f.path.file_stem().unwrap().to_str().unwrap());
    assert_eq!(
        sources().iter().filter(named).map(|f| f.path.display().to_string()).collect::<Vec<_>>(),
        [] as [&str; 0]
    );
}

#[test]
fn every_code_is_said_somewhere() {
    let table = std::fs::read_to_string("src/domain/codes.rs").unwrap();
    let defined = Regex::new(r#"(?m)^    ([A-Z_]+) "([A-Z]\d{3})""#).unwrap();
    let defined: Vec<(String, String)> =
        defined.captures_iter(&table).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    assert_eq!(defined.len(), codes::ALL.len());
    let named = Regex::new(r"\bcodes::([A-Z_]+)").unwrap();
    let files = sources();
    let used: BTreeSet<&str> = files
        .iter()
        .filter(|file| !file.path.ends_with("codes.rs"))
        .flat_map(|file| named.captures_iter(&file.text).map(|found| found.get(1).unwrap().as_str()))
        .collect();
    let unused: Vec<_> = defined
        .iter()
        .filter(|(name, _)| !used.contains(name.as_str()))
        .map(|(name, code)| format!("{code} {name}"))
        .collect();
    assert_eq!(unused, [] as [&str; 0]);
}

#[test]
fn the_environment_is_read_in_one_place() {
    let mut places = Vec::new();
    for file in sources() {
        let reads = |(_, line): &(usize, &str)| line.contains("env::var");
        places.extend(file.code().into_iter().filter(reads).map(|_| file.path.display().to_string()));
    }
    places.dedup();
    assert_eq!(places, ["src/cli/environment.rs"]);
}

/// Lines are as long as `rustfmt.toml` says. Only what cannot be broken is longer: a long literal, an
/// address, a table. Tests have pages in them, which are as wide as they are.
#[test]
fn lines_fit_the_width() {
    const WIDTH: usize = 110;
    let literal = Regex::new(r#""(?:\\.|[^"\\]){40,}""#).unwrap();
    let unbroken = |line: &str| {
        let text = line.trim_start();
        match text.strip_prefix("//") {
            Some(comment) => {
                let comment = comment.trim_start_matches(['/', '!']).trim_start();
                comment.starts_with(['|', '{', '"']) || comment.split(' ').any(|word| word.contains("://"))
            }
            None if text.starts_with("use ") => !text.contains('{'),
            // A line without its long literals, or one inside a literal of several lines.
            None => {
                literal.replace_all(line, "").chars().count() <= WIDTH
                    || text.matches('"').count() % 2 == 1
                    || text.contains("r#\"")
                    || text.ends_with('\\')
                    || !text.trim_end().contains(' ')
            }
        }
    };
    let mut wrong = Vec::new();
    for file in sources() {
        let lines = file.text.lines().enumerate();
        wrong.extend(
            lines
                .filter(|(_, line)| line.chars().count() > WIDTH && !unbroken(line))
                .map(|(i, _)| file.at(i + 1)),
        );
    }
    assert_eq!(wrong, [] as [&str; 0], "lines over {WIDTH} characters");
}
