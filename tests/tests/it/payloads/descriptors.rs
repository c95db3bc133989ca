//! Files, sockets and pipes as fields of messages: each arrives once, and none is left anywhere.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Seek, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use phalanx::prelude::*;
use phalanx::{Fd, Restart};
use phalanx_tests::{EVENT_TIMEOUT, FOREVER, RESTART_WINDOW, alone};
use serde::{Deserialize, Serialize, Serializer};

/// Everything that is an open file's business.
#[derive(Debug, Serialize, Deserialize)]
struct Parcel {
    label: String,
    #[serde(with = "phalanx::fd")]
    plain: OwnedFd,
    some: Option<Fd>,
    many: Vec<Fd>,
    stubborn: Stubborn,
}

/// Refuses to be encoded, or to be decoded, after the descriptors in front of it.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Stubborn(#[serde(deserialize_with = "refuse_2")] u8);

impl Serialize for Stubborn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            1 => Err(serde::ser::Error::custom("does not want to be encoded")),
            _ => serializer.serialize_u8(self.0),
        }
    }
}

fn refuse_2<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    match u8::deserialize(deserializer)? {
        2 => Err(serde::de::Error::custom("does not want to be decoded")),
        byte => Ok(byte),
    }
}

#[actor]
#[derive(Default)]
struct Keeper {
    kept: Vec<Fd>,
}

#[actor]
impl Keeper {
    fn write(&self, parcel: Parcel) -> phalanx::Result<usize> {
        let all = parcel.some.into_iter().chain(parcel.many).map(Fd::into_inner).chain([parcel.plain]);
        let mut written = 0;
        for fd in all {
            written += File::from(fd).write(parcel.label.as_bytes())?;
        }
        Ok(written)
    }

    fn keep(&mut self, fds: Vec<Fd>) -> usize {
        self.kept.extend(fds);
        self.kept.len()
    }

    fn give(&mut self) -> Vec<Fd> {
        std::mem::take(&mut self.kept)
    }

    #[tell]
    fn sleep(&self) {
        std::thread::sleep(FOREVER);
    }

    fn crash(&self, _fd: Fd) {
        std::process::abort();
    }
}

/// The end to read is at its end when no process holds the other end any more.
fn everybody_has_closed(mut reader: PipeReader) -> String {
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    text
}

fn parcel(writer: PipeWriter, stubborn: u8) -> Parcel {
    let many = (0..3).map(|_| Fd::new(writer.try_clone().unwrap())).collect();
    Parcel {
        label: "x".into(),
        some: Some(Fd::new(writer.try_clone().unwrap())),
        many,
        plain: writer.into(),
        stubborn: Stubborn(stubborn),
    }
}

#[test]
fn descriptors_arrive_in_every_shape_of_field_and_are_closed_with_it() {
    alone(|| {
        let keeper = Keeper::default().spawn().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(keeper.write(parcel(writer, 0)).wait().unwrap(), 5);
        assert_eq!(everybody_has_closed(reader), "xxxxx");
    });
}

#[test]
fn files_and_sockets_work_over_there_as_they_did_here() {
    alone(|| {
        let path = std::env::temp_dir().join("sent");
        let mut file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.write_all(b"from here, ").unwrap();
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let work = |(file, socket): (Fd, Fd)| {
            File::from(file.into_inner()).write_all(b"from there").unwrap();
            let mut socket = UnixStream::from(socket.into_inner());
            let mut word = [0; 4];
            socket.read_exact(&mut word).unwrap();
            word.reverse();
            socket.write_all(&word).unwrap();
        };
        let sent = (Fd::new(file.try_clone().unwrap()), Fd::new(theirs));
        let process = Process::spawn(work, sent).unwrap();
        ours.write_all(b"ping").unwrap();
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        process.join().unwrap();
        assert_eq!(text, "gnip");
        file.rewind().unwrap();
        text.clear();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "from here, from there");
    });
}

#[test]
fn descriptors_come_back_in_answers() {
    alone(|| {
        let keeper = Keeper::default().spawn().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(keeper.keep(vec![Fd::new(writer)]).wait().unwrap(), 1);
        let [back] = <[Fd; 1]>::try_from(keeper.give().wait().unwrap()).unwrap();
        let mut writer = PipeWriter::from(OwnedFd::from(back));
        writer.write_all(b"back").unwrap();
        drop(writer);
        assert_eq!(everybody_has_closed(reader), "back");
    });
}

#[test]
fn a_message_that_cannot_be_encoded_or_decoded_leaves_no_descriptor() {
    alone(|| {
        let keeper = Keeper::default().spawn().unwrap();
        for (stubborn, said) in [(1, "does not want to be encoded"), (2, "cannot decode")] {
            let (reader, writer) = std::io::pipe().unwrap();
            let error = keeper.write(parcel(writer, stubborn)).wait().unwrap_err();
            assert!(matches!(&error, CallError::Codec(text, _) if text.contains(said)), "{error}");
            assert_eq!(everybody_has_closed(reader), "");
        }
        // The next message has its own descriptors and no others.
        let (reader, writer) = std::io::pipe().unwrap();
        assert_eq!(keeper.write(parcel(writer, 0)).wait().unwrap(), 5);
        assert_eq!(everybody_has_closed(reader), "xxxxx");
    });
}

#[test]
fn sixty_descriptors_fit_and_a_hundred_are_a_typed_error() {
    alone(|| {
        let keeper = Keeper::default().spawn().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let copies =
            |count: usize| -> Vec<Fd> { (0..count).map(|_| Fd::new(writer.try_clone().unwrap())).collect() };
        assert_eq!(keeper.keep(copies(60)).wait().unwrap(), 60);
        for count in [63, 64, 65, 100] {
            let error = keeper.keep(copies(count)).wait().unwrap_err();
            assert!(matches!(&error, CallError::Unreachable(text, _) if text.contains("in one message")));
        }
        let error = Keeper { kept: copies(61) }.spawn().unwrap_err();
        assert!(error.to_string().contains("in one message"), "{error}");
        drop(writer);
        keeper.stop(EVENT_TIMEOUT).unwrap();
        assert_eq!(everybody_has_closed(reader), "");
    });
}

#[test]
fn what_an_actor_has_not_read_when_it_is_killed_is_closed() {
    alone(|| {
        let keeper = Keeper::default().spawn().unwrap();
        keeper.sleep().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        let replies: Vec<_> =
            (0..20).map(|_| keeper.keep(vec![Fd::new(writer.try_clone().unwrap())])).collect();
        drop(writer);
        keeper.kill().unwrap();
        assert_eq!(everybody_has_closed(reader), "");
        replies.into_iter().for_each(|reply| drop(reply.wait().unwrap_err()));
    });
}

#[test]
fn what_an_actor_held_when_it_died_is_closed_and_also_if_it_is_restarted() {
    alone(|| {
        let builder = Keeper::default().builder().restart(Restart::Permanent);
        let keeper = builder.intensity(5, RESTART_WINDOW).spawn().unwrap();
        for _ in 0..2 {
            let (reader, writer) = std::io::pipe().unwrap();
            keeper.keep(vec![Fd::new(writer.try_clone().unwrap())]).wait().unwrap();
            keeper.crash(Fd::new(writer)).wait().unwrap_err();
            // The message it died of had one, too.
            assert_eq!(everybody_has_closed(reader), "");
        }
        assert_eq!(keeper.keep(vec![]).wait().unwrap(), 0);
    });
}

#[test]
fn an_answer_that_nobody_waits_for_is_closed() {
    alone(|| {
        let keeper = Keeper::default().spawn().unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        keeper.keep(vec![Fd::new(writer)]).wait().unwrap();
        drop(keeper.give());
        // The next reader throws late replies away.
        assert_eq!(keeper.keep(vec![]).wait().unwrap(), 0);
        assert_eq!(everybody_has_closed(reader), "");
    });
}

#[test]
fn a_task_cannot_leave_a_descriptor_behind() {
    alone(|| {
        let (_reader, writer) = std::io::pipe().unwrap();
        let kept = Process::spawn(|fd: Fd| fd, Fd::new(writer)).unwrap().join().unwrap_err();
        assert!(matches!(&kept, CallError::Codec(text, _) if text.contains("descriptors")), "{kept}");
    });
}
