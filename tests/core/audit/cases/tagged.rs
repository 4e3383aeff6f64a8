//! What is open only by a tag, which the caller may give to what it makes or to what is there.

use super::*;

const UP: &[&str] = &["IAM203:critical", "IAM208:critical"];
const NO_WAY: &[&str] = &["IAM203", "IAM208"];

fn by_tag(actions: &[&str]) -> Value {
    when(allow(actions, &["*"]), "StringEquals", "aws:ResourceTag/team", "x")
}

/// The role may pass an administrator to a service, make something there, and do this.
fn makes(service: &str, make: Value, more: Vec<Value>) -> World {
    let pass = allow(&["iam:PassRole"], &[&role_arn("adm")]);
    World::of([t().can([vec![pass, make], more].concat()), admin_of(service)])
}

/// Who makes a thing gives it the tag by which it may then be run.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html>
#[test]
fn what_is_made_with_a_tag_is_run_by_that_tag() {
    let services = [
        ("lambda", "lambda:CreateFunction", "lambda:InvokeFunction", "lambda:TagResource"),
        ("sagemaker", "sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution", "sagemaker:AddTags"),
        ("glue", "glue:CreateJob", "glue:StartJobRun", "glue:TagResource"),
        ("ecs-tasks", "ecs:RegisterTaskDefinition", "ecs:RunTask", "ecs:TagResource"),
        ("states", "states:CreateStateMachine", "states:StartExecution", "states:TagResource"),
        (
            "emr-serverless",
            "emr-serverless:CreateApplication",
            "emr-serverless:StartJobRun",
            "emr-serverless:TagResource",
        ),
    ];
    for (service, make, run, tag) in services {
        let world =
            |more: Vec<Value>| makes(service, allow(&[make], &["*"]), [vec![by_tag(&[run])], more].concat());
        let tags = || allow(&[tag], &["*"]);
        check(tag, world(vec![tags()]), UP, &[]);
        check(&format!("{service}: no tag"), world(vec![]), &[], NO_WAY);
        let that = when(tags(), "StringEquals", "aws:RequestTag/team", "x");
        check(&format!("{service}: that tag"), world(vec![that]), UP, &[]);
        let other = when(tags(), "StringEquals", "aws:RequestTag/team", "y");
        check(&format!("{service}: another value"), world(vec![other]), &[], NO_WAY);
        let guard = when(deny(&[tag], &["*"]), "ForAnyValue:StringEquals", "aws:TagKeys", "team");
        check(&format!("{service}: a Deny"), world(vec![tags(), guard]), &[], NO_WAY);
    }
}

#[test]
fn tags_that_only_the_making_call_sets() {
    let world = |make: Value| makes("codebuild", make, vec![by_tag(&["codebuild:StartSandbox"]), any()]);
    fn any() -> Value {
        allow(&["codebuild:StartCommandExecution"], &["*"])
    }
    let make = || allow(&["codebuild:CreateProject"], &["*"]);
    check("any tags", world(make()), UP, &[]);
    let pinned = |value: &str| when(make(), "StringEquals", "aws:RequestTag/team", value);
    check("that tag", world(pinned("x")), UP, &[]);
    check("another", world(pinned("y")), &[], NO_WAY);
    let none = when(make(), "Null", "aws:RequestTag/team", "true");
    check("none", world(none), &[], NO_WAY);
}

#[test]
fn what_is_there_is_tagged_and_then_given_a_role() {
    let change = by_tag(&["ec2:AssociateIamInstanceProfile"]);
    let tags = || allow(&["ec2:CreateTags"], &["arn:aws:ec2:*:*:instance/*"]);
    let pass = |more: Vec<Value>| makes("ec2", change.clone(), more);
    check("tagged", pass(vec![tags()]), UP, &[]);
    check("not tagged", pass(vec![]), &[], NO_WAY);
    let at_start = when(tags(), "StringEquals", "ec2:CreateAction", "RunInstances");
    let runs = allow(&["ec2:RunInstances"], &["*"]);
    let small = when(runs.clone(), "Null", "ec2:InstanceProfile", "true");
    let own =
        when(allow(&["ec2:AssociateIamInstanceProfile"], &["*"]), "StringEquals", "ec2:ResourceTag/a", "b");
    let started = |more: Vec<Value>| makes("ec2", own.clone(), more);
    check("tagged when it is started", started(vec![small, at_start.clone()]), UP, &[]);
    check("never started", started(vec![at_start]), &[], NO_WAY);
}

/// A Deny that spares what carries a tag is one on what does not.
#[test]
fn a_deny_unless_tagged_spares_what_the_caller_tags() {
    let world = |tag: &str| {
        let own = ["lambda:InvokeFunction", tag];
        let fence =
            when(deny(&["lambda:InvokeFunction"], &["*"]), "StringNotEquals", "aws:ResourceTag/team", "x");
        makes("lambda", allow(&["lambda:CreateFunction"], &["*"]), vec![allow(&own, &["*"]), fence])
    };
    check("tagged", world("lambda:TagResource"), UP, &[]);
    check("not tagged", world("lambda:ListTags"), &[], NO_WAY);
    let twice = || {
        let fence = when(deny(&["lambda:*"], &["*"]), "StringEquals", "aws:ResourceTag/team", "x");
        let own = vec![by_tag(&["lambda:InvokeFunction"]), allow(&["lambda:TagResource"], &["*"]), fence];
        makes("lambda", allow(&["lambda:CreateFunction"], &["*"]), own)
    };
    check("denied by the same tag", twice(), &[], NO_WAY);
}

#[test]
fn all_calls_are_about_one_name() {
    let world = |tagged: &str| {
        let on = |name: &str| format!("arn:aws:lambda:*:{ACCOUNT}:function:{name}");
        let make = allow(&["lambda:CreateFunction"], &[&on("a-*")]);
        makes(
            "lambda",
            make,
            vec![by_tag(&["lambda:InvokeFunction"]), allow(&["lambda:TagResource"], &[&on(tagged)])],
        )
    };
    check("one", world("a-*"), UP, &[]);
    check("two", world("b-*"), &[], NO_WAY);
}

/// No call on what is not there yet has its tags.
#[test]
fn nothing_is_made_by_a_tag_that_it_has_already() {
    let all = by_tag(&["lambda:CreateFunction", "lambda:InvokeFunction"]);
    check("it", makes("lambda", all, vec![allow(&["lambda:TagResource"], &["*"])]), &[], NO_WAY);
}

#[test]
fn what_exists_is_tagged_before_it_is_changed() {
    let world = |tag: &str| one(vec![by_tag(&["lambda:UpdateFunctionCode"]), allow(&[tag], &["*"])].into());
    check("any", world("lambda:TagResource"), &["IAM204:medium"], &[]);
    check("none", world("lambda:ListTags"), &[], &["IAM204"]);
    // What is tagged when it is started has no role but one that is passed to it.
    let enters = |tags: Value| {
        let runs = allow(&["ec2:RunInstances"], &["*"]);
        one(vec![by_tag(&["ec2-instance-connect:SendSSHPublicKey"]), runs, tags].into())
    };
    let tags = || allow(&["ec2:CreateTags"], &["*"]);
    check("machines", enters(tags()), &["IAM204:medium"], &[]);
    let new = when(tags(), "StringEquals", "ec2:CreateAction", "RunInstances");
    check("new machines", enters(new), &[], &["IAM204"]);
}

/// What is allowed on other things without a condition opens nothing here.
#[test]
fn a_condition_on_these_things_is_not_met_by_others() {
    let on = |name: &str| format!("arn:aws:lambda:*:{ACCOUNT}:function:{name}");
    let run = |name: &str| allow(&["lambda:InvokeFunction"], &[&on(name)]);
    let world = |here: Value, more: Vec<Value>| {
        let make = allow(&["lambda:CreateFunction"], &[&on("a-*")]);
        makes("lambda", make, [vec![run("b-*"), here], more].concat())
    };
    check("no condition", world(run("a-*"), vec![]), UP, &[]);
    let by_tag = || when(run("a-*"), "StringEquals", "aws:ResourceTag/team", "x");
    check("a tag", world(by_tag(), vec![]), &[], NO_WAY);
    check("a tag to be set", world(by_tag(), vec![allow(&["lambda:TagResource"], &[&on("a-*")])]), UP, &[]);
    let by_mfa = when(run("a-*"), "Bool", "aws:MultiFactorAuthPresent", "true");
    check("MFA", world(by_mfa, vec![]), &[], NO_WAY);
    let by_form = when(run("a-*"), "StringEquals", "lambda:FunctionUrlAuthType", "NONE");
    check("what is asked for", world(by_form, vec![]), UP, &[]);
}
