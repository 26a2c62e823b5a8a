//! Segments as bytes.
//!
//! Inside the simulator segments are values; bytes exist only at its edges:
//! in captures and towards live peers. [`emit`] turns a segment into an IP
//! packet as Linux would have sent it, [`parse`] does the reverse and sees in
//! it what a kernel of the receiving side would see. The fixed headers are
//! those of the `etherparse` crate; options are ours, as no library knows both
//! versions of MPTCP.
//!
//! ```text
//! packet ─► ip ─► tcp ─► options ─► mptcp    one option, bytes <-> value
//!                           └─────► heard    does the receiver take notice of it?
//! ```

mod checksum;
mod heard;
mod ip;
mod mptcp;
mod options;
mod packet;
mod signature;
mod tcp;

pub(crate) use self::options::{option_layout, take_tcp_option, write_dss_last};
pub use checksum::{Sum, dss_checksum, dss_checksum_holds, dss_checksum_of};
pub use heard::drop_unheard;
pub use ip::IpFields;
pub use options::{MAX_OPTION_BYTES, OptionBytes, emit_options, parse_options};
pub use packet::{LINKTYPE_RAW, Parsed, emit, emit_snapped, parse, parse_snapped};
pub use signature::Md5Key;

/// Why bytes are no packet, or a segment cannot become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The bytes do not start with an IP header.
    #[error("no IPv4 or IPv6 header")]
    NotIp,
    /// The checksum of the IPv4 header is wrong.
    #[error("the checksum of the IPv4 header is wrong")]
    IpChecksum,
    /// A fragment: nothing here reassembles.
    #[error("a fragment of an IP packet")]
    Fragment,
    /// The packet carries another protocol than TCP: its number, or that of an extension header.
    #[error("IP protocol {0} instead of TCP")]
    NotTcp(u8),
    /// The packet ends before its headers do, or before the length that its IP header states.
    #[error("the packet is cut off")]
    Truncated,
    /// The data offset of the TCP header is impossible.
    #[error("no TCP header")]
    TcpHeader,
    /// One address is IPv4, the other IPv6.
    #[error("source and destination are of different address families")]
    MixedFamilies,
    /// The options need more than the 40 bytes that a TCP header has for them.
    #[error("the options do not fit into a TCP header")]
    OptionsTooLong,
    /// The packet is longer than an IP header can say.
    #[error("the packet is longer than 65535 bytes")]
    PacketTooLong,
}

/// Empties a slot for MPTCP options.
pub(crate) fn clear_option(segment: &mut crate::segment::Segment, slot: crate::options::Slot) {
    mptcp::MptcpOption::clear(segment, slot);
}
