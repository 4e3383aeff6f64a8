//! Roles that AWS's consoles and guides make for a service: assumed by it alone, with what AWS wrote for it.

use super::*;

const OF_CALLERS: &[&str] = &["IAM202", "IAM203", "IAM204", "IAM206", "IAM208"];

/// The services, the policies of AWS, and the page that says so.
const DEFAULTS: [(&str, &[&str], &str); 7] = [
    (
        "elasticbeanstalk",
        &[
            "service-role/AWSElasticBeanstalkEnhancedHealth",
            "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy",
        ],
        "elasticbeanstalk/latest/dg/iam-servicerole.html",
    ),
    (
        "elasticbeanstalk",
        &["service-role/AWSElasticBeanstalkEnhancedHealth", "service-role/AWSElasticBeanstalkService"],
        "elasticbeanstalk/latest/dg/iam-servicerole.html",
    ),
    ("batch", &["service-role/AWSBatchServiceRole"], "batch/latest/userguide/service_IAM_role.html"),
    (
        "backup",
        &[
            "service-role/AWSBackupServiceRolePolicyForBackup",
            "service-role/AWSBackupServiceRolePolicyForRestores",
            "AWSBackupServiceRolePolicyForS3Restore",
        ],
        "aws-backup/latest/devguide/iam-service-roles.html",
    ),
    (
        "ecs",
        &["AmazonECSInfrastructureRolePolicyForManagedInstances"],
        "AmazonECS/latest/developerguide/infrastructure_IAM_role.html",
    ),
    ("redshift", &["AmazonRedshiftAllCommandsFullAccess"], "redshift/latest/mgmt/default-iam-role.html"),
    (
        "codedeploy",
        &["AWSCodeDeployRoleForECS"],
        "codedeploy/latest/userguide/getting-started-create-service-role.html",
    ),
];

/// The role of a service, beside an administrator whom EC2, ECS, SageMaker and the service itself may have.
fn beside_admin(t: RoleMaker, service: &str) -> World {
    let services = ["ec2", "ecs-tasks", "sagemaker", "codebuild", "pods.eks", service];
    let services = services.map(|name| format!("{name}.amazonaws.com"));
    World::of([t, role("adm").can(everything()).trusts(document(trust(json!({"Service": services}))))])
}

fn of(service: &str, policies: &[&str]) -> RoleMaker {
    let own = role("t").path("/").trusts(trust_service(&format!("{service}.amazonaws.com")));
    policies.iter().fold(own, |role, policy| role.aws(policy))
}

#[test]
fn a_role_that_only_its_service_has_makes_nobody_an_administrator() {
    for (service, policies, page) in DEFAULTS {
        check(page, beside_admin(of(service, policies), service), &[], OF_CALLERS);
    }
}

#[test]
fn what_others_may_become_or_wrote_counts() {
    let batch = || of("batch", &["service-role/AWSBatchServiceRole"]);
    let up = &["IAM203:critical", "IAM208:critical"];
    let also = trust(json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}));
    let service = trust(json!({"Service": "batch.amazonaws.com"}));
    check("the account, too", beside_admin(batch().trusts(document(vec![service, also])), "batch"), up, &[]);
    check("machines", beside_admin(batch().trusts(trust_service("ec2.amazonaws.com")), "batch"), up, &[]);
    let pass = allow(&["iam:PassRole", "ec2:RunInstances"], &["*"]);
    check("a policy of one's own", beside_admin(batch().can(pass), "batch"), up, &[]);
    let eks = of("eks", &["AmazonEKSComputePolicy"]);
    check("node classes name a profile", beside_admin(eks, "eks"), &["IAM208:critical"], &[]);
}

/// Whoever takes the role over by its trust is told.
#[test]
fn whoever_becomes_the_role_of_a_service_is_told() {
    let other =
        role("batch").trusts(trust_service("batch.amazonaws.com")).aws("service-role/AWSBatchServiceRole");
    let world = |action: &str| {
        let t = t().can(allow(&[action], &[&role_arn("batch")]));
        World::of([t, other.clone(), admin_of("ec2")])
    };
    check("by its trust", world("iam:UpdateAssumeRolePolicy"), &["IAM208:critical"], &[]);
    check("by its tags", world("iam:TagRole"), &[], &["IAM208"]);
    let passes = vec![allow(&["iam:PassRole"], &[&role_arn("batch")]), allow(&["batch:*"], &["*"])];
    let passes = World::of([t().can(passes), other, admin_of("ec2")]);
    check("passed to its service", passes, &[], &["IAM203", "IAM208"]);
}
