//! Application Auto Scaling of provisioned concurrency.

use std::time::Duration;

use aws_sdk_applicationautoscaling as scaling;
use aws_sdk_applicationautoscaling::types::{
    MetricType, PolicyType, PredefinedMetricSpecification, ScalableDimension, ServiceNamespace,
    TargetTrackingScalingPolicyConfiguration,
};

use super::{Bench, Provisioned};
use crate::clock::real_sleep;
use crate::wire_tests::client;

/// One in use of one is more than seven tenths.
#[tokio::test]
async fn provisioned_concurrency_scales_with_its_use() {
    let bench = Bench::new().await;
    bench.active("f").await;
    let version = bench.publish("f").await;
    bench.alias("live", &version).await;
    bench.provision("live", 1).await.unwrap();
    assert_eq!(bench.ready("live").await, (Provisioned::Ready, 1));
    let scaling = client!(scaling, bench.sandbox);
    let (namespace, dimension) =
        (ServiceNamespace::Lambda, ScalableDimension::LambdaFunctionProvisionedConcurrency);
    let register = scaling.register_scalable_target().service_namespace(namespace.clone());
    let register = register.resource_id("function:f:live").scalable_dimension(dimension.clone());
    register.min_capacity(1).max_capacity(5).send().await.unwrap();
    let metric = PredefinedMetricSpecification::builder()
        .predefined_metric_type(MetricType::LambdaProvisionedConcurrencyUtilization);
    let tracking = TargetTrackingScalingPolicyConfiguration::builder()
        .target_value(0.7)
        .predefined_metric_specification(metric.build().unwrap());
    let policy = scaling.put_scaling_policy().policy_name("p").policy_type(PolicyType::TargetTrackingScaling);
    let policy = policy.service_namespace(namespace.clone()).scalable_dimension(dimension);
    let policy = policy.resource_id("function:f:live");
    policy.target_tracking_scaling_policy_configuration(tracking.build().unwrap()).send().await.unwrap();

    for _ in 0..4 {
        bench.invoke("f:live", "{}").await;
        bench.shared().clock.advance(Duration::from_secs(60));
    }
    let mut now = bench.ready("live").await;
    for _ in 0..100 {
        if now.1 == 2 {
            break;
        }
        real_sleep(Duration::from_millis(5)).await;
        now = bench.ready("live").await;
    }
    assert_eq!(now, (Provisioned::Ready, 2), "one in use of one: ⌈1 · 1.0 / 0.7⌉");
    let told = scaling.describe_scaling_activities().service_namespace(namespace).send().await.unwrap();
    let activity = &told.scaling_activities()[0];
    assert_eq!(activity.description(), "Setting desired concurrency to 2.");
    assert_eq!(activity.status_code().as_str(), "Successful");
}
