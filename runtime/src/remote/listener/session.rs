//! One admitted client: reads its calls, and puts them into the mailbox of the actor that it asked for.

use std::sync::Arc;
use std::thread;

use super::writer::{self, Answers};
use super::{STACK, Shared};
use crate::actor::forwarded::{Failure, Outcome};
use crate::actor::raw_ref::RawRef;
use crate::ipc::user_code::Thrown;
use crate::queue::QueueError;
use crate::queue::remote::Desk;
use crate::remote::error::RemoteError;
use crate::remote::protocol::{Outgoing, Request, Response, Shape, Welcome, decode, encode};
use crate::remote::transport::{Inward, Link};

/// Serves the client until it goes.
///
/// # Errors
/// If the client was refused, or sent garbage. A client that hangs up or falls silent is the normal end of a
/// connection, and no error.
pub(super) fn serve(shared: &Arc<Shared>, link: Link) -> Result<(), RemoteError> {
    let Link { who, mut outward, mut inward, cut } = link;
    let (name, wanted) = match decode(&who, &inward.receive()?)? {
        Request::Probe => return outward.send(&encode(&Response::Welcome(Welcome::default()))),
        Request::Bind(name, wanted) => (name, wanted),
    };
    let (service, welcome) = match find(shared, &name, &wanted) {
        Ok(found) => found,
        Err(error) => {
            let _ = outward.send(&encode(&Response::Refused(error.clone())));
            return Err(error);
        }
    };
    outward.send(&encode(&Response::Welcome(welcome)))?;
    let (answers, writer) = writer::channel(shared, outward, service.desk.clone(), shared.terms.silence / 3);
    let writing = thread::Builder::new().name("write".to_owned()).stack_size(STACK);
    let for_writer = Arc::clone(&cut);
    let write = move || {
        if let Err(error) = writer.run() {
            tracing::debug!(%error, "replies cannot be delivered");
        }
        // The reader learns of it by the cut.
        for_writer.cut();
    };
    let writing = writing.spawn(write).map_err(|error| RemoteError::Local { error: error.to_string() })?;
    let outcome = service.read(&who, &mut *inward, &answers, shared.bounds.in_flight);
    // Dropped before the client leaves the table: a client that is not counted any more has given everything
    // back.
    drop(answers);
    cut.cut();
    let _ = writing.join().map_err(Thrown::new);
    match outcome {
        Err(RemoteError::HungUp { .. } | RemoteError::Silent { .. }) => Ok(()),
        other => other,
    }
}

/// Tells a client that knows the secret why it is not served.
pub(super) fn refuse(mut link: Link, error: RemoteError) -> Result<(), RemoteError> {
    // Reads the request first: closing with unread bytes could discard the response.
    link.inward.receive()?;
    link.outward.send(&encode(&Response::Refused(error.clone())))?;
    Err(error)
}

/// The service of a connection.
struct Service {
    actor: RawRef,
    /// The numbers of the methods that the client knows.
    methods: Vec<u32>,
    /// For a queue.
    desk: Option<Arc<Desk>>,
}

fn find(shared: &Shared, name: &str, wanted: &Shape) -> Result<(Service, Welcome), RemoteError> {
    let entry = shared.registry.find(name).wait().map_err(RemoteError::of)?;
    let methods = entry.shape.find(name, wanted)?;
    let local = |error: QueueError| RemoteError::Local { error: error.to_string() };
    let desk = match entry.capacity {
        Some(_) => Some(Arc::new(Desk::open(&entry.actor).map_err(local)?)),
        None => None,
    };
    let welcome = Welcome { methods: methods.clone(), capacity: entry.capacity };
    Ok((Service { actor: RawRef::bare(entry.actor.into_endpoint()), methods, desk }, welcome))
}

impl Service {
    /// Reads calls for as long as they come.
    fn read(
        &self,
        who: &str,
        inward: &mut dyn Inward,
        answers: &Answers,
        in_flight: usize,
    ) -> Result<(), RemoteError> {
        loop {
            match (decode::<Outgoing>(who, &inward.receive()?)?, &self.desk) {
                (Outgoing::Introduce(number), Some(desk)) => desk.introduce(number),
                (Outgoing::Ended(number), Some(desk)) => desk.has_ended(number),
                (Outgoing::Beat, _) => {}
                (call @ Outgoing::Call { .. }, _) => self.hand_on(who, call, answers, in_flight)?,
                _ => return Err(garbage(who, "a message that is for queues".to_owned())),
            }
        }
    }

    /// Forwards a call. If the mailbox is full, this blocks, and with it all later calls of the connection:
    /// the client feels the backpressure.
    fn hand_on(
        &self,
        who: &str,
        call: Outgoing,
        answers: &Answers,
        in_flight: usize,
    ) -> Result<(), RemoteError> {
        let Outgoing::Call { answer_to, method, within, limit, args } = call else { return Ok(()) };
        if !self.methods.contains(&method) {
            return Err(garbage(who, "a method that was not agreed upon".to_owned()));
        }
        let (args, care) = match &self.desk {
            Some(desk) => desk.inward(method, args.into_vec()).map_err(|error| garbage(who, error))?,
            None => (args.into_vec(), None),
        };
        let actor = self.actor.clone().limited(within, limit);
        match answer_to {
            None => {
                if let Err(error) = actor.tell_encoded(method, args) {
                    tracing::warn!(%error, from = who, "dead letter");
                }
            }
            Some(number) if answers.waiting() >= in_flight => {
                answers.ready(number, Outcome::Failed(Failure::Full));
            }
            Some(number) => {
                let counted = answers.count(care);
                answers.expect(number, actor.ask_encoded(method, args), care, counted);
            }
        }
        Ok(())
    }
}

fn garbage(who: &str, error: String) -> RemoteError {
    RemoteError::Garbage { peer: who.to_owned(), error }
}
