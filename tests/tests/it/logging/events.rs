//! What an event has in it, where it comes from, and which ones are sent.

use std::error::Error;
use std::fmt;

use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, eventually};
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::{Value, all, counted, hear, listen, listen_to, said, talker};

#[derive(Debug)]
struct Because(&'static str, Option<Box<Because>>);

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Because {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[actor]
struct Painter;

#[actor]
impl Painter {
    fn with_everything(&self) {
        let error = Because("spilt", Some(Box::new(Because("knocked over", None))));
        tracing::warn!(
            target: "studio",
            count = 3_u64,
            height = -7_i64,
            wide = 1.5,
            wet = true,
            colour = "blue",
            sizes = ?[1, 2],
            shown = %"as it is",
            error = &error as &(dyn Error + 'static),
            nothing = tracing::field::Empty,
            "painted {}",
            "over"
        );
    }

    fn with_our_names(&self) {
        tracing::info!(actor = "an actor", pid = 1_u64, "mine");
    }

    fn in_spans(&self) {
        let order = tracing::info_span!("order", id = 7, by = "me", late = tracing::field::Empty);
        let _order = order.enter();
        tracing::info!("in one span");
        order.record("late", true);
        let inner = tracing::info_span!("payment");
        inner.in_scope(|| tracing::info!("in two spans"));
        tracing::info!(parent: None, "in none");
        tracing::info!(parent: &inner, "in the other one");
        drop(inner);
        std::thread::spawn(|| tracing::info!("in another thread")).join().unwrap();
        let current = tracing::Span::current();
        std::thread::spawn(move || current.in_scope(|| tracing::info!("with the span of another thread")))
            .join()
            .unwrap();
    }

    /// Events of two threads, and what their fields do meanwhile.
    fn while_formatting(&self) {
        struct Chatty;
        impl fmt::Debug for Chatty {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                tracing::info!("from inside");
                f.write_str("chatty")
            }
        }
        let span = tracing::info_span!("around", field = ?Chatty);
        let _span = span.enter();
        tracing::info!(field = ?Chatty, "outside");
    }
}

fn painter() -> ActorRef<Painter> {
    Painter.builder().name("painter").spawn().unwrap()
}

#[test]
fn an_event_arrives_whole_with_actor_and_pid() {
    alone(|| {
        listen("info");
        let painter = painter();
        let before = std::time::SystemTime::now();
        painter.with_everything().wait().unwrap();
        let heard = hear("painted over");
        assert_eq!((heard.level, heard.target.as_str()), (Level::WARN, "studio"));
        assert!(heard.name.contains("events.rs:"), "{heard:?}");
        assert!(heard.module.unwrap().ends_with("logging::events"));
        assert!(heard.file.unwrap().ends_with("logging/events.rs") && heard.line.unwrap() > 30);
        let expected = [
            ("message", Value::Debug("painted over".into())),
            ("count", Value::U64(3)),
            ("height", Value::I64(-7)),
            ("wide", Value::F64(1.5)),
            ("wet", Value::Bool(true)),
            ("colour", Value::Str("blue".into())),
            ("sizes", Value::Debug("[1, 2]".into())),
            ("shown", Value::Debug("as it is".into())),
            ("error", Value::Error(vec!["spilt".into(), "knocked over".into()])),
            ("actor", Value::Str("painter".into())),
            ("pid", Value::U64(painter.pid().unwrap().into())),
            ("incarnation", Value::U64(1)),
        ];
        assert_eq!(heard.fields, expected.map(|(name, value)| (name.to_owned(), value)).into());
        let origin = heard.origin.unwrap();
        assert_eq!((origin.actor.as_str(), origin.pid), ("painter", painter.pid().unwrap()));
        assert_eq!((origin.incarnation, origin.number), (1, 1));
        assert!(origin.time >= before && origin.time <= std::time::SystemTime::now());
    });
}

#[test]
fn an_event_keeps_a_field_that_is_called_as_ours_are() {
    alone(|| {
        listen("info");
        let painter = painter();
        painter.with_our_names().wait().unwrap();
        let heard = hear("mine");
        assert_eq!((heard.text("actor"), heard.number("pid")), ("an actor", 1));
        assert_eq!(heard.text("phalanx.actor"), "painter");
        assert_eq!(heard.number("phalanx.pid"), u64::from(painter.pid().unwrap()));
        assert_eq!(heard.number("incarnation"), 1);
    });
}

#[test]
fn an_event_of_the_program_is_what_it_was() {
    alone(|| {
        listen("info");
        tracing::info!("from the program");
        let heard = hear("from the program");
        assert_eq!((heard.origin, heard.fields.len()), (None, 1));
    });
}

/// More at once than a line holds on any system would be for the bounds to deal with.
#[test]
fn events_of_one_actor_arrive_in_order() {
    alone(|| {
        listen("info");
        let actors = [talker(), talker()];
        let own = |pid: u32| {
            let counted =
                said("counted").into_iter().filter(move |heard| heard.number("pid") == u64::from(pid));
            counted.collect::<Vec<_>>()
        };
        for round in 1..=100 {
            let replies = actors.each_ref().map(|actor| actor.count(100));
            replies.into_iter().for_each(|reply| reply.wait().unwrap());
            eventually("a hundred more of each", EVENT_TIMEOUT, || counted() == round * 200);
        }
        for actor in actors {
            let own = own(actor.pid().unwrap());
            assert_eq!(own.len(), 10_000);
            assert!(own.iter().zip((0..100).cycle()).all(|(heard, number)| heard.number("number") == number));
            assert!(own.iter().map(|heard| heard.origin.as_ref().unwrap().number).eq(1..=10_000));
        }
    });
}

#[test]
fn the_spans_of_an_event_come_along_as_text() {
    alone(|| {
        listen("info");
        painter().in_spans().wait().unwrap();
        assert_eq!(hear("in one span").text("spans"), r#"order{id=7 by="me"}"#);
        assert_eq!(hear("in two spans").text("spans"), r#"order{id=7 by="me" late=true}:payment"#);
        assert_eq!(hear("in the other one").text("spans"), r#"order{id=7 by="me" late=true}:payment"#);
        assert!(!hear("in none").fields.contains_key("spans"));
        assert!(!hear("in another thread").fields.contains_key("spans"));
        let told = hear("with the span of another thread");
        assert_eq!(told.text("spans"), r#"order{id=7 by="me" late=true}"#);
    });
}

#[test]
fn a_field_may_log_while_it_is_written() {
    alone(|| {
        listen("info");
        painter().while_formatting().wait().unwrap();
        assert_eq!(hear("outside").text("field"), "chatty");
        phalanx::shutdown();
        assert_eq!(said("from inside").len(), 2);
    });
}

#[test]
fn a_level_that_the_program_does_not_want_is_not_even_sent() {
    alone(|| {
        listen_to(LevelFilter::INFO);
        assert_eq!(talker().at_all_levels().wait().unwrap(), 3);
        phalanx::shutdown();
        let levels: Vec<Level> = all().iter().map(|heard| heard.level).collect();
        assert_eq!(levels, [Level::ERROR, Level::WARN, Level::INFO]);
    });
}

#[test]
fn everything_is_sent_to_a_subscriber_that_wants_it() {
    alone(|| {
        listen_to(LevelFilter::TRACE);
        assert_eq!(talker().at_all_levels().wait().unwrap(), 5);
        phalanx::shutdown();
        assert_eq!(said("one step").len(), 1);
    });
}

#[test]
fn a_filter_by_target_works_on_events_of_actors() {
    alone(|| {
        listen("elsewhere=info");
        talker().elsewhere().wait().unwrap();
        phalanx::shutdown();
        let messages: Vec<String> = all().iter().map(|heard| heard.message().to_owned()).collect();
        assert_eq!(messages, ["from elsewhere"]);
    });
}

#[test]
fn what_is_said_three_levels_down_arrives_as_well() {
    alone(|| {
        listen("info");
        talker().pass_on(3, "from the depth".into()).wait().unwrap();
        let heard = hear("from the depth");
        assert_eq!(heard.text("actor"), "depth-1");
        assert_ne!(heard.number("pid"), u64::from(std::process::id()));
    });
}

#[task]
fn mutter(text: String) {
    tracing::info!("{text}");
}

#[test]
fn tasks_are_heard_up_to_their_last_word() {
    alone(|| {
        listen("info");
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                mutter::builder(format!("task {number}")).name(format!("t{number}")).spawn().unwrap()
            })
            .collect();
        tasks.into_iter().for_each(|task| task.join().unwrap());
        phalanx::shutdown();
        for number in 0..20 {
            assert_eq!(said(&format!("task {number}"))[0].text("actor"), format!("t{number}"));
        }
    });
}

#[test]
fn a_subscriber_that_comes_late_hears_what_is_spawned_after_it() {
    alone(|| {
        let early = talker();
        listen("info");
        let late = talker();
        early.say("too early".into()).wait().unwrap();
        late.say("late enough".into()).wait().unwrap();
        hear("late enough");
        phalanx::shutdown();
        assert!(said("too early").is_empty());
    });
}

#[test]
fn a_tree_that_follows_another_one_is_heard() {
    alone(|| {
        listen("info");
        for number in 0..3 {
            let text = format!("from tree {number}");
            talker().say(text.clone()).wait().unwrap();
            phalanx::shutdown();
            assert_eq!(said(&text).len(), 1);
        }
    });
}
