//! What is not ours and may be used all the same.

use crate::desired::{AnyKind, AnySeen, Node};
use crate::domain::{FieldChange, Owner};

/// Whether what is not ours may be used by this project; else what to say, and what to do about it. Only
/// kinds into which ours can be put beside what is there are adopted. Anything else is taken over if it is
/// already as the config says, and never overwritten.
pub(super) fn may_adopt(
    kind: &dyn AnyKind,
    node: &Node,
    seen: &AnySeen,
    changes: &[FieldChange],
    adopt: bool,
) -> Result<(), (String, &'static str)> {
    let what = format!("{} `{}`", node.id.kind.words(), node.physical);
    let owner = seen.owner();
    if let Owner::Other(other) = owner {
        let help = "rename yours; what another project or environment of opsctl has is never taken from it";
        return Err((format!("{what} exists and belongs to {other}"), help));
    }
    let taken = if *owner == Owner::Nobody { node.spec.taken(seen) } else { Vec::new() };
    if !taken.is_empty() {
        let text = format!(
            "{what} has no tags of this project, and what opsctl would put into it is there with other content: {}",
            taken.join(", ")
        );
        return Err((text, "rename or delete that; opsctl would overwrite it, and `destroy` remove it"));
    }
    let possible = kind.adoptable() || changes.is_empty();
    if adopt && possible {
        return Ok(());
    }
    if adopt {
        let differs = changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = format!(
            "{what} is not this project's, and taking it over would overwrite what is there: {differs}"
        );
        return Err((text, "delete it yourself, or rename yours"));
    }
    let help = if possible {
        "rename yours, or take it over with `opsctl deploy --adopt`"
    } else {
        "rename yours, or delete it yourself; it differs from yours, so it cannot be taken over"
    };
    if let Owner::Partly { said: tags, .. } = owner {
        let help =
            if possible { "put its tags back with `opsctl deploy --adopt`, or rename yours" } else { help };
        return Err((format!("{what} has lost tags of opsctl's: those that it has say {tags}"), help));
    }
    if kind.owned_with().is_some() {
        let text = format!("{what} is there already, and this project has not made it");
        return Err((text, if possible { help } else { "rename yours, or delete it yourself" }));
    }
    Err((format!("{what} exists and has no tags of this project"), help))
}
