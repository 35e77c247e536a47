//! Placeholder map; written when the rooms stand.

pub mod app;
pub mod config;
pub mod diagnosis;
pub mod info;
pub mod keymap;
pub mod model;
pub mod ui;
