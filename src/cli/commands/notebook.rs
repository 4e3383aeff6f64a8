//! `opsctl notebook`: creates, starts, stops or opens a notebook instance.

use clap::{Args, ValueEnum};

use crate::aws::{OpError, OpErrorKind};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::session::{only, with_session};
use crate::cli::ui::Ui;
use crate::cli::{CommandResult, act};
use crate::desired::Kind;
use crate::domain::{KindName, codes};
use crate::engine::OpCx;
use crate::resources::notebook::{Notebook, aws};
use crate::run::{self, Folders, Session};

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

pub async fn run(args: &NotebookArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let Some(verb) = args.verb else {
        let names: Vec<String> = args.name.iter().cloned().collect();
        return act::deploy_subset(&[KindName::Notebook], &names, args.preview, global, ui, env).await;
    };
    with_session(global, env, Folders::Unneeded, async |session| act_on(session, args, verb, ui).await).await
}

async fn act_on(session: &Session, args: &NotebookArgs, verb: NotebookVerb, ui: &Ui) -> CommandResult {
    let name = only(session, "notebook", args.name.as_deref())?;
    let physical = session.context.scope.physical(name);
    let cx = OpCx { context: &session.context, step: 0, target: Notebook::id(name) };
    run::ours(session, &cx.target, &physical).await?;
    // A link changes nothing; all else keeps out of the way of a deploy.
    let lease = match verb {
        NotebookVerb::Url => None,
        NotebookVerb::Start | NotebookVerb::Stop => {
            session.context.cancel.commit()?;
            let take = run::leased(&session.context, &session.who);
            session.context.cancel.briefly("lease", take).await?
        }
    };
    let act = async {
        match verb {
            NotebookVerb::Start => aws::start(&cx, &physical).await.map(|()| "running".to_owned()),
            NotebookVerb::Stop => aws::stop(&cx, &physical).await.map(|()| "stopped".to_owned()),
            NotebookVerb::Url => aws::url(&cx, &physical).await,
        }
    };
    let done = session.context.cancel.writing("notebook", act).await;
    let lost = run::release(&session.context, lease).await;
    let done = done.and_then(|text| lost.map_or(Ok(text), |lost| Err(OpError::lost(&lost))));
    let text = done.map_err(|error| match error.kind {
        OpErrorKind::NotFound => {
            let message = format!("notebook/{name} is not deployed");
            Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, "`opsctl notebook` creates it")
        }
        OpErrorKind::Invalid | OpErrorKind::Conflict if verb == NotebookVerb::Url => {
            let message = format!("notebook/{name} is not running");
            Failure::new(codes::FAILED, Exit::Failed, message, "`opsctl notebook start` starts it")
        }
        _ => error.into(),
    })?;
    if verb == NotebookVerb::Url {
        // The link is a credential for five minutes: it is the result, and goes nowhere else.
        ui.out(&format!("{text}\n"));
    } else {
        ui.say(&format!("notebook/{name} is {text}."));
    }
    Ok(Exit::Done)
}
