//! The scenario drawn as a picture: hosts at both ends, and between them each path with what stands on it.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use mptcpsim_core::units::Rate;

use crate::plan::{DirectionPlan, HostId, LinkId, LinkPlan, PathPlan, Plan, Station};
use crate::plot::short;

/// More paths than a reader follows.
const MOST_PATHS: usize = 12;
/// Sizes of things and gaps, in points.
const HOST: i64 = 110;
const STATION: i64 = 172;
const GAP: i64 = 26;
const BOX: i64 = 40;
const ROW: i64 = 74;

/// A box on a path, or at its ends.
struct Box {
    x: i64,
    y: i64,
    width: i64,
    height: i64,
    lines: [String; 2],
    fill: &'static str,
    frame: &'static str,
}

/// The picture as SVG, with what is not drawn said below.
pub(super) fn picture(plan: &Plan) -> Markup {
    let drawn = &plan.paths[..plan.paths.len().min(MOST_PATHS)];
    let stations = drawn.iter().map(|path| path.via.len()).max().unwrap_or(0);
    let middle = i64::try_from(stations).unwrap_or(0) * (STATION + GAP) + GAP;
    let groups = groups(drawn);
    let rows = drawn.len() as i64;
    let height = rows * ROW + groups.len() as i64 * GAP;
    let width = 2 * HOST + middle;
    let shared = shared(drawn);
    html! {
        // Where the page has no style for them, texts look like this.
        svg.scenario viewBox=(format!("0 0 {width} {height}")) width=(width) role="img"
            aria-label="The paths of the scenario" font-family="sans-serif" font-size="13" {
            @for (index, (_, paths)) in groups.iter().enumerate() {
                (group(plan, paths, top(&groups, index), middle, &shared))
            }
        }
        @if plan.paths.len() > drawn.len() {
            p.faint {
                (plan.paths.len() - drawn.len()) " more paths are not drawn: "
                (plan.hosts.len()) " hosts and " (plan.links.len()) " links altogether."
            }
        }
        @if !shared.is_empty() {
            p.faint { "Links in orange are shared by several of these paths." }
        }
    }
}

/// Paths with the same two hosts, in order.
fn groups(paths: &[PathPlan]) -> Vec<([HostId; 2], Vec<&PathPlan>)> {
    let mut groups: Vec<([HostId; 2], Vec<&PathPlan>)> = Vec::new();
    for path in paths {
        let hosts = path.ends.map(|end| end.host);
        match groups.iter_mut().find(|(of, _)| *of == hosts) {
            Some((_, group)) => group.push(path),
            None => groups.push((hosts, vec![path])),
        }
    }
    groups
}

fn top(groups: &[([HostId; 2], Vec<&PathPlan>)], index: usize) -> i64 {
    let above = groups.iter().take(index);
    above.map(|(_, paths)| paths.len() as i64 * ROW + GAP).sum()
}

/// Links of more than one path.
fn shared(paths: &[PathPlan]) -> BTreeSet<LinkId> {
    let mut uses = BTreeMap::<LinkId, usize>::new();
    for link in paths.iter().flat_map(PathPlan::links) {
        *uses.entry(link).or_default() += 1;
    }
    uses.into_iter().filter(|(_, uses)| *uses > 1).map(|(link, _)| link).collect()
}

fn group(
    plan: &Plan,
    paths: &[&PathPlan],
    top: i64,
    middle: i64,
    shared: &BTreeSet<LinkId>,
) -> Markup {
    let height = paths.len() as i64 * ROW - (ROW - BOX);
    let Some(first) = paths.first() else { return html! {} };
    let host = |side: usize, x: i64| Box {
        x,
        y: top + ROW - BOX,
        width: HOST,
        height,
        lines: host_lines(plan, first.ends[side].host),
        fill: "#e8f1f8",
        frame: "#0072b2",
    };
    html! {
        (boxed(&host(0, 0)))
        (boxed(&host(1, HOST + middle)))
        @for (row, path) in paths.iter().enumerate() {
            (line(plan, path, top + row as i64 * ROW + ROW - BOX, middle, shared))
        }
    }
}

fn line(plan: &Plan, path: &PathPlan, y: i64, middle: i64, shared: &BTreeSet<LinkId>) -> Markup {
    let ends = path.ends.map(|end| {
        let host = plan.hosts.get(end.host.0);
        host.and_then(|host| host.interfaces.get(end.interface)).map_or("", |it| &it.name)
    });
    let room = middle - path.via.len() as i64 * STATION;
    let gap = room / (path.via.len() as i64 + 1);
    let y_line = y + BOX / 2;
    html! {
        line x1=(HOST) y1=(y_line) x2=(HOST + middle) y2=(y_line) stroke="#888" stroke-width="2" {}
        text x=(HOST + 4) y=(y - 7) { (path.name) }
        text.small font-size="11" x=(HOST + middle - 4) y=(y - 7) text-anchor="end" { (ends[0]) " – " (ends[1]) }
        @for (place, station) in path.via.iter().enumerate() {
            (boxed(&on_path(plan, *station, HOST + gap + place as i64 * (STATION + gap), y, shared)))
        }
    }
}

fn on_path(plan: &Plan, station: Station, x: i64, y: i64, shared: &BTreeSet<LinkId>) -> Box {
    let (lines, fill, frame) = match station {
        Station::Link(id) | Station::Reversed(id) => {
            let frame = if shared.contains(&id) { "#e69f00" } else { "#888" };
            (plan.links.get(id.0).map(link_lines).unwrap_or_default(), "#fff", frame)
        }
        Station::Middlebox(id) => {
            let name = plan.middleboxes.get(id.0).map_or("", |it| &it.name);
            ([name.to_owned(), "middlebox".to_owned()], "#f9e9f2", "#cc79a7")
        }
    };
    Box { x, y, width: STATION, height: BOX, lines, fill, frame }
}

fn boxed(it: &Box) -> Markup {
    let (centre, middle) = (it.x + it.width / 2, it.y + it.height / 2);
    html! {
        rect x=(it.x + 1) y=(it.y) width=(it.width - 2) height=(it.height) rx="5" fill=(it.fill) stroke=(it.frame) stroke-width="2" {}
        text x=(centre) y=(middle - 3) text-anchor="middle" { (it.lines[0]) }
        text.small font-size="11" x=(centre) y=(middle + 13) text-anchor="middle" { (it.lines[1]) }
    }
}

fn host_lines(plan: &Plan, host: HostId) -> [String; 2] {
    let host = plan.hosts.get(host.0);
    host.map(|host| [host.name.clone(), host.stack.name().to_owned()]).unwrap_or_default()
}

fn link_lines(link: &LinkPlan) -> [String; 2] {
    let (up, down) = (rate(&link.up), rate(&link.down));
    let rate = if up == down { up } else { format!("↑ {up} ↓ {down}") };
    let delay = 1e3 * link.down.config.delay.as_secs_f64();
    let lossy = link.up.described.loss.is_some() || link.down.described.loss.is_some();
    let loss = if lossy { ", loss" } else { "" };
    [link.name.clone(), format!("{rate}, {} ms{loss}", short(&delay))]
}

/// The mean rate as people say it.
fn rate(direction: &DirectionPlan) -> String {
    let rate = direction.config.capacity.mean_rate();
    rate.map_or("unlimited".to_owned(), |rate: Rate| match rate.as_bps() as f64 {
        bps if bps >= 1e9 => format!("{} Gbit/s", short(&(bps / 1e9))),
        bps if bps >= 1e6 => format!("{} Mbit/s", short(&(bps / 1e6))),
        bps => format!("{} kbit/s", short(&(bps / 1e3))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::shipped;

    fn drawn(name: &str) -> String {
        let plan = check(&shipped::find(name).unwrap().source(), &[]).unwrap();
        picture(&plan).into_string()
    }

    #[test]
    fn hosts_links_and_boxes_are_named() {
        let svg = drawn("wifi-lte");
        for word in ["phone", "server", "wifi", "lte", "Mbit/s", " ms"] {
            assert!(svg.contains(word), "{word}: {svg}");
        }
        assert!(drawn("middleboxes").contains("middlebox"));
        assert!(drawn("fattree").contains("more paths are not drawn"));
    }
}
