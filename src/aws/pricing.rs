//! AWS's Price List: `GetProducts`, the one call that opsctl makes of it. It is offered in a few regions, for
//! the prices of all of them
//! (<https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-changes.html>).

use aws_config::Region;
use serde_json::{Value, json};

use super::OpResult;
use super::json::{JsonCall, JsonClient, Shared};
use super::rates::RateLimitedClient;
use crate::domain::{action, places};

pub(super) const CALL: JsonCall = JsonCall {
    service: "Pricing",
    operation: "GetProducts",
    host: "api.pricing",
    fips_host: "api.pricing",
    signing_name: "pricing",
    target: "AWSPriceListService",
    content_type: "application/x-amz-json-1.1",
    action: action::pricing::GetProducts,
};

/// Products of one answer that are looked at: what is asked for here is one or a few.
const MOST: usize = 100;

/// The client; none where AWS has no price list in US dollars.
#[derive(Clone, Debug)]
pub struct Pricing(Option<JsonClient>);

impl Pricing {
    pub(super) fn new(shared: &Shared<'_>, client: RateLimitedClient) -> Self {
        let region = shared.region();
        if places::partition(region.as_ref()).0 != "aws" {
            return Self(None);
        }
        // The nearest of those that there are.
        let near = match region.as_ref().split('-').next() {
            Some("eu" | "il" | "af" | "me") => "eu-central-1",
            Some("ap") => "ap-south-1",
            _ => "us-east-1",
        };
        Self(Some(JsonClient::in_region(&CALL, shared, client, Region::from_static(near))))
    }

    /// The products of a service that have all of these attributes, each as the JSON that AWS writes.
    /// `None`: there is no price list to be asked.
    ///
    /// # Errors
    /// What AWS said.
    pub async fn products(&self, service: &str, have: &[(&str, String)]) -> OpResult<Option<Vec<Value>>> {
        let Some(client) = &self.0 else { return Ok(None) };
        let filter =
            |(field, value): &(&str, String)| json!({ "Type": "TERM_MATCH", "Field": field, "Value": value });
        let input = json!({
            "ServiceCode": service, "FormatVersion": "aws_v1", "MaxResults": MOST,
            "Filters": have.iter().map(filter).collect::<Vec<_>>(),
        });
        let answer = client.ask(input).await?;
        let list = answer["PriceList"].as_array().into_iter().flatten();
        // A text with JSON in it; the JSON itself from what is not AWS.
        let product = |entry: &Value| match entry.as_str() {
            Some(text) => serde_json::from_str(text).ok(),
            None => entry.is_object().then(|| entry.clone()),
        };
        Ok(Some(list.filter_map(product).take(MOST).collect()))
    }
}
