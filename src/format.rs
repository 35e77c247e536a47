//! Numbers, sizes, rates and times as people read them. Pure text; only `std` and `jiff`.
//!
//! Thousands are separated, units stand after a space, three digits carry the meaning where room
//! is short, and what is not known is [`UNKNOWN`], never zero.

use std::time::Duration;

use jiff::Timestamp;

/// Stands for a number that is not known.
pub const UNKNOWN: &str = "–";

/// The whole sentence for a field that a server hides.
pub const NOT_EXPOSED: &str = "not exposed by this server";

/// The nearest whole number; 0 for what is below or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, which is what is meant"
)]
pub fn whole(n: f64) -> u64 {
    n.round() as u64
}

/// All digits, thousands separated: `51,417`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 key`, `51,417 keys`.
pub fn keys(n: u64) -> String {
    plural(n, "key")
}

/// `1 poll`, `2 polls`.
pub fn plural(n: u64, word: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {word}{ending}", count(n))
}

/// [`count`], or [`UNKNOWN`].
pub fn count_or(n: Option<u64>) -> String {
    n.map_or_else(|| UNKNOWN.to_owned(), count)
}

/// Three digits and a unit from ten thousand on: `51.4 k`, `1.20 M`.
pub fn compact(n: u64) -> String {
    if n < 10_000 {
        return count(n);
    }
    scaled(n as f64, 1_000.0, &["", "k", "M", "G", "T", "P", "E"])
}

/// With a sign: `+9`, `−50,213`, `±0`.
pub fn signed(n: i128) -> String {
    let size = count(u64::try_from(n.unsigned_abs()).unwrap_or(u64::MAX));
    match n.signum() {
        1 => format!("+{size}"),
        -1 => format!("−{size}"),
        _ => "±0".to_owned(),
    }
}

/// Sizes in powers of 1,024, as Redis writes them: `84 B`, `2.44 GB`.
pub fn bytes(n: u64) -> String {
    scaled(
        n as f64,
        1_024.0,
        &["B", "KB", "MB", "GB", "TB", "PB", "EB"],
    )
}

/// [`bytes`], or [`UNKNOWN`].
pub fn bytes_or(n: Option<u64>) -> String {
    n.map_or_else(|| UNKNOWN.to_owned(), bytes)
}

fn scaled(mut n: f64, step: f64, units: &[&str]) -> String {
    let mut unit = 0;
    // What rounds up to the next unit belongs there.
    while n >= step - 0.5 && unit + 1 < units.len() {
        n /= step;
        unit += 1;
    }
    let digits = match n {
        _ if unit == 0 => 0,
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    };
    format!("{n:.digits$} {}", units[unit])
        .trim_end()
        .to_owned()
}

/// How often a second: `0/s`, `0.4/s`, `412/s`, `51.4 k/s`.
pub fn rate(per_second: f64) -> String {
    if per_second < 0.05 {
        if per_second > 0.0 { "<0.1/s" } else { "0/s" }.to_owned()
    } else if per_second < 9.95 {
        format!("{per_second:.1}/s")
    } else {
        format!("{}/s", compact(whole(per_second)))
    }
}

/// [`rate`], or [`UNKNOWN`].
pub fn rate_or(per_second: Option<f64>) -> String {
    per_second.map_or_else(|| UNKNOWN.to_owned(), rate)
}

/// A share of one: `24.1 %`, `100 %`.
pub fn share(share: f64) -> String {
    let percent = share * 100.0;
    if percent == 0.0 || percent >= 99.95 {
        format!("{percent:.0} %")
    } else {
        format!("{percent:.1} %")
    }
}

/// Part of a whole as a share; [`UNKNOWN`] of nothing.
pub fn share_of(part: u64, whole: u64) -> String {
    if whole == 0 {
        return UNKNOWN.to_owned();
    }
    share(part as f64 / whole as f64)
}

/// Two units at most: `250 ms`, `5 s`, `4 m 5 s`, `3 h 12 m`, `2 d 4 h`, `41 d`.
pub fn duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let s = duration.as_secs();
    let pair = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big} {unit}")
        } else {
            format!("{big} {unit} {small} {small_unit}")
        }
    };
    match s {
        0 if ms > 0 => format!("{ms} ms"),
        0..60 => format!("{s} s"),
        60..3_600 => pair(s / 60, "m", s % 60, "s"),
        3_600..86_400 => pair(s / 3_600, "h", s % 3_600 / 60, "m"),
        86_400..864_000 => pair(s / 86_400, "d", s % 86_400 / 3_600, "h"),
        _ => format!("{} d", count(s / 86_400)),
    }
}

/// [`duration`] of whole seconds.
pub fn seconds(s: u64) -> String {
    duration(Duration::from_secs(s))
}

/// [`seconds`], or [`UNKNOWN`].
pub fn seconds_or(s: Option<u64>) -> String {
    s.map_or_else(|| UNKNOWN.to_owned(), seconds)
}

/// How long ago: `now`, `5 s ago`.
pub fn ago(age: Duration) -> String {
    if age < Duration::from_secs(1) {
        "now".to_owned()
    } else {
        format!("{} ago", seconds(age.as_secs()))
    }
}

/// Day and time in UTC: `2026-11-23 14:03:12`.
pub fn date_and_clock(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// Time of day in UTC: `14:03:12`.
pub fn clock(at: Timestamp) -> String {
    at.strftime("%H:%M:%S").to_string()
}

/// [`clock`], with the day where `now` is on another one: `23 Nov 14:03`.
pub fn clock_near(at: Timestamp, now: Timestamp) -> String {
    let hours = now.duration_since(at).as_hours().abs();
    if hours < 20 {
        clock(at)
    } else {
        at.strftime("%-d %b %H:%M").to_string()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, "0")]
    #[case(999, "999")]
    #[case(1_000, "1,000")]
    #[case(51_417, "51,417")]
    #[case(u64::MAX, "18,446,744,073,709,551,615")]
    fn thousands_are_separated(#[case] n: u64, #[case] text: &str) {
        assert_eq!(count(n), text);
    }

    #[rstest]
    #[case(9_999, "9,999")]
    #[case(51_417, "51.4 k")]
    #[case(999_999, "1.00 M")]
    #[case(1_200_000, "1.20 M")]
    #[case(u64::MAX, "18.4 E")]
    fn short_numbers_keep_three_digits(#[case] n: u64, #[case] text: &str) {
        assert_eq!(compact(n), text);
    }

    #[rstest]
    #[case(0, "0 B")]
    #[case(84, "84 B")]
    #[case(1_023, "1023 B")]
    #[case(1_024, "1.00 KB")]
    #[case(4 << 30, "4.00 GB")]
    #[case(2_619_930_051, "2.44 GB")]
    #[case(u64::MAX, "16.0 EB")]
    fn sizes_are_powers_of_1024(#[case] n: u64, #[case] text: &str) {
        assert_eq!(bytes(n), text);
    }

    #[rstest]
    #[case(0.0, "0/s")]
    #[case(0.01, "<0.1/s")]
    #[case(0.42, "0.4/s")]
    #[case(9.96, "10/s")]
    #[case(412.3, "412/s")]
    #[case(51_417.0, "51.4 k/s")]
    fn rates(#[case] n: f64, #[case] text: &str) {
        assert_eq!(rate(n), text);
    }

    #[rstest]
    #[case(-50_213, "−50,213")]
    #[case(9, "+9")]
    #[case(0, "±0")]
    fn signs(#[case] n: i128, #[case] text: &str) {
        assert_eq!(signed(n), text);
    }

    #[rstest]
    #[case(0, "0 s")]
    #[case(250, "250 ms")]
    #[case(5_900, "5 s")]
    #[case(245_000, "4 m 5 s")]
    #[case(11_520_000, "3 h 12 m")]
    #[case(7_200_000, "2 h")]
    #[case(187_200_000, "2 d 4 h")]
    #[case(3_542_400_000, "41 d")]
    fn durations_have_two_units_at_most(#[case] ms: u64, #[case] text: &str) {
        assert_eq!(duration(Duration::from_millis(ms)), text);
    }

    #[test]
    fn what_is_unknown_is_not_zero() {
        assert_eq!(count_or(None), "–");
        assert_eq!(rate_or(None), "–");
        assert_eq!(share_of(0, 0), "–");
        assert_eq!(share_of(0, 5), "0 %");
        assert_eq!(share_of(1_286, 5_135), "25.0 %");
    }

    #[test]
    fn another_day_is_named() {
        let now: Timestamp = "2026-11-23T14:03:12Z".parse().expect("a time");
        let yesterday: Timestamp = "2026-11-22T09:00:00Z".parse().expect("a time");
        assert_eq!(clock_near(now, now), "14:03:12");
        assert_eq!(clock_near(yesterday, now), "22 Nov 09:00");
        assert_eq!(ago(Duration::from_millis(400)), "now");
        assert_eq!(ago(Duration::from_millis(5_400)), "5 s ago");
    }
}
