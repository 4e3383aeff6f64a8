//! Small objects of S3, each read as a whole.

use aws_sdk_s3::error::{ConnectorError, SdkError};
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_smithy_types::byte_stream::AggregatedBytes;

/// How often an object is asked for, as often as the SDK repeats a request.
const ATTEMPTS: u32 = 3;

/// Reads an object with its body. `get` sends the request: the SDK repeats one that has no answer, and leaves
/// one whose answer broke off in its body to the caller
/// (<https://docs.rs/aws-sdk-s3/latest/aws_sdk_s3/primitives/struct.ByteStream.html>).
///
/// # Errors
/// What AWS said; a body that broke off each time is a failed connection.
pub async fn whole<F, Fut>(mut get: F) -> Result<(GetObjectOutput, Vec<u8>), SdkError<GetObjectError>>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<GetObjectOutput, SdkError<GetObjectError>>>,
{
    let mut attempt = 1;
    loop {
        let mut object = get().await?;
        match std::mem::take(&mut object.body).collect().await.map(AggregatedBytes::to_vec) {
            Ok(body) => return Ok((object, body)),
            Err(error) if attempt == ATTEMPTS => {
                return Err(SdkError::dispatch_failure(ConnectorError::io(error.into())));
            }
            Err(error) => tracing::debug!(%error, attempt, "an answer broke off in its body"),
        }
        attempt += 1;
    }
}
