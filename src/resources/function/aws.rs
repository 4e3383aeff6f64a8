use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::operation::get_function_configuration::GetFunctionConfigurationOutput;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, FunctionCode, LastUpdateStatus, Runtime, State,
};
use aws_sdk_resourcegroupstagging::types::TagFilter;

use super::spec::{Configuration, Function, Live, Seen, Spec};
use super::code;
use crate::domain::{FieldChange, Owner, Phase, Scope, Status};
use crate::resources::concurrency;
use crate::aws::{Expected, OpError, OpResult, Outcomes, classify};
use crate::engine::{Driver, Found, OpCx, Probe, make};

/// Both answers that describe a function have these getters.
macro_rules! configured {
    ($found:expr) => {{
        let found = &$found;
        let variables = found.environment().and_then(|e| e.variables()).into_iter().flatten();
        Live {
            role_arn: found.role().unwrap_or_default().to_owned(),
            code_sha256: found.code_sha256().unwrap_or_default().to_owned(),
            config: Configuration {
                handler: found.handler().unwrap_or_default().to_owned(),
                runtime: found.runtime().map(|r| r.as_str().to_owned()).unwrap_or_default(),
                memory_mb: found.memory_size().unwrap_or(128),
                timeout_s: found.timeout().unwrap_or(3),
                environment: variables.map(|(k, v)| (k.clone(), v.clone())).collect::<BTreeMap<_, _>>(),
            },
        }
    }};
}

/// AWS's waiters look every second for five minutes (docs/aws/errors-and-retries.md#waiters); GetFunction has
/// a rate of its own, so they do not compete with other control calls.
const EVERY: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(300);

impl Driver for Function {
    /// Lambda lists no function by prefix, so the tags are asked: one call, whatever else the account has.
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let filter = |key: &str, value: &str| TagFilter::builder().key(key).values(value).build();
        let call = cx
            .aws
            .tagging
            .get_resources()
            .resource_type_filters("lambda:function")
            .resources_per_page(100)
            .tag_filters(filter(Scope::PROJECT_TAG, &cx.scope.project))
            .tag_filters(filter(Scope::ENVIRONMENT_TAG, &cx.scope.environment));
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.op("tag:GetResources")?;
            let arns = page.resource_tag_mapping_list().iter().filter_map(|r| r.resource_arn());
            found.extend(arns.filter_map(|arn| arn.split(":function:").nth(1)).map(Found::new));
        }
        Ok(found)
    }

    async fn observe(&self, cx: &OpCx<'_>, function: &str) -> OpResult<Option<Seen>> {
        let lambda = &cx.aws.lambda;
        let get = async { lambda.get_function().function_name(function).send().await.op("lambda:GetFunction").found() };
        let alias = async {
            let call = lambda.get_alias().function_name(function).name(Self::ALIAS);
            call.send().await.op("lambda:GetAlias").found()
        };
        let live = async {
            let call = lambda.get_function_configuration().function_name(function).qualifier(Self::ALIAS);
            call.send().await.op("lambda:GetFunctionConfiguration").found()
        };
        let (found, alias, live) = futures_util::try_join!(get, alias, live)?;
        let Some(found) = found else { return Ok(None) };
        let latest = found.configuration();
        let (state, update) = (latest.and_then(|c| c.state()), latest.and_then(|c| c.last_update_status()));
        let weights = alias.as_ref().and_then(|a| a.routing_config()).and_then(|r| r.additional_version_weights());
        let weighted = weights.is_some_and(|w| !w.is_empty());
        Ok(Some(Seen {
            owner: owner(&found, &cx.scope)?,
            latest: latest.map(|c| configured!(c)),
            reserved: found.concurrency().and_then(|c| c.reserved_concurrent_executions()),
            status: status(state, update, latest.and_then(|c| c.state_reason())),
            live: alias.and(live).map(|c| configured!(c)),
            weighted,
        }))
    }

    async fn create(&self, cx: &OpCx<'_>, function: &str, spec: &Spec) -> OpResult<()> {
        let zip = Blob::new(code::of_spec(spec.source.as_deref(), &cx.inputs));
        let tags: HashMap<String, String> = cx.tags().into_iter().collect();
        let action = "lambda:CreateFunction";
        let create = || async {
            let call = cx
                .aws
                .lambda
                .create_function()
                .function_name(function)
                .role(&spec.role_arn)
                .code(FunctionCode::builder().zip_file(zip.clone()).build())
                .handler(&spec.config.handler)
                .runtime(Runtime::from(spec.config.runtime.as_str()))
                .memory_size(spec.config.memory_mb)
                .timeout(spec.config.timeout_s)
                .environment(environment(&spec.config))
                .description("Made by opsctl")
                .set_tags(Some(tags.clone()));
            call.send().await.op(action).map(drop)
        };
        make(self, cx, function, action, || cx.retry_new_role(action, create)).await?;
        settled(cx, function).await?;
        publish(cx, function).await
    }

    async fn update(&self, cx: &OpCx<'_>, function: &str, spec: &Spec, changes: &[FieldChange]) -> OpResult<()> {
        let lambda = &cx.aws.lambda;
        if changes.iter().any(|change| change.path == Self::RESERVED) {
            let call = lambda.delete_function_concurrency().function_name(function).send().await;
            call.op("lambda:DeleteFunctionConcurrency").gone()?;
        }
        let latest = settled(cx, function).await?;
        if latest.code_sha256() != Some(&spec.code_sha256) {
            let zip = Blob::new(code::of_spec(spec.source.as_deref(), &cx.inputs));
            cx.retry_busy("lambda:UpdateFunctionCode", || async {
                let call = lambda.update_function_code().function_name(function).zip_file(zip.clone());
                call.send().await.op("lambda:UpdateFunctionCode").map(drop)
            })
            .await?;
            settled(cx, function).await?;
        }
        let have: Live = configured!(latest);
        if have.config != spec.config || have.role_arn != spec.role_arn {
            cx.retry_new_role("lambda:UpdateFunctionConfiguration", || async {
                let call = lambda
                    .update_function_configuration()
                    .function_name(function)
                    .role(&spec.role_arn)
                    .handler(&spec.config.handler)
                    .runtime(Runtime::from(spec.config.runtime.as_str()))
                    .memory_size(spec.config.memory_mb)
                    .timeout(spec.config.timeout_s)
                    .environment(environment(&spec.config));
                call.send().await.op("lambda:UpdateFunctionConfiguration").map(drop)
            })
            .await?;
            settled(cx, function).await?;
        }
        publish(cx, function).await
    }

    async fn delete(&self, cx: &OpCx<'_>, function: &str) -> OpResult<()> {
        // Without a qualifier all versions and aliases go with it (docs/aws/lambda.md#deleting).
        cx.retry_busy("lambda:DeleteFunction", || async {
            cx.aws.lambda.delete_function().function_name(function).send().await.op("lambda:DeleteFunction").gone()
        })
        .await
    }

    async fn adopt(&self, cx: &OpCx<'_>, function: &str) -> OpResult<()> {
        let tags: HashMap<String, String> = cx.tags().into_iter().collect();
        let arn = cx.scope.arn("lambda", &format!("function:{function}"));
        let call = cx.aws.lambda.tag_resource().resource(arn).set_tags(Some(tags));
        call.send().await.op("lambda:TagResource").map(drop)
    }
}

fn environment(config: &Configuration) -> Environment {
    Environment::builder().set_variables(Some(config.environment.clone().into_iter().collect())).build()
}

fn status(state: Option<&State>, update: Option<&LastUpdateStatus>, reason: Option<&str>) -> Status {
    let word = state.map_or("Active", |s| s.as_str());
    let phase = match (state, update) {
        (Some(State::Failed), _) => Phase::Failed,
        (Some(State::Deleting), _) => Phase::Leaving,
        (Some(State::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => Phase::Busy,
        // Inactive functions wake up with their next call; a failed update leaves the old version serving.
        _ => Phase::Ready,
    };
    Status::new(word, phase).because(reason.map(str::to_owned))
}

/// Lambda leaves the tags out, and says so beside them, when the caller may not list them: then nobody knows whose the
/// function is. https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
fn owner(found: &GetFunctionOutput, scope: &Scope) -> OpResult<Owner> {
    if let Some(error) = found.tags_error() {
        let message = format!("{}: {}", error.error_code(), error.message());
        return Err(OpError::new("lambda:ListTags", classify("lambda", error.error_code(), error.message(), 403), message));
    }
    let tags = found.tags().into_iter().flatten();
    Ok(Owner::of(tags.map(|(k, v)| (k.as_str(), v.as_str())), scope))
}

/// Waits until the function takes the next change: every change but the first is refused while one is in progress.
async fn settled(cx: &OpCx<'_>, function: &str) -> OpResult<GetFunctionConfigurationOutput> {
    cx.wait("function settled", EVERY, LIMIT, || async {
        let call = cx.aws.lambda.get_function_configuration().function_name(function);
        let Some(found) = call.send().await.op("lambda:GetFunctionConfiguration").found()? else {
            return Ok(Probe::Absent);
        };
        let now = status(found.state(), found.last_update_status(), found.state_reason());
        Ok(match now.phase {
            Phase::Busy => Probe::Pending(now.word),
            Phase::Failed | Phase::Leaving => Probe::Failed { status: now.word, reason: now.reason },
            _ if found.last_update_status() == Some(&LastUpdateStatus::Failed) => {
                let reason = found.last_update_status_reason().map(str::to_owned);
                Probe::Failed { status: "update failed".into(), reason }
            }
            _ => Probe::Ready(found),
        })
    })
    .await
}

/// Publishes what `$LATEST` is, and points the alias to it. Without a change AWS gives the last version again.
async fn publish(cx: &OpCx<'_>, function: &str) -> OpResult<()> {
    let lambda = &cx.aws.lambda;
    let alias = Function::ALIAS;
    let published = cx
        .retry_busy("lambda:PublishVersion", || async {
            lambda.publish_version().function_name(function).send().await.op("lambda:PublishVersion")
        })
        .await?;
    let version = published.version().unwrap_or_default().to_owned();
    // A version can be Pending too, and an alias on it could not be provisioned (docs/aws/lambda.md#states).
    cx.wait("version active", Duration::from_secs(5), LIMIT, || async {
        let call = lambda.get_function_configuration().function_name(function).qualifier(&version);
        let found = call.send().await.op("lambda:GetFunctionConfiguration").found()?;
        let Some(found) = found else { return Ok(Probe::Absent) };
        let now = status(found.state(), None, found.state_reason());
        Ok(match now.phase {
            Phase::Busy => Probe::Pending(now.word),
            Phase::Failed | Phase::Leaving => Probe::Failed { status: now.word, reason: now.reason },
            _ => Probe::Ready(()),
        })
    })
    .await?;
    let existing = lambda.get_alias().function_name(function).name(alias).send().await.op("lambda:GetAlias").found()?;
    if existing.is_none() {
        let call = lambda.create_alias().function_name(function).name(alias).function_version(&version);
        return call.send().await.op("lambda:CreateAlias").there();
    }
    cx.retry_busy("lambda:UpdateAlias", || async {
        // Empty weights end a roll-out that somebody left half-way
        // (docs/aws/lambda.md#provisioned-concurrency).
        let all = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new())).build();
        let call = lambda.update_alias().function_name(function).name(alias).function_version(&version);
        call.routing_config(all).send().await.op("lambda:UpdateAlias").map(drop)
    })
    .await?;
    // Provisioned concurrency follows the alias to the new version
    // (docs/aws/lambda.md#provisioned-concurrency), and shows whether it initializes.
    concurrency::aws::ready(cx, function).await
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::TagsError;

    use super::*;
    use crate::aws::OpErrorKind;

    /// Without lambda:ListTags a function of ours must not look like a stranger's.
    #[test]
    fn tags_that_may_not_be_read_are_denied_not_absent() {
        let scope = Scope::new("shop", "dev", Scope::NO_ACCOUNT, "us-east-1");
        let denied = TagsError::builder().error_code("AccessDeniedException").message("not authorized");
        let found = GetFunctionOutput::builder().tags_error(denied.build().unwrap()).build();
        assert_eq!(owner(&found, &scope).unwrap_err().kind, OpErrorKind::Denied);
        assert_eq!(owner(&GetFunctionOutput::builder().build(), &scope).unwrap(), Owner::Nobody);
    }
}
