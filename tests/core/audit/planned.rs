//! What is not deployed yet: plans, templates, policies alone; and what a change adds.

use opsctl::audit::planned::{Kind, of_plan, of_policies, of_yaml};
use opsctl::audit::report::change::{self, Change};
use opsctl::audit::report::{Format, Layout, Options, plain};
use opsctl::audit::{Account, Settings, Usage, against, audit};
use serde_json::{Value, json};

use super::world::*;

fn found_in(account: &Account) -> Vec<(String, &'static str)> {
    let result = audit(account, &Usage::default(), &Settings::at(now()));
    let name = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    result.findings.iter().map(|f| (name(&f.resource), f.rule)).collect()
}

fn has(found: &[(String, &'static str)], role: &str, rule: &str) -> bool {
    found.iter().any(|(name, id)| name == role && *id == rule)
}

fn plan_of(value: &Value) -> Account {
    of_plan(value, Kind::of(value).expect("a known shape"), now())
}

/// As `terraform show -json` writes it: what is new has no ARN yet, and is followed by references.
fn terraform() -> Value {
    let everything = document(allow(&["*"], &["*"])).to_string();
    let resource = |kind: &str, name: &str, values: Value| {
        json!({"mode": "managed", "type": kind, "name": name,
        "address": format!("{kind}.{name}"), "values": values})
    };
    let written = |kind: &str, name: &str, expressions: Value| {
        json!({"mode": "managed", "type": kind,
        "name": name, "address": format!("{kind}.{name}"), "expressions": expressions})
    };
    let role = |address: &str| json!({"references": [format!("{address}.name"), address]});
    json!({
        "format_version": "1.2", "terraform_version": "1.9.0",
        "planned_values": {"root_module": {
            "resources": [
                resource("aws_iam_role", "app", json!({"name": "app", "path": "/",
                    "assume_role_policy": trust_service("lambda.amazonaws.com").to_string()})),
                resource("aws_iam_policy", "all", json!({"name": "all", "path": "/", "policy": everything})),
                resource("aws_iam_role_policy_attachment", "app", json!({"role": "app"})),
                resource("aws_iam_role", "late", json!({"name": "late"})),
                resource("aws_iam_role_policy", "elsewhere",
                    json!({"name": "p", "role": "made-before", "policy": everything})),
            ],
            "child_modules": [{"address": "module.job[0]", "resources": [
                resource("aws_iam_role", "this", json!({"name": "job",
                    "assume_role_policy": trust_service("glue.amazonaws.com").to_string(),
                    "tags": {"team": "x"}})),
                resource("aws_iam_role_policy", "this", json!({"name": "p", "policy": everything})),
            ]}],
        }},
        "configuration": {"root_module": {
            "resources": [
                written("aws_iam_role_policy_attachment", "app",
                    json!({"policy_arn": {"references": ["aws_iam_policy.all.arn", "aws_iam_policy.all"]}})),
            ],
            "module_calls": {"job": {"module": {"resources": [
                written("aws_iam_role_policy", "this", json!({"role": role("aws_iam_role.this")})),
            ]}}},
        }},
        "prior_state": {"values": {"root_module": {"resources": [
            {"type": "aws_caller_identity", "values": {"arn": format!("arn:aws:iam::{ACCOUNT}:user/ci")}}]}}},
    })
}

#[test]
fn a_plan_of_terraform_is_an_account() {
    let account = plan_of(&terraform());
    assert_eq!(account.id, ACCOUNT);
    let found = found_in(&account);
    assert!(has(&found, "app", "IAM103"), "by reference to a policy: {found:?}");
    assert!(has(&found, "job", "IAM103"), "within a module: {found:?}");
    assert!(has(&found, "made-before", "IAM103"), "a role that is there already: {found:?}");
    assert!(!found.iter().any(|(_, rule)| rule.starts_with("IAM4")), "nothing is unused yet: {found:?}");
    let told = |what: &str| account.problems.iter().any(|p| p.reason.contains(what));
    assert!(
        told("aws_iam_role.late.assume_role_policy is known only after it is applied"),
        "{:?}",
        account.problems
    );
    assert!(told("made elsewhere"), "{:?}", account.problems);
}

#[test]
fn a_template_of_cloudformation_is_an_account() {
    let template = json!({
        "Parameters": {"Who": {"Type": "String", "Default": "ci"}},
        "Resources": {
            "App": {"Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": document(trust(json!({"AWS": {"Fn::Sub":
                    "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}}))),
                "ManagedPolicyArns": [{"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"},
                    ":iam::aws:policy/AdministratorAccess"]]}, {"Ref": "Own"}]}},
            "Own": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {
                "PolicyDocument": document(allow(&["iam:CreateAccessKey"], &["*"]))}},
            "Job": {"Type": "AWS::IAM::Role", "Properties": {"RoleName": {"Fn::Sub": "job-${Who}"},
                "AssumeRolePolicyDocument": trust_service("glue.amazonaws.com")}},
            "JobPolicy": {"Type": "AWS::IAM::Policy", "Properties": {"PolicyName": "p",
                "PolicyDocument": document(allow(&["sts:AssumeRole"], &["*"])),
                "Roles": [{"Ref": "Job"}]}},
            "Mine": {"Type": "AWS::IAM::RolePolicy", "Properties": {"PolicyName": "q",
                "RoleName": {"Ref": "Job"}, "PolicyDocument": document(json!({"Effect": "Allow",
                    "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Bucket.Arn}/*"}}))}},
            "Bucket": {"Type": "AWS::S3::Bucket"},
        },
    });
    let account = plan_of(&template);
    let found = found_in(&account);
    assert!(has(&found, "App", "IAM103"), "{found:?}");
    assert!(has(&found, "job-ci", "IAM208"), "App lets the account in: {found:?}");
    assert!(!has(&found, "job-ci", "IAM110"), "one bucket of the template: {found:?}");
    assert!(account.problems.is_empty(), "{:?}", account.problems);
    let serverless = json!({"Resources": {"F": {"Type": "AWS::Serverless::Function"}}});
    assert!(plan_of(&serverless).problems.iter().any(|p| p.reason.contains("AWS::Serverless")));
}

/// As people write them: the functions in their short form, conditions, maps, what an import brings.
const TEMPLATE: &str = r#"
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: prod}
  Trusted: {Type: String}
  Ami: {Type: AWS::SSM::Parameter::Value<String>, Default: /aws/ami}
Mappings:
  Policies: {prod: {arn: arn:aws:iam::aws:policy/ReadOnlyAccess}, dev: {arn: arn:aws:iam::aws:policy/IAMFullAccess}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsDev: !Not [!Condition IsProd]
  IsHere: !Equals [!Ref AWS::Region, eu-west-1]
Resources:
  App:
    Type: AWS::IAM::Role
    Properties:
      RoleName: !Sub app-${Stage}
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement:
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {AWS: !Sub 'arn:aws:iam::${AWS::AccountId}:root'}}
          - {Effect: Allow, Action: sts:AssumeRole, Principal: {AWS: !Ref Trusted}}
      ManagedPolicyArns:
        - !FindInMap [Policies, !Ref Stage, arn]
        - !If [IsProd, !Ref AWS::NoValue, arn:aws:iam::aws:policy/AdministratorAccess]
      Policies:
        - PolicyName: own
          PolicyDocument:
            Version: 2012-10-17
            Statement:
              Effect: Allow
              Action: [sts:AssumeRole]
              Resource: !GetAtt Admin.Arn
  Admin:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {Statement: {Effect: Allow, Action: 'sts:AssumeRole', Principal: {AWS: !GetAtt App.Arn}}}
      ManagedPolicyArns: [!Join ['', ['arn:', !Ref AWS::Partition, ':iam::aws:policy/AdministratorAccess']]]
  Gone: {Type: AWS::IAM::Role, Condition: IsDev, Properties: {RoleName: gone}}
  Perhaps:
    Type: AWS::IAM::Role
    Condition: IsHere
    Properties:
      AssumeRolePolicyDocument: {Statement: {Effect: Allow, Action: 'sts:AssumeRole', Principal: {Service: glue.amazonaws.com}}}
      ManagedPolicyArns: [!ImportValue shared-policy]
  Machine: {Type: AWS::EC2::Instance, Properties: {ImageId: !Ref Ami}}
"#;

#[test]
fn a_template_in_yaml_is_an_account_and_what_it_leaves_open_is_named() {
    let template = of_yaml(TEMPLATE).expect("YAML");
    assert_eq!(Kind::of(&template), Some(Kind::CloudFormation));
    let account = plan_of(&template);
    let names: Vec<&str> = account.roles.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["Admin", "app-prod", "Perhaps"]);
    let found = found_in(&account);
    assert!(has(&found, "app-prod", "IAM208") && has(&found, "Admin", "IAM103"), "{found:?}");
    assert!(!has(&found, "app-prod", "IAM103"), "the condition is decided: {found:?}");
    assert!(has(&found, "app-prod", "IAM110"), "by the map of the stage: {found:?}");
    let told: Vec<&str> = account.problems.iter().map(|problem| problem.reason.as_str()).collect();
    assert_eq!(
        told,
        [
            "the template does not tell the parameter Trusted, which has no default",
            "the template does not tell what Fn::ImportValue of shared-policy is"
        ],
        "and nothing of what no role has to do with"
    );
}

/// CloudFormation refuses such templates, and whoever audits one has not sent it yet.
#[test]
fn names_and_conditions_in_a_circle_end_and_are_told() {
    let role = |name: Value| {
        json!({"Type": "AWS::IAM::Role", "Properties": {"RoleName": name,
        "AssumeRolePolicyDocument": trust_service("glue.amazonaws.com")}})
    };
    let policy = |name: Value| {
        json!({"Type": "AWS::IAM::ManagedPolicy", "Properties": {
        "ManagedPolicyName": name, "PolicyDocument": document(allow(&["s3:*"], &["*"]))}})
    };
    let reference = |id: &str| json!({"Ref": id});
    let mut path = role("p".into());
    path["Properties"]["Path"] = json!({"Fn::GetAtt": ["A", "Arn"]});
    let chain = |count: usize, name: &dyn Fn(String) -> Value| -> Value {
        let each = |n: usize| (format!("R{n}"), role(name(format!("R{}", n + 1))));
        (0..count).map(each).collect::<serde_json::Map<_, _>>().into()
    };
    for (resources, what) in [
        (json!({"A": role(reference("A"))}), "A is called, whose name is made of itself"),
        (json!({"A": role(reference("B")), "B": role(reference("A"))}), "whose name is made of itself"),
        (
            json!({"A": role(json!({"Fn::Sub": "${B}-${B}"})), "B": role(json!({"Fn::Sub": "${A}"}))}),
            "itself",
        ),
        (json!({"A": policy(reference("B")), "B": policy(json!({"Fn::GetAtt": "A.Arn"}))}), "itself"),
        (json!({"A": path}), "whose name is made of itself"),
        (chain(20_000, &|next| json!({"Ref": next})), "behind too many others"),
        (chain(40, &|next| json!({"Fn::Sub": format!("${{{next}}}${{{next}}}")})), "longer than IAM takes"),
    ] {
        let account = of_plan(&json!({"Resources": resources}), Kind::CloudFormation, now());
        let told = |p: &opsctl::audit::account::Problem| p.reason.contains(what);
        assert!(account.problems.iter().any(told), "{what}: {:?}", account.problems.first());
    }
    let named = |id: &str| json!({"Condition": id});
    let both: Vec<Value> = (0..9).map(|n| named(&format!("C{n}"))).collect();
    let all = |n: usize| (format!("C{n}"), json!({"Fn::Or": both}));
    let mut made = role("a".into());
    made["Condition"] = "C0".into();
    let circle = json!({"Resources": {"A": made}, "Conditions": (0..9).map(all)
        .collect::<serde_json::Map<_, _>>()});
    assert_eq!(plan_of(&circle).roles.len(), 1, "it may be made");
}

#[test]
fn policies_alone_are_judged() {
    let policy = document(allow(&["iam:PutRolePolicy"], &["arn:aws:iam::111122223333:role/*"]));
    assert_eq!(Kind::of(&policy), Some(Kind::Policy));
    let account = of_policies(vec![("deploy".into(), policy)], now());
    assert_eq!(account.id, ACCOUNT);
    assert!(has(&found_in(&account), "deploy", "IAM201"));
    assert_eq!(Kind::of(&json!({"Roles": []})), None, "and a dump of another shape is none");
}

#[test]
fn what_a_template_has_written_by_others_is_told() {
    let told = |template: Value| {
        let account = of_plan(&template, Kind::CloudFormation, now());
        account.problems.iter().map(|p| p.reason.clone()).collect::<Vec<_>>().join("; ")
    };
    let plain = || json!({"b": {"Type": "AWS::S3::Bucket"}});
    assert_eq!(told(json!({"Resources": plain()})), "");
    assert_eq!(told(json!({"Resources": plain(), "Transform": "AWS::LanguageExtensions"})), "");
    let roles = json!({"Fn::ForEach::Roles": ["N", ["a"], {"${N}": {"Type": "AWS::IAM::Role"}}]});
    let nested = |kind: &str| json!({"Resources": {"inner": {"Type": kind}}});
    let include = json!({"Name": "AWS::Include", "Parameters": {"Location": "s3://b/k"}});
    let inside = json!({"Type": "AWS::IAM::Role", "Properties": {"RoleName": "r",
        "Fn::Transform": {"Name": "AWS::Include"}}});
    for (template, what) in [
        (json!({"Resources": roles}), "Fn::ForEach::Roles"),
        (
            json!({"Resources": plain(), "Transform": ["AWS::Serverless-2016-10-31", "Mine"]}),
            "transform Mine",
        ),
        (json!({"Resources": plain(), "Transform": include}), "transform AWS::Include"),
        (json!({"Resources": {"Fn::Transform": {"Name": "AWS::Include"}}}), "Fn::Transform in Resources"),
        (json!({"Resources": plain(), "Fn::Transform": {}}), "Fn::Transform in the template"),
        (json!({"Resources": {"r": inside}}), "what Fn::Transform makes"),
        (nested("AWS::CloudFormation::Stack"), "inner is a template of its own"),
        (nested("Acme::Roles::App::MODULE"), "inner is a template of its own"),
    ] {
        let told = told(template.clone());
        assert!(told.contains(what), "{template}: {told}");
    }
}

#[test]
fn a_plan_attaches_by_exclusive_lists_and_names_what_is_not_read() {
    let resource =
        |kind: &str, values: Value| json!({"mode": "managed", "type": kind, "name": "x", "values": values});
    let of = |resources: Vec<Value>| {
        plan_of(&json!({"format_version": "1.2", "terraform_version": "1.9.0",
            "planned_values": {"root_module": {"resources": resources}}}))
    };
    let app = || {
        resource(
            "aws_iam_role",
            json!({"name": "app",
            "assume_role_policy": trust_service("lambda.amazonaws.com").to_string()}),
        )
    };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let only = json!({"role_name": "app", "policy_arns": [admin]});
    let account = of(vec![app(), resource("aws_iam_role_policy_attachments_exclusive", only)]);
    assert!(has(&found_in(&account), "app", "IAM103"), "{:?}", account.problems);
    assert_eq!(account.problems, []);
    let keys = resource("aws_iam_access_key", json!({"user": "ana"}));
    let unread = of(vec![app(), keys, resource("awscc_iam_role", json!({"role_name": "other"}))]);
    let told: Vec<&str> = unread.problems.iter().map(|p| p.reason.as_str()).collect();
    assert_eq!(told, ["awscc_iam_role.x: resources of the type awscc_iam_role are not read"]);
}

fn gains(old: &[RoleMaker], new: &[RoleMaker]) -> Vec<String> {
    let account = |roles: &[RoleMaker]| World::of(roles.to_vec()).account();
    let gains = against::new_access(&account(old), &account(new), now());
    gains.into_iter().flat_map(|gain| gain.lines).collect()
}

#[test]
fn a_change_that_gives_more_is_told_and_one_that_does_not_is_not() {
    let reads = || allow(&["s3:GetObject", "s3:ListBucket"], &["arn:aws:s3:::b/*", "arn:aws:s3:::b"]);
    let was = || role("a").can(reads());
    let same = |new: RoleMaker| assert_eq!(gains(&[was()], &[new]), Vec::<String>::new());
    let more = |new: RoleMaker, what: &str| {
        let lines = gains(&[was()], &[new]);
        assert!(lines.len() == 1 && lines[0].contains(what), "{what}: {lines:?}");
    };
    same(was());
    same(role("a").can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/data/*"])));
    same(was().can(deny(&["s3:*"], &["*"])));
    same(role("a").can(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"])).can(allow(&["s3:List*"], &[])));
    more(was().can(allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"])), "new in inline policy inline-2");
    let beside = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"];
    let what = "statement 1: s3:PutObject, s3:DeleteObject on arn:aws:s3:::b/*";
    more(was().can(allow(&beside, &["arn:aws:s3:::b/*"])), what);
    more(role("a").can(allow(&["s3:GetObject"], &["arn:aws:s3:::*"])), "arn:aws:s3:::*");
    more(was().can(allow(&["made:Up"], &["arn:aws:s3:::b"])), "made:Up");
    more(was().trusts(trust_own_account()), "may be assumed by arn:aws:iam::111122223333:root");
    let guarded = was().can(deny(&["s3:GetObject"], &["arn:aws:s3:::b/secret"]));
    let lines = gains(&[guarded], &[was()]);
    assert!(lines.len() == 1 && lines[0].starts_with("no longer held back by"), "{lines:?}");
    let root = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let out = json!({"Effect": "Deny", "Principal": {"AWS": role_arn("x")}, "Action": "sts:AssumeRole"});
    let kept_out = was().trusts(document(vec![root, out]));
    let lines = gains(&[kept_out], &[was().trusts(trust_own_account())]);
    assert!(lines.len() == 1 && lines[0].contains("may be assumed by"), "{lines:?}");
    let bounded = was().boundary("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess");
    let lines = gains(&[bounded], &[was()]);
    assert!(lines.len() == 1 && lines[0].starts_with("no longer within the boundary"), "{lines:?}");
    let guarded = document(vec![allow(&["s3:*"], &["*"]), deny(&["s3:GetObject"], &["*"])]);
    let of = |policy: Value| {
        World::of([was().boundary(&policy_arn("b"))])
            .policy(customer_policy("b", policy["Statement"].clone()))
            .account()
    };
    let lines = against::new_access(&of(guarded), &of(document(allow(&["s3:*"], &["*"]))), now());
    assert!(lines.len() == 1 && lines[0].lines[0].starts_with("the boundary no longer denies"), "{lines:?}");
    let apart = vec![
        allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]),
        allow(&["s3:GetObject"], &["arn:aws:s3:::b"]),
        allow(&["s3:ListBucket"], &["arn:aws:s3:::b", "arn:aws:s3:::b/*"]),
    ];
    same(role("a").can(apart.clone()));
    assert_eq!(gains(&[role("a").can(apart)], &[was()]), Vec::<String>::new(), "several cover one");
    assert!(!gains(&[], &[was()]).is_empty(), "a new role is new access");
}

/// A plan that gives more to those whom it does not make.
fn elsewhere(policy: Value) -> Account {
    let resource = |kind: &str, values: Value| {
        json!({"mode": "managed", "type": kind, "name": "x",
        "address": format!("{kind}.x"), "values": values})
    };
    let policy = policy.to_string();
    let caller = json!({"arn": format!("arn:aws:iam::{ACCOUNT}:user/ci")});
    plan_of(&json!({"format_version": "1.2", "terraform_version": "1.9.0",
        "planned_values": {"root_module": {"resources": [
            resource("aws_iam_role_policy", json!({"name": "p", "role": "app", "policy": policy})),
            resource("aws_iam_user_policy_attachment", json!({"user": "ana",
                "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"})),
            resource("aws_iam_user_group_membership", json!({"user": "ben", "groups": ["ops"]})),
        ]}},
        "prior_state": {"values": {"root_module": {"resources": [
            {"type": "aws_caller_identity", "values": caller}]}}}}))
}

#[test]
fn what_a_plan_adds_to_others_is_compared_with_what_they_have() {
    let reads = || document(allow(&["s3:GetObject"], &["arn:aws:s3:::b/*"]));
    let before =
        World::of([role("app").can(allow(&["s3:Get*"], &["arn:aws:s3:::b/*"])).boundary(&policy_arn("b"))])
            .policy(customer_policy("b", allow(&["s3:*"], &["*"])))
            .user(user("ana", &[]))
            .user(user("ben", &[]))
            .group(group("ops", &[allow(&["ec2:*"], &["*"])]))
            .account();
    let after = elsewhere(reads());
    let gains = against::new_access(&before, &after, now());
    let who: Vec<&str> = gains.iter().map(|gain| gain.principal.rsplit('/').next().unwrap()).collect();
    assert_eq!(who, ["ana", "ben"], "the role had it: {gains:?}");
    assert_eq!(against::gaps(&before, &after), [] as [&opsctl::audit::account::Problem; 0]);
    let nobody = World::of([role("app").can(allow(&["s3:*"], &["*"]))]).account();
    let gaps = against::gaps(&nobody, &after);
    assert!(gaps.len() == 1 && gaps[0].resource.ends_with("group/ops"), "whose rights nobody told: {gaps:?}");
    let more = elsewhere(document(allow(&["s3:PutObject"], &["arn:aws:s3:::b/*"])));
    assert!(against::new_access(&before, &more, now()).iter().any(|gain| gain.principal.ends_with("/app")));
    // Nothing is compared across accounts of one dump.
    let both = |name: &str| {
        let two = |r: RoleMaker| r.set("Arn", format!("arn:aws:iam::999988887777:role/{name}"));
        World::of([role("app"), two(role(name)).can(allow(&["s3:*"], &["*"]))]).account()
    };
    assert!(against::new_access(&both("app"), &both("app"), now()).is_empty());
}

#[test]
fn the_answer_is_told_in_four_forms() {
    let (old, new) =
        (World::of([role("a")]).account(), World::of([role("a").aws("PowerUserAccess")]).account());
    let gains = against::new_access(&old, &new, now());
    let gaps = against::gaps(&old, &new);
    let told = |gains: &[against::Gain], form: Format| {
        let change = Change { against: "old.json", gains, gaps: &gaps };
        let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
        change::render(change, form, options, Layout { width: Some(80), ..Layout::default() })
    };
    for (word, form) in Format::ALL {
        let is_one = change::FORMATS.iter().any(|(known, _)| *known == word);
        assert_eq!(told(&gains, form).is_some(), is_one, "{word}");
    }
    let human = told(&gains, Format::Human).expect("text");
    assert!(
        human.starts_with("New access: 1 principal may do more") && human.contains("PowerUserAccess"),
        "{human}"
    );
    assert!(human.lines().all(|line| line.chars().count() <= 80), "{human}");
    let json: Value = serde_json::from_str(&told(&gains, Format::Json).expect("JSON")).expect("JSON");
    assert_eq!((&json["new_access"], &json["complete"]), (&json!(true), &json!(true)));
    assert_eq!(json["gains"][0]["principal"], role_arn("a"));
    let github = told(&gains, Format::Github).expect("commands");
    assert!(github.starts_with("::error file=opsctl.toml,title=new access::"), "{github}");
    assert!(told(&[], Format::Human).expect("text").starts_with("No new access: nobody may do more than in"));
    assert!(told(&[], Format::Markdown).expect("text").contains("No new access"));
}
