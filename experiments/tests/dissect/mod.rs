//! Captures as Wireshark's dissectors read them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What is asked of each frame.
const FIELDS: &[&str] = &[
    "frame.number",
    "frame.packet_flags_direction",
    "_ws.malformed",
    "_ws.expert.severity",
    "_ws.expert.message",
    "ipv6.version",
    "ip.checksum.status",
    "tcp.checksum.status",
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.seq_raw",
    "tcp.payload",
    "tcp.options",
    "tcp.options.sack_le",
    "mptcp.stream",
    "mptcp.expected_token",
    "mptcp.expected_idsn",
    "mptcp.dss.dsn",
    "tcp.options.mptcp.version",
    "tcp.options.mptcp.subtype",
    "tcp.options.mptcp.recvtok",
    "tcp.options.mptcp.datalvllen",
    "tcp.options.mptcp.rst_reason",
];

/// Severity `Error` of Wireshark's expert information (`PI_ERROR`).
const ERROR: u32 = 0x80_0000;

/// A frame: field name to value; what it does not have is absent.
pub(crate) struct Frame(BTreeMap<&'static str, String>);

impl Frame {
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    pub(crate) fn number(&self, field: &str) -> Option<u64> {
        let text = self.text(field)?;
        Some(match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
            None => text.parse().unwrap(),
        })
    }

    /// The numbers of a field that a frame can have several times.
    pub(crate) fn numbers(&self, field: &str) -> Vec<u32> {
        let text = self.text(field).unwrap_or("");
        text.split(',').filter(|part| !part.is_empty()).map(|part| part.parse().unwrap()).collect()
    }

    pub(crate) fn is_sent(&self) -> bool {
        self.number("frame.packet_flags_direction") == Some(2)
    }

    pub(crate) fn payload(&self) -> Vec<u8> {
        self.bytes("tcp.payload")
    }

    fn bytes(&self, field: &str) -> Vec<u8> {
        let hex = self.text(field).unwrap_or("").replace(':', "");
        let byte = |at: usize| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap();
        (0..hex.len() / 2).map(byte).collect()
    }
}

/// What the captures of a run hold, host by host.
pub(crate) struct Run {
    pub(crate) frames: BTreeMap<String, Vec<Frame>>,
    pub(crate) digest: String,
}

/// Runs a scenario with captures and has them dissected.
pub(crate) fn run(scenario: &str) -> Run {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("scenario.toml");
    fs::write(&file, scenario).unwrap();
    let out = home.path().join("out");
    let output = Command::new(env!("CARGO_BIN_EXE_mptcpsim"))
        .args(["run", "--pcap", "--snaplen", "0", "--no-plots", "--format", "json", "--out"])
        .args([&out, &file])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let digest = told["manifest"]["digest"].as_str().unwrap().to_owned();
    let mut frames = BTreeMap::new();
    for entry in fs::read_dir(out.join("capture")).unwrap() {
        let path = entry.unwrap().path();
        frames.insert(path.file_stem().unwrap().to_str().unwrap().to_owned(), dissect(&path));
    }
    assert_eq!(frames.len(), 2);
    Run { frames, digest }
}

/// All frames of a file.
fn dissect(file: &Path) -> Vec<Frame> {
    let mut tshark = Command::new("tshark");
    tshark.arg("-r").arg(file).args(["-T", "fields", "-E", "separator=/t"]);
    for preference in [
        "ip.check_checksum:TRUE",
        "tcp.check_checksum:TRUE",
        "mptcp.analyze_mappings:TRUE",
        "mptcp.intersubflows_retransmission:TRUE",
    ] {
        tshark.args(["-o", preference]);
    }
    for field in FIELDS {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().expect("tshark dissects captures: install it (.ci/run does)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(frame).collect()
}

fn frame(line: &str) -> Frame {
    let values = FIELDS.iter().copied().zip(line.split('\t'));
    Frame(values.filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k, v.to_owned())).collect())
}

impl Run {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Frame> {
        self.frames.values().flatten()
    }

    /// True if some frame has an MPTCP option of this subtype (RFC 8684 section 8).
    pub(crate) fn has_option(&self, subtype: u32) -> bool {
        self.all().any(|frame| frame.numbers("tcp.options.mptcp.subtype").contains(&subtype))
    }

    /// No frame is malformed, has a wrong checksum or an error of any dissector; every token that
    /// a join names comes from a key that was seen.
    pub(crate) fn assert_clean(&self) {
        for (host, frames) in &self.frames {
            let mut tokens = BTreeSet::new();
            for frame in frames {
                let at =
                    format!("{host}, frame {}: {:?}", frame.text("frame.number").unwrap(), frame.0);
                assert_eq!(frame.text("_ws.malformed"), None, "{at}");
                let severe = frame.numbers("_ws.expert.severity").into_iter().max();
                assert!(severe < Some(ERROR), "{at}");
                assert_eq!(frame.number("tcp.checksum.status"), Some(1), "{at}");
                if frame.text("ipv6.version").is_none() {
                    assert_eq!(frame.number("ip.checksum.status"), Some(1), "{at}");
                }
                tokens.extend(frame.number("mptcp.expected_token"));
                if let Some(token) = frame.number("tcp.options.mptcp.recvtok") {
                    assert!(tokens.contains(&token), "{at}");
                }
            }
        }
    }

    /// The versions that MP_CAPABLE options of a capture name.
    pub(crate) fn versions(&self, host: &str) -> Vec<u32> {
        let named = |frame: &Frame| frame.numbers("tcp.options.mptcp.version");
        let all: BTreeSet<u32> = self.frames[host].iter().flat_map(named).collect();
        all.into_iter().collect()
    }

    /// How many TCP streams each MPTCP connection has.
    pub(crate) fn subflows(&self, host: &str) -> Vec<usize> {
        let mut streams = BTreeMap::<u64, BTreeSet<u64>>::new();
        for frame in &self.frames[host] {
            if let (Some(connection), Some(stream)) =
                (frame.number("mptcp.stream"), frame.number("tcp.stream"))
            {
                streams.entry(connection).or_default().insert(stream);
            }
        }
        streams.into_values().map(|streams| streams.len()).collect()
    }

    /// The end of the data that `host` mapped, relative to its first byte, DATA_FIN included. There
    /// is no hole before it.
    pub(crate) fn mapped(&self, host: &str) -> u64 {
        let mut ranges: Vec<(u64, u64)> = Vec::new();
        for frame in self.frames[host].iter().filter(|frame| frame.is_sent()) {
            let Some(len) = frame.number("tcp.options.mptcp.datalvllen") else { continue };
            // Data in MP_CAPABLE is the first there is and says no number.
            let start = frame.number("mptcp.dss.dsn").unwrap_or(1);
            ranges.push((start, start + len));
        }
        ranges.sort_unstable();
        ranges.into_iter().fold(1, |end, (start, behind)| {
            assert!(start <= end, "{host} mapped nothing from {end} to {start}");
            end.max(behind)
        }) - 1
    }

    /// Compares the checksum of each mapping that `host` sent with one made of the captured bytes
    /// (RFC 8684 section 3.3.1); returns how many there were.
    pub(crate) fn assert_dss_checksums(&self, host: &str) -> usize {
        let mut streams = BTreeMap::<u64, Stream>::new();
        let sent = || self.frames[host].iter().filter(|frame| frame.is_sent());
        for frame in sent() {
            let (stream, seq) =
                (frame.number("tcp.stream").unwrap(), frame.number("tcp.seq_raw").unwrap());
            let stream = streams.entry(stream).or_insert(Stream { first: seq, bytes: Vec::new() });
            stream.add(seq, &frame.payload());
        }
        let mut checked = 0;
        // From the sender's key; options of version 0 have the lower half of numbers only.
        let idsn = sent().find_map(|frame| frame.number("mptcp.expected_idsn")).unwrap_or(0);
        for frame in sent() {
            let Some(dss) = Dss::of(frame, idsn) else { continue };
            let stream = &streams[&frame.number("tcp.stream").unwrap()];
            let sum = stream.dss_checksum(&dss);
            assert_eq!(sum, dss.checksum, "{host}: {:?}", frame.0);
            checked += 1;
        }
        checked
    }
}

/// A mapping with a checksum (RFC 8684 section 3.3, figure 9), read from the bytes of the option:
/// not every version of the dissector tells the checksum.
struct Dss {
    dsn: u64,
    ssn: u32,
    /// As the option says: a DATA_FIN counts.
    len: u16,
    fin: bool,
    checksum: u16,
}

impl Dss {
    /// `idsn` is a number of which the first one sent is less than 2^31 away.
    fn of(frame: &Frame, idsn: u64) -> Option<Self> {
        let options = frame.bytes("tcp.options");
        let mut rest = options.as_slice();
        let option = loop {
            match rest {
                [] | [0, ..] => return None,
                [1, behind @ ..] => rest = behind,
                [30, len, kind, ..] if kind >> 4 == 2 => break &rest[..usize::from(*len)],
                [_, len, ..] => rest = &rest[usize::from(*len)..],
                [_] => unreachable!("an option without length: {options:?}"),
            }
        };
        let flags = option[3];
        let ack = match flags & 3 {
            0 => 0,
            1 => 4,
            _ => 8,
        };
        // Only a mapping with a checksum is as long as this.
        let (at, width) = (4 + ack, if flags & 8 == 0 { 4 } else { 8 });
        let number = |at: usize, len: usize| {
            option[at..at + len].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
        };
        let dsn = || match width {
            4 => idsn + u64::from((number(at, 4) as u32).wrapping_sub(idsn as u32)),
            _ => number(at, 8),
        };
        let behind = at + width;
        (flags & 4 != 0 && option.len() == behind + 8).then(|| Self {
            dsn: dsn(),
            ssn: number(behind, 4) as u32,
            len: number(behind + 4, 2) as u16,
            fin: flags & 0x10 != 0,
            checksum: number(behind + 6, 2) as u16,
        })
    }
}

/// What one host sent on one subflow.
struct Stream {
    first: u64,
    bytes: Vec<u8>,
}

impl Stream {
    fn offset(&self, seq: u64) -> usize {
        (seq as u32).wrapping_sub(self.first as u32) as usize
    }

    fn add(&mut self, seq: u64, payload: &[u8]) {
        let at = self.offset(seq);
        if !payload.is_empty() {
            self.bytes.resize(self.bytes.len().max(at + payload.len()), 0);
            self.bytes[at..at + payload.len()].copy_from_slice(payload);
        }
    }

    /// The checksum that TCP's algorithm gives for the pseudo header and the data. Byte `ssn` of the
    /// subflow is `ssn` behind its SYN; a DATA_FIN has no byte.
    fn dss_checksum(&self, dss: &Dss) -> u16 {
        let mut bytes = dss.dsn.to_be_bytes().to_vec();
        bytes.extend(dss.ssn.to_be_bytes());
        bytes.extend(dss.len.to_be_bytes());
        bytes.extend([0; 2]);
        let (start, len) = (dss.ssn as usize, usize::from(dss.len) - usize::from(dss.fin));
        bytes.extend(self.bytes.get(start..start + len).unwrap_or_default());
        if bytes.len() % 2 == 1 {
            bytes.push(0);
        }
        let sum: u64 =
            bytes.chunks(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        let folded = (0..4).fold(sum, |sum, _| (sum >> 16) + (sum & 0xffff));
        !(folded as u16)
    }
}
