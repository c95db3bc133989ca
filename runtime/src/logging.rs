//! One log for the whole tree: each line says which process and which actor it comes from.

use once_cell::sync::OnceCell;

/// The filter that the program has asked for; its children get the same.
static FILTER: OnceCell<String> = OnceCell::new();

pub(crate) fn filter() -> Option<String> {
    FILTER.get().cloned()
}

/// In a new process: the same log as in the program.
pub(crate) fn inherit(filter: &str) {
    start(filter);
}

/// Writes the events of `tracing` to standard error, in this process and in every one that it spawns from now on.
///
/// Each line is one write and names time, level, process and actor. What is written is chosen by the environment variable `RUST_LOG`, or
/// else everything from `info` up. Does nothing if the program has a subscriber already. Needs the feature `logging` (on by default).
///
/// ```
/// phalanx::logging::init();
/// ```
#[cfg(feature = "logging")]
pub fn init() {
    start(&std::env::var("RUST_LOG").unwrap_or_else(|_| "info".to_owned()));
}

#[cfg(feature = "logging")]
fn start(filter: &str) {
    use tracing_subscriber::EnvFilter;
    use tracing_subscriber::fmt::format::Format;
    let chosen = EnvFilter::builder().parse_lossy(filter);
    let lines =
        tracing_subscriber::fmt().with_env_filter(chosen).with_writer(std::io::stderr).with_ansi(false);
    if lines.event_format(Line(Format::default().with_ansi(false))).try_init().is_ok() {
        let _ = FILTER.set(filter.to_owned());
    }
}

#[cfg(not(feature = "logging"))]
fn start(_: &str) {}

/// The usual line, behind process and actor.
#[cfg(feature = "logging")]
struct Line(tracing_subscriber::fmt::format::Format);

#[cfg(feature = "logging")]
impl<S, N> tracing_subscriber::fmt::FormatEvent<S, N> for Line
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    N: for<'a> tracing_subscriber::fmt::FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &tracing_subscriber::fmt::FmtContext<'_, S, N>,
        mut writer: tracing_subscriber::fmt::format::Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> std::fmt::Result {
        let me = crate::current();
        write!(writer, "[{} {}] ", me.pid(), me.name())?;
        self.0.format_event(context, writer, event)
    }
}
