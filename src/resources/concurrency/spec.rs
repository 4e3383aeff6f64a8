use serde::{Deserialize, Serialize};

use crate::config::section::NoSection;
use crate::desired::{Kind, Scaled, Scaling, Seen};
use crate::domain::scale::count;
use crate::domain::{Diagnostic, FieldChange, Human, KeyPath, KindName, Needs, Verb, changes, codes};
use crate::resources::function::Function;

pub struct Concurrency;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    pub requested: i32,
}

/// AWS shows all of it.
pub type State = Spec;

impl Concurrency {
    /// `function:<name>:<alias>`, as Application Auto Scaling writes it.
    pub fn resource_id(function: &str) -> String {
        format!("function:{function}:{}", Function::ALIAS)
    }

    /// The function of a resource id.
    pub fn function(physical: &str) -> &str {
        physical.split(':').nth(1).unwrap_or(physical)
    }
}

impl Kind for Concurrency {
    const NAME: KindName = KindName::Concurrency;
    const PART_OF: Option<KindName> = Some(KindName::Function);
    const SCALED: bool = true;
    type Section = NoSection;
    type Spec = Spec;
    type State = State;

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
        if requested < 1 {
            let text = "provisioned concurrency is at least 1";
            let help = "for none, remove `provisioned_concurrency` from the config and deploy with --prune";
            return Some(Err(Diagnostic::error(codes::BAD_VALUE, KeyPath::default(), text, help)));
        }
        let (physical, kept) = (Self::resource_id(&whole.physical), Vec::new());
        Some(Ok(Scaled { physical, spec: Spec { requested }, kept }))
    }

    fn wanted(want: &Spec) -> State {
        want.clone()
    }

    fn diff(want: &Spec, Seen { state: seen, .. }: &Seen<State>) -> Vec<FieldChange> {
        changes().field("provisioned_concurrency", seen.requested, want.requested, Needs::Update).done()
    }

    fn summary(want: &Spec) -> String {
        format!("{} initialized environments", want.requested)
    }

    fn usual(verb: Verb) -> Option<Human> {
        (verb != Verb::Delete).then_some(Human::minutes(2))
    }

    fn iam_actions() -> &'static [&'static str] {
        &[
            "lambda:GetAlias",
            "lambda:GetProvisionedConcurrencyConfig",
            "lambda:PutProvisionedConcurrencyConfig",
            "lambda:DeleteProvisionedConcurrencyConfig",
        ]
    }
}
