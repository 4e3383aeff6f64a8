//! Whatever a dump holds, the audit ends with a report; and roles made as AWS advises are left in peace.

use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::{Account, Settings, Severity, Usage, audit};
use serde_json::{Value, json};

use super::engine::Dice;
use super::generate::{count, generate};
use super::world::*;

/// Replaces one value somewhere in a document.
fn spoil(value: &mut Value, dice: &mut Dice) {
    let odd = [
        json!(null),
        json!(7),
        json!("%ZZ\u{1}é*?"),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"a": {"b": 1}}),
        json!("arn:aws:iam::1:role"),
        json!(true),
    ];
    let deeper = dice.pick(&[true, true, true, true, true, true, false]);
    match value {
        Value::Array(items) if *deeper && !items.is_empty() => {
            let place = dice.below(items.len());
            spoil(&mut items[place], dice);
        }
        Value::Object(fields) if *deeper && !fields.is_empty() => {
            let place = dice.below(fields.len());
            spoil(fields.values_mut().nth(place).expect("within"), dice);
        }
        other => *other = dice.pick(&odd).clone(),
    }
}

#[test]
fn spoiled_dumps_are_reported_on() {
    let whole: Value = serde_json::from_slice(&generate(count()).0.json()).expect("JSON");
    let mut dice = Dice::new(3);
    for _ in 0..15 {
        let mut dump = whole.clone();
        (0..30).for_each(|_| spoil(&mut dump["RoleDetailList"], &mut dice));
        let account = Account::from_json(dump.to_string().as_bytes());
        if dump["RoleDetailList"].is_array() {
            let account = account.expect("a list is read entry by entry");
            let result = audit(&account, &Usage::default(), &Settings::at(now()));
            for (_, form) in Format::ALL {
                let text = render(&result, form, Options { location: "x", fail_on: None, paint: plain });
                // GitHub and the lines of OCSF tell of findings only.
                let lines = [Format::Github, Format::Ocsf].contains(&form);
                assert!(text.ends_with('\n') || (lines && result.findings.is_empty()), "{form:?}: {text:?}");
            }
        }
    }
    let text = whole.to_string();
    for cut in (0..text.len()).step_by(text.len() / 50) {
        assert!(
            Account::from_json(&text.as_bytes()[..cut]).is_err(),
            "a truncated dump is an error, not a small account"
        );
    }
}

/// The least that each role of a deployment needs: docs/aws/iam.md#least-privilege.
#[test]
fn advised_roles_have_nothing_at_medium_or_above() {
    let logs = |group: &str| {
        allow(
            &["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
            &[&format!("arn:aws:logs:eu-west-1:{ACCOUNT}:log-group:{group}:*")],
        )
    };
    let repository = "arn:aws:ecr:eu-west-1:763104351884:repository/pytorch-training";
    let training = json!([
        when(allow(&["s3:ListBucket"], &["arn:aws:s3:::dogs"]), "StringLike", "s3:prefix", "data/*"),
        allow(&["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], &["arn:aws:s3:::dogs/*"]),
        allow(&["ecr:GetAuthorizationToken"], &["*"]),
        allow(
            &["ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer", "ecr:BatchGetImage"],
            &[repository]
        ),
        logs("/aws/sagemaker/*"),
        when(
            allow(&["cloudwatch:PutMetricData"], &["*"]),
            "StringLike",
            "cloudwatch:namespace",
            "/aws/sagemaker/*"
        ),
    ]);
    let told = |service: &str| {
        document(when(trust(json!({"Service": service})), "StringEquals", "aws:SourceAccount", ACCOUNT))
    };
    let pass = when(
        allow(&["iam:PassRole"], &[&role_arn("training")]),
        "StringEquals",
        "iam:PassedToService",
        "sagemaker.amazonaws.com",
    );
    let world = World::of([
        role("training").trusts(told("sagemaker.amazonaws.com")).can(training.clone()),
        role("plain-training").trusts(trust_service("sagemaker.amazonaws.com")).can(training),
        role("notebook").trusts(told("sagemaker.amazonaws.com")).can(json!([
            pass,
            allow(
                &["sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob"],
                &[&format!("arn:aws:sagemaker:eu-west-1:{ACCOUNT}:training-job/dogs-*")]
            )
        ])),
        role("classify").can(json!([
            allow(
                &["sagemaker:InvokeEndpoint"],
                &[&format!("arn:aws:sagemaker:eu-west-1:{ACCOUNT}:endpoint/dogs")]
            ),
            logs("/aws/lambda/classify")
        ])),
        role("trainer")
            .trusts(trust_service("ec2.amazonaws.com"))
            .set("InstanceProfileList", json!([{"InstanceProfileName": "trainer"}]))
            .can(json!([
                allow(&["s3:GetObject"], &["arn:aws:s3:::dogs/data/*"]),
                allow(&["s3:PutObject"], &["arn:aws:s3:::dogs/models/*"]),
            ])),
    ]);
    let audit = world.audit();
    let bad: Vec<_> = audit
        .findings
        .iter()
        .filter(|f| f.severity >= Severity::Medium)
        .map(|f| (f.rule, &f.resource))
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(!audit.is_incomplete());
}

#[test]
fn a_saved_dump_is_the_same_account() {
    let (world, _) = generate(count());
    let account = world.account();
    let saved = account.to_dump().to_string();
    let again = Account::from_json(saved.as_bytes()).expect("a dump");
    let report = |account: &Account| {
        render(
            &audit(account, &Usage::default(), &Settings::at(now())),
            Format::Json,
            Options { location: "x", fail_on: None, paint: plain },
        )
    };
    assert!(report(&account) == report(&again), "the audit of the saved dump says the same");
    assert!(again.to_dump() == account.to_dump(), "and it is saved the same way");
}

#[test]
fn what_cannot_be_read_of_users_and_groups_is_told_as_of_roles() {
    let attached = json!([{"PolicyName": "gone", "PolicyArn": policy_arn("gone")}]);
    let unknown = json!([{"PolicyName": "x", "PolicyArn": "arn:aws:iam::aws:policy/ToCome"}]);
    let inline = |document: Value| json!([{"PolicyName": "p", "PolicyDocument": document}]);
    let boundary = json!({"PermissionsBoundaryArn": policy_arn("gone")});
    let cases = [
        ("user", "AttachedManagedPolicies", attached.clone()),
        ("user", "AttachedManagedPolicies", unknown),
        ("user", "UserPolicyList", inline("%%%".into())),
        ("user", "UserPolicyList", json!([{"PolicyName": "p"}])),
        ("user", "PermissionsBoundary", boundary),
        ("user", "GroupList", json!(["not-told"])),
        ("group", "GroupPolicyList", inline("nonsense".into())),
        ("group", "AttachedManagedPolicies", attached),
    ];
    let world = |kind: &str, field: &str, value: Value| {
        let (mut user, mut group) = (user("u", &[]), group("g", &[]));
        user["GroupList"] = json!(["g"]);
        if kind == "user" {
            user[field] = value
        } else {
            group[field] = value
        }
        World::of([role("a")]).user(user).group(group).audit()
    };
    assert!(!world("user", "Path", "/".into()).is_incomplete());
    for (kind, field, value) in cases {
        let result = world(kind, field, value.clone());
        let told = result.not_evaluated.iter().filter(|entry| entry.rule == "IAM901");
        let arn = format!("{kind}/{}", &kind[..1]);
        let named = told.flat_map(|entry| &entry.resources).any(|resource| resource.ends_with(&arn));
        assert!(result.is_incomplete() && named, "{kind} {field} {value}: {:?}", result.not_evaluated);
    }
}

/// Nobody knows which of two is so: neither is lost, and the audit is incomplete.
#[test]
fn two_entries_of_one_arn_are_told_and_kept() {
    let own = |kind: &str| format!("arn:aws:iam::111122223333:{kind}");
    let of = |actions: [&str; 2], entry: &dyn Fn(&str) -> Value| -> Vec<Value> {
        actions.iter().map(|action| entry(action)).collect()
    };
    let policy = |action: &str| {
        json!({"Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"},
            {"Effect": "Deny", "Action": format!("ec2:A{}", action.len()), "Resource": "*"}]})
    };
    let read = |actions: [&str; 2]| {
        let role = |action: &str| {
            json!({"RoleName": "a", "Arn": own("role/a"), "RoleLastUsed": {"Region": action},
                "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": policy(action)}]})
        };
        let user = |action: &str| {
            json!({"UserName": "u", "Arn": own("user/u"),
                "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": policy(action)}]})
        };
        let managed = |action: &str| {
            json!({"PolicyName": "m", "Arn": own("policy/m"), "AttachmentCount": action.len(),
                "DefaultVersionId": "v1", "PolicyVersionList": [
                    {"VersionId": "v1", "IsDefaultVersion": true, "Document": policy(action)}]})
        };
        let dump = json!({"RoleDetailList": of(actions, &role),
            "UserDetailList": of(actions, &user), "Policies": of(actions, &managed)});
        Account::from_json(dump.to_string().as_bytes()).expect("a dump")
    };
    let both = read(["*", "s3:*"]);
    assert_eq!((both.roles.len(), both.users.len(), both.policies.len()), (2, 2, 1));
    let statements = both.policies[0].default_document().expect("a default version").statements();
    assert!(statements.len() == 2 && statements.iter().all(|s| s.allow), "{statements:?}");
    let told: Vec<_> = both.problems.iter().map(|p| p.resource.clone()).collect();
    assert_eq!(told, [own("role/a"), own("user/u"), own("policy/m")]);
    let same = read(["s3:*", "s3:*"]);
    assert_eq!((same.roles.len(), same.users.len(), same.problems.len()), (1, 1, 0));
}
