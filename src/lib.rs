//! Placeholder map; written when the rooms stand.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod diagnosis;
pub mod headless;
pub mod info;
pub mod model;
pub mod report;
pub mod source;
