//! Pages of the AWS Management Console.

use super::places;

/// The address of a page, by its path on the host. `None`: the console of the partition has addresses that
/// are not published.
pub fn page(path: &str, region: &str) -> Option<String> {
    Some(format!("https://{}/{path}", host(region)?))
}

/// The path of a resource of SageMaker, by the list that it is in: `endpoints`.
pub fn sagemaker(list: &str, name: &str, region: &str) -> String {
    format!("sagemaker/home?region={region}#/{list}/{name}")
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
        for (region, url) in [
            (
                "eu-central-1",
                "https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#/endpoints/e",
            ),
            (
                "cn-north-1",
                "https://cn-north-1.console.amazonaws.cn/sagemaker/home?region=cn-north-1#/endpoints/e",
            ),
            (
                "us-gov-west-1",
                "https://us-gov-west-1.console.amazonaws-us-gov.com/sagemaker/home?region=us-gov-west-1#/endpoints/e",
            ),
        ] {
            assert_eq!(page(&sagemaker("endpoints", "e", region), region).as_deref(), Some(url));
        }
        assert_eq!(page("iam/home", "us-iso-east-1"), None);
        for (region, url) in [
            ("eu-west-1", "https://eu-west-1.console.aws.amazon.com/servicequotas/home/services/ec2/quotas"),
            ("cn-north-1", "https://cn-north-1.console.amazonaws.cn/servicequotas/home/services/ec2/quotas"),
        ] {
            assert_eq!(quotas("ec2", region).as_deref(), Some(url));
        }
        assert_eq!(quotas("ec2", "us-iso-east-1"), None);
    }
}
