//! AWS's prices: a dated table (`data/build.py` makes it, `data/SOURCES.md` says what of).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use crate::domain::Money;
use crate::domain::usage::{Purpose, Storage};

const DATA: &str = include_str!("data/prices.txt");

/// What has a price. Its words are its key in the table.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// AWS's prices in one region, in US dollars.
#[derive(Clone, Debug)]
pub struct Prices {
    region: String,
    date: String,
    of: BTreeMap<String, Money>,
}

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
        Self {
            region: region.to_owned(),
            date: date.clone(),
            of: rows.get(region).cloned().unwrap_or_default(),
        }
    }

    /// These prices and no others.
    pub fn given<'a>(region: &str, date: &str, of: impl IntoIterator<Item = (&'a str, Money)>) -> Self {
        let of = of.into_iter().map(|(item, price)| (item.to_owned(), price)).collect();
        Self { region: region.to_owned(), date: date.to_owned(), of }
    }

    pub fn region(&self) -> &str {
        &self.region
    }

    /// The day on which they were AWS's.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// `None`: unknown, which is not 0.
    pub fn price(&self, item: &Item) -> Option<Money> {
        self.of.get(&item.to_string()).copied()
    }

    /// Every row: the words of its item, and its price.
    pub fn rows(&self) -> impl Iterator<Item = (&str, Money)> {
        self.of.iter().map(|(item, price)| (item.as_str(), *price))
    }
}
