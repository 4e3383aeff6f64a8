//! `[encryption] kms_key`: what is made with it, and who may use it.

use opsctl::config::{Config, Document};
use opsctl::desired::{self, Desired};
use opsctl::domain::{KindName, Scope};
use opsctl::inputs::Inputs;
use opsctl::policy::{self, Names, Whom};
use opsctl::resources::endpoint_config::EndpointConfig;
use opsctl::resources::kinds;
use opsctl::resources::role::Role;
use opsctl::resources::training::Training;
use serde_json::{Value, json};

use crate::plan::world::{Account, DEPLOY, DESTROY, Files, shown};
use crate::project;

const KEY: &str = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn with(key: &str) -> Files {
    let mut files = Files::new();
    files.append(&format!("\n[encryption]\nkms_key = \"{key}\"\n"));
    files
}

fn policy_of(want: &Desired, role: &str) -> Value {
    let node = want.node(&format!("role/{role}").parse().unwrap()).unwrap();
    node.spec_as::<Role>().unwrap().policy.clone()
}

#[test]
fn all_that_takes_a_key_has_it() {
    let want = with(KEY).desired();
    let mut account = Account::with(&Files::new().desired());
    let said = shown(&account.deploy(&want, DEPLOY));
    for line in [
        &format!("encryption: AES256 -> aws:kms with {KEY}"),
        "+ training/numbers",
        "+ instance/numbers-on-ec2",
        "+ endpoint-config/numbers",
        "~ function/classify",
        "~ log-group/function-classify",
        "~ log-group/endpoint-numbers",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.matches(&format!("kms_key: none -> {KEY}")).count() >= 6, "{said}");
    assert!(said.contains(&format!("key of the volume: none -> {KEY}")), "{said}");
    assert!(account.plan(&want, DEPLOY).is_empty());
    // Without it everything is as it was, but for log groups: who reads them sets their key.
    let said = shown(&account.deploy(&formerly("", &[KEY]), DEPLOY));
    assert!(said.contains(&format!("encryption: aws:kms with {KEY} -> AES256")), "{said}");
    assert!(!said.contains("log-group/"), "{said}");
}

/// With the keys of before.
fn formerly(now: &str, former: &[&str]) -> Desired {
    let mut files = Files::new();
    files.append(&format!("\n[encryption]\n{now}\nformer_kms_keys = {former:?}\n"));
    files.desired()
}

/// Objects stay under the key that they were written with.
#[test]
fn a_key_is_not_given_up_while_objects_are_under_it() {
    let account = Account::with(&with(KEY).desired());
    let other = KEY.replace("1234abcd-12ab", "0000abcd-12ab");
    for want in [with(&other).desired(), Files::new().desired(), formerly("", &[&other])] {
        let said = account.refused(&want, DEPLOY);
        assert!(said.len() == 1 && said[0].starts_with("E265") && said[0].contains(KEY), "{said:?}");
        assert!(said[0].contains("former_kms_keys"), "{said:?}");
    }
    let want = formerly(&format!("kms_key = \"{other}\""), &[KEY, &other]);
    let plan = shown(&account.plan(&want, DEPLOY));
    assert!(plan.contains(&format!("encryption: aws:kms with {KEY} -> aws:kms with {other}")), "{plan}");
    let decrypts = |resource: &Value, via: &str, statement: &Value| {
        statement["Action"] == json!(["kms:Decrypt"])
            && statement["Resource"] == *resource
            && statement["Condition"]["StringEquals"]["kms:ViaService"] == json!([via])
    };
    let (old, s3) = (json!([KEY]), "s3.us-east-1.amazonaws.com");
    for role in ["training-numbers", "endpoint-numbers", "notebook-lab", "instance-numbers-on-ec2"] {
        let policy = policy_of(&want, role);
        let statements = policy["Statement"].as_array().unwrap();
        let of_old: Vec<_> = statements.iter().filter(|it| it["Resource"] == old).collect();
        assert!(of_old.len() == 1 && decrypts(&old, s3, of_old[0]), "{role}: {policy}");
    }
    for whom in [Whom::Deployer, Whom::Planner] {
        let documents = policy::documents(&want, &kinds(), whom, Names::Exact);
        let text = serde_json::to_string(&documents).unwrap();
        assert!(text.contains(KEY), "{whom:?}: {text}");
    }
}

/// The roles of a deploy say which keys objects may be under, also when the bucket has another by now.
#[test]
fn a_key_that_roles_may_use_is_not_given_up_at_a_later_step() {
    let [two, three] = ["2222", "3333"].map(|id| KEY.replace("1234abcd", &format!("{id}abcd")));
    let now = |key: &str| format!("kms_key = \"{key}\"");
    let mut account = Account::with(&with(KEY).desired());
    account.deploy(&formerly(&now(&two), &[KEY]), DEPLOY);
    for want in [with(&two).desired(), formerly(&now(&three), &[&two])] {
        let said = account.refused(&want, DEPLOY);
        assert!(said.len() == 1 && said[0].starts_with("E265") && said[0].contains(KEY), "{said:?}");
    }
    account.deploy(&formerly(&now(&three), &[KEY, &two]), DEPLOY);
    // Whoever takes a role's policy away says that nothing is under the key any more.
    let without: &[&str] = &[KEY];
    let want = formerly(&now(&three), without);
    assert_eq!(account.refused(&want, DEPLOY).len(), 1);
    for id in ["training-numbers", "instance-numbers-on-ec2", "endpoint-numbers", "notebook-lab"] {
        account.seen(&want, &format!("role/{id}"))["policy"] = json!(null);
    }
    account.deploy(&want, DEPLOY);
    // A role that has left the config tells, too; a destroy asks nobody.
    let mut account = Account::with(&with(KEY).desired());
    account.seen(&want, "bucket/main")["kms_key"] = json!(null);
    let mut files = Files::new();
    files.edit("[notebook.lab]\nvolume_gb = 10\n", "");
    let bare = files.desired();
    for id in ["training-numbers", "instance-numbers-on-ec2", "endpoint-numbers"] {
        account.seen(&bare, &format!("role/{id}"))["policy"] = json!(null);
    }
    assert!(account.refused(&bare, DEPLOY)[0].contains(KEY));
    account.deploy(&bare, DESTROY);
}

/// What is put into an adopted bucket is under its own key, which a job finds out when it is paid for.
#[test]
fn the_key_of_an_adopted_bucket_is_one_that_roles_may_use() {
    let adopted = |account: &mut Account, want: &Desired| {
        let bucket = account.seen(want, "bucket/main");
        bucket["owner"] = json!("adopted");
        bucket["kms_key"] = json!(KEY);
    };
    let plain = Files::new().desired();
    let other = KEY.replace("1234abcd-12ab", "0000abcd-12ab");
    for want in [plain, with(&other).desired(), formerly(&format!("kms_key = \"{other}\""), &[KEY])] {
        let mut account = Account::with(&want);
        adopted(&mut account, &want);
        let said = account.refused(&want, DEPLOY);
        assert!(said.len() == 1 && said[0].starts_with("E265") && said[0].contains(KEY), "{said:?}");
        assert!(
            said[0].contains("role/training-numbers") && said[0].contains("kms:GenerateDataKey"),
            "{said:?}"
        );
    }
    let want = with(KEY).desired();
    let mut account = Account::with(&want);
    adopted(&mut account, &want);
    account.deploy(&want, DEPLOY);
    let said = account.refused(&with(&other).desired(), DEPLOY);
    assert!(said.iter().all(|it| it.contains(KEY)) && !said.is_empty(), "{said:?}");
    // By its id alone, as S3 may say it.
    account.seen(&want, "bucket/main")["kms_key"] = json!(KEY.rsplit_once('/').unwrap().1);
    account.deploy(&want, DEPLOY);
}

#[test]
fn what_somebody_has_changed_is_put_right() {
    let want = with(KEY).desired();
    for (id, at, value, why) in [
        ("bucket/main", "/encryption", json!("AES256"), format!("encryption: AES256 -> aws:kms with {KEY}")),
        ("function/classify", "/live/config/kms_key", json!(null), format!("kms_key: none -> {KEY}")),
        ("log-group/function-classify", "/kms_key", json!("arn:b"), format!("kms_key: arn:b -> {KEY}")),
        ("notebook/lab", "/kms_key", json!(null), format!("kms_key: none -> {KEY}")),
    ] {
        let mut account = Account::with(&want);
        *account.seen(&want, id).pointer_mut(at).unwrap() = value;
        let said = shown(&account.deploy(&want, DEPLOY));
        assert!(said.contains(&why), "{id}: {said}");
    }
}

/// SageMaker refuses a key for disks that are the machine's own.
#[test]
fn a_machine_with_disks_of_its_own_takes_no_key_for_them() {
    let mut files = with(KEY);
    files.edit("instance_type = \"ml.m5.xlarge\"", "instance_type = \"ml.g5.xlarge\"");
    let want = files.desired();
    let job = want.node(&"training/numbers".parse().unwrap()).unwrap().spec_as::<Training>().unwrap().clone();
    assert_eq!((job.kms_key.as_deref(), job.volume_key()), (Some(KEY), None));
    let plain = with(KEY).desired();
    let config = plain.node(&"endpoint-config/numbers".parse().unwrap()).unwrap();
    assert_eq!(config.spec_as::<EndpointConfig>().unwrap().kms_key.as_deref(), Some(KEY));
}

#[test]
fn roles_may_use_it_as_far_as_they_need() {
    let want = with(KEY).desired();
    let of_key = |role: &str| -> Vec<Value> {
        let statements = policy_of(&want, role)["Statement"].as_array().unwrap().clone();
        statements.into_iter().filter(|statement| statement["Resource"] == json!([KEY])).collect()
    };
    let via = json!({ "StringEquals": { "kms:ViaService": ["s3.us-east-1.amazonaws.com"] } });
    let grants = json!({ "Bool": { "kms:GrantIsForAWSResource": "true" } });
    let training = of_key("training-numbers");
    assert_eq!(training[0]["Action"], json!(["kms:Decrypt", "kms:GenerateDataKey"]));
    assert_eq!(training[0]["Condition"], via);
    assert_eq!(training[1]["Action"], json!(["kms:DescribeKey", "kms:Encrypt"]));
    assert_eq!((&training[2]["Action"], &training[2]["Condition"]), (&json!(["kms:CreateGrant"]), &grants));
    assert_eq!(of_key("endpoint-numbers")[0]["Action"], json!(["kms:Decrypt"]));
    assert_eq!(of_key("notebook-lab").len(), 3);
    assert_eq!(of_key("instance-numbers-on-ec2").len(), 1, "its disk is its caller's matter");
    assert_eq!(of_key("function-classify"), [json!(null); 0], "Lambda has a grant");

    let documents = |whom| {
        let documents = policy::documents(&want, &kinds(), whom, Names::Exact);
        serde_json::to_string(&documents).unwrap()
    };
    let deployer = documents(Whom::Deployer);
    for needed in [
        "kms:CreateGrant",
        "kms:ReEncryptTo",
        "kms:GenerateDataKey\"",
        "lambda.us-east-1.amazonaws.com",
        "logs:AssociateKmsKey",
    ] {
        assert!(deployer.contains(needed), "{needed}: {deployer}");
    }
    let planner = documents(Whom::Planner);
    assert!(planner.contains("kms:Decrypt") && planner.contains("kms:DescribeKey"), "{planner}");
    for too_much in ["kms:CreateGrant", "kms:GenerateDataKey", "kms:Encrypt"] {
        assert!(!planner.contains(too_much), "{too_much}: {planner}");
    }
    let plain = policy::documents(&Files::new().desired(), &kinds(), Whom::Deployer, Names::Exact);
    let plain = serde_json::to_string(&plain).unwrap();
    assert!(!plain.contains("kms:") && !plain.contains("AssociateKmsKey"), "{plain}");
}

/// Whoever knows the key behind an alias plans with it; who does not, with the alias's own name.
#[test]
fn an_alias_is_the_key_that_it_stands_for() {
    let file = std::path::Path::new("tests/core/plan/project/opsctl.toml");
    let text = std::fs::read_to_string(file).unwrap() + "\n[encryption]\nkms_key = \"alias/vision\"\n";
    let document = Document::parse(file, text).unwrap();
    let config = Config::of(&document, "dev", &project::sections(&kinds())).unwrap();
    assert_eq!(config.encryption.alias(), Some("alias/vision"));
    let scope = Scope::new("shop", "dev", "123456789012", "us-east-1");
    let built = |inputs: &Inputs| desired::build(&config, &scope, inputs, &kinds());
    let mut inputs = Inputs::read(document.folder(), desired::sources(&config, &kinds()));
    let alias = "arn:aws:kms:us-east-1:123456789012:alias/vision";
    assert_eq!(built(&inputs).0.kms_key.as_deref(), Some(alias));
    inputs.found_key(Ok(KEY.into()));
    let (found, problems) = built(&inputs);
    assert!(!problems.has_errors(), "{problems:?}");
    assert_eq!(found.kms_key.as_deref(), Some(KEY));
    let job = found.nodes.iter().find(|node| node.id.kind == KindName::Training).unwrap();
    assert_eq!(job.spec_as::<Training>().unwrap().kms_key.as_deref(), Some(KEY));
}
