//! Tables of JSON documents, in memory and in one file each, whose states advance with the clock.
//!
//! A write replaces the document's file by a rename, so a kill at any moment leaves the old document or the
//! new one. A document may carry a [`Timeline`]: changes that become true at given times. They are applied
//! when the document is read, which needs no timers and no writes: after a restart they are applied again.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clock::{Clock, LAST, Millis, StatePace};
use super::fault::Fault;
use super::files::{self, file_name, write_atomically};
use super::root::SetAside;

/// Whether the bytes that a document names are in the root: of which root, which table, which key, what
/// document. A service that keeps bytes beside its documents answers.
pub type HasBytes = fn(&Path, &str, &str, &Value) -> bool;

/// What is stored under a key: the document and its future changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub doc: Value,
    #[serde(rename = "plan", default, skip_serializing_if = "Timeline::is_empty")]
    pub timeline: Timeline,
}

impl Entry {
    /// A document whose states advance.
    pub fn planned(doc: Value, timeline: impl Into<Timeline>) -> Self {
        Self { doc, timeline: timeline.into() }
    }

    /// Applies what is due. `false` when the entry has ceased to be.
    fn advance(&mut self, now: Millis) -> bool {
        let due = self.timeline.0.partition_point(|step| step.at <= now);
        for step in self.timeline.0.drain(..due) {
            match step.change {
                Change::Set(patch) => merge(&mut self.doc, patch),
                Change::Remove => return false,
            }
        }
        true
    }
}

impl From<Value> for Entry {
    fn from(doc: Value) -> Self {
        Self { doc, timeline: Timeline::default() }
    }
}

/// Changes to come, in order of time. Made by [`TimelineBuilder`]; `Timeline::default()` cancels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timeline(Vec<Step>);

impl Timeline {
    /// Whether no change is to come.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Step {
    at: Millis,
    change: Change,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    /// A merge patch (RFC 7396): objects merge, null removes a member, everything else replaces.
    Set(Value),
    Remove,
}

/// Builds a timeline in AWS's durations; the pace decides how long they last here. From
/// [`super::SandboxState::timeline`].
#[derive(Debug)]
pub struct TimelineBuilder {
    cursor: Millis,
    pace: StatePace,
    lingers: Duration,
    steps: Vec<Step>,
}

impl TimelineBuilder {
    /// A timeline that begins now.
    pub fn new(now: Millis, pace: StatePace) -> Self {
        Self { cursor: now, pace, lingers: Duration::ZERO, steps: Vec::new() }
    }

    /// Nothing is gone sooner than that.
    pub fn lingering(self, lingers: Duration) -> Self {
        Self { lingers, ..self }
    }

    /// After a further `realistic`, the patch is merged into the document.
    pub fn then(self, realistic: Duration, patch: Value) -> Self {
        self.then_at(realistic, |_| patch)
    }

    /// As [`TimelineBuilder::then`], for a patch that holds the time of the change.
    pub fn then_at(self, realistic: Duration, patch: impl FnOnce(Millis) -> Value) -> Self {
        let after = self.pace.of(realistic);
        self.step(after, |at| Change::Set(patch(at)))
    }

    /// After a further `realistic`, the document is gone.
    pub fn then_gone(self, realistic: Duration) -> Self {
        let after = self.pace.of(realistic).max(self.lingers);
        self.step(after, |_| Change::Remove)
    }

    fn step(mut self, after: Duration, change: impl FnOnce(Millis) -> Change) -> Self {
        let after = Millis::try_from(after.as_millis()).unwrap_or(Millis::MAX);
        self.cursor = self.cursor.saturating_add(after).min(LAST);
        self.steps.push(Step { at: self.cursor, change: change(self.cursor) });
        self
    }
}

impl From<TimelineBuilder> for Timeline {
    fn from(planner: TimelineBuilder) -> Self {
        Self(planner.steps)
    }
}

/// The merge patch of RFC 7396.
pub fn merge(target: &mut Value, patch: Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                if value.is_null() {
                    target.remove(&name);
                } else {
                    merge(target.entry(name).or_insert(Value::Null), value);
                }
            }
        }
        (target, patch) => *target = patch,
    }
}

type Table = BTreeMap<String, Entry>;

/// One document's file.
#[derive(Serialize, Deserialize)]
struct Kept<E> {
    key: String,
    #[serde(flatten)]
    entry: E,
    /// Of all that is above it. What has another was written by somebody else, or by another version: it may
    /// be JSON and no document all the same, and nothing that uses documents expects that.
    #[serde(default)]
    checksum: String,
}

/// Another one for documents that look otherwise.
const FORMAT: u32 = 1;

impl<E: Serialize> Kept<E> {
    fn new(key: String, entry: E) -> io::Result<Self> {
        let checksum = String::new();
        let mut kept = Self { key, entry, checksum };
        kept.checksum = kept.sum()?;
        Ok(kept)
    }

    fn sum(&self) -> io::Result<String> {
        let text = serde_json::to_vec(&(FORMAT, &self.key, &self.entry))?;
        Ok(blake3::hash(&text).to_hex()[..32].to_owned())
    }
}

/// All tables of one sandbox.
#[derive(Debug)]
pub struct Store {
    dir: PathBuf,
    clock: Arc<Clock>,
    tables: Mutex<BTreeMap<String, Table>>,
    set_aside: Vec<SetAside>,
}

impl Store {
    /// Loads `<root>/state`, one directory per table. What is no document (any more: power was lost, the disk
    /// was full, somebody wrote it) is moved out of the way: one resource is lost, and the others are not
    /// lost with it. All who read documents rely on this one look.
    pub fn open(root: &Path, clock: Arc<Clock>, has_bytes: HasBytes) -> io::Result<Self> {
        let dir = root.join("state");
        let mut tables = BTreeMap::new();
        let mut set_aside = SetAside::in_place_of_folders(root)?;
        let mut aside = |file: &Path, why: &str| {
            set_aside.push(SetAside::of(root, file, why.to_owned()).map_err(|error| at(file, &error))?);
            io::Result::Ok(())
        };
        std::fs::create_dir_all(&dir).map_err(|error| at(&dir, &error))?;
        for table in std::fs::read_dir(&dir).map_err(|error| at(&dir, &error))? {
            let table = table?;
            let name = table.file_name().to_string_lossy().into_owned();
            if !table.file_type()?.is_dir() {
                // What a file manager leaves everywhere is in nobody's way.
                if !name.starts_with('.') {
                    aside(&table.path(), "it is not a folder")?;
                }
                continue;
            }
            let loaded = load_table(root, &name, &table.path(), has_bytes, &mut aside)?;
            tables.insert(name, loaded);
        }
        Ok(Self { dir, clock, tables: Mutex::new(tables), set_aside })
    }

    /// What [`Store::open`] could not read.
    pub fn set_aside(&self) -> &[SetAside] {
        &self.set_aside
    }

    /// One table, seen through a scope: the region of regional resources.
    pub fn table(&self, table: &'static str, scope: &str) -> ScopedTable<'_> {
        ScopedTable { store: self, table, prefix: format!("{scope}/") }
    }

    /// A document as it is now.
    pub fn get(&self, table: &str, key: &str) -> Option<Value> {
        self.live(&mut self.lock(), table, key).map(|entry| entry.doc.clone())
    }

    /// Documents whose key starts with `prefix`, by key.
    pub fn list(&self, table: &str, prefix: &str) -> Vec<(String, Value)> {
        let mut tables = self.lock();
        let Some(entries) = tables.get_mut(table) else { return Vec::new() };
        let now = self.clock.now();
        let mut gone = Vec::new();
        let mut found = Vec::new();
        for (key, entry) in entries.range_mut(prefix.to_owned()..) {
            if !key.starts_with(prefix) {
                break;
            }
            if entry.advance(now) {
                found.push((key.clone(), entry.doc.clone()));
            } else {
                gone.push(key.clone());
            }
        }
        for key in gone {
            entries.remove(&key);
            self.forget_file(table, &key);
        }
        found
    }

    /// Writes a document, whatever was there.
    pub fn put(&self, table: &str, key: &str, entry: impl Into<Entry>) -> Result<(), Fault> {
        self.write(&mut self.lock(), table, key, entry.into())
    }

    /// Writes a document unless there is one: `false` says there is.
    pub fn insert_new(&self, table: &str, key: &str, entry: impl Into<Entry>) -> Result<bool, Fault> {
        let mut tables = self.lock();
        if self.live(&mut tables, table, key).is_some() {
            return Ok(false);
        }
        self.write(&mut tables, table, key, entry.into()).map(|()| true)
    }

    /// Changes a document and its plan as one step; when `change` refuses, nothing is changed. `None`: no
    /// such document. `change` runs under the store's lock, so it must not use the store.
    pub fn update<T>(
        &self,
        table: &str,
        key: &str,
        change: impl FnOnce(&mut Entry) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        let mut tables = self.lock();
        let Some(mut entry) = self.live(&mut tables, table, key).cloned() else { return Ok(None) };
        let made = change(&mut entry)?;
        self.write(&mut tables, table, key, entry)?;
        Ok(Some(made))
    }

    /// Makes, changes or removes a document as one step: `change` finds what is there and leaves what shall
    /// be there, `None` for nothing. Otherwise as [`Store::update`].
    pub fn upsert<T>(
        &self,
        table: &str,
        key: &str,
        change: impl FnOnce(&mut Option<Entry>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut tables = self.lock();
        let before = self.live(&mut tables, table, key).cloned();
        let mut entry = before.clone();
        let made = change(&mut entry)?;
        match (before, entry) {
            (_, Some(entry)) => self.write(&mut tables, table, key, entry)?,
            (Some(_), None) => {
                files::remove_if_there(&self.file(table, key))?;
                tables.get_mut(table).and_then(|entries| entries.remove(key));
            }
            (None, None) => {}
        }
        Ok(made)
    }

    /// The first document whose key is not before `from`. For tables too large to be listed at once.
    pub fn first(&self, table: &str, from: Bound<&str>) -> Option<(String, Value)> {
        let mut tables = self.lock();
        loop {
            let key = tables.get(table)?.range::<str, _>((from, Bound::Unbounded)).next()?.0.clone();
            if let Some(entry) = self.live(&mut tables, table, &key) {
                return Some((key, entry.doc.clone()));
            }
        }
    }

    /// Removes a document and returns it.
    pub fn remove(&self, table: &str, key: &str) -> Result<Option<Value>, Fault> {
        let mut tables = self.lock();
        if self.live(&mut tables, table, key).is_none() {
            return Ok(None);
        }
        files::remove_if_there(&self.file(table, key))?;
        Ok(tables.get_mut(table).and_then(|entries| entries.remove(key)).map(|entry| entry.doc))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Table>> {
        // A panic in a caller's closure happens before anything is changed, so the tables are still whole.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The entry as it is now.
    fn live<'a>(
        &self,
        tables: &'a mut BTreeMap<String, Table>,
        table: &str,
        key: &str,
    ) -> Option<&'a mut Entry> {
        let entries = tables.get_mut(table)?;
        if !entries.get_mut(key)?.advance(self.clock.now()) {
            entries.remove(key);
            self.forget_file(table, key);
        }
        entries.get_mut(key)
    }

    /// File first, then memory: what a caller was told is on disk.
    fn write(
        &self,
        tables: &mut BTreeMap<String, Table>,
        table: &str,
        key: &str,
        entry: Entry,
    ) -> Result<(), Fault> {
        let path = self.file(table, key);
        if !tables.contains_key(table) {
            std::fs::create_dir_all(self.dir.join(table))?;
            tables.insert(table.to_owned(), Table::new());
        }
        let text = serde_json::to_vec(&Kept::new(key.to_owned(), &entry)?).map_err(io::Error::from)?;
        write_atomically(&path, &text)?;
        self.clock.save()?;
        tables.entry(table.to_owned()).or_default().insert(key.to_owned(), entry);
        Ok(())
    }

    /// A file that stays by mistake does no harm: its plan removes the document again at the next load.
    fn forget_file(&self, table: &str, key: &str) {
        let _ = std::fs::remove_file(self.file(table, key));
    }

    fn file(&self, table: &str, key: &str) -> PathBuf {
        self.dir.join(table).join(file_name(key) + ".json")
    }
}

/// A table within a scope; the usual way of a service to its documents.
#[derive(Clone, Debug)]
pub struct ScopedTable<'a> {
    store: &'a Store,
    table: &'static str,
    prefix: String,
}

impl ScopedTable<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A document as it is now.
    pub fn get(&self, name: &str) -> Option<Value> {
        self.store.get(self.table, &self.key(name))
    }

    /// Whether there is such a document.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// See [`Store::put`].
    pub fn put(&self, name: &str, entry: impl Into<Entry>) -> Result<(), Fault> {
        self.store.put(self.table, &self.key(name), entry)
    }

    /// See [`Store::insert_new`].
    pub fn insert_new(&self, name: &str, entry: impl Into<Entry>) -> Result<bool, Fault> {
        self.store.insert_new(self.table, &self.key(name), entry)
    }

    /// See [`Store::update`].
    pub fn update<T>(
        &self,
        name: &str,
        change: impl FnOnce(&mut Entry) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.store.update(self.table, &self.key(name), change)
    }

    /// See [`Store::remove`].
    pub fn remove(&self, name: &str) -> Result<Option<Value>, Fault> {
        self.store.remove(self.table, &self.key(name))
    }

    /// Names (without the scope) and documents, by name, of those that start with `prefix`.
    pub fn list(&self, prefix: &str) -> Vec<(String, Value)> {
        self.store
            .list(self.table, &self.key(prefix))
            .into_iter()
            .map(|(key, doc)| (key[self.prefix.len()..].to_owned(), doc))
            .collect()
    }
}

/// Says which file it was.
fn at(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn load_table(
    root: &Path,
    name: &str,
    dir: &Path,
    has_bytes: HasBytes,
    set_aside: &mut dyn FnMut(&Path, &str) -> io::Result<()>,
) -> io::Result<Table> {
    let mut table = Table::new();
    for file in std::fs::read_dir(dir).map_err(|error| at(dir, &error))? {
        let path = file?.path();
        // What does not end in .json is a temporary file of a process that was killed.
        if path.extension().is_some_and(|ending| ending == "json") {
            match load(root, name, &path, has_bytes) {
                Ok(kept) => drop(table.insert(kept.key, kept.entry)),
                Err(why) => set_aside(&path, &why)?,
            }
        }
    }
    Ok(table)
}

/// One document, as the sandbox has written it.
fn load(root: &Path, table: &str, path: &Path, has_bytes: HasBytes) -> Result<Kept<Entry>, String> {
    if !path.is_file() {
        return Err("it is not a file".to_owned());
    }
    let text = files::read(path).map_err(|error| error.to_string())?;
    let kept: Kept<Entry> = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    if path.file_stem().is_none_or(|name| *name != *file_name(&kept.key)) {
        return Err("its key is not its name".to_owned());
    }
    if kept.sum().map_err(|error| error.to_string())? != kept.checksum {
        return Err("somebody changed it, or another version of opsctl wrote it".to_owned());
    }
    if !has_bytes(root, table, &kept.key, &kept.entry.doc) {
        return Err("its bytes are gone".to_owned());
    }
    Ok(kept)
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
