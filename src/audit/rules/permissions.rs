//! 1xx: what a role may do.

use super::rule::{BOUNDARIES, Check, Context, Hit, LEAST_PRIVILEGE, Rule};
use crate::audit::account::is_aws_owned;
use crate::audit::finding::Severity;
use crate::audit::role_view::{Admin, RoleView};
use opsctl_iam::action_set::{ActionId, ActionSet};
use opsctl_iam::catalogue::Level;
use opsctl_iam::effective::Ceiling;
use opsctl_iam::grant::{Grant, Sourced, shorten};
use opsctl_iam::pattern;
use opsctl_iam::policy::Selector;

const JOB_FUNCTIONS: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html";

/// The rules of the family.
pub const RULES: &[Rule] = &[
    Rule {
        id: "IAM101",
        slug: "full-access-policy",
        severity: Severity::High,
        title: "A FullAccess policy of AWS is attached",
        what: "An AWS managed policy whose name says FullAccess is attached to the role. Critical where it gives all of IAM, Organizations or Identity Center, high where it gives all of a service that holds data, secrets, machines, code or names of the company, medium for services of one purpose, low where nothing can be changed.",
        why: "Such a policy allows every action of a service on every resource, far more than one workload needs, and AWS widens it over time.",
        fix: "Replace it with a policy that lists the actions and resources in use: --usage-from-aws with --write DIR proposes one (for a dump, --usage FILE with --write DIR).",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(full_access_policy),
    },
    Rule {
        id: "IAM102",
        slug: "service-wildcard",
        severity: Severity::Medium,
        title: "All actions of a service on all resources",
        what: "The policies of the role together allow `service:*` on `*`, whatever they are called.",
        why: "It includes deleting, sharing and re-permissioning everything the service holds, now and in future.",
        fix: "List the actions in use, and name the resources.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(service_wildcard),
    },
    Rule {
        id: "IAM103",
        slug: "admin",
        severity: Severity::Critical,
        title: "The role is an administrator",
        what: "The role may do nearly everything on everything, or holds enough of IAM to give itself that at will.",
        why: "Whoever controls the workload or session controls the account.",
        fix: "Remove the policy that gives it; keep one break-glass role, with MFA and an alarm on its use.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(admin),
    },
    Rule {
        id: "IAM104",
        slug: "admin-conditional",
        severity: Severity::High,
        title: "The role is an administrator while a condition holds",
        what: "As IAM103, but only under a condition.",
        why: "A condition is one mistake or one phished code away from being met.",
        fix: "Keep and document it as break-glass, or narrow the actions.",
        page: LEAST_PRIVILEGE,
        check: Check::Permissions(admin_conditional),
    },
    Rule {
        id: "IAM105",
        slug: "admin-contained",
        severity: Severity::Low,
        title: "An administrator's policy, contained by boundary or Deny",
        what: "The policies make the role an administrator; only its boundary or a Deny prevents it.",
        why: "The boundary is the only wall: whoever loosens it makes an administrator.",
        fix: "Drop the broad policy, and grant what the role uses.",
        page: BOUNDARIES,
        check: Check::Permissions(admin_contained),
    },
    Rule {
        id: "IAM106",
        slug: "power-user",
        severity: Severity::High,
        title: "A policy made for people in charge is attached",
        what: "PowerUserAccess, an administrator's or a job-function policy of AWS is attached to the role.",
        why: "These are written for people who run an account; on a workload they give nearly all of it away.",
        fix: "For people use a permission set of Identity Center; for workloads a policy of the actions in use.",
        page: JOB_FUNCTIONS,
        check: Check::Permissions(power_user),
    },
];

/// Services whose full control is control of the account.
const SOVEREIGN: [&str; 4] = ["iam", "organizations", "sso", "account"];

/// Services whose full control reaches beyond their own resources. All others have one purpose: who controls
/// `polly` or `sqs` as a whole has too much, and not the company's data, names or machines.
const SENSITIVE: [&str; 4] = [
    // Who may do what: identities, secrets, certificates, shares.
    "acm-pca cognito-idp ds identitystore kms ram secretsmanager sso-directory sts workmail",
    // The data that others keep there, and its copies.
    "backup cassandra dynamodb elasticfilesystem es healthlake medical-imaging rds redshift s3 timestream",
    // Machines, and code that runs with other roles.
    "cloudformation codebuild codecommit codedeploy ec2 ecr ecs eks glue lambda sagemaker ssm",
    // What everybody sees under the company's names, and what watches the account.
    "cloudfront cloudtrail route53 route53domains",
];

/// How bad it is to hold services as a whole.
fn weight(services: &[String]) -> Severity {
    let held = |known: &str| services.iter().any(|service| service == known);
    if SOVEREIGN.into_iter().any(held) {
        Severity::Critical
    } else if SENSITIVE.iter().flat_map(|kind| kind.split(' ')).any(held) {
        Severity::High
    } else {
        Severity::Medium
    }
}

fn full_access_policy(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let mut worst = None;
    let mut evidence = Vec::new();
    let mut names = Vec::new();
    for policy in view.role.attached.iter().filter(|p| is_aws_owned(&p.arn)) {
        let name = policy.arn.rsplit('/').next().unwrap_or(&policy.name);
        if !says_full_access(name) {
            continue;
        }
        let grants = cx.engine.managed(&policy.arn);
        let services = grants.as_deref().map(|grants| whole_services(cx, grants)).unwrap_or_default();
        let left: Vec<String> =
            services.iter().filter(|service| holds_whole(cx, view, service)).cloned().collect();
        let harmless = !services.is_empty() && services.iter().all(|service| only_reads(cx, service));
        let severity = if harmless { Severity::Low } else { weight(&left) };
        worst = worst.max(Some(severity));
        evidence.push(match (&grants, services.is_empty(), left.is_empty()) {
            (None, ..) => format!("policy {name} is attached; its document is not known"),
            _ if harmless => {
                format!("policy {name} is attached; all of {} only reads", shorten(&services))
            }
            (_, true, _) => format!("policy {name} is attached; it gives no service as a whole"),
            (_, _, true) if matches!(view.effective.ceiling, Ceiling::Missing { .. }) => {
                format!("policy {name} is attached; what the boundary leaves of it is not known")
            }
            (_, _, true) => format!(
                "policy {name} is attached; boundary or Deny take away the whole of {}",
                shorten(&services)
            ),
            _ => format!("policy {name} is attached; it gives all of {} on all resources", shorten(&left)),
        });
        names.push(name.to_owned());
    }
    let worst = worst?;
    names.sort();
    evidence.extend(view.effective.limits());
    Some(
        Hit::new(names.join(", "), evidence)
            .severity(worst)
            .title(format!("FullAccess policy attached: {}", names.join(", "))),
    )
}

/// `FullAccess` anywhere in the name, as in `AmazonS3FullAccess`, `AWSLambda_FullAccess`,
/// `CloudWatchFullAccessV2`. docs/aws/iam.md#fullaccess-policies.
pub(super) fn says_full_access(name: &str) -> bool {
    name.replace('_', "").contains("FullAccess")
}

/// The services that statements give as a whole on all resources, by a pattern such as `s3:*`.
fn whole_services(cx: &Context<'_>, grants: &[Grant]) -> Vec<String> {
    let mut services: Vec<String> = grants
        .iter()
        .filter(|g| g.statement.allow && g.restriction.is_open())
        .flat_map(|g| service_patterns(cx, g))
        .collect();
    services.sort();
    services.dedup();
    services
}

/// The service prefixes of `service:*` patterns in an Allow, where the statement leaves no resource out.
fn service_patterns(cx: &Context<'_>, grant: &Grant) -> Vec<String> {
    let Selector::Only(patterns) = &grant.statement.actions else { return Vec::new() };
    let whole = |pattern: &String| {
        let (prefix, _) = pattern.split_once(':').filter(|(_, action)| pattern::is_everything(action))?;
        let prefix = prefix.to_ascii_lowercase();
        is_whole(cx, &grant.unlimited, &prefix).then_some(prefix)
    };
    patterns.iter().filter_map(whole).collect()
}

/// The services that a statement helps to hold in full by other wildcards, such as `s3:Get*` beside
/// `s3:[…]*`.
fn covered_services(cx: &Context<'_>, view: &RoleView<'_>, grant: &Grant) -> Vec<String> {
    /// With fewer actions, listing each is what careful people do.
    const FEW: usize = 8;
    let Selector::Only(patterns) = &grant.statement.actions else { return Vec::new() };
    let whole = |pattern: &String| {
        let (prefix, _) = pattern
            .split_once(':')
            .filter(|(_, name)| pattern::is_wild(name) && !pattern::is_everything(name))?;
        let actions = cx.catalogue.service(&prefix.to_ascii_lowercase())?;
        let held = actions.len() > FEW && actions.clone().all(|id| view.effective.open.contains(id));
        held.then(|| prefix.to_ascii_lowercase())
    };
    patterns.iter().filter_map(whole).collect()
}

/// Whether the role still holds a service as a whole, after Deny and boundary.
fn holds_whole(cx: &Context<'_>, view: &RoleView<'_>, service: &str) -> bool {
    is_whole(cx, &view.effective.open, service)
}

/// Whether a set holds at least 90 % of a service: of the actions that take resources, where it has such,
/// since `arn:aws:ec2:*:*:*` leaves out only those that take none.
fn is_whole(cx: &Context<'_>, set: &ActionSet, service: &str) -> bool {
    let Some(actions) = cx.catalogue.service(service) else { return false };
    let share = |held: usize, of: usize| of > 0 && held * 10 >= of * 9;
    let all = actions.clone().filter(|&id| set.contains(id)).count();
    let scoped = || actions.clone().filter(|&id| cx.catalogue.resource_templates(id).next().is_some());
    let of_scoped = || share(scoped().filter(|&id| set.contains(id)).count(), scoped().count());
    share(all, actions.len()) || (all > 0 && of_scoped())
}

/// Whether no action of a service changes anything: `pricing`, say. AWS lists some that read as writing.
fn only_reads(cx: &Context<'_>, service: &str) -> bool {
    const READ: [&str; 6] = ["Get", "List", "Describe", "BatchGet", "Search", "View"];
    let reads = |id: ActionId| {
        let name = cx.catalogue.name(id).rsplit(':').next().unwrap_or_default();
        READ.iter().any(|verb| name.starts_with(verb))
            || ![Level::Write, Level::Tagging, Level::Permissions]
                .iter()
                .any(|&l| cx.catalogue.has_level(id, l))
    };
    cx.catalogue.service(service).is_some_and(|mut actions| actions.all(reads))
}

/// The services that the role holds as a whole, each with a statement that gives it.
pub(super) fn held_as_a_whole<'v>(cx: &Context<'_>, view: &'v RoleView<'_>) -> Vec<(String, &'v Sourced)> {
    let mut found: Vec<(String, &Sourced)> = Vec::new();
    for sourced in view.effective.allows.iter().filter(|s| s.grant.restriction.is_open()) {
        let whole = service_patterns(cx, &sourced.grant).into_iter().filter(|s| holds_whole(cx, view, s));
        let all = whole.chain(covered_services(cx, view, &sourced.grant));
        for service in all.filter(|service| !only_reads(cx, service)) {
            if found.iter().all(|(known, _)| *known != service) {
                found.push((service, sourced));
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn service_wildcard(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if view.everything {
        return None;
    }
    let found = held_as_a_whole(cx, view);
    let services: Vec<String> = found.iter().map(|(service, _)| service.clone()).collect();
    (!found.is_empty()).then(|| {
        let mut evidence: Vec<String> =
            found.iter().map(|(service, s)| s.evidence(&format!("{service}:*"))).collect();
        evidence.extend(view.effective.limits());
        let mut sources: Vec<_> =
            found.iter().map(|(service, s)| format!("{service}:* in {}", s.source.label())).collect();
        sources.dedup();
        Hit::new(sources.join(", "), evidence)
            .severity(weight(&services).min(Severity::High))
            .title(format!("All of {} on all resources", shorten(&services)))
    })
}

impl RoleView<'_> {
    /// The statements that make the role an administrator: those giving the most of `iam:*`.
    fn admin_evidence(&self, cx: &Context<'_>) -> (String, Vec<String>) {
        const TELLING: [&str; 6] = [
            "iam:PutRolePolicy",
            "iam:AttachRolePolicy",
            "iam:CreatePolicyVersion",
            "iam:UpdateAssumeRolePolicy",
            "iam:PassRole",
            "sts:AssumeRole",
        ];
        let telling: Vec<ActionId> = TELLING.iter().filter_map(|name| cx.catalogue.find(name)).collect();
        let gives = |s: &&Sourced| telling.iter().any(|&id| s.grant.unlimited.contains(id));
        let mut evidence = Vec::new();
        let mut sources = Vec::new();
        for sourced in self.effective.allows.iter().filter(gives) {
            let action = telling
                .iter()
                .find(|&&id| sourced.grant.unlimited.contains(id))
                .map_or("", |&id| cx.catalogue.name(id));
            evidence.push(sourced.evidence(action));
            sources.push(sourced.source.label());
        }
        if evidence.is_empty() {
            // Nearly everything, and just not those: the statements that give the most.
            let mut widest: Vec<&Sourced> = self.effective.allows.iter().collect();
            widest.sort_by_key(|s| std::cmp::Reverse(s.grant.unlimited.len()));
            for sourced in widest.into_iter().take(2).filter(|s| !s.grant.unlimited.is_empty()) {
                evidence.push(sourced.evidence("*"));
                sources.push(sourced.source.label());
            }
        }
        sources.sort();
        sources.dedup();
        evidence.extend(self.effective.limits());
        (sources.join(", "), evidence)
    }
}

fn admin(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    (view.admin == Admin::Yes).then(|| {
        let (cause, mut evidence) = view.admin_evidence(cx);
        evidence.push(match view.everything {
            true => format!(
                "{} of {} known actions on all resources",
                view.effective.open.len(),
                cx.catalogue.len()
            ),
            false => "with these it can give itself everything else".to_owned(),
        });
        Hit::new(cause, evidence)
    })
}

fn admin_conditional(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    (view.admin == Admin::Conditional).then(|| {
        let (cause, evidence) = view.admin_evidence(cx);
        let strong = view.effective.allows.iter().all(|s| {
            s.grant.restriction.is_open()
                || s.grant.restriction == opsctl_iam::restriction::Restriction::Strong
        });
        Hit::new(cause, evidence).severity(if strong { Severity::Medium } else { Severity::High })
    })
}

fn admin_contained(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    // With the boundary's document missing nobody knows whether it contains anything: IAM504 and IAM901
    // speak.
    let known = !matches!(view.effective.ceiling, Ceiling::Missing { .. });
    (view.admin == Admin::Contained && known).then(|| {
        let (cause, evidence) = view.admin_evidence(cx);
        Hit::new(cause, evidence)
    })
}

/// Policies for people who run an account: they reach over many services. Others whose name says
/// Administrator are for one service.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html>
const FOR_PEOPLE: &[&str] = &[
    "AdministratorAccess-AWSElasticBeanstalk",
    "AdministratorAccess-Amplify",
    "DataScientist",
    "DatabaseAdministrator",
    "NetworkAdministrator",
    "PowerUserAccess",
    "SystemAdministrator",
];

fn power_user(_: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    let mut names: Vec<String> = view
        .role
        .attached
        .iter()
        .filter(|policy| is_aws_owned(&policy.arn))
        .map(|policy| policy.arn.rsplit('/').next().unwrap_or(&policy.name).to_owned())
        // AdministratorAccess itself is IAM103.
        .filter(|name| {
            name != "AdministratorAccess"
                && (FOR_PEOPLE.contains(&name.as_str()) || name.contains("Administrator"))
        })
        .collect();
    names.sort();
    (!names.is_empty()).then(|| {
        let mut evidence: Vec<String> =
            names.iter().map(|name| format!("policy {name} is attached")).collect();
        evidence.extend(view.effective.limits());
        let hit = Hit::new(names.join(", "), evidence);
        match names.iter().any(|name| FOR_PEOPLE.contains(&name.as_str())) {
            true => hit,
            false => hit
                .severity(Severity::Medium)
                .title("A policy for the administrators of a service is attached"),
        }
    })
}
