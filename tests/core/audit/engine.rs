//! The engine against laws that hold for every policy, and against AWS's own policies.

use std::rc::Rc;

use opsctl::audit::account::Account;
use opsctl::audit::evaluate::Engine;
use opsctl_iam::action_set::ActionSet;
use opsctl_iam::catalogue::Catalogue;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::Effective;
use opsctl_iam::managed;
use opsctl_iam::policy::{Document, Selector};
use opsctl_iam::restriction::Restriction;
use serde_json::{Value, json};

use super::world::*;

/// A small generator of numbers (splitmix64): the same ones in every run.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.roll() % n as u64).expect("small")
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

pub const ACTIONS: &[&str] = &[
    "*",
    "*:*",
    "s3:*",
    "s3:Get*",
    "S3:getobject",
    "s3:?etObject",
    "s3:PutObject",
    "iam:*",
    "iam:PassRole",
    "iam:*Policy*",
    "sqs:SendMessage",
    "*:List*",
    "ec2:Run*",
    "made:Up",
    "sts:AssumeRole",
];
pub const RESOURCES: &[&str] = &[
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::b/*",
    "arn:aws:s3:::b/k?y",
    "arn:aws:iam::111122223333:role/*",
    "arn:aws:iam::*:role/app-*",
    "arn:aws:sqs:*:*:q",
];
const CONDITIONS: &[(&str, &str, &str)] = &[
    ("Bool", "aws:MultiFactorAuthPresent", "true"),
    ("StringEquals", "aws:RequestedRegion", "eu-west-1"),
    ("StringLike", "aws:PrincipalArn", "*"),
];

pub fn statement(dice: &mut Dice, effect: &str, conditions: bool) -> Value {
    let action = *dice.pick(&["Action", "Action", "Action", "NotAction"]);
    let resource = *dice.pick(&["Resource", "Resource", "Resource", "NotResource"]);
    let mut s = json!({"Effect": effect});
    s[action] = json!([dice.pick(ACTIONS), dice.pick(ACTIONS)]);
    s[resource] = json!([dice.pick(RESOURCES), dice.pick(RESOURCES)]);
    if conditions && dice.roll().is_multiple_of(3) {
        let (operator, key, value) = *dice.pick(CONDITIONS);
        s = when(s, operator, key, value);
    }
    s
}

fn effective(role: RoleMaker, policies: &[Value]) -> std::rc::Rc<Effective> {
    let world = policies.iter().fold(World::of([role]), |world, policy| world.policy(policy.clone()));
    let account: Account = world.account();
    Engine::new(&account).role(&account.roles[0])
}

const ASKED: &[(&str, &str)] = &[
    ("s3:GetObject", "arn:aws:s3:::b/key"),
    ("s3:PutObject", "arn:aws:s3:::c/key"),
    ("iam:PassRole", "arn:aws:iam::111122223333:role/app-1"),
    ("iam:CreatePolicyVersion", "arn:aws:iam::111122223333:policy/p"),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:q"),
    ("made:Up", "*"),
];

fn sets(e: &Effective) -> [&ActionSet; 3] {
    [&e.open, &e.held, &e.some]
}

fn no_more(less: &Effective, more: &Effective) {
    for (a, b) in sets(less).into_iter().zip(sets(more)) {
        assert!(a.is_subset(b));
    }
    for (action, resource) in ASKED {
        let (a, b) = (less.decide(action, resource), more.decide(action, resource));
        assert!(a != Decision::Allowed || b == Decision::Allowed, "{action} {resource}");
        let ever = |d| matches!(d, Decision::Allowed | Decision::Conditional);
        assert!(!ever(a) || ever(b), "{action} {resource}");
    }
}

#[test]
fn deny_and_boundary_never_add_and_order_does_not_matter() {
    let mut dice = Dice::new(1);
    for _ in 0..60 {
        let allows: Vec<Value> = (0..3).map(|_| statement(&mut dice, "Allow", true)).collect();
        let plain = effective(role("a").can(allows.clone()), &[]);
        let denial = statement(&mut dice, "Deny", true);
        no_more(&effective(role("a").can(allows.clone()).can(denial.clone()), &[]), &plain);
        let bound = customer_policy("bound", statement(&mut dice, "Allow", true));
        no_more(&effective(role("a").can(allows.clone()).boundary(&policy_arn("bound")), &[bound]), &plain);
        let reversed: Vec<Value> = allows.iter().rev().cloned().collect();
        let apart = reversed.iter().fold(role("a"), |role, s| role.can(s.clone()));
        let other = effective(apart, &[]);
        no_more(&other, &plain);
        no_more(&plain, &other);
        for e in [&plain, &other] {
            assert!(e.open.is_subset(&e.held) && e.open.is_subset(&e.some) && e.held.is_subset(&e.identity));
        }
    }
}

#[test]
fn not_action_is_the_complement() {
    let catalogue = Catalogue::embedded();
    for pattern in ACTIONS {
        let only = effective(role("a").can(allow(&[pattern], &["*"])), &[]);
        let except =
            effective(role("a").can(json!({"Effect": "Allow", "NotAction": pattern, "Resource": "*"})), &[]);
        assert_eq!(only.open.len() + except.open.len(), catalogue.len(), "{pattern}");
        let mut both = only.open.clone();
        both.intersect(&except.open);
        assert!(both.is_empty(), "{pattern}");
        let (a, b) = (only.decide("made:Up", "*"), except.decide("made:Up", "*"));
        assert!((a == Decision::Allowed) != (b == Decision::Allowed), "unknown actions too: {pattern}");
    }
}

/// What the sets say and what a single question says must agree.
#[test]
fn sets_and_single_questions_agree() {
    let catalogue = Catalogue::embedded();
    let mut dice = Dice::new(2);
    for _ in 0..150 {
        let maker = role("a")
            .can(vec![statement(&mut dice, "Allow", false), statement(&mut dice, "Allow", false)])
            .can(statement(&mut dice, "Deny", false));
        let e = effective(maker, &[]);
        for (action, resource) in ASKED {
            let Some(id) = catalogue.find(action) else { continue };
            let decision = e.decide(action, resource);
            // On all resources less some that a Deny takes out: the sets speak of what is not denied
            // everywhere. Likewise NotResource is all resources but those it lists.
            let left_out = e.allows.iter().any(|a| {
                matches!(a.grant.statement.resources, Some(Selector::Except(_))) && a.grant.names(action)
            }) || e.denies.iter().any(|d| d.grant.names(action) && d.grant.reaches(resource));
            assert!(!e.open.contains(id) || decision == Decision::Allowed || left_out, "{action} {resource}");
            assert!(decision != Decision::Allowed || e.some.contains(id), "{action} {resource}");
        }
    }
}

#[test]
fn every_policy_of_aws_is_read_and_decided() {
    let account = Account::default();
    let engine = Engine::new(&account);
    let (mut count, mut stars, mut undecided) = (0, Vec::new(), Vec::new());
    for policy in managed::all() {
        count += 1;
        let document = policy.document();
        assert!(matches!(document, Document::Parsed(_)), "{}: {document:?}", policy.arn);
        let grants = engine.compile(&document).expect("parsed");
        for grant in grants.iter() {
            if grant.restriction == Restriction::Unknown {
                undecided.push(format!("{} {:?}", policy.arn, grant.statement.conditions));
            }
            if grant.statement.allow && grant.unlimited.len() == Catalogue::embedded().len() {
                stars.push(policy.arn.rsplit('/').next().unwrap_or_default());
            }
        }
    }
    assert!(count > 1_500);
    assert_eq!(stars, ["AWSMcpServiceActionsFullAccess", "AdministratorAccess"]);
    assert!(undecided.is_empty(), "{}", undecided.join("\n"));
}

#[test]
fn those_who_hold_the_same_share_it_where_it_reads_the_same_for_them() {
    let by_team = || when(allow(&["s3:Get*"], &["*"]), "StringEquals", "aws:PrincipalTag/team", "a");
    let bounded = || {
        let writes = allow(&["iam:PutRolePolicy"], &["*"]);
        when(writes, "StringEquals", "iam:PermissionsBoundary", policy_arn("limit"))
    };
    let account = World::of([
        role("a-1").tag("team", "a").can(by_team()),
        role("a-2").tag("team", "a").tag("also", "b").can(by_team()),
        role("b").tag("team", "b").can(by_team()),
        role("w-1").can(bounded()),
        role("w-2").can(bounded()),
    ])
    .group(group("readers", &[allow(&["s3:Get*"], &["*"])]))
    .group(group("deployers", &[allow(&["iam:PassRole"], &["*"])]))
    .user(in_groups("in-both", &["deployers", "readers"]))
    .user(in_groups("in-one", &["readers"]))
    .account();
    let engine = Engine::new(&account);
    let is_one = |one: usize, other: usize| Rc::ptr_eq(&engine.role_at(one), &engine.role_at(other));
    assert!(is_one(0, 1) && !is_one(0, 2) && is_one(3, 4));
    let deployers = account.groups.iter().position(|group| group.name == "deployers").expect("it is there");
    let joined = engine.user_in(&account.users[1], &[deployers]);
    assert!(Rc::ptr_eq(&joined, &engine.user_at(0)) && !Rc::ptr_eq(&joined, &engine.user_at(1)));
}

fn in_groups(name: &str, groups: &[&str]) -> Value {
    let mut user = user(name, &[]);
    user["GroupList"] = json!(groups);
    user
}
