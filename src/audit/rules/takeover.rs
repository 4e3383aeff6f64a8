//! IAM202: taking over users and roles, those included that are no administrators yet.

use super::found::{Gathered, Held, held, lowered_if, says_it_all, times};
use super::rule::{Context, Hit};
use crate::audit::account::Group;
use crate::audit::escalate::{USER_STEPS, USER_WAYS};
use crate::audit::finding::Severity;
use crate::audit::graph::{KEYS, PROVIDER, Via};
use crate::audit::role_view::RoleView;
use opsctl_iam::decide::Decision;
use opsctl_iam::effective::is_admin;

pub(super) fn principal_access(cx: &Context<'_>, view: &RoleView<'_>) -> Option<Hit> {
    if !view.touches_iam || says_it_all(view) {
        return None;
    }
    let mut found = Gathered::default();
    for name in USER_WAYS {
        let Some(action) = cx.catalogue.find(name) else { continue };
        let key = KEYS.iter().position(|key| key == name).map(Via::Key);
        let target = match key {
            Some(via) => cx.graph.judge(&view.effective, action, via, view.index).1,
            None if *name == PROVIDER[0][0] => {
                if cx.graph.federated_admin(&view.effective, view.index).is_some() {
                    continue;
                }
                None
            }
            None => cx
                .graph
                .admin_users
                .iter()
                .map(String::as_str)
                .find(|user| view.effective.decide(name, user) == Decision::Allowed),
        };
        match (held(view, action), target) {
            (_, Some(user)) => {
                let first = cx.graph.calls_first(&view.effective, name, user);
                let first = first.map(|calls| format!("{calls}, then ")).unwrap_or_default();
                let line = format!("REACHABLE: {first}{name} on {user}, which leads to an administrator");
                found.add(Severity::Critical, line);
            }
            (Held::No, None) => continue,
            (held, None) => {
                let at_times = held == Held::AtTimes;
                found.add(
                    lowered_if(at_times, Severity::High),
                    format!("CAPABLE: {name} on all resources{}", times(at_times)),
                );
            }
        }
        found.because(cx, view, action);
    }
    federated(cx, view, &mut found);
    steps(cx, view, &mut found);
    added(cx, view, &mut found);
    trusted(cx, view, &mut found);
    rewritten(cx, view, &mut found);
    found.hit(view)
}

/// A provider of an administrator's that the role may rewrite, or make.
fn federated(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Gathered) {
    let Some((role, via)) = cx.graph.federated_admin(&view.effective, view.index) else { return };
    let Via::Provider(way) = via else { return };
    let line = format!("REACHABLE: {}, which leads to an administrator", via.calls(role));
    found.add(Severity::Critical, line);
    let actions = PROVIDER[way].iter().filter_map(|name| cx.catalogue.find(name));
    actions.for_each(|action| found.because(cx, view, action));
}

/// What helps to become anybody, and does nothing alone.
fn steps(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Gathered) {
    for action in USER_STEPS.iter().filter_map(|name| cx.catalogue.find(name)) {
        let held = held(view, action);
        if held != Held::No {
            let at_times = held == Held::AtTimes;
            let name = cx.catalogue.name(action);
            let line = format!("CAPABLE: {name} on all resources, one step of several{}", times(at_times));
            found.add(lowered_if(at_times, Severity::Medium), line);
            found.because(cx, view, action);
        }
    }
}

/// A group of administrators that the role may put users into.
fn added(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Gathered) {
    const ADD: &str = "iam:AddUserToGroup";
    let Some(action) = cx.catalogue.find(ADD).filter(|&id| view.effective.some.contains(id)) else { return };
    if held(view, action) != Held::No {
        return;
    }
    let admin = |place: &usize| is_admin(&cx.engine.group_at(*place).open, cx.catalogue);
    let groups = (0..cx.account.groups.len()).filter(admin).map(|place| &cx.account.groups[place]);
    let may = |group: &&Group| {
        view.effective.decide(ADD, &group.arn) == Decision::Allowed
            || cx.graph.may_on_moved(&view.effective, ADD, &group.arn)
    };
    if let Some(group) = groups.into_iter().find(may) {
        let line = format!("CAPABLE: {ADD} on {}, whose members are administrators", group.arn);
        found.add(Severity::High, line);
        found.because(cx, view, action);
    }
}

/// Roles whose trust the role may rewrite.
fn trusted(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Gathered) {
    let Some(action) = cx.catalogue.find("iam:UpdateAssumeRolePolicy") else { return };
    let (_, target) = if view.effective.some.contains(action) {
        cx.graph.judge(&view.effective, action, Via::Rewrite, view.index)
    } else {
        (false, None)
    };
    let held = held(view, action);
    match target {
        Some(role) => found.add(
            Severity::Critical,
            format!("REACHABLE: iam:UpdateAssumeRolePolicy on {role}, which leads to an administrator"),
        ),
        None if held != Held::No => {
            let at_times = held == Held::AtTimes;
            found.add(
                lowered_if(at_times, Severity::High),
                format!("CAPABLE: iam:UpdateAssumeRolePolicy on all roles{}", times(at_times)),
            );
        }
        None => {}
    }
    if target.is_some() || held != Held::No {
        found.because(cx, view, action);
    }
}

/// Somebody who can be given any rights, and whether the role can then become it.
fn rewritten(cx: &Context<'_>, view: &RoleView<'_>, found: &mut Gathered) {
    let Some(takeover) = cx.graph.takeover(view.index) else { return };
    let calls = takeover.in_order();
    let (severity, line) = match takeover.becomes_admin {
        true => (Severity::Critical, format!("REACHABLE: {calls}: an administrator")),
        false if takeover.depends => (Severity::Medium, format!("CAPABLE: {calls}")),
        false => {
            let whoever = format!("CAPABLE: {calls}: whoever has it is then an administrator");
            (if takeover.is_of_user() { Severity::High } else { Severity::Medium }, whoever)
        }
    };
    // What may be done to everybody has been said.
    let action = |call: &String| cx.catalogue.find(call.split(' ').next().unwrap_or_default());
    let actions: Vec<_> = takeover.calls.iter().filter_map(action).collect();
    if !takeover.becomes_admin && actions.iter().all(|&id| held(view, id) != Held::No) {
        return;
    }
    found.add(severity, line);
    actions.into_iter().for_each(|id| found.because(cx, view, id));
}
