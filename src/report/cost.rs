//! What a project costs, for people and as JSON.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::page::Suggest;
use super::style::Styles;
use crate::cost::{Bill, Cost, Estimate, Item, Prices, Rate, Run, TABLE_OF_OPSCTL};
use crate::domain::wrap::wrapped;
use crate::domain::{HumanDuration, Money, ResourceId, shown};

/// How costs are shown.
#[derive(Clone, Copy)]
pub struct CostLook<'a> {
    /// In fewer columns lines are folded between words. `None`: there is no terminal, and lines may be long.
    pub width: Option<usize>,
    pub styles: &'a Styles,
    /// Fills in the commands that end something.
    pub suggest: Suggest<'a>,
}

/// What a plan changes in what is billed, or nothing where nothing is. With reasons, the user's own why of
/// each instance type.
pub fn human(cost: &Cost, reasons: Option<&BTreeMap<ResourceId, String>>, look: CostLook<'_>) -> String {
    let (before, after) = (&cost.before, &cost.after);
    let runs: Vec<(&Estimate, &Run)> =
        cost.runs.iter().filter_map(|id| after.of(id)).filter_map(|e| Some((e, e.run.as_ref()?))).collect();
    let rates = [before.idle(), before.most(), after.idle(), after.most()];
    if rates.iter().all(|rate| rate.is_zero()) && runs.is_empty() && after.unknown().is_empty() {
        return String::new();
    }
    let title = if cost.is_part { "Cost on AWS of this part of the project" } else { TITLE };
    let mut page = Page::new(title, &cost.prices, cost.items(), look);
    let is_whole = before.unknown().is_empty() && after.unknown().is_empty();
    page.line("idle", &known(is_whole, changed(before.idle(), after.idle())));
    page.line("at most", &known(is_whole, changed(before.most(), after.most())));
    for (estimate, run) in runs {
        page.line("a run", &format!("{} {}", estimate.id, of_a_run(run, &estimate.unknown)));
    }
    page.bills(after, |estimate| estimate.idle, ", even when idle");
    page.rest(after);
    // Of a project that is destroyed nothing is left to end.
    let until_end = cost.until_end().filter(|_| !after.most().is_zero() || !cost.runs.is_empty());
    if let Some((ttl, most)) = cost.ends_after.zip(until_end) {
        page.line(
            "ttl",
            &format!("ends itself {ttl} after a deploy: at most {} USD until then", most.cents()),
        );
    }
    for (id, why) in reasons.into_iter().flatten().filter(|(id, _)| after.of(id).is_some()) {
        page.line("why", &format!("{id}: {}", shown::line(why)));
    }
    page.text
}

/// Of all that the project has, or will have.
const TITLE: &str = "Cost on AWS";

/// What there is costs that now.
pub fn now(bill: &Bill, prices: &Prices, look: CostLook<'_>) -> String {
    if [bill.now(), bill.idle(), bill.most()].iter().all(|rate| rate.is_zero()) && bill.unknown().is_empty() {
        return String::new();
    }
    let mut page = Page::new(TITLE, prices, bill.items(), look);
    let is_whole = bill.unknown().is_empty();
    page.line("now", &known(is_whole, rate(bill.now())));
    page.line("idle", &known(is_whole, rate(bill.idle())));
    page.line("at most", &known(is_whole, rate(bill.most())));
    page.bills(bill, |estimate| estimate.now, " now");
    page.rest(bill);
    page.text
}

/// One line for the end of a run: ``0.23 USD/h now, at most 0.92; `opsctl destroy` ends it``, of the project
/// or of a part of it. `None`: only what is stored is billed.
pub fn short(bill: &Bill, is_part: bool) -> Option<String> {
    let (now, most) = (bill.now(), bill.most().per_hour());
    let unknown = bill.unknown();
    if !now.runs() && unknown.is_empty() {
        return None;
    }
    let mut text = known(unknown.is_empty(), format!("{} USD/h now", now.per_hour().fine()));
    if is_part {
        text += " for this part of the project";
    }
    if most > now.per_hour() {
        text += &format!(", at most {}", most.fine());
    }
    if !unknown.is_empty() {
        text += &format!(", {} unknown", unknown.join(", "));
    }
    let running = bill.0.iter().filter(|estimate| estimate.now.runs());
    let commands: BTreeSet<&str> = running.map(|estimate| estimate.ended_by.as_str()).collect();
    text += &match commands.iter().collect::<Vec<_>>()[..] {
        [] => String::new(),
        [one] => format!("; {one} ends it"),
        [one, other] if !commands.contains(DESTROY) => format!("; {one} and {other} end it"),
        _ => format!("; {DESTROY} ends it"),
    };
    Some(text)
}

/// It ends all that a project bills.
const DESTROY: &str = "`opsctl destroy`";

/// A sum that lacks what nobody knows says so, and a sum of nothing but that is no number.
fn known(is_whole: bool, sum: String) -> String {
    match is_whole {
        true => sum,
        false if sum.starts_with("0 USD") => "unknown".to_owned(),
        false => format!("at least {sum}"),
    }
}

fn rate(rate: Rate) -> String {
    format!("{} USD a month ({} an hour)", rate.per_month().coarse(), rate.per_hour().fine())
}

fn changed(before: Rate, after: Rate) -> String {
    if before == after {
        return rate(after);
    }
    let month = format!("{} → {} USD a month", before.per_month().coarse(), after.per_month().coarse());
    format!("{month} ({} → {} an hour)", before.per_hour().fine(), after.per_hour().fine())
}

/// `about 0.04 USD (10m as the last), at most 5.66 for 24h`; before the first one ended, how long the script
/// runs is anybody's guess: `0.02 USD for 5m, 0.24 for 1h, at most 5.66 for 24h`
fn of_a_run(run: &Run, unknown: &[String]) -> String {
    if run.per_hour == Money::default() && !unknown.is_empty() {
        return "unknown".to_owned();
    }
    let most = format!("at most {} for {}", run.highest_price().fine(), run.at_most);
    let spot = if run.spot { "; spot instances cost less" } else { "" };
    if let (Some(usual), Some(price)) = (run.usual, run.usual_price()) {
        return format!("about {} USD ({usual} as the last), {most}{spot}", price.fine());
    }
    let shorter = [5, 60].map(HumanDuration::minutes).into_iter().filter(|time| *time < run.at_most);
    let mut parts: Vec<String> =
        shorter.map(|time| format!("{} for {time}", run.lasting(time).fine())).collect();
    parts.push(most);
    parts[0] = parts[0].replacen(" for ", " USD for ", 1);
    format!("{}{spot}", parts.join(", "))
}

/// The page under construction.
struct Page<'a> {
    text: String,
    look: CostLook<'a>,
}

impl<'a> Page<'a> {
    /// Columns of the words before each line.
    const MARGIN: usize = 9;

    fn new(title: &str, prices: &Prices, items: BTreeSet<&Item>, look: CostLook<'a>) -> Self {
        let sources = prices.sources(items);
        let text = format!("{}\n", look.styles.strong(title));
        let mut page = Self { text, look };
        for (index, source) in sources.iter().enumerate() {
            let mut said = format!("{} of {}", source.words(), source.date);
            if index > 0 {
                said += &format!(": {}", source.items.join(", "));
            }
            page.line("prices", &said);
        }
        if let Some(note) = prices.note() {
            page.line("note", &format!("AWS's price list was not read: {note}"));
        }
        page
    }

    fn line(&mut self, name: &str, rest: &str) {
        let margin = Self::MARGIN + 2;
        let columns = self.look.width.map_or(usize::MAX, |width| width.saturating_sub(margin));
        for (index, line) in wrapped(&(self.look.suggest)(rest), columns).iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.text += &format!("  {name:<rest$}{line}\n", rest = Self::MARGIN);
        }
    }

    /// What the sums leave out.
    fn rest(&mut self, bill: &Bill) {
        if !bill.unknown().is_empty() {
            self.line("unknown", &format!("{}; in no sum", bill.unknown().join(", ")));
        }
        if !bill.by_use().is_empty() {
            self.line("excludes", &bill.by_use().join(", "));
        }
    }

    /// What is billed by the hour, by the command that ends it.
    fn bills(&mut self, bill: &Bill, of: fn(&Estimate) -> Rate, when: &str) {
        let mut by_command: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for estimate in bill.0.iter().filter(|estimate| of(estimate).runs()) {
            let text = format!("{} {} ({})", estimate.id, of(estimate).per_hour().fine(), estimate.what);
            by_command.entry(&estimate.ended_by).or_default().push(shown::line(&text).into_owned());
        }
        for (command, all) in by_command {
            self.line("bills", &format!("per hour{when}, until {command}: {}", all.join(", ")));
        }
    }
}

/// The shape of docs/events.md#cost: what is there, what will be, and what the first month can cost at most.
pub fn json(cost: &Cost) -> Value {
    let most = cost.highest_month().ok();
    json!({
        "currency": "USD", "prices": prices(&cost.prices, cost.items()),
        "before": bill(&cost.before), "after": bill(&cost.after), "runs": cost.runs, "highest_month": most,
        "ends_after_s": cost.ends_after.map(|ttl| ttl.as_secs()), "until_end": cost.until_end(),
    })
}

/// What there is.
pub fn json_now(live: &Bill, of: &Prices) -> Value {
    json!({ "currency": "USD", "prices": prices(of, live.items()), "live": bill(live) })
}

/// Where the prices are from that a bill is made with, and of which day. The first source has the newest.
fn prices(prices: &Prices, items: BTreeSet<&Item>) -> Value {
    let sources = prices.sources(items);
    let first = sources.first();
    json!({
        "source": first.map_or(TABLE_OF_OPSCTL, |source| source.name),
        "date": first.map_or(prices.date(), |source| source.date.as_str()),
        "region": prices.region(), "sources": sources, "note": prices.note(),
    })
}

fn bill(bill: &Bill) -> Value {
    json!({
        "now": bill.now(), "idle": bill.idle(), "most": bill.most(), "unknown": bill.unknown(),
        "resources": bill.0.iter().map(estimate).collect::<Vec<_>>(),
    })
}

fn estimate(estimate: &Estimate) -> Value {
    let Estimate { id, what, now, idle, most, run, unknown, by_use, ended_by, items: _ } = estimate;
    let command = ended_by.split('`').nth(1).unwrap_or(ended_by);
    json!({
        "target": id, "what": what, "now": now, "idle": idle, "most": most,
        "run": run.as_ref().map(run_json), "unknown": unknown, "by_use": by_use,
        "ended_by": command.trim_start_matches("opsctl "),
    })
}

fn run_json(run: &Run) -> Value {
    let usual: Option<Money> = run.usual_price();
    json!({
        "hour": run.per_hour, "usual": usual, "usual_s": run.usual.map(|usual| usual.as_secs()),
        "most": run.highest_price(), "most_s": run.at_most.as_secs(), "spot": run.spot,
    })
}
