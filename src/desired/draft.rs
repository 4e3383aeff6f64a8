//! The graph under construction: what a kind's `desired` writes to and looks things up in.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::config::section;
use crate::config::{Access, Config, Name, Network};
use crate::desired::{Desired, GivenRole, Node, unread};
use crate::domain::{
    Code, Diagnostic, Diagnostics, HumanDuration, KeyPath, KindName, ResourceId, Scope, bytes, codes,
};
use crate::inputs::{Entry, Inputs, Installed, LeftOut, Listing, Remote, Strays, Tree, UseAs};

/// Nodes so far, and the problems found while making them.
#[derive(Debug)]
pub struct Draft<'a> {
    config: &'a Config,
    inputs: &'a Inputs,
    pub scope: &'a Scope,
    pub problems: Diagnostics,
    nodes: Vec<Node>,
    /// Where each node stands among `nodes`.
    places: BTreeMap<KindName, HashMap<String, usize>>,
    origin: BTreeMap<ResourceId, KeyPath>,
    reasons: BTreeMap<ResourceId, String>,
    given: Vec<GivenRole>,
    /// Whose each exact name is, and whether the config fixes it.
    pub(super) names: BTreeMap<(KindName, String), (ResourceId, bool)>,
    /// What sections say that is no resource.
    kept: BTreeMap<ResourceId, Box<dyn Any>>,
    /// What is read of it: the section of the one, and that of the other.
    reads: Vec<(KeyPath, KeyPath)>,
    /// The sections that name a file which cannot be read, and why: of several that name one, each.
    pub(super) unread: Vec<(KeyPath, String)>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(config: &'a Config, scope: &'a Scope, inputs: &'a Inputs) -> Self {
        Self {
            config,
            inputs,
            scope,
            problems: Diagnostics::default(),
            nodes: vec![],
            places: BTreeMap::new(),
            origin: BTreeMap::new(),
            reasons: BTreeMap::new(),
            given: Vec::new(),
            names: BTreeMap::new(),
            kept: BTreeMap::new(),
            reads: Vec::new(),
            unread: Vec::new(),
        }
    }

    pub(super) fn finish(mut self) -> (Desired, Diagnostics) {
        if let Some(Err(problem)) = self.inputs.key() {
            self.problems.push(problem.clone());
        }
        let (kms_key, former_kms_keys) = (self.kms_key(), self.former_kms_keys());
        let unread = unread::of(&self.nodes, &self.origin, &self.unread_sections());
        let desired = Desired::new(self.scope.clone(), self.nodes, self.origin);
        (
            Desired {
                reasons: self.reasons,
                tags: self.config.project.tags.clone(),
                given: self.given,
                kms_key,
                former_kms_keys,
                unread,
                ..desired
            },
            self.problems,
        )
    }

    /// The sections of which a file could not be read that something stands in for, and why.
    fn unread_sections(&self) -> BTreeMap<KeyPath, String> {
        if self.inputs.stand_in().is_none() {
            return BTreeMap::new();
        }
        let of_files = self.problems.0.iter().filter(|problem| problem.code.is_of_files());
        let problems = of_files.map(|problem| (problem.at.section(), problem.message.clone()));
        let mut sections: BTreeMap<_, _> = self.unread.iter().cloned().chain(problems).collect();
        for (by, what) in &self.reads {
            if let Some(why) = sections.get(what).cloned() {
                sections.entry(by.clone()).or_insert(why);
            }
        }
        sections
    }

    pub(super) fn push(&mut self, node: Node, at: KeyPath) {
        self.origin.insert(node.id.clone(), at);
        self.places.entry(node.id.kind).or_default().insert(node.id.name.clone(), self.nodes.len());
        self.nodes.push(node);
    }

    pub(super) fn node_mut(&mut self, kind: KindName, name: &str) -> Option<&mut Node> {
        let place = self.places.get(&kind)?.get(name)?;
        self.nodes.get_mut(*place)
    }

    /// How long after a deploy the project is to end.
    pub fn ttl(&self) -> Option<HumanDuration> {
        self.config.project.ttl
    }

    /// The account and the region of the project, as far as the file names them.
    pub fn home(&self) -> (Option<&'a str>, Option<&'a str>) {
        let project = &self.config.project;
        (project.account.as_deref(), project.region.as_deref())
    }

    /// Takes note of a role that somebody else made.
    pub fn gives(&mut self, role: GivenRole) {
        self.given.push(role);
    }

    /// What holds for every role that is made.
    pub fn access(&self) -> &'a Access {
        &self.config.access
    }

    /// The network that an item names, and reports one that is not there. In one order, whatever that of the
    /// file is.
    pub fn network(&mut self, name: Option<&Name>, at: &KeyPath) -> Option<Network> {
        self.written_network(name, at).map(Network::sorted)
    }

    /// The same of what is in one subnet: the first of the file.
    pub fn first_of_network(&mut self, name: Option<&Name>, at: &KeyPath) -> Option<Network> {
        self.written_network(name, at).map(Network::first)
    }

    fn written_network(&mut self, name: Option<&Name>, at: &KeyPath) -> Option<Network> {
        let (name, config) = (name?, self.config);
        if let Some(network) = config.networks.get(name) {
            return Some(network.clone());
        }
        let known = config.networks.keys().map(|name| &**name);
        let help = match section::nearest(name, known) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("add a section [network.{name}]"),
        };
        self.error(
            codes::UNKNOWN_REFERENCE,
            at.join("network"),
            format!("there is no [network.{name}]"),
            help,
        );
        None
    }

    /// The ARN of the KMS key that everything is encrypted with; that of its alias while nobody has looked it
    /// up.
    pub fn kms_key(&self) -> Option<String> {
        let written = self.config.encryption.kms_key.as_deref()?;
        match self.inputs.key() {
            Some(Ok(found)) => Some(found.clone()),
            _ if written.starts_with("alias/") => Some(self.scope.arn("kms", written)),
            _ => Some(written.to_owned()),
        }
    }

    /// Other keys that objects of the bucket may be under.
    pub fn former_kms_keys(&self) -> Vec<String> {
        let (now, written) = (self.kms_key(), &self.config.encryption.former_kms_keys);
        let former: BTreeSet<&String> = written.iter().filter(|key| now.as_ref() != Some(key)).collect();
        former.into_iter().cloned().collect()
    }

    /// Keeps the user's own reason for the size of a resource; words alone, so a blank text is none.
    pub fn reason(&mut self, id: &ResourceId, why: Option<&str>) {
        if let Some(why) = why.map(str::trim).filter(|why| !why.is_empty()) {
            self.reasons.insert(id.clone(), why.to_owned());
        }
    }

    /// What has been added so far under this name.
    pub fn node(&self, kind: KindName, name: &str) -> Option<&Node> {
        let place = self.places.get(&kind)?.get(name)?;
        self.nodes.get(*place)
    }

    /// Keeps what a section says for the kinds after it, where that is no resource of this project.
    pub fn keep(&mut self, id: ResourceId, value: impl Any) {
        self.kept.insert(id, Box::new(value));
    }

    /// Notes that what the section at `by` makes is made of what that at `what` says, where no edge between
    /// nodes says it.
    pub fn reads(&mut self, by: &KeyPath, what: &KeyPath) {
        self.reads.push((by.section(), what.section()));
    }

    /// What [`Draft::keep`] has kept.
    pub fn kept<T: Any>(&self, id: &ResourceId) -> Option<&T> {
        self.kept.get(id)?.downcast_ref()
    }

    /// All of a kind.
    pub fn all_kept<T: Any>(&self, kind: KindName) -> impl Iterator<Item = (&ResourceId, &T)> {
        let of_kind = self.kept.iter().filter(move |(id, _)| id.kind == kind);
        of_kind.filter_map(|(id, value)| Some((id, value.downcast_ref()?)))
    }

    /// What was found in another bucket; `None` while nobody has looked. Reports why it cannot be read.
    pub fn listing(&mut self, remote: &Remote) -> Option<&'a Listing> {
        match self.inputs.listing(remote)? {
            Ok(listing) => Some(listing),
            Err(problem) => {
                self.problems.push(problem.clone());
                None
            }
        }
    }

    /// What is of a data set in the bucket and not in its folder; `None` while nobody has looked.
    pub fn strays(&self, uri: &str) -> Option<&'a Strays> {
        self.inputs.strays(uri)
    }

    /// A node that the config refers to by name at `at`; `section` is what the user calls it. Reports when it
    /// is missing.
    pub fn find(&mut self, kinds: &[KindName], name: &str, section: &str, at: KeyPath) -> Option<Node> {
        self.find_in(kinds, name, &[section], at)
    }

    /// The same where the name may be in several sections; those that the file does not have are not spoken
    /// of, but for the first.
    pub fn find_in(
        &mut self,
        kinds: &[KindName],
        name: &str,
        sections: &[&str],
        at: KeyPath,
    ) -> Option<Node> {
        if let Some(node) = kinds.iter().find_map(|kind| self.node(*kind, name)) {
            return Some(node.clone());
        }
        // When the section is there but its node is not, the section's own problem was reported already.
        let config = self.config;
        let names = |section: &str| config.section(section).and_then(|s| s.as_object());
        let defined: Vec<_> = sections.iter().filter_map(|section| names(section)).collect();
        if defined.iter().any(|section| section.contains_key(name)) {
            return None;
        }
        let known: Vec<&str> =
            defined.iter().flat_map(|section| section.keys()).map(String::as_str).collect();
        let first = sections.first().copied().unwrap_or_default();
        let help = match section::nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if known.is_empty() => format!("add a section [{first}.{name}]"),
            None => format!("defined are: {}", known.join(", ")),
        };
        let others = sections.iter().skip(1).filter(|section| names(section).is_some());
        let places: Vec<String> =
            [&first].into_iter().chain(others).map(|section| format!("[{section}.{name}]")).collect();
        self.error(codes::UNKNOWN_REFERENCE, at, format!("there is no {}", places.join(" or ")), help);
        None
    }

    /// A folder that was read for this run. Reports why when it was not readable.
    pub fn tree(&mut self, path: &Path, use_as: &UseAs) -> Option<&'a Tree> {
        match self.inputs.tree(path, use_as)? {
            Ok(tree) => Some(tree),
            Err(problem) => {
                self.problems.push(problem.clone());
                None
            }
        }
    }

    /// The same, or what stands in for it ([`Inputs::spare`]).
    pub fn tree_or_stand_in(&mut self, path: &Path, use_as: &UseAs) -> Option<&'a Tree> {
        let inputs = self.inputs;
        self.tree(path, use_as).or(inputs.stand_in())
    }

    /// A code folder that must hold `entry`, or what stands in for it ([`Inputs::spare`]).
    pub fn code(&mut self, path: &Path, use_as: &UseAs, entry: &str, at: &KeyPath) -> Option<&'a Tree> {
        let inputs = self.inputs;
        self.code_with(path, use_as, entry, at).or(inputs.stand_in())
    }

    fn code_with(&mut self, path: &Path, use_as: &UseAs, entry: &str, at: &KeyPath) -> Option<&'a Tree> {
        let tree = self.tree(path, use_as)?;
        let is_inside = Path::new(entry).components().all(|part| matches!(part, Component::Normal(_)));
        if tree.entry(entry).is_none() && is_inside && tree.root.join(entry).is_file() {
            let (why, help) = self.why_left_out(tree, entry);
            let message = format!("`{entry}` is left out of what is packed of {}{why}", path.display());
            // At the key that leaves it out, where the entry is not written.
            let beside = |key: &str| at.parent().map(|section| section.join(key));
            let keys = [Some(at.clone()), beside("include"), beside("exclude")];
            let written = keys.into_iter().flatten().find(|key| self.is_written(key));
            self.error(codes::NOT_IN_SOURCE, written.unwrap_or_else(|| at.clone()), message, help);
            return None;
        }
        if tree.entry(entry).is_none() {
            let near = section::nearest(entry, tree.entries.iter().map(|e| &*e.path));
            let help = near.map_or_else(
                || format!("{} has: {}", path.display(), first_few(tree)),
                |near| format!("did you mean \"{near}\"?"),
            );
            let message = format!("there is no file `{entry}` in {}", path.display());
            self.error(codes::NOT_IN_SOURCE, at.clone(), message, help);
            return None;
        }
        self.warn_of_data(path, tree, at);
        self.warn_of_tracked(path, tree, at);
        self.warn_of_secrets(path, tree, at);
        Some(tree)
    }

    /// What leaves a file out of a folder of code, and what brings it back.
    fn why_left_out(&self, tree: &Tree, entry: &str) -> (String, String) {
        let Some((path, why)) = tree.left_out(entry) else {
            return (String::new(), "name it by `include`, or take it out of `exclude`".to_owned());
        };
        let folder = if path.len() < entry.len() { "/" } else { "" };
        let back = format!("exclude = [\"!/{path}{folder}\"]");
        match why {
            LeftOut::Ignored { file, pattern, .. } => {
                let file = self.below(file);
                (
                    format!(" by `{pattern}` in {}", file.display()),
                    match file.ends_with(".gitignore") {
                        true => format!("`{back}` packs it all the same"),
                        false => {
                            "take it out of that file, or write a line for it that begins with `!`".to_owned()
                        }
                    },
                )
            }
            LeftOut::Excluded(pattern) => {
                (format!(" by `{pattern}` in `exclude`"), "take it out of `exclude`".to_owned())
            }
            LeftOut::NoCode(pattern) => (
                format!(": `{pattern}` is what opsctl takes for no code"),
                format!("`{back}` packs it all the same"),
            ),
            LeftOut::NotIncluded => {
                (": no pattern of `include` is of it".to_owned(), "name it by `include`".to_owned())
            }
        }
    }

    /// A real path, as the config's folder sees it.
    fn below(&self, file: &Path) -> PathBuf {
        let folder = self.folder().canonicalize().ok();
        let below = folder.and_then(|folder| Some(file.strip_prefix(folder).ok()?.to_owned()));
        below.unwrap_or_else(|| file.to_owned())
    }

    /// The key that names the folder of an entry, where that is written.
    fn folder_of(&self, entry: &KeyPath) -> KeyPath {
        let section = entry.parent().unwrap_or_default();
        let mut keys = ["source", "code"].into_iter().map(|key| section.join(key));
        keys.find(|key| self.is_written(key)).unwrap_or_else(|| entry.clone())
    }

    /// What is committed is in every checkout, so nobody looks for it in an ignore file.
    fn warn_of_tracked(&mut self, code: &Path, tree: &Tree, at: &KeyPath) {
        let tracked = tree.left_out.iter().filter_map(|(path, why)| match why {
            LeftOut::Ignored { file, pattern, is_tracked: true } => Some((path, file, pattern)),
            _ => None,
        });
        let tracked: Vec<_> = tracked.collect();
        let Some((path, file, pattern)) = tracked.first() else { return };
        let more = match tracked.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more,"),
        };
        let (file, code) = (self.below(file), code.display());
        let message = format!(
            "`{path}`{more} is in git, but not in what is packed of {code}: `{pattern}` in {} leaves it out",
            file.display()
        );
        let folder = if tree.root.join(path).is_dir() { "/" } else { "" };
        let help = format!(
            "`exclude = [\"!/{path}{folder}\"]` packs it; without the `!` it is left out without this warning"
        );
        self.warn(codes::TRACKED_LEFT_OUT, self.folder_of(at), message, help);
    }

    /// Archives of code are in the bucket, and on every machine that runs it.
    fn warn_of_secrets(&mut self, code: &Path, tree: &Tree, at: &KeyPath) {
        let Some(file) = tree.entries.iter().find(|entry| holds_secrets(entry)) else { return };
        let message = format!(
            "`{}` is packed with the code of {}, and may hold secrets: whoever may read the bucket has them",
            file.path,
            code.display()
        );
        let help = format!("leave it out: exclude = [\"/{}\"]; or allow C137 in [lint]", file.path);
        self.warn(codes::SECRET_IN_CODE, self.folder_of(at), message, help);
    }

    /// What is installed from the code's own folder, where the program runs, has to be packed with it.
    pub fn warn_of_requirements(&mut self, tree: &Tree, at: &KeyPath) {
        const FILE: &str = "requirements.txt";
        let is_folder = !tree.below(&format!("{FILE}/")).is_empty();
        let folder = is_folder.then(|| (format!("`{FILE}` is a folder"), "write a file of that name"));
        let missing = Installed::of(&tree.entries).missing;
        let missing = missing.first().map(|(file, named)| {
            let message = format!("{file} names `{named}`, which is not packed with it");
            (message, "put it into the folder of the code, or take the line out")
        });
        if let Some((message, help)) = folder.or(missing) {
            self.warn(codes::NOT_THERE_TO_INSTALL, at.clone(), format!("{message}: pip will fail"), help);
        }
    }

    /// A container whose server runs pip in another folder than that of the code finds no path of it.
    pub fn warn_of_own_packages(&mut self, tree: &Tree, at: &KeyPath) {
        let own = Installed::of(&tree.entries).own;
        let Some((file, named)) = own.first() else { return };
        let message = format!(
            "{file} names `{named}`, and the server of this image runs pip in another folder than the \
             code's: the endpoint will not start"
        );
        let help = "modules beside the script are imported without being installed: put the package there, \
                    or name it by an address";
        self.warn(codes::NOT_THERE_TO_INSTALL, at.clone(), message, help);
    }

    /// Whether the key at `at` is in the file: else it has its default.
    pub fn is_written(&self, at: &KeyPath) -> bool {
        self.written(at).is_some()
    }

    /// The value at `at`, as the file has it.
    pub(super) fn written(&self, at: &KeyPath) -> Option<&'a Value> {
        let (first, rest) = at.0.split_first()?;
        rest.iter().try_fold(self.config.document.values().get(first)?, |value, key| value.get(key))
    }

    /// The texts that the items of a section have at a key, also of those that are wrong in something else.
    pub fn texts_written(&self, section: &str, key: &str) -> Vec<&'a str> {
        let items = self.config.document.values().get(section).and_then(Value::as_object);
        items.into_iter().flat_map(|items| items.values()).filter_map(|item| item[key].as_str()).collect()
    }

    /// Data inside a source would be packed into each archive, and every change of it would be a change of
    /// the code.
    fn warn_of_data(&mut self, code: &Path, tree: &Tree, at: &KeyPath) {
        let plain = |path: &Path| path.components().filter(|c| *c != Component::CurDir).collect::<PathBuf>();
        let inputs = self.inputs;
        let at = self.folder_of(at);
        for (data, set) in inputs.data_folders() {
            let data = plain(data);
            let Ok(inner) = data.strip_prefix(plain(code)) else { continue };
            let mut folder = inner.to_string_lossy().into_owned();
            if !folder.is_empty() {
                folder.push('/');
            }
            let is_data = |entry: &&Entry| set.entry(&entry.path[folder.len()..]).is_some();
            let files: Vec<&Entry> = tree.below(&folder).iter().filter(is_data).collect();
            if files.is_empty() {
                continue;
            }
            let size = bytes(files.iter().map(|entry| entry.size()).sum());
            let data = if folder.is_empty() { code.display() } else { data.display() };
            let message = format!(
                "the data set in {data} ({size}) is packed with the code, and a change of it is one of the code"
            );
            let help = match folder.is_empty() {
                true => {
                    "keep code and data in folders of their own, or say by `include` what is code".to_owned()
                }
                false => format!("leave it out: exclude = [\"/{folder}\"]"),
            };
            self.warn(codes::DATA_IN_SOURCE, at.clone(), message, help);
        }
    }

    /// The folder of the config file.
    pub fn folder(&self) -> PathBuf {
        self.config.document.folder().to_owned()
    }

    /// Reports what keeps the config from being used.
    pub fn error(&mut self, code: Code, at: KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Diagnostic::error(code, at, message, help));
    }

    /// Reports what will go badly, unless `[lint] allow` has its code.
    pub fn warn(&mut self, code: Code, at: KeyPath, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Diagnostic::warning(code, at, message, help));
    }
}

/// Whether a file is one that programs keep secrets in: by its name, or a private key.
fn holds_secrets(entry: &Entry) -> bool {
    let name = entry.path.rsplit('/').next().unwrap_or_default();
    // Beside it lie examples of it, which have none.
    let is_example = ["example", "sample", "template", "dist"].iter().any(|end| name.ends_with(end));
    let is_named = [".env", ".netrc", ".pypirc", ".pgpass"].contains(&name) || name.starts_with(".env.");
    let head = &entry.content[..entry.content.len().min(64)];
    let is_key = head.starts_with(b"-----BEGIN ") && head.windows(11).any(|part| part == b"PRIVATE KEY");
    is_key || is_named && !is_example && !entry.content.is_empty()
}

fn first_few(tree: &Tree) -> String {
    let names: Vec<&str> = tree.entries.iter().take(5).map(|e| &*e.path).collect();
    if names.is_empty() { "no files".into() } else { names.join(", ") }
}
