//! `--against` with a plan or a template: what was there, with its changes in place.

use opsctl::audit::planned::{Kind, of_plan, of_plan_in};
use opsctl::audit::surroundings::Surroundings;
use opsctl::audit::{Account, Settings, Usage, against, audit};
use serde_json::{Value, json};

use super::world::*;

fn everything() -> Value {
    document(allow(&["*"], &["*"]))
}

/// A resource as the plan leaves it.
fn planned(kind: &str, values: Value) -> Value {
    json!({"mode": "managed", "type": kind, "name": "x", "address": format!("{kind}.x"), "values": values})
}

/// A change of one that was there.
fn change(kind: &str, actions: &[&str], before: Value, after: Value) -> Value {
    json!({"mode": "managed", "type": kind, "name": "x", "address": format!("{kind}.x"),
        "change": {"actions": actions, "before": before, "after": after, "after_unknown": {}}})
}

fn plan(resources: &[Value], changes: &[Value]) -> Value {
    json!({"format_version": "1.2", "terraform_version": "1.9.0", "complete": true,
        "planned_values": {"root_module": {"resources": resources}}, "resource_changes": changes})
}

fn of(value: &Value, before: &Account) -> Account {
    of_plan_in(value, Kind::of(value).expect("a known shape"), against::home(before), now())
}

/// Who gains, by name, and how.
fn gains(before: &Account, after: &Value) -> Vec<(String, String)> {
    let after = of(after, before);
    let gains = against::new_access(before, &after, now());
    let name = |arn: &str| arn.rsplit('/').next().expect("a name").to_owned();
    gains.into_iter().map(|gain| (name(&gain.principal), gain.lines.join("; "))).collect()
}

#[track_caller]
fn gain(before: &Account, after: &Value, who: &str, what: &str) {
    let gains = gains(before, after);
    let is_it = |(name, line): &(String, String)| name == who && line.contains(what);
    assert!(gains.len() == 1 && gains.iter().all(is_it), "{who} {what}: {gains:?}\n{after}");
}

#[track_caller]
fn none(before: &Account, after: &Value) {
    assert_eq!(gains(before, after), [], "{after}");
}

fn written(name: &str, role: &str, policy: &Value) -> Value {
    json!({"name": name, "role": role, "policy": policy.to_string()})
}

#[test]
fn a_policy_that_is_rewritten_gives_more_to_all_who_hold_it() {
    let reads = allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]);
    let policy = |document: &Value| {
        let values =
            json!({"name": "p", "path": "/", "arn": policy_arn("p"), "policy": document.to_string()});
        plan(&[planned("aws_iam_policy", values)], &[])
    };
    let template = |document: &Value| {
        json!({"Resources": {"P": {"Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"ManagedPolicyName": "p", "PolicyDocument": document}}}})
    };
    let held = World::of([role("app").attach(&policy_arn("p")), role("other")])
        .policy(customer_policy("p", reads.clone()))
        .account();
    let edge = World::of([role("app").can(allow(&["*"], &["*"])).boundary(&policy_arn("p"))])
        .policy(customer_policy("p", reads.clone()))
        .account();
    for made in [policy, template] {
        gain(&held, &made(&everything()), "app", "new in policy p, statement 1: * on *");
        gain(&edge, &made(&everything()), "app", "the boundary allows more");
        for account in [&held, &edge] {
            none(account, &made(&document(reads.clone())));
        }
    }
}

#[test]
fn a_deny_that_a_plan_takes_away_is_a_gain() {
    let wall = || document(deny(&["iam:*"], &["*"]));
    let held = |role: RoleMaker| World::of([role, role_of("other")]).account();
    let inline = held(role_of("app").can(deny(&["iam:*"], &["*"])));
    let inline_name = "inline-2";
    let gone = |actions: &[&str], after: Value| {
        change("aws_iam_role_policy", actions, written(inline_name, "app", &wall()), after)
    };
    gain(&inline, &plan(&[], &[gone(&["delete"], Value::Null)]), "app", "no longer held back by");
    none(&inline, &plan(&[], &[gone(&["no-op"], written(inline_name, "app", &wall()))]));
    none(&inline, &plan(&[], &[gone(&["forget"], Value::Null)]));
    // Beside what the plan adds to it, and where the role is the plan's own.
    let reads = planned("aws_iam_role_policy", written("r", "app", &document(allow(&["s3:*"], &["*"]))));
    gain(&inline, &plan(&[reads], &[gone(&["delete"], Value::Null)]), "app", "no longer held back by");
    let trust = trust_service("lambda.amazonaws.com").to_string();
    let app = planned("aws_iam_role", json!({"name": "app", "assume_role_policy": trust}));
    gain(
        &inline,
        &plan(std::slice::from_ref(&app), &[gone(&["delete"], Value::Null)]),
        "app",
        "no longer held back by",
    );
    none(&inline, &plan(std::slice::from_ref(&app), &[]));
    // Written again under another address.
    let again = planned("aws_iam_role_policy", written(inline_name, "app", &wall()));
    none(&inline, &plan(&[again], &[gone(&["delete"], Value::Null)]));
    let attached = held(role_of("app").aws("AWSDenyAll"));
    let arn = "arn:aws:iam::aws:policy/AWSDenyAll";
    let detached = json!({"role": "app", "policy_arn": arn});
    let detached = change("aws_iam_role_policy_attachment", &["delete"], detached, Value::Null);
    gain(&attached, &plan(&[], &[detached]), "app", "no longer held back by");
    let lists = |arns: &[&str]| json!({"name": "app", "managed_policy_arns": arns});
    let listed = change("aws_iam_role", &["update"], lists(&[arn]), lists(&[]));
    gain(&attached, &plan(std::slice::from_ref(&app), &[listed]), "app", "no longer held back by");
    let only =
        planned("aws_iam_role_policy_attachments_exclusive", json!({"role_name": "app", "policy_arns": []}));
    gain(&attached, &plan(&[only], &[]), "app", "no longer held back by");
    let kept =
        planned("aws_iam_role_policies_exclusive", json!({"role_name": "app", "policy_names": ["inline-1"]}));
    gain(&inline, &plan(&[kept], &[]), "app", "no longer held back by");
    let role = json!({"name": "app", "assume_role_policy": trust});
    none(&attached, &plan(&[], &[change("aws_iam_role", &["delete"], role, Value::Null)]));
}

/// May do all, but for what is denied.
fn role_of(name: &str) -> RoleMaker {
    role(name).can(allow(&["*"], &["*"]))
}

#[test]
fn users_leave_groups_that_hold_them_back_and_boundaries_go() {
    let mut ana = user("ana", &[allow(&["*"], &["*"])]);
    ana["GroupList"] = json!(["held"]);
    let before = World::of([role_of("app").boundary("arn:aws:iam::aws:policy/ReadOnlyAccess")])
        .user(ana)
        .group(group("held", &[deny(&["iam:*"], &["*"])]))
        .account();
    let in_groups = |groups: &[&str]| json!({"user": "ana", "groups": groups});
    let left = change("aws_iam_user_group_membership", &["delete"], in_groups(&["held"]), Value::Null);
    gain(&before, &plan(&[], &[left]), "ana", "no longer held back by");
    let fewer = change("aws_iam_user_group_membership", &["update"], in_groups(&["held"]), in_groups(&[]));
    gain(&before, &plan(&[], &[fewer]), "ana", "no longer held back by");
    let trust = trust_service("lambda.amazonaws.com").to_string();
    let app = planned("aws_iam_role", json!({"name": "app", "assume_role_policy": trust}));
    gain(&before, &plan(&[app], &[]), "app", "no longer within the boundary");
}

/// A template that mentions a vendor's account is not for that account.
#[test]
fn a_template_is_of_the_account_that_it_is_compared_with() {
    let before = World::of([role("app").attach(&policy_arn("p"))])
        .policy(customer_policy("p", allow(&["s3:GetObject"], &["*"])))
        .account();
    let vendor = trust(json!({"AWS": "arn:aws:iam::444455556666:root"}));
    let template = json!({"Resources": {
        "A": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document(vendor)}},
        "P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"ManagedPolicyName": "p",
            "PolicyDocument": everything()}}}});
    let who: Vec<String> = gains(&before, &template).into_iter().map(|(name, _)| name).collect();
    assert_eq!(who, ["A", "app"]);
    let two = |statement: Value| {
        json!({"Resources": {"P": {"Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"ManagedPolicyName": "p", "PolicyDocument": document(statement)}}}})
    };
    let [narrow, wide] = [allow(&["s3:GetObject"], &["*"]), allow(&["*"], &["*"])].map(two);
    let old = of_plan(&narrow, Kind::CloudFormation, now());
    assert_eq!(gains(&old, &wide).len(), 1, "a policy that nobody holds there is compared, too");
    none(&old, &narrow);
    let held_back = |roles: &[&str]| {
        json!({"Resources": {"D": {"Type": "AWS::IAM::Policy", "Properties": {
        "PolicyName": "d", "Roles": roles, "PolicyDocument": document(deny(&["*"], &["*"]))}}}})
    };
    let old = of_plan(&held_back(&["mighty"]), Kind::CloudFormation, now());
    gain(&old, &held_back(&["other"]), "mighty", "no longer held back by");
}

#[test]
fn a_plan_that_is_not_whole_is_never_green() {
    let trust = trust_service("ec2.amazonaws.com").to_string();
    let app = || planned("aws_iam_role", json!({"name": "app", "assume_role_policy": trust}));
    let before = World::of([role("app").trusts(trust_service("ec2.amazonaws.com"))]).account();
    let later = change("aws_iam_role_policy", &["create"], Value::Null, json!({}));
    let deferred = json!([{"reason": "resource_config_unknown", "resource_change": later}]);
    let mut errored = plan(&[app()], &[]);
    errored["errored"] = true.into();
    let mut late = plan(&[app()], &[]);
    (late["complete"], late["deferred_changes"]) = (false.into(), deferred);
    let mut part = plan(&[app()], &[]);
    part["complete"] = false.into();
    let empty = |values: Value| json!({"terraform_version": "1.9.0", "planned_values": values});
    for (value, what) in [
        (errored, "ended with an error"),
        (late, "aws_iam_role_policy.x is deferred"),
        (part, "not complete"),
        (empty(json!({})), "a module is missing"),
        (empty(json!({"root_module": {"resources": {}}})), "a module is missing"),
        (json!({"Resources": {}}), "no resource"),
    ] {
        let after = of(&value, &before);
        let told = |p: &opsctl::audit::account::Problem| p.reason.contains(what);
        assert!(against::gaps(&before, &after).into_iter().any(told), "{what}: {:?}", after.problems);
        assert!(audit(&after, &Usage::default(), &Settings::at(now())).is_incomplete(), "{what}");
    }
    let whole = of(&plan(&[app()], &[]), &before);
    assert!(against::gaps(&before, &whole).is_empty());
    let empty = of(&empty(json!({"root_module": {}})), &before);
    assert!(empty.problems.is_empty(), "all is destroyed: {:?}", empty.problems);
}

#[test]
fn a_policy_that_nobody_holds_in_a_plan_is_judged() {
    let found = |value: &Value| {
        let account = of_plan(value, Kind::of(value).expect("a known shape"), now());
        let result = audit(&account, &Usage::default(), &Settings::at(now()));
        result.findings.iter().map(|f| (f.rule, f.resource.clone())).collect::<Vec<_>>()
    };
    let values = json!({"name": "p", "arn": policy_arn("p"), "policy": everything().to_string()});
    let alone = found(&plan(&[planned("aws_iam_policy", values.clone())], &[]));
    assert!(alone.contains(&("IAM103", policy_arn("p"))), "{alone:?}");
    let trust = trust_service("ec2.amazonaws.com").to_string();
    let bounded = planned(
        "aws_iam_role",
        json!({"name": "app", "assume_role_policy": trust, "permissions_boundary": policy_arn("p")}),
    );
    let bounds = found(&plan(&[planned("aws_iam_policy", values), bounded], &[]));
    assert!(!bounds.iter().any(|(_, on)| *on == policy_arn("p")), "{bounds:?}");
    let policies = Surroundings::from_value(json!([]));
    assert!(policies.is_err(), "a list is no file of policies");
}

#[test]
fn tags_that_open_what_was_shut_are_new_access() {
    let adm = || {
        let root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
        let asks = when(root, "StringEquals", "aws:PrincipalTag/x", "a");
        role("adm").aws("AdministratorAccess").trusts(document(asks))
    };
    let r = || role("r").can(allow(&["sts:AssumeRole"], &[&role_arn("adm")]));
    let lines = |old: &[RoleMaker], new: &[RoleMaker]| {
        let [old, new] = [old, new].map(|roles| World::of(roles.to_vec()).account());
        let gains = against::new_access(&old, &new, now());
        gains
            .into_iter()
            .map(|gain| format!("{}: {}", gain.principal, gain.lines.join("; ")))
            .collect::<Vec<_>>()
    };
    let opened = lines(&[r(), adm()], &[r().tag("x", "a"), adm()]);
    assert!(opened.len() == 1 && opened[0].contains("role/r: may become adm"), "{opened:?}");
    assert_eq!(lines(&[r(), adm()], &[r().tag("x", "b"), adm()]), [""; 0]);
    assert_eq!(lines(&[r().tag("x", "a"), adm()], &[r(), adm()]), [""; 0]);
    let on_tag = |effect: Value| when(effect, "StringEquals", "aws:ResourceTag/x", "a");
    let w = || role("w").can(on_tag(allow(&["iam:PutRolePolicy"], &["*"])));
    let opened = lines(&[w(), role("z")], &[w(), role("z").tag("x", "a")]);
    assert!(opened.len() == 1 && opened[0].contains("role/w: holds now on"), "{opened:?}");
    assert_eq!(lines(&[w(), role("z").tag("x", "a")], &[w(), role("z")]), [""; 0]);
    let d = || {
        let rewrites = allow(&["iam:PutRolePolicy"], &[&role_arn("z")]);
        role("d").can(vec![rewrites, on_tag(deny(&["iam:*"], &["*"]))])
    };
    let opened = lines(&[d(), role("z").tag("x", "a")], &[d(), role("z")]);
    assert!(opened.len() == 1 && opened[0].contains("role/d: no longer holds on"), "{opened:?}");
    assert_eq!(lines(&[d(), role("z")], &[d(), role("z").tag("x", "a")]), [""; 0]);
    let s = || role("s").can(on_tag(allow(&["s3:GetObject"], &["*"])));
    assert_eq!(lines(&[s(), role("z")], &[s(), role("z").tag("x", "a")]), [""; 0], "of no role");
}
