//! The flow of a run, without a terminal: what commands, other programs and tests call.
//!
//! A [`Project`] is read from a config, a [`Session`] is opened with it, an [`Intent`] says what is wanted,
//! and a [`Run`] does it: look, plan, check, hold the plan against the budget and the account, take the
//! lease, plan again, execute, look again, give the lease back. Each part can be called alone; what it finds
//! is typed, and the words are the command line's. [`Session::carry_out_reviewed`] is the whole of it for a
//! [`Reviewer`] who sees the plan first and may be asked.
//!
//! ```
//! use opsctl::aws::{self, TargetOptions};
//! use opsctl::config::Document;
//! use opsctl::engine::lease::LeaseHolder;
//! use opsctl::run::{Connection, Folders, Intent, Project, Session};
//! use opsctl_sandbox::{Sandbox, SandboxOptions};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! // An AWS on this machine; elsewhere `TargetOptions` names a profile, a region or an endpoint.
//! let sandbox = Sandbox::start(SandboxOptions::new(folder.path())).await.unwrap();
//! let (region, address) = (Some("us-east-1".into()), Some(sandbox.endpoint_url().to_owned()));
//! let target = aws::connect(&TargetOptions { region, sandbox: address, ..TargetOptions::default() }).await;
//!
//! let text = "[project]\nname = \"example\"\nregion = \"us-east-1\"\n".to_owned();
//! let document = Document::parse(&folder.path().join("opsctl.toml"), text).unwrap();
//! let project = Project::read(&document, "dev", Folders::Read).expect("a valid config");
//! let session = Session::open(project, Connection::to(target)).await.expect("credentials");
//!
//! let who = LeaseHolder::default();
//! let deploy = Intent::deploy(&session, false, false);
//! let (plan, _) = session.run(&deploy).plan().await.expect("everything can be read");
//! assert_eq!(plan.steps[0].why, ["not there yet"]);
//! let done = session.run(&deploy).carry_out(&who).await.expect("nobody else holds the lease");
//! assert!(done.is_ok());
//!
//! let destroy = Intent::destroy(&session, false);
//! assert!(session.run(&destroy).carry_out(&who).await.expect("nobody else holds the lease").is_ok());
//! # sandbox.stop().await;
//! # });
//! ```

pub mod address;
pub mod audit;
pub mod check;
mod continues;
mod difference;
pub mod doctor;
mod done;
pub mod evidence;
mod flow;
mod gate;
mod intent;
pub mod invoke;
pub mod jobs;
mod key;
mod latest;
pub mod lease;
pub mod logs;
pub mod named;
pub mod overview;
pub mod played;
pub mod prices;
pub mod pull;
mod readers;
mod reads;
mod refusal;
mod remote;
mod reviewer;
mod saved;
mod session;
pub mod stop;
mod strays;
pub mod upload;
mod whoami;
mod whose;

pub use continues::{Continues, Host, Stop};
pub use difference::{Difference, Place};
pub use done::{Done, Left, Unverified};
pub use flow::{Gated, LeasedRun, Run, differences, leased, release};
pub use gate::{Gates, Month, MonthlyLimit, OverBudget, cost};
pub use intent::{Intent, UnknownName};
pub use refusal::{Refusal, Verified};
pub use reviewer::{Ending, Reviewer, Stopped, Terms};
pub use saved::{SavedPlan, Standing};
pub use session::{Connection, Folders, OpenError, Project, Session, sections};
pub use whoami::{Caller, whoami};
pub use whose::{bucket_is_ours, ours};
