//! Reading the report of many roles: what is shown, in which order, and how wide.

use opsctl::audit::filter::Filter;
use opsctl::audit::report::{Format, GroupBy, Layout, Options, plain, render_as};
use opsctl::audit::{Audit, Settings, Severity, Usage, audit};

use super::generate::generate;
use super::world::*;

/// Lines of ten screens of a terminal.
const TEN_SCREENS: usize = 500;

fn many() -> Audit {
    let (world, _) = generate(300);
    audit(&world.account(), &Usage::default(), &Settings::at(now()))
}

fn human(audit: &Audit, look: Layout) -> String {
    let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
    render_as(audit, Format::Human, options, look)
}

#[test]
fn three_hundred_roles_fit_ten_screens_and_the_worst_comes_first() {
    let audit = many();
    let text = human(&audit, Layout { width: Some(100), ..Layout::default() });
    assert!(text.lines().count() <= TEN_SCREENS, "{} lines", text.lines().count());
    // Names and commands stay whole.
    let long: Vec<&str> =
        text.lines().filter(|line| line.chars().count() > 100 && line.contains(' ')).collect();
    let broken = |line: &&&str| line.trim().split(' ').all(|word| word.chars().count() < 60);
    assert_eq!(long.iter().filter(broken).collect::<Vec<_>>(), [&""; 0]);
    let first: Vec<&str> = text.lines().take(50).collect();
    assert!(first[0].starts_with("Account ") && first[1].contains(" critical, "), "{first:?}");
    assert!(first.iter().any(|line| line.starts_with("critical")), "{first:#?}");
    let severity = |line: &&str| Severity::ALL.iter().position(|s| line.starts_with(s.word()));
    let blocks: Vec<usize> =
        text.lines().filter(|line| line.contains(" IAM")).filter_map(|l| severity(&l)).collect();
    assert!(blocks.len() > 20 && blocks.is_sorted(), "{blocks:?}");
}

/// For `tests/report/run.sh`, which opens it and tries its filters.
#[test]
fn a_page_for_a_browser_is_written() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    let options = Options { location: "opsctl.toml", fail_on: None, paint: plain };
    let page = render_as(&many(), Format::Html, options, Layout::default());
    std::fs::write(folder.join("audit.html"), page).unwrap();
}

#[test]
fn findings_are_put_together_by_role() {
    let audit = many();
    let look = Layout { width: Some(100), group_by: Some(GroupBy::Role), details: false };
    let text = human(&audit, look);
    let mut worst = text.lines().filter(|line| line.starts_with("critical")).map(|line| line[9..].to_owned());
    let name = worst.next().expect("some role is critical");
    let own = |f: &&opsctl::audit::Finding| f.resource.ends_with(&format!("/{name}"));
    let said =
        text.split("\n\n").find(|block| block.starts_with(&format!("critical {name}"))).expect("a block");
    let rules: Vec<&str> = audit.findings.iter().filter(own).map(|f| f.rule).collect();
    assert!(!rules.is_empty() && rules.iter().all(|rule| said.contains(rule)), "{said}");
    let whole = human(&audit, Layout { details: true, ..look });
    assert!(whole.len() > text.len() && whole.contains("fix: ") && whole.contains("    - "));
}

#[test]
fn what_is_chosen_is_shown_and_counts_stay() {
    let audit = many();
    let shown = |filter: Filter| {
        let chosen = filter.of(&audit);
        assert_eq!(chosen.summary.critical, audit.summary.critical);
        chosen
    };
    let high = shown(Filter { severity: Some(Severity::High), ..Filter::default() });
    assert!(high.findings.iter().all(|f| f.severity >= Severity::High) && !high.findings.is_empty());
    let text = human(&high, Layout::default());
    assert!(text.contains(&format!("Shown: {} of {} findings.", high.findings.len(), audit.findings.len())));
    for word in ["IAM103", "iam103", "full-admin", "IAM10?", "*admin*"] {
        let filter = Filter { rules: vec![word.into()], ..Filter::default() };
        match filter.unknown_rule() {
            Some(unknown) => assert_eq!((unknown, word), ("full-admin", "full-admin")),
            None => assert!(shown(filter).findings.iter().any(|f| f.rule == "IAM103"), "{word}"),
        }
    }
    let name = audit.findings[0].resource.rsplit('/').next().expect("a name").to_owned();
    for role in [name.clone(), audit.findings[0].resource.clone(), format!("{}*", &name[..3])] {
        let one = shown(Filter { roles: vec![role.clone()], ..Filter::default() });
        assert!(one.findings.iter().any(|f| f.resource == audit.findings[0].resource), "{role}");
        assert!(one.findings.len() < audit.findings.len());
    }
    let top = shown(Filter { top: Some(3), ..Filter::default() });
    assert_eq!(top.findings.len(), 3);
    let account = generate(300).0.account();
    let unknown = |name: &str| {
        let filter = Filter { roles: vec![name.into()], ..Filter::default() };
        filter.unknown_role(&account, &audit).is_some()
    };
    assert!(unknown("nobody") && unknown("nobody-*") && !unknown(&account.roles[0].name) && !unknown("*"));
}

#[test]
fn few_findings_are_told_in_full_unless_somebody_asks_otherwise() {
    let audit = World::of([role("a").aws("AdministratorAccess")]).audit();
    let of = |look: Layout| human(&audit, look);
    assert!(of(Layout::default()).contains("- "), "in full");
    let brief = of(Layout { group_by: Some(GroupBy::Rule), ..Layout::default() });
    assert!(!brief.contains("         - ") && brief.contains("  a: "), "{brief}");
    let narrow = of(Layout { width: Some(60), ..Layout::default() });
    assert!(narrow.lines().count() > of(Layout::default()).lines().count());
}
