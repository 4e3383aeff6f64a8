//! The credential scope of a signed request: which service and region it is for. Signatures are not verified:
//! any key may use the sandbox.

use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

/// `AKID/20261130/us-east-1/sagemaker/aws4_request`, taken apart. Empty for a request without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CredentialScope {
    pub access_key: Option<String>,
    pub region: Option<String>,
    pub service: Option<String>,
}

impl CredentialScope {
    /// From the `Authorization` header (SigV4, SigV4a) or from a presigned URL.
    pub fn of(head: &Parts) -> Option<Self> {
        let authorization = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        authorization.and_then(Self::from_authorization).or_else(|| Self::from_query(head.uri.query()?))
    }

    fn from_authorization(header: &str) -> Option<Self> {
        let rest = &header[header.find("Credential=")? + "Credential=".len()..];
        Self::parse(rest.split([',', ' ']).next()?)
    }

    fn from_query(query: &str) -> Option<Self> {
        let credential = query.split('&').find_map(|pair| pair.strip_prefix("X-Amz-Credential="))?;
        Self::parse(&percent_decode_str(credential).decode_utf8().ok()?)
    }

    fn parse(credential: &str) -> Option<Self> {
        // From the right: nothing forbids a slash in an access key. SigV4a signs for many regions and names
        // none.
        let mut parts = credential.rsplit('/');
        if parts.next() != Some("aws4_request") {
            return None;
        }
        let service = parts.next()?.to_owned();
        let region_or_date = parts.next()?;
        let is_date = region_or_date.len() == 8 && region_or_date.bytes().all(|byte| byte.is_ascii_digit());
        let region = if is_date { None } else { Some(region_or_date.to_owned()) };
        if region.is_some() {
            parts.next()?;
        }
        let access_key = parts.rev().collect::<Vec<_>>().join("/");
        Some(Self { access_key: Some(access_key), region, service: Some(service) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(access_key: &str, region: Option<&str>, service: &str) -> Option<CredentialScope> {
        Some(CredentialScope {
            access_key: Some(access_key.into()),
            region: region.map(str::to_owned),
            service: Some(service.into()),
        })
    }

    fn head(uri: &str, authorization: Option<&str>) -> Parts {
        let mut request = hyper::Request::builder().uri(uri);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn signed_headers_and_presigned_urls_name_service_and_region() {
        let v4 = "AWS4-HMAC-SHA256 Credential=AKID/20261130/eu-west-1/sagemaker/aws4_request, SignedHeaders=host, Signature=00";
        assert_eq!(CredentialScope::of(&head("/", Some(v4))), scope("AKID", Some("eu-west-1"), "sagemaker"));
        let v4a =
            "AWS4-ECDSA-P256-SHA256 Credential=AKID/20261130/s3/aws4_request,SignedHeaders=host,Signature=00";
        assert_eq!(CredentialScope::of(&head("/", Some(v4a))), scope("AKID", None, "s3"));
        let slashed = "AWS4-HMAC-SHA256 Credential=a/b/20261130/us-east-1/iam/aws4_request, Signature=00";
        assert_eq!(CredentialScope::of(&head("/", Some(slashed))), scope("a/b", Some("us-east-1"), "iam"));
        let presigned = "/b/k?X-Amz-Algorithm=x&X-Amz-Credential=AKID%2F20261130%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=1";
        assert_eq!(CredentialScope::of(&head(presigned, None)), scope("AKID", Some("us-east-1"), "s3"));
    }

    #[test]
    fn anything_else_has_no_scope() {
        for authorization in
            ["", "Bearer x", "AWS AKID:sig", "AWS4-HMAC-SHA256 Credential=AKID/1/2/3/4, Signature=0"]
        {
            assert_eq!(CredentialScope::of(&head("/", Some(authorization))), None, "{authorization}");
        }
        assert_eq!(CredentialScope::of(&head("/b/k?X-Amz-Credential=AKID", None)), None);
    }
}
