//! Escalation paths, from a few actions to somebody else's permissions, as tables.
//!
//! The union of what Prowler, Cloudsplaining, Parliament and pathfinding.cloud (Apache-2.0) list, supersets
//! dropped. Those that pass a role are the rows of `services.rs`.

use std::sync::LazyLock;

use super::services::PASSING;
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::catalogue::Catalogue;

/// A path that needs all of its actions.
pub struct EscalationPath {
    /// The service that a role is passed to, or that has one already; empty when there is none.
    pub service: &'static str,
    pub actions: Vec<ActionId>,
}

impl EscalationPath {
    /// Whether all its actions are in a set.
    pub fn is_open(&self, to: &ActionSet) -> bool {
        self.actions.iter().all(|&action| to.contains(action))
    }

    /// `lambda:CreateFunction + lambda:InvokeFunction`
    pub fn name(&self) -> String {
        let names: Vec<_> = self.actions.iter().map(|&a| Catalogue::embedded().name(a)).collect();
        names.join(" + ")
    }
}

/// Change or enter something that already runs with a role: the service whose role it is, then all actions
/// needed.
const EXISTING: &[(&str, &str)] = &[
    ("lambda", "lambda:UpdateFunctionCode"),
    ("lambda", "lambda:UpdateFunctionConfiguration"),
    ("glue", "glue:UpdateDevEndpoint"),
    ("glue", "glue:RunStatement"),
    // `--scriptLocation` of a run takes the place of the job's own script.
    // <https://docs.aws.amazon.com/glue/latest/dg/aws-glue-programming-etl-glue-arguments.html>
    ("glue", "glue:StartJobRun"),
    ("cloudformation", "cloudformation:UpdateStack"),
    ("cloudformation", "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet"),
    ("codebuild", "codebuild:StartBuild"),
    ("codebuild", "codebuild:StartBuildBatch"),
    ("codebuild", "codebuild:StartSandbox codebuild:StartCommandExecution"),
    ("kinesisanalytics", "kinesisanalytics:UpdateApplication"),
    ("ec2", "ec2:ModifyInstanceAttribute ec2:StopInstances ec2:StartInstances"),
    ("ec2", "ec2:CreateLaunchTemplateVersion ec2:ModifyLaunchTemplate"),
    // Machines of an image of the caller's own; the role stays.
    // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/replace-root.html>
    ("ec2", "ec2:CreateReplaceRootVolumeTask"),
    ("ec2", "ec2-instance-connect:SendSSHPublicKey"),
    ("ec2", "ssm:StartSession"),
    ("ec2", "ssm:SendCommand"),
    ("ec2", "ssm:CreateAssociation"),
    ("ec2", "ssm:UpdateAssociation"),
    ("ec2", "ssm:CreateAssociationBatch"),
    // What associations and maintenance windows run.
    // <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateDocumentDefaultVersion.html>
    ("ec2", "ssm:UpdateDocument ssm:UpdateDocumentDefaultVersion"),
    ("ec2", "elasticbeanstalk:CreateApplicationVersion elasticbeanstalk:UpdateEnvironment"),
    ("airflow-env", "airflow:CreateCliToken"),
    ("airflow-env", "airflow:CreateWebLoginToken"),
    ("datapipeline", "datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline"),
    // Who may write in an environment works there with the rights of its owner.
    // <https://docs.aws.amazon.com/cloud9/latest/user-guide/share-environment.html>
    ("cloud9", "cloud9:CreateEnvironmentMembership"),
    ("ecs-tasks", "ecs:ExecuteCommand ecs:DescribeTasks"),
    ("ec2", "ec2-instance-connect:SendSerialConsoleSSHPublicKey"),
    ("ec2", "elasticmapreduce:AddJobFlowSteps"),
    // Administrator of a cluster is whoever any of its pods is.
    ("pods.eks", "eks:CreateAccessEntry eks:AssociateAccessPolicy"),
    ("sagemaker", "sagemaker:CreatePresignedDomainUrl"),
    ("sagemaker", "sagemaker:CreatePresignedNotebookInstanceUrl"),
    // A script that runs when the notebook is next started.
    // <https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateNotebookInstanceLifecycleConfig.html>
    ("sagemaker", "sagemaker:UpdateNotebookInstanceLifecycleConfig"),
    (
        "sagemaker",
        "sagemaker:CreateNotebookInstanceLifecycleConfig sagemaker:StopNotebookInstance sagemaker:UpdateNotebookInstance sagemaker:StartNotebookInstance",
    ),
    // Credentials of the queue's role.
    ("credentials.deadline", "deadline:AssumeQueueRoleForUser"),
    ("sagemaker", "sagemaker:StartSession"),
    ("tasks.apprunner", "apprunner:UpdateService"),
    ("ecs-tasks", "batch:SubmitJob"),
    (
        "codedeploy",
        "codedeploy:CreateDeployment codedeploy:RegisterApplicationRevision codedeploy:GetDeploymentConfig",
    ),
    // Whoever starts it then.
    ("states", "states:UpdateStateMachine"),
    // <https://docs.aws.amazon.com/fis/latest/APIReference/API_UpdateExperimentTemplate.html>
    ("fis", "fis:UpdateExperimentTemplate fis:StartExperiment"),
    // Certificates of one's own, for roles that trust any anchor.
    // <https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html>
    ("rolesanywhere", "rolesanywhere:CreateTrustAnchor"),
    ("rolesanywhere", "rolesanywhere:UpdateTrustAnchor"),
    // A certificate that may take the role of an alias.
    // <https://docs.aws.amazon.com/iot/latest/developerguide/authorizing-direct-aws.html>
    ("credentials.iot", "iot:CreateKeysAndCertificate iot:AttachPolicy"),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:StartCodeInterpreterSession bedrock-agentcore:InvokeCodeInterpreter",
    ),
    ("bedrock-agentcore", "bedrock-agentcore:UpdateAgentRuntime bedrock-agentcore:InvokeAgentRuntime"),
    ("bedrock-agentcore", "bedrock-agentcore:InvokeAgentRuntimeCommand"),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:StartBrowserSession bedrock-agentcore:ConnectBrowserAutomationStream",
    ),
];

/// Rights handed out through Identity Center.
const IDENTITY_CENTER: &[&str] = &[
    "sso:AttachManagedPolicyToPermissionSet",
    "sso:AttachCustomerManagedPolicyReferenceToPermissionSet",
    "sso:PutInlinePolicyToPermissionSet",
    "sso:CreateAccountAssignment",
    "identitystore:CreateGroupMembership",
    "sso-directory:AddMemberToGroup",
    // A password for anybody, and what signs, or writes, who anybody is.
    // <https://docs.aws.amazon.com/singlesignon/latest/userguide/resetpassword-accessportal.html>,
    // <https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-idp.html>,
    // <https://docs.aws.amazon.com/singlesignon/latest/userguide/provision-automatically.html>
    "sso-directory:UpdatePassword",
    "sso-directory:ImportExternalIdPCertificate",
    "sso-directory:CreateExternalIdPConfigurationForDirectory sso-directory:EnableExternalIdPConfigurationForDirectory",
    "sso-directory:CreateBearerToken sso-directory:CreateProvisioningTenant",
    "sso:CreatePermissionSet sso:CreateAccountAssignment sso:AttachManagedPolicyToPermissionSet",
];

/// Become a user, or give a user rights. Each alone will do.
pub const USER_WAYS: &[&str] = &[
    "iam:CreateAccessKey",
    "iam:CreateLoginProfile",
    "iam:UpdateLoginProfile",
    "iam:PutUserPolicy",
    "iam:AttachUserPolicy",
    "iam:PutGroupPolicy",
    "iam:AttachGroupPolicy",
    "iam:AddUserToGroup",
    "iam:UpdateSAMLProvider",
];

/// What helps to become somebody, and alone makes nobody anything: it takes a second factor away, gives
/// credentials for something else than IAM (CodeCommit, Keyspaces, Bedrock; certificates for what EC2 once
/// had), or makes room for tokens and assertions that somebody must still be able to sign.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeactivateMFADevice.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_ResetServiceSpecificCredential.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UploadSigningCertificate.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddClientIDToOpenIDConnectProvider.html>,
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateOpenIDConnectProviderThumbprint.html>
pub const USER_STEPS: &[&str] = &[
    "iam:DeactivateMFADevice",
    "iam:ResetServiceSpecificCredential",
    "iam:UploadSigningCertificate",
    "iam:CreateSAMLProvider",
    "iam:UpdateOpenIDConnectProviderThumbprint",
    "iam:AddClientIDToOpenIDConnectProvider",
];

/// The ways that pass a role to a service, with the service's principal.
pub static PASSING_WAYS: LazyLock<Vec<(String, EscalationPath)>> = LazyLock::new(|| {
    PASSING
        .iter()
        .map(|(service, actions, _)| (format!("{service}.amazonaws.com"), way(service, actions)))
        .collect()
});

/// The ways through what already runs with a role.
pub static EXISTING_WAYS: LazyLock<Vec<EscalationPath>> =
    LazyLock::new(|| EXISTING.iter().map(|(service, actions)| way(service, actions)).collect());

/// The ways through Identity Center.
pub static CENTER_WAYS: LazyLock<Vec<EscalationPath>> =
    LazyLock::new(|| IDENTITY_CENTER.iter().map(|actions| way("", actions)).collect());

/// The actions that are part of any way up.
pub static LEADS: LazyLock<ActionSet> = LazyLock::new(|| {
    let iam = Catalogue::embedded().service("iam").unwrap_or(0..0);
    let mut all: ActionSet = iam.chain(Catalogue::embedded().find("sts:AssumeRole")).collect();
    all.extend(PASSING_WAYS.iter().flat_map(|(_, way)| way.actions.iter().copied()));
    all
});

fn way(service: &'static str, actions: &str) -> EscalationPath {
    let find = |name: &str| {
        Catalogue::embedded()
            .find(name)
            .unwrap_or_else(|| unreachable!("{name} is catalogued; a test checks"))
    };
    EscalationPath { service, actions: actions.split(' ').map(find).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_catalogued() {
        let c = Catalogue::embedded();
        let lists = PASSING
            .iter()
            .map(|(_, actions, _)| *actions)
            .chain(EXISTING.iter().map(|(_, actions)| *actions))
            .chain(IDENTITY_CENTER.iter().chain(USER_WAYS).chain(USER_STEPS).copied());
        let missing: Vec<_> =
            lists.flat_map(|actions| actions.split(' ')).filter(|name| c.find(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
