//! What jobs measured, from their own logs: CloudWatch keeps a point a minute of a metric, a log has all.

use super::{Gaps, Session};
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::desired::{AnySeen, Log, Node};
use crate::domain::{ResourceId, action, bytes};
use crate::engine::OpCx;
use crate::evidence::{Artifact, Axis, Gap, Instead, Job, Series, Time};
use crate::plan::{Observation, Observed};
use crate::resources::instance::Instance;
use crate::resources::parted_log::{PartedLog, tail};
use crate::resources::training::Training;
use crate::resources::training::metrics::Metrics;
use crate::run::overview::Overview;

/// Lines of its log that are shown of a job.
const LAST_LINES: usize = 12;
/// Of a line, which may be a whole file.
const LONGEST_LINE: usize = 400;
/// Of a log that are read.
const MOST_BYTES: usize = 64 << 20;

/// The jobs of the config that are there, and those that endpoints serve instead of them.
pub async fn all(
    session: &Session,
    have: &Observed,
    overview: &Overview,
    gaps: &mut Gaps,
) -> OpResult<Vec<Job>> {
    let mut all = Vec::new();
    for (node, row) in session.desired.nodes.iter().zip(&overview.rows) {
        if !session.kind(node.id.kind).leaves_artifact() {
            continue;
        }
        if let Some(Instead { physical, .. }) = &row.instead {
            let id = ResourceId::new(node.id.kind, physical.as_str());
            let seen = have.seen_leftovers.get(&id);
            all.push(Job { earlier: true, ..job(session, node, physical, seen, gaps).await? });
        }
        match have.observations.get(&node.id) {
            Some(Observation::Present(seen)) if seen.owner().is_managed() => {
                all.push(job(session, node, &node.physical, Some(seen), gaps).await?);
            }
            _ => {}
        }
    }
    all.sort_by_key(|job| !job.earlier);
    Ok(all)
}

/// One generation of a job.
async fn job(
    session: &Session,
    node: &Node,
    physical: &str,
    seen: Option<&AnySeen>,
    gaps: &mut Gaps,
) -> OpResult<Job> {
    let what = format!("the log of {}", node.id);
    let log = log(session, node, physical).await.map(Some);
    let (log, is_whole) = gaps.read(what.clone(), log)?.unwrap_or((String::new(), true));
    if !is_whole {
        let why = format!("it is larger than {}, and only a part of it was read", bytes(MOST_BYTES as u64));
        gaps.0.push(Gap { what, why });
    }
    let artifact = artifact(session, node, physical).await;
    let artifact = gaps.read(format!("the model of {}", node.id), artifact)?;
    let (axis, mut metrics) = measured(&of_node(node), &log);
    // A log that is gone, or too old, has left the last values all the same.
    if metrics.iter().all(Series::is_empty) {
        let last = seen.map(|seen| seen.measured()).unwrap_or_default().into_iter();
        metrics = last.map(|(name, value)| Series::new(name, vec![(1.0, value)])).collect();
    }
    let last_lines = last_lines(&log);
    let (id, physical) = (node.id.clone(), physical.to_owned());
    Ok(Job { id, physical, earlier: false, axis, metrics, last_lines, artifact })
}

fn of_node(node: &Node) -> Metrics {
    let training = node.spec_as::<Training>().map(|spec| Metrics::of(&spec.metrics, &spec.hyperparameters));
    let instance =
        || node.spec_as::<Instance>().map(|spec| Metrics::of(&spec.metrics, &spec.hyperparameters));
    training.or_else(instance).unwrap_or_default()
}

/// What it printed, as far as it is read, and whether that is all. Of a job whose log is not there, nothing.
async fn log(session: &Session, node: &Node, physical: &str) -> OpResult<(String, bool)> {
    let cx = OpCx::new(&session.context, node.id.clone());
    match session.kind(node.id.kind).log(physical) {
        Some(Log::Streams { group, prefix }) => streams(&cx, &group, prefix.as_deref()).await,
        Some(Log::Object(log)) => {
            let (s3, key) = (&session.context.aws.s3, &log.key);
            let head = s3.head_object().bucket(session.bucket()).key(key).send().await;
            let length = head.op(action::s3::GetObject).found()?.and_then(|head| head.content_length());
            if length.is_some_and(|length| length > MOST_BYTES as i64) {
                let end = tail(&cx, session.bucket(), key).await?;
                return Ok((end.unwrap_or_default(), false));
            }
            let whole = PartedLog::new(log).more(&cx, session.bucket()).await?;
            Ok((whole, true))
        }
        None => Ok((String::new(), true)),
    }
}

/// The lines of all streams, in the order of time.
async fn streams(cx: &OpCx<'_>, group: &str, prefix: Option<&str>) -> OpResult<(String, bool)> {
    let call = cx.aws.logs.describe_log_streams().log_group_name(group);
    let mut pages = call.set_log_stream_name_prefix(prefix.map(str::to_owned)).into_paginator().send();
    let (mut lines, mut bytes) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::logs::DescribeLogStreams).found()? else { break };
        for stream in page.log_streams().iter().filter_map(|stream| stream.log_stream_name()) {
            let mut token: Option<String> = None;
            while bytes < MOST_BYTES {
                let call = cx.aws.logs.get_log_events().log_group_name(group).log_stream_name(stream);
                let call = call.start_from_head(true).set_next_token(token.clone());
                let Some(page) = call.send().await.op(action::logs::GetLogEvents).found()? else { break };
                for event in page.events() {
                    let Some((at, line)) = event.timestamp().zip(event.message()) else { continue };
                    bytes += line.len();
                    lines.push((at, line.trim_end().to_owned()));
                }
                // The end is where the token repeats (docs/aws/cloudwatch-logs.md#reading-a-stream).
                let next = page.next_forward_token().map(str::to_owned);
                if next.is_none() || next == token {
                    break;
                }
                token = next;
            }
        }
    }
    lines.sort_by_key(|(at, _)| *at);
    let text = lines.into_iter().map(|(_, line)| line).collect::<Vec<_>>().join("\n");
    Ok((text, bytes < MOST_BYTES))
}

/// The archive that a job left.
async fn artifact(session: &Session, node: &Node, physical: &str) -> OpResult<Option<Artifact>> {
    let (Some(key), bucket) = (session.kind(node.id.kind).artifact(physical), session.bucket()) else {
        return Ok(None);
    };
    let head = session.context.aws.s3.head_object().bucket(bucket).key(&key).send().await;
    let head = head.op(action::s3::GetObject).found()?;
    Ok(head.map(|head| Artifact {
        uri: format!("s3://{bucket}/{key}"),
        bytes: head.content_length().and_then(|length| u64::try_from(length).ok()),
        written_at: head.last_modified().map(|at| Time(at.secs())),
    }))
}

/// The values of every line. What counts up, such as the epoch, is what the others are plotted over.
fn measured(metrics: &Metrics, log: &str) -> (Axis, Vec<Series>) {
    let mut found: Vec<Series> = Vec::new();
    let (mut counted, mut at) = (None, None);
    for line in log.lines() {
        let values: Vec<(&str, f64, bool)> =
            metrics.values(line).map(|(name, value, of)| (name, value, of.is_some())).collect();
        if let Some((name, value, _)) = values.iter().find(|(.., counts)| *counts) {
            (counted, at) = (Some((*name).to_owned()), Some(*value));
        }
        for (name, value, counts) in values {
            if counts {
                continue;
            }
            let series = match found.iter_mut().find(|series| series.name == name) {
                Some(series) => series,
                None => {
                    found.push(Series::new(name, Vec::new()));
                    found.last_mut().expect("it was just added")
                }
            };
            let next = series.points.len() as f64 + 1.0;
            series.points.push((at.unwrap_or(next), value));
        }
    }
    let axis = match counted {
        Some(name) => Axis::Counted(name.rsplit(':').next().unwrap_or(&name).to_owned()),
        None => Axis::Measurement,
    };
    (axis, found)
}

fn last_lines(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = lines.len().saturating_sub(LAST_LINES);
    lines[last..].iter().map(|line| line.chars().take(LONGEST_LINE).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_up_is_what_the_others_are_plotted_over() {
        let map = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let metrics = Metrics::of(
            &map(&[("epoch", "epoch=([0-9]+)"), ("loss", "loss=(\\S+)")]),
            &map(&[("epochs", "3")]),
        );
        let log = "hello\nepoch=1 loss=0.5\nepoch=2\nloss=0.25\nloss=x";
        let (axis, found) = measured(&metrics, log);
        assert_eq!(axis, Axis::Counted("epoch".into()));
        assert_eq!(found, [Series::new("loss", vec![(1.0, 0.5), (2.0, 0.25)])]);
        let uncounted = Metrics::of(&map(&[("loss", "loss=(\\S+)")]), &map(&[]));
        assert_eq!(measured(&uncounted, log).1, [Series::new("loss", vec![(1.0, 0.5), (2.0, 0.25)])]);
        assert_eq!(last_lines("a\n\n  \nb"), ["a", "b"]);
    }
}
