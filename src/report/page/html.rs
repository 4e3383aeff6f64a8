//! The page as HTML. maud escapes all that it writes; what is hidden in a text is made visible first.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::blocks::{Block, Figure, Node, Page, Section, Table, Text, Tile, Tone};
use super::style::{class, line};
use super::{graph, plot};
use crate::domain::{Phase, shown};
use crate::inputs::PAGE_TITLE;

const STYLE: &str = include_str!("style.css");
/// Nothing is fetched and nothing runs, whatever a name says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const WIDE: (u32, u32) = (560, 220);
const NARROW: (u32, u32) = (340, 220);

/// One document that fetches nothing.
pub fn render(page: &Page) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="robots" content="noindex";
                title { (line(&page.title)) (PAGE_TITLE) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a class="skip" href="#main" { "Skip to the report" }
                header {
                    p class="eyebrow" { "Report by opsctl" }
                    h1 { (line(&page.title)) }
                    p class="lead" { (texts(&page.lead)) }
                    @if !page.gaps.is_empty() { (gaps(&page.gaps)) }
                    div class="tiles" { @for tile in &page.tiles { (drawn(tile)) } }
                    nav aria-label="Sections" {
                        ul { @for section in &page.sections {
                            li { a href=(format!("#{}", section.anchor)) { (line(&section.title)) } }
                        } }
                    }
                }
                main id="main" { @for section in &page.sections { (of_section(section)) } }
                footer { p { (line(&page.foot)) } }
            }
        }
    };
    page.into_string()
}

fn gaps(gaps: &[(String, String)]) -> Markup {
    html! {
        section class="gaps" aria-labelledby="gaps" {
            h2 id="gaps" { "This report is incomplete" }
            p { "These could not be read, so nothing below says how they are:" }
            ul { @for (what, why) in gaps { li { strong { (line(what)) } ": " (line(why)) } } }
        }
    }
}

fn drawn(tile: &Tile) -> Markup {
    let class = match tile.look {
        Tone::Plain => "tile",
        Tone::Good => "tile good",
        Tone::Bad => "tile bad",
    };
    html! {
        div class=(class) {
            p class="name" { (line(&tile.name)) }
            p class="value" { (line(&tile.value)) }
            @if !tile.more.is_empty() { p class="more" { (line(&tile.more)) } }
        }
    }
}

fn of_section(section: &Section) -> Markup {
    html! {
        section id=(section.anchor) aria-labelledby=(format!("{}-title", section.anchor)) {
            h2 id=(format!("{}-title", section.anchor)) { (line(&section.title)) }
            @for (index, blocks) in section.blocks.chunk_by(are_plots).enumerate() {
                @let id = format!("{}-{index}", section.anchor);
                @match blocks {
                    [one] => { (of_block(one, &id)) }
                    plots => {
                        div class="plots" { @for (index, plot) in plots.iter().enumerate() {
                            (of_block(plot, &format!("{id}-{index}")))
                        } }
                    }
                }
            }
        }
    }
}

/// Plots in a row stand side by side.
fn are_plots(one: &Block, other: &Block) -> bool {
    matches!((one, other), (Block::Plot(_), Block::Plot(_)))
}

fn of_block(block: &Block, id: &str) -> Markup {
    match block {
        Block::Heading(title) => html! { h3 { (line(title)) } },
        Block::Paragraph(text) => html! { p { (texts(text)) } },
        Block::Facts(facts) => html! {
            dl { @for (name, value) in facts { div { dt { (line(name)) } dd { (texts(value)) } } } }
        },
        Block::Table(table) => of_table(table, id),
        Block::Plot(figure) => of_plot(figure, id),
        Block::Graph(nodes) => match graph::svg(nodes) {
            Some(svg) => html! {
                figure {
                    div class="scroll" role="region" tabindex="0" aria-label="Graph of resources" { (svg) }
                    figcaption {
                        "An arrow leads from what is needed to what needs it; what other arrows imply is \
                         left out. The table below has the same."
                    }
                }
            },
            None => html! {},
        },
        Block::Lineage(rows) => html! { @for row in rows { (of_lineage(row)) } },
        Block::Output { name, text } => html! {
            figure class="output" {
                figcaption { (line(name)) }
                div class="scroll" role="region" tabindex="0" aria-label=(line(name)) {
                    pre { (shown::text(text)) }
                }
            }
        },
    }
}

fn of_lineage(row: &[Vec<Node>]) -> Markup {
    html! {
        ol class="lineage" { @for step in row {
            // What is not ready stands out, whatever is beside it.
            @let phase = step.iter().map(|node| node.phase).find(|phase| *phase != Phase::Ready);
            li class=(class(phase.unwrap_or(Phase::Ready))) {
                @for node in step {
                    span class="kind" { (line(&node.kind)) }
                    span class="id" { (line(&node.name)) }
                    (state(&node.state, node.phase))
                }
            }
        } }
    }
}

fn of_table(table: &Table, id: &str) -> Markup {
    let label = format!("{id}-caption");
    html! {
        div class="scroll" role="region" tabindex="0" aria-labelledby=(label) {
            table {
                caption id=(label) { (line(&table.caption)) }
                thead { tr { @for (index, head) in table.head.iter().enumerate() {
                    th scope="col" class=[table.numbers.contains(&index).then_some("number")] { (head) }
                } } }
                tbody { @for row in &table.rows {
                    tr { @for (index, cell) in row.iter().enumerate() {
                        @let number = table.numbers.contains(&index).then_some("number");
                        @if index == 0 { th scope="row" class=[number] { (texts(cell)) } }
                        @else { td class=[number] { (texts(cell)) } }
                    } }
                } }
            }
        }
        @if let Some(more) = table.of.checked_sub(table.rows.len()).filter(|more| *more > 0) {
            p class="more" { "and " (more) " more, which the report in JSON has" }
        }
    }
}

fn of_plot(figure: &Figure, id: &str) -> Markup {
    let Some((wide, narrow)) = plot::svg(figure, WIDE).zip(plot::svg(figure, NARROW)) else {
        // Numbers that no scale can hold are numbers all the same.
        let is_empty = figure.lines.iter().all(|line| line.form.points().is_empty());
        return if is_empty {
            html! {}
        } else {
            of_table(&figure.table(), id)
        };
    };
    html! {
        figure class="plot" {
            figcaption {
                strong { (line(&figure.caption)) }
                // One line has the caption's words.
                @if figure.lines.len() > 1 {
                    ul class="legend" { @for (index, one) in figure.lines.iter().enumerate() {
                        li { span class=(format!("key c{}", index % 4)) {} (line(&one.name)) }
                    } }
                }
            }
            div class="wide" { (PreEscaped(wide)) }
            div class="narrow" { (PreEscaped(narrow)) }
            details { summary { "The same in numbers" } (of_table(&figure.table(), id)) }
        }
    }
}

fn state(word: &str, phase: Phase) -> Markup {
    html! { span class=(format!("state {}", class(phase))) { (line(word)) } }
}

fn texts(all: &[Text]) -> Markup {
    html! { @for text in all { (of_text(text)) } }
}

fn of_text(text: &Text) -> Markup {
    match text {
        Text::Plain(text) => html! { (line(text)) },
        Text::Code(text) => html! { code { (line(text)) } },
        Text::Strong(text) => html! { strong { (line(text)) } },
        Text::State(word, phase) => state(word, *phase),
        // A script is an address too.
        Text::Link { text, address } if address.starts_with("https://") => {
            html! { a href=(address) rel="noreferrer" { (line(text)) } }
        }
        Text::Link { text, .. } => html! { (line(text)) },
        Text::Break => html! { br; },
    }
}
