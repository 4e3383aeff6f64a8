//! References in values: `${bucket}`, `${endpoint.NAME}`. The environment of a function may have them, and
//! the resources of `permissions` the first; all other values go to AWS as they are written, and what looks
//! like a reference there is a mistake.

use crate::desired::Draft;
use crate::domain::{KeyPath, codes};

/// A piece of a value.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'v> {
    Text(&'v str),
    /// `$${`, which is meant as the text `${`.
    Escaped,
    /// What is between `${` and `}`.
    Reference(&'v str),
    /// What follows on a `${` without an end.
    Open(&'v str),
}

/// The pieces of a value, in their order.
pub fn pieces(value: &str) -> Vec<Piece<'_>> {
    let (mut pieces, mut rest) = (Vec::new(), value);
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            pieces.extend([Piece::Text(before), Piece::Escaped]);
            rest = after;
            continue;
        }
        pieces.push(Piece::Text(before));
        let Some((reference, after)) = after.split_once('}') else {
            pieces.push(Piece::Open(after));
            return pieces;
        };
        pieces.push(Piece::Reference(reference));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// What a reference in the environment of a function begins with, or what could be taken for one. Everything
/// else after `${` is a program's own.
const BEGINNINGS: [&str; 7] =
    ["bucket.", "data.", "endpoint.", "function.", "model.", "notebook.", "training."];

/// Reports values that have a reference, which nobody would fill in. `$${` begins none here either: both
/// signs are sent.
pub fn refuse_references<'v>(
    values: impl IntoIterator<Item = (&'v String, impl AsRef<str>)>,
    at: &KeyPath,
    draft: &mut Draft<'_>,
) {
    let is_reference = |piece: &Piece<'_>| match piece {
        Piece::Reference(text) | Piece::Open(text) => {
            *text == "bucket" || BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        }
        Piece::Text(_) | Piece::Escaped => false,
    };
    for (name, value) in values {
        if pieces(value.as_ref()).iter().any(is_reference) {
            // The value may be the user's secret.
            let text = "the value has a reference, and only the environment of a function may have any";
            let help = "write the name itself; `name = \"…\"` fixes that of a bucket or an endpoint";
            draft.error(codes::UNKNOWN_REFERENCE, at.join(name), text, help);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    #[test]
    fn values_are_taken_apart() {
        let found = pieces("a${bucket}$${bucket}${endpoint.x");
        let expected = [
            Piece::Text("a"),
            Piece::Reference("bucket"),
            Piece::Text(""),
            Piece::Escaped,
            Piece::Text("bucket}"),
            Piece::Open("endpoint.x"),
        ];
        assert_eq!(found, expected);
    }
}
