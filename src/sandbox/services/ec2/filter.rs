//! `Filter.1.Name=tag:project`, `Filter.1.Value.1=dog*`: all filters must hold, by any of their values.

use opsctl_iam::pattern;
use serde_json::Value;

use crate::call::Call;
use crate::fault::Fault;

/// The filters of a call.
#[derive(Debug)]
pub(super) struct Filters<'a>(Vec<(&'a str, Vec<&'a str>)>);

impl<'a> Filters<'a> {
    /// Reads them; `known` are the names that the operation takes, where `tag:` stands for all that begin so.
    pub(super) fn of(call: &'a Call, known: &[&str]) -> Result<Self, Fault> {
        let read = |filter: &'a Value| {
            let name = filter["Name"].as_str().unwrap_or_default();
            if !known.iter().any(|known| *known == name || known.ends_with(':') && name.starts_with(known)) {
                let message = format!("The filter '{name}' is invalid");
                return Err(Fault::new(400, "InvalidParameterValue", message));
            }
            let values = filter["Value"].as_array().into_iter().flatten().filter_map(Value::as_str);
            Ok((name, values.collect()))
        };
        call.list("Filter").iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether something passes; `values` tells what it has under a filter's name.
    pub(super) fn admit(&self, values: impl Fn(&str) -> Vec<String>) -> bool {
        self.0.iter().all(|(name, wanted)| {
            let has = values(name);
            wanted.iter().any(|pattern| has.iter().any(|value| pattern::matches(pattern, value)))
        })
    }
}
