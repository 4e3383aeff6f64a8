//! `name` fixes the exact name of a resource.

use opsctl::desired::Desired;
use opsctl::domain::ResourceId;
use opsctl::policy::{self, Names, Whom};
use opsctl::resources::function::Function;
use opsctl::resources::kinds;
use opsctl::resources::role::Role;

use crate::plan::world::{Account, DEPLOY, Files, PRUNE, shown};

/// The test project with the lines in the sections of its endpoint, function and notebook.
fn named(endpoint: &str, function: &str, notebook: &str) -> Desired {
    let mut files = Files::new();
    for (section, name) in
        [("[endpoint.numbers]", endpoint), ("[function.classify]", function), ("[notebook.lab]", notebook)]
    {
        if !name.is_empty() {
            files.edit(&format!("{section}\n"), &format!("{section}\nname = \"{name}\"\n"));
        }
    }
    files.desired()
}

fn id(text: &str) -> ResourceId {
    text.parse().unwrap()
}

fn physical<'d>(want: &'d Desired, of: &str) -> &'d str {
    &want.node(&id(of)).unwrap().physical
}

#[test]
fn what_is_named_and_what_is_beside_it() {
    let (usual, want) = (named("", "", ""), named("Dog-Breeds", "askDogs", "kennel"));
    for (of, name) in [
        ("endpoint/numbers", "Dog-Breeds"),
        ("autoscaling/numbers", "endpoint/Dog-Breeds/variant/AllTraffic"),
        ("log-group/endpoint-numbers", "/aws/sagemaker/Endpoints/Dog-Breeds"),
        ("function/classify", "askDogs"),
        ("concurrency/classify", "function:askDogs:live"),
        ("log-group/function-classify", "/aws/lambda/askDogs"),
        ("notebook/lab", "kennel"),
    ] {
        assert_eq!(physical(&want, of), name, "{of}");
    }
    // What has a fingerprint in its name keeps that name, so nothing is trained or packed again.
    for of in ["training/numbers", "model/numbers", "endpoint-config/numbers", "role/function-classify"] {
        assert_eq!(physical(&want, of), physical(&usual, of), "{of}");
    }
    let function = want.node(&id("function/classify")).unwrap().spec_as::<Function>().unwrap();
    assert_eq!(function.configuration.environment["ENDPOINT_NAME"], "Dog-Breeds");
    // SageMaker writes ARNs in small letters, not everywhere.
    let role =
        want.node(&id("role/function-classify")).unwrap().spec_as::<Role>().unwrap().policy.to_string();
    assert!(role.contains("endpoint/dog-breeds") && role.contains("endpoint/Dog-Breeds"), "{role}");
    for names in [Names::Exact, Names::OfProject] {
        let text = serde_json::to_string(&policy::documents(&want, &kinds(), Whom::Deployer, names)).unwrap();
        for arn in
            ["endpoint/Dog-Breeds", "endpoint/dog-breeds", "function:askDogs", "notebook-instance/kennel"]
        {
            assert!(text.contains(arn), "{arn}: {text}");
        }
    }
}

#[test]
fn another_name_is_another_resource_beside_the_one_before() {
    let mut account = Account::with(&named("", "", ""));
    let want = named("Dog-Breeds", "askDogs", "");
    let plan = account.deploy(&want, DEPLOY);
    let said = shown(&plan);
    let prefix = want.scope.prefix();
    for (kind, before, after) in
        [("endpoint/numbers", "numbers", "Dog-Breeds"), ("function/classify", "classify", "askDogs")]
    {
        let why = format!("name: {prefix}{before} -> {after} (that one stays until --prune)");
        assert!(said.contains(&format!("+ {kind}")) && said.contains(&why), "{why}\n{said}");
    }
    assert!(!said.contains("- "), "{said}");
    assert!(plan.leftovers.iter().any(|left| left.physical == format!("{prefix}numbers")), "{said}");
    let pruned = shown(&account.deploy(&want, PRUNE));
    assert!(pruned.contains(&format!("- endpoint/{prefix}numbers")), "{pruned}");
    // And back.
    let said = shown(&account.deploy(&named("", "", ""), PRUNE));
    assert!(said.contains(&format!("name: Dog-Breeds -> {prefix}numbers")), "{said}");
}

#[test]
fn lambda_distinguishes_capitals() {
    let mut account = Account::with(&named("", "askDogs", ""));
    let said = shown(&account.deploy(&named("", "AskDogs", ""), DEPLOY));
    assert!(said.contains("name: askDogs -> AskDogs"), "{said}");
}

#[test]
fn other_capitals_are_the_same_name_to_aws() {
    let account = Account::with(&named("Dog-Breeds", "", ""));
    let problems = account.refused(&named("DOG-breeds", "", ""), PRUNE).join("\n");
    assert!(problems.contains("C131") && problems.contains("`Dog-Breeds` is there"), "{problems}");
}
