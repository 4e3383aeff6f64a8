//! Ways up that a change opens: what the audit finds afterwards and did not find before.
//!
//! Statements are compared one by one, and may stay as they are while they come to meet somebody else: a
//! role that moves under a path, gets a boundary or a policy that somebody may rewrite.

use std::collections::HashMap;

use crate::audit::account::{Account, name_of};
use crate::audit::audit::of_one;
use crate::audit::finding::{Finding, Severity};
use crate::audit::rules::{self, Family};
use crate::audit::settings::Settings;
use crate::audit::usage::Usage;
use opsctl_iam::time::Instant;

/// A principal, whatever its path: its kind and its name.
type Who = (String, String);

/// One line for each way up by the ARN of who has it, and has it only after the change.
pub(super) fn gains(before: &Account, after: &Account, now: Instant) -> HashMap<String, Vec<String>> {
    let mut old: HashMap<Who, Vec<Finding>> = HashMap::new();
    for finding in found(before, now) {
        old.entry(who(&finding.resource)).or_default().push(finding);
    }
    let mut lines: HashMap<String, Vec<String>> = HashMap::new();
    for finding in found(after, now) {
        let known = old.get(&who(&finding.resource)).map_or(&[][..], Vec::as_slice);
        if counts(&finding) && !covers(known, &finding) {
            lines.entry(finding.resource.clone()).or_default().push(line(&finding));
        }
    }
    lines
}

/// What the audit says of permissions and trust, be it set aside or not.
fn found(account: &Account, now: Instant) -> Vec<Finding> {
    // A tag for emergencies lowers what is said of a right, and not the right.
    let settings = Settings { break_glass_tag: "kept for no emergency".into(), ..Settings::at(now) };
    let audit = of_one(account, &Usage::default(), &settings);
    let all = audit.findings.into_iter().chain(audit.muted);
    all.filter(|finding| family(finding).is_some()).collect()
}

fn family(finding: &Finding) -> Option<Family> {
    let family = rules::find(finding.rule)?.family();
    [Family::Permissions, Family::Trust].contains(&family).then_some(family)
}

fn who(arn: &str) -> Who {
    let kind = arn.rsplit(':').next().and_then(|rest| rest.split_once('/')).map_or(arn, |(kind, _)| kind);
    (kind.to_owned(), name_of(arn).to_owned())
}

fn is_way(finding: &Finding) -> bool {
    finding.rule.starts_with("IAM2")
}

/// Whether a finding is worth the word: what is less is in the statements alone.
fn counts(finding: &Finding) -> bool {
    finding.severity >= if is_way(finding) { Severity::Medium } else { Severity::High }
}

/// Whether what was found before is as bad. One who was an administrator, or could become one, gains nothing:
/// as it loses something, another rule may speak for it. So may one whose trust is narrowed.
fn covers(old: &[Finding], new: &Finding) -> bool {
    let of_family = || old.iter().filter(|known| family(known) == family(new));
    let is_all =
        |known: &Finding| known.severity == Severity::Critical || ["IAM103", "IAM212"].contains(&known.rule);
    let same = |known: &Finding| known.rule == new.rule && known.severity >= new.severity;
    let as_bad = |known: &Finding| known.severity >= new.severity && is_way(known) == is_way(new);
    let is_graded = !is_way(new) || new.severity == Severity::Medium;
    of_family().any(|known| is_all(known) || same(known) || (is_graded && as_bad(known)))
}

fn line(finding: &Finding) -> String {
    let tiers = ["REACHABLE: ", "CAPABLE: "];
    let way = tiers.iter().find_map(|tier| finding.evidence.iter().find_map(|line| line.strip_prefix(tier)));
    let says = way.unwrap_or(&finding.title);
    format!("the audit finds {} ({}), and did not before: {says}", finding.rule, finding.severity.word())
}
