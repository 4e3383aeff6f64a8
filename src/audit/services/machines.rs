//! The ways that pass a role to machines: instances of EC2, whatever starts them.

use super::Row;

/// See [`PASSING`](super::PASSING).
pub const MACHINES: &[Row] = &[
    ("ec2", "ec2:RunInstances", "AWSEC2/latest/APIReference/API_RunInstances.html"),
    ("ec2", "ec2:RequestSpotInstances", "AWSEC2/latest/APIReference/API_RequestSpotInstances.html"),
    ("ec2", "ec2:RequestSpotFleet", "AWSEC2/latest/APIReference/API_RequestSpotFleet.html"),
    ("ec2", "ec2:CreateLaunchTemplate ec2:CreateFleet", "AWSEC2/latest/APIReference/API_CreateFleet.html"),
    (
        "ec2",
        "ec2:CreateLaunchTemplateVersion ec2:CreateFleet",
        "AWSEC2/latest/APIReference/API_CreateFleet.html",
    ),
    (
        "ec2",
        "autoscaling:CreateLaunchConfiguration autoscaling:CreateAutoScalingGroup",
        "autoscaling/ec2/APIReference/API_CreateLaunchConfiguration.html",
    ),
    (
        "ec2",
        "autoscaling:CreateLaunchConfiguration autoscaling:UpdateAutoScalingGroup",
        "autoscaling/ec2/APIReference/API_CreateLaunchConfiguration.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplate autoscaling:CreateAutoScalingGroup",
        "autoscaling/ec2/APIReference/API_CreateAutoScalingGroup.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplateVersion autoscaling:UpdateAutoScalingGroup",
        "autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html",
    ),
    ("ec2", "ec2:AssociateIamInstanceProfile", "AWSEC2/latest/UserGuide/permission-to-pass-iam-roles.html"),
    (
        "ec2",
        "ec2:ReplaceIamInstanceProfileAssociation",
        "AWSEC2/latest/UserGuide/permission-to-pass-iam-roles.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplate autoscaling:UpdateAutoScalingGroup",
        "autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplateVersion autoscaling:StartInstanceRefresh",
        "autoscaling/ec2/APIReference/API_StartInstanceRefresh.html",
    ),
    // A refresh takes the template that it is given.
    (
        "ec2",
        "ec2:CreateLaunchTemplate autoscaling:StartInstanceRefresh",
        "autoscaling/ec2/APIReference/API_StartInstanceRefresh.html",
    ),
    (
        "ec2",
        "batch:CreateComputeEnvironment batch:CreateJobQueue batch:RegisterJobDefinition batch:SubmitJob",
        "batch/latest/APIReference/API_ComputeResource.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplate eks:CreateNodegroup",
        "eks/latest/APIReference/API_CreateNodegroup.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplateVersion eks:CreateNodegroup",
        "eks/latest/APIReference/API_CreateNodegroup.html",
    ),
    // Its machines let in whoever has the key.
    ("ec2", "ec2:CreateKeyPair eks:CreateNodegroup", "eks/latest/APIReference/API_RemoteAccessConfig.html"),
    ("ec2", "ec2:ImportKeyPair eks:CreateNodegroup", "eks/latest/APIReference/API_RemoteAccessConfig.html"),
    ("ec2", "iam:AddRoleToInstanceProfile", "IAM/latest/APIReference/API_AddRoleToInstanceProfile.html"),
    ("ec2", "elasticmapreduce:RunJobFlow", "emr/latest/APIReference/API_RunJobFlow.html"),
    // Machines of a template of the caller's own, with a profile of its choice.
    (
        "ec2",
        "pcs:CreateComputeNodeGroup ec2:CreateLaunchTemplate",
        "pcs/latest/APIReference/API_CreateComputeNodeGroup.html",
    ),
    (
        "ec2",
        "pcs:CreateComputeNodeGroup ec2:CreateLaunchTemplateVersion",
        "pcs/latest/APIReference/API_CreateComputeNodeGroup.html",
    ),
    (
        "ec2",
        "pcs:UpdateComputeNodeGroup ec2:CreateLaunchTemplate",
        "pcs/latest/APIReference/API_UpdateComputeNodeGroup.html",
    ),
    (
        "ec2",
        "imagebuilder:CreateComponent imagebuilder:CreateImageRecipe imagebuilder:CreateInfrastructureConfiguration imagebuilder:CreateImage",
        "imagebuilder/latest/APIReference/API_CreateInfrastructureConfiguration.html",
    ),
    (
        "ec2",
        "imagebuilder:CreateComponent imagebuilder:CreateImageRecipe imagebuilder:CreateInfrastructureConfiguration imagebuilder:CreateImagePipeline imagebuilder:StartImagePipelineExecution",
        "imagebuilder/latest/APIReference/API_StartImagePipelineExecution.html",
    ),
    (
        "ec2",
        "imagebuilder:CreateComponent imagebuilder:CreateContainerRecipe imagebuilder:CreateInfrastructureConfiguration imagebuilder:CreateImage",
        "imagebuilder/latest/APIReference/API_CreateContainerRecipe.html",
    ),
    (
        "ec2",
        "elasticbeanstalk:CreateApplicationVersion elasticbeanstalk:CreateEnvironment",
        "elasticbeanstalk/latest/api/API_CreateEnvironment.html",
    ),
    (
        "ec2",
        "elasticbeanstalk:CreateApplicationVersion elasticbeanstalk:UpdateEnvironment",
        "elasticbeanstalk/latest/api/API_UpdateEnvironment.html",
    ),
    // A template of the caller's own, with its user data.
    (
        "ec2",
        "ec2:CreateLaunchTemplate batch:CreateComputeEnvironment",
        "batch/latest/APIReference/API_ComputeResource.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplateVersion batch:CreateComputeEnvironment",
        "batch/latest/APIReference/API_ComputeResource.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplate batch:UpdateComputeEnvironment",
        "batch/latest/APIReference/API_ComputeResourceUpdate.html",
    ),
    (
        "ec2",
        "ec2:CreateLaunchTemplateVersion batch:UpdateComputeEnvironment",
        "batch/latest/APIReference/API_ComputeResourceUpdate.html",
    ),
    ("ec2", "ec2:CreateLaunchTemplate ec2:ModifyFleet", "AWSEC2/latest/APIReference/API_ModifyFleet.html"),
    (
        "ec2",
        "ec2:CreateLaunchTemplate ec2:ModifySpotFleetRequest",
        "AWSEC2/latest/APIReference/API_ModifySpotFleetRequest.html",
    ),
];
