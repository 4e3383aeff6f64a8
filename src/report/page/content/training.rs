//! What trained, where, and what it measured.

use super::{MOST, facts};
use crate::domain::KindName;
use crate::evidence::{Axis, Evidence, Job, Resource};
use crate::report::page::blocks::{Block, Figure, Form, Line, Section, Text};

/// Jobs of SageMaker with what they measured. `None`: there is none.
pub fn on_sagemaker(evidence: &Evidence) -> Option<Section> {
    section(evidence, KindName::Training, KindName::Training.as_str(), "Training on SageMaker")
}

/// The instance ends itself, so what proves it is the record that it left, its log and the saved model.
pub fn on_ec2(evidence: &Evidence) -> Option<Section> {
    section(evidence, KindName::Instance, "ec2", "Training on EC2: the instance and the model it saved")
}

fn section(evidence: &Evidence, kind: KindName, anchor: &'static str, title: &str) -> Option<Section> {
    let blocks: Vec<Block> =
        evidence.of_kind(kind).flat_map(|resource| of_resource(resource, evidence)).collect();
    (!blocks.is_empty()).then(|| Section { anchor, title: title.to_owned(), blocks })
}

/// The job of the config, after the one that serves in its place.
fn of_resource(resource: &Resource, evidence: &Evidence) -> Vec<Block> {
    let jobs = || evidence.jobs.iter().filter(|job| job.id == resource.id);
    let mut blocks = Vec::new();
    for job in jobs().filter(|job| job.earlier) {
        blocks.push(Block::Heading(format!("{}: what serves", resource.id.name)));
        blocks.push(Block::Paragraph(vec![
            Text::plain("An earlier job, not that of the config as it is now: "),
            Text::code(job.physical.clone()),
        ]));
        blocks.extend(of_job(job));
    }
    blocks.extend([Block::Heading(resource.id.name.clone()), facts(resource)]);
    blocks.extend(jobs().filter(|job| !job.earlier).flat_map(of_job));
    blocks
}

fn of_job(job: &Job) -> Vec<Block> {
    let mut blocks = Vec::new();
    if let Some(artifact) = &job.artifact {
        let size =
            artifact.bytes.map(|bytes| format!(", {}", crate::domain::bytes(bytes))).unwrap_or_default();
        let when = artifact.written_at.map(|at| format!(", written {at}")).unwrap_or_default();
        blocks.push(Block::Paragraph(vec![
            Text::Strong("Saved model:".into()),
            Text::plain(" "),
            Text::code(artifact.uri.clone()),
            Text::plain(format!("{size}{when}.")),
        ]));
    }
    let measured: Vec<_> = job.metrics.iter().filter(|metric| !metric.is_empty()).collect();
    for metric in measured.iter().take(MOST) {
        let over = match &job.axis {
            Axis::Time => "over time".to_owned(),
            Axis::Counted(what) => format!("over {what}"),
            Axis::Measurement => "by measurement".to_owned(),
        };
        let line = Line { name: metric.name.clone(), form: Form::Line((*metric).clone()) };
        blocks.push(Block::Plot(Box::new(Figure {
            caption: format!("{} {over}", metric.name),
            axis: job.axis.clone(),
            lines: vec![line],
            from_zero: false,
            percent: false,
        })));
    }
    if !job.last_lines.is_empty() {
        blocks.push(Block::Output {
            name: format!("The last lines that {} printed", job.id),
            text: job.last_lines.join("\n"),
        });
    }
    blocks
}
