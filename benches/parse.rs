//! From the bytes of a reply to a step of the history: `cargo bench --bench parse`.

mod synth;

use std::time::Duration;

use amr_top::info::Info;
use amr_top::model::{Assumptions, Sample, Step};
use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use synth::Node;

fn main() {
    divan::main();
}

fn sample(node: Node, second: u64) -> Sample {
    let info = Info::parse(synth::reply(node, second));
    let assumptions = Assumptions::default();
    Sample::new(synth::moment(second), Duration::ZERO, &info, &assumptions)
}

/// The reply as fields, the copy of its text included.
#[divan::bench]
fn info(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_str(synth::REPLY))
        .bench(|| Info::parse(black_box(synth::REPLY)));
}

/// Fields to typed values.
#[divan::bench]
fn sample_new(bencher: Bencher<'_, '_>) {
    let info = Info::parse(synth::REPLY);
    let assumptions = Assumptions::default();
    bencher.bench(|| {
        Sample::new(
            synth::moment(0),
            Duration::ZERO,
            black_box(&info),
            &assumptions,
        )
    });
}

const NODES: [Node; 2] = [Node::Quiet, Node::Busy];

/// The difference of two samples.
#[divan::bench(args = NODES)]
fn step_between(bencher: Bencher<'_, '_>, node: Node) {
    let (before, after) = (sample(node, 1), sample(node, 2));
    bencher.bench(|| Step::between(black_box(&before), black_box(&after), false));
}

/// Everything that one answered poll costs: parse, sample, step, changes, history.
#[divan::bench(args = NODES)]
fn history_observe(bencher: Bencher<'_, '_>, node: Node) {
    let mut history = synth::history();
    let mut second = 0;
    bencher
        .with_inputs(|| {
            second += 1;
            synth::observation(node, second)
        })
        .bench_local_values(|observation| history.observe(observation));
}
