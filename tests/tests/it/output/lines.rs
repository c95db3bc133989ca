//! Lines in the log: what each says, their order, and that none is lost.

use phalanx::command::Output;
use phalanx::prelude::*;
use phalanx_tests::{EVENT_TIMEOUT, alone, until_seen};
use tracing::Level;

use super::{Writer, hear_lines, lines_of};
use crate::logging::{HEARD, all, hear, hear_of, listen};

fn writer() -> ActorRef<Writer> {
    Writer.builder().name("writer").output(Output::Log).spawn().unwrap()
}

#[test]
fn a_line_has_its_process_its_stream_and_its_level() {
    alone(|| {
        listen("info");
        let writer = writer();
        let pid = u64::from(writer.pid().unwrap());
        writer.write("news\n".into()).wait().unwrap();
        writer.warn("a warning\n".into()).wait().unwrap();
        for (message, level, stream) in
            [("news", Level::INFO, "stdout"), ("a warning", Level::WARN, "stderr")]
        {
            let line = hear(message);
            assert_eq!((line.level, line.target.as_str()), (level, "phalanx::output"));
            assert_eq!((line.text("actor"), line.text("stream")), ("writer", stream));
            assert_eq!((line.number("pid"), line.number("incarnation")), (pid, 1));
        }
    });
}

#[test]
fn a_line_is_one_event_however_it_is_written() {
    alone(|| {
        listen("info");
        let writer = writer();
        for part in ["on", "e\nt", "wo\n\nthr", "ee\r\n", "\u{1b}[31mred\n"] {
            writer.write(part.into()).wait().unwrap();
        }
        hear_lines("writer", &["one", "two", "", "three", r"\u{1b}[31mred"]);
    });
}

/// Ends an actor by a call. Its last words come before the news of its end.
#[track_caller]
fn dies_after(call: impl FnOnce(&ActorRef<Writer>) -> Reply<()>) {
    listen("info");
    let writer = writer();
    writer.write("first\n".into()).wait().unwrap();
    call(&writer).wait().unwrap_err();
    hear_of("writer", "crashed");
    let messages: Vec<String> = all().iter().map(|heard| heard.message().to_owned()).collect();
    assert_eq!(messages, ["first", "second", "the end", "crashed"]);
}

#[test]
fn last_words_before_an_abort_arrive_before_the_news_of_it() {
    alone(|| dies_after(|writer| writer.abort("second\nthe end".into())));
}

#[test]
fn last_words_before_a_kill_arrive_before_the_news_of_it() {
    alone(|| dies_after(|writer| writer.kill_itself("second\nthe end".into())));
}

#[track_caller]
fn hear_the_count(actor: &str, most: u32) {
    let is_all = |seen: &usize| *seen >= most as usize;
    until_seen("all numbers", EVENT_TIMEOUT, || lines_of(actor, "stdout").len(), is_all);
    let expected = (0..most).map(|number| number.to_string());
    assert!(expected.eq(lines_of(actor, "stdout")), "in their order, each once");
}

#[test]
fn a_chatty_actor_loses_nothing_and_others_are_served_meanwhile() {
    alone(|| {
        listen("info");
        let (chatty, writer) =
            (Writer.builder().name("chatty").output(Output::Log).spawn().unwrap(), writer());
        let counted = chatty.count(50_000);
        for number in 0..20 {
            writer.write(format!("line {number}\n")).wait().unwrap();
            // So is whoever needs the supervisor.
            Process::spawn(|(): ()| (), ()).unwrap().join().unwrap();
        }
        counted.wait().unwrap();
        hear_the_count("chatty", 50_000);
        assert_eq!(lines_of("writer", "stdout").len(), 20);
    });
}

#[test]
fn while_the_subscriber_takes_nothing_the_writer_waits_and_others_do_not() {
    alone(|| {
        listen("info");
        let (chatty, writer) =
            (Writer.builder().name("chatty").output(Output::Log).spawn().unwrap(), writer());
        // The program's subscriber waits for this, and the log fills up.
        let heard = HEARD.lock().unwrap();
        let counted = chatty.count(20_000);
        for _ in 0..20 {
            writer.streams().wait().unwrap();
            Process::spawn(|(): ()| (), ()).unwrap().join().unwrap();
        }
        drop(heard);
        counted.wait().unwrap();
        hear_the_count("chatty", 20_000);
    });
}

#[test]
fn a_subscriber_that_takes_nothing_for_long_costs_lines_which_are_counted() {
    const LINES: usize = 30_000;
    alone(|| {
        listen("info");
        let writer = writer();
        let heard = HEARD.lock().unwrap();
        // It ends all the same.
        writer.count(LINES as u32).wait().unwrap();
        drop(heard);
        // The first line that gets through says how many did not.
        let arrived = || {
            writer.write("after\n".into()).wait().unwrap();
            let lines = lines_of("writer", "stdout");
            let dropped =
                all().into_iter().filter(|heard| heard.has("dropped")).map(|heard| heard.number("dropped"));
            (lines.iter().filter(|line| *line != "after").count(), dropped.sum::<u64>() as usize)
        };
        let is_all = |&(lines, dropped): &(usize, usize)| lines + dropped == LINES;
        let (_, dropped) = until_seen("the sum of both", EVENT_TIMEOUT, arrived, is_all);
        assert!(dropped > 0);
    });
}

#[test]
fn what_no_subscriber_wants_is_dropped_and_holds_no_writer_up() {
    alone(|| {
        writer().count(50_000).wait().unwrap();
    });
}

#[test]
fn a_level_that_the_program_does_not_want_is_not_sent() {
    alone(|| {
        listen("warn");
        let writer = writer();
        writer.count(10_000).wait().unwrap();
        writer.warn("a warning\n".into()).wait().unwrap();
        hear("a warning");
        assert_eq!(all().len(), 1);
    });
}
