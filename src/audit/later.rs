//! Ways up that wait for the right moment: an address, an endpoint, MFA. Nobody is on them now for sure, and
//! whoever holds the rights can be.

use super::evaluate::Engine;
use super::finding::Severity;
use super::graph::Graph;
use super::role_view::{Admin, RoleView};
use super::rules::{Context, Hit, Rule};
use super::settings::Settings;
use super::usage::Usage;
use opsctl_iam::moment::Moment;

/// The rules that are looked at again. The others of the family tell of conditions by themselves.
const OF_ROLES: [&str; 6] = ["IAM201", "IAM202", "IAM203", "IAM205", "IAM207", "IAM208"];
const OF_USERS: [&str; 2] = ["IAM211", "IAM212"];
/// Those that look at whom others lead to.
const OF_OTHERS: [&str; 4] = ["IAM202", "IAM203", "IAM205", "IAM208"];

/// The account at a moment.
pub struct Later<'a> {
    pub cx: Context<'a>,
    moment: Moment,
    /// Whether more principals lead to an administrator than do always.
    leads_further: bool,
}

/// The graphs of the moments at which there may be more ways.
pub fn graphs(engine: &Engine<'_>, now: &Graph) -> Vec<Graph> {
    now.moments().into_iter().map(|moment| now.at(engine, moment)).collect()
}

/// The account at these moments.
pub fn all<'a>(
    engine: &'a Engine<'a>,
    graphs: &'a [Graph],
    now: &Graph,
    usage: &'a Usage,
    settings: &'a Settings,
) -> Vec<Later<'a>> {
    let later = |graph: &'a Graph| {
        let leads_further = graph.leads_further(now);
        let cx = Context::new(engine, graph, usage, settings);
        graph.moment.map(|moment| Later { cx, moment, leads_further })
    };
    graphs.iter().filter_map(later).collect()
}

/// A role as it is at each moment, where that is more.
pub fn views<'a>(later: &[Later<'a>], view: &RoleView<'a>) -> Vec<Option<RoleView<'a>>> {
    // What is an administrator at some moment is IAM104, and one that is always needs no other moment.
    let is_told = view.admin >= Admin::Conditional;
    let at = |then: &Later<'a>| {
        let waits = !is_told && then.cx.graph.waits(view.index);
        waits.then(|| view.at(then.cx.engine, then.moment)).flatten()
    };
    later.iter().map(at).collect()
}

/// What a rule sees at a role, now or at a moment, whichever is worse.
pub fn check<'a>(
    rule: &Rule,
    cx: &Context<'a>,
    view: &RoleView<'a>,
    later: &[Later<'a>],
    views: &[Option<RoleView<'a>>],
) -> Option<Hit> {
    let mut worst = rule.check(cx, view);
    // Most roles wait for no moment.
    let leads = |then: &Later<'_>| then.leads_further && then.cx.graph.reaches_admin(view.index);
    let waits = || views.iter().any(Option::is_some) || later.iter().any(leads);
    if view.admin >= Admin::Conditional || !waits() || !OF_ROLES.contains(&rule.id) {
        return worst;
    }
    for (then, own) in later.iter().zip(views) {
        let through_others = leads(then) && OF_OTHERS.contains(&rule.id);
        if own.is_none() && !through_others {
            continue;
        }
        let Some(hit) = rule.check(&then.cx, own.as_ref().unwrap_or(view)) else { continue };
        let severity = then.lowered(hit.severity.unwrap_or(rule.severity));
        if worst.as_ref().is_none_or(|known| known.severity.unwrap_or(rule.severity) < severity) {
            worst = Some(then.postponed(rule, hit, severity, Some(view.index)));
        }
    }
    worst
}

/// What a rule sees at users at the moments, besides what it sees always.
pub fn look_at_users(rule: &Rule, later: &[Later<'_>], now: &[Hit]) -> Vec<Hit> {
    let mut found: Vec<Hit> = Vec::new();
    if !OF_USERS.contains(&rule.id) {
        return found;
    }
    for then in later {
        for hit in rule.look_at_account(&then.cx) {
            if now.iter().chain(&found).all(|known| known.resource != hit.resource) {
                let node = hit.resource.as_deref().and_then(|arn| then.cx.graph.node_of_user(arn));
                let severity = then.lowered(hit.severity.unwrap_or(rule.severity));
                found.push(then.postponed(rule, hit, severity, node));
            }
        }
    }
    found
}

impl Later<'_> {
    /// One step lower, and two with MFA: that is how people are supposed to come to such rights.
    fn lowered(&self, severity: Severity) -> Severity {
        match self.moment {
            Moment::InPlace => severity.lowered(),
            Moment::WithMfa => severity.lowered().lowered(),
        }
    }

    fn postponed(&self, rule: &Rule, mut hit: Hit, severity: Severity, node: Option<usize>) -> Hit {
        let title = hit.title.take().unwrap_or_else(|| rule.title.to_owned());
        for line in &mut hit.evidence {
            if let Some(rest) = line.strip_prefix("REACHABLE: ") {
                *line = format!("REACHABLE while a condition holds: {rest}");
            }
        }
        let of_others = OF_OTHERS.contains(&rule.id) || OF_USERS.contains(&rule.id);
        let lines =
            node.filter(|_| of_others).map(|node| self.cx.graph.waits_on_the_way(node, self.cx.engine));
        for line in lines.into_iter().flatten() {
            // Its own statements may be in the evidence already.
            if hit.evidence.iter().all(|known| !line.ends_with(known.as_str())) {
                hit.evidence.push(line);
            }
        }
        hit.title(format!("{title}, while a condition holds")).severity(severity)
    }
}
