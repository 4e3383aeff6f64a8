//! What principals do for each other: whoever can become one that rewrites it, or that rewrites another whom
//! it can become as well, is an administrator.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::writer::Writer;
use super::{Finder, Graph, Takeover, WRITING, matching_in, patterns};
use crate::audit::evaluate::Engine;
use opsctl_iam::effective::{Ceiling, Effective};
use opsctl_iam::grant::Sourced;
use opsctl_iam::policy::Selector;

/// What principals become administrators by that can become a writer, and whom it may rewrite or are that one
/// themselves. A writer costs what leads to it and to those whom it rewrites; those that hold the same are
/// one.
pub fn find(graph: &Graph, engine: &Engine<'_>, back: &[Vec<usize>]) -> HashMap<usize, Takeover> {
    let mut alike: Vec<(Vec<usize>, &Rc<Effective>)> = Vec::new();
    let mut places: HashMap<u32, usize> = HashMap::new();
    for (node, effective) in graph.writers.iter().filter(|(node, _)| !graph.reaches_admin(*node)) {
        let place = effective.serial.map(|serial| *places.entry(serial).or_insert(alike.len()));
        match place.filter(|&place| place < alike.len()) {
            Some(place) => alike[place].0.push(*node),
            None => alike.push((vec![*node], effective)),
        }
    }
    let mut found = HashMap::new();
    let mut finder = None;
    for (nodes, effective) in alike {
        let to_writer = graph.toward(&nodes, back);
        let from: Vec<usize> = to_writer
            .starts()
            .filter(|node| *node < graph.nodes.len() && !found.contains_key(node))
            .collect();
        if from.is_empty() {
            continue;
        }
        let finder = finder.get_or_insert_with(|| Finder::new(graph, engine));
        let writer = finder.writer(effective);
        let rewritten: BTreeMap<usize, (Takeover, Vec<String>)> = finder
            .aimed(&writer)
            .into_iter()
            .filter(|&node| !graph.reaches_admin(node))
            .filter_map(|node| Some((node, finder.rewritten(&writer, node)?)))
            .collect();
        if rewritten.is_empty() {
            continue;
        }
        let ends: Vec<usize> = rewritten.keys().copied().collect();
        let to_rewritten = graph.toward(&ends, back);
        for node in from.into_iter().filter(|node| to_rewritten.has(*node)) {
            let (mut calls, by) = to_writer.calls(graph, node);
            let (way, end) = to_rewritten.calls(graph, node);
            let (takeover, last) = &rewritten[&end];
            calls.extend(takeover.calls.iter().cloned());
            calls.extend(way);
            calls.extend(last.iter().cloned());
            found.insert(node, Takeover { calls, becomes_admin: true, by: Some(by), ..takeover.clone() });
        }
    }
    found
}

impl Finder<'_> {
    /// The calls by which a principal would be an administrator for sure, and its own after them.
    fn rewritten(&self, writer: &Writer, node: usize) -> Option<(Takeover, Vec<String>)> {
        let rewritten = self.rewrite(writer, node).filter(|takeover| !takeover.depends);
        let at_once = rewritten.or_else(|| self.freed(writer, node)).map(|takeover| (takeover, Vec::new()));
        at_once.or_else(|| self.freed_to_go_on(writer, node))
    }

    /// The calls that take off a principal what keeps it from calls of its own that make it, or lead to, an
    /// administrator; and these.
    fn freed_to_go_on(&self, writer: &Writer, node: usize) -> Option<(Takeover, Vec<String>)> {
        if !writer.loosens(&self.engine.principal(node)) || !self.would_go_on(node) {
            return None;
        }
        let of = self.graph.arn(node).to_owned();
        self.loosened(writer, node).into_iter().find_map(|(calls, free)| {
            let last = self.own_calls(&Rc::new(free), node)?;
            Some((Takeover { calls, becomes_admin: false, of: of.clone(), depends: false, by: None }, last))
        })
    }

    /// Whether a principal would have a way if nothing held it back.
    fn would_go_on(&self, node: usize) -> bool {
        *self.would_go_on[node].get_or_init(|| {
            let now = self.engine.principal(node);
            let allows = now.allows.clone();
            let free = Effective::of(allows, Vec::new(), Ceiling::None, Vec::new(), now.unreadable.clone());
            self.own_calls(&Rc::new(free), node).is_some()
        })
    }

    /// The calls of its own that make a principal an administrator, or lead to one.
    fn own_calls(&self, effective: &Rc<Effective>, node: usize) -> Option<Vec<String>> {
        let onward = || self.graph.onward(effective, node, self.engine).map(|call| vec![call]);
        onward().or_else(|| {
            let written = self.written(&self.writer(effective), node)?;
            (!written.depends && self.engine.may_be_admin(effective)).then_some(written.calls)
        })
    }

    /// The principals that a writer may change anything about.
    fn aimed(&self, writer: &Writer) -> Vec<usize> {
        let (graph, effective) = (self.graph, &*writer.effective);
        let all = 0..graph.nodes.len();
        let writes = |s: &Sourced| WRITING.iter().any(|action| s.grant.names(action));
        let is_listed = |resources: &Option<Selector>| matches!(resources, Some(Selector::Only(_)));
        if effective.allows.iter().any(|s| writes(s) && !is_listed(&s.grant.statement.resources)) {
            return all.collect();
        }
        let mut nodes = Vec::new();
        for action in writer.able.iter().copied() {
            for pattern in patterns(effective, action) {
                match action {
                    // Whoever is put into a group is not named.
                    "iam:AddUserToGroup" => {}
                    _ if action.contains("PolicyVersion") => {
                        nodes.extend(matching_in(&self.holders, pattern));
                        nodes.extend(matching_in(&self.bounded, pattern));
                    }
                    _ if action.contains("Group") => nodes.extend(matching_in(&self.members, pattern)),
                    _ => nodes.extend(graph.principals(pattern)),
                }
            }
        }
        if writer.group.is_some() {
            nodes.extend(graph.role_count()..all.end);
        }
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }
}
