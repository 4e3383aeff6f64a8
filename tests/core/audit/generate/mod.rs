//! Accounts of any size with the truth known by construction: each archetype says what must be found on its
//! roles and what must not. What it says nothing about is left open. The audit has no part in the truth.
//!
//! One file per family of archetypes.

pub mod crowds;
mod escalation;
mod odd;
mod permissions;
mod trust;
mod use_and_keep;

use std::collections::HashMap;

use serde_json::Value;

use super::world::*;

/// A kind of role, and the truth about it.
pub struct Archetype {
    pub name: &'static str,
    pub must: &'static [&'static str],
    pub must_not: &'static [&'static str],
    make: fn(RoleMaker) -> RoleMaker,
}

const ADMIN: &[&str] = &["IAM103", "IAM104"];
const GRAB: &[&str] = &["IAM103", "IAM104", "IAM201", "IAM202", "IAM203", "IAM205", "IAM208"];

fn mfa(statement: Value) -> Value {
    when(statement, "Bool", "aws:MultiFactorAuthPresent", "true")
}

const S3_BOUNDARY: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

/// Every archetype.
pub fn archetypes() -> impl Iterator<Item = &'static Archetype> + Clone {
    let families = [
        permissions::ARCHETYPES,
        escalation::ARCHETYPES,
        trust::ARCHETYPES,
        use_and_keep::ARCHETYPES,
        odd::ARCHETYPES,
    ];
    families.into_iter().flatten()
}

/// How many there are.
pub fn count() -> usize {
    archetypes().count()
}

/// The truth about an account of `size` generated roles: name and archetype, each archetype in turn.
pub fn truth(size: usize) -> Vec<(String, &'static Archetype)> {
    let archetypes = archetypes().cycle().take(size).enumerate();
    archetypes.map(|(index, archetype)| (format!("{}-{index}", archetype.name), archetype)).collect()
}

/// How many roles [`generate`] adds for the others to aim at.
pub const FIXED: usize = 2;

/// An account of `size` roles besides the fixed ones, and the truth about it.
pub fn generate(size: usize) -> (World, Vec<(String, &'static Archetype)>) {
    let harmless = allow(&["s3:GetObject"], &["arn:aws:s3:::harmless/*"]);
    let mut roles = vec![role("fixed-harmless").trusts(trust_own_account()).can(harmless)];
    // Trusted by Lambda, so that passing it there is a way up; not by the account, so that assuming any role
    // is not.
    roles.push(role("fixed-admin").aws("AdministratorAccess"));
    let truth = truth(size);
    roles.extend(truth.iter().map(|(name, archetype)| (archetype.make)(role(name))));
    let world = odd::policies().into_iter().fold(World::of(roles), World::policy);
    (world.with_aws_documents().with_providers(&trust::PROVIDERS.map(provider)), truth)
}

/// The ARN of an identity provider, by what follows the account.
fn provider(of: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:{of}")
}

/// `name: rule missing` and `name: rule reported` for everything that is not as the truth says.
pub fn errors(audit: &opsctl::audit::Audit, truth: &[(String, &'static Archetype)]) -> Vec<String> {
    let mut found: HashMap<(&str, &str), &opsctl::audit::Finding> = HashMap::new();
    for finding in &audit.findings {
        found.insert((finding.resource.rsplit('/').next().unwrap_or_default(), finding.rule), finding);
    }
    let mut errors = Vec::new();
    for (name, archetype) in truth {
        let missing = archetype.must.iter().filter(|rule| !found.contains_key(&(name.as_str(), **rule)));
        errors.extend(missing.map(|rule| format!("{name}: {rule} missing")));
        let tripped = archetype.must_not.iter().filter_map(|rule| found.get(&(name.as_str(), *rule)));
        errors.extend(tripped.map(|f| format!("{name}: {} reported: {:?}", f.rule, f.evidence)));
    }
    errors
}
