//! What a diagnosis costs: `cargo bench --bench diagnose`. What an hour weighs: `--bench weight`.

mod synth;

use amr_top::diagnosis::{Ledger, diagnose};
use amr_top::model::History;
use divan::{Bencher, black_box};
use synth::Node;

fn main() {
    divan::main();
}

fn filled(node: Node, seconds: u64) -> History {
    let mut history = synth::history();
    (0..seconds).for_each(|second| history.observe(synth::observation(node, second)));
    history
}

/// All rules over a window of so many samples of a busy node.
#[divan::bench(args = [60, 600, 3_600])]
fn busy(bencher: Bencher<'_, '_>, seconds: u64) {
    let history = filled(Node::Busy, seconds);
    bencher.bench_local(|| diagnose(black_box(&history.window())));
}

/// The same of a quiet one.
#[divan::bench(args = [60, 600, 3_600])]
fn quiet(bencher: Bencher<'_, '_>, seconds: u64) {
    let history = filled(Node::Quiet, seconds);
    bencher.bench_local(|| diagnose(black_box(&history.window())));
}

/// The part of it that books every interval, over an hour of a busy node.
#[divan::bench]
fn ledger_of_an_hour(bencher: Bencher<'_, '_>) {
    let history = filled(Node::Busy, 3_600);
    bencher.bench_local(|| Ledger::of(black_box(&history.window())));
}
