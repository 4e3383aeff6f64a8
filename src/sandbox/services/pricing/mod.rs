//! The Price List: `GetProducts`, answered in AWS's form from a copy of the table that opsctl carries
//! (`src/cost/data/build.py` writes both). Only on-demand prices of what opsctl asks for.

use serde_json::{Value, json};

use crate::call::{Answer, Call};
use crate::fault::Fault;
use crate::faults::FaultCodes;
use crate::operation::op;
use crate::protocol::json11::Api;

const TABLE: &str = include_str!("prices.txt");

/// The operations.
pub const API: Api = Api {
    name: "pricing",
    signing_name: "pricing",
    target: "AWSPriceListService",
    invalid: "InvalidParameterException",
    faults: FaultCodes { throttle: (400, "ThrottlingException"), internal: (500, "InternalErrorException") },
    operations: &[op("GetProducts", &[], get_products)],
};

const SERVICES: [&str; 4] = ["AmazonSageMaker", "AmazonEC2", "AmazonS3", "AWSLambda"];

fn get_products(call: &Call) -> Answer {
    let service = call.text("ServiceCode");
    if !SERVICES.contains(&service) {
        return Err(Fault::not_implemented("pricing", &format!("products of {service}")));
    }
    let date = TABLE.lines().find_map(|line| line.strip_prefix("d\t")).unwrap_or_default();
    let rows = TABLE.lines().filter_map(|line| {
        let mut fields = line.strip_prefix("p\t")?.split('\t');
        Some((fields.next()?, fields.next()?, fields.next()?))
    });
    let products = rows.filter_map(|(region, item, price)| product(region, item, price, date));
    let is_wanted = |product: &Value| {
        let has = |filter: &Value| {
            let (field, wanted) = (filter["Field"].as_str().unwrap_or_default(), filter["Value"].as_str());
            let found = match field {
                "productFamily" => product["product"]["productFamily"].as_str(),
                _ => product["product"]["attributes"][field].as_str(),
            };
            found.zip(wanted).is_some_and(|(found, wanted)| found.eq_ignore_ascii_case(wanted))
        };
        product["serviceCode"] == service && call.list("Filters").iter().all(has)
    };
    let found = products.filter(is_wanted).map(|product| (product["product"]["sku"].to_string(), product));
    let size = call.number("MaxResults").map_or(100, |size| size.clamp(1, 100) as usize);
    let page = call.page(found.collect(), "NextToken", size);
    let page = page.ok_or_else(|| Fault::new(400, "InvalidNextTokenException", "The token is not valid."))?;
    // Each product is a text.
    let list: Vec<String> = page.items.iter().map(Value::to_string).collect();
    Ok(json!({ "FormatVersion": "aws_v1", "PriceList": list, "NextToken": page.next }))
}

/// A row of the table as AWS has it.
fn product(region: &str, item: &str, price: &str, date: &str) -> Option<Value> {
    let (purpose, of) = item.split_once('/')?;
    let ml = |component: &str, usage: &str| {
        let attributes = json!({ "instanceName": of, "platoinstancetype": component });
        ("AmazonSageMaker", "ML Instance", attributes, format!("{usage}:{of}"), "Hrs")
    };
    let (service, family, mut attributes, usage, unit) = match (purpose, of) {
        ("hosting", _) => ml("Hosting", "Host"),
        ("training", _) => ml("Training", "Train"),
        ("notebook", _) => ml("Notebook", "Notebk"),
        ("ec2", _) => {
            let attributes = json!({
                "instanceType": of, "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA",
                "capacitystatus": "Used",
            });
            ("AmazonEC2", "Compute Instance", attributes, format!("BoxUsage:{of}"), "Hrs")
        }
        ("storage", "gp3") => {
            let attributes = json!({ "volumeApiName": "gp3" });
            ("AmazonEC2", "Storage", attributes, "EBS:VolumeUsage.gp3".to_owned(), "GB-Mo")
        }
        ("storage", "ml") => {
            let attributes = json!({ "platoclassificationtype": "Host:VolumeUsage" });
            ("AmazonSageMaker", "Storage", attributes, "Host:VolumeUsage.gp2".to_owned(), "GB-Mo")
        }
        ("storage", "s3") => {
            let attributes = json!({ "volumeType": "Standard", "storageClass": "General Purpose" });
            ("AmazonS3", "Storage", attributes, "TimedStorage-ByteHrs".to_owned(), "GB-Mo")
        }
        ("lambda", _) => {
            let arm = if of.ends_with("arm64") { "-ARM" } else { "" };
            let attributes = json!({ "group": format!("AWS-Lambda-Provisioned-Concurrency{arm}") });
            let usage = format!("Lambda-Provisioned-Concurrency{arm}");
            ("AWSLambda", "Serverless", attributes, usage, "Lambda-GB-Second")
        }
        _ => return None,
    };
    attributes["regionCode"] = region.into();
    attributes["servicecode"] = service.into();
    attributes["usagetype"] = usage.into();
    let sku = blake3::hash(format!("{region}/{item}").as_bytes()).to_hex()[..16].to_ascii_uppercase();
    let dimension = json!({
        "unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": { "USD": price },
    });
    Some(json!({
        "serviceCode": service, "publicationDate": format!("{date}T00:00:00Z"),
        "product": { "sku": sku, "productFamily": family, "attributes": attributes },
        "terms": { "OnDemand": { format!("{sku}.JRTCKXETXF"): {
            "priceDimensions": { format!("{sku}.JRTCKXETXF.6YS6EN2CT7"): dimension },
        } } },
    }))
}
