//! The page as Markdown, for GitHub and for whoever reads it as it is.

use std::fmt::Write as _;

use super::blocks::{Block, Figure, Form, Look, Page, Table, Text};
use crate::domain::{figure, shown};

pub fn render(page: &Page) -> String {
    let mut out = format!("# {}\n\n{}\n", cell(&page.title), texts(&page.lead));
    if !page.gaps.is_empty() {
        out += "\n> **This report is incomplete.** These could not be read:\n>\n";
        for (what, why) in &page.gaps {
            let _ = writeln!(out, "> - **{}**: {}", cell(what), cell(why));
        }
    }
    out += "\n";
    for tile in &page.tiles {
        let mark = if tile.look == Look::Bad { " ⚠" } else { "" };
        let more = if tile.more.is_empty() { String::new() } else { format!(" ({})", cell(&tile.more)) };
        let _ = writeln!(out, "- {}: **{}**{more}{mark}", cell(&tile.name), cell(&tile.value));
    }
    for section in &page.sections {
        let _ = writeln!(out, "\n## {}", cell(&section.title));
        for block in section.blocks.iter().map(of_block).filter(|block| !block.is_empty()) {
            out += "\n";
            out += &block;
        }
    }
    let _ = writeln!(out, "\n---\n\n{}", cell(&page.foot));
    out
}

fn of_block(block: &Block) -> String {
    match block {
        Block::Heading(title) => format!("### {}\n", cell(title)),
        Block::Paragraph(text) => format!("{}\n", texts(text)),
        Block::Facts(facts) => {
            facts.iter().map(|(name, value)| format!("- {}: {}\n", cell(name), texts(value))).collect()
        }
        Block::Table(table) => of_table(table),
        Block::Plot(figure) => of_plot(figure),
        // The table after it says the same.
        Block::Graph(_) => String::new(),
        Block::Lineage(rows) => {
            let row = |row: &Vec<_>| {
                let node = |node: &super::blocks::Node| format!("{} {}", code(&node.name), cell(&node.state));
                format!("- {}\n", row.iter().map(node).collect::<Vec<_>>().join(" → "))
            };
            rows.iter().map(row).collect()
        }
        Block::Output { name, text } => {
            let text = shown::text(text);
            // A fence of what is within would end it.
            let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
            let fence = "`".repeat(longest.max(2) + 1);
            format!("{}:\n\n{fence}text\n{}\n{fence}\n", cell(name), text.trim_end())
        }
    }
}

fn of_table(table: &Table) -> String {
    let mut out = format!("{}:\n\n| {} |\n", cell(&table.caption), table.head.join(" | "));
    let rule = |index: usize| if table.numbers.contains(&index) { "---:" } else { "---" };
    let _ = writeln!(out, "| {} |", (0..table.head.len()).map(rule).collect::<Vec<_>>().join(" | "));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|texts_of| texts(texts_of)).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if let Some(more) = table.of.checked_sub(table.rows.len()).filter(|more| *more > 0) {
        let _ = writeln!(out, "\nand {more} more, which the report in JSON has");
    }
    out
}

fn of_plot(plot: &Figure) -> String {
    let mut out = format!("{}:\n\n", cell(&plot.caption));
    for line in &plot.lines {
        let number = |value: f64| match plot.percent {
            true => format!("{} %", figure(value * 100.0)),
            false => figure(value),
        };
        let _ = match &line.form {
            Form::Level(level) => writeln!(out, "- {}: {}", cell(&line.name), number(*level)),
            Form::Steps(steps, _) => {
                let steps = steps.iter().rev().take(12).rev();
                let steps = steps.map(|step| format!("{} from {}", number(step.count), step.at));
                writeln!(out, "- {}: {}", cell(&line.name), steps.collect::<Vec<_>>().join(", "))
            }
            Form::Line(series) | Form::Area(series) => match series.first().zip(series.last()) {
                None => writeln!(out, "- {}: nothing measured", cell(&line.name)),
                Some((first, last)) => writeln!(
                    out,
                    "- {} `{}` first {}, last {}, lowest {}, highest {}, {} points",
                    cell(&line.name),
                    spark(&series.thinned(40).values().collect::<Vec<_>>()),
                    number(first),
                    number(last),
                    number(series.min().unwrap_or(first)),
                    number(series.max().unwrap_or(last)),
                    series.points.len()
                ),
            },
        };
    }
    out
}

/// A line of text that rises and falls as the values do.
fn spark(values: &[f64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    let height = high - low;
    let bar = |value: &f64| match height > 0.0 && height.is_finite() {
        true => BARS[(((value - low) / height * 7.0).round() as usize).min(7)],
        false => BARS[3],
    };
    values.iter().map(bar).collect()
}

fn texts(all: &[Text]) -> String {
    all.iter().map(of_text).collect()
}

fn of_text(text: &Text) -> String {
    match text {
        Text::Plain(text) => cell(text),
        Text::Code(text) => code(text),
        Text::Strong(text) => format!("**{}**", cell(text)),
        Text::State(word, _) => cell(word),
        Text::Link { text, address } if address.starts_with("https://") => {
            format!("[{}](<{}>)", cell(text), address.replace(['<', '>', ' ', '\n'], ""))
        }
        Text::Link { text, .. } => cell(text),
        Text::Break => "<br>".to_owned(),
    }
}

/// Text in a line or a table: no break-out, no links, no mentions. GitHub looks for mentions and addresses in
/// the text that it shows, so an escape is not enough: a comment parts it.
/// <https://github.github.com/gfm/#autolinks-extension->
fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in shown::line(text).chars() {
        match c {
            '@' | '#' => {
                let _ = write!(out, "&#{};<!-- -->", u32::from(c));
            }
            '|' | '`' | '<' | '>' | '&' | '[' | ']' | '!' | '*' | '_' | '~' | '\\' | '$' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.replace("://", ":<!-- -->//").replace("www.", "www<!-- -->.")
}

/// A name as code; a table knows no escape within it.
fn code(text: &str) -> String {
    let text = shown::line(text).replace('`', "\\u{60}").replace('|', "\\u{7c}");
    match text.trim().is_empty() {
        true => "(no name)".to_owned(),
        false => format!("`{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_a_line() {
        assert_eq!(spark(&[0.0, 1.0, 7.0]), "▁▂█");
        assert_eq!(spark(&[5.0, 5.0]), "▄▄");
        assert_eq!(spark(&[f64::MAX, f64::MIN]), "▄▄");
    }

    #[test]
    fn nothing_breaks_out() {
        assert_eq!(
            cell("a|b `c` <i> @me #1\n::x"),
            "a&#124;b &#96;c&#96; &#60;i&#62; &#64;<!-- -->me &#35;<!-- -->1&#92;n&#92;u{3a}:x"
        );
        assert_eq!(cell("https://x www.y"), "https:<!-- -->//x www<!-- -->.y");
        assert_eq!(code("a`|b"), "`a\\u{60}\\u{7c}b`");
        let link = Text::Link { text: "x".into(), address: "javascript:alert(1)".into() };
        assert_eq!(of_text(&link), "x");
        let output = Block::Output { name: "log".into(), text: "```\n````\n".into() };
        assert!(of_block(&output).contains("\n`````text\n"));
    }
}
