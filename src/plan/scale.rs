//! Scaling is the deploy of parts with other numbers: what was not given stays as it was seen, and is named
//! among the reasons.

use std::collections::BTreeMap;

use super::unread::unreadable;
use super::{Mode, Observation, Observed, Plan};
use crate::desired::{AnyKind, Desired, kind_of};
use crate::domain::{Diagnostic, Diagnostics, KeyPath, ResourceId, Scale, codes};

/// The parts as they should be, and what each of them keeps, in words for people.
pub(super) struct Scaled {
    pub(super) want: Desired,
    kept: BTreeMap<ResourceId, String>,
}

impl Scaled {
    /// How the parts are planned.
    pub(super) const MODE: Mode = Mode::Deploy { prune: false, adopt: false };

    /// From parts and wholes as the config says, and as they were seen. What has no place in the problems is
    /// about the numbers.
    pub(super) fn of(
        want: &Desired,
        have: &Observed,
        kinds: &[Box<dyn AnyKind>],
        to: &Scale,
    ) -> Result<Self, Diagnostics> {
        let (mut nodes, mut kept, mut problems) = (Vec::new(), BTreeMap::new(), Diagnostics::default());
        let look = |id: &ResourceId| have.observations.get(id).unwrap_or(&Observation::Absent);
        for node in &want.nodes {
            let kind = kind_of(kinds, node.id.kind);
            if !kind.is_scaled() {
                continue;
            }
            let Some(whole) = node.needs.iter().find_map(|need| want.node(need)) else { continue };
            match look(&whole.id) {
                Observation::Present(seen) if !seen.owner().is_managed() => {
                    let text = format!(
                        "{} `{}` exists and is not this project's by its tags",
                        whole.id.kind.words(),
                        whole.physical
                    );
                    let (at, help) = (KeyPath::default(), "rename yours; `opsctl plan` says more");
                    problems.push(Diagnostic::error(codes::FOREIGN, at, text, help));
                    continue;
                }
                Observation::Present(_) => {}
                Observation::Absent | Observation::Taken(_) => {
                    let text = format!("{} is not deployed yet", whole.id);
                    let (at, help) = (KeyPath::default(), "run `opsctl deploy` first");
                    problems.push(Diagnostic::error(codes::NOT_DEPLOYED, at, text, help));
                    continue;
                }
                Observation::Unreadable(why, code) => {
                    problems.push(unreadable(want, &whole.id, why, *code));
                    continue;
                }
            }
            let seen = match look(&node.id) {
                Observation::Present(seen) => Some(seen),
                // What cannot be read is told when it is planned.
                Observation::Absent | Observation::Taken(_) | Observation::Unreadable(..) => None,
            };
            match kind.scaled(whole, Some(node), seen, to) {
                None => {}
                Some(Err(problem)) => problems.push(problem),
                Some(Ok((mut scaled, keeps))) => {
                    // The whole is not among what is planned.
                    scaled.needs.clear();
                    if !keeps.is_empty() {
                        kept.insert(node.id.clone(), format!("{} (live)", keeps.join(", ")));
                    }
                    nodes.push(scaled);
                }
            }
        }
        if problems.has_errors() {
            return Err(problems);
        }
        Ok(Self { want: want.with(nodes), kept })
    }

    /// Adds what is kept to the reasons of the steps.
    pub(super) fn explain(&self, plan: &mut Plan) {
        for step in &mut plan.steps {
            step.why.extend(self.kept.get(&step.target).cloned());
        }
    }

    /// The plan without these reasons; an error names a step that lacks one.
    pub(super) fn unexplained(&self, plan: &Plan) -> Result<Plan, ResourceId> {
        let mut plan = plan.clone();
        for step in &mut plan.steps {
            if let Some(kept) = self.kept.get(&step.target)
                && step.why.pop().as_ref() != Some(kept)
            {
                return Err(step.target.clone());
            }
        }
        Ok(plan)
    }
}
