//! IAM and EC2.

use serde_json::json;

use super::lab::{Lab, Told};
use crate::authority::{Principal, Request, Session, authorize};

const IMAGE: &str = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64";

pub async fn oidc_trust(lab: &Lab) -> Told {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity"}]}"#;
    lab.iam(&[("Action", "CreateRole"), ("RoleName", "ci"), ("AssumeRolePolicyDocument", trust)]).await
}

/// A trust policy with one item in a list.
pub async fn policy_form(lab: &Lab) -> Told {
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":["ec2.amazonaws.com"]},"Action":"sts:AssumeRole"}]}"#;
    let role = ("RoleName", "box");
    lab.iam(&[("Action", "CreateRole"), role, ("AssumeRolePolicyDocument", trust)]).await?;
    let shown = lab.iam(&[("Action", "GetRole"), role]).await?;
    let in_brackets = shown.as_str().is_some_and(|xml| xml.contains("%5B%22ec2.amazonaws.com%22%5D"));
    if in_brackets { Ok(shown) } else { Err("rewritten".to_owned()) }
}

async fn launch(lab: &Lab, instance_type: &str, count: &str, more: &[(&str, &str)]) -> Told {
    let launch = [
        ("Action", "RunInstances"),
        ("ImageId", IMAGE),
        ("InstanceType", instance_type),
        ("MinCount", count),
        ("MaxCount", count),
    ];
    lab.ec2(&[&launch, more].concat()).await
}

pub async fn image_architecture(lab: &Lab) -> Told {
    launch(lab, "m6g.large", "1", &[]).await
}

pub async fn root_volume_size(lab: &Lab) -> Told {
    let small =
        [("BlockDeviceMapping.1.DeviceName", "/dev/xvda"), ("BlockDeviceMapping.1.Ebs.VolumeSize", "4")];
    launch(lab, "t2.xlarge", "1", &small).await
}

pub async fn vcpu_limit(lab: &Lab) -> Told {
    launch(lab, "t2.xlarge", "40", &[]).await
}

pub async fn instance_visibility(lab: &Lab) -> Told {
    let launched = launch(lab, "t2.xlarge", "1", &[]).await?;
    let text = launched.as_str().unwrap();
    let id = text.split_once("<instanceId>").unwrap().1.split('<').next().unwrap();
    lab.ec2(&[("Action", "DescribeInstances"), ("InstanceId.1", id)]).await
}

pub async fn profile_propagation(lab: &Lab) -> Told {
    lab.role("trainer", &["ec2.amazonaws.com"]);
    let profile = ("InstanceProfileName", "trainer");
    lab.iam(&[("Action", "CreateInstanceProfile"), profile]).await?;
    lab.iam(&[("Action", "AddRoleToInstanceProfile"), profile, ("RoleName", "trainer")]).await?;
    launch(lab, "t2.xlarge", "1", &[("IamInstanceProfile.Name", "trainer")]).await
}

/// An object that no policy of the role names.
pub fn role_policies(lab: &Lab) -> Told {
    let principal = Principal::Session(Session::new(&lab.role("reader", &["lambda.amazonaws.com"]), "f"));
    let (input, region) = (json!({"Bucket": "data", "Key": "key"}), "us-east-1");
    let request =
        Request { principal: &principal, service: "s3", operation: "GetObject", region, input: &input };
    authorize(lab.sandbox.state(), &request).map(|()| json!({})).map_err(|_| "AccessDenied".to_owned())
}
