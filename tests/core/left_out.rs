//! What is left out of code, and what is said of it.

use std::path::{Path, PathBuf};

use opsctl::domain::KeyPath;
use opsctl::inputs::{Inputs, LeftOut, PAGE_TITLE, Source, UseAs};
use opsctl::report;
use opsctl::resources::kinds;

use crate::plan::world::{Account, DEPLOY, Files};
use crate::project::said_about;

/// A folder with a project `project/` in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|(file, text)| place.write(file, text));
        place
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, file: &str, text: &str) {
        let file = self.path(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }

    /// What is packed of a folder of the project.
    #[track_caller]
    fn packed_of(&self, source: &str, exclude: &[&str]) -> Vec<String> {
        let exclude = exclude.iter().map(|pattern| (*pattern).to_owned()).collect();
        let use_as = UseAs::Code { include: Vec::new(), exclude };
        let at = KeyPath::of(["training", "it", "source"]);
        let source = Source { path: source.into(), use_as: use_as.clone(), at, no_code: Vec::new() };
        let path = source.path.clone();
        let inputs = Inputs::read(&self.path("project"), [source]);
        let tree = inputs.tree(&path, &use_as).unwrap().as_ref().unwrap();
        tree.entries.iter().map(|entry| entry.path.to_string()).collect()
    }

    /// What `check` says of a project of one training.
    fn said(&self, keys: &str) -> String {
        self.said_of(&format!("[training.t]\nsource = \"src\"\nmax_runtime = \"10m\"\n{keys}"))
    }

    /// What `check` says of a project of these sections.
    fn said_of(&self, sections: &str) -> String {
        let config = format!("[project]\nname = \"small\"\nregion = \"us-east-1\"\n{sections}");
        said_about(&self.path("project/opsctl.toml"), config, "dev").1
    }
}

/// A download without `.git`, below a home folder that has an ignore file of its own.
#[test]
fn ignore_files_above_the_project_and_its_repository_do_not_count() {
    let place = Place::new(&[
        (".gitignore", "*\n"),
        (".opsctlignore", "*.py\n"),
        ("project/.gitignore", "*.bin\n"),
        ("project/src/train.py", ""),
        ("project/src/weights.bin", ""),
        ("shared/lib.py", ""),
        ("shared/.gitignore", "*.txt\n"),
        ("shared/notes.txt", ""),
    ]);
    assert_eq!(place.packed_of("src", &[]), ["train.py"]);
    assert_eq!(place.packed_of("../shared", &[]), [".gitignore", "lib.py"]);
    // The project is a folder of a repository: what is at its top counts.
    place.write(".git/HEAD", "");
    place.write(".gitignore", "*.txt\n");
    place.write(".opsctlignore", "");
    place.write("project/src/notes.txt", "");
    assert_eq!(place.packed_of("src", &[]), ["train.py"]);
    // A submodule is another repository.
    place.write("project/src/.git", "gitdir: ../../.git/modules/src\n");
    assert_eq!(place.packed_of("src", &[]), ["notes.txt", "train.py", "weights.bin"]);
}

#[test]
fn what_gitignore_leaves_out_is_said_and_can_be_brought_back() {
    let place = Place::new(&[
        ("project/.gitignore", "*.h5\n/src/models/\n"),
        ("project/src/train.py", ""),
        ("project/src/base.h5", "weights"),
        ("project/src/models/serve.py", ""),
    ]);
    assert_eq!(place.packed_of("src", &[]), ["train.py"]);
    assert_eq!(place.packed_of("src", &["!*.h5"]), ["base.h5", "train.py"]);
    let said = place.said("entry = \"models/serve.py\"\n");
    assert!(said.contains("left out of what is packed of src by `/src/models/` in .gitignore"), "{said}");
    assert!(said.contains("`exclude = [\"!/models/\"]` packs it all the same"), "{said}");
    let keys = "entry = \"models/serve.py\"\nexclude = [\"!/models/\"]\n";
    assert!(!place.said(keys).contains("C010"), "{}", place.said(keys));
    // `include` chooses of what there is.
    let said = place.said("entry = \"base.h5\"\ninclude = [\"*.h5\"]\n");
    assert!(said.contains("by `*.h5` in .gitignore") && said.contains("exclude = [\"!/base.h5\"]"), "{said}");
    let said = place.said("include = [\"*.txt\"]\n");
    assert!(said.contains("no pattern of `include` is of it"), "{said}");
    let said = place.said("exclude = [\"*.py\"]\n");
    assert!(said.contains("by `*.py` in `exclude`"), "{said}");
    // opsctl's own outranks what the config says of git's.
    place.write("project/src/.opsctlignore", "*.h5\n");
    assert_eq!(place.packed_of("src", &["!*.h5"]), ["train.py"]);
}

#[test]
fn a_folder_that_is_left_out_is_known_as_one() {
    let place = Place::new(&[("project/src/train.py", ""), ("project/src/venv/lib/a.py", "")]);
    let at = KeyPath::of(["training", "it", "source"]);
    let source = Source { path: "src".into(), use_as: UseAs::ALL_CODE, at, no_code: Vec::new() };
    let inputs = Inputs::read(&place.path("project"), [source]);
    let tree = inputs.accepted(Path::new("src"), &UseAs::ALL_CODE).unwrap();
    assert_eq!(tree.left_out("venv/lib/a.py"), Some(("venv", &LeftOut::NoCode("venv/".to_owned()))));
    assert_eq!((tree.left_out("train.py"), tree.left_out("venv.py")), (None, None));
}

/// Without the record of the machine that wrote them.
#[test]
fn a_saved_plan_and_a_report_of_another_checkout_are_no_code() {
    let want = Files::new().desired();
    let made = Account::default().plan(&want, DEPLOY);
    let plan = format!("{:#}\n", report::plan::json(&made, &kinds(), "an account"));
    let report = format!("<!DOCTYPE html><html><head><title>small{PAGE_TITLE}</title></head></html>");
    let place = Place::new(&[
        ("project/plan.bin", &plan),
        ("project/ci/plan.json", &plan),
        ("project/report.html", &report),
        ("project/index.html", "<!DOCTYPE html><title>mine</title>"),
        ("project/steps.json", r#"{ "steps": [], "fingerprint": "f" }"#),
        ("project/train.py", ""),
    ]);
    assert_eq!(place.packed_of(".", &[]), ["index.html", "steps.json", "train.py"]);
}

#[test]
fn documents_are_code_where_a_file_says_that_they_are_read() {
    let place = Place::new(&[
        ("project/README.md", ""),
        ("project/LICENSE", ""),
        ("project/pyproject.toml", "[build-system]\nrequires = [\"hatchling\"]\n"),
        ("project/requirements-dev.txt", "toml\n"),
        ("project/train.py", ""),
    ]);
    let code = ["pyproject.toml", "train.py"];
    assert_eq!(place.packed_of(".", &[]), code);
    assert_eq!(place.packed_of(".", &["!README.md"]), ["README.md", "pyproject.toml", "train.py"]);
    // A shell entry builds the package.
    place.write("project/train.sh", "#!/bin/sh\nset -e\npip install .\npython train.py\n");
    let built = ["LICENSE", "README.md", "pyproject.toml", "train.py", "train.sh"];
    assert_eq!(place.packed_of(".", &[]), built);
    place.write("project/train.sh", "#!/bin/sh\npip install -r requirements-dev.txt\n");
    assert_eq!(place.packed_of(".", &[]), ["pyproject.toml", "requirements-dev.txt", "train.py", "train.sh"]);
    std::fs::remove_file(place.path("project/train.sh")).unwrap();
    // Files of requirements name each other.
    place.write("project/requirements.txt", "-r reqs/base.txt\n");
    place.write("project/reqs/base.txt", "-c../requirements-dev.txt\n-e .\n");
    let all = ["LICENSE", "README.md", "pyproject.toml", "reqs/base.txt", "requirements-dev.txt"];
    assert_eq!(place.packed_of(".", &[])[..5], all);
}

/// An index of git's, as far as it is read.
fn index(files: &[&str]) -> Vec<u8> {
    let mut index = [&b"DIRC"[..], &2_u32.to_be_bytes(), &(files.len() as u32).to_be_bytes()].concat();
    for file in files {
        let start = index.len();
        index.extend([0; 60]);
        index.extend((file.len() as u16).to_be_bytes());
        index.extend(file.bytes());
        index.resize(start + (index.len() - start) / 8 * 8 + 8, 0);
    }
    index
}

#[test]
fn what_is_committed_and_ignored_is_said() {
    let place = Place::new(&[
        (".git/HEAD", ""),
        (".gitignore", "*.h5\n*.log\n"),
        ("project/src/train.py", ""),
        ("project/src/base.h5", "weights"),
        ("project/src/run.log", ""),
    ]);
    let tracked = ["project/src/base.h5", "project/src/train.py"];
    std::fs::write(place.path(".git/index"), index(&tracked)).unwrap();
    let said = place.said("");
    assert!(said.contains("warning[C136]: `base.h5` is in git, but not in what is packed of src"), "{said}");
    assert!(said.contains("exclude = [\"!/base.h5\"]"), "{said}");
    for keys in ["exclude = [\"!/base.h5\"]\n", "exclude = [\"/base.h5\"]\n", "include = [\"*.py\"]\n"] {
        assert!(!place.said(keys).contains("C136"), "{keys}");
    }
    assert!(place.said("include = [\"*.py\", \"*.h5\"]\n").contains("C136"));
}

#[test]
fn files_of_secrets_are_said() {
    let said = |file: &str, text: &str| {
        let place = Place::new(&[("project/src/train.py", ""), (file, text)]);
        place.said("")
    };
    for (file, text) in [
        ("project/src/.env", "SECRET=abc\n"),
        ("project/src/conf/.env.prod", "A=1\n"),
        ("project/src/host.key", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
    ] {
        assert!(said(file, text).contains("warning[C137]"), "{file}: {}", said(file, text));
    }
    for (file, text) in [
        ("project/src/.env.example", "SECRET=\n"),
        ("project/src/env.py", "SECRET = 1\n"),
        ("project/src/ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ("project/src/.env", ""),
    ] {
        assert!(!said(file, text).contains("C137"), "{file}");
    }
}

/// pip would fail where the code runs, which is paid for by then.
#[test]
fn what_requirements_name_and_is_not_packed_is_said() {
    let place = Place::new(&[("project/src/train.py", ""), ("project/shared/base.txt", "six\n")]);
    for (text, said) in [
        ("-r more.txt\n", "requirements.txt names `more.txt`, which is not packed with it"),
        ("--constraint=../shared/base.txt\n", "names `../shared/base.txt`"),
        ("six\n./wheels/own-1-py3-none-any.whl\n", "names `./wheels/own-1-py3-none-any.whl`"),
        ("-e ../lib[train] # ours\n", "names `../lib[train]`"),
        ("-r reqs/base.txt\n", "reqs/base.txt names `gone.txt`"),
        ("--find-links wheels\nown\n", "names `wheels`"),
    ] {
        place.write("project/src/requirements.txt", text);
        place.write("project/src/reqs/base.txt", "-c gone.txt\n");
        let warning = place.said("");
        assert!(warning.contains("warning[C138]") && warning.contains(said), "{text}: {warning}");
    }
    place.write("project/src/lib/setup.py", "");
    place.write("project/src/reqs/base.txt", "-r more.txt\n");
    place.write("project/src/reqs/more.txt", "numpy\n");
    for text in [
        "six\n-r reqs/base.txt\n-e ./lib\nlib/\n.\n-e.[train]\n",
        "own @ git+https://github.com/o/r@main\nhttps://a/b-1-py3-none-any.whl\n-c https://a/c.txt\n",
        "/opt/own-1-py3-none-any.whl\n${WHEELS}/own.whl\nsix --hash=sha256:00\n--find-links https://a/b\n",
        "-f lib\n./gone-1-py3-none-any.whl ; sys_platform == 'win32'\n",
    ] {
        place.write("project/src/requirements.txt", text);
        assert!(!place.said("").contains("C138"), "{text}: {}", place.said(""));
    }
    // Left out of what is packed is not there either.
    place.write("project/src/requirements.txt", "./lib/own-1-py3-none-any.whl\n");
    place.write("project/src/lib/own-1-py3-none-any.whl", "a wheel");
    assert!(!place.said("").contains("C138"));
    assert!(place.said("exclude = [\"*.whl\"]\n").contains("C138"));
    // pip opens the name, whatever is there.
    std::fs::remove_file(place.path("project/src/requirements.txt")).unwrap();
    place.write("project/src/requirements.txt/base.txt", "six\n");
    assert!(place.said("").contains("`requirements.txt` is a folder"));
}

/// `pip install -r /opt/ml/model/code/requirements.txt`, run elsewhere:
/// <https://github.com/aws/sagemaker-pytorch-inference-toolkit/blob/master/src/sagemaker_pytorch_serving_container/torchserve.py>
#[test]
fn a_path_in_the_requirements_of_an_endpoint_is_found_by_some_servers_only() {
    let endpoint = |image: &str, requirements: &str| {
        let place = Place::new(&[
            ("project/src/inference.py", ""),
            ("project/src/lib/setup.py", ""),
            ("project/src/requirements.txt", requirements),
        ]);
        let section = format!(
            "[model.it]\nartifact = \"s3://somebodys/model.tar.gz\"\n\
             [endpoint.it]\nmodel = \"it\"\ncode = \"src\"\nimage = \"{image}\"\n"
        );
        place.said_of(&section)
    };
    let said = "warning[C138]: requirements.txt names `./lib`, and the server of this image";
    for image in ["pytorch-2.6", "huggingface-4.49"] {
        let warning = endpoint(image, "./lib\n");
        assert!(warning.contains(said), "{image}: {warning}");
        assert!(!endpoint(image, "six\n").contains("C138"), "{image}");
    }
    assert!(!endpoint("sklearn-1.2", "./lib\n").contains("C138"));
}
