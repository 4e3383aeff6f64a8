//! Instances that only go through their states: what their program would leave is left, and they end.

use std::sync::Arc;

use bytes::Bytes;

use super::objects::S3Objects;
use crate::services::ec2::{self, Backend, BootedInstance};
use crate::services::objects::Objects;
use crate::state::SandboxState;

/// The tags by which a training instance says where its results go.
const JOB: &str = "opsctl:job";
const OUTPUT: &str = "opsctl:output";

/// Leaves an empty model archive and the marker of success, the marker last, and shuts the instance down.
pub struct EmptyResults;

impl Backend for EmptyResults {
    fn boot(&self, shared: Arc<SandboxState>, instance: BootedInstance) {
        let host = Arc::clone(&shared);
        host.spawn(async move {
            if let (Some(job), Some(output)) = (instance.tags.get(JOB), instance.tags.get(OUTPUT)) {
                let archive =
                    tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Default::default()));
                let archive =
                    archive.into_inner().and_then(flate2::write::GzEncoder::finish).unwrap_or_default();
                let result = br#"{"exit_code":0,"message":"","seconds":0}"#.to_vec();
                for (file, body) in [("model.tar.gz", archive), ("result.json", result)] {
                    let uri = format!("{output}/{job}/output/{file}");
                    let put =
                        S3Objects.put(Arc::clone(&shared), instance.region.clone(), uri, Bytes::from(body));
                    if let Err(error) = put.await {
                        tracing::warn!(instance = instance.instance_id, error, "a result is lost");
                    }
                }
            }
            if let Err(fault) = ec2::shut_down(&shared, &instance.region, &instance.instance_id) {
                tracing::warn!(instance = instance.instance_id, error = fault.message, "an instance stays");
            }
        });
    }

    fn power_off(&self, _: &Arc<SandboxState>, _: &str, _: &str) {}
}
