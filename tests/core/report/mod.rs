//! The page of `opsctl report`, from evidence that is made here.

mod evidence;

use std::path::Path;

use expect_test::expect_file;
use opsctl::evidence::{Evidence, Gap, Instead, Leftover, Series};
use opsctl::report::page;
use regex_lite::Regex;

/// What others may write into a name, a log, an answer or a reason.
const HOSTILE: &str =
    "</pre></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>|`$(x)`\u{202e}\u{1b}[31m";

fn html(evidence: &Evidence) -> String {
    page::html(evidence, &str::to_owned)
}

fn markdown(evidence: &Evidence) -> String {
    page::markdown(evidence, &str::to_owned)
}

fn hostile() -> Evidence {
    let mut evidence = evidence::whole();
    let text = || HOSTILE.to_owned();
    evidence.project = text();
    evidence.target = text();
    evidence.gaps = vec![Gap { what: text(), why: text() }];
    for resource in &mut evidence.resources {
        resource.physical = text();
        resource.status.word = text();
        resource.status.reason = Some(text());
        resource.why = Some(text());
        resource.page = Some(format!("javascript:{HOSTILE}"));
        resource.attributes.push((text(), text()));
    }
    for job in &mut evidence.jobs {
        job.last_lines = vec![text(), "```".into(), text()];
        job.metrics.iter_mut().for_each(|metric| metric.name = text());
    }
    for endpoint in &mut evidence.endpoints {
        endpoint.activities.iter_mut().for_each(|activity| {
            activity.cause = text();
            activity.status = text();
        });
    }
    for role in &mut evidence.roles {
        role.grants.iter_mut().for_each(|grant| grant.actions.push(text()));
    }
    evidence.history.iter_mut().for_each(|past| past.note = text());
    evidence
}

/// For `tests/report/run.sh`, which opens them.
#[test]
fn pages_for_a_browser_are_written() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    for (name, evidence) in [("whole", evidence::whole()), ("hostile", hostile())] {
        std::fs::write(folder.join(format!("{name}.html")), html(&evidence)).unwrap();
    }
}

#[test]
fn the_report_as_markdown() {
    expect_file!["whole.md"].assert_eq(&markdown(&evidence::whole()));
}

/// What is deployed and not the config's is not called so, and what was measured is of what serves.
#[test]
fn what_another_config_has_made_is_said_to_be_that() {
    let mut evidence = evidence::whole();
    let mut earlier = evidence.jobs[0].clone();
    (earlier.earlier, earlier.physical) = (true, "digits-dev-numbers-0000000001".into());
    earlier.metrics = vec![Series::new("test:accuracy", vec![(1.0, 0.25)])];
    evidence.jobs.insert(0, earlier);
    for resource in &mut evidence.resources {
        match resource.id.to_string().as_str() {
            "endpoint/numbers" => resource.differs = vec!["configuration: a -> b".into()],
            "training/numbers" => {
                let (endpoint, physical) =
                    ("endpoint/numbers".parse().unwrap(), "digits-dev-numbers-0000000001".into());
                resource.instead = Some(Instead { endpoint, physical });
            }
            _ => {}
        }
    }
    let (ready, all) = evidence.ready();
    assert_eq!(ready, all - 1);
    let page = markdown(&evidence);
    for said in [
        "**Not as the config has it:** endpoint/numbers; ",
        "InService, not as configured",
        "endpoint/numbers serves an earlier training job",
        "does not serve",
        "numbers: what serves",
    ] {
        assert!(page.contains(said), "{said}\n{page}");
    }
    assert!(!page.contains("deployed and ready"), "{page}");
    assert!(page.contains("0.25"), "the first figure is of what serves\n{page}");
}

/// Each deploy of something new leaves a generation.
#[test]
fn many_earlier_versions_are_one_row() {
    let mut evidence = evidence::whole();
    let model = evidence.leftovers[0].clone();
    let others =
        (0..9).map(|n| Leftover { physical: format!("digits-dev-numbers-{n:010x}"), ..model.clone() });
    evidence.leftovers.extend(others);
    evidence.leftovers.push(Leftover { physical: "digits-dev-other-cc2ce805af".into(), ..model });
    let page = markdown(&evidence);
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| model |")).collect();
    let expected = [
        "| model | `digits-dev-numbers-*`, 10 earlier versions |",
        "| model | `digits-dev-other-cc2ce805af` |",
    ];
    assert_eq!(rows, expected);
}

#[test]
fn the_seven_things_of_the_case_are_sections() {
    let page = html(&evidence::whole());
    for anchor in
        ["notebook", "bucket", "endpoint", "ec2", "function", "roles", "training", "cost", "history"]
    {
        assert!(page.contains(&format!("<section id=\"{anchor}\"")), "{anchor}");
    }
    for said in [
        "ml.t3.xlarge",
        "digits-dev-123456789012-us-east-1",
        "InService",
        "i-0123456789abcdef0",
        "s3://digits-dev-123456789012-us-east-1/instances/digits-dev-numbers-on-ec2-1/output/model.tar.gz",
        "7 (99.8 %)",
        "sagemaker:InvokeEndpoint",
        "16 GiB; 4 GiB ran out",
    ] {
        assert!(page.contains(said), "{said}");
    }
    assert_eq!(page.matches("class=\"plot\"").count(), 7);
}

/// Opened from a mail or a wiki, it fetches nothing and runs nothing.
#[test]
fn it_needs_nothing_else() {
    for page in [html(&evidence::whole()), html(&hostile())] {
        let asks =
            Regex::new(r"<(script|link|iframe|object|embed|img|base)\b|<[a-z][^>]*\s(src|srcset|on\w+)=")
                .unwrap();
        assert_eq!(asks.find(&page).map(|found| found.as_str()), None);
        for asks in ["@import", "href=\"javascript:"] {
            assert!(!page.contains(asks), "{asks}");
        }
        let addresses = page.match_indices("url(").filter(|(at, _)| !page[*at..].starts_with("url(#"));
        assert_eq!(addresses.count(), 0);
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn what_others_wrote_stays_text() {
    let (page, text) = (html(&hostile()), markdown(&hostile()));
    for hidden in ['\u{202e}', '\u{1b}'] {
        assert!(!page.contains(hidden) && !text.contains(hidden));
    }
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    // Outside of fences nothing of it is markup.
    let outside: String = text.split("````").step_by(2).collect();
    for (_, line) in outside.lines().enumerate().filter(|(_, line)| !line.contains("`</pre>")) {
        assert!(!line.contains("<script>") && !line.contains("<img"), "{line}");
    }
}

#[test]
fn what_could_not_be_read_is_said_first() {
    let mut evidence = evidence::whole();
    evidence.gaps = vec![Gap { what: "the audit of roles".into(), why: "AccessDenied".into() }];
    let page = html(&evidence);
    let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("This report is incomplete") < at("class=\"tiles\""));
    assert!(markdown(&evidence).contains("> - **the audit of roles**: AccessDenied"));
}

/// Nothing deployed, nothing measured, nobody asked: a page all the same.
#[test]
fn an_empty_project_has_a_report() {
    let mut evidence = evidence::whole();
    evidence.resources.clear();
    evidence.jobs.clear();
    evidence.endpoints.clear();
    evidence.functions.clear();
    evidence.roles.clear();
    evidence.history.clear();
    evidence.leftovers.clear();
    evidence.advice.clear();
    (evidence.audit, evidence.invocation) = (None, None);
    evidence.cost = Default::default();
    assert!(html(&evidence).contains("The config has no resources."));
    assert_eq!(markdown(&evidence).matches("\n## ").count(), 0);
}
