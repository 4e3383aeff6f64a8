//! `data` of a training: which data sets it reads, and as which channels.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use crate::config::ChannelName;
use crate::desired::Draft;
use crate::domain::{KeyPath, codes};

/// A list of data sets, or a table from channels to data sets.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a list of names under [data], or a table from channels to such names"
)]
/// As the user writes them: data sets by name, or channels with their data sets.
pub enum Channels {
    Named(Vec<ChannelName>),
    Mapped(BTreeMap<ChannelName, ChannelName>),
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Entry<'c> {
    /// Its key below `data`: a number, or the channel.
    pub key: String,
    /// As the table says it; else the data set says it.
    pub channel: Option<&'c ChannelName>,
    /// The name under `[data]`.
    pub data: &'c ChannelName,
}

impl Default for Channels {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

impl Channels {
    /// Each channel, with the data set that it is of.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let (named, mapped) = match self {
            Self::Named(names) => (Some(names), None),
            Self::Mapped(map) => (None, Some(map)),
        };
        let of_list = |(i, data): (usize, _)| Entry { key: i.to_string(), channel: None, data };
        let named = named.into_iter().flatten().enumerate().map(of_list);
        let mapped = mapped.into_iter().flatten();
        named.chain(mapped.map(|(channel, data)| Entry {
            key: channel.to_string(),
            channel: Some(channel),
            data,
        }))
    }
}

/// Refuses a channel that is one of `others` already.
pub fn refuse_twice(name: &str, data: &str, others: &[&str], at: &KeyPath, draft: &mut Draft<'_>) {
    // A script finds a channel by SM_CHANNEL_<NAME>, in capitals.
    let Some(other) = others.iter().find(|other| other.eq_ignore_ascii_case(name)) else { return };
    let text = match *other == name {
        true => format!("the channel `{name}` is there twice"),
        false => format!("`{name}` and `{other}` are both SM_CHANNEL_{} to the script", name.to_uppercase()),
    };
    let twice = format!("{{ {name} = \"{data}\", other = \"{data}\" }}");
    let help = format!("name each channel once; `{twice}` reads one data set as two channels");
    draft.error(codes::BAD_VALUE, at.clone(), text, help);
}

impl JsonSchema for Channels {
    fn schema_name() -> Cow<'static, str> {
        "Channels".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let name = generator.subschema_for::<ChannelName>();
        json_schema!({
            "type": ["array", "object"],
            "items": name,
            "additionalProperties": name,
        })
    }
}
