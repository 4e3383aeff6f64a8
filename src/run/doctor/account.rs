//! What the account allows of what the config asks for.

use std::collections::BTreeSet;

use aws_sdk_ec2::types::Filter;
use futures_util::future::join_all;

use super::{Check, quotas};
use crate::aws::{OpErrorKind, SdkResultExt};
use crate::desired::Node;
use crate::domain::action;
use crate::policy;
use crate::resources::concurrency::Concurrency;
use crate::resources::instance::Instance;
use crate::run::Session;

/// So many executions stay for functions without a concurrency of their own, where the account has as many
/// (docs/aws/lambda.md#limits).
const UNRESERVED: i64 = 100;

/// Whether the account's limit of concurrent executions has room for what is kept initialized.
pub(super) async fn concurrency(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Option<Check> {
    const CHECK: &str = "lambda concurrency";
    session.desired.nodes.iter().find(|node| is_meant(node) && node.spec_as::<Concurrency>().is_some())?;
    // Others have theirs already, and keep it.
    let wanted = session.desired.nodes.iter().filter_map(|node| node.spec_as::<Concurrency>());
    let wanted: i64 = wanted.map(|spec| i64::from(spec.requested)).sum();
    if wanted == 0 {
        return None;
    }
    let call = session.context.aws.lambda.get_account_settings();
    let settings = match call.send().await.op(action::lambda::GetAccountSettings) {
        Ok(settings) => settings,
        Err(error) => return Some(Check::unread(CHECK, &error)),
    };
    let limit = settings.account_limit();
    let all = i64::from(limit.map_or(0, |limit| limit.concurrent_executions()));
    let free = limit.and_then(|limit| limit.unreserved_concurrent_executions()).map_or(all, i64::from);
    let room = (free - UNRESERVED.min(all)).max(0);
    if wanted <= room {
        return Some(Check::ok(CHECK, format!("{wanted} of {room} that the limit of {all} leaves")));
    }
    let message = format!(
        "provisioned_concurrency asks for {wanted}, and of the account's limit of {all} concurrent \
         executions {room} can be provisioned"
    );
    let fix = format!(
        "ask for more at {}, or set `provisioned_concurrency = 0`",
        quotas::page(session, "lambda", "L-B99A9384")
    );
    Some(Check::fails(CHECK, message, fix))
}

/// Whether there is the network that an EC2 job without a `network` starts in.
pub(super) async fn default_vpc(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Option<Check> {
    const CHECK: &str = "default VPC";
    let is_there = |node: &Node| node.spec_as::<Instance>().is_some_and(|spec| spec.network.is_none());
    session.desired.nodes.iter().find(|node| is_meant(node) && is_there(node))?;
    let filter = Filter::builder().name("is-default").values("true").build();
    let call = session.context.aws.ec2.describe_vpcs().filters(filter);
    Some(match call.send().await.op(action::ec2::DescribeVpcs) {
        Err(error) => Check::unread(CHECK, &error),
        Ok(found) => match found.vpcs().first().and_then(|vpc| vpc.vpc_id()) {
            Some(id) => Check::ok(CHECK, id),
            None => {
                let region = &session.context.scope.region;
                let message = format!("{region} has no default VPC, in which EC2 jobs run");
                Check::fails(CHECK, message, format!("aws ec2 create-default-vpc --region {region}"))
            }
        },
    })
}

/// Whether the parameters that name the images of EC2 jobs are there.
pub(super) async fn images(session: &Session) -> Vec<Check> {
    const CHECK: &str = "image";
    let specs = session.desired.nodes.iter().filter_map(|node| node.spec_as::<Instance>());
    let names: BTreeSet<&str> =
        specs.map(|spec| spec.image.as_str()).filter(|i| i.starts_with('/')).collect();
    let mut checks = Vec::new();
    for name in names {
        let found = session.context.aws.ssm.get_parameter().name(name).send().await;
        checks.push(match found.op(action::ssm::GetParameter) {
            Ok(found) => {
                let image = found.parameter().and_then(|parameter| parameter.value()).unwrap_or_default();
                Check::ok(CHECK, format!("{name} is {image}"))
            }
            Err(error) if error.kind == OpErrorKind::NotFound => {
                let message = format!("there is no parameter {name} in {}", session.context.scope.region);
                Check::fails(CHECK, message, "name another `image` for the job")
            }
            Err(error) => Check::unread(CHECK, &error),
        });
    }
    checks
}

/// Whether the images that SageMaker runs are in their registries.
pub(super) async fn registries(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Vec<Check> {
    const CHECK: &str = "image";
    let images = policy::images(session.desired.nodes.iter().filter(|node| is_meant(node)));
    let looks = images.into_iter().map(async |image| {
        let found = session.context.aws.ecr.has(&image.account, &image.repository, &image.version).await;
        let is_missing = match &found {
            Ok(found) => !found,
            // An emulator has no registry of AWS's, which says nothing of the image.
            Err(error) => error.kind == OpErrorKind::NotFound && session.is_aws(),
        };
        match found {
            _ if is_missing => {
                let message = format!("there is no image {image} in {}", session.context.scope.region);
                Check::fails(CHECK, message, "name another `image`, or push it there")
            }
            Ok(_) => Check::ok(CHECK, image.to_string()),
            Err(error) => Check::unread(CHECK, &error),
        }
    });
    join_all(looks).await
}
