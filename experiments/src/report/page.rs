//! The page: what stands where. Every text goes through the escaping of the templates.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::Serialize;

use super::picture::picture;
use super::series::series;
use crate::explain::{ALL_BUSY, Explanation, Holdup, PathTimes};
use crate::plan::Plan;
use crate::results::{EventRow, Manifest, Row, Tables, header};
use crate::sweep::{SummaryLine, SweepManifest};

/// What a page holds of a long table; the rest stands in the CSV file.
const MOST_ROWS: usize = 400;
const MOST_EVENTS: usize = 20_000;
/// Flows that are explained one by one.
const MOST_EXPLAINED: usize = 10;
/// Letters of a scenario.
const MOST_TEXT: usize = 200_000;

const STYLE: &str = include_str!("../../assets/report/page.css");
const SCRIPT: &str = include_str!("../../assets/report/page.js");
const PLOT_STYLE: &str = include_str!("../../assets/uplot/uPlot.min.css");
const PLOT_SCRIPT: &str = include_str!("../../assets/uplot/uPlot.iife.min.js");
/// Nothing is fetched, whatever stands in the page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

/// The page of a run; without explanations it says that the run could not be repeated.
pub(super) fn run(
    plan: &Plan,
    manifest: &Manifest,
    tables: &Tables,
    plots: &[String],
    explanations: Option<&[Explanation]>,
) -> String {
    let sections = ["verdicts", "scenario", "time", "tables", "events", "counters", "again"];
    let facts = format!(
        "seed {}, {:.6} s simulated, {} flows, {} packet-hops, mptcpsim {}",
        manifest.seed, manifest.simulated_s, manifest.flows, manifest.packet_hops, manifest.version
    );
    let body = html! {
        h2 id="verdicts" { "Why it was no faster" }
        (verdicts(explanations))
        h2 id="scenario" { "The scenario" }
        (picture(plan))
        h2 id="time" { "Over time" }
        (over_time(tables))
        div.plots { @for plot in plots { (PreEscaped(plot)) } }
        h2 id="tables" { "Tables" }
        (table("summary", "Flows", &tables.summary))
        @if manifest.flows > 1 { (together(manifest)) }
        (table("subflows", "Subflows", &tables.subflows))
        (table("links", "Links", &tables.links))
        (table("energy", "Energy", &tables.energy))
        (table("requests", "Requests", &tables.requests))
        h2 id="events" { "Events" }
        (events(&tables.events))
        h2 id="counters" { "Counters" }
        (table("counter-rows", "By the names of the kernel", &tables.counters))
        h2 id="again" { "How to get the same again" }
        (again(plan, manifest))
    };
    page(&manifest.name, &facts, &sections, &body)
}

/// The page of a sweep.
pub(super) fn sweep(
    manifest: &SweepManifest,
    lines: &[SummaryLine],
    plots: &[String],
    scenario: &str,
) -> String {
    let failed = manifest.failed.unwrap_or(0);
    let facts = format!(
        "{} configurations, {} seeds each, {} runs, {failed} failed, mptcpsim {}",
        manifest.configurations, manifest.seeds, manifest.runs, manifest.version
    );
    let body = html! {
        h2 id="plots" { "Plots" }
        @if plots.is_empty() { p { "Nothing of it fits into a plot." } }
        div.plots { @for plot in plots { (PreEscaped(plot)) } }
        h2 id="summary" { "Summary" }
        p.faint { "Means over the seeds, with the 95 % confidence interval by Student's t." }
        (estimates(&manifest.keys, lines))
        h2 id="again" { "How to get the same again" }
        p {
            "Save the scenario below as " code { "scenario.toml" } " and run "
            code { "mptcpsim sweep scenario.toml" } " with mptcpsim " (manifest.version)
            ". The digest of scenario, files and design is " code { (manifest.digest) } "."
        }
        pre { (scenario) }
    };
    page(&manifest.name, &facts, &["plots", "summary", "again"], &body)
}

fn page(name: &str, facts: &str, sections: &[&str], body: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width";
                title { (name) " – mptcpsim" }
                style { (PreEscaped(PLOT_STYLE)) (PreEscaped(STYLE)) }
            }
            body {
                h1 { (name) }
                p.faint { (facts) }
                nav { @for section in sections { a href=(format!("#{section}")) { (section) } } }
                (body)
                script { (PreEscaped(PLOT_SCRIPT)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn verdicts(explanations: Option<&[Explanation]>) -> Markup {
    let Some(explanations) = explanations else {
        return html! {
            p {
                "These results come out differently when the scenario is run again: there were policies \
                 of one's own or real kernels, or another version made them. So nothing is explained."
            }
        };
    };
    html! {
        @for it in explanations.iter().take(MOST_EXPLAINED) {
            @let sentences = it.sentences();
            p { b { (it.headline().trim()) } }
            @if sentences.is_empty() { p { (ALL_BUSY) } }
            ul { @for sentence in sentences { li { (sentence) } } }
            (spent(it))
        }
        @if let Some(more) = explanations.len().checked_sub(MOST_EXPLAINED).filter(|more| *more > 0) {
            p.faint { (more) " more flows: " code { "mptcpsim explain" } " explains them." }
        }
    }
}

/// Where the time of each path went: a row for each path, with a column for what it waited for.
fn spent(it: &Explanation) -> Markup {
    let worth = |path: &PathTimes, holdup| it.share(path, holdup) >= 0.0005;
    let shown = Holdup::ALL
        .into_iter()
        .filter(|holdup| it.paths.iter().any(|path| worth(path, *holdup)))
        .collect::<Vec<_>>();
    html! {
        div.wide {
            table {
                thead {
                    tr {
                        th { "of the time" }
                        @for holdup in &shown { th.number { (holdup.name()) } }
                    }
                }
                tbody {
                    @for path in &it.paths {
                        tr {
                            td { (path.path) }
                            @for holdup in &shown {
                                td.number { (format!("{:.1} %", 100.0 * it.share(path, *holdup))) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn over_time(tables: &Tables) -> Markup {
    if tables.timeseries.is_empty() {
        return html! { p { "No time series were recorded." } };
    }
    let series = series(tables);
    html! {
        div.controls {
            label { "flow " select #flow {} }
            span #lines {}
            button #reset type="button" { "whole run" }
        }
        p.faint {
            "Drag across a plot to zoom into all of them; double-click to see the whole run. "
            @if series.step > 1 { "Each " (series.step) "th sample is shown. " }
            @if series.left_out > 0 { (series.left_out) " smaller flows are left out." }
        }
        div #charts {}
        (data("time-data", &series))
    }
}

fn events(rows: &[EventRow]) -> Markup {
    let time = |row: &EventRow| format!("{:.6}", row.time_s);
    let subflow = |row: &EventRow| row.subflow.map_or(String::new(), |number| number.to_string());
    let cells = rows.iter().take(MOST_EVENTS).map(|row| {
        let [host, connection] = [&row.host, &row.connection].map(String::clone);
        [time(row), host, connection, subflow(row), row.event.clone(), row.detail.clone()]
    });
    html! {
        div.controls {
            input #event-filter type="search" placeholder="words that must occur";
            select #event-kind { option value="" { "all kinds" } }
            span.faint #event-count {}
            button #event-more type="button" { "more" }
        }
        @if rows.len() > MOST_EVENTS {
            p.faint { "The first " (MOST_EVENTS) " of " (rows.len()) "; all are in events.csv." }
        }
        div.wide {
            table {
                thead {
                    tr { @for head in ["time (s)", "host", "flow", "subflow", "event", "detail"] { th { (head) } } }
                }
                tbody #event-rows {}
            }
        }
        (data("event-data", &cells.collect::<Vec<_>>()))
    }
}

fn again(plan: &Plan, manifest: &Manifest) -> Markup {
    // What was read from text can be written as text.
    let scenario = toml::to_string(&plan.resolved()).unwrap_or_default();
    let cut = scenario.char_indices().nth(MOST_TEXT).map_or(scenario.len(), |(at, _)| at);
    let files = plan.traces().into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    html! {
        p {
            "Save the scenario below as " code { "scenario.toml" }
            @if !files.is_empty() { " beside the files of the run that it names (" (files.join(", ")) ")" }
            " and run " code { "mptcpsim run scenario.toml" } " with mptcpsim " (manifest.version)
            ". Seed " (manifest.seed) " stands in it, and the digest of all results must be "
            code { (manifest.digest) } "."
        }
        pre { (&scenario[..cut]) }
        @if cut < scenario.len() { p.faint { "The rest stands in scenario.toml beside the tables." } }
    }
}

/// A table with the names of its CSV file; columns without any value are left out.
fn table<R: Row + Default>(id: &str, title: &str, rows: &[R]) -> Markup {
    let (heads, cells) = cells(&rows[..rows.len().min(MOST_ROWS)]);
    if cells.is_empty() {
        return html! {};
    }
    let used = (0..heads.len())
        .filter(|column| {
            cells.iter().any(|row| row.get(*column).is_some_and(|cell| !cell.is_empty()))
        })
        .collect::<Vec<_>>();
    let names = used.iter().filter_map(|column| heads.get(*column).map(String::as_str));
    let shown = cells.iter().map(|row| {
        used.iter().filter_map(|column| row.get(*column).map(|cell| short(cell))).collect()
    });
    html! {
        h3 { (title) }
        (grid(id, &names.collect::<Vec<_>>(), &shown.collect::<Vec<Vec<_>>>()))
        @if rows.len() > MOST_ROWS {
            p.faint {
                "The first " (MOST_ROWS) " of " (rows.len()) "; all are in " (R::TABLE.name()) ".csv."
            }
        }
    }
}

/// What all flows have together.
fn together(manifest: &Manifest) -> Markup {
    let rows = manifest.all_flows.iter();
    let rows = rows.map(|(name, value)| vec![name.clone(), short(&format!("{value:?}"))]);
    html! {
        h3 { "All flows together" }
        (grid("all-flows", &["metric", "value"], &rows.collect::<Vec<_>>()))
    }
}

fn estimates(keys: &[String], lines: &[SummaryLine]) -> Markup {
    let tail = ["flow", "metric", "n", "mean", "± 95 %", "sd"];
    let heads = keys.iter().map(String::as_str).chain(tail).collect::<Vec<_>>();
    let number = |value: Option<f64>| value.map_or(String::new(), |it| short(&format!("{it:?}")));
    let rows = lines.iter().take(10 * MOST_ROWS).map(|line| {
        let it = line.estimate;
        let mut row = line.values.clone();
        row.extend([line.flow.clone(), line.metric.clone(), it.n.to_string()]);
        row.extend([Some(it.mean), it.ci95, it.sd].map(number));
        row
    });
    html! {
        (grid("estimates", &heads, &rows.collect::<Vec<_>>()))
        @if lines.len() > 10 * MOST_ROWS {
            p.faint { "The first " (10 * MOST_ROWS) " of " (lines.len()) "; all are in summary.csv." }
        }
    }
}

/// A table with a filter for its rows.
fn grid(id: &str, heads: &[&str], rows: &[Vec<String>]) -> Markup {
    let is_number = |text: &String| text.is_empty() || text.parse::<f64>().is_ok();
    let number = |column: usize| rows.iter().all(|row| row.get(column).is_none_or(is_number));
    let classes = (0..heads.len())
        .map(|column| if number(column) { "number" } else { "text" })
        .collect::<Vec<_>>();
    html! {
        @if rows.len() > 10 {
            div.controls {
                input type="search" data-table=(id) placeholder="words that must occur";
            }
        }
        div.wide {
            table id=(id) {
                thead { tr { @for (head, class) in heads.iter().zip(&classes) { th class=(class) { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (cell, class) in row.iter().zip(&classes) { td class=(class) { (cell) } } }
                    }
                }
            }
        }
    }
}

/// The cells of rows as their CSV file has them, the names of the columns first.
fn cells<R: Row + Default>(rows: &[R]) -> (Vec<String>, Vec<Vec<String>>) {
    let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let heads = header::<R>().map(|record| texts(&record)).unwrap_or_default();
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    // Memory takes every row.
    let _ = rows.iter().try_for_each(|row| writer.serialize(row));
    let text = writer.into_inner().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
    let cells = reader.records().flatten().map(|record| texts(&record)).collect();
    (heads, cells)
}

/// Numbers with a fraction are shown with six digits; everything else as it is.
fn short(cell: &str) -> String {
    match cell.parse::<f64>() {
        Ok(value) if cell.contains('.') && value.is_finite() => {
            let digits = match value.abs() {
                large if large >= 1e5 => 0,
                middle if middle >= 1.0 => 3,
                _ => 6,
            };
            let text = format!("{value:.digits$}");
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
        _ => cell.to_owned(),
    }
}

/// Data for the script. No text in it can end the element that it stands in.
fn data(id: &str, value: &impl Serialize) -> Markup {
    let json = serde_json::to_string(value).unwrap_or_default().replace('<', "\\u003c");
    html! { script type="application/json" id=(id) { (PreEscaped(json)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_place() {
        let evil = "</script><script>alert(1)</script>";
        let row = EventRow { event: evil.into(), host: evil.into(), ..EventRow::default() };
        let page = page(evil, evil, &[], &events(&[row]));
        assert_eq!(page.matches("<script").count(), 3, "the data and both scripts");
        assert!(!page.contains("alert(1)</script>"));
    }

    #[test]
    fn numbers_are_short_and_the_rest_stays() {
        let shown = ["12345678.9", "1.5", "0.00012345678", "17", "phone", ""].map(short);
        assert_eq!(shown, ["12345679", "1.5", "0.000123", "17", "phone", ""]);
    }
}
