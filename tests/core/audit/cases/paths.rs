//! Becoming what one can rewrite, and who can become whom.

use super::*;

const ESCALATES: &[&str] = &["IAM201", "IAM202", "IAM203", "IAM205", "IAM208"];

fn pass_and_run(target: &str) -> Vec<Value> {
    vec![
        allow(&["iam:PassRole"], &[&role_arn(target)]),
        allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], &["*"]),
    ]
}

#[test]
fn new_names_that_a_fence_leaves_open() {
    let fence = |spared: &str| json!({"Effect": "Deny", "Action": "iam:*", "NotResource": role_arn(spared)});
    let makes = |on: &str, rights_on: &str| {
        vec![
            allow(&["iam:CreateRole"], &[on]),
            allow(&["iam:PutRolePolicy"], &[rights_on]),
            allow(&["sts:AssumeRole"], &["*"]),
        ]
    };
    let fenced = |spared: &str| [makes("*", "*"), vec![fence(spared)]].concat();
    check("a fence", one(fenced("app-*").into()), &["IAM202:critical"], &[]);
    let closed = [fenced("app-*"), vec![deny(&["iam:CreateRole"], &["*"])]].concat();
    check("a closed one", one(closed.into()), &[], &["IAM202:critical"]);
    let split = |one: &str, two: &str| makes(&role_arn(one), &role_arn(two));
    check("two patterns", one(split("app-*", "*-dev").into()), &["IAM202:critical"], &[]);
    check("two that do not meet", one(split("app-*", "dev-*").into()), &[], &["IAM202:critical"]);
}

#[test]
fn a_user_that_can_be_given_rights_and_a_key() {
    let on_bilbo = |actions: &[&str]| one(allow(actions, &[&user_arn("bilbo")])).user(user("bilbo", &[]));
    let attach = on_bilbo(&["iam:AttachUserPolicy", "iam:CreateAccessKey"]);
    check("attach and key", attach, &["IAM202:critical", "IAM208"], &[]);
    let put = on_bilbo(&["iam:PutUserPolicy", "iam:CreateLoginProfile"]);
    check("put and password", put, &["IAM202:critical"], &[]);
    check("attach only", on_bilbo(&["iam:AttachUserPolicy"]), &["IAM202:high"], &["IAM208"]);
    check("key only", on_bilbo(&["iam:CreateAccessKey"]), &[], ESCALATES);
    let bounded = || {
        let mut user = user("bilbo", &[]);
        user["PermissionsBoundary"] =
            json!({"PermissionsBoundaryArn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"});
        user
    };
    let both = &["iam:AttachUserPolicy", "iam:CreateAccessKey"];
    check("bounded", one(allow(both, &[&user_arn("bilbo")])).user(bounded()), &[], ESCALATES);
    let lifts = &["iam:AttachUserPolicy", "iam:CreateAccessKey", "iam:DeleteUserPermissionsBoundary"];
    let lifted = one(allow(lifts, &[&user_arn("bilbo")])).user(bounded());
    check("bounded, until the boundary is taken off", lifted, &["IAM202:critical"], &[]);
    let denied = World::of([
        t().can(vec![allow(both, &[&user_arn("bilbo")]), deny(&["iam:AttachUserPolicy"], &["*"])])
    ]);
    check("denied", denied.user(user("bilbo", &[])), &[], ESCALATES);
}

#[test]
fn groups_are_ways_to_rights() {
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:group/{name}");
    let join = |name: &str| {
        one(Value::from(vec![
            allow(&["iam:AddUserToGroup"], &[&arn(name)]),
            allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]),
        ]))
        .user(user("bilbo", &[]))
    };
    let admins = group("admins", &[everything()]);
    check("into the administrators", join("admins").group(admins), &["IAM202:critical"], &[]);
    let adds = || one(allow(&["iam:AddUserToGroup"], &[&arn("admins")]));
    check("anybody", adds().group(group("admins", &[everything()])), &["IAM202:high"], &["IAM208"]);
    check("of readers", adds().group(group("admins", &[])), &[], ESCALATES);
    let readers = group("readers", &[allow(&["s3:ListBucket"], &["*"])]);
    check("into the readers", join("readers").group(readers), &[], ESCALATES);
    check("into a group that is not told", join("admins"), &["IAM202:medium"], &["IAM208"]);
    let mut member = user("bilbo", &[]);
    member["GroupList"] = json!(["devs"]);
    let writes = one(Value::from(vec![
        allow(&["iam:PutGroupPolicy"], &[&arn("devs")]),
        allow(&["iam:CreateAccessKey"], &[&user_arn("bilbo")]),
    ]));
    check("of a member", writes.user(member).group(group("devs", &[])), &["IAM202:critical"], &[]);
}

#[test]
fn a_role_that_can_be_rewritten_and_become() {
    let with_low = |statements: Vec<Value>| World::of([t().can(statements), low()]);
    let both = allow(&["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"], &[&role_arn("low")]);
    check("put and trust", with_low(vec![both]), &["IAM202:critical", "IAM208"], &[]);
    let put = allow(&["iam:PutRolePolicy"], &[&role_arn("low")]);
    check("put only", with_low(vec![put.clone()]), &["IAM202:medium"], &["IAM208"]);
    let passed = [vec![put.clone()], pass_and_run("low")].concat();
    check("put and pass", with_low(passed), &["IAM202:critical", "IAM208"], &[]);
    check("pass only", with_low(pass_and_run("low")), &[], ESCALATES);
    let guarded = when(put, "StringEquals", "iam:PermissionsBoundary", policy_arn("edge"));
    check(
        "put with a boundary only",
        with_low([vec![guarded], pass_and_run("low")].concat()),
        &[],
        ESCALATES,
    );
    let linked = role("low").path("/aws-service-role/x.amazonaws.com/");
    let own = allow(&["iam:PutRolePolicy"], &["arn:aws:iam::111122223333:role/aws-service-role/*"]);
    check("service-linked", World::of([t().can(own), linked]), &[], ESCALATES);
}

#[test]
fn a_policy_that_others_hold_is_theirs_to_gain_by() {
    let theirs = || customer_policy("theirs", allow(&["s3:ListBucket"], &["arn:aws:s3:::b"]));
    let version = || allow(&["iam:CreatePolicyVersion"], &[&policy_arn("theirs")]);
    let holder = || low().attach(&policy_arn("theirs"));
    let passed = World::of([t().can([vec![version()], pass_and_run("low")].concat()), holder()]);
    check("of a role that is passed", passed.policy(theirs()), &["IAM202:critical", "IAM208"], &[]);
    let assumed = World::of([
        t().can(vec![version(), allow(&["sts:AssumeRole"], &[&role_arn("low")])]),
        holder().trusts(trust_own_account()),
    ]);
    check("of a role that is assumed", assumed.policy(theirs()), &["IAM202:critical"], &[]);
    let nobodys = World::of([t().can([vec![version()], pass_and_run("low")].concat()), low()]);
    check("of nobody", nobodys.policy(theirs()), &[], ESCALATES);
    let mut old = theirs();
    old["PolicyVersionList"]
        .as_array_mut()
        .unwrap()
        .push(json!({"VersionId": "v0", "IsDefaultVersion": false, "Document": document(everything())}));
    let back = allow(&["iam:SetDefaultPolicyVersion"], &[&policy_arn("theirs")]);
    let world = |policy| {
        World::of([t().can([vec![back.clone()], pass_and_run("low")].concat()), holder()]).policy(policy)
    };
    check("back to a mighty version", world(old), &["IAM202:critical"], &[]);
    check("no other version", world(theirs()), &[], ESCALATES);
}

#[test]
fn what_one_makes_one_may_become() {
    let app = role_arn("app-*");
    let makes = |actions: &[&str]| one(allow(actions, &[&app]));
    check(
        "makes a role",
        makes(&["iam:CreateRole", "iam:PutRolePolicy"]),
        &["IAM202:critical", "IAM208"],
        &[],
    );
    check("attaches to it", makes(&["iam:CreateRole", "iam:AttachRolePolicy"]), &["IAM202:critical"], &[]);
    check("a role without rights", makes(&["iam:CreateRole", "iam:PassRole"]), &[], ESCALATES);
    let bounded = when(
        allow(&["iam:CreateRole", "iam:PutRolePolicy"], &[&app]),
        "StringEquals",
        "iam:PermissionsBoundary",
        policy_arn("edge"),
    );
    check("with a boundary", one(bounded), &[], ESCALATES);
    let unless = when(
        deny(&["iam:CreateRole", "iam:PutRolePolicy"], &["*"]),
        "StringNotEquals",
        "iam:PermissionsBoundary",
        policy_arn("edge"),
    );
    let both = vec![allow(&["iam:CreateRole", "iam:PutRolePolicy"], &[&app]), unless];
    check("denied unless with a boundary", one(both.into()), &[], ESCALATES);
    let ci = user_arn("ci-*");
    let user = |actions: &[&str]| one(allow(actions, &[&ci]));
    let all = &["iam:CreateUser", "iam:AttachUserPolicy", "iam:CreateAccessKey"];
    check("makes a user", user(all), &["IAM202:critical"], &[]);
    check("without a key", user(&all[..2]), &[], ESCALATES);
    check("of another name", one(allow(&["iam:CreateRole"], &[&app])), &[], ESCALATES);
    let apart =
        vec![allow(&["iam:CreateRole"], &[&app]), allow(&["iam:PutRolePolicy"], &[&role_arn("job-*")])];
    check("rights for other names", one(apart.into()), &[], ESCALATES);
}

#[test]
fn a_limit_on_policies_that_admits_a_mighty_one() {
    let corp = policy_arn("corp-admin");
    let attach = |arn: &str| when(allow(&["iam:AttachRolePolicy"], &["*"]), "ArnLike", "iam:PolicyARN", arn);
    let admin = || customer_policy("corp-admin", everything());
    check("one of the account's own", one(attach(&corp)).policy(admin()), &["IAM201"], &[]);
    let reader = customer_policy("corp-admin", allow(&["s3:GetObject"], &["*"]));
    check("which is none", one(attach(&corp)).policy(reader), &[], ESCALATES);
    let make = vec![attach(&policy_arn("app-*")), allow(&["iam:CreatePolicy"], &[&policy_arn("app-*")])];
    check("one of one's own making", one(make.into()), &["IAM201"], &[]);
    check("others' making", one(attach(&policy_arn("app-*"))), &[], ESCALATES);
}

#[test]
fn tags_decide() {
    let adm = |statement: Value| role("adm").trusts(document(statement)).can(everything());
    let root = || trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let asks = || adm(when(root(), "StringEquals", "aws:PrincipalTag/team", "x"));
    let assume = || allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    let tagged = |team: &str| World::of([t().tag("team", team).can(assume()), asks()]);
    check("the tag that is asked for", tagged("x"), &["IAM208"], &[]);
    check("another", tagged("y"), &[], &["IAM208"]);
    check("none", World::of([t().can(assume()), asks()]), &[], &["IAM208"]);
    let on_tag = when(allow(&["sts:AssumeRole"], &["*"]), "StringEquals", "aws:ResourceTag/team", "x");
    let open = |team: &str| World::of([t().can(on_tag.clone()), adm(root()).tag("team", team)]);
    check("of what is assumed", open("x"), &["IAM208"], &[]);
    check("of what is not", open("y"), &[], &["IAM208"]);
    let own = when(everything(), "StringEquals", "aws:PrincipalTag/admin", "true");
    check("its own", World::of([t().tag("admin", "true").can(own.clone())]), &["IAM103"], &["IAM104"]);
    check("not its own", one(own), &[], &["IAM103", "IAM104"]);
    let key = when(
        allow(&["iam:CreateAccessKey"], &[&user_arn("*")]),
        "StringEquals",
        "aws:ResourceTag/developer",
        "true",
    );
    let boss = || user("boss", &[everything()]);
    let sets = vec![key.clone(), allow(&["iam:TagUser"], &["*"])];
    check("that it may set first", one(sets.into()).user(boss()), &["IAM202:critical"], &[]);
    check("that it may not set", one(key).user(boss()), &[], ESCALATES);
    let named = allow(&["sts:AssumeRole"], &["arn:aws:iam::111122223333:role/${aws:PrincipalTag/team}-adm"]);
    let filled = |team: &str| {
        let adm = role("x-adm").trusts(trust_own_account()).can(everything());
        World::of([t().tag("team", team).can(named.clone()), adm])
    };
    check("in the name of what is assumed", filled("x"), &["IAM208"], &[]);
    check("in another name", filled("y"), &[], &["IAM208"]);
}

#[test]
fn sessions_are_their_role() {
    let session = |name: &str| format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s");
    let adm =
        |name: &str| role("adm").trusts(document(trust(json!({"AWS": session(name)})))).can(everything());
    check("of this role", World::of([t(), adm("t")]), &["IAM208"], &[]);
    check("of another", World::of([t(), low(), adm("low")]), &[], &["IAM208"]);
}

/// Users are no roles, but paths begin with them, too.
#[test]
fn users_and_their_groups_are_where_paths_begin() {
    let adm = || role("adm").trusts(trust_own_account()).can(everything());
    let assume = allow(&["sts:AssumeRole"], &[&role_arn("adm")]);
    let on_user = |world: World| {
        let audit = world.audit();
        audit.findings.into_iter().find(|f| f.rule == "IAM211" && f.resource == user_arn("u"))
    };
    let own = on_user(World::of([adm()]).user(user("u", std::slice::from_ref(&assume)))).expect("a path");
    assert_eq!(own.evidence[0], "REACHABLE: the user assumes adm");
    let mut member = user("u", &[]);
    member["GroupList"] = json!(["ops"]);
    let by_group = World::of([adm()]).user(member.clone()).group(group("ops", &[assume]));
    assert!(on_user(by_group).is_some_and(|f| f.evidence[1].contains("ops")));
    assert!(on_user(World::of([adm()]).user(member).group(group("ops", &[]))).is_none());
    let own_key = allow(&["iam:*AccessKey*"], &["arn:aws:iam::*:user/${aws:username}"]);
    let boss = || user("boss", &[everything()]);
    assert!(on_user(World::of([low()]).user(user("u", &[own_key])).user(boss())).is_none());
    let any_key = allow(&["iam:CreateAccessKey"], &["*"]);
    assert!(on_user(World::of([low()]).user(user("u", &[any_key])).user(boss())).is_some());
}

#[test]
fn users_who_are_administrators_or_write_their_own_rights() {
    let audit = |user: Value, groups: &[(&str, Value)]| {
        let world = World::of([low()]).user(user);
        let world = groups
            .iter()
            .fold(world, |world, (name, can)| world.group(group(name, std::slice::from_ref(can))));
        world.audit().findings.into_iter().filter(|f| f.resource == user_arn("u")).collect::<Vec<_>>()
    };
    let rules = |found: &[opsctl::audit::Finding]| found.iter().map(|f| f.rule).collect::<Vec<_>>();
    let mut member = user("u", &[]);
    member["GroupList"] = json!(["admins"]);
    let found = audit(member, &[("admins", everything())]);
    assert_eq!(rules(&found), ["IAM212"]);
    assert!(found[0].evidence[1].contains("admins"), "{:?}", found[0].evidence);
    let own = |action: &str, on: &str| user("u", &[allow(&[action], &[on])]);
    let itself = "arn:aws:iam::*:user/${aws:username}";
    let found = audit(own("iam:PutUserPolicy", itself), &[]);
    assert_eq!(rules(&found), ["IAM211"]);
    assert_eq!(
        found[0].evidence[0],
        format!("REACHABLE: the user calls iam:PutUserPolicy on {}", user_arn("u"))
    );
    let joins = || own("iam:AddUserToGroup", "*");
    assert_eq!(rules(&audit(joins(), &[("admins", everything())])), ["IAM211"]);
    assert!(audit(joins(), &[("readers", allow(&["s3:List*"], &["*"]))]).is_empty());
    assert!(audit(own("iam:ChangePassword", itself), &[]).is_empty());
}

#[test]
fn root_users_of_the_organization() {
    check("as root", one(allow(&["sts:AssumeRoot"], &["*"])), &["IAM112:high"], &[]);
}

#[test]
fn the_calls_are_told_in_order() {
    let world = World::of([
        t().can(vec![
            allow(&["iam:PutRolePolicy"], &[&role_arn("low")]),
            allow(&["sts:AssumeRole"], &[&role_arn("mid")]),
        ]),
        role("mid").trusts(trust_own_account()).can(allow(&["sts:AssumeRole"], &[&role_arn("low")])),
        low().trusts(trust_own_account()),
    ]);
    let audit = world.audit();
    let finding =
        audit.findings.iter().find(|f| f.rule == "IAM202" && f.resource == role_arn("t")).expect("it");
    let calls = format!(
        "REACHABLE: iam:PutRolePolicy on {low}, then sts:AssumeRole on {mid}, then sts:AssumeRole on {low}: \
         an administrator",
        low = role_arn("low"),
        mid = role_arn("mid")
    );
    assert_eq!(finding.evidence[0], calls);
}

#[test]
fn dormant_and_a_way_up_is_high() {
    let dormant =
        |statement: Value| World::of([t().never_used().can(statement)]).user(user("boss", &[everything()]));
    check("to users", dormant(allow(&["iam:AttachUserPolicy"], &["*"])), &["IAM402:high"], &[]);
    check("to machines", dormant(allow(&["ssm:SendCommand"], &["*"])), &["IAM402:high"], &[]);
    let reads = allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]);
    check("nowhere", dormant(reads), &["IAM402:medium"], &[]);
    let glass = World::of([t().never_used().tag("opsctl:break-glass", "true").can(everything())]);
    check("for emergencies", glass, &["IAM103"], &["IAM402", "IAM406"]);
}

#[test]
fn roles_of_any_account() {
    let any = allow(&["sts:AssumeRole"], &["arn:aws:iam::*:role/Vendor*"]);
    check("by name", one(any.clone()), &["IAM205"], &[]);
    let own = when(any, "StringEquals", "aws:ResourceOrgID", "o-abcdefghij");
    check("of the organization", one(own), &[], &["IAM205"]);
}
