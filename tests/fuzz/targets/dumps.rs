//! Any bytes as a dump of an account: an audit in all six forms, a role explained, and the dump written
//! again.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use opsctl::audit::explain::explain;
use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::{Account, Baseline, Instant, Settings, Severity, Usage, audit};

static NOW: LazyLock<Instant> = LazyLock::new(|| Instant::parse("2026-11-28T00:00:00Z").expect("a time"));

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = Baseline::parse(text).map(|baseline| baseline.to_text());
    }
    let _ = Usage::from_json(bytes);
    let Ok(mut account) = Account::from_json(bytes) else { return };
    account.doubt();
    let result = audit(&account, &Usage::default(), &Settings::at(*NOW));
    for (word, form) in Format::ALL {
        let options = Options { location: "opsctl.toml", fail_on: Some(Severity::High), paint: plain };
        let text = render(&result, form, options);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{word}: {text:?}");
        let obeyed = |line: &&str| {
            let ours = ["::error ", "::warning ", "::notice "].iter().any(|c| line.starts_with(c));
            line.trim_start().starts_with("::") && !(form == Format::Github && ours)
        };
        assert_eq!(text.lines().find(obeyed), None, "{word}");
        if matches!(form, Format::Json | Format::Sarif) {
            serde_json::from_str::<serde_json::Value>(&text).expect("JSON");
        }
    }
    for role in account.roles.iter().take(3) {
        explain(&account, &role.arn, "s3:GetObject", Some("arn:aws:s3:::b/k"), *NOW);
        explain(&account, &role.arn, "iam:*", None, *NOW);
    }
    // What was read is what is written; what could not be read is written as the reason, which is no policy
    // either.
    let dump = account.to_dump();
    let again = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
    if !dump.to_string().contains("\"unreadable: ") {
        assert_eq!(again.to_dump(), dump);
    }
});
