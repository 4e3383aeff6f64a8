//! How many instances the account may have, how many it has, and how many the config begins with.
//!
//! SageMaker's quotas count instances of one type for one use, EC2's the vCPUs of families of types
//! (docs/aws/sagemaker.md#quotas, docs/aws/ec2.md#quotas). What is in use, Service Quotas does not say
//! itself: it names the metric of CloudWatch that does
//! (<https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/API_MetricInfo.html>).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aws_sdk_ec2::types::InstanceType;
use aws_sdk_servicequotas::types::ServiceQuota;
use aws_smithy_types::DateTime;
use futures_util::future::join_all;

use super::Check;
use crate::aws::{Metric, MetricQuery, MetricTime, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Node;
use crate::domain::usage::{Instances, Purpose, Runs};
use crate::domain::{action, console};
use crate::inputs;
use crate::run::Session;

pub(super) const CHECK: &str = "quota";
const SAGEMAKER: &str = "sagemaker";
const EC2: &str = "ec2";

/// Something that a quota counts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    /// Instances, by the name of their quota: `ml.m5.xlarge for training job usage`.
    Instances(String),
    /// vCPUs of On-Demand Instances, by the letters of the family: `t`, `g`, `trn`.
    Vcpus(String),
}

impl Counted {
    fn service(&self) -> &'static str {
        match self {
            Self::Instances(_) => SAGEMAKER,
            Self::Vcpus(_) => EC2,
        }
    }

    /// Whether the quota of this name counts it.
    fn is_of(&self, quota: &str) -> bool {
        match self {
            Self::Instances(name) => name == quota,
            Self::Vcpus(letters) => families(quota).is_some_and(|mut of| of.any(|one| one == *letters)),
        }
    }

    fn unit(&self) -> &'static str {
        match self {
            Self::Instances(_) => "",
            Self::Vcpus(_) => " vCPUs",
        }
    }
}

/// `Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances` → `a`, `c` …; `High Memory` is `u`.
fn families(quota: &str) -> Option<impl Iterator<Item = String>> {
    let words = quota.strip_prefix("Running On-Demand ")?.strip_suffix(" instances")?;
    let words = words.replace("High Memory", "u").to_lowercase();
    let words: Vec<String> = words.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect();
    Some(words.into_iter())
}

/// `g` of `g4dn.xlarge`; of the families whose letters say more, those of the quota: `im4gn` is one of I.
fn letters(instance_type: &str) -> String {
    let letters = instance_type.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
    match letters.as_str() {
        "im" | "is" => "i".to_owned(),
        "gr" => "g".to_owned(),
        _ => letters,
    }
}

/// What some resources need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Need {
    /// All at the same time, as trainings may run.
    together: i64,
    /// The most that one of them needs.
    largest: i64,
}

impl Need {
    fn add(&mut self, count: i64) {
        self.together += count;
        self.largest = self.largest.max(count);
    }
}

/// A quota of the account.
#[derive(Clone, Debug)]
struct Quota {
    name: String,
    code: String,
    value: f64,
    usage: Option<Metric>,
}

impl Quota {
    fn of(quota: &ServiceQuota) -> Option<Self> {
        let metric = quota.usage_metric().and_then(|metric| {
            let dimensions = metric.metric_dimensions()?.iter();
            Some(Metric {
                namespace: metric.metric_namespace()?.to_owned().into(),
                name: metric.metric_name()?.to_owned().into(),
                dimensions: dimensions.map(|(name, value)| (name.clone().into(), value.clone())).collect(),
                statistic: metric.metric_statistic_recommendation().unwrap_or("Maximum").to_owned().into(),
            })
        });
        Some(Self {
            name: quota.quota_name()?.to_owned(),
            code: quota.quota_code()?.to_owned(),
            value: quota.value()?,
            usage: metric,
        })
    }
}

type Needs = BTreeMap<Counted, Need>;
type Quotas = BTreeMap<Counted, Quota>;

/// Whether each quota has room for what the config begins with.
pub(super) async fn instances(session: &Session) -> Vec<Check> {
    let needs = match needs(session, |_| true).await {
        Ok(needs) => needs,
        Err(error) => return vec![Check::unread(CHECK, &error)],
    };
    let (known, problems) = quotas(session, &needs).await;
    let used = in_use(session, &known).await;
    let judge = |(counted, need): (&Counted, &Need)| {
        let quota = known.get(counted);
        let used = used.as_ref().ok().and_then(|used| used.get(counted).copied());
        quota.map(|quota| judge(session, counted, quota, need.together, used)).or_else(|| {
            let home = page(session, counted.service(), "");
            let is_unread = problems.iter().any(|(service, _)| *service == counted.service());
            let Counted::Instances(name) = counted else { return None };
            let unlisted = || {
                Check::unknown(CHECK, format!("AWS lists no quota `{name}`"), format!("look for it: {home}"))
            };
            (!is_unread).then(unlisted)
        })
    };
    let mut checks: Vec<Check> = needs.iter().filter_map(judge).collect();
    checks.extend(problems.iter().map(|(_, error)| Check::unread(CHECK, error)));
    checks
}

/// The quotas below what one of these resources needs: it cannot be as the config says.
pub(super) async fn too_small(session: &Session, is_meant: impl Fn(&Node) -> bool) -> Vec<Check> {
    let Ok(needs) = needs(session, is_meant).await else { return Vec::new() };
    let (known, _) = quotas(session, &needs).await;
    let of = |(counted, need): (&Counted, &Need)| {
        let quota = known.get(counted).filter(|quota| quota.value < need.largest as f64)?;
        Some(judge(session, counted, quota, need.largest, None))
    };
    needs.iter().filter_map(of).collect()
}

/// Where to ask for more: the page of the quotas of a service, and of one of them.
pub(super) fn page(session: &Session, service: &str, code: &str) -> String {
    match console::quotas(service, &session.context.scope.region) {
        Some(page) if code.is_empty() => page,
        Some(page) => format!("{page}/{code}"),
        None => format!("the quotas of {service} in the console"),
    }
}

fn judge(session: &Session, counted: &Counted, quota: &Quota, count: i64, used: Option<f64>) -> Check {
    let Quota { name, code, value, .. } = quota;
    let unit = counted.unit();
    let more = format!("ask for more: {}", page(session, counted.service(), code));
    let wanted = count as f64;
    if *value < wanted {
        let message = format!("{name}: the config needs {count}{unit}, the account may have {value}");
        return Check::fails(CHECK, message, more);
    }
    let text = format!("{name}: {count} of {value}{unit}");
    match used {
        None => Check::ok(CHECK, format!("{text}; what is in use is not known")),
        // The project's own may be among them.
        Some(used) if used + wanted > *value => {
            let message = format!("{text}, and {used} in use, of this project or of others");
            Check::unknown(
                CHECK,
                message,
                format!("stop what is not needed (`opsctl status` shows this project's), or {more}"),
            )
        }
        Some(used) => Check::ok(CHECK, format!("{text}, {used} in use")),
    }
}

/// For what SageMaker's quotas count instances, as their names have it. `None`: EC2 counts them.
fn use_of_sagemaker(purpose: Purpose, runs: Runs) -> Option<&'static str> {
    Some(match (purpose, runs) {
        (Purpose::Hosting, _) => "endpoint usage",
        (Purpose::Training, Runs::Once { spot: true, .. }) => "spot training job usage",
        (Purpose::Training, _) => "training job usage",
        (Purpose::Notebook, _) => "notebook instance usage",
        (Purpose::Ec2, _) => return None,
    })
}

/// What these resources need.
async fn needs(session: &Session, is_meant: impl Fn(&Node) -> bool) -> OpResult<Needs> {
    let mut needs = Needs::new();
    let mut on_ec2: BTreeMap<String, Need> = BTreeMap::new();
    for node in session.desired.nodes.iter().filter(|node| is_meant(node)) {
        let usage = node.spec.usage();
        let Some(Instances { purpose, instance_type, count }) = usage.instances else { continue };
        let need = match use_of_sagemaker(purpose, usage.runs) {
            Some(name) => {
                let quota = Counted::Instances(format!("{instance_type} for {name}"));
                needs.entry(quota).or_default()
            }
            None => on_ec2.entry(instance_type).or_default(),
        };
        need.add(i64::try_from(count).unwrap_or(i64::MAX));
    }
    if on_ec2.is_empty() {
        return Ok(needs);
    }
    let types = on_ec2.keys().map(|name| InstanceType::from(name.as_str())).collect();
    let call = session.context.aws.ec2.describe_instance_types().set_instance_types(Some(types));
    for found in call.send().await.op(action::ec2::DescribeInstanceTypes)?.instance_types() {
        let vcpus = found.v_cpu_info().and_then(|info| info.default_v_cpus());
        let (Some(name), Some(vcpus)) = (found.instance_type(), vcpus) else { continue };
        let Some(instances) = on_ec2.get(name.as_str()) else { continue };
        let need = needs.entry(Counted::Vcpus(letters(name.as_str()))).or_default();
        need.together += instances.together * i64::from(vcpus);
        need.largest = need.largest.max(i64::from(vcpus));
    }
    Ok(needs)
}

/// The codes of quotas by name, which are the same in every account and region: looked up in a list of a
/// thousand once, and kept with what can be made again.
struct Codes {
    file: PathBuf,
    known: BTreeMap<String, BTreeMap<String, String>>,
}

impl Codes {
    fn read(cache: &Path) -> Self {
        let file = cache.join("quotas.json");
        let known = std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { file, known: known.unwrap_or_default() }
    }

    fn of(&self, counted: &Counted) -> Option<&str> {
        let names = self.known.get(counted.service())?;
        names.iter().find(|(name, _)| counted.is_of(name)).map(|(_, code)| code.as_str())
    }

    fn keep(&mut self, found: &Quotas) {
        for (counted, quota) in found {
            let names = self.known.entry(counted.service().to_owned()).or_default();
            names.insert(quota.name.clone(), quota.code.clone());
        }
        let folder = self.file.parent().map_or(Ok(()), std::fs::create_dir_all);
        if folder.and_then(|()| inputs::replace_json(&self.file, &self.known)).is_err() {
            tracing::debug!(file = %self.file.display(), "the codes of quotas could not be kept");
        }
    }
}

type Problem = (&'static str, crate::aws::OpError);

/// The quotas that count this, by their codes where those are known, else from AWS's lists. What could not be
/// read is not in it.
async fn quotas(session: &Session, needs: &Needs) -> (Quotas, Vec<Problem>) {
    let mut codes = Codes::read(&session.context.cache);
    let coded = needs.keys().filter_map(|counted| Some((counted, codes.of(counted)?.to_owned())));
    let asked = coded.map(async |(counted, code)| {
        let quota = by_code(session, counted.service(), &code).await.ok().flatten()?;
        counted.is_of(&quota.name).then(|| (counted.clone(), quota))
    });
    let mut known: Quotas = join_all(asked).await.into_iter().flatten().collect();
    let missing: BTreeSet<&Counted> = needs.keys().filter(|counted| !known.contains_key(*counted)).collect();
    let services: BTreeSet<&'static str> = missing.iter().map(|counted| counted.service()).collect();
    let listed = services.into_iter().map(async |service| {
        let of_service = missing.iter().filter(|counted| counted.service() == service);
        let missing: Vec<&Counted> = of_service.copied().collect();
        (service, from_lists(session, service, &missing).await)
    });
    let (mut problems, mut found) = (Vec::new(), Quotas::new());
    for (service, listed) in join_all(listed).await {
        match listed {
            Ok(more) => found.extend(more),
            Err(error) => problems.push((service, error)),
        }
    }
    if !found.is_empty() {
        codes.keep(&found);
    }
    known.extend(found);
    (known, problems)
}

/// What was applied to the account, else AWS's default.
async fn by_code(session: &Session, service: &str, code: &str) -> OpResult<Option<Quota>> {
    let client = &session.context.aws.quotas;
    let applied = client.get_service_quota().service_code(service).quota_code(code).send().await;
    if let Some(found) = applied.op(action::servicequotas::GetServiceQuota).found()? {
        return Ok(found.quota().and_then(Quota::of));
    }
    let default = client.get_aws_default_service_quota().service_code(service).quota_code(code).send().await;
    let default = default.op(action::servicequotas::GetAWSDefaultServiceQuota).found()?;
    Ok(default.and_then(|found| found.quota().and_then(Quota::of)))
}

/// Those that AWS lists: what was applied to the account, else the default.
async fn from_lists(session: &Session, service: &str, wanted: &[&Counted]) -> OpResult<Quotas> {
    let client = &session.context.aws.quotas;
    let mut known = Quotas::new();
    let mut pages =
        client.list_service_quotas().service_code(service).max_results(100).into_paginator().send();
    while let Some(page) = pages.next().await {
        note(page.op(action::servicequotas::ListServiceQuotas)?.quotas(), wanted, &mut known);
        if known.len() == wanted.len() {
            return Ok(known);
        }
    }
    let defaults = client.list_aws_default_service_quotas().service_code(service).max_results(100);
    let mut pages = defaults.into_paginator().send();
    while let Some(page) = pages.next().await {
        note(page.op(action::servicequotas::ListAWSDefaultServiceQuotas)?.quotas(), wanted, &mut known);
    }
    Ok(known)
}

fn note(listed: &[ServiceQuota], wanted: &[&Counted], known: &mut Quotas) {
    for quota in listed.iter().filter_map(Quota::of) {
        for counted in wanted.iter().filter(|counted| counted.is_of(&quota.name)) {
            known.entry((*counted).clone()).or_insert_with(|| quota.clone());
        }
    }
}

/// What the account has in use now, by one call. AWS publishes no points where nothing is in use.
async fn in_use(session: &Session, known: &Quotas) -> OpResult<BTreeMap<Counted, f64>> {
    /// SageMaker publishes every five minutes; what is not there yet, others have published.
    const PERIOD: i64 = 300;
    const PERIODS: i64 = 6;
    let measured = known.iter().filter_map(|(counted, quota)| Some((counted, quota.usage.clone()?)));
    let (counted, metrics): (Vec<_>, Vec<_>) = measured.unzip();
    if metrics.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = DateTime::from(SystemTime::now()).secs();
    let now = now - now % PERIOD;
    let time = MetricTime::up_to(now, now - PERIODS * PERIOD, PERIOD, session.is_aws());
    let read = session.context.aws.cloudwatch.read(&MetricQuery { metrics, time, page: None }).await?;
    let last = read.series.into_iter().map(|series| series.last().map_or(0.0, |(_, value)| *value));
    Ok(counted.into_iter().cloned().zip(last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::HumanDuration;

    #[test]
    fn a_quota_of_sagemaker_counts_one_use_of_a_type() {
        let once = |spot| Runs::Once { at_most: HumanDuration::minutes(1), spot };
        for (purpose, runs, name) in [
            (Purpose::Hosting, Runs::Always, Some("endpoint usage")),
            (Purpose::Training, once(false), Some("training job usage")),
            (Purpose::Training, once(true), Some("spot training job usage")),
            (Purpose::Notebook, Runs::UntilIdle, Some("notebook instance usage")),
            (Purpose::Ec2, once(false), None),
        ] {
            assert_eq!(use_of_sagemaker(purpose, runs), name);
        }
    }

    #[test]
    fn a_quota_of_ec2_counts_the_families_in_its_name() {
        let standard = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances";
        for (instance_type, quota) in [
            ("t2.xlarge", standard),
            ("m5.large", standard),
            ("im4gn.large", standard),
            ("g4dn.xlarge", "Running On-Demand G and VT instances"),
            ("gr6.4xlarge", "Running On-Demand G and VT instances"),
            ("vt1.3xlarge", "Running On-Demand G and VT instances"),
            ("p4d.24xlarge", "Running On-Demand P instances"),
            ("trn1.2xlarge", "Running On-Demand Trn instances"),
            ("inf2.xlarge", "Running On-Demand Inf instances"),
            ("u-6tb1.metal", "Running On-Demand High Memory instances"),
        ] {
            let counted = Counted::Vcpus(letters(instance_type));
            assert!(counted.is_of(quota), "{instance_type}");
            assert!(!counted.is_of("All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests"));
            assert!(quota == standard || !counted.is_of(standard), "{instance_type}");
        }
    }
}
