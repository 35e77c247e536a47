//! What a diagnosis costs, and what an hour of history weighs: `cargo bench --bench diagnose`.

mod synth;

use std::io::Write;

use amr_top::diagnosis::diagnose;
use amr_top::model::History;
use divan::{Bencher, black_box};

fn main() {
    weigh();
    divan::main();
}

fn filled(seconds: u64) -> History {
    let mut history = synth::history();
    (0..seconds).for_each(|second| history.observe(synth::observation(second)));
    history
}

/// All rules over a window of so many samples.
#[divan::bench(args = [60, 600, 3_600])]
fn diagnosis(bencher: Bencher<'_, '_>, seconds: u64) {
    let history = filled(seconds);
    bencher.bench_local(|| diagnose(black_box(&history.window())));
}

/// Prints the growth of resident memory over one hour of history at 1 Hz.
fn weigh() {
    const HOUR: u64 = 3_600;
    // The allocator's own start-up is not counted.
    drop(filled(60));
    let before = resident_kib();
    let history = filled(HOUR);
    let figure = match (before, resident_kib()) {
        (Some(before), Some(after)) => {
            let kib = after.saturating_sub(before);
            let each = kib * 1024 / HOUR;
            format!("{kib} KiB resident, {each} bytes a sample")
        }
        _ => "not known on this system (needs /proc/self/statm)".into(),
    };
    drop(black_box(history));
    // A figure that nobody reads is no reason to fail.
    let _ = writeln!(std::io::stdout(), "one hour of history at 1 Hz: {figure}\n");
}

/// Resident memory, in pages of 4 KiB.
fn resident_kib() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4)
}
