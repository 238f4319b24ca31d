//! A packet that arrived: its bytes and when.

use std::time::Duration;

use lsapi::{AppPacket, DecodeError, PacketType};

/// A packet from the application that passed the checks a real server makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    ty: PacketType,
    bytes: Vec<u8>,
    at: Duration,
}

impl Packet {
    /// Takes the packet at the start of `buf` if it is whole.
    ///
    /// # Errors
    /// As for [`AppPacket::decode`].
    pub fn take(buf: &[u8], at: Duration) -> Result<Self, DecodeError> {
        let (header, packet) = AppPacket::decode(buf)?;
        let bytes = buf.get(..header.len).unwrap_or_default().to_vec();
        Ok(Self { ty: packet.packet_type(), bytes, at })
    }

    /// Its type. A PID notice is a STDERR_STREAM.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        self.ty
    }

    /// All its bytes, header included.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is in it.
    #[must_use]
    pub fn decode(&self) -> AppPacket<'_> {
        // It was decoded once already, so the other arm is only there because the type asks for it.
        AppPacket::decode(&self.bytes).map_or(AppPacket::InternalError, |(_, packet)| packet)
    }

    /// The flag byte of its header.
    #[must_use]
    pub fn flag(&self) -> u8 {
        self.bytes.get(3).copied().unwrap_or_default()
    }

    /// What keeping it costs in bytes of memory: the smallest packets are cheap to send and dear to keep.
    #[must_use]
    pub const fn cost(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }

    /// When its last byte was read, counted from the start of the transcript.
    #[must_use]
    pub const fn at(&self) -> Duration {
        self.at
    }
}
