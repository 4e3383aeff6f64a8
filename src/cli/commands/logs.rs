//! `opsctl logs KIND/NAME`: what the user's own code printed, wherever it ran.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use tokio::sync::Mutex;

use crate::aws::{Expected, OpResult, Outcomes};
use crate::cli::Ended;
use crate::cli::args::Global;
use crate::cli::environment::Environment;
use crate::cli::error::Failure;
use crate::cli::exit::Exit;
use crate::cli::generations::{Job, unknown};
use crate::cli::session::Session;
use crate::cli::ui::Ui;
use crate::domain::{KindName, ResourceId, codes};
use crate::engine::{OpCx, Probe};
use crate::resources::instance::Instance;
use crate::resources::log_group::LogGroup;
use crate::resources::training::logs::{GROUP, new_lines};

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Resource whose log to show, as KIND/NAME: training/breeds, endpoint/breeds, function/classify,
    /// notebook/lab
    #[arg(value_name = "KIND/NAME")]
    pub target: ResourceId,
    /// Keep printing new lines
    #[arg(short, long)]
    pub follow: bool,
}

/// How often new lines are looked for.
const EVERY: Duration = Duration::from_secs(2);
const FOREVER: Duration = Duration::from_secs(30 * 86_400);

/// Where the lines are: a log group and the beginning of the streams' names.
struct Place {
    group: String,
    prefix: Option<String>,
}

/// How far each stream was read.
type Tokens = BTreeMap<String, Option<String>>;

pub async fn run(args: &LogsArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let session = Session::open(global, env, |_| Ok(())).await?;
    let target = &args.target;
    match target.kind {
        KindName::Training | KindName::Instance => {
            let job =
                Job::named(&session, &target.name).await?.ok_or_else(|| unknown(&target.to_string()))?;
            match job.id.kind {
                KindName::Instance => of_instance(&session, &job, args.follow, ui).await?,
                _ => of_training(&session, &job, args.follow, ui).await?,
            }
        }
        KindName::Endpoint | KindName::Function | KindName::Notebook => {
            let physical = match session.desired.node(target) {
                Some(node) => node.physical.clone(),
                // As `opsctl status` lists what left the config.
                None if target.name.starts_with(&session.world.scope.prefix()) => target.name.clone(),
                None => return Err(unknown(&target.to_string())),
            };
            let place = match target.kind {
                KindName::Endpoint => {
                    Place { group: format!("{}{physical}", LogGroup::ENDPOINTS), prefix: None }
                }
                KindName::Function => {
                    Place { group: format!("{}{physical}", LogGroup::FUNCTIONS), prefix: None }
                }
                _ => Place {
                    group: "/aws/sagemaker/NotebookInstances".into(),
                    prefix: Some(format!("{physical}/")),
                },
            };
            let cx = OpCx { world: &session.world, step: 0, target: target.clone() };
            let mut tokens = Tokens::new();
            let lines = read(&cx, &place, &mut tokens).await?;
            if lines.is_empty() && !args.follow {
                return Err(none_yet(target));
            }
            print(&lines, ui);
            if args.follow {
                follow(&cx, &place, tokens, ui, async || Ok(true)).await?;
            }
        }
        kind => {
            let message = format!("a {} has no log", kind.words());
            return Err(Failure::said(
                codes::UNKNOWN_NAME,
                Exit::Usage,
                message,
                "for example training/breeds",
            ));
        }
    }
    session.close().await;
    Ok(Exit::Done)
}

async fn of_training(session: &Session, job: &Job, follows: bool, ui: &Ui) -> Result<(), Failure> {
    let cx = OpCx { world: &session.world, step: 0, target: job.id.clone() };
    let place = |physical: &str| Place { group: GROUP.into(), prefix: Some(format!("{physical}/")) };
    let found = job.newest_with(session, ui, "log", async |physical| {
        let mut tokens = Tokens::new();
        let lines = read(&cx, &place(physical), &mut tokens).await?;
        // One that has only begun is waited for, not its predecessor shown.
        let begun = lines.is_empty() && follows && job.is_busy(session, physical).await?;
        Ok((begun || !lines.is_empty()).then_some((lines, tokens)))
    });
    let (physical, (lines, tokens)) = found.await?.ok_or_else(|| none_yet(&job.id))?;
    print(&lines, ui);
    if follows {
        follow(&cx, &place(&physical), tokens, ui, async || job.is_busy(session, &physical).await).await?;
    }
    Ok(())
}

/// The instance uploads its log when it ends.
async fn of_instance(session: &Session, job: &Job, follows: bool, ui: &Ui) -> Result<(), Failure> {
    let cx = OpCx { world: &session.world, step: 0, target: job.id.clone() };
    if follows {
        let ended = cx.wait("the log, which comes when the instance ends", EVERY, FOREVER, || async {
            let busy = job.is_busy(session, &job.physical).await?;
            Ok(if busy { Probe::Pending("running".into()) } else { Probe::Ready(()) })
        });
        ended.await?;
    }
    let bucket = session.world.wanted(KindName::Bucket).next().unwrap_or_default();
    let found = job.newest_with(session, ui, "log", async |physical| {
        let key = format!("{}/{physical}/output/train.log", Instance::OUTPUT);
        let found = session.world.aws.s3.get_object().bucket(bucket).key(key).send().await;
        Ok(match found.op("s3:GetObject").found()? {
            Some(object) => Some(object.body.collect().await.map(|b| b.into_bytes()).unwrap_or_default()),
            None => None,
        })
    });
    let (_, body) = found.await?.ok_or_else(|| none_yet(&job.id))?;
    ui.out(&String::from_utf8_lossy(&body));
    Ok(())
}

/// Prints new lines for as long as there may come some.
async fn follow(
    cx: &OpCx<'_>,
    place: &Place,
    tokens: Tokens,
    ui: &Ui,
    goes_on: impl AsyncFn() -> OpResult<bool>,
) -> OpResult<()> {
    let tokens = Mutex::new(tokens);
    let ended = cx.wait("new lines", EVERY, FOREVER, || async {
        // In this order: what was written before the end is read after it.
        let goes_on = goes_on().await?;
        let more = read(cx, place, &mut *tokens.lock().await).await?;
        print(&more, ui);
        // Nobody reads on, or nothing more comes.
        let is_over = ui.is_cut() || (!goes_on && more.is_empty());
        Ok(if is_over { Probe::Ready(()) } else { Probe::Pending("following".into()) })
    });
    ended.await
}

/// Whose log tells about a resource: its own, or that of the function it is part of.
pub fn writer(id: &ResourceId) -> Option<ResourceId> {
    match id.kind {
        KindName::Training
        | KindName::Instance
        | KindName::Endpoint
        | KindName::Function
        | KindName::Notebook => Some(id.clone()),
        KindName::Concurrency => Some(ResourceId::new(KindName::Function, id.name.clone())),
        _ => None,
    }
}

fn none_yet(id: &ResourceId) -> Failure {
    let message = format!("{id} has no log yet");
    Failure::said(codes::NOT_DEPLOYED, Exit::Failed, message, "it begins with the first line of output")
}

fn print(lines: &[(i64, String)], ui: &Ui) {
    let text: String = lines.iter().map(|(_, line)| format!("{}\n", line.trim_end())).collect();
    if !text.is_empty() {
        ui.out(&text);
    }
}

/// New events of all streams, in the order of time.
async fn read(cx: &OpCx<'_>, place: &Place, tokens: &mut Tokens) -> OpResult<Vec<(i64, String)>> {
    let call = cx.aws.logs.describe_log_streams().log_group_name(&place.group);
    let mut pages = call.set_log_stream_name_prefix(place.prefix.clone()).into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op("logs:DescribeLogStreams").found()? else { break };
        for stream in page.log_streams().iter().filter_map(|s| s.log_stream_name()) {
            let token = tokens.entry(stream.to_owned()).or_default();
            lines.extend(new_lines(cx, &place.group, stream, token).await?);
        }
    }
    lines.sort_by_key(|(time, _)| *time);
    Ok(lines)
}
