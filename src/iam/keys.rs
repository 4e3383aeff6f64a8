//! What condition keys are about, as far as it decides how much a condition on them holds back.

use crate::catalogue::Catalogue;

/// What a condition key is about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Always in the request, and no secret: region, time, TLS, the role's own account and organization.
    Ambient,
    /// The caller chooses the value.
    Chosen,
    /// Tells callers, places or resources apart. `always`: present in every request it applies to.
    Telling {
        /// Whether every request that it applies to has it.
        always: bool,
    },
    /// Not one of those that are known.
    Unknown,
}

/// Global keys, and those of services that say no more than these; lower case.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
const GLOBAL: &[(&str, KeyKind)] = &[
    ("aws:requestedregion", KeyKind::Ambient),
    ("aws:securetransport", KeyKind::Ambient),
    ("aws:currenttime", KeyKind::Ambient),
    ("aws:epochtime", KeyKind::Ambient),
    ("aws:principalaccount", KeyKind::Ambient),
    ("aws:principaltype", KeyKind::Ambient),
    ("aws:principalorgid", KeyKind::Ambient),
    ("aws:principalorgpaths", KeyKind::Ambient),
    ("aws:principalorgmasteraccountid", KeyKind::Ambient),
    ("aws:resourceaccount", KeyKind::Ambient),
    ("aws:resourceorgid", KeyKind::Ambient),
    ("aws:resourceorgpaths", KeyKind::Ambient),
    ("aws:principalisawsservice", KeyKind::Ambient),
    ("aws:useragent", KeyKind::Chosen),
    ("aws:referer", KeyKind::Chosen),
    ("aws:tagkeys", KeyKind::Chosen),
    ("sts:rolesessionname", KeyKind::Chosen),
    ("sts:transitivetagkeys", KeyKind::Chosen),
    ("aws:principalarn", KeyKind::Telling { always: true }),
    ("aws:userid", KeyKind::Telling { always: true }),
    ("aws:username", KeyKind::Telling { always: false }),
    ("aws:sourceip", KeyKind::Telling { always: true }),
    ("iam:passedtoservice", KeyKind::Telling { always: true }),
    ("aws:multifactorauthpresent", KeyKind::Telling { always: false }),
    ("aws:multifactorauthage", KeyKind::Telling { always: false }),
    ("aws:tokenissuetime", KeyKind::Telling { always: false }),
    ("aws:chatbotsourcearn", KeyKind::Telling { always: false }),
    ("aws:assumedroot", KeyKind::Telling { always: false }),
    ("aws:federatedprovider", KeyKind::Telling { always: false }),
    ("aws:principalservicename", KeyKind::Telling { always: false }),
    ("aws:principalservicenameslist", KeyKind::Telling { always: false }),
    ("aws:sourceaccount", KeyKind::Telling { always: false }),
    // The older name of it, which SNS writes into the policies of new topics.
    ("aws:sourceowner", KeyKind::Telling { always: false }),
    ("aws:sourcearn", KeyKind::Telling { always: false }),
    ("aws:sourceorgid", KeyKind::Telling { always: false }),
    ("aws:sourceorgpaths", KeyKind::Telling { always: false }),
    ("aws:sourceidentity", KeyKind::Telling { always: false }),
    ("aws:sourcevpc", KeyKind::Telling { always: false }),
    ("aws:sourcevpcarn", KeyKind::Telling { always: false }),
    ("aws:sourcevpce", KeyKind::Telling { always: false }),
    ("aws:vpceaccount", KeyKind::Telling { always: false }),
    ("aws:vpceorgid", KeyKind::Telling { always: false }),
    ("aws:vpceorgpaths", KeyKind::Telling { always: false }),
    ("aws:vpcsourceip", KeyKind::Telling { always: false }),
    ("aws:viaawsservice", KeyKind::Telling { always: true }),
    ("aws:calledvia", KeyKind::Telling { always: false }),
    ("aws:calledviafirst", KeyKind::Telling { always: false }),
    ("aws:calledvialast", KeyKind::Telling { always: false }),
    ("aws:calledviaawsmcp", KeyKind::Telling { always: false }),
    ("aws:viaawsmcpservice", KeyKind::Telling { always: false }),
    ("aws:ismcpserviceaction", KeyKind::Telling { always: false }),
    ("aws:ec2instancesourcevpc", KeyKind::Telling { always: false }),
    ("aws:ec2instancesourceprivateipv4", KeyKind::Telling { always: false }),
    ("aws:signinsessionarn", KeyKind::Telling { always: false }),
    ("identitystore:userid", KeyKind::Telling { always: false }),
    // Whoever passes a role to what it makes chooses what that is called.
    ("iam:associatedresourcearn", KeyKind::Chosen),
    // Whatever is shared is of some type.
    ("ram:requestedresourcetype", KeyKind::Telling { always: true }),
    ("ec2:region", KeyKind::Ambient),
    ("s3:resourceaccount", KeyKind::Ambient),
    ("s3:authtype", KeyKind::Chosen),
    ("s3:signatureage", KeyKind::Chosen),
    ("s3:signatureversion", KeyKind::Chosen),
    ("s3:tlsversion", KeyKind::Chosen),
    ("s3:x-amz-server-side-encryption", KeyKind::Chosen),
    ("s3:x-amz-server-side-encryption-aws-kms-key-id", KeyKind::Chosen),
    ("s3:x-amz-storage-class", KeyKind::Chosen),
];

/// Keys whose prefix is no service: those of the documents that identity providers sign, of AWS Marketplace's
/// change requests, and of a retired service that AWS's policies still name.
const OTHER_PREFIXES: &[&str] =
    &["saml:", "www.amazon.com:", "graph.facebook.com:", "accounts.google.com:", "catalog:", "deepracer:"];

/// What a key is about.
pub fn fact(key: &str) -> KeyKind {
    let key = key.to_ascii_lowercase();
    if let Some((_, fact)) = GLOBAL.iter().find(|(name, _)| *name == key) {
        return *fact;
    }
    match key.split_once(['/', ':']) {
        Some(("aws", rest)) if rest.starts_with("requesttag/") => KeyKind::Chosen,
        Some(("aws", rest)) if rest.starts_with("principaltag/") || rest.starts_with("resourcetag/") => {
            KeyKind::Telling { always: false }
        }
        Some(("aws", _)) => KeyKind::Unknown,
        // `token.actions.githubusercontent.com:sub`, `oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub`.
        Some((host, _)) if host.contains('.') => KeyKind::Telling { always: is_in_every_token(&key) },
        Some((service, _)) if Catalogue::embedded().service(service).is_some() => {
            KeyKind::Telling { always: false }
        }
        _ if OTHER_PREFIXES.iter().any(|prefix| key.starts_with(prefix)) => {
            KeyKind::Telling { always: is_in_every_token(&key) }
        }
        _ => KeyKind::Unknown,
    }
}

/// Whether a claim is in every token of its provider: the subject and the audience, and what GitHub always
/// tells of a repository.
/// <https://docs.github.com/en/actions/reference/security/oidc#oidc-token-claims>
pub fn is_in_every_token(key: &str) -> bool {
    const OF_GITHUB: [&str; 4] = ["repository", "repository_id", "repository_owner", "repository_owner_id"];
    let key = key.to_ascii_lowercase();
    let of_github = key.strip_prefix("token.actions.githubusercontent.com:");
    key.ends_with(":sub")
        || key.ends_with(":aud")
        // Cognito tells guests by it.
        || key == "cognito-identity.amazonaws.com:amr"
        || of_github.is_some_and(|claim| OF_GITHUB.contains(&claim))
}

/// Keys about what a call asks for, which whoever calls fills in: how large, in which network, on which
/// cluster. They narrow what is made, and not what its maker can then do with it.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
const FORM: [(&str, &str); 9] = [
    ("autoscaling", "imageid instancetype instancetypes maxsize minsize spotprice vpczoneidentifiers"),
    ("batch", "image logdriver privileged user"),
    ("bedrock-agentcore", "securitygroups subnets"),
    // Which role may be given is told role by role.
    ("cloudformation", "rolearn"),
    (
        "ec2",
        "associatepublicipaddress availabilityzone availabilityzoneid createaction ebsoptimized encrypted \
         imageid imagetype instancemarkettype instancemetadatatags instancetype keypairname \
         metadatahttpendpoint metadatahttpputresponsehoplimit metadatahttptokens owner placementgroup public \
         rootdevicetype subnet tenancy volumeiops volumesize volumethroughput volumetype vpc",
    ),
    (
        "ecs",
        "auto-assign-public-ip capacity-provider cluster compute-compatibility container-instances \
         enable-execute-command privileged service subnet task-cpu task-memory",
    ),
    ("glue", "securitygroupids subnetids vpcids"),
    ("lambda", "functionurlauthtype layer securitygroupids subnetids vpcids"),
    (
        "sagemaker",
        "acceleratortypes appnetworkaccesstype directinternetaccess homeefsfilesystemkmskey instancetypes \
         intercontainertrafficencryption maxruntimeinseconds minimuminstancemetadataserviceversion \
         networkisolation outputkmskey rootaccess volumekmskey vpcsecuritygroupids vpcsubnets",
    ),
];

/// Whether a key is about what a call asks for.
pub fn is_form(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let Some((service, name)) = key.split_once(':') else { return false };
    FORM.iter().any(|(of, names)| *of == service && names.split(' ').any(|known| known == name))
}
