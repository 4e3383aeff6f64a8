//! What `invoke` prints of a model's answer.

use opsctl::report::answer::{human, model_error};
use serde_json::{Value, json};

#[test]
fn labels_and_scores_are_said_as_a_person_says_them() {
    let label = |label: Value, score: f64| json!({ "label": label, "score": score });
    let row: Vec<f64> =
        (0..133).map(f64::from).map(|n| if n == 56.0 { 8.125 } else { n / -100.0 - 1.0 }).collect();
    for (answer, said) in [
        (json!([label(json!("7"), 0.9984)]), "7 (99.8 %)\n"),
        (json!([label(json!("7"), 0.999_99)]), "7 (over 99.9 %)\n"),
        (json!([label(json!(7), 1.0), label(json!("cat"), 0.0)]), "7 (100.0 %)\ncat (0.0 %)\n"),
        (json!([[label(json!("cat"), 0.7), label(json!("dog"), 0.2)]]), "cat (70.0 %), dog (20.0 %)\n"),
        (label(json!("cat"), 12.5), "cat (12.5)\n"),
        (json!({ "label": "cat", "probability": 0.5 }), "cat (50.0 %)\n"),
        (json!({ "predictions": [[0.25, 0.75]] }), "[0.2500, 0.7500]; the largest is number 2: 0.7500\n"),
        (json!([[1, 1]]), "[1.0000, 1.0000]; the largest is number 1: 1.0000\n"),
        (json!([row]), "[-1.0000, -1.0100, -1.0200, … 133 numbers]; the largest is number 57: 8.1250\n"),
        (json!("some text\n"), "some text\n"),
        // Nobody knows what these mean.
        (json!(3.5), "3.5\n"),
        (json!([]), "[]\n"),
        (json!([3.5, 4.5]), "[\n  3.5,\n  4.5\n]\n"),
        (json!({ "label": ["a"], "score": 1 }), "{\n  \"label\": [\n    \"a\"\n  ],\n  \"score\": 1\n}\n"),
        (json!({ "error": "no url" }), "{\n  \"error\": \"no url\"\n}\n"),
    ] {
        assert_eq!(human(&answer), said, "{answer}");
    }
}

#[test]
fn an_answer_cannot_write_to_the_terminal() {
    for answer in [
        json!("\u{1b}[31mred\n::error::x"),
        json!([{ "label": "\u{9b}31m\n::x", "score": 0.5 }]),
        json!(["\u{9b}"]),
    ] {
        let said = human(&answer);
        assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said:?}");
        assert!(!said.lines().any(|line| line.starts_with("::")), "{said:?}");
    }
}

#[test]
fn of_a_failed_model_the_sentence_that_matters_comes_first() {
    let frames: String = (0..9).map(|n| format!("  File \"m.py\", line {n}, in f{n}\n    f()\n")).collect();
    let said = format!(
        "Received server error (500) from primary with message \"Traceback (most recent call last):\n{frames}\
         KeyError: 'instances'\n\". See https://us-east-1.console.aws.amazon.com/cloudwatch/home in account \
         123 for more information."
    );
    let shown = model_error(&said);
    assert!(shown.starts_with("KeyError: 'instances'\n  …\n"), "{shown}");
    assert!(shown.ends_with("  KeyError: 'instances'") && shown.lines().count() == 7, "{shown}");
    assert!(!shown.contains("console"), "{shown}");
    let short =
        "Received client error (415) from primary with message \"no such type\". See https://x for more.";
    assert_eq!(model_error(short), "no such type");
    assert_eq!(model_error("something else"), "something else");
}
