//! 110 to 112: data that can be read out, resources that can be opened, credentials that can be had.

use std::sync::LazyLock;

use super::on_all::{by_choice, holding};
use super::rule::{Check, Context, Hit, LEAST_PRIVILEGE, Rule};
use super::shares::WRITTEN_SHARES;
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::catalogue::{Catalogue, KnownActions, Level};

/// The rules of this part of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM110",
        slug: "data-exfiltration",
        severity: Severity::High,
        title: "All data of a kind can be read out",
        what: "Actions that read or copy out data are allowed on all resources.",
        why: "One leaked session reads every bucket, table or secret of the account.",
        fix: "Name the buckets, tables and secrets that the workload needs.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(exfiltration),
    },
    Rule {
        id: "IAM111",
        slug: "resource-exposure",
        severity: Severity::High,
        title: "All resources of a kind can be opened to others",
        what: "Actions that share resources or write their policies are allowed on all of them.",
        why: "A resource policy can hand data to any account, and no identity policy shows it.",
        fix: "Leave these actions to the deploy role, on named resources.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(exposure),
    },
    Rule {
        id: "IAM112",
        slug: "credential-exposure",
        severity: Severity::Medium,
        title: "Credentials can be made or fetched for all resources",
        what: "Actions that answer with credentials are allowed on all resources.",
        why: "Credentials outlive the session that fetched them and leave the account unnoticed.",
        fix: "Name the resources, or drop the action.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(credentials),
    },
];

/// Each reads data, or hands it to another account, by itself.
static READS_DATA: KnownActions = KnownActions::new(&[
    "s3:GetObject",
    "s3:GetObjectVersion",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
    "dynamodb:Scan",
    "dynamodb:Query",
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:ExportTableToPointInTime",
    "rds:ModifyDBSnapshotAttribute",
    "rds:StartExportTask",
    "ec2:ModifySnapshotAttribute",
    "ec2:ModifyImageAttribute",
    "redshift:GetClusterCredentials",
]);

/// Told beside those, and no data alone: metadata, decryption (IAM115), copies that stay in the account, and
/// what needs one of those as well.
/// <https://docs.aws.amazon.com/athena/latest/APIReference/API_GetQueryResults.html>,
/// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html>
static BESIDE_DATA: KnownActions = KnownActions::new(&[
    "secretsmanager:BatchGetSecretValue",
    "kms:Decrypt",
    "rds:CopyDBSnapshot",
    "lambda:GetFunction",
    "athena:GetQueryResults",
    "glue:GetTable",
]);

fn exfiltration(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    static CODE: KnownActions = KnownActions::new(&["lambda:GetFunction"]);
    let chosen = by_choice(view);
    let mut actions = READS_DATA.within(&chosen);
    if actions.is_empty() {
        // No data, but variables of functions hold more than they should.
        let hit = holding(cx, view, &CODE.within(&chosen))?;
        let title = "The code and variables of all functions can be read: lambda:GetFunction";
        return Some(hit.severity(Severity::Medium).title(title));
    }
    actions.extend(BESIDE_DATA.within(&chosen));
    holding(cx, view, &actions)
}

/// How names begin of what only looks at permissions, takes them away, or is about something else.
const OPENS_NOTHING: &[&str] = &[
    "Abort",
    "Accept",
    "AccessDSData",
    "AllowVendedLogDelivery",
    "Bypass",
    "Cancel",
    "Complete",
    "Deauthorize",
    "Delete",
    "Describe",
    "Detach",
    "Disable",
    "Disassociate",
    "Dissociate",
    "Get",
    "Initiate",
    "Invoke",
    "List",
    "Reject",
    "Refresh",
    "Remove",
    "Reset",
    "Retire",
    "Revoke",
    "Search",
    "Synchronize",
    "Test",
    "Unlink",
    "Validate",
    "View",
];

/// What AWS lists under permissions management although it shares nothing that is there: it makes something
/// new, sets up networks or passwords, or lets a service work.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
const SHARES_NOTHING: &[&str] = &[
    "apigateway:AddCertificateToDomain",
    "apigateway:CreateAccessAssociation",
    "apigateway:SetWebACL",
    "bedrock-agentcore:AuthorizeAction",
    "bedrock-agentcore:PartiallyAuthorizeActions",
    "chime:PutVoiceConnectorTerminationCredentials",
    "cloudformation:SetStackPolicy",
    "cognito-identity:MergeDeveloperIdentities",
    "ds:CreateConditionalForwarder",
    "ec2:AttachApplianceToNatGateway",
    "ec2:AttachResourcesToPlacementGroup",
    "ec2:CreateCoipPoolPermission",
    "ec2:CreateLocalGatewayRouteTablePermission",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:CreateOdbNetworkPeering",
    "ec2:ModifyOdbNetworkPeering",
    "es:CreateElasticsearchDomain",
    "fsx:ManageBackupPrincipalAssociations",
    "iotfleetwise:GenerateCommandPayload",
    "lambda:EnableReplication",
    "mediapackage:RotateIngestEndpointCredentials",
    "opensearch:ApplicationAccessAll",
    "rds-db:connect",
    "redshift:CreateClusterUser",
    "redshift:CreateSnapshotCopyGrant",
    "redshift:JoinGroup",
    "redshift:ModifyClusterIamRoles",
    "s3:AssociateAccessGrantsIdentityCenter",
    "s3:CreateAccessGrantsInstance",
    "s3:CreateAccessGrantsLocation",
    "s3:ObjectOwnerOverrideToBucketOwner",
    "s3:PutBucketOwnershipControls",
    "ses:ReplicateEmailIdentityDkimSigningKey",
    "sns:CreateTopic",
    "sqs:CreateQueue",
    "ssm-contacts:AssociateContact",
    "waf-regional:CreateWebACL",
    "waf-regional:UpdateWebACL",
    "waf:CreateWebACL",
    "waf:UpdateWebACL",
    "worklink:UpdateDevicePolicyConfiguration",
    "workspaces:ModifySelfservicePermissions",
];

/// Services that hold data, secrets, code or ways in. What others share are their own settings, and rights
/// within them.
const HOLD_DATA: &[&str] = &[
    "acm-pca",
    "aoss",
    "apigateway",
    "appstream",
    "backup",
    "bedrock-agentcore",
    "cloudsearch",
    "codeartifact",
    "dataexchange",
    "ds",
    "dsql",
    "dynamodb",
    "ec2",
    "ecr",
    "ecr-public",
    "elasticfilesystem",
    "es",
    "events",
    "fsx",
    "glacier",
    "glue",
    "kafka",
    "kinesis",
    "kms",
    "lambda",
    "mediastore",
    "omics",
    "payment-cryptography",
    "ram",
    "rds",
    "redshift",
    "redshift-serverless",
    "s3",
    "s3-object-lambda",
    "s3-outposts",
    "s3express",
    "s3files",
    "s3tables",
    "s3vectors",
    "sagemaker",
    "secretsmanager",
    "serverlessrepo",
    "sns",
    "sqs",
    "ssm",
    "vpc-lattice",
];

/// What takes no resource in its ARN and shares what it names all the same.
/// <https://docs.aws.amazon.com/ram/latest/APIReference/API_CreateResourceShare.html>
const SHARES_NEW: &[&str] = &["ram:CreateResourceShare"];

/// Actions that open resources to others. Those of IAM and Identity Center are escalation, 2xx.
static EXPOSES: LazyLock<ActionSet> = LazyLock::new(|| {
    let c = Catalogue::embedded();
    let exposes = |&id: &ActionId| {
        let (service, name) = c.name(id).split_once(':').unwrap_or_default();
        let elsewhere = ["iam", "sso", "organizations"].contains(&service);
        WRITTEN_SHARES.iter().any(|(share, _)| *share == c.name(id))
            || !(elsewhere
                || OPENS_NOTHING.iter().any(|verb| name.starts_with(verb))
                || SHARES_NOTHING.contains(&c.name(id)))
                && c.has_level(id, Level::Permissions)
                && (c.resource_templates(id).next().is_some() || SHARES_NEW.contains(&c.name(id)))
    };
    c.all().filter(exposes).collect()
});

fn exposure(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let mut actions = by_choice(view);
    actions.intersect(&EXPOSES);
    let (data, settings): (Vec<ActionId>, Vec<ActionId>) =
        actions.iter().partition(|&id| HOLD_DATA.contains(&cx.catalogue.service_of(id)));
    match data.is_empty() {
        true => Some(holding(cx, view, &settings)?.severity(Severity::Medium)),
        false => holding(cx, view, &[data, settings].concat()),
    }
}

/// `cognito-identity:GetCredentialsForIdentity` is none of them: anybody may call it, without credentials.
/// <https://docs.aws.amazon.com/cognitoidentity/latest/APIReference/API_GetCredentialsForIdentity.html>
static GIVES_CREDENTIALS: KnownActions = KnownActions::new(&[
    "sts:GetFederationToken",
    "sts:AssumeRoleWithSAML",
    "sts:AssumeRoleWithWebIdentity",
    "sts:AssumeRoot",
    "codeartifact:GetAuthorizationToken",
    "redshift:GetClusterCredentials",
    "redshift:GetClusterCredentialsWithIAM",
    "redshift-serverless:GetCredentials",
    "rds-db:connect",
    "iam:CreateServiceSpecificCredential",
    "iam:ResetServiceSpecificCredential",
    "lightsail:GetInstanceAccessDetails",
    "lightsail:GetRelationalDatabaseMasterUserPassword",
    "ec2:GetPasswordData",
    "chime:CreateApiKey",
    "mediapackage:RotateIngestEndpointCredentials",
    "connect:GetFederationToken",
]);

fn credentials(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let actions = GIVES_CREDENTIALS.within(&by_choice(view));
    // A password that only the key of the machine decrypts, and a token for what the role may read anyway.
    let mild = ["ec2:GetPasswordData", "codeartifact:GetAuthorizationToken"];
    let hit = holding(cx, view, &actions)?;
    let named = |name: &str| actions.iter().any(|&id| cx.catalogue.name(id) == name);
    Some(match actions.iter().all(|&id| mild.contains(&cx.catalogue.name(id))) {
        true => hit.severity(Severity::Low),
        // As the organization's root users one makes passwords for them.
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_root-user-privileged-task.html>
        false if named("sts:AssumeRoot") => hit.severity(Severity::High),
        false => hit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_named_action_is_catalogued() {
        assert!([&READS_DATA, &BESIDE_DATA, &GIVES_CREDENTIALS].iter().all(|list| !list.ids().is_empty()));
        let c = Catalogue::embedded();
        let unknown: Vec<_> = SHARES_NOTHING.iter().filter(|name| c.find(name).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        // What AWS lists as sharing by now needs no row.
        let is_row = |name: &str| c.find(name).is_some_and(|id| !c.has_level(id, Level::Permissions));
        let idle_rows: Vec<_> = WRITTEN_SHARES.iter().filter(|(name, _)| !is_row(name)).collect();
        assert!(idle_rows.is_empty(), "{idle_rows:?}");
        let idle: Vec<_> = HOLD_DATA
            .iter()
            .filter(|service| !EXPOSES.iter().any(|id| c.service_of(id) == **service))
            .collect();
        assert!(idle.is_empty(), "{idle:?}");
    }
}
