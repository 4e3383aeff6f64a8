//! SageMaker's container contract in a private root: the `/opt/ml` layout, script mode's arguments and `SM_*`
//! environment (docs/aws/sagemaker-training.md; names and forms as in aws/sagemaker-training-toolkit
//! `params.py`, `mapping.py`, `environment.py`).
//!
//! The root is not `/`: a script finds its directories by the environment, as AWS's examples do. To help
//! scripts that are given a path, each hyperparameter and each environment value that starts with `/opt/ml`
//! is moved under the root. A script with such a path in its own text is not helped.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::ApiAccess;

/// A short way to the `/tmp` of a container or an instance, for as long as its process runs.
///
/// Processes of one script talk through sockets in there (PyTorch's data loaders do), and the path of a
/// socket has at most 104 bytes, of which a project's folder may have most.
#[derive(Debug)]
pub struct ShortTemporary(TempDir);

impl ShortTemporary {
    /// One that leads to this folder.
    pub fn new(temporary: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("opsctl-").tempdir()?;
        std::os::unix::fs::symlink(std::path::absolute(temporary)?, folder.path().join("tmp"))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("tmp")
    }
}

/// The `/opt/ml` tree of one container.
#[derive(Clone, Debug)]
pub struct ContainerFolders {
    root: PathBuf,
}

impl ContainerFolders {
    /// The layout below a folder.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the directories. What is there stays: a restart after a spot interruption finds its checkpoints.
    pub fn create(&self) -> io::Result<()> {
        let directories = [
            self.code(),
            self.config(),
            self.data(),
            self.model(),
            self.output_data(),
            self.checkpoints(),
            self.temporary(),
        ];
        directories.iter().try_for_each(std::fs::create_dir_all)
    }

    /// The folder that stands for the container's root.
    pub fn root(&self) -> &Path {
        &self.root
    }
    /// `/opt/ml`.
    pub fn ml(&self) -> PathBuf {
        self.root.join("opt/ml")
    }
    /// `/opt/ml/code`.
    pub fn code(&self) -> PathBuf {
        self.ml().join("code")
    }
    /// `/opt/ml/input/config`.
    pub fn config(&self) -> PathBuf {
        self.ml().join("input/config")
    }
    /// `/opt/ml/input/data`.
    pub fn data(&self) -> PathBuf {
        self.ml().join("input/data")
    }
    /// `/opt/ml/input/data/NAME`.
    pub fn channel(&self, name: &str) -> PathBuf {
        self.data().join(name)
    }
    /// `/opt/ml/model`.
    pub fn model(&self) -> PathBuf {
        self.ml().join("model")
    }
    /// `/opt/ml/output`.
    pub fn output(&self) -> PathBuf {
        self.ml().join("output")
    }
    /// `/opt/ml/output/data`.
    pub fn output_data(&self) -> PathBuf {
        self.output().join("data")
    }
    /// `/opt/ml/output/failure`.
    pub fn failure(&self) -> PathBuf {
        self.output().join("failure")
    }
    /// `/opt/ml/checkpoints`.
    pub fn checkpoints(&self) -> PathBuf {
        self.ml().join("checkpoints")
    }
    /// Its Python.
    pub fn python(&self) -> PathBuf {
        self.root.join("opt/python")
    }
    /// Its `/tmp`.
    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// A script of the code that names `/opt/ml`, which is a folder of this machine and none of the job.
    pub fn script_with_paths(&self) -> Option<String> {
        let mut folders = vec![self.code()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).ok()?.filter_map(Result::ok) {
                let path = entry.path();
                let is_script = path.extension().is_some_and(|end| end == "py" || end == "sh");
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(path);
                } else if is_script && std::fs::read_to_string(&path).is_ok_and(|it| it.contains("/opt/ml")) {
                    return Some(path.strip_prefix(self.code()).unwrap_or(&path).display().to_string());
                }
            }
        }
        None
    }

    /// Moves a path of the container under the root; any other text stays.
    pub fn rerooted(&self, value: &str) -> String {
        match value.strip_prefix("/opt/ml") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", text(self.ml())),
            _ => value.to_owned(),
        }
    }

    /// What every container has: its home, its temporary directory, its way to AWS, and the user's own
    /// variables.
    pub(super) fn environment(
        &self,
        reach: &ApiAccess,
        user: &BTreeMap<String, String>,
        temporary: &ShortTemporary,
    ) -> BTreeMap<String, String> {
        let mut variables = reach.environment();
        variables.insert("HOME".to_owned(), text(&self.root));
        variables.insert("TMPDIR".to_owned(), text(temporary.path()));
        // As in AWS's images: a line is in the log when it is printed, not when a buffer is full.
        variables.insert("PYTHONUNBUFFERED".to_owned(), "1".to_owned());
        variables.extend(user.iter().map(|(name, value)| (name.clone(), self.rerooted(value))));
        variables
    }
}

/// The hyperparameters of a script-mode job, decoded.
#[derive(Clone, Debug)]
pub struct Hyperparameters {
    /// All, as given: the content of `hyperparameters.json`.
    raw: BTreeMap<String, String>,
    /// Those for the script. AWS keeps the `sagemaker_*` ones for the container.
    user: BTreeMap<String, Value>,
}

impl Hyperparameters {
    /// Each value is decoded as JSON, with the text itself as fall-back
    /// (docs/aws/sagemaker-training.md#script-mode).
    pub fn new(raw: &BTreeMap<String, String>, layout: &ContainerFolders) -> Self {
        let user = raw
            .iter()
            .filter(|(name, _)| !name.starts_with("sagemaker_"))
            .map(|(name, value)| {
                let value = match serde_json::from_str(value) {
                    Ok(Value::String(text)) => Value::String(layout.rerooted(&text)),
                    Ok(value) => value,
                    Err(_) => Value::String(layout.rerooted(value)),
                };
                (name.clone(), value)
            })
            .collect();
        Self { raw: raw.clone(), user }
    }

    /// `--name value`, sorted by name; `-n value` for a name of one letter.
    pub fn arguments(&self) -> Vec<String> {
        let flag = |name: &str| if name.len() > 1 { format!("--{name}") } else { format!("-{name}") };
        self.user.iter().flat_map(|(name, value)| [flag(name), argument(value)]).collect()
    }

    fn environment(&self) -> impl Iterator<Item = (String, String)> {
        self.user.iter().map(|(name, value)| {
            let text = match value {
                Value::Object(_) | Value::Array(_) => value.to_string(),
                value => argument(value),
            };
            (format!("SM_HP_{}", name.to_uppercase()), text)
        })
    }
}

/// A value as Python's `str` writes it, for AWS's toolkit passes that.
fn argument(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::String(text) => text.clone(),
        Value::Object(map) => {
            map.iter().map(|(key, value)| format!("{key}={}", argument(value))).collect::<Vec<_>>().join(",")
        }
        Value::Array(_) => python_literal(value),
        Value::Number(number) => number.to_string(),
    }
}

fn python_literal(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(values) => {
            format!("[{}]", values.iter().map(python_literal).collect::<Vec<_>>().join(", "))
        }
        value => argument(value),
    }
}

/// What the container knows about its job.
pub struct Job<'a> {
    pub name: &'a str,
    pub arn: &'a str,
    pub program: &'a str,
    pub instance_type: &'a str,
    pub region: &'a str,
    pub channels: &'a [String],
    /// What `inputdataconfig.json` says of each.
    pub input: &'a Value,
    pub hyperparameters: &'a Hyperparameters,
}

impl Job<'_> {
    const HOST: &'static str = "algo-1";
    const NETWORK: &'static str = "eth0";

    /// Writes `hyperparameters.json`, `inputdataconfig.json`, `resourceconfig.json`.
    pub fn write_config(&self, layout: &ContainerFolders) -> io::Result<()> {
        let write = |name: &str, value: &Value| std::fs::write(layout.config().join(name), value.to_string());
        write("hyperparameters.json", &json!(self.hyperparameters.raw))?;
        write("inputdataconfig.json", self.input)?;
        write("resourceconfig.json", &self.resources())
    }

    fn resources(&self) -> Value {
        let group = json!({ "instance_group_name": "homogeneousCluster", "instance_type": self.instance_type,
            "hosts": [Self::HOST] });
        json!({
            "current_host": Self::HOST,
            "current_instance_type": self.instance_type,
            "current_group_name": "homogeneousCluster",
            "hosts": [Self::HOST],
            "instance_groups": [group],
            "network_interface_name": Self::NETWORK,
        })
    }

    /// All of it as one document, `SM_TRAINING_ENV`.
    fn whole(&self, layout: &ContainerFolders, module: &str) -> Value {
        let directories: Map<String, Value> =
            self.channels.iter().map(|name| (name.clone(), json!(layout.channel(name)))).collect();
        json!({
            "additional_framework_parameters": {},
            "channel_input_dirs": directories,
            "current_host": Self::HOST,
            "hosts": [Self::HOST],
            "hyperparameters": self.hyperparameters.user,
            "input_config_dir": layout.config(),
            "input_data_config": self.input,
            "input_dir": layout.ml().join("input"),
            "is_master": true,
            "job_name": self.name,
            "log_level": 20,
            "master_hostname": Self::HOST,
            "model_dir": layout.model(),
            "module_dir": layout.code(),
            "module_name": module,
            "network_interface_name": Self::NETWORK,
            "num_cpus": cpus(),
            "num_gpus": 0,
            "output_data_dir": layout.output_data(),
            "output_dir": layout.output(),
            "resource_config": self.resources(),
            "user_entry_point": self.program,
        })
    }

    /// The `SM_*` variables of script mode.
    pub fn environment(&self, layout: &ContainerFolders) -> BTreeMap<String, String> {
        let arguments = self.hyperparameters.arguments();
        let module = self.program.strip_suffix(".py").unwrap_or(self.program);
        let fixed = [
            ("TRAINING_JOB_NAME", self.name.to_owned()),
            ("TRAINING_JOB_ARN", self.arn.to_owned()),
            ("SAGEMAKER_JOB_NAME", self.name.to_owned()),
            ("SAGEMAKER_REGION", self.region.to_owned()),
            ("CURRENT_HOST", Self::HOST.to_owned()),
            ("SM_MODEL_DIR", text(layout.model())),
            ("SM_MODULE_DIR", text(layout.code())),
            ("SM_MODULE_NAME", module.to_owned()),
            ("SM_USER_ENTRY_POINT", self.program.to_owned()),
            ("SM_INPUT_DIR", text(layout.ml().join("input"))),
            ("SM_INPUT_CONFIG_DIR", text(layout.config())),
            ("SM_INPUT_DATA_CONFIG", self.input.to_string()),
            ("SM_OUTPUT_DIR", text(layout.output())),
            ("SM_OUTPUT_DATA_DIR", text(layout.output_data())),
            ("SM_CHANNELS", json!(self.channels).to_string()),
            ("SM_HPS", json!(self.hyperparameters.user).to_string()),
            ("SM_USER_ARGS", json!(arguments).to_string()),
            ("SM_CURRENT_HOST", Self::HOST.to_owned()),
            ("SM_CURRENT_INSTANCE_TYPE", self.instance_type.to_owned()),
            ("SM_HOSTS", json!([Self::HOST]).to_string()),
            ("SM_NETWORK_INTERFACE_NAME", Self::NETWORK.to_owned()),
            ("SM_RESOURCE_CONFIG", self.resources().to_string()),
            ("SM_NUM_CPUS", cpus().to_string()),
            ("SM_NUM_GPUS", "0".to_owned()),
            ("SM_LOG_LEVEL", "20".to_owned()),
            ("SM_TRAINING_ENV", self.whole(layout, module).to_string()),
            ("SM_FRAMEWORK_PARAMS", "{}".to_owned()),
        ];
        let channels = self
            .channels
            .iter()
            .map(|name| (format!("SM_CHANNEL_{}", name.to_uppercase()), text(layout.channel(name))));
        let fixed = fixed.into_iter().map(|(name, value)| (name.to_owned(), value));
        fixed.chain(channels).chain(self.hyperparameters.environment()).collect()
    }
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, |count| count.get())
}

pub(super) fn text(path: impl AsRef<Path>) -> String {
    path.as_ref().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hyperparameters(pairs: &[(&str, &str)]) -> Hyperparameters {
        let raw = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Hyperparameters::new(&raw, &ContainerFolders::new(Path::new("/private")))
    }

    #[test]
    fn hyperparameters_become_arguments_as_the_toolkit_writes_them() {
        let decoded = hyperparameters(&[
            ("epochs", "10"),
            ("b", "\"64\""),
            ("flag", "true"),
            ("layers", "[1, \"two\"]"),
            ("map", "{\"x\": 1}"),
            ("name", "plain text"),
            ("checkpoints", "/opt/ml/checkpoints"),
            ("optimizer", "/opt/mlx"),
            ("sagemaker_program", "train.py"),
        ]);
        let expected = "-b 64 --checkpoints /private/opt/ml/checkpoints --epochs 10 --flag True \
                        --layers [1, 'two'] --map x=1 --name plain text --optimizer /opt/mlx";
        assert_eq!(decoded.arguments().join(" "), expected);
        assert_eq!(decoded.raw["sagemaker_program"], "train.py");
    }

    #[test]
    fn hyperparameters_become_variables_with_their_case_and_hyphens_as_on_aws() {
        let variables: BTreeMap<_, _> =
            hyperparameters(&[("batch-size", "8"), ("lr", "1.5")]).environment().collect();
        assert_eq!(variables["SM_HP_BATCH-SIZE"], "8");
        assert_eq!(variables["SM_HP_LR"], "1.5");
    }
}
