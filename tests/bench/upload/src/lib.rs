//! What the server and the floor share: the calendar.

/// Year, month, day, hour, minute, second in UTC of seconds since 1970, by Howard Hinnant's
/// `civil_from_days`.
pub fn civil(seconds: u64) -> [u64; 6] {
    let z = seconds / 86_400 + 719_468;
    let (era, doe) = (z / 146_097, z % 146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let (day, month) = (doy - (153 * mp + 2) / 5 + 1, if mp < 10 { mp + 3 } else { mp - 9 });
    [
        yoe + era * 400 + u64::from(month <= 2),
        month,
        day,
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    ]
}
