//! Files that opsctl writes to paths the user names.

use std::path::Path;

use super::ui::Ui;
use crate::desired;
use crate::inputs::{note_written, source_of};
use crate::run::Session;

/// Keeps a file that was written for the user out of the sources: a pulled model must not train again. Says
/// so where it lies in one, because it may have been pulled there to be trained on.
pub fn record_written_file(session: &Session, ui: &Ui, file: &Path) {
    let folder = session.config.document.folder();
    note_written(folder, file);
    let sources = desired::sources(&session.config, &session.kinds);
    if let Some(source) = source_of(folder, file, &sources) {
        ui.say(&format!(
            "note: {} is in {}, but is left out of it because opsctl wrote it; a copy would count",
            file.display(),
            source.at
        ));
    }
}
