//! What lies in buckets of others and is read by what is deployed: listed before anything is planned, because
//! names are made of it (docs/decisions/0064).

use futures_util::future::try_join_all;

use crate::aws::{Clients, OpErrorKind, OpResult, SdkResultExt};
use crate::domain::{Code, Diagnostic, action, codes, many, shown};
use crate::engine::RunContext;
use crate::inputs::{Listing, Remote, RemoteLook, bucket_and_key};

/// Objects of one place that are listed: a call for each 1,000, one after the other.
const MOST: usize = 100_000;

/// What was found at a place, or why it cannot be read.
pub type Looked = (Remote, Result<Listing, Diagnostic>);

/// Lists all of them.
///
/// # Errors
/// AWS cannot be reached. That a bucket is not there, or may not be read, is an answer.
pub async fn list(aws: &Clients, region: &str, remotes: Vec<Remote>) -> OpResult<Vec<Looked>> {
    try_join_all(remotes.into_iter().map(|remote| async move {
        let found = match bucket_and_key(&remote.uri) {
            Some((bucket, key)) => Place { aws, region, remote: &remote, bucket, key }.list().await?,
            // The section's own problem was reported already.
            None => Ok(Listing::default()),
        };
        OpResult::Ok((remote, found))
    }))
    .await
}

/// The places that hold something else now than what the names were made of.
///
/// # Errors
/// AWS cannot be reached.
pub async fn changed(context: &RunContext) -> OpResult<Vec<String>> {
    let known = context.inputs.listings().map(|(remote, _)| remote.clone()).collect();
    let looked = list(&context.aws, &context.scope.region, known).await?;
    let same = |remote: &Remote, found: &Result<Listing, Diagnostic>| {
        let then = context.inputs.listing(remote).and_then(|then| then.as_ref().ok());
        found.as_ref().ok() == then
    };
    Ok(looked.into_iter().filter(|(remote, found)| !same(remote, found)).map(|(r, _)| r.uri).collect())
}

struct Place<'a> {
    aws: &'a Clients,
    region: &'a str,
    remote: &'a Remote,
    bucket: &'a str,
    key: &'a str,
}

/// Key, size and entity tag of an object.
type Object = (String, u64, String);

struct Page {
    objects: Vec<Object>,
    next: Option<String>,
}

/// The answer to a look, in a call that may fail: what AWS says of the place is no failure.
type Answer<T> = OpResult<Result<T, Diagnostic>>;

impl Place<'_> {
    async fn list(&self) -> Answer<Listing> {
        let Self { key, remote, .. } = self;
        if !key.is_empty() && !key.ends_with('/') {
            let page = match self.page(key, 2, None).await? {
                Ok(page) => page,
                Err(problem) => return Ok(Err(problem)),
            };
            // In the order of their names, so that the key itself is the first of those that begin with it.
            match (page.objects.as_slice(), remote.look) {
                ([(first, size, etag), ..], RemoteLook::Object) if first == key => {
                    return Ok(Ok(object(key, *size, etag)));
                }
                ([(first, size, etag)], _) if first == key => return Ok(Ok(object(key, *size, etag))),
                ([(first, ..), (second, ..), ..], _) if first == key => {
                    let text =
                        format!("{} is an object, and {} begins with it", remote.uri, shown::line(second));
                    let help = "put the file into a folder of its own, or name the folder";
                    return Ok(Err(self.problem(codes::REMOTE_AMBIGUOUS, text, help)));
                }
                _ => {}
            }
        }
        if remote.look == RemoteLook::Object {
            let text = format!("there is no object {}", remote.uri);
            return Ok(Err(self.problem(codes::REMOTE_ABSENT, text, "`aws s3 ls` shows what is there")));
        }
        self.folder().await
    }

    /// All below the prefix, or enough of it to know that something is.
    async fn folder(&self) -> Answer<Listing> {
        let slash = if self.key.is_empty() || self.key.ends_with('/') { "" } else { "/" };
        let prefix = format!("{}{slash}", self.key);
        let only_presence = self.remote.look == RemoteLook::Presence;
        let size = if only_presence { 2 } else { 1000 };
        let (mut objects, mut next) = (Vec::new(), None);
        loop {
            let page = match self.page(&prefix, size, next).await? {
                Ok(page) => page,
                Err(problem) => return Ok(Err(problem)),
            };
            // The console's "folders" are objects whose names end with a slash; no file has such a name.
            objects.extend(page.objects.into_iter().filter(|(key, ..)| !key.ends_with('/')));
            next = page.next.filter(|_| !only_presence || objects.is_empty());
            if next.is_none() {
                break;
            }
            if objects.len() >= MOST {
                let text = format!("there are more than {} under {}", many(MOST, "object"), self.remote.uri);
                let help = "name a smaller prefix, or say which data it is by `version = \"…\"`";
                return Ok(Err(self.problem(codes::REMOTE_LARGE, text, help)));
            }
        }
        if objects.is_empty() {
            let text = format!("there is nothing under {}", self.remote.uri);
            return Ok(Err(self.problem(codes::REMOTE_ABSENT, text, "`aws s3 ls` shows what is there")));
        }
        if only_presence {
            return Ok(Ok(Listing::default()));
        }
        let paths = objects.iter().map(|(key, size, etag)| (&key[prefix.len()..], *size, &**etag));
        Ok(Ok(Listing::of(paths)))
    }

    async fn page(&self, prefix: &str, size: i32, from: Option<String>) -> Answer<Page> {
        let call = self.aws.s3.list_objects_v2().bucket(self.bucket).prefix(prefix).max_keys(size);
        let answer = call.set_continuation_token(from).send().await;
        let elsewhere = answer.as_ref().err().and_then(|error| {
            let region = error.raw_response()?.headers().get("x-amz-bucket-region")?;
            (region != self.region).then(|| region.to_owned())
        });
        if let Some(region) = elsewhere {
            return Ok(Err(self.elsewhere(&region)));
        }
        let page = match answer.op(action::s3::ListBucket) {
            Ok(page) => page,
            Err(error) if error.kind == OpErrorKind::NotFound => {
                let text = format!("there is no bucket {}", self.bucket);
                return Ok(Err(self.problem(codes::REMOTE_ABSENT, text, "`aws s3 ls` lists yours")));
            }
            Err(error) if error.kind == OpErrorKind::Denied => {
                let text = format!("{} may not be listed: {}", self.remote.uri, error.message);
                let help = format!("allow s3:ListBucket on the bucket {}", self.bucket);
                return Ok(Err(self.problem(codes::REMOTE_DENIED, text, &help)));
            }
            Err(error) if error.is("PermanentRedirect") => {
                return Ok(Err(self.elsewhere("another region")));
            }
            Err(error) => return Err(error),
        };
        let objects = page.contents.unwrap_or_default().into_iter().filter_map(|object| {
            let size = u64::try_from(object.size?).ok()?;
            Some((object.key?, size, object.e_tag?.trim_matches('"').to_owned()))
        });
        Ok(Ok(Page { objects: objects.collect(), next: page.next_continuation_token }))
    }

    fn elsewhere(&self, region: &str) -> Diagnostic {
        let text = format!(
            "the bucket {} is in {region}, and SageMaker reads only from buckets in {}",
            self.bucket, self.region
        );
        let help = format!("copy it to a bucket in {} (`aws s3 sync`), or deploy in {region}", self.region);
        self.problem(codes::REMOTE_ELSEWHERE, text, &help)
    }

    fn problem(&self, code: Code, text: String, help: &str) -> Diagnostic {
        Diagnostic::error(code, self.remote.at.clone(), text, help)
    }
}

/// One object, by its entity tag.
fn object(key: &str, size: u64, etag: &str) -> Listing {
    let name = key.rsplit('/').next().unwrap_or(key);
    let listing = Listing::of([(name, size, etag)]);
    Listing { is_object: true, etag: Some(etag.to_owned()), ..listing }
}
