//! Captures: what each host sends and receives, as pcapng.
//!
//! A host has one file, its interfaces are the file's interfaces, and a packet
//! says whether it came in or went out. Packets begin with the IP header
//! (`LINKTYPE_RAW`), time zero is the start of the simulation, and its
//! resolution is a nanosecond. Packets go to disk as they come: what waits in
//! memory is bounded, however long the run.
//!
//! Format: the pcapng specification (draft-ietf-opsawg-pcapng).

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{BufWriter, IntoInnerError, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mptcpsim_core::time::Time;
use mptcpsim_models::host::{Tap, Tapped};
use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::rules::Stack;
use mptcpsim_models::wire::{IpFields, LINKTYPE_RAW, WireError, emit_snapped};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};
use thiserror::Error;

use crate::plan::{HostPlan, Plan};

/// The folder of captures within the folder of a run.
pub const FOLDER: &str = "capture";

/// The largest IP and TCP headers: captures always have them in full.
const MAX_HEADERS: usize = 120;
/// `if_tsresol`: negative powers of ten.
const NANOSECONDS: u8 = 9;
/// Bits 0 and 1 of `epb_flags`.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;
/// How many packets may wait in memory to be written.
pub(crate) const WAITING: usize = 4096;

/// Why a capture cannot be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file or its folder cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A packet cannot be put into a block.
    #[error("cannot write `{}`: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PcapError,
    },
    /// A segment has no form on the wire.
    #[error("a segment that {host} saw at {at} has no form on the wire: {source}")]
    Segment {
        /// The host.
        host: String,
        /// When.
        at: Time,
        /// Why.
        source: WireError,
    },
}

/// Somebody who is shown every packet.
struct Watcher(Box<dyn FnMut(&Tapped)>);

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watcher")
    }
}

/// A capture of each host of a plan.
#[derive(Debug)]
pub struct Captures {
    watcher: Option<Watcher>,
    hosts: Vec<HostCapture>,
    snap_length: usize,
    /// The packet being written.
    packet: Vec<u8>,
}

#[derive(Debug)]
struct HostCapture {
    name: String,
    path: PathBuf,
    writer: Writer,
    version: Version,
    /// Which interface has an address.
    interfaces: Vec<(IpAddr, u32)>,
}

/// A pcapng writer of which tests can see what it has written.
struct Writer(PcapNgWriter<BufWriter<File>>);

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Writer").field(self.0.get_ref()).finish()
    }
}

impl Captures {
    /// Opens a file for each host of `plan` in `folder`, which is made if it does not exist.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn create(folder: &Path, plan: &Plan) -> Result<Self, CaptureError> {
        fs::create_dir_all(folder)
            .map_err(|source| CaptureError::Write { path: folder.to_owned(), source })?;
        let snap_length = match plan.record.snap_length.get() {
            0 => usize::MAX,
            bytes => usize::try_from(bytes).unwrap_or(usize::MAX),
        };
        let hosts = plan.hosts.iter().map(|host| HostCapture::create(folder, host, snap_length));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Ok(Self { watcher: None, hosts, snap_length, packet: Vec::new() })
    }

    /// Writes no file: `watch` is shown what hosts send and receive, in order of time.
    pub fn watching(watch: impl FnMut(&Tapped) + 'static) -> Self {
        let watcher = Some(Watcher(Box::new(watch)));
        Self { watcher, hosts: Vec::new(), snap_length: 0, packet: Vec::new() }
    }

    /// Writes what the tap has seen since the last call.
    pub(crate) fn write(&mut self, tap: &mut Tap) -> Result<(), CaptureError> {
        for tapped in tap.drain() {
            if let Some(Watcher(watch)) = &mut self.watcher {
                watch(&tapped);
            }
            self.packet(&tapped)?;
        }
        Ok(())
    }

    fn packet(&mut self, tapped: &Tapped) -> Result<(), CaptureError> {
        let version = self.version_of(tapped);
        let Some(host) = self.hosts.get_mut(tapped.host) else { return Ok(()) };
        self.packet.clear();
        let original_len = emit_snapped(
            tapped.tuple,
            &tapped.segment,
            IpFields::default(),
            version,
            self.snap_length,
            &mut self.packet,
        )
        .map_err(|source| CaptureError::Segment {
            host: host.name.clone(),
            at: tapped.at,
            source,
        })?;
        let block = EnhancedPacketBlock {
            interface_id: host.interface(tapped),
            timestamp: Duration::from_nanos(tapped.at.as_ns()),
            original_len,
            data: Cow::Borrowed(&self.packet),
            options: vec![EnhancedPacketOption::Flags(if tapped.sent {
                OUTBOUND
            } else {
                INBOUND
            })],
        };
        let path = &host.path;
        host.writer.0.write_pcapng_block(block).map(drop).map_err(|source| format(path, source))
    }

    /// The version of MPTCP that the sender speaks; that of the host if a middlebox has changed
    /// the address.
    fn version_of(&self, tapped: &Tapped) -> Version {
        let source = tapped.tuple.src.ip();
        let has = |host: &&HostCapture| host.interfaces.iter().any(|(addr, _)| *addr == source);
        let sender = self.hosts.iter().find(has).or_else(|| self.hosts.get(tapped.host));
        sender.map_or(Version::V1, |host| host.version)
    }

    /// Completes all files.
    ///
    /// # Errors
    /// If something cannot be written.
    pub fn finish(self) -> Result<(), CaptureError> {
        for HostCapture { path, writer, .. } in self.hosts {
            let buffered = writer.0.into_inner();
            let file = buffered.into_inner().map_err(IntoInnerError::into_error);
            file.and_then(|mut file| file.flush())
                .map_err(|source| CaptureError::Write { path, source })?;
        }
        Ok(())
    }
}

impl HostCapture {
    fn create(folder: &Path, host: &HostPlan, snap_length: usize) -> Result<Self, CaptureError> {
        let path = folder.join(format!("{}.pcapng", host.name));
        let file = File::create_new(&path)
            .map_err(|source| CaptureError::Write { path: path.clone(), source })?;
        let writer = open(BufWriter::new(file), host, snap_length);
        let interfaces = host.interfaces.iter().zip(0..).flat_map(|(interface, number)| {
            interface.addresses.iter().map(move |addr| (*addr, number))
        });
        Ok(Self {
            name: host.name.clone(),
            writer: Writer(writer.map_err(|source| format(&path, source))?),
            path,
            version: match host.stack {
                Stack::Upstream => Version::V1,
                Stack::OutOfTree => Version::V0,
            },
            interfaces: interfaces.collect(),
        })
    }

    /// The interface that a packet passed: the one with the host's end of the addresses.
    fn interface(&self, tapped: &Tapped) -> u32 {
        let local = if tapped.sent { tapped.tuple.src } else { tapped.tuple.dst };
        let found = self.interfaces.iter().find(|(addr, _)| *addr == local.ip());
        found.map_or(0, |(_, number)| *number)
    }
}

fn format(path: &Path, source: PcapError) -> CaptureError {
    CaptureError::Format { path: path.to_owned(), source }
}

/// A file up to its first packet: who wrote it, and the interfaces of the host.
fn open<W: Write>(
    out: W,
    host: &HostPlan,
    snap_length: usize,
) -> Result<PcapNgWriter<W>, PcapError> {
    let program = concat!("mptcpsim ", env!("CARGO_PKG_VERSION"));
    let section = SectionHeaderBlock {
        // The same bytes on every machine.
        endianness: Endianness::Little,
        options: vec![SectionHeaderOption::UserApplication(program.into())],
        ..SectionHeaderBlock::default()
    };
    let mut writer = PcapNgWriter::with_section_header(out, section)?;
    for interface in &host.interfaces {
        let mut options = vec![
            InterfaceDescriptionOption::IfName(interface.name.clone().into()),
            InterfaceDescriptionOption::IfDescription(
                format!("{} of {}", interface.name, host.name).into(),
            ),
            InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
        ];
        options.extend(interface.addresses.iter().map(|addr| address(*addr)));
        writer.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::from(u32::from(LINKTYPE_RAW)),
            // Zero says that there is no limit.
            snaplen: u32::try_from(snap_length.max(MAX_HEADERS)).unwrap_or(0),
            options,
        })?;
    }
    Ok(writer)
}

/// `if_IPv4addr` and `if_IPv6addr` have a mask or a prefix length behind the address; nothing is
/// known of networks, so it is that of the single address.
fn address(addr: IpAddr) -> InterfaceDescriptionOption<'static> {
    match addr {
        IpAddr::V4(addr) => {
            let bytes = [addr.octets(), [0xff; 4]].concat();
            InterfaceDescriptionOption::IfIpv4Addr(bytes.into())
        }
        IpAddr::V6(addr) => {
            let mut bytes = addr.octets().to_vec();
            bytes.push(128);
            InterfaceDescriptionOption::IfIpv6Addr(bytes.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use mptcpsim_core::time::Span;
    use mptcpsim_models::payload::Payload;
    use mptcpsim_models::segment::{Dss, Flags, FourTuple, Segment, Timestamps, Width};
    use mptcpsim_models::seq::Seq;
    use mptcpsim_models::wire::{parse, parse_snapped};
    use pcap_file::pcapng::{Block, PcapNgReader};
    use proptest::prelude::*;

    use super::*;
    use crate::check::{Notation, Source, check};

    fn plan(snap_length: usize) -> Plan {
        let text = format!(
            r#"
            record = {{ snap_length = "{snap_length} B" }}
            [links.l]
            rate = "1 Mbit/s"
            delay = "1 ms"
            [hosts.a]
            addresses = {{ x = "10.0.0.1", y = ["10.0.1.1", "2001:db8::1"] }}
            [hosts.b]
            addresses = {{ z = ["10.0.0.2", "2001:db8::2"] }}
            [[paths]]
            between = ["a.x", "b.z"]
            via = ["l"]
            [[flows]]
            app = {{ kind = "bulk", bytes = "1 MB" }}
            "#
        );
        check(&Source::new("test", &text, Notation::Toml), &[]).unwrap()
    }

    prop_compose! {
        fn tapped()(
            (seq, ack, val) in any::<(u32, u32, u32)>(),
            (start, len) in (any::<u32>(), 0..1400_u32),
            dsn in proptest::option::of(any::<u64>()),
            (v6, sent, nanoseconds) in (any::<bool>(), any::<bool>(), 0..1_000_000_000_000_u64),
        ) -> Tapped {
            let [a, b] = if v6 { ["[2001:db8::1]:1", "[2001:db8::2]:2"] } else { ["10.0.1.1:1", "10.0.0.2:2"] };
            let tuple = FourTuple { src: a.parse().unwrap(), dst: b.parse().unwrap() };
            let mut segment = Segment {
                seq: Seq(seq),
                ack: Seq(ack),
                flags: Flags::ACK,
                payload: Payload::pattern(u64::from(start), len),
                timestamps: Some(Timestamps { val, ecr: 0 }),
                dss: dsn.map(|data_ack| Dss { data_ack, ack_width: Width::Eight, ..Dss::default() }),
                ..Segment::default()
            };
            segment.seal(if v6 { 40 } else { 20 });
            Tapped {
                at: Time::ZERO + Span::from_ns(nanoseconds),
                host: 0,
                sent,
                tuple: if sent { tuple } else { tuple.reversed() },
                segment,
            }
        }
    }

    /// What a file holds, as a reader finds it.
    fn read(path: &Path) -> Vec<EnhancedPacketBlock<'static>> {
        let mut reader = PcapNgReader::new(File::open(path).unwrap()).unwrap();
        let mut packets = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap().into_owned() {
                packets.push(packet);
            }
        }
        assert_eq!(reader.interfaces().len(), 2);
        packets
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            seen in proptest::collection::vec(tapped(), 0..20),
            snap_length in prop_oneof![Just(0_usize), 0..1600_usize],
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut captures = Captures::create(folder.path(), &plan(snap_length)).unwrap();
            for tapped in &seen {
                captures.packet(tapped).unwrap();
            }
            captures.finish().unwrap();
            let packets = read(&folder.path().join("a.pcapng"));
            prop_assert_eq!(packets.len(), seen.len());
            for (packet, tapped) in packets.iter().zip(&seen) {
                prop_assert_eq!(packet.timestamp.as_nanos(), u128::from(tapped.at.as_ns()));
                prop_assert_eq!(packet.interface_id, 1, "the one with these addresses");
                let way = EnhancedPacketOption::Flags(if tapped.sent { 2 } else { 1 });
                prop_assert_eq!(&packet.options, &[way]);
                let parsed = parse_snapped(&packet.data, Version::V1).unwrap();
                prop_assert_eq!(parsed.tuple, tapped.tuple);
                prop_assert_eq!(parsed.segment.seq, tapped.segment.seq);
                prop_assert_eq!(parsed.segment.dss, tapped.segment.dss);
                prop_assert_eq!(parsed.segment.payload.len(), tapped.segment.payload.len());
                prop_assert_eq!(packet.original_len, tapped.segment.wire_len());
                if snap_length == 0 || snap_length >= packet.original_len as usize {
                    let whole = parse(&packet.data, Version::V1).unwrap();
                    prop_assert_eq!(whole.checksum_holds, Some(true));
                    prop_assert!(whole.segment.payload.iter().eq(tapped.segment.payload.iter()));
                } else {
                    prop_assert!(packet.data.len() <= snap_length.max(MAX_HEADERS));
                }
            }
        }
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Captures::create(&file.join("capture"), &plan(0)).unwrap_err();
        assert!(error.to_string().contains("file/capture"), "{error}");
    }
}
