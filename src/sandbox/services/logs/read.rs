//! Reading events: `GetLogEvents` of one stream, `FilterLogEvents` over many.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

use serde_json::{Value, json};

use super::events::{self, Placed};
use super::{STREAMS, group_named, invalid, missing_stream, stream_key};
use crate::call::{Answer, Call};
use crate::fault::Fault;

/// A page holds at most 10,000 events and 1 MiB, counted as 26 bytes more than each message
/// (docs/aws/cloudwatch-logs.md#reading-a-stream).
const MOST_EVENTS: usize = 10_000;
const MOST_BYTES: usize = 1 << 20;

fn weight(placed: &Placed) -> usize {
    placed.event.message.len() + 26
}

fn limit(call: &Call) -> usize {
    call.number("limit").and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MOST_EVENTS)
}

/// Where a page begins or ends: a byte of the stream's file, and the direction of reading.
enum Token {
    Forward(u64),
    Backward(u64),
}

impl Token {
    /// Written as AWS's tokens look; clients may not read them, but some check the first letter.
    fn write(letter: char, place: u64) -> String {
        format!("{letter}/{place:056}/s")
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let bad = || invalid("The specified nextToken is invalid.");
        let (letter, rest) = text.split_once('/').ok_or_else(bad)?;
        let place = rest.strip_suffix("/s").and_then(|place| place.parse().ok()).ok_or_else(bad)?;
        match letter {
            "f" => Ok(Self::Forward(place)),
            "b" => Ok(Self::Backward(place)),
            _ => Err(bad()),
        }
    }
}

/// At the end of a stream the token that came in goes out again: that, and not an empty page, says that there
/// is no more (docs/aws/cloudwatch-logs.md#reading-a-stream).
pub(super) fn get_log_events(call: &Call) -> Answer {
    let group = group_named(call)?;
    let stream = call.text("logStreamName");
    if !call.table(STREAMS).has(&stream_key(&group, stream)) {
        return Err(missing_stream());
    }
    let token = match call.maybe("nextToken") {
        Some(token) => Token::parse(token)?,
        None if call.flag("startFromHead") => Token::Forward(0),
        None => Token::Backward(u64::MAX),
    };
    let from = call.number("startTime").and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
    // The end time is not included here, unlike in FilterLogEvents
    // (docs/aws/cloudwatch-logs.md#reading-a-stream).
    let until = call.number("endTime").and_then(|time| u64::try_from(time).ok()).unwrap_or(u64::MAX);
    let path = events::stream_file(&call.shared, &call.region, &group, stream);
    let (start, stop) = match token {
        Token::Forward(place) => (place, u64::MAX),
        Token::Backward(place) => (0, place),
    };
    let forward = matches!(token, Token::Forward(_));
    let (page, reached) = page(&path, (start, stop), from..until, limit(call), forward)?;
    let first = page.front().map_or(reached, |placed| placed.start);
    let last = page.back().map_or(reached, |placed| placed.end);
    let (backward, onward) = match (page.is_empty(), &token) {
        (true, Token::Forward(place)) => (*place, *place),
        (true, Token::Backward(place)) if *place != u64::MAX => (*place, *place),
        _ => (first, last),
    };
    let shown: Vec<Value> = page
        .iter()
        .map(|Placed { event, .. }| {
            json!({"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.ingested})
        })
        .collect();
    Ok(json!({
        "events": shown,
        "nextForwardToken": Token::write('f', onward),
        "nextBackwardToken": Token::write('b', backward),
    }))
}

/// The events of a time within a part of a stream's file, and where the next ones are.
fn page(
    path: &Path,
    (start, stop): (u64, u64),
    time: Range<u64>,
    most: usize,
    forward: bool,
) -> Result<(VecDeque<Placed>, u64), Fault> {
    let (mut page, mut bytes, mut reached) = (VecDeque::new(), 0, start);
    events::read(path, start, |placed| {
        if placed.end > stop {
            return false;
        }
        let fits = page.len() < most && bytes + weight(&placed) <= MOST_BYTES;
        if forward && !fits && !page.is_empty() {
            return false;
        }
        reached = placed.end;
        if !time.contains(&placed.event.timestamp) {
            return true;
        }
        bytes += weight(&placed);
        page.push_back(placed);
        // Backwards, the page is what comes last: earlier events make room.
        while !forward && page.len() > 1 && (page.len() > most || bytes > MOST_BYTES) {
            bytes -= page.pop_front().as_ref().map_or(0, weight);
        }
        true
    })?;
    Ok((page, reached))
}

pub(super) fn filter_log_events(call: &Call) -> Answer {
    let group = group_named(call)?;
    let filter = Filter::parse(call.maybe("filterPattern").unwrap_or_default())?;
    let from = call.number("startTime").and_then(|time| u64::try_from(time).ok()).unwrap_or(0);
    let until = call.number("endTime").and_then(|time| u64::try_from(time).ok()).unwrap_or(u64::MAX);
    let named: Vec<&str> = call.list("logStreamNames").iter().filter_map(Value::as_str).collect();
    let prefix = call.maybe("logStreamNamePrefix").unwrap_or_default();
    if !named.is_empty() && !prefix.is_empty() {
        return Err(invalid("LogStreamNames and LogStreamNamePrefix are mutually exclusive parameters."));
    }

    let mut found: Vec<(String, Value)> = Vec::new();
    for (_, document) in call.table(STREAMS).list(&stream_key(&group, prefix)) {
        let stream = document["logStreamName"].as_str().unwrap_or_default();
        if !named.is_empty() && !named.contains(&stream) {
            continue;
        }
        let path = events::stream_file(&call.shared, &call.region, &group, stream);
        events::read(&path, 0, |Placed { start, event, .. }| {
            if (from..=until).contains(&event.timestamp) && filter.matches(&event.message) {
                let id = event_id(event.timestamp, stream, start);
                let shown = json!({
                    "logStreamName": stream, "timestamp": event.timestamp, "message": event.message,
                    "ingestionTime": event.ingested, "eventId": id,
                });
                found.push((id, shown));
            }
            true
        })?;
    }
    // An event's id orders it by time, stream and place, and serves as the token: more events may come
    // between two pages, and none is shown twice.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    if let Some(token) = call.maybe("nextToken") {
        found.retain(|(id, _)| id.as_str() > token);
    }
    let mut bytes = 0;
    let most = limit(call);
    let fitting = found.iter().enumerate().take_while(|(index, (_, event))| {
        bytes += event["message"].as_str().map_or(0, str::len) + 26;
        *index < most && (*index == 0 || bytes <= MOST_BYTES)
    });
    let length = fitting.count();
    let next = (length < found.len()).then(|| found[length - 1].0.clone());
    found.truncate(length);
    let events: Vec<Value> = found.into_iter().map(|(_, event)| event).collect();
    Ok(json!({"events": events, "searchedLogStreams": [], "nextToken": next}))
}

/// 56 digits, as AWS's: 14 of time, 20 of the stream, 22 of the place in it.
fn event_id(timestamp: u64, stream: &str, place: u64) -> String {
    let hash = blake3::hash(stream.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    format!("{timestamp:014}{:020}{place:022}", u64::from_le_bytes(first))
}

/// A filter pattern of terms: all plain terms, none of the `-terms`, and one of the `?terms` if there are
/// any.
struct Filter {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl Filter {
    /// Patterns for JSON (`{…}`), fields (`[…]`) and regular expressions (`%…%`) are not implemented.
    fn parse(pattern: &str) -> Result<Self, Fault> {
        let pattern = pattern.trim();
        if pattern.starts_with(['{', '[', '%']) {
            return Err(Fault::not_implemented(
                "logs",
                "FilterLogEvents with a JSON, field or regex pattern",
            ));
        }
        let mut filter = Self { all: Vec::new(), none: Vec::new(), any: Vec::new() };
        let mut rest = pattern;
        while !rest.is_empty() {
            let (list, term) = match rest.as_bytes()[0] {
                b'-' => (&mut filter.none, &rest[1..]),
                b'?' => (&mut filter.any, &rest[1..]),
                _ => (&mut filter.all, rest),
            };
            let (term, after) = match term.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').ok_or_else(|| invalid("Invalid filter pattern"))?,
                None => term.split_once(char::is_whitespace).unwrap_or((term, "")),
            };
            list.push(term.to_owned());
            rest = after.trim_start();
        }
        Ok(filter)
    }

    fn matches(&self, message: &str) -> bool {
        let holds = |term: &String| message.contains(term.as_str());
        self.all.iter().all(holds)
            && !self.none.iter().any(holds)
            && (self.any.is_empty() || self.any.iter().any(holds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_patterns_of_terms() {
        let matches = |pattern: &str, message: &str| Filter::parse(pattern).unwrap().matches(message);
        assert!(matches("", "anything"));
        assert!(matches("ERROR \"out of memory\"", "ERROR: out of memory"));
        assert!(!matches("ERROR memory", "ERROR: out of disk"));
        assert!(!matches("ERROR -retry", "ERROR, will retry"));
        assert!(matches("?WARN ?ERROR", "WARN: x") && !matches("?WARN ?ERROR", "INFO"));
        assert_eq!(Filter::parse("{ $.x = 1 }").err().unwrap().status, 501);
        assert!(Filter::parse("\"open").is_err());
    }
}
