//! The services that run what a caller says with a role that the caller passes.
//!
//! A row for each way: the service's principal, all actions that it needs besides `iam:PassRole`, and the
//! page of AWS that says so. Whether the way makes something new or gives a role to what exists is all the
//! same: code or calls of the caller's choice have the rights of the role. Paths that Prowler,
//! Cloudsplaining, Parliament, PMapper and pathfinding.cloud know are all here.

mod machines;

use std::sync::LazyLock;

/// The service's principal without `.amazonaws.com`, the actions, the page below
/// <https://docs.aws.amazon.com/>.
pub type Row = (&'static str, &'static str, &'static str);

const ANYWHERE: &str = "rolesanywhere/latest/userguide/trust-model.html";
const NEW_MACHINE: &str = "step-functions/latest/apireference/API_CreateStateMachine.html";
const OTHER_MACHINE: &str = "step-functions/latest/apireference/API_UpdateStateMachine.html";

/// A call that passes a role to the machines of another service, in which its caller may or may not get.
/// <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html>
pub const PASSING_UNSURELY: &[(&str, &str)] = &[("ec2", "eks:CreateNodegroup")];

/// Every way, by service. Some services have more than one principal: `airflow-env`, say, beside `airflow`.
pub static PASSING: LazyLock<Vec<Row>> = LazyLock::new(|| [machines::MACHINES, OTHERS].concat());

const OTHERS: &[Row] = &[
    ("lambda", "lambda:CreateFunction lambda:InvokeFunction", "lambda/latest/api/API_CreateFunction.html"),
    ("lambda", "lambda:CreateFunction lambda:AddPermission", "lambda/latest/api/API_CreateFunction.html"),
    // Out of use, and allowed by an action of its own all the same.
    (
        "lambda",
        "lambda:CreateFunction lambda:InvokeAsync",
        "service-authorization/latest/reference/list_lambda.html",
    ),
    (
        "lambda",
        "lambda:CreateFunction lambda:CreateEventSourceMapping",
        "lambda/latest/api/API_CreateFunction.html",
    ),
    (
        "lambda",
        "lambda:CreateFunction lambda:CreateFunctionUrlConfig",
        "lambda/latest/api/API_CreateFunctionUrlConfig.html",
    ),
    (
        "lambda",
        "lambda:CreateFunction lambda:InvokeFunctionUrl",
        "lambda/latest/api/API_CreateFunctionUrlConfig.html",
    ),
    (
        "lambda",
        "lambda:UpdateFunctionConfiguration",
        "lambda/latest/api/API_UpdateFunctionConfiguration.html",
    ),
    (
        "ecs-tasks",
        "ecs:RegisterTaskDefinition ecs:CreateService",
        "AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
    ),
    (
        "ecs-tasks",
        "ecs:RegisterTaskDefinition ecs:UpdateService",
        "AmazonECS/latest/APIReference/API_UpdateService.html",
    ),
    (
        "ecs-tasks",
        "ecs:RegisterTaskDefinition ecs:RunTask",
        "AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
    ),
    (
        "ecs-tasks",
        "ecs:RegisterTaskDefinition ecs:StartTask",
        "AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html",
    ),
    ("ecs-tasks", "ecs:RunTask", "AmazonECS/latest/APIReference/API_TaskOverride.html"),
    ("ecs-tasks", "ecs:StartTask", "AmazonECS/latest/APIReference/API_TaskOverride.html"),
    (
        "ecs-tasks",
        "ecs:RegisterTaskDefinition ecs:CreateTaskSet",
        "AmazonECS/latest/APIReference/API_CreateTaskSet.html",
    ),
    (
        "ecs-tasks",
        "ecs:CreateExpressGatewayService",
        "AmazonECS/latest/APIReference/API_CreateExpressGatewayService.html",
    ),
    (
        "ecs-tasks",
        "ecs:UpdateExpressGatewayService",
        "AmazonECS/latest/APIReference/API_UpdateExpressGatewayService.html",
    ),
    (
        "ecs-tasks",
        "batch:RegisterJobDefinition batch:SubmitJob",
        "batch/latest/APIReference/API_RegisterJobDefinition.html",
    ),
    ("glue", "glue:CreateDevEndpoint", "glue/latest/dg/aws-glue-api-dev-endpoint.html"),
    ("glue", "glue:CreateJob glue:StartJobRun", "glue/latest/dg/aws-glue-api-jobs-job.html"),
    ("glue", "glue:CreateJob glue:CreateTrigger", "glue/latest/dg/aws-glue-api-jobs-trigger.html"),
    ("glue", "glue:UpdateJob glue:StartJobRun", "glue/latest/dg/aws-glue-api-jobs-job.html"),
    ("glue", "glue:UpdateJob glue:CreateTrigger", "glue/latest/dg/aws-glue-api-jobs-trigger.html"),
    // A trigger that is there already starts the job.
    (
        "glue",
        "glue:CreateJob glue:UpdateTrigger glue:StartTrigger",
        "glue/latest/dg/aws-glue-api-jobs-trigger.html",
    ),
    (
        "glue",
        "glue:CreateJob glue:UpdateTrigger glue:StartWorkflowRun",
        "glue/latest/dg/aws-glue-api-workflow.html",
    ),
    ("glue", "glue:UpdateJob glue:StartTrigger", "glue/latest/dg/aws-glue-api-jobs-trigger.html"),
    ("glue", "glue:UpdateJob glue:StartWorkflowRun", "glue/latest/dg/aws-glue-api-workflow.html"),
    // The script of a blueprint makes a workflow with the role.
    ("glue", "glue:CreateBlueprint glue:StartBlueprintRun", "glue/latest/webapi/API_StartBlueprintRun.html"),
    ("glue", "glue:UpdateBlueprint glue:StartBlueprintRun", "glue/latest/webapi/API_StartBlueprintRun.html"),
    ("glue", "glue:CreateSession glue:RunStatement", "glue/latest/dg/aws-glue-api-interactive-sessions.html"),
    (
        "cloudformation",
        "cloudformation:CreateStack",
        "AWSCloudFormation/latest/APIReference/API_CreateStack.html",
    ),
    (
        "cloudformation",
        "cloudformation:UpdateStack",
        "AWSCloudFormation/latest/APIReference/API_UpdateStack.html",
    ),
    (
        "cloudformation",
        "cloudformation:CreateChangeSet cloudformation:ExecuteChangeSet",
        "AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html",
    ),
    (
        "cloudformation",
        "cloudformation:CreateStackSet cloudformation:CreateStackInstances",
        "AWSCloudFormation/latest/APIReference/API_CreateStackSet.html",
    ),
    (
        "cloudformation",
        "cloudformation:UpdateStackSet",
        "AWSCloudFormation/latest/APIReference/API_UpdateStackSet.html",
    ),
    // The Cloud Control API makes what CloudFormation makes, with a role that CloudFormation assumes.
    (
        "cloudformation",
        "cloudformation:CreateResource",
        "cloudcontrolapi/latest/userguide/resource-operations.html",
    ),
    (
        "cloudformation",
        "cloudformation:UpdateResource",
        "cloudcontrolapi/latest/userguide/resource-operations.html",
    ),
    // Nothing runs before a pipeline is activated. It has two roles: its own, and that of its instances.
    (
        "datapipeline",
        "datapipeline:CreatePipeline datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline",
        "datapipeline/latest/APIReference/API_ActivatePipeline.html",
    ),
    (
        "ec2",
        "datapipeline:CreatePipeline datapipeline:PutPipelineDefinition datapipeline:ActivatePipeline",
        "datapipeline/latest/DeveloperGuide/dp-iam-roles.html",
    ),
    // A build may override the role of its project, and its commands.
    ("codebuild", "codebuild:StartBuild", "codebuild/latest/APIReference/API_StartBuild.html"),
    ("codebuild", "codebuild:StartBuildBatch", "codebuild/latest/APIReference/API_StartBuildBatch.html"),
    // Whatever is pushed is built.
    (
        "codebuild",
        "codebuild:CreateProject codebuild:CreateWebhook",
        "codebuild/latest/APIReference/API_CreateWebhook.html",
    ),
    (
        "codebuild",
        "codebuild:UpdateProject codebuild:CreateWebhook",
        "codebuild/latest/APIReference/API_CreateWebhook.html",
    ),
    (
        "codebuild",
        "codebuild:CreateProject codebuild:StartSandbox codebuild:StartCommandExecution",
        "codebuild/latest/APIReference/API_StartCommandExecution.html",
    ),
    (
        "codepipeline",
        "codepipeline:CreatePipeline",
        "codepipeline/latest/APIReference/API_CreatePipeline.html",
    ),
    (
        "codepipeline",
        "codepipeline:UpdatePipeline codepipeline:StartPipelineExecution",
        "codepipeline/latest/APIReference/API_UpdatePipeline.html",
    ),
    ("codestar", "codestar:CreateProject", "IAM/latest/UserGuide/id_roles_use_passrole.html"),
    (
        "sagemaker",
        "sagemaker:CreateNotebookInstance",
        "sagemaker/latest/APIReference/API_CreateNotebookInstance.html",
    ),
    ("sagemaker", "sagemaker:CreateTrainingJob", "sagemaker/latest/APIReference/API_CreateTrainingJob.html"),
    (
        "sagemaker",
        "sagemaker:CreateProcessingJob",
        "sagemaker/latest/APIReference/API_CreateProcessingJob.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateHyperParameterTuningJob",
        "sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateMonitoringSchedule",
        "sagemaker/latest/APIReference/API_CreateMonitoringSchedule.html",
    ),
    ("sagemaker", "sagemaker:CreateAutoMLJob", "sagemaker/latest/APIReference/API_CreateAutoMLJob.html"),
    ("sagemaker", "sagemaker:CreateAutoMLJobV2", "sagemaker/latest/APIReference/API_CreateAutoMLJobV2.html"),
    ("sagemaker", "sagemaker:CreateLabelingJob", "sagemaker/latest/APIReference/API_CreateLabelingJob.html"),
    (
        "sagemaker",
        "sagemaker:UpdateNotebookInstance sagemaker:StartNotebookInstance",
        "sagemaker/latest/APIReference/API_UpdateNotebookInstance.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreatePipeline sagemaker:StartPipelineExecution",
        "sagemaker/latest/APIReference/API_CreatePipeline.html",
    ),
    (
        "sagemaker",
        "sagemaker:UpdatePipeline sagemaker:StartPipelineExecution",
        "sagemaker/latest/APIReference/API_UpdatePipeline.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateModel sagemaker:CreateEndpointConfig sagemaker:CreateEndpoint",
        "sagemaker/latest/APIReference/API_CreateModel.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateModel sagemaker:CreateEndpointConfig sagemaker:UpdateEndpoint",
        "sagemaker/latest/APIReference/API_UpdateEndpoint.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateModel sagemaker:CreateTransformJob",
        "sagemaker/latest/APIReference/API_CreateTransformJob.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateUserProfile sagemaker:CreatePresignedDomainUrl",
        "sagemaker/latest/APIReference/API_CreateUserProfile.html",
    ),
    (
        "sagemaker",
        "sagemaker:UpdateUserProfile sagemaker:CreatePresignedDomainUrl",
        "sagemaker/latest/APIReference/API_UpdateUserProfile.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateDomain sagemaker:CreatePresignedDomainUrl",
        "sagemaker/latest/APIReference/API_CreateDomain.html",
    ),
    (
        "sagemaker",
        "sagemaker:UpdateDomain sagemaker:CreatePresignedDomainUrl",
        "sagemaker/latest/APIReference/API_UpdateDomain.html",
    ),
    ("sagemaker", "sagemaker:CreateCluster", "sagemaker/latest/APIReference/API_CreateCluster.html"),
    // It runs the model's container.
    (
        "sagemaker",
        "sagemaker:CreateModel sagemaker:CreateInferenceRecommendationsJob",
        "sagemaker/latest/APIReference/API_CreateInferenceRecommendationsJob.html",
    ),
    ("tasks.apprunner", "apprunner:CreateService", "apprunner/latest/api/API_CreateService.html"),
    ("tasks.apprunner", "apprunner:UpdateService", "apprunner/latest/api/API_UpdateService.html"),
    ("braket", "braket:CreateJob", "braket/latest/APIReference/API_CreateJob.html"),
    (
        "emr-serverless",
        "emr-serverless:CreateApplication emr-serverless:StartJobRun",
        "emr-serverless/latest/APIReference/API_StartJobRun.html",
    ),
    (
        "emr-serverless",
        "emr-serverless:StartJobRun",
        "emr-serverless/latest/APIReference/API_StartJobRun.html",
    ),
    // A build from a bucket, which the role that is passed may read, too.
    (
        "gamelift",
        "gamelift:CreateBuild gamelift:CreateFleet",
        "gamelift/latest/apireference/API_CreateBuild.html",
    ),
    (
        "kinesisanalytics",
        "kinesisanalytics:CreateApplication kinesisanalytics:StartApplication",
        "managed-flink/latest/apiv2/API_CreateApplication.html",
    ),
    (
        "kinesisanalytics",
        "kinesisanalytics:UpdateApplication",
        "managed-flink/latest/apiv2/API_UpdateApplication.html",
    ),
    ("omics", "omics:CreateWorkflow omics:StartRun", "omics/latest/api/API_StartRun.html"),
    // A workflow of another account, whose share is accepted first.
    ("omics", "omics:AcceptShare omics:StartRun", "omics/latest/dev/sharing-workflows.html"),
    ("scheduler", "scheduler:CreateSchedule", "scheduler/latest/APIReference/API_CreateSchedule.html"),
    ("scheduler", "scheduler:UpdateSchedule", "scheduler/latest/APIReference/API_UpdateSchedule.html"),
    (
        "ssm",
        "ssm:CreateDocument ssm:StartAutomationExecution",
        "systems-manager/latest/APIReference/API_StartAutomationExecution.html",
    ),
    (
        "ssm",
        "ssm:UpdateDocument ssm:StartAutomationExecution",
        "systems-manager/latest/APIReference/API_StartAutomationExecution.html",
    ),
    // AWS Config runs a document with the role that its parameters name.
    (
        "ssm",
        "ssm:CreateDocument config:PutRemediationConfigurations config:StartRemediationExecution",
        "config/latest/APIReference/API_PutRemediationConfigurations.html",
    ),
    (
        "ssm",
        "ssm:UpdateDocument config:PutRemediationConfigurations config:StartRemediationExecution",
        "config/latest/APIReference/API_PutRemediationConfigurations.html",
    ),
    // A document that somebody else shares, from any account.
    ("ssm", "ssm:StartAutomationExecution", "systems-manager/latest/userguide/ssm-using-shared.html"),
    ("ssm", "ssm:CreateAssociation", "systems-manager/latest/APIReference/API_CreateAssociation.html"),
    // A machine of one's own, registered with the role.
    ("ssm", "ssm:CreateActivation", "systems-manager/latest/APIReference/API_CreateActivation.html"),
    (
        "ssm",
        "ssm:UpdateManagedInstanceRole",
        "systems-manager/latest/APIReference/API_UpdateManagedInstanceRole.html",
    ),
    (
        "ssm",
        "ssm:RegisterTaskWithMaintenanceWindow",
        "systems-manager/latest/APIReference/API_RegisterTaskWithMaintenanceWindow.html",
    ),
    (
        "ssm",
        "ssm:UpdateMaintenanceWindowTask",
        "systems-manager/latest/APIReference/API_UpdateMaintenanceWindowTask.html",
    ),
    (
        "ssm",
        "ssm:StartChangeRequestExecution",
        "systems-manager/latest/APIReference/API_StartChangeRequestExecution.html",
    ),
    (
        "ssm-incidents",
        "ssm-incidents:CreateResponsePlan ssm-incidents:StartIncident",
        "incident-manager/latest/APIReference/API_SsmAutomation.html",
    ),
    // The connector runs the caller's own jar.
    (
        "kafkaconnect",
        "kafkaconnect:CreateCustomPlugin kafkaconnect:CreateConnector",
        "MSKC/latest/mskc/API_CreateConnector.html",
    ),
    // Handlers of a type of the caller's own run with its execution role when a resource of it is made.
    (
        "resources.cloudformation",
        "cloudformation:RegisterType cloudformation:CreateStack",
        "AWSCloudFormation/latest/APIReference/API_RegisterType.html",
    ),
    (
        "resources.cloudformation",
        "cloudformation:RegisterType cloudformation:CreateResource",
        "AWSCloudFormation/latest/APIReference/API_RegisterType.html",
    ),
    (
        "ssm",
        "ssm:CreateDocument ssm:CreateAssociation",
        "systems-manager/latest/APIReference/API_CreateAssociation.html",
    ),
    ("states", "states:CreateStateMachine states:StartExecution", NEW_MACHINE),
    ("states", "states:CreateStateMachine states:StartSyncExecution", NEW_MACHINE),
    ("states", "states:UpdateStateMachine states:StartExecution", OTHER_MACHINE),
    ("states", "states:UpdateStateMachine states:StartSyncExecution", OTHER_MACHINE),
    ("states", "states:TestState", "step-functions/latest/apireference/API_TestState.html"),
    // A rule that is there already will do.
    ("events", "events:PutTargets", "eventbridge/latest/APIReference/API_PutTargets.html"),
    ("pipes", "pipes:CreatePipe", "eventbridge/latest/pipes-reference/API_CreatePipe.html"),
    ("pipes", "pipes:UpdatePipe", "eventbridge/latest/pipes-reference/API_UpdatePipe.html"),
    (
        "cognito-identity",
        "cognito-identity:SetIdentityPoolRoles",
        "cognitoidentity/latest/APIReference/API_SetIdentityPoolRoles.html",
    ),
    (
        "pods.eks",
        "eks:CreatePodIdentityAssociation",
        "eks/latest/APIReference/API_CreatePodIdentityAssociation.html",
    ),
    (
        "pods.eks",
        "eks:UpdatePodIdentityAssociation",
        "eks/latest/APIReference/API_UpdatePodIdentityAssociation.html",
    ),
    ("amplify", "amplify:CreateApp", "amplify/latest/APIReference/API_CreateApp.html"),
    ("amplify", "amplify:UpdateApp amplify:StartJob", "amplify/latest/APIReference/API_UpdateApp.html"),
    ("airflow", "airflow:CreateEnvironment", "mwaa/latest/API/API_CreateEnvironment.html"),
    ("airflow-env", "airflow:CreateEnvironment", "mwaa/latest/API/API_CreateEnvironment.html"),
    ("airflow-env", "airflow:UpdateEnvironment", "mwaa/latest/API/API_UpdateEnvironment.html"),
    ("credentials.iot", "iot:CreateRoleAlias", "iot/latest/apireference/API_CreateRoleAlias.html"),
    ("credentials.iot", "iot:UpdateRoleAlias", "iot/latest/apireference/API_UpdateRoleAlias.html"),
    ("rolesanywhere", "rolesanywhere:CreateTrustAnchor rolesanywhere:CreateProfile", ANYWHERE),
    ("rolesanywhere", "rolesanywhere:CreateTrustAnchor rolesanywhere:UpdateProfile", ANYWHERE),
    ("rolesanywhere", "rolesanywhere:UpdateTrustAnchor rolesanywhere:CreateProfile", ANYWHERE),
    ("rolesanywhere", "rolesanywhere:UpdateTrustAnchor rolesanywhere:UpdateProfile", ANYWHERE),
    ("appsync", "appsync:CreateDataSource", "appsync/latest/APIReference/API_CreateDataSource.html"),
    ("appsync", "appsync:UpdateDataSource", "appsync/latest/APIReference/API_UpdateDataSource.html"),
    ("apigateway", "apigateway:PUT apigateway:POST", "apigateway/latest/api/API_PutIntegration.html"),
    ("apigateway", "apigateway:PATCH apigateway:POST", "apigateway/latest/api/API_UpdateIntegration.html"),
    // An API is made with all that is in it, and deployed by the same action.
    ("apigateway", "apigateway:POST", "apigateway/latest/api/API_ImportRestApi.html"),
    (
        "fis",
        "fis:CreateExperimentTemplate fis:StartExperiment",
        "fis/latest/APIReference/API_CreateExperimentTemplate.html",
    ),
    (
        "fis",
        "fis:UpdateExperimentTemplate fis:StartExperiment",
        "fis/latest/APIReference/API_UpdateExperimentTemplate.html",
    ),
    (
        "proton",
        "proton:CreateServiceTemplateVersion proton:CreateEnvironment",
        "proton/latest/APIReference/API_CreateEnvironment.html",
    ),
    (
        "servicecatalog",
        "servicecatalog:CreateProvisioningArtifact servicecatalog:CreateConstraint servicecatalog:ProvisionProduct",
        "servicecatalog/latest/dg/API_CreateConstraint.html",
    ),
    (
        "appstream",
        "appstream:CreateImageBuilder appstream:CreateImageBuilderStreamingURL",
        "appstream2/latest/APIReference/API_CreateImageBuilder.html",
    ),
    (
        "appstream",
        "appstream:CreateFleet appstream:CreateStreamingURL",
        "appstream2/latest/APIReference/API_CreateFleet.html",
    ),
    // The role of a fleet is changed while it is stopped.
    (
        "appstream",
        "appstream:UpdateFleet appstream:StartFleet appstream:CreateStreamingURL",
        "appstream2/latest/APIReference/API_UpdateFleet.html",
    ),
    (
        "appstream",
        "appstream:CreateAppBlockBuilder appstream:StartAppBlockBuilder appstream:CreateAppBlockBuilderStreamingURL",
        "appstream2/latest/APIReference/API_CreateAppBlockBuilder.html",
    ),
    (
        "credentials.deadline",
        "deadline:CreateQueue deadline:AssumeQueueRoleForUser",
        "deadline-cloud/latest/APIReference/API_CreateQueue.html",
    ),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:CreateCodeInterpreter bedrock-agentcore:StartCodeInterpreterSession bedrock-agentcore:InvokeCodeInterpreter",
        "bedrock-agentcore-control/latest/APIReference/API_CreateCodeInterpreter.html",
    ),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:CreateAgentRuntime bedrock-agentcore:InvokeAgentRuntime",
        "bedrock-agentcore-control/latest/APIReference/API_CreateAgentRuntime.html",
    ),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:CreateAgentRuntime bedrock-agentcore:InvokeAgentRuntimeCommand",
        "bedrock-agentcore-control/latest/APIReference/API_CreateAgentRuntime.html",
    ),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:UpdateAgentRuntime bedrock-agentcore:InvokeAgentRuntime",
        "bedrock-agentcore-control/latest/APIReference/API_UpdateAgentRuntime.html",
    ),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:CreateBrowser bedrock-agentcore:StartBrowserSession bedrock-agentcore:ConnectBrowserAutomationStream",
        "bedrock-agentcore-control/latest/APIReference/API_CreateBrowser.html",
    ),
    (
        "bedrock-agentcore",
        "bedrock-agentcore:CreateGateway bedrock-agentcore:CreateGatewayTarget bedrock-agentcore:InvokeGateway",
        "bedrock-agentcore/latest/devguide/gateway-building-smithy-targets.html",
    ),
    // A script that runs with the role of the profile.
    (
        "sagemaker",
        "sagemaker:CreateStudioLifecycleConfig sagemaker:CreateUserProfile sagemaker:CreateApp",
        "sagemaker/latest/APIReference/API_CreateStudioLifecycleConfig.html",
    ),
    (
        "sagemaker",
        "sagemaker:CreateStudioLifecycleConfig sagemaker:UpdateUserProfile sagemaker:CreateApp",
        "sagemaker/latest/APIReference/API_CreateStudioLifecycleConfig.html",
    ),
];
