//! Answers and S3's errors.

use std::fmt::Write;

use upload_bench::civil;

pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Of the object that a HEAD does not send.
    pub length: Option<u64>,
}

impl Answer {
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), length: None }
    }

    pub fn xml(body: String) -> Self {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}").into_bytes();
        Self { body, ..Self::empty(200) }.with("content-type", "application/xml")
    }

    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// As it goes over the wire; `bodiless` for HEAD.
    pub fn bytes(&self, number: u64, bodiless: bool) -> Vec<u8> {
        let reason = match self.status {
            200..300 => "OK",
            304 => "Not Modified",
            404 => "Not Found",
            412 => "Precondition Failed",
            503 => "Slow Down",
            _ => "Error",
        };
        let mut head = format!("HTTP/1.1 {} {reason}\r\nx-amz-request-id: {number:016X}\r\n", self.status);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n"); // writing to a String cannot fail
        }
        if !matches!(self.status, 204 | 304) {
            let _ = write!(head, "content-length: {}\r\n", self.length.unwrap_or(self.body.len() as u64));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        if !bodiless {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }
}

/// An error as S3 gives it.
#[derive(Debug)]
pub struct Fault {
    pub status: u16,
    pub code: &'static str,
    pub message: String,
}

impl Fault {
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    pub fn slow_down() -> Self {
        Self::new(503, "SlowDown", "Please reduce your request rate.")
    }

    pub fn precondition() -> Self {
        Self::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
    }

    pub fn no_upload() -> Self {
        Self::new(404, "NoSuchUpload", "The specified upload does not exist.")
    }

    /// The stated checksum is not that of the body.
    pub fn mismatch(header: &str, wanted: &str, got: &str) -> Self {
        let code = if header == "x-amz-content-sha256" { "XAmzContentSHA256Mismatch" } else { "BadDigest" };
        let name = header.trim_start_matches("x-amz-checksum-").to_uppercase();
        Self::new(
            400,
            code,
            format!("The {name} you specified ({wanted}) did not match what we received ({got})."),
        )
    }

    /// Whether it says that the body was damaged on its way.
    pub fn is_mismatch(&self) -> bool {
        matches!(self.code, "XAmzContentSHA256Mismatch" | "BadDigest")
    }

    pub fn answer(&self) -> Answer {
        let answer = Answer::xml(format!(
            "<Error><Code>{}</Code><Message>{}</Message></Error>",
            self.code,
            escape(&self.message)
        ));
        Answer { status: self.status, ..answer }
    }
}

pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {
                let _ = write!(out, "&#x{:x};", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

/// The contents of the elements of that name, in order. Enough for the three documents that clients send.
pub fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = xml.split(open.as_str()).skip(1);
    after.filter_map(|rest| rest.split_once(close.as_str()).map(|(inside, _)| inside)).collect()
}

pub fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, entity)) = rest.split_once('&') {
        out.push_str(before);
        let (name, after) = entity.split_once(';').unwrap_or((entity, ""));
        let number = |digits: &str, base| u32::from_str_radix(digits, base).ok().and_then(char::from_u32);
        match name {
            "amp" => out.push('&'),
            "lt" => out.push('<'),
            "gt" => out.push('>'),
            "quot" => out.push('"'),
            "apos" => out.push('\''),
            _ => {
                let digits = name.strip_prefix('#').unwrap_or_default();
                let character =
                    digits.strip_prefix('x').map_or_else(|| number(digits, 10), |hex| number(hex, 16));
                out.extend(character);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Seconds since 1970, as S3 writes them in lists and as HTTP does in headers.
pub struct Stamp(pub u64);

impl Stamp {
    pub fn iso(&self) -> String {
        let [year, month, day, hour, minute, second] = civil(self.0);
        format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z")
    }

    pub fn http(&self) -> String {
        let [year, month, day, hour, minute, second] = civil(self.0);
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(self.0 / 86_400 % 7) as usize];
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let month = months[month as usize - 1];
        format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_as_aws_writes_it() {
        assert_eq!(Stamp(1_795_372_434).iso(), "2026-11-22T18:33:54.000Z");
        assert_eq!(Stamp(1_795_372_434).http(), "Sun, 22 Nov 2026 18:33:54 GMT");
        assert_eq!(Stamp(951_782_400).iso(), "2000-02-29T00:00:00.000Z");
    }

    #[test]
    fn xml_there_and_back() {
        let nasty = "a&b <c> \"d\" \u{1} é+'";
        assert_eq!(unescape(&escape(nasty)), nasty);
        assert_eq!(elements("<D><Key>a</Key><Key>b&amp;</Key></D>", "Key"), ["a", "b&amp;"]);
    }
}
