//! `amr-top` answers one question: **where did our keys go?**
//!
//! It watches a Redis, Valkey or Azure Managed Redis server through `INFO`, a push when a database is
//! emptied, and the server's own witnesses, and says what was lost, when, why, who may have done it
//! and what to do next, with the readings that prove it. It implements Microsoft's
//! guide [Troubleshoot data loss in Azure Managed Redis][guide] as a live instrument.
//!
//! # The way of the data
//!
//! ```text
//!  redis ── pushes: emptied databases, watched keys ──► source::{tripwire, watched} ─┐
//!  redis ── keyspace events, where they are on already ──► source::events ───────────┤
//!  redis ── SLOWLOG, CLIENT LIST, ACL LOG, when something moved ──► source::witness ─┤
//!  redis ── INFO ──► source::poll ◄──────────────────────────────────────────────────┘
//!                        └──► [bounded channel] ──► tui::run ◄── keys, 1 Hz tick, signals
//!                                                             │
//!                              App::observe(Observation)   App::act(Action)        pure, no clock
//!                                                             ▼
//!                     History ─► Window at the Cursor ─► diagnosis::diagnose ─► Diagnosis
//!                                  │  Ledger: every interval booked once, in parts with bounds
//!                                  │  rules: one verdict a cause, each with its mechanism
//!                                  │  Incidents: losses that follow each other, in shares
//!                                                             ▼
//!                              ui::draw(frame, &App) ─► Terminal          report::… ─► file, stdout
//! ```
//!
//! Live, paused, stepped back and headless (`check`) are one path: the same observations give the
//! same diagnosis.
//!
//! # The rooms, in the order in which they may know each other
//!
//! | room | what is in it |
//! |---|---|
//! | [`mod@format`] | numbers, sizes and times as people read them; knows nothing |
//! | [`info`] | one `INFO` reply as fields; knows nothing |
//! | [`model`] | what was observed: samples, steps between them, gaps, changes, the history |
//! | [`diagnosis`] | why keys went: the ledger, one rule a file for each cause, incidents |
//! | [`app`] | the state of the dashboard: observations and actions in, a screen out |
//! | [`report`] | a diagnosis as text, Markdown and JSON; the exported snapshot |
//! | [`demo`] | throw-away servers and the incidents that are played on them |
//! | [`cli`], [`config`] | what can be typed, and what it means |
//! | [`source`] | the only client of the user's server and its clock: connect, poll, classify failures |
//! | [`headless`] | `check`, `snapshot`, completions, the manual page |
//! | [`keymap`] | one table of keys: dispatch, hints, help and README come from it |
//! | [`ui`] | drawing: one widget a file, colours in one place |
//! | [`tui`] | the event loop and the terminal's life |
//!
//! The first five are pure: no terminal, no network, no files, no clock. `tests/layering.rs` keeps
//! the order.
//!
//! # Promises
//!
//! 1. *Read-only.* Every command that can be sent stands in `source::commands`; a test proves that
//!    nothing else is.
//! 2. *Absent is unknown, never zero.*
//! 3. *Every claim carries evidence*: node, field, before, after.
//! 4. *A failed poll is a finding*: a hole in the graph, and sometimes the diagnosis.
//! 5. *Nothing that a server says can control the terminal*: text passes [`model::inert`] first.
//!
//! [guide]: https://learn.microsoft.com/azure/redis/troubleshoot-data-loss

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod diagnosis;
pub mod format;
pub mod headless;
pub mod info;
pub mod keymap;
pub mod model;
pub mod report;
pub mod source;
pub mod tui;
pub mod ui;
