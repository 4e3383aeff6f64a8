//! Problems of the config, as rustc would show them, and as JSON.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use serde_json::{Value, json};

use super::style::Styles;
use crate::config::Document;
use crate::domain::{Diagnostic, Diagnostics, Severity, codes, shown, workflow};

/// Warnings first, and each where it stands in the file: the order in which they are read.
pub fn sorted(document: &Document, problems: &Diagnostics) -> Diagnostics {
    let mut sorted: Vec<_> = problems.0.iter().zip(places(document, problems)).collect();
    sorted.sort_by_key(|(d, place)| (d.severity, *place));
    Diagnostics(sorted.into_iter().map(|(d, _)| d.clone()).collect())
}

/// All problems with their lines, warnings first, and a count.
pub fn human(document: &Document, problems: &Diagnostics, styles: &Styles) -> String {
    let mut sorted: Vec<_> = problems.0.iter().zip(places(document, problems)).collect();
    sorted.sort_by_key(|(d, place)| (d.severity, *place));
    let starts: Vec<usize> =
        std::iter::once(0).chain(document.text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let mut text: String =
        sorted.iter().map(|(d, place)| one(document, &starts, d, *place, styles) + "\n\n").collect();
    let (errors, warnings) = (problems.count(Severity::Error), problems.count(Severity::Warning));
    let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let counts = match (errors, warnings) {
        (0, 0) => return text,
        (0, w) => plural(w, "warning"),
        (e, 0) => plural(e, "error"),
        (e, w) => format!("{}, {}", plural(e, "error"), plural(w, "warning")),
    };
    text.push_str(&format!("{counts}; `opsctl explain CODE` says more\n"));
    text
}

/// `starts` has the place of every line, so that a problem costs no more than its own.
fn one(
    document: &Document,
    starts: &[usize],
    problem: &Diagnostic,
    (number, column): (usize, usize),
    styles: &Styles,
) -> String {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let file = document.file.display().to_string();
    let (file, message, help) =
        (shown::line(&file), shown::text(&problem.message), shown::text(&problem.help));
    let title = level.primary_title(&*message).id(problem.code.as_str());
    let help = Level::HELP.message(&*help);
    let renderer = if styles.is_colored() { Renderer::styled() } else { Renderer::plain() };
    let Some(span) = found(document, problem) else {
        // It is about no line: the first one would mislead.
        let origin = Origin::path(&*file).line(number).char_column(column);
        let report: &[Group<'_>] = &[title.element(origin).element(help)];
        return indented(&renderer.render(report).to_string());
    };
    let start = starts[number - 1];
    let line = start..starts.get(number).map_or(document.text.len(), |next| next - 1);
    let window = window(document, line, &span);
    let shown_from = window.start;
    let line = document.shown(window, problem);
    let at = |byte: usize| (byte - shown_from).min(line.len());
    let (text, shown_span) = visible(&line, at(span.start)..at(span.end));
    let shown_column = text[..shown_span.start].chars().count() + 1;
    let snippet = Snippet::source(&*text)
        .line_start(number)
        .path(&*file)
        .annotation(AnnotationKind::Primary.span(shown_span));
    let report: &[Group<'_>] = &[title.element(snippet).element(help)];
    let report = renderer.render(report).to_string();
    if shown_column == column {
        return report;
    }
    // The renderer counts in what is shown, where the beginning may be cut off, and bytes are hidden one by
    // one.
    let place = |column: usize| format!("{file}:{number}:{column}");
    report.replacen(&place(shown_column), &place(column), 1)
}

/// What is below the message, where it is when a line is shown; without one the renderer knows no number to
/// indent it by.
fn indented(report: &str) -> String {
    let is_arrow = |line: &&str| line.find("-->").is_some_and(|at| !line[..at].contains(' '));
    let lines: Vec<&str> = report.lines().collect();
    let below = lines.iter().skip(1).position(is_arrow).map_or(lines.len(), |at| at + 1);
    let indented = lines[below..].iter().map(|line| format!(" {line}"));
    lines[..below].iter().map(|line| (*line).to_owned()).chain(indented).collect::<Vec<_>>().join("\n")
}

/// As much of a line as is shown: all of it, or of a very long one what is around the problem. A generated
/// file may be one line of thousands of problems.
fn window(document: &Document, line: Range<usize>, span: &Range<usize>) -> Range<usize> {
    const LONG: usize = 1_000;
    const AROUND: usize = 200;
    if line.len() <= LONG || document.values().is_empty() {
        return line;
    }
    let text = &document.text;
    let start = text.floor_char_boundary(span.start.saturating_sub(AROUND).max(line.start));
    let end = text.ceil_char_boundary((span.end.min(span.start + LONG) + AROUND).min(line.end));
    start..end
}

/// Line and column of each problem, found in one walk through the file.
fn places(document: &Document, problems: &Diagnostics) -> Vec<(usize, usize)> {
    let starts: Vec<usize> = problems.0.iter().map(|d| span(document, d).start).collect();
    let mut order: Vec<usize> = (0..starts.len()).collect();
    order.sort_by_key(|i| starts[*i]);
    let (mut places, mut done, mut line, mut column) = (vec![(1, 1); starts.len()], 0, 1, 1);
    for i in order {
        for c in document.text[done..starts[i]].chars() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        done = starts[i];
        places[i] = (line, column);
    }
    places
}

/// The line of a file as it can be shown, and where the span is in that.
fn visible(text: &str, span: Range<usize>) -> (String, Range<usize>) {
    let (before, marked) = (shown::text(&text[..span.start]), shown::text(&text[span.clone()]));
    let span_shown = before.len()..before.len() + marked.len();
    (format!("{before}{marked}{}", shown::text(&text[span.end..])), span_shown)
}

/// Where a problem is; the beginning of the file for one that is nowhere in it.
fn span(document: &Document, problem: &Diagnostic) -> Range<usize> {
    found(document, problem).unwrap_or(0..0)
}

/// Keys for what is wrong about a key, values for the rest.
fn found(document: &Document, problem: &Diagnostic) -> Option<Range<usize>> {
    let on_key = [
        codes::UNKNOWN_KEY,
        codes::MISSING_KEY,
        codes::UNKNOWN_ENVIRONMENT,
        codes::ENTRY_NAME,
        codes::SET_BY_OPSCTL,
    ];
    let on_key = on_key.contains(&problem.code);
    let found = if on_key { document.key_span(&problem.at) } else { document.value_span(&problem.at) };
    let span = found?;
    // A whole table would be underlined over many lines: its first line is enough.
    Some(match document.text[span.clone()].find('\n') {
        Some(end) => span.start..span.start + end,
        None => span,
    })
}

/// The same as annotations of GitHub Actions, which shows them beside the lines of the `file` of this name.
pub fn github(document: &Document, file: &str, problems: &Diagnostics) -> String {
    let one = |(d, (line, column)): (&Diagnostic, (usize, usize))| {
        let name = match d.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let (line, column) = (line.to_string(), column.to_string());
        let properties = [("file", file), ("line", &line), ("col", &column), ("title", d.code.as_str())];
        workflow::command(name, &properties, &format!("{}\n{}", d.message, d.help)) + "\n"
    };
    problems.0.iter().zip(places(document, problems)).map(one).collect()
}

/// `[{"code","severity","file","line","column","key","message","help"}]`.
pub fn json(document: &Document, problems: &Diagnostics) -> Value {
    let item = |(d, (line, column)): (&Diagnostic, (usize, usize))| {
        json!({
            "code": d.code, "severity": d.severity, "file": document.file, "line": line, "column": column,
            "key": d.at.to_string(), "message": d.message, "help": d.help,
        })
    };
    problems.0.iter().zip(places(document, problems)).map(item).collect()
}
