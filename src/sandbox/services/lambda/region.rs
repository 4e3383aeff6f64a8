//! Where functions are kept, and what a call's function name and qualifier mean.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::call::Call;
use crate::fault::Fault;
use crate::state::SandboxState;
use crate::store::{ScopedTable, Timeline};

/// The tables of [`LambdaRegion`] that are read across regions too.
pub(super) const FUNCTIONS: &str = "lambda.function";
pub(super) const VERSIONS: &str = "lambda.version";
pub(super) const PROVISIONED: &str = "lambda.provisioned";

/// The pointer to the code and configuration that can change.
pub(super) const LATEST: &str = "$LATEST";

/// A region of the account, as Lambda sees it.
///
/// | table | key | document |
/// |---|---|---|
/// | `lambda.function` | name | `Configuration` of `$LATEST`, `Last` version number, `Published`, `Reserved`, `Policies` |
/// | `lambda.version` | name:number | `Configuration` |
/// | `lambda.alias` | name:alias | as on the wire |
/// | `lambda.url` | name:alias or name:$LATEST | as on the wire, with `_Id` |
/// | `lambda.provisioned` | name:qualifier | as on the wire, with `Version` and `Token` |
#[derive(Clone, Debug)]
pub(super) struct LambdaRegion {
    pub shared: Arc<SandboxState>,
    pub region: String,
}

impl LambdaRegion {
    /// The region of a call.
    pub fn of(call: &Call) -> Self {
        Self { shared: Arc::clone(&call.shared), region: call.region.clone() }
    }

    /// Functions by their names.
    pub fn functions(&self) -> ScopedTable<'_> {
        self.shared.table(FUNCTIONS, &self.region)
    }

    /// Published versions.
    pub fn versions(&self) -> ScopedTable<'_> {
        self.shared.table(VERSIONS, &self.region)
    }

    /// Aliases.
    pub fn aliases(&self) -> ScopedTable<'_> {
        self.shared.table("lambda.alias", &self.region)
    }

    /// Function URLs.
    pub fn urls(&self) -> ScopedTable<'_> {
        self.shared.table("lambda.url", &self.region)
    }

    /// Provisioned concurrency.
    pub fn provisioned(&self) -> ScopedTable<'_> {
        self.shared.table(PROVISIONED, &self.region)
    }

    /// `arn:aws:lambda:<region>:<account>:function:<name>`, of a version or alias with its qualifier.
    pub fn arn(&self, name: &str, qualifier: Option<&str>) -> String {
        let arn = self.shared.arn("lambda", &self.region, &format!("function:{name}"));
        match qualifier {
            Some(qualifier) => format!("{arn}:{qualifier}"),
            None => arn,
        }
    }

    /// The document of a function.
    pub fn function(&self, name: &str) -> Result<Value, Fault> {
        self.functions().get(name).ok_or_else(|| self.missing(name, None))
    }

    /// The configuration of `$LATEST` or of a published version.
    pub fn version(&self, name: &str, version: &str) -> Result<Value, Fault> {
        let mut document = match version {
            LATEST => self.function(name)?,
            _ => self.versions().get(&key(name, version)).ok_or_else(|| self.missing(name, Some(version)))?,
        };
        Ok(document["Configuration"].take())
    }

    /// What a target stands for. An alias stands for its main version.
    pub fn find(&self, target: &Target) -> Result<Resolved, Fault> {
        let name = &target.name;
        let Some(qualifier) = target.qualifier.as_deref() else {
            return Ok(Resolved { configuration: self.version(name, LATEST)?, alias: None });
        };
        let mut found = if is_version(qualifier) {
            Resolved { configuration: self.version(name, qualifier)?, alias: None }
        } else {
            self.function(name)?;
            let alias = self.aliases().get(&key(name, qualifier));
            let alias = alias.ok_or_else(|| self.missing(name, Some(qualifier)))?;
            let version = alias["FunctionVersion"].as_str().unwrap_or(LATEST);
            Resolved { configuration: self.version(name, version)?, alias: Some(alias) }
        };
        // Asked with a qualifier, AWS answers with the ARN that has it.
        found.configuration["FunctionArn"] = Value::from(self.arn(name, Some(qualifier)));
        Ok(found)
    }

    /// AWS's answer to everything that is not there.
    pub fn missing(&self, name: &str, qualifier: Option<&str>) -> Fault {
        not_found(format!("Function not found: {}", self.arn(name, qualifier)))
    }

    /// Documents of a function's versions, aliases, or provisioned concurrency: qualifier and document.
    pub fn of_function(table: &ScopedTable<'_>, name: &str) -> Vec<(String, Value)> {
        let prefix = key(name, "");
        let all = table.list(&prefix).into_iter();
        all.map(|(key, document)| (key[prefix.len()..].to_owned(), document)).collect()
    }

    /// What a function has provisioned in all, without the configuration under the key `except`.
    pub fn provisioned_in_all(&self, name: &str, except: &str) -> u64 {
        let all = Self::of_function(&self.provisioned(), name).into_iter();
        all.filter(|(qualifier, _)| key(name, qualifier) != except)
            .filter_map(|(_, document)| document["RequestedProvisionedConcurrentExecutions"].as_u64())
            .sum()
    }

    /// An id that has never been: of a revision, or of an attempt.
    pub fn revision(&self, seed: &str) -> String {
        let hash =
            blake3::hash(format!("{}{}{seed}", self.shared.clock.now(), self.region).as_bytes()).to_hex();
        format!("{}-{}-{}-{}-{}", &hash[..8], &hash[8..12], &hash[12..16], &hash[16..20], &hash[20..32])
    }

    /// Now, as Lambda writes it.
    pub fn timestamp(&self) -> String {
        timestamp(self.shared.clock.now())
    }

    /// A plan whose one step changes the configuration, and with it the revision, as AWS does.
    pub fn then(&self, seconds: u64, seed: &str, mut patch: Value) -> Timeline {
        patch["RevisionId"] = Value::from(self.revision(&format!("{seed} done")));
        let after = std::time::Duration::from_secs(seconds);
        self.shared.timeline().then(after, json!({"Configuration": patch})).into()
    }
}

/// What a target stands for.
#[derive(Debug)]
pub(super) struct Resolved {
    /// As on the wire. Its `Version` is the number or `$LATEST`.
    pub configuration: Value,
    /// The alias by which it was found.
    pub alias: Option<Value>,
}

impl Resolved {
    /// The version that one invocation goes to; `draw` is a random number in [0, 1).
    pub fn version(&self, draw: f64) -> &str {
        match &self.alias {
            Some(alias) => chosen(alias, draw),
            None => self.configuration["Version"].as_str().unwrap_or(LATEST),
        }
    }
}

/// The version that one invocation of an alias goes to.
fn chosen(alias: &Value, draw: f64) -> &str {
    let mut weights = alias["RoutingConfig"]["AdditionalVersionWeights"].as_object().into_iter().flatten();
    let weighted = weights.find(|(_, weight)| weight.as_f64().is_some_and(|weight| draw < weight));
    weighted
        .map(|(version, _)| version.as_str())
        .or_else(|| alias["FunctionVersion"].as_str())
        .unwrap_or(LATEST)
}

/// A function, and a version or alias of it when one is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub name: String,
    pub qualifier: Option<String>,
}

impl Target {
    /// From `FunctionName` (a name, a partial or a whole ARN, each with or without a qualifier) and
    /// `Qualifier`.
    pub fn of(call: &Call) -> Result<Self, Fault> {
        Self::named(call, call.text("FunctionName"))
    }

    /// From an ARN in another member.
    pub fn named(call: &Call, text: &str) -> Result<Self, Fault> {
        let (region, account, name, inner) = parse(text);
        let outer = call.maybe("Qualifier").filter(|qualifier| !qualifier.is_empty());
        // Texts of AWS, as LocalStack's recorded answers have them.
        if let (Some(inner), Some(outer)) = (inner, outer)
            && inner != outer
        {
            return Err(invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        if let Some(region) = region.filter(|region| *region != call.region) {
            let message =
                format!("Functions from '{region}' are not reachable in this region ('{}')", call.region);
            return Err(not_found(message));
        }
        if account.is_some_and(|account| account != call.shared.account) {
            let message = format!("User is not authorized to perform: lambda:{} on {text}", call.operation);
            return Err(Fault::new(403, "AccessDeniedException", message));
        }
        if name.len() > 64 {
            let message = format!(
                "1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: \
                 Member must have length less than or equal to 64"
            );
            return Err(Fault::new(400, "ValidationException", message));
        }
        Ok(Self { name: name.to_owned(), qualifier: inner.or(outer).map(str::to_owned) })
    }
}

/// The function of an operation that changes `$LATEST` only.
pub(super) fn unqualified(call: &Call) -> Result<String, Fault> {
    let target = Target::of(call)?;
    match target.qualifier.as_deref() {
        None | Some(LATEST) => Ok(target.name),
        Some(_) => Err(invalid(format!("{} takes no version and no alias.", call.operation))),
    }
}

/// Region, account, name and qualifier, from any of the forms that AWS takes.
fn parse(text: &str) -> (Option<&str>, Option<&str>, &str, Option<&str>) {
    let parts: Vec<&str> = text.split(':').collect();
    let (head, tail) = match parts.iter().position(|part| *part == "function") {
        // A function may be called "function", too.
        Some(at) if at + 1 < parts.len() => (&parts[..at], &parts[at + 1..]),
        _ => (&[][..], &parts[..]),
    };
    let (region, account) = match head {
        ["arn", _, "lambda", region, account] => (Some(*region), Some(*account)),
        [region, account] => (Some(*region), Some(*account)),
        [account] => (None, Some(*account)),
        _ => (None, None),
    };
    (region, account, tail.first().copied().unwrap_or_default(), tail.get(1).copied())
}

/// Names contain no colon, so a function's documents are what starts with `name:`.
pub(super) fn key(name: &str, qualifier: &str) -> String {
    format!("{name}:{qualifier}")
}

/// An alias is never all digits.
pub(super) fn is_version(qualifier: &str) -> bool {
    qualifier == LATEST || qualifier.bytes().all(|byte| byte.is_ascii_digit())
}

/// `2026-11-30T12:00:00.000+0000`
fn timestamp(at: crate::clock::Millis) -> String {
    crate::clock::iso8601(at).replace('Z', "+0000")
}

/// What makes two versions different: configuration without its names, times and states.
pub(super) fn fingerprint(configuration: &Value) -> String {
    const PASSING: &[&str] = &["RevisionId", "LastModified", "Version", "FunctionArn"];
    let members = configuration.as_object().into_iter().flatten();
    let lasting: Map<String, Value> = members
        .filter(|(name, _)| !PASSING.contains(&name.as_str()) && !is_state(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    blake3::hash(Value::Object(lasting).to_string().as_bytes()).to_hex()[..32].to_owned()
}

/// `State`, `StateReason`, `LastUpdateStatus` and their kin.
pub(super) fn is_state(member: &str) -> bool {
    member.starts_with("State") || member.starts_with("LastUpdateStatus")
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(400, "InvalidParameterValueException", message)
}

pub(super) fn conflict(message: impl Into<String>) -> Fault {
    Fault::new(409, "ResourceConflictException", message)
}

pub(super) fn not_found(message: impl Into<String>) -> Fault {
    Fault::new(404, "ResourceNotFoundException", message)
}

/// A guard by revision: 412 when the caller has seen another one (docs/aws/lambda.md#versions-and-aliases).
pub(super) fn check_revision(call: &Call, current: &Value) -> Result<(), Fault> {
    match call.maybe("RevisionId") {
        Some(given) if current["RevisionId"] != given => Err(Fault::new(
            412,
            "PreconditionFailedException",
            "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias \
             API to retrieve the latest Revision Id",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_function_name_is_understood() {
        let (region, account) = (Some("eu-west-1"), Some("123456789012"));
        let table = [
            ("f", (None, None, "f", None)),
            ("f:live", (None, None, "f", Some("live"))),
            ("f:$LATEST", (None, None, "f", Some(LATEST))),
            ("function:f", (None, None, "f", None)),
            ("123456789012:function:f:1", (None, account, "f", Some("1"))),
            ("arn:aws:lambda:eu-west-1:123456789012:function:f", (region, account, "f", None)),
            ("arn:aws:lambda:eu-west-1:123456789012:function:f:live", (region, account, "f", Some("live"))),
        ];
        for (text, parsed) in table {
            assert_eq!(parse(text), parsed, "{text}");
        }
    }

    #[test]
    fn weights_choose_between_two_versions() {
        let alias =
            json!({"FunctionVersion": "2", "RoutingConfig": {"AdditionalVersionWeights": {"1": 0.25}}});
        assert_eq!([0.0, 0.2499, 0.25, 0.99].map(|draw| chosen(&alias, draw)), ["1", "1", "2", "2"]);
        assert_eq!(chosen(&json!({"FunctionVersion": "2"}), 0.0), "2");
    }

    #[test]
    fn a_fingerprint_sees_configuration_and_not_its_state() {
        let configuration = json!({"MemorySize": 128, "State": "Pending", "RevisionId": "a", "Version": "1"});
        let later = json!({"MemorySize": 128, "State": "Active", "RevisionId": "b", "Version": "2"});
        assert_eq!(fingerprint(&configuration), fingerprint(&later));
        assert_ne!(fingerprint(&configuration), fingerprint(&json!({"MemorySize": 256})));
    }
}
