//! Downloads the archive that a training job or instance left, and verifies it.

use std::path::Path;

use super::{PullRefusal, is_there};
use crate::desired::{AnySeen, Mixed};
use crate::domain::{Phase, Stored};
use crate::engine::OpCx;
use crate::inputs::{Output, Record};
use crate::run::jobs::{Job, Newest};
use crate::run::{Session, bucket_is_ours};
use crate::transfer::{Object, Ranges, download, output};

/// A model in the bucket.
#[derive(Debug)]
pub struct Model {
    /// Its job, by its name in AWS.
    pub physical: String,
    /// That is not the job which the config asks for, but one before it.
    pub is_earlier: bool,
    /// How its job is, and why, where that is no good end though it has left this.
    pub ended: Option<(String, Option<String>)>,
    pub object: Object,
    bucket: String,
    key: String,
}

/// Why there is no model.
#[derive(Debug)]
pub enum NoModel {
    /// Nobody knows whose weights these are.
    Mixed { physical: String, mixed: Mixed },
    /// The job has left none: how it is, if there is one.
    NotSaved(Option<AnySeen>),
}

impl Model {
    /// That of the job which the config asks for, else that of the newest one before it.
    ///
    /// # Errors
    /// See [`PullRefusal`].
    pub async fn find(session: &Session, job: &Job) -> Result<Self, PullRefusal<NoModel>> {
        bucket_is_ours(session).await?;
        let (bucket, key) = (session.bucket(), |physical: &str| job.artifact(session, physical));
        let cx = OpCx::new(&session.context, job.id.clone());
        let found =
            job.newest_with(session, async |physical| Object::head(&cx.aws.s3, bucket, &key(physical)).await);
        let Some(Newest { physical, found: object, is_earlier, seen }) = found.await? else {
            let look = session.registry.of(job.id.kind).observe(&cx, &job.physical);
            let seen = session.context.cancel.reading("looking", look).await?;
            return Err(PullRefusal::Nothing(NoModel::NotSaved(seen)));
        };
        let status = seen.as_ref().map(|seen| seen.status()).filter(|status| status.phase == Phase::Failed);
        let ended = status.map(|status| (status.word.clone(), status.cause()));
        if let Some(mixed) = seen.and_then(|seen| seen.mixed()) {
            return Err(PullRefusal::Nothing(NoModel::Mixed { physical, mixed }));
        }
        let key = key(&physical);
        Ok(Self { physical, is_earlier, ended, object, bucket: bucket.to_owned(), key })
    }

    /// Fetches it into a file. What opsctl itself has written there, or what is the same, may be replaced;
    /// anything else only if the user said so.
    ///
    /// # Errors
    /// See [`PullRefusal`].
    pub async fn fetch(
        &self,
        session: &Session,
        job: &Job,
        file: &Path,
        may_replace: bool,
    ) -> Result<(), PullRefusal<NoModel>> {
        let object = &self.object;
        let stored = object.crc.map(|crc| Stored { size: object.size, crc, etag: String::new() });
        let differs = Record::of(session.config.document.folder()).is_in_the_way(file)
            && !stored.is_some_and(|stored| is_there(file, &stored));
        if differs && !may_replace {
            return Err(PullRefusal::InTheWay(vec![file.display().to_string()]));
        }
        session.context.cancel.commit()?;
        let cx = OpCx::new(&session.context, job.id.clone());
        let output = output(file, Output::named)?;
        download(&cx, (&self.bucket, &self.key), object, output, &Ranges::default()).await?;
        Ok(())
    }

    /// Where it lies.
    pub fn uri(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}
