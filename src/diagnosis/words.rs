//! Numbers in sentences.

/// `51,417`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 key`, `51,417 keys`.
pub(super) fn keys(n: u64) -> String {
    if n == 1 {
        "1 key".into()
    } else {
        format!("{} keys", count(n))
    }
}

/// `84 B`, `18.2 MB`, `2.44 GB`; powers of 1024 under their everyday names, as Redis's
/// configuration has them.
pub(super) fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if n < 1024 {
        return format!("{n} B");
    }
    let mut value = n as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = if value < 10.0 {
        2
    } else {
        usize::from(value < 100.0)
    };
    format!("{value:.digits$} {}", UNITS[unit])
}

/// `12 s`, `3 min`, `2 h 5 min`, `41 d`.
pub(super) fn duration(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `61 %`; below one percent with one decimal.
pub(super) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 1.0 {
        format!("{percent:.1} %")
    } else {
        format!("{percent:.0} %")
    }
}

/// `412/s`, `0.3/s`.
pub(super) fn rate(per_second: f64) -> String {
    if per_second == 0.0 || per_second >= 10.0 {
        format!("{per_second:.0}/s")
    } else if per_second >= 0.1 {
        format!("{per_second:.1}/s")
    } else {
        format!("{per_second:.2}/s")
    }
}

/// `DEL ×3, UNLINK ×1`: commands with their numbers, largest first, at most four.
pub(super) fn list<'a>(commands: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let mut rows: Vec<(&str, u64)> = commands.into_iter().filter(|(_, n)| *n > 0).collect();
    rows.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let more = rows.len().saturating_sub(4);
    let named = rows.iter().take(4);
    let mut parts: Vec<String> = named
        .map(|(name, n)| format!("{} ×{}", name.to_ascii_uppercase(), count(*n)))
        .collect();
    if more > 0 {
        parts.push(format!("{more} more"));
    }
    parts.join(", ")
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
    fn counts(#[case] n: u64, #[case] text: &str) {
        assert_eq!(count(n), text);
    }

    #[rstest]
    #[case(84, "84 B")]
    #[case(1_024, "1.00 kB")]
    #[case(19_083_264, "18.2 MB")]
    #[case(u64::MAX, "16384 PB")]
    fn sizes(#[case] n: u64, #[case] text: &str) {
        assert_eq!(bytes(n), text);
    }

    #[rstest]
    #[case(119, "119 s")]
    #[case(180, "3 min")]
    #[case(7_500, "2 h 5 min")]
    #[case(3_542_400, "41 d")]
    fn durations(#[case] seconds: u64, #[case] text: &str) {
        assert_eq!(duration(seconds), text);
    }

    #[test]
    fn lists_are_short_and_sorted() {
        assert_eq!(
            list([("del", 3), ("unlink", 9), ("getdel", 0)]),
            "UNLINK ×9, DEL ×3"
        );
    }
}
