//! The lines of [`init`](super::init): the usual ones of `tracing`, behind process and actor.

use std::error::Error;
use std::fmt::{self, Debug};
use std::time::SystemTime;

use tracing::Metadata;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::{RecordFields, VisitOutput};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::fmt::format::{DefaultVisitor, Format, Full, Writer};
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::logging::record;
use crate::logging::sites::is_forwarded;
use crate::reactor::context;
use crate::types::escape::one_line;

/// Makes it the program's subscriber. Returns its filter as text for this process's children; `None` if there
/// was a subscriber already.
pub(super) fn install(filter: &str) -> Option<String> {
    let chosen = EnvFilter::builder().parse_lossy(filter);
    let filter = chosen.to_string();
    let line = Line(Format::default().with_ansi(false).with_timer(Clock));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let lines = lines.event_format(line).fmt_fields(Fields).with_filter(chosen.or(Chosen));
    tracing_subscriber::registry().with(lines).try_init().is_ok().then_some(filter)
}

/// Lets events in that have passed this filter in their own process, which has the spans that the filter may
/// name.
struct Chosen;

impl Chosen {
    /// Whether an event has passed it. Supervisors check levels only.
    fn has_passed(metadata: &Metadata<'_>) -> bool {
        metadata.target() != record::TARGET && is_forwarded(metadata)
    }
}

impl<S> Filter<S> for Chosen {
    fn enabled(&self, metadata: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        Chosen::has_passed(metadata)
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        if Chosen::has_passed(metadata) { Interest::always() } else { Interest::never() }
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        // It wants no events itself.
        Some(LevelFilter::OFF)
    }
}

struct Line(Format<Full, Clock>);

impl<S, N> FormatEvent<S, N> for Line
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &tracing::Event<'_>,
    ) -> fmt::Result {
        match super::origin() {
            Some(origin) => {
                // The name comes from another process, and must stay on this line.
                write!(writer, "[{} {}] ", origin.pid, one_line(&origin.actor))?;
            }
            None => {
                let name = context::identity().map_or(context::PROGRAM, |own| &own.name);
                write!(writer, "[{} {}] ", std::process::id(), one_line(name))?;
            }
        }
        self.0.format_event(context, writer, event)
    }
}

/// The time at which it was said, in UTC with microseconds.
struct Clock;

impl FormatTime for Clock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let time = super::origin().map_or_else(SystemTime::now, |origin| origin.time);
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let (seconds, micros) = (since.as_secs(), since.subsec_micros());
        let (year, month, day) = date(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(writer, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

/// Year, month and day of a day since 1970, after Howard Hinnant's `civil_from_days`: years that begin in
/// March have their odd day last.
fn date(day: u64) -> (u64, u64, u64) {
    let day = day + 719_468;
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let march = (5 * day + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day - (153 * march + 2) / 5 + 1)
}

/// The usual fields, without those that stand in front of the line.
struct Fields;

impl<'a> FormatFields<'a> for Fields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'a>, fields: R) -> fmt::Result {
        let mut in_front = InFront::default();
        if super::origin().is_some() {
            fields.record(&mut in_front);
        }
        let mut usual = Usual { visitor: DefaultVisitor::new(writer, true), in_front };
        fields.record(&mut usual);
        usual.visitor.finish()
    }
}

/// The fields of a forwarded event that repeat what stands in front. If the event has a field of such a name
/// itself, ours has another name.
#[derive(Default)]
struct InFront(Vec<&'static str>);

impl InFront {
    const PLAIN: [&str; 3] = ["actor", "pid", "incarnation"];
    const PREFIXED: [&str; 3] = ["phalanx.actor", "phalanx.pid", "phalanx.incarnation"];
}

impl Visit for InFront {
    fn record_debug(&mut self, field: &Field, _: &dyn Debug) {
        let name = field.name();
        if let Some(at) = InFront::PREFIXED.iter().position(|known| *known == name) {
            self.0.retain(|plain| *plain != InFront::PLAIN[at]);
        }
        if InFront::PLAIN.contains(&name) || InFront::PREFIXED.contains(&name) {
            self.0.push(name);
        }
    }
}

struct Usual<'a> {
    visitor: DefaultVisitor<'a>,
    in_front: InFront,
}

impl Usual<'_> {
    fn stands_in_front(&self, field: &Field) -> bool {
        self.in_front.0.contains(&field.name())
    }
}

impl Visit for Usual<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if !self.stands_in_front(field) {
            self.visitor.record_str(field, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.visitor.record_error(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !self.stands_in_front(field) {
            self.visitor.record_debug(field, value);
        }
    }
}
