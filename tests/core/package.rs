//! What the packages of crates.io have in them: `cargo build` of one finds all that it builds in.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use regex_lite::Regex;

/// The packages, each with its folder. One below another is not in it.
const PACKAGES: [&str; 3] = ["src/iam", "src/sandbox", ""];

fn package_of(path: &Path) -> &'static str {
    PACKAGES.into_iter().find(|folder| path.starts_with(folder)).expect("the last has all")
}

/// The path without `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{} leads out of the repository", path.display()),
            part => plain.push(part),
        }
        plain
    })
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// `include` of the manifest, which only the package of the program has: the others are whole folders.
#[test]
fn what_is_built_in_is_in_its_package() {
    let manifest: toml::Table = std::fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let include = manifest["package"]["include"].as_array().unwrap().iter();
    let include: Vec<&str> = include.map(|pattern| pattern.as_str().unwrap()).collect();
    let is_included = |path: &Path| {
        let folders = include.iter().filter(|pattern| !pattern.contains('*'));
        folders.into_iter().any(|folder| path.starts_with(folder.trim_start_matches('/')))
    };
    // The first literal: of `concat!` the folder.
    let built_in = Regex::new(r#"\binclude(?:_str|_bytes)?!\(\s*(?:concat!\(\s*)?"([^"]+)""#).unwrap();
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    let (mut wrong, mut count) = (Vec::new(), 0);
    for file in &files {
        let package = package_of(file);
        let text = std::fs::read_to_string(file).unwrap();
        // Tests are run in the repository.
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        for found in built_in.captures_iter(code) {
            count += 1;
            let path = plain(&file.parent().unwrap().join(&found[1]));
            let is_there = path.exists() && package_of(&path) == package;
            if !is_there || package.is_empty() && !is_included(&path) {
                wrong.push(format!("{} builds in {}", file.display(), path.display()));
            }
        }
    }
    assert_eq!(wrong, [] as [&str; 0], "not in the package");
    assert!(count > 20, "only {count} were found");
    assert!(is_included(Path::new(manifest["package"]["readme"].as_str().unwrap())));
    for member in PACKAGES.iter().filter(|folder| !folder.is_empty()) {
        let text = std::fs::read_to_string(format!("{member}/Cargo.toml")).unwrap();
        let manifest: toml::Table = text.parse().unwrap();
        // It is the package's page on crates.io.
        let readme = manifest["package"]["readme"].as_str().expect("there is one");
        assert!(Path::new(member).join(readme).exists(), "{member} has no {readme}");
        assert!(!manifest["package"].as_table().unwrap().contains_key("include"), "{member} has a list now");
    }
}

/// Folders of the repository that have a file of this name, as `/folder`.
fn folders_with(name: &str) -> Vec<String> {
    fn walk(folder: &Path, name: &str, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let last = path.file_name().unwrap().to_str().unwrap_or_default();
            if path.is_dir() && !["target", ".git", "node_modules", ".opsctl"].contains(&last) {
                walk(&path, name, found);
            } else if last == name {
                let folder = folder.strip_prefix(".").unwrap();
                found.push(format!("/{}", folder.display()));
            }
        }
    }
    let mut found = Vec::new();
    walk(Path::new("."), name, &mut found);
    found.sort();
    found
}

/// Whatever has dependencies of its own is watched for newer ones.
#[test]
fn dependabot_watches_all_that_has_dependencies() {
    let config = std::fs::read_to_string(".github/dependabot.yml").unwrap();
    let entry = Regex::new(r"package-ecosystem: ([a-z-]+)\n +director(?:y|ies): \[?([^\]\n]+)").unwrap();
    let watched: Vec<(&str, Vec<&str>)> = entry
        .captures_iter(&config)
        .map(|found| (found.get(1).unwrap().as_str(), found.get(2).unwrap().as_str().split(", ").collect()))
        .collect();
    for (ecosystem, file) in [("cargo", "Cargo.lock"), ("npm", "package.json"), ("docker", "Dockerfile")] {
        let folders = watched.iter().find(|(known, _)| *known == ecosystem).map(|(_, folders)| folders);
        let folders: BTreeSet<String> =
            folders.into_iter().flatten().map(|folder| (*folder).to_owned()).collect();
        assert_eq!(folders, BTreeSet::from_iter(folders_with(file)), "{ecosystem}");
    }
}

/// Cargo looks after the packages of one workspace; those that stand alone are named one by one.
#[test]
fn every_workspace_is_formatted_and_linted() {
    let run = std::fs::read_to_string(".ci/run").unwrap();
    let named = run.lines().find_map(|line| line.strip_prefix("for package in ")?.strip_suffix("; do"));
    let named: Vec<String> =
        named.expect("there is a loop").split(' ').map(|folder| format!("/{folder}")).collect();
    let mut locked = folders_with("Cargo.lock");
    locked.retain(|folder| folder != "/");
    assert_eq!(BTreeSet::from_iter(named), BTreeSet::from_iter(locked));
}

/// Workflows read versions out of `Cargo.toml` with `sed`: what comes out is the very version.
#[test]
fn workflows_read_the_versions_of_the_manifest() {
    let manifest: toml::Table = std::fs::read_to_string("Cargo.toml").unwrap().parse().unwrap();
    let package = manifest["workspace"]["package"].as_table().unwrap();
    let reads = Regex::new(r#"\$\((sed -n '[^']+' Cargo\.toml)\)"#).unwrap();
    for (workflow, key) in [("ci", "rust-version"), ("release", "version")] {
        let text = std::fs::read_to_string(format!(".github/workflows/{workflow}.yml")).unwrap();
        let commands: Vec<&str> =
            reads.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()).collect();
        let [command] = commands[..] else { panic!("{workflow}: {commands:?}") };
        let ran = std::process::Command::new("sh").args(["-c", command]).output().unwrap();
        let read = String::from_utf8(ran.stdout).unwrap();
        assert_eq!(Some(read.trim_end()), package[key].as_str(), "{workflow}: {command}");
    }
}
