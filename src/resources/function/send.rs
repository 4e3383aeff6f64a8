//! The code of a function as a request carries it: the zip itself, or an object of the bucket where it is too
//! large for that.

use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::FunctionCode;
use aws_sdk_s3::primitives::ByteStream;

use super::packages::Packages;
use super::spec::{Function, Spec, UNZIPPED};
use super::{code, install};
use crate::aws::{OpError, OpErrorKind, OpResult, SdkResultExt};
use crate::domain::action;
use crate::engine::OpCx;

/// Bytes of a zip that a request may carry: the request has 50 MB, and base64 makes four of three
/// (docs/aws/lambda.md#limits).
const DIRECT: usize = 36_000_000;

/// What CreateFunction and UpdateFunctionCode take.
#[derive(Clone)]
pub enum Code {
    Zip(Blob),
    Object { bucket: String, key: String },
}

impl Code {
    /// As CreateFunction takes it.
    pub fn member(&self) -> FunctionCode {
        match self {
            Self::Zip(zip) => FunctionCode::builder().zip_file(zip.clone()).build(),
            Self::Object { bucket, key } => FunctionCode::builder().s3_bucket(bucket).s3_key(key).build(),
        }
    }
}

/// The code, and the function's description, which says what it was packed from.
pub async fn code(cx: &OpCx<'_>, spec: &Spec) -> OpResult<(Code, String)> {
    let zip = match &spec.packages {
        None => code::of_spec(spec.source.as_deref(), &spec.use_as, &cx.inputs),
        Some(packages) => with_packages(cx, spec, packages).await?,
    };
    let sha256 = code::sha256(&zip);
    let description = match &spec.packages {
        None => DESCRIPTION.to_owned(),
        Some(_) => format!("{DESCRIPTION} of {} as {sha256}", spec.code_sha256),
    };
    if zip.len() <= DIRECT {
        return Ok((Code::Zip(Blob::new(zip)), description));
    }
    let (bucket, key) = (spec.bucket.clone(), code::key(&Function::folder(&cx.scope), &zip));
    let call = cx.aws.s3.put_object().bucket(&bucket).key(&key).body(ByteStream::from(zip));
    call.send().await.op(action::s3::PutObject)?;
    Ok((Code::Object { bucket, key }, description))
}

async fn with_packages(cx: &OpCx<'_>, spec: &Spec, packages: &Packages) -> OpResult<Vec<u8>> {
    let files = install::files(cx, packages).await?;
    let tree = spec.source.as_deref().and_then(|path| cx.inputs.accepted(path, &spec.use_as));
    let Some(tree) = tree else {
        return Err(OpError::local("packing the function", "its folder was not read for this run"));
    };
    let unzipped = tree.bytes() + files.iter().map(|(_, content)| content.len() as u64).sum::<u64>();
    if unzipped > UNZIPPED {
        let message = format!("code and packages have {} MB, Lambda takes 250 MB", unzipped / 1_000_000);
        return Err(OpError::new("packing the function", OpErrorKind::NotPacked, message));
    }
    Ok(code::with_packages(tree, &files))
}

const DESCRIPTION: &str = "Made by opsctl";

/// What code is known by: its digest, or what it was packed from, where the description says that of this
/// digest.
pub fn known_by(description: Option<&str>, sha256: &str) -> String {
    let packed = description.and_then(|text| {
        let (from, noted) = text.strip_prefix(DESCRIPTION)?.strip_prefix(" of ")?.split_once(" as ")?;
        (noted == sha256).then(|| from.to_owned())
    });
    packed.unwrap_or_else(|| sha256.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody's other code is not taken for what the description says.
    #[test]
    fn a_description_counts_for_its_own_code_alone() {
        let said = Some("Made by opsctl of packed-12 as abc=");
        assert_eq!(known_by(said, "abc="), "packed-12");
        assert_eq!(known_by(said, "other="), "other=");
        assert_eq!(known_by(Some(DESCRIPTION), "abc="), "abc=");
        assert_eq!(known_by(None, "abc="), "abc=");
    }
}
