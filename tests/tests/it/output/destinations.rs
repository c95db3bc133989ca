//! The log, the program's streams, nowhere, a file.

use std::path::Path;

use phalanx::command::Output;
use phalanx::prelude::*;
use phalanx::{Pool, SpawnError, Supervisor};
use phalanx_tests::{EVENT_TIMEOUT, RESTART_WINDOW, alone, processes, until_handled};

use super::{Paper, Writer, hear_lines, lines_of, streams, write};
use crate::logging::listen;

/// What an actor, a task and a worker of a pool have as their streams.
fn of_all(output: &Output) -> [[String; 2]; 3] {
    let actor = Writer.builder().output(output.clone()).spawn().unwrap();
    let task = Process::builder(streams, ()).output(output.clone()).spawn().unwrap();
    let pool = Pool::builder().workers(1).output(output.clone()).build().unwrap();
    [actor.streams().wait().unwrap(), task.join().unwrap(), pool.run(streams, ()).unwrap()]
}

#[test]
fn streams_are_inherited_unless_they_are_told_otherwise() {
    alone(|| {
        let own = streams(());
        let plain = Writer.spawn().unwrap();
        assert_eq!(plain.streams().wait().unwrap(), own);
        assert_eq!(of_all(&Output::Inherit), [own.clone(), own.clone(), own]);
    });
}

#[test]
fn output_that_goes_nowhere_goes_to_the_null_device() {
    alone(|| {
        listen("info");
        assert_eq!(of_all(&Output::Null), [["/dev/null"; 2]; 3].map(|two| two.map(str::to_owned)));
        let writer = Writer.builder().name("writer").output(Output::Null).spawn().unwrap();
        writer.write("nothing\n".into()).wait().unwrap();
        phalanx::shutdown();
        assert_eq!(lines_of("writer", "stdout"), [""; 0]);
    });
}

#[test]
fn output_can_be_appended_to_a_file() {
    alone(|| {
        let paper = Paper::new("paper");
        let path = paper.0.display().to_string();
        for two in of_all(&Output::file(&paper.0)) {
            assert_eq!(two, [path.clone(), path.clone()]);
        }
        let said = |text: String| write(text.as_bytes());
        let builder = Process::builder(said, "one\n".into());
        builder.output(Output::file(&paper.0)).spawn().unwrap().join().unwrap();
        let pool = Pool::builder().workers(1).stdout(Output::file(&paper.0)).build().unwrap();
        pool.run(said, "two\n".to_owned()).unwrap();
        drop(pool);
        // The actor's last words came before.
        assert!(paper.text().ends_with("one\ntwo\n"), "{:?}", paper.text());
    });
}

#[test]
fn the_log_has_what_an_actor_a_task_and_a_worker_write() {
    alone(|| {
        listen("info");
        for two in of_all(&Output::Log) {
            assert!(two.iter().all(|target| target.starts_with("pipe:")), "{two:?}");
            assert_ne!(two[0], two[1]);
        }
        let said = |text: String| write(text.as_bytes());
        Process::builder(said, "of a task\n".into()).name("task").stdout(Output::Log).spawn().unwrap();
        hear_lines("task", &["of a task"]);
        let pool = Pool::builder().workers(1).name("pool").stdout(Output::Log).build().unwrap();
        pool.run(said, "of a worker\n".to_owned()).unwrap();
        crate::logging::hear("of a worker");
    });
}

/// By its attribute.
#[task(output = log)]
fn logged() {
    write(b"of an attribute\n");
}

#[test]
fn an_attribute_says_where_output_goes_and_a_builder_counts_before_it() {
    alone(|| {
        listen("info");
        logged::builder().name("logged").spawn().unwrap().join().unwrap();
        hear_lines("logged", &["of an attribute"]);
        logged::builder().name("silent").stdout(Output::Null).spawn().unwrap().join().unwrap();
        phalanx::shutdown();
        assert_eq!(lines_of("silent", "stdout"), [""; 0]);
    });
}

/// An actor that comes back.
fn lasting(output: Output) -> phalanx::ActorBuilder<Writer> {
    let builder = Writer.builder().name("lasting").restart(Restart::Permanent);
    builder.intensity(10, RESTART_WINDOW).output(output)
}

#[test]
fn a_restarted_actor_goes_on_in_its_file_which_is_in_its_own_directory() {
    alone(|| {
        let paper = Paper::new("journal");
        let directory = paper.0.parent().unwrap().to_owned();
        let writer = lasting(Output::file("journal")).current_dir(directory).spawn().unwrap();
        writer.write("one\n".into()).wait().unwrap();
        writer.abort("two\n".into()).wait().unwrap_err();
        writer.write("three\n".into()).wait().unwrap();
        assert_eq!(paper.text(), "one\ntwo\nthree\n");
    });
}

#[test]
fn a_restarted_actor_has_new_pipes_with_a_spare_and_without() {
    alone(|| {
        listen("info");
        for (name, spare) in [("plain", false), ("spared", true)] {
            let writer = lasting(Output::Log).name(name).spare(spare).spawn().unwrap();
            for _ in 0..4 {
                writer.write("before\n".into()).wait().unwrap();
                processes::kill(writer.pid().unwrap());
                // By whichever process it is then.
                phalanx_tests::eventually("the next process", EVENT_TIMEOUT, || {
                    writer.write("after\n".into()).wait().is_ok()
                });
            }
            hear_lines(name, &["before", "after"].repeat(4));
        }
    });
}

#[test]
fn what_an_actor_of_an_actor_or_of_a_supervisor_writes_arrives() {
    alone(|| {
        listen("info");
        let writer = Writer.builder().name("above").spawn().unwrap();
        writer.pass_on("deep\n".into()).wait().unwrap();
        hear_lines("below", &["deep"]);
        let child = Writer.builder().name("child").output(Output::Log).reserve().unwrap();
        let writer = child.actor_ref();
        let _supervisor = Supervisor::one_for_one().name("sup").child("child", child).start().unwrap();
        writer.write("below a supervisor\n".into()).wait().unwrap();
        until_handled(&writer.any(), 1);
        hear_lines("child", &["below a supervisor"]);
    });
}

#[track_caller]
fn refused(output: Output, words: &str) {
    match Writer.builder().name("writer").stderr(output).spawn() {
        Err(SpawnError::Option { actor, error }) => {
            assert!(actor == "writer" && error.contains("`stderr`") && error.contains(words), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_opened_is_refused_and_so_is_a_pipe() {
    alone(|| {
        refused(Output::Pipe, "only commands have one");
        refused(Output::file(""), "1 to 4096 bytes");
        refused(Output::file("/no/such/place"), "cannot append to `/no/such/place`: No such file");
        refused(Output::file(Path::new("/")), "Is a directory");
        let pool = Pool::builder().workers(1).stdout(Output::Pipe).build();
        assert!(pool.unwrap_err().to_string().contains("only commands have one"));
        let pool = Pool::builder().workers(1).stdout(Output::file("/no/such/place")).build();
        assert!(pool.unwrap_err().to_string().contains("`stdout`"));
    });
}

#[test]
fn the_end_of_the_program_waits_for_the_last_lines() {
    alone(|| {
        listen("info");
        let writers: Vec<_> = (0..10)
            .map(|number| Writer.builder().name(format!("w{number}")).output(Output::Log).spawn().unwrap())
            .collect();
        phalanx::shutdown();
        for writer in &writers {
            assert_eq!(lines_of(writer.name(), "stdout"), ["goodbye"]);
        }
    });
}
