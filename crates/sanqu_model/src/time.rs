use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::ModelError;

/// The wall clock of this computer, ns since the Unix epoch. The only place where the project reads it; pure crates
/// are given times instead. A clock set before 1970 or after 2262 saturates.
pub fn now_ns() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    let now = SystemTime::now();
    match now.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

/// The calendar day `YYYY-MM-DD` of `time_ns` (since the Unix epoch) in the IANA time zone `zone`.
///
/// # Errors
/// [`ModelError::BadZone`] when the zone does not exist.
pub fn date_in_zone(time_ns: i64, zone: &str) -> Result<String, ModelError> {
    let zone = TimeZone::get(zone).map_err(|_| ModelError::BadZone { zone: zone.to_owned() })?;
    Ok(stamp(time_ns).to_zoned(zone).date().to_string())
}

/// `time_ns` (since the Unix epoch) for people: local time with offset, to the millisecond.
pub fn display_local(time_ns: i64) -> String {
    stamp(time_ns).to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S.%3f %:z").to_string()
}

/// Every i64 of nanoseconds lies within jiff's range (years -9999 to 9999).
fn stamp(time_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(time_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_fields_day() {
        let before_midnight_utc = 1_763_740_800_000_000_000; // 2025-11-21T16:00:00Z
        assert_eq!(date_in_zone(before_midnight_utc, "UTC").unwrap(), "2025-11-21");
        assert_eq!(date_in_zone(before_midnight_utc, "Asia/Shanghai").unwrap(), "2025-11-22");
        assert!(date_in_zone(0, "Asia/Qingdao").unwrap_err().to_string().contains("Asia/Qingdao"));
    }
}
