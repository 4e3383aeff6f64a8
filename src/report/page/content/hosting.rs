//! What serves: endpoints with their scaling, functions with a test.

use super::{MOST, command, facts, settled};
use crate::domain::{KindName, figure, many, many_of};
use crate::evidence::{
    Axis, Evidence, FunctionTraffic, Invocation, InvocationOutcome, Series, Traffic, Window,
};
use crate::report::answer;
use crate::report::page::Suggest;
use crate::report::page::blocks::{Block, Figure, Form, Line, Section, Table, Text};

/// Endpoints with their scaling and their traffic. `None`: there is none.
pub fn endpoints(evidence: &Evidence) -> Option<Section> {
    let mut blocks = Vec::new();
    for endpoint in evidence.of_kind(KindName::Endpoint) {
        blocks.push(Block::Heading(endpoint.id.name.clone()));
        blocks.push(facts(endpoint));
        if let Some(traffic) = evidence.endpoints.iter().find(|traffic| traffic.id == endpoint.id) {
            blocks.extend(scaling(traffic));
            blocks.extend(requests(traffic));
        }
    }
    let title = "Endpoint and scaling".to_owned();
    (!blocks.is_empty()).then_some(Section { anchor: KindName::Endpoint.as_str(), title, blocks })
}

fn scaling(traffic: &Traffic) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some((target, (min, max))) = traffic.target.zip(traffic.min.zip(traffic.max)) {
        blocks.push(Block::Paragraph(vec![
            Text::Strong("Scales:".into()),
            Text::plain(" "),
            Text::plain(format!(
                "{min} to {}, to hold {} per instance per minute, which is {} \
                 a second. Target tracking adds instances after about three minutes above the target and \
                 removes one after about fifteen below it, whatever the cooldowns are.",
                many(max, "instance"),
                many_of(target, "invocation"),
                many_of(target / 60.0, "request")
            )),
        ]));
    }
    let until = traffic.window.to.0 as f64;
    if !traffic.instances.is_empty() {
        let form = Form::Steps(traffic.instances.clone(), until);
        let mut lines = vec![Line { name: "instances".into(), form }];
        if let Some(max) = traffic.max {
            lines.push(Line { name: "maximum".into(), form: Form::Level(f64::from(max)) });
        }
        blocks.push(plot("Instances over time", lines, false));
    }
    if !traffic.per_instance.is_empty() {
        let form = Form::Area(per_minute(&traffic.per_instance, traffic.window));
        let mut lines = vec![Line { name: "measured".into(), form }];
        if let Some(target) = traffic.target {
            lines.push(Line { name: "target".into(), form: Form::Level(target) });
        }
        blocks.push(plot("Invocations per instance per minute", lines, false));
    }
    let rows: Vec<_> = traffic
        .activities
        .iter()
        .map(|activity| {
            let ended = activity.ended_at.map(|ended| format!("{} s", ended.0 - activity.started_at.0));
            vec![
                vec![Text::plain(activity.started_at.to_string())],
                vec![Text::plain(activity.description.clone())],
                vec![settled(activity.status.clone(), activity.status != "Failed")],
                vec![Text::plain(ended.unwrap_or_default())],
                vec![Text::plain(activity.cause.clone())],
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = ["When", "What", "How it ended", "Took", "Cause"];
        blocks.push(Block::Table(Table::new("Scaling activities, the newest first", &head, rows, MOST)));
    } else if traffic.target.is_some() {
        blocks.push(Block::Paragraph(vec![Text::plain("It has not scaled in the last six weeks.")]));
    }
    blocks
}

fn invocations(series: &Series) -> String {
    many_of(series.sum(), "invocation")
}

/// CloudWatch's sums are of a period.
fn per_minute(series: &Series, window: Window) -> Series {
    let minutes = (window.period_s as f64 / 60.0).max(1.0);
    Series::new(series.name.clone(), series.points.iter().map(|(x, y)| (*x, y / minutes)).collect())
}

fn requests(traffic: &Traffic) -> Vec<Block> {
    let Window { from, to, period_s } = traffic.window;
    if traffic.invocations.is_empty() {
        let text = format!("CloudWatch has no invocations of it from {from} to {to}.");
        return vec![Block::Paragraph(vec![Text::plain(text)])];
    }
    let mut said =
        format!("{} from {from} to {to}, counted every {period_s} s", invocations(&traffic.invocations));
    if let Some(latency) = traffic.latency_ms.mean() {
        said += &format!("; the model took {} ms on average", figure(latency));
    }
    said += &match traffic.errors.sum() {
        0.0 => ", and none failed.".to_owned(),
        failed => format!(", and {} failed.", figure(failed)),
    };
    let mut blocks =
        vec![Block::Paragraph(vec![Text::Strong("Requests:".into()), Text::plain(" "), Text::plain(said)])];
    let mut lines = vec![Line { name: "invocations".into(), form: Form::Area(traffic.invocations.clone()) }];
    if traffic.errors.sum() > 0.0 {
        lines.push(Line { name: "errors".into(), form: Form::Line(traffic.errors.clone()) });
    }
    blocks.push(plot("Invocations of the endpoint", lines, false));
    if !traffic.latency_ms.is_empty() {
        let lines =
            vec![Line { name: "model latency in ms".into(), form: Form::Line(traffic.latency_ms.clone()) }];
        blocks.push(plot("Model latency in milliseconds", lines, false));
    }
    blocks
}

fn plot(caption: &str, lines: Vec<Line>, percent: bool) -> Block {
    let (caption, axis) = (caption.to_owned(), Axis::Time);
    Block::Plot(Box::new(Figure { caption, axis, lines, from_zero: true, percent }))
}

/// Functions, what keeps them warm, and the test invocation. `None`: there is neither.
pub fn functions(evidence: &Evidence, suggest: Suggest<'_>) -> Option<Section> {
    let mut blocks = Vec::new();
    for function in evidence.of_kind(KindName::Function) {
        blocks.push(Block::Heading(function.id.name.clone()));
        blocks.push(facts(function));
        let part = evidence.of_kind(KindName::Concurrency).find(|part| part.id.name == function.id.name);
        if let Some(part) = part {
            let warm = part.facts.warm.unwrap_or_default();
            let mut text = vec![
                Text::Strong("Provisioned concurrency:".into()),
                Text::plain(" "),
                Text::plain(format!("{warm} initialized environments on the alias ")),
                Text::code("live"),
                Text::plain(", "),
            ];
            text.extend(super::state(part));
            text.push(Text::plain(". They serve who invokes the alias; $LATEST never has any."));
            blocks.push(Block::Paragraph(text));
        }
        if let Some(traffic) = evidence.functions.iter().find(|traffic| traffic.id == function.id) {
            blocks.extend(calls(traffic));
        }
    }
    if evidence.of_kind(KindName::Function).next().is_some() || evidence.invocation.is_some() {
        blocks.push(Block::Heading("Test invocation".into()));
        blocks.extend(test(evidence.invocation.as_ref(), suggest));
    }
    let title = "Function and test".to_owned();
    (!blocks.is_empty()).then_some(Section { anchor: KindName::Function.as_str(), title, blocks })
}

fn calls(traffic: &FunctionTraffic) -> Vec<Block> {
    let Window { from, to, .. } = traffic.window;
    if traffic.invocations.is_empty() {
        let text = format!("CloudWatch has no invocations of it from {from} to {to}.");
        return vec![Block::Paragraph(vec![Text::plain(text)])];
    }
    let mut said = format!("{} from {from} to {to}", invocations(&traffic.invocations));
    if let Some(took) = traffic.duration_ms.mean() {
        said += &format!(", {} ms on average", figure(took));
    }
    said += &match traffic.errors.sum() {
        0.0 => ", and none failed".to_owned(),
        failed => format!(", and {} failed", figure(failed)),
    };
    if !traffic.utilization.is_empty() {
        said += &format!("; {} found no initialized environment free", figure(traffic.spillover.sum()));
    }
    let mut blocks = vec![Block::Paragraph(vec![
        Text::Strong("Calls:".into()),
        Text::plain(" "),
        Text::plain(said + "."),
    ])];
    let lines = vec![Line { name: "invocations".into(), form: Form::Area(traffic.invocations.clone()) }];
    blocks.push(plot("Invocations of the function", lines, false));
    if !traffic.utilization.is_empty() {
        let lines = vec![Line { name: "in use".into(), form: Form::Line(traffic.utilization.clone()) }];
        blocks.push(plot("Provisioned concurrency in use", lines, true));
    }
    blocks
}

fn test(invocation: Option<&Invocation>, suggest: Suggest<'_>) -> Vec<Block> {
    /// Of an answer that may be megabytes.
    const LONGEST: usize = 6_000;
    const LINES: usize = 30;
    let Some(Invocation { through, payload, outcome }) = invocation else {
        return vec![Block::Paragraph(vec![
            Text::plain("None was made: it runs the function's code and is billed. "),
            command("`opsctl report --invoke`", suggest),
            Text::plain(" makes one."),
        ])];
    };
    let through = ("Through".to_owned(), vec![Text::code(through.to_string())]);
    let shortened = |value: &serde_json::Value| {
        // Rows of numbers, one a line, would be all that one sees.
        let text = Some(format!("{value:#}")).filter(|text| text.lines().count() <= LINES);
        let text = text.unwrap_or_else(|| value.to_string());
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => {
                format!("{}\n… {}", &text[..end], many(text[end..].chars().count(), "more character"))
            }
            None => text,
        }
    };
    let sent = Block::Output { name: "Sent".into(), text: shortened(payload) };
    match outcome {
        InvocationOutcome::Failed { code, error } => vec![
            Block::Facts(vec![
                through,
                ("Status".to_owned(), vec![settled(format!("failed, {code}"), false)]),
            ]),
            sent,
            Block::Output { name: "Error".into(), text: error.clone() },
        ],
        InvocationOutcome::Answered { status, latency_ms, cold_start, init_ms, answer, response } => {
            let start = match (cold_start, init_ms) {
                (Some(true), Some(ms)) => format!(", cold start ({} ms to initialize)", figure(*ms)),
                (Some(true), None) => ", cold start".to_owned(),
                (Some(false), _) => ", warm".to_owned(),
                (None, _) => String::new(),
            };
            let facts = vec![
                through,
                ("Status".to_owned(), vec![settled(status.to_string(), outcome.is_ok())]),
                ("Latency".to_owned(), vec![Text::plain(format!("{} ms{start}", figure(*latency_ms)))]),
            ];
            vec![
                Block::Facts(facts),
                sent,
                Block::Output { name: "Answer".into(), text: answer::human(answer) },
                Block::Output { name: "The whole response".into(), text: shortened(response) },
            ]
        }
    }
}
