//! ○ An account's authorization details, from AWS, in the shape that the AWS CLI writes them: so that what
//! was collected can be saved, and read again without an account.
//!
//! Calls: `GetAccountAuthorizationDetails` in two chains of pages at the same time, `ListRoles` for the one
//! thing only it has, the maximum session length, and the lists of identity providers where a trust policy
//! names one. 3,000 roles are at most 10 calls, with `GetCallerIdentity` (docs/inside/audit.md#calls).

use std::collections::HashMap;

use aws_sdk_iam::config::retry::RetryConfig;
use aws_sdk_iam::types::{EntityType, PolicyUsageType};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Map, Value, json};

use super::Account;
use super::answers;
use crate::aws::{OpError, OpErrorKind, OpResult, SdkResultExt};
use crate::domain::{Action, action};

/// IAM's largest page.
pub(super) const PAGE: i32 = 1000;
/// IAM's rates are low and shared by the whole account, so refused calls are repeated with backoff.
const ATTEMPTS: u32 = 8;

/// What was read, and what could not be.
#[derive(Debug, Default)]
pub struct Collected {
    /// `{"RoleDetailList": […], "UserDetailList": […], "GroupDetailList": […], "Policies": […]}`, decoded;
    /// roles with their `MaxSessionDuration`, and the providers that were listed.
    pub dump: Value,
    /// What could not be read: the rule that needed it (IAM903: any), and one sentence.
    pub problems: Vec<(&'static str, String)>,
}

impl Collected {
    /// The account, with its gaps noted.
    pub fn account(&self, id: &str) -> Account {
        let text = self.dump.to_string();
        let mut account = Account::from_json(text.as_bytes()).unwrap_or_default();
        account.id = id.to_owned();
        // `IsTruncated` is for readers of the saved dump; here the gaps have names.
        account.problems.clear();
        for (rule, problem) in &self.problems {
            account.not_evaluated_because(rule, problem);
        }
        account
    }

    fn missing(&mut self, rule: &'static str, what: &str, error: &OpError) {
        self.problems.push((rule, format!("{what} could not be read: {error}")));
    }
}

/// Reads the account. A chain that fails leaves a gap that is named, never a clean bill.
pub async fn collect(iam: &aws_sdk_iam::Client) -> Collected {
    use EntityType::{AwsManagedPolicy, Group, LocalManagedPolicy, Role, User};
    let others = vec![User, Group, LocalManagedPolicy, AwsManagedPolicy];
    let (roles, others, sessions) =
        futures_util::join!(details(iam, vec![Role]), details(iam, others), sessions(iam));
    let mut collected = Collected::default();
    let mut lists: Map<String, Value> =
        LISTS.iter().map(|name| ((*name).to_owned(), Value::Array(Vec::new()))).collect();
    let mut whole = true;
    for (what, (found, error)) in [("all roles", roles), ("all users, groups and managed policies", others)] {
        for (list, items) in LISTS.iter().zip(found) {
            if let Some(Value::Array(all)) = lists.get_mut(*list) {
                all.extend(items);
            }
        }
        if let Some(error) = error {
            whole = false;
            collected.missing("IAM903", what, &error);
        }
    }
    lists.insert("IsTruncated".into(), (!whole).into());
    match sessions {
        Ok(sessions) => note_sessions(&mut lists, &sessions),
        Err(error) => collected.missing("IAM505", "session lengths", &error),
    }
    if whole {
        complete_boundaries(iam, &mut lists, &mut collected).await;
    }
    providers(iam, &mut lists, &mut collected).await;
    collected.dump = Value::Object(lists);
    collected
}

const LISTS: [&str; 4] = ["RoleDetailList", "UserDetailList", "GroupDetailList", "Policies"];
type Lists = [Vec<Value>; 4];

/// One chain of pages: what was read until the end or the first failure, and that failure.
async fn details(iam: &aws_sdk_iam::Client, filter: Vec<EntityType>) -> (Lists, Option<OpError>) {
    const ACTION: Action = action::iam::GetAccountAuthorizationDetails;
    let mut lists = Lists::default();
    let mut marker: Option<String> = None;
    loop {
        let call = iam.get_account_authorization_details().set_filter(Some(filter.clone())).max_items(PAGE);
        let call = call.set_marker(marker.clone()).customize().config_override(patient());
        let page = match call.send().await.op(ACTION) {
            Ok(page) => page,
            Err(error) => return (lists, Some(error)),
        };
        lists[0].extend(page.role_detail_list().iter().map(answers::role));
        lists[1].extend(page.user_detail_list().iter().map(answers::user));
        lists[2].extend(page.group_detail_list().iter().map(answers::group));
        lists[3].extend(page.policies().iter().map(answers::managed));
        marker = match next(ACTION, page.is_truncated(), page.marker(), marker.as_deref()) {
            Ok(Some(next)) => Some(next),
            Ok(None) => return (lists, None),
            Err(error) => return (lists, Some(error)),
        };
    }
}

/// Where the next page begins. A short page is not the end, only IsTruncated=false is
/// (docs/aws/iam.md#reading-roles); a page that is not the end and does not say where the next begins, or
/// says the same again, is not a page to continue from.
pub(super) fn next(
    action: Action,
    truncated: bool,
    marker: Option<&str>,
    before: Option<&str>,
) -> OpResult<Option<String>> {
    match marker.filter(|marker| !marker.is_empty()) {
        _ if !truncated => Ok(None),
        Some(marker) if Some(marker) != before => Ok(Some(marker.to_owned())),
        _ => {
            let message = "the page says that there is more, but not where it begins";
            Err(OpError::new(action, OpErrorKind::Unexpected, message))
        }
    }
}

async fn sessions(iam: &aws_sdk_iam::Client) -> OpResult<HashMap<String, i32>> {
    const ACTION: Action = action::iam::ListRoles;
    let mut sessions = HashMap::new();
    let mut marker: Option<String> = None;
    loop {
        let call = iam.list_roles().max_items(PAGE).set_marker(marker.clone());
        let page = call.customize().config_override(patient()).send().await.op(ACTION)?;
        let known = page.roles().iter().filter_map(|r| Some((r.arn().to_owned(), r.max_session_duration()?)));
        sessions.extend(known);
        marker = match next(ACTION, page.is_truncated(), page.marker(), marker.as_deref())? {
            Some(next) => Some(next),
            None => return Ok(sessions),
        };
    }
}

fn entries<'l>(lists: &'l mut Map<String, Value>, name: &str) -> impl Iterator<Item = &'l mut Value> {
    lists.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

fn note_sessions(lists: &mut Map<String, Value>, sessions: &HashMap<String, i32>) {
    for role in entries(lists, "RoleDetailList") {
        if let Some(seconds) = role["Arn"].as_str().and_then(|arn| sessions.get(arn)) {
            role["MaxSessionDuration"] = (*seconds).into();
        }
    }
}

/// The listing has been seen to leave out boundaries. IAM also counts for each policy how many it bounds:
/// where that is more than the listing says, IAM is asked who they are
/// (docs/inside/audit.md#boundaries-that-the-listing-leaves-out).
async fn complete_boundaries(
    iam: &aws_sdk_iam::Client,
    lists: &mut Map<String, Value>,
    collected: &mut Collected,
) {
    const BOUNDARY: &str = "/PermissionsBoundary/PermissionsBoundaryArn";
    let mut named: HashMap<String, u64> = HashMap::new();
    for list in ["RoleDetailList", "UserDetailList"] {
        for entity in entries(lists, list) {
            if let Some(arn) = entity.pointer(BOUNDARY).and_then(Value::as_str) {
                *named.entry(arn.to_owned()).or_default() += 1;
            }
        }
    }
    let short: Vec<String> = entries(lists, "Policies")
        .filter_map(|policy| {
            let arn = policy["Arn"].as_str()?;
            let bounds = policy["PermissionsBoundaryUsageCount"].as_u64()?;
            (bounds > named.get(arn).copied().unwrap_or(0)).then(|| arn.to_owned())
        })
        .collect();
    for policy in short {
        match bounded_by(iam, &policy).await {
            Ok(names) => {
                for role in entries(lists, "RoleDetailList") {
                    let bounded =
                        role["RoleName"].as_str().is_some_and(|name| names.iter().any(|n| n == name));
                    if bounded && role.pointer(BOUNDARY).is_none() {
                        role["PermissionsBoundary"] =
                            json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy});
                    }
                }
            }
            Err(error) => collected.missing("IAM903", &format!("whose boundary {policy} is"), &error),
        }
    }
}

async fn bounded_by(iam: &aws_sdk_iam::Client, policy: &str) -> OpResult<Vec<String>> {
    const ACTION: Action = action::iam::ListEntitiesForPolicy;
    let mut names = Vec::new();
    let mut marker: Option<String> = None;
    loop {
        let call = iam.list_entities_for_policy().policy_arn(policy).max_items(PAGE);
        let call = call.policy_usage_filter(PolicyUsageType::PermissionsBoundary).set_marker(marker.clone());
        let page = call.customize().config_override(patient()).send().await.op(ACTION)?;
        names.extend(page.policy_roles().iter().filter_map(|role| role.role_name().map(str::to_owned)));
        marker = match next(ACTION, page.is_truncated(), page.marker(), marker.as_deref())? {
            Some(next) => Some(next),
            None => return Ok(names),
        };
    }
}

/// The identity providers, where a trust policy names one.
async fn providers(iam: &aws_sdk_iam::Client, lists: &mut Map<String, Value>, collected: &mut Collected) {
    let trusts: String = entries(lists, "RoleDetailList")
        .map(|role| role["AssumeRolePolicyDocument"].to_string())
        .filter(|trust| trust.contains("-provider/"))
        .collect();
    let list = |arns: Vec<Value>| Value::Array(arns);
    if trusts.contains(":oidc-provider/") {
        let answer = iam.list_open_id_connect_providers().customize().config_override(patient()).send().await;
        match answer.op(action::iam::ListOpenIDConnectProviders) {
            Ok(found) => {
                let found = found.open_id_connect_provider_list().iter().map(|p| json!({"Arn": p.arn()}));
                lists.insert("OpenIDConnectProviderList".into(), list(found.collect()));
            }
            Err(error) => collected.missing("IAM313", "the OIDC providers", &error),
        }
    }
    if trusts.contains(":saml-provider/") {
        let answer = iam.list_saml_providers().customize().config_override(patient()).send().await;
        match answer.op(action::iam::ListSAMLProviders) {
            Ok(found) => {
                let found = found.saml_provider_list().iter().map(|p| json!({"Arn": p.arn()}));
                lists.insert("SAMLProviderList".into(), list(found.collect()));
            }
            Err(error) => collected.missing("IAM313", "the SAML providers", &error),
        }
    }
}

pub(super) fn patient() -> aws_sdk_iam::config::Builder {
    aws_sdk_iam::config::Builder::new()
        .retry_config(RetryConfig::adaptive().with_max_attempts(ATTEMPTS))
        .interceptor(WholeAnswers)
}

/// Refuses an answer that ends before its last tag. The SDK reads as much of it as there is and takes the
/// rest for absent: half a page would look like the last one.
#[derive(Debug)]
struct WholeAnswers;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().filter(|_| response.status().is_success());
        // `<GetAccountAuthorizationDetailsResponse …>…</GetAccountAuthorizationDetailsResponse>`
        match body.is_none_or(|body| body.trim_ascii_end().ends_with(b"Response>")) {
            true => Ok(()),
            false => Err("the answer is cut off".into()),
        }
    }
}
