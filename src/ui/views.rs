//! From the state of the dashboard to what each widget may show. Addresses are hidden here, before
//! any widget sees them.

mod balance;
mod nodes;
mod panels;
mod replication;
mod verdicts;
pub(crate) mod watched;

use std::time::Duration;

use super::footer::Footer;
use super::frame::Frame;
use super::graph::Series;
use super::header::{Header, Standing};
use super::help::Help;
use super::notice::{Banner, Said};
use super::privacy::Veil;
use super::theme::{Role, Theme};
use ratatui::layout::Rect;

use crate::app::{App, Cursor, Mode, Panel, View};
use crate::diagnosis::Diagnosis;
use crate::format;
use crate::keymap;
use crate::model::{
    Connection, Counter, Delta, Entry, Extent, Moment, NodeId, Packed, Sample, Window,
};

/// The dashboard as it is looked at now.
pub(crate) struct Views<'a> {
    app: &'a App,
    diagnosis: &'a Diagnosis,
    window: Window<'a>,
    sample: Option<Box<Sample>>,
    veil: Veil,
    /// Colours.
    pub theme: Theme,
}

impl<'a> Views<'a> {
    /// Looks at an app and the diagnosis of what it shows.
    pub(crate) fn new(app: &'a App, diagnosis: &'a Diagnosis) -> Self {
        let sample = app.sample().map(Box::new);
        let replication = sample.as_ref().map(|sample| &sample.replication);
        let replicas = replication.iter().flat_map(|r| &r.replicas);
        let primary = replication.and_then(|r| r.primary.as_deref());
        let members = app.deployment().members().iter();
        let addresses = members
            .map(|member| member.node().as_str())
            .chain(app.deployment().aliases().map(NodeId::as_str))
            .chain(primary)
            .chain(replicas.map(|replica| replica.address.as_str()));
        Self {
            veil: Veil::new(app.screen().privacy, addresses),
            app,
            diagnosis,
            window: app.window(),
            sample,
            theme: Theme(app.screen().theme),
        }
    }

    /// The sample that is shown.
    fn sample(&self) -> Option<&Sample> {
        self.sample.as_deref()
    }

    /// Whether a panel has a place on the screen.
    pub(crate) fn has(&self, panel: Panel) -> bool {
        self.app.screen().has(panel)
    }

    /// The panel that shares the screen with the causes when there is room for one.
    pub(crate) fn detail(&self) -> Panel {
        self.app.screen().detail()
    }

    /// Whether what is shown follows the present.
    fn is_live(&self) -> bool {
        self.app.cursor() == Cursor::Live
    }

    /// The moment that is shown.
    fn shown(&self) -> Moment {
        if self.is_live() {
            self.app.now()
        } else {
            self.window.end().unwrap_or(self.app.now())
        }
    }

    fn frame(&self, panel: Panel, remark: &'a str) -> Frame<'a> {
        Frame {
            key: Some(panel.key()),
            title: panel.title(),
            remark,
            focused: self.app.screen().focus == panel,
            theme: self.theme,
        }
    }

    /// The heading of a panel that has no room.
    pub(crate) fn closed(&self, panel: Panel) -> Frame<'a> {
        self.frame(panel, "")
    }

    /// The selected row of a panel, while it has the focus.
    fn selected(&self, panel: Panel) -> Option<usize> {
        let screen = self.app.screen();
        (screen.focus == panel).then(|| screen.row(panel))
    }

    /// Readings of the samples in the span that graphs show.
    fn series(&self, reading: impl Fn(&Packed) -> Option<u64>) -> Series {
        let end = self.shown();
        let span = self.app.screen().span;
        let mut series = Series {
            span_s: span.duration().as_secs_f64(),
            span: span.label(),
            end: if self.is_live() {
                "now".to_owned()
            } else {
                format::clock(end.at)
            },
            ..Series::default()
        };
        let mut until = 0.0;
        for entry in self.window.entries().rev() {
            let age = end.seconds_since(entry.moment());
            match entry {
                Entry::Sample(sample, _) => {
                    if let Some(value) = reading(sample) {
                        series.points.push((age, value as f64));
                    }
                }
                Entry::Gap(_) => series.holes.push((age, until)),
            }
            until = age;
            if age > series.span_s {
                break;
            }
        }
        series.points.reverse();
        series.holes.reverse();
        series
    }

    /// Growth a second of one counter in the span that graphs show.
    fn rates(&self, counter: Counter) -> Series {
        let end = self.shown();
        let mut series = self.series(|_| None);
        let steps = self.window.steps().rev();
        series.points = steps
            .take_while(|step| end.seconds_since(step.from) <= series.span_s)
            .filter(|step| step.seconds() > 0.0 && step.counter(counter) != Delta::Unknown)
            .map(|step| {
                let grown = step.counter(counter).at_least() as f64;
                (end.seconds_since(step.to), grown / step.seconds())
            })
            .collect();
        series.points.reverse();
        series
    }

    /// The first line.
    pub(crate) fn header(&self) -> Header {
        let standing = match (self.app.connection(), self.is_live()) {
            (Connection::Lost { .. }, _) if !self.is_one_of_many() => Standing::Lost,
            (_, false) => Standing::Paused,
            (Connection::Connecting, _) => Standing::Connecting,
            (Connection::Live { .. } | Connection::Lost { .. }, _) => Standing::Live,
        };
        let moment = self.sample().map(|sample| sample.moment);
        Header {
            target: self.target(),
            product: self.sample().map_or_else(String::new, |sample| {
                format!("{} {}", sample.product(), sample.server.version)
            }),
            role: self
                .sample()
                .map_or("", |sample| sample.replication.role.id()),
            standing,
            interval: self.app.interval(),
            time: moment.map(|moment| format::clock(moment.at)),
            age: moment.map(|moment| self.since(moment)),
            uptime_s: self.sample().and_then(|sample| sample.server.uptime_s),
            theme: self.theme,
        }
    }

    /// The node whose readings are shown, and how many there are.
    fn target(&self) -> String {
        if self.veil.is_drawn() {
            return "(address hidden)".to_owned();
        }
        let node = self.app.history().node();
        let members = self.app.deployment().members().iter();
        let nodes = match members.filter(|member| member.left().is_none()).count() {
            1 => 0,
            nodes => nodes,
        };
        let alone = match self.app.extent() {
            Extent::Whole => "",
            Extent::Shard(_) => "with its shard, ",
            Extent::Node(_) => "alone, ",
        };
        match nodes {
            0 => node.to_string(),
            nodes => format!("{node} {alone}of {nodes} nodes"),
        }
    }

    /// Real time passed since a moment.
    fn since(&self, moment: Moment) -> Duration {
        self.app.now().elapsed.saturating_sub(moment.elapsed)
    }

    /// What must be known before anything on the screen is believed.
    pub(crate) fn banners(&self, area: Rect) -> Vec<Banner> {
        let lost = self.lost().map(|banner| banner.spread(area));
        lost.into_iter().flatten().chain(self.paused()).collect()
    }

    /// The node whose readings are shown is one of several, of which others answer; what befalls it is
    /// told in the list and by the causes.
    fn is_one_of_many(&self) -> bool {
        let others = self.app.deployment().members().iter();
        let mut others = others.map(|member| member.history().connection());
        self.app.extent().is_whole()
            && others.any(|connection| matches!(connection, Connection::Live { .. }))
    }

    fn lost(&self) -> Option<Banner> {
        if self.is_one_of_many() {
            return None;
        }
        let Connection::Lost {
            failure,
            since,
            next_try,
            attempts,
        } = self.app.connection()
        else {
            return None;
        };
        let wait = next_try.saturating_sub(self.app.now().elapsed);
        let retry = if wait.is_zero() {
            "trying now".to_owned()
        } else {
            // A countdown that ends at 1 is not over early.
            let s = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            format!("retry in {}", format::seconds(s))
        };
        let nth = attempts + 1;
        let of = if self.app.deployment().is_several() {
            format!(
                "{}: ",
                self.veil.address(self.app.history().node().as_str())
            )
        } else {
            String::new()
        };
        Some(Banner {
            head: format!(
                "✖ {of}{} for {}",
                // A server that refuses us does answer.
                if failure.kind.is_outage() {
                    "NO ANSWER"
                } else {
                    "CANNOT LOOK"
                },
                format::seconds(self.since(*since).as_secs())
            ),
            text: self.veil.text(&failure.sentence()),
            tail: format!("{retry} (try {nth})"),
            role: Role::Alarm,
            theme: self.theme,
        })
    }

    fn paused(&self) -> Option<Banner> {
        if self.is_live() {
            return None;
        }
        let end = self.window.end()?;
        let behind = self.since(end);
        Some(Banner {
            head: format!(
                "‖ PAUSED at {} UTC",
                format::clock_near(end.at, self.app.now().at)
            ),
            text: format!(
                "{} behind live; polling goes on",
                format::seconds(behind.as_secs())
            ),
            tail: "Space: live".to_owned(),
            role: Role::Banner,
            theme: self.theme,
        })
    }

    /// The line above the footer.
    pub(crate) fn said(&self) -> Option<Said> {
        self.app.notice().map(|notice| Said {
            text: self.veil.text(&notice.text),
            trouble: notice.trouble,
            theme: self.theme,
        })
    }

    /// The last line.
    pub(crate) fn footer(&self) -> Footer {
        let screen = self.app.screen();
        Footer {
            hints: keymap::hints(screen.mode, screen.view, screen.focus),
            theme: self.theme,
        }
    }

    /// The list of keys, while it is shown.
    pub(crate) fn help(&self) -> Option<Help> {
        let screen = self.app.screen();
        (screen.mode == Mode::Help).then(|| Help {
            rows: keymap::help().collect(),
            scroll: screen.scroll,
            theme: self.theme,
        })
    }

    /// What fills the screen.
    pub(crate) fn view(&self) -> View {
        self.app.screen().view
    }

    /// The panel with the focus.
    pub(crate) fn focus(&self) -> Panel {
        self.app.screen().focus
    }
}
