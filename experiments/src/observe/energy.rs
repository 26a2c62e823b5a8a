//! What the radios of interfaces have drawn (J. Huang et al., MobiSys 2012, section 4.2).

use mptcpsim_core::time::{Span, Time};
use mptcpsim_models::host::{Activity, World};

use super::interface_name;
use crate::plan::{HostId, Plan, RadioPlan};
use crate::results::EnergyRow;
use crate::scenario::RadioPower;

/// A row for each interface with a radio.
pub(super) fn rows(plan: &Plan, now: Time, world: &World) -> Vec<EnergyRow> {
    let radios = plan.radios.iter().zip(world.activities());
    radios.map(|(radio, activity)| row(plan, radio, activity, now)).collect()
}

fn row(plan: &Plan, radio: &RadioPlan, activity: &Activity, now: Time) -> EnergyRow {
    let RadioPlan { interface, power } = radio;
    let (spent, to_come) = (activity.until(now), activity.to_come(now));
    let joules = |mw: f64, time: Span| mw / 1e3 * time.as_secs_f64();
    let [sent, received] = activity.bytes.map(|bytes| 8.0 * bytes as f64 / 1e6);
    let RadioPower { upload_mw_per_mbps, download_mw_per_mbps, .. } = power;
    let row = EnergyRow {
        host: plan.hosts.get(interface.host.0).map_or(String::new(), |host| host.name.clone()),
        interface: interface_name(plan, *interface),
        active_s: (spent.active + to_come.active).as_secs_f64(),
        tail_s: (spent.tail + to_come.tail).as_secs_f64(),
        idle_s: spent.idle.as_secs_f64(),
        promotions: activity.promotions,
        sent_bytes: activity.bytes[0],
        received_bytes: activity.bytes[1],
        data_j: (upload_mw_per_mbps * sent + download_mw_per_mbps * received) / 1e3,
        active_j: joules(power.active_mw, spent.active + to_come.active),
        tail_j: joules(power.tail_mw, spent.tail + to_come.tail),
        promotion_j: joules(power.promotion_mw, power.promotion) * activity.promotions as f64,
        idle_j: joules(power.idle_mw, spent.idle),
        energy_j: 0.0,
    };
    let energy_j = row.data_j + row.active_j + row.tail_j + row.promotion_j + row.idle_j;
    EnergyRow { energy_j, ..row }
}

/// What a flow costs at one of its hosts: its part, by bytes, of what the radios there have drawn. `None` without
/// radios.
pub(super) fn of_host(plan: &Plan, rows: &[EnergyRow], host: HostId, part: f64) -> Option<f64> {
    let radios = plan.radios.iter().zip(rows);
    let there = radios.filter(|(radio, _)| radio.interface.host == host);
    there.map(|(_, row)| row.energy_j * part).reduce(|a, b| a + b)
}
