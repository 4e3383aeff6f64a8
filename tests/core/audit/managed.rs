//! Every policy of AWS that can be attached to a role, alone: what is found, critical and high, as a person
//! judged it. docs/inside/audit.md says how each kind was judged.

use std::fmt::Write;

use expect_test::expect_file;
use opsctl::audit::finding::Severity;
use opsctl_iam::managed;

use super::world::*;

#[test]
fn policies_of_aws_alone_are_found_to_be_what_they_are() {
    let mut told = String::new();
    for policy in managed::all().filter(|policy| !policy.arn.contains(":policy/aws-service-role/")) {
        let machine = role("t").trusts(trust_service("ec2.amazonaws.com")).attach(policy.arn);
        let audit = World::of([machine]).audit();
        let mut found: Vec<String> = audit
            .findings
            .iter()
            .filter(|finding| finding.severity >= Severity::High)
            .map(|finding| format!("{} {}", finding.rule, finding.severity.word()))
            .collect();
        found.sort();
        if !found.is_empty() {
            let (_, name) = policy.arn.split_once(":policy/").expect("a policy");
            writeln!(told, "{name}: {}", found.join(", ")).expect("text");
        }
    }
    expect_file!["managed.txt"].assert_eq(&told);
}
