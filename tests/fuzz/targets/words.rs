//! The small texts that a config, a command line or an answer holds: what is read and written again is the
//! same.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use opsctl::config::{ChannelName, Name};
use opsctl::domain::{Days, HumanDuration, ResourceId, shown};
use opsctl::limits;
use opsctl_iam::pattern;
use opsctl_iam::time::Instant;

fn again<T: FromStr<Err: Debug> + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string().parse::<T>().expect("it was written"), read, "{text:?}");
    }
}

fuzz_target!(|text: &str| {
    again::<HumanDuration>(text);
    let _ = text.parse::<Days>();
    again::<ResourceId>(text);
    again::<Name>(text);
    again::<ChannelName>(text);
    limits::bucket_name(text);
    limits::has_gpu(text);
    limits::region(text, &Default::default());
    if let Some(time) = Instant::parse(text) {
        time.iso();
        time.day();
    }
    let (one, other) = text.split_once('\0').unwrap_or((text, text));
    pattern::matches(one, other);
    pattern::matches_ignoring_case(one, other);
    pattern::literal_prefix(one);
    let _ = shown::line(text);
});
