//! What a Deny or a boundary leaves of a call: a service is asked for nothing that its caller may not ask
//! for.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use opsctl::audit::surroundings::Surroundings;
use opsctl::audit::{Settings, Usage, audit};

use super::*;

const UP: &[&str] = &["IAM203:critical", "IAM208"];
const MAKE_AND_RUN: &[&str] = &["lambda:CreateFunction", "lambda:InvokeFunction"];

fn function(name: &str) -> String {
    format!("arn:aws:lambda:*:{ACCOUNT}:function:{name}")
}

fn all_but(mut statement: Value) -> Value {
    let resources = statement["Resource"].take();
    statement.as_object_mut().expect("an object").remove("Resource");
    statement["NotResource"] = resources;
    statement
}

/// The role `t`, which may pass the administrator of a service, and more.
fn passes(service: &str, more: Vec<Value>) -> World {
    let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
    World::of([t().can([vec![pass], more].concat()), admin_of(service)])
}

/// A role of machines.
fn machine(name: &str, rights: Value) -> RoleMaker {
    let held = json!([{"InstanceProfileName": name}]);
    role(name).trusts(trust_service("ec2.amazonaws.com")).can(rights).set("InstanceProfileList", held)
}

/// The same within a boundary.
fn bounded(service: &str, own: Value, edge: Vec<Value>) -> World {
    let pass = allow(&["iam:PassRole"], &["*"]);
    let of = t().can(vec![pass.clone(), own]).boundary(&policy_arn("edge"));
    let edge = customer_policy("edge", [vec![pass], edge].concat());
    World::of([of, admin_of(service)]).policy(edge)
}

/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-api-permissions-ref.html>
#[test]
fn what_is_made_and_run_is_left_by_the_denies() {
    let dev = |more: Vec<Value>| {
        passes("lambda", [vec![allow(MAKE_AND_RUN, &[&function("dev-*")])], more].concat())
    };
    let denied = |name: &str| dev(vec![deny(&["lambda:*"], &[&function(name)])]);
    check("nothing is denied", dev(vec![]), UP, &[]);
    check("what is allowed", denied("dev-*"), &[], UP);
    check("more", denied("d*"), &[], UP);
    check("a part", denied("dev-prod-*"), UP, &[]);
    let halves = [deny(&["lambda:*"], &[&function("dev-*a")]), deny(&["lambda:Inv*"], &[&function("*-*")])];
    check("by two", dev(halves.to_vec()), &[], UP);
    let but = |name: &str| dev(vec![all_but(deny(&["lambda:*"], &[&function(name)]))]);
    check("all but others", but("ok-*"), &[], UP);
    check("all but some", but("dev-ok-*"), UP, &[]);
    let regions = |there: &str| {
        let here = allow(MAKE_AND_RUN, &[&format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:*")]);
        passes("lambda", vec![here, all_but(deny(&["lambda:*"], &[&format!("arn:aws:lambda:{there}:*:*")]))])
    };
    check("other regions", regions("eu-west-1"), &[], UP);
    check("all but this one", regions("us-*"), UP, &[]);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>
#[test]
fn what_is_made_and_run_is_left_by_the_boundary() {
    let dev = || allow(MAKE_AND_RUN, &[&function("dev-*")]);
    let all = || allow(MAKE_AND_RUN, &["*"]);
    let edge = |name: &str| vec![allow(&["lambda:*"], &[&function(name)])];
    check("other names", bounded("lambda", dev(), edge("ok-*")), &[], UP);
    check("the same names", bounded("lambda", dev(), edge("dev-*")), UP, &[]);
    check("some of them", bounded("lambda", dev(), edge("*-ok")), UP, &[]);
    check("some of all", bounded("lambda", all(), edge("ok-*")), UP, &[]);
    let apart = |made: &str, run: &str| {
        vec![allow(&[MAKE_AND_RUN[0]], &[&function(made)]), allow(&[MAKE_AND_RUN[1]], &[&function(run)])]
    };
    check("made and run apart", bounded("lambda", all(), apart("a-*", "b-*")), &[], UP);
    check("made and run", bounded("lambda", all(), apart("a-*", "*-b")), UP, &[]);
    let denies = |name: &str| vec![allow(&["lambda:*"], &["*"]), deny(&["lambda:*"], &[&function(name)])];
    check("a Deny in it", bounded("lambda", dev(), denies("dev-*")), &[], UP);
    check("of others", bounded("lambda", dev(), denies("ok-*")), UP, &[]);
    let job = |name: &str| format!("arn:aws:glue:*:{ACCOUNT}:job/{name}");
    let jobs = |name: &str| {
        let own = allow(&["glue:CreateJob", "glue:StartJobRun"], &[&job("dev-*")]);
        bounded("glue", own, vec![allow(&["glue:*"], &[&job(name)])])
    };
    check("other jobs", jobs("ok-*"), &[], UP);
    check("the same jobs", jobs("dev-*"), UP, &[]);
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html>
#[test]
fn what_is_allowed_on_all_but_some() {
    let with = |statements: Vec<Value>| passes("lambda", statements);
    check("all but its own", with(vec![all_but(allow(MAKE_AND_RUN, &[&function("*")]))]), &[], UP);
    check("all but some", with(vec![all_but(allow(MAKE_AND_RUN, &[&function("prod-*")]))]), UP, &[]);
    let there = format!("arn:aws:lambda:eu-west-1:{ACCOUNT}:function:*");
    let run = |at: &str| {
        let made = all_but(allow(&[MAKE_AND_RUN[0]], &[&there]));
        with(vec![made, allow(&[MAKE_AND_RUN[1]], &[at])])
    };
    check("run where it is not made", run(&there), &[], UP);
    check("run where it is made", run(&function("*")), UP, &[]);
}

/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html>
#[test]
fn what_the_organization_leaves() {
    let with = |name: &str, world: World, denied: Value, must: &[&str], must_not: &[&str]| {
        let mut account = world.account();
        let around = json!({"ServiceControlPolicies": {"p": document(vec![everything(), denied])}});
        account.surround(Surroundings::from_value(around).expect("of this shape"));
        verify(name, &audit(&account, &Usage::default(), &Settings::at(now())), must, must_not);
    };
    let dev = || passes("lambda", vec![allow(MAKE_AND_RUN, &[&function("dev-*")])]);
    let but = |name: &str| all_but(deny(&["lambda:*"], &[&function(name)]));
    with("all but others", dev(), but("ok-*"), &[], UP);
    with("all but some", dev(), but("dev-ok-*"), UP, &[]);
    let runs = || passes("ec2", vec![allow(&["ec2:RunInstances"], &["*"])]);
    let on = |kind: &str| deny(&["ec2:RunInstances"], &[&format!("arn:aws:ec2:*:*:{kind}/*")]);
    with("machines", runs(), on("instance"), &[], UP);
    with(
        "large machines",
        runs(),
        when(on("instance"), "StringNotEquals", "ec2:InstanceType", "t3.micro"),
        UP,
        &[],
    );
}

/// A machine needs an image, a network interface and a subnet as well: all must be allowed.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html#iam-example-runinstances>
#[test]
fn a_machine_needs_things_of_several_types() {
    let all = |kind: &str| format!("arn:aws:ec2:*:*:{kind}/*");
    let run = |kind: &str| {
        passes("ec2", vec![allow(&["ec2:RunInstances"], &["*"]), deny(&["ec2:RunInstances"], &[&all(kind)])])
    };
    for kind in ["instance", "image", "subnet", "network-interface"] {
        check(kind, run(kind), &[], UP);
    }
    for kind in ["key-pair", "volume", "placement-group", "launch-template", "subnet/subnet-1"] {
        check(kind, run(kind), UP, &[]);
    }
    let spot = "ec2:RequestSpotInstances";
    let spot = |kind: &str| passes("ec2", vec![allow(&[spot], &["*"]), deny(&[spot], &[&all(kind)])]);
    check("spot", spot("spot-instances-request"), &[], UP);
    check("spot, of a key pair", spot("key-pair"), UP, &[]);
    let on = |kinds: &[&str]| {
        let arns: Vec<String> = kinds.iter().map(|kind| all(kind)).collect();
        let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
        passes("ec2", vec![allow(&["ec2:RunInstances"], &arns)])
    };
    check("without a subnet", on(&["instance", "image"]), &[], UP);
    check("with all", on(&["instance", "image", "subnet", "network-interface", "volume"]), UP, &[]);
}

/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>
#[test]
fn machines_that_are_there_are_entered_where_they_are_not_denied() {
    let machine = || machine("adm", everything());
    let user_data = ["ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"];
    let instances = "arn:aws:ec2:*:*:instance/*";
    let documents = "arn:aws:ssm:*:*:document/*";
    for (actions, denied) in [
        (&["ssm:SendCommand"][..], instances),
        (&["ssm:SendCommand"], documents),
        (&["ssm:StartSession"], instances),
        (&["ssm:CreateAssociation"], instances),
        (&["ssm:CreateAssociation"], documents),
        (&user_data, instances),
    ] {
        let with = |on: &str| {
            World::of([t().can(vec![allow(actions, &["*"]), deny(&[actions[0]], &[on])]), machine()])
        };
        let name = format!("{actions:?}");
        check(&format!("{name}, but not on {denied}"), with(denied), &[], &["IAM204:high"]);
        check(&name, with("arn:aws:ec2:*:*:instance/i-1"), &["IAM204:high"], &[]);
    }
}

/// Only machines have the key, so that a Deny on all machines is a Deny of the call.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>
#[test]
fn machines_with_some_instance_profiles_are_denied() {
    let profile = |name: &str| format!("arn:aws:iam::{ACCOUNT}:instance-profile/{name}");
    let with = |deny: Value, passed: &str| {
        let rights = vec![allow(&["iam:PassRole"], &["*"]), allow(&["ec2:RunInstances"], &["*"]), deny];
        let adm = machine(passed, everything());
        World::of([role("t").trusts(trust_service("states.amazonaws.com")).can(rights), adm])
    };
    let denied = |on: &str, operator: &str, value: &str| {
        when(deny(&["ec2:RunInstances"], &[on]), operator, "ec2:InstanceProfile", value)
    };
    let all = "arn:aws:ec2:*:*:instance/*";
    let own = &format!("arn:aws:ec2:*:{ACCOUNT}:instance/*");
    for (name, on, operator, value) in [
        ("others", all, "ArnNotLike", profile("low")),
        ("others, of the account", own, "ArnNotLikeIfExists", profile("low")),
        ("it", all, "ArnEquals", profile("adm")),
        ("any", all, "Null", "false".into()),
        ("it, on everything", "*", "ArnEquals", profile("adm")),
        ("others, on everything", "*", "ArnNotLike", profile("adm")),
    ] {
        check(name, with(denied(on, operator, &value), "adm"), &[], UP);
    }
    for (name, on, operator, value) in [
        ("another", all, "ArnEquals", profile("low")),
        ("all others", all, "ArnNotLike", profile("adm")),
        ("it, in one region", "arn:aws:ec2:eu-west-1:*:instance/*", "ArnEquals", profile("adm")),
        ("it, where nothing has one", "arn:aws:ec2:*:*:subnet/*", "ArnEquals", profile("adm")),
    ] {
        check(name, with(denied(on, operator, &value), "adm"), UP, &[]);
    }
}

/// A session to a port of the machine is no shell, where every statement asks for the document; one to a port
/// of any host reaches the credentials of the machine's role.
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-specify-session-document.html>
#[test]
fn a_session_to_a_port_is_no_shell() {
    let on = |documents: &[&str]| {
        let arns = documents.iter().map(|name| format!("arn:aws:ssm:*:*:document/{name}"));
        let arns: Vec<String> = arns.chain(["arn:aws:ec2:*:*:instance/*".into()]).collect();
        let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
        allow(&["ssm:StartSession"], &arns)
    };
    let checked =
        |statement: Value| when(statement, "BoolIfExists", "ssm:SessionDocumentAccessCheck", "true");
    let with = |statements: Vec<Value>| World::of([t().can(statements), machine("adm", everything())]);
    let port = "AWS-StartPortForwardingSession";
    check("a port", with(vec![checked(on(&[port]))]), &[], &["IAM204:high"]);
    check("no document", with(vec![checked(on(&[]))]), &[], &["IAM204:high"]);
    for (name, statements) in [
        ("a port, not asked for", vec![on(&[port])]),
        ("a port of any host", vec![checked(on(&["AWS-StartPortForwardingSessionToRemoteHost"]))]),
        ("any port", vec![checked(on(&["AWS-StartPortForwardingSession*"]))]),
        ("a shell", vec![checked(on(&[port, "SSM-SessionManagerRunShell"]))]),
        ("not asked for everywhere", vec![checked(on(&[port])), on(&[])]),
        ("the default", vec![on(&[])]),
    ] {
        check(name, with(statements), &["IAM204:high"], &[]);
    }
}
