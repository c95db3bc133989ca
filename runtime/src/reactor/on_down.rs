//! Runs the callbacks of [`Monitor::on_down`], on one thread per process, because it is idle most of the
//! time.

use std::pin::Pin;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use once_cell::sync::OnceCell;

use crate::ipc::user_code;
use crate::reactor::monitor::Monitor;
use crate::sys::per_process::Own;
use crate::types::down::Down;

type Action = Box<dyn FnOnce(Down) + Send>;

/// A monitor and its callback, kept alive by what will wake it.
struct Watch(Mutex<Option<(Monitor, Action)>>);

/// Sends to the thread.
static THREAD: Own<OnceCell<Sender<Arc<Watch>>>> = Own::new();

/// Has `action` called when the monitor reports.
pub(crate) fn attend(monitor: Monitor, action: Action) {
    send(Arc::new(Watch(Mutex::new(Some((monitor, action))))));
}

fn send(watch: Arc<Watch>) {
    let thread = THREAD.here().get_or_init(|| {
        let (sender, receiver) = mpsc::channel();
        let spawned = thread::Builder::new().name("phalanx-downs".into()).spawn(move || run(&receiver));
        spawned.expect("a thread for what is to be done when an actor ends");
        sender
    });
    // The thread does not end.
    let _ = thread.send(watch);
}

fn run(watches: &Receiver<Arc<Watch>>) {
    for watch in watches {
        let waker = Waker::from(Arc::clone(&watch));
        let mut kept = watch.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((monitor, _)) = &mut *kept else { continue };
        if let Poll::Ready(down) = Pin::new(monitor).poll(&mut Context::from_waker(&waker))
            && let Some((monitor, action)) = kept.take()
        {
            drop((kept, monitor));
            let name = down.who.name.clone();
            if user_code::call("a callback for an exit", || action(down)).is_none() {
                user_code::call("the log", || {
                    tracing::error!(of = name, "the callback for this exit panicked")
                });
            }
        }
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        send(self);
    }
}
