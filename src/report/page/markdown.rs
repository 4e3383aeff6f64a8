//! The page as Markdown, for GitHub and for whoever reads it as it is.

use std::fmt::Write as _;

use super::blocks::{Block, Figure, Form, Node, Page, Table, Text, Tone};
use crate::domain::{figure, many, markdown, shown};

/// The same page in GitHub's Markdown: plots are tables, the graph is a list.
pub fn render(page: &Page) -> String {
    let mut out = format!("# {}\n\n{}\n", markdown::text(&page.title), texts(&page.lead));
    if !page.gaps.is_empty() {
        out += "\n> **This report is incomplete.** These could not be read:\n>\n";
        for (what, why) in &page.gaps {
            let _ = writeln!(out, "> - **{}**: {}", markdown::text(what), markdown::text(why));
        }
    }
    out += "\n";
    for tile in &page.tiles {
        let mark = if tile.look == Tone::Bad { " ⚠" } else { "" };
        let more =
            if tile.more.is_empty() { String::new() } else { format!(" ({})", markdown::text(&tile.more)) };
        let _ = writeln!(
            out,
            "- {}: **{}**{more}{mark}",
            markdown::text(&tile.name),
            markdown::text(&tile.value)
        );
    }
    for section in &page.sections {
        let _ = writeln!(out, "\n## {}", markdown::text(&section.title));
        for block in section.blocks.iter().map(of_block).filter(|block| !block.is_empty()) {
            out += "\n";
            out += &block;
        }
    }
    let _ = writeln!(out, "\n---\n\n{}", markdown::text(&page.foot));
    out
}

fn of_block(block: &Block) -> String {
    match block {
        Block::Heading(title) => format!("### {}\n", markdown::text(title)),
        Block::Paragraph(text) => format!("{}\n", texts(text)),
        Block::Facts(facts) => facts
            .iter()
            .map(|(name, value)| format!("- {}: {}\n", markdown::text(name), texts(value)))
            .collect(),
        Block::Table(table) => of_table(table),
        Block::Plot(figure) => of_plot(figure),
        // The table after it says the same.
        Block::Graph(_) => String::new(),
        Block::Lineage(rows) => {
            let node = |node: &Node| {
                let Node { kind, name, state, .. } = node;
                format!("{} {} {}", markdown::text(kind), markdown::code(name), markdown::text(state))
            };
            let step = |step: &Vec<_>| step.iter().map(node).collect::<Vec<_>>().join(", ");
            let row = |row: &Vec<_>| format!("- {}\n", row.iter().map(step).collect::<Vec<_>>().join(" → "));
            rows.iter().map(row).collect()
        }
        Block::Output { name, text } => {
            let text = shown::text(text);
            // A fence of what is within would end it.
            let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
            let fence = "`".repeat(longest.max(2) + 1);
            format!("{}:\n\n{fence}text\n{}\n{fence}\n", markdown::text(name), text.trim_end())
        }
    }
}

fn of_table(table: &Table) -> String {
    let mut out = format!("{}:\n\n| {} |\n", markdown::text(&table.caption), table.head.join(" | "));
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
    let mut out = format!("{}:\n\n", markdown::text(&plot.caption));
    for line in &plot.lines {
        let number = |value: f64| match plot.percent {
            true => format!("{} %", figure(value * 100.0)),
            false => figure(value),
        };
        let _ = match &line.form {
            Form::Level(level) => writeln!(out, "- {}: {}", markdown::text(&line.name), number(*level)),
            Form::Steps(steps, _) => {
                let steps = steps.iter().rev().take(12).rev();
                let steps = steps.map(|step| format!("{} from {}", number(step.count), step.at));
                writeln!(out, "- {}: {}", markdown::text(&line.name), steps.collect::<Vec<_>>().join(", "))
            }
            Form::Line(series) | Form::Area(series) => match series.first().zip(series.last()) {
                None => writeln!(out, "- {}: nothing measured", markdown::text(&line.name)),
                Some((first, last)) => writeln!(
                    out,
                    "- {} `{}` first {}, last {}, lowest {}, highest {}, {}",
                    markdown::text(&line.name),
                    spark(&series.thinned(40).values().collect::<Vec<_>>()),
                    number(first),
                    number(last),
                    number(series.min().unwrap_or(first)),
                    number(series.max().unwrap_or(last)),
                    many(series.points.len(), "point")
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
        Text::Plain(text) => markdown::text(text),
        Text::Code(text) => markdown::code(text),
        Text::Strong(text) => format!("**{}**", markdown::text(text)),
        Text::State(word, _) => markdown::text(word),
        Text::Link { text, address } if address.starts_with("https://") => {
            format!("[{}](<{}>)", markdown::text(text), address.replace(['<', '>', ' ', '\n'], ""))
        }
        Text::Link { text, .. } => markdown::text(text),
        Text::Break => "<br>".to_owned(),
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
        let link = Text::Link { text: "x".into(), address: "javascript:alert(1)".into() };
        assert_eq!(of_text(&link), "x");
        let output = Block::Output { name: "log".into(), text: "```\n````\n".into() };
        assert!(of_block(&output).contains("\n`````text\n"));
    }
}
