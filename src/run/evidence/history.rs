//! Earlier runs, as far as AWS keeps them: there is no file of ours that could be lost or lie.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{Gaps, Session};
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::desired::AnySeen;
use crate::domain::{KindName, ResourceId, action};
use crate::evidence::{KindWord, Past, Time};
use crate::plan::{Observation, Observed};
use crate::resources::endpoint_config::EndpointConfig;
use crate::resources::function::Function;
use crate::resources::model::Model;
use crate::resources::training::job::of_model;
use crate::run::overview::Overview;

/// The newest first.
pub async fn all(
    session: &Session,
    have: &Observed,
    overview: &Overview,
    gaps: &mut Gaps,
) -> OpResult<Vec<Past>> {
    let mut all: Vec<Past> = Vec::new();
    let served = have.served(&session.desired);
    let serves = |kind: KindName, physical: &str| served.contains(&(kind, physical.to_owned()));
    // What has generations: a change makes a new one beside the old.
    let kept = |id: &ResourceId| session.kind(id.kind).fingerprinted();
    for (node, row) in session.desired.nodes.iter().zip(&overview.rows).filter(|(node, _)| kept(&node.id)) {
        if let Some(Observation::Present(seen)) = have.observations.get(&node.id) {
            let (kind, physical) = (node.id.kind, &node.physical);
            all.push(Past {
                serves: row.instead.as_ref().map(|_| false),
                ..past(kind, physical, seen, true, have)
            });
        }
    }
    let left = have.seen_leftovers.iter().filter(|(id, _)| kept(id));
    all.extend(left.map(|(id, seen)| {
        let serves = serves(id.kind, &id.name).then_some(true);
        Past { serves, ..past(id.kind, &id.name, seen, false, have) }
    }));
    for node in session.desired.nodes.iter().filter(|node| node.id.kind == KindName::Function) {
        let seen = have.observations.get(&node.id);
        if matches!(seen, Some(Observation::Present(seen)) if seen.owner().is_managed()) {
            let versions = versions(session, &node.physical).await;
            all.extend(gaps.read(format!("the versions of {}", node.id), versions)?);
        }
    }
    all.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.physical.cmp(&b.physical)));
    Ok(all)
}

fn past(kind: KindName, physical: &str, seen: &AnySeen, current: bool, have: &Observed) -> Past {
    let made = have.created.get(&(kind, physical.to_owned()));
    let model = seen.of::<Model>().map(|seen| &seen.state.trained);
    let trained = model.map(|uri| format!("trained by {}", of_model(uri).unwrap_or(uri)));
    let served = seen.of::<EndpointConfig>().map(|seen| format!("serves {}", seen.state.model));
    Past {
        at: made.map(|seconds| Time(*seconds)),
        kind: KindWord(kind),
        physical: physical.to_owned(),
        state: seen.status().word.clone(),
        current,
        serves: None,
        took_s: seen.took().map(|took| took.as_secs()),
        measured: seen.measured().into_iter().collect(),
        note: trained.or(served).unwrap_or_default(),
    }
}

/// Of a function: what its alias serves, and what it served.
async fn versions(session: &Session, function: &str) -> OpResult<Vec<Past>> {
    let lambda = &session.context.aws.lambda;
    let alias = lambda.get_alias().function_name(function).name(Function::ALIAS).send().await;
    let alias = alias.op(action::lambda::GetAlias).found()?;
    let live = alias.and_then(|alias| alias.function_version);
    let mut pages = lambda.list_versions_by_function().function_name(function).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::lambda::ListVersionsByFunction).found()? else { break };
        for version in page.versions() {
            let number = version.version().unwrap_or_default();
            if number.is_empty() || number == "$LATEST" {
                continue;
            }
            let serves = live.as_deref() == Some(number);
            found.push(Past {
                at: version.last_modified().and_then(time),
                kind: KindWord(KindName::Function),
                physical: format!("{function}:{number}"),
                state: if serves { "live".into() } else { "published".into() },
                current: serves,
                serves: None,
                took_s: None,
                measured: BTreeMap::new(),
                note: String::new(),
            });
        }
    }
    Ok(found)
}

/// Lambda's form of a time: `2026-11-28T22:07:03.000+0000`.
fn time(text: &str) -> Option<Time> {
    let time: SystemTime = humantime::parse_rfc3339(&text.replace("+0000", "Z")).ok()?;
    Some(Time::of(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lambdas_times_are_read() {
        assert_eq!(
            time("2026-11-28T22:07:03.000+0000").map(|t| t.to_string()).as_deref(),
            Some("2026-11-28 22:07 UTC")
        );
        assert_eq!(time("yesterday"), None);
    }
}
