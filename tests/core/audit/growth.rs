//! What an audit costs grows with the account, and no faster: counted in memory asked for, never in time.

use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::{Settings, Usage, audit};

use super::generate::{self, crowds};
use super::world::{World, now};
use crate::memory::asked;

/// Bytes that are asked for from the account to the report.
fn cost(world: &World) -> u64 {
    let account = world.account();
    let before = asked();
    let result = audit(&account, &Usage::default(), &Settings::at(now()));
    render(&result, Format::Json, Options { location: "opsctl.toml", fail_on: None, paint: plain });
    asked() - before
}

/// Twice as much more costs twice as much more.
fn grows_in_step(costs: [u64; 3], what: &str) {
    let [one, two, four] = costs;
    let (first, second) = (two - one, four - two);
    assert!(second < first * 23 / 10, "{first} bytes for the first {what} more, {second} for twice as many");
}

#[test]
fn twice_the_roles_cost_twice_the_memory() {
    let kinds = generate::count();
    grows_in_step([2, 4, 8].map(|times| cost(&generate::generate(kinds * times).0)), "roles");
}

#[test]
fn whom_somebody_may_rewrite_is_not_asked_of_each_pair() {
    grows_in_step([100, 200, 400].map(|size| cost(&crowds::delegating(size))), "roles that may write");
}

#[test]
fn what_groups_give_is_worked_out_once_for_those_who_may_join_them() {
    let costs = [200, 400, 800].map(|users| cost(&crowds::joining(users, 60)));
    grows_in_step(costs, "users");
    let each = (costs[2] - costs[1]) / 400;
    assert!(each < 60_000, "{each} bytes for a user who may join 60 groups");
}

/// docs/decisions/0095-asked-once-of-a-kind.md
#[test]
fn who_may_tag_each_other_are_asked_once_of_a_kind() {
    grows_in_step([60, 120, 240].map(|size| cost(&crowds::tagging(size))), "roles that may tag");
}
