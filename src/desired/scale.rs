//! `opsctl scale`: the parts of deployed resources, with other numbers.

use std::collections::BTreeSet;

use super::{AnyKind, Desired, Node, did_you_mean};
use crate::domain::{Diagnostic, KeyPath, Scale, codes};

impl Desired {
    /// What is to be scaled, with the wholes that it is on: all, or that of these names. What the config does
    /// not scale is among it where the numbers say enough.
    ///
    /// # Errors
    /// An unknown name, numbers that cannot be, or nothing to scale.
    pub fn to_scale(
        &self,
        kinds: &[Box<dyn AnyKind>],
        names: &[String],
        to: &Scale,
    ) -> Result<Self, Diagnostic> {
        let error =
            |code, message: String, help: &str| Diagnostic::error(code, KeyPath::default(), message, help);
        let scaled = || kinds.iter().filter(|kind| kind.is_scaled());
        let wholes = || self.nodes.iter().filter(|node| scaled().any(|k| k.part_of() == Some(node.id.kind)));
        if let Some(name) = names.iter().find(|name| !wholes().any(|node| node.is_named(name))) {
            let kinds: Vec<_> = scaled().filter_map(|k| k.part_of()).map(|kind| kind.words()).collect();
            let message = format!("there is no {} `{name}`", kinds.join(" or "));
            let known: Vec<&Node> = wholes().collect();
            return Err(error(codes::UNKNOWN_NAME, message, &did_you_mean(name, &known)));
        }
        let named = |node: &&Node| names.is_empty() || names.iter().any(|name| node.is_named(name));
        let (mut nodes, mut origin) = (Vec::new(), self.origin.clone());
        for kind in scaled() {
            for whole in wholes().filter(|node| kind.part_of() == Some(node.id.kind)).filter(named) {
                let part =
                    self.nodes.iter().find(|n| n.id.kind == kind.name() && n.needs.contains(&whole.id));
                let Some(scaled) = kind.scaled(whole, part, None, to) else { continue };
                let node = match part {
                    Some(part) => part.clone(),
                    None => scaled?.0,
                };
                if let Some(at) = self.origin.get(&whole.id) {
                    origin.entry(node.id.clone()).or_insert_with(|| at.clone());
                }
                let needs = BTreeSet::from([whole.id.clone()]);
                nodes.push(Node { needs: BTreeSet::new(), ..whole.clone() });
                nodes.push(Node { needs, ..node });
            }
        }
        if nodes.is_empty() {
            let help = match lacking(kinds, wholes().filter(named), to) {
                Some(numbers) => format!("give {numbers} too, or add [endpoint.NAME.autoscaling]"),
                None => {
                    "add [endpoint.NAME.autoscaling] or [function.NAME], or give --min, --max and --target"
                        .to_owned()
                }
            };
            let message = match names {
                [] => "nothing is scaled in the config".to_owned(),
                names => format!("nothing named {} is scaled in the config", names.join(" or ")),
            };
            return Err(error(codes::UNKNOWN_NAME, message, &help));
        }
        Ok(Self::new(self.scope.clone(), nodes, origin))
    }
}

/// The numbers that are not given, where all of them would scale what the config does not.
fn lacking<'n>(
    kinds: &[Box<dyn AnyKind>],
    wholes: impl Iterator<Item = &'n Node>,
    to: &Scale,
) -> Option<String> {
    let all = Scale { min: Some(1), max: Some(1), target: Some(1.0), ..*to };
    let takes = |kind: &dyn AnyKind, whole: &Node| {
        kind.part_of() == Some(whole.id.kind) && kind.scaled(whole, None, None, &all).is_some()
    };
    let mut wholes = wholes.filter(|_| to.is_of_instances());
    wholes.find(|whole| kinds.iter().any(|kind| kind.is_scaled() && takes(&**kind, whole)))?;
    let given = [to.min.is_some(), to.max.is_some(), to.target.is_some()];
    let options = ["--min", "--max", "--target"].into_iter().zip(given);
    let lacking: Vec<&str> = options.filter(|(_, given)| !given).map(|(option, _)| option).collect();
    Some(lacking.join(" and "))
}
