//! The message loop of an actor: take a message, handle it, reply, until it must stop.
//!
//! Like `actor`, it must never import `task`, `supervision` or any service.

pub(crate) mod inbox;
mod recycling;
pub(crate) mod reply_channels;

use std::marker::PhantomData;
use std::os::fd::OwnedFd;

use inbox::Mailbox;
use recycling::Recycling;

use crate::actor::traits::Actor;
use crate::child::panic;
use crate::child::setup::announce_ready;
use crate::control::entry::{Entry, Start};
use crate::control::link;
use crate::ipc::bounds;
use crate::ipc::envelope::Body;
use crate::ipc::user_code::{self, framed};
use crate::reactor::context;
use crate::spawn::tree;
use crate::status::{ExitNotice, Phase, StatusPage, StopMode};
use crate::sys::executable::Located;
use crate::types::exit::PANIC_CODE;
pub(crate) use reply_channels::Origin;

/// The entry of an actor type.
pub(crate) struct OfActor<A>(PhantomData<A>);

impl<A: Actor> OfActor<A> {
    pub(crate) const ENTRY: &'static Located<Entry> =
        &Located::new(Entry { run: run::<A>, type_name: std::any::type_name::<A>, methods: A::METHODS });
}

/// Makes the actor, handles its messages, stops it. Returns the exit code.
pub(crate) fn run<A: Actor>(start: Start) -> i32 {
    let Start { init, fds, receiver, status_page, fd_store, recycle, drain, buffer } = start;
    // Before the init, which may fail: a caller must not wait for what is already lost.
    let mut mailbox =
        Mailbox::new(receiver, buffer, status_page, fd_store, drain, Recycling::new(recycle.as_ref()));
    mailbox.recover(A::METHODS);
    let mut actor = match make::<A>(&init, fds, status_page) {
        Ok(actor) => actor,
        Err(code) => return code,
    };
    drop(init);
    announce_ready(status_page, mailbox.receiver());
    mailbox.recycling.begin();
    let served = user_code::caught(|| {
        framed(A::on_start, &mut actor);
        context::leave_if_copy();
        mailbox.serve(&mut actor);
    });
    context::leave_if_copy();
    if let Err(payload) = served {
        panic::correct(status_page, &*payload);
        // The state may be half-changed: it is not dropped, so no code runs on it.
        std::mem::forget(actor);
        return exit_notice(status_page, ExitNotice::Panicked, PANIC_CODE);
    }
    status_page.enter(Phase::Stopping);
    if !status_page.is_stopped_by_supervisor() {
        // Its supervisor has not asked it to stop, and would not limit how long that takes.
        link::ask_to_watch();
    }
    let stopped = user_code::caught(|| {
        framed(A::on_stop, &mut actor);
        context::leave_if_copy();
        // What it has started ends with it, in the same order as at the end of a program.
        tree::shut_down(StopMode::Stop);
        framed(drop, actor);
    });
    context::leave_if_copy();
    mailbox.callers.flush_before_exit();
    let recycled = mailbox.recycles();
    match stopped {
        Ok(()) if recycled => exit_notice(status_page, ExitNotice::Recycled, 0),
        Ok(()) => exit_notice(status_page, ExitNotice::Stopped, 0),
        Err(payload) => {
            panic::correct(status_page, &*payload);
            exit_notice(status_page, ExitNotice::Panicked, PANIC_CODE)
        }
    }
}

fn exit_notice(status_page: &StatusPage, exit_notice: ExitNotice, code: i32) -> i32 {
    status_page.note_exit(exit_notice);
    code
}

fn make<A: Actor>(init: &Body, fds: Vec<OwnedFd>, status_page: &StatusPage) -> Result<A, i32> {
    let init = (A::CODEC.decode)(init, fds, bounds::here());
    context::leave_if_copy();
    let init = init.map_err(|error| {
        status_page.last_words(&error, "", None);
        exit_notice(status_page, ExitNotice::Undecodable, 1)
    })?;
    let made = user_code::caught(|| framed(A::init, init));
    context::leave_if_copy();
    match made {
        Ok(Ok(actor)) => Ok(actor),
        Ok(Err(error)) => {
            status_page.last_words(&error.0, "", None);
            Err(exit_notice(status_page, ExitNotice::InitFailed, 1))
        }
        Err(payload) => {
            panic::correct(status_page, &*payload);
            Err(exit_notice(status_page, ExitNotice::Panicked, PANIC_CODE))
        }
    }
}
