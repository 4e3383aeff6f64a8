//! One self-contained page: the summary, the worst paths drawn, then a block per rule that opens. What is
//! shown is chosen by severity, with the means of CSS, and by rule, role and text, with a script that is part
//! of the page. The page's own policy lets no other run, whatever a name says.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::lines::shown_of_all;
use crate::audit::account::name_of;
use crate::audit::audit::{Audit, Group};
use crate::audit::finding::{Finding, Severity};
use crate::audit::rules;
use crate::domain::many;

/// How many paths are drawn, and how many resources of a group are named before it is opened.
const DRAWN: usize = 12;
const NAMED: usize = 30;

const SCRIPT: &str = include_str!("html.js");

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8886;--soft:#8882}\
body{font:15px/1.45 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;\
background:Canvas;color:CanvasText}\
h1{font-size:1.4rem}h2{font-size:1.15rem;margin-top:2rem}\
code,.ev{font-family:ui-monospace,monospace;font-size:.85rem;overflow-wrap:anywhere}\
nav{position:sticky;top:0;background:Canvas;padding:.5rem 0;border-bottom:1px solid var(--line)}\
nav label{margin-right:1rem;cursor:pointer;white-space:nowrap}\
nav :is(select,input:not([type=radio])){font:inherit;max-width:14rem;width:100%}\
#filters{display:flex;flex-wrap:wrap;gap:.4rem 0;margin-top:.4rem;align-items:baseline}\
#filters label{display:flex;gap:.4rem}[hidden]{display:none!important}\
@media (max-width:40rem){nav{position:static}#filters label{width:100%}\
#filters label span{min-width:3rem}#filters label>:last-child{flex:1;max-width:none}}\
details{border:1px solid var(--line);border-radius:6px;margin:.4rem 0;padding:.4rem .7rem}\
summary{cursor:pointer}ul{margin:.3rem 0;padding-left:1.2rem}\
.sev{display:inline-block;min-width:4.6rem;text-align:center;border-radius:4px;padding:0 \
.3rem;margin-right:.5rem;color:#fff}\
.critical .sev,.sev.critical{background:#8b0a1a}.high .sev,.sev.high{background:#b3410e}\
.medium .sev,.sev.medium{background:#806000}.low .sev,.sev.low{background:#2b5c8a}\
.info .sev,.sev.info{background:#555}\
.path{display:flex;flex-wrap:wrap;list-style:none;padding:0;gap:.3rem;align-items:center}\
.path li{border:1px solid var(--line);border-radius:6px;padding:.2rem .5rem;background:var(--soft)}\
.path li+li::before{content:'\\2192';margin:0 .5rem 0 -.2rem}\
.path li:last-child{border-color:#8b0a1a;border-width:2px}\
.std{color:GrayText;font-size:.85rem}.no{color:light-dark(#8b0a1a,#ff9e95)}\
body:has(#s-critical:checked) details:not(.critical),\
body:has(#s-high:checked) details:is(.medium,.low,.info),\
body:has(#s-medium:checked) details:is(.low,.info){display:none}\
@media print{nav{display:none}details{break-inside:avoid}}";

pub(super) fn render(audit: &Audit) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta http-equiv="Content-Security-Policy" content=(policy());
                title { "IAM audit of account " (audit.account) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (summary(audit))
                (filter(audit))
                (paths(audit))
                h2 { "Findings" }
                @for (rule, groups) in blocks(audit) { (block(rule, &groups)) }
                @if let Some(shown) = shown_of_all(audit) { p { (shown) } }
                @else if audit.findings.is_empty() { p { "Nothing was found." } }
                (rest(audit))
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string() + "\n"
}

/// Nothing is fetched, and nothing runs but the page's own script.
fn policy() -> String {
    let script = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; base-uri 'none'; \
         form-action 'none'"
    )
}

fn summary(audit: &Audit) -> Markup {
    let s = &audit.summary;
    let counts = [
        (Severity::Critical, s.critical),
        (Severity::High, s.high),
        (Severity::Medium, s.medium),
        (Severity::Low, s.low),
        (Severity::Info, s.info),
    ];
    html! {
        h1 { "IAM audit of account " (audit.account) }
        p {
            (many(s.roles, "role")) ", as of " (audit.at.day())
            ", catalogue of " (audit.catalogue_date) ". "
            (s.new) " new, " (s.unchanged) " known, " (s.fixed) " fixed, " (s.muted) " set aside."
        }
        p {
            @for (severity, count) in counts {
                span class={ "sev " (severity.word()) } { (count) " " (severity.word()) }
            }
        }
        @if s.incomplete { p.no { strong { "The audit is incomplete" } ": see what was not evaluated." } }
    }
}

fn filter(audit: &Audit) -> Markup {
    let choices = [
        ("all", "all"),
        ("critical", "critical"),
        ("high", "high and worse"),
        ("medium", "medium and worse"),
    ];
    let found: BTreeSet<&str> = audit.findings.iter().map(|f| f.rule).collect();
    html! {
        nav aria-label="Filter" {
            "Show " @for (id, text) in choices {
                label { input type="radio" name="severity" id={ "s-" (id) } checked[id == "all"]; " " (text) }
            }
            // The script shows these, which do nothing without it.
            div #filters hidden {
                label { span { "Rule" } select #rule {
                    option value="" { "all" }
                    @for id in found {
                        option value=(id) { (id) " " (rules::find(id).map_or("", |rule| rule.title)) }
                    }
                } }
                label { span { "Role" } input #role type="search" placeholder="name or digits-*"; }
                label { span { "Text" } input #text type="search"; }
                output #told {}
            }
        }
    }
}

/// The ways to an administrator, a box for each step.
fn paths(audit: &Audit) -> Markup {
    let is_path = |f: &&Finding| ["IAM208", "IAM211"].contains(&f.rule);
    let found = audit.findings.iter().filter(is_path);
    // Of many who go the same way one is drawn.
    let mut ways: Vec<(&str, Vec<&Finding>)> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for finding in found.clone() {
        let way = finding.evidence.first().map(String::as_str).unwrap_or_default();
        let place = *places.entry(way).or_insert(ways.len());
        match ways.get_mut(place) {
            Some((_, who)) => who.push(finding),
            None => ways.push((way, vec![finding])),
        }
    }
    let more = ways.iter().skip(DRAWN).map(|(_, who)| who.len()).sum::<usize>();
    html! {
        @if !ways.is_empty() {
            h2 { "Ways to an administrator (" (found.count()) ")" }
            @for (way, who) in ways.iter().take(DRAWN) { (path(way, who)) }
            @if more > 0 { p { (more) " more are below, under their rule." } }
        }
    }
}

fn path(way: &str, who: &[&Finding]) -> Markup {
    let steps = way.split_once(": the ").map_or(way, |(_, steps)| steps);
    let steps = steps.trim_start_matches("role").trim_start_matches("user");
    let others = who.len() - 1;
    html! {
        ol.path data-rule=(who[0].rule) {
            li {
                strong { (name_of(&who[0].resource)) }
                @if others > 0 { " and " (others) " more" }
            }
            @for step in steps.split(", ").filter(|step| !step.trim().is_empty()) {
                li { (step.trim().trim_start_matches("then ").trim_start_matches("which ")) }
            }
        }
    }
}

/// The groups of each rule, the worst first.
fn blocks(audit: &Audit) -> Vec<(&'static str, Vec<Group<'_>>)> {
    let mut blocks: BTreeMap<&'static str, Vec<Group<'_>>> = BTreeMap::new();
    for group in audit.groups() {
        blocks.entry(group.first().rule).or_default().push(group);
    }
    let mut blocks: Vec<_> = blocks.into_iter().collect();
    // Groups come the worst first.
    blocks.sort_by_key(|(rule, groups)| {
        (std::cmp::Reverse(groups[0].first().severity), super::brief::rank(rule), *rule)
    });
    blocks
}

fn block(rule: &str, groups: &[Group<'_>]) -> Markup {
    let worst = groups[0].first();
    let known = rules::find(rule);
    let findings = || groups.iter().flat_map(|group| &group.findings);
    let count = findings().count();
    let mut seen = BTreeSet::new();
    let all = findings().flat_map(|f| f.compliance).copied();
    let requirements: Vec<&str> = all.filter(|requirement| seen.insert(*requirement)).collect();
    html! {
        details class=(worst.severity.word()) data-rule=(rule) {
            summary {
                span.sev { (worst.severity.word()) }
                code { (rule) } " " (known.map_or(worst.title.as_str(), |rule| rule.title)) " (" (count) ")"
            }
            @if let Some(rule) = known {
                p { (rule.why) " " strong { "Fix: " } (rule.fix) " " a href=(rule.page) { "AWS" } "." }
            }
            @if !requirements.is_empty() { p.std { (requirements.join(" · ")) } }
            @for group in groups { (cause(group)) }
        }
    }
}

fn cause(group: &Group<'_>) -> Markup {
    let first = group.first();
    let names: Vec<_> = group.findings.iter().map(|f| name_of(&f.resource)).collect();
    let (named, others) = names.split_at(names.len().min(NAMED));
    html! {
        details class=(first.severity.word()) {
            summary {
                span.sev { (first.severity.word()) }
                span.who { (named.join(", ")) } @if !others.is_empty() { " and " (others.len()) " more" }
                ": " (first.title)
            }
            // A browser's search opens what it finds here.
            @if !others.is_empty() { p { "And " span.who { (others.join(", ")) } "." } }
            ul { @for line in &first.evidence { li.ev { (line) } } }
            @if rules::find(first.rule).is_none_or(|rule| rule.fix != first.fix) { p.ev { (first.fix) } }
        }
    }
}

fn rest(audit: &Audit) -> Markup {
    html! {
        @if !audit.not_evaluated.is_empty() {
            h2 { "Not evaluated" }
            ul { @for entry in &audit.not_evaluated {
                li { code { (entry.rule) } " " (entry.reason)
                    @if !entry.resources.is_empty() {
                        " (" (many(entry.resources.len(), "resource")) ")"
                    }
                }
            } }
        }
        @if !audit.muted.is_empty() {
            h2 { "Set aside" }
            ul { @for f in &audit.muted {
                li { (f.severity.word()) " " code { (f.rule) } " " (name_of(&f.resource)) ": "
                    (f.muted.as_deref().unwrap_or_default()) }
            } }
        }
    }
}
