//! Whether the calls of a way can be made on one thing: what is created under one name is not started under
//! another.

mod tagged;

use super::account::account_of;
use super::escalate::EscalationPath;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::{AccountRef, Catalogue};
use opsctl_iam::circumstance::is_on_circumstance;
use opsctl_iam::condition;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Grant;
use opsctl_iam::pattern;
use opsctl_iam::policy::{Selector, Statement};
use opsctl_iam::remainder;

/// Calls that must be allowed on one thing of each of these types, as ARNs write them, whatever else they
/// take. What a machine starts without if need be, such as a key pair or a volume, is not here.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html#iam-example-runinstances>,
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>,
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>
const NEEDS: [(&str, &[&str]); 8] = [
    ("ec2:RunInstances", &[":instance/", ":image/", ":network-interface/", ":subnet/"]),
    ("ec2:RequestSpotInstances", &[":spot-instances-request/", ":image/"]),
    ("ec2:ModifyInstanceAttribute", &[":instance/"]),
    ("ec2:CreateReplaceRootVolumeTask", &[":instance/", ":replace-root-volume-task/"]),
    ("ssm:SendCommand", &[":document/"]),
    ("ssm:CreateAssociation", &[":document/"]),
    ("ssm:CreateAssociationBatch", &[":document/"]),
    ("ssm:UpdateAssociation", &[":document/"]),
];

/// What others share is called by the ARN of their account, and what AWS has by one without an account.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-ssm-sharing.html>
const OF_OTHERS: &str = ":document/";

/// A call that runs what others wrote and shared, where it is not confined to documents of the account.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/ssm-using-shared.html>
const SHARED: [&str; 2] = ["ssm:StartAutomationExecution", "ssm:CreateAssociation"];

/// A call that makes an API of a definition, where it is about all APIs, and about a part of one elsewhere.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-iam-policy-examples.html>
const IMPORTS: &str = "apigateway:POST";

/// Calls that make what has an id of AWS's choice: none that is there already, and none that a policy names.
/// <https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/API_CreateTrustAnchor.html>
const NAMED_BY_AWS: [&str; 1] = ["rolesanywhere:CreateTrustAnchor"];

/// Paths and methods of one API, which no two calls have in common.
const APART: &str = "arn:aws:apigateway:";

/// So many patterns are not compared with so many others: such a way counts as open.
const MOST: usize = 100_000;

/// Of so many patterns of one type none is looked at closely: what they meet counts as left.
const MANY: usize = 256;

/// Whether a way is open, on things of the account, and where two of its calls take the same type of thing,
/// on the same one.
pub fn is_open(way: &EscalationPath, effective: &Effective, home: AccountRef<'_>) -> bool {
    opening(way, effective, home).is_some()
}

/// The calls that set tags first, of what a way makes or of what is there, where the way is open by tags
/// only; none where it is open without. `None`: it is not open.
pub fn opening(way: &EscalationPath, effective: &Effective, home: AccountRef<'_>) -> Option<Vec<ActionId>> {
    let is_free = way.is_open(&effective.some);
    let first = if is_free { Vec::new() } else { tagged::first(way, effective, false)? };
    if !is_left_tagged(way, &first, effective, home) {
        return None;
    }
    // What is allowed on some things under a condition is not met by what is allowed on others without.
    let is_plain = |&action: &ActionId| effective.allowing(action).all(|s| is_free_of(&s.grant));
    if is_free && way.actions.iter().all(is_plain) {
        return Some(first);
    }
    let met = |grant: &Grant, action: ActionId, of: &str| {
        counts(grant, action, of)
            && (!grant.statement.allow || is_free_of(grant) || tagged::meets(way, action, effective, grant))
    };
    is_left_where(&with_first(way, &first), effective, home, &met).then_some(first)
}

/// Whether nothing but what a call asks for holds a statement back.
fn is_free_of(grant: &Grant) -> bool {
    grant.restriction.is_open() || condition::is_by_form(&grant.statement)
}

/// The same on all things of the account.
pub fn opening_on_all(
    way: &EscalationPath,
    effective: &Effective,
    home: AccountRef<'_>,
) -> Option<Vec<ActionId>> {
    let first = tagged::first(way, effective, true)?;
    is_left_tagged(way, &first, effective, home).then_some(first)
}

/// Whether the calls of a way can be made on things that other calls tag first.
fn is_left_tagged(
    way: &EscalationPath,
    first: &[ActionId],
    effective: &Effective,
    home: AccountRef<'_>,
) -> bool {
    let is_left = is_left(way, effective, home);
    is_left && (first.is_empty() || is_left_where(&with_first(way, first), effective, home, &counts))
}

/// A way with the calls that come first.
fn with_first(way: &EscalationPath, first: &[ActionId]) -> EscalationPath {
    EscalationPath { service: way.service, actions: [first, &way.actions].concat() }
}

pub use tagged::calls as tagging_calls;

/// Whether a call is open by itself.
pub fn is_open_call(action: ActionId, effective: &Effective, home: AccountRef<'_>) -> bool {
    effective.some.contains(action) && Call::of(effective, action, home, &counts).is_possible()
}

/// Whether what is allowed, less what is denied, leaves things that the calls of a way can be made on.
pub fn is_left(way: &EscalationPath, effective: &Effective, home: AccountRef<'_>) -> bool {
    if let [action] = way.actions[..] {
        let name = way.name();
        if SHARED.contains(&&*name) && !is_abroad(effective, action) {
            return false;
        }
        if name == IMPORTS && !is_on_all_apis(effective, action) {
            return false;
        }
    }
    is_left_where(way, effective, home, &counts)
}

/// The same, with what tells which statements count of a call on a type of thing.
pub fn is_left_where(
    way: &EscalationPath,
    effective: &Effective,
    home: AccountRef<'_>,
    counts: &Counts<'_>,
) -> bool {
    let call = |&action: &ActionId| Call::of(effective, action, home, counts);
    let calls: Vec<Call<'_>> = way.actions.iter().map(call).collect();
    calls.iter().all(Call::is_possible)
        && calls.iter().enumerate().all(|(n, one)| calls[..n].iter().all(|other| one.meets(other)))
}

/// Whether the calls of a way can be made on things of a kind, as ARNs write it, as far as they take such.
pub fn is_left_on(way: &EscalationPath, effective: &Effective, home: AccountRef<'_>, kind: &str) -> bool {
    way.actions.iter().all(|&action| {
        let call = Call::of(effective, action, home, &counts);
        !call.types.iter().any(|of| of.contains(kind)) || call.is_possible_on(kind)
    })
}

/// Whether a statement counts, of a call on things of a type: an Allow that may be met, a Deny that holds for
/// sure.
pub type Counts<'c> = dyn Fn(&Grant, ActionId, &str) -> bool + 'c;

/// Whoever makes the thing may meet a condition on it, such as one on its tags.
fn counts(grant: &Grant, _: ActionId, _: &str) -> bool {
    grant.statement.allow || grant.statement.conditions.is_empty() || guards(&grant.statement)
}

/// Whether a Deny leaves what it is about to who calls in other circumstances, with MFA, say.
pub fn guards(deny: &Statement) -> bool {
    condition::is_guard(deny) && deny.conditions.iter().all(is_on_circumstance)
}

/// Whether a way makes or changes a thing with one of these ARNs, which may be patterns: what the service
/// then acts for. Where an ARN is of another type than the call's, that is not known, and counts as so.
pub fn makes(way: &EscalationPath, effective: &Effective, home: AccountRef<'_>, arns: &[String]) -> bool {
    let catalogue = Catalogue::embedded();
    arns.iter().any(|arn| {
        let Some(service) = Arn::pattern(arn).map(|arn| arn.service) else { return true };
        let is_of = |action: &&ActionId| {
            catalogue.name(**action).split(':').next().is_some_and(|of| pattern::matches(service, of))
        };
        let Some(&action) = way.actions.iter().find(is_of) else { return false };
        if NAMED_BY_AWS.contains(&catalogue.name(action)) && !pattern::is_wild(arn) && !arn.contains("${") {
            return false;
        }
        let call = Call::of(effective, action, home, &counts);
        let is_of_type = || call.types.iter().any(|of| meet(arn, of));
        let is_it = |left: &Left<'_>| {
            let of = &call.types[left.of];
            meet(of, arn) && left.all.iter().all(|one| meet(one, arn)) && left.is_there_with(of, &[arn])
        };
        call.any || !is_of_type() || call.left.iter().any(is_it)
    })
}

/// Whether an action is allowed on the list of all APIs.
fn is_on_all_apis(effective: &Effective, action: ActionId) -> bool {
    const LISTS: [&str; 2] = ["arn:*:apigateway:*::/restapis", "arn:*:apigateway:*::/apis"];
    effective.allowing(action).any(|allow| match &allow.grant.statement.resources {
        Some(Selector::Only(all)) => all.iter().any(|one| LISTS.iter().any(|list| meet(one, list))),
        _ => true,
    })
}

/// Whether an action is allowed on documents of any account.
fn is_abroad(effective: &Effective, action: ActionId) -> bool {
    const KINDS: [&str; 2] = ["arn:*:ssm:*:*:document/*", "arn:*:ssm:*:*:automation-definition/*"];
    let of_others = |pattern: &String| {
        let account = Arn::pattern(pattern).map_or("*", |arn| arn.account);
        let is_any = pattern::is_everything(account) && !pattern.contains("${");
        pattern::is_everything(pattern) || (is_any && KINDS.iter().any(|kind| meet(pattern, kind)))
    };
    effective.allowing(action).any(|allow| match &allow.grant.statement.resources {
        Some(Selector::Only(patterns)) => patterns.iter().any(of_others),
        _ => true,
    })
}

/// What of the account an action is allowed on.
struct Call<'a> {
    /// On everything that it takes, or it takes nothing.
    any: bool,
    types: Vec<String>,
    /// The types that it must be allowed on.
    needs: &'static [&'static str],
    left: Vec<Left<'a>>,
}

/// What matches all of some patterns, and none of others.
#[derive(Clone, Default)]
struct Left<'a> {
    /// The place of the type.
    of: usize,
    all: Vec<&'a str>,
    none: Vec<&'a str>,
}

impl<'a> Left<'a> {
    /// What of it a pattern of its type takes in.
    fn with(&self, one: &'a str) -> Option<Self> {
        let is_apart = self.all.iter().any(|other| !meet(one, other));
        let all = self.all.iter().copied().chain([one]).collect();
        (!is_apart).then(|| Self { all, ..self.clone() })
    }

    fn without(&self, gone: &'a [String]) -> Self {
        let none = self.none.iter().copied().chain(gone.iter().map(String::as_str)).collect();
        Self { none, ..self.clone() }
    }

    /// Whether there may be a thing of it. Where there are many of its kind, none is looked at closely.
    fn is_there(&self, types: &[String], are_many: bool) -> bool {
        let is_plain = self.none.is_empty() && self.all.len() < 2;
        is_plain || are_many || self.is_there_with(&types[self.of], &[])
    }

    /// Whether there may be a thing of a type that more patterns match.
    fn is_there_with(&self, of: &str, more: &[&str]) -> bool {
        let mut all = [&self.all, more, &[of]].concat();
        all.sort_unstable();
        all.dedup();
        (self.none.is_empty() && all.len() < 3) || remainder::is_left(&all, &self.none)
    }
}

impl<'a> Call<'a> {
    fn of(effective: &'a Effective, action: ActionId, home: AccountRef<'_>, counts: &Counts<'_>) -> Self {
        let catalogue = Catalogue::embedded();
        let name = catalogue.name(action);
        let needs = NEEDS.iter().find(|(call, _)| *call == name).map_or(&[][..], |(_, needs)| needs);
        let types: Vec<String> =
            catalogue.resource_templates(action).map(|template| pattern_of(template, home)).collect();
        let said = Said::of(effective, action);
        let mut left = Vec::new();
        for (place, of) in types.iter().enumerate() {
            let counts = |grant: &Grant| counts(grant, action, of);
            let parts = said.left(Left { of: place, ..Left::default() }, of, &counts);
            if parts.len() > MOST {
                return Self { any: true, types: Vec::new(), needs: &[], left: Vec::new() };
            }
            left.extend(parts);
        }
        Self { any: types.is_empty(), types, needs, left }
    }

    /// Whether there is something of each type that it needs, or of any.
    fn is_possible(&self) -> bool {
        match self.needs {
            [] => self.is_possible_on(""),
            kinds => kinds.iter().all(|kind| self.is_possible_on(kind)),
        }
    }

    /// Whether there is something of a type, as ARNs write it.
    fn is_possible_on(&self, kind: &str) -> bool {
        let mut left = self.left.iter().filter(|left| self.types[left.of].contains(kind));
        self.any || left.any(|left| left.is_there(&self.types, self.left.len() > MANY))
    }

    /// Whether both can be about one thing, or take no type in common.
    fn meets(&self, other: &Self) -> bool {
        let shares = || self.types.iter().any(|of| !of.starts_with(APART) && other.types.contains(of));
        if self.any || other.any || !shares() || self.left.len() * other.left.len() > MOST {
            return true;
        }
        let are_many = self.left.len() > MANY || other.left.len() > MANY;
        self.left.iter().any(|one| {
            let of = &self.types[one.of];
            let same = other.left.iter().filter(|two| other.types[two.of] == *of);
            let mut meeting = same.filter(|two| one.all.iter().all(|a| two.all.iter().all(|b| meet(a, b))));
            meeting.any(|two| {
                let both = Left { none: [&one.none[..], &two.none].concat(), ..one.clone() };
                are_many || both.is_there_with(of, &two.all)
            })
        })
    }
}

/// The statements about a call.
struct Said<'a> {
    allows: Vec<&'a Grant>,
    /// What its boundary allows, where it has one.
    limits: Option<Vec<&'a Grant>>,
    denies: Vec<&'a Grant>,
}

impl<'a> Said<'a> {
    fn of(effective: &'a Effective, action: ActionId) -> Self {
        let names = |grant: &&Grant| grant.actions.contains(action);
        let (limits, within): (Option<Vec<&Grant>>, Vec<&Grant>) = match &effective.ceiling {
            Ceiling::Known { grants, .. } => {
                let (allows, denies) = grants.iter().filter(names).partition(|g| g.statement.allow);
                (Some(allows), denies)
            }
            _ => (None, Vec::new()),
        };
        let denies = effective.denies.iter().map(|s| &s.grant).filter(names).chain(within).collect();
        Self { allows: effective.allowing(action).map(|s| &s.grant).collect(), limits, denies }
    }

    /// What it leaves of all things of a type.
    fn left(&self, all: Left<'a>, of: &str, counts: &dyn Fn(&Grant) -> bool) -> Vec<Left<'a>> {
        let here = |grants: &[&'a Grant]| -> Vec<&'a Selector> {
            let counting = grants.iter().filter(|grant| counts(grant));
            counting.filter_map(|grant| grant.statement.resources.as_ref()).collect()
        };
        let mut left = within(vec![all], &here(&self.allows), of);
        if let Some(limits) = &self.limits {
            left = within(left, &here(limits), of);
        }
        for deny in here(&self.denies) {
            let spared: Vec<&str> = match deny {
                Selector::Except(spared) => of_type(spared, of),
                Selector::Only(_) => Vec::new(),
            };
            let denied = |part: &Left<'a>| match deny {
                Selector::Only(gone) => vec![part.without(gone)],
                Selector::Except(_) => spared.iter().filter_map(|one| part.with(one)).collect(),
            };
            left = match is_everything(deny) {
                true => Vec::new(),
                false => left.iter().flat_map(denied).take(MOST + 1).collect(),
            };
        }
        left
    }
}

/// What is left within the resources of any of some statements.
fn within<'a>(left: Vec<Left<'a>>, any_of: &[&'a Selector], of: &str) -> Vec<Left<'a>> {
    if any_of.iter().any(|resources| is_everything(resources)) {
        return left;
    }
    let (mut patterns, mut spared) = (Vec::new(), Vec::new());
    for resources in any_of {
        match resources {
            Selector::Only(all) => patterns.extend(of_type(all, of)),
            Selector::Except(all) => spared.push(all),
        }
    }
    let each = |part: &Left<'a>| -> Vec<Left<'a>> {
        let with = patterns.iter().filter_map(|one| part.with(one));
        with.chain(spared.iter().map(|all| part.without(all))).collect()
    };
    left.iter().flat_map(each).take(MOST + 1).collect()
}

/// The patterns that may name a thing of a type.
fn of_type<'a>(patterns: &'a [String], of: &str) -> Vec<&'a str> {
    patterns.iter().map(String::as_str).filter(|one| meet(one, of)).collect()
}

fn is_everything(resources: &Selector) -> bool {
    matches!(resources, Selector::Only(all) if all.iter().any(|one| pattern::is_everything(one)))
}

/// Whether some ARN matches both patterns, field by field where the fields can be told: no region holds a
/// colon.
fn meet(written: &str, other: &str) -> bool {
    let fields = |arn| str::splitn(arn, 6, ':').collect::<Vec<&str>>();
    let (one, two) = (fields(written), fields(other));
    let is_told = |all: &[&str], arn: &str| {
        all.len() == 6 && (all[4].is_empty() || pattern::is_wild(all[4]) || account_of(arn).is_some())
    };
    match is_told(&one, written) && is_told(&two, other) {
        true => one.iter().zip(&two).all(|(one, two)| pattern::meet(one, two)),
        false => pattern::meet(written, other),
    }
}

/// All things of a type that an account has.
fn pattern_of(template: &str, home: AccountRef<'_>) -> String {
    let is_shared = template.contains(OF_OTHERS);
    let (mut all, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, tail) = after.split_once('}').unwrap_or((after, ""));
        all.push_str(before);
        all.push_str(match variable {
            "Partition" => home.partition,
            "Account" if is_shared => "*",
            "Account" if !home.account.is_empty() => home.account,
            // No part of a name is empty.
            _ => "?*",
        });
        rest = tail;
    }
    all + rest
}
