//! What a plan takes away from those who stay, by the changes that Terraform lists. A Deny that is gone gives
//! more as surely as an Allow that is new.
//! <https://developer.hashicorp.com/terraform/internals/json-format#change-representation>

use serde_json::Value;

use super::list;
use crate::audit::removed::{Holder, Removed};

/// Whom resources are about, by the word that their types begin with.
const HOLDERS: [(Holder, &str); 3] =
    [(Holder::Role, "role"), (Holder::User, "user"), (Holder::Group, "group")];

/// What the changes of a plan take away.
pub(super) fn of(plan: &Value, problems: &mut Vec<(String, String)>) -> Removed {
    let mut removed = Removed::default();
    for change in list(&plan["resource_changes"]) {
        let (Some(kind), actions) = (change["type"].as_str(), &change["change"]["actions"]) else { continue };
        let does = |what: &str| list(actions).any(|action| action == what);
        if change["mode"] == "data" || !(does("delete") || does("update")) {
            continue;
        }
        if kind.starts_with("awscc_iam_") && does("delete") {
            let address = change["address"].as_str().unwrap_or(kind);
            let reason = format!("{address}: resources of the type {kind} are not read");
            problems.push((String::new(), reason));
        }
        let [before, after] = ["before", "after"].map(|side| &change["change"][side]);
        let kind = kind.strip_prefix("aws_iam_").unwrap_or_default();
        read(&mut removed, kind, (before, after), does("delete"));
    }
    removed
}

/// Adds what one change takes away.
fn read(removed: &mut Removed, kind: &str, (before, after): (&Value, &Value), is_deleted: bool) {
    let text = |key: &str| before[key].as_str().unwrap_or_default().to_owned();
    // Of a list that is only known later nothing is known to be gone.
    let gone = |key: &str, of: fn(&Value) -> Option<&str>| -> Vec<String> {
        let kept: Vec<&str> = list(&after[key]).filter_map(of).collect();
        let is_known = is_deleted || after[key].is_array();
        let all = list(&before[key]).filter_map(of).filter(|_| is_known);
        all.filter(|one| is_deleted || !kept.contains(one)).map(str::to_owned).collect()
    };
    let Some((holder, of)) = HOLDERS.into_iter().find(|(_, of)| kind.split('_').next() == Some(of)) else {
        if kind == "policy" && is_deleted {
            removed.policies.push(text("arn"));
        }
        for (holder, of) in HOLDERS.into_iter().filter(|_| kind == "policy_attachment") {
            let names = gone(&format!("{of}s"), Value::as_str).into_iter();
            removed.attached.extend(names.map(|name| (holder, name, text("policy_arn"))));
        }
        return;
    };
    match kind {
        "role" | "user" | "group" if is_deleted => removed.holders.push((holder, text("name"))),
        "role" => {
            let name = text("name");
            let arns = gone("managed_policy_arns", Value::as_str).into_iter();
            removed.attached.extend(arns.map(|arn| (holder, name.clone(), arn)));
            let written = gone("inline_policy", |policy| policy["name"].as_str()).into_iter();
            removed.inline.extend(written.map(|policy| (holder, name.clone(), policy)));
        }
        "role_policy" | "user_policy" | "group_policy" => {
            removed.inline.push((holder, text(of), text("name")));
        }
        "role_policy_attachment" | "user_policy_attachment" | "group_policy_attachment" => {
            removed.attached.push((holder, text(of), text("policy_arn")));
        }
        "role_policy_attachments_exclusive"
        | "user_policy_attachments_exclusive"
        | "group_policy_attachments_exclusive"
            if !is_deleted =>
        {
            let name = text(&format!("{of}_name"));
            let arns = gone("policy_arns", Value::as_str).into_iter();
            removed.attached.extend(arns.map(|arn| (holder, name.clone(), arn)));
        }
        "user_group_membership" => {
            let user = text("user");
            let groups = gone("groups", Value::as_str).into_iter();
            removed.joined.extend(groups.map(|group| (user.clone(), group)));
        }
        "group_membership" => {
            let group = text("group");
            let users = gone("users", Value::as_str).into_iter();
            removed.joined.extend(users.map(|user| (user, group.clone())));
        }
        _ => {}
    }
}
