//! What findings name: the calls in their order, and the same fault by the same fingerprint.

use super::*;
use crate::audit::world::now;
use opsctl::audit::explain;
use opsctl_iam::decide::Decision;

fn fingerprint(world: World, rule: &str) -> String {
    let audit = world.audit();
    let found = audit.findings.iter().find(|f| f.rule == rule && f.resource == role_arn("t"));
    found.unwrap_or_else(|| panic!("{rule}: {:?}", audit.findings)).fingerprint.clone()
}

/// IAM gives the members of a list back in another order.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
#[test]
fn a_fingerprint_is_the_same_whatever_the_order() {
    let accounts = ["444455556666", "777788889999"];
    let roots = |order: [usize; 2]| order.map(|n| format!("arn:aws:iam::{}:root", accounts[n]));
    let in_a_list = |order| {
        let trust = trust(json!({"AWS": roots(order)}));
        World::of([role("t").trusts(document(trust)).aws("ReadOnlyAccess")])
    };
    let apart = |order: [usize; 2]| {
        let statements: Vec<Value> = roots(order).iter().map(|root| trust(json!({"AWS": root}))).collect();
        World::of([role("t").trusts(document(statements)).aws("ReadOnlyAccess")])
    };
    for rule in ["IAM116", "IAM304"] {
        assert_eq!(fingerprint(in_a_list([0, 1]), rule), fingerprint(in_a_list([1, 0]), rule), "{rule}");
        assert_eq!(fingerprint(apart([0, 1]), rule), fingerprint(apart([1, 0]), rule), "{rule} apart");
    }
    let first = document(trust(json!({"AWS": roots([0, 1])[0]})));
    let other = World::of([role("t").trusts(first).aws("ReadOnlyAccess")]);
    assert_ne!(fingerprint(in_a_list([0, 1]), "IAM304"), fingerprint(other, "IAM304"));
}

#[test]
fn a_way_up_is_the_same_fault_when_there_is_one_administrator_more() {
    let admin = |name: &str| role(name).trusts(trust_own_account()).can(everything());
    let t = || t().can(allow(&["sts:AssumeRole"], &[&role_arn("*")]));
    let known = fingerprint(World::of([t(), admin("m"), admin("z")]), "IAM208");
    assert_eq!(known, fingerprint(World::of([admin("z"), admin("m"), t()]), "IAM208"));
    assert_eq!(known, fingerprint(World::of([admin("aaa"), t(), admin("m")]), "IAM208"));
    let rewrites = super::t().can(allow(&["iam:UpdateAssumeRolePolicy"], &[&role_arn("*")]));
    assert_ne!(known, fingerprint(World::of([rewrites, admin("m")]), "IAM208"));
}

/// A tag of what is acted upon is that at the time of the call.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>
#[test]
fn the_tagging_that_comes_first_is_named() {
    let own = role_arn("t");
    let writes = || when(allow(&["iam:PutRolePolicy"], &[&own]), "StringEquals", "aws:ResourceTag/team", "x");
    let world = |tags: &str| one(vec![writes(), allow(&["iam:TagRole"], &[&role_arn(tags)])].into());
    let asked = |world: &World| {
        explain::explain(&world.account(), "t", "iam:PutRolePolicy", Some(&own), now()).expect("the role")
    };
    let tagging = format!("iam:TagRole of team = x on {own}");
    let told = |world: &World| {
        let audit = world.audit();
        audit.findings.iter().any(|f| f.rule == "IAM201" && f.evidence.iter().any(|e| e.contains(&tagging)))
    };
    let may = world("t");
    assert!(told(&may));
    let answer = asked(&may);
    assert_eq!(answer.decision, Decision::Conditional);
    let line = format!("depends on tags of {own}: allowed after {tagging}, which is allowed");
    assert!(answer.lines.contains(&line), "{:?}", answer.lines);
    assert_eq!(asked(&world("low")).decision, Decision::NotAllowed);
    assert!(!told(&world("low")));
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiamidentitycenter.html>
#[test]
fn permission_sets_that_are_named() {
    let on = |arns: &[&str]| one(allow(&["sso:PutInlinePolicyToPermissionSet"], arns));
    let (instance, set) = ("arn:aws:sso:::instance/ssoins-1", "arn:aws:sso:::permissionSet/ssoins-1/*");
    check("of an instance", on(&[set, instance]), &["IAM209:high"], &[]);
    check("one", on(&["arn:aws:sso:::permissionSet/ssoins-1/ps-1"]), &["IAM209:high"], &[]);
    check("of something else", on(&["arn:aws:s3:::b/*"]), &[], &["IAM209"]);
    check("read", one(allow(&["sso:DescribePermissionSet"], &[set])), &[], &["IAM209"]);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-currenttime>
#[test]
fn what_begins_later_is_not_allowed_now() {
    let starts =
        |day: &str| when(allow(&["s3:GetObject"], &["*"]), "DateGreaterThan", "aws:CurrentTime", day);
    let asked = |day: &str| {
        let account = one(starts(day)).account();
        explain::explain(&account, "t", "s3:GetObject", Some("arn:aws:s3:::b/k"), now()).expect("the role")
    };
    assert_eq!(asked("2020-01-01T00:00:00Z").decision, Decision::Allowed);
    let later = asked("2099-01-01T00:00:00Z");
    assert_eq!(later.decision, Decision::NotAllowed);
    assert!(later.lines.iter().any(|line| line.ends_with("(begins on 2099-01-01)")), "{:?}", later.lines);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_managed-versioning.html>
#[test]
fn a_policy_with_five_versions_takes_no_other() {
    let world = |versions: usize, more: &[&str]| {
        let on = policy_arn("p");
        let mut policy =
            customer_policy("p", allow(&[&["iam:CreatePolicyVersion"][..], more].concat(), &[&on]));
        let first = policy["PolicyVersionList"][0].clone();
        let old = (1..versions).map(|n| {
            let mut version = first.clone();
            version["VersionId"] = json!(format!("v{}", n + 1));
            version["IsDefaultVersion"] = json!(false);
            version
        });
        let all: Vec<Value> = std::iter::once(first.clone()).chain(old).collect();
        policy["PolicyVersionList"] = json!(all);
        World::of([t().attach(&on)]).policy(policy)
    };
    check("four", world(4, &[]), &["IAM201:critical"], &[]);
    check("five", world(5, &[]), &[], &["IAM201:critical", "IAM202:critical", "IAM208"]);
    check("one deleted first", world(5, &["iam:DeletePolicyVersion"]), &["IAM201:critical"], &[]);
}

#[test]
fn the_fix_of_a_way_without_an_administrator_names_none() {
    let fix = |world: World| {
        let audit = world.audit();
        audit.findings.into_iter().find(|f| f.rule == "IAM208").expect("the way").fix
    };
    let adm = || role("adm").trusts(trust_own_account()).can(everything());
    let low = || low().trusts(trust_own_account());
    let assumes = |name: &str| allow(&["sts:AssumeRole"], &[&role_arn(name)]);
    let writes = || allow(&["iam:PutRolePolicy"], &[&role_arn("low")]);
    assert!(fix(World::of([t().can(assumes("adm")), adm()])).contains("the administrator role"));
    let none = fix(World::of([t().can(vec![writes(), assumes("low")]), low()]));
    assert!(none.contains("Nobody on the way"), "{none}");
}
