//! Conditions on where a call comes from and by what session: facts about the caller's circumstances, not
//! about what is acted upon.

use crate::policy::Condition;

const MFA: &[&str] = &["aws:multifactorauthpresent", "aws:multifactorauthage"];

/// Where a call comes from, and by what session.
pub(crate) const PLACE: &[&str] = &[
    "aws:sourceip",
    "aws:vpcsourceip",
    "aws:sourcevpc",
    "aws:sourcevpcarn",
    "aws:sourcevpce",
    "aws:vpceaccount",
    "aws:vpceorgid",
    "aws:vpceorgpaths",
    "aws:ec2instancesourcevpc",
    "aws:ec2instancesourceprivateipv4",
    "ec2:sourceinstancearn",
    "ec2:roledelivery",
    "lambda:sourcefunctionarn",
    "aws:sourceidentity",
    "aws:federatedprovider",
    "aws:tokenissuetime",
];

/// Keys that only calls from within a network have.
pub(crate) const NETWORKS: &[&str] =
    &["aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:vpceaccount"];

/// Through which service a call comes.
pub(crate) const WAY: &[&str] =
    &["aws:viaawsservice", "aws:calledvia", "aws:calledviafirst", "aws:calledvialast"];

/// Whether a condition is on one of these keys.
pub(crate) fn is_one_of(keys: &[&str], c: &Condition) -> bool {
    keys.iter().any(|key| c.key.eq_ignore_ascii_case(key))
}

/// Whether a condition is on a fact about the caller's circumstances rather than about what is acted upon:
/// under such a condition the whole grant still stands, at the right moment.
pub fn is_on_circumstance(c: &Condition) -> bool {
    [MFA, PLACE, WAY].iter().any(|keys| is_one_of(keys, c))
}

/// Whether a condition asks for MFA.
pub fn is_on_mfa(c: &Condition) -> bool {
    is_one_of(MFA, c)
}
