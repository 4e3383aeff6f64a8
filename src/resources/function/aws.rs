use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_lambda::operation::get_function::GetFunctionOutput;
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, Environment, EphemeralStorage, FunctionConfiguration, LastUpdateStatus,
    Runtime, State as FunctionState, VpcConfig,
};

use super::send::{self, Code};
use super::spec::{Configuration, Function, Live, Spec, State};
use super::{found, invoke, open};
use crate::aws::{OpError, OpResult, OpResultExt, SdkResultExt, classify};
use crate::config::Network;
use crate::desired::Seen;
use crate::domain::{FieldChange, Owner, Phase, Scope, Status, Tags, action};
use crate::engine::invoke::{NoAnswer, Request, Response};
use crate::engine::{Driver, Found, OpCx, Probe, make};
use crate::resources::concurrency;
use crate::resources::tagged::tagged;

/// AWS's waiters look every second for five minutes (docs/aws/errors-and-retries.md#waiters); GetFunction has
/// a rate of its own, so they do not compete with other control calls.
const EVERY: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(300);

impl Driver for Function {
    /// Lambda lists no function by prefix, so the tags are asked: one call, whatever else the account has.
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        let arns = tagged(cx, &["lambda:function"]).await?;
        Ok(arns.iter().filter_map(|arn| arn.split(":function:").nth(1)).map(Found::new).collect())
    }

    async fn observe(&self, cx: &OpCx<'_>, function: &str) -> OpResult<Option<Seen<State>>> {
        let lambda = &cx.aws.lambda;
        let get = async {
            lambda.get_function().function_name(function).send().await.op(action::lambda::GetFunction).found()
        };
        let alias = async {
            let call = lambda.get_alias().function_name(function).name(Self::ALIAS);
            call.send().await.op(action::lambda::GetAlias).found()
        };
        let live = async {
            let call = lambda.get_function_configuration().function_name(function).qualifier(Self::ALIAS);
            call.send().await.op(action::lambda::GetFunctionConfiguration).found()
        };
        let url = open::found(cx, function, Self::ALIAS);
        let (described, alias, live, url) = futures_util::try_join!(get, alias, live, url)?;
        let Some(described) = described else { return Ok(None) };
        let latest = described.configuration();
        let (state, update) = (latest.and_then(|c| c.state()), latest.and_then(|c| c.last_update_status()));
        let weights =
            alias.as_ref().and_then(|a| a.routing_config()).and_then(|r| r.additional_version_weights());
        let weighted = weights.is_some_and(|w| !w.is_empty());
        let owner = owner(&described, &cx.scope)?;
        let status = status(state, update, latest.and_then(|c| c.state_reason()));
        let state = State {
            latest: latest.map(found::live),
            reserved: described.concurrency().and_then(|c| c.reserved_concurrent_executions()),
            live: alias.and(live).map(|live| found::live(&found::configuration(live))),
            weighted,
            url,
        };
        let tags = described.tags().into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
        Ok(Some(Seen::new(owner, status, state).tagged(tags)))
    }

    async fn create(&self, cx: &OpCx<'_>, function: &str, spec: &Spec) -> OpResult<()> {
        let (code, description) = send::code(cx, spec).await?;
        let tags: HashMap<String, String> = cx.tags().into_iter().collect();
        let action = action::lambda::CreateFunction;
        let create = || async {
            let call = cx
                .aws
                .lambda
                .create_function()
                .function_name(function)
                .role(&spec.role_arn)
                .code(code.member())
                .handler(&spec.configuration.handler)
                .runtime(Runtime::from(spec.configuration.runtime.as_str()))
                .architectures(spec.configuration.architecture.as_str().into())
                .memory_size(spec.configuration.memory_mb)
                .timeout(spec.configuration.timeout_s)
                .environment(environment(&spec.configuration))
                .ephemeral_storage(storage(&spec.configuration))
                .set_layers(Some(spec.configuration.layers.clone()).filter(|layers| !layers.is_empty()))
                .set_vpc_config(spec.configuration.network.as_ref().map(|network| vpc(Some(network))))
                .set_kms_key_arn(spec.configuration.kms_key.clone())
                .description(&description)
                .set_tags(Some(tags.clone()));
            call.send().await.op(action).map(drop)
        };
        make(self, cx, function, action, || cx.retry_new_role(action, create)).await?;
        settled(cx, function).await?;
        reserve(cx, function, spec.reserved).await?;
        publish(cx, function).await?;
        if spec.url.is_some() { open::put(cx, function, Self::ALIAS, spec.url).await } else { Ok(()) }
    }

    async fn update(
        &self,
        cx: &OpCx<'_>,
        function: &str,
        spec: &Spec,
        changes: &[FieldChange],
    ) -> OpResult<()> {
        let lambda = &cx.aws.lambda;
        if changes.iter().any(|change| change.path == Self::RESERVED) {
            let none = lambda.delete_function_concurrency().function_name(function);
            match spec.reserved {
                Some(_) => reserve(cx, function, spec.reserved).await?,
                None => none.send().await.op(action::lambda::DeleteFunctionConcurrency).ignore_not_found()?,
            }
        }
        let latest = settled(cx, function).await?;
        let have = found::live(&latest);
        // The architecture goes with the code.
        let architecture = &spec.configuration.architecture;
        let mut description = None;
        if have.code_sha256 != spec.code_sha256 || have.configuration.architecture != *architecture {
            let made_of = update_code(cx, function, spec).await?;
            description = Some(made_of).filter(|made_of| latest.description() != Some(made_of.as_str()));
        }
        let config = Configuration { architecture: architecture.clone(), ..have.configuration.clone() };
        let is_right = config == spec.configuration && have.role_arn == spec.role_arn && have.more.is_empty();
        if !is_right || description.is_some() {
            update_configuration(cx, function, spec, &have, description).await?;
        }
        publish(cx, function).await?;
        match changes.iter().any(|change| change.path == Self::URL) {
            true => open::put(cx, function, Self::ALIAS, spec.url).await,
            false => Ok(()),
        }
    }

    async fn delete(&self, cx: &OpCx<'_>, function: &str) -> OpResult<()> {
        // Without a qualifier all versions and aliases go with it (docs/aws/lambda.md#deleting).
        cx.retry_busy(action::lambda::DeleteFunction, || async {
            cx.aws
                .lambda
                .delete_function()
                .function_name(function)
                .send()
                .await
                .op(action::lambda::DeleteFunction)
                .ignore_not_found()
        })
        .await
    }

    async fn invoke(&self, cx: &OpCx<'_>, function: &str, request: Request) -> Result<Response, NoAnswer> {
        invoke::send(cx, function, request).await
    }

    async fn adopt(&self, cx: &OpCx<'_>, function: &str) -> OpResult<()> {
        tag(cx, function, cx.tags()).await
    }

    async fn retag(&self, cx: &OpCx<'_>, function: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        if !gone.is_empty() {
            let call = cx.aws.lambda.untag_resource().resource(arn(cx, function)).set_tag_keys(Some(gone));
            call.send().await.op(action::lambda::UntagResource)?;
        }
        if put.is_empty() { Ok(()) } else { tag(cx, function, put).await }
    }
}

/// Sends the code, and returns what it was made of.
async fn update_code(cx: &OpCx<'_>, function: &str, spec: &Spec) -> OpResult<String> {
    let (code, made_of) = send::code(cx, spec).await?;
    cx.retry_busy(action::lambda::UpdateFunctionCode, || async {
        let call = cx.aws.lambda.update_function_code().function_name(function);
        let call = match &code {
            Code::Zip(zip) => call.zip_file(zip.clone()),
            Code::Object { bucket, key } => call.s3_bucket(bucket).s3_key(key),
        };
        call.architectures(spec.configuration.architecture.as_str().into())
            .send()
            .await
            .op(action::lambda::UpdateFunctionCode)
            .map(drop)
    })
    .await?;
    settled(cx, function).await?;
    Ok(made_of)
}

/// Sends the configuration, with what has no key of the config put back.
async fn update_configuration(
    cx: &OpCx<'_>,
    function: &str,
    spec: &Spec,
    have: &Live,
    description: Option<String>,
) -> OpResult<()> {
    let config = &have.configuration;
    let is_moved = config.network != spec.configuration.network;
    let other_key = config.kms_key != spec.configuration.kms_key;
    cx.retry_new_role(action::lambda::UpdateFunctionConfiguration, || async {
        let call = cx
            .aws
            .lambda
            .update_function_configuration()
            .function_name(function)
            .role(&spec.role_arn)
            .handler(&spec.configuration.handler)
            .runtime(Runtime::from(spec.configuration.runtime.as_str()))
            .memory_size(spec.configuration.memory_mb)
            .timeout(spec.configuration.timeout_s)
            .ephemeral_storage(storage(&spec.configuration))
            .set_layers(Some(spec.configuration.layers.clone()))
            .set_vpc_config(is_moved.then(|| vpc(spec.configuration.network.as_ref())))
            // An empty text takes it off.
            .set_kms_key_arn(other_key.then(|| spec.configuration.kms_key.clone().unwrap_or_default()))
            .set_description(description.clone())
            .environment(environment(&spec.configuration));
        let call = have.more.keys().fold(call, |call, set| found::by_default(call, *set, function));
        call.send().await.op(action::lambda::UpdateFunctionConfiguration).map(drop)
    })
    .await?;
    settled(cx, function).await.map(drop)
}

async fn tag(cx: &OpCx<'_>, function: &str, tags: Tags) -> OpResult<()> {
    let tags: HashMap<String, String> = tags.into_iter().collect();
    let call = cx.aws.lambda.tag_resource().resource(arn(cx, function)).set_tags(Some(tags));
    call.send().await.op(action::lambda::TagResource).map(drop)
}

fn arn(cx: &OpCx<'_>, function: &str) -> String {
    cx.scope.arn("lambda", &format!("function:{function}"))
}

/// Reserves what may run at once; of none there is nothing to do for a new function.
async fn reserve(cx: &OpCx<'_>, function: &str, reserved: Option<i32>) -> OpResult<()> {
    let Some(count) = reserved else { return Ok(()) };
    let call = cx.aws.lambda.put_function_concurrency().function_name(function);
    let call = call.reserved_concurrent_executions(count);
    call.send().await.op(action::lambda::PutFunctionConcurrency).map(drop)
}

/// No subnets take it out of a VPC.
fn vpc(network: Option<&Network>) -> VpcConfig {
    let (subnets, groups) =
        network.map_or_else(Default::default, |n| (n.subnets.clone(), n.security_groups.clone()));
    VpcConfig::builder().set_subnet_ids(Some(subnets)).set_security_group_ids(Some(groups)).build()
}

fn storage(config: &Configuration) -> EphemeralStorage {
    EphemeralStorage::builder().size(config.storage_mb).build().expect("the size is set")
}

fn environment(config: &Configuration) -> Environment {
    Environment::builder().set_variables(Some(config.environment.clone().into_iter().collect())).build()
}

fn status(state: Option<&FunctionState>, update: Option<&LastUpdateStatus>, reason: Option<&str>) -> Status {
    let word = state.map_or("Active", |s| s.as_str());
    let phase = match (state, update) {
        (Some(FunctionState::Failed), _) => Phase::Failed,
        (Some(FunctionState::Deleting), _) => Phase::Leaving,
        (Some(FunctionState::Pending), _) | (_, Some(LastUpdateStatus::InProgress)) => Phase::Busy,
        // Inactive functions wake up with their next call; a failed update leaves the old version serving.
        _ => Phase::Ready,
    };
    Status::new(word, phase).because(reason.map(str::to_owned))
}

/// Lambda leaves the tags out, and says so beside them, when the caller may not list them: then nobody knows
/// whose the function is. https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
fn owner(found: &GetFunctionOutput, scope: &Scope) -> OpResult<Owner> {
    if let Some(error) = found.tags_error() {
        let message = format!("{}: {}", error.error_code(), error.message());
        return Err(OpError::new(
            action::lambda::ListTags,
            classify("lambda", error.error_code(), error.message(), 403),
            message,
        ));
    }
    let tags = found.tags().into_iter().flatten();
    Ok(Owner::of(tags.map(|(k, v)| (k.as_str(), v.as_str())), scope))
}

/// Waits until the function takes the next change: every change but the first is refused while one is in
/// progress.
async fn settled(cx: &OpCx<'_>, function: &str) -> OpResult<FunctionConfiguration> {
    cx.wait("function settled", EVERY, LIMIT, || async {
        let call = cx.aws.lambda.get_function_configuration().function_name(function);
        let Some(found) = call.send().await.op(action::lambda::GetFunctionConfiguration).found()? else {
            return Ok(Probe::Absent);
        };
        let found = found::configuration(found);
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

/// Publishes what `$LATEST` is, and points the alias to it. Without a change AWS gives the last version
/// again.
async fn publish(cx: &OpCx<'_>, function: &str) -> OpResult<()> {
    let lambda = &cx.aws.lambda;
    let alias = Function::ALIAS;
    let published = cx
        .retry_busy(action::lambda::PublishVersion, || async {
            lambda.publish_version().function_name(function).send().await.op(action::lambda::PublishVersion)
        })
        .await?;
    let version = published.version().unwrap_or_default().to_owned();
    // A version can be Pending too, and an alias on it could not be provisioned (docs/aws/lambda.md#states).
    cx.wait("version active", Duration::from_secs(5), LIMIT, || async {
        let call = lambda.get_function_configuration().function_name(function).qualifier(&version);
        let found = call.send().await.op(action::lambda::GetFunctionConfiguration).found()?;
        let Some(found) = found else { return Ok(Probe::Absent) };
        let now = status(found.state(), None, found.state_reason());
        Ok(match now.phase {
            Phase::Busy => Probe::Pending(now.word),
            Phase::Failed | Phase::Leaving => Probe::Failed { status: now.word, reason: now.reason },
            _ => Probe::Ready(()),
        })
    })
    .await?;
    let existing = lambda
        .get_alias()
        .function_name(function)
        .name(alias)
        .send()
        .await
        .op(action::lambda::GetAlias)
        .found()?;
    if existing.is_none() {
        let call = lambda.create_alias().function_name(function).name(alias).function_version(&version);
        return call.send().await.op(action::lambda::CreateAlias).ignore_already_exists();
    }
    cx.retry_busy(action::lambda::UpdateAlias, || async {
        // Empty weights end a roll-out that somebody left half-way
        // (docs/aws/lambda.md#provisioned-concurrency).
        let all =
            AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new())).build();
        let call = lambda.update_alias().function_name(function).name(alias).function_version(&version);
        call.routing_config(all).send().await.op(action::lambda::UpdateAlias).map(drop)
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
