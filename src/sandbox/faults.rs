//! Faults on demand, deterministic: fail, throttle, delay, cut, truncate or kill at chosen calls.
//!
//! A rule is JSON (`POST /_sandbox/faults`, options) or a word of the command line:
//! `throttle@sagemaker:CreateEndpoint`, `fail=LimitExceeded@iam:CreateRole#2`, `delay=500ms@reads#1x0`,
//! `kill-after@writes#7` (AWS has done the work, and the caller dies before it hears of it),
//! `throttle@s3:PutObject%20` (one call in five), `corrupt@s3:UploadPart%0.1` (one upload in a thousand).

use std::borrow::Cow;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::effect::Effect;
use super::fault::Fault;

/// What happens to which calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    #[serde(rename = "do")]
    pub action: FaultAction,
    /// `sagemaker:CreateEndpoint`, `iam:Delete*`, `s3:*`, `reads`, `writes`, `invokes`, or `*`.
    pub on: String,
    /// The first matching call that is struck, from 1.
    #[serde(default = "one")]
    pub call: u64,
    /// How many matching calls are struck; 0 for all that follow.
    #[serde(default = "one")]
    pub times: u64,
    /// Before the work is done, or after it (the caller does not learn that it was).
    #[serde(default)]
    pub when: When,
    /// Strike each of those calls with this probability only, decided by the rule, `seed` and the call's
    /// number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    #[serde(default)]
    pub seed: u64,
    /// How long a delay is, in real milliseconds.
    #[serde(default)]
    pub ms: u64,
    /// Code, status and message of a failure; without them the service's own internal error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

const fn one() -> u64 {
    1
}

/// As a rule names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaultAction {
    Fail,
    Throttle,
    Delay,
    Cut,
    Kill,
    /// One byte of the object's data arrives as another one.
    Corrupt,
    /// The work is done, and the connection ends in the middle of the answer's body.
    Truncate,
}

/// Before the work is done, or after it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    #[default]
    Before,
    After,
}

/// What a rule does to a call.
#[derive(Debug, PartialEq)]
pub enum Strike {
    /// The service answers with this.
    Refuse(Fault),
    /// The exchange itself suffers.
    Break(When, Break),
}

/// How the exchange suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    Delay(Duration),
    Cut,
    Kill,
    Corrupt,
    Truncate,
}

/// A service's own words for "too fast" and "my fault", each with its status
/// (docs/aws/errors-and-retries.md#throttling).
#[derive(Clone, Copy, Debug)]
pub struct FaultCodes {
    pub throttle: (u16, &'static str),
    pub internal: (u16, &'static str),
}

impl FaultCodes {
    /// The words of most services.
    pub const USUAL: Self =
        Self { throttle: (400, "ThrottlingException"), internal: (500, "InternalFailure") };

    /// The status that goes with a code, as far as it is one of these.
    fn status_of(&self, code: &str) -> u16 {
        let known = [self.throttle, self.internal].into_iter().find(|(_, known)| *known == code);
        known.map_or(400, |(status, _)| status)
    }
}

impl FaultRule {
    /// A rule that strikes the first matching call, once.
    pub fn new(action: FaultAction, on: impl Into<String>) -> Self {
        Self {
            action,
            on: on.into(),
            call: 1,
            times: 1,
            when: When::Before,
            chance: None,
            seed: 0,
            ms: 0,
            code: None,
            status: None,
            message: None,
        }
    }

    /// What is wrong with a rule that could never do what it says.
    fn check(self) -> Result<Self, BadRule> {
        if self.when == When::After
            && !matches!(self.action, FaultAction::Delay | FaultAction::Cut | FaultAction::Kill)
        {
            return Err(BadRule("only delay, cut and kill can come after the work".into()));
        }
        if self.action == FaultAction::Corrupt && !self.on.starts_with("s3:") {
            return Err(BadRule("only what is uploaded to S3 can be corrupted, such as s3:PutObject".into()));
        }
        if self.call == 0 {
            return Err(BadRule("calls are counted from 1".into()));
        }
        if self.chance.is_some_and(|chance| !(0.0..=1.0).contains(&chance)) {
            return Err(BadRule("a chance is between 0 and 1".into()));
        }
        Ok(self)
    }

    fn matches(&self, service: &str, operation: &str) -> bool {
        match self.on.as_str() {
            "*" => true,
            "reads" => Effect::of(operation) == Effect::Reads,
            "writes" => Effect::of(operation) == Effect::Writes,
            "invokes" => Effect::of(operation) == Effect::Invokes,
            on => on.split_once(':').is_some_and(|(on_service, on_operation)| {
                on_service == service
                    && match on_operation.strip_suffix('*') {
                        Some(prefix) => operation.starts_with(prefix),
                        None => on_operation == operation,
                    }
            }),
        }
    }

    /// Whether the `nth` matching call is struck.
    fn is_due(&self, nth: u64) -> bool {
        let from = nth.checked_sub(self.call);
        from.is_some_and(|since| self.times == 0 || since < self.times)
            && self.chance.is_none_or(|chance| uniform(self.salt(), nth) < chance)
    }

    /// Rules with one seed draw apart: what is throttled is not always what would be cut.
    fn salt(&self) -> u64 {
        let hash = blake3::hash(format!("{} {:?} {}", self.seed, self.action, self.on).as_bytes());
        hash.as_bytes()[..8].iter().fold(0, |salt, byte| salt << 8 | u64::from(*byte))
    }

    fn strike(&self, codes: FaultCodes) -> Strike {
        match self.action {
            FaultAction::Fail => {
                let (status, code) = codes.internal;
                let message = self.message.clone().unwrap_or_else(|| "injected by a fault rule".into());
                let (status, code) = match &self.code {
                    Some(code) => (codes.status_of(code), Cow::from(code.clone())),
                    None => (status, code.into()),
                };
                Strike::Refuse(Fault::new(self.status.unwrap_or(status), code, message))
            }
            FaultAction::Throttle => {
                let (status, code) = codes.throttle;
                Strike::Refuse(Fault::new(status, code, "Rate exceeded"))
            }
            FaultAction::Delay => Strike::Break(self.when, Break::Delay(Duration::from_millis(self.ms))),
            FaultAction::Cut => Strike::Break(self.when, Break::Cut),
            FaultAction::Kill => Strike::Break(self.when, Break::Kill),
            FaultAction::Corrupt => Strike::Break(self.when, Break::Corrupt),
            FaultAction::Truncate => Strike::Break(self.when, Break::Truncate),
        }
    }
}

/// A number in [0, 1) that depends on its arguments only (SplitMix64).
fn uniform(seed: u64, nth: u64) -> f64 {
    let mut mixed = seed.wrapping_add(nth.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Why a fault rule makes no sense.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a fault rule: {0}; write for example throttle@sagemaker:CreateEndpoint#2x3")]
pub struct BadRule(String);

impl FromStr for FaultRule {
    type Err = BadRule;

    /// `ACTION[-after][=ARGUMENT]@OPERATION[%PERCENT][#CALL[xTIMES]]`. A share is one of all calls, unless
    /// they are named.
    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = |what: &str| BadRule(format!("{what} in '{text}'"));
        let (action, target) = text.split_once('@').ok_or_else(|| bad("no '@'"))?;
        let (action, argument) = match action.split_once('=') {
            Some((action, argument)) => (action, Some(argument)),
            None => (action, None),
        };
        let (action, when) = match action.strip_suffix("-after") {
            Some(action) => (action, When::After),
            None => (action, When::Before),
        };
        let (target, position) = match target.split_once('#') {
            Some((target, position)) => (target, Some(position)),
            None => (target, None),
        };
        let (on, share) = match target.split_once('%') {
            Some((on, percent)) => (on, Some(percent.parse::<f64>().map_err(|_| bad("no percentage"))?)),
            None => (target, None),
        };
        let position = position.unwrap_or(if share.is_some() { "1x0" } else { "1" });
        let (call, times) = position.split_once('x').unwrap_or((position, "1"));
        let count = |number: &str| number.parse().map_err(|_| bad("no number"));
        let action = match action {
            "fail" => FaultAction::Fail,
            "throttle" => FaultAction::Throttle,
            "delay" => FaultAction::Delay,
            "cut" => FaultAction::Cut,
            "kill" => FaultAction::Kill,
            "corrupt" => FaultAction::Corrupt,
            "truncate" => FaultAction::Truncate,
            _ => return Err(bad("no such action")),
        };
        let (call, times) = (count(call)?, count(times)?);
        let chance = share.map(|percent| percent / 100.0);
        let mut rule = Self { when, call, times, chance, ..Self::new(action, on) };
        match (action, argument) {
            (FaultAction::Delay, Some(duration)) => {
                let duration = humantime::parse_duration(duration).map_err(|_| bad("no duration"))?;
                rule.ms = duration.as_millis() as u64;
            }
            (FaultAction::Fail, Some(code)) => rule.code = Some(code.to_owned()),
            (FaultAction::Delay, None) => return Err(bad("no duration")),
            (_, Some(_)) => return Err(bad("an argument that means nothing")),
            (_, None) => {}
        }
        rule.check()
    }
}

#[derive(Debug)]
struct Watched {
    rule: FaultRule,
    /// Matching calls so far, and those struck.
    seen: u64,
    hits: u64,
}

/// The rules in force and what they did.
#[derive(Debug)]
pub struct Faults(Mutex<Vec<Watched>>);

impl Faults {
    /// Faults by these rules.
    pub fn new(rules: Vec<FaultRule>) -> Self {
        let faults = Self(Mutex::default());
        faults.extend(rules);
        faults
    }

    /// Adds rules; their calls are counted from now on.
    pub fn extend(&self, rules: Vec<FaultRule>) {
        self.watched().extend(rules.into_iter().map(|rule| Watched { rule, seen: 0, hits: 0 }));
    }

    /// Adds the rules of a posted document: one rule or a list, each as JSON or as a word.
    pub fn post(&self, document: Value) -> Result<(), BadRule> {
        let documents = match document {
            Value::Array(many) => many,
            one => vec![one],
        };
        let rules: Result<Vec<FaultRule>, BadRule> = documents
            .into_iter()
            .map(|document| match document {
                Value::String(word) => word.parse(),
                other => serde_json::from_value::<FaultRule>(other)
                    .map_err(|error| BadRule(error.to_string()))
                    .and_then(FaultRule::check),
            })
            .collect();
        self.extend(rules?);
        Ok(())
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.watched().clear();
    }

    /// Which rules were hit, and how often: a test that injects a fault must see that it struck.
    pub fn report(&self) -> Value {
        self.watched().iter().map(|w| json!({"rule": w.rule, "seen": w.seen, "hits": w.hits})).collect()
    }

    /// How often any rule has struck.
    pub fn hits(&self) -> u64 {
        self.watched().iter().map(|watched| watched.hits).sum()
    }

    /// Counts a call against all rules; those due, in the order of the rules and in the service's words.
    pub(super) fn strikes(&self, service: &str, codes: FaultCodes, operation: &str) -> Vec<Strike> {
        let mut strikes = Vec::new();
        for watched in self.watched().iter_mut().filter(|watched| watched.rule.matches(service, operation)) {
            watched.seen += 1;
            if watched.rule.is_due(watched.seen) {
                watched.hits += 1;
                strikes.push(watched.rule.strike(codes));
            }
        }
        strikes
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, Vec<Watched>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S3: FaultCodes = FaultCodes { throttle: (503, "SlowDown"), internal: (500, "InternalError") };

    fn rule(text: &str) -> FaultRule {
        text.parse().unwrap()
    }

    fn codes(faults: &Faults, service: &str, operation: &str, calls: usize) -> Vec<String> {
        let code = |strike: &Strike| match strike {
            Strike::Refuse(fault) => fault.code.to_string(),
            Strike::Break(_, broken) => format!("{broken:?}"),
        };
        let told = |_| {
            let struck = faults.strikes(service, FaultCodes::USUAL, operation);
            let strikes: Vec<String> = struck.iter().map(code).collect();
            strikes.join("+")
        };
        (0..calls).map(told).collect()
    }

    #[test]
    fn rules_strike_the_calls_they_name_and_no_others() {
        let faults = Faults::new(vec![rule("throttle@sagemaker:Create*#2x2"), rule("cut-after@writes#3")]);
        assert_eq!(codes(&faults, "sagemaker", "DescribeModel", 1), [""]);
        assert_eq!(codes(&faults, "iam", "GetRole", 1), [""]);
        assert_eq!(
            codes(&faults, "sagemaker", "CreateModel", 4),
            ["", "ThrottlingException", "ThrottlingException+Cut", ""]
        );
        assert_eq!(faults.hits(), 3);
        assert_eq!(faults.report()[0]["seen"], 4);
    }

    #[test]
    fn chance_is_the_same_in_every_run() {
        let draw = |seed| {
            let rule = FaultRule { seed, ..rule("cut@*%50") };
            codes(&Faults::new(vec![rule]), "s3", "GetObject", 64)
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let struck = draw(1).iter().filter(|code| !code.is_empty()).count();
        assert!((16..=48).contains(&struck), "{struck} of 64");
    }

    #[test]
    fn shares_of_one_seed_draw_apart() {
        let faults =
            Faults::new(vec![rule("fail=SlowDown@s3:PutObject%20"), rule("cut@s3:PutObject%20#11x0")]);
        let drawn = codes(&faults, "s3", "PutObject", 1_000);
        let with = |code: &str| drawn.iter().filter(|codes| codes.contains(code)).count();
        for code in ["SlowDown", "Cut"] {
            assert!((150..=250).contains(&with(code)), "{code}: {} of 1000", with(code));
        }
        assert!(with("SlowDown+Cut") < 80, "{} of 1000", with("SlowDown+Cut"));
        assert!(drawn[..10].iter().all(|codes| !codes.contains("Cut")));
        let Strike::Refuse(fault) = rule("fail=SlowDown@s3:PutObject").strike(S3) else {
            panic!("no refusal")
        };
        assert_eq!(fault.status, 503, "a code that is the service's own has its status");
    }

    #[test]
    fn words_and_documents_say_the_same() {
        let faults = Faults::new(Vec::new());
        let document = json!(["delay=1s@reads#2x0",
            {"do": "fail", "on": "s3:*", "code": "AccessDenied", "status": 403}]);
        faults.post(document).unwrap();
        let delay = rule("delay=1s@reads#2x0");
        assert_eq!((delay.action, delay.ms, delay.call, delay.times), (FaultAction::Delay, 1_000, 2, 0));
        assert_eq!(faults.report()[0]["rule"]["ms"], 1_000);
        assert_eq!(codes(&faults, "s3", "PutObject", 1), ["AccessDenied"]);
        for nonsense in [
            "",
            "throttle",
            "burn@*",
            "delay@*",
            "cut=3@*",
            "fail-after@*",
            "cut@*#0",
            "cut@*#x",
            "cut@*%",
            "cut@*%101",
            "corrupt@*",
        ] {
            assert!(nonsense.parse::<FaultRule>().is_err(), "{nonsense}");
        }
        assert!(faults.post(json!({"do": "cut", "on": "*", "typo": 1})).is_err());
    }
}
