//! The members of requests, as `data/models.txt` has them. Parsed when first asked for.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::hard;

const DATA: &str = include_str!("data/models.txt");

/// The day of the data.
pub static DATE: LazyLock<&str> = LazyLock::new(|| {
    DATA.lines().next().and_then(|line| line.strip_prefix("d\t")).unwrap_or("an unknown day")
});

/// A member of a request: `sagemaker:CreateTrainingJob.HyperParameters`.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The model's word: `string`, `integer`, `map`, `list` …
    pub kind: &'static str,
    /// Of the value, or of its length.
    pub min: Option<i64>,
    pub max: Option<i64>,
    /// A Java regular expression, for the whole text.
    pub pattern: Option<&'static str>,
    values: Option<String>,
}

static MEMBERS: LazyLock<BTreeMap<&str, Member>> = LazyLock::new(|| {
    let mut members: BTreeMap<&str, Member> = DATA.lines().filter_map(member).collect();
    for limit in hard::LIMITS {
        if let Some(member) = members.get_mut(limit.member) {
            member.min = limit.min.or(member.min);
            member.max = limit.max.or(member.max);
        }
    }
    members
});

fn member(line: &'static str) -> Option<(&'static str, Member)> {
    let fields: Vec<&str> = line.strip_prefix("m\t")?.split('\t').collect();
    let [path, kind, min, max, values, pattern] = fields[..] else { return None };
    let given = |field: &'static str| (field != "-").then_some(field);
    let service = path.split(':').next()?;
    let member = Member {
        kind,
        min: min.parse().ok(),
        max: max.parse().ok(),
        pattern: given(pattern),
        values: given(values).map(|name| format!("{service}:{name}")),
    };
    Some((path, member))
}

/// Every member of the data, with the limits of `hard` laid over it.
pub fn members() -> &'static BTreeMap<&'static str, Member> {
    &MEMBERS
}

/// Whether some enum has the value, for another purpose or, without `ml.`, on EC2.
pub fn known_elsewhere(value: &str) -> bool {
    let bare = value.strip_prefix("ml.").unwrap_or(value);
    MEMBERS.values().filter_map(Member::values).flatten().any(|known| known == value || known == bare)
}

impl Member {
    /// The one that a binding names. Bindings are checked against the data by a test.
    pub fn of(path: &str) -> Option<&'static Self> {
        MEMBERS.get(path)
    }

    /// All values of an enum; `None` for other members.
    pub fn values(&self) -> Option<Vec<String>> {
        let name = self.values.as_deref()?;
        let mut values = Vec::new();
        for line in DATA.lines() {
            let mut fields = line.split('\t');
            match (fields.next(), fields.next()) {
                (Some("e"), Some(found)) if found == name => values.extend(fields.map(str::to_owned)),
                (Some("f"), Some(found)) if found == name => {
                    let family = fields.next().unwrap_or_default();
                    values.extend(fields.map(|size| format!("{family}.{size}")));
                }
                _ => {}
            }
        }
        Some(values)
    }
}
