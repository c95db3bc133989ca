//! The wire over TCP.
//!
//! A message is a run of packets. The first one begins with the length of the whole message, which is checked
//! against the limit before anything else.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use snow::TransportState;

use super::framing::{LARGEST, PREFIX, TAG};
use super::handshake::{self, BUSY};
use super::{Cut, Inward, Link, Outward, Port, Terms, Visitor, Wire};
use crate::remote::error::RemoteError;
use crate::sys::fd::{self, raise};

/// How many bytes of a message fit into one packet.
const PLAIN: usize = LARGEST - TAG;
/// The size of the length before a message.
const LENGTH: usize = 4;
/// How much is read at once.
const BUFFER: usize = PREFIX + LARGEST;

pub(crate) struct Tcp;

impl Wire for Tcp {
    fn listen(&self, address: &str) -> Result<Box<dyn Port>, RemoteError> {
        // With SO_REUSEADDR: the port of a process that has just ended is free at once.
        let listening = TcpListener::bind(address).and_then(|listener| {
            let listener = TcpListener::from(raise(listener.into())?);
            let address = listener.local_addr()?;
            Ok(Listening { listener, address })
        });
        match listening {
            Ok(listening) => Ok(Box::new(listening)),
            Err(error) => Err(RemoteError::Address { address: address.to_owned(), error: error.to_string() }),
        }
    }

    fn connect(&self, address: &str, terms: &Terms) -> Result<Link, RemoteError> {
        let deadline = Instant::now() + terms.handshake;
        let stream = reach(address, deadline).map_err(|error| RemoteError::Unreachable {
            address: address.to_owned(),
            error: error.to_string(),
        })?;
        let mut timed = Timed { stream: Arc::new(stream), deadline };
        let met = handshake::initiate(&mut timed, &terms.key)
            .map_err(|failed| failed.explain(address, terms.handshake))?;
        link(timed.stream, met, address, terms)
    }
}

/// Tries the addresses of a name one after the other.
fn reach(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut refused = io::Error::new(ErrorKind::NotFound, "no such address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, remaining(deadline)?) {
            Ok(stream) => return raise(stream.into()).map(TcpStream::from),
            Err(error) => refused = error,
        }
    }
    Err(refused)
}

struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port for Listening {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn accept(&self) -> io::Result<Box<dyn Visitor>> {
        let (stream, address) = self.listener.accept()?;
        let stream = Arc::new(TcpStream::from(raise(stream.into())?));
        Ok(Box::new(Caller { stream, who: address.to_string() }))
    }
}

struct Caller {
    stream: Arc<TcpStream>,
    who: String,
}

impl Visitor for Caller {
    fn who(&self) -> &str {
        &self.who
    }

    fn cut(&self) -> Arc<dyn Cut> {
        Arc::new(Shared(Arc::clone(&self.stream)))
    }

    fn turn_away(self: Box<Self>, terms: &Terms) {
        let mut timed = Timed { stream: self.stream, deadline: Instant::now() + terms.handshake };
        if handshake::write_line(&mut timed, BUSY).is_ok() {
            let _ = timed.stream.shutdown(Shutdown::Write);
            // Closing with unread bytes would discard the busy line. The visitor sends a few bytes and hangs
            // up.
            let mut buffer = [0; 256];
            while let Ok(1..) = timed.read(&mut buffer) {}
        }
    }

    fn admit(self: Box<Self>, terms: &Terms) -> Result<Link, RemoteError> {
        let deadline = Instant::now() + terms.handshake;
        let mut timed = Timed { stream: self.stream, deadline };
        let met = handshake::respond(&mut timed, &terms.key)
            .map_err(|failed| failed.explain(&self.who, terms.handshake))?;
        link(timed.stream, met, &self.who, terms)
    }
}

/// The two halves of a connection after its handshake.
fn link(
    stream: Arc<TcpStream>,
    noise: TransportState,
    who: &str,
    terms: &Terms,
) -> Result<Link, RemoteError> {
    let (noise, who) = (Arc::new(Mutex::new(noise)), who.to_owned());
    let hung_up = |_| RemoteError::HungUp { peer: who.clone() };
    stream.set_nodelay(true).map_err(hung_up)?;
    stream.set_write_timeout(Some(terms.silence)).map_err(hung_up)?;
    let outward = Sending {
        stream: Arc::clone(&stream),
        noise: Arc::clone(&noise),
        who: who.clone(),
        limit: terms.message,
        buffer: Vec::new(),
    };
    let inward = Receiving {
        stream: Arc::clone(&stream),
        noise,
        who: who.clone(),
        limit: terms.message,
        silence: terms.silence,
        buffer: vec![0; BUFFER],
        filled: 0..0,
    };
    Ok(Link { who, outward: Box::new(outward), inward: Box::new(inward), cut: Arc::new(Shared(stream)) })
}

/// The encryption of both directions. The lock is held for one packet, never over a wait.
type Noise = Arc<Mutex<TransportState>>;

fn lock(noise: &Noise) -> MutexGuard<'_, TransportState> {
    noise.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Shared(Arc<TcpStream>);

impl Cut for Shared {
    fn cut(&self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

struct Sending {
    stream: Arc<TcpStream>,
    noise: Noise,
    who: String,
    limit: u32,
    buffer: Vec<u8>,
}

impl Sending {
    fn send_packet(&mut self, plain: &[u8]) -> io::Result<()> {
        self.buffer.resize(PREFIX + plain.len() + TAG, 0);
        let sealed = lock(&self.noise).write_message(plain, &mut self.buffer[PREFIX..]);
        let length = sealed.map_err(|_| io::Error::other("cannot encrypt"))?;
        self.buffer[..PREFIX].copy_from_slice(&(length as u16).to_le_bytes());
        (&*self.stream).write_all(&self.buffer[..PREFIX + length])
    }

    fn send_all(&mut self, message: &[u8]) -> io::Result<()> {
        let (begin, rest) = message.split_at(message.len().min(PLAIN - LENGTH));
        let mut first = Vec::with_capacity(LENGTH + begin.len());
        first.extend((message.len() as u32).to_le_bytes());
        first.extend(begin);
        self.send_packet(&first)?;
        rest.chunks(PLAIN).try_for_each(|packet| self.send_packet(packet))
    }
}

impl Outward for Sending {
    fn send(&mut self, message: &[u8]) -> Result<(), RemoteError> {
        let bytes = message.len() as u64;
        if bytes > u64::from(self.limit) {
            return Err(RemoteError::TooLarge {
                peer: self.who.clone(),
                bytes,
                limit: u64::from(self.limit),
            });
        }
        self.send_all(message).map_err(|_| {
            // After half a message the stream cannot be read any more.
            let _ = self.stream.shutdown(Shutdown::Both);
            RemoteError::HungUp { peer: self.who.clone() }
        })
    }

    fn is_cut(&self) -> bool {
        fd::has_ended(self.stream.as_fd())
    }

    fn finish(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

struct Receiving {
    stream: Arc<TcpStream>,
    noise: Noise,
    who: String,
    limit: u32,
    silence: Duration,
    buffer: Vec<u8>,
    /// The part of the buffer that is filled and not consumed.
    filled: std::ops::Range<usize>,
}

impl Receiving {
    /// Appends the next packet, decrypted, to `message`.
    fn receive_packet(&mut self, message: &mut Vec<u8>) -> Result<usize, RemoteError> {
        let deadline = Instant::now() + self.silence;
        self.fill(PREFIX, deadline)?;
        let at = self.filled.start;
        let length = usize::from(u16::from_le_bytes([self.buffer[at], self.buffer[at + 1]]));
        if length < TAG {
            return Err(self.garbage("a packet that is too short"));
        }
        self.fill(PREFIX + length, deadline)?;
        let sealed = self.filled.start + PREFIX..self.filled.start + PREFIX + length;
        self.filled.start = sealed.end;
        let start = message.len();
        message.resize(start + length - TAG, 0);
        let opened = lock(&self.noise).read_message(&self.buffer[sealed], &mut message[start..]);
        opened.map_err(|_| self.garbage("a packet that cannot be decrypted"))
    }

    /// Waits until this many bytes are in the buffer.
    fn fill(&mut self, bytes: usize, deadline: Instant) -> Result<(), RemoteError> {
        if self.filled.start + bytes > self.buffer.len() {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        while self.filled.len() < bytes {
            match read_until(&self.stream, &mut self.buffer[self.filled.end..], deadline) {
                Ok(0) => return Err(RemoteError::HungUp { peer: self.who.clone() }),
                Ok(more) => self.filled.end += more,
                Err(error) if matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                    return Err(RemoteError::Silent { peer: self.who.clone(), after: self.silence });
                }
                Err(_) => return Err(RemoteError::HungUp { peer: self.who.clone() }),
            }
        }
        Ok(())
    }

    fn garbage(&self, error: &str) -> RemoteError {
        RemoteError::Garbage { peer: self.who.clone(), error: error.to_owned() }
    }
}

impl Inward for Receiving {
    fn receive(&mut self) -> Result<Vec<u8>, RemoteError> {
        let mut message = Vec::new();
        self.receive_packet(&mut message)?;
        let Some((length, _)) = message.split_first_chunk::<LENGTH>() else {
            return Err(self.garbage("a message without a length"));
        };
        let length = u32::from_le_bytes(*length);
        if length > self.limit {
            let (bytes, limit) = (u64::from(length), u64::from(self.limit));
            return Err(RemoteError::TooLarge { peer: self.who.clone(), bytes, limit });
        }
        let whole = LENGTH + length as usize;
        while message.len() < whole {
            if self.receive_packet(&mut message)? == 0 {
                return Err(self.garbage("an empty packet"));
            }
        }
        if message.len() > whole {
            return Err(self.garbage("a message longer than it says"));
        }
        message.drain(..LENGTH);
        Ok(message)
    }
}

/// A stream whose reads and writes all end at one deadline, however slow the other side is.
struct Timed {
    stream: Arc<TcpStream>,
    deadline: Instant,
}

impl Read for Timed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_until(&self.stream, buffer, self.deadline)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(remaining(self.deadline)?))?;
        (&*self.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn read_until(mut stream: &TcpStream, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
    loop {
        stream.set_read_timeout(Some(remaining(deadline)?))?;
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The time left; never zero, which would mean no limit.
fn remaining(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(ErrorKind::TimedOut.into()),
        remaining => Ok(remaining),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::remote::secret::Secret;

    fn terms(limit: u32, silence: Duration) -> Terms {
        let key = Secret::from_bytes("open").unwrap().key();
        Terms { key, handshake: Duration::from_secs(5), message: limit, silence }
    }

    /// The client's end and the manager's.
    fn connected(client: &Terms, manager: &Terms) -> (Link, Link) {
        let port = Tcp.listen("127.0.0.1:0").unwrap();
        let (address, client) = (port.address().to_string(), client.clone());
        let near = thread::spawn(move || Tcp.connect(&address, &client).unwrap());
        let far = port.accept().unwrap().admit(manager).unwrap();
        (near.join().unwrap(), far)
    }

    #[test]
    fn messages_of_all_sizes_arrive_whole_and_in_order() {
        let terms = terms(1 << 20, Duration::from_secs(10));
        let (mut near, mut far) = connected(&terms, &terms);
        let sizes = [0, 1, PLAIN - LENGTH - 1, PLAIN - LENGTH, PLAIN - LENGTH + 1, 2 * PLAIN, 1 << 20];
        let sending = thread::spawn(move || {
            for size in sizes {
                near.outward.send(&vec![size as u8; size]).unwrap();
            }
            near
        });
        for size in sizes {
            assert_eq!(far.inward.receive().unwrap(), vec![size as u8; size]);
        }
        drop(sending.join().unwrap());
        assert!(matches!(far.inward.receive(), Err(RemoteError::HungUp { .. })));
    }

    #[test]
    fn what_is_too_large_is_refused_by_the_sender_and_then_by_the_receiver() {
        let (large, small) = (terms(u32::MAX, Duration::from_secs(10)), terms(1000, Duration::from_secs(10)));
        let (mut near, mut far) = connected(&large, &small);
        let refused = far.outward.send(&[0; 1001]).unwrap_err();
        assert!(matches!(refused, RemoteError::TooLarge { bytes: 1001, limit: 1000, .. }));
        near.outward.send(&[0; 1000]).unwrap();
        near.outward.send(&[0; 1001]).unwrap();
        assert_eq!(far.inward.receive().unwrap().len(), 1000);
        let refused = far.inward.receive().unwrap_err();
        assert!(matches!(refused, RemoteError::TooLarge { bytes: 1001, limit: 1000, .. }));
    }

    #[test]
    fn a_silent_peer_counts_as_gone_and_a_slow_one_does_not() {
        let terms = terms(1 << 20, Duration::from_millis(300));
        let (mut near, mut far) = connected(&terms, &terms);
        for _ in 0..5 {
            thread::sleep(Duration::from_millis(100));
            near.outward.send(b"beat").unwrap();
            assert_eq!(far.inward.receive().unwrap(), b"beat");
        }
        assert!(matches!(far.inward.receive(), Err(RemoteError::Silent { .. })));
    }

    #[test]
    fn a_cut_is_known_at_once() {
        let terms = terms(1 << 20, Duration::from_secs(10));
        let (near, mut far) = connected(&terms, &terms);
        assert!(!near.outward.is_cut());
        far.cut.cut();
        assert!(near.outward.is_cut());
        assert!(far.outward.send(b"late").is_err());
        let mut inward = near.inward;
        assert!(matches!(inward.receive(), Err(RemoteError::HungUp { .. })));
    }

    #[test]
    fn a_packet_that_was_tampered_with_is_noticed() {
        let terms = terms(1 << 20, Duration::from_secs(10));
        let port = Tcp.listen("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(port.address()).unwrap();
        let raw = stream.try_clone().unwrap();
        let near = thread::spawn({
            let terms = terms.clone();
            move || {
                let mut timed =
                    Timed { stream: Arc::new(stream), deadline: Instant::now() + terms.handshake };
                let met = handshake::initiate(&mut timed, &terms.key).ok().unwrap();
                link(timed.stream, met, "the manager", &terms).unwrap()
            }
        });
        let mut far = port.accept().unwrap().admit(&terms).unwrap();
        let mut near = near.join().unwrap();
        near.outward.send(b"well").unwrap();
        assert_eq!(far.inward.receive().unwrap(), b"well");
        // Written past the encryption, like an attacker on the way.
        let mut sealed = vec![24, 0];
        sealed.extend([7; 24]);
        (&raw).write_all(&sealed).unwrap();
        assert!(matches!(far.inward.receive(), Err(RemoteError::Garbage { .. })));
    }
}
