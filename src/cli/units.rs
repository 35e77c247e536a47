//! Durations and sizes as people type them.

use std::time::Duration;

use jiff::SignedDuration;

/// Reads `500ms`, `10s`, `1.5s`, `2m`, `1h 30m`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |hint: &str| format!("{hint}, for example 500ms, 10s, 1.5s or 2m");
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(wrong(&format!("add a unit: {text}s")));
    }
    let signed: SignedDuration = text
        .parse()
        .map_err(|_| wrong("give a number and a unit"))?;
    match Duration::try_from(signed) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(wrong("give a time above zero")),
    }
}

/// A duration as people type it: `1s`, `1m 30s`, `250ms`.
pub fn show_duration(duration: Duration) -> String {
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{}s", duration.as_secs()), |d| format!("{d:#}"))
}

/// Reads bytes as redis.conf spells them: `1000`, `100M` (10⁶), `512mb` (2²⁰), `4gb`, `1.5gb`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let wrong = || "give bytes as in redis.conf, for example 4gb, 512mb or 1073741824".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let scale: u64 = match unit.trim_start() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" | "kib" => 1 << 10,
        "m" => 1_000_000,
        "mb" | "mib" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" | "gib" => 1 << 30,
        "t" => 1_000_000_000_000,
        "tb" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || part.len() > 6 || part.contains('.') {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let fraction = if part.is_empty() {
        0
    } else {
        let places = u32::try_from(part.len()).map_err(|_| wrong())?;
        part.parse::<u64>().map_err(|_| wrong())? * scale / 10u64.pow(places)
    };
    whole
        .checked_mul(scale)
        .and_then(|n| n.checked_add(fraction))
        .filter(|n| *n > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("500ms", Some(500))]
    #[case("10s", Some(10_000))]
    #[case("1.5s", Some(1_500))]
    #[case("2m", Some(120_000))]
    #[case("1h 30m", Some(5_400_000))]
    #[case("10", None)]
    #[case("0s", None)]
    #[case("-1s", None)]
    #[case("", None)]
    #[case("soon", None)]
    fn durations(#[case] text: &str, #[case] ms: Option<u64>) {
        assert_eq!(duration(text).ok(), ms.map(Duration::from_millis));
    }

    #[test]
    fn a_bare_number_is_told_its_unit() {
        assert!(duration("10").is_err_and(|error| error.contains("10s")));
        assert_eq!(show_duration(Duration::from_millis(1_500)), "1s 500ms");
    }

    #[rstest]
    #[case("1073741824", Some(1 << 30))]
    #[case("4gb", Some(4 << 30))]
    #[case("512mb", Some(512 << 20))]
    #[case("100M", Some(100_000_000))]
    #[case("1.5gb", Some(3 << 29))]
    #[case("64 KB", Some(64 << 10))]
    #[case("0", None)]
    #[case("gb", None)]
    #[case("4x", None)]
    #[case("1.2.3gb", None)]
    #[case("99999999tb", None)]
    #[case("-1", None)]
    fn sizes(#[case] text: &str, #[case] expected: Option<u64>) {
        assert_eq!(bytes(text).ok(), expected);
    }
}
