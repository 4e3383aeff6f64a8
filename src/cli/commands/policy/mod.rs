//! `opsctl policy`: the least-privilege IAM documents of whoever runs opsctl, and of roles that others make.

mod role;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::aws::OpErrorKind;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::{CommandResult, Failure};
use crate::cli::exit::Exit;
use crate::cli::session::{document, with_clients, with_session};
use crate::cli::ui::Ui;
use crate::desired::Desired;
use crate::domain::{codes, many, places};
use crate::policy::trust::{self, Runs};
use crate::policy::{self, LARGEST, Names, Whom};
use crate::resources::kinds;
use crate::run::{Folders, Project, whoami};
use opsctl_iam::arn::is_account_id;

#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// What whoever deploys, scales, audits and destroys must be allowed
    Deployer(DocumentArgs),
    /// What whoever plans, looks and audits must be allowed
    Planner(DocumentArgs),
    /// What a role of yours has to allow that the config names by `role`
    Role(role::RoleArgs),
    /// The trust policy of a role for one repository on GitHub
    GithubTrust(TrustArgs),
}

#[derive(Debug, Args)]
pub struct AccountArgs {
    /// The account's twelve digits, instead of asking AWS whose the credentials are
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
}

#[derive(Debug, Args)]
pub struct DocumentArgs {
    #[command(flatten)]
    pub account: AccountArgs,
    /// Allow every name of this project and environment, so that the config can change without a new policy
    #[arg(long)]
    pub any_name: bool,
    /// Print only this one of several documents
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u8).range(1..))]
    pub part: Option<u8>,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("runs").required(true).args(["environment", "branch"])))]
pub struct TrustArgs {
    /// The repository as OWNER/NAME
    #[arg(long, value_name = "OWNER/NAME", value_parser = trust::repository)]
    pub repository: String,
    /// Trust jobs of this GitHub environment
    #[arg(long, value_name = "NAME", value_parser = trust::name)]
    pub environment: Option<String>,
    /// Trust runs of this branch
    #[arg(long, value_name = "NAME", value_parser = trust::name)]
    pub branch: Option<String>,
    #[command(flatten)]
    pub account: AccountArgs,
}

fn account(text: &str) -> Result<String, &'static str> {
    match is_account_id(text) {
        true => Ok(text.to_owned()),
        false => Err("an account has twelve digits"),
    }
}

/// Prints a policy document, for whoever grants the rights; opsctl grants none.
pub async fn run(args: &PolicyArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    match &args.command {
        PolicyCommand::Deployer(args) => print(Whom::Deployer, args, global, ui, env).await,
        PolicyCommand::Planner(args) => print(Whom::Planner, args, global, ui, env).await,
        PolicyCommand::Role(args) => role::run(args, global, ui, env).await,
        PolicyCommand::GithubTrust(args) => github(args, global, ui, env).await,
    }
}

async fn print(
    whom: Whom,
    args: &DocumentArgs,
    global: &Global,
    ui: &Ui,
    env: &Environment,
) -> CommandResult {
    let desired = desired(&args.account, global, env).await?;
    let names = if args.any_name { Names::OfProject } else { Names::Exact };
    let documents = policy::documents(&desired, &kinds(), whom, names);
    let count = documents.len();
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "documents": documents }));
        return Ok(Exit::Done);
    }
    let chosen = match args.part.map(usize::from) {
        None => documents,
        Some(part) => match documents.into_iter().nth(part - 1) {
            Some(document) => vec![document],
            None => {
                let message = format!("there is no document {part}: there are {count}");
                return Err(Failure::new(codes::USAGE, Exit::Usage, message, "leave out --part to see them"));
            }
        },
    };
    if chosen.len() > 1 && !ui.out_is_terminal() {
        let help = format!("`--part 1` to `--part {count}` print one each, `-o json` prints all in a list");
        return Err(several(count, help));
    }
    let text: String = chosen.iter().map(|document| format!("{document:#}\n")).collect();
    ui.out(&text);
    if count > 1 && args.part.is_none() {
        let message = format!(
            "{count} documents, because a managed policy takes {LARGEST} characters: attach them all. \
             `--part 1` prints one of them."
        );
        ui.say(&message);
    }
    Ok(Exit::Done)
}

/// A file that is written from stdout would be no JSON.
fn several(count: usize, help: String) -> Failure {
    let message = format!("there are {}, and a file or a pipe takes one", many(count, "document"));
    Failure::new(codes::USAGE, Exit::Usage, message, help)
}

/// What the config wants, in the account that the options name, else in that of the credentials.
async fn desired(args: &AccountArgs, global: &Global, env: &Environment) -> Result<Desired, Failure> {
    if !global.sandbox {
        let document = document(global)?;
        let project = Project::read(&document, &global.env, Folders::Listed)?;
        let config = &project.config.project;
        let account = args.account.as_ref().or(config.account.as_ref());
        let region = global.region.as_ref().or(env.region.as_ref()).or(config.region.as_ref());
        if let (Some(account), Some(region)) = (account, region) {
            return Ok(project.desired_in(account, region));
        }
    }
    let desired =
        with_session(global, env, Folders::Listed, async |session| Ok(session.desired.clone())).await;
    desired.map_err(or_name_the_account)
}

/// One asks for these documents before one has credentials.
fn or_name_the_account(failure: Failure) -> Failure {
    match failure {
        Failure::Op(error) if error.kind == OpErrorKind::Credentials => {
            let help = "name the account, and no credentials are needed: `--account 123456789012`";
            Failure::new(error.code(), Exit::Denied, error.to_string(), help)
        }
        failure => failure,
    }
}

async fn github(args: &TrustArgs, global: &Global, ui: &Ui, env: &Environment) -> CommandResult {
    let (partition, account) = match &args.account.account {
        Some(account) => {
            let region = global.region.as_ref().or(env.region.as_ref());
            (places::partition(region.map_or("us-east-1", String::as_str)).0.to_owned(), account.clone())
        }
        None => {
            let caller = with_clients(global, env, None, async |clients, _| Ok(whoami(&clients).await?));
            let caller = caller.await.map_err(or_name_the_account)?;
            (caller.partition().unwrap_or("aws").to_owned(), caller.account)
        }
    };
    let runs = match (&args.environment, &args.branch) {
        (Some(name), _) => Runs::Environment(name.clone()),
        (None, name) => Runs::Branch(name.clone().unwrap_or_default()),
    };
    let document: Value = trust::github(&partition, &account, &args.repository, &runs);
    if ui.json() {
        ui.out_json(&json!({ "format": 1, "documents": [document] }));
    } else {
        ui.out(&format!("{document:#}\n"));
        ui.say(&format!(
            "It needs GitHub as an identity provider of the account, once: \
             aws iam create-open-id-connect-provider --url {} --client-id-list {}",
            trust::url(),
            trust::audience(&partition)
        ));
    }
    Ok(Exit::Done)
}
