//! A service that runs, and what it says of itself.

use std::net::SocketAddr;

use phalanx_tests::{EVENT_TIMEOUT, Program, Run, until_seen};

use crate::client::{Answer, request};

/// A service, listening.
pub(crate) struct Service {
    pub(crate) run: Run,
    pub(crate) address: SocketAddr,
}

impl Service {
    /// Starts one on a free port.
    #[track_caller]
    pub(crate) fn start(args: &[&str]) -> Service {
        let program = Program::new(env!("CARGO_BIN_EXE_service")).args(["--listen", "127.0.0.1:0"]);
        let run = program.args(args.iter().copied()).start();
        let line = run.line();
        let address = line.strip_prefix("listening on http://").expect("an address");
        Service { address: address.parse().expect("an address"), run }
    }

    #[track_caller]
    pub(crate) fn decode(&self, file: &[u8]) -> Answer {
        request(self.address, "POST", "/decode", file).expect("an answer")
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.address, "GET", path, b"").expect("an answer")
    }

    /// The sum of a metric over all labels that contain the text.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, label: &str) -> u64 {
        let text = self.get("/metrics").body;
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.map(|line| line.rsplit_once(' ').expect("a value").1.parse::<u64>().expect("a number")).sum()
    }

    /// Waits until a metric has this value.
    #[track_caller]
    pub(crate) fn until_metric(&self, name: &str, label: &str, value: u64) {
        let what = format!("{value} as {name} {label}");
        until_seen(&what, EVENT_TIMEOUT, || self.metric(name, label), |&seen| seen == value);
    }

    /// Asks it to end; it ends with success, and nothing of it is left.
    #[track_caller]
    pub(crate) fn end(self) {
        self.run.signal("TERM");
        self.ended();
    }

    /// Waits for its end, which has been asked for.
    #[track_caller]
    pub(crate) fn ended(mut self) {
        let code = self.run.wait();
        assert_eq!(code, 0, "{:?}", self.run.rest_of_stderr());
        self.run.finish();
    }
}
