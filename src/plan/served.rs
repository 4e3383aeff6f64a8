//! Generations: which serve, and which a new one is compared with.

use std::collections::BTreeSet;

use super::{Observation, Observed};
use crate::desired::{AnySeen, Desired, Node};
use crate::domain::{KindName, Phase, ResourceId};

impl Observed {
    /// What of the project's endpoints answers, and all that it was made of, by kind and exact name: it need
    /// not be what the config asks for now.
    pub fn served(&self, want: &Desired) -> BTreeSet<(KindName, String)> {
        let mut served = BTreeSet::new();
        for node in want.nodes.iter().filter(|node| node.id.kind == KindName::Endpoint) {
            served.extend(self.served_by(node, want));
        }
        served
    }

    /// The same of one endpoint, from its configuration back to the job.
    pub fn served_by(&self, endpoint: &Node, want: &Desired) -> Vec<(KindName, String)> {
        let Some(Observation::Present(seen)) = self.observations.get(&endpoint.id) else { return Vec::new() };
        let (mut found, mut wanted) = (Vec::new(), Some(endpoint));
        let mut next = Some(seen).filter(|seen| seen.owner().is_managed()).and_then(|seen| seen.made_of());
        while let Some((kind, physical)) = next.filter(|of| !found.contains(of)) {
            wanted = wanted.and_then(|node| want.node(node.needs.iter().find(|need| need.kind == kind)?));
            let is_wanted = wanted.filter(|node| node.physical == physical);
            let seen = match is_wanted.and_then(|node| self.observations.get(&node.id)) {
                Some(Observation::Present(seen)) => Some(seen),
                _ => self.generation(kind, &physical, want),
            };
            next = seen.and_then(|seen| seen.made_of());
            found.push((kind, physical));
        }
        found
    }

    /// What was seen under an exact name.
    fn generation(&self, kind: KindName, physical: &str, want: &Desired) -> Option<&AnySeen> {
        let is_it = |node: &&Node| node.id.kind == kind && node.physical == physical;
        let wanted = || match self.observations.get(&want.nodes.iter().find(is_it)?.id) {
            Some(Observation::Present(seen)) => Some(seen),
            _ => None,
        };
        self.seen_leftovers.get(&ResourceId::new(kind, physical)).or_else(wanted)
    }

    /// The one of these earlier generations, the newest first, that a new one is compared with: what serves,
    /// else the newest that is complete, else the newest.
    pub fn previous(
        &self,
        kind: KindName,
        generations: &[String],
        served: &BTreeSet<(KindName, String)>,
    ) -> Option<&AnySeen> {
        let seen = |physical: &String| self.seen_leftovers.get(&ResourceId::new(kind, physical.as_str()));
        let serves = generations.iter().find(|physical| served.contains(&(kind, (*physical).clone())));
        let all = || generations.iter().filter_map(seen);
        serves
            .and_then(seen)
            .or_else(|| all().find(|seen| seen.status().phase == Phase::Ready))
            .or_else(|| all().next())
    }
}
