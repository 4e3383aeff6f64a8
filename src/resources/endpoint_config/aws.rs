use aws_sdk_sagemaker::types::{ProductionVariant, ProductionVariantInstanceType};

use super::spec::{EndpointConfig, Spec, State};
use crate::aws::{OpResult, OpResultExt, SdkResultExt};
use crate::desired::Seen;
use crate::domain::{FieldChange, Status, Tags, action};
use crate::engine::{Driver, Found, OpCx, make};
use crate::resources::encryption;
use crate::resources::sagemaker::{self, list_owned};

impl Driver for EndpointConfig {
    async fn owned(&self, cx: &OpCx<'_>) -> OpResult<Vec<Found>> {
        Ok(list_owned!(
            cx,
            list_endpoint_configs,
            action::sagemaker::ListEndpointConfigs,
            endpoint_configs,
            endpoint_config_name
        ))
    }

    async fn observe(&self, cx: &OpCx<'_>, endpoint_config: &str) -> OpResult<Option<Seen<State>>> {
        let describe = async {
            let call = cx.aws.sagemaker.describe_endpoint_config().endpoint_config_name(endpoint_config);
            call.send().await.op(action::sagemaker::DescribeEndpointConfig).found()
        };
        let arn = format!("endpoint-config/{endpoint_config}");
        let Some((found, tags)) = sagemaker::with_tags(cx, &arn, describe).await? else { return Ok(None) };
        let variant = found.production_variants().first();
        let state = State {
            model: variant.and_then(|v| v.model_name()).unwrap_or_default().to_owned(),
            instance_type: variant.and_then(|v| v.instance_type()).map_or("", |t| t.as_str()).to_owned(),
            instance_count: variant.and_then(|v| v.initial_instance_count()).unwrap_or_default(),
            kms_key: encryption::found(found.kms_key_id()),
            volume_gb: variant.and_then(|v| v.volume_size_in_gb()),
            download_timeout_s: variant.and_then(|v| v.model_data_download_timeout_in_seconds()),
            startup_timeout_s: variant.and_then(|v| v.container_startup_health_check_timeout_in_seconds()),
        };
        Ok(Some(sagemaker::seen(cx, &tags, Status::ready("Available"), state)))
    }

    async fn create(&self, cx: &OpCx<'_>, endpoint_config: &str, spec: &Spec) -> OpResult<()> {
        let variant = ProductionVariant::builder()
            .variant_name(Self::VARIANT)
            .model_name(&spec.model)
            .instance_type(ProductionVariantInstanceType::from(spec.instance_type.as_str()))
            .initial_instance_count(spec.instance_count)
            .initial_variant_weight(1.0)
            .set_volume_size_in_gb(spec.volume_gb)
            .set_model_data_download_timeout_in_seconds(spec.download_timeout_s)
            .set_container_startup_health_check_timeout_in_seconds(spec.startup_timeout_s)
            .build();
        make(self, cx, endpoint_config, action::sagemaker::CreateEndpointConfig, || async {
            let call = cx.aws.sagemaker.create_endpoint_config().endpoint_config_name(endpoint_config);
            let call = call.set_kms_key_id(spec.kms_key.clone());
            let call = call.production_variants(variant.clone()).set_tags(sagemaker::tags(cx, []));
            call.send().await.op(action::sagemaker::CreateEndpointConfig).map(drop)
        })
        .await
    }

    async fn update(&self, _: &OpCx<'_>, _: &str, _: &Spec, _: &[FieldChange]) -> OpResult<()> {
        Ok(()) // immutable; only its tags can be taken over
    }

    async fn delete(&self, cx: &OpCx<'_>, endpoint_config: &str) -> OpResult<()> {
        let call = cx.aws.sagemaker.delete_endpoint_config().endpoint_config_name(endpoint_config);
        call.send().await.op(action::sagemaker::DeleteEndpointConfig).ignore_not_found()
    }

    async fn adopt(&self, cx: &OpCx<'_>, endpoint_config: &str) -> OpResult<()> {
        sagemaker::adopt(cx, &format!("endpoint-config/{endpoint_config}")).await
    }

    async fn retag(
        &self,
        cx: &OpCx<'_>,
        endpoint_config: &str,
        gone: Vec<String>,
        put: Tags,
    ) -> OpResult<()> {
        sagemaker::retag(cx, &format!("endpoint-config/{endpoint_config}"), gone, put).await
    }
}
