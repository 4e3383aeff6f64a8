//! The floor: the least that a client must do to put files into S3 with integrity. Eight blocking threads,
//! TLS, a CRC64NVME header, SigV4 with UNSIGNED-PAYLOAD; no plan, no progress, no retry, no second look. A
//! real client is measured against it.

mod client;
mod sign;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use client::{Client, Target};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const HELP: &str = "\
Usage: floor --endpoint URL [--ca FILE] --bucket NAME [--prefix P] [--threads N] folder DIR | file PATH

  folder   one PUT for each file below DIR
  file     one multipart upload by parts of 16 MiB

Keys are taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY. The default is 8 threads.";

const PART: u64 = 16 * 1024 * 1024;

struct Options {
    target: Target,
    prefix: String,
    threads: usize,
    work: Work,
}

enum Work {
    Folder(PathBuf),
    File(PathBuf),
}

impl Options {
    /// `None`: help was asked for.
    fn parse() -> Result<Option<Self>, Failure> {
        use lexopt::prelude::*;
        let (mut endpoint, mut ca, mut bucket) = (None, None::<PathBuf>, None);
        let (mut prefix, mut threads, mut words) = (String::new(), 8, Vec::<PathBuf>::new());
        let mut parser = lexopt::Parser::from_env();
        while let Some(word) = parser.next()? {
            match word {
                Long("endpoint") => endpoint = Some(parser.value()?.string()?),
                Long("ca") => ca = Some(parser.value()?.into()),
                Long("bucket") => bucket = Some(parser.value()?.string()?),
                Long("prefix") => prefix = parser.value()?.string()?,
                Long("threads") => threads = parser.value()?.parse()?,
                Long("help") | Short('h') => return Ok(None),
                Value(value) => words.push(value.into()),
                other => return Err(other.unexpected().into()),
            }
        }
        let work = match words.as_slice() {
            [mode, path] if mode.as_os_str() == "folder" => Work::Folder(path.clone()),
            [mode, path] if mode.as_os_str() == "file" => Work::File(path.clone()),
            _ => return Err("say `folder DIR` or `file PATH`".into()),
        };
        let (endpoint, bucket) =
            (endpoint.ok_or("--endpoint is missing")?, bucket.ok_or("--bucket is missing")?);
        Ok(Some(Self { target: Target::new(&endpoint, ca.as_deref(), bucket)?, prefix, threads, work }))
    }
}

fn main() -> Result<(), Failure> {
    let Some(options) = Options::parse()? else {
        println!("{HELP}");
        return Ok(());
    };
    match &options.work {
        Work::Folder(root) => folder(&options, root),
        Work::File(path) => large(&options, path),
    }
}

/// Runs `each` on all items by so many threads, each with a connection of its own, until one fails.
fn spread<T: Sync>(
    options: &Options,
    items: &[T],
    each: impl Fn(&mut Client, &mut Vec<u8>, &T) -> Result<(), Failure> + Sync,
) -> Result<(), Failure> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    let work = || -> Result<(), Failure> {
        let (mut client, mut buffer) = (Client::connect(&options.target)?, Vec::new());
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            each(&mut client, &mut buffer, item)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                if let Err(error) = work() {
                    next.store(items.len(), Ordering::Relaxed);
                    failed.lock().expect("no holder of this lock panics").get_or_insert(error);
                }
            });
        }
    });
    failed.into_inner().expect("no holder of this lock panics").map_or(Ok(()), Err)
}

fn folder(options: &Options, root: &Path) -> Result<(), Failure> {
    let mut files = Vec::new();
    walk(root, &options.prefix, &mut files)?;
    spread(options, &files, |client, buffer, (path, key)| {
        buffer.clear();
        File::open(path)?.read_to_end(buffer)?;
        client.put(key, "", buffer).map(drop)
    })
}

fn walk(folder: &Path, prefix: &str, into: &mut Vec<(PathBuf, String)>) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name =
            entry.file_name().into_string().map_err(|name| format!("{} is not UTF-8", name.display()))?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &format!("{prefix}{name}/"), into)?;
        } else {
            into.push((entry.path(), format!("{prefix}{name}")));
        }
    }
    Ok(())
}

fn large(options: &Options, path: &Path) -> Result<(), Failure> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let name = path.file_name().and_then(|name| name.to_str()).ok_or("the name of the file is not UTF-8")?;
    let key = format!("{}{name}", options.prefix);
    let mut first = Client::connect(&options.target)?;
    let id = first.create_upload(&key)?;

    let parts: Vec<u64> = (0..size.div_ceil(PART).max(1)).collect();
    let etags = Mutex::new(vec![String::new(); parts.len()]);
    spread(options, &parts, |client, buffer, index| {
        let length = PART.min(size - index * PART);
        buffer.resize(usize::try_from(length)?, 0);
        file.read_exact_at(buffer, index * PART)?;
        let etag = client.put(&key, &format!("partNumber={}&uploadId={id}", index + 1), buffer)?;
        etags.lock().expect("no holder of this lock panics")[usize::try_from(*index)?] = etag;
        Ok(())
    })?;
    first.complete_upload(&key, &id, &etags.into_inner().expect("no holder of this lock panics"))
}
