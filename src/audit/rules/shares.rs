//! What shares with other accounts although AWS lists it as writing only: each call takes an account, or a
//! policy that names one. Found by the members of requests in botocore's models.

/// The action, and the page below <https://docs.aws.amazon.com/> of whom it lets in.
pub(super) const WRITTEN_SHARES: &[(&str, &str)] = &[
    (
        "aoss:CreateAccessPolicy",
        "opensearch-service/latest/ServerlessAPIReference/API_CreateAccessPolicy.html",
    ),
    (
        "aoss:UpdateAccessPolicy",
        "opensearch-service/latest/ServerlessAPIReference/API_UpdateAccessPolicy.html",
    ),
    ("appstream:UpdateImagePermissions", "appstream2/latest/APIReference/API_UpdateImagePermissions.html"),
    ("aps:PutResourcePolicy", "prometheus/latest/APIReference/API_PutResourcePolicy.html"),
    (
        "auditmanager:StartAssessmentFrameworkShare",
        "audit-manager/latest/APIReference/API_StartAssessmentFrameworkShare.html",
    ),
    ("bedrock:PutResourcePolicy", "bedrock/latest/APIReference/API_PutResourcePolicy.html"),
    (
        "bedrock-agentcore:PutResourcePolicy",
        "bedrock-agentcore-control/latest/APIReference/API_PutResourcePolicy.html",
    ),
    ("cloudtrail:PutResourcePolicy", "awscloudtrail/latest/APIReference/API_PutResourcePolicy.html"),
    (
        "codeartifact:PutDomainPermissionsPolicy",
        "codeartifact/latest/APIReference/API_PutDomainPermissionsPolicy.html",
    ),
    (
        "codeartifact:PutRepositoryPermissionsPolicy",
        "codeartifact/latest/APIReference/API_PutRepositoryPermissionsPolicy.html",
    ),
    ("comprehend:PutResourcePolicy", "comprehend/latest/APIReference/API_PutResourcePolicy.html"),
    ("config:PutAggregationAuthorization", "config/latest/APIReference/API_PutAggregationAuthorization.html"),
    ("dataexchange:CreateDataGrant", "data-exchange/latest/apireference/API_CreateDataGrant.html"),
    ("dsql:PutClusterPolicy", "aurora-dsql/latest/APIReference/API_PutClusterPolicy.html"),
    ("ec2:ModifyFpgaImageAttribute", "AWSEC2/latest/APIReference/API_ModifyFpgaImageAttribute.html"),
    ("kafka:PutClusterPolicy", "msk/1.0/apireference/clusters-clusterarn-policy.html"),
    ("kinesis:PutResourcePolicy", "kinesis/latest/APIReference/API_PutResourcePolicy.html"),
    ("lex:CreateResourcePolicy", "lexv2/latest/APIReference/API_CreateResourcePolicy.html"),
    ("lex:UpdateResourcePolicy", "lexv2/latest/APIReference/API_UpdateResourcePolicy.html"),
    ("mediaconnect:GrantFlowEntitlements", "mediaconnect/latest/api/v1-flows-flowarn-entitlements.html"),
    ("network-firewall:PutResourcePolicy", "network-firewall/latest/APIReference/API_PutResourcePolicy.html"),
    ("oam:CreateLink", "OAM/latest/APIReference/API_CreateLink.html"),
    ("omics:CreateShare", "omics/latest/api/API_CreateShare.html"),
    ("omics:PutS3AccessPolicy", "omics/latest/api/API_PutS3AccessPolicy.html"),
    (
        "redshift-serverless:PutResourcePolicy",
        "redshift-serverless/latest/APIReference/API_PutResourcePolicy.html",
    ),
    ("rekognition:PutProjectPolicy", "rekognition/latest/APIReference/API_PutProjectPolicy.html"),
    (
        "sagemaker:PutModelPackageGroupPolicy",
        "sagemaker/latest/APIReference/API_PutModelPackageGroupPolicy.html",
    ),
    ("schemas:PutResourcePolicy", "eventbridge/latest/schema-reference/v1-policy.html"),
    (
        "serverlessrepo:PutApplicationPolicy",
        "serverlessrepo/latest/devguide/applications-applicationid-policy.html",
    ),
    (
        "ssm-contacts:PutContactPolicy",
        "incident-manager/latest/APIReference/API_SSMContacts_PutContactPolicy.html",
    ),
    ("vpc-lattice:PutResourcePolicy", "vpc-lattice/latest/APIReference/API_PutResourcePolicy.html"),
    ("wellarchitected:CreateLensShare", "wellarchitected/latest/APIReference/API_CreateLensShare.html"),
    ("wellarchitected:CreateProfileShare", "wellarchitected/latest/APIReference/API_CreateProfileShare.html"),
    (
        "wellarchitected:CreateTemplateShare",
        "wellarchitected/latest/APIReference/API_CreateTemplateShare.html",
    ),
    (
        "wellarchitected:CreateWorkloadShare",
        "wellarchitected/latest/APIReference/API_CreateWorkloadShare.html",
    ),
];
