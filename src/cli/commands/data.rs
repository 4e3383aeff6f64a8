//! `opsctl data pull`: downloads a data set from the bucket, and verifies it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::session::{only, with_session};
use crate::cli::ui::Ui;
use crate::cli::wrote::{Replace, in_the_way, place};
use crate::domain::{KindName, ResourceId, bytes, codes, few, grouped, shown};
use crate::run::pull::PullRefusal;
use crate::run::pull::data::{self, NoData, Pulled};
use crate::run::{Folders, Session};

#[derive(Debug, Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub command: DataCommand,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Download what is in the bucket into a folder (default: ./NAME)
    Pull(PullArgs),
}

#[derive(Debug, Args)]
pub struct PullArgs {
    /// Which one, when the config has several
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Write to this path
    #[arg(long, value_name = "PATH", value_parser = place())]
    pub to: Option<PathBuf>,
    #[command(flatten)]
    pub replace: Replace,
}

/// Fetches the files of a data set into a folder. Those that are there already are left alone; nothing is
/// deleted.
pub async fn run(args: &PullArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    with_session(global, env, Folders::Unneeded, async |session| pull(session, args, ui).await).await
}

async fn pull(session: &Session, args: &PullArgs, ui: &Ui) -> CommandResult {
    let name = only(session, KindName::Data, args.name.as_deref())?;
    let folder = args.to.clone().unwrap_or_else(|| PathBuf::from(name));
    let id = ResourceId::new(KindName::Data, name);
    let pulled = data::pull(session, name, &folder, args.replace.force).await;
    let Pulled { files, bytes: size, same, unfinished } =
        pulled.map_err(|why| not_pulled(why, |none| no_data(&id, none)))?;
    let folder = folder.display();
    if ui.json() {
        let folder = folder.to_string();
        ui.out_json(&json!({
            "format": 1, "target": id, "folder": folder, "fetched": files, "bytes": size, "same": same,
            "unfinished": unfinished,
        }));
    } else {
        let (size, same) = (bytes(size), grouped(same));
        ui.out(&format!("{folder}: {} fetched ({size}), {same} the same\n", grouped(files)));
    }
    if unfinished {
        ui.err(&format!(
            "warning: an upload of {id} did not come to its end: these are the files that are there now, \
             perhaps of two versions of its folder"
        ));
    }
    Ok(Exit::Done)
}

/// Why nothing was fetched; what there is none of says `nothing`.
pub(super) fn not_pulled<T>(why: PullRefusal<T>, nothing: impl FnOnce(T) -> Failure) -> Failure {
    match why {
        PullRefusal::Op(error) => error.into(),
        PullRefusal::InTheWay(files) => in_the_way(differing(&files), "--to PATH"),
        PullRefusal::LeadsOut(link) => {
            let link = link.display();
            let message =
                format!("{link} is a link that leads out of its folder, to where nothing is written");
            let help = "remove the link, or pull into another folder with `--to PATH`";
            Failure::new(codes::YOURS_IS_THERE, Exit::Failed, message, help)
        }
        PullRefusal::Nothing(why) => nothing(why),
    }
}

/// Of a data set with a `uri`: opsctl moves nothing to or from there.
pub(super) fn elsewhere(id: &ResourceId) -> Failure {
    let message = format!("{id} has a `uri`: it is in another bucket, and trainings read it there");
    Failure::new(codes::UNKNOWN_NAME, Exit::Usage, message, "`aws s3 sync` copies it from and to there")
}

fn no_data(id: &ResourceId, none: NoData) -> Failure {
    match none {
        NoData::Elsewhere => elsewhere(id),
        NoData::Absent { uri } => {
            let message = format!("{id} is not at {uri}");
            Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, "`opsctl upload` does it")
        }
        NoData::OtherFormat => {
            let message =
                format!("the manifest of {id} cannot be read; another version of opsctl may have written it");
            let help = "`opsctl upload --verify` regenerates it from the folder";
            Failure::new(codes::FAILED, Exit::Failed, message, help)
        }
        NoData::Deleted { object } => {
            let message = format!("{object} is gone: somebody has deleted it since it was uploaded");
            let help = "`opsctl upload --verify` looks at every object, and sends again what is missing";
            Failure::new(codes::NOT_DEPLOYED, Exit::Failed, message, help)
        }
    }
}

/// Which files of the user's are in the way.
fn differing(files: &[String]) -> String {
    let shown = few(&files.iter().map(|file| shown::line(file)).collect::<Vec<_>>(), 3);
    match files.len() {
        1 => format!("{shown} is there, and differs from what is in the bucket"),
        _ => format!("{shown} are there, and differ from what is in the bucket"),
    }
}
