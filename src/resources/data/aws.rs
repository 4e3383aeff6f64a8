use super::listed::{self, first};
use super::spec::State;
use super::sync::{self, RemoteState};
use super::withdraw::withdraw;
use super::{Data, Spec};
use crate::aws::{OpError, OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Owner, action};
use crate::engine::{Driver, Event, Found, OpCx};
use crate::inputs::Entry;

impl Driver for Data {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        // One level of `data/` is the list of data sets; it lies in our bucket, so all of it is ours.
        let Some(bucket) = cx.wanted(KindName::Bucket).next() else { return Ok(Vec::new()) };
        let call = cx.aws.s3.list_objects_v2().bucket(bucket).prefix("data/").delimiter("/");
        let mut pages = call.into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.next().await {
            let Some(page) = page.op(action::s3::ListBucket).found()? else { break };
            let prefixes = page.common_prefixes().iter().filter_map(|p| p.prefix());
            found.extend(prefixes.map(|prefix| Found::new(format!("s3://{bucket}/{prefix}"))));
        }
        Ok(found)
    }

    async fn observe(&self, cx: &OpCx<'_>, uri: &str) -> OpResult<Option<Seen<State>>> {
        seen(cx, uri, &sync::read(cx, uri).await?).await
    }

    /// The manifest says what was uploaded, a listing what is there: one call for 1,000 objects.
    async fn observe_closely(&self, cx: &OpCx<'_>, uri: &str, spec: &Spec) -> OpResult<Option<Seen<State>>> {
        let there = sync::read(cx, uri).await?;
        if there.bucket_is_missing {
            return Ok(None);
        }
        let found = seen(cx, uri, &there).await?;
        let tree = cx.inputs.tree(&spec.path, &spec.use_as()).and_then(|tree| tree.as_ref().ok());
        let (altered, mixed) = listed::compare(cx, spec, tree, &there.manifest).await?.words();
        match found {
            Some(mut seen) => {
                // An upload that did not come to its end compares all of it anyway.
                seen.state.altered = altered.filter(|_| !there.manifest.is_open());
                seen.state.mixed = mixed;
                Ok(Some(seen))
            }
            // Not uploaded yet: what is there already would be read with it.
            None => Ok(mixed.map(|mixed| {
                let state = State { mixed: Some(mixed), ..State::default() };
                Seen::ready(Owner::Ours, "Foreign", state)
            })),
        }
    }

    async fn create(&self, cx: &OpCx<'_>, uri: &str, spec: &Spec) -> OpResult<()> {
        upload(cx, uri, spec, false).await
    }

    async fn update(&self, cx: &OpCx<'_>, uri: &str, spec: &Spec, changes: &[FieldChange]) -> OpResult<()> {
        let verify = changes.iter().any(|change| change.path == Self::IN_BUCKET);
        upload(cx, uri, spec, verify).await
    }

    async fn delete(&self, cx: &OpCx<'_>, uri: &str) -> OpResult<()> {
        withdraw(cx, uri).await
    }

    async fn adopt(&self, _: &OpCx<'_>, _: &str) -> OpResult<()> {
        Ok(()) // it is ours by lying in our bucket
    }
}

/// What a manifest says of a data set.
async fn seen(cx: &OpCx<'_>, uri: &str, there: &RemoteState) -> OpResult<Option<Seen<State>>> {
    if let Some((owner, key)) = sync::foreign(cx, uri, there).await? {
        let state = State { foreign: Some(key), ..State::default() };
        return Ok(Some(Seen::ready(owner, "Foreign", state)));
    }
    let manifest = &there.manifest;
    if there.etag.is_none() {
        return Ok(None);
    }
    let digest = manifest.digest.clone();
    let (files, bytes, stray) = (manifest.files.len(), manifest.bytes(), manifest.stray);
    let holds = cx.inputs.strays(uri).map(|_| manifest.digest_of_all());
    let state = State { digest, holds, files, bytes, stray, ..State::default() };
    let status = if manifest.is_open() { "Unfinished" } else { "Uploaded" };
    Ok(Some(Seen::ready(Owner::Ours, status, state))) // what opsctl has uploaded has a manifest
}

/// The data step of a deploy. Later steps are named after the digest, so what is there in the end must be
/// what was planned. With `verify` the manifest is not believed.
async fn upload(cx: &OpCx<'_>, uri: &str, spec: &Spec, verify: bool) -> OpResult<()> {
    let Some(Ok(tree)) = cx.inputs.tree(&spec.path, &spec.use_as()) else {
        return Err(OpError::local("reading the data set", "its folder was not read for this run"));
    };
    let mut tree = tree.clone();
    let mut there = sync::read_manifest(cx, uri).await?;
    if verify {
        (there, _) = sync::verify(cx, spec, &tree, there).await?;
    }
    let report = sync::run(cx, spec, &mut tree, there).await?;
    cx.tell(|step, target| Event::StepLog { step, target, line: report.to_string() });
    let is_as_planned = match cx.inputs.strays(uri) {
        Some(_) => report.holds == spec.read,
        None => tree.digest().as_ref() == Some(&spec.digest),
    };
    if is_as_planned {
        return Ok(());
    }
    let planned = cx.inputs.tree(&spec.path, &spec.use_as()).and_then(|tree| tree.as_ref().ok());
    let other = |entry: &&Entry| planned.and_then(|tree| tree.entry(&entry.path)?.crc) != entry.crc;
    let changed: Vec<String> =
        tree.entries.iter().filter(other).map(|entry| entry.path.to_string()).collect();
    // Nothing of the folder: others deleted what had left it, or this was not known while it was planned.
    let (place, what) = match changed.is_empty() {
        true => (uri.to_owned(), String::new()),
        false => (tree.root.display().to_string(), format!(": {}", first(&changed))),
    };
    let message = format!("{place} changed since it was planned{what}; run the command again");
    Err(OpError::local("uploading the data set", message))
}
