//! Whether the calls of a way can be made on one thing: what is created under one name is not started under
//! another.

use super::account::account_of;
use super::escalate::EscalationPath;
use opsctl_iam::action_set::ActionId;
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::{AccountRef, Catalogue};
use opsctl_iam::effective::Effective;
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

/// A call that makes a thing, whatever else it names, and the thing's type as its ARN writes it.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>
const MAKES: [(&str, &str); 1] = [("ec2:RunInstances", ":instance/")];

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

/// Whether a way is open, on things of the account, and where two of its calls take the same type of thing,
/// on the same one.
pub fn is_open(way: &EscalationPath, effective: &Effective, home: AccountRef<'_>) -> bool {
    if !way.is_open(&effective.some) {
        return false;
    }
    if let [action] = way.actions[..] {
        let name = way.name();
        if SHARED.contains(&&*name) && !is_abroad(effective, action) {
            return false;
        }
        if name == IMPORTS && !is_on_all_apis(effective, action) {
            return false;
        }
    }
    let calls: Vec<Call<'_>> = way.actions.iter().map(|&action| Call::of(effective, action, home)).collect();
    calls.iter().all(|call| call.any || !call.named.is_empty())
        && calls.iter().enumerate().all(|(n, one)| calls[..n].iter().all(|other| one.meets(other)))
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
        let call = Call::of(effective, action, home);
        let is_of_type = || call.types.iter().any(|of| meet(arn, of));
        call.any || !is_of_type() || call.named.iter().any(|(one, _)| meet(one, arn))
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
    /// A pattern of a statement, and the place of a type that it may be of.
    named: Vec<(&'a str, usize)>,
}

impl<'a> Call<'a> {
    fn of(effective: &'a Effective, action: ActionId, home: AccountRef<'_>) -> Self {
        let catalogue = Catalogue::embedded();
        let mut written = Vec::new();
        // Whoever makes the thing may meet a condition on it, such as one on its tags.
        for allow in effective.allowing(action) {
            match &allow.grant.statement.resources {
                Some(Selector::Only(all)) if !all.iter().any(|one| pattern::is_everything(one)) => {
                    written.extend(all.iter().map(String::as_str));
                }
                _ => return Self::anywhere(),
            }
        }
        let made = MAKES.iter().find(|(name, _)| *name == catalogue.name(action)).map(|(_, made)| *made);
        let templates = catalogue.resource_templates(action).filter(|t| made.is_none_or(|m| t.contains(m)));
        let types: Vec<String> = templates.map(|template| pattern_of(template, home)).collect();
        if types.is_empty() || types.len() * written.len() > MOST {
            return Self::anywhere();
        }
        let all = written.into_iter().flat_map(|one| (0..types.len()).map(move |place| (one, place)));
        let named = all.filter(|(one, place)| meet(one, &types[*place])).collect();
        Self { any: false, types, named }
    }

    fn anywhere() -> Self {
        Self { any: true, types: Vec::new(), named: Vec::new() }
    }

    /// Whether both can be about one thing, or take no type in common.
    fn meets(&self, other: &Self) -> bool {
        let shares = || self.types.iter().any(|of| !of.starts_with(APART) && other.types.contains(of));
        if self.any || other.any || !shares() || self.named.len() * other.named.len() > MOST {
            return true;
        }
        self.named.iter().any(|(one, of)| {
            let same = |place: &usize| other.types[*place] == self.types[*of];
            other.named.iter().any(|(two, place)| same(place) && meet(one, two))
        })
    }
}

/// Whether some ARN matches both patterns, field by field where the fields can be told: no region holds a
/// colon.
pub(super) fn meet(written: &str, other: &str) -> bool {
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
    let (mut all, mut rest) = (String::new(), template);
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, tail) = after.split_once('}').unwrap_or((after, ""));
        all.push_str(before);
        all.push_str(match variable {
            "Partition" => home.partition,
            "Account" if !home.account.is_empty() => home.account,
            _ => "*",
        });
        rest = tail;
    }
    all + rest
}
