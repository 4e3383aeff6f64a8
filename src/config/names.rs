//! Names that become part of AWS names.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// Lowercase letters, digits and single hyphens, beginning with a letter, ending with a letter or digit: the
/// common ground of S3, SageMaker, IAM and Lambda names (docs/aws/s3.md#bucket-names,
/// docs/aws/sagemaker.md#names, docs/aws/lambda.md#limits).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Name(String);

const NOT_A_NAME: &str = "is not a name";

impl Name {
    const PATTERN: &'static str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
    /// Physical names are made of three names and a fingerprint, and have 63 characters.
    pub const LONGEST: usize = 40;

    /// Stands in for a name that could not be read, so that other problems are found too.
    pub(super) fn stand_in() -> Self {
        Self("project".into())
    }

    /// Whether an error is one of [`Name`]'s own.
    pub(super) fn refused(error: &str) -> bool {
        error.contains(NOT_A_NAME)
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Name {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let fits = text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !text.contains("--");
        if text.starts_with("s3://") {
            return Err(format!(
                "\"{text}\" {NOT_A_NAME}, but an address in S3, expected the name of a section: [model.NAME] and [data.NAME] take addresses"
            ));
        }
        if !fits {
            return Err(format!(
                "\"{text}\" {NOT_A_NAME} AWS takes everywhere, expected lowercase letters, digits and single hyphens, beginning with a letter"
            ));
        }
        if text.len() > Self::LONGEST {
            let (length, longest) = (text.len(), Self::LONGEST);
            return Err(format!(
                "\"{text}\" {NOT_A_NAME} AWS takes everywhere: it has {length} characters, expected at most {longest}"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Name {
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": Self::PATTERN, "maxLength": Self::LONGEST })
    }
}

/// The name of a data set, which is a channel of SageMaker's: letters, digits, `.`, `_` and `-`, with their
/// case, because scripts read `SM_CHANNEL_TRAIN_DATA`
/// (<https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_Channel.html>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ChannelName(String);

impl ChannelName {
    const PATTERN: &'static str = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$";
}

impl std::ops::Deref for ChannelName {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for ChannelName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        // A dot in front would make a hidden folder, or none, on the instance.
        let fits =
            text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) && !text.starts_with('.');
        if !fits || !(1..=64).contains(&text.len()) {
            return Err(format!(
                "\"{text}\" {NOT_A_NAME} of a channel, expected up to 64 letters, digits, `.`, `_` and `-`, not beginning with a dot"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for ChannelName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ChannelName {
    fn schema_name() -> Cow<'static, str> {
        "ChannelName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": Self::PATTERN, "maxLength": 64 })
    }
}
