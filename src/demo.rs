//! Throw-away servers and the incidents that are played against them.
//!
//! [`server`] starts a `redis-server` that cannot outlive us; the demo and every live test use it.

pub mod server;
