//! Every command that asks AWS for something, as people type it in the shipped project. What all of them must
//! keep (what `opsctl policy` allows, AWS's models, that no secret is said) is tried with these lists.

use super::World;

/// They only look.
pub const LOOKS: &[&str] = &[
    "plan",
    "status",
    "logs training/numbers",
    "logs training/numbers-on-ec2",
    "logs endpoint/numbers",
    "logs function/classify",
    "logs notebook/lab",
    "open --print endpoint/numbers",
    "lease show",
    "destroy --dry-run",
    "report --out report.html",
    "doctor",
    // It knows the quotas' codes now.
    "doctor",
    "audit-iam",
    "audit-iam --usage-from-aws",
    "audit-iam explain digits-dev-training-numbers-us-east-1 s3:GetObject",
    "policy deployer -o json",
    "policy planner -o json",
    "policy role -o json",
    "policy github-trust --repository me/digits --branch main",
];

/// They change something, and leave everything deployed.
pub const CHANGES: &[&str] = &[
    "bucket --yes",
    "upload --verify --yes",
    "train numbers --yes",
    "invoke --payload 1",
    "invoke --endpoint numbers --payload 1",
    "scale numbers --min 2 --max 3 --target 500 --yes",
    "scale classify --provisioned-concurrency 1 --yes",
    "stop notebook/lab",
    "start notebook/lab",
    "notebook stop --yes",
    "notebook start --yes",
    "notebook url",
    "open --print notebook/lab",
    "data pull --to pulled",
    "model pull numbers --to model.tar.gz",
    "lease break --yes",
    "deploy --yes",
];

/// They ask AWS for nothing.
pub const ALONE: &[&str] = &["init", "check", "sandbox", "schema", "completions", "man", "explain"];

/// Runs them against AWS at this address, whatever becomes of each.
pub fn run(world: &World, url: &str, commands: &[&str]) {
    for command in commands {
        let arguments = ["--endpoint-url", url, "-c", "config/opsctl.toml"];
        let ran = world.run(arguments.into_iter().chain(command.split(' ')));
        assert!(!ran.stderr.contains("panicked at"), "{ran}");
        // No command line that is wrong by itself.
        assert!(!ran.stderr.contains("U302"), "{ran}");
    }
}
