//! ○ What must hold for a plan to succeed, looked at before the first write: who asks, what that may do, and
//! what the account allows. Each answer is one of three: what could not be asked is unknown, never a yes.

mod account;
mod keys;
mod permissions;
mod quotas;
mod roles;

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use serde::Serialize;
use tokio::time::timeout;

use super::{Session, whoami};
use crate::aws::OpError;
use crate::desired::Node;
use crate::domain::{ResourceId, Verb};
use crate::plan::Plan;
use crate::policy::Work;

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Ok,
    Fails,
    /// It could not be asked.
    Unknown,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about, in a word or two.
    pub check: &'static str,
    pub result: Answer,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Check {
    /// A check that passed.
    pub fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, result: Answer::Ok, message: message.into(), fix: None }
    }

    /// A check that failed, with what to do about it.
    pub fn fails(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, result: Answer::Fails, message: message.into(), fix: Some(fix.into()) }
    }

    /// A check that could not be made, with what to do about that.
    pub fn unknown(check: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, result: Answer::Unknown, message: message.into(), fix: Some(fix.into()) }
    }

    /// Whether it is about what the caller may do.
    pub fn is_about_permissions(&self) -> bool {
        self.check == permissions::CHECK
    }

    /// Whether it is about a role of others that the config names.
    pub fn is_about_roles(&self) -> bool {
        self.check == roles::CHECK
    }

    /// The call that would have told was refused, or got no answer.
    fn unread(check: &'static str, error: &OpError) -> Self {
        let fix = format!("allow {}, or look in the console", error.action);
        Self::unknown(check, error.to_string(), fix)
    }
}

/// Looks at everything that the config needs. `found_by` says how the credentials were found.
pub async fn examine(session: &Session, found_by: &str) -> Vec<Check> {
    let (who, clock) = identity(session, found_by).await;
    let region = Check::ok("region", format!("{} ({})", session.context.scope.region, session.place));
    let mut checks = vec![who, region, clock];
    let looks = futures_util::join!(
        permissions::allowed(session, |_| Some(Work::Any)),
        account::concurrency(session, |_| true),
        account::default_vpc(session, |_| true),
        account::images(session),
        account::registries(session, |_| true),
        quotas::instances(session),
        roles::roles(session, |_| true),
        roles::profiles(session, |_| true),
        roles::boundary(session, |_| true),
        keys::given_up(session),
    );
    checks.push(looks.0);
    checks.extend(looks.1);
    checks.extend(looks.2);
    checks.extend(looks.3);
    checks.extend(looks.4);
    checks.extend(looks.5);
    checks.extend(looks.6);
    checks.extend(looks.7);
    checks.extend(looks.8);
    checks.extend(looks.9);
    checks
}

/// So long a look may take before a deploy: what has not been answered by then is unknown, and the deploy
/// continues without it.
const PATIENCE: Duration = Duration::from_secs(15);

/// What certainly keeps a plan from succeeding: a quota below what one of its resources needs, an image that
/// is not there, Lambda's limit, no network, no boundary, a right that is denied, a role of others that lacks
/// one or its instance profile. All are looked at at the same time, and only for what the plan makes or
/// changes.
pub async fn before(session: &Session, plan: &Plan) -> Vec<Check> {
    let made: BTreeSet<&ResourceId> =
        plan.steps.iter().filter(|step| step.op.verb() == Verb::Create).map(|step| &step.target).collect();
    let is_made = |node: &Node| made.contains(&node.id);
    // Something that is there may be given another role, or instances of another type.
    let is_used =
        |id: &ResourceId| plan.steps.iter().any(|step| step.target == *id && !step.op.verb().removes());
    let allowed = async {
        if made.is_empty() {
            return None;
        }
        Some(permissions::allowed(session, |node| is_made(node).then_some(Work::Making)).await)
    };
    let looks = futures_util::join!(
        timeout(PATIENCE, allowed),
        timeout(PATIENCE, account::concurrency(session, |node| is_used(&node.id))),
        timeout(PATIENCE, account::default_vpc(session, is_made)),
        timeout(PATIENCE, account::registries(session, is_made)),
        timeout(PATIENCE, quotas::too_small(session, |node| is_used(&node.id))),
        timeout(PATIENCE, roles::roles(session, |node| is_used(&node.id))),
        timeout(PATIENCE, roles::profiles(session, |node| is_used(&node.id))),
        timeout(PATIENCE, roles::boundary(session, |node| is_used(&node.id))),
    );
    let single = [looks.0, looks.1, looks.2, looks.7].into_iter().flatten().flatten();
    let lists = [looks.3, looks.4, looks.5, looks.6].into_iter().flatten().flatten();
    single.chain(lists).filter(|check| check.result == Answer::Fails).collect()
}

/// Who the credentials are of, and whether this machine's clock is right: a request that is signed more than
/// five minutes off is refused (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html).
async fn identity(session: &Session, found_by: &str) -> (Check, Check) {
    const OFF: i64 = 240;
    let answer = whoami(&session.context.aws).await;
    let who = match &answer {
        Ok(caller) => Check::ok("identity", format!("{}, by {found_by}", caller.arn)),
        Err(error) => Check::unread("identity", error),
    };
    let now = DateTime::from(SystemTime::now()).secs();
    let clock = match answer.ok().and_then(|caller| caller.at).map(|theirs| now - theirs) {
        None => {
            Check::unknown("clock", "AWS did not say what time it is", "compare it with https://time.gov")
        }
        // Its own is moved by hand, and no signature is too old for it.
        Some(_) if session.is_sandbox() => Check::ok("clock", "the sandbox takes any"),
        Some(off) if off.abs() > OFF => {
            let message = format!(
                "this machine's clock is {} s {}",
                off.abs(),
                if off > 0 { "ahead" } else { "behind" }
            );
            Check::fails("clock", message, "set it by NTP: AWS refuses what is signed five minutes off")
        }
        Some(_) => Check::ok("clock", "right within a few minutes"),
    };
    (who, clock)
}
