//! What one that is at work uses ([`crate::desired::Kind::uses`]).

use crate::domain::KindName;

/// The role that one has.
pub fn role(arn: &str) -> (KindName, String) {
    (KindName::Role, arn.to_owned())
}

/// What values that a program reads may name: where its data is, which endpoint it calls.
pub fn in_values<'v>(
    values: impl IntoIterator<Item = &'v String>,
) -> impl Iterator<Item = (KindName, String)> {
    let kinds = [KindName::Bucket, KindName::Data, KindName::Endpoint];
    values.into_iter().flat_map(move |value| kinds.map(|kind| (kind, value.clone())))
}
