//! What an hour of history at 1 Hz weighs: `cargo bench --bench weight`.
//!
//! Read `max alloc`: the most bytes that were held at once, as asked of the allocator. Its own
//! overhead comes on top.

mod synth;

use amr_top::info::Info;
use amr_top::model::{Assumptions, Commands, History, Observation, Sample, Step};
use divan::{AllocProfiler, Bencher};
use synth::Node;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const HOUR: u64 = 3_600;
const NODES: [Node; 2] = [Node::Quiet, Node::Busy];

fn main() {
    divan::main();
}

/// An hour as it is kept.
#[divan::bench(args = NODES, sample_count = 1, sample_size = 1)]
fn history(bencher: Bencher<'_, '_>, node: Node) {
    bencher.bench_local(|| -> History {
        let mut history = synth::history();
        (0..HOUR).for_each(|second| history.observe(synth::observation(node, second)));
        history
    });
}

/// Its samples as they are understood, one after the other.
#[divan::bench(args = NODES, sample_count = 1, sample_size = 1)]
fn samples(bencher: Bencher<'_, '_>, node: Node) {
    bencher.bench_local(|| -> Vec<Sample> { (0..HOUR).map(|at| sample(node, at)).collect() });
}

/// Their command statistics alone.
#[divan::bench(args = NODES, sample_count = 1, sample_size = 1)]
fn commands(bencher: Bencher<'_, '_>, node: Node) {
    bencher.bench_local(|| -> Vec<Option<Commands>> {
        (0..HOUR).map(|at| sample(node, at).commands).collect()
    });
}

/// The steps between them.
#[divan::bench(args = NODES, sample_count = 1, sample_size = 1)]
fn steps(bencher: Bencher<'_, '_>, node: Node) {
    bencher.bench_local(|| -> Vec<Step> {
        let pair = |at| (sample(node, at), sample(node, at + 1));
        let step = |(before, after): (Sample, Sample)| Step::between(&before, &after, false);
        (0..HOUR).map(|at| step(pair(at))).collect()
    });
}

fn sample(node: Node, at: u64) -> Sample {
    let Observation::Answer {
        moment,
        round_trip,
        info,
    } = synth::observation(node, at)
    else {
        unreachable!("a node answers");
    };
    let info = Info::parse(info);
    Sample::new(moment, round_trip, &info, &Assumptions::default())
}
