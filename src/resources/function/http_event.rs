//! A payload as the event in which a function URL or an HTTP API of API Gateway sends it, and the answer to
//! it (<https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html>): Lambda's own events are JSON, so
//! bytes of any other content type come in one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::domain::{Media, media};

/// The event, version 2.0: text as it is, bytes in base64.
pub fn of(payload: &Media, accept: Option<&str>) -> Vec<u8> {
    let text = payload.text();
    let body = text.map_or_else(|| BASE64_STANDARD.encode(&payload.bytes), str::to_owned);
    let accept = accept.unwrap_or(media::JSON);
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "",
        "headers": { "content-type": payload.content_type, "accept": accept },
        "requestContext": {
            "routeKey": "$default", "stage": "$default",
            "http": { "method": "POST", "path": "/", "protocol": "HTTP/1.1" },
        },
        "body": body, "isBase64Encoded": text.is_none(),
    });
    event.to_string().into_bytes()
}

/// What is in the `body` of a response with a `statusCode`, of the type that its headers say.
pub fn answer(response: &Value) -> Option<Media> {
    if !response["statusCode"].is_number() {
        return None;
    }
    let named = |(name, value): (&String, &Value)| {
        name.eq_ignore_ascii_case("content-type").then(|| value.as_str().map(str::to_owned)).flatten()
    };
    let content_type = response["headers"].as_object().and_then(|headers| headers.iter().find_map(named));
    let content_type = content_type.unwrap_or_else(|| media::JSON.to_owned());
    let bytes = match &response["body"] {
        Value::Null => return None,
        Value::String(body) if response["isBase64Encoded"] == true => BASE64_STANDARD.decode(body).ok()?,
        Value::String(body) => body.as_bytes().to_vec(),
        body => body.to_string().into_bytes(),
    };
    Some(Media { content_type, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_what_is_in_the_body_of_a_response() {
        let picture = Media { content_type: "image/png".into(), bytes: b"\x89PNG".to_vec() };
        let event: Value = serde_json::from_slice(&of(&picture, None)).unwrap();
        assert_eq!((&event["isBase64Encoded"], &event["body"]), (&json!(true), &json!("iVBORw==")));
        let response = json!({
            "statusCode": 200, "headers": { "Content-Type": "image/png" },
            "body": "iVBORw==", "isBase64Encoded": true,
        });
        assert_eq!(answer(&response), Some(picture));
        let text = Media { content_type: "text/csv".into(), bytes: b"1,2".to_vec() };
        let event: Value = serde_json::from_slice(&of(&text, Some("text/csv"))).unwrap();
        assert_eq!((&event["isBase64Encoded"], &event["body"]), (&json!(false), &json!("1,2")));
        assert_eq!(event["headers"], json!({ "content-type": "text/csv", "accept": "text/csv" }));

        let envelope =
            |body: Value| json!({ "statusCode": 200, "COntent-Type-In": "LambdaContext(…)", "body": body });
        let value = |response: &Value| answer(response).and_then(|answer| answer.value());
        let inner = json!([[1.5, -2.0]]);
        assert_eq!(value(&envelope(json!("[[1.5, -2.0]]"))), Some(inner.clone()));
        assert_eq!(value(&envelope(inner.clone())), Some(inner.clone()));
        assert_eq!(value(&envelope(json!("plain text"))), Some(json!("plain text")));
        // An answer that has a body of its own, and a response without one.
        for whole in
            [inner, json!({ "body": "[1]" }), json!({ "statusCode": 204 }), json!("text"), json!(null)]
        {
            assert_eq!(answer(&whole), None, "{whole}");
        }
    }
}
