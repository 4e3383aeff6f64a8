//! `opsctl open`: a resource's own page, or that of AWS's console.

use clap::Args;
use serde_json::json;

use super::stop::{TargetArgs, absent};
use crate::cli::args::Global;
use crate::cli::browser::{PROGRAM, browse};
use crate::cli::environment::{Environment, home};
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::named::{Among, named};
use crate::cli::session::with_session;
use crate::cli::ui::Ui;
use crate::domain::codes;
use crate::run::address::{self, Address, AddressError};
use crate::run::jobs::Job;
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct OpenArgs {
    #[command(flatten)]
    pub resource: TargetArgs,
    /// Print the address and open nothing
    #[arg(long)]
    pub print: bool,
}

/// Opens the page, or prints its address where there is no browser to open it.
pub async fn run(args: &OpenArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Spared, async |session| {
        let among = Among { what: "has a page", kinds: &|_| true };
        let job = named(session, &args.resource.target, &among).await?;
        let Address { url, is_secret } = address(session, &job).await?;
        if ui.json() {
            ui.out_line(&json!({ "format": 1, "target": job.id, "address": url }));
            return Ok(Exit::Done);
        }
        let folder = home(&session.config.document.file).join(".opsctl");
        let opened = !args.print && ui.rewrites() && browse(PROGRAM, &url, is_secret, &folder).await;
        // A link that is a credential goes nowhere but to who asked for it.
        match (opened, is_secret) {
            (true, true) => ui.say(&format!(
                "Opened {id}. If the browser shows nothing, `opsctl open --print {id}` prints the address.",
                id = job.id
            )),
            (true, false) => ui.say(&format!("Opened {url}")),
            (false, _) => ui.out(&format!("{url}\n")),
        }
        if is_secret && session.is_sandbox() {
            ui.say("The sandbox runs no Jupyter: on AWS this address opens it, here nothing answers.");
        }
        Ok(Exit::Done)
    })
    .await
}

/// Where a resource's page is.
pub(super) async fn address(session: &Session, job: &Job) -> Result<Address, Failure> {
    address::of(session, job).await.map_err(|error| match error {
        AddressError::Op(error) => error.into(),
        AddressError::Absent => absent(job),
        AddressError::NotRunning => {
            let message = format!("{} is not running", job.id);
            let help = format!("`opsctl start {}` starts it", job.id);
            Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, help)
        }
        AddressError::NoPage => {
            let (message, help) = match session.is_aws() {
                true => {
                    (format!("AWS's console has no page for {}", job.id), "`opsctl status` shows its state")
                }
                false => (
                    format!("{} is not in AWS, so AWS's console has no page for it", job.id),
                    match session.kind(job.id.kind).has_log() {
                        true => "`opsctl status` shows its state, `opsctl logs` what it printed",
                        false => "`opsctl status` shows its state",
                    },
                ),
            };
            Failure::new(codes::NOT_OFFERED, Exit::Failed, message, help)
        }
    })
}
