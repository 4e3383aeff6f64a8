//! AWS's prices: a dated table (`data/build.py` makes it, `data/SOURCES.md` says what of).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::Serialize;

use crate::domain::Money;
use crate::domain::usage::{Purpose, Storage};

const DATA: &str = include_str!("data/prices.txt");

/// What has a price. Its words are its key in the table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// An hour of an instance.
    Instance(Purpose, String),
    /// A GB-second of initialized environments of a function.
    Provisioned { is_arm: bool },
    /// A GB (2³⁰ bytes) for a month.
    Stored(Storage),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(Purpose::Hosting, of) => write!(f, "hosting/{of}"),
            Self::Instance(Purpose::Training, of) => write!(f, "training/{of}"),
            Self::Instance(Purpose::Notebook, of) => write!(f, "notebook/{of}"),
            Self::Instance(Purpose::Ec2, of) => write!(f, "ec2/{of}"),
            Self::Provisioned { is_arm: false } => f.write_str("lambda/provisioned-x86_64"),
            Self::Provisioned { is_arm: true } => f.write_str("lambda/provisioned-arm64"),
            Self::Stored(Storage::MlVolume) => f.write_str("storage/ml"),
            Self::Stored(Storage::Ebs) => f.write_str("storage/gp3"),
            Self::Stored(Storage::S3) => f.write_str("storage/s3"),
        }
    }
}

impl Item {
    /// For a person who is told that its price is unknown.
    pub fn words(&self) -> String {
        match self {
            Self::Instance(Purpose::Hosting, of) => format!("{of} for hosting"),
            Self::Instance(Purpose::Training, of) => format!("{of} for training"),
            Self::Instance(Purpose::Notebook, of) => format!("{of} for notebooks"),
            Self::Instance(Purpose::Ec2, of) => format!("{of} on EC2"),
            Self::Provisioned { .. } => "provisioned concurrency".to_owned(),
            Self::Stored(Storage::MlVolume) => "SageMaker's disks".to_owned(),
            Self::Stored(Storage::Ebs) => "EC2's disks".to_owned(),
            Self::Stored(Storage::S3) => "storage in S3".to_owned(),
        }
    }
}

/// AWS's prices in one region, in US dollars: those of AWS's price list, where that was asked, before those
/// of the table.
#[derive(Clone, Debug)]
pub struct Prices {
    region: String,
    date: String,
    of: BTreeMap<String, Money>,
    listed: BTreeMap<String, Listed>,
    note: Option<String>,
}

/// A price that AWS's price list has answered, and the day on which it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub price: Money,
    pub date: String,
}

/// Where some prices are from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    pub name: &'static str,
    /// The day on which they were AWS's.
    pub date: String,
    pub items: Vec<String>,
}

impl Source {
    /// What a person calls it.
    pub fn words(&self) -> &'static str {
        if self.name == PRICE_LIST { "AWS's price list" } else { "opsctl's table" }
    }
}

/// AWS's own, asked for.
pub const PRICE_LIST: &str = "price-list";
/// That which opsctl carries.
pub const TABLE_OF_OPSCTL: &str = "table";

/// The prices of each region, by the words of their items.
type Regions = BTreeMap<String, BTreeMap<String, Money>>;

static TABLE: LazyLock<(String, Regions)> = LazyLock::new(|| read(DATA));

/// The day of a table and its rows, by region. `build.py` describes the form; a test reads the whole table.
fn read(text: &str) -> (String, Regions) {
    let (mut date, mut rows) = (String::new(), Regions::new());
    for line in text.lines() {
        match line.split('\t').collect::<Vec<_>>()[..] {
            ["d", day] => date = day.to_owned(),
            ["p", region, item, price] => {
                if let Ok(price) = price.parse() {
                    rows.entry(region.to_owned()).or_default().insert(item.to_owned(), price);
                }
            }
            _ => {}
        }
    }
    (date, rows)
}

impl Prices {
    /// Those of the table that opsctl carries.
    pub fn of(region: &str) -> Self {
        let (date, rows) = &*TABLE;
        let of = rows.get(region).cloned().unwrap_or_default();
        Self { region: region.to_owned(), date: date.clone(), of, listed: BTreeMap::new(), note: None }
    }

    /// These prices and no others.
    pub fn given<'a>(region: &str, date: &str, of: impl IntoIterator<Item = (&'a str, Money)>) -> Self {
        let of = of.into_iter().map(|(item, price)| (item.to_owned(), price)).collect();
        let (region, date) = (region.to_owned(), date.to_owned());
        Self { region, date, of, listed: BTreeMap::new(), note: None }
    }

    /// With what AWS's price list says; `note`: why it does not say all.
    #[must_use]
    pub fn with(mut self, listed: impl IntoIterator<Item = (Item, Listed)>, note: Option<String>) -> Self {
        self.listed = listed.into_iter().map(|(item, listed)| (item.to_string(), listed)).collect();
        self.note = note;
        self
    }

    /// Why AWS's price list does not say what it was asked for.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The region that the prices are of.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The day on which those of the table were AWS's.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// Where the prices of these items are from, and of which day: each once, with the items.
    pub fn sources<'a>(&self, items: impl IntoIterator<Item = &'a Item>) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        for item in items {
            let key = item.to_string();
            let (name, date) = match (self.listed.get(&key), self.of.get(&key)) {
                (Some(listed), _) => (PRICE_LIST, &listed.date),
                (None, Some(_)) => (TABLE_OF_OPSCTL, &self.date),
                (None, None) => continue,
            };
            let is_it = |source: &&mut Source| source.name == name && source.date == *date;
            match sources.iter_mut().find(is_it) {
                Some(source) => source.items.push(key),
                None => sources.push(Source { name, date: date.clone(), items: vec![key] }),
            }
        }
        sources.sort_by(|one, other| (other.date.as_str(), one.name).cmp(&(one.date.as_str(), other.name)));
        sources
    }

    /// `2026-11-29 (AWS's price list) and 2026-10-05 (opsctl's table)`
    pub fn days(&self, sources: &[Source]) -> String {
        match sources {
            [] => format!("{} (opsctl's table)", self.date),
            sources => {
                let said = sources.iter().map(|source| format!("{} ({})", source.date, source.words()));
                said.collect::<Vec<_>>().join(" and ")
            }
        }
    }

    /// `None`: unknown, which is not 0.
    pub fn price(&self, item: &Item) -> Option<Money> {
        let key = item.to_string();
        self.listed.get(&key).map(|listed| listed.price).or_else(|| self.of.get(&key).copied())
    }

    /// Every row: the words of its item, and its price.
    pub fn rows(&self) -> impl Iterator<Item = (&str, Money)> {
        self.of.iter().map(|(item, price)| (item.as_str(), *price))
    }
}
