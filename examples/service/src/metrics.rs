//! What `/metrics` says, in the text format of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use phalanx::Node;

use crate::decoders::Decoders;

/// A counter for each value of a label.
#[derive(Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    pub(crate) fn count(&self, value: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(value.into()).or_default() += 1;
    }

    fn all(&self) -> BTreeMap<String, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// All metrics. Blocks while `/proc` is read, which takes a moment; no decoder is asked, so that one that
/// hangs holds nothing up.
pub(crate) fn text(decoders: &Decoders, answers: &Counts) -> String {
    let tree = phalanx::tree();
    let pool = tree.as_ref().and_then(|tree| tree.find(decoders.pool().supervisor().name()));
    let nodes = pool.map_or(&[][..], |pool| &pool.children);
    let mut text = Text(String::new());
    text.kind("decoders_up", "gauge");
    text.line("decoders_up", "", decoders.up() as u64);
    text.of_each(nodes, "decoder_restarts_total", "counter", |node| node.restarts.into());
    text.of_each(nodes, "decoder_recycled_total", "counter", |node| node.recycled.into());
    text.of_each(nodes, "decoder_queue_depth", "gauge", |node| node.depth.into());
    text.of_each(nodes, "decoder_busy", "gauge", |node| node.in_progress.is_some().into());
    text.of_counts("decode_crashes_total", "reason", decoders.crashes());
    text.of_counts("decode_answers_total", "status", answers);
    text.0
}

struct Text(String);

impl Text {
    fn kind(&mut self, name: &str, kind: &str) {
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: u64) {
        let _ = writeln!(self.0, "{name}{labels} {value}");
    }

    fn of_each(&mut self, decoders: &[Node], name: &str, kind: &str, value: impl Fn(&Node) -> u64) {
        self.kind(name, kind);
        for decoder in decoders {
            self.line(name, &label("decoder", &decoder.name), value(decoder));
        }
    }

    fn of_counts(&mut self, name: &str, by: &str, counts: &Counts) {
        self.kind(name, "counter");
        for (value, count) in counts.all() {
            self.line(name, &label(by, &value), count);
        }
    }
}

/// One label; the names and words here have nothing in them that has to be escaped.
fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{value}\"}}")
}
