//! What lies in the packets, and how they are moved.
//!
//! One message is one packet. A payload that is too large for that travels as a sealed memory file beside it,
//! so a sender that is killed anywhere has either sent a message or not.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::ipc::bounds::BYTES;
use crate::ipc::codec::{Aside, Encoded};
use crate::sys::{memfd, seqpacket};

/// Payloads above this many bytes travel as memory files.
const INLINE: usize = 32 * 1024;

/// A bit of [`Envelope::limit`] that no number of nanoseconds has: the deadline of the caller ends the handler.
pub(crate) const UNTIL_DEADLINE: u64 = 1 << 63;

/// A packet in a mailbox; `P` is bytes, borrowed while writing.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope<P = ByteBuf> {
    /// The caller: a random number that it uses with this actor only.
    pub(crate) session: u64,
    /// Which of its messages; never 0.
    pub(crate) seq: u64,
    /// Whether a reply is expected.
    pub(crate) ask: bool,
    /// The method's index.
    pub(crate) method: u32,
    /// After this moment no caller waits for the reply (nanoseconds of the monotonic clock); 0 for never.
    pub(crate) deadline: u64,
    /// For how long its handler may run before it is killed (nanoseconds); 0 for as long as the actor's own
    /// limits say. With [`UNTIL_DEADLINE`], it is killed at the deadline, too.
    pub(crate) limit: u64,
    /// How often the mailbox had been purged when this was sent.
    pub(crate) purges: u64,
    /// The actors that wait for this message while they handle one: the caller, the caller's caller, and so
    /// on.
    #[cfg(debug_assertions)]
    pub(crate) via: Vec<u64>,
    /// The first descriptor is the caller's reply channel.
    pub(crate) announce: bool,
    /// The payload is the next descriptor.
    pub(crate) large: bool,
    pub(crate) payload: P,
}

impl<P> Envelope<P> {
    /// For how long the handler may run if it begins now, in nanoseconds; 0 for as long as the actor's own
    /// limits say.
    pub(crate) fn limit_from(&self, now: u64) -> u64 {
        let own = Some(self.limit & !UNTIL_DEADLINE).filter(|&own| own != 0);
        let left = Some(self.deadline).filter(|&at| at != 0 && self.limit & UNTIL_DEADLINE != 0);
        let left = left.map(|at| at.saturating_sub(now).max(1));
        own.into_iter().chain(left).min().unwrap_or(0)
    }
}

/// A packet in a reply channel.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answered<P = ByteBuf> {
    pub(crate) session: u64,
    pub(crate) seq: u64,
    pub(crate) incarnation: u64,
    pub(crate) status: Status,
    pub(crate) large: bool,
    pub(crate) payload: P,
}

/// What a reply is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    /// The value.
    Value,
    /// The handler's `Err`.
    App,
    /// Text: the arguments could not be decoded, or the reply could not be encoded.
    Codec,
    /// The deadline had passed before the message's turn came, and it was not run.
    Expired,
    /// Text: the message could not be received as a whole, or its reply could not be sent or kept.
    Dropped,
    /// An exit reason: the process that handled it died of it.
    Lost,
    /// The handler left the reply for later, and then it was dropped.
    Unanswered,
    /// A [`Failure`](crate::actor::forwarded::Failure): the call was forwarded, and this came of it.
    Relayed,
}

/// A payload on its way out: in the packet, or beside it.
pub(crate) struct Outgoing {
    inline: Vec<u8>,
    file: Option<OwnedFd>,
    aside: Vec<Aside>,
}

impl Outgoing {
    /// # Errors
    /// If there is no memory (or no descriptor) for a large payload, or there are too many descriptors in it
    /// for one message; `others` descriptors travel beside it.
    pub(crate) fn new(encoded: Encoded, others: usize) -> io::Result<Outgoing> {
        let Encoded { bytes, aside, .. } = encoded;
        if bytes.len() as u64 > BYTES {
            let text = format!("{} bytes in one message, at most {BYTES} are sent", bytes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        // One descriptor may be needed for the payload.
        let room = seqpacket::MAX_FDS - others - 1;
        if aside.iter().flat_map(Aside::descriptors).count() > room {
            let refs = aside.iter().filter(|aside| aside.is_ref()).count();
            let others = aside.len() - refs;
            let text = match others {
                0 => format!("{refs} refs in one message, at most {} fit", room / 2),
                _ => format!(
                    "{refs} refs (of two descriptors each) and {others} descriptors in one message, \
                     at most {room} fit"
                ),
            };
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        if bytes.len() <= INLINE {
            return Ok(Outgoing { inline: bytes, file: None, aside });
        }
        Ok(Outgoing { inline: Vec::new(), file: Some(memfd::payload(&bytes)?), aside })
    }

    pub(crate) fn text(text: &str) -> Outgoing {
        Outgoing { inline: text.as_bytes().to_vec(), file: None, aside: Vec::new() }
    }

    pub(crate) fn is_large(&self) -> bool {
        self.file.is_some()
    }

    pub(crate) fn bytes(&self) -> &serde_bytes::Bytes {
        serde_bytes::Bytes::new(&self.inline)
    }

    /// Whether anything travels beside the packet.
    fn has_descriptors(&self) -> bool {
        self.descriptors().next().is_some()
    }

    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let aside = self.aside.iter().flat_map(Aside::descriptors);
        self.file.iter().map(AsFd::as_fd).chain(aside)
    }
}

/// A packet that is ready to be sent, as often as it takes.
pub(crate) struct Sealed {
    packet: Vec<u8>,
    outgoing: Outgoing,
}

impl Sealed {
    /// Puts a header around the payload; `header` has `outgoing.bytes()` and `outgoing.is_large()` in it.
    pub(crate) fn new(outgoing: Outgoing, packet: Vec<u8>) -> Sealed {
        Sealed { packet, outgoing }
    }

    pub(crate) fn into_outgoing(self) -> Outgoing {
        self.outgoing
    }

    pub(crate) fn has_descriptors(&self) -> bool {
        self.outgoing.has_descriptors()
    }

    /// How much memory the packet takes.
    pub(crate) fn size(&self) -> usize {
        self.packet.len()
    }

    /// For a packet that has to wait: no more memory than it needs. It cannot be sealed anew after this.
    pub(crate) fn slim(&mut self) {
        self.outgoing.inline = Vec::new();
        self.packet.shrink_to_fit();
    }

    /// Sends it; `first` goes in front of the other descriptors. Never blocks.
    ///
    /// # Errors
    /// As [`seqpacket::send`].
    pub(crate) fn send(&mut self, socket: BorrowedFd<'_>, first: &[BorrowedFd<'_>]) -> io::Result<()> {
        let fds: Vec<BorrowedFd<'_>> = first.iter().copied().chain(self.outgoing.descriptors()).collect();
        seqpacket::send(socket, &mut self.packet, &fds)
    }
}

/// Encodes a header behind room for the two sizes.
pub(crate) fn packet(header: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut packet = Vec::with_capacity(256);
    packet.resize(seqpacket::HEADER, 0);
    postcard::to_extend(header, packet).map_err(io::Error::other)
}

/// A payload that came in.
#[derive(Debug)]
pub(crate) enum Body {
    Inline(Vec<u8>),
    Mapped(memfd::Payload),
}

impl Body {
    /// Takes the payload's memory file from the front of `fds`, if it came as one.
    pub(crate) fn open(
        inline: ByteBuf,
        large: bool,
        fds: &mut std::vec::IntoIter<OwnedFd>,
    ) -> io::Result<Body> {
        if !large {
            return Ok(Body::Inline(inline.into_vec()));
        }
        let file = fds
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a large payload without its file"))?;
        memfd::Payload::open(file.as_fd(), BYTES).map(Body::Mapped)
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Body::Inline(bytes) => bytes,
            Body::Mapped(payload) => payload,
        }
    }
}

/// Reads the header in a packet's data; `None` if it is not exactly one.
pub(crate) fn parse<H: DeserializeOwned>(packet: &[u8]) -> Option<H> {
    match postcard::take_from_bytes(seqpacket::data(packet)?) {
        Ok((header, [])) => Some(header),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_survives_the_wire() {
        let outgoing = Outgoing::text("hello");
        let envelope = Envelope {
            session: u64::MAX,
            seq: 3,
            ask: true,
            method: 1,
            deadline: 9,
            limit: 0,
            purges: 0,
            #[cfg(debug_assertions)]
            via: vec![1, 2],
            announce: true,
            large: outgoing.is_large(),
            payload: outgoing.bytes(),
        };
        let mut packet = packet(&envelope).unwrap();
        let (total, data) = (packet.len(), packet.len() - seqpacket::HEADER);
        packet[..8].copy_from_slice(&total.to_ne_bytes());
        packet[8..16].copy_from_slice(&data.to_ne_bytes());
        let read: Envelope = parse(&packet).unwrap();
        assert_eq!(
            (read.session, read.seq, read.method, read.deadline, read.announce),
            (u64::MAX, 3, 1, 9, true)
        );
        assert_eq!(read.payload.as_slice(), b"hello");
    }

    #[test]
    fn a_handler_is_limited_by_the_shorter_of_both_limits() {
        let of = |deadline, limit| Envelope {
            session: 1,
            seq: 1,
            ask: true,
            method: 1,
            deadline,
            limit,
            purges: 0,
            #[cfg(debug_assertions)]
            via: vec![],
            announce: false,
            large: false,
            payload: ByteBuf::new(),
        };
        let from = |deadline, limit, now| of(deadline, limit).limit_from(now);
        assert_eq!((from(0, 0, 5), from(100, 0, 5), from(100, 7, 5)), (0, 0, 7));
        assert_eq!(from(100, UNTIL_DEADLINE, 5), 95);
        assert_eq!(from(100, UNTIL_DEADLINE | 7, 5), 7);
        assert_eq!(from(100, UNTIL_DEADLINE | 200, 5), 95);
        // Of no deadline, or of one that has just passed.
        assert_eq!((from(0, UNTIL_DEADLINE, 5), from(0, UNTIL_DEADLINE | 7, 5)), (0, 7));
        assert_eq!((from(5, UNTIL_DEADLINE, 9), from(u64::MAX, u64::MAX, 0)), (1, UNTIL_DEADLINE - 1));
    }

    #[test]
    fn rubbish_is_no_envelope() {
        for rubbish in [&b""[..], b"x", &[0; 16], &[0xff; 64]] {
            assert!(parse::<Envelope>(rubbish).is_none());
        }
    }
}
