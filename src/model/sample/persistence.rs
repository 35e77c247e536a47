//! What is on disk.

use crate::info::Info;

/// What a restart would find, and what it would not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persistence {
    /// The data set is being read from disk; key counts are partial.
    pub loading: bool,
    /// A replica receives a new data set while it serves the old one (7.0+).
    pub async_loading: bool,
    /// Percent of the load that is done.
    pub loading_percent: Option<f64>,
    /// Writes since the last successful save.
    pub unsaved_changes: Option<u64>,
    /// Unix seconds of the last save (or of the start).
    pub last_save_s: Option<u64>,
    /// Seconds that the last BGSAVE took; `None` also where none has run (`-1` on the wire).
    pub last_save_took_s: Option<u64>,
    /// A BGSAVE runs.
    pub saving: Option<bool>,
    /// `rdb_last_bgsave_status:ok`.
    pub last_save_ok: Option<bool>,
    /// Keys read at the last load (7.0+).
    pub loaded_keys: Option<u64>,
    /// Keys dropped at the last load because their TTL had passed (7.0+).
    pub loaded_expired_keys: Option<u64>,
    /// AOF is on.
    pub aof: Option<bool>,
    /// `aof_last_write_status:ok`.
    pub aof_write_ok: Option<bool>,
    /// `aof_last_bgrewrite_status:ok`.
    pub aof_rewrite_ok: Option<bool>,
    /// Size of the AOF.
    pub aof_size_bytes: Option<u64>,
    /// An AOF rewrite runs.
    pub aof_rewriting: Option<bool>,
}

impl Persistence {
    /// Its numbers, those that are there, always in this order.
    pub(in crate::model) fn numbers(&mut self, visit: &mut dyn FnMut(&mut u64)) {
        if let Some(percent) = &mut self.loading_percent {
            let mut bits = percent.to_bits();
            visit(&mut bits);
            *percent = f64::from_bits(bits);
        }
        let told = [
            &mut self.unsaved_changes,
            &mut self.last_save_s,
            &mut self.last_save_took_s,
            &mut self.loaded_keys,
            &mut self.loaded_expired_keys,
            &mut self.aof_size_bytes,
        ];
        told.into_iter().flatten().for_each(visit);
    }

    pub(super) fn parse(info: &Info) -> Self {
        let number = |name| info.u64("Persistence", name);
        let flag = |name| info.flag("Persistence", name);
        let ok = |name| info.get("Persistence", name).map(|status| status == "ok");
        Self {
            loading: flag("loading").unwrap_or(false),
            async_loading: flag("async_loading").unwrap_or(false),
            loading_percent: info.f64("Persistence", "loading_loaded_perc"),
            unsaved_changes: number("rdb_changes_since_last_save"),
            last_save_s: number("rdb_last_save_time"),
            last_save_took_s: number("rdb_last_bgsave_time_sec"),
            saving: flag("rdb_bgsave_in_progress"),
            last_save_ok: ok("rdb_last_bgsave_status"),
            loaded_keys: number("rdb_last_load_keys_loaded"),
            loaded_expired_keys: number("rdb_last_load_keys_expired"),
            aof: flag("aof_enabled"),
            aof_write_ok: ok("aof_last_write_status"),
            aof_rewrite_ok: ok("aof_last_bgrewrite_status"),
            aof_size_bytes: number("aof_current_size"),
            aof_rewriting: flag("aof_rewrite_in_progress"),
        }
    }
}
