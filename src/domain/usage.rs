//! What AWS bills of a resource, in AWS's units and without a price. `cost` has the prices.

use super::HumanDuration;

/// What an instance is used for: the same type has a price for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    Hosting,
    Training,
    Notebook,
    Ec2,
}

/// Instances of one type.
#[derive(Clone, Debug, PartialEq)]
pub struct Instances {
    pub purpose: Purpose,
    pub instance_type: String,
    pub count: u64,
}

/// When instances are billed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Runs {
    /// For as long as they are there.
    #[default]
    Always,
    /// While somebody works on them: they stop themselves when nobody does.
    UntilIdle,
    /// Once, until a script ends.
    Once { at_most: HumanDuration, spot: bool },
}

/// What keeps bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Storage {
    /// A disk of an instance of SageMaker.
    MlVolume,
    /// A disk of an EC2 instance (gp3).
    Ebs,
    /// Objects in S3 Standard.
    S3,
}

/// What a resource is billed for. A part has what it adds to its whole ([`Usage::and`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    pub instances: Option<Instances>,
    pub runs: Runs,
    /// Autoscaling keeps the number of instances between these.
    pub scaled: Option<(u64, u64)>,
    /// Bytes that are kept for as long as it is there; those of a job's disks as long as that runs.
    pub stored: Vec<(Storage, u64)>,
    /// Memory of one environment of a function, and its processor.
    pub memory: Option<Memory>,
    /// Environments that are kept initialized.
    pub environments: Option<u64>,
    /// It bills, but AWS did not say how much of what.
    pub unknown: Option<&'static str>,
    /// What is billed by what is done with it, and is therefore in no sum.
    pub by_use: Vec<&'static str>,
    /// It ends what the project bills by the hour, so long after a deploy.
    pub ends_after: Option<HumanDuration>,
}

/// The memory of a function, which Lambda prices by the GB and the processor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    pub mb: u64,
    pub is_arm: bool,
}

impl Usage {
    /// Only what is billed by what is done with it.
    pub fn by_use(what: &'static str) -> Self {
        Self { by_use: vec![what], ..Self::default() }
    }

    /// With what a part of it adds.
    #[must_use]
    pub fn and(mut self, part: Self) -> Self {
        self.stored.extend(part.stored);
        self.by_use.extend(part.by_use);
        Self {
            instances: self.instances.or(part.instances),
            scaled: self.scaled.or(part.scaled),
            memory: self.memory.or(part.memory),
            environments: self.environments.or(part.environments),
            unknown: self.unknown.or(part.unknown),
            ends_after: self.ends_after.or(part.ends_after),
            ..self
        }
    }

    /// Whether it is billed by the hour for being there, as far as anybody knows.
    pub fn runs_by_the_hour(&self) -> bool {
        let instances = self.instances.as_ref().is_some_and(|instances| instances.count > 0);
        instances || self.environments.is_some_and(|n| n > 0) || self.unknown.is_some()
    }

    /// Whether nothing of it is billed.
    pub fn is_free(&self) -> bool {
        *self == Self { ends_after: self.ends_after, ..Self::default() }
    }
}

/// AWS counts from one: what is below is none.
pub fn counted(n: i32) -> u64 {
    u64::try_from(n).unwrap_or_default()
}
