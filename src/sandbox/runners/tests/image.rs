//! Code that imports what its image holds, and names none of it.

use super::*;
use crate::runners::families;
use crate::runners::python::contents::Contents;

const SKLEARN: &str = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.2-1-cpu-py3";

const IRIS: &str = r#"
import os
import joblib
import numpy as np
from sklearn import tree
def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
if __name__ == "__main__":
    rows = np.array([[0.0, 0.1], [1.0, 1.1], [2.0, 2.1]])
    fitted = tree.DecisionTreeClassifier().fit(rows, [0, 1, 2])
    joblib.dump(fitted, os.path.join(os.environ["SM_MODEL_DIR"], "model.joblib"))
"#;

/// One environment for both: the second finds it.
#[tokio::test(flavor = "multi_thread")]
async fn scikit_learn_trains_and_serves_without_a_requirements_file() {
    let root = TempDir::new().unwrap();
    let lines = Lines::default();
    let files = [("iris.py", IRIS)];
    let packages: Vec<String> = CONTAINER_PACKAGES.iter().map(|package| (*package).to_owned()).collect();
    let run = TrainingRun {
        packages: packages.clone(),
        contents: Contents::of(SKLEARN),
        max_runtime: Duration::from_secs(120),
        ..training(root.path(), "iris.py", &files)
    };
    let run = run.start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(run.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
    let said: Vec<String> =
        lines.all().into_iter().filter(|line| line.contains("of what the image holds")).collect();
    assert_eq!(said.len(), 1, "{:#?}", lines.all());
    for package in ["joblib", "numpy", "scikit-learn"] {
        assert!(said[0].contains(&format!("{package} ")), "{said:?}");
    }

    let lines = Lines::default();
    let spec = ModelServerSpec {
        root: root.path().join("instance"),
        model: run.pack(root.path()).await.unwrap().model.unwrap(),
        code: Some(archive(root.path().join("code.tar.gz"), &files)),
        handlers: Handlers::of(SKLEARN),
        alone: families::serving(SKLEARN, false),
        environment: BTreeMap::from([("SAGEMAKER_PROGRAM".to_owned(), "iris.py".to_owned())]),
        packages,
        contents: Contents::of(SKLEARN),
        startup_limit: STARTUP_LIMIT,
        reach: reach(),
    };
    let without = ModelServerSpec { root: root.path().join("alone"), code: None, ..spec.clone() };
    let refused = ModelServer::start(without, &environments().await, lines.sink()).await.unwrap_err();
    assert!(refused.to_string().contains("without code its server is a program in the image"), "{refused}");
    let server = ModelServer::start(spec, &environments().await, lines.sink()).await.unwrap();
    let rows = Bytes::from("0.1,0.2\n2.1,2.0");
    let reply = server.invoke(rows, Some("text/csv"), Some("application/json")).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&reply.body), "[0, 2]");
    assert!(lines.all().contains(&said[0]), "a result may depend on it: {:#?}", lines.all());
    assert!(!lines.all().iter().any(|line| line.starts_with("making")), "{:#?}", lines.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_does_what_the_code_does_not() {
    const SKLEARN: &str = "class Model:\n    def predict(self, rows):\n        return rows.sum(axis=1)\n\
                           def model_fn(model_dir):\n    return Model()\n";
    const XGBOOST: &str = "class Booster:\n    def predict(self, data, validate_features):\n        \
                           assert not validate_features\n        return data.rows.sum(axis=1)\n\
                           def model_fn(model_dir):\n    return Booster()\n";
    const DMATRIX: &str = "class DMatrix:\n    def __init__(self, rows):\n        self.rows = rows\n";
    const PIPELINE: &str = "def pipeline(task, model, device, tokenizer):\n    return lambda inputs, **how: \
                            [{'label': f'{task} {inputs}', **how}]\n";
    const TASK: &str = r#"{"architectures": ["BertForSequenceClassification"]}"#;
    let csv = ("text/csv", "1,2\n3,4");
    let booster = vec![("code/inference.py", XGBOOST), ("code/xgboost.py", DMATRIX)];
    let sentiment = vec![("config.json", TASK), ("code/transformers.py", PIPELINE)];
    let json = ("application/json", r#"{"inputs": "good", "parameters": {"top_k": 1}}"#);
    let labeled = r#"[{"label": "text-classification good", "top_k": 1}]"#;
    for (handlers, files, (content_type, payload), answer) in [
        (Handlers::Sklearn, vec![("code/inference.py", SKLEARN)], csv, "[3.0, 7.0]"),
        (Handlers::Xgboost, booster, csv, "[3.0, 7.0]"),
        (Handlers::HuggingFace, sentiment, json, labeled),
    ] {
        let (root, lines) = (TempDir::new().unwrap(), Lines::default());
        let server = serve_as(handlers, root.path(), &files, &lines).await.unwrap();
        let reply = server.invoke(Bytes::from(payload), Some(content_type), None).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&reply.body), answer, "{handlers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_imports_nothing_gets_nothing_of_its_image() {
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let files = [
        ("train.py", "import local, os\n"),
        ("local.py", "import json\n"),
        ("unused.py", "import sklearn\n"),
    ];
    let run = TrainingRun { contents: Contents::of(SKLEARN), ..training(root.path(), "train.py", &files) };
    let run = run.start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(run.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
    assert!(!lines.all().iter().any(|line| line.contains("image")), "{:#?}", lines.all());
}

/// What is scanned is also what a script imports of its own folder, wherever in it the import stands.
#[tokio::test]
async fn imports_are_followed_through_the_folder() {
    let folder = TempDir::new().unwrap();
    for (file, text) in [
        ("train.py", "import net.layers\ndef f():\n    import joblib\n"),
        ("net/__init__.py", ""),
        ("net/layers.py", "from sklearn.tree import export_text\n"),
        ("other.py", "import scipy\n"),
        ("broken.py", "import (\n"),
    ] {
        std::fs::create_dir_all(folder.path().join("net")).unwrap();
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    let python = environments().await.python;
    let image = Contents::of(SKLEARN).unwrap();
    let needs = async |entry: &str| {
        let needed = image.needed(&python, folder.path(), entry, None).await;
        needed.into_iter().map(|package| package.name).collect::<Vec<_>>()
    };
    assert_eq!(needs("train.py").await, ["joblib", "numpy", "scikit-learn"]);
    assert_eq!(needs("train.sh").await, ["joblib", "numpy", "scikit-learn", "scipy"], "all scripts");
    assert_eq!(needs("broken.py").await, [""; 0]);
    assert_eq!(needs("net.layers.py").await, ["numpy", "scikit-learn"], "a module of a package");
}

/// As PyTorch's data loaders do: a socket's path has at most 104 bytes, which a project's folder may have.
#[tokio::test(flavor = "multi_thread")]
async fn processes_of_a_script_reach_one_another_in_a_deep_folder() {
    const SCRIPT: &str = r#"
import os, tempfile
from multiprocessing.connection import Listener
Listener(family="AF_UNIX").close()
open(tempfile.gettempdir() + "/kept", "w").close()
assert os.path.exists(os.environ["HOME"] + "/tmp/kept")
"#;
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let deep = root.path().join("d".repeat(100));
    let run = start_training(&deep, "train.py", &[("train.py", SCRIPT)], &lines).await;
    assert_eq!(run.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
}

/// An environment is shared by all projects of this machine: what one job changes is in no other.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_script_installs_goes_with_its_job() {
    const INSTALLS: &str = r#"
import pathlib, shutil, subprocess, sys, sysconfig
import boto3
pathlib.Path(sysconfig.get_paths()["purelib"], "left_behind.py").write_text("")
import left_behind
pip = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
script = open(shutil.which("pip")).readline()
assert sys.prefix in script, script
asked = ["install", "--no-index", "--dry-run", "boto3"]
subprocess.run([shutil.which("pip"), *asked], check=True)
"#;
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let run = |name: &str, script: &str| {
        let folder = root.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let packages = CONTAINER_PACKAGES.iter().map(|package| (*package).to_owned()).collect();
        TrainingRun { packages, ..training(&folder, "train.py", &[("train.py", script)]) }
    };
    let one = run("one", INSTALLS).start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(one.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
    let two = run("two", "import boto3\nimport left_behind\n");
    let two = two.start(&environments().await, lines.sink()).await.unwrap();
    let TrainingEnd::Failed { reason } = two.outcome().await else { panic!("{:#?}", lines.all()) };
    assert!(reason.contains("No module named 'left_behind'"), "{reason}");
}

/// Its programs name their interpreter, which is in there.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_in_a_deep_folder_with_a_space_has_its_programs() {
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let run = Ec2Run {
        root: root.path().join("my project").join("d".repeat(100)),
        user_data: "#!/bin/bash\naws s3 cp nothing s3://b/k || echo \"refused $?\"\npip --version\n\
                    timeout 60 true && shutdown -h now\n"
            .to_owned(),
        speed: 1.0,
        packages: Vec::new(),
        requirements: None,
        environment: BTreeMap::new(),
        reach: reach(),
    };
    let instance = run.start(&environments().await, lines.sink()).await.unwrap();
    assert_eq!(instance.outcome().await, Ec2Outcome::ShutDown, "{:#?}", lines.all());
    let has = |text: &str| lines.all().iter().any(|line| line.contains(text));
    assert!(has("refused 1") && has("from ") && !has("not found"), "{:#?}", lines.all());
}

/// The message of the failure is Python's, of a folder that nobody sees here.
#[tokio::test(flavor = "multi_thread")]
async fn a_path_in_the_containers_own_folders_is_told() {
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let files = [("train.py", "open('/opt/ml/input/data/none/rows.csv')\n")];
    let run = start_training(root.path(), "train.py", &files, &lines).await;
    assert!(matches!(run.outcome().await, TrainingEnd::Failed { .. }), "{:#?}", lines.all());
    let last = lines.all().last().cloned().unwrap();
    assert!(last.contains("train.py names /opt/ml"), "{last}");
}

/// Two folders called `./mylib` are two packages, and a folder of code with a `setup.py` is one too.
#[tokio::test(flavor = "multi_thread")]
async fn packages_of_the_folder_are_installed_for_each_job() {
    const SETUP: &str = "from setuptools import setup\nsetup(name='mylib', version='1', \
                         package_dir={'': 'lib'}, py_modules=['mylib'])\n";
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let run = async |name: &str, files: &[(&str, &str)]| {
        let folder = root.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let run = start_training(&folder, "train.py", files, &lines).await;
        assert_eq!(run.outcome().await, TrainingEnd::Completed, "{:#?}", lines.all());
        lines.all().last().cloned().unwrap()
    };
    for (word, requirements) in [("one", "-e ./mylib\n"), ("another", "-rmore.txt\n")] {
        let value = format!("V = '{word}'\n");
        let files = [
            ("train.py", "import mylib\nprint(mylib.V)\n"),
            ("requirements.txt", requirements),
            ("more.txt", "./mylib\n"),
            ("mylib/setup.py", SETUP),
            ("mylib/lib/mylib.py", &value),
        ];
        assert_eq!(run(word, &files).await, word);
    }
    let files = [
        ("train.py", "import mylib\nprint(mylib.V)\n"),
        ("setup.py", SETUP),
        ("lib/mylib.py", "V = 'whole'\n"),
    ];
    assert_eq!(run("whole", &files).await, "whole");
}

/// AWS's log has all that pip writes, and its message the end of it.
#[tokio::test(flavor = "multi_thread")]
async fn why_a_package_does_not_build_is_in_the_log_and_in_the_message() {
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let files = [
        ("train.py", ""),
        ("requirements.txt", "./bad\n"),
        ("bad/setup.py", "raise RuntimeError('needs CUDA')\n"),
    ];
    let run = training(root.path(), "train.py", &files);
    let error = run.start(&environments().await, lines.sink()).await.unwrap_err();
    assert!(error.failure_reason().contains("RuntimeError: needs CUDA\"\nCommand"), "{error}");
    assert!(lines.all().iter().any(|line| line.contains("RuntimeError: needs CUDA")), "{:#?}", lines.all());
}

/// The servers of scikit-learn and XGBoost run pip in the folder of the code, those of PyTorch do not.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_finds_a_path_of_its_folder_where_awss_does() {
    const SETUP: &str =
        "from setuptools import setup\nsetup(name='mylib', version='1', py_modules=['mylib'])\n";
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let files = [
        ("code/inference.py", "import mylib\ndef model_fn(folder):\n    return mylib.V\n"),
        ("code/requirements.txt", "./libs/mylib\n"),
        ("code/libs/mylib/setup.py", SETUP),
        ("code/libs/mylib/mylib.py", "V = 1\n"),
    ];
    let serve = async |handlers: Handlers| {
        let folder = root.path().join(handlers.as_str());
        std::fs::create_dir(&folder).unwrap();
        serve_as(handlers, &folder, &files, &lines).await
    };
    let error = serve(Handlers::Torch).await.unwrap_err();
    assert!(error.to_string().contains("requirements.txt has ./libs/mylib"), "{error}");
    let server = serve(Handlers::Sklearn).await;
    assert!(server.is_ok(), "{:#?}", lines.all());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_in_a_package_serves_by_its_dotted_name() {
    let (root, lines) = (TempDir::new().unwrap(), Lines::default());
    let files = [
        ("code/src/models/serve.py", "from src.features import V\ndef model_fn(folder):\n    return V\n"),
        ("code/src/features.py", "V = 1\n"),
    ];
    let named = BTreeMap::from([("SAGEMAKER_PROGRAM".to_owned(), "src.models.serve.py".to_owned())]);
    let server = serve_with(Handlers::Torch, root.path(), &files, named, &lines).await;
    assert!(server.is_ok(), "{:#?}", lines.all());
}
