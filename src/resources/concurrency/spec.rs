use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::section::NoSection;
use crate::desired::{Draft, Kind, Scaled, Scaling, Seen};
use crate::domain::scale::count;
use crate::domain::usage::counted;
use crate::domain::{
    Action, Diagnostic, Facts, FieldChange, HumanDuration, KeyPath, KindName, Needs, ResourceId, Scope,
    Usage, Verb, action, changes, codes,
};
use crate::limits::{self, Bound};
use crate::resources::schedule::Schedule;

/// The kind.
pub struct Concurrency;

/// As `[function.NAME]` asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub requested: i32,
}

/// AWS returns the whole spec.
pub type State = Spec;

impl Concurrency {
    /// The alias that it sits on, and that callers invoke.
    pub const ALIAS: &'static str = "live";

    /// `function:<name>:<alias>`, as Application Auto Scaling writes it.
    pub fn resource_id(function: &str) -> String {
        format!("function:{function}:{}", Self::ALIAS)
    }

    /// The function of a resource id.
    pub fn function(physical: &str) -> &str {
        physical.split(':').nth(1).unwrap_or(physical)
    }

    /// Adds the part on a function of this name, physical name and id, whose table is at `at`.
    pub fn add(
        requested: i32,
        name: &str,
        physical: &str,
        function: ResourceId,
        at: &KeyPath,
        draft: &mut Draft<'_>,
    ) {
        let (resource, spec) = (Self::resource_id(physical), Spec { requested });
        let grants = vec![Schedule::grant(
            &[action::lambda::DeleteProvisionedConcurrencyConfig],
            draft.scope.arn("lambda", &resource),
        )];
        let input = json!({ "FunctionName": physical, "Qualifier": Self::ALIAS });
        let call = ("lambda", "deleteProvisionedConcurrencyConfig");
        let ends = Schedule::ends(draft, &Self::id(name), call, input, grants);
        let needs = [function].into_iter().chain(ends);
        draft.add::<Self>(name, resource, spec, needs, at.join(KEY));
    }

    /// Reports what is wrong with the key of the function whose table is at `at`.
    pub fn lint(requested: i32, at: &KeyPath, draft: &mut Draft<'_>) {
        let (text, help) = match requested {
            ..1 => return, // refused by the model
            n if n > USUAL_ACCOUNT => (
                format!(
                    "{n} is more than an account with the usual limit of 1,000 allows: 100 stay unreserved"
                ),
                "ask for a higher limit of concurrent executions first",
            ),
            n => (
                format!("`{KEY} = {n}` fails in an account whose limit of concurrent executions is still 10"),
                "`aws lambda get-account-settings` shows it; what is provisioned is on the alias `live`, \
                 never on $LATEST, so callers must invoke the alias",
            ),
        };
        draft.warn(codes::SMALL_ACCOUNT, at.join(KEY), text, help);
    }
}

/// The key of the function.
const KEY: &str = "provisioned_concurrency";
/// The most that an account with the usual limit of 1,000 can provision: 100 stay unreserved.
const USUAL_ACCOUNT: i32 = 900;
const BOUND: &[Bound] =
    &[Bound::value(KEY, "lambda:PutProvisionedConcurrencyConfig.ProvisionedConcurrentExecutions")];

impl Kind for Concurrency {
    const NAME: KindName = KindName::Concurrency;
    const PART_OF: Option<KindName> = Some(KindName::Function);
    const SCALED: bool = true;
    const USUAL_IS_AWSS: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

    fn part_on(whole: &str) -> Option<String> {
        Some(Self::resource_id(whole))
    }

    fn whole_of(physical: &str) -> Option<&str> {
        Some(Self::function(physical))
    }

    fn scaled(scaling: &Scaling<'_, Self>) -> Option<Result<Scaled<Spec>, Diagnostic>> {
        let Scaling { whole, want, to, .. } = scaling;
        if to.is_of_instances() && !to.is_of_environments() {
            return None;
        }
        let requested = match to.provisioned_concurrency {
            Some(given) => count(given),
            None => want.as_ref()?.requested,
        };
        let sent = json!({ KEY: requested });
        if let Some(problem) = limits::check(BOUND, &sent, &KeyPath::default()).into_iter().next() {
            let help =
                "for none, write `provisioned_concurrency = 0` into the config and deploy with --prune";
            return Some(Err(Diagnostic { at: KeyPath::default(), help: help.into(), ..problem }));
        }
        let (physical, kept) = (Self::resource_id(&whole.physical), Vec::new());
        Some(Ok(Scaled { physical, spec: Spec { requested }, kept }))
    }

    fn bound() -> &'static [Bound] {
        BOUND
    }

    fn items() -> Vec<&'static str> {
        vec!["function", "*"]
    }

    /// `0` asks for none.
    fn is_item(written: &Value) -> bool {
        written[KEY] != 0
    }

    fn wanted(want: &Spec) -> State {
        want.clone()
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        changes().field(KEY, seen.requested, want.requested, Needs::Update).done()
    }

    fn summary(want: &Spec) -> String {
        format!("{} initialized environments", want.requested)
    }

    fn usual(verb: Verb) -> Option<HumanDuration> {
        (verb != Verb::Delete).then_some(HumanDuration::minutes(2))
    }

    fn facts(seen: &State) -> Facts {
        Facts { warm: Some(seen.requested), ..Facts::default() }
    }

    fn usage(want: &Spec) -> Usage {
        Usage { environments: Some(counted(want.requested)), ..Usage::default() }
    }

    fn used(Seen { state, .. }: &Seen<State>) -> Usage {
        Self::usage(state)
    }

    fn arns(scope: &Scope, physical: &str) -> Vec<String> {
        vec![scope.arn("lambda", physical)]
    }

    fn calls() -> &'static [Action] {
        &[
            action::lambda::GetAccountSettings,
            action::lambda::GetAlias,
            action::lambda::GetProvisionedConcurrencyConfig,
            action::lambda::PutProvisionedConcurrencyConfig,
            action::lambda::DeleteProvisionedConcurrencyConfig,
        ]
    }
}
