//! A host of the scenario that is a real kernel: a namespace, a device for each interface, and
//! the process with its sockets.

use std::io::{self, BufRead, BufReader, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mptcpsim_core::time::Time;
use mptcpsim_models::host::{Delivered, HostChange};
use mptcpsim_models::mptcp_keys::Version;
use mptcpsim_models::wire::{self, IpFields, Parsed};
use tun_rs::{DeviceBuilder, SyncDevice};

use super::clock::WallClock;
use super::namespace::{self, Namespace};
use super::peer::{Report, Task};
use super::subflows::{SAMPLE, Subflows};
use super::{LiveError, settings};
use crate::launcher::Launcher;
use crate::plan::Plan;
use crate::results::{SubflowRow, TimeseriesRow};

/// How long a process may take to listen, and to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the checksum is in a TCP header.
const CHECKSUM: usize = 16;

/// The options of `ss`.
const SOCKETS: &[&str] = &["-tiMnae"];

/// A host that is a real kernel.
pub(super) struct KernelHost {
    /// Its number in the plan.
    pub(super) number: usize,
    devices: Vec<SyncDevice>,
    /// Which device has which address.
    addresses: Vec<(IpAddr, usize)>,
    /// What could not be set.
    pub(super) problems: Vec<String>,
    /// Packets that the kernel sent and that are no TCP.
    pub(super) ignored: u64,
    /// The identification of the next packet.
    id: u16,
    packet: Vec<u8>,
    peer: Option<Peer>,
    listings: Arc<Mutex<String>>,
    /// What its packets tell.
    pub(super) subflows: Subflows,
    /// What `ss` has printed at the times of samples.
    samples: Arc<Mutex<Vec<(Time, String)>>>,
    // Last, so that the devices go before their namespace.
    namespace: Namespace,
}

/// The process with the sockets.
struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    reports: Receiver<Report>,
    gone: bool,
}

impl KernelHost {
    /// Makes the namespace of host `number` with all that the plan says of the host.
    pub(super) fn new(plan: &Arc<Plan>, number: usize) -> Result<Self, LiveError> {
        let namespace = Namespace::new()?;
        let host = plan.hosts.get(number).ok_or(LiveError::Gone)?;
        let checked = Arc::clone(plan);
        let problems: Result<_, LiveError> = namespace.run(move || {
            settings::check_congestion_controls(&checked, number)?;
            Ok(settings::set_sysctls(&checked, number))
        })?;
        let mut devices = Vec::new();
        let mut addresses = Vec::new();
        for (index, interface) in host.interfaces.iter().enumerate() {
            let name = settings::device(host, index);
            devices.push(namespace.run(move || device(name))??);
            addresses.extend(interface.addresses.iter().map(|address| (*address, index)));
        }
        namespace.ip(settings::ip_commands(plan, number))?;
        Ok(Self {
            number,
            devices,
            addresses,
            problems: problems?,
            ignored: 0,
            id: 0,
            packet: Vec::new(),
            peer: None,
            listings: Arc::default(),
            subflows: Subflows::new(Arc::clone(plan), number),
            samples: Arc::default(),
            namespace,
        })
    }

    /// Starts the process that does `task`; it listens when this returns.
    pub(super) fn start(&mut self, launcher: &Launcher, task: &Task) -> Result<(), LiveError> {
        let mut command = launcher.command();
        let mut child = self.namespace.run(move || {
            command.arg("live-peer").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
        })??;
        let (mut input, output) = (child.stdin.take(), child.stdout.take());
        let (said, reports) = channel();
        let (ready, listening) = channel();
        std::thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            for line in lines.map_while(Result::ok) {
                if line == "\"ready\"" {
                    let _ = ready.send(());
                } else if let Ok(report) = serde_json::from_str(&line) {
                    let _ = said.send(report);
                }
            }
        });
        if let Some(input) = &mut input {
            writeln!(input, "{}", serde_json::to_string(task).unwrap_or_default())?;
        }
        self.peer = Some(Peer { child, input, reports, gone: false });
        listening.recv_timeout(PATIENCE).map_err(|_| LiveError::Peer)
    }

    /// Tells the process when time zero was.
    pub(super) fn go(&mut self, clock: WallClock) -> Result<(), LiveError> {
        if let Some(input) = self.peer.as_mut().and_then(|peer| peer.input.as_mut()) {
            writeln!(input, "{}", clock.zero_ns())?;
        }
        Ok(())
    }

    /// What the process has reported since the last call.
    pub(super) fn reports(&mut self) -> Vec<Report> {
        let Some(peer) = &mut self.peer else { return Vec::new() };
        let mut reports = Vec::new();
        loop {
            match peer.reports.try_recv() {
                Ok(report) => reports.push(report),
                Err(TryRecvError::Empty) => return reports,
                Err(TryRecvError::Disconnected) => {
                    peer.gone = true;
                    return reports;
                }
            }
        }
    }

    /// Ends the process and gives what it still reports, of connections that are not over too.
    pub(super) fn stop(&mut self) -> Vec<Report> {
        let Some(peer) = &mut self.peer else { return Vec::new() };
        drop(peer.input.take());
        std::iter::from_fn(|| peer.reports.recv_timeout(PATIENCE).ok()).collect()
    }

    /// The process has ended, and all its reports were taken.
    pub(super) fn is_done(&self) -> bool {
        self.peer.as_ref().is_none_or(|peer| peer.gone)
    }

    /// The devices, to wait for.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.devices.iter().map(AsFd::as_fd)
    }

    /// Gives the kernel a packet.
    pub(super) fn deliver(&mut self, delivered: &Delivered) -> Result<(), LiveError> {
        let local = delivered.tuple.dst.ip();
        let Some((_, index)) = self.addresses.iter().find(|(address, _)| *address == local) else {
            return Ok(());
        };
        self.id = self.id.wrapping_add(1);
        self.subflows.packet(delivered.at, false, delivered.tuple, &delivered.segment);
        let fields = IpFields { id: self.id, ..IpFields::default() };
        self.packet.clear();
        let Delivered { tuple, segment, .. } = delivered;
        let whole = usize::MAX;
        wire::emit_snapped(*tuple, segment, fields, Version::V1, whole, &mut self.packet)?;
        if delivered.damaged {
            let header = if local.is_ipv4() { 20 } else { 40 };
            self.packet.iter_mut().skip(header + CHECKSUM).take(1).for_each(|byte| *byte ^= 1);
        }
        match self.devices[*index].send(&self.packet) {
            Ok(_) => Ok(()),
            // As a real interface that is down: the packet is lost.
            Err(error) if error.raw_os_error() == Some(nix::libc::EIO) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next packet that the kernel has sent.
    pub(super) fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<Parsed>, LiveError> {
        for index in 0..self.devices.len() {
            loop {
                let count = match self.devices[index].recv(buffer) {
                    Ok(count) => count,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error.into()),
                };
                match buffer.get(..count).map(|bytes| wire::parse(bytes, Version::V1)) {
                    Some(Ok(parsed)) if parsed.checksum_holds == Some(true) => {
                        return Ok(Some(parsed));
                    }
                    _ => self.ignored += 1,
                }
            }
        }
        Ok(None)
    }

    /// Changes the kernel's settings as the timeline says; does not wait.
    pub(super) fn change(&self, plan: &Plan, change: &HostChange) -> Result<(), LiveError> {
        let commands = settings::change_commands(plan, self.number, change);
        self.namespace.start(move || {
            if let Err(error) = namespace::ip(&commands) {
                eprintln!("warning: {error}");
            }
        })
    }

    /// What `nstat -az` prints.
    pub(super) fn counters(&self) -> Result<String, LiveError> {
        self.namespace.output("nstat", &["-az"])
    }

    /// Lists the sockets soon, as `ss -tiM` prints them; does not wait.
    pub(super) fn list(&self, at: Time) -> Result<(), LiveError> {
        let listings = Arc::clone(&self.listings);
        self.namespace.start(move || {
            let text = match namespace::output("ss", SOCKETS) {
                Ok(text) => format!("at {:.3} s\n{text}\n", at.as_secs_f64()),
                Err(error) => format!("{error}\n"),
            };
            if let Ok(mut listings) = listings.lock() {
                listings.push_str(&text);
            }
        })
    }

    /// Samples windows and round-trip times of subflows; does not wait.
    pub(super) fn sample(&mut self, now: Time) -> Result<(), LiveError> {
        self.subflows.sample(now);
        let samples = Arc::clone(&self.samples);
        self.namespace.start(move || {
            if let (Ok(text), Ok(mut samples)) = (namespace::output("ss", SAMPLE), samples.lock()) {
                samples.push((now, text));
            }
        })
    }

    /// The rows of its subflows, in the end and over time.
    pub(super) fn rows(&self) -> (Vec<SubflowRow>, Vec<TimeseriesRow>) {
        let samples = self.samples.lock().map(|samples| samples.clone()).unwrap_or_default();
        self.subflows.rows(&samples)
    }

    /// All listings so far, and one of now.
    pub(super) fn sockets(&self) -> Result<String, LiveError> {
        let last = self.namespace.output("ss", SOCKETS)?;
        let before = self.listings.lock().map(|text| text.clone()).unwrap_or_default();
        Ok(format!("{before}at the end\n{last}"))
    }
}

impl Drop for KernelHost {
    fn drop(&mut self) {
        if let Some(mut peer) = self.peer.take() {
            drop(peer.input.take());
            // It may have ended by itself.
            let _ = peer.child.kill();
            let _ = peer.child.wait();
        }
    }
}

fn device(name: String) -> Result<SyncDevice, LiveError> {
    let device = DeviceBuilder::new().name(name).build_sync().map_err(|error| {
        LiveError::Missing(format!("cannot make a TUN device (/dev/net/tun): {error}"))
    })?;
    device.set_nonblocking(true)?;
    Ok(device)
}
