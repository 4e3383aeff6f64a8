//! `opsctl logs KIND/NAME`: what the user's own code printed, wherever it ran.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ended;
use super::args::{Global, LogsArgs};
use super::error::Failure;
use super::exit::Exit;
use super::session::{Environment, Session};
use super::ui::Ui;
use crate::domain::{ResourceId, codes};
use crate::engine::{Expected, OpCx, OpResult, Outcomes, Probe};
use crate::resources::KindName;
use crate::resources::log_group::LogGroup;

/// Where the lines are: a log group and the beginning of the streams' names.
struct Place {
    group: String,
    prefix: Option<String>,
}

pub async fn run(args: &LogsArgs, global: &Global, ui: &Ui, env: &Environment) -> Ended {
    let session = Session::open(global, env, |_| Ok(())).await?;
    // In the config both kinds of jobs are a [training.NAME].
    let on_ec2 = ResourceId::new(KindName::Instance, args.target.name.clone());
    let is_training = args.target.kind == KindName::Training && session.desired.node(&args.target).is_none();
    let id = if is_training && session.desired.node(&on_ec2).is_some() { &on_ec2 } else { &args.target };
    let usage = |message: String, help| Failure::said(codes::UNKNOWN_NAME, Exit::Usage, message, help);
    let Some(node) = session.desired.node(id).cloned() else {
        return Err(usage(format!("the config has no {id}"), "`opsctl status` lists all"));
    };
    let physical = node.physical;
    let cx = OpCx { world: &session.world, step: 0, target: id.clone() };
    let place = match id.kind {
        KindName::Training => {
            Place { group: "/aws/sagemaker/TrainingJobs".into(), prefix: Some(format!("{physical}/")) }
        }
        KindName::Notebook => {
            Place { group: "/aws/sagemaker/NotebookInstances".into(), prefix: Some(format!("{physical}/")) }
        }
        KindName::Endpoint => Place { group: format!("{}{physical}", LogGroup::ENDPOINTS), prefix: None },
        KindName::Function => Place { group: format!("{}{physical}", LogGroup::FUNCTIONS), prefix: None },
        KindName::Instance => {
            // The instance uploads its log when it ends.
            let bucket = session.world.wanted(KindName::Bucket).next().unwrap_or_default();
            let key = format!("instances/{physical}/output/train.log");
            let found = session.world.aws.s3.get_object().bucket(bucket).key(key).send().await;
            let body = match found.op("s3:GetObject").found()? {
                Some(object) => object.body.collect().await.map(|b| b.into_bytes()).unwrap_or_default(),
                None => return Err(none_yet(id)),
            };
            ui.out(&String::from_utf8_lossy(&body));
            session.close().await;
            return Ok(Exit::Done);
        }
        kind => return Err(usage(format!("a {} has no log", kind.words()), "for example training/breeds")),
    };
    let mut tokens = BTreeMap::new();
    let lines = read(&cx, &place, &mut tokens).await?;
    if lines.is_empty() && !args.follow {
        return Err(none_yet(id));
    }
    print(&lines, ui);
    if args.follow {
        let shared = tokio::sync::Mutex::new(tokens);
        let forever = Duration::from_secs(30 * 86_400);
        let ended = cx.wait("new lines", Duration::from_secs(2), forever, || async {
            let more = read(&cx, &place, &mut *shared.lock().await).await?;
            print(&more, ui);
            // Nobody reads on.
            Ok(if ui.is_cut() { Probe::Ready(()) } else { Probe::Pending("following".into()) })
        });
        ended.await?;
    }
    session.close().await;
    Ok(Exit::Done)
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
async fn read(
    cx: &OpCx<'_>,
    place: &Place,
    tokens: &mut BTreeMap<String, Option<String>>,
) -> OpResult<Vec<(i64, String)>> {
    let call = cx.aws.logs.describe_log_streams().log_group_name(&place.group);
    let mut pages = call.set_log_stream_name_prefix(place.prefix.clone()).into_paginator().send();
    let mut lines = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op("logs:DescribeLogStreams").found()? else { break };
        for stream in page.log_streams().iter().filter_map(|s| s.log_stream_name()) {
            let token = tokens.entry(stream.to_owned()).or_default();
            lines.extend(crate::resources::training::logs::new_lines(cx, &place.group, stream, token).await?);
        }
    }
    lines.sort_by_key(|(time, _)| *time);
    Ok(lines)
}
