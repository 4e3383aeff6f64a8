use std::collections::HashMap;

use aws_sdk_sagemaker::types::ContainerDefinition;

use super::Model;
use super::repack::repack;
use super::section::Given;
use super::send;
use super::spec::{Spec, State};
use crate::aws::{OpError, OpResult, OpResultExt, SdkResultExt};
use crate::config::Network;
use crate::desired::Seen;
use crate::domain::{FieldChange, KindName, Status, Tags, action};
use crate::engine::{Driver, Found, OpCx, make};
use crate::inputs::PartFolder;
use crate::resources::bucket::empty;
use crate::resources::objects::{etag, is_replaced, split};
use crate::resources::sagemaker::{self, list_owned};

impl Driver for Model {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        Ok(list_owned!(cx, list_models, action::sagemaker::ListModels, models, model_name))
    }

    async fn observe(&self, cx: &OpCx<'_>, model: &str) -> OpResult<Option<Seen<State>>> {
        let describe = async {
            let call = cx.aws.sagemaker.describe_model().model_name(model);
            call.send().await.op(action::sagemaker::DescribeModel).found()
        };
        let arn = format!("model/{model}");
        let Some((found, tags)) = sagemaker::with_tags(cx, &arn, describe).await? else { return Ok(None) };
        let container = found.primary_container();
        let archive = match container.and_then(|c| c.model_data_url()) {
            Some(uri) => Some(etag(cx, uri).await?),
            None => None,
        };
        let there = archive.as_ref().and_then(Option::as_deref);
        let replaced = is_replaced(sagemaker::tag(&tags, Model::ARCHIVE_TAG), there);
        let tag = |key| sagemaker::tag(&tags, key).unwrap_or_default().to_owned();
        let state = State {
            archive: archive.is_none_or(|there| there.is_some()),
            replaced,
            role_arn: found.execution_role_arn().unwrap_or_default().to_owned(),
            image: container.and_then(|c| c.image()).unwrap_or_default().to_owned(),
            trained: tag(Model::TRAINED_TAG),
            artifact: tag(Model::ARTIFACT_TAG),
            code: tag(Model::CODE_TAG),
            environment: container
                .and_then(|c| c.environment())
                .map(|e| e.clone().into_iter().collect())
                .unwrap_or_default(),
            network: found
                .vpc_config()
                .and_then(|vpc| Network::found(vpc.subnets(), vpc.security_group_ids())),
            isolated: found.enable_network_isolation().unwrap_or_default(),
        };
        Ok(Some(sagemaker::seen(cx, &tags, Status::ready("Available"), state)))
    }

    async fn create(&self, cx: &OpCx<'_>, model: &str, spec: &Spec) -> OpResult<()> {
        let packed = put(cx, model, spec).await?;
        let environment: HashMap<_, _> = spec.environment.clone().into_iter().collect();
        let container = ContainerDefinition::builder()
            .image(&spec.image)
            .set_model_data_url(spec.data_url(model))
            .set_environment(Some(environment))
            .build();
        let (trained, artifact) = (spec.trained_tag(), spec.artifact_tag());
        let trained = (Model::TRAINED_TAG.to_owned(), trained.as_str());
        let artifact = artifact.as_deref().map(|known_by| (Model::ARTIFACT_TAG.to_owned(), known_by));
        let archive = packed.as_deref().map(|etag| (Model::ARCHIVE_TAG.to_owned(), etag));
        let made_of: Vec<_> = [trained, (Model::CODE_TAG.to_owned(), spec.code_tag())]
            .into_iter()
            .chain(archive)
            .chain(artifact)
            .collect();
        let action = action::sagemaker::CreateModel;
        let create = || async {
            let call = cx.aws.sagemaker.create_model().model_name(model).execution_role_arn(&spec.role_arn);
            let call =
                call.primary_container(container.clone()).set_tags(sagemaker::tags(cx, made_of.clone()));
            let call = call.set_vpc_config(spec.network.as_ref().map(sagemaker::vpc));
            let call = call.set_enable_network_isolation(spec.isolated.then_some(true));
            call.send().await.op(action).map(drop)
        };
        make(self, cx, model, action, || cx.retry_new_role(action, create)).await
    }

    async fn update(&self, cx: &OpCx<'_>, model: &str, spec: &Spec, _: &[FieldChange]) -> OpResult<()> {
        // The model itself is immutable; its archive may have to be put back.
        match put(cx, model, spec).await? {
            Some(etag) => sagemaker::note(cx, &format!("model/{model}"), Model::ARCHIVE_TAG, &etag).await,
            None => Ok(()),
        }
    }

    async fn delete(&self, cx: &OpCx<'_>, model: &str) -> OpResult<()> {
        if let Some(bucket) = cx.context.wanted(KindName::Bucket).next() {
            empty::empty(cx, bucket, &Model::folder(model)).await?;
        }
        cx.aws
            .sagemaker
            .delete_model()
            .model_name(model)
            .send()
            .await
            .op(action::sagemaker::DeleteModel)
            .ignore_not_found()
    }

    async fn adopt(&self, cx: &OpCx<'_>, model: &str) -> OpResult<()> {
        sagemaker::adopt(cx, &format!("model/{model}")).await
    }

    async fn retag(&self, cx: &OpCx<'_>, model: &str, gone: Vec<String>, put: Tags) -> OpResult<()> {
        sagemaker::retag(cx, &format!("model/{model}"), gone, put).await
    }
}

/// Puts the archive into the bucket that is this project's own, and gives its entity tag: with code in it, or
/// of this machine. `None`: a training, or somebody else, has put it where it is.
async fn put(cx: &OpCx<'_>, model: &str, spec: &Spec) -> OpResult<Option<String>> {
    let (None, Some(Given::Local { path, .. })) = (&spec.code, &spec.given) else {
        return repack(cx, model, spec).await;
    };
    let folder = PartFolder::temporary().map_err(|e| OpError::local("packing the model", e))?;
    let archive = send::local(cx, path, folder.path()).await?;
    let (bucket, key) = split(&spec.trained)?;
    send::send(cx, bucket, key, &archive).await.map(Some)
}
