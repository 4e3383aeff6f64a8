//! A function's configuration: what a caller may set, AWS's limits for it (docs/aws/lambda.md), its defaults.

use serde_json::{Map, Value, json};

use super::code::Package;
use super::region::{LATEST, LambdaRegion, Target, invalid};
use super::role;
use crate::call::Call;
use crate::clock::iso8601;
use crate::fault::Fault;
use crate::rules::AwsRule;

/// Members of the input that become members of the configuration as they are.
const SETTINGS: &[&str] = &[
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "KMSKeyArn",
    "LoggingConfig",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
];

/// What would change how the function runs, and cannot be done here.
const UNSUPPORTED: &[(&str, &str)] = &[
    ("CapacityProviderConfig", "functions on managed instances"),
    ("DeadLetterConfig", "dead letter queues"),
    ("DurableConfig", "durable functions"),
    ("FileSystemConfigs", "file systems"),
    ("ImageConfig", "container images"),
    ("SnapStart", "SnapStart"),
    ("TenancyConfig", "tenant isolation"),
];

struct Runtime {
    id: &'static str,
    /// From these days on it cannot be created, and not be updated, any more; empty when nobody knows yet.
    create_blocked: &'static str,
    update_blocked: &'static str,
}

const fn runtime(id: &'static str, create_blocked: &'static str, update_blocked: &'static str) -> Runtime {
    Runtime { id, create_blocked, update_blocked }
}

/// Only Python can run here; the others are known, so that their functions can at least be managed.
const RUNTIMES: &[Runtime] = &[
    runtime("python3.14", "2029-07-31", "2029-08-31"),
    runtime("python3.13", "2029-07-31", "2029-08-31"),
    runtime("python3.12", "2028-11-30", "2029-01-10"),
    runtime("python3.11", "2027-07-31", "2027-08-31"),
    runtime("python3.10", "2027-02-01", "2027-03-03"),
    runtime("python3.9", "2026-01-15", "2026-02-15"),
    runtime("python3.8", "2025-01-01", "2025-01-01"),
    runtime("python3.7", "2024-01-01", "2024-01-01"),
    runtime("nodejs24.x", "", ""),
    runtime("nodejs22.x", "", ""),
    runtime("java25", "", ""),
    runtime("java21", "", ""),
    runtime("java17", "", ""),
    runtime("dotnet10", "", ""),
    runtime("dotnet8", "", ""),
    runtime("ruby3.4", "", ""),
    runtime("ruby3.3", "", ""),
    runtime("provided.al2023", "", ""),
    runtime("provided.al2", "", ""),
];

/// Lambda's own variables, which a function's environment cannot set
/// (docs/aws/lambda.md#environment-variables).
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// All variables of a function, names and values, as JSON.
const LARGEST_ENVIRONMENT: usize = 4 << 10;

/// The members that a call sets, checked.
pub(super) fn given(call: &Call) -> Result<Map<String, Value>, Fault> {
    for (member, what) in UNSUPPORTED {
        if !says_nothing(&call.input[member]) {
            let message = format!(
                "the sandbox does not implement {what} ({member}); see https://github.com/opsctl/opsctl/blob/main/docs/sandbox.md"
            );
            return Err(Fault::new(501, "NotImplemented", message));
        }
    }
    if call.maybe("PackageType").is_some_and(|package| package != "Zip") {
        return Err(Fault::new(501, "NotImplemented", "the sandbox runs functions of PackageType Zip only"));
    }
    at_most(call, "MemorySize", 10_240)?;
    at_most(call, "Timeout", 900)?;
    if let Some(id) = call.maybe("Runtime") {
        check_runtime(call, id)?;
    }
    check_environment(call)?;
    if let Some(role) = call.maybe("Role") {
        role::check(call, role)?;
    }
    let set = |name: &&str| Some(((*name).to_owned(), call.input.get(*name)?.clone()));
    let mut given: Map<String, Value> = SETTINGS.iter().filter_map(set).collect();
    given.retain(|_, value| !value.is_null());
    if let Some(logging) = given.get_mut("LoggingConfig") {
        let defaults = logging_config(&Target::of(call)?.name);
        let missing = defaults.as_object().into_iter().flatten();
        for (name, value) in missing.filter(|(name, _)| call.input["LoggingConfig"].get(name).is_none()) {
            logging[name] = value.clone();
        }
    }
    Ok(given)
}

/// The configuration of a new function: Pending, as AWS shows it first (docs/aws/lambda.md#states).
pub(super) fn new(call: &Call, lambda: &LambdaRegion, name: &str, package: &Package) -> Result<Value, Fault> {
    let given = given(call)?;
    if !(given.contains_key("Runtime") && given.contains_key("Handler")) {
        return Err(invalid(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        ));
    }
    let architectures = call.input.get("Architectures").cloned().unwrap_or_else(|| json!(["x86_64"]));
    let mut configuration = json!({
        "FunctionName": name,
        "FunctionArn": lambda.arn(name, None),
        "Description": "",
        "Timeout": 3,
        "MemorySize": 128,
        "EphemeralStorage": {"Size": 512},
        "TracingConfig": {"Mode": "PassThrough"},
        "LoggingConfig": logging_config(name),
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "PackageType": "Zip",
        "Architectures": architectures,
        "Version": LATEST,
        "State": "Pending",
        "StateReason": "The function is being created.",
        "StateReasonCode": "Creating",
    });
    apply(&mut configuration, given);
    set_layers(&mut configuration, call);
    set_network(&mut configuration, call);
    set_code(&mut configuration, package);
    stamp(&mut configuration, call, lambda);
    Ok(configuration)
}

/// Replaces members; an environment is replaced as a whole, as on AWS.
pub(super) fn apply(configuration: &mut Value, given: Map<String, Value>) {
    for (name, value) in given {
        configuration[name] = value;
    }
}

/// Layers are kept and shown, and their files are nowhere: the sandbox says so when the function first runs.
pub(super) fn set_layers(configuration: &mut Value, call: &Call) {
    let Some(arns) = call.input["Layers"].as_array() else { return };
    let layers: Vec<Value> = arns.iter().map(|arn| json!({"Arn": arn, "CodeSize": 0})).collect();
    configuration["Layers"] = Value::from(layers);
}

/// A VPC is kept and shown, and changes nothing about how the function runs here.
pub(super) fn set_network(configuration: &mut Value, call: &Call) {
    let given = &call.input["VpcConfig"];
    let ids = |member: &str| given[member].as_array().cloned().unwrap_or_default();
    let (subnets, groups) = (ids("SubnetIds"), ids("SecurityGroupIds"));
    match (given, subnets.is_empty()) {
        (Value::Null, _) => {}
        (_, true) => {
            configuration["VpcConfig"] = json!({"SubnetIds": [], "SecurityGroupIds": [], "VpcId": ""})
        }
        (_, false) => {
            let vpc = "vpc-0123456789abcdef0";
            configuration["VpcConfig"] =
                json!({"SubnetIds": subnets, "SecurityGroupIds": groups, "VpcId": vpc});
        }
    }
}

pub(super) fn set_code(configuration: &mut Value, package: &Package) {
    configuration["CodeSha256"] = Value::from(package.sha256.as_str());
    configuration["CodeSize"] = Value::from(package.size);
}

/// A change was made now.
pub(super) fn stamp(configuration: &mut Value, call: &Call, lambda: &LambdaRegion) {
    configuration["LastModified"] = Value::from(lambda.timestamp());
    configuration["RevisionId"] = Value::from(lambda.revision(&call.request_id));
}

fn logging_config(function: &str) -> Value {
    json!({"LogFormat": "Text", "LogGroup": format!("/aws/lambda/{function}")})
}

/// `null`, `{}`, `[]`, a VPC without subnets, and SnapStart `None` ask for nothing.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == "None",
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.values().all(says_nothing),
        Value::Bool(asked) => !asked,
        Value::Number(_) => false,
    }
}

/// The model allows more than that, for functions on managed instances.
fn at_most(call: &Call, member: &str, most: i64) -> Result<(), Fault> {
    match call.number(member) {
        Some(number) if number > most => Err(invalid(format!(
            "'{member}' value failed to satisfy constraint: Member must have value less than or equal to {most}"
        ))),
        _ => Ok(()),
    }
}

fn check_runtime(call: &Call, id: &str) -> Result<(), Fault> {
    let Some(runtime) = RUNTIMES.iter().find(|runtime| runtime.id == id) else {
        let known: Vec<&str> = RUNTIMES.iter().map(|runtime| runtime.id).collect();
        return Err(invalid(format!(
            "Value {id} at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [{}] \
             or be a valid ARN",
            known.join(", ")
        )));
    };
    let creates = call.operation == "CreateFunction";
    let blocked = if creates { runtime.create_blocked } else { runtime.update_blocked };
    // Both are written year first, so they compare as texts.
    let is_blocked = !blocked.is_empty() && iso8601(call.now()).as_str() >= blocked;
    if is_blocked && call.shared.enforces(AwsRule::RuntimeDeprecated) {
        return Err(invalid(format!(
            "The runtime parameter of {id} is no longer supported for creating or updating AWS Lambda \
             functions. We recommend you use a supported runtime while creating or updating functions."
        )));
    }
    Ok(())
}

/// AWS quotes the variables in its refusals; here their values stay out of errors.
fn check_environment(call: &Call) -> Result<(), Fault> {
    let Some(variables) = call.input["Environment"]["Variables"].as_object() else { return Ok(()) };
    let cannot = "Lambda was unable to configure your environment variables because the environment \
                  variables you have provided";
    let well_named = |name: &str| {
        name.len() >= 2
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() && call.shared.enforces(AwsRule::EnvironmentReserved) {
        return Err(invalid(format!(
            "{cannot} contains reserved keys that are currently not supported for modification. Reserved \
             keys used in this request: {}",
            reserved.join(", ")
        )));
    }
    if let Some(name) = variables.keys().find(|name| !well_named(name) && !RESERVED.contains(&name.as_str()))
    {
        let message = format!(
            "1 validation error detected: Value at 'environment.variables' failed to satisfy constraint: Map \
             keys must satisfy constraint: [Member must satisfy regular expression pattern: \
             [a-zA-Z]([a-zA-Z0-9_])+] ({name})"
        );
        return Err(Fault::new(400, "ValidationException", message));
    }
    let size = call.input["Environment"]["Variables"].to_string().len();
    if size > LARGEST_ENVIRONMENT && call.shared.enforces(AwsRule::EnvironmentSize) {
        return Err(invalid(format!("{cannot} exceeded the 4KB limit. String measured: {size} bytes")));
    }
    Ok(())
}
