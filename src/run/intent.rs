//! The intent of a run: which resources, and in which mode.

use super::Session;
use crate::desired::{Desired, Node, did_you_mean};
use crate::domain::{Diagnostic, KindName, Scale};
use crate::plan::Mode;

/// What is planned: which nodes, and in which mode.
#[derive(Debug)]
pub struct Intent {
    pub mode: Mode,
    pub desired: Desired,
    /// Whether what is ours but not in `desired` counts: only when all of it is looked at.
    pub whole: bool,
}

/// A name that the config does not have.
#[derive(Debug)]
pub enum UnknownName {
    /// Nothing of these kinds has this name; which were meant, or exist.
    Name { name: String, help: String },
    /// There is nothing of these kinds.
    Kind,
}

impl Intent {
    /// Creates or updates everything in the config.
    pub fn deploy(session: &Session, prune: bool, adopt: bool) -> Self {
        Self { mode: Mode::Deploy { prune, adopt }, desired: session.desired.clone(), whole: true }
    }

    /// Deletes everything of this project and environment.
    pub fn destroy(session: &Session, adopted: bool) -> Self {
        Self { mode: Mode::Destroy { adopted }, desired: session.desired.clone(), whole: true }
    }

    /// Gives autoscaling and provisioned concurrency of deployed resources these numbers: all of them, or
    /// those of these names.
    ///
    /// # Errors
    /// An unknown name, numbers that cannot be, or nothing to scale.
    pub fn scale(session: &Session, names: &[String], to: Scale) -> Result<Self, Diagnostic> {
        let desired = session.desired.to_scale(&session.kinds, names, &to)?;
        Ok(Self { mode: Mode::Scale(to), desired, whole: false })
    }

    /// Creates or updates the resources of these kinds and, where some are given, of these names, with
    /// everything they need.
    ///
    /// # Errors
    /// A name, or all, may be missing in the config.
    pub fn subset(session: &Session, kinds: &[KindName], names: &[String]) -> Result<Self, UnknownName> {
        let of_kinds = || session.desired.nodes.iter().filter(|node| kinds.contains(&node.id.kind));
        if let Some(name) = names.iter().find(|name| !of_kinds().any(|node| node.is_named(name))) {
            let known: Vec<&Node> = of_kinds().collect();
            return Err(UnknownName::Name { name: name.clone(), help: did_you_mean(name, &known) });
        }
        let named = |node: &Node| names.is_empty() || names.iter().any(|name| node.is_named(name));
        let chosen = |node: &Node| kinds.contains(&node.id.kind) && named(node);
        let desired = session.desired.only(chosen, true);
        if desired.nodes.is_empty() {
            return Err(UnknownName::Kind);
        }
        Ok(Self { mode: Mode::Deploy { prune: false, adopt: false }, desired, whole: false })
    }
}
