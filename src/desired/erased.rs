//! Kinds behind one object type, so that plan and engine know none of them by name.

use schemars::{Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::{Config, section};
use crate::desired::{AnySpec, Draft, Kind, Log, Node, Scaled, Scaling};
use crate::domain::{
    Diagnostic, Diagnostics, FieldChange, Human, KeyPath, KindName, Needs, Owner, Scale, Status, Verb,
};
use crate::inputs::Source;
use crate::limits::Bound;

/// [`Kind`] with its types erased to JSON.
pub trait AnyKind: Send + Sync {
    fn kind(&self) -> KindName;
    fn section_key(&self) -> Option<&'static str>;
    fn part(&self) -> Option<KindName>;
    fn whole_name<'n>(&self, physical: &'n str) -> Option<&'n str>;
    fn fingerprinted(&self) -> bool;
    fn made_by_aws(&self, seen: &Value) -> bool;
    fn adoptable(&self) -> bool;
    fn schema(&self, generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)>;
    fn sources(&self, config: &Config) -> Vec<Source>;
    fn desired(&self, config: &Config, draft: &mut Draft<'_>);
    fn bound_keys(&self) -> &'static [Bound];
    fn changes(&self, want: &Node, seen: &Value) -> Vec<FieldChange>;
    fn losses(&self, want: &Node, seen: &Value) -> Vec<FieldChange>;
    fn has_lost_output(&self, seen: &Value) -> bool;
    fn status_of(&self, seen: &Value) -> Status;
    fn owner_of(&self, seen: &Value) -> Owner;
    fn usual_time(&self, verb: Verb) -> Option<Human>;
    fn is_scaled(&self) -> bool;
    /// The part on `whole` with other numbers, and what of it was kept.
    fn scaled_node(
        &self,
        whole: &Node,
        want: Option<&Node>,
        seen: Option<&Value>,
        to: &Scale,
    ) -> Option<Result<(Node, Vec<String>), Diagnostic>>;
    fn log_of(&self, physical: &str) -> Option<Log>;
    fn artifact_of(&self, physical: &str) -> Option<String>;
    fn actions(&self) -> &'static [&'static str];
}

/// What differs when a spec is held against what another kind has seen: all of it.
fn of_another_kind(want: &Node, seen: KindName) -> FieldChange {
    let (from, to) = (seen.words().to_owned(), want.spec.kind().words().to_owned());
    FieldChange { path: "kind".into(), from, to, needs: Needs::Replace }
}

/// Observations are written and read by the same build, so they always fit.
pub(crate) fn typed<T: DeserializeOwned>(value: &Value) -> T {
    T::deserialize(value).expect("written by the same type")
}

impl<K: Kind> AnyKind for K {
    fn kind(&self) -> KindName {
        K::NAME
    }

    fn section_key(&self) -> Option<&'static str> {
        K::SECTION
    }

    fn part(&self) -> Option<KindName> {
        K::PART_OF
    }

    fn whole_name<'n>(&self, physical: &'n str) -> Option<&'n str> {
        K::whole_of(physical)
    }

    fn fingerprinted(&self) -> bool {
        K::FINGERPRINTED
    }

    fn made_by_aws(&self, seen: &Value) -> bool {
        K::made_by_aws(&typed(seen))
    }

    fn adoptable(&self) -> bool {
        K::ADOPTABLE
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some((K::SECTION?, generator.subschema_for::<K::Section>()))
    }

    fn sources(&self, config: &Config) -> Vec<Source> {
        // Problems are reported by `desired`, which reads the section again.
        read::<K>(config, &mut Diagnostics::default()).map_or_else(Vec::new, |section| K::sources(&section))
    }

    fn desired(&self, config: &Config, draft: &mut Draft<'_>) {
        if let Some(section) = read::<K>(config, &mut draft.problems) {
            K::desired(&section, draft);
        }
    }

    fn bound_keys(&self) -> &'static [Bound] {
        K::bound()
    }

    fn changes(&self, want: &Node, seen: &Value) -> Vec<FieldChange> {
        match want.spec_as::<K>() {
            Some(spec) => K::diff(spec, &typed(seen)),
            None => vec![of_another_kind(want, K::NAME)],
        }
    }

    fn losses(&self, want: &Node, seen: &Value) -> Vec<FieldChange> {
        match want.spec_as::<K>() {
            Some(spec) => K::lost(spec, &typed(seen)),
            None => vec![of_another_kind(want, K::NAME)],
        }
    }

    fn has_lost_output(&self, seen: &Value) -> bool {
        K::output_is_gone(&typed(seen))
    }

    fn status_of(&self, seen: &Value) -> Status {
        K::status(&typed(seen))
    }

    fn owner_of(&self, seen: &Value) -> Owner {
        K::owner(&typed(seen))
    }

    fn usual_time(&self, verb: Verb) -> Option<Human> {
        K::usual(verb)
    }

    fn is_scaled(&self) -> bool {
        K::SCALED
    }

    fn scaled_node(
        &self,
        whole: &Node,
        want: Option<&Node>,
        seen: Option<&Value>,
        to: &Scale,
    ) -> Option<Result<(Node, Vec<String>), Diagnostic>> {
        let (want, seen) = (want.and_then(Node::spec_as::<K>), seen.map(typed));
        let scaled = K::scaled(&Scaling { whole, want, seen, to })?;
        Some(scaled.map(|Scaled { physical, spec, kept }| {
            let (id, needs) = (K::id(&whole.id.name), [whole.id.clone()].into());
            (Node { id, physical, spec: AnySpec::new::<K>(spec), needs }, kept)
        }))
    }

    fn log_of(&self, physical: &str) -> Option<Log> {
        K::log(physical)
    }

    fn artifact_of(&self, physical: &str) -> Option<String> {
        K::artifact(physical)
    }

    fn actions(&self) -> &'static [&'static str] {
        K::iam_actions()
    }
}

/// The section as the kind's type; an absent section reads as an empty table.
fn read<K: Kind>(config: &Config, problems: &mut Diagnostics) -> Option<K::Section> {
    let key = K::SECTION?;
    let empty = Value::Object(serde_json::Map::new());
    section::read(config.section(key).unwrap_or(&empty), &KeyPath::of([key]), problems)
}
