//! ARNs, taken apart and put together.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>

use std::fmt;

/// The fields of an ARN, or of a pattern that policies name ARNs by.
///
/// # Examples
/// ```
/// use opsctl_iam::arn::Arn;
///
/// let arn = Arn::parse("arn:aws:iam::111122223333:role/team/app").expect("it is one");
/// assert_eq!((arn.service, arn.kind(), arn.name()), ("iam", "role", "app"));
/// assert_eq!(arn.account_id(), Some("111122223333"));
/// let other = Arn { resource: "role/other", ..arn };
/// assert_eq!(other.to_string(), "arn:aws:iam::111122223333:role/other");
///
/// assert!(Arn::parse("arn:aws:s3:::*").is_none());
/// assert_eq!(Arn::pattern("arn:aws:s3:::*").expect("it has all fields").resource, "*");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// `s3`
    pub service: &'a str,
    /// Empty for what has none, or has it not in its ARN.
    pub region: &'a str,
    /// Twelve digits; empty for what has none, `aws` for what AWS itself writes.
    pub account: &'a str,
    /// With its type, where the service has several: `role/path/name`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes an ARN apart; `None` for what is none, a pattern included.
    pub fn parse(text: &'a str) -> Option<Self> {
        let arn = Self::pattern(text)?;
        let is_whole = !arn.partition.is_empty() && !arn.resource.is_empty();
        let has_odd = text.chars().any(|c| c.is_whitespace() || c.is_control() || "*?\"'".contains(c));
        (is_whole && !has_odd).then_some(arn)
    }

    /// Takes apart what may have wildcards and variables in its fields; `None` where fields are missing, as
    /// in `*`, or in `arn:aws:s3*`: one wildcard stands for several. The colon in a variable counts as any.
    pub fn pattern(text: &'a str) -> Option<Self> {
        let mut fields = text.strip_prefix("arn:")?.splitn(5, ':');
        let mut next = || fields.next();
        let (partition, service, region, account, resource) = (next()?, next()?, next()?, next()?, next()?);
        Some(Self { partition, service, region, account, resource })
    }

    /// The account, where that is twelve digits.
    pub fn account_id(&self) -> Option<&'a str> {
        Some(self.account).filter(|account| is_account_id(account))
    }

    /// What the resource begins with: `role`, `function`; the bucket, for S3, whose ARNs have no type.
    pub fn kind(&self) -> &'a str {
        self.resource.split(['/', ':']).next().unwrap_or_default()
    }

    /// What follows the last slash, such as a role's name after its path.
    pub fn name(&self) -> &'a str {
        self.resource.rsplit('/').next().unwrap_or_default()
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// Whether a text is the id of an account: twelve digits.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_taken_apart_and_put_together() {
        for text in [
            "arn:aws:s3:::bucket/key:with:colons",
            "arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live",
            "arn:aws:iam::aws:policy/service-role/X",
        ] {
            assert_eq!(Arn::parse(text).map(|arn| arn.to_string()).as_deref(), Some(text));
        }
        let arn = Arn::parse("arn:aws:lambda:eu-west-1:123456789012:function:f").unwrap();
        assert_eq!((arn.region, arn.kind(), arn.name()), ("eu-west-1", "function", "function:f"));
        assert_eq!(Arn::parse("arn:aws:iam::aws:policy/X").unwrap().account_id(), None);
        for text in ["", "*", "arn:aws:s3", "arn:aws:s3:::", "arn::s3:::b", "arn:aws:s3:::b*", "x:aws:s3:::b"]
        {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
        let resource = |text| Arn::pattern(text).map(|arn| arn.resource);
        assert_eq!(resource("arn:*:iam::${aws:PrincipalAccount}:role/*"), Some("PrincipalAccount}:role/*"));
        assert_eq!((resource("arn:aws:iam::*"), resource("*")), (None, None));
    }
}
