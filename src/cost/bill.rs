//! From what is billed and its prices to sums.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{Item, Prices};
use crate::domain::usage::{Instances, Runs};
use crate::domain::{HumanDuration, Money, ResourceId, Usage, many};

/// As AWS's own calculator counts (365 × 24 / 12).
pub const HOURS_A_MONTH: u64 = 730;

/// What is billed for standing there: some of it by the hour, some by the month, some until a job ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rate {
    hourly: Money,
    monthly: Money,
    /// An hour of the jobs that run.
    running: Money,
    /// All of them, when each is stopped for taking too long.
    runs: Money,
}

impl Rate {
    /// Nothing.
    pub const ZERO: Self =
        Self { hourly: Money::ZERO, monthly: Money::ZERO, running: Money::ZERO, runs: Money::ZERO };

    /// Billed by the hour.
    pub fn hourly(price: Money) -> Self {
        Self { hourly: price, ..Self::ZERO }
    }

    /// Billed by the month.
    pub fn monthly(price: Money) -> Self {
        Self { monthly: price, ..Self::ZERO }
    }

    /// Of a job while it runs. It does so once, so a month has no more of it.
    pub fn run(run: &Run) -> Self {
        Self { running: run.per_hour, runs: run.highest_price(), ..Self::ZERO }
    }

    /// An hour of it.
    pub fn per_hour(self) -> Money {
        self.hourly + self.running + self.monthly.part(1, HOURS_A_MONTH)
    }

    /// A month of it, as AWS counts: 730 hours.
    pub fn per_month(self) -> Money {
        self.hourly * HOURS_A_MONTH + self.monthly + self.runs
    }

    /// Whether it costs nothing.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }

    /// Whether some of it is billed by the hour, and not only what is stored.
    pub fn runs(self) -> bool {
        !self.hourly.is_zero() || !self.running.is_zero()
    }
}

impl std::ops::Add for Rate {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            hourly: self.hourly + other.hourly,
            monthly: self.monthly + other.monthly,
            running: self.running + other.running,
            runs: self.runs + other.runs,
        }
    }
}

impl std::iter::Sum for Rate {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, std::ops::Add::add)
    }
}

/// `{"hour": 0.23, "month": 167.9}`
impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            hour: Money,
            month: Money,
        }
        Shown { hour: self.per_hour(), month: self.per_month() }.serialize(s)
    }
}

/// What one run of a job costs. Jobs are billed by the second.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// All its instances and their disks.
    pub per_hour: Money,
    /// How long the last one took.
    pub usual: Option<HumanDuration>,
    /// It is stopped after that long.
    pub at_most: HumanDuration,
    /// Spot instances cost less than that, and nobody knows in advance how much less.
    pub spot: bool,
}

impl Run {
    /// What one costs that takes so long.
    pub fn lasting(&self, time: HumanDuration) -> Money {
        self.per_hour.part(time.as_secs(), 3_600)
    }

    /// What one costs that takes as long as the last.
    pub fn usual_price(&self) -> Option<Money> {
        self.usual.map(|usual| self.lasting(usual))
    }

    /// What one costs that is stopped for taking too long.
    pub fn highest_price(&self) -> Money {
        self.lasting(self.at_most)
    }
}

/// What one resource costs, with its parts.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub id: ResourceId,
    /// `2 × ml.m5.large`
    pub what: String,
    /// With what runs now; of what is planned, with what it starts with.
    pub now: Rate,
    /// When nobody uses it.
    pub idle: Rate,
    /// When all of it runs, as far as it may scale.
    pub most: Rate,
    /// Of a job.
    pub run: Option<Run>,
    /// What is not known, such as a price. It is in no sum.
    pub unknown: Vec<String>,
    /// What is billed by what is done with it. It is in no sum.
    pub by_use: Vec<&'static str>,
    /// What its prices are of.
    pub items: BTreeSet<Item>,
    /// The command that ends it, between backticks: whoever shows it puts the global options in.
    pub ended_by: String,
}

impl Estimate {
    /// `usual`: how long the last run took.
    pub fn of(
        id: ResourceId,
        usage: &Usage,
        usual: Option<HumanDuration>,
        prices: &Prices,
        ended_by: String,
    ) -> Self {
        let (now, idle, most) = (Rate::ZERO, Rate::ZERO, Rate::ZERO);
        let unknown = usage.unknown.iter().map(|what| (*what).to_owned()).collect();
        let what = what(usage);
        let by_use = usage.by_use.clone();
        let mut estimate =
            Self { id, what, now, idle, most, run: None, unknown, by_use, items: BTreeSet::new(), ended_by };
        let stored: Money = usage
            .stored
            .iter()
            .map(|(storage, bytes)| {
                let price = estimate.price(&Item::Stored(*storage), *bytes > 0, prices);
                price.part(*bytes, 1 << 30)
            })
            .sum();
        let hour = usage.instances.as_ref().map(|instances| {
            let item = Item::Instance(instances.purpose, instances.instance_type.clone());
            (estimate.price(&item, true, prices), instances.count)
        });
        match (usage.runs, hour) {
            (Runs::Once { at_most, spot }, Some((price, count))) => {
                let per_hour = price * count + stored.part(1, HOURS_A_MONTH);
                let run = Run { per_hour, usual, at_most, spot };
                (estimate.now, estimate.most) = (Rate::run(&run), Rate::run(&run));
                estimate.run = Some(run);
                return estimate;
            }
            (Runs::UntilIdle, Some((price, count))) => {
                estimate.now = Rate::hourly(price * count);
                estimate.most = Rate::hourly(price * count.max(1));
            }
            (_, Some((price, count))) => {
                let (min, max) = usage.scaled.unwrap_or((count, count));
                estimate.now = Rate::hourly(price * count);
                estimate.idle = Rate::hourly(price * min);
                estimate.most = Rate::hourly(price * max);
            }
            (_, None) => {}
        }
        let mut always = Rate::monthly(stored);
        if let (Some(memory), Some(environments)) = (usage.memory, usage.environments) {
            let item = Item::Provisioned { is_arm: memory.is_arm };
            let second = estimate.price(&item, environments > 0, prices);
            always = always + Rate::hourly((second * environments * 3_600).part(memory.mb, 1_024));
        }
        estimate.now = estimate.now + always;
        estimate.idle = estimate.idle + always;
        estimate.most = estimate.most + always;
        estimate
    }

    /// Of what AWS was asked about in vain.
    pub fn unread(id: ResourceId) -> Self {
        let unknown = vec![format!("what {id} costs (it could not be read)")];
        Self {
            id,
            what: String::new(),
            now: Rate::ZERO,
            idle: Rate::ZERO,
            most: Rate::ZERO,
            run: None,
            unknown,
            by_use: Vec::new(),
            items: BTreeSet::new(),
            ended_by: String::new(),
        }
    }

    /// The price of what is used; what has none is noted.
    fn price(&mut self, item: &Item, is_used: bool, prices: &Prices) -> Money {
        let price = prices.price(item);
        if price.is_some() && is_used {
            self.items.insert(item.clone());
        }
        if price.is_none() && is_used {
            self.unknown.push(format!("price of {}", item.words()));
        }
        price.unwrap_or_default()
    }
}

fn what(usage: &Usage) -> String {
    let instances =
        usage.instances.as_ref().map(|Instances { instance_type, count, .. }| match usage.scaled {
            Some((min, max)) if min != max => format!("{instance_type}, {min}–{}", many(max, "instance")),
            Some((min, _)) => format!("{min} × {instance_type}"),
            None => format!("{count} × {instance_type}"),
        });
    let environments = usage.environments.zip(usage.memory);
    let environments = environments.map(|(n, memory)| format!("{n} × {} MB initialized", memory.mb));
    [instances, environments].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What several resources cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bill(pub Vec<Estimate>);

impl Bill {
    /// As it runs now.
    pub fn now(&self) -> Rate {
        self.0.iter().map(|estimate| estimate.now).sum()
    }

    /// When nobody uses it.
    pub fn idle(&self) -> Rate {
        self.0.iter().map(|estimate| estimate.idle).sum()
    }

    /// With everything at its maximum.
    pub fn most(&self) -> Rate {
        self.0.iter().map(|estimate| estimate.most).sum()
    }

    /// What is not known, each once.
    pub fn unknown(&self) -> Vec<&str> {
        let mut all: Vec<&str> =
            self.0.iter().flat_map(|estimate| &estimate.unknown).map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What the prices are of that it is made with.
    pub fn items(&self) -> BTreeSet<&Item> {
        self.0.iter().flat_map(|estimate| &estimate.items).collect()
    }

    /// What is billed by use, each once.
    pub fn by_use(&self) -> Vec<&'static str> {
        let mut all: Vec<&str> = self.0.iter().flat_map(|estimate| &estimate.by_use).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What this resource costs, if it is in it.
    pub fn of(&self, id: &ResourceId) -> Option<&Estimate> {
        self.0.iter().find(|estimate| estimate.id == *id)
    }

    /// Whether nothing of it bills, is billed by use, or has an unknown price.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
