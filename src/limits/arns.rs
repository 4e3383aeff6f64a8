//! The ARNs that a config names: of what others have made.

use opsctl_iam::arn::Arn;

use super::places;
use crate::domain::places as partitions;
use crate::domain::{Diagnostic, KeyPath, codes};

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
