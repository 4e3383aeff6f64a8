//! What a change of tags gives: by the tags of who asks where a trust policy asks for them, and by those of
//! what is acted upon.

use std::collections::HashMap;

use super::{meets, statement};
use crate::audit::account::{Account, Role, Tag};
use crate::audit::evaluate::Engine;
use crate::audit::explain;
use opsctl_iam::condition::{self, Asked, ConditionResult, Tags};
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Effective;
use opsctl_iam::grant::{Grant, Sourced};
use opsctl_iam::policy::Condition;

/// Lines by the ARN of who gains.
type Lines = HashMap<String, Vec<String>>;

/// Somebody who was there, with other tags.
struct Retagged {
    arn: String,
    was: Vec<(String, String)>,
    is: Vec<(String, String)>,
}

/// What principals that were there may do to others since one of them carries other tags.
pub(super) fn gains(old: &Engine<'_>, new: &Engine<'_>) -> Lines {
    let mut lines = Lines::new();
    let retagged = retagged(old.account, new.account);
    if retagged.is_empty() {
        return lines;
    }
    entering(old, new, &retagged, &mut lines);
    let roles = new.account.roles.iter().map(|role| (&role.arn, new.role(role)));
    for (arn, effective) in roles.filter(|(arn, _)| old.account.roles.iter().any(|was| was.arn == **arn)) {
        acting(arn, &effective, &retagged, &mut lines);
    }
    for user in &new.account.users {
        if old.account.users.iter().any(|was| was.arn == user.arn) {
            acting(&user.arn, &new.user(user), &retagged, &mut lines);
        }
    }
    lines
}

fn retagged(old: &Account, new: &Account) -> Vec<Retagged> {
    fn all(account: &Account) -> impl Iterator<Item = (&String, &Vec<Tag>)> {
        let roles = account.roles.iter().map(|role| (&role.arn, &role.tags));
        roles.chain(account.users.iter().map(|user| (&user.arn, &user.tags)))
    }
    let pairs = |tags: &[Tag]| {
        let mut pairs: Vec<_> = tags.iter().map(|tag| (tag.key.clone(), tag.value.clone())).collect();
        pairs.sort();
        pairs
    };
    let known: HashMap<&String, &Vec<Tag>> = all(old).collect();
    let both = all(new).filter_map(|(arn, is)| Some((arn, *known.get(arn)?, is)));
    let both = both.map(|(arn, was, is)| Retagged { arn: arn.clone(), was: pairs(was), is: pairs(is) });
    both.filter(|one| one.was != one.is).collect()
}

/// Roles that somebody may become by tags.
fn entering(old: &Engine<'_>, new: &Engine<'_>, retagged: &[Retagged], lines: &mut Lines) {
    let by_tags = |c: &Condition| {
        let mut texts = std::iter::once(&c.key).chain(&c.values);
        texts.any(|text| text.to_ascii_lowercase().contains("tag/"))
    };
    let asks = |role: &&Role| role.trust.statements().iter().any(|s| s.conditions.iter().any(by_tags));
    for role in new.account.roles.iter().filter(asks) {
        let Some(was) = old.account.roles.iter().find(|was| was.arn == role.arn) else { continue };
        let is_other = retagged.iter().any(|one| one.arn == role.arn);
        let roles = new.account.roles.iter().map(|role| &role.arn);
        let all = roles.chain(new.account.users.iter().map(|user| &user.arn));
        for arn in all.filter(|arn| is_other || retagged.iter().any(|one| one.arn == **arn)) {
            let decide = |engine: &Engine<'_>, role: &Role| explain::becomes(engine, role, arn).map(rank);
            let Some((before, after)) = decide(old, was).zip(decide(new, role)) else { continue };
            if after > before {
                let line = format!("may become {} by tags that its trust policy asks for", role.name);
                lines.entry(arn.clone()).or_default().push(line);
            }
        }
    }
}

/// The better, the higher; what is no yes is all the same.
fn rank(decision: Decision) -> u8 {
    match decision {
        Decision::Allowed => 2,
        Decision::Conditional => 1,
        _ => 0,
    }
}

/// What somebody may do to those who carry other tags.
fn acting(arn: &str, effective: &Effective, retagged: &[Retagged], lines: &mut Lines) {
    let on_tags = |grant: &Grant| {
        let is_on_tags = |c: &Condition| c.key.to_ascii_lowercase().contains("resourcetag/");
        grant.statement.conditions.iter().any(is_on_tags) && acts_on_principals(grant)
    };
    let mut told = |s: &Sourced, whom: &str, how: &str| {
        let line = format!("{how} on {whom}, by its tags: {}", statement(s));
        lines.entry(arn.to_owned()).or_default().push(line);
    };
    let reads = |grant: &Grant, tags: &[(String, String)]| {
        let asked = Asked { tags: Tags::Told(tags), ..Asked::default() };
        condition::read(&grant.statement, asked) != ConditionResult::Never
    };
    for one in retagged {
        let about = |s: &&Sourced| on_tags(&s.grant) && s.grant.reaches(&one.arn);
        for s in effective.allows.iter().filter(about) {
            if !reads(&s.grant, &one.was) && reads(&s.grant, &one.is) {
                told(s, &one.arn, "holds now");
            }
        }
        for s in effective.denies.iter().filter(about) {
            let hits = |allow: &Sourced| allow.grant.reaches(&one.arn) && meets(&allow.grant, &s.grant);
            let is_gone = reads(&s.grant, &one.was) && !reads(&s.grant, &one.is);
            if is_gone && effective.allows.iter().any(hits) {
                told(s, &one.arn, "no longer holds");
            }
        }
    }
}

fn acts_on_principals(grant: &Grant) -> bool {
    let catalogue = opsctl_iam::catalogue::Catalogue::embedded();
    let mut actions = ["iam", "sts"].into_iter().filter_map(|service| catalogue.service(service)).flatten();
    actions.any(|id| grant.actions.contains(id))
}
