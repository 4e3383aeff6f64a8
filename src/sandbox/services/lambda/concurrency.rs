//! How many invocations may run at once: the account's limit, and how much of it functions reserve.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use super::region::{LambdaRegion, invalid, unqualified};
use crate::call::Call;
use crate::fault::Fault;
use crate::protocol::rest_json::Reply;
use crate::rules::AwsRule;
use crate::services::quotas;

/// What an account has after some use; new ones have less (10 was seen, docs/aws/lambda.md#limits).
const USUAL_LIMIT: u64 = 1_000;
/// AWS keeps this much for functions that reserve nothing; all of it in accounts that have less
/// (docs/aws/lambda.md#concurrency).
const LEAST_UNRESERVED: u64 = 100;

/// What Service Quotas calls that.
const QUOTA: &str = "L-B99A9384";

/// The numbers that decide what may still be taken.
struct Budget {
    limit: u64,
    /// By functions, with `PutFunctionConcurrency`.
    reserved: u64,
    /// By provisioned concurrency of functions that reserve nothing.
    provisioned: u64,
}

impl Budget {
    /// Without what `except` takes.
    fn of(lambda: &LambdaRegion, except: Claimant<'_>) -> Self {
        let limit =
            quotas::applied(&lambda.shared, "lambda", QUOTA).map_or(USUAL_LIMIT, |quota| quota as u64);
        let mut budget = Self { limit, reserved: 0, provisioned: 0 };
        for (name, document) in lambda.functions().list("") {
            match document["Reserved"].as_u64() {
                Some(reserved) if except != Claimant::Reservation(&name) => budget.reserved += reserved,
                Some(_) => {}
                None => budget.provisioned += lambda.provisioned_in_all(&name, except.provisioned_key()),
            }
        }
        budget
    }

    fn unreserved(&self) -> u64 {
        self.limit.saturating_sub(self.reserved)
    }

    /// Whether `more` can be taken from what nobody has reserved.
    fn check(&self, more: u64, what: &str) -> Result<(), Fault> {
        let least = LEAST_UNRESERVED.min(self.limit);
        if more == 0 || self.limit >= self.reserved + self.provisioned + more + least {
            return Ok(());
        }
        Err(invalid(format!(
            "Specified {what} for function decreases account's UnreservedConcurrentExecution below its \
             minimum value of [{least}]."
        )))
    }
}

/// Who takes from the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claimant<'a> {
    None,
    /// A function.
    Reservation(&'a str),
    /// A key of provisioned concurrency.
    Provisioned(&'a str),
}

impl<'a> Claimant<'a> {
    fn provisioned_key(self) -> &'a str {
        match self {
            Self::Provisioned(key) => key,
            Self::None | Self::Reservation(_) => "",
        }
    }
}

/// Whether provisioned concurrency of `count` fits (docs/aws/lambda.md#provisioned-concurrency).
pub(super) fn check_provisioned(
    lambda: &LambdaRegion,
    function: &str,
    key: &str,
    count: u64,
) -> Result<(), Fault> {
    if !lambda.shared.enforces(AwsRule::ProvisionedHeadroom) {
        return Ok(());
    }
    match lambda.function(function)?["Reserved"].as_u64() {
        Some(reserved) if lambda.provisioned_in_all(function, key) + count > reserved => Err(invalid(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution \
             for function",
        )),
        Some(_) => Ok(()),
        None => Budget::of(lambda, Claimant::Provisioned(key)).check(count, "ConcurrentExecutions"),
    }
}

pub(super) fn put_function_concurrency(call: &Call) -> Result<Reply, Fault> {
    let (lambda, function) = (LambdaRegion::of(call), unqualified(call)?);
    lambda.function(&function)?;
    let asked = call.number("ReservedConcurrentExecutions").unwrap_or(0).unsigned_abs();
    let provisioned = lambda.provisioned_in_all(&function, "");
    if asked < provisioned {
        return Err(invalid(format!(
            "ReservedConcurrentExecutions {asked} should not be lower than function's total provisioned \
             concurrency [{provisioned}]."
        )));
    }
    if call.shared.enforces(AwsRule::ReservedHeadroom) {
        let mut budget = Budget::of(&lambda, Claimant::Reservation(&function));
        if lambda.function(&function)?["Reserved"].is_null() {
            // From now on it comes out of the function's own reservation.
            budget.provisioned -= provisioned;
        }
        budget.check(asked, "ReservedConcurrentExecutions")?;
    }
    reserve(&lambda, &function, Value::from(asked))?;
    Ok(Reply::json(200, &json!({"ReservedConcurrentExecutions": asked})))
}

pub(super) fn delete_function_concurrency(call: &Call) -> Result<Reply, Fault> {
    reserve(&LambdaRegion::of(call), &unqualified(call)?, Value::Null)?;
    Ok(Reply::empty())
}

fn reserve(lambda: &LambdaRegion, function: &str, reserved: Value) -> Result<(), Fault> {
    let set = lambda.functions().update(function, |entry| {
        entry.doc["Reserved"] = reserved;
        Ok(())
    })?;
    set.ok_or_else(|| lambda.missing(function, None))
}

pub(super) fn get_function_concurrency(call: &Call) -> Result<Reply, Fault> {
    let document = LambdaRegion::of(call).function(&unqualified(call)?)?;
    Ok(Reply::json(
        200,
        &match document["Reserved"].as_u64() {
            Some(reserved) => json!({"ReservedConcurrentExecutions": reserved}),
            None => json!({}),
        },
    ))
}

/// Unreserved here is without reservations only: provisioned concurrency is not subtracted
/// (docs/aws/lambda.md#limits).
pub(super) fn get_account_settings(call: &Call) -> Result<Reply, Fault> {
    let lambda = LambdaRegion::of(call);
    let budget = Budget::of(&lambda, Claimant::None);
    let (functions, versions) = (lambda.functions().list(""), lambda.versions().list(""));
    let sizes = functions.iter().chain(&versions).map(|(_, document)| &document["Configuration"]["CodeSize"]);
    let total: u64 = sizes.filter_map(Value::as_u64).sum();
    Ok(Reply::json(
        200,
        &json!({
            "AccountLimit": {
                "TotalCodeSize": 322_122_547_200_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": budget.limit,
                "UnreservedConcurrentExecutions": budget.unreserved(),
            },
            "AccountUsage": {"TotalCodeSize": total, "FunctionCount": functions.len()},
        }),
    ))
}

/// Invocations that run now, by region and function, and by the version that serves them.
#[derive(Debug, Default)]
pub(super) struct Running {
    functions: Arc<Counts>,
    versions: Arc<Counts>,
}

type Counts = Mutex<BTreeMap<String, u64>>;

/// An invocation that runs; dropping it releases its slot.
#[derive(Debug)]
pub(super) struct Slot {
    running: Arc<Counts>,
    key: String,
}

fn lock(counts: &Counts) -> MutexGuard<'_, BTreeMap<String, u64>> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Slot {
    /// Takes one more place; also says how many are taken now.
    fn take(running: &Arc<Counts>, counts: &mut BTreeMap<String, u64>, key: String) -> (Self, u64) {
        let count = counts.entry(key.clone()).or_default();
        *count += 1;
        (Self { running: Arc::clone(running), key }, *count)
    }
}

impl Running {
    /// Takes a place for one invocation.
    ///
    /// # Errors
    /// 429 when all are taken (docs/aws/lambda.md#invoking).
    pub fn enter(&self, lambda: &LambdaRegion, function: &str) -> Result<Slot, Fault> {
        let throttled = |reason: &str| {
            Fault::new(429, "TooManyRequestsException", "Rate Exceeded.").with("Reason", reason)
        };
        let reserved = lambda.function(function)?["Reserved"].as_u64();
        let limit = Budget::of(lambda, Claimant::None).unreserved();
        let region = format!("{}/", lambda.region);
        let key = format!("{region}{function}");
        let mut counts = lock(&self.functions);
        if lambda.shared.enforces(AwsRule::ConcurrencyLimit) {
            let all: u64 = counts
                .range(region.clone()..)
                .take_while(|(key, _)| key.starts_with(&region))
                .map(|(_, count)| count)
                .sum();
            match reserved {
                Some(reserved) if counts.get(&key).copied().unwrap_or(0) >= reserved => {
                    return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
                }
                None if all >= limit => return Err(throttled("ConcurrentInvocationLimitExceeded")),
                _ => {}
            }
        }
        Ok(Slot::take(&self.functions, &mut counts, key).0)
    }

    /// Counts one invocation of a version, and says how many run now.
    pub fn occupy(&self, lambda: &LambdaRegion, function: &str, version: &str) -> (Slot, u64) {
        let key = format!("{}/{function}:{version}", lambda.region);
        Slot::take(&self.versions, &mut lock(&self.versions), key)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.running).get_mut(&self.key) {
            *count -= 1;
        }
    }
}
