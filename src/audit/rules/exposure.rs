//! 107 to 109 and 113 to 119: broad grants short of an administrator's, by what they put at risk.

use std::sync::LazyLock;

use super::on_all::{by_choice, first_of, holding};
use super::permissions::held_as_a_whole;
use super::rule::{Check, Context, Hit, LEAST_PRIVILEGE, Rule};
use super::trust::foreign;
use crate::audit::account::is_aws_owned;
use crate::audit::finding::Severity;
use crate::audit::role_view::RoleView;
use crate::audit::serving::is_for_service;
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::arn::Arn;
use opsctl_iam::catalogue::{Catalogue, KnownActions, Level, in_partition_aws};
use opsctl_iam::condition::Asked;
use opsctl_iam::decide::Decision;
use opsctl_iam::grant::{Grant, Sourced};
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;
use opsctl_iam::restriction::Restriction;

const NOT_ACTION: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notaction.html";
const NOT_RESOURCE: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notresource.html";
const ABAC: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/introduction_attribute-based-access-control.html";
const KMS: &str = "https://docs.aws.amazon.com/kms/latest/developerguide/iam-policies-best-practices.html";

/// The rules of this part of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM107",
        slug: "allow-notaction",
        severity: Severity::Medium,
        title: "Allowed is everything but what is listed",
        what: "A statement allows with NotAction.",
        why: "It allows every service that AWS will ever add.",
        fix: "List the actions that are allowed; put exclusions in a Deny.",
        page: NOT_ACTION,
        check: Check::Permissions(allow_not_action),
    },
    Rule {
        id: "IAM108",
        slug: "allow-notresource",
        severity: Severity::Medium,
        title: "Allowed on everything but what is listed",
        what: "A statement allows with NotResource.",
        why: "It covers every resource made tomorrow, and those of other services.",
        fix: "Name the resources; put exclusions in a Deny.",
        page: NOT_RESOURCE,
        check: Check::Permissions(allow_not_resource),
    },
    Rule {
        id: "IAM109",
        slug: "unscoped-write",
        severity: Severity::Medium,
        title: "Writing actions on all resources",
        what: "Actions that write, and that could be limited to resources, are allowed on all of them.",
        why: "A fault or an intruder in one workload changes what belongs to others.",
        fix: "Name the ARNs, or bind the grant to a tag.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(unscoped_write),
    },
    Rule {
        id: "IAM113",
        slug: "destructive",
        severity: Severity::Medium,
        title: "All resources of a kind can be destroyed",
        what: "Actions that delete data or machines are allowed on all resources.",
        why: "One fault or one intruder can end the service, and with keys and backups the recovery too.",
        fix: "Name the ARNs or a tag, and deny the deletion of backups and keys.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(destructive),
    },
    Rule {
        id: "IAM114",
        slug: "blind-the-auditor",
        severity: Severity::High,
        title: "Logging and detection can be switched off",
        what: "The role may stop or delete trails, detectors, recorders or log groups.",
        why: "It is the first thing an intruder does.",
        fix: "Remove the actions, and deny them to all but the security team by a service control policy.",
        page: "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/best-practices-security.html",
        check: Check::Permissions(disables_logging),
    },
    Rule {
        id: "IAM115",
        slug: "kms-decrypt-all",
        severity: Severity::Medium,
        title: "Every key may be used to decrypt",
        what: "kms:Decrypt or kms:ReEncryptFrom is allowed on all keys.",
        why: "Encryption then separates nothing from this role.",
        fix: "Name the keys, or add the condition kms:ViaService.",
        page: KMS,
        check: Check::Permissions(decrypt),
    },
    Rule {
        id: "IAM116",
        slug: "cross-account-read",
        severity: Severity::High,
        title: "A foreign account reads everything",
        what: "A role that a foreign account may assume reads all of the account.",
        why: "That party's breach is this account's breach.",
        fix: "Grant the party's own minimal list of actions.",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html",
        check: Check::Role(cross_account_read),
    },
    Rule {
        id: "IAM117",
        slug: "cloudshell-full",
        severity: Severity::Low,
        title: "CloudShell with file transfer",
        what: "AWSCloudShellFullAccess is attached.",
        why: "It lets files be moved out of the account through the console.",
        fix: "Grant CloudShell without cloudshell:GetFileDownloadUrls and GetFileUploadUrls.",
        page: "https://docs.aws.amazon.com/cloudshell/latest/userguide/sec-auth-with-identities.html",
        check: Check::Permissions(cloud_shell),
    },
    Rule {
        id: "IAM118",
        slug: "cost-abuse",
        severity: Severity::Medium,
        title: "Unlimited spending",
        what: "Actions that start or buy what is dear are allowed on all resources without a condition.",
        why: "A leaked session becomes a bill.",
        fix: "Add a condition on instance type, region or model.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(cost),
    },
    Rule {
        id: "IAM119",
        slug: "self-tagging-abac",
        severity: Severity::Medium,
        title: "The role sets the tags that limit it",
        what: "A grant is held back by a tag that the role itself may set.",
        why: "A limit that its subject can lift is none.",
        fix: "Deny the tagging actions for those tag keys.",
        page: ABAC,
        check: Check::Role(self_tagging),
    },
];

/// The allowing statements that a test picks, as a hit.
fn statements(view: &RoleView<'_>, wanted: impl Fn(&Sourced) -> bool) -> Option<Hit> {
    let found: Vec<&Sourced> = view.effective.allows.iter().filter(|s| wanted(s)).collect();
    let wide = found.iter().any(|s| !s.grant.unlimited.is_empty() && s.grant.restriction.is_open());
    (!found.is_empty()).then(|| {
        let mut evidence: Vec<String> =
            found.iter().map(|s| s.evidence(&s.grant.statement.actions.patterns().join(", "))).collect();
        evidence.extend(view.effective.limits());
        let mut causes: Vec<String> = found
            .iter()
            .map(|s| format!("{}, {}", s.source.label(), s.grant.statement.label(s.grant.index)))
            .collect();
        causes.dedup();
        Hit::new(causes.join("; "), evidence).severity(if wide { Severity::Medium } else { Severity::Low })
    })
}

fn allow_not_action(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    statements(view, |s| matches!(s.grant.statement.actions, Selector::Except(_)) && !is_on_nothing(s))
}

fn allow_not_resource(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let but = |s: &Sourced| matches!(s.grant.statement.resources, Some(Selector::Except(_)));
    statements(view, |s| but(s) && !is_on_nothing(s))
}

/// "Everything but everything".
fn is_on_nothing(s: &Sourced) -> bool {
    let Some(Selector::Except(spared)) = &s.grant.statement.resources else { return false };
    spared.iter().any(|pattern| pattern::is_everything(pattern))
}

/// What workloads of the compute services need on `*` by AWS's own service-role policies: logs, traces,
/// network interfaces, agents.
const OF_WORKLOADS: &[&str] = &[
    "logs:",
    "xray:",
    "ec2:createnetworkinterface",
    "ec2:deletenetworkinterface",
    "ec2:assignprivateipaddresses",
    "ec2:unassignprivateipaddresses",
    "ssm:update",
    "ssm:put",
    "ssmmessages:",
    "ec2messages:",
    "cloudwatch:put",
];

/// Actions that write or tag, that could be limited to resources, and that are not what workloads need on
/// `*`.
static WRITES: LazyLock<ActionSet> = LazyLock::new(|| {
    let c = Catalogue::embedded();
    let writes = |&id: &ActionId| {
        let name = c.name(id).to_ascii_lowercase();
        // AWS lists some under two levels, and others under the wrong one.
        ![":Get", ":List", ":Describe", ":AccessDSData"].iter().any(|verb| c.name(id).contains(verb))
            && (c.has_level(id, Level::Write) || c.has_level(id, Level::Tagging))
            && c.resource_templates(id).next().is_some()
            && !OF_WORKLOADS.iter().any(|prefix| name.starts_with(prefix))
    };
    c.all().filter(writes).collect()
});

fn unscoped_write(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if view.everything {
        return None;
    }
    let mut actions = ActionSet::default();
    view.effective
        .allows
        .iter()
        .filter(|s| !is_for_service(s) && s.grant.restriction.is_open())
        .for_each(|s| actions.union(&s.grant.unlimited));
    actions.intersect(&view.effective.open);
    actions.intersect(&WRITES);
    if actions.is_empty() {
        return None;
    }
    // Of a service as a whole IAM102 speaks.
    for (service, _) in held_as_a_whole(cx, view) {
        let told: ActionSet = cx.catalogue.service(&service).unwrap_or(0..0).collect();
        actions.subtract(&told);
    }
    holding(cx, view, &actions.iter().collect::<Vec<_>>())
}

static DESTROYS: KnownActions = KnownActions::new(&[
    "s3:DeleteBucket",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:PutLifecycleConfiguration",
    "dynamodb:DeleteTable",
    "dynamodb:DeleteBackup",
    "rds:DeleteDBInstance",
    "rds:DeleteDBCluster",
    "rds:DeleteDBSnapshot",
    "rds:DeleteDBClusterSnapshot",
    "ec2:TerminateInstances",
    "ec2:DeleteVolume",
    "ec2:DeleteSnapshot",
    "kms:ScheduleKeyDeletion",
    "kms:DisableKey",
    "backup:DeleteRecoveryPoint",
    "backup:DeleteBackupVault",
    "cloudformation:DeleteStack",
    "lambda:DeleteFunction",
    "ecr:DeleteRepository",
    "secretsmanager:DeleteSecret",
    "redshift:DeleteCluster",
    "elasticfilesystem:DeleteFileSystem",
    "eks:DeleteCluster",
    "ecs:DeleteCluster",
    "route53:DeleteHostedZone",
    "sagemaker:DeleteEndpoint",
    "sqs:DeleteQueue",
    "sns:DeleteTopic",
    "elasticache:DeleteReplicationGroup",
    "es:DeleteDomain",
    "glacier:DeleteArchive",
    "fsx:DeleteFileSystem",
]);

/// Read it, destroy it, and encrypt what is left: what ransomware needs one of each of.
static RANSOM: [KnownActions; 3] = [
    KnownActions::new(&["s3:GetObject", "ec2:CreateSnapshot"]),
    KnownActions::new(&["s3:DeleteObject", "ec2:DeleteVolume"]),
    KnownActions::new(&["kms:Encrypt", "s3:PutEncryptionConfiguration", "kms:CreateKey"]),
];

fn destructive(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let hit = holding(cx, view, &DESTROYS.within(&by_choice(view)))?;
    let ransom = RANSOM.iter().all(|one_of| one_of.any_in(&view.effective.open));
    Some(if ransom { hit.severity(Severity::High) } else { hit })
}

static BLINDS: KnownActions = KnownActions::new(&[
    "cloudtrail:StopLogging",
    "cloudtrail:DeleteTrail",
    "cloudtrail:UpdateTrail",
    "cloudtrail:PutEventSelectors",
    "cloudtrail:DeleteEventDataStore",
    "config:StopConfigurationRecorder",
    "config:DeleteConfigurationRecorder",
    "config:DeleteDeliveryChannel",
    "guardduty:DeleteDetector",
    "guardduty:UpdateDetector",
    "securityhub:DisableSecurityHub",
    "access-analyzer:DeleteAnalyzer",
    "logs:DeleteLogGroup",
    "logs:PutRetentionPolicy",
    "organizations:LeaveOrganization",
    "s3:PutBucketLogging",
    "ec2:DeleteFlowLogs",
    "macie2:DisableMacie",
    "inspector2:Disable",
    "detective:DeleteGraph",
]);

fn disables_logging(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let actions = BLINDS.within(&by_choice(view));
    // Setting a retention period is what every deploy tool does; alone it hides little.
    let mild = ["logs:PutRetentionPolicy", "s3:PutBucketLogging"];
    let hit = holding(cx, view, &actions)?;
    Some(if actions.iter().all(|&id| mild.contains(&cx.catalogue.name(id))) {
        hit.severity(Severity::Low)
    } else {
        hit
    })
}

fn decrypt(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    static DECRYPTS: KnownActions = KnownActions::new(&["kms:Decrypt", "kms:ReEncryptFrom"]);
    holding(cx, view, &DECRYPTS.within(&by_choice(view)))
}

/// Policies of AWS that read nearly everything.
const READERS: &[&str] = &["ReadOnlyAccess", "ViewOnlyAccess", "SecurityAudit"];

fn cross_account_read(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let mut strangers: Vec<_> = view
        .admissions
        .iter()
        .flat_map(|a| foreign(cx, a).into_iter().map(move |(account, _)| (account, a)))
        .collect();
    // Whatever their order in the trust.
    strangers.sort_by_key(|(account, _)| *account);
    let (account, _) = strangers.first()?;
    let reader = view
        .role
        .attached
        .iter()
        .filter(|p| is_aws_owned(&p.arn))
        .find(|p| READERS.iter().any(|name| p.arn.ends_with(&format!("/{name}"))));
    static DATA: KnownActions =
        KnownActions::new(&["s3:GetObject", "dynamodb:Scan", "secretsmanager:GetSecretValue"]);
    let data = DATA.within(&view.effective.open);
    let effective = view.effective.open.iter().any(|id| cx.catalogue.has_level(id, Level::Read));
    if !effective || (reader.is_none() && data.is_empty()) {
        return None;
    }
    let what = reader.map_or_else(
        || first_of(cx, &data, 10),
        |policy| format!("policy {}", policy.arn.rsplit('/').next().unwrap_or_default()),
    );
    let known = strangers
        .iter()
        .all(|(account, a)| cx.settings.known_accounts.contains_key(*account) && a.fixes("sts:ExternalId"));
    let hit = Hit::new(
        format!("{account}: {what}"),
        vec![format!("foreign account {account} may assume the role"), format!("it reads by {what}")],
    );
    Some(if known { hit.severity(Severity::Medium) } else { hit })
}

fn cloud_shell(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    const FULL: &str = "arn:aws:iam::aws:policy/AWSCloudShellFullAccess";
    let attached = view.role.attached.iter().any(|policy| in_partition_aws(&policy.arn) == FULL);
    attached.then(|| {
        Hit::new("AWSCloudShellFullAccess", vec!["policy AWSCloudShellFullAccess is attached".into()])
    })
}

static COSTS: KnownActions = KnownActions::new(&[
    "ec2:RunInstances",
    "ec2:RequestSpotInstances",
    "ec2:PurchaseReservedInstancesOffering",
    "ec2:PurchaseHostReservation",
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "bedrock:CreateProvisionedModelThroughput",
    "sagemaker:CreateTrainingJob",
    "sagemaker:CreateEndpoint",
    "sagemaker:CreateNotebookInstance",
    "sagemaker:CreateProcessingJob",
    "aws-marketplace:Subscribe",
    "savingsplans:CreateSavingsPlan",
    "rds:PurchaseReservedDBInstancesOffering",
    "dynamodb:PurchaseReservedCapacityOfferings",
    "redshift:PurchaseReservedNodeOffering",
    "elasticache:PurchaseReservedCacheNodesOffering",
    "es:PurchaseReservedInstanceOffering",
    "route53domains:RegisterDomain",
]);

fn cost(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    static MACHINES: KnownActions = KnownActions::new(&["ec2:RunInstances"]);
    let machines = MACHINES.ids()[0];
    let unconditional = |&id: &ActionId| {
        view.effective.allowing(id).any(|s| {
            s.grant.restriction == Restriction::Void
                && s.grant.unlimited.contains(id)
                // Without the machine itself images and networks start nothing.
                && (id != machines || names_machines(&s.grant))
        })
    };
    let actions: Vec<_> = COSTS.within(&by_choice(view)).into_iter().filter(unconditional).collect();
    holding(cx, view, &actions)
}

/// Whether a statement is about instances, and not only about what they are made of.
fn names_machines(grant: &Grant) -> bool {
    let of_machines = |pattern: &String| {
        let (kind, _) =
            Arn::pattern(pattern).and_then(|arn| arn.resource.split_once('/')).unwrap_or(("*", ""));
        pattern::matches(kind, "instance")
    };
    match &grant.statement.resources {
        Some(Selector::Only(patterns)) => patterns.iter().any(of_machines),
        _ => true,
    }
}

fn self_tagging(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if view.everything {
        return None;
    }
    let mut evidence = Vec::new();
    let mut causes = Vec::new();
    for sourced in &view.effective.allows {
        let statement = &sourced.grant.statement;
        let key = |prefix: &str| {
            // Nobody but AWS sets tags whose own name begins with `aws:`.
            let fits = |key: &String| key.contains(prefix) && !key.contains("tag/aws:");
            let found = statement.conditions.iter().find(|c| fits(&c.key.to_ascii_lowercase()));
            found.map(|c| c.key.as_str())
        };
        if sourced.grant.restriction.is_open() {
            continue;
        }
        let tagger = if let Some(key) = key("resourcetag/") {
            tagging_action(cx, view, &sourced.grant.actions).map(|tagger| (key, tagger))
        } else if let Some(key) = key("aws:principaltag/") {
            let tag = key.split_once('/').map_or(key, |(_, tag)| tag);
            let asked = Asked { sets: Some((tag, None)), ..Asked::default() };
            let own = view.effective.decide_for("iam:TagRole", &view.role.arn, asked) == Decision::Allowed;
            own.then(|| (key, "iam:TagRole".to_owned()))
        } else {
            None
        };
        if let Some((key, tagger)) = tagger {
            evidence.push(format!(
                "{}, {} asks for {key}, and {tagger} lets the role set it",
                sourced.source.label(),
                statement.label(sourced.grant.index)
            ));
            causes.push(format!("{key} by {tagger}"));
        }
    }
    causes.sort();
    causes.dedup();
    (!evidence.is_empty()).then(|| Hit::new(causes.join(", "), evidence))
}

/// An action by which the role can tag, without condition, what a grant is about.
fn tagging_action(cx: &Context<'_>, view: &RoleView<'_>, granted: &ActionSet) -> Option<String> {
    let mut services: Vec<&str> = granted.iter().map(|id| cx.catalogue.service_of(id)).collect();
    services.dedup();
    let open = &view.effective.open;
    services.into_iter().find_map(|service| {
        let mut actions = cx
            .catalogue
            .service(service)?
            .filter(|&id| cx.catalogue.has_level(id, Level::Tagging) && open.contains(id));
        let adds = |id: &ActionId| {
            let name = cx.catalogue.name(*id).rsplit(':').next().unwrap_or_default();
            ["Tag", "CreateTag", "AddTag"].iter().any(|verb| name.starts_with(verb))
                || name.contains("Tagging")
        };
        actions.find(adds).map(|id| cx.catalogue.name(id).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looking a list up panics at what is not catalogued.
    #[test]
    fn every_named_action_is_catalogued() {
        let lists = [&DESTROYS, &BLINDS, &COSTS];
        assert!(lists.into_iter().chain(&RANSOM).all(|list| !list.ids().is_empty()));
    }
}
