//! Emulators and clients that others wrote, from PyPI, in a virtual environment under the build folder. Tests
//! that need them fail without Python or network: a test that skips itself shows nothing.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use super::{Server, free_port};

const REQUIREMENTS: &str = include_str!("requirements.txt");
const CONTAINERS: &str = include_str!("containers.py");
const READ_BACK: &str = include_str!("read_back.py");

/// The `bin` folder of the emulators' virtual environment.
pub fn bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| environment(REQUIREMENTS))
}

/// The `bin` folder of a virtual environment with these packages. Made by the first test that asks; the
/// others wait.
pub fn environment(requirements: &str) -> PathBuf {
    let key = blake3::hash(requirements.as_bytes()).to_hex();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-venv-{}", &key[..10]));
    // Another test run may do the same; the lock ends with the file.
    let lock = File::create(folder.with_extension("lock")).expect("the build folder is writable");
    lock.lock().expect("files can be locked");
    let ready = folder.join("ready");
    if !ready.exists() {
        let file = folder.with_extension("txt");
        fs::write(&file, requirements).expect("the build folder is writable");
        step(
            "make a virtual environment",
            Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder),
        );
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&file);
        step("install what the tests need from PyPI", &mut pip);
        fs::write(&ready, "").expect("the build folder is writable");
    }
    folder.join("bin")
}

fn step(what: &str, command: &mut Command) {
    let why = match command.output() {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "These tests run opsctl beside programs from PyPI. They need python3 (3.10 or newer, with venv) and \
        a way to \
         PyPI, once. It was not possible to {what}:\n{command:?}\n{why}"
    );
}

/// moto for everything but Lambda, ministack for Lambda, and a program that plays the containers which moto
/// does not run.
pub struct Emulators {
    pub endpoint: String,
    pub lambda: String,
    folder: tempfile::TempDir,
    _servers: [Server; 3],
}

impl Emulators {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (port, lambda) = (free_port(), free_port());
        let endpoint = format!("http://127.0.0.1:{port}");

        let mut command = Command::new(bin().join("moto_server"));
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        // Stricter than moto is by itself: policies, images and instance types must be real ones.
        command.env("MOTO_IAM_LOAD_MANAGED_POLICIES", "true");
        command.env("MOTO_ENABLE_AMI_VALIDATION", "true");
        command.env("MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION", "true");
        let moto = Server::start("moto", &command, folder.path());

        let mut command = Command::new(bin().join("ministack"));
        command.env("GATEWAY_PORT", lambda.to_string()).env("BIND_HOST", "127.0.0.1");
        let ministack = Server::start("ministack", &command, folder.path());

        let (moto, ministack) = (moto.listening_on(port), ministack.listening_on(lambda));
        let mut command = Command::new(bin().join("python"));
        let containers =
            Server::start("containers", command.args(["-c", CONTAINERS, &endpoint]), folder.path());
        let lambda = format!("http://127.0.0.1:{lambda}");
        Self { endpoint, lambda, folder, _servers: [moto, ministack, containers] }
    }

    /// Everything of a project that boto3 sees: not our code, and not our SDK.
    pub fn read_back(&self, project: &str, notebooks: Vec<&str>) -> Value {
        let mut command = Command::new(bin().join("python"));
        command.args(["-c", READ_BACK, &self.endpoint, &self.lambda, project]).args(notebooks);
        command.env_remove("AWS_PROFILE").current_dir(self.folder.path());
        document(&mut command)
    }
}

/// Runs a program to its end. It has to succeed, and to have written one JSON document.
pub fn document(command: &mut Command) -> Value {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?} cannot be started: {e}"));
    let (wrote, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let program = command.get_program();
    assert!(output.status.success(), "{program:?} failed:\n{wrote}\n{said}");
    serde_json::from_str(&wrote)
        .unwrap_or_else(|e| panic!("{program:?} did not write JSON: {e}\n{wrote}\n{said}"))
}
