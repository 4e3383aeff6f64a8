//! Sizes, times and measured values as people read them.

use std::time::Duration;

/// A size as people say it: `273.1 KB`.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{n} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `8351` → `8,351`.
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number with the word that it counts, given in the singular: `1 file`, `8,351 files`, `2 policies`.
pub fn many(n: impl TryInto<usize>, what: &str) -> String {
    let n = n.try_into().unwrap_or_default();
    counted(grouped(n), n == 1, what)
}

/// The same of what was measured.
pub fn many_of(n: f64, what: &str) -> String {
    counted(figure(n), n == 1.0, what)
}

fn counted(n: String, is_one: bool, what: &str) -> String {
    let of_y = what.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match of_y {
        _ if is_one => format!("{n} {what}"),
        Some(stem) => format!("{n} {stem}ies"),
        None => format!("{n} {what}s"),
    }
}

/// A time that has passed, as a stopwatch shows it: `0:07`, `1:12`, `2:05:33`.
pub fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// A measured value, with the three digits that tell it from others: `0.981`, `12`, `1.2e-5`.
pub fn figure(value: f64) -> String {
    // Nothing has no sign: the sum of no numbers is -0.
    let value = value + 0.0;
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e15 {
        return format!("{value:.0}");
    }
    let digits = match size {
        _ if !size.is_finite() => return value.to_string(),
        1e6.. => return format!("{value:.2e}"),
        100.0.. => 1,
        10.0.. => 2,
        0.001.. => 3,
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{value:.digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_times_are_short() {
        let values = [-0.0, 12.0, 0.9814, 0.5, 0.009, 0.000_012, 123.456, 1_234_567.8, -2.25, f64::NAN];
        let shown = ["0", "12", "0.981", "0.5", "0.009", "1.2e-5", "123.5", "1.23e6", "-2.25", "NaN"];
        assert_eq!(values.map(figure), shown);
        assert_eq!([7, 72, 7_533].map(|s| clock(Duration::from_secs(s))), ["0:07", "1:12", "2:05:33"]);
    }
}
