//! One client that has been let in: reads its calls, and puts them into the mailbox of the actor that it has asked for.

use std::sync::Arc;
use std::thread;

use super::answers::{self, Answers};
use super::{STACK, Shared};
use crate::actor_ref::RawRef;
use crate::error::CallError;
use crate::relay::{Failure, Outcome};
use crate::remote::error::RemoteError;
use crate::remote::messages::{Outgoing, Request, Response, Shape, decode, encode};
use crate::remote::wire::{Inward, Link};

/// Serves it until it goes.
///
/// # Errors
/// If it was refused, or talks nonsense. That it hangs up, or is gone without a word, is the end of every connection and no error.
pub(super) fn serve(shared: &Arc<Shared>, link: Link) -> Result<(), RemoteError> {
    let Link { who, mut outward, mut inward, cut } = link;
    let (name, wanted) = match decode(&who, &inward.receive()?)? {
        Request::Probe => return outward.send(&encode(&Response::Welcome(Vec::new()))),
        Request::Bind(name, wanted) => (name, wanted),
    };
    let (actor, methods) = match find(shared, &name, &wanted) {
        Ok(found) => found,
        Err(error) => {
            let _ = outward.send(&encode(&Response::Refused(error.clone())));
            return Err(error);
        }
    };
    outward.send(&encode(&Response::Welcome(methods.clone())))?;
    let (answers, writer) = answers::channel(shared, outward, shared.terms.silence / 3);
    let writing = thread::Builder::new().name("write".to_owned()).stack_size(STACK);
    let write = move || {
        if let Err(error) = writer.run() {
            tracing::debug!(%error, "answers cannot be delivered");
        }
        // The reader learns of it in this way.
        cut.cut();
    };
    writing.spawn(write).map_err(|error| RemoteError::Local { error: error.to_string() })?;
    let outcome = read(&who, &mut *inward, &actor, &methods, &answers, shared.bounds.in_flight);
    match outcome {
        Err(RemoteError::HungUp { .. } | RemoteError::Silent { .. }) => Ok(()),
        other => other,
    }
}

/// Tells a client that knows the secret why it is not served.
pub(super) fn refuse(mut link: Link, error: RemoteError) -> Result<(), RemoteError> {
    // What it asks for is read first: otherwise the answer might be thrown away with it.
    link.inward.receive()?;
    link.outward.send(&encode(&Response::Refused(error.clone())))?;
    Err(error)
}

fn find(shared: &Shared, name: &str, wanted: &Shape) -> Result<(RawRef, Vec<u32>), RemoteError> {
    let entry = shared.registry.find(name).wait().map_err(|error| match error {
        CallError::App(error) => error,
        other => RemoteError::Local { error: other.to_string() },
    })?;
    let methods = entry.shape.find(name, wanted)?;
    Ok((RawRef::bare(entry.actor.into_peer()), methods))
}

/// Reads calls for as long as they come. A call that finds the mailbox full waits here, and all behind it in the connection: that is how
/// the client learns of it.
fn read(
    who: &str,
    inward: &mut dyn Inward,
    actor: &RawRef,
    methods: &[u32],
    answers: &Answers,
    in_flight: usize,
) -> Result<(), RemoteError> {
    loop {
        let Outgoing::Call { answer_to, method, within, kill_after, args } =
            decode::<Outgoing>(who, &inward.receive()?)?
        else {
            continue;
        };
        if !methods.contains(&method) {
            let error = "a method that was not agreed upon".to_owned();
            return Err(RemoteError::Garbage { peer: who.to_owned(), error });
        }
        let actor = actor.clone().limited(within, kill_after);
        match answer_to {
            None => {
                if let Err(error) = actor.tell_encoded(method, args.into_vec()) {
                    tracing::warn!(%error, from = who, "dead letter");
                }
            }
            Some(number) if answers.waiting() >= in_flight => {
                answers.ready(number, Outcome::Failed(Failure::Full));
            }
            Some(number) => answers.expect(number, actor.ask_encoded(method, args.into_vec())),
        }
    }
}
