//! `--against`, where statements stay as they are and whom or what they meet does not: the audit of the new
//! side tells; and what is not known of either side.

use opsctl::audit::against::{new_access, unknown};
use opsctl::audit::finding::Finding;
use opsctl::audit::rules::{self, Family};
use opsctl::audit::{Account, Audit, Severity};
use serde_json::{Value, json};

use super::engine::Dice;
use super::world::*;

/// Who gains, by name, and how.
fn gains(old: &World, new: &World) -> Vec<String> {
    let gains = new_access(&old.account(), &new.account(), now());
    let name = |arn: &str| arn.rsplit('/').next().expect("a name").to_owned();
    gains.into_iter().map(|gain| format!("{}: {}", name(&gain.principal), gain.lines.join("; "))).collect()
}

/// Somebody, and only it, gains a way up.
#[track_caller]
fn up(old: &World, new: &World, who: &str, rule: &str) {
    let found = gains(old, new);
    let told = |line: &String| line.starts_with(&format!("{who}: the audit finds {rule}"));
    assert!(found.len() == 1 && found.iter().all(told), "{who} {rule}: {found:?}");
    assert_eq!(gains(new, old), [""; 0], "and back");
    assert_eq!(gains(new, new), [""; 0]);
}

fn reads() -> Value {
    allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"])
}

fn all() -> Value {
    allow(&["*"], &["*"])
}

fn r(action: &str, on: &str) -> RoleMaker {
    role("r").can(vec![allow(&[action], &[on]), reads()])
}

fn z() -> RoleMaker {
    role("z").can(reads()).trusts(trust_own_account())
}

fn x() -> Value {
    customer_policy("x", reads())
}

#[test]
fn a_policy_that_somebody_may_rewrite_comes_to_be_held() {
    let rewrites = || r("iam:CreatePolicyVersion", &policy_arn("x"));
    let world = |role: RoleMaker| World::of([role]).policy(x());
    up(&world(rewrites()), &world(rewrites().attach(&policy_arn("x"))), "r", "IAM201 (critical)");
    let both = vec![
        allow(&["iam:CreatePolicyVersion"], &[&policy_arn("x")]),
        allow(&["sts:AssumeRole"], &[&role_arn("z")]),
    ];
    let with = |z: RoleMaker| World::of([role("r").can(both.clone()), z]).policy(x());
    let found = gains(&with(z()), &with(z().attach(&policy_arn("x"))));
    assert!(found.len() == 1 && found[0].contains("the audit finds IAM20"), "{found:?}");
    let rewrites = allow(&["iam:PutGroupPolicy"], &[&format!("arn:aws:iam::{ACCOUNT}:group/g")]);
    let in_groups = |groups: &[&str]| {
        let mut ana = user("ana", &[rewrites.clone(), reads()]);
        ana["GroupList"] = json!(groups);
        World::of([]).user(ana).group(group("g", &[reads()]))
    };
    up(&in_groups(&[]), &in_groups(&["g"]), "ana", "IAM211 (critical)");
}

#[test]
fn a_version_comes_that_somebody_may_put_in_force() {
    let world = |versions: &[Value]| {
        let mut policy = x();
        policy["DefaultVersionId"] = "v2".into();
        policy["PolicyVersionList"] = versions.iter().cloned().collect();
        let sets = r("iam:SetDefaultPolicyVersion", &policy_arn("x")).attach(&policy_arn("x"));
        World::of([sets]).policy(policy)
    };
    let version = |id: &str, statement: Value| {
        let is_default = id == "v2";
        json!({"VersionId": id, "IsDefaultVersion": is_default, "Document": document(statement)})
    };
    let (now, mighty) = (version("v2", reads()), version("v1", all()));
    up(&world(std::slice::from_ref(&now)), &world(&[now.clone(), mighty]), "r", "IAM201 (critical)");
    assert_eq!(gains(&world(std::slice::from_ref(&now)), &world(&[now, version("v1", reads())])), [""; 0]);
}

#[test]
fn somebody_moves_under_a_path() {
    let app = role_arn("app/*");
    let adm = || role("adm").can(all()).trusts(trust_own_account());
    let world = |adm: RoleMaker| World::of([r("sts:AssumeRole", &app), adm]);
    up(&world(adm()), &world(adm().path("/app/")), "r", "IAM208 (critical)");
    let passes = role("r").can(vec![
        allow(&["iam:PassRole"], &[&app]),
        allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
    ]);
    let world = |adm: RoleMaker| World::of([passes.clone(), adm]);
    let found = gains(&world(role("adm").can(all())), &world(role("adm").can(all()).path("/app/")));
    assert!(found.len() == 1 && found[0].starts_with("r: the audit finds IAM203 (critical)"), "{found:?}");
    let boss = |path: &str| {
        let mut boss = user("boss", &[all()]);
        boss["Path"] = path.into();
        boss["Arn"] = format!("arn:aws:iam::{ACCOUNT}:user{path}boss").into();
        let dev = format!("arn:aws:iam::{ACCOUNT}:user/dev/*");
        World::of([r("iam:CreateAccessKey", &dev)]).user(boss)
    };
    let found = gains(&boss("/"), &boss("/dev/"));
    assert!(found.len() == 1 && found[0].starts_with("r: the audit finds IAM202 (critical)"), "{found:?}");
    assert_eq!(gains(&boss("/"), &boss("/ops/")), [""; 0]);
}

#[test]
fn somebody_gets_the_boundary_that_opens_it() {
    let opens = when(
        allow(&["iam:PutRolePolicy"], &["*"]),
        "StringEquals",
        "iam:PermissionsBoundary",
        policy_arn("b"),
    );
    let world = |z: RoleMaker| {
        World::of([role("r").can(vec![opens.clone(), allow(&["sts:AssumeRole"], &[&role_arn("z")])]), z])
            .policy(customer_policy("b", all()))
    };
    let found = gains(&world(z()), &world(z().boundary(&policy_arn("b"))));
    assert!(found.len() == 1 && found[0].starts_with("r: the audit finds IAM20"), "{found:?}");
    // A user without a policy, whom a trust policy lets in.
    let adm = role("adm").can(all()).trusts(document(trust(json!({"AWS": user_arn("ana")}))));
    let found = gains(&World::of([adm.clone()]), &World::of([adm]).user(user("ana", &[])));
    assert!(found.len() == 1 && found[0].starts_with("ana: the audit finds IAM211 (critical)"), "{found:?}");
}

#[test]
fn what_changes_without_giving_more_is_no_gain() {
    let named = |sid: &str| {
        let mut statement = all();
        statement["Sid"] = sid.into();
        World::of([role("r").can(statement)])
    };
    assert_eq!(gains(&named("A"), &named("B")), [""; 0]);
    // Less of all is told by other rules.
    let few = allow(&["iam:*", "s3:*", "sts:*"], &["*"]);
    let can = |statement: Value| World::of([role("r").can(statement), z()]).user(user("u", &[]));
    assert_eq!(gains(&can(all()), &can(few.clone())), [""; 0]);
    let user_can = |statement: Value| World::of([z()]).user(user("u", &[statement]));
    assert_eq!(gains(&user_can(all()), &user_can(few)), [""; 0]);
    let stranger = trust(json!({"AWS": "arn:aws:iam::999988887777:root"}));
    let trusts = |statement: Value| World::of([role("r").can(reads()).trusts(document(statement))]);
    let any = trusts(trust("*".into()));
    let both = trusts(trust(json!({"AWS": ["arn:aws:iam::999988887777:root", role_arn("z")]})));
    assert_eq!(gains(&both, &trusts(stranger)), [""; 0]);
    assert_eq!(gains(&any, &any), [""; 0]);
    // Emergencies lower a severity, and lower no right.
    let glass = |tagged: bool| {
        let role = role("r").can(vec![allow(&["iam:PutRolePolicy"], &[&role_arn("r")]), reads()]);
        World::of([if tagged { role.tag("break-glass", "true") } else { role }])
    };
    assert_eq!(gains(&glass(true), &glass(false)), [""; 0]);
}

#[test]
fn what_is_not_known_of_a_boundary_is_told() {
    let bounded = |bound: bool, known: bool| {
        let role = role("a").can(all());
        let role = if bound { role.boundary(&policy_arn("b")) } else { role };
        let mut ana = user("ana", &[all()]);
        if bound {
            ana["PermissionsBoundary"] = json!({"PermissionsBoundaryArn": policy_arn("b")});
        }
        let world = World::of([role]).user(ana);
        if known { world.policy(customer_policy("b", reads())) } else { world }
    };
    let gaps = |old: &World, new: &World| {
        let unknown = unknown(&old.account(), &new.account(), now());
        unknown.into_iter().map(|gap| gap.resource).collect::<Vec<_>>()
    };
    let both = [role_arn("a"), user_arn("ana")];
    let (missing, known, free) = (bounded(true, false), bounded(true, true), bounded(false, false));
    assert_eq!(gaps(&missing, &missing), both, "in neither dump");
    assert_eq!(gaps(&known, &missing), both, "no longer in it");
    for new in [&missing, &known] {
        assert_eq!(gains(&known, new), [""; 0]);
    }
    assert_eq!(gaps(&known, &known), [""; 0]);
    assert_eq!(gaps(&free, &missing), [""; 0], "no more than without one");
    assert_eq!(gains(&missing, &free).len(), 2);
    assert_eq!(gains(&missing, &known).len(), 2);
    let text = String::from_utf8(known.json()).expect("text").replace(ACCOUNT, "999988887777");
    let other = Account::from_json(text.as_bytes()).expect("a dump");
    let told = unknown(&known.account(), &other, now());
    assert!(told.len() == 1 && told[0].reason.contains("999988887777"), "{told:?}");
}

/// An account out of few parts, each of which may be as others want it.
#[derive(Clone)]
struct Parts([usize; 12]);

impl Parts {
    const SIZES: [usize; 12] = [10, 10, 2, 3, 3, 2, 3, 3, 3, 3, 2, 4];

    fn thrown(dice: &mut Dice) -> Self {
        Self(Self::SIZES.map(|size| dice.below(size)))
    }

    fn with_one_changed(&self, dice: &mut Dice) -> Self {
        let mut other = self.clone();
        // What is met rather than what is held, which is compared by itself.
        let place = 2 + dice.below(Self::SIZES.len() - 2);
        other.0[place] = dice.below(Self::SIZES[place]);
        other
    }

    fn statement(&self, place: usize) -> Value {
        let under = |kind: &str| format!("arn:aws:iam::{ACCOUNT}:{kind}");
        let on = |action: &str, on: &str| allow(&[action], &[on]);
        match self.0[place] {
            0 => on("iam:PutRolePolicy", &under("role/app/*")),
            1 => on("iam:CreatePolicyVersion", &policy_arn("x")),
            2 => on("sts:AssumeRole", &under("role/*")),
            3 => on("sts:AssumeRole", &under("role/app/*")),
            4 => allow(
                &["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"],
                &[&under("role/app/*"), "arn:aws:lambda:*"],
            ),
            5 => on("iam:CreateAccessKey", &under("user/dev/*")),
            6 => on("iam:PutGroupPolicy", &under("group/g")),
            7 => on("iam:SetDefaultPolicyVersion", &policy_arn("x")),
            8 => when(
                on("iam:AttachRolePolicy", "*"),
                "StringEquals",
                "iam:PermissionsBoundary",
                policy_arn("b"),
            ),
            _ => reads(),
        }
    }

    fn role(&self, name: &str, statement: Value, place: usize) -> RoleMaker {
        let mut role = role(name).can(statement);
        role = match self.0[place] {
            0 => role,
            1 => role.path("/app/"),
            _ => role.trusts(trust_own_account()),
        };
        role
    }

    fn world(&self) -> World {
        let Self(is) = self;
        let mut r = self.role("r", Value::from(vec![self.statement(0), self.statement(1)]), 3);
        let mut z = self.role("z", reads(), 4);
        if is[2] == 1 {
            r = r.attach(&policy_arn("x"));
        }
        match is[6] {
            0 => z = z.attach(&policy_arn("x")),
            1 => z = z.boundary(&policy_arn("b")),
            _ => {}
        }
        let path = if is[5] == 0 { "/" } else { "/dev/" };
        let mut boss = user("boss", &[all()]);
        boss["Path"] = path.into();
        boss["Arn"] = format!("arn:aws:iam::{ACCOUNT}:user{path}boss").into();
        let mut ana = user("ana", &[self.statement(0)]);
        ana["GroupList"] = if is[10] == 0 { json!([]) } else { json!(["g"]) };
        let mut policy = customer_policy("x", if is[8] == 0 { all() } else { reads() });
        if is[9] == 0 {
            let mighty = json!({"VersionId": "v0", "IsDefaultVersion": false, "Document": document(all())});
            policy["PolicyVersionList"].as_array_mut().expect("a list").push(mighty);
        }
        let held = match is[11] {
            0 => when(reads(), "StringEquals", "aws:PrincipalTag/a", "b"),
            1 => allow(&["s3:*"], &["*"]),
            _ => reads(),
        };
        World::of([r, z, self.role("adm", all(), 7)])
            .user(boss)
            .user(ana)
            .group(group("g", &[held]))
            .policy(policy)
            .policy(customer_policy("b", all()))
    }
}

/// Whenever a change is said to give nothing, the audit finds nothing bad afterwards of one of whom it found
/// nothing as bad before.
#[test]
fn no_new_access_is_no_new_way_up() {
    let mut dice = Dice::new(87);
    let (mut quiet, mut by_audit) = (0, 0);
    for round in 0..400 {
        let old = Parts::thrown(&mut dice);
        let new = old.with_one_changed(&mut dice);
        let (old, new) = (old.world(), new.world());
        let gains = gains(&old, &new);
        if !gains.is_empty() {
            by_audit += usize::from(gains.iter().all(|line| line.contains(": the audit finds")));
            continue;
        }
        quiet += 1;
        let (before, after) = (bad(old.audit()), bad(new.audit()));
        for finding in &after {
            let name = |of: &Finding| of.resource.rsplit('/').next().map(str::to_owned);
            let same = |known: &&Finding| {
                let as_bad = known.severity >= finding.severity || known.rule == "IAM212";
                name(known) == name(finding) && as_bad
            };
            assert!(before.iter().any(|known| same(&known)), "round {round}: {finding:?}");
        }
    }
    assert!(quiet > 100 && by_audit > 7, "{quiet} quiet, {by_audit} by the audit alone");
}

fn bad(audit: Audit) -> Vec<Finding> {
    let is_bad = |finding: &Finding| {
        let family = rules::find(finding.rule).expect("a rule").family();
        finding.severity >= Severity::High && [Family::Permissions, Family::Trust].contains(&family)
    };
    audit.findings.into_iter().filter(is_bad).collect()
}
