//! Service Quotas: AWS's defaults, and what this account has of them.
//!
//! A fresh account has 0 instances for most SageMaker uses (docs/aws/sagemaker.md#quotas), with which nothing
//! could be tried. So the sandbox's account was granted some, unless told otherwise: `POST /_sandbox/quotas`
//! takes `{"account": "fresh"}`, `{"account": "granted"}`, or values by code, `{"L-614B09FD": 2}`.

use serde_json::{Map, Value, json};

use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::paging::Page;
use crate::protocol::json11::Api;
use crate::state::SandboxState;
use crate::store::merge;

/// The operations.
pub const API: Api = Api {
    name: "servicequotas",
    signing_name: "servicequotas",
    target: "ServiceQuotasV20190624",
    invalid: "IllegalArgumentException",
    faults: FaultCodes { throttle: (429, "TooManyRequestsException"), internal: (500, "ServiceException") },
    operations: &[
        op("GetServiceQuota", &[], |call| get(call, Quota::applied)),
        op("GetAWSDefaultServiceQuota", &[], |call| get(call, Quota::default)),
        op("ListServiceQuotas", &[], |call| list(call, Quota::applied)),
        op("ListAWSDefaultServiceQuotas", &[], |call| list(call, Quota::default)),
        op("ListServices", &[], list_services),
    ],
};

/// What SageMaker counts instances for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Endpoint,
    Training,
    SpotTraining,
    Notebook,
    Processing,
}

impl Use {
    const ALL: [Self; 5] =
        [Self::Endpoint, Self::Training, Self::SpotTraining, Self::Notebook, Self::Processing];

    const fn words(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint usage",
            Self::Training => "training job usage",
            Self::SpotTraining => "spot training job usage",
            Self::Notebook => "notebook instance usage",
            Self::Processing => "processing job usage",
        }
    }

    /// As its metric names it.
    const fn resource(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Training => "training-job",
            Self::SpotTraining => "spot-training-job",
            Self::Notebook => "notebook-instance",
            Self::Processing => "processing-job",
        }
    }
}

/// Defaults by instance type, in the order of [`Use::ALL`]: docs/aws/sagemaker.md#quotas. `None`: not offered
/// for this.
type Row = (&'static str, [Option<u16>; 5]);
const SAGEMAKER: &[Row] = &[
    ("ml.m5.large", [Some(0), Some(0), Some(4), None, Some(0)]),
    ("ml.m5.xlarge", [Some(0), Some(0), Some(4), Some(1), Some(0)]),
    ("ml.m5.2xlarge", [Some(0), Some(0), Some(4), Some(1), Some(0)]),
    ("ml.m4.xlarge", [Some(0), Some(0), Some(4), Some(0), Some(0)]),
    ("ml.t3.xlarge", [None, Some(0), Some(0), Some(6), Some(2)]),
    ("ml.g5.xlarge", [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    ("ml.g6.xlarge", [Some(0), Some(0), Some(0), Some(0), Some(0)]),
    ("ml.t2.medium", [Some(2), None, None, None, None]),
    ("ml.m6g.large", [Some(2), None, None, None, None]),
    ("ml.m6g.xlarge", [Some(1), None, None, None, None]),
];

/// The codes that are known (docs/aws/sagemaker.md#quotas). For the others the sandbox makes up codes: find
/// them by name.
const CODES: &[(&str, &str)] = &[
    ("ml.m5.large for endpoint usage", "L-614B09FD"),
    ("ml.m5.large for training job usage", "L-611FA074"),
    ("ml.m5.large for spot training job usage", "L-29688C85"),
    ("ml.m5.xlarge for endpoint usage", "L-2F737F8D"),
    ("ml.m5.xlarge for training job usage", "L-CCE2AFA6"),
    ("ml.m5.xlarge for spot training job usage", "L-4CEE6BA6"),
    ("ml.t3.xlarge for training job usage", "L-823DAB46"),
    ("ml.t3.xlarge for notebook instance usage", "L-E5884D25"),
];

/// Quotas of other services that the sandbox enforces or shows: service, code, name, default, granted, and
/// the class of its metric.
type Other = (&'static str, &'static str, &'static str, f64, f64, &'static str);
const STANDARD: &str = "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances";
const OTHERS: &[Other] = &[
    ("ec2", "L-1216C47A", STANDARD, 5.0, 32.0, "Standard/OnDemand"),
    ("ec2", "L-DB2E81BA", "Running On-Demand G and VT instances", 0.0, 0.0, "G/OnDemand"),
    ("ec2", "L-417A185B", "Running On-Demand P instances", 0.0, 0.0, "P/OnDemand"),
    ("lambda", "L-B99A9384", "Concurrent executions", 1_000.0, 1_000.0, ""),
];

/// Instances that the sandbox's account was granted for each use of each type that AWS offers.
const GRANTED: f64 = 20.0;

/// Values that were set, by quota code, and the kind of account.
const TABLE: &str = "servicequotas.account";
const ACCOUNT: &str = "account";

#[derive(Clone, Debug)]
struct Quota {
    service: &'static str,
    code: String,
    name: String,
    fresh: f64,
    granted: f64,
}

impl Quota {
    fn of_sagemaker(instance_type: &str, usage: Use, fresh: u16) -> Self {
        let name = format!("{instance_type} for {}", usage.words());
        let known = CODES.iter().find(|(known, _)| *known == name);
        let made_up = || format!("L-{}", blake3::hash(name.as_bytes()).to_hex()[..8].to_uppercase());
        let code = known.map_or_else(made_up, |(_, code)| (*code).to_owned());
        let fresh = f64::from(fresh);
        Self { service: "sagemaker", code, name, fresh, granted: fresh.max(GRANTED) }
    }

    fn all() -> impl Iterator<Item = Self> {
        let of_sagemaker = SAGEMAKER.iter().flat_map(|(instance_type, defaults)| {
            let offered = Use::ALL.into_iter().zip(defaults);
            offered.filter_map(|(usage, fresh)| Some(Self::of_sagemaker(instance_type, usage, (*fresh)?)))
        });
        let others = OTHERS.iter().map(|(service, code, name, fresh, granted, _)| Self {
            service,
            code: (*code).to_owned(),
            name: (*name).to_owned(),
            fresh: *fresh,
            granted: *granted,
        });
        of_sagemaker.chain(others)
    }

    fn default(&self, _: &SandboxState) -> f64 {
        self.fresh
    }

    fn applied(&self, shared: &SandboxState) -> f64 {
        let settings = settings(shared);
        let is_fresh = settings[ACCOUNT] == "fresh";
        settings[&self.code].as_f64().unwrap_or(if is_fresh { self.fresh } else { self.granted })
    }

    fn shown(&self, call: &Call, value: f64) -> Value {
        json!({
            "ServiceCode": self.service,
            "ServiceName": service_name(self.service),
            "QuotaArn": call.arn(&format!("{}/{}", self.service, self.code)),
            "QuotaCode": self.code,
            "QuotaName": self.name,
            "Value": value,
            "Unit": "None",
            "Adjustable": true,
            "GlobalQuota": false,
            "QuotaAppliedAtLevel": "ACCOUNT",
            "UsageMetric": self.metric().map(|(service, resource, class)| json!({
                "MetricNamespace": USAGE,
                "MetricName": RESOURCES,
                "MetricDimensions": {
                    "Type": "Resource", "Service": service, "Resource": resource, "Class": class,
                },
                "MetricStatisticRecommendation": "Maximum",
            })),
        })
    }

    /// Service, resource and class of the metric of what is in use.
    fn metric(&self) -> Option<(&'static str, String, &'static str)> {
        match self.service {
            "sagemaker" => {
                let (instance_type, usage) = self.name.split_once(" for ")?;
                let usage = Use::ALL.into_iter().find(|known| known.words() == usage)?;
                Some(("SageMaker", format!("{}/{instance_type}", usage.resource()), "None"))
            }
            "ec2" => {
                let class = OTHERS.iter().find(|(_, code, ..)| *code == self.code)?.5;
                Some(("EC2", "vCPU".to_owned(), class))
            }
            _ => None,
        }
    }
}

/// The namespace and the name of the metrics of what is in use
/// (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-Service-Quota-Integration.html>).
const USAGE: &str = "AWS/Usage";
const RESOURCES: &str = "ResourceCount";

/// What a metric counts of what is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Counted {
    /// vCPUs of the running instances of EC2 that the quota of this code counts.
    Vcpus(String),
    /// Instances of SageMaker.
    Instances { instance_type: String, usage: Use },
}

/// What the metric of a quota counts; `None`: there is no such metric.
pub fn counted(namespace: &str, metric: &str, dimensions: &[(&str, String)]) -> Option<Counted> {
    let of =
        |name: &str| dimensions.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
    if (namespace, metric, of("Type")) != (USAGE, RESOURCES, Some("Resource")) {
        return None;
    }
    let wanted = (of("Service")?, of("Resource")?.to_owned(), of("Class")?);
    let quota = Quota::all().find(|quota| quota.metric().as_ref() == Some(&wanted))?;
    if quota.service == "ec2" {
        return Some(Counted::Vcpus(quota.code));
    }
    let (instance_type, usage) = quota.name.split_once(" for ")?;
    let usage = Use::ALL.into_iter().find(|known| known.words() == usage)?;
    Some(Counted::Instances { instance_type: instance_type.to_owned(), usage })
}

fn settings(shared: &SandboxState) -> Value {
    shared.global(TABLE).get(ACCOUNT).unwrap_or_else(|| Value::Object(Map::new()))
}

/// What this account has of a quota, by its code. `None`: the sandbox does not have this quota.
pub fn applied(shared: &SandboxState, service: &str, code: &str) -> Option<f64> {
    Quota::all()
        .find(|quota| quota.service == service && quota.code == code)
        .map(|quota| quota.applied(shared))
}

/// The quota of instances of a type (`ml.m5.large`) for a use: its name, and how many this account may have.
/// What docs/aws/sagemaker.md#quotas does not list, a fresh account has none of.
pub fn instances(shared: &SandboxState, instance_type: &str, usage: Use) -> (String, f64) {
    let unlisted = Quota::of_sagemaker(instance_type, usage, 0);
    let quota = Quota::all().find(|quota| quota.name == unlisted.name).unwrap_or(unlisted);
    let applied = quota.applied(shared);
    (quota.name, applied)
}

/// `POST /_sandbox/quotas`: sets values by code, or what kind of account it is; answers with all settings.
///
/// # Errors
/// 400 for an unknown quota, a negative value, or another kind of account.
pub(crate) fn post(shared: &SandboxState, posted: Value) -> Answer {
    let bad = |message: &str| Fault::new(400, "BadRequest", message);
    let wanted = posted.as_object().ok_or_else(|| bad("an object is wanted"))?;
    for (name, value) in wanted {
        let right = if name == ACCOUNT {
            value == "fresh" || value == "granted"
        } else {
            Quota::all().any(|quota| quota.code == *name) && value.as_f64().is_some_and(|value| value >= 0.0)
        };
        if !right {
            return Err(bad(&format!("no quota or value: {name}")));
        }
    }
    let mut settings = settings(shared);
    merge(&mut settings, posted);
    shared.global(TABLE).put(ACCOUNT, settings.clone())?;
    Ok(settings)
}

fn service_name(code: &str) -> &'static str {
    match code {
        "ec2" => "Amazon Elastic Compute Cloud (Amazon EC2)",
        "lambda" => "AWS Lambda",
        _ => "Amazon SageMaker",
    }
}

fn missing() -> Fault {
    Fault::new(
        400,
        "NoSuchResourceException",
        "The request failed because the specified service or quota does not exist.",
    )
}

fn get(call: &Call, value: fn(&Quota, &SandboxState) -> f64) -> Answer {
    let (service, code) = (call.text("ServiceCode"), call.text("QuotaCode"));
    let quota =
        Quota::all().find(|quota| quota.service == service && quota.code == code).ok_or_else(missing)?;
    Ok(json!({"Quota": quota.shown(call, value(&quota, &call.shared))}))
}

fn page<T>(call: &Call, items: Vec<(String, T)>) -> Result<Page<T>, Fault> {
    let size = call.number("MaxResults").and_then(|size| usize::try_from(size).ok()).unwrap_or(100);
    let refuse = || Fault::new(400, "InvalidPaginationTokenException", "Invalid token was provided.");
    call.page(items, "NextToken", size).ok_or_else(refuse)
}

fn list(call: &Call, value: fn(&Quota, &SandboxState) -> f64) -> Answer {
    let service = call.text("ServiceCode");
    let of_service = Quota::all().filter(|quota| quota.service == service);
    let found: Vec<_> = of_service
        .map(|quota| (quota.code.clone(), quota.shown(call, value(&quota, &call.shared))))
        .collect();
    if found.is_empty() {
        return Err(missing());
    }
    let page = page(call, found)?;
    Ok(json!({"Quotas": page.items, "NextToken": page.next}))
}

fn list_services(call: &Call) -> Answer {
    let all = ["ec2", "lambda", "sagemaker"];
    let shown =
        all.map(|code| (code.to_owned(), json!({"ServiceCode": code, "ServiceName": service_name(code)})));
    let page = page(call, shown.into())?;
    Ok(json!({"Services": page.items, "NextToken": page.next}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_known_ones_belong_to_a_row() {
        let all: Vec<Quota> = Quota::all().collect();
        let codes: std::collections::BTreeSet<_> = all.iter().map(|quota| &quota.code).collect();
        assert_eq!(codes.len(), all.len());
        for (name, code) in CODES {
            assert!(all.iter().any(|quota| quota.name == *name && quota.code == *code), "{name}");
        }
    }
}
