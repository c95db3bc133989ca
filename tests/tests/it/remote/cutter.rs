//! A wire that can be cut: a relay between a client and a manager.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// Passes on what comes, until it is cut; then nothing gets through until it is mended.
pub(super) struct Cutter {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    relay: Option<JoinHandle<()>>,
}

struct State {
    target: SocketAddr,
    cut: bool,
    /// What the manager says is kept back.
    deaf: bool,
    /// The case is at its end.
    over: bool,
    ends: Vec<TcpStream>,
}

impl Cutter {
    pub(super) fn to(target: SocketAddr) -> Cutter {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { target, cut: false, deaf: false, over: false, ends: Vec::new() };
        let state = Arc::new(Mutex::new(state));
        let for_thread = Arc::clone(&state);
        let relay = thread::spawn(move || accept(&listener, &for_thread));
        Cutter { address, state, relay: Some(relay) }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Ends all connections, and lets none through. When it returns, the kernel has told both sides.
    pub(super) fn cut(&self) {
        let mut state = self.state.lock().unwrap();
        state.cut = true;
        for end in state.ends.drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn mend(&self) {
        let mut state = self.state.lock().unwrap();
        (state.cut, state.deaf) = (false, false);
    }

    /// From now on nothing that the manager says gets through, and neither side notices.
    pub(super) fn swallow_answers(&self) {
        self.state.lock().unwrap().deaf = true;
    }

    /// From now on it leads to another manager.
    pub(super) fn lead_to(&self, target: SocketAddr) {
        self.state.lock().unwrap().target = target;
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        self.cut();
        self.state.lock().unwrap().over = true;
        // It looks at that when a connection comes.
        let _ = TcpStream::connect(self.address);
        self.relay.take().unwrap().join().unwrap();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Mutex<State>>) {
    for client in listener.incoming().flatten() {
        let mut state = shared.lock().unwrap();
        if state.over {
            return;
        }
        if state.cut {
            continue;
        }
        let Ok(manager) = TcpStream::connect(state.target) else { continue };
        for end in [&client, &manager] {
            end.set_nodelay(true).unwrap();
            state.ends.push(end.try_clone().unwrap());
        }
        drop(state);
        pump(client.try_clone().unwrap(), manager.try_clone().unwrap(), None);
        pump(manager, client, Some(Arc::clone(shared)));
    }
}

/// One direction; the manager's can be kept back.
fn pump(mut from: TcpStream, mut to: TcpStream, deaf: Option<Arc<Mutex<State>>>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            let is_deaf = deaf.as_ref().is_some_and(|state| state.lock().unwrap().deaf);
            if !is_deaf && to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
