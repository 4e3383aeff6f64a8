//! opsctl operationalizes a machine-learning project on AWS from one file.
//!
//! Data flows one way: [`config`] → [`desired`] → observed → [`plan`] → check → execute → report.
//! The plan decides, the executor obeys. `docs/architecture.md` has the picture.
//!
//! The pure half needs neither AWS nor a network:
//!
//! ```
//! use std::path::Path;
//!
//! use opsctl::config::{Config, Document};
//! use opsctl::domain::Scope;
//! use opsctl::inputs::Inputs;
//! use opsctl::plan::{self, Mode, Observed};
//! use opsctl::{desired, resources};
//!
//! let text = "[project]\nname = \"example\"\nregion = \"us-east-1\"\n".to_owned();
//! let document = Document::parse(Path::new("opsctl.toml"), text).expect("it is TOML");
//! let kinds = resources::kinds();
//! let sections: Vec<_> = kinds.iter().filter_map(|kind| kind.section()).collect();
//! let config = Config::of(&document, "dev", &sections).expect("a valid config");
//!
//! let inputs = Inputs::walk(document.folder(), desired::sources(&config, &kinds));
//! let scope = Scope::new("example", "dev", "123456789012", "us-east-1");
//! let (desired, problems) = desired::build(&config, &scope, &inputs, &kinds);
//! assert!(!problems.has_errors());
//!
//! // Nothing was observed, so there is nothing in AWS yet.
//! let mode = Mode::Deploy { prune: false, adopt: false };
//! let plan = plan::build(&desired, &Observed::default(), &kinds, mode).expect("a plan");
//! assert_eq!(plan.steps.len(), 1);
//! assert_eq!(plan.steps[0].target.to_string(), "bucket/main");
//! ```
//!
//! [`run`] does the rest: it opens a session, observes AWS, and executes the plan.

pub mod archive;
pub mod audit;
pub mod config;
pub mod cost;
pub mod desired;
pub mod domain;
pub mod evidence;
pub mod inputs;
pub mod limits;
pub mod plan;
pub mod policy;
pub mod report;
pub mod resources;

#[cfg(feature = "sdk")]
pub mod aws;
#[cfg(feature = "sdk")]
pub mod cli;
#[cfg(feature = "sdk")]
pub mod engine;
#[cfg(feature = "sdk")]
pub mod run;
#[cfg(feature = "sdk")]
pub mod transfer;
