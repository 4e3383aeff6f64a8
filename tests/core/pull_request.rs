//! A plan as Markdown: complete, safe to post, and never too long.

use expect_test::expect_file;
use opsctl::domain::{Code, Diagnostic, KeyPath, codes, many};
use opsctl::plan::{self, Mode, Observed, Plan};
use opsctl::report::plan::markdown::{LARGEST, marker, render};
use opsctl::resources::kinds;

use crate::project::shipped_in;

fn shipped() -> Plan {
    let desired = shipped_in("123456789012", "us-east-1");
    let mode = Mode::Deploy { prune: false, adopt: false };
    plan::build(&desired, &Observed::default(), &kinds(), mode).expect("a plan")
}

fn rendered(plan: &Plan, warnings: &[Diagnostic], folded: bool) -> String {
    render(plan, &kinds(), "account 123456789012, us-east-1", &Observed::default(), warnings, folded)
}

#[test]
fn a_first_deploy_as_a_comment_and_as_a_summary() {
    let warning =
        |code: Code| Diagnostic::warning(code, KeyPath::of(["function", "classify"]), "so | so", "help");
    let warnings = [warning(codes::SMALL_ACCOUNT)];
    expect_file!["plan/comment.md"].assert_eq(&rendered(&shipped(), &warnings, true));
    expect_file!["plan/summary.md"].assert_eq(&rendered(&shipped(), &warnings, false));
}

#[test]
fn a_comment_is_found_by_its_first_line() {
    let text = rendered(&shipped(), &[], true);
    assert_eq!(text.lines().next(), Some(marker("digits", "dev").as_str()));
    assert!(!rendered(&shipped(), &[], false).contains("<!-- opsctl"));
}

#[test]
fn what_others_wrote_is_no_markup() {
    let mut plan = shipped();
    let hostile = "@everyone </details> | <img src=x> [a](javascript:b) `x` ![p](//q)\n# H\n\u{1b}[31m";
    plan.steps[0].why = vec![hostile.to_owned()];
    plan.steps[0].physical = hostile.to_owned();
    let text = rendered(&plan, &[], true);
    for raw in ["@everyone", "</details> |", "<img", "](", "`x`", "\n# H", "\u{1b}"] {
        assert!(!text.contains(raw), "{raw} in {text}");
    }
    let rows = text.lines().filter(|line| line.starts_with("| "));
    assert!(rows.clone().all(|row| row.matches('|').count() == 5), "{text}");
    assert_eq!(rows.count(), 1 + plan.steps.len());
}

#[test]
fn what_does_not_fit_is_counted_and_the_rest_is_whole() {
    let mut plan = shipped();
    let one = plan.steps[3].clone();
    for index in 0..3_000 {
        let mut step = one.clone();
        step.id = plan.steps.len();
        step.target.name = format!("numbers-{index}");
        step.why = vec!["ü|".repeat(400); 6];
        plan.steps.push(step);
    }
    let warnings: Vec<Diagnostic> = (0..500)
        .map(|n| Diagnostic::warning(codes::SMALL_ACCOUNT, KeyPath::of([n.to_string()]), "w".repeat(900), ""))
        .collect();
    for folded in [true, false] {
        let text = rendered(&plan, &warnings, folded);
        assert!(text.len() <= 65_000 && text.chars().count() <= LARGEST + 500, "{}", text.len());
        let shown = text.lines().filter(|line| line.starts_with("| + create |")).count();
        let left_out = plan.steps.len() - shown;
        assert!(text.contains(&many(left_out, "more step")), "{shown} of {}", plan.steps.len());
        assert!(text.contains(&format!("**{} to create", plan.steps.len())));
        assert_eq!(text.contains("</details>"), folded);
        assert!(text.contains("and 480 more"));
    }
}
