//! What the kernel says of an MPTCP socket (`struct mptcp_info`, `include/uapi/linux/mptcp.h`).

use std::ffi::c_int;

use nix::sys::socket::getsockopt;
use nix::{getsockopt_impl, libc, sockopt_impl};
use serde::{Deserialize, Serialize};
use socket2::Socket;

/// The level of the options of MPTCP sockets.
const SOL_MPTCP: c_int = 284;
const MPTCP_INFO: c_int = 1;
/// As far as all kernels since 5.16 have it.
const LEN: usize = 48;

sockopt_impl!(
    /// `MPTCP_INFO`.
    Info,
    GetOnly,
    SOL_MPTCP,
    MPTCP_INFO,
    [u8; LEN]
);

/// The state of an MPTCP connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MptcpInfo {
    /// Subflows beyond the first one (`mptcpi_subflows`).
    pub subflows: u8,
    /// Addresses announced (`mptcpi_add_addr_signal`).
    pub add_addr_signal: u8,
    /// Announcements used (`mptcpi_add_addr_accepted`).
    pub add_addr_accepted: u8,
    /// It fell back (`MPTCP_INFO_FLAG_FALLBACK`).
    pub fallback: bool,
    /// The peer's key is known (`MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED`).
    pub remote_key: bool,
    /// The local token.
    pub token: u32,
    /// Checksums are in use (`mptcpi_csum_enabled`).
    pub checksum: bool,
    /// Times that data was sent again by the MPTCP level (`mptcpi_retransmits`).
    pub retransmits: u32,
}

/// Nothing on a socket of plain TCP, and on one that has fallen back.
pub(super) fn read_info(socket: &Socket) -> Option<MptcpInfo> {
    let raw = getsockopt(socket, Info).ok()?;
    let word =
        |at: usize| raw.get(at..at + 4).and_then(|it| it.try_into().ok()).map(u32::from_ne_bytes);
    let flags = word(8)?;
    Some(MptcpInfo {
        subflows: raw[0],
        add_addr_signal: raw[1],
        add_addr_accepted: raw[2],
        fallback: flags & 1 != 0,
        remote_key: flags & 2 != 0,
        token: word(12)?,
        checksum: raw[42] != 0,
        retransmits: word(44)?,
    })
}
