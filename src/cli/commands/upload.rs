//! `opsctl upload`: uploads data sets with as few requests as there are changes. Where the project has no
//! bucket yet, it deploys that part of the graph.

use clap::Args;
use serde_json::{Value, json};

use super::data::elsewhere;
use crate::cli::CommandResult;
use crate::cli::act::{confirm, deploy_subset, finish_display, print_warnings, start_display, subset};
use crate::cli::args::{DryRun, Global};
use crate::cli::environment::Environment;
use crate::cli::error::{Failure, exit_of, help_of};
use crate::cli::exit::Exit;
use crate::cli::session::{names, with_session};
use crate::cli::ui::Ui;
use crate::domain::{Diagnostics, KindName, ResourceId, Verb, bytes, codes, grouped, many};
use crate::resources::data::SendReason;
use crate::run::upload::{DataSet, Upload, UploadRefusal, read_files, read_manifests};
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct UploadArgs {
    /// Only these data sets (default: all)
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Compare with the objects in the bucket instead of the manifest, and repair both
    #[arg(long)]
    pub verify: bool,
    #[command(flatten)]
    pub preview: DryRun,
}

/// Sends what differs. Where there is no bucket yet it is a deploy of the data sets.
pub async fn run(args: &UploadArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let uploaded =
        with_session(global, env, Folders::Listed, async |session| upload(session, args, global, ui).await);
    match uploaded.await? {
        Some(exit) => Ok(exit),
        None => deploy_subset(&[KindName::Data], &args.names, args.preview, global, ui, env).await,
    }
}

/// `None`: there is no bucket of ours yet.
async fn upload(
    session: &mut Session,
    args: &UploadArgs,
    global: &Global,
    ui: &Ui,
) -> Result<Option<Exit>, Failure> {
    let intent = subset(session, &[KindName::Data], &args.names).map_err(|unknown| {
        let named = names(session, "data").into_iter().find(|name| match args.names.as_slice() {
            [] => true,
            given => given.iter().any(|given| given == name),
        });
        // What the config has, and opsctl does not upload.
        let id = named.map(|name| ResourceId::new(KindName::Data, name));
        let id = id.filter(|id| session.desired.node(id).is_none());
        id.map_or(unknown, |id| elsewhere(&id))
    })?;
    let Some(sets) = read_manifests(session, &intent, args.verify).await? else { return Ok(None) };
    compare(session, &sets, ui)?;
    if !ui.json() {
        print_warnings(session, ui);
    }
    let (todo, done): (Vec<DataSet>, Vec<DataSet>) = sets.into_iter().partition(|set| set.has_work(session));
    match (ui.json(), args.preview.dry_run) {
        (false, _) => show(session, &todo, &done, ui),
        (true, true) => ui.out_json(&plan_json(session, &todo, &done)),
        (true, false) => {}
    }
    // A program that reads events wants to read that there were none.
    if args.preview.dry_run || (todo.is_empty() && !ui.json()) {
        session.context.inputs.remember(&session.context.cache);
        return Ok(Some(Exit::Done));
    }
    if ui.is_broken() {
        return Ok(Some(Exit::Failed));
    }
    if !global.yes
        && !todo.is_empty()
        && !confirm(&format!("Go ahead in {}?", session.place), &session.context.cancel, ui).await?
    {
        return Ok(Some(Exit::Done));
    }
    send(session, todo, ui).await.map(Some)
}

/// Reads the files that have to be compared with what is in the bucket.
fn compare(session: &mut Session, sets: &[DataSet], ui: &Ui) -> Result<(), Failure> {
    /// From here on, reading takes long enough to say so.
    const MUCH: u64 = 2_000_000_000;
    let read = read_files(session, sets, |path, unread| {
        if unread > MUCH {
            ui.say(&format!("Reading {} of {} to compare …", bytes(unread), path.display()));
        }
    });
    read.map_err(|problem| Failure::config(session.config.document.clone(), Diagnostics(vec![problem])))
}

async fn send(session: &mut Session, todo: Vec<DataSet>, ui: &Ui) -> CommandResult {
    let display = start_display(session.events.take(), session, ui);
    let upload = match Upload::begin(session, todo).await {
        Ok(upload) => upload,
        Err(why) => {
            finish_display(session, display).await;
            return Err(not_begun(why, session));
        }
    };
    let uploaded = upload.send(session).await;
    finish_display(session, display).await;
    let Some((target, error)) = uploaded.failed else { return Ok(Exit::Done) };
    // An interruption was reported already, and is not a failure.
    if !ui.json() && !session.context.cancel.caused(&error) {
        ui.error(error.code(), &format!("{target} failed: {error}"), help_of(error.code()));
    }
    Ok(exit_of(&error.kind))
}

fn not_begun(why: UploadRefusal, session: &Session) -> Failure {
    match why {
        UploadRefusal::Op(error) => Failure::not_begun(error, &session.context.cancel, Failure::from),
        UploadRefusal::Changed(id) => {
            let message = format!("somebody else has just uploaded {id}; nothing was done");
            Failure::new(codes::CHANGED_MEANWHILE, Exit::Failed, message, "run the same command again")
        }
    }
}

/// How many files a person wants to see by name.
const SHOWN: usize = 10;

fn show(session: &Session, todo: &[DataSet], done: &[DataSet], ui: &Ui) {
    let s = ui.styled_out();
    let mut text = String::new();
    for set in done {
        let files = many(set.tree(session).entries.len(), "file");
        text += &format!("{} is up to date: {files} at {}\n", set.id, set.spec.uri());
    }
    for set in todo {
        let (difference, id) = (set.difference(session), &set.id);
        let sign = if set.verb() == Verb::Create { s.create("+") } else { s.update("~") };
        text += &format!("{sign} {id}  {}\n", s.faint(&set.spec.uri()));
        for line in difference.words() {
            text += &format!("    {line}\n");
        }
        if set.rewrite {
            text += "    the manifest is out of date (an upload was interrupted, or somebody else changed the data)\n";
        }
        let mut names: Vec<String> = difference
            .send
            .iter()
            .filter(|_| set.verb() == Verb::Update)
            .map(|(entry, why)| format!("{} {} ({})", mark(*why), entry.path, bytes(entry.size())))
            .collect();
        names.extend(difference.gone.iter().filter(|_| difference.delete).map(|path| format!("- {path}")));
        for name in names.iter().take(SHOWN) {
            text += &format!("      {name}\n");
        }
        if names.len() > SHOWN {
            text += &format!("      … and {} more\n", grouped(names.len() - SHOWN));
        }
    }
    ui.out(&text);
}

fn mark(why: SendReason) -> &'static str {
    if why == SendReason::New { "+" } else { "~" }
}

fn plan_json(session: &Session, todo: &[DataSet], done: &[DataSet]) -> Value {
    let step = |set: &DataSet| {
        let difference = set.difference(session);
        let send = difference.send.iter().map(|(entry, why)| {
            let why = match why {
                SendReason::New => "new",
                SendReason::Size => "size",
                SendReason::Content => "content",
            };
            json!({ "path": &*entry.path, "bytes": entry.size(), "why": why })
        });
        json!({
            "target": set.id,
            "op": set.verb(),
            "why": difference.words(),
            "send": send.collect::<Vec<_>>(),
            "gone": difference.gone,
            "delete": difference.delete,
        })
    };
    let unchanged: Vec<&ResourceId> = done.iter().map(|set| &set.id).collect();
    json!({ "format": 1, "target": session.place, "steps": todo.iter().map(step).collect::<Vec<_>>(),
        "unchanged": unchanged })
}
