//! Whole deployments of real servers: found from any one node, judged together, followed through
//! failovers. Every trial runs on both servers of `PATH`, and numbers are compared with what was
//! written to the servers and is found on them.

#![allow(
    clippy::expect_used,
    reason = "a trial whose servers cannot be set up has failed"
)]

mod cluster;
mod failover;
mod found;
mod healthy;
mod partition;
mod relay;
mod replicas;
mod scene;
mod sentinel;
mod standby;
#[path = "../support/mod.rs"]
mod support;
