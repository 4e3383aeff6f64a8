//! Chunked bodies: HTTP's `Transfer-Encoding: chunked` and S3's `aws-chunked` have the same grammar.

/// A decoder that is fed as bytes come.
#[derive(Default)]
pub struct Chunked {
    at: At,
    line: Vec<u8>,
    left: u64,
    pub trailers: Vec<(String, String)>,
}

#[derive(Default, PartialEq)]
enum At {
    #[default]
    Size,
    Data,
    Trailer,
    End,
}

impl Chunked {
    pub fn ended(&self) -> bool {
        self.at == At::End
    }

    /// Hands payload to `each`; returns how many bytes of `input` it used, which is all of them until the
    /// end.
    pub fn feed(&mut self, input: &[u8], mut each: impl FnMut(&[u8])) -> Result<usize, String> {
        let mut rest = input;
        while !rest.is_empty() && self.at != At::End {
            if self.at == At::Data {
                let now = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                each(&rest[..now]);
                self.left -= now as u64;
                rest = &rest[now..];
                if self.left == 0 {
                    self.at = At::Size;
                }
                continue;
            }
            let (line, more) = match rest.iter().position(|b| *b == b'\n') {
                Some(end) => (&rest[..end], &rest[end + 1..]),
                None => {
                    self.line.extend_from_slice(rest);
                    return Ok(input.len());
                }
            };
            self.line.extend_from_slice(line);
            rest = more;
            let line = std::mem::take(&mut self.line);
            self.take(String::from_utf8_lossy(&line).trim_end())?;
        }
        Ok(input.len() - rest.len())
    }

    fn take(&mut self, line: &str) -> Result<(), String> {
        match self.at {
            At::Size if line.is_empty() => {} // the line break that ends the chunk before
            At::Size => {
                let size = line.split(';').next().unwrap_or_default();
                self.left = u64::from_str_radix(size, 16).map_err(|_| format!("chunk size `{line}`"))?;
                self.at = if self.left == 0 { At::Trailer } else { At::Data };
            }
            _ if line.is_empty() => self.at = At::End,
            _ => {
                let (name, value) = line.split_once(':').ok_or_else(|| format!("trailer `{line}`"))?;
                self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_of_the_input_gives_the_same() {
        let input =
            b"5;chunk-signature=ab\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32: AAAA\r\n\r\nGET /";
        for cut in 0..input.len() {
            let (mut chunked, mut body) = (Chunked::default(), Vec::new());
            let mut used = 0;
            for part in [&input[..cut], &input[cut..]] {
                used += chunked.feed(part, |bytes| body.extend_from_slice(bytes)).unwrap();
            }
            assert_eq!(
                (body.as_slice(), chunked.ended(), used),
                (b"hello world".as_slice(), true, input.len() - 5),
                "{cut}"
            );
            assert_eq!(chunked.trailers, [("x-amz-checksum-crc32".to_owned(), "AAAA".to_owned())]);
        }
    }
}
