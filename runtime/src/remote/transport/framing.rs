//! Packets on a stream of bytes: a length of two bytes, then that many bytes. No packet of Noise is longer
//! than 65,535 bytes, so a false length cannot claim more than that.

use std::io::{self, ErrorKind, Read, Write};

/// How many bytes encryption adds to a packet.
pub(super) const TAG: usize = 16;
/// The largest packet, encrypted.
pub(super) const LARGEST: usize = 65_535;
/// The size of the length before a packet.
pub(super) const PREFIX: usize = 2;

pub(super) fn write(stream: &mut impl Write, packet: &[u8]) -> io::Result<()> {
    let mut whole = Vec::with_capacity(PREFIX + packet.len());
    whole.extend((packet.len() as u16).to_le_bytes());
    whole.extend(packet);
    stream.write_all(&whole)
}

/// Reads a packet that has exactly this size, or none.
pub(super) fn read_exactly(stream: &mut impl Read, size: usize) -> io::Result<Vec<u8>> {
    let mut prefix = [0; PREFIX];
    stream.read_exact(&mut prefix)?;
    if usize::from(u16::from_le_bytes(prefix)) != size {
        return Err(io::Error::new(ErrorKind::InvalidData, "a packet of another size"));
    }
    let mut packet = vec![0; size];
    stream.read_exact(&mut packet)?;
    Ok(packet)
}
