//! Sums of money, exact: prices have up to twelve decimals, and no sum of them is rounded.

use std::borrow::Cow;
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul, Sub};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::grouped;

/// US dollars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money {
    /// In millionths of a millionth.
    pico: i128,
}

const DECIMALS: usize = 12;
const DOLLAR: i128 = 10_i128.pow(DECIMALS as u32);

impl Money {
    /// Nothing to pay.
    pub const ZERO: Self = Self { pico: 0 };

    /// Whole US dollars.
    pub const fn dollars(dollars: i64) -> Self {
        Self { pico: dollars as i128 * DOLLAR }
    }

    /// Exactly nothing, not a rounded nothing.
    pub fn is_zero(self) -> bool {
        self.pico == 0
    }

    /// This many parts of `of`, rounded to the nearest twelfth decimal.
    pub fn part(self, parts: u64, of: u64) -> Self {
        let of = i128::from(of.max(1));
        let all = self.pico * i128::from(parts);
        Self { pico: (all + all.signum() * of / 2) / of }
    }

    /// With this many decimals, rounded half away from zero: for people.
    fn rounded(self, decimals: usize) -> String {
        let unit = 10_i128.pow((DECIMALS - decimals) as u32);
        let all = (self.pico.abs() + unit / 2) / unit;
        let (whole, rest) = (all / (DOLLAR / unit), all % (DOLLAR / unit));
        let sign = if self.pico < 0 && all > 0 { "-" } else { "" };
        let whole = usize::try_from(whole).map_or_else(|_| whole.to_string(), grouped);
        if decimals == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest:0decimals$}") }
    }

    /// A price of an hour or a run: two to four decimals.
    pub fn fine(self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let text = self.rounded(4);
        let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}.{:0<2}", rest.trim_end_matches('0'))
    }

    /// To the cent.
    pub fn cents(self) -> String {
        self.rounded(2)
    }

    /// A price of a month: cents up to ten dollars, dollars from there on.
    pub fn coarse(self) -> String {
        match self.pico.abs() {
            0 => "0".to_owned(),
            small if small < 10 * DOLLAR => self.rounded(2),
            _ => self.rounded(0),
        }
    }
}

impl fmt::Display for Money {
    /// All decimals that it has, and at least two: `0.23`, `0.0000041667`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.pico < 0 { "-" } else { "" };
        let (whole, rest) = (self.pico.abs() / DOLLAR, self.pico.abs() % DOLLAR);
        let rest = format!("{rest:0DECIMALS$}");
        let rest = rest.trim_end_matches('0');
        write!(f, "{sign}{whole}.{rest:0<2}")
    }
}

impl std::str::FromStr for Money {
    type Err = String;
    /// `200`, `0.23`, `1.5`: no sign, no exponent, no currency.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || format!("\"{text}\" is not a sum of US dollars, such as 200 or 12.50");
        let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str, longest: usize| {
            (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
        };
        if !digits(whole, 12) || !digits(rest, DECIMALS) {
            return Err(refused());
        }
        let whole: i128 = whole.parse().map_err(|_| refused())?;
        let rest: i128 = format!("{rest:0<DECIMALS$}").parse().map_err(|_| refused())?;
        Ok(Self { pico: whole * DOLLAR + rest })
    }
}

impl Add for Money {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { pico: self.pico + other.pico }
    }
}

impl Sub for Money {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { pico: self.pico - other.pico }
    }
}

impl Mul<u64> for Money {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self { pico: self.pico * i128::from(times) }
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

/// As a number, for programs; the sums are made before.
impl Serialize for Money {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_f64(self.pico as f64 / DOLLAR as f64)
    }
}

/// A number of the config, as it is written there.
impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(d)?;
        let number = value.as_number().and_then(|number| number.to_string().parse().ok());
        number.ok_or_else(|| {
            let expected = "a sum of US dollars, such as 200 or 12.50";
            // JSON has no number for what is none.
            let value = if value.is_null() { "no number".to_owned() } else { format!("`{value}`") };
            serde::de::Error::custom(format!("invalid value: {value}, expected {expected}"))
        })
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "description": "US dollars" })
    }
}
