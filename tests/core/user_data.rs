//! The program of a training instance: within EC2's limit, and whole whatever the values are.

use std::process::{Command, Stdio};

use opsctl::resources::instance::{Spec, user_data};

use crate::project;

const NASTY: &str = r#"it's "quoted"; $(touch /tmp/x) `id` $HOME \n \\ {{region}} ä ' ; exit 1 #"#;

/// The spec of a job whose values try to break out.
fn spec(value: &str) -> Spec {
    let folder = tempfile::tempdir().unwrap();
    for file in ["src/it's.py", "data/a.csv"] {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "1").unwrap();
    }
    let text = format!(
        r#"
[project]
name = "shop"
[data.shoes]
path = "data"
[training.shoes]
on = "ec2"
source = "src"
entry = "it's.py"
data = ["shoes"]
max_runtime = "1h"
hyperparameters = {{ text = {value}, rate = 0.1, on = true }}
environment = {{ TEXT = {value} }}
"#,
        value = toml::Value::from(value)
    );
    let (project, said) = project::said_about(&folder.path().join("opsctl.toml"), text, "dev");
    assert!(!said.contains("error"), "{said}");
    let desired = project.unwrap().desired;
    let node = desired.node(&"instance/shoes".parse().unwrap()).unwrap();
    serde_json::from_value(node.spec.clone()).unwrap()
}

#[track_caller]
fn bash(arguments: &[&str], script: &str) -> String {
    use std::io::Write;
    let mut child = Command::new("bash")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn it_is_bash_and_small_enough() {
    let script = user_data::script("shop-dev-shoes-0123456789", &spec(NASTY), "us-east-1");
    bash(&["-n"], &script);
    assert!(script.len() < user_data::LIMIT - 1_000, "{} bytes leave little for values", script.len());
}

#[test]
fn every_placeholder_is_filled() {
    let script = user_data::script("job", &spec("plain"), "us-east-1");
    let left: Vec<_> = script.lines().filter(|line| !line.starts_with('#') && line.contains("={{")).collect();
    assert_eq!(left, [] as [&str; 0]);
}

#[test]
fn values_arrive_as_they_were_written() {
    let spec = spec(NASTY);
    let script = user_data::script("job", &spec, "us-east-1");
    let (head, _) = script.split_once("\nML=").unwrap();
    let told = |variable: &str| bash(&["-s"], &format!("{head}\nprintf '%s' \"${variable}\"\n"));
    assert_eq!(told("JOB"), "job");
    assert_eq!(told("ENTRY"), "it's.py");
    assert_eq!(told("CHANNELS"), format!("shoes {}", spec.channels[0].uri));
    assert_eq!(told("DEADLINE"), "3600");
    assert_eq!(told("REGION"), "us-east-1");
    let environment: serde_json::Value = serde_json::from_str(&told("ENVIRONMENT")).unwrap();
    assert_eq!(environment["TEXT"], NASTY);
    let hyperparameters: serde_json::Value = serde_json::from_str(&told("HYPERPARAMETERS")).unwrap();
    assert_eq!(hyperparameters, serde_json::json!({ "text": NASTY, "rate": "0.1", "on": "true" }));
}
