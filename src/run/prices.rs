//! The prices that a session counts with: AWS's price list where it can be asked, kept for some days, else
//! the table that opsctl carries. No command fails for want of them, or waits long.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};

use super::Session;
use crate::aws::{OpError, OpResult};
use crate::cost::{Item, Listed, Prices, Question, items};
use crate::desired::Desired;
use crate::domain::{Money, shown};
use crate::evidence::Time;
use crate::plan::Observed;

/// So long a command waits for prices at most.
const PATIENCE: Duration = Duration::from_secs(3);
/// Questions under way at a time.
const AT_ONCE: usize = 8;
/// Seconds that an answer is kept.
const KEPT: i64 = 7 * 86_400;
/// Seconds for which a list that did not answer is not asked again.
const LEFT_ALONE: i64 = 3_600;
/// Bytes of a file that may be ours.
const LARGEST: u64 = 4 << 20;

/// What was asked before. Anybody may have written it: what cannot be read is not there.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Cache {
    /// By `region/item`.
    answers: BTreeMap<String, Answer>,
    /// When the list did not answer, and why.
    refused: Option<(i64, String)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    /// Seconds since 1970.
    at: i64,
    /// As AWS wrote it; none when the list does not have it.
    price: Option<String>,
}

/// Looks up what this session's project costs, once; later calls find it. What the command is `about` need
/// not be in the config.
pub async fn load(session: &Session, about: &Desired, have: &Observed) -> Prices {
    if let Some(prices) = session.prices.get() {
        return prices.clone();
    }
    let look = async { Ok(asked(session, about, have).await) };
    match session.context.cancel.reading("prices", look).await {
        Ok(prices) => session.prices.get_or_init(|| prices).clone(),
        // Whoever is stopping needs none.
        Err(_) => session.prices(),
    }
}

async fn asked(session: &Session, about: &Desired, have: &Observed) -> Prices {
    let region = &session.context.scope.region;
    let items = items(&session.desired.and(about), have);
    let now = Time::of(SystemTime::now()).0;
    let mut cache = session.price_cache.as_deref().map(Cache::read).unwrap_or_default();
    cache.age(now);
    let missing: BTreeSet<&Item> =
        items.iter().filter(|item| !cache.answers.contains_key(&key(region, item))).collect();
    if !missing.is_empty() && cache.refused.is_none() {
        let refused = ask(session, region, &missing, now, &mut cache).await.err();
        cache.refused = refused.map(|error| (now, shown::line(&error.to_string()).into_owned()));
        if let Some(file) = &session.price_cache
            && let Err(error) = cache.write(file)
        {
            tracing::debug!(%error, "prices cannot be kept");
        }
    }
    let listed = items.iter().filter_map(|item| {
        let answer = cache.answers.get(&key(region, item))?;
        let price: Money = answer.price.as_ref()?.parse().ok()?;
        let date = Time(answer.at).to_string().get(..10)?.to_owned();
        Some((item.clone(), Listed { price, date }))
    });
    // A sandbox answers from the table of opsctl, and its prices are of that day.
    let listed: Vec<_> = listed.filter(|_| !session.is_sandbox()).collect();
    let unasked = missing.iter().any(|item| !cache.answers.contains_key(&key(region, item)));
    let note = cache.refused.as_ref().filter(|_| unasked).map(|(_, why)| why.clone());
    Prices::of(region).with(listed, note)
}

/// Asks for each, until the time is over; what has been answered by then counts.
async fn ask(
    session: &Session,
    region: &str,
    missing: &BTreeSet<&Item>,
    now: i64,
    cache: &mut Cache,
) -> OpResult<()> {
    let end = Instant::now() + PATIENCE;
    let pricing = &session.context.aws.pricing;
    let mut answers = stream::iter(missing.iter().copied())
        .map(|item| async move {
            let question = Question::of(item, region);
            let products = pricing.products(question.service, &question.have).await?;
            Ok::<_, OpError>(products.map(|products| (item, question.answered(&products))))
        })
        .buffer_unordered(AT_ONCE);
    loop {
        match timeout_at(end, answers.next()).await {
            Ok(Some(Ok(Some((item, price))))) => {
                let price = price.map(|price| price.to_string());
                cache.answers.insert(key(region, item), Answer { at: now, price });
            }
            // There is no list here.
            Ok(Some(Ok(None)) | None) => return Ok(()),
            Ok(Some(Err(error))) => return Err(error),
            Err(_) => {
                let message = format!("no answer within {} s", PATIENCE.as_secs());
                return Err(OpError::new(
                    crate::domain::action::pricing::GetProducts,
                    crate::aws::OpErrorKind::Network,
                    message,
                ));
            }
        }
    }
}

fn key(region: &str, item: &Item) -> String {
    format!("{region}/{item}")
}

impl Cache {
    fn read(file: &Path) -> Self {
        let is_ours = fs::symlink_metadata(file).is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
        let text = is_ours.then(|| fs::read(file).ok()).flatten().unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Forgets what is old, and what is from a future that a wrong clock has seen.
    fn age(&mut self, now: i64) {
        self.answers.retain(|_, answer| (0..KEPT).contains(&(now - answer.at)));
        self.refused = self.refused.take().filter(|(at, _)| (0..LEFT_ALONE).contains(&(now - at)));
    }

    /// As a whole, and for this user alone.
    fn write(&self, file: &Path) -> std::io::Result<()> {
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut whole = tempfile::NamedTempFile::new_in(folder)?;
        whole.write_all(&serde_json::to_vec(self)?)?;
        whole.persist(file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_a_week_and_refusals_for_an_hour() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deep/prices.json");
        let answer = |at| Answer { at, price: Some("0.0000041667".into()) };
        let answers = [("r/a".to_owned(), answer(1_000)), ("r/future".to_owned(), answer(9_000_000))].into();
        let cache = Cache { answers, refused: Some((1_000, "denied".into())) };
        cache.write(&file).unwrap();
        let read = |now| {
            let mut cache = Cache::read(&file);
            cache.age(now);
            (cache.answers.keys().cloned().collect::<Vec<_>>(), cache.refused.is_some())
        };
        assert_eq!(read(2_000), (vec!["r/a".to_owned()], true));
        assert_eq!(read(1_000 + LEFT_ALONE), (vec!["r/a".to_owned()], false));
        assert_eq!(read(1_000 + KEPT).0, Vec::<String>::new());
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "nobody else reads it");
        for odd in ["", "[]", "{\"answers\": 3}", "{\"answers\": {\"r/a\": {\"at\": \"x\"}}}"] {
            fs::write(&file, odd).unwrap();
            assert!(Cache::read(&file).answers.is_empty(), "{odd}");
        }
    }
}
