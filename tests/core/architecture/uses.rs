//! Which module names which: by the whole path, by `super::`, by what `use` has brought, and by what the
//! `mod.rs` of a folder hands on, followed to the file that defines it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use super::File;

/// A module by its path: `["resources", "endpoint", "spec"]`; the root of a package is empty.
type Module = Vec<String>;

/// What one module names of another that is beside it: two files or folders of one folder.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub folder: Module,
    pub from: String,
    pub to: String,
    /// The file and the line.
    pub at: String,
}

impl fmt::Display for Arrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} names {}", self.at, self.from, self.to)
    }
}

/// A module that a line of code names, by itself or by what it defines.
pub struct Named {
    /// Where the line is.
    here: Module,
    pub module: Module,
    /// Whether it defines what the line names. Else the line spells it on the way to what does.
    defines: bool,
    /// The file, and the line in it.
    pub file: String,
    line: usize,
}

/// All that the code of the package whose root is `root` names, but for its tests.
pub fn named(root: &Path, files: &[&File]) -> Vec<Named> {
    let package = Package::read(root, files);
    let mut all = Vec::new();
    for (source, file) in package.sources.iter().zip(files) {
        for (line, path) in &source.paths {
            let modules = package.modules_of(&source.module, path).into_iter();
            all.extend(modules.map(|(module, defines)| Named {
                here: source.module.clone(),
                module,
                defines,
                file: file.path.display().to_string(),
                line: *line,
            }));
        }
    }
    all
}

/// What of that is an arrow between two modules of one folder.
pub fn arrows(named: &[Named]) -> BTreeSet<Arrow> {
    let mut arrows = BTreeSet::new();
    for Named { here, module, file, line, .. } in named {
        let same = here.iter().zip(module).take_while(|(a, b)| a == b).count();
        if let (Some(from), Some(to)) = (here.get(same), module.get(same)) {
            let at = format!("{file}:{line}");
            arrows.insert(Arrow { folder: here[..same].to_vec(), from: from.clone(), to: to.clone(), at });
        }
    }
    arrows
}

/// The lines below a folder that name what its own `mod.rs` or `lib.rs` defines. Such an arrow ends beside
/// nobody, and closes a circle with all that the root names.
pub fn up_to(root: &[String], named: &[Named]) -> Vec<String> {
    let is_below = |here: &Module| here.len() > root.len() && here.starts_with(root);
    let up = named.iter().filter(|named| named.defines && named.module == root && is_below(&named.here));
    up.map(|Named { file, line, .. }| format!("{file}:{line}")).collect()
}

/// The arrows that are in circles: of each folder's modules those that neither begin nor end a way.
pub fn in_circles(arrows: &BTreeSet<Arrow>) -> Vec<&Arrow> {
    let mut left: Vec<&Arrow> = arrows.iter().collect();
    loop {
        let place = |arrow: &Arrow, module: &String| (arrow.folder.clone(), module.clone());
        let from: BTreeSet<_> = left.iter().map(|arrow| place(arrow, &arrow.from)).collect();
        let to: BTreeSet<_> = left.iter().map(|arrow| place(arrow, &arrow.to)).collect();
        let before = left.len();
        left.retain(|arrow| {
            to.contains(&place(arrow, &arrow.from)) && from.contains(&place(arrow, &arrow.to))
        });
        if left.len() == before {
            return left;
        }
    }
}

struct Package {
    sources: Vec<Source>,
    modules: BTreeSet<Module>,
    /// What `use` has brought into a module, by its name there. Modules below see all of it as `super::Name`.
    brought: BTreeMap<Module, BTreeMap<String, Vec<String>>>,
}

struct Source {
    module: Module,
    /// Every path in its code, with the line.
    paths: Vec<(usize, Vec<String>)>,
}

impl Package {
    fn read(root: &Path, files: &[&File]) -> Self {
        let mut package = Self { sources: Vec::new(), modules: BTreeSet::new(), brought: BTreeMap::new() };
        for file in files {
            let module = module_of(root, &file.path);
            let (paths, brought) = paths_of(file);
            package.modules.insert(module.clone());
            package.brought.entry(module.clone()).or_default().extend(brought);
            package.sources.push(Source { module, paths });
        }
        package
    }

    /// The modules that a path in `here` leads to: those that it spells, and the one that defines the name.
    fn modules_of(&self, here: &[String], path: &[String]) -> BTreeMap<Module, bool> {
        let mut found = BTreeMap::new();
        let mut next = self.absolute(here, path);
        // A name may be handed on several times.
        for _ in 0..8 {
            let Some(path) = next.take() else { break };
            let spelled = (0..=path.len()).rev().find(|n| self.modules.contains(&path[..*n])).unwrap_or(0);
            let (module, rest) = path.split_at(spelled);
            let defines = found.entry(module.to_vec()).or_insert(false);
            let Some((name, rest)) = rest.split_first() else { break };
            let brought = self.brought.get(module).and_then(|names| names.get(name));
            *defines |= brought.is_none();
            next = brought.and_then(|path| self.absolute(module, path)).map(|mut path| {
                path.extend_from_slice(rest);
                path
            });
        }
        found
    }

    /// A path from the root of the package; `None` of one that leads out of it.
    fn absolute(&self, here: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        let below = |base: &[String], rest: &[String]| [base, rest].concat();
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some(below(here, rest)),
            "super" => {
                let ups = path.iter().take_while(|word| *word == "super").count();
                Some(below(&here[..here.len().checked_sub(ups)?], &path[ups..]))
            }
            _ if self.modules.contains(&below(here, &path[..1])) => Some(below(here, path)),
            _ => {
                let brought = self.brought.get(here)?.get(first)?;
                // `use name::name` of another package would lead to itself.
                (brought.first() != Some(first)).then(|| self.absolute(here, &below(brought, rest)))?
            }
        }
    }
}

fn module_of(root: &Path, file: &Path) -> Module {
    let below = file.strip_prefix(root).unwrap().with_extension("");
    let mut module: Module = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

type Paths = Vec<(usize, Vec<String>)>;

/// The paths in the code of a file, and what its `use` items bring.
fn paths_of(file: &File) -> (Paths, BTreeMap<String, Vec<String>>) {
    let (mut paths, mut brought) = (Vec::new(), BTreeMap::new());
    let mut lines = file.code().into_iter();
    while let Some((number, line)) = lines.next() {
        let Some(tree) = used(line) else {
            paths.extend(paths_in(line).map(|path| (number, path)));
            continue;
        };
        let mut tree = tree.to_owned();
        while !tree.trim_end().ends_with(';') {
            tree.push_str(lines.next().expect("an item ends").1);
        }
        for (path, name) in leaves(tree.trim_end().trim_end_matches(';')) {
            paths.push((number, path.clone()));
            brought.insert(name, path);
        }
    }
    (paths, brought)
}

/// What follows `use`, `pub use` or `pub(…) use`.
fn used(line: &str) -> Option<&str> {
    let text = line.trim_start();
    let text = match text.strip_prefix("pub") {
        Some(rest) => {
            rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map_or(rest, |(_, rest)| rest)
        }
        None => text,
    };
    text.trim_start().strip_prefix("use ")
}

/// `a::b::C` wherever it is in a line.
fn paths_in(line: &str) -> impl Iterator<Item = Vec<String>> {
    let tokens = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != ':');
    tokens.filter(|token| token.contains("::")).filter_map(|token| {
        let words = token.trim_matches(':').split("::");
        let path: Vec<String> =
            words.map(|word| word.rsplit(':').next().unwrap_or(word).to_owned()).collect();
        (path.len() > 1).then_some(path)
    })
}

/// `a::{b, c::{self, D as E}}` as its paths, each with the name that it has from then on.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    let tree = tree.trim();
    if let Some((before, inner)) = tree.split_once('{') {
        let inner = inner.trim_end().strip_suffix('}').expect("braces are closed");
        let (mut depth, mut items) = (0, vec![String::new()]);
        for c in inner.chars() {
            depth += i32::from(c == '{') - i32::from(c == '}');
            match (depth, c) {
                (0, ',') => items.push(String::new()),
                _ => items.last_mut().expect("one at least").push(c),
            }
        }
        let items = items.iter().filter(|item| !item.trim().is_empty());
        return items.flat_map(|item| leaves(&format!("{before}{}", item.trim()))).collect();
    }
    let (path, alias) = match tree.split_once(" as ") {
        Some((path, alias)) => (path, Some(alias.trim().to_owned())),
        None => (tree, None),
    };
    let mut path: Vec<String> = path.split("::").map(|word| word.trim().to_owned()).collect();
    if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let name = alias.unwrap_or_else(|| path.last().expect("a path has a word").clone());
    vec![(path, name)]
}

#[test]
fn trees_of_use_are_taken_apart() {
    let shown = |tree: &str| {
        let leaves = leaves(tree).into_iter().map(|(path, name)| format!("{} = {name}", path.join("::")));
        leaves.collect::<Vec<_>>()
    };
    let all = ["crate::a = a", "crate::a::b::C = D", "crate::e = e"];
    assert_eq!(shown("crate::{a::{self, b::{C as D}}, e}"), all);
    assert_eq!(shown("super::Spec"), ["super::Spec = Spec"]);
}

/// What a root hands on is not its own.
#[test]
fn what_names_the_own_things_of_a_root_is_found() {
    let file =
        |path: &str, text: &str| File { path: path.into(), area: String::new(), text: text.to_owned() };
    let files = [
        file("src/a.rs", "use super::Spec;\nuse crate::Whole;\n\nuse std::io;\n"),
        file("src/lib.rs", "mod a;\nmod spec;\n\npub use spec::Spec;\n\npub struct Whole;\n"),
        file("src/spec.rs", "use crate::a;\n\npub struct Spec;\n"),
    ];
    let named = named(Path::new("src"), &files.iter().collect::<Vec<_>>());
    assert_eq!(up_to(&[], &named), ["src/a.rs:2"]);
    assert_eq!(up_to(&["a".to_owned()], &named), [] as [&str; 0]);
}

/// Two files of a folder that name each other by what the folder's `mod.rs` hands on.
#[test]
fn a_name_that_is_handed_on_leads_to_where_it_is_defined() {
    let file =
        |path: &str, text: &str| File { path: path.into(), area: String::new(), text: text.to_owned() };
    let files = [
        file("src/a/mod.rs", "mod section;\nmod spec;\n\npub use spec::Spec;\n"),
        file("src/a/section.rs", "use super::Spec;\n"),
        file("src/a/spec.rs", "pub struct Spec;\n\nfn all() {\n    super::section::all();\n}\n"),
        file("src/b.rs", "use crate::a::{self, Spec};\n\nuse serde::Serialize;\n"),
    ];
    let arrows = arrows(&named(Path::new("src"), &files.iter().collect::<Vec<_>>()));
    let all: Vec<_> = arrows.iter().map(Arrow::to_string).collect();
    let circle = ["src/a/section.rs:1: section names spec", "src/a/spec.rs:4: spec names section"];
    assert_eq!(all, ["src/b.rs:1: b names a", circle[0], circle[1]]);
    assert_eq!(in_circles(&arrows).into_iter().map(Arrow::to_string).collect::<Vec<_>>(), circle);
}
