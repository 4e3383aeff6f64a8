//! Writes a parsed policy as JSON.

use serde_json::{Map, Value, json};

use crate::policy::{Policy, Principals, Selector, Statement};

impl Policy {
    /// The document as JSON.
    pub fn to_json(&self) -> Value {
        let mut value = json!({"Statement": self.statements.iter().map(|s| s.to_json()).collect::<Vec<_>>()});
        if let Some(version) = &self.version {
            value["Version"] = version.as_str().into();
        }
        value
    }
}

impl Statement {
    /// The statement as JSON.
    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        if let Some(sid) = &self.sid {
            map.insert("Sid".into(), sid.as_str().into());
        }
        map.insert("Effect".into(), if self.allow { "Allow" } else { "Deny" }.into());
        if let Some(principals) = &self.principals {
            let key = if principals.negated { "NotPrincipal" } else { "Principal" };
            map.insert(key.into(), principals.to_json());
        }
        let scopes = [("Action", Some(&self.actions)), ("Resource", self.resources.as_ref())];
        for (name, scope) in scopes.into_iter().filter_map(|(name, scope)| Some((name, scope?))) {
            let key = if matches!(scope, Selector::Only(_)) { name.to_owned() } else { format!("Not{name}") };
            map.insert(key, scope.patterns().into());
        }
        if !self.conditions.is_empty() {
            let mut conditions = json!({});
            for c in &self.conditions {
                conditions[&c.operator][&c.key] = c.values.clone().into();
            }
            map.insert("Condition".into(), conditions);
        }
        map.into()
    }
}

impl Principals {
    fn to_json(&self) -> Value {
        if self.listed.iter().any(|(kind, _)| kind == "*") {
            return "*".into();
        }
        let mut map: Map<String, Value> = Map::new();
        for (kind, value) in &self.listed {
            let list = map.entry(kind.clone()).or_insert_with(|| json!([]));
            list.as_array_mut().expect("made a list above").push(value.as_str().into());
        }
        map.into()
    }
}
