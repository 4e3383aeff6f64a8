//! Exact names that the config fixes, the URL of a function, and a VPC: made, found again, and gone.

use opsctl::plan::Mode;

use crate::support::inside::{DEPLOY, DESTROY, Project, sandbox};

const PRUNE: Mode = Mode::Deploy { prune: true, adopt: false };

/// The shipped project with names of its own, and a URL.
fn named(text: String) -> String {
    let named = |text: String, section: &str, lines: &str| {
        assert_eq!(text.matches(section).count(), 1, "{section}");
        text.replace(section, &format!("{section}\n{lines}\n"))
    };
    let text = named(text, "[endpoint.numbers]", "name = \"Numbers-Of-2026\"");
    let text = named(text, "[function.classify]", "name = \"ask_Numbers\"\nurl = \"public\"");
    named(text, "[notebook.lab]", "name = \"Lab\"")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_a_name_of_its_own_is_found_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let fixed = Project::edited(&sandbox, named).await;
    fixed.succeed(DEPLOY).await;
    assert_eq!(fixed.steps(DEPLOY).await, Vec::<String>::new(), "nothing is left to do");
    let sagemaker = &fixed.world.aws.sagemaker;
    sagemaker.describe_endpoint().endpoint_name("Numbers-Of-2026").send().await.expect("it is there");

    // Other capitals are the same name to AWS, and this one is not what the config says.
    let capitals = Project::edited(&sandbox, |text| named(text).replace("\"Lab\"", "\"LAB\"")).await;
    let refused = capitals.plan(DEPLOY).await.expect_err("AWS would refuse it halfway");
    assert!(refused.contains("C131") && refused.contains("`Lab` is there"), "{refused}");

    // A section of another name keeps the resource, which says from now on what it is.
    let moved =
        Project::edited(&sandbox, |text| named(text).replace("[notebook.lab]", "[notebook.workshop]")).await;
    let plan = moved.plan(DEPLOY).await.expect("it can be planned");
    let notebook = plan.steps.iter().find(|step| step.physical == "Lab").expect("its tag changes");
    let tag = "tags.opsctl:resource: notebook/lab -> notebook/workshop";
    assert!(notebook.why.iter().any(|why| why == tag), "{:?}", notebook.why);
    moved.succeed(DEPLOY).await;
    assert_eq!(moved.steps(DEPLOY).await, Vec::<String>::new(), "nothing is left to do");

    // The names leave the config: what has them is left, known by its tags, and goes when it is pruned.
    let plain = Project::open(&sandbox).await;
    let plan = plain.plan(DEPLOY).await.expect("it can be planned");
    let left: Vec<&str> = plan.leftovers.iter().map(|left| &*left.physical).collect();
    for name in [
        "Numbers-Of-2026",
        "ask_Numbers",
        "Lab",
        "/aws/lambda/ask_Numbers",
        "/aws/sagemaker/Endpoints/Numbers-Of-2026",
    ] {
        assert!(left.contains(&name), "{name}: {left:?}");
    }
    let made =
        plan.steps.iter().find(|step| step.target.to_string() == "endpoint/numbers").expect("it is made");
    assert_eq!(made.why, ["name: Numbers-Of-2026 -> digits-dev-numbers (that one stays until --prune)"]);
    plain.succeed(PRUNE).await;
    assert_eq!(plain.steps(PRUNE).await, Vec::<String>::new(), "nothing is left");
    assert!(sagemaker.describe_endpoint().endpoint_name("Numbers-Of-2026").send().await.is_err());

    // A name that is somebody else's is refused.
    let call = sagemaker.create_endpoint().endpoint_name("Numbers-Of-2026");
    let config = plain.desired.nodes.iter().find(|node| node.id.to_string() == "endpoint-config/numbers");
    call.endpoint_config_name(&config.expect("it has one").physical).send().await.expect("it is free");
    let refused = fixed.plan(DEPLOY).await.expect_err("it is theirs");
    assert!(refused.contains("E203") && refused.contains("Numbers-Of-2026"), "{refused}");
    plain.succeed(DESTROY).await;
    sandbox.stop().await;
}

/// Verified from the outside, and put right when others change it.
#[tokio::test(flavor = "multi_thread")]
async fn a_url_is_as_the_config_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let url = |url: &'static str| {
        move |text: String| {
            text.replace("[function.classify] ", &format!("[function.classify]\nurl = \"{url}\" "))
        }
    };
    let public = Project::edited(&sandbox, url("public")).await;
    public.succeed(DEPLOY).await;
    let lambda = &public.world.aws.lambda;
    let auth = async || {
        let call = lambda.get_function_url_config().function_name("digits-dev-classify").qualifier("live");
        call.send().await.map(|found| found.auth_type.to_string()).unwrap_or_else(|_| "none".to_owned())
    };
    assert_eq!(auth().await, "NONE");
    let policy = lambda.get_policy().function_name("digits-dev-classify").qualifier("live").send().await;
    let policy = policy.expect("it has one").policy.expect("a document");
    for said in ["lambda:InvokeFunctionUrl", "lambda:InvokedViaFunctionUrl", "lambda:FunctionUrlAuthType"] {
        assert!(policy.contains(said), "{policy}");
    }
    let take = lambda.remove_permission().function_name("digits-dev-classify").qualifier("live");
    take.statement_id("opsctl-url-invoke").send().await.expect("it is there");
    assert_eq!(public.steps(DEPLOY).await, ["update function/classify"]);
    public.succeed(DEPLOY).await;
    assert_eq!(public.steps(DEPLOY).await, Vec::<String>::new());

    Project::edited(&sandbox, url("iam")).await.succeed(DEPLOY).await;
    assert_eq!(auth().await, "AWS_IAM");
    let policy = lambda.get_policy().function_name("digits-dev-classify").qualifier("live").send().await;
    assert!(policy.is_err(), "what opened it is gone");
    let without = Project::open(&sandbox).await;
    without.succeed(DEPLOY).await;
    assert_eq!((auth().await, without.steps(DEPLOY).await), ("none".to_owned(), Vec::new()));
    sandbox.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_a_vpc_is_as_the_config_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = sandbox(folder.path()).await;
    let within = |text: String| {
        let sections =
            ["[training.numbers] ", "[endpoint.numbers]\n", "[function.classify] ", "[notebook.lab]\n"];
        let text = sections.iter().fold(text, |text, section| {
            let end = &section[section.len() - 1..];
            text.replacen(section, &format!("{}\nnetwork = \"company\"{end}", section.trim_end()), 1)
        });
        format!(
            "{text}\n[network.company]\n\
            subnets = [\"subnet-0b1c2d3e4f5061728\", \"subnet-0a1b2c3d4e5f60718\"]\n\
             security_groups = [\"sg-0a1b2c3d4e5f60718\"]\n"
        )
    };
    Project::open(&sandbox).await.succeed(DEPLOY).await;
    let project = Project::edited(&sandbox, within).await;
    project.succeed(DEPLOY).await;
    assert_eq!(project.steps(DEPLOY).await, Vec::<String>::new(), "what was sent is what is read");
    let lambda = &project.world.aws.lambda;
    let vpc = async || {
        let call = lambda.get_function_configuration().function_name("digits-dev-classify").qualifier("live");
        call.send().await.expect("it is there").vpc_config.map_or(0, |vpc| vpc.subnet_ids().len())
    };
    assert_eq!(vpc().await, 2);
    let plain = Project::open(&sandbox).await;
    plain.succeed(PRUNE).await;
    assert_eq!((vpc().await, plain.steps(DEPLOY).await), (0, Vec::new()));
    sandbox.stop().await;
}
