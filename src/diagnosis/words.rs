//! Numbers in sentences: those of [`crate::format`], and lists of commands.

pub(super) use crate::format::{
    bytes, count, keys, plural, rate, seconds as duration, share as percent,
};

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
    use super::*;

    #[test]
    fn lists_are_short_and_sorted() {
        assert_eq!(
            list([("del", 3), ("unlink", 9), ("getdel", 0)]),
            "UNLINK ×9, DEL ×3"
        );
    }
}
