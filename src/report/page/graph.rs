//! The graph of resources as SVG: `layout-rs` places nodes and arrows, and this draws them.

use std::collections::BTreeSet;

use layout::core::base::Orientation;
use layout::core::format::{ClipHandle, RenderBackend};
use layout::core::geometry::{Point, Position};
use layout::core::style::StyleAttr;
use layout::std_shapes::shapes::{Arrow, Element, ShapeKind};
use layout::topo::layout::VisualGraph;
use maud::{Markup, html};

use super::blocks::{Graph, Node};
use super::style::{class, line};

/// More than that nobody reads as a picture; the table has all.
pub const MOST: usize = 40;

const HEIGHT: f64 = 44.0;
const GAP: Point = Point { x: 26.0, y: 12.0 };
const MARGIN: f64 = 8.0;

/// `None`: there is nothing to draw, or too much.
pub fn svg(graph: &Graph) -> Option<Markup> {
    if graph.nodes.is_empty() || graph.nodes.len() > MOST {
        return None;
    }
    let look = StyleAttr::simple();
    let orientation = Orientation::LeftToRight;
    let mut visual = VisualGraph::new(orientation);
    let mut handles = Vec::new();
    for (index, node) in graph.nodes.iter().enumerate() {
        let shape = ShapeKind::new_box("");
        let mut element = Element::create_with_properties(
            shape,
            look.clone(),
            orientation,
            Point::zero(),
            index.to_string(),
        );
        let size = Point::new(width(node), HEIGHT);
        element.pos = Position::new(Point::zero(), size, Point::zero(), GAP);
        handles.push(visual.add_node(element));
    }
    for (from, to) in reduced(graph) {
        visual.add_edge(Arrow::default(), handles[from], handles[to]);
    }
    let mut drawing = Drawing { graph, boxes: Vec::new(), arrows: Vec::new(), size: Point::zero() };
    visual.do_it(false, false, false, &mut drawing);
    Some(drawing.markup())
}

/// Without the edges that others imply.
fn reduced(graph: &Graph) -> Vec<(usize, usize)> {
    let mut above: Vec<BTreeSet<usize>> = Vec::new();
    for node in 0..graph.nodes.len() {
        // Needs come before what needs them.
        let needs =
            graph.edges.iter().filter(|(from, to)| *to == node && *from < node).map(|(from, _)| *from);
        let all = needs.flat_map(|need| above[need].iter().copied().chain([need]));
        above.push(all.collect());
    }
    let needs = |node: usize| graph.edges.iter().filter(move |(from, to)| *to == node && *from < node);
    let is_implied = |from: usize, to: usize| needs(to).any(|(other, _)| above[*other].contains(&from));
    let mut edges: Vec<(usize, usize)> =
        graph.edges.iter().copied().filter(|(from, to)| from < to && !is_implied(*from, *to)).collect();
    // The layout looks for cycles behind the head of every new edge: in this order nothing is there.
    edges.sort_by_key(|(from, to)| (*to, *from));
    edges.dedup();
    edges
}

/// About as wide as its words.
fn width(node: &Node) -> f64 {
    let letters = cut(&node.name).chars().count().max(node.kind.chars().count() + 2);
    (letters as f64 * 6.8 + 24.0).clamp(84.0, 160.0)
}

fn cut(name: &str) -> String {
    const MOST: usize = 20;
    match name.chars().count() > MOST {
        true => name.chars().take(MOST - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

struct Drawing<'g> {
    graph: &'g Graph,
    boxes: Vec<(usize, Point, Point)>,
    arrows: Vec<String>,
    size: Point,
}

impl Drawing<'_> {
    fn grow(&mut self, to: Point) {
        self.size = Point::new(self.size.x.max(to.x), self.size.y.max(to.y));
    }

    fn markup(&self) -> Markup {
        let (width, height) = (self.size.x + MARGIN, self.size.y + MARGIN);
        let shown = format!("0 0 {width:.0} {height:.0}");
        html! {
            svg class="graph" viewBox=(shown) width=(format!("{width:.0}")) height=(format!("{height:.0}"))
                aria-hidden="true" focusable="false" {
                defs {
                    marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
                        orient="auto" { path d="M0 0 8 4 0 8z" {} }
                }
                @for path in &self.arrows {
                    path class="arrow" d=(path) marker-end="url(#arrow)" {}
                }
                @for (index, at, size) in &self.boxes {
                    @let node = &self.graph.nodes[*index];
                    (drawn(node, *at, *size))
                }
            }
        }
    }
}

fn drawn(node: &Node, at: Point, size: Point) -> Markup {
    let number = |value: f64| format!("{value:.1}");
    let middle = at.y + size.y / 2.0;
    let (first, second) = (middle - 4.0, middle + 13.0);
    html! {
        g class=(format!("node {}{}", class(node.phase), if node.is_aside { " aside" } else { "" })) {
            rect x=(number(at.x)) y=(number(at.y)) width=(number(size.x)) height=(number(size.y)) rx="6" {}
            circle cx=(number(at.x + 12.0)) cy=(number(first - 4.0)) r="4" {}
            text class="kind" x=(number(at.x + 21.0)) y=(number(first)) { (line(&node.kind)) }
            text x=(number(at.x + 9.0)) y=(number(second)) { (line(&cut(&node.name))) }
        }
    }
}

impl RenderBackend for Drawing<'_> {
    fn draw_rect(
        &mut self,
        at: Point,
        size: Point,
        _: &StyleAttr,
        properties: Option<String>,
        _: Option<ClipHandle>,
    ) {
        if let Some(index) = properties.and_then(|index| index.parse().ok()) {
            self.boxes.push((index, at, size));
            self.grow(at.add(size));
        }
    }

    fn draw_line(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_circle(&mut self, _: Point, _: Point, _: &StyleAttr, _: Option<String>) {}

    fn draw_text(&mut self, _: Point, _: &str, _: &StyleAttr) {}

    /// The first pair is where the path leaves, with its control point; the others are control points with
    /// where it arrives.
    fn draw_arrow(
        &mut self,
        path: &[(Point, Point)],
        _: bool,
        _: (bool, bool),
        _: &StyleAttr,
        _: Option<String>,
        _: &str,
    ) {
        let [(start, leaving), (arriving, end), rest @ ..] = path else { return };
        let mut text = format!(
            "M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
            start.x, start.y, leaving.x, leaving.y, arriving.x, arriving.y, end.x, end.y
        );
        for (arriving, end) in rest {
            text += &format!("S{:.1} {:.1} {:.1} {:.1}", arriving.x, arriving.y, end.x, end.y);
        }
        path.iter().for_each(|(one, other)| {
            self.grow(*one);
            self.grow(*other);
        });
        self.arrows.push(text);
    }

    fn create_clip(&mut self, _: Point, _: Point, _: usize) -> ClipHandle {
        0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Phase;

    fn graph(edges: Vec<(usize, usize)>, nodes: usize) -> Graph {
        let node = |index: usize| Node {
            kind: "model".into(),
            name: format!("<n{index}>"),
            state: String::new(),
            phase: Phase::Ready,
            is_aside: index.is_multiple_of(3),
        };
        Graph { nodes: (0..nodes).map(node).collect(), edges }
    }

    #[test]
    fn what_others_imply_is_not_drawn() {
        let graph = graph(vec![(0, 1), (1, 2), (0, 2), (0, 3), (2, 3)], 4);
        assert_eq!(reduced(&graph), [(0, 1), (1, 2), (2, 3)]);
        let svg = svg(&graph).expect("a picture").into_string();
        assert_eq!((svg.matches("<rect").count(), svg.matches("class=\"arrow\"").count()), (4, 3));
        assert!(svg.contains("&lt;n1&gt;") && !svg.contains("<n1>"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        /// The layout asserts a good deal of its own.
        #[test]
        fn every_project_can_be_drawn(
            nodes in 1..=MOST,
            edges in proptest::collection::vec((0..MOST, 0..MOST), 0..120),
        ) {
            let edges: Vec<_> = edges.into_iter().filter(|(from, to)| from.max(to) < &nodes).collect();
            let svg = svg(&graph(edges, nodes)).expect("a picture").into_string();
            prop_assert_eq!(svg.matches("<rect").count(), nodes);
            prop_assert!(!svg.contains("NaN"));
        }
    }
}
