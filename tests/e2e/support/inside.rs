//! A run inside the test's own process: library against sandbox, where every call can be counted and struck.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use opsctl::aws::{self, Clients, OpError, TargetOptions};
use opsctl::config::{Config, Document};
use opsctl::desired::{self, AnyKind, Desired, Node};
use opsctl::domain::Scope;
use opsctl::engine::{self, Cancel, Events, OpCx, Registry, RunContext, RunOutcome, RunResult};
use opsctl::inputs::Inputs;
use opsctl::plan::{self, Mode, Observed, Op, Plan, Step};
use opsctl::resources::{kinds, registry};
use opsctl_sandbox::{Sandbox, SandboxOptions};
use serde_json::Value;

pub const DEPLOY: Mode = Mode::Deploy { prune: false, adopt: false };
pub const DESTROY: Mode = Mode::Destroy { adopted: false };

/// A sandbox whose jobs and servers only go through their states: fast, and the same each time.
pub async fn sandbox(root: &Path) -> Sandbox {
    let mut options = SandboxOptions::new(root);
    options.runs = false;
    Sandbox::start(options).await.expect("the sandbox starts")
}

/// Tells the sandbox's control plane something.
pub async fn post(sandbox: &Sandbox, path: &str, body: &Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let host = sandbox.endpoint_url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = tokio::net::TcpStream::connect(&host).await.expect("it listens");
    let body = body.to_string();
    let request = format!(
        "POST /_sandbox/{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("it takes it");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// The shipped project, read and connected.
pub struct Project {
    pub kinds: Vec<Box<dyn AnyKind>>,
    pub registry: Registry,
    pub desired: Desired,
    pub world: RunContext,
}

impl Project {
    pub async fn open(sandbox: &Sandbox) -> Self {
        Self::edited(sandbox, |text| text).await
    }

    /// The shipped project with a `ttl`, and so with every kind.
    pub async fn whole(sandbox: &Sandbox) -> Self {
        Self::edited(sandbox, with_ttl).await
    }

    /// The shipped project with its config text changed.
    pub async fn edited(sandbox: &Sandbox, edit: impl FnOnce(String) -> String) -> Self {
        Self::through(sandbox, sandbox.endpoint_url(), edit).await
    }

    /// The same, by way of another address.
    pub async fn through(sandbox: &Sandbox, address: &str, edit: impl FnOnce(String) -> String) -> Self {
        let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/opsctl.toml");
        let text = edit(std::fs::read_to_string(&file).expect("the shipped config"));
        Self::at(sandbox, address, &Document::parse(&file, text).expect("it is TOML")).await
    }

    /// Any project.
    pub async fn of(sandbox: &Sandbox, document: &Document) -> Self {
        Self::at(sandbox, sandbox.endpoint_url(), document).await
    }

    async fn at(sandbox: &Sandbox, address: &str, document: &Document) -> Self {
        let kinds = kinds();
        let mut sections: Vec<_> = kinds.iter().filter_map(|k| k.section()).collect();
        sections.dedup();
        let config = Config::of(document, "dev", &sections).expect("it is valid");
        let inputs = Inputs::read(document.folder(), desired::sources(&config, &kinds));
        let scope = Scope::new(&config.project.name, "dev", "123456789012", "us-east-1");
        let (desired, problems) = desired::build(&config, &scope, &inputs, &kinds);
        assert!(!problems.has_errors(), "{problems:?}");
        let choice = TargetOptions {
            region: Some("us-east-1".into()),
            sandbox: Some(address.to_owned()),
            ..TargetOptions::default()
        };
        let target = aws::connect(&choice).await;
        let world = RunContext {
            aws: Clients::new(&target),
            scope,
            tags: desired.tags.clone(),
            inputs,
            cache: sandbox.state().root.join("cache"),
            wanted: desired.nodes.iter().map(|n| (n.id.kind, n.physical.clone())).collect(),
            events: Events::nowhere(),
            cancel: Cancel::default(),
            pace: target.pace,
            lag: std::time::Duration::from_secs(2),
            timeout: None,
            patience: None,
            began: std::sync::OnceLock::new(),
        };
        Self { kinds, registry: registry(), desired, world }
    }

    pub async fn observe(&self) -> Result<Observed, opsctl::aws::OpError> {
        engine::observe(&self.desired, &self.registry, &self.world).await
    }

    /// As [`Self::observe`], with what a plan of this mode must know besides.
    pub async fn observe_for(&self, mode: Mode) -> Result<Observed, opsctl::aws::OpError> {
        let mut have = self.observe().await?;
        engine::count(&self.desired, &mut have, mode, &self.registry, &self.world).await?;
        Ok(have)
    }

    /// Plans, and demands that the independent checker finds nothing.
    pub async fn plan(&self, mode: Mode) -> Result<Plan, String> {
        let mut have = self.observe_for(mode).await.map_err(|e| e.to_string())?;
        let build = |have: &Observed| {
            plan::build(&self.desired, have, &self.kinds, mode).map_err(|p| format!("{p:?}"))
        };
        let mut plan = build(&have)?;
        let closer = engine::observe_closely(&self.desired, &plan, &mut have, &self.registry, &self.world);
        if closer.await.map_err(|e| e.to_string())? {
            plan = build(&have)?;
        }
        let wrong = plan::check::check(&plan, &self.desired, &have, &self.kinds, mode);
        assert!(wrong.is_empty(), "{wrong:?}");
        Ok(plan)
    }

    pub async fn run(&self, mode: Mode) -> Result<RunOutcome, String> {
        let plan = self.plan(mode).await?;
        Ok(engine::execute(&plan, &self.registry, &self.world).await)
    }

    /// Runs and demands success.
    pub async fn succeed(&self, mode: Mode) {
        let outcome = self.run(mode).await.expect("it can be planned");
        assert!(outcome.failed.is_empty(), "{:?}", outcome.failed);
        assert_eq!(outcome.result(), RunResult::Ok);
    }

    /// What a plan would do, as `verb target` lines.
    pub async fn steps(&self, mode: Mode) -> Vec<String> {
        let plan = self.plan(mode).await.expect("it can be planned");
        plan.steps.iter().map(|s| format!("{} {}", s.op.verb().as_str(), s.target)).collect()
    }
}

/// A config with the `ttl` that the shipped one only shows.
pub fn with_ttl(text: String) -> String {
    let with = text.replacen("# ttl  = ", "ttl  = ", 1);
    assert_ne!(with, text);
    with
}

/// One verb on one resource, as a step of a plan does it.
pub async fn perform(project: &Project, node: &Node, op: Op) -> Result<(), OpError> {
    let cx = OpCx::new(&project.world, node.id.clone());
    let (target, physical) = (node.id.clone(), node.physical.clone());
    let step = Step { id: 0, target, physical, op, after: BTreeSet::new(), why: Vec::new() };
    project.registry.of(node.id.kind).perform(&cx, &step).await
}

/// A config with `n` endpoints with scaling more, each with a function in front of it: ten resources each.
pub fn with_more(text: &str, n: usize) -> String {
    let more = |i| {
        format!(
            "\n[endpoint.more-{i}]\nmodel = \"numbers\"\ncode = \"serving\"\n\
            instance_type = \"ml.m5.large\"\n\
             [endpoint.more-{i}.autoscaling]\nmin = 1\nmax = 2\ntarget_invocations_per_instance = 600\n\
             [function.more-{i}]\nendpoint = \"more-{i}\"\nprovisioned_concurrency = 1\n"
        )
    };
    (0..n).map(more).fold(text.to_owned(), |text, more| text + &more)
}
