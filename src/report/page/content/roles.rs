//! Who may do what, and what the audit says of it.

use super::{MOST, command};
use crate::audit::Severity;
use crate::domain::{Phase, many};
use crate::evidence::{Audit, Evidence, Grant, Role};
use crate::report::page::Suggest;
use crate::report::page::blocks::{Block, Section, Table, Text};

/// What each role may do and who may take it, with the findings of the audit.
pub fn section(evidence: &Evidence, suggest: Suggest<'_>) -> Option<Section> {
    let mut blocks = Vec::new();
    for role in &evidence.roles {
        blocks.extend(of_role(role));
    }
    if let Some(audit) = &evidence.audit {
        blocks.extend(findings(audit, suggest));
    }
    (!blocks.is_empty()).then(|| Section { anchor: "roles", title: "IAM roles and audit".into(), blocks })
}

fn of_role(role: &Role) -> Vec<Block> {
    let list = |items: &[String]| items.join(", ");
    let used_by: Vec<String> = role.used_by.iter().map(ToString::to_string).collect();
    let attached = match role.attached.is_empty() {
        true => "none".to_owned(),
        false => list(&role.attached),
    };
    let facts = vec![
        ("ARN".to_owned(), vec![Text::code(role.arn.clone())]),
        ("Assumed by".to_owned(), vec![Text::plain(list(&role.trusted))]),
        ("Used by".to_owned(), vec![Text::plain(list(&used_by))]),
        ("Managed policies".to_owned(), vec![Text::plain(attached)]),
    ];
    let mut blocks = vec![Block::Heading(role.name.clone()), Block::Facts(facts)];
    let row = |grant: &Grant| {
        let effect = if grant.conditional {
            format!("{}, under conditions", grant.effect)
        } else {
            grant.effect.clone()
        };
        let codes = |all: &[String]| {
            let mut texts = Vec::new();
            for one in all.iter().take(MOST) {
                if !texts.is_empty() {
                    texts.push(Text::Break);
                }
                texts.push(Text::code(one.clone()));
            }
            texts
        };
        vec![vec![Text::plain(effect)], codes(&grant.actions), codes(&grant.resources)]
    };
    let rows: Vec<_> = role.grants.iter().map(row).collect();
    if !rows.is_empty() {
        let caption = format!("What {} may do", role.name);
        blocks.push(Block::Table(Table::new(caption, &["Effect", "Actions", "On"], rows, MOST)));
    }
    blocks
}

fn findings(audit: &Audit, suggest: Suggest<'_>) -> Vec<Block> {
    let whose = if audit.whole_account { "of the account" } else { "of this project" };
    let were = if audit.roles == 1 { "was" } else { "were" };
    let mut said = format!("{} {whose} {were} audited: ", many(audit.roles, "role"));
    said += &match audit.findings.len() {
        0 => "no findings.".to_owned(),
        n => format!("{}.", many(n, "finding")),
    };
    let mut blocks = vec![
        Block::Heading("Audit".into()),
        Block::Paragraph(vec![
            Text::plain(said + " "),
            command("`opsctl audit-iam`", suggest),
            Text::plain(" has more, and can accept what is wanted."),
        ]),
    ];
    let rows: Vec<_> = audit
        .findings
        .iter()
        .map(|finding| {
            let phase = match finding.severity {
                Severity::Critical | Severity::High => Phase::Failed,
                Severity::Medium | Severity::Low => Phase::Busy,
                Severity::Info => Phase::Stopped,
            };
            vec![
                vec![Text::code(finding.rule)],
                vec![Text::State(finding.severity.word().to_owned(), phase)],
                vec![Text::code(finding.resource.clone())],
                vec![Text::plain(finding.title.clone())],
                vec![Text::plain(suggest(&finding.fix))],
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = ["Rule", "Severity", "Role", "What", "How to fix it"];
        blocks.push(Block::Table(Table::new("Findings, the worst first", &head, rows, MOST)));
    }
    let skipped: Vec<_> = audit
        .not_evaluated
        .iter()
        .map(|rule| vec![vec![Text::code(rule.rule)], vec![Text::plain(rule.reason.clone())]])
        .collect();
    if !skipped.is_empty() {
        let caption = "Rules that were not evaluated, which is not the same as nothing found";
        blocks.push(Block::Table(Table::new(caption, &["Rule", "Why"], skipped, MOST)));
    }
    blocks
}
