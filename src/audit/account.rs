//! An account's IAM as `GetAccountAuthorizationDetails` returns it: the dump of the AWS CLI and of
//! Cloudsplaining, or pages absorbed one by one.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>

mod twice;

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;

use super::lenient::Lenient;
use super::removed::Removed;
use super::surroundings::Surroundings;
use opsctl_iam::arn::Arn;
use opsctl_iam::policy::{self, Document};
use opsctl_iam::time::Instant;
use twice::merge;

/// The account under audit.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// The twelve digits, when known from the caller or from an ARN.
    pub id: String,
    pub roles: Vec<Role>,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub policies: Vec<ManagedPolicy>,
    /// ARNs of the providers of OIDC and of SAML; `None` when nobody listed them.
    pub oidc_providers: Option<BTreeSet<String>>,
    pub saml_providers: Option<BTreeSet<String>>,
    /// Policies of resources and of the organization, where they are given.
    pub surroundings: Surroundings,
    /// Of a plan or a template, which is a part of an account: what it takes away from the rest.
    pub planned: Option<Removed>,
    /// What could not be read, in words. Reported as IAM901 and IAM903, never as "clean".
    pub problems: Vec<Problem>,
}

/// Something about the account that could not be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The rule that cannot be evaluated for it; IAM903 when it may concern any.
    pub rule: &'static str,
    /// The ARN or name it is about, empty for the account as a whole.
    pub resource: String,
    pub reason: String,
}

/// The reason of a [`Problem`] about somebody whom a plan gives more and does not make.
pub const ELSEWHERE: &str = "it is made elsewhere: what it holds and whom it trusts is not in the plan";

/// The number of an account that a plan or a policy does not tell.
pub const UNTOLD: &str = "000000000000";

/// One page of `GetAccountAuthorizationDetails`, or a whole dump; unknown fields are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Page {
    pub role_detail_list: Lenient<Role>,
    pub user_detail_list: Lenient<User>,
    pub group_detail_list: Lenient<Group>,
    pub policies: Lenient<ManagedPolicy>,
    /// True in a dump of one page that had followers: the dump is not the whole account.
    pub is_truncated: bool,
    /// What `iam list-open-id-connect-providers` and `list-saml-providers` answer, which `--save` adds.
    #[serde(rename = "OpenIDConnectProviderList")]
    pub oidc_providers: Option<Vec<Provider>>,
    #[serde(rename = "SAMLProviderList")]
    pub saml_providers: Option<Vec<Provider>>,
}

/// An identity provider.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Provider {
    pub arn: String,
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Role {
    pub path: String,
    #[serde(rename = "RoleName")]
    pub name: String,
    pub role_id: String,
    pub arn: String,
    pub create_date: Option<Instant>,
    #[serde(rename = "AssumeRolePolicyDocument")]
    pub trust: Document,
    #[serde(rename = "InstanceProfileList")]
    pub instance_profiles: Vec<InstanceProfile>,
    #[serde(rename = "RolePolicyList")]
    pub inline: Vec<InlinePolicy>,
    #[serde(rename = "AttachedManagedPolicies")]
    pub attached: Vec<Attachment>,
    pub permissions_boundary: Option<Boundary>,
    pub tags: Vec<Tag>,
    /// `None`: the dump does not say. `Some` with an empty date: no use in the last 400 days.
    #[serde(rename = "RoleLastUsed")]
    pub last_used: Option<LastUsed>,
    /// Seconds; from `ListRoles` only, so `None` in most dumps.
    pub max_session_duration: Option<u32>,
}

/// A user; only what bears on roles is kept.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct User {
    #[serde(rename = "UserName")]
    pub name: String,
    pub user_id: String,
    pub arn: String,
    #[serde(rename = "GroupList")]
    pub groups: Vec<String>,
    #[serde(rename = "UserPolicyList")]
    pub inline: Vec<InlinePolicy>,
    #[serde(rename = "AttachedManagedPolicies")]
    pub attached: Vec<Attachment>,
    pub permissions_boundary: Option<Boundary>,
    pub tags: Vec<Tag>,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Group {
    #[serde(rename = "GroupName")]
    pub name: String,
    pub arn: String,
    #[serde(rename = "GroupPolicyList")]
    pub inline: Vec<InlinePolicy>,
    #[serde(rename = "AttachedManagedPolicies")]
    pub attached: Vec<Attachment>,
}

/// A managed policy, customer's or AWS's, with the documents of its versions.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ManagedPolicy {
    #[serde(rename = "PolicyName")]
    pub name: String,
    pub arn: String,
    pub create_date: Option<Instant>,
    #[serde(rename = "DefaultVersionId")]
    pub default_version: String,
    pub attachment_count: Option<u32>,
    /// Absent from some emulators and old dumps.
    #[serde(rename = "PermissionsBoundaryUsageCount")]
    pub boundary_count: Option<u32>,
    #[serde(rename = "PolicyVersionList")]
    pub versions: Vec<PolicyVersion>,
}

/// One version of a managed policy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PolicyVersion {
    #[serde(rename = "VersionId")]
    pub id: String,
    #[serde(rename = "IsDefaultVersion")]
    pub is_default: bool,
    pub create_date: Option<Instant>,
    pub document: Document,
}

impl ManagedPolicy {
    /// The version in force.
    pub fn default_document(&self) -> Option<&Document> {
        let chosen = self.versions.iter().find(|v| v.is_default || v.id == self.default_version);
        chosen.or(self.versions.first().filter(|_| self.versions.len() == 1)).map(|v| &v.document)
    }

    /// Whether AWS, not the customer, writes the policy.
    pub fn is_aws_owned(&self) -> bool {
        is_aws_owned(&self.arn)
    }
}

/// Whether AWS, not the customer, writes the policy of this ARN.
pub fn is_aws_owned(arn: &str) -> bool {
    Arn::pattern(arn).is_some_and(|arn| arn.account == "aws")
}

/// A policy written into a role, user or group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct InlinePolicy {
    #[serde(rename = "PolicyName")]
    pub name: String,
    #[serde(rename = "PolicyDocument")]
    pub document: Document,
}

/// A managed policy attached to a role, user or group.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Attachment {
    #[serde(rename = "PolicyName")]
    pub name: String,
    #[serde(rename = "PolicyArn")]
    pub arn: String,
}

/// The ceiling on what a role or user may do.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Boundary {
    #[serde(rename = "PermissionsBoundaryArn")]
    pub arn: String,
}

/// An instance profile that holds the role.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct InstanceProfile {
    #[serde(rename = "InstanceProfileName")]
    pub name: String,
}

/// A tag.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    pub key: String,
    pub value: String,
}

/// The latest use within the tracking period of 400 days.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LastUsed {
    #[serde(rename = "LastUsedDate")]
    pub date: Option<Instant>,
    #[serde(rename = "Region")]
    pub region: Option<String>,
}

impl Role {
    /// Whether it is none, and stands for a policy that nobody holds in a plan or a template.
    pub fn is_policy(&self) -> bool {
        self.arn.contains(":policy/")
    }

    /// The value of a tag.
    pub fn tag(&self, key: &str) -> Option<&str> {
        self.tags.iter().find(|tag| tag.key == key).map(|tag| tag.value.as_str())
    }
}

impl Account {
    /// Reads a dump: what `aws iam get-account-authorization-details` and Cloudsplaining write.
    ///
    /// # Errors
    /// When the text is not JSON or not an object. What is wrong inside only becomes a [`Problem`].
    pub fn from_json(text: &[u8]) -> Result<Self, serde_json::Error> {
        let mut account = Self::default();
        account.absorb(policy::sharing(|| serde_json::from_slice(&plain_text(text)))?);
        Ok(account)
    }

    /// Notes what is odd about a dump as a whole: one file may hold anything, where pages of IAM are an
    /// account's.
    pub fn doubt(&mut self) {
        if self.roles.is_empty() {
            let reason =
                "there is no role in the dump, and every account has some: was it made with --filter?";
            self.problem("", reason);
        }
        let nobodys: Vec<String> = self
            .roles
            .iter()
            .map(|role| &role.arn)
            .filter(|arn| account_of(arn).is_none())
            .cloned()
            .collect();
        for arn in nobodys {
            self.problem(&arn, "its ARN names no account: what is foreign to it cannot be told");
        }
    }

    /// The accounts that a dump of several holds, each by itself; none when it is of one. What AWS has for
    /// all, each of its partition has.
    pub fn parts(&self) -> Vec<Self> {
        let of = |arn: &str| {
            let arn = Arn::pattern(arn)?;
            Some((arn.partition.to_owned(), arn.account_id()?.to_owned()))
        };
        let arns = self.roles.iter().map(|r| &r.arn).chain(self.users.iter().map(|u| &u.arn));
        let accounts: BTreeSet<_> = arns.filter_map(|arn| of(arn)).collect();
        if accounts.len() < 2 {
            return Vec::new();
        }
        let part = |(n, (partition, id)): (usize, (String, String))| {
            // What names no account is told once, with the first.
            let is_own = |arn: &str| of(arn).map_or(n == 0, |of| of.0 == partition && of.1 == id);
            let is_there =
                |arn: &str| is_own(arn) || (is_aws_owned(arn) && partition_of(arn) == Some(&partition));
            let providers = |all: &Option<BTreeSet<String>>| {
                all.as_ref().map(|all| all.iter().filter(|arn| is_own(arn)).cloned().collect())
            };
            Self {
                roles: self.roles.iter().filter(|role| is_own(&role.arn)).cloned().collect(),
                users: self.users.iter().filter(|user| is_own(&user.arn)).cloned().collect(),
                groups: self.groups.iter().filter(|group| is_own(&group.arn)).cloned().collect(),
                policies: self.policies.iter().filter(|policy| is_there(&policy.arn)).cloned().collect(),
                oidc_providers: providers(&self.oidc_providers),
                saml_providers: providers(&self.saml_providers),
                surroundings: self.surroundings.of(&id, n == 0),
                planned: self.planned.clone(),
                problems: self.problems.iter().filter(|problem| is_own(&problem.resource)).cloned().collect(),
                id,
            }
        };
        accounts.into_iter().enumerate().map(part).collect()
    }

    /// Takes in policies of resources and of the organization. What of them cannot be read is told.
    pub fn surround(&mut self, surroundings: Surroundings) {
        for (of, why) in surroundings.malformed() {
            self.problems.push(Problem { rule: "IAM901", resource: of.into(), reason: why.into() });
        }
        self.surroundings = surroundings;
    }

    /// Adds one page. Entities seen before (a page read twice) are replaced, not doubled; where they differ,
    /// that is told, and nothing of either is lost.
    pub fn absorb(&mut self, page: Page) {
        if page.is_truncated {
            self.problem("", "the dump ends with IsTruncated: the rest of the account is missing");
        }
        for refused in [
            &page.role_detail_list.refused,
            &page.user_detail_list.refused,
            &page.group_detail_list.refused,
            &page.policies.refused,
        ]
        .into_iter()
        .flatten()
        {
            self.problem(&refused.of, &refused.reason);
        }
        let mut roles = page.role_detail_list.items;
        for role in &mut roles {
            if role.arn.is_empty() {
                self.problem(&role.name, "a role without an ARN was left out");
            } else if role.name.is_empty() {
                role.name = name_of(&role.arn).to_owned();
            }
        }
        let arns =
            |list: Vec<Provider>| list.into_iter().map(|provider| provider.arn).collect::<BTreeSet<_>>();
        self.oidc_providers = page.oidc_providers.map(arns).or(self.oidc_providers.take());
        self.saml_providers = page.saml_providers.map(arns).or(self.saml_providers.take());
        let twice = [
            merge(&mut self.roles, roles),
            merge(&mut self.users, page.user_detail_list.items),
            merge(&mut self.groups, page.group_detail_list.items),
            merge(&mut self.policies, page.policies.items),
        ];
        for arn in twice.concat() {
            self.problem(&arn, "two entries of it differ: what either allows counts");
        }
        if self.id.is_empty() {
            let own = self.roles.iter().map(|r| &r.arn).chain(self.users.iter().map(|u| &u.arn));
            self.id = own.filter_map(|arn| account_of(arn)).next().unwrap_or_default().to_owned();
        }
    }

    /// The partition, from the first role's ARN: `aws`, `aws-cn`, `aws-us-gov`.
    pub fn partition(&self) -> &str {
        self.roles.first().and_then(|role| partition_of(&role.arn)).unwrap_or("aws")
    }

    /// An ARN of IAM in the account.
    pub fn iam_arn(&self, resource: &str) -> String {
        let (partition, account) = (self.partition(), &self.id);
        Arn { partition, service: "iam", region: "", account, resource }.to_string()
    }

    /// Notes that something could not be read; the audit is then incomplete.
    pub fn problem(&mut self, resource: &str, reason: &str) {
        self.problems.push(Problem { rule: "IAM903", resource: resource.into(), reason: reason.into() });
    }

    /// Notes that the data of one rule could not be read.
    pub fn not_evaluated_because(&mut self, rule: &'static str, reason: &str) {
        self.problems.push(Problem { rule, resource: String::new(), reason: reason.into() });
    }
}

/// A file's text as UTF-8 without a byte order mark: PowerShell's `>` writes UTF-16 with one.
pub fn plain_text(text: &[u8]) -> Cow<'_, [u8]> {
    let wide = |pairs: &[u8], read: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = pairs.chunks_exact(2).map(|pair| read([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
    };
    match text {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        plain => Cow::Borrowed(plain),
    }
}

/// The account field of an ARN, when it holds twelve digits.
pub fn account_of(arn: &str) -> Option<&str> {
    Arn::pattern(arn)?.account_id()
}

/// The partition field of an ARN.
pub fn partition_of(arn: &str) -> Option<&str> {
    Arn::pattern(arn).map(|arn| arn.partition)
}

/// The last part of an ARN.
pub fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_entry_does_not_take_the_rest() {
        let text = br#"{"RoleDetailList": [{"RoleName": 7}, {"RoleName": "a", "Arn": "arn:aws:iam::111122223333:role/a", "Tags": null,
            "CreateDate": "2024-01-01T00:00:00+00:00",
            "AssumeRolePolicyDocument": "%7B%22Statement%22%3A%5B%5D%7D", "RoleLastUsed": {}}],
            "Policies": null, "More": 1}"#;
        let account = Account::from_json(text).expect("an object");
        assert_eq!(account.id, "111122223333");
        assert_eq!((account.roles.len(), account.problems.len()), (1, 2), "its name, and that it has no ARN");
        assert!(account.roles[0].trust.policy().is_some());
        assert!(account.roles[0].last_used.as_ref().is_some_and(|used| used.date.is_none()));
    }

    #[test]
    fn one_odd_field_costs_that_field_and_names_the_role() {
        for (odd, lost) in [
            (r#""MaxSessionDuration": "3600""#, &["MaxSessionDuration"][..]),
            (r#""MaxSessionDuration": -1"#, &["MaxSessionDuration"]),
            (
                r#""Tags": [{"Key": 1, "Value": 2}, {"Key": "team", "Value": "b"}]"#,
                &["Tags[0].Key", "Tags[0].Value"],
            ),
            (r#""Tags": {"team": "b"}"#, &["Tags"]),
            (r#""CreateDate": 1700000000"#, &["CreateDate"]),
            (r#""CreateDate": "2026-02-30T00:00:00Z""#, &["CreateDate"]),
            (r#""RoleLastUsed": {"LastUsedDate": 7, "Region": "eu-west-1"}"#, &["RoleLastUsed.LastUsedDate"]),
            (r#""AttachedManagedPolicies": ["arn:aws:iam::aws:policy/X"]"#, &["AttachedManagedPolicies[0]"]),
            (r#""RoleName": 7"#, &["RoleName"]),
        ] {
            let name = if odd.contains("RoleName") { "" } else { r#""RoleName": "admin","# };
            let text = format!(
                r#"{{"RoleDetailList": [{{{name} "Arn": "arn:aws:iam::111122223333:role/admin", {odd},
                    "RolePolicyList": [{{"PolicyName": "all", "PolicyDocument": {{"Statement": []}}}}]}}]}}"#
            );
            let account = Account::from_json(text.as_bytes()).expect("a dump");
            let role = &account.roles[0];
            assert_eq!((role.name.as_str(), role.inline.len()), ("admin", 1), "{odd}");
            assert_eq!(account.problems.len(), lost.len(), "{odd}: {:?}", account.problems);
            for (problem, lost) in account.problems.iter().zip(lost) {
                let told = problem.reason.starts_with(&format!("{lost} could not be read: "));
                assert!(told && problem.resource == role.arn, "{problem:?}");
            }
            assert_eq!(role.tag("team").is_some(), odd.contains("Tags\": ["), "{odd}");
        }
    }

    /// The name of a policy is no reason to lose what it allows.
    #[test]
    fn an_odd_field_of_a_policy_costs_no_policy() {
        let text = r#"{"RoleDetailList": [{"RoleName": "a", "Arn": "arn:aws:iam::111122223333:role/a",
            "RolePolicyList": [{"PolicyName": 7, "PolicyDocument": {"Statement": []}}, "x"]}],
            "Policies": [{"PolicyName": 7, "Arn": "arn:aws:iam::111122223333:policy/p",
            "AttachmentCount": "2",
            "PolicyVersionList": [{"VersionId": 1, "IsDefaultVersion": true, "Document": {"Statement": []}}]}]}"#;
        let account = Account::from_json(text.as_bytes()).expect("a dump");
        assert!(account.roles[0].inline[0].document.policy().is_some() && account.roles[0].inline.len() == 1);
        assert!(account.policies[0].default_document().is_some_and(|document| document.policy().is_some()));
        assert_eq!(account.problems.len(), 5, "{:?}", account.problems);
    }

    #[test]
    fn a_dump_of_nothing_is_doubted_and_one_of_two_accounts_is_two() {
        let doubts = |text: &str| {
            let mut account = Account::from_json(text.as_bytes()).expect("a dump");
            account.doubt();
            account.problems
        };
        assert!(doubts(r#"{"RoleDetailList": []}"#)[0].reason.contains("no role"));
        let role = |arn: &str| format!(r#"{{"RoleName": "a", "Arn": "{arn}"}}"#);
        let one = role("arn:aws:iam::111122223333:role/a");
        for other in ["arn:aws:iam::999988887777:role/a", "arn:aws-cn:iam::111122223333:role/a"] {
            let text = format!(
                r#"{{"RoleDetailList": [{one}, {}], "Policies": [{{"Arn": "arn:aws:iam::aws:policy/X"}}]}}"#,
                role(other)
            );
            assert!(doubts(&text).is_empty());
            let parts = Account::from_json(text.as_bytes()).expect("a dump").parts();
            let held: Vec<_> = parts.iter().map(|p| (p.roles[0].arn.as_str(), p.policies.len())).collect();
            let shared = usize::from(!other.contains("aws-cn"));
            assert_eq!(held, [("arn:aws:iam::111122223333:role/a", 1), (other, shared)]);
        }
        let alone = format!(r#"{{"RoleDetailList": [{one}]}}"#);
        assert!(doubts(&alone).is_empty());
        assert!(Account::from_json(alone.as_bytes()).expect("a dump").parts().is_empty());
        let nobodys = doubts(r#"{"RoleDetailList": [{"RoleName": "a", "Arn": "a"}]}"#);
        assert!(nobodys[0].resource == "a" && nobodys[0].reason.contains("account"), "{nobodys:?}");
    }

    #[test]
    fn byte_order_marks_and_wide_text_are_read() {
        let text = r#"{"RoleDetailList": [{"RoleName": "é", "Arn": "arn:aws:iam::111122223333:role/é"}]}"#;
        let wide = |write: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(write).collect::<Vec<u8>>();
        for bytes in [
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", wide(u16::to_le_bytes).as_slice()].concat(),
            [b"\xfe\xff", wide(u16::to_be_bytes).as_slice()].concat(),
        ] {
            assert_eq!(Account::from_json(&bytes).expect("a dump").roles[0].name, "é");
        }
    }

    /// Pages arrive on other threads.
    #[test]
    fn accounts_cross_threads() {
        fn crosses<T: Send + Sync>() {}
        crosses::<Account>();
        crosses::<Page>();
    }

    #[test]
    fn a_page_read_twice_does_not_double_roles() {
        let page = || Page {
            role_detail_list: vec![Role { name: "a".into(), arn: "arn:a".into(), ..Role::default() }].into(),
            ..Page::default()
        };
        let mut account = Account::default();
        account.absorb(page());
        account.absorb(page());
        assert_eq!(account.roles.len(), 1);
    }
}
