//! The arrows of docs/architecture.md, kept by reading the sources.

mod includes;
mod lines;
mod said;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use opsctl::domain::KindName;
use regex_lite::Regex;
use uses::{Arrow, Named};

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
const AUDIT: [&str; 40] = [
    "lenient",
    "surroundings",
    "removed",
    "account",
    "usage",
    "expected",
    "settings",
    "finding",
    "variables",
    "allow_list",
    "shared",
    "evaluate",
    "trust",
    "said",
    "node",
    "own_tags",
    "loosen",
    "dump",
    "services",
    "escalate",
    "ways",
    "kept_out",
    "circles",
    "role_view",
    "serving",
    "explain",
    "graph",
    "least",
    "planned",
    "rules",
    "compliance",
    "later",
    "audit",
    "against",
    "filter",
    "baseline",
    "report",
    "answers",
    "collect",
    "last_accessed",
];

/// The same inside the command line.
const CLI: [&str; 26] = [
    "files",
    "exit",
    "args",
    "examples",
    "hints",
    "rewritten",
    "fitted",
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
    "wrote",
    "budget",
    "done",
    "act",
    "served",
    "commands",
    "signals",
];

/// The same inside the sandbox.
const SANDBOX: [&str; 36] = [
    "activity",
    "effect",
    "extensions",
    "fault",
    "files",
    "paging",
    "progress",
    "users",
    "rules",
    "runners",
    "clock",
    "faults",
    "options",
    "holder",
    "root",
    "guard",
    "exchange",
    "memory",
    "served",
    "store",
    "timeouts",
    "counters",
    "state",
    "regions",
    "authority",
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
    let files: Vec<File> = beside
        .chain(["core", "e2e", "bench", "fuzz"].iter().flat_map(|f| below(&format!("tests/{f}"))))
        .collect();
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
        let is_test = |part: &str| part == "tests" || part.ends_with("tests.rs");
        self.path.iter().any(|part| is_test(part.to_str().unwrap()))
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

    fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// Its functions, but for those of its tests, and those inside of others.
    fn functions(&self) -> Vec<Function> {
        static BEGINS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"^\s*(?:pub(?:\([a-z: ]+\))? )?(?:const )?(?:async )?(?:unsafe )?fn \w").unwrap()
        });
        let mut lines = self.code().into_iter();
        let mut functions = Vec::new();
        while let Some((at, line)) = lines.next() {
            if !BEGINS.is_match(line) {
                continue;
            }
            let indent = &line[..line.len() - line.trim_start().len()];
            let is_last = |line: &str| {
                let rest = line.strip_prefix(indent).unwrap_or_default();
                rest == "}" || rest.starts_with(')') && rest.ends_with(';')
            };
            let last = match line.ends_with(['}', ';']) {
                true => at,
                false => lines.find(|(_, line)| is_last(line)).expect("it ends").0,
            };
            functions.push(Function { at, lines: last - at + 1 });
        }
        functions
    }
}

/// A function by its first line, and how many it has, comments and blanks included.
struct Function {
    at: usize,
    lines: usize,
}

/// What the code of each package below `src/` names, by its root.
static NAMED: LazyLock<BTreeMap<PathBuf, Vec<Named>>> = LazyLock::new(|| {
    let files = sources();
    let is_member = |file: &File| MEMBERS.contains(&file.area.as_str());
    let roots =
        std::iter::once(PathBuf::from("src")).chain(MEMBERS.map(|member| Path::new("src").join(member)));
    let of = |root: PathBuf| {
        let is_of =
            |file: &&File| file.path.starts_with(&root) && (root.ends_with(&file.area) || !is_member(file));
        let files: Vec<&File> = files.iter().filter(is_of).collect();
        let named = uses::named(&root, &files);
        (root, named)
    };
    roots.map(of).collect()
});

/// The arrows of each package, by its root.
static ARROWS: LazyLock<BTreeMap<&Path, BTreeSet<Arrow>>> =
    LazyLock::new(|| NAMED.iter().map(|(root, named)| (root.as_path(), uses::arrows(named))).collect());

/// The arrows between the modules of `folder` that point to something that stands after them in `order`.
fn against(order: &[&str], package: &str, folder: &[&str]) -> Vec<String> {
    let place = |name: &str| {
        // It stands in for the sandbox where that is left out.
        let name = if name == "no_sandbox" { "sandbox" } else { name };
        order.iter().position(|other| *other == name).unwrap_or_else(|| panic!("{name} has no place"))
    };
    let inside = ARROWS[Path::new(package)].iter().filter(|arrow| arrow.folder == folder);
    inside.filter(|arrow| place(&arrow.from) < place(&arrow.to)).map(Arrow::to_string).collect()
}

#[test]
fn arrows_point_one_way() {
    assert_eq!(against(&ORDER, "src", &[]), [] as [&str; 0], "arrows against docs/architecture.md");
}

/// The page has them in the same order: a row of the table each, the packages last, and the line below it.
#[test]
fn the_page_has_the_same_order() {
    let page = std::fs::read_to_string("docs/architecture.md").unwrap();
    let row = Regex::new(r"(?m)^\| `src/(\w+)(?:\.rs)?` \|").unwrap();
    let rows: Vec<_> = row.captures_iter(&page).map(|found| found[1].to_owned()).collect();
    assert_eq!(rows, [&ORDER[..], &MEMBERS].concat());
    let line = page.lines().find(|line| line.starts_with("domain < ")).expect("there is a line");
    let words: Vec<&str> = line.split(['<', ',']).map(str::trim).collect();
    assert_eq!(words, ORDER);
}

#[test]
fn arrows_inside_the_audit_point_one_way() {
    assert_eq!(against(&AUDIT, "src", &["audit"]), [] as [&str; 0], "arrows inside src/audit");
}

#[test]
fn arrows_inside_the_command_line_point_one_way() {
    assert_eq!(against(&CLI, "src", &["cli"]), [] as [&str; 0], "arrows inside src/cli");
}

#[test]
fn arrows_inside_the_sandbox_point_one_way() {
    assert_eq!(against(&SANDBOX, "src/sandbox", &[]), [] as [&str; 0], "arrows inside src/sandbox");
}

/// What begins the rest is named by nothing of it: else all that a package's `lib.rs` or the command line's
/// `mod.rs` names would be one circle. A name that they hand on has a file of its own.
#[test]
fn no_arrow_points_back_to_a_root() {
    let roots = [("src", &[] as &[&str]), ("src", &["cli"]), ("src/iam", &[]), ("src/sandbox", &[])];
    for (package, root) in roots {
        let root: Vec<String> = root.iter().map(|&folder| folder.to_owned()).collect();
        let up = uses::up_to(&root, &NAMED[Path::new(package)]);
        assert_eq!(up, [] as [&str; 0], "name what the root of {package} {root:?} defines");
    }
}

/// Of modules side by side, files or folders, of any package, one may name the other, not both: what they
/// share has a place of its own. A kind that is a part is written in the section of its whole, so the whole
/// names the part. A folder's `mod.rs` is what they have in common: it may name them, and they it.
#[test]
fn modules_side_by_side_form_no_circle() {
    let folders: BTreeSet<_> = ARROWS.values().flatten().map(|arrow| &arrow.folder).collect();
    assert!(folders.len() > 50);
    let wrong: Vec<String> = ARROWS.values().flat_map(uses::in_circles).map(Arrow::to_string).collect();
    assert_eq!(wrong, [] as [&str; 0], "these name each other in circles");
}

/// What answers must not share the client's reading of AWS, and policies are read by both sides.
#[test]
fn members_know_neither_the_program_nor_the_sdk() {
    let manifest = |folder: &str| -> toml::Table {
        std::fs::read_to_string(Path::new(folder).join("Cargo.toml")).unwrap().parse().unwrap()
    };
    let program = manifest("")["package"]["name"].as_str().unwrap().to_owned();
    for member in MEMBERS {
        let manifest = manifest(&format!("src/{member}"));
        let named = manifest["dependencies"].as_table().unwrap().iter();
        // The name that the dependency has in its registry.
        let named =
            named.map(|(name, given)| given.get("package").and_then(|it| it.as_str()).unwrap_or(name));
        let wrong: Vec<_> = named.filter(|name| name.starts_with("aws") || *name == program).collect();
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

/// What does something that only one kind has, and names it. A new kind is no line here: kinds answer for
/// themselves where their log, their artifact and their page are, what `scale`, `stop` and `invoke` do with
/// them, what a person does next.
const NAMES_KINDS: [&str; 37] = [
    // What has a container.
    "src/run/played.rs",
    // The commands of one kind, and Tab for them.
    "src/cli/commands/bucket.rs",
    "src/cli/commands/data.rs",
    "src/cli/commands/invoke.rs",
    "src/cli/commands/notebook.rs",
    "src/cli/commands/train.rs",
    "src/cli/commands/upload.rs",
    "src/cli/complete.rs",
    "src/report/upload.rs",
    "src/run/pull/data.rs",
    "src/run/strays.rs",
    "src/run/upload.rs",
    // The project's bucket: the lease is in it, and it has its name before all others.
    "src/engine/lease/wait.rs",
    "src/plan/build.rs",
    "src/plan/check.rs",
    "src/run/flow.rs",
    "src/run/lease.rs",
    "src/run/reviewer.rs",
    "src/run/session.rs",
    "src/run/whose.rs",
    // What an endpoint serves.
    "src/plan/served.rs",
    // What a permission, a network, a role or the metrics of one kind are about.
    "src/policy/left.rs",
    "src/policy/mod.rs",
    "src/policy/needed.rs",
    "src/run/audit/mod.rs",
    "src/run/doctor/account.rs",
    "src/run/doctor/keys.rs",
    "src/run/doctor/roles.rs",
    "src/run/overview.rs",
    // What the report shows of one kind.
    "src/evidence/mod.rs",
    "src/report/page/content/hosting.rs",
    "src/report/page/content/mod.rs",
    "src/report/page/content/training.rs",
    "src/run/evidence/audit.rs",
    "src/run/evidence/history.rs",
    "src/run/evidence/jobs.rs",
    "src/run/evidence/traffic.rs",
];

#[test]
fn what_names_kinds_is_known() {
    let folders: Vec<String> = KindName::ALL.iter().map(|kind| kind.as_str().replace('-', "_")).collect();
    let is_of_kind = |module: &[String]| match module {
        [area, folder, ..] => area == "resources" && folders.contains(folder),
        _ => false,
    };
    let by_path = NAMED[Path::new("src")].iter().filter(|named| is_of_kind(&named.module));
    let word = Regex::new(r"\bKindName::(?:[A-Z][a-z]+)+\b").unwrap();
    let files = sources();
    let by_word = files.iter().filter(|file| file.code().iter().any(|(_, line)| word.is_match(line)));
    let by_word = by_word.map(|file| file.path.to_str().unwrap());
    let is_kinds = |file: &str| file.starts_with("src/resources/") || file == "src/domain/kind.rs";
    let naming: BTreeSet<&str> =
        by_path.map(|named| &*named.file).chain(by_word).filter(|file| !is_kinds(file)).collect();
    let known = BTreeSet::from(NAMES_KINDS);
    let new: Vec<_> = naming.difference(&known).collect();
    let gone: Vec<_> = known.difference(&naming).collect();
    assert_eq!((new, gone), (vec![], vec![]), "these name kinds and are not in the list; or no longer do");
}

/// Where the word of a kind is a word, and no kind: what a person types or reads, or a word of Terraform's or
/// of IAM's ARNs.
const KIND_WORDS: [(&str, &[&str]); 12] = [
    ("src/cli/commands/audit_iam/baseline.rs", &["role"]),
    ("src/cli/commands/audit_iam/input.rs", &["role"]),
    ("src/cli/commands/model.rs", &["model"]),
    ("src/cli/complete.rs", &["data", "endpoint", "model", "notebook"]),
    ("src/cost/bill.rs", &["instance"]),
    ("src/policy/needed.rs", &["role"]),
    ("src/report/page/content/hosting.rs", &["instance"]),
    ("src/report/page/content/mod.rs", &["role"]),
    ("src/report/page/content/roles.rs", &["role"]),
    ("src/run/audit/account.rs", &["role"]),
    ("src/run/audit/input.rs", &["data"]),
    ("src/run/doctor/roles.rs", &["role"]),
];

/// A section is that of a kind, which knows it: text is not found by whoever looks for what names a kind.
/// Keys of JSON are none.
#[test]
fn no_kind_is_named_by_text() {
    let all: Vec<&str> = KindName::ALL.iter().map(|kind| kind.as_str()).collect();
    let word = Regex::new(&format!(r#""({})"(\s*:)?"#, all.join("|"))).unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let areas = ["plan", "cost", "evidence", "engine", "policy", "run", "report", "cli"];
    for file in sources().iter().filter(|file| areas.contains(&&*file.area)) {
        let words = file.code().into_iter().flat_map(|(_, line)| word.captures_iter(line));
        for found_in in words.filter(|found| found.get(2).is_none()) {
            found.entry(file.path.display().to_string()).or_default().insert(found_in[1].to_owned());
        }
    }
    let known = KIND_WORDS.map(|(file, words)| {
        (file.to_owned(), words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>())
    });
    assert_eq!(found, BTreeMap::from(known), "ask `session.kind(…).section()`, or say that it is a word");
}

/// AWS's texts change: an error means its kind, or AWS's code for it. `classify` reads where there is none.
#[test]
fn errors_are_told_apart_by_their_codes() {
    let reads = Regex::new(r"\berror\.message\.(?:contains|starts_with|ends_with|strip_prefix)\(").unwrap();
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| !MEMBERS.contains(&&*file.area)) {
        let code = file.code().into_iter().filter(|(_, line)| reads.is_match(line));
        wrong.extend(code.map(|(number, _)| file.at(number)));
    }
    assert_eq!(wrong, [] as [&str; 0], "ask `error.kind`, or `error.is(…)`");
}

#[test]
fn files_fit_a_head() {
    let lines = |f: &File| (f.path.display().to_string(), f.text.lines().count());
    let (sources, tests) = (sources(), tests());
    let all = sources.iter().chain(&tests).map(lines);
    assert_eq!(all.filter(|(_, lines)| *lines > LONGEST_FILE).collect::<Vec<_>>(), []);
}

/// What a flow is made of: a look at AWS, a wait, a verb of a kind.
#[test]
fn the_command_line_asks_aws_through_run() {
    let asks = Regex::new(r"\b(?:OpCx|Probe|Driver|Registry|registry)\b|\bobserve(?:_\w+)?\(").unwrap();
    let mut wrong = Vec::new();
    for file in sources().iter().filter(|file| file.area == "cli") {
        let code = file.code().into_iter().filter(|(_, line)| asks.is_match(line));
        wrong.extend(code.map(|(number, _)| file.at(number)));
    }
    assert_eq!(wrong, [] as [&str; 0], "a flow belongs into src/run: docs/decisions/0083");
}

/// A command is its arguments, its help, and what it says, in so many lines at most
/// (docs/decisions/0083-what-a-command-is.md): what is more is something that is drawn, which is in
/// `src/report`, or what several commands do, which is beside them in `src/cli`.
#[test]
fn commands_are_short() {
    const LONGEST: usize = 40;
    const OF_A_FILE: usize = 120;
    let (mut long, mut count) = (Vec::new(), 0);
    for file in sources().iter().filter(|file| file.path.starts_with("src/cli/commands")) {
        let functions = file.functions();
        count += functions.len();
        let too_long = functions.iter().filter(|function| function.lines > LONGEST);
        long.extend(
            too_long.map(|function| format!("{} has {} lines", file.at(function.at), function.lines)),
        );
        let sum: usize = functions.iter().map(|function| function.lines).sum();
        if sum > OF_A_FILE {
            long.push(format!("{}: its functions have {sum} lines", file.path.display()));
        }
    }
    assert_eq!(long, [] as [&str; 0]);
    assert!(count > 150, "only {count} were found");
}

/// What is longer is several.
#[test]
fn functions_fit_a_screen() {
    const LONGEST: usize = 60;
    let (mut long, mut count) = (Vec::new(), 0);
    for file in sources() {
        let functions = file.functions();
        count += functions.len();
        let too_long = functions.iter().filter(|function| function.lines > LONGEST);
        long.extend(
            too_long.map(|function| format!("{} has {} lines", file.at(function.at), function.lines)),
        );
    }
    assert_eq!(long, [] as [&str; 0]);
    assert!(count > 5_000, "only {count} were found");
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
