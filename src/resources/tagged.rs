//! What carries the tags of a project and environment, whatever its name: by the Resource Groups Tagging
//! API, which lags behind writes by seconds or minutes (docs/aws/tagging.md#finding-by-tag).

use aws_sdk_resourcegroupstagging::types::TagFilter;

use crate::aws::{OpResult, SdkResultExt};
use crate::domain::{Scope, action};
use crate::engine::OpCx;

/// The ARNs of our resources of these types, as the API writes types: `lambda:function`; `s3` are buckets.
pub async fn tagged(cx: &OpCx<'_>, resource_types: &[&str]) -> OpResult<Vec<String>> {
    let filter = |key: &str, value: &str| TagFilter::builder().key(key).values(value).build();
    let call = cx
        .aws
        .tagging
        .get_resources()
        .set_resource_type_filters(Some(resource_types.iter().map(|&of| of.to_owned()).collect()))
        .resources_per_page(100)
        .tag_filters(filter(Scope::PROJECT_TAG, &cx.scope.project))
        .tag_filters(filter(Scope::ENVIRONMENT_TAG, &cx.scope.environment));
    let mut pages = call.into_paginator().send();
    let mut arns = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.op(action::tag::GetResources)?;
        arns.extend(
            page.resource_tag_mapping_list().iter().filter_map(|r| r.resource_arn()).map(str::to_owned),
        );
    }
    Ok(arns)
}
