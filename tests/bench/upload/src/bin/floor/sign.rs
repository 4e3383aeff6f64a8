//! Signature Version 4 with an unsigned payload, for one day and one service: the key is derived once.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>

use std::time::{SystemTime, UNIX_EPOCH};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use upload_bench::civil;

const REGION: &str = "us-east-1";

pub struct Signer {
    access_key: String,
    secret: String,
    /// The day and the key derived for it.
    today: (String, [u8; 32]),
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).map(|digit| DIGITS[usize::from(digit)] as char).collect()
}

/// `20261122T183354Z` of the seconds since 1970.
fn stamp(seconds: u64) -> String {
    let [year, month, day, hour, minute, second] = civil(seconds);
    format!("{year}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

impl Signer {
    pub fn new(access_key: &str, secret: &str) -> Self {
        Self { access_key: access_key.to_owned(), secret: secret.to_owned(), today: (String::new(), [0; 32]) }
    }

    /// The headers that make a request valid now. `checksum` is the value of `x-amz-checksum-crc64nvme`, the
    /// only other header that S3 wants signed.
    pub fn sign(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        query: &str,
        checksum: Option<&str>,
    ) -> String {
        let now = stamp(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
        let day = &now[..8];
        if self.today.0 != day {
            let key = hmac(format!("AWS4{}", self.secret).as_bytes(), day);
            let key = [REGION, "s3", "aws4_request"].iter().fold(key, |key, word| hmac(&key, word));
            self.today = (day.to_owned(), key);
        }
        let (line, name) = match checksum {
            Some(crc) => (format!("x-amz-checksum-crc64nvme:{crc}\n"), "x-amz-checksum-crc64nvme;"),
            None => (String::new(), ""),
        };
        let names = format!("host;{name}x-amz-content-sha256;x-amz-date");
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\n{line}x-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{now}\n\n{names}\nUNSIGNED-PAYLOAD"
        );
        let scope = format!("{day}/{REGION}/s3/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let signature = hex(&hmac(&self.today.1, &text));
        format!(
            "x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nx-amz-date: {now}\r\nauthorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}\r\n",
            self.access_key
        )
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_time_as_aws_writes_it() {
        assert_eq!(super::stamp(1_795_372_434), "20261122T183354Z");
        assert_eq!(super::stamp(951_782_400), "20000229T000000Z");
    }
}
