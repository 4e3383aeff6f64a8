//! Pages of the AWS Management Console.

use super::{KindName, places};

/// The page of a resource. `None`: it has none, or its partition's console has addresses that are not
/// published.
pub fn page(kind: KindName, physical: &str, region: &str) -> Option<String> {
    let host = host(region)?;
    let sagemaker = |list: &str| format!("sagemaker/home?region={region}#/{list}/{physical}");
    let path = match kind {
        KindName::Bucket => format!("s3/buckets/{physical}?region={region}"),
        KindName::Data => {
            let (bucket, prefix) = physical.strip_prefix("s3://")?.split_once('/')?;
            format!("s3/buckets/{bucket}?region={region}&prefix={prefix}")
        }
        // Slashes of the name are escaped twice, the sign of the escape as `$`.
        KindName::LogGroup => {
            let name = physical.replace('/', "$252F");
            format!("cloudwatch/home?region={region}#logsV2:log-groups/log-group/{name}")
        }
        KindName::Role => format!("iam/home#/roles/details/{physical}"),
        KindName::Training => sagemaker("jobs"),
        // By its id, which is AWS's.
        KindName::Instance => format!("ec2/home?region={region}#InstanceDetails:instanceId={physical}"),
        KindName::Model => sagemaker("models"),
        KindName::EndpointConfig => sagemaker("endpointConfig"),
        KindName::Endpoint => sagemaker("endpoints"),
        KindName::Function => format!("lambda/home?region={region}#/functions/{physical}"),
        KindName::Notebook => sagemaker("notebook-instances"),
        KindName::Autoscaling | KindName::Concurrency => return None,
    };
    Some(format!("https://{host}/{path}"))
}

fn host(region: &str) -> Option<String> {
    Some(match places::partition(region).0 {
        "aws" => format!("{region}.console.aws.amazon.com"),
        "aws-cn" => format!("{region}.console.amazonaws.cn"),
        "aws-us-gov" => format!("{region}.console.amazonaws-us-gov.com"),
        _ => return None,
    })
}

/// The page where an account asks for higher quotas of a service, by the prefix of its actions
/// (<https://docs.aws.amazon.com/servicequotas/latest/userguide/request-quota-increase.html>).
pub fn quotas(service: &str, region: &str) -> Option<String> {
    Some(format!("https://{}/servicequotas/home/services/{service}/quotas", host(region)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_in_the_console_of_the_partition() {
        for (kind, name, region, url) in [
            (
                KindName::Endpoint,
                "a-dev-b",
                "eu-central-1",
                "https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#/endpoints/a-dev-b",
            ),
            (
                KindName::Function,
                "f",
                "cn-north-1",
                "https://cn-north-1.console.amazonaws.cn/lambda/home?region=cn-north-1#/functions/f",
            ),
            (
                KindName::Data,
                "s3://b/data/dogs/",
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/s3/buckets/b?region=us-gov-west-1&prefix=data/dogs/",
            ),
            (
                KindName::LogGroup,
                "/aws/lambda/f",
                "us-east-1",
                "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Faws$252Flambda$252Ff",
            ),
        ] {
            assert_eq!(page(kind, name, region).as_deref(), Some(url));
        }
        assert_eq!(page(KindName::Endpoint, "e", "us-iso-east-1"), None);
        assert_eq!(page(KindName::Concurrency, "c", "us-east-1"), None);
    }
}
