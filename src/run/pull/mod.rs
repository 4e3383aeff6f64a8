//! What is downloaded from the project's bucket: the files of a data set, the model of a job. What is the
//! user's is not replaced unless they say so.

pub mod data;
pub mod model;

use std::fs::{File, metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::aws::OpError;
use crate::domain::{Crc64Hasher, Stored};

/// Why nothing was fetched.
#[derive(Debug)]
pub enum PullRefusal<T> {
    Op(OpError),
    /// These files are there, and differ from what is in the bucket.
    InTheWay(Vec<String>),
    /// A folder on the way is a link that leads out of the folder which is filled.
    LeadsOut(PathBuf),
    /// There is nothing to fetch.
    Nothing(T),
}

impl<T> From<OpError> for PullRefusal<T> {
    fn from(error: OpError) -> Self {
        Self::Op(error)
    }
}

/// Whether the file has these bytes already.
fn is_there(file: &Path, stored: &Stored) -> bool {
    let same = || -> io::Result<bool> {
        let about = metadata(file)?;
        if !about.is_file() || about.len() != stored.size {
            return Ok(false);
        }
        let mut hasher = Crc64Hasher::default();
        io::copy(&mut File::open(file)?, &mut hasher)?;
        Ok(hasher.finish() == stored.crc)
    };
    same().unwrap_or(false)
}
