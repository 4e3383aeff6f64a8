//! The verbs of a function's URL: on the alias, which is opsctl's. URLs of `$LATEST` and permissions under
//! other names are somebody else's, and left.

use aws_sdk_lambda::types::FunctionUrlAuthType;
use opsctl_iam::policy::Document;

use super::url::{LiveUrl, Url};
use crate::aws::{OpErrorKind, OpResult, OpResultExt, SdkResultExt};
use crate::domain::{Action, action};
use crate::engine::OpCx;

/// The statements that open a public URL, of one of [`Url::GRANTED`] each.
const MAY_CALL: &str = "opsctl-url";
const MAY_INVOKE: &str = "opsctl-url-invoke";

/// What there is on the alias. An emulator without URLs has none.
pub async fn found(cx: &OpCx<'_>, function: &str, alias: &str) -> OpResult<Option<LiveUrl>> {
    let call = cx.aws.lambda.get_function_url_config().function_name(function).qualifier(alias);
    let found = match call.send().await.op(action::lambda::GetFunctionUrlConfig).found() {
        Err(error) if error.kind == OpErrorKind::NotOffered => None,
        found => found?,
    };
    let Some(found) = found else { return Ok(None) };
    let url = if *found.auth_type() == FunctionUrlAuthType::None { Url::Public } else { Url::Iam };
    let open = url == Url::Public && is_open(cx, function, alias).await?;
    Ok(Some(LiveUrl { url, open, address: found.function_url().to_owned() }))
}

async fn is_open(cx: &OpCx<'_>, function: &str, alias: &str) -> OpResult<bool> {
    let call = cx.aws.lambda.get_policy().function_name(function).qualifier(alias);
    let found = call.send().await.op(action::lambda::GetPolicy).found()?;
    let policy = found.map(|found| Document::read(found.policy().unwrap_or_default().into()));
    let statements = policy.iter().flat_map(Document::statements);
    let ids: Vec<&str> = statements.filter_map(|statement| statement.sid.as_deref()).collect();
    Ok([MAY_CALL, MAY_INVOKE].iter().all(|id| ids.contains(id)))
}

/// Makes it so. What opens it comes last, and goes first.
pub async fn put(cx: &OpCx<'_>, function: &str, alias: &str, want: Option<Url>) -> OpResult<()> {
    let lambda = &cx.aws.lambda;
    let have = found(cx, function, alias).await?;
    if want != Some(Url::Public) && have.as_ref().is_some_and(|have| have.url == Url::Public) {
        for id in [MAY_INVOKE, MAY_CALL] {
            let call = lambda.remove_permission().function_name(function).qualifier(alias).statement_id(id);
            call.send().await.op(action::lambda::RemovePermission).ignore_not_found()?;
        }
    }
    match (want, have) {
        (None, Some(_)) => {
            let call = lambda.delete_function_url_config().function_name(function).qualifier(alias);
            return call.send().await.op(action::lambda::DeleteFunctionUrlConfig).ignore_not_found();
        }
        (Some(url), None) => {
            let call = lambda.create_function_url_config().function_name(function).qualifier(alias);
            let call = call.auth_type(url.auth_type().into());
            call.send().await.op(action::lambda::CreateFunctionUrlConfig).ignore_already_exists()?;
        }
        (Some(url), Some(have)) if have.url != url => {
            let call = lambda.update_function_url_config().function_name(function).qualifier(alias);
            let call = call.auth_type(url.auth_type().into());
            call.send().await.op(action::lambda::UpdateFunctionUrlConfig)?;
        }
        _ => {}
    }
    if want == Some(Url::Public) { open(cx, function, alias).await } else { Ok(()) }
}

async fn open(cx: &OpCx<'_>, function: &str, alias: &str) -> OpResult<()> {
    let everybody = |id: &str, action: Action| {
        let call = cx.aws.lambda.add_permission().function_name(function).qualifier(alias);
        call.statement_id(id).action(action.name).principal("*")
    };
    let [calling, invoking] = Url::GRANTED;
    let call = everybody(MAY_CALL, calling);
    let call = call.function_url_auth_type(FunctionUrlAuthType::None);
    call.send().await.op(action::lambda::AddPermission).ignore_already_exists()?;
    let call = everybody(MAY_INVOKE, invoking).invoked_via_function_url(true);
    call.send().await.op(action::lambda::AddPermission).ignore_already_exists()
}
