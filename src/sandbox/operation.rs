//! One row of a service's table.

use futures_util::future::BoxFuture;
use serde_json::Value;

use super::call::Call;
use super::constraint::Constraint;
use super::fault::Fault;

/// One row of a service's table: the operation's name, its constraints, its function.
#[derive(Debug)]
pub struct Operation<T: 'static = Value> {
    pub name: &'static str,
    pub rules: &'static [Constraint],
    pub run: Run<T>,
}

/// How an operation is carried out.
#[derive(Debug)]
pub enum Run<T: 'static> {
    Now(fn(&Call) -> Result<T, Fault>),
    Later(fn(Call) -> BoxFuture<'static, Result<T, Fault>>),
}

/// A row whose function answers at once.
pub const fn op<T>(
    name: &'static str,
    rules: &'static [Constraint],
    run: fn(&Call) -> Result<T, Fault>,
) -> Operation<T> {
    Operation { name, rules, run: Run::Now(run) }
}

/// A row whose function waits for something: `op_async("Invoke", RULES, |call| Box::pin(invoke(call)))`.
pub const fn op_async<T>(
    name: &'static str,
    rules: &'static [Constraint],
    run: fn(Call) -> BoxFuture<'static, Result<T, Fault>>,
) -> Operation<T> {
    Operation { name, rules, run: Run::Later(run) }
}
