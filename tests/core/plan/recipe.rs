//! Projects as people may write them, made by chance: which sections there are, what they say, what lies in
//! the folders. One [`Edit`] changes one leaf, and the table below says what stands behind that leaf.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use opsctl::desired::Desired;
use opsctl::domain::{KindName, ResourceId};
use opsctl::resources::kinds;
use proptest::prelude::*;

use super::keys::{Key, MORE, TABLES};
use super::world::Files;

/// A key of a section, the values that it may have ("" leaves it out), each with another effect, and the
/// resources that have it in them. `*` in a name stands for the section's.
struct Leaf {
    key: String,
    values: Vec<String>,
    root: Vec<(KindName, String)>,
}

/// A section that there may be.
struct Sort {
    table: &'static str,
    names: &'static [&'static str],
    fixed: &'static str,
    leaves: Vec<Leaf>,
}

/// Of a sort only what nothing tells: how sections hang together, and the leaves whose values a person has to
/// know, or that are in more than the resource which its kind makes of the section.
struct Known {
    table: &'static str,
    kind: KindName,
    names: &'static [&'static str],
    fixed: &'static str,
    leaves: &'static [KnownLeaf],
}

/// A leaf, the values that it may have, and of which kinds and names it is.
type KnownLeaf = (&'static str, &'static [&'static str], &'static [(KindName, &'static str)]);

use KindName::{
    Autoscaling, Bucket, Data, Endpoint, EndpointConfig, Function, Instance, Model, Notebook, Role, Training,
};

const KNOWN: &[Known] = &[
    Known { table: "bucket", kind: Bucket, names: &["main"], fixed: "", leaves: &[] },
    Known {
        table: "data",
        kind: Data,
        names: &["digits", "letters"],
        fixed: "",
        leaves: &[
            ("path", &["\"data/digits\"", "\"data/more\""], &[(Data, "*")]),
            ("exclude", &["", "[\"1.csv\"]"], &[(Data, "*")]),
        ],
    },
    Known {
        table: "training",
        kind: Training,
        names: &["numbers", "words"],
        fixed: "source = \"training\"\n",
        leaves: &[
            ("entry", &["", "\"other.py\"", "\"run.sh\""], &[(Training, "*")]),
            ("image", &["", "\"pytorch-2.5\"", "\"pytorch-1.13\""], &[(Training, "*")]),
            // What it may read and write is in the role.
            ("checkpoints", &["", "true"], &[(Training, "*"), (Role, "training-*")]),
            ("hyperparameters.epochs", &["", "1", "2", "\"1.10\"", "\"1.1\""], &[(Training, "*")]),
            ("hyperparameters.rate", &["", "0.1", "0.2"], &[(Training, "*")]),
            ("hyperparameters.layers", &["", "[1, 2]", "{ a = 1 }", "\"[1]\""], &[(Training, "*")]),
            ("metrics.loss", &["", "'loss=([0-9]+)'", "'Loss=([0-9]+)'"], &[(Training, "*")]),
        ],
    },
    Known {
        table: "training",
        kind: Instance,
        names: &["numbers-on-ec2"],
        fixed: "on = \"ec2\"\nsource = \"training\"\n",
        leaves: &[
            ("entry", &["", "\"other.py\"", "\"run.sh\""], &[(Instance, "*")]),
            ("image", &["", "\"ami-0123456789abcdef0\""], &[(Instance, "*")]),
            ("instance_type", &["", "\"m5.xlarge\""], &[(Instance, "*")]),
            ("max_runtime", &["", "\"1h\""], &[(Instance, "*")]),
            ("hyperparameters.epochs", &["", "1", "2"], &[(Instance, "*")]),
            ("environment.COLOR", &["", "\"blue\"", "\"red\""], &[(Instance, "*")]),
            ("permissions", &["", MORE], &[(Role, "instance-*")]),
        ],
    },
    Known {
        table: "endpoint",
        kind: Endpoint,
        names: &["numbers", "words"],
        fixed: "code = \"serving\"\n",
        leaves: &[
            // Without one it is that of the training, so it is one that no training has.
            ("image", &["", "\"pytorch-2.4\""], &[(Model, "*")]),
            (
                "instance_type",
                &["\"ml.m5.large\"", "\"ml.c5.xlarge\"", "\"ml.m5.xlarge\""],
                &[(EndpointConfig, "*"), (Endpoint, "*")],
            ),
            ("entry", &["", "\"other.py\""], &[(Model, "*")]),
        ],
    },
    Known {
        table: "endpoint.autoscaling",
        kind: Autoscaling,
        names: &["numbers", "words"],
        fixed: "",
        leaves: &[],
    },
    Known {
        table: "function",
        kind: Function,
        names: &["classify", "read"],
        fixed: "source = \"function\"\n",
        leaves: &[
            ("handler", &["", "\"main.answer\""], &[(Function, "*")]),
            ("runtime", &["", "\"python3.12\""], &[(Function, "*")]),
        ],
    },
];

/// Whether there is a leaf for the key, or each section of the table has it as it is.
fn is_known(known: &Known, key: &Key) -> bool {
    let of_table = KNOWN.iter().filter(|other| other.table == known.table);
    let fixed = of_table.flat_map(|known| known.fixed.lines()).filter_map(|line| line.split(" = ").next());
    let leaves = known.leaves.iter().filter_map(|(leaf, ..)| leaf.split('.').next());
    fixed.chain(leaves).any(|known| known == key.key)
}

/// The leaf of a key that says enough of itself.
fn guessed(key: &Key, kind: KindName) -> Option<Leaf> {
    let (leaf, values) = key.leaf(kind)?;
    let root = match (key.is_of_permissions(), &key.sent_by(kind)[..]) {
        (true, _) => vec![(Role, format!("{kind}-*"))],
        (false, []) => vec![(kind, "*".to_owned())],
        (false, kinds) => kinds.iter().map(|kind| (*kind, "*".to_owned())).collect(),
    };
    Some(Leaf { key: leaf, values, root })
}

/// All sorts: those of [`KNOWN`] with the leaves that are not there, and a sort of every other section.
static SORTS: LazyLock<Vec<Sort>> = LazyLock::new(|| {
    let keys = |table: &str| {
        let of = TABLES.iter().find(|(of, _)| of == table);
        of.unwrap_or_else(|| panic!("the schema has no [{table}]"))
            .1
            .iter()
            .filter(|key| elsewhere(key).is_none())
    };
    let known = KNOWN.iter().enumerate().map(|(i, known)| {
        let first = KNOWN.iter().position(|other| other.table == known.table) == Some(i);
        let leaf = |(key, values, root): &(&str, &[&str], &[(KindName, &str)])| Leaf {
            key: (*key).to_owned(),
            values: values.iter().map(ToString::to_string).collect(),
            root: root.iter().map(|(kind, name)| (*kind, (*name).to_owned())).collect(),
        };
        // Where two kinds share a table, the second takes only what it says that it sends.
        let takes = |key: &&Key| first || key.bound_by(known.kind).next().is_some();
        let others = keys(known.table).filter(takes).filter(|key| !is_known(known, key));
        let leaves = known.leaves.iter().map(leaf).chain(others.filter_map(|key| guessed(key, known.kind)));
        Sort { table: known.table, names: known.names, fixed: known.fixed, leaves: leaves.collect() }
    });
    let mut sorts: Vec<Sort> = known.collect();
    for kind in kinds() {
        let Some(section) =
            kind.section().filter(|section| KNOWN.iter().all(|known| known.table != *section))
        else {
            continue;
        };
        let leaves: Vec<Leaf> = keys(section).filter_map(|key| guessed(key, kind.name())).collect();
        if !leaves.is_empty() {
            sorts.push(Sort { table: section, names: &["one", "two"], fixed: "", leaves });
        }
    }
    sorts
});

/// Keys that the recipes leave out, each with what holds it instead. `*` is any section.
pub const ELSEWHERE: &[(&str, &str)] = &[
    ("*.why", "words for people"),
    ("*.include", "inputs.rs: which files there are; of data leaves.rs"),
    ("*.role", "kinds/role.rs; it takes a resource away"),
    ("training.exclude", "inputs.rs: which files there are"),
    ("endpoint.exclude", "inputs.rs: which files there are"),
    ("function.exclude", "inputs.rs: which files there are"),
    ("endpoint.name", "kinds/names.rs: another resource beside the one before"),
    ("function.name", "kinds/names.rs"),
    ("notebook.name", "kinds/names.rs"),
    ("*.network", "kinds/network.rs: it names a section of its own"),
    ("*.isolation", "kinds/network.rs: it needs an algorithm, or an archive"),
    ("bucket.name", "growth.rs: another name is another bucket, with everything in it"),
    ("data.bandwidth", "how an upload works, not what is there"),
    ("data.delete", "changes.rs: with it a training reads the folder alone"),
    ("data.max_concurrency", "how an upload works, not what is there"),
    ("data.channel", "channels.rs: it is the training's"),
    ("data.content_type", "channels.rs: it is the training's"),
    ("data.input_mode", "channels.rs: it is the training's"),
    ("data.distribution", "channels.rs: it is the training's"),
    ("data.uri", "outside.rs: no resource comes of it"),
    ("data.version", "outside.rs; it needs `uri`"),
    ("training.data", "what a recipe refers to"),
    ("training.algorithm", "channels.rs: it stands in place of `source`"),
    ("training.inputs", "kinds/instance.rs; they name data sets"),
    ("training.outputs", "kinds/instance.rs: on EC2 alone"),
    ("training.packages", "kinds/packages.rs: not beside a requirements.txt"),
    ("training.max_wait", "leaves.rs; it needs `spot`"),
    ("training.instance_profile", "kinds/role.rs; it needs `role`"),
    ("model.artifact", "outside.rs: no resource comes of it without an endpoint"),
    ("model.image", "outside.rs: no resource comes of it without an endpoint"),
    ("model.environment", "outside.rs: no resource comes of it without an endpoint"),
    ("endpoint.model", "what a recipe refers to"),
    ("function.endpoint", "what a recipe refers to"),
    ("function.reserved_concurrency", "kinds/function.rs; it bounds `provisioned_concurrency`"),
];

/// Whether [`ELSEWHERE`] says where a key is held.
pub fn elsewhere(key: &Key) -> Option<&'static str> {
    let is = |named: &str| match named.strip_prefix("*.") {
        Some(of_all) => of_all == key.key,
        None => named == format!("{}.{}", key.table, key.key),
    };
    ELSEWHERE.iter().map(|(named, _)| *named).find(|named| is(named))
}

/// Files that sections are made of, with what has them in it.
const FILES: &[(&str, &[(KindName, &str)])] = &[
    ("training/train.py", &[(Training, "numbers"), (Training, "words"), (Instance, "numbers-on-ec2")]),
    ("serving/inference.py", &[(Model, "numbers"), (Model, "words")]),
    ("serving/other.py", &[(Model, "numbers"), (Model, "words")]),
    ("function/handler.py", &[(Function, "classify"), (Function, "read")]),
    ("data/digits/0.csv", &[(Data, "digits"), (Data, "letters")]),
];

/// Edges along which content goes into what needs it; along the others only the existence is needed.
const CONTENT: &[(KindName, KindName)] = &[
    (Data, Training),
    (Data, Instance),
    (Training, Model),
    (Instance, Model),
    (Model, EndpointConfig),
    (EndpointConfig, Endpoint),
];

/// A kind whose content is in its name: another content is another resource.
fn is_named_by_content(kind: KindName) -> bool {
    kinds()[kind as usize].fingerprinted()
}

#[derive(Clone, Debug)]
struct Section {
    sort: usize,
    name: usize,
    there: bool,
    /// The chosen value of each leaf.
    chosen: Vec<usize>,
    /// What it refers to: the first that is there, from this one on; for data a mask.
    refers: usize,
}

#[derive(Clone, Debug)]
pub struct Recipe {
    sections: Vec<Section>,
    /// What is in each of [`FILES`].
    files: Vec<u8>,
}

/// One change of one leaf.
#[derive(Clone, Debug)]
pub struct Edit {
    pub what: String,
    pub after: Recipe,
    roots: Vec<ResourceId>,
    /// A volume that is to shrink: AWS grows it only.
    again: bool,
}

/// The keys that a recipe may have: `training.hyperparameters`.
pub fn keys() -> BTreeSet<String> {
    let keys = SORTS.iter().flat_map(|sort| {
        let fixed = sort.fixed.lines().filter_map(|line| line.split(" = ").next());
        let leaves = sort.leaves.iter().filter_map(|leaf| leaf.key.split('.').next());
        fixed.chain(leaves).map(move |key| format!("{}.{key}", sort.table))
    });
    keys.collect()
}

pub fn any_recipe() -> impl Strategy<Value = Recipe> {
    let sections: Vec<_> = SORTS
        .iter()
        .enumerate()
        .flat_map(|(sort, s)| (0..s.names.len()).map(move |name| (sort, name)))
        .map(|(sort, name)| {
            let chosen: Vec<_> = SORTS[sort].leaves.iter().map(|leaf| 0..leaf.values.len()).collect();
            // More often there than not, or nothing would have what it refers to.
            (prop::bool::weighted(0.75), chosen, 0..4_usize)
                .prop_map(move |(there, chosen, refers)| Section { sort, name, there, chosen, refers })
        })
        .collect();
    let files = prop::collection::vec(0..3_u8, FILES.len());
    (sections, files).prop_map(|(sections, files)| Recipe { sections, files })
}

impl Recipe {
    /// A project with nothing but its bucket.
    pub fn nothing() -> Self {
        let leaves = SORTS[0].leaves.len();
        let bucket = Section { sort: 0, name: 0, there: true, chosen: vec![0; leaves], refers: 0 };
        Self { sections: vec![bucket], files: vec![0; FILES.len()] }
    }

    /// The sections that are written, with what they refer to: none refers to what is not there.
    fn written(&self) -> Vec<(&Section, Vec<&'static str>)> {
        let mut written: Vec<(&Section, Vec<&'static str>)> = Vec::new();
        for section in self.sections.iter().filter(|s| s.there || SORTS[s.sort].table == "bucket") {
            let names = |table: &str| -> Vec<&'static str> {
                let of = written.iter().filter(|(s, _)| SORTS[s.sort].table == table);
                of.map(|(s, _)| SORTS[s.sort].names[s.name]).collect()
            };
            let one = |table: &str| {
                let names = names(table);
                (!names.is_empty()).then(|| vec![names[section.refers % names.len()]])
            };
            let own = SORTS[section.sort].names[section.name];
            let on = |table: &str| names(table).contains(&own).then(|| vec![own]);
            let refers = match SORTS[section.sort].table {
                "training" => {
                    let data = names("data").into_iter().enumerate();
                    Some(data.filter(|(i, _)| section.refers >> i & 1 == 1).map(|(_, d)| d).collect())
                }
                "endpoint" => one("training"),
                "function" => one("endpoint"),
                "endpoint.autoscaling" => on("endpoint"),
                _ => Some(Vec::new()),
            };
            written.extend(refers.map(|refers| (section, refers)));
        }
        written
    }

    pub fn text(&self) -> String {
        let mut text = "[project]\nname = \"shop\"\nregion = \"us-east-1\"\n".to_owned();
        for (section, refers) in self.written() {
            let sort = &SORTS[section.sort];
            let name = sort.names[section.name];
            let quoted: Vec<String> = refers.iter().map(|name| format!("\"{name}\"")).collect();
            let (table, refers) = match sort.table {
                "bucket" => ("bucket".to_owned(), String::new()),
                "training" => (format!("training.{name}"), format!("data = [{}]\n", quoted.join(", "))),
                "endpoint" => (format!("endpoint.{name}"), format!("model = {}\n", quoted[0])),
                "function" => (format!("function.{name}"), format!("endpoint = {}\n", quoted[0])),
                "endpoint.autoscaling" => (format!("endpoint.{name}.autoscaling"), String::new()),
                table => (format!("{table}.{name}"), String::new()),
            };
            write!(text, "\n[{table}]\n{refers}{}", sort.fixed).unwrap();
            for (leaf, chosen) in sort.leaves.iter().zip(&section.chosen) {
                match &*leaf.values[*chosen] {
                    "" => {}
                    value => writeln!(text, "{} = {value}", leaf.key).unwrap(),
                }
            }
        }
        text
    }

    pub fn desired(&self) -> Desired {
        let mut files = Files::new();
        files.rewrite(self.text());
        for other in ["training/other.py", "training/run.sh", "function/main.py", "data/digits/1.csv"] {
            files.write(other, "def answer(event, context): ...\n");
        }
        for other in ["data/more/0.csv", "data/more/1.csv"] {
            files.write(other, "y\n");
        }
        for ((file, _), content) in FILES.iter().zip(&self.files) {
            files.write(file, &format!("def lambda_handler(event, context): ... # {content}\n"));
        }
        files.desired()
    }

    /// Every change of one leaf that there is, with any other value.
    pub fn edits(&self) -> Vec<Edit> {
        let written: BTreeSet<(usize, usize)> =
            self.written().iter().map(|(s, _)| (s.sort, s.name)).collect();
        let mut edits = Vec::new();
        for (at, section) in self.sections.iter().enumerate() {
            if !written.contains(&(section.sort, section.name)) {
                continue;
            }
            let sort = &SORTS[section.sort];
            let name = sort.names[section.name];
            for (i, leaf) in sort.leaves.iter().enumerate() {
                for value in (0..leaf.values.len()).filter(|value| *value != section.chosen[i]) {
                    let mut after = self.clone();
                    after.sections[at].chosen[i] = value;
                    let (from, to) = (&leaf.values[section.chosen[i]], &leaf.values[value]);
                    let what = format!("{}.{name}.{}: {from} -> {to}", sort.table, leaf.key);
                    let roots = leaf.root.iter().map(|(k, n)| ResourceId::new(*k, n.replace('*', name)));
                    // Without a value it has 5 GiB.
                    let size = |text: &str| text.parse().unwrap_or(5);
                    let shrinks = leaf.root[0].0 == Notebook && leaf.key == "volume_gb";
                    let again = shrinks && size(to) < size(from);
                    edits.push(Edit { what, after, roots: roots.collect(), again });
                }
            }
        }
        edits.extend(self.other_references());
        for (i, (file, roots)) in FILES.iter().enumerate() {
            let mut after = self.clone();
            after.files[i] = (self.files[i] + 1) % 3;
            let roots = roots.iter().map(|(kind, name)| ResourceId::new(*kind, *name)).collect();
            edits.push(Edit { what: (*file).to_owned(), after, roots, again: false });
        }
        edits
    }

    /// The same sections, of which one refers to others.
    fn other_references(&self) -> Vec<Edit> {
        let mut edits = Vec::new();
        for (section, before) in self.written() {
            let at = self.sections.iter().position(|s| (s.sort, s.name) == (section.sort, section.name));
            let sort = &SORTS[section.sort];
            let name = sort.names[section.name];
            // What it may reach is in its role.
            let (kind, role) = match sort.table {
                "training" if sort.fixed.contains("ec2") => (Instance, "instance"),
                "training" => (Training, "training"),
                "endpoint" => (Model, "endpoint"),
                "function" => (Function, "function"),
                _ => continue,
            };
            for refers in 0..4 {
                let mut after = self.clone();
                after.sections[at.unwrap()].refers = refers;
                let other = after
                    .written()
                    .into_iter()
                    .find(|(s, _)| (s.sort, s.name) == (section.sort, section.name));
                let other = other.unwrap().1;
                if other != before {
                    let what = format!("{}.{name}: {before:?} -> {other:?}", sort.table);
                    let roots =
                        vec![ResourceId::new(kind, name), ResourceId::new(Role, format!("{role}-{name}"))];
                    edits.push(Edit { what, after, roots, again: false });
                }
            }
        }
        edits
    }

    /// The value of a written leaf.
    fn value(&self, table: &str, name: &str, key: &str) -> &'static str {
        let section = self
            .sections
            .iter()
            .find(|s| SORTS[s.sort].table == table && SORTS[s.sort].names[s.name] == name);
        let section = section.unwrap();
        let i = SORTS[section.sort].leaves.iter().position(|leaf| leaf.key == key).unwrap();
        &SORTS[section.sort].leaves[i].values[section.chosen[i]]
    }
}

impl Edit {
    /// What must be done about it, and nothing else: from the table of leaves and the edges of the graph.
    pub fn steps(&self, want: &Desired) -> BTreeSet<String> {
        let mut changed: BTreeSet<ResourceId> =
            self.roots.iter().filter(|id| self.is_in(id, want)).cloned().collect();
        // Needs point to what stands before, so one pass finds all.
        for node in &want.nodes {
            let carries = |need: &&ResourceId| CONTENT.contains(&(need.kind, node.id.kind));
            if node.needs.iter().filter(carries).any(|need| changed.contains(need)) {
                changed.insert(node.id.clone());
            }
        }
        let mut steps = BTreeSet::new();
        let again = |id: &ResourceId| ["delete", "create"].map(|verb| format!("{verb} {id}"));
        for id in changed {
            match id.kind {
                Notebook if self.again => steps.extend(again(&id)),
                kind if is_named_by_content(kind) => drop(steps.insert(format!("create {id}"))),
                _ => drop(steps.insert(format!("update {id}"))),
            }
        }
        // docs/decisions/0024: scaling steps aside for another instance type.
        let detaches = self.roots.iter().find(|id| id.kind == Endpoint);
        let parts = want.nodes.iter().filter(|n| n.id.kind == Autoscaling);
        for part in parts.filter(|part| detaches.is_some_and(|whole| part.needs.contains(whole))) {
            steps.extend(again(&part.id));
        }
        steps
    }

    /// Whether the resource is there and has the leaf in it.
    fn is_in(&self, id: &ResourceId, want: &Desired) -> bool {
        if want.node(id).is_none() {
            return false;
        }
        let after = &self.after;
        match (self.what.as_str(), id.kind) {
            // A set of another folder, or one that leaves nothing out of this.
            ("data/digits/0.csv", _) => after.value("data", &id.name, "path") == "\"data/digits\"",
            _ => true,
        }
    }
}
