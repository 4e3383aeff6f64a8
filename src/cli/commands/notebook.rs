//! `opsctl notebook`: creates, starts, stops or opens a notebook instance.

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{open, stop};
use crate::cli::act;
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::CommandResult;
use crate::cli::exit::Exit;
use crate::cli::session::{only, with_session};
use crate::cli::ui::Ui;
use crate::domain::{KindName, ResourceId};
use crate::run::jobs::Job;
use crate::run::stop::Change;
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct NotebookArgs {
    /// Without a verb: create or update the notebook from the config
    #[arg(value_enum)]
    pub verb: Option<NotebookVerb>,
    /// Which one, when the config has several
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    #[command(flatten)]
    pub preview: DryRun,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NotebookVerb {
    Start,
    Stop,
    /// Print a link that opens it, valid for five minutes
    Url,
}

/// Without a verb a deploy of the notebook; with one, of what is deployed already.
pub async fn run(args: &NotebookArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let Some(verb) = args.verb else {
        let names: Vec<String> = args.name.iter().cloned().collect();
        return act::deploy_subset(&[KindName::Notebook], &names, args.preview, global, ui, env).await;
    };
    // What a budget counts, it reads: also the data in the bucket.
    let folders = if verb == NotebookVerb::Start { Folders::Listed } else { Folders::Unneeded };
    with_session(global, env, folders, async |session| {
        let name = only(session, KindName::Notebook, args.name.as_deref())?;
        let job = Job::of(session, ResourceId::new(KindName::Notebook, name));
        let to = match verb {
            NotebookVerb::Start => Change::Start { monthly: None },
            NotebookVerb::Stop => Change::Stop,
            NotebookVerb::Url => return url(session, &job, ui).await,
        };
        stop::change(session, &job, to, false, ui).await
    })
    .await
}

async fn url(session: &Session, job: &Job, ui: &Ui) -> CommandResult {
    // The link is a credential for five minutes: it is the result, and goes nowhere else.
    let address = open::address(session, job).await?.url;
    match ui.json() {
        true => ui.out_line(&json!({ "format": 1, "target": job.id, "address": address })),
        false => ui.out(&format!("{address}\n")),
    }
    Ok(Exit::Done)
}
