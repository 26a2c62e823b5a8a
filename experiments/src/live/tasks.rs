//! What the processes on real kernels are to do: the flows of a plan, end by end.

use std::net::SocketAddr;

use mptcpsim_core::units::Bytes;
use mptcpsim_models::app::AppSpec;

use super::peer::{App, Connect, Listen, Options, Task};
use crate::build;
use crate::plan::{FlowEnd, FlowPlan, Plan};
use crate::scenario::Protocol;

/// The first flow whose application no process on a real kernel can play.
pub(super) fn unfit(plan: &Plan) -> Option<&FlowPlan> {
    plan.flows.iter().find(|flow| {
        flow.from.fast_open
            || flow.from.md5_key.is_some()
            || app(&build::apps(&flow.work).0).is_none()
    })
}

/// The task of host `number`.
pub(super) fn task(plan: &Plan, number: usize) -> Task {
    let mut task = Task::default();
    for (index, flow) in plan.flows.iter().enumerate() {
        let (client, server) = build::apps(&flow.work);
        let (Some(client), Some(server)) = (app(&client), app(&server)) else { continue };
        if flow.from.host.0 == number {
            task.connect.push(Connect {
                flow: index,
                at_ns: flow.start.as_ns(),
                from: flow.from.address,
                to: SocketAddr::new(flow.to.address, flow.port),
                socket: options(&flow.from),
                app: client,
                reads_after_ns: flow.reads_after.as_ns(),
            });
        }
        if flow.to.host.0 == number {
            let shared = task.listen.iter_mut().find(|listen| listen.port == flow.port);
            match shared {
                Some(listen) => listen.flows.push(index),
                None => task.listen.push(Listen {
                    flows: vec![index],
                    v6: flow.to.address.is_ipv6(),
                    port: flow.port,
                    socket: options(&flow.to),
                    app: server,
                    reads_after_ns: flow.reads_after.as_ns(),
                }),
            }
        }
    }
    task
}

fn options(end: &FlowEnd) -> Options {
    let bytes = |bytes: Option<Bytes>| bytes.and_then(|bytes| usize::try_from(bytes.get()).ok());
    Options {
        mptcp: end.protocol == Protocol::Mptcp,
        congestion_control: end.congestion_control.name.name().to_owned(),
        receive_buffer: bytes(end.receive_buffer),
        send_buffer: bytes(end.send_buffer),
    }
}

fn app(spec: &AppSpec) -> Option<App> {
    Some(match spec {
        AppSpec::Bulk { send, until, abort, .. } => App::Bulk {
            send: send.map(Bytes::get),
            until_ns: until.map(|until| until.as_ns()),
            abort: *abort,
        },
        AppSpec::Request { script, server_closes, .. } => {
            let (request, response, think) = script.exchange()?;
            App::Request {
                request: request.get(),
                response: response.get(),
                count: u32::try_from(script.count()).ok()?,
                think_ns: think.as_ns(),
                waits: *server_closes,
            }
        }
        AppSpec::Respond { script, close_after } => {
            let (request, response, _) = script.exchange()?;
            let (request, response) = (request.get(), response.get());
            App::Respond { request, response, close_after: close_after.map(u64::from) }
        }
        AppSpec::Messages { .. }
        | AppSpec::Play(_)
        | AppSpec::Serve
        | AppSpec::Custom(_)
        | AppSpec::Late { .. } => {
            return None;
        }
    })
}
