//! A proxy that delays every byte.
