//! What planning costs grows with the number of resources, and no faster: counted in memory asked for, never
//! in time.

use opsctl::plan::{self, Observed};
use opsctl::resources::kinds;

use super::world::{Account, DEPLOY, DESTROY, Files};
use crate::memory::asked;

/// Bytes that are asked for from the config to the checked plans of a first deploy and of a destroy.
fn cost(more: usize) -> u64 {
    let mut files = Files::new();
    files.append(&(0..more).map(endpoint).collect::<String>());
    let before = asked();
    let want = files.desired();
    let kinds = kinds();
    let plan = plan::build(&want, &Observed::default(), &kinds, DEPLOY).unwrap();
    assert_eq!(plan::check::check(&plan, &want, &Observed::default(), &kinds, DEPLOY), [] as [&str; 0]);
    let have = Account::all_there(&want);
    let plan = plan::build(&want, &have, &kinds, DESTROY).unwrap();
    assert_eq!(plan.steps.len(), want.nodes.len());
    assert_eq!(plan::check::check(&plan, &want, &have, &kinds, DESTROY), [] as [&str; 0]);
    asked() - before
}

/// Ten resources.
fn endpoint(i: usize) -> String {
    format!(
        "\n[endpoint.more-{i}]\nmodel = \"numbers\"\ninstance_type = \"ml.m5.large\"\n\
         [endpoint.more-{i}.autoscaling]\nmin = 1\nmax = 2\ntarget_invocations_per_instance = 600\n\
         [function.more-{i}]\nendpoint = \"more-{i}\"\nprovisioned_concurrency = 1\n"
    )
}

#[test]
fn twice_the_resources_cost_twice_the_memory() {
    let [one, two, four] = [50, 100, 200].map(cost);
    let (first, second) = (two - one, four - two);
    assert!(second < first * 23 / 10, "{first} bytes for 500 resources more, {second} for 1,000");
    assert!(second < 1_000 * 100_000, "{} bytes for a resource", second / 1_000);
}
