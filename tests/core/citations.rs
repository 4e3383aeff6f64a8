//! What comments and pages cite is there: pages, their headings, records of decisions, and the files that the
//! guides list.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use opsctl::domain::KindName;
use regex_lite::Regex;

use crate::plan::keys::TABLES;

struct Text {
    path: String,
    text: String,
}

impl Text {
    fn is_page(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// Its lines with their numbers. Of code, what is behind the first mark of a comment; of pages and of
    /// Python, where comments are strings too, everything.
    fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        let mark = match self.path.rsplit('.').next().unwrap() {
            "rs" => "//",
            "toml" | "sh" | "yml" => "#",
            _ => "",
        };
        let begin = move |line: &str| {
            // Not that of an address.
            line.match_indices(mark).map(|(at, _)| at).find(|at| !line[..*at].ends_with(':'))
        };
        let lines = self.text.lines().enumerate();
        lines.filter_map(move |(n, line)| Some((n + 1, &line[begin(line)?..])))
    }

    /// Its lines with their numbers, without those of blocks of code.
    fn unfenced(&self) -> impl Iterator<Item = (usize, &str)> {
        let mut fenced = false;
        self.text.lines().enumerate().filter_map(move |(n, line)| {
            let fence = line.trim_start().starts_with("```");
            fenced ^= fence;
            (!fenced && !fence).then_some((n + 1, line))
        })
    }

    fn has_word(&self, word: &str) -> bool {
        is_word_of(&self.text, word)
    }

    /// The anchors of its headings, as GitHub makes them.
    fn anchors(&self) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for (_, line) in self.unfenced().filter(|(_, line)| line.starts_with('#')) {
            let heading = line.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            let anchor: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let again = (1..).map(|n| format!("{anchor}-{n}"));
            let free = std::iter::once(anchor.clone()).chain(again).find(|a| !anchors.contains(a));
            anchors.extend(free);
        }
        anchors
    }
}

fn is_word_of(text: &str, word: &str) -> bool {
    let in_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word)
        .any(|(at, _)| !text[..at].ends_with(in_word) && !text[at + word.len()..].starts_with(in_word))
}

fn texts() -> Vec<Text> {
    const MADE: &[&str] = &[".opsctl", "__pycache__", "target"];
    const KNOWN: &[&str] = &["rs", "md", "toml", "py", "sh", "yml"];
    fn walk(path: &Path, texts: &mut Vec<Text>) {
        if path.is_dir() && !MADE.iter().any(|made| path.ends_with(made)) {
            for entry in std::fs::read_dir(path).unwrap() {
                walk(&entry.unwrap().path(), texts);
            }
        } else if path.extension().is_some_and(|e| KNOWN.iter().any(|known| e == *known)) {
            let text = std::fs::read_to_string(path).unwrap();
            texts.push(Text { path: path.to_str().unwrap().to_owned(), text });
        }
    }
    let mut texts = Vec::new();
    for top in ["src", "tests", "config", "docs", ".github", ".config"] {
        walk(Path::new(top), &mut texts);
    }
    let files = std::fs::read_dir(".").unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.is_file()) {
        walk(file.strip_prefix(".").unwrap(), &mut texts);
    }
    texts.sort_by(|a, b| a.path.cmp(&b.path));
    texts
}

fn pages(texts: &[Text]) -> BTreeMap<&str, BTreeSet<String>> {
    texts.iter().filter(|t| t.is_page()).map(|t| (t.path.as_str(), t.anchors())).collect()
}

/// What a link says, as a path from the top.
fn from_top(page: &str, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {link} leads out of the repository"),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}

/// The links of a page that stay in the repository: line, target, anchor.
fn links(page: &Text) -> Vec<(usize, PathBuf, Option<String>)> {
    let link = Regex::new(r"\]\(<?([^)>\s]+)>?\)|^\s*\[[^\]]+\]:\s+<?(\S+?)>?\s*$").unwrap();
    let code = Regex::new(r"`[^`]*`").unwrap();
    let mut links = Vec::new();
    for (n, line) in page.unfenced() {
        let line = code.replace_all(line, "``");
        for found in link.captures_iter(&line) {
            let target = found.get(1).or(found.get(2)).unwrap().as_str();
            if target.contains("://") {
                continue;
            }
            let (path, anchor) =
                target.split_once('#').map_or((target, None), |(p, a)| (p, Some(a.to_owned())));
            let path = if path.is_empty() { page.path.clone().into() } else { from_top(&page.path, path) };
            links.push((n, path, anchor));
        }
    }
    links
}

#[test]
fn nothing_cites_what_is_not_in_the_repository() {
    // Marks of documents that the founders had and the repository has not.
    let dead =
        Regex::new(r"aws.facts|§|\bD(1[0-6]|[1-9])\b|\[[MDWF]:|\bissue \d{1,2}\b|\.\./shared").unwrap();
    let elsewhere = Regex::new(r"RFC \d+,? §|https?://\S+").unwrap();
    let page = Regex::new(r"[\w./-]*\w\.md\b").unwrap();
    let mut wrong = Vec::new();
    for text in texts() {
        let folder = Path::new(&text.path).parent().unwrap();
        for (n, line) in text.prose() {
            let line = elsewhere.replace_all(line, "");
            wrong.extend(dead.find_iter(&line).map(|m| format!("{}:{n}: {}", text.path, m.as_str())));
            // Links of pages have a test of their own.
            if line.contains(".md") && !text.is_page() {
                let pages = page.find_iter(&line).map(|m| m.as_str());
                let missing = pages.filter(|p| !Path::new(p).exists() && !folder.join(p).exists());
                wrong.extend(missing.map(|p| format!("{}:{n}: {p}", text.path)));
            }
        }
    }
    assert!(wrong.is_empty(), "cite docs/<page>.md#<heading>:\n{}", wrong.join("\n"));
}

#[test]
fn every_cited_heading_and_decision_is_there() {
    let texts = texts();
    let pages = pages(&texts);
    let decisions: BTreeSet<&str> =
        pages.keys().filter_map(|p| p.strip_prefix("docs/decisions/")?.get(..4)).collect();
    let cited = Regex::new(r"\b(docs/[\w/-]+\.md)(#[\w-]+)?").unwrap();
    let decided = Regex::new(r"\bdocs/decisions/(\d{4})\b").unwrap();
    let elsewhere = Regex::new(r"https?://\S+").unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for text in &texts {
        for (n, line) in text.prose().filter(|(_, line)| line.contains("docs/")) {
            let line = elsewhere.replace_all(line, "");
            for found in cited.captures_iter(&line) {
                let anchor = found.get(2).map(|a| &a.as_str()[1..]);
                let there = pages.get(&found[1]).is_some_and(|page| anchor.is_none_or(|a| page.contains(a)));
                count += 1;
                if !there {
                    wrong.push(format!("{}:{n}: {}", text.path, &found[0]));
                }
            }
            for found in decided.captures_iter(&line).filter(|found| !decisions.contains(&found[1])) {
                wrong.push(format!("{}:{n}: {}", text.path, &found[0]));
            }
        }
    }
    assert!(wrong.is_empty(), "not in docs/:\n{}", wrong.join("\n"));
    assert!(count > 200, "only {count} citations were found: does this test still read them?");
}

/// The contents of the site, which list every page (tests/core/site.rs).
const SUMMARY: &str = "docs/SUMMARY.md";

#[test]
fn links_lead_somewhere_and_every_page_is_linked() {
    let texts = texts();
    let pages = pages(&texts);
    let mut linked = BTreeSet::new();
    let mut wrong = Vec::new();
    for page in texts.iter().filter(|t| t.is_page()) {
        for (n, target, anchor) in links(page) {
            let name = target.to_str().unwrap();
            let there = match anchor {
                Some(anchor) => pages.get(name).is_some_and(|page| page.contains(&anchor)),
                None => target.exists(),
            };
            if !there {
                wrong.push(format!("{}:{n}: {name}", page.path));
            }
            if name != page.path && page.path != SUMMARY {
                linked.insert(name.to_owned());
            }
        }
    }
    let unlinked = pages.keys().filter(|p| p.starts_with("docs/") && !linked.contains(**p) && **p != SUMMARY);
    wrong.extend(unlinked.map(|p| format!("{p}: no page links to it")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_index_of_decisions_has_them_all() {
    let texts = texts();
    let index = texts.iter().find(|t| t.path == "docs/decisions/README.md").unwrap();
    let listed: BTreeSet<PathBuf> = links(index).into_iter().map(|(_, path, _)| path).collect();
    let records = pages(&texts).into_keys().filter(|p| p.starts_with("docs/decisions/") && *p != index.path);
    let missing: Vec<&str> = records.filter(|p| !listed.contains(Path::new(p))).collect();
    assert!(missing.is_empty(), "not in {}: {missing:?}", index.path);
}

#[test]
fn the_files_that_pages_name_are_there() {
    let file = Regex::new(r"`((?:src|tests|config)/[\w./-]+|[\w/]+\.rs)`").unwrap();
    let mut wrong = Vec::new();
    let texts = texts();
    let ends = |path: &str| texts.iter().any(|text| Path::new(&text.path).ends_with(path));
    let pages = texts.iter().filter(|t| t.is_page() && t.path.starts_with("docs/"));
    // A decision keeps the names of its day.
    for page in pages.filter(|t| !t.path.starts_with("docs/decisions/")) {
        for (n, line) in page.unfenced() {
            let named = file.captures_iter(line).map(|found| found.get(1).unwrap().as_str());
            let gone = named.filter(|p| !Path::new(p).exists() && !ends(p));
            wrong.extend(gone.map(|p| format!("{}:{n}: {p}", page.path)));
        }
    }
    assert!(wrong.is_empty(), "files that pages name moved or went:\n{}", wrong.join("\n"));
}

/// A page about the inside of a folder names that folder's files without it (`walk.rs`), and those of others
/// with theirs (`iam/policy.rs`), also in its diagrams.
#[test]
fn the_files_in_diagrams_are_there() {
    let file = Regex::new(r"[\w/]+\.rs\b").unwrap();
    let texts = texts();
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in texts.iter().filter(|t| t.is_page() && t.path.starts_with("docs/inside/")) {
        let stem = Path::new(&page.path).file_stem().unwrap().to_str().unwrap();
        for found in file.find_iter(&page.text).map(|found| found.as_str()) {
            count += 1;
            let here = |path: &str| path.starts_with(&format!("src/{stem}/")) || path.starts_with("tests/");
            let named =
                |t: &&Text| Path::new(&t.path).ends_with(found) && (here(&t.path) || found.contains('/'));
            if texts.iter().all(|t| !named(&t)) {
                wrong.push(format!("{}: {found}", page.path));
            }
        }
    }
    assert!(wrong.is_empty(), "files that diagrams name moved or went:\n{}", wrong.join("\n"));
    assert!(count > 30, "only {count} names were found");
}

/// What docs/messages.md says nowhere: a page, a comment, a message.
#[test]
fn the_words_that_are_never_used_are_not() {
    let texts = texts();
    let style = texts.iter().find(|t| t.path == "docs/messages.md").unwrap();
    let table =
        style.text.split("| Never | But |\n|---|---|\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let phrases: Vec<&str> =
        table.lines().flat_map(|row| row.split('|').nth(1).unwrap().split(',')).map(str::trim).collect();
    assert!(phrases.len() > 5, "{phrases:?}");
    let never = Regex::new(&format!(r"(?i)\b(?:{})\b", phrases.join("|"))).unwrap();
    let quoted = Regex::new("`[^`]*`").unwrap();
    let mut wrong = Vec::new();
    for text in texts.iter().filter(|t| t.path != style.path && !t.path.starts_with("tests/")) {
        // What is quoted is somebody else's.
        let said =
            if text.is_page() { quoted.replace_all(&text.text, "") } else { text.text.as_str().into() };
        wrong.extend(never.find_iter(&said).map(|found| format!("{}: {}", text.path, found.as_str())));
    }
    assert!(wrong.is_empty(), "words that {} does not use:\n{}", style.path, wrong.join("\n"));
}

/// Whether a line of the code declares a name, hands it on, or implements something for it.
fn declares(text: &Text, name: &str) -> bool {
    const NAMING: [&str; 9] =
        ["fn ", "mod ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "macro_rules! "];
    let without = |line: &str, begins: &[&str]| {
        begins.iter().find_map(|begin| line.strip_prefix(begin)).unwrap_or(line).to_owned()
    };
    let names_it = |line: &str| {
        let rest = NAMING.iter().find_map(|word| line.strip_prefix(word)).unwrap_or_default();
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next() == Some(name)
    };
    let is_declaration = |line: &str| {
        let line = without(line.trim_start(), &["pub(super) ", "pub(crate) ", "pub "]);
        let hands_on = line.starts_with("use ") && text.text.contains(&format!("pub {line}"));
        let function = without(&line, &["async ", "const "]);
        hands_on || line.starts_with("impl") || names_it(&line) || names_it(&function)
    };
    text.text.contains(name) && text.text.lines().any(|line| is_word_of(line, name) && is_declaration(line))
}

/// Whether a name is where its path says: `store::Entry` in `store.rs` or a file of `store/`, `OpCx::wait`
/// where there is an `OpCx`.
fn is_at(path: &str, code: &[&Text]) -> bool {
    let parts: Vec<&str> = path.split("::").collect();
    let ([.., owner, item], true) = (&parts[..], parts[0] != "AWS") else { return true };
    if *owner == "crate" {
        return Path::new("src").join(item).exists();
    }
    code.iter().any(|text| {
        let file = Path::new(&text.path);
        let is_file =
            file.ends_with(format!("{owner}/{item}.rs")) || text.path.contains(&format!("/{owner}/{item}/"));
        let in_module = file.file_stem().is_some_and(|stem| stem == *owner)
            || file.parent().is_some_and(|folder| folder.ends_with(owner));
        let of_type = owner.starts_with(char::is_uppercase);
        is_file
            || in_module && declares(text, item)
            || of_type && text.has_word(item) && declares(text, owner)
    })
}

/// The pages about the code use its names: `store::Entry`, `OpCx::wait`, `RoleView`.
#[test]
fn the_names_that_pages_use_are_those_of_the_code() {
    let texts = texts();
    let word = Regex::new(r"\w+").unwrap();
    let code: Vec<&Text> = texts.iter().filter(|t| t.path.ends_with(".rs")).collect();
    let words: BTreeSet<&str> =
        code.iter().flat_map(|t| word.find_iter(&t.text).map(|found| found.as_str())).collect();
    let name = Regex::new(r"`((?:[A-Za-z_]\w*::)+\w+|[A-Z][a-z]+[A-Z]?\w*)(?:\([^)`]*\))?`").unwrap();
    let (mut wrong, mut count) = (Vec::new(), 0);
    let mut known: BTreeMap<String, bool> = BTreeMap::new();
    // AWS's names are in docs/aws and docs/managed.md, and a decision keeps the names of its day.
    let others = ["docs/aws/", "docs/decisions/", "docs/managed.md"];
    let about_code = |t: &&Text| {
        t.is_page() && t.path.starts_with("docs/") && !others.iter().any(|other| t.path.starts_with(other))
    };
    for page in texts.iter().filter(about_code) {
        for (n, line) in page.unfenced() {
            for found in name.captures_iter(line) {
                count += 1;
                let is_there = known.entry(found[1].to_owned()).or_insert_with(|| {
                    found[1].split("::").all(|part| words.contains(part)) && is_at(&found[1], &code)
                });
                if !*is_there {
                    wrong.push(format!("{}:{n}: {}", page.path, &found[1]));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "names that the code does not have:\n{}", wrong.join("\n"));
    assert!(count > 100, "only {count} names were found");
}

/// What the blocks of a guide list, which begin with "```files": a path a line, where `<key>` stands for what
/// the first line gives it. An `example` is words, with commas between them, that all files of src/,
/// config/ and tests/, and the manifest, have which such a change touches.
#[derive(Default)]
struct Listed<'g> {
    /// With the number of the line, and whether another change has it under another name.
    paths: Vec<(usize, String, bool)>,
    examples: Vec<&'g str>,
}

impl<'g> Listed<'g> {
    fn of(guide: &'g Text) -> Self {
        let mut listed = Self::default();
        let mut given: Option<Vec<(String, &str)>> = None;
        for (n, line) in guide.text.lines().enumerate() {
            if let Some(values) = line.strip_prefix("```files") {
                let pairs = values.split_whitespace().map(|pair| pair.split_once('=').expect("key=value"));
                let (examples, values): (Vec<_>, Vec<_>) = pairs.partition(|(key, _)| *key == "example");
                listed.examples.extend(examples.iter().flat_map(|(_, words)| words.split(',')));
                given = Some(values.into_iter().map(|(key, value)| (format!("<{key}>"), value)).collect());
            } else if line.starts_with("```") {
                given = None;
            } else if let Some(given) = &given {
                let path = given.iter().fold(line.to_owned(), |path, (key, value)| path.replace(key, value));
                let is_named = path != line;
                listed.paths.push((n + 1, path, is_named));
            }
        }
        listed
    }

    fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|(_, listed, _)| listed == path)
    }
}

/// No file that an example touches is left out, and no test that names such a file by its path: that is a
/// list by hand.
#[test]
fn the_files_that_guides_list_are_there_and_are_all() {
    let texts = texts();
    let (mut wrong, mut count, mut examples) = (Vec::new(), 0, 0);
    let is_test = |t: &&Text| t.path.starts_with("tests/") && t.path.ends_with(".rs");
    let folders = ["src/", "config/", "tests/"];
    let is_touched =
        |t: &&Text| t.path == "Cargo.toml" || folders.iter().any(|folder| t.path.starts_with(folder));
    for guide in texts.iter().filter(|t| t.path.starts_with("docs/guides/")) {
        let listed = Listed::of(guide);
        count += listed.paths.len();
        let gone = listed.paths.iter().filter(|(_, path, _)| !Path::new(path).exists());
        wrong.extend(gone.map(|(n, path, _)| format!("{}:{n}: {path} is not there", guide.path)));
        let mut needs = |named: Vec<&Text>, word: &str| {
            let missing = named.into_iter().filter(|t| !listed.has(&t.path));
            wrong.extend(missing.map(|t| format!("{}: {} has {word} too", guide.path, t.path)));
        };
        for example in &listed.examples {
            let named: Vec<&Text> = texts.iter().filter(is_touched).filter(|t| t.has_word(example)).collect();
            assert!(!named.is_empty(), "{}: no file has {example}", guide.path);
            needs(named, example);
        }
        for (_, path, _) in listed.paths.iter().filter(|(.., is_named)| *is_named) {
            needs(texts.iter().filter(is_test).filter(|t| t.has_word(path)).collect(), path);
        }
        examples += usize::from(!listed.examples.is_empty());
    }
    assert!(wrong.is_empty(), "files that guides list moved, went, or are not all:\n{}", wrong.join("\n"));
    assert!(examples > 4, "only {examples} guides have an example");
    assert!(count > 20, "only {count} paths were found");
}

/// A file of the tests that has most kinds by name, or most keys, is a list that a new one has to be added
/// to: the guide says so.
#[test]
fn the_lists_that_tests_keep_by_hand_are_in_the_guides() {
    let texts = texts();
    let kinds: BTreeSet<String> = KindName::ALL.iter().map(|kind| format!("{kind:?}")).collect();
    let quoted = |section: &str| format!("\"{section}\"");
    let sections: BTreeSet<String> =
        TABLES.iter().filter(|(table, _)| !table.contains('.')).map(|(table, _)| quoted(table)).collect();
    let keys: BTreeSet<String> =
        TABLES.iter().flat_map(|(_, keys)| keys).map(|key| key.key.clone()).collect();
    let most = |text: &Text, words: &BTreeSet<String>| {
        let named = |line: &str| -> BTreeSet<String> {
            let quoted = line.split('"').skip(1).step_by(2).map(|text| format!("\"{text}\""));
            let plain = line.split(|c: char| !c.is_alphanumeric() && c != '_').map(str::to_owned);
            quoted.chain(plain).filter(|word| words.contains(word)).collect()
        };
        let lines: Vec<BTreeSet<String>> = text.text.lines().map(named).collect();
        // A list is together.
        let is_list = |lines: &[BTreeSet<String>]| {
            lines.iter().flatten().collect::<BTreeSet<_>>().len() * 3 >= words.len() * 2
        };
        lines.windows(lines.len().clamp(1, 12)).any(is_list)
    };
    let (mut wrong, mut count) = (Vec::new(), 0);
    for text in texts.iter().filter(|t| t.path.starts_with("tests/") && t.path.ends_with(".rs")) {
        let of_kinds = most(text, &kinds) || most(text, &sections);
        let of_keys = most(text, &keys);
        for (is, guide) in [(of_kinds, "docs/guides/add-a-kind.md"), (of_keys, "docs/guides/add-a-key.md")] {
            count += usize::from(is);
            let guide = texts.iter().find(|t| t.path == guide).unwrap();
            if is && !guide.text.lines().any(|line| line == text.path) {
                wrong.push(format!("{} does not list {}", guide.path, text.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 0, "no list was found: recipe.rs has most kinds");
}
