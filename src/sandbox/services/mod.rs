//! The services, one folder or file each. A service is a constant table of operations; it is registered here.

pub mod access;
pub mod autoscaling;
pub mod cloudwatch;
pub mod ec2;
pub mod ecr;
pub mod iam;
pub mod kms;
pub mod lambda;
pub mod logs;
pub mod objects;
pub mod pricing;
pub mod quotas;
pub mod runtime;
pub mod s3;
pub mod sagemaker;
pub mod scheduler;
pub mod ssm;
pub mod sts;
pub mod tagging;
pub mod usage;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::protocol::Service;
use super::state::SandboxState;

/// Takes up again what a restart of the sandbox interrupted. What runs it is plugged in already.
pub(super) fn resume(shared: &Arc<SandboxState>) {
    sagemaker::resume(shared);
    lambda::resume(shared);
    // Nothing would ever come of an instance whose process is gone.
    for (region, id) in ec2::resume(shared) {
        if let Err(fault) = ec2::shut_down(shared, &region, &id) {
            tracing::warn!(instance = id, error = fault.message, "an instance stays");
        }
    }
}

/// Whether the bytes that a document names are there. Only S3 keeps bytes beside its documents.
pub(super) fn has_bytes(root: &Path, table: &str, key: &str, doc: &Value) -> bool {
    s3::has_bytes(root, table, key, doc)
}

/// Every service of the sandbox: one line each.
pub(super) fn all(shared: &Arc<SandboxState>) -> Vec<Box<dyn Service>> {
    vec![
        Box::new(autoscaling::API),
        Box::new(cloudwatch::API),
        Box::new(ec2::API),
        Box::new(ecr::API),
        Box::new(iam::API),
        Box::new(kms::API),
        Box::new(lambda::API),
        Box::new(logs::API),
        Box::new(pricing::API),
        Box::new(quotas::API),
        Box::new(runtime::API),
        Box::new(s3::Service::new(shared)),
        Box::new(sagemaker::API),
        Box::new(scheduler::API),
        Box::new(ssm::API),
        Box::new(sts::API),
        Box::new(tagging::API),
    ]
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{Sandbox, SandboxOptions, model};

    /// The page is what README and docs/sandbox.md point to, and what `model/build.py` reads.
    #[tokio::test]
    async fn the_page_lists_every_operation() {
        let root = tempfile::tempdir().unwrap();
        let options = SandboxOptions { runs: false, ..SandboxOptions::new(root.path()) };
        let sandbox = Sandbox::start(options).await.unwrap();
        let mut services: Vec<_> = super::all(sandbox.state())
            .iter()
            .map(|service| {
                let mut names: Vec<_> = service.operations().into_iter().map(|(name, _)| name).collect();
                names.sort_unstable();
                names.dedup();
                (service.name(), names)
            })
            .collect();
        services.sort_unstable();
        let count: usize = services.iter().map(|(_, names)| names.len()).sum();
        let mut page = format!(
            "# Operations of the sandbox\n\n{count} operations of {} services. The test \
             `the_page_lists_every_operation` writes this page with\n`UPDATE_EXPECT=1`; \
             `src/sandbox/model/build.py` reads it. What each of them leaves out is \
             in\n[../sandbox.md](../sandbox.md).\n",
            services.len()
        );
        for (service, names) in services {
            let names: String = names.iter().map(|name| format!("- {name}\n")).collect();
            page.push_str(&format!("\n## {service}\n\n{names}"));
        }
        expect_test::expect_file!["../../../docs/inside/sandbox-operations.md"].assert_eq(&page);
    }

    /// The tables are for what AWS refuses beyond its models.
    #[tokio::test]
    async fn no_rule_repeats_its_model() {
        let root = tempfile::tempdir().unwrap();
        let options = SandboxOptions { runs: false, ..SandboxOptions::new(root.path()) };
        let sandbox = Sandbox::start(options).await.unwrap();
        let mut repeated = Vec::new();
        for service in super::all(sandbox.state()) {
            for (operation, rules) in service.operations() {
                let Some(input) = model::input(service.name(), operation) else { continue };
                for rule in rules.iter().filter(|rule| input.says(rule)) {
                    repeated.push(format!("{}:{operation} {}", service.name(), rule.path()));
                }
            }
        }
        assert!(repeated.is_empty(), "{}", repeated.join("\n"));
    }

    /// A table belongs to one service; the others ask it.
    #[test]
    fn no_service_names_the_table_of_another() {
        let folders = [
            ("application-autoscaling", "autoscaling"),
            ("cloudwatch", "cloudwatch"),
            ("ec2", "ec2"),
            ("ecr", "ecr"),
            ("iam", "iam"),
            ("lambda", "lambda"),
            ("logs", "logs"),
            ("s3", "s3"),
            ("sagemaker", "sagemaker"),
            ("scheduler", "scheduler"),
            ("servicequotas", "quotas.rs"),
        ];
        let mut foreign = Vec::new();
        let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("services")];
        while let Some(path) = waiting.pop() {
            if path.is_dir() {
                waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let shown = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_string_lossy();
            for (service, folder) in folders {
                let table = regex_lite::Regex::new(&format!("\"{service}\\.[a-z-]+\"")).unwrap();
                let is_own = shown.contains(&format!("services/{folder}")) || shown.contains("tests");
                if !is_own && table.is_match(&text) {
                    foreign.push(format!("{shown}: a table of {service}"));
                }
            }
        }
        assert!(foreign.is_empty(), "{foreign:#?}");
    }

    /// No operation is answered whose input nobody checks: `python3 model/build.py` makes what is missing.
    #[test]
    fn every_operation_has_its_model() {
        let page = include_str!("../../../docs/inside/sandbox-operations.md");
        let mut service = "";
        for line in page.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                service = name;
            }
            // S3's inputs are read by `s3s`; these two are the sandbox's own.
            let Some(operation) = line
                .strip_prefix("- ")
                .filter(|name| service != "s3" && !["GetCode", "InvokeFunctionUrl"].contains(name))
            else {
                continue;
            };
            assert!(crate::model::knows(service, operation), "{service}:{operation}");
        }
    }
}
