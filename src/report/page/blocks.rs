//! What a page is made of.

use crate::domain::{Phase, figure};
use crate::evidence::{Axis, Series, Step, Time};

/// All that is on a report, before it is HTML or Markdown.
pub struct Page {
    /// `digits / dev`.
    pub title: String,
    pub lead: Vec<Text>,
    /// What could not be read: what, and why.
    pub gaps: Vec<(String, String)>,
    pub tiles: Vec<Tile>,
    pub sections: Vec<Section>,
    pub foot: String,
}

/// A figure that tells most.
pub struct Tile {
    pub name: String,
    pub value: String,
    pub more: String,
    pub look: Tone,
}

/// How a tile stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
}

/// A part of the page that the navigation leads to.
pub struct Section {
    /// Of the link to it.
    pub anchor: &'static str,
    pub title: String,
    pub blocks: Vec<Block>,
}

/// What sections are made of. Each has a form in HTML and one in Markdown.
pub enum Block {
    /// A heading below the section's.
    Heading(String),
    Paragraph(Vec<Text>),
    /// Names and values.
    Facts(Vec<(String, Vec<Text>)>),
    Table(Table),
    Plot(Box<Figure>),
    Graph(Graph),
    /// Rows of steps, each made from all of the one before it.
    Lineage(Vec<Vec<Vec<Node>>>),
    /// What a program wrote.
    Output {
        name: String,
        text: String,
    },
}

/// A piece of text, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    Plain(String),
    Code(String),
    Strong(String),
    State(String, Phase),
    Link {
        text: String,
        address: String,
    },
    /// What follows is on a line of its own.
    Break,
}

impl Text {
    /// Text that may hold anything: what writes it escapes it.
    pub fn plain(text: impl Into<String>) -> Self {
        Self::Plain(text.into())
    }

    /// What is typed, or the name of something in AWS.
    pub fn code(text: impl Into<String>) -> Self {
        Self::Code(text.into())
    }
}

/// Rows of cells. The first column names the row.
pub struct Table {
    pub caption: String,
    pub head: Vec<&'static str>,
    pub rows: Vec<Vec<Vec<Text>>>,
    /// Which columns hold numbers.
    pub numbers: Vec<usize>,
    /// How many there were before they were cut.
    pub of: usize,
}

impl Table {
    /// At most `most` rows.
    pub fn new(
        caption: impl Into<String>,
        head: &[&'static str],
        rows: Vec<Vec<Vec<Text>>>,
        most: usize,
    ) -> Self {
        let of = rows.len();
        let rows = rows.into_iter().take(most).collect();
        Self { caption: caption.into(), head: head.to_vec(), rows, numbers: Vec::new(), of }
    }

    /// With these columns aligned as numbers.
    pub fn numbers(self, columns: &[usize]) -> Self {
        Self { numbers: columns.to_vec(), ..self }
    }
}

/// A plot with its words and its numbers: whoever cannot see it, or prints it, has the same.
pub struct Figure {
    pub caption: String,
    pub axis: Axis,
    pub lines: Vec<Line>,
    /// Whether the smallest value of the scale is zero.
    pub from_zero: bool,
    /// Values are shares, shown in percent.
    pub percent: bool,
}

/// One of the things that a figure plots.
pub struct Line {
    pub name: String,
    pub form: Form,
}

/// How it is drawn.
pub enum Form {
    Line(Series),
    /// A line with what is below it filled.
    Area(Series),
    Steps(Vec<Step>, f64),
    /// The same all the time, such as a target.
    Level(f64),
}

impl Form {
    /// What is plotted, as points.
    pub fn points(&self) -> Vec<(f64, f64)> {
        match self {
            Self::Line(series) | Self::Area(series) => series.points.clone(),
            Self::Steps(steps, until) => {
                let mut points: Vec<(f64, f64)> = Vec::new();
                for step in steps {
                    let at = step.at.0 as f64;
                    if let Some((_, before)) = points.last().copied() {
                        points.push((at, before));
                    }
                    points.push((at, step.count));
                }
                if let Some((at, last)) = points.last().copied().filter(|(at, _)| *at < *until) {
                    points.push((until.max(at), last));
                }
                points
            }
            Self::Level(_) => Vec::new(),
        }
    }
}

/// Resources, and what needs what.
pub struct Graph {
    pub nodes: Vec<Node>,
    /// From what is needed to what needs it, by the places in `nodes`.
    pub edges: Vec<(usize, usize)>,
}

/// A resource of a graph or of a lineage.
#[derive(Clone)]
pub struct Node {
    pub kind: String,
    pub name: String,
    pub state: String,
    pub phase: Phase,
    /// It only serves others: a role, a log group.
    pub is_aside: bool,
}

impl Figure {
    /// What is plotted, in numbers: a row of each line, and of its last points.
    pub fn table(&self) -> Table {
        const LAST: usize = 6;
        let number = |value: f64| match self.percent {
            true => format!("{} %", figure(value * 100.0)),
            false => figure(value),
        };
        let at = |x: f64| match &self.axis {
            Axis::Time => Time(x as i64).to_string(),
            Axis::Counted(what) => format!("{what} {}", figure(x)),
            Axis::Measurement => format!("number {}", figure(x)),
        };
        let row = |line: &Line| {
            let plain = |text: String| vec![Text::Plain(text)];
            let points = match &line.form {
                Form::Level(level) => {
                    return vec![plain(line.name.clone()), plain(number(*level)), plain(String::new())]
                        .into_iter()
                        .chain([plain(String::new()), plain("the same all the time".into())])
                        .collect();
                }
                Form::Line(series) | Form::Area(series) => series.points.clone(),
                Form::Steps(steps, _) => steps.iter().map(|step| (step.at.0 as f64, step.count)).collect(),
            };
            let series = Series::new("", points);
            let value = |value: Option<f64>| plain(value.map(number).unwrap_or_default());
            let last = series.points.iter().rev().take(LAST).rev();
            let last: Vec<String> = last.map(|(x, y)| format!("{}: {}", at(*x), number(*y))).collect();
            vec![
                plain(line.name.clone()),
                value(series.last()),
                value(series.min()),
                value(series.max()),
                plain(last.join("; ")),
            ]
        };
        let head = ["What", "Last", "Lowest", "Highest", "Last points"];
        let rows = self.lines.iter().map(row).collect();
        Table::new(format!("{}, in numbers", self.caption), &head, rows, usize::MAX).numbers(&[1, 2, 3])
    }
}
