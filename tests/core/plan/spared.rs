//! What is wanted when files that it is made of are missing: the same resources, and which of them nobody can
//! compare.

use std::collections::BTreeSet;
use std::path::Path;

use opsctl::config::{Config, Document};
use opsctl::desired::{self, Desired};
use opsctl::domain::{Diagnostics, Scope};
use opsctl::inputs::Inputs;
use opsctl::resources::kinds;

use crate::project;

const CONFIG: &str = r#"
[project]
name = "shop"
region = "us-east-1"
[data.d]
path = "data"
[model.m]
artifact = "model.tar.gz"
[training.a]
source = "src"
entry = "train.py"
data = ["d"]
[endpoint.e]
model = "m"
code = "serving"
[endpoint.t]
model = "a"
[function.f]
endpoint = "e"
source = "fn"
handler = "app.h"
[notebook.n]
"#;

const FILES: &[&str] = &["data/a.csv", "model.tar.gz", "src/train.py", "serving/inference.py", "fn/app.py"];

fn read(folder: &Path, spares: bool) -> (Desired, Diagnostics) {
    let document = Document::parse(&folder.join("opsctl.toml"), CONFIG.to_owned()).unwrap();
    let kinds = kinds();
    let (config, problems) = Config::read(&document, "dev", &project::sections(&kinds));
    assert!(!problems.has_errors(), "{problems:#?}");
    let mut inputs = Inputs::read(folder, desired::sources(&config, &kinds));
    if spares {
        inputs.spare();
    }
    desired::build(&config, &Scope::new("shop", "dev", "123456789012", "us-east-1"), &inputs, &kinds)
}

fn ids(desired: &Desired) -> BTreeSet<String> {
    desired.nodes.iter().map(|node| node.id.to_string()).collect()
}

#[test]
fn a_missing_file_takes_nothing_from_what_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    for file in FILES {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "h = 1\n").unwrap();
    }
    let archive = opsctl::archive::tar_gz(&[("weights", b"1")]);
    std::fs::write(folder.path().join("model.tar.gz"), archive).unwrap();
    let (whole, problems) = read(folder.path(), true);
    assert!(!problems.has_errors(), "{problems:#?}");
    assert_eq!(whole.unread.keys().collect::<Vec<_>>(), Vec::<&_>::new());

    for (path, of_it) in [
        ("data", &["data/d", "training/a", "model/t", "endpoint/t"][..]),
        ("model.tar.gz", &["model/e", "endpoint-config/e", "endpoint/e", "function/f"]),
        ("src", &["training/a", "model/t", "endpoint/t"]),
        ("serving", &["model/e", "endpoint/e", "function/f"]),
        ("fn/app.py", &["function/f"]),
    ] {
        let (here, away) = (folder.path().join(path), folder.path().join("away"));
        std::fs::rename(&here, &away).unwrap();
        let (spared, mut problems) = read(folder.path(), true);
        std::fs::rename(&away, &here).unwrap();
        assert!(problems.has_errors(), "{path}");
        problems.spare_files();
        assert!(!problems.has_errors(), "{path}: {problems:#?}");
        assert_eq!(ids(&spared), ids(&whole), "{path}");
        let unread: BTreeSet<String> = spared.unread.keys().map(ToString::to_string).collect();
        for id in of_it {
            assert!(unread.contains(*id), "{path}: {id} is not among {unread:?}");
        }
        for id in ["notebook/n", "bucket/main"] {
            assert!(!unread.contains(id), "{path}: {id}");
        }
        let elsewhere = if path == "fn/app.py" { "endpoint/e" } else { "role/function-f" };
        let is_of_endpoint = ["model.tar.gz", "serving"].contains(&path);
        assert!(is_of_endpoint || !unread.contains(elsewhere), "{path}: {unread:?}");
    }
    // Whoever makes something needs all.
    std::fs::rename(folder.path().join("fn"), folder.path().join("away")).unwrap();
    assert!(!ids(&read(folder.path(), false).0).contains("function/f"));
}
