//! What a lease says, and how old it is by S3's own clock.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// No lease holds longer without being renewed, whatever is written in it.
pub const LIFE: Duration = Duration::from_secs(90);

/// The object's content. The token identifies the holder; everything else is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Claim {
    /// Random, of one run.
    pub token: String,
    /// `user@host, process 4711`: who to ask.
    pub who: String,
    /// By the holder's clock, in seconds since 1970.
    pub since: u64,
    pub life_s: u64,
}

/// A lease as it was found in the bucket.
#[derive(Clone, Debug)]
pub struct FoundLease {
    pub(super) claim: Claim,
    pub(super) etag: String,
    /// S3's time of the answer less S3's time of the last renewal.
    pub age: Duration,
}

impl FoundLease {
    /// How long it holds if it is not renewed.
    pub fn left(&self) -> Duration {
        let life = match self.claim.life_s {
            0 => LIFE,
            s => LIFE.min(Duration::from_secs(s)),
        };
        life.saturating_sub(self.age)
    }

    /// Who holds it, safe for a terminal: the text is untrusted.
    pub fn who(&self) -> String {
        let shown = |c: &char| {
            !c.is_control()
                && !('\u{202a}'..='\u{202e}').contains(c)
                && !('\u{2066}'..='\u{2069}').contains(c)
        };
        let who: String = self.claim.who.chars().filter(shown).take(120).collect();
        if who.trim().is_empty() { "somebody".into() } else { who }
    }

    /// When it was taken, by the holder's clock.
    pub fn since(&self) -> Option<String> {
        let at = Duration::from_secs(self.claim.since);
        // humantime panics beyond the year 9999.
        let known = (1..253_402_300_800).contains(&self.claim.since);
        known.then(|| humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + at).to_string())
    }
}

impl fmt::Display for FoundLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |d: Duration| humantime::format_duration(Duration::from_secs(d.as_secs()));
        write!(f, "{}", self.who())?;
        if let Some(since) = self.since() {
            write!(f, ", since {since}")?;
        }
        write!(f, "; renewed {} ago, expires in {} unless renewed", whole(self.age), whole(self.left()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, age: u64) -> FoundLease {
        let claim = serde_json::from_str(text).unwrap_or_default();
        FoundLease { claim, etag: String::new(), age: Duration::from_secs(age) }
    }

    #[test]
    fn nothing_in_it_makes_it_hold_for_longer_than_its_life() {
        for text in [r#"{"expires":99999999999999}"#, r#"{"life_s":999999}"#, "not JSON", "{}"] {
            assert_eq!(found(text, 89).left(), Duration::from_secs(1), "{text}");
            assert_eq!(found(text, 90).left(), Duration::ZERO, "{text}");
        }
        assert_eq!(found(r#"{"life_s":10}"#, 4).left(), Duration::from_secs(6));
    }

    #[test]
    fn strangers_words_stay_words() {
        let text =
            "{\"who\":\"\\u001b[31mroot\\u0007\\u202e@host\\n::error::x\",\"since\":18446744073709551615}";
        let told = found(text, 3).to_string();
        assert_eq!(told, "[31mroot@host::error::x; renewed 3s ago, expires in 1m 27s unless renewed");
        assert!(found("{}", 0).to_string().starts_with("somebody; "));
    }
}
