//! A network namespace without a name: it lives as long as its thread and what runs in it.
//!
//! On Linux a thread can be in a namespace of its own. What is to happen there is done by that
//! thread; processes that it starts are born there. When the thread ends and they are gone, the
//! kernel takes the namespace away with all its devices, however the program ended.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use nix::sched::{CloneFlags, unshare};

use super::LiveError;

type Job = Box<dyn FnOnce() + Send>;

/// A thread in a network namespace of its own.
#[derive(Debug)]
pub(super) struct Namespace {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Namespace {
    /// An empty namespace.
    pub(super) fn new() -> Result<Self, LiveError> {
        let (jobs, queue) = channel::<Job>();
        let (entered, result) = channel();
        let thread = std::thread::Builder::new().name("namespace".to_owned()).spawn(move || {
            let done = unshare(CloneFlags::CLONE_NEWNET);
            let failed = done.is_err();
            // The other side is there until it has received this.
            let _ = entered.send(done);
            if failed {
                return;
            }
            for job in queue {
                job();
            }
        })?;
        let namespace = Self { jobs: Some(jobs), thread: Some(thread) };
        match result.recv() {
            Ok(Ok(())) => Ok(namespace),
            Ok(Err(error)) => Err(LiveError::Missing(format!(
                "cannot make a network namespace: {error}; it takes root, or CAP_SYS_ADMIN and \
                 CAP_NET_ADMIN in a user namespace (`unshare --map-root-user --net`)"
            ))),
            Err(_) => Err(LiveError::Gone),
        }
    }

    /// Does something in the namespace and waits for the result.
    pub(super) fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, LiveError> {
        let (answer, result) = channel();
        self.start(move || {
            let _ = answer.send(job());
        })?;
        result.recv().map_err(|_| LiveError::Gone)
    }

    /// Has something done in the namespace, after what was asked for before.
    pub(super) fn start(&self, job: impl FnOnce() + Send + 'static) -> Result<(), LiveError> {
        let jobs = self.jobs.as_ref().ok_or(LiveError::Gone)?;
        jobs.send(Box::new(job)).map_err(|_| LiveError::Gone)
    }

    /// Has `ip` carry out these commands, one per line.
    pub(super) fn ip(&self, commands: String) -> Result<(), LiveError> {
        self.run(move || ip(&commands))?
    }

    /// What a program prints.
    pub(super) fn output(
        &self,
        program: &'static str,
        arguments: &'static [&str],
    ) -> Result<String, LiveError> {
        self.run(move || output(program, arguments))?
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported by then.
            let _ = thread.join();
        }
    }
}

/// What a program prints in the namespace of the calling thread.
pub(super) fn output(program: &str, arguments: &[&str]) -> Result<String, LiveError> {
    let output = Command::new(program).args(arguments).stderr(Stdio::null()).output();
    let output = output.map_err(|error| missing(program, &error))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `ip -batch -`, and what begins with `-6` in a second batch: a family is one of a batch.
pub(super) fn ip(commands: &str) -> Result<(), LiveError> {
    let of_v6 = commands.lines().filter_map(|line| line.strip_prefix("-6 ")).collect::<Vec<_>>();
    let rest = commands.lines().filter(|line| !line.starts_with("-6 ")).collect::<Vec<_>>();
    batch(&["-batch", "-"], &rest)?;
    batch(&["-6", "-batch", "-"], &of_v6)
}

fn batch(arguments: &[&str], commands: &[&str]) -> Result<(), LiveError> {
    if commands.is_empty() {
        return Ok(());
    }
    let commands = commands.join("\n") + "\n";
    let mut child = Command::new("ip")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| missing("ip", &error))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(commands.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LiveError::Missing(format!("`ip` refuses: {said}\n{commands}")))
}

fn missing(program: &str, error: &std::io::Error) -> LiveError {
    LiveError::Missing(format!("cannot run `{program}` (of iproute2): {error}"))
}
