//! A dump is anybody's text. Wherever it comes into a report, it is shown, and neither a terminal, a
//! pipeline, a page nor a shell obeys it.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opsctl::audit::explain::explain;
use opsctl::audit::report::{Format, Options, plain, render};
use opsctl::audit::{Account, Audit, Settings, Severity, Usage, audit};
use opsctl_iam::decide::Decision;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::engine::Dice;
use super::generate::generate;
use super::world::*;

/// What a terminal (control characters, both kinds), a reader (text turned around, text unseen), GitHub's
/// log, Azure's, HTML, Markdown (code, table, link, image, mention, address), XML, SARIF and a shell would
/// obey.
const HOSTILE: &str = "\n::error::pwned\r\n  ::add-mask::x\r##[error]y ##vso[task.x]z\
    \u{1b}[31m\u{9b}31m\u{7}\u{8}\u{202e}\u{200b}\u{e0041}\u{feff}\
    <script>alert(1)</script>|`x` ``y`` ]]> --> & %0A%0D ![i](https://e.example) [l](http://e.example) \
    www.e.example @octocat #1 a@e.example\\| \\";

/// Puts it behind a share of all texts of a document, names of fields among conditions included.
fn poison(value: &mut Value, dice: &mut Dice, one_in: usize) {
    let strikes = |dice: &mut Dice| dice.below(one_in) == 0;
    match value {
        Value::String(text) if strikes(dice) => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, dice, one_in)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                if name == "Condition" && strikes(dice) {
                    let key = format!("aws:PrincipalTag/{HOSTILE}");
                    *field = json!({"StringEquals": {key: HOSTILE}, HOSTILE: {"aws:SourceIp": HOSTILE}});
                }
                poison(field, dice, one_in);
            }
        }
        _ => {}
    }
}

fn shown(audit: &Audit, form: Format) -> String {
    render(audit, form, Options { location: "opsctl.toml", fail_on: Some(Severity::High), paint: plain })
}

fn is_hidden(c: char) -> bool {
    let unseen = matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    (c.is_control() && c != '\n') || unseen || matches!(c, '\u{202a}'..='\u{202e}')
}

fn check(audit: &Audit) {
    for (word, form) in Format::ALL {
        let text = shown(audit, form);
        assert!(
            !text.contains(is_hidden),
            "{word}: {:?}",
            text.lines().find(|line| line.contains(is_hidden))
        );
        let is_ours = |line: &str| {
            form == Format::Github
                && ["::error ", "::warning ", "::notice "].iter().any(|c| line.starts_with(c))
        };
        let is_command = |line: &&str| line.trim_start().starts_with("::") && !is_ours(line);
        // In JSON a text is never the start of a line.
        assert_eq!(text.lines().find(is_command), None, "{word}");
        match form {
            Format::Human | Format::Junit => {
                assert!(!text.contains("##[") && !text.contains("##vso["), "{word}")
            }
            Format::Github => {
                assert!(!text.contains("##["));
                assert!(text.lines().all(|line| line.starts_with("::") && line.matches("::").count() >= 2));
            }
            Format::Markdown => markdown(&text),
            Format::Json => drop(serde_json::from_str::<Value>(&text).expect("JSON")),
            Format::Sarif => sarif(&text),
            Format::Asff => drop(serde_json::from_str::<Vec<Value>>(&text).expect("JSON")),
            Format::Ocsf => {
                text.lines().for_each(|line| drop(serde_json::from_str::<Value>(line).expect("JSON")))
            }
            Format::Html => html(&text),
            Format::Csv => csv(&text),
        }
        if form == Format::Junit {
            junit(&text);
        }
    }
}

/// One page that fetches nothing, in which nothing of a dump is a tag, and with one script, the only one that
/// the page's policy lets run.
fn html(text: &str) {
    assert!(!text.contains("<img") && !text.contains(" onerror") && !text.contains(" src="), "{text}");
    let (before, rest) = text.split_once("<script>").expect("a script");
    let (script, after) = rest.split_once("</script>").expect("its end");
    assert!(!before.contains("<script") && !after.contains("<script"), "{text}");
    let hash = STANDARD.encode(Sha256::digest(script));
    assert!(
        before.contains("default-src 'none';") && before.contains(&format!("script-src 'sha256-{hash}';"))
    );
    let writes = ["http", "import", "fetch", "eval", "innerHTML", "insertAdjacent", "document.write"];
    assert!(!writes.iter().any(|bad| script.contains(bad)), "{script}");
    let opened =
        |tag: &str| (text.matches(&format!("<{tag}")).count(), text.matches(&format!("</{tag}>")).count());
    for tag in ["details", "ul", "html", "body", "style"] {
        let (open, closed) = opened(tag);
        assert_eq!(open, closed, "{tag}");
    }
}

/// A sheet in which nothing is a formula, and every row has all columns.
fn csv(text: &str) {
    let (mut quoted, mut columns, mut start) = (false, 1, true);
    let columns_of_head = text.lines().next().unwrap_or_default().split(',').count();
    for c in text.chars() {
        assert!(quoted || !start || !"=+-@".contains(c), "{text}");
        start = false;
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => (columns, start) = (columns + 1, true),
            '\n' if !quoted => {
                assert_eq!(columns, columns_of_head, "{text}");
                (columns, start) = (1, true);
            }
            _ => {}
        }
    }
}

fn markdown(text: &str) {
    for line in text.lines() {
        let columns = line.matches('|').count();
        assert!(columns == 0 || columns == 5, "{line}");
        // Outside code nothing is a tag, a link, a mention or an address.
        let prose: String = line.split('`').step_by(2).collect();
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
        let prose = prose.replace("<!-- -->", "\0");
        for bad in ["<", "](", "![", "@", "://", "www.", "]]>"] {
            assert!(!prose.contains(bad), "{bad}: {line}");
        }
    }
}

fn sarif(text: &str) {
    let document: Value = serde_json::from_str(text).expect("JSON");
    let results = document["runs"][0]["results"].as_array().expect("a list");
    for message in results.iter().filter_map(|result| result["message"]["text"].as_str()) {
        assert!(!message.replace("\\](", "").contains("]("), "{message}");
    }
}

/// Tags and texts by turns: every `<` opens a tag of ours.
fn junit(text: &str) {
    const TAGS: [&str; 11] = [
        "?xml",
        "testsuites",
        "testsuite",
        "properties",
        "property",
        "testcase",
        "failure",
        "error",
        "skipped",
        "system-out",
        "system-err",
    ];
    for tag in text.split('<').skip(1) {
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(|c| c.is_ascii_alphabetic() || "-?".contains(*c))
            .collect();
        assert!(TAGS.contains(&name.as_str()) && tag.matches('>').count() == 1, "{tag}");
    }
    let entities = text.split('&').skip(1);
    assert!(
        entities
            .clone()
            .all(|rest| ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|e| rest.starts_with(e)))
    );
}

#[test]
fn whatever_a_dump_says_is_text_in_every_form() {
    let whole: Value = serde_json::from_slice(&generate(60).0.json()).expect("JSON");
    let mut dice = Dice::new(11);
    let mut rules = BTreeSet::new();
    for one_in in [3, 10, 10, 30, 30, 100, 100, 100] {
        let mut dump = whole.clone();
        poison(&mut dump, &mut dice, one_in);
        let account = Account::from_json(dump.to_string().as_bytes()).expect("a dump");
        let result = audit(&account, &Usage::default(), &Settings::at(now()));
        let told = result.findings.iter().filter(|f| f.evidence.join("").contains("::error::"));
        rules.extend(told.map(|f| f.rule));
        check(&result);
        for role in account.roles.iter().take(20) {
            let answer = explain(&account, &role.arn, "s3:GetObject", Some(HOSTILE), now());
            assert!(answer.is_some());
        }
    }
    assert!(rules.len() > 15, "the text reaches the evidence of few rules: {rules:?}");
}

/// The commands that a report tells to run are pasted into a shell.
#[test]
fn names_are_one_word_to_a_shell() {
    let name = "a'; rm -rf ~; $(x) `y`";
    let audit =
        World::of([role(name).never_used().can(allow(&["s3:GetObject"], &["*"])).aws("ReadOnlyAccess")])
            .audit();
    let fix = &audit.findings.iter().find(|f| f.rule == "IAM402").expect("never used").fix;
    let quoted = r"'a'\''; rm -rf ~; $(x) `y`'";
    assert_eq!(
        fix.matches(&format!("--role-name {quoted}")).count(),
        fix.matches("--role-name").count(),
        "{fix}"
    );
    assert!(
        fix.contains("--policy-name inline-1")
            && fix.contains("--policy-arn arn:aws:iam::aws:policy/ReadOnlyAccess")
    );
}

/// A document longer than any that IAM was ever given is not judged, and not clean.
#[test]
fn a_policy_without_end_is_unreadable() {
    let actions: Vec<String> = (0..10_000).map(|n| format!("s3:Get{n}Object")).collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let audit = World::of([role("a").can(allow(&actions, &["*"]))]).audit();
    assert!(
        audit.is_incomplete()
            && audit.not_evaluated.iter().any(|e| e.rule == "IAM901" && e.reason.contains("131072"))
    );
}

/// What a variable stands for is known with the call, or by the role's tags; never "no" for sure, never
/// "yes".
#[test]
fn explanations_leave_variables_open() {
    let ask = |maker: RoleMaker, resource: &str| {
        let account = World::of([maker.tag("team", "blue")]).account();
        explain(&account, "a", "s3:GetObject", Some(resource), now()).expect("the role").decision
    };
    let all = allow(&["s3:GetObject"], &["*"]);
    let named = |effect: &str, field: &str, pattern: &str| -> Value {
        json!({"Effect": effect, "Action": "s3:*", field: pattern})
    };
    let (team, id) = ("arn:aws:s3:::b/${aws:PrincipalTag/Team}/*", "arn:aws:s3:::b/${aws:userid}/*");
    let (blue, red, other) = ("arn:aws:s3:::b/blue/k", "arn:aws:s3:::b/red/k", "arn:aws:s3:::c/k");
    use Decision::{Allowed, Conditional, DeniedExplicitly, NotAllowed};
    for (effect, field, pattern, resource, expected) in [
        ("Allow", "Resource", team, blue, Allowed),
        ("Allow", "Resource", team, red, NotAllowed),
        ("Allow", "Resource", id, blue, Conditional),
        ("Allow", "Resource", id, other, NotAllowed),
        ("Allow", "NotResource", id, blue, Conditional),
        ("Allow", "NotResource", id, other, Allowed),
        ("Deny", "Resource", team, blue, DeniedExplicitly),
        ("Deny", "Resource", team, red, Allowed),
        ("Deny", "Resource", id, blue, Conditional),
        ("Deny", "NotResource", id, blue, Conditional),
        ("Deny", "NotResource", id, other, DeniedExplicitly),
    ] {
        let maker = match effect {
            "Allow" => role("a").can(named(effect, field, pattern)),
            _ => role("a").can(json!([all, named(effect, field, pattern)])),
        };
        assert_eq!(ask(maker, resource), expected, "{effect} {field} {pattern} {resource}");
    }
    // Before 2012 there were none.
    let old = json!([{"PolicyName": "p", "PolicyDocument": {"Statement": [named("Allow", "Resource", id)]}}]);
    assert_eq!(ask(role("a").set("RolePolicyList", old), blue), NotAllowed);
}

/// What could not be read might allow it, or deny it.
#[test]
fn explanations_do_not_know_what_they_could_not_read() {
    let get = allow(&["s3:GetObject"], &["*"]);
    let unread = json!([{"PolicyName": "p", "PolicyDocument": "%7B"}]);
    let decision = |maker: RoleMaker, action: &str| {
        explain(&World::of([maker]).account(), "a", action, None, now()).expect("the role").decision
    };
    let attached = role("a").attach(&policy_arn("gone"));
    assert_eq!(decision(attached.clone(), "s3:GetObject"), Decision::Unknown);
    assert_eq!(decision(attached.can(get.clone()), "s3:GetObject"), Decision::Unknown);
    assert_eq!(
        decision(role("a").can(get).set("RolePolicyList", unread), "sqs:SendMessage"),
        Decision::Unknown
    );
    let denied = role("a").can(deny(&["s3:*"], &["*"])).attach(&policy_arn("gone"));
    assert_eq!(decision(denied, "s3:GetObject"), Decision::DeniedExplicitly);
}
