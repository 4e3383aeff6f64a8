//! Kinds behind one object type, so that plan and engine know none of them by name.

use std::borrow::Cow;

use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

use crate::config::{Config, Document, section};
use crate::desired::{AnySeen, AnySpec, Draft, KeyUse, Kind, Log, Node, Scaled, Scaling};
use crate::domain::{
    Action, Diagnostic, Diagnostics, HumanDuration, KeyPath, KindName, ResourceId, Scale, Scope, Verb,
};
use crate::inputs::{Remote, Source};
use crate::limits::{self, Bound};

/// The kind of this name. A list of kinds has all of them.
pub fn kind_of(kinds: &[Box<dyn AnyKind>], name: KindName) -> &dyn AnyKind {
    kinds.iter().find(|kind| kind.name() == name).expect("every kind is registered").as_ref()
}

/// [`Kind`] without its types: each method is what the constant or function of its name is there. What is of
/// one resource is a method of [`crate::desired::AnySpec`] or [`AnySeen`].
pub trait AnyKind: Send + Sync {
    fn name(&self) -> KindName;
    fn section(&self) -> Option<&'static str>;
    fn part_of(&self) -> Option<KindName>;
    fn owned_with(&self) -> Option<KindName>;
    fn fingerprinted(&self) -> bool;
    fn adoptable(&self) -> bool;
    fn ignores_capitals(&self) -> bool;
    fn whole_of<'n>(&self, physical: &'n str) -> Option<&'n str>;
    fn part_on(&self, whole: &str) -> Option<String>;
    fn schema(&self, generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)>;
    fn sources(&self, config: &Config) -> Vec<Source>;
    fn remotes(&self, config: &Config) -> Vec<Remote>;
    /// What of its section is not of the types that it has to be.
    fn misread(&self, config: &Config) -> Diagnostics;
    fn desired(&self, config: &Config, draft: &mut Draft<'_>);
    fn bound(&self) -> &'static [Bound];
    /// The items that the file has of it ([`Kind::items`], [`Kind::is_item`]).
    fn items(&self, document: &Document) -> Vec<KeyPath>;
    fn usual(&self, verb: Verb) -> Option<HumanDuration>;
    /// [`Kind::usual`], when AWS itself says it.
    fn awss_usual(&self, verb: Verb) -> Option<HumanDuration>;
    /// [`Kind::STAYS`].
    fn stays(&self) -> bool;
    fn stops(&self) -> bool;
    fn starts(&self) -> bool;
    /// [`Kind::INVOKED`].
    fn invoked(&self) -> Option<Action>;
    /// [`Kind::REPORTED`].
    fn reported(&self) -> &'static [Action];
    /// [`Kind::KEY_USE`].
    fn key_use(&self) -> Option<KeyUse>;
    /// [`Kind::GRANTS_KEY`].
    fn grants_key(&self) -> bool;
    fn runs_code(&self) -> bool;
    /// Whether it is of this kind, or called so in the config ([`Kind::ALSO_CALLED`]).
    fn is_called(&self, kind: KindName) -> bool;
    fn next(&self, id: &ResourceId) -> Option<(&'static str, String)>;
    fn way_back(&self) -> Option<&'static str>;
    fn continues(&self, verb: Verb) -> Option<&'static str>;
    fn takes_along(&self) -> Option<&'static str>;
    /// [`Kind::USED_BY_ALL`].
    fn used_by_all(&self) -> bool;
    fn named_in<'t>(&self, text: &'t str, scope: &Scope) -> Option<Cow<'t, str>>;
    /// [`Kind::SCALED`].
    fn is_scaled(&self) -> bool;
    /// The part on `whole` with other numbers, and what of it was kept.
    fn scaled(
        &self,
        whole: &Node,
        want: Option<&Node>,
        seen: Option<&AnySeen>,
        to: &Scale,
    ) -> Option<Result<(Node, Vec<String>), Diagnostic>>;
    /// Whether [`Kind::LOG`] says where its log is.
    fn has_log(&self) -> bool;
    /// [`Kind::LOG`] of one.
    fn log(&self, physical: &str) -> Option<Log>;
    /// Whether [`Kind::ARTIFACT`] says where it leaves one.
    fn leaves_artifact(&self) -> bool;
    /// [`Kind::ARTIFACT`] of one.
    fn artifact(&self, physical: &str) -> Option<String>;
    fn read_keys(&self, physical: &str) -> Vec<String>;
    fn arns(&self, scope: &Scope, physical: &str) -> Vec<String>;
    fn calls(&self) -> &'static [Action];
    /// Reads back an observation that was serialized.
    ///
    /// # Errors
    /// When it is not one of this kind.
    fn seen(&self, json: Value) -> serde_json::Result<AnySeen>;
}

impl<K: Kind> AnyKind for K {
    fn name(&self) -> KindName {
        K::NAME
    }

    fn section(&self) -> Option<&'static str> {
        K::SECTION
    }

    fn part_of(&self) -> Option<KindName> {
        K::PART_OF
    }

    fn owned_with(&self) -> Option<KindName> {
        K::OWNED_WITH
    }

    fn fingerprinted(&self) -> bool {
        K::FINGERPRINTED
    }

    fn ignores_capitals(&self) -> bool {
        K::IGNORES_CAPITALS
    }

    fn adoptable(&self) -> bool {
        K::ADOPTABLE
    }

    fn whole_of<'n>(&self, physical: &'n str) -> Option<&'n str> {
        <K as Kind>::whole_of(physical)
    }
    fn part_on(&self, whole: &str) -> Option<String> {
        <K as Kind>::part_on(whole)
    }

    fn schema(&self, generator: &mut SchemaGenerator) -> Option<(&'static str, Schema)> {
        Some((K::SECTION?, generator.subschema_for::<K::Section>()))
    }

    fn sources(&self, config: &Config) -> Vec<Source> {
        // Problems are reported by `desired`, which reads the section again.
        let section = read::<K>(config, &mut Diagnostics::default());
        section.map_or_else(Vec::new, |section| <K as Kind>::sources(&section))
    }

    fn remotes(&self, config: &Config) -> Vec<Remote> {
        let section = read::<K>(config, &mut Diagnostics::default());
        section.map_or_else(Vec::new, |section| <K as Kind>::remotes(&section))
    }

    fn misread(&self, config: &Config) -> Diagnostics {
        let mut problems = Diagnostics::default();
        let _ = read::<K>(config, &mut problems);
        problems
    }

    fn desired(&self, config: &Config, draft: &mut Draft<'_>) {
        if let Some(section) = read::<K>(config, &mut draft.problems) {
            <K as Kind>::desired(&section, draft);
        }
    }

    fn bound(&self) -> &'static [Bound] {
        <K as Kind>::bound()
    }

    fn items(&self, document: &Document) -> Vec<KeyPath> {
        let path = <K as Kind>::items();
        let Some((section, rest)) = path.split_first() else { return Vec::new() };
        let Some(written) = document.values().get(*section) else { return Vec::new() };
        let found = limits::found(written, KeyPath::of([*section]), rest).into_iter();
        found.filter(|(_, written)| <K as Kind>::is_item(written)).map(|(at, _)| at).collect()
    }

    fn usual(&self, verb: Verb) -> Option<HumanDuration> {
        <K as Kind>::usual(verb)
    }

    fn awss_usual(&self, verb: Verb) -> Option<HumanDuration> {
        K::USUAL_IS_AWSS.then(|| <K as Kind>::usual(verb)).flatten()
    }

    fn stays(&self) -> bool {
        K::STAYS
    }

    fn stops(&self) -> bool {
        K::STOPS
    }

    fn starts(&self) -> bool {
        K::STARTS
    }

    fn invoked(&self) -> Option<Action> {
        K::INVOKED
    }

    fn reported(&self) -> &'static [Action] {
        K::REPORTED
    }

    fn key_use(&self) -> Option<KeyUse> {
        K::KEY_USE
    }

    fn grants_key(&self) -> bool {
        K::GRANTS_KEY
    }

    fn runs_code(&self) -> bool {
        K::RUNS_CODE
    }

    fn is_called(&self, kind: KindName) -> bool {
        K::NAME == kind || K::ALSO_CALLED == Some(kind)
    }

    fn next(&self, id: &ResourceId) -> Option<(&'static str, String)> {
        <K as Kind>::next(id)
    }

    fn way_back(&self) -> Option<&'static str> {
        <K as Kind>::way_back()
    }

    fn continues(&self, verb: Verb) -> Option<&'static str> {
        <K as Kind>::continues(verb)
    }

    fn takes_along(&self) -> Option<&'static str> {
        K::TAKES_ALONG
    }

    fn used_by_all(&self) -> bool {
        K::USED_BY_ALL
    }

    fn named_in<'t>(&self, text: &'t str, scope: &Scope) -> Option<Cow<'t, str>> {
        <K as Kind>::named_in(text, scope)
    }

    fn is_scaled(&self) -> bool {
        K::SCALED
    }

    fn scaled(
        &self,
        whole: &Node,
        want: Option<&Node>,
        seen: Option<&AnySeen>,
        to: &Scale,
    ) -> Option<Result<(Node, Vec<String>), Diagnostic>> {
        let (want, seen) = (want.and_then(Node::spec_as::<K>), seen.and_then(AnySeen::of::<K>));
        let scaled = <K as Kind>::scaled(&Scaling { whole, want, seen, to })?;
        Some(scaled.map(|Scaled { physical, spec, kept }| {
            let (id, needs) = (K::id(&whole.id.name), [whole.id.clone()].into());
            (Node { id, physical, spec: AnySpec::new::<K>(spec), needs }, kept)
        }))
    }

    fn has_log(&self) -> bool {
        K::LOG.is_some()
    }

    fn log(&self, physical: &str) -> Option<Log> {
        K::LOG.map(|log| log(physical))
    }

    fn leaves_artifact(&self) -> bool {
        K::ARTIFACT.is_some()
    }

    fn artifact(&self, physical: &str) -> Option<String> {
        K::ARTIFACT.map(|artifact| artifact(physical))
    }

    fn read_keys(&self, physical: &str) -> Vec<String> {
        <K as Kind>::read_keys(physical)
    }

    fn arns(&self, scope: &Scope, physical: &str) -> Vec<String> {
        <K as Kind>::arns(scope, physical)
    }

    fn calls(&self) -> &'static [Action] {
        <K as Kind>::calls()
    }

    fn seen(&self, json: Value) -> serde_json::Result<AnySeen> {
        serde_json::from_value(json).map(AnySeen::new::<K>)
    }
}

/// The section as the kind's type; an absent section reads as an empty table.
fn read<K: Kind>(config: &Config, problems: &mut Diagnostics) -> Option<K::Section> {
    let key = K::SECTION?;
    let empty = Value::Object(serde_json::Map::new());
    section::read(config.section(key).unwrap_or(&empty), &KeyPath::of([key]), problems)
}
