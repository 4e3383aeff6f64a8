use std::collections::BTreeMap;

use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleGroupState,
    ScheduleState, Tag, Target,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use futures_util::future::try_join_all;

use super::spec::{Ends, Schedule, Scheduled, Spec, State, moment};
use crate::aws::{AnswerDate, OpError, OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Owner, Phase, Status, Tags, action};
use crate::engine::{Driver, Found, OpCx, make};

impl Driver for Schedule {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        // There is one at most, and where it is wanted it is looked at anyway.
        let group = cx.scope.physical(Self::MAIN);
        if cx.wanted(KindName::Schedule).any(|wanted| wanted == group) {
            return Ok(Vec::new());
        }
        let call = cx.aws.scheduler.get_schedule_group().name(&group).send().await;
        match call.op(action::scheduler::GetScheduleGroup).found() {
            Ok(found) => Ok(found.map(|_| Found::new(group)).into_iter().collect()),
            // Whoever was never allowed to use Scheduler has made nothing with it.
            Err(error) if error.kind == OpErrorKind::Denied => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn observe(&self, cx: &OpCx<'_>, group: &str) -> OpResult<Option<Seen<State>>> {
        let answered = AnswerDate::default();
        let call =
            cx.aws.scheduler.get_schedule_group().name(group).customize().interceptor(answered.clone());
        let found = call.send().await.op(action::scheduler::GetScheduleGroup).found()?;
        let now = answered.get().map_or(0, |date| date.secs());
        // Where it is not there yet, too: the first look of a first deploy.
        let began = cx.clock(now);
        let Some(found) = found else { return Ok(None) };
        let mut state = State { schedules: BTreeMap::new(), ends_at: None, now, began };
        if found.state() == Some(&ScheduleGroupState::Deleting) {
            let status = Status::new("DELETING", Phase::Leaving);
            return Ok(Some(Seen::new(Owner::Ours, status, state)));
        }
        let tags = async {
            let call = cx.aws.scheduler.list_tags_for_resource().resource_arn(Self::arn(&cx.scope, group));
            call.send().await.op(action::scheduler::ListTagsForResource).found()
        };
        let schedules = async {
            let looks = names(cx, group).await?.into_iter().map(|name| async move {
                Ok::<_, OpError>(get(cx, group, &name).await?.map(|schedule| (name, scheduled(&schedule))))
            });
            Ok(try_join_all(looks).await?.into_iter().flatten().collect())
        };
        let (tags, schedules) = futures_util::try_join!(tags, schedules)?;
        let tags = tags.and_then(|found| found.tags).unwrap_or_default();
        let pairs = || tags.iter().map(|tag| (tag.key(), tag.value()));
        state.ends_at = pairs().find(|(key, _)| *key == Self::ENDS_TAG).and_then(|(_, at)| read_moment(at));
        state.schedules = schedules;
        let owner = Owner::of(pairs(), &cx.scope);
        let status = match (state.has_ended(), state.end()) {
            (true, Some(at)) => Status::new("Ended", Phase::Stopped)
                .because(Some(format!("ended by its ttl at {}; a deploy makes it again", moment(at)))),
            _ => Status::ready("Scheduled"),
        };
        Ok(Some(Seen::new(owner, status, state).tagged(pairs())))
    }

    async fn create(&self, cx: &OpCx<'_>, group: &str, spec: &Spec) -> OpResult<()> {
        make(self, cx, group, action::scheduler::CreateScheduleGroup, || async {
            let call = cx.aws.scheduler.create_schedule_group().name(group).set_tags(Some(tags(cx, None)?));
            call.send().await.op(action::scheduler::CreateScheduleGroup).map(drop)
        })
        .await?;
        set(cx, group, spec).await
    }

    async fn update(&self, cx: &OpCx<'_>, group: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        set(cx, group, spec).await
    }

    async fn delete(&self, cx: &OpCx<'_>, group: &str) -> OpResult<()> {
        // A group that is on its way out may take its time: nothing of it is to fire meanwhile.
        for name in names(cx, group).await.found()?.unwrap_or_default() {
            remove(cx, group, &name).await?;
        }
        let call = cx.aws.scheduler.delete_schedule_group().name(group);
        call.send().await.op(action::scheduler::DeleteScheduleGroup).ignore_not_found()
    }

    async fn adopt(&self, cx: &OpCx<'_>, group: &str) -> OpResult<()> {
        tag(cx, group, tags(cx, None)?).await
    }

    async fn retag(&self, cx: &OpCx<'_>, group: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        if !gone.is_empty() {
            let call = cx.aws.scheduler.untag_resource().resource_arn(Self::arn(&cx.scope, group));
            call.set_tag_keys(Some(gone)).send().await.op(action::scheduler::UntagResource)?;
        }
        if put.is_empty() { Ok(()) } else { tag(cx, group, of_scheduler(put)?).await }
    }
}

/// The names of the schedules of a group.
async fn names(cx: &OpCx<'_>, group: &str) -> OpResult<Vec<String>> {
    let mut pages = cx.aws.scheduler.list_schedules().group_name(group).into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let Some(page) = page.op(action::scheduler::ListSchedules).found()? else { break };
        names.extend(page.schedules.into_iter().filter_map(|schedule| schedule.name));
    }
    Ok(names)
}

/// `None`: it has fired, or somebody has deleted it.
async fn get(cx: &OpCx<'_>, group: &str, name: &str) -> OpResult<Option<GetScheduleOutput>> {
    let call = cx.aws.scheduler.get_schedule().group_name(group).name(name);
    call.send().await.op(action::scheduler::GetSchedule).found()
}

fn scheduled(schedule: &GetScheduleOutput) -> Scheduled {
    let target = schedule.target();
    let retry = target.and_then(Target::retry_policy);
    let input = target.and_then(Target::input).and_then(|input| serde_json::from_str(input).ok());
    let is_exact = schedule.flexible_time_window().is_none_or(|w| *w.mode() == FlexibleTimeWindowMode::Off);
    let is_utc = schedule.schedule_expression_timezone().is_none_or(|zone| zone == "UTC");
    let time = schedule.schedule_expression().and_then(|at| at.strip_prefix("at(")?.strip_suffix(')'));
    Scheduled {
        ends: Ends {
            target: target.map(|target| target.arn().to_owned()).unwrap_or_default(),
            input: input.unwrap_or_default(),
        },
        role_arn: target.map(|target| target.role_arn().to_owned()).unwrap_or_default(),
        at: time.filter(|_| is_utc).and_then(|time| read_moment(&format!("{time}Z"))),
        is_usual: is_exact
            && schedule.state().is_none_or(|state| *state == ScheduleState::Enabled)
            && schedule.action_after_completion() == Some(&ActionAfterCompletion::Delete)
            && retry.and_then(RetryPolicy::maximum_event_age_in_seconds) == Some(Schedule::RETRIED_S)
            && retry.and_then(RetryPolicy::maximum_retry_attempts) == Some(Schedule::ATTEMPTS),
    }
}

/// Brings the schedules to the spec, counted from now by AWS's clock: this machine's may be hours off, and
/// schedules that are set in the past end at once what a deploy is making.
async fn set(cx: &OpCx<'_>, group: &str, spec: &Spec) -> OpResult<()> {
    let answered = AnswerDate::default();
    let call = cx.aws.scheduler.get_schedule_group().name(group).customize().interceptor(answered.clone());
    call.send().await.op(action::scheduler::GetScheduleGroup)?;
    let now = answered.get().ok_or_else(|| {
        let message = "Scheduler does not say what time it is";
        OpError::new(action::scheduler::GetScheduleGroup, OpErrorKind::Unavailable, message)
    })?;
    let at = now.secs() + i64::try_from(spec.ttl_s).unwrap_or_default();
    for (name, ends) in &spec.ends {
        put(cx, group, name, &spec.role_arn, ends, at).await?;
    }
    for name in names(cx, group).await? {
        if !spec.ends.contains_key(&name) {
            remove(cx, group, &name).await?;
        }
    }
    // Last: what the tag says is what the schedules do.
    tag(cx, group, tags(cx, Some(at))?).await
}

/// Makes or replaces one. One that has just fired is made again.
async fn put(cx: &OpCx<'_>, group: &str, name: &str, role: &str, ends: &Ends, at: i64) -> OpResult<()> {
    let wrong = |error: aws_smithy_types::error::operation::BuildError| {
        OpError::new(action::scheduler::CreateSchedule, OpErrorKind::NotSent, error.to_string())
    };
    let retry = RetryPolicy::builder().maximum_event_age_in_seconds(Schedule::RETRIED_S);
    let retry = retry.maximum_retry_attempts(Schedule::ATTEMPTS).build();
    let target = Target::builder().arn(&ends.target).role_arn(role).input(ends.input.to_string());
    let target = target.retry_policy(retry).build().map_err(wrong)?;
    let window = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().map_err(wrong)?;
    let expression = format!("at({})", moment(at).trim_end_matches('Z'));
    let scheduler = &cx.aws.scheduler;
    // The role may have been made a moment ago.
    cx.retry_new_role(action::scheduler::UpdateSchedule, || async {
        let update = scheduler.update_schedule().group_name(group).name(name).target(target.clone());
        let update = update.flexible_time_window(window.clone()).schedule_expression(&expression);
        let update = update.action_after_completion(ActionAfterCompletion::Delete).send().await;
        if update.op(action::scheduler::UpdateSchedule).found()?.is_some() {
            return Ok(());
        }
        let create = scheduler.create_schedule().group_name(group).name(name).target(target.clone());
        let create = create.flexible_time_window(window.clone()).schedule_expression(&expression);
        let create = create.action_after_completion(ActionAfterCompletion::Delete).send().await;
        create.op(action::scheduler::CreateSchedule).map(drop)
    })
    .await
}

async fn remove(cx: &OpCx<'_>, group: &str, name: &str) -> OpResult<()> {
    let call = cx.aws.scheduler.delete_schedule().group_name(group).name(name);
    call.send().await.op(action::scheduler::DeleteSchedule).ignore_not_found()
}

async fn tag(cx: &OpCx<'_>, group: &str, tags: Vec<Tag>) -> OpResult<()> {
    let arn = Schedule::arn(&cx.scope, group);
    let call = cx.aws.scheduler.tag_resource().resource_arn(arn).set_tags(Some(tags));
    call.send().await.op(action::scheduler::TagResource).map(drop)
}

/// Our tags, and when all ends.
fn tags(cx: &OpCx<'_>, ends_at: Option<i64>) -> OpResult<Vec<Tag>> {
    let ends_at = ends_at.map(|at| (Schedule::ENDS_TAG.to_owned(), moment(at)));
    of_scheduler(cx.tags().into_iter().chain(ends_at))
}

fn of_scheduler(tags: impl IntoIterator<Item = (String, String)>) -> OpResult<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build();
    let tags = tags.into_iter().map(tag).collect::<Result<_, _>>();
    tags.map_err(|error| {
        OpError::new(action::scheduler::TagResource, OpErrorKind::NotSent, error.to_string())
    })
}

fn read_moment(text: &str) -> Option<i64> {
    DateTime::from_str(text, Format::DateTime).ok().map(|at| at.secs())
}
