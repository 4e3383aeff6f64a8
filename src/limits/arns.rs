//! The ARNs that a config names: of whom others have made.

use super::places;
use crate::domain::places as partitions;
use crate::domain::{Diagnostic, KeyPath, codes};

/// The parts of `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    /// With its type: `role/path/name`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// `None` for what is no ARN.
    pub fn parse(text: &'a str) -> Option<Self> {
        let fields: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = fields[..] else { return None };
        let is_whole = !partition.is_empty() && !resource.is_empty();
        let has_odd = text.chars().any(|c| c.is_whitespace() || c.is_control() || "*?\"'".contains(c));
        (is_whole && !has_odd).then_some(Self { partition, service, region, account, resource })
    }
}

/// What an ARN has to be of.
#[derive(Clone, Copy, Debug)]
pub struct ArnOf<'a> {
    /// As a person says it: `IAM role`.
    pub noun: &'a str,
    /// A right one.
    pub example: &'a str,
    pub service: &'a str,
    /// What the resource begins with: `role/`.
    pub kinds: &'a [&'a str],
    /// The account of the project; `None`: any.
    pub account: Option<&'a str>,
    /// The region of the project, for its partition; `None`: any.
    pub region: Option<&'a str>,
}

impl ArnOf<'_> {
    /// What is wrong with the text at `at`.
    pub fn refuse(&self, text: &str, at: &KeyPath) -> Option<Diagnostic> {
        let key = at.last();
        let refused =
            |text: String, help: String| Some(Diagnostic::error(codes::BAD_ARN, at.clone(), text, help));
        let example = || format!("write it as {} shows it, such as \"{}\"", "AWS's console", self.example);
        let Some(arn) = Arn::parse(text) else {
            return refused(format!("`{key}` is no ARN"), example());
        };
        if arn.service != self.service || !self.kinds.iter().any(|kind| arn.resource.starts_with(kind)) {
            let of = arn.resource.split(['/', ':']).next().unwrap_or_default();
            return refused(
                format!("`{key}` is the ARN of {} {of}, not of an {}", arn.service, self.noun),
                example(),
            );
        }
        let partition = self.region.map(|region| partitions::partition(region).0);
        if let Some(partition) = partition.filter(|partition| *partition != arn.partition) {
            let text = format!("`{key}` is in the partition {}, the project in {partition}", arn.partition);
            return refused(text, format!("name one that begins with arn:{partition}:"));
        }
        if arn.account == "aws" {
            return None;
        }
        if places::account(arn.account, at).is_some() {
            return refused(format!("`{key}` names no account of twelve digits"), example());
        }
        let account = self.account.filter(|account| *account != arn.account)?;
        let text = format!("`{key}` is of account {}, the project of {account}", arn.account);
        refused(text, format!("AWS takes an {} of the same account only", self.noun))
    }
}
