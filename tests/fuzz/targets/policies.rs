//! Two JSON texts, with a NUL between them, as a policy document and another one, or a statement to be put
//! into it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use opsctl_iam::policy::Document;
use opsctl_iam::{has, same, with, without};
use serde_json::Value;

fuzz_target!(|text: &str| {
    let (one, other) = text.split_once('\0').unwrap_or((text, "{}"));
    let Ok(one) = serde_json::from_str::<Value>(one) else { return };
    Document::read(one.clone());
    assert!(same(&one, &one));
    if let Some(Value::Array(statements)) = one.get("Statement") {
        assert!(statements.iter().all(|statement| has(&one, statement)));
    }
    let Ok(other) = serde_json::from_str::<Value>(other) else { return };
    Document::read(other.clone());
    assert_eq!(same(&one, &other), same(&other, &one));
    let put = with(Some(&one), &other);
    assert!(has(&put, &other));
    if let Some(sid) = other["Sid"].as_str() {
        let rest = without(&put, &[sid]);
        assert!(rest.is_none_or(|rest| without(&rest, &[sid]).is_some_and(|again| again == rest)));
    }
});
