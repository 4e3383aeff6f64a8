//! What a model answered, as a person would say it: `7 (99.8 %)`.

use serde_json::Value;

use crate::domain::{Phase, Status, shown};

/// A decoded answer, with a line for each thing that was asked about.
///
/// Labels with scores are what classifiers of Hugging Face answer
/// (<https://huggingface.co/docs/transformers/main_classes/pipelines>), `predictions` is TensorFlow Serving's
/// (<https://www.tensorflow.org/tfx/serving/api_rest>), and bare numbers are what many scripts return.
pub fn human(answer: &Value) -> String {
    let inner = match answer {
        Value::Object(fields) if fields.len() == 1 => fields.get("predictions").unwrap_or(answer),
        _ => answer,
    };
    let lines: Option<Vec<String>> = match inner {
        Value::Array(items) if !items.is_empty() => items.iter().map(line).collect(),
        one => line(one).map(|line| vec![line]),
    };
    match (lines, inner) {
        (Some(lines), _) => shown::text(&(lines.join("\n") + "\n")).into_owned(),
        (None, Value::String(text)) => shown::text(&format!("{}\n", text.trim_end())).into_owned(),
        _ => shown::json(&format!("{answer:#}\n")).into_owned(),
    }
}

/// One prediction, if it has a form that is known.
fn line(prediction: &Value) -> Option<String> {
    match prediction {
        Value::Object(_) => labeled(prediction),
        Value::Array(items) if items.iter().all(Value::is_object) && !items.is_empty() => {
            items.iter().map(labeled).collect::<Option<Vec<_>>>().map(|labels| labels.join(", "))
        }
        Value::Array(items) => scores(items),
        _ => None,
    }
}

/// `{"label": "7", "score": 0.998}`.
fn labeled(prediction: &Value) -> Option<String> {
    let label = match prediction.get("label")? {
        Value::String(label) => label.clone(),
        Value::Number(label) => label.to_string(),
        _ => return None,
    };
    Some(match prediction.get("score").or(prediction.get("probability"))?.as_f64()? {
        // Nobody is quite sure who is not.
        share if (0.9995..1.0).contains(&share) => format!("{label} (over 99.9 %)"),
        share if (0.0..=1.0).contains(&share) => format!("{label} ({:.1} %)", share * 100.0),
        score => format!("{label} ({score})"),
    })
}

/// A row of numbers without names. Of a classifier's, the place of the largest is the class.
fn scores(numbers: &[Value]) -> Option<String> {
    const MOST: usize = 10;
    const FIRST: usize = 3;
    let numbers: Vec<f64> = numbers.iter().map(Value::as_f64).collect::<Option<_>>()?;
    let (at, largest) = numbers.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1))?;
    let (shown, more) = match numbers.len() > MOST {
        true => (&numbers[..FIRST], format!(", … {} numbers", numbers.len())),
        false => (&numbers[..], String::new()),
    };
    let shown: Vec<String> = shown.iter().map(|number| format!("{number:.4}")).collect();
    Some(format!("[{}{more}]; the largest is number {}: {largest:.4}", shown.join(", "), at + 1))
}

/// What SageMaker says of a container that failed (`Received server error (500) from primary with message
/// "…". See <console> for more information`), with the sentence that matters first and the end of the
/// traceback.
pub fn model_error(said: &str) -> String {
    /// The deepest frame and its exception, usually.
    const LINES: usize = 5;
    let Some((received, rest)) = said.split_once(" from primary with message \"") else {
        return said.to_owned();
    };
    let text = rest.rsplit_once("\". See ").map_or(rest, |(text, _)| text);
    let status = Status::new("Failed", Phase::Failed).because(Some(text.to_owned()));
    let cause = status.cause().unwrap_or_else(|| received.to_owned());
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    // A text of a few words is said already.
    if lines.len() < 2 {
        return cause;
    }
    let end = lines.split_off(lines.len().saturating_sub(LINES));
    let end: String = end.iter().map(|line| format!("\n  {line}")).collect();
    let more = if lines.is_empty() { String::new() } else { "\n  …".to_owned() };
    format!("{cause}{more}{end}")
}
