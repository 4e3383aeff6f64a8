//! What is on the page, section by section: the seven things that the case proved by screenshots (notebook,
//! bucket, endpoint, EC2 instance, model saved by it, test of the function, role), and what explains them.

mod cost;
mod hosting;
mod roles;
mod training;

use super::Suggest;
use super::blocks::{Block, Graph, Node, Page, Section, Table, Text, Tile, Tone};
use crate::domain::fingerprint::stem;
use crate::domain::{HumanDuration, KindName, Money, Phase, ResourceId, figure, many};
use crate::evidence::{Evidence, Instead, InvocationOutcome, Leftover, Past, Resource};
use crate::report::leftovers::{Common, Left, grouped_by};

/// Rows that a table shows of what may be many.
const MOST: usize = 40;

/// The whole page. A section without anything in it is left out.
pub fn page(evidence: &Evidence, suggest: Suggest<'_>) -> Page {
    let (ready, all) = evidence.ready();
    let is_stopped = |resource: &&Resource| resource.ready && resource.status.phase == Phase::Stopped;
    let names = |all: Vec<&Resource>| all.iter().map(|of| of.id.to_string()).collect::<Vec<_>>().join(", ");
    let stopped = names(evidence.resources.iter().filter(is_stopped).collect());
    let differing = names(evidence.resources.iter().filter(|of| of.differs_only()).collect());
    let verdict = match (ready == all, &*stopped) {
        _ if all == 0 => "The config has no resources.".to_owned(),
        (true, "") if all == 1 => "The one resource of the config is deployed and ready.".to_owned(),
        (true, "") => format!("All {all} resources of the config are deployed and ready."),
        (true, stopped) => {
            format!("All {all} resources of the config are deployed, and all but {stopped} run.")
        }
        (false, _) => format!("{ready} of {} of the config are ready.", many(all, "resource")),
    };
    let differing = match &*differing {
        "" => Vec::new(),
        names => vec![
            Text::plain(" "),
            Text::Strong("Not as the config has it:".into()),
            Text::plain(format!(" {names}; ")),
            command("`opsctl deploy`", suggest),
            Text::plain(" changes that."),
        ],
    };
    let mut lead = vec![Text::Strong(verdict)];
    lead.extend(differing);
    lead.push(Text::plain(format!(" Written {}, from {}.", evidence.written_at, evidence.target)));
    let sections = [
        overview(evidence),
        bucket(evidence),
        notebooks(evidence),
        training::on_sagemaker(evidence),
        training::on_ec2(evidence),
        hosting::endpoints(evidence),
        hosting::functions(evidence, suggest),
        roles::section(evidence, suggest),
        cost::section(evidence),
        instance_types(evidence),
        history(evidence),
        advice(evidence, suggest),
    ];
    Page {
        title: format!("{} / {}", evidence.project, evidence.environment),
        lead,
        gaps: evidence.gaps.iter().map(|gap| (gap.what.clone(), gap.why.clone())).collect(),
        tiles: tiles(evidence),
        sections: sections.into_iter().flatten().collect(),
        foot: format!(
            "Written by opsctl {} at {} from what AWS answered; opsctl keeps no records of its own. Account {}, {}.",
            evidence.version, evidence.written_at, evidence.account, evidence.region
        ),
    }
}

fn tile(name: &str, value: String, more: String, look: Tone) -> Tile {
    Tile { name: name.to_owned(), value, more, look }
}

fn tiles(evidence: &Evidence) -> Vec<Tile> {
    let (ready, all) = evidence.ready();
    let look = if ready == all && all > 0 { Tone::Good } else { Tone::Bad };
    let mut tiles = vec![tile("Resources ready", format!("{ready} of {all}"), String::new(), look)];
    if let Some((job, metric)) = evidence.jobs.iter().find_map(|job| Some((job, best(job)?))) {
        let value = metric.last().map(figure).unwrap_or_default();
        tiles.push(tile(&metric.name, value, job.id.to_string(), Tone::Plain));
    }
    for endpoint in evidence.of_kind(KindName::Endpoint).take(1) {
        let count = endpoint.facts.instances.map(|count| count.to_string()).unwrap_or_else(|| "–".into());
        let kind = endpoint.facts.instance_type.clone().unwrap_or_default();
        tiles.push(tile("Instances serving", count, kind, Tone::Plain));
    }
    if let Some(warm) = evidence.of_kind(KindName::Concurrency).find_map(|part| part.facts.warm) {
        tiles.push(tile("Provisioned concurrency", warm.to_string(), String::new(), Tone::Plain));
    }
    if let Some(invocation) = &evidence.invocation {
        let (value, look) = match &invocation.outcome {
            InvocationOutcome::Answered { status, .. } if invocation.outcome.is_ok() => {
                (status.to_string(), Tone::Good)
            }
            InvocationOutcome::Answered { status, .. } => (status.to_string(), Tone::Bad),
            InvocationOutcome::Failed { .. } => ("failed".to_owned(), Tone::Bad),
        };
        tiles.push(tile("Test invocation", value, invocation.through.to_string(), look));
    }
    if !evidence.cost.resources.is_empty() {
        let cost = &evidence.cost;
        let sum = |price: Money| match (cost.unknown.is_empty(), price.is_zero()) {
            (true, _) => price.fine(),
            (false, true) => "unknown".to_owned(),
            (false, false) => format!("at least {}", price.fine()),
        };
        let more = format!("US dollars; {} when all has scaled out", sum(cost.most.hour));
        tiles.push(tile("Cost an hour", sum(cost.now.hour), more, Tone::Plain));
    }
    if let Some(audit) = &evidence.audit {
        let look = if audit.findings.is_empty() { Tone::Good } else { Tone::Bad };
        let roles = format!("in {} {}", audit.roles, if audit.roles == 1 { "role" } else { "roles" });
        tiles.push(tile("Audit findings", audit.findings.len().to_string(), roles, look));
    }
    tiles
}

/// The metric that says most of a job: one that is named after accuracy, or else the first.
fn best(job: &crate::evidence::Job) -> Option<&crate::evidence::Series> {
    let measured = || job.metrics.iter().filter(|metric| !metric.is_empty());
    measured()
        .find(|metric| metric.name.to_ascii_lowercase().contains("accuracy"))
        .or_else(|| measured().next())
}

fn node(resource: &Resource) -> Node {
    const ASIDE: [KindName; 2] = [KindName::Role, KindName::LogGroup];
    let (state, phase, _) = resource.state();
    Node {
        kind: resource.id.kind.words().to_owned(),
        name: resource.id.name.clone(),
        state,
        phase,
        is_aside: ASIDE.contains(&resource.id.kind),
    }
}

fn overview(evidence: &Evidence) -> Option<Section> {
    if evidence.resources.is_empty() {
        return None;
    }
    let place = |id: &ResourceId| evidence.resources.iter().position(|resource| resource.id == *id);
    let edges =
        evidence.resources.iter().enumerate().flat_map(|(to, resource)| {
            resource.needs.iter().filter_map(move |need| Some((place(need)?, to)))
        });
    let graph = Graph { edges: edges.collect(), nodes: evidence.resources.iter().map(node).collect() };
    let step = |step: &Vec<&Resource>| step.iter().map(|resource| node(resource)).collect();
    let lineage: Vec<Vec<Vec<Node>>> =
        evidence.lineage().iter().map(|row| row.iter().map(&step).collect()).collect();
    let head = ["Resource", "State", "Age", "Name in AWS", "Needs"];
    let rows = evidence.resources.iter().map(|resource| {
        let needs = resource.needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        vec![
            vec![Text::code(resource.id.to_string())],
            state(resource),
            vec![Text::plain(resource.age_s.map(rounded).unwrap_or_default())],
            vec![named(resource)],
            vec![Text::plain(needs)],
        ]
    });
    let mut blocks = Vec::new();
    if !lineage.is_empty() {
        blocks.push(Block::Heading("Lineage".into()));
        blocks.push(Block::Lineage(lineage));
        blocks.extend(serves_instead(evidence));
    }
    blocks.push(Block::Heading("All resources, and what each needs".into()));
    if graph.nodes.len() <= super::graph::MOST {
        blocks.push(Block::Graph(graph));
    }
    blocks.push(Block::Table(Table::new("Resources of the config", &head, rows.collect(), 500)));
    if !evidence.leftovers.is_empty() {
        let rows = grouped_by(&evidence.leftovers, generation).into_iter().map(|left| match left {
            Left::One(left) => {
                vec![vec![Text::plain(left.kind.0.words())], vec![Text::code(left.physical.clone())]]
            }
            Left::Many(first, many) => {
                let name = format!("{}-*", stem(&first.physical).unwrap_or_default());
                let count = Text::plain(format!(", {many} earlier versions"));
                vec![vec![Text::plain(first.kind.0.words())], vec![Text::code(name), count]]
            }
        });
        let caption =
            "Of this project, and no longer in the config (earlier models are how a rollback works)";
        blocks.push(Block::Table(Table::new(caption, &["Kind", "Name in AWS"], rows.collect(), MOST)));
    }
    Some(Section { anchor: "resources", title: "Resources".into(), blocks })
}

/// What generations of one resource have in common.
fn generation(left: &Leftover) -> Common<'_> {
    Some((left.kind.0, stem(&left.physical)?))
}

/// That an endpoint serves what another config has made.
fn serves_instead(evidence: &Evidence) -> impl Iterator<Item = Block> + '_ {
    let jobs = evidence.resources.iter().filter(|resource| {
        matches!(resource.id.kind, KindName::Training | KindName::Instance | KindName::Model)
    });
    jobs.filter_map(|resource| {
        let Instead { endpoint, physical } = resource.instead.as_ref()?;
        Some(Block::Paragraph(vec![
            Text::Strong(format!("{endpoint} serves an earlier {}:", resource.id.kind.words())),
            Text::plain(" "),
            Text::code(physical.clone()),
            Text::plain(format!(", not {}, which is {} now.", resource.id, resource.status.word)),
        ]))
    })
}

/// AWS's word, and why.
fn state(resource: &Resource) -> Vec<Text> {
    let (word, phase, cause) = resource.state();
    let mut state = vec![Text::State(word, phase)];
    state.extend(cause.map(|cause| Text::Plain(format!(" {cause}"))));
    state
}

/// Its name, as the link to its page where it has one.
fn named(resource: &Resource) -> Text {
    match &resource.page {
        Some(page) => Text::Link { text: resource.physical.clone(), address: page.clone() },
        None => Text::code(resource.physical.clone()),
    }
}

/// What is known of a resource by itself.
fn facts(resource: &Resource) -> Block {
    let plain = |name: &str, value: String| (name.to_owned(), vec![Text::Plain(value)]);
    let mut facts =
        vec![("Name in AWS".to_owned(), vec![named(resource)]), ("State".to_owned(), state(resource))];
    facts.extend(resource.age_s.map(|seconds| plain("Age", rounded(seconds))));
    facts.extend(resource.took_s.map(|seconds| plain("Took", took(seconds))));
    facts.extend(resource.attributes.iter().map(|(name, value)| plain(name, value.clone())));
    facts.extend(resource.why.iter().map(|why| plain("Why", why.clone())));
    Block::Facts(facts)
}

fn bucket(evidence: &Evidence) -> Option<Section> {
    let mut blocks: Vec<Block> = evidence.of_kind(KindName::Bucket).map(facts).collect();
    let rows: Vec<_> = evidence
        .of_kind(KindName::Data)
        .map(|data| {
            let attribute = |name: &str| {
                let found = data.attributes.iter().find(|(known, _)| known == name);
                vec![Text::plain(found.map(|(_, value)| value.clone()).unwrap_or_default())]
            };
            vec![
                vec![Text::code(data.id.name.clone())],
                state(data),
                attribute("Files"),
                attribute("Size"),
                vec![named(data)],
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = ["Data set", "State", "Files", "Size", "Where"];
        blocks.push(Block::Table(Table::new("Data sets", &head, rows, MOST).numbers(&[2, 3])));
    }
    let artifacts = evidence.jobs.iter().filter_map(|job| {
        let artifact = job.artifact.as_ref()?;
        Some(vec![
            vec![Text::code(job.id.to_string())],
            vec![Text::plain(artifact.bytes.map(crate::domain::bytes).unwrap_or_default())],
            vec![Text::plain(artifact.written_at.map(|at| at.to_string()).unwrap_or_default())],
            vec![Text::code(artifact.uri.clone())],
        ])
    });
    let artifacts: Vec<_> = artifacts.collect();
    if !artifacts.is_empty() {
        let head = ["Made by", "Size", "Written", "Where"];
        blocks.push(Block::Table(Table::new("Model artifacts", &head, artifacts, MOST).numbers(&[1])));
    }
    (!blocks.is_empty()).then(|| Section {
        anchor: KindName::Bucket.as_str(),
        title: "Bucket: data and models".into(),
        blocks,
    })
}

fn notebooks(evidence: &Evidence) -> Option<Section> {
    let mut blocks = Vec::new();
    for notebook in evidence.of_kind(KindName::Notebook) {
        blocks.push(Block::Heading(notebook.id.name.clone()));
        blocks.push(facts(notebook));
    }
    (!blocks.is_empty()).then(|| Section {
        anchor: KindName::Notebook.as_str(),
        title: "Notebook".into(),
        blocks,
    })
}

fn instance_types(evidence: &Evidence) -> Option<Section> {
    let rows: Vec<_> = evidence
        .resources
        .iter()
        .filter_map(|resource| {
            let kind = resource.facts.instance_type.clone().or_else(|| {
                let attribute = resource.attributes.iter().find(|(name, _)| name == "Instance type")?;
                Some(attribute.1.clone())
            })?;
            let why = match &resource.why {
                Some(why) => vec![Text::plain(why.clone())],
                None => vec![
                    Text::plain("no reason is given; "),
                    Text::code("why = \"…\""),
                    Text::plain(" beside it in the config says one"),
                ],
            };
            Some(vec![vec![Text::code(resource.id.to_string())], vec![Text::plain(kind)], why])
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let head = ["Resource", "Instance type", "Why"];
    let table = Table::new("What runs on which instance type, and the config's reason", &head, rows, MOST);
    Some(Section { anchor: "instances", title: "Instance types".into(), blocks: vec![Block::Table(table)] })
}

fn history(evidence: &Evidence) -> Option<Section> {
    if evidence.history.is_empty() {
        return None;
    }
    let row = |past: &Past| {
        let measured = past.measured.iter().map(|(name, value)| format!("{name} {}", figure(*value)));
        let current = match (past.current, past.serves) {
            (true, Some(false)) => "of the config, does not serve",
            (false, Some(true)) => "earlier, serves",
            (true, _) => "current",
            (false, _) => "earlier",
        };
        let note = [current.to_owned(), past.note.clone()];
        let note: Vec<_> = note.into_iter().filter(|part| !part.is_empty()).collect();
        vec![
            vec![Text::plain(past.at.map_or_else(|| "unknown".into(), |at| at.to_string()))],
            vec![Text::plain(past.kind.0.words())],
            vec![Text::code(past.physical.clone())],
            vec![Text::plain(past.state.clone())],
            vec![Text::plain(past.took_s.map(took).unwrap_or_default())],
            vec![Text::plain(measured.collect::<Vec<_>>().join(", "))],
            vec![Text::plain(note.join(", "))],
        ]
    };
    let head = ["When", "What", "Name in AWS", "State", "Took", "Measured", ""];
    let head = head.map(|head| if head.is_empty() { "Note" } else { head });
    let rows = evidence.history.iter().map(row).collect();
    let blocks = vec![
        Block::Paragraph(vec![Text::plain(
            "What AWS itself keeps of this project's runs: jobs, models, endpoint configurations and \
             versions of functions that were not deleted.",
        )]),
        Block::Table(Table::new("Runs, the newest first", &head, rows, MOST)),
    ];
    Some(Section { anchor: "history", title: "History of runs".into(), blocks })
}

fn advice(evidence: &Evidence, suggest: Suggest<'_>) -> Option<Section> {
    if evidence.advice.is_empty() {
        return None;
    }
    let rows = evidence.advice.iter().map(|advice| {
        vec![
            vec![Text::code(advice.code.clone())],
            vec![Text::code(advice.at.clone())],
            vec![Text::plain(advice.message.clone())],
            vec![Text::plain(suggest(&advice.help))],
        ]
    });
    let head = ["Code", "Key", "What", "What to do"];
    let table = Table::new("Warnings about the config", &head, rows.collect(), MOST);
    Some(Section { anchor: "advice", title: "Advice".into(), blocks: vec![Block::Table(table)] })
}

fn took(seconds: u64) -> String {
    HumanDuration::seconds(seconds).to_string()
}

/// A command of opsctl, given between backticks.
fn command(text: &str, suggest: Suggest<'_>) -> Text {
    Text::Code(suggest(text).trim_matches('`').to_owned())
}

/// A time in its largest unit.
fn rounded(seconds: u64) -> String {
    let (unit, _) = HumanDuration::seconds(seconds).unit();
    HumanDuration::seconds(seconds - seconds % unit).to_string()
}

/// Of a phase that needs no resource.
fn settled(word: impl Into<String>, is_good: bool) -> Text {
    Text::State(word.into(), if is_good { Phase::Ready } else { Phase::Failed })
}
