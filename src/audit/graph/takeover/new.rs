//! A principal of the caller's own making: a role or user with rights and credentials of its choice, or a
//! group.

use super::bounded::Making;
use super::writer::Writer;
use super::{Finder, Takeover, patterns};
use crate::audit::node::may_on;
use opsctl_iam::arn::Arn;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

impl Finder<'_> {
    /// A role or user of the caller's own making, with rights and credentials of its choice.
    pub(super) fn make_new(&self, writer: &Writer) -> Option<Takeover> {
        let effective = &*writer.effective;
        let made = |calls: Vec<String>, last: String| {
            let calls = calls.into_iter().chain([last]).collect();
            Some(Takeover { calls, becomes_admin: true, of: String::new(), depends: false, by: None })
        };
        let role =
            Making { kind: "Role", rights: &["iam:PutRolePolicy", "iam:AttachRolePolicy"], other: None };
        if let Some((_, calls)) = self.to_make(effective, &role, |_| Some(())) {
            return made(calls, "sts:AssumeRole".into());
        }
        let joined = writer.group.as_ref().filter(|joined| !joined.is_unknown).map(|joined| {
            let join = format!("iam:AddUserToGroup of it to {}", joined.group);
            joined.first.iter().cloned().chain([join]).collect::<Vec<_>>().join(", then ")
        });
        let user = ["iam:PutUserPolicy", "iam:AttachUserPolicy"];
        let user = Making { kind: "User", rights: &user, other: joined };
        let keys = ["iam:CreateAccessKey", "iam:CreateLoginProfile"];
        let key_of = |arn: &str| keys.into_iter().find(|key| may_on(effective, key, arn));
        let (key, calls) = self.to_make(effective, &user, key_of)?;
        made(calls, format!("{key} on it"))
    }

    /// Names that a new principal may have, one for each pattern of the statements, so that all actions may
    /// be asked of them.
    pub(super) fn names(
        &self,
        effective: &Effective,
        create: &str,
        rights: &[&'static str],
        kind: &str,
    ) -> Vec<String> {
        let account = self.engine.account;
        let actions: Vec<&str> = std::iter::once(create).chain(rights.iter().copied()).collect();
        let x = |resource: &str| resource.replace(['*', '?'], "x");
        let here = |pattern: String| named_here(&pattern, account.partition(), &account.id, x);
        let mut names: Vec<String> = names_written(effective, &actions, kind).into_iter().map(here).collect();
        // Any others, where a statement is about all but some.
        names.extend(["x", "q7-new"].map(|name| account.iam_arn(&format!("{kind}/{name}"))));
        // The names that leave the least open fit the most patterns.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        // What only AWS makes.
        names.retain(|arn| !is_of_aws(arn));
        names
    }

    /// The ARN of a group that can be made, given any rights, and joined.
    pub(super) fn group_to_make(&self, effective: &Effective) -> Option<String> {
        let allowed = |action: &str, on: &str| effective.decide(action, on) == Decision::Allowed;
        effective.naming("iam:CreateGroup").next()?;
        let rights = ["iam:PutGroupPolicy", "iam:AttachGroupPolicy"];
        let names = self.names(effective, "iam:CreateGroup", &rights, "group");
        let filled = |arn: &String| rights.iter().any(|right| may_on(effective, right, arn));
        let made = |arn: &String| allowed("iam:CreateGroup", arn) && allowed("iam:AddUserToGroup", arn);
        names.into_iter().filter(filled).find(made)
    }
}

/// Whether AWS alone makes roles below this path.
pub(in crate::audit::graph) fn is_of_aws(arn: &str) -> bool {
    arn.contains(":role/aws-reserved/") || arn.contains(":role/aws-service-role/")
}

/// The patterns of names of a kind that the statements about some calls write, and what each two of them have
/// in common: one may be made by one pattern, and given rights by another.
pub(in crate::audit::graph) fn names_written(
    effective: &Effective,
    actions: &[&str],
    kind: &str,
) -> Vec<String> {
    let place = format!(":{kind}/");
    let mut written: Vec<&str> = actions.iter().flat_map(|a| patterns(effective, a)).collect();
    // What a Deny spares.
    written.extend(actions.iter().flat_map(|a| spared(effective, a)));
    let named: Vec<&str> = written.iter().copied().filter(|p| p.contains(&place)).collect();
    let mut names: Vec<String> = named.iter().map(|&p| p.to_owned()).collect();
    if named.len() <= MOST_PATTERNS {
        let pairs =
            named.iter().enumerate().flat_map(|(n, one)| named[..n].iter().map(move |two| (one, two)));
        names.extend(pairs.filter_map(|(one, two)| joined(one, two)));
    }
    names
}

/// So many patterns of names are compared with each other.
const MOST_PATTERNS: usize = 24;

/// A pattern of what two patterns match that overlap: the longer beginning, and the longer end.
pub(in crate::audit::graph) fn joined(one: &str, two: &str) -> Option<String> {
    let longer = |a: &'_ str, b: &'_ str| if a.len() >= b.len() { a.to_owned() } else { b.to_owned() };
    let end = |p: &str| p.rsplit(['*', '?']).next().unwrap_or_default().to_owned();
    if !pattern::is_wild(one) || !pattern::is_wild(two) || !pattern::meet(one, two) {
        return None;
    }
    let start = longer(pattern::literal_prefix(one), pattern::literal_prefix(two));
    let both = format!("{start}*{}", longer(&end(one), &end(two)));
    [one, two].iter().all(|p| pattern::includes(p, &both)).then_some(both)
}

/// The resource patterns that the statements which deny an action spare.
fn spared<'e>(effective: &'e Effective, action: &str) -> impl Iterator<Item = &'e str> + use<'e> {
    let limits: &[Grant] = match &effective.ceiling {
        Ceiling::Known { grants, .. } => grants,
        _ => &[],
    };
    let action = action.to_owned();
    let denies =
        effective.denies.iter().map(|s| &s.grant).chain(limits.iter().filter(|g| !g.statement.allow));
    denies.filter(move |grant| grant.names(&action)).flat_map(|grant| match &grant.statement.resources {
        Some(Selector::Except(patterns)) => patterns.iter().map(String::as_str).collect::<Vec<_>>(),
        _ => Vec::new(),
    })
}

/// One ARN of this account that a pattern of principals matches; what its wildcards stand for is `filled`.
pub(in crate::audit::graph) fn named_here(
    pattern: &str,
    partition: &str,
    account: &str,
    filled: impl Fn(&str) -> String,
) -> String {
    match Arn::pattern(pattern).filter(|arn| arn.service == "iam" && arn.region.is_empty()) {
        Some(arn) => {
            let own = |field, own| if pattern::is_wild(field) { own } else { field };
            let resource = &filled(arn.resource);
            let (partition, account) = (own(arn.partition, partition), own(arn.account, account));
            Arn { partition, account, resource, ..arn }.to_string()
        }
        None => filled(pattern),
    }
}
