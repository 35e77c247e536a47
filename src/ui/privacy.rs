//! Addresses and names taken out of text, for screenshots.

use crate::app::Privacy;

/// Stands for an address.
const HIDDEN: &str = "•••";

/// Hides what is known to be an address or a name, and what looks like one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Veil {
    hidden: bool,
    /// Longest first, so that a host with a port goes before the host alone.
    known: Vec<String>,
}

impl Veil {
    /// A veil over these addresses, and over their hosts without the port.
    pub(crate) fn new<'t>(privacy: Privacy, addresses: impl Iterator<Item = &'t str>) -> Self {
        let mut known = Vec::new();
        if privacy == Privacy::Hidden {
            for address in addresses {
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']');
                known.extend([address.to_owned(), host.to_owned()]);
            }
            known.retain(|text| text.len() > 2);
            known.sort_by_key(|text| std::cmp::Reverse(text.len()));
            known.dedup();
        }
        Self {
            hidden: privacy == Privacy::Hidden,
            known,
        }
    }

    /// Whether anything is hidden.
    pub(crate) fn is_drawn(&self) -> bool {
        self.hidden
    }

    /// A whole address, or what stands for it.
    pub(crate) fn address(&self, address: &str) -> String {
        if self.hidden { HIDDEN } else { address }.to_owned()
    }

    /// A sentence that may hold addresses.
    pub(crate) fn text(&self, text: &str) -> String {
        if !self.hidden {
            return text.to_owned();
        }
        let known = self
            .known
            .iter()
            .fold(text.to_owned(), |text, known| text.replace(known, HIDDEN));
        known
            .split(' ')
            .map(|word| if has_address(word) { HIDDEN } else { word })
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// Whether a word holds an IPv4 address or looks like an IPv6 one.
fn has_address(word: &str) -> bool {
    let core = word.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    let colons = core.matches(':').count();
    let v6 = colons >= 2
        && core.chars().all(|c| c.is_ascii_hexdigit() || ":.[]%".contains(c))
        // A time of day also has two colons.
        && !(colons == 2 && core.split(':').all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())));
    v6 || word
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .any(|run| {
            run.split('.').count() == 4 && run.split('.').all(|part| part.parse::<u8>().is_ok())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_and_words_stay() {
        let known = ["cache.example.com:6379", "10.0.0.9:6380"];
        let veil = Veil::new(Privacy::Hidden, known.into_iter());
        assert_eq!(
            veil.text("cache.example.com: follows 10.0.0.9:6380 not 10.1.2.3:1, (::1) at 14:03:12 on 7.0.15"),
            "•••: follows ••• not ••• ••• at 14:03:12 on 7.0.15"
        );
        let open = Veil::new(Privacy::Shown, known.into_iter());
        assert_eq!(open.text("10.0.0.9"), "10.0.0.9");
    }
}
