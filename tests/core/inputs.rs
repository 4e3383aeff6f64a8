//! Which files of a folder count, for code and for data.

use std::path::Path;

use opsctl::config::{Config, Document};
use opsctl::desired;
use opsctl::domain::KeyPath;
use opsctl::inputs::{Inputs, Record, Source, Tree, UseAs};
use opsctl::resources::kinds;

use crate::project::sections;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("it")).unwrap();
    for (path, content) in files {
        let file = folder.path().join("it").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
    }
    folder
}

#[track_caller]
fn tree(folder: &tempfile::TempDir, use_as: UseAs) -> Tree {
    let source = Source {
        path: "it".into(),
        use_as: use_as.clone(),
        at: KeyPath::of(["data", "it", "path"]),
        no_code: Vec::new(),
    };
    let inputs = Inputs::read(folder.path(), [source]);
    inputs.tree(Path::new("it"), &use_as).unwrap().clone().unwrap()
}

#[track_caller]
fn files(folder: &tempfile::TempDir, use_as: UseAs) -> Vec<String> {
    tree(folder, use_as).entries.into_iter().map(|e| e.path.as_ref().into()).collect()
}

fn data(include: &[&str], exclude: &[&str]) -> UseAs {
    let owned = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect();
    UseAs::Data { include: owned(include), exclude: owned(exclude) }
}

#[test]
fn gitignore_counts_for_code_and_not_for_data() {
    let folder = folder(&[(".gitignore", "*.csv\n"), ("train.py", ""), ("big.csv", "1")]);
    assert_eq!(files(&folder, UseAs::ALL_CODE), [".gitignore", "train.py"]);
    assert_eq!(files(&folder, data(&[], &[])), [".gitignore", "big.csv", "train.py"]);
}

#[test]
fn a_gitignore_above_counts_for_code() {
    let folder = folder(&[("train.py", ""), ("weights.bin", "1")]);
    std::fs::write(folder.path().join(".gitignore"), "*.bin\n").unwrap();
    assert_eq!(files(&folder, UseAs::ALL_CODE), ["train.py"]);
    assert_eq!(files(&folder, data(&[], &[])), ["train.py", "weights.bin"]);
}

#[test]
fn opsctlignore_counts_beside_include() {
    let folder = folder(&[
        (".opsctlignore", "private.csv\n"),
        ("train/a.csv", ""),
        ("private.csv", ""),
        ("b.csv", ""),
    ]);
    assert_eq!(files(&folder, data(&["*.csv"], &[])), ["b.csv", "train/a.csv"]);
    assert_eq!(files(&folder, data(&["train"], &[])), ["train/a.csv"]);
    assert_eq!(files(&folder, data(&["train/", "!a.csv"], &[])), [] as [&str; 0]);
}

#[test]
fn what_opsctl_keeps_for_itself_is_not_sent() {
    // The last two as a killed `data pull` leaves them.
    let folder = folder(&[
        (".opsctl/cache/files.json", ""),
        ("a.csv", ""),
        (".opsctl-aB3xyz.part", "half"),
        ("sub/.opsctl-0aB3xy.part", "half"),
    ]);
    assert_eq!(files(&folder, data(&[], &[])), ["a.csv"]);
    assert_eq!(files(&folder, UseAs::ALL_CODE), ["a.csv"]);
}

/// Opening a folder in Finder or Jupyter would upload them, and train again.
#[test]
fn what_programs_leave_that_show_files_is_neither_code_nor_data() {
    let folder = folder(&[
        (".DS_Store", ""),
        ("cats/.DS_Store", ""),
        ("cats/1.jpg", ""),
        ("cats/Thumbs.db", ""),
        ("cats/desktop.ini", ""),
        (".ipynb_checkpoints/1-checkpoint.jpg", ""),
    ]);
    // Emacs' lock while somebody edits: a link to nothing. So may be what somebody leaves out.
    for link in [".#train.py", "cats/.#1.jpg", "gone"] {
        std::os::unix::fs::symlink("me@machine.1:2", folder.path().join("it").join(link)).unwrap();
    }
    assert_eq!(files(&folder, data(&[], &["gone"])), ["cats/1.jpg"]);
    let code = UseAs::Code { include: Vec::new(), exclude: vec!["gone".to_owned()] };
    assert_eq!(files(&folder, code), ["cats/1.jpg"]);
    let wanted = data(&[], &["gone", "!.DS_Store"]);
    assert_eq!(files(&folder, wanted), [".DS_Store", "cats/.DS_Store", "cats/1.jpg"]);
}

#[test]
fn opsctlignore_counts_for_both_and_is_not_sent() {
    let folder =
        folder(&[(".opsctlignore", "*.tmp\n!keep.tmp\n"), ("a.tmp", ""), ("keep.tmp", ""), ("b.csv", "")]);
    assert_eq!(files(&folder, UseAs::ALL_CODE), ["b.csv", "keep.tmp"]);
    assert_eq!(files(&folder, data(&[], &[])), ["b.csv", "keep.tmp"]);
}

#[test]
fn caches_are_no_code() {
    let folder = folder(&[
        ("train.py", ""),
        ("__pycache__/train.pyc", ""),
        ("lib/__pycache__/x.pyc", ""),
        (".ipynb_checkpoints/a.ipynb", ""),
        (".git/HEAD", ""),
        (".DS_Store", ""),
        (".hidden/settings", ""),
    ]);
    assert_eq!(files(&folder, UseAs::ALL_CODE), [".hidden/settings", "train.py"]);
}

/// What is packed of a project that names its own folder as `source`.
#[track_caller]
fn packed(project: &tempfile::TempDir, use_as: UseAs) -> Vec<String> {
    let source = |path: &str, use_as: &UseAs| Source {
        path: path.into(),
        use_as: use_as.clone(),
        at: KeyPath::of(["training", "it", "source"]),
        no_code: vec!["TrainedModels".into()],
    };
    let sources =
        [source(".", &use_as), source("data/faces", &data(&[], &[])), source("weights.bin", &data(&[], &[]))];
    let inputs = Inputs::read(project.path(), sources);
    let tree = inputs.accepted(Path::new("."), &use_as).unwrap();
    tree.entries.iter().map(|e| e.path.as_ref().into()).collect()
}

#[test]
fn at_the_top_of_a_project_documents_and_data_are_no_code() {
    let project = tempfile::tempdir().unwrap();
    let files = [
        "README.md",
        "opsctl.toml",
        "sample.json",
        "shot.png",
        "run.log",
        "try.ipynb",
        "notebooks/try.ipynb",
        "train.py",
        "lib/notes.md",
        "lib/logo.png",
        "data/faces/1.jpg",
        "data/names.txt",
        ".venv/bin/python",
        "weights.bin",
        "TrainedModels/model.pth",
        "nohup.out",
        "log.txt",
        "Makefile",
        "requirements-dev.txt",
    ];
    for file in files {
        let path = project.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }
    let code = ["data/names.txt", "lib/logo.png", "lib/notes.md", "train.py"];
    assert_eq!(packed(&project, UseAs::ALL_CODE), code);
    let chosen = |include: &[&str], exclude: &[&str]| {
        let owned = |patterns: &[&str]| patterns.iter().map(|p| (*p).to_owned()).collect();
        packed(&project, UseAs::Code { include: owned(include), exclude: owned(exclude) })
    };
    assert_eq!(chosen(&[], &["lib/", "*.txt"]), ["train.py"]);
    // What is named is packed, whatever it is.
    assert_eq!(chosen(&["*.py", "README.md", "/weights.bin"], &[]), ["README.md", "train.py", "weights.bin"]);
}

/// A script that opens one needs it.
#[test]
fn notebooks_that_a_script_reads_are_code() {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("eda")).unwrap();
    std::fs::write(project.path().join("eda/look.ipynb"), "{}").unwrap();
    for (script, is_read) in [("import notebooks", false), ("run('eda/look.ipynb')", true)] {
        std::fs::write(project.path().join("train.py"), script).unwrap();
        let all = packed(&project, UseAs::ALL_CODE);
        assert_eq!(all.contains(&"eda/look.ipynb".to_owned()), is_read, "{script}");
    }
}

#[test]
fn the_documents_of_a_package_are_code_where_it_is_built() {
    let project = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| std::fs::write(project.path().join(file), text).unwrap();
    for file in
        ["README.md", "LICENSE", "train.py", "opsctl.toml", "opsctl.schema.json", "run.log", "log.txt"]
    {
        write(file, file);
    }
    // For a formatter: AWS's toolkit does not build it.
    write("pyproject.toml", "[tool.ruff]\n");
    assert_eq!(packed(&project, UseAs::ALL_CODE), ["pyproject.toml", "train.py"]);
    for requirements in ["numpy\n-e .\n", ".[train]\n", "--editable=.  # itself\n"] {
        write("requirements.txt", requirements);
        let code = ["LICENSE", "README.md", "pyproject.toml", "requirements.txt", "train.py"];
        assert_eq!(packed(&project, UseAs::ALL_CODE), code, "{requirements}");
    }
    write("requirements.txt", "./lib\n-e ../x\n");
    assert_eq!(packed(&project, UseAs::ALL_CODE), ["pyproject.toml", "requirements.txt", "train.py"]);
    std::fs::remove_file(project.path().join("requirements.txt")).unwrap();
    // The toolkit builds this, with its README, and a config or a log is in no package.
    write("setup.py", "");
    let code = ["LICENSE", "README.md", "pyproject.toml", "setup.py", "train.py"];
    assert_eq!(packed(&project, UseAs::ALL_CODE), code);
}

#[test]
fn a_config_below_the_source_is_no_code() {
    let project = tempfile::tempdir().unwrap();
    std::fs::create_dir(project.path().join("deploy")).unwrap();
    for file in [
        "train.py",
        "opsctl.toml",
        "deploy/opsctl.toml",
        "deploy/opsctl.schema.json",
        "deploy/sample.json",
        "deploy/a.py",
        "README.md",
        "run.log",
        "try.ipynb",
        "shot.png",
    ] {
        std::fs::write(project.path().join(file), file).unwrap();
    }
    let at = KeyPath::of(["training", "it", "source"]);
    let source = Source { path: "..".into(), use_as: UseAs::ALL_CODE, at, no_code: Vec::new() };
    let inputs = Inputs::read(&project.path().join("deploy"), [source]);
    let tree = inputs.accepted(Path::new(".."), &UseAs::ALL_CODE).unwrap();
    let packed: Vec<&str> = tree.entries.iter().map(|entry| entry.path.as_ref()).collect();
    assert_eq!(packed, ["deploy/a.py", "opsctl.toml", "train.py"], "another project's is a file");
}

/// One for each environment, beside the code of `source = "."`.
#[test]
fn configs_of_any_name_are_no_code() {
    let project = tempfile::tempdir().unwrap();
    let config = "[project]\nname = \"small\"\nregion = \"eu-west-1\"\n[training.t]\nsource = \".\"\nentry = \"train.py\"\n";
    let files = [
        ("train.py", ""),
        ("prod.toml", config),
        ("staging.toml", "[project]\nname = \"other\"\n[bucket]\n"),
        // What a script reads.
        ("settings.toml", "[project]\nname = \"small\"\n[optimizer]\nrate = 0.1\n"),
        ("project.toml", "[project]\nepochs = 2\n"),
        ("pyproject.toml", "[project]\nname = \"small\"\n"),
        ("broken.toml", "[project"),
    ];
    for (name, text) in files {
        std::fs::write(project.path().join(name), text).unwrap();
    }
    let document = Document::parse(&project.path().join("prod.toml"), config.to_owned()).unwrap();
    let kinds = kinds();
    let (config, _) = Config::read(&document, "dev", &sections(&kinds));
    let inputs = Inputs::read(document.folder(), desired::sources(&config, &kinds));
    let tree = inputs.accepted(Path::new("."), &UseAs::ALL_CODE).unwrap();
    let packed: Vec<&str> = tree.entries.iter().map(|entry| entry.path.as_ref()).collect();
    assert_eq!(packed, ["broken.toml", "project.toml", "pyproject.toml", "settings.toml", "train.py"]);
}

#[test]
fn include_and_exclude_have_gitignore_syntax() {
    let folder = folder(&[
        ("a.csv", ""),
        ("b.txt", ""),
        ("train/c.csv", ""),
        ("train/old/d.csv", ""),
        ("test/e.csv", ""),
    ]);
    let cases: [(&[&str], &[&str], &[&str]); 6] = [
        (&[], &[], &["a.csv", "b.txt", "test/e.csv", "train/c.csv", "train/old/d.csv"]),
        (&["*.csv"], &[], &["a.csv", "test/e.csv", "train/c.csv", "train/old/d.csv"]),
        (&["train/**"], &[], &["train/c.csv", "train/old/d.csv"]),
        (&[], &["*.csv"], &["b.txt"]),
        (&["*.csv"], &["test/", "old"], &["a.csv", "train/c.csv"]),
        (&[], &["*.csv", "!a.csv"], &["a.csv", "b.txt"]),
    ];
    for (include, exclude, expected) in cases {
        let found = files(&folder, data(include, exclude));
        assert_eq!(found, expected, "{include:?} without {exclude:?}");
    }
}

#[test]
fn paths_are_sorted_by_their_bytes_and_have_slashes() {
    let folder = folder(&[("b", ""), ("a/z", ""), ("a.txt", ""), ("Z", ""), ("ä", "")]);
    assert_eq!(files(&folder, data(&[], &[])), ["Z", "a.txt", "a/z", "b", "ä"]);
}

#[test]
fn the_digest_is_of_names_and_contents() {
    let digest = |files: &[(&str, &str)]| tree(&folder(files), data(&[], &[])).digest();
    let one = digest(&[("a", "1"), ("b", "2")]);
    assert_eq!(one, digest(&[("b", "2"), ("a", "1")]));
    for other in [
        digest(&[("a", "2"), ("b", "1")]),
        digest(&[("a", "1"), ("c", "2")]),
        digest(&[("a", "1")]),
        digest(&[("a", "12"), ("b", "")]),
        digest(&[]),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn contents_are_kept_for_code_alone() {
    let folder = folder(&[("a.py", "print(1)")]);
    let (code, data) = (tree(&folder, UseAs::ALL_CODE), tree(&folder, data(&[], &[])));
    assert_eq!(
        (code.entries[0].content.as_slice(), data.entries[0].content.as_slice()),
        (&b"print(1)"[..], &b""[..])
    );
    assert_eq!(code.entries[0].crc, data.entries[0].crc);
    assert_eq!((code.bytes(), data.bytes()), (8, 8));
}

#[test]
fn a_source_named_twice_is_read_once() {
    let folder = folder(&[("a", "")]);
    let source = |key: &str| Source {
        path: "it".into(),
        use_as: UseAs::ALL_CODE,
        at: KeyPath::of([key]),
        no_code: Vec::new(),
    };
    let inputs = Inputs::read(folder.path(), [source("one"), source("two")]);
    assert!(inputs.accepted(Path::new("it"), &UseAs::ALL_CODE).is_some());
    assert!(inputs.accepted(Path::new("other"), &UseAs::ALL_CODE).is_none());
}

/// Why the folder cannot be read.
#[track_caller]
fn refused(folder: &tempfile::TempDir, use_as: UseAs) -> String {
    let source = Source {
        path: "it".into(),
        use_as: use_as.clone(),
        at: KeyPath::of(["data", "it", "path"]),
        no_code: Vec::new(),
    };
    let inputs = Inputs::read(folder.path(), [source]);
    let problem = inputs.tree(Path::new("it"), &use_as).unwrap().as_ref().unwrap_err();
    format!("{}: {} ({})", problem.code, problem.message, problem.help)
}

#[test]
fn what_is_neither_file_nor_folder_is_not_left_out_without_a_word() {
    let folder = folder(&[("a.csv", "")]);
    let pipe = folder.path().join("it/pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let said = |help: &str| {
        format!("E215: {} is a named pipe, and only files can be packed or sent ({help})", pipe.display())
    };
    assert_eq!(refused(&folder, data(&[], &[])), said("leave it out with `exclude`"));
    assert_eq!(refused(&folder, UseAs::ALL_CODE), said("leave it out with `exclude`"));
    for (include, exclude) in [(&[][..], &["pipe"][..]), (&["*.csv"], &[])] {
        assert_eq!(files(&folder, data(include, exclude)), ["a.csv"]);
    }
    std::fs::remove_file(&pipe).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(&pipe).unwrap();
    assert!(refused(&folder, data(&[], &[])).contains("is a socket"));
}

/// A repository may bring `.opsctl/cache` as a link to anywhere.
#[test]
fn a_cache_is_cleared_of_pipes_but_nothing_behind_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let socket = |path: &str| drop(std::os::unix::net::UnixListener::bind(at(path)).unwrap());
    std::fs::create_dir_all(at("theirs/cache")).unwrap();
    std::fs::create_dir_all(at("ours/cache/sub")).unwrap();
    for path in ["theirs/socket", "theirs/cache/socket", "ours/cache/socket", "ours/cache/sub/socket"] {
        socket(path);
    }
    std::fs::create_dir(at("a")).unwrap();
    for (link, to) in [("a/cache", "theirs"), ("b", "theirs"), ("ours/cache/link", "theirs")] {
        std::os::unix::fs::symlink(at(to), at(link)).unwrap();
    }
    for cache in ["a/cache", "b/cache", "ours/cache"] {
        opsctl::inputs::clear_of_pipes(&at(cache));
    }
    assert!(at("theirs/socket").exists() && at("theirs/cache/socket").exists());
    assert!(!at("ours/cache/socket").exists() && !at("ours/cache/sub/socket").exists());
}

#[test]
fn what_opsctl_wrote_for_the_user_is_no_part_of_a_folder_until_somebody_changes_it() {
    let folder = folder(&[("train.py", ""), ("model.tar.gz", "weights"), ("sub/plan.json", "{}")]);
    let all = ["model.tar.gz", "sub/plan.json", "train.py"];
    assert_eq!(files(&folder, UseAs::ALL_CODE), all, "written by somebody else");
    for file in ["it/model.tar.gz", "it/sub/plan.json"] {
        Record::of(folder.path()).note(&folder.path().join(file));
    }
    assert_eq!(files(&folder, UseAs::ALL_CODE), ["train.py"]);
    assert_eq!(files(&folder, data(&[], &[])), ["train.py"]);
    // Edited to the same size, with its old time put back.
    let file = folder.path().join("it/model.tar.gz");
    let before = file.metadata().unwrap().modified().unwrap();
    std::fs::write(&file, "weighty").unwrap();
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(before).unwrap();
    assert_eq!(files(&folder, UseAs::ALL_CODE), ["model.tar.gz", "train.py"]);
}

#[test]
fn only_what_opsctl_wrote_itself_may_be_written_again() {
    let folder = folder(&[("thesis.txt", "mine"), ("plan.json", "{}"), ("empty", "")]);
    let at = |file: &str| folder.path().join("it").join(file);
    let record = Record::of(folder.path());
    record.note(&at("plan.json"));
    std::os::unix::fs::symlink("thesis.txt", at("link")).unwrap();
    let is_in_the_way = |file: &str| record.is_in_the_way(&at(file));
    // A device, a folder and what is not there are for whoever writes to say no to.
    for free in ["plan.json", "empty", "new", "no/such/folder", "", "/dev/null"] {
        assert!(!is_in_the_way(free), "{free}");
    }
    assert!(is_in_the_way("thesis.txt") && is_in_the_way("link"));
    std::fs::write(at("plan.json"), "{} edited").unwrap();
    assert!(is_in_the_way("plan.json"));
    // Of another project.
    assert!(Record::in_cache(folder.path()).is_in_the_way(&at("thesis.txt")));
}
