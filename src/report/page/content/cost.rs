//! What it costs, by the prices of a day.

use super::MOST;
use crate::domain::Money;
use crate::evidence::{Billed, Evidence, Price};
use crate::report::page::blocks::{Block, Section, Table, Text};

/// What is billed, and by which price. `None`: nothing has a price.
pub fn section(evidence: &Evidence) -> Option<Section> {
    let cost = &evidence.cost;
    if cost.resources.is_empty() && cost.unknown.is_empty() {
        return None;
    }
    let dollars = |price: Money, shown: fn(Money) -> String| dollars(price, shown, &cost.unknown);
    let mut blocks = vec![Block::Table(
        Table::new(
            "All together, in US dollars",
            &["When", "An hour", "A month"],
            [("Now", cost.now), ("Idle", cost.idle), ("At the maximum", cost.most)]
                .map(|(when, price)| {
                    let (hour, month) =
                        (dollars(price.hour, Money::fine), dollars(price.month, Money::coarse));
                    vec![vec![Text::plain(when)], hour, month]
                })
                .into(),
            MOST,
        )
        .numbers(&[1, 2]),
    )];
    let rows: Vec<_> = cost.resources.iter().map(row).collect();
    let head = ["Resource", "What", "Now, an hour", "Idle, an hour", "Most, an hour", "A run"];
    let table = Table::new("By resource, in US dollars", &head, rows, MOST).numbers(&[2, 3, 4]);
    blocks.push(Block::Table(table));
    let mut said = format!(
        "By AWS's list prices in {} of {}, before taxes and discounts; a month has 730 hours. Idle is what \
         it costs when nobody uses it, the maximum when everything has scaled out.",
        evidence.region, cost.prices_of
    );
    if !cost.by_use.is_empty() {
        said += &format!(" Billed by use, and not in these sums: {}.", cost.by_use.join(", "));
    }
    blocks.push(Block::Paragraph(vec![Text::plain(said)]));
    if !cost.unknown.is_empty() {
        blocks.push(Block::Paragraph(vec![
            Text::Strong("Not in these sums, because no price is known:".into()),
            Text::plain(" "),
            Text::plain(format!("{}.", cost.unknown.join(", "))),
        ]));
    }
    Some(Section { anchor: "cost", title: "Cost".into(), blocks })
}

/// A sum that lacks what nobody knows is no more than a lower bound.
fn dollars(price: Money, shown: fn(Money) -> String, unknown: &[String]) -> Vec<Text> {
    vec![Text::plain(match (unknown.is_empty(), price.is_zero()) {
        (true, _) => shown(price),
        (false, true) => "unknown".to_owned(),
        (false, false) => format!("at least {}", shown(price)),
    })]
}

fn row(billed: &Billed) -> Vec<Vec<Text>> {
    let hour = |price: Price| dollars(price.hour, Money::fine, &billed.unknown);
    let run = billed.run.as_ref().map(|run| {
        let last = run.last.map(|last: Money| format!("the last {}, ", last.fine())).unwrap_or_default();
        format!("{last}at most {}", run.most.fine())
    });
    vec![
        vec![Text::code(billed.id.to_string())],
        vec![Text::plain(billed.what.clone())],
        hour(billed.now),
        hour(billed.idle),
        hour(billed.most),
        vec![Text::plain(run.unwrap_or_default())],
    ]
}
