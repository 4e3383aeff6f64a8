//! The order that the edges of a plan make.

use super::{Plan, StepId};

/// For each step, all steps that have ended before it starts: a row of bits, since in a large plan each may
/// wait for all.
pub(super) struct Predecessors(Vec<Vec<u64>>);

impl Predecessors {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut rows: Vec<Vec<u64>> = Vec::with_capacity(plan.steps.len());
        for step in &plan.steps {
            let mut row = vec![0; step.id.div_ceil(64)];
            for after in &step.after {
                row[after / 64] |= 1 << (after % 64);
                row.iter_mut().zip(&rows[*after]).for_each(|(all, more)| *all |= more);
            }
            rows.push(row);
        }
        Self(rows)
    }

    /// Whether `earlier` has ended when `later` starts.
    pub(super) fn holds(&self, earlier: StepId, later: StepId) -> bool {
        self.0[later].get(earlier / 64).is_some_and(|bits| bits >> (earlier % 64) & 1 == 1)
    }
}
