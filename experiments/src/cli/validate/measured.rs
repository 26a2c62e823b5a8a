//! Simulations beside what was measured on a kernel elsewhere.

use mptcpsim::validate::reference::{Measured, Reference, ReferenceError};
use mptcpsim::validate::{Comparison, headline};
use rayon::prelude::*;

use super::{Failure, Report, ValidateArgs, cells, print, summary, table};

/// Scenarios between two looks at the screen.
const AT_ONCE: usize = 8;

/// A scenario, what came out, and metrics that are listed as misses but agree.
struct Compared<'a> {
    measured: &'a Measured,
    rows: Vec<Comparison>,
    stale: Vec<String>,
}

pub(super) fn run(reference: &Reference, args: &ValidateArgs) -> Result<Report, Failure> {
    let scenarios = reference.scenarios().map_err(Failure::failed)?;
    let wanted: Vec<_> = scenarios.iter().filter(|it| args.wants(&it.name)).collect();
    if wanted.is_empty() {
        return Err(args.nothing_wanted());
    }
    let mut all = Vec::new();
    for some in wanted.chunks(AT_ONCE) {
        let done = some.par_iter().map(|measured| Compared::new(measured));
        for compared in done.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)? {
            print(&compared.text(!args.only.is_empty()))?;
            all.push(compared);
        }
    }
    let total = Total::of(&all);
    print(&format!("\n{}{}\n", misses(&all), total.text(reference)))?;
    let markdown = markdown(reference, &all, &total);
    let rows = all.into_iter().flat_map(|compared| compared.rows).collect();
    Ok(Report { rows, markdown, failed: total.unexpected() })
}

impl<'a> Compared<'a> {
    fn new(measured: &'a Measured) -> Result<Self, ReferenceError> {
        let rows = measured.compare()?;
        let stale = measured.stale(&rows).map(|metric| format!("{},{metric}", measured.name));
        Ok(Self { measured, stale: stale.collect(), rows })
    }

    fn agreeing(&self) -> usize {
        self.rows.iter().filter(|row| row.agrees).count()
    }

    /// All values, or one line.
    fn text(&self, all: bool) -> String {
        if all {
            return format!("{}\n{}\n", self.measured.about, table(&self.rows));
        }
        let [name, simulated, kernel, values] = self.line();
        format!("{name:<30} {simulated:>18} {kernel:>18}   {values} agree\n")
    }

    /// Its name, both sides of what says the most, and how many values agree.
    fn line(&self) -> [String; 4] {
        let [simulated, kernel] = headline(&self.rows)
            .map_or_else(Default::default, |head| [head.simulated(), head.kernel()]);
        let values = format!("{} of {}", self.agreeing(), self.rows.len());
        [self.measured.name.clone(), simulated, kernel, values]
    }

    fn misses(&self) -> impl Iterator<Item = &Comparison> {
        self.rows.iter().filter(|row| !row.agrees)
    }
}

/// What differs, from all scenarios.
fn misses(all: &[Compared<'_>]) -> String {
    let heads = ["scenario", "metric", "simulated", "kernel", "tolerance", ""];
    let mut table = summary::table(&heads, 2..5);
    for row in all.iter().flat_map(Compared::misses) {
        let [metric, simulated, kernel, tolerance, verdict] = cells(row);
        table.add_row([row.scenario.clone(), metric, simulated, kernel, tolerance, verdict]);
    }
    if table.is_empty() { String::new() } else { summary::finished(&table, 0, "") + "\n" }
}

/// Counts over all scenarios.
struct Total {
    scenarios: usize,
    whole: usize,
    values: usize,
    agreeing: usize,
    unlisted: Vec<String>,
    stale: Vec<String>,
}

impl Total {
    fn of(all: &[Compared<'_>]) -> Self {
        let unlisted = all.iter().flat_map(Compared::misses).filter(|row| row.cause.is_none());
        Self {
            scenarios: all.len(),
            whole: all.iter().filter(|it| it.agreeing() == it.rows.len()).count(),
            values: all.iter().map(|it| it.rows.len()).sum(),
            agreeing: all.iter().map(Compared::agreeing).sum(),
            unlisted: unlisted.map(|row| format!("{},{}", row.scenario, row.metric)).collect(),
            stale: all.iter().flat_map(|it| it.stale.iter().cloned()).collect(),
        }
    }

    fn text(&self, reference: &Reference) -> String {
        format!(
            "{}: {} of {} scenarios agree in every value, {} of {} values agree.",
            reference.kernel, self.whole, self.scenarios, self.agreeing, self.values
        )
    }

    /// What the list of misses does not say.
    fn unexpected(&self) -> Option<String> {
        let said = |what: &str, which: &[String]| {
            (!which.is_empty()).then(|| format!("{what}: {}", which.join(" ")))
        };
        let said = [
            said("differ and are not listed", &self.unlisted),
            said("listed, but agree", &self.stale),
        ];
        let said: Vec<_> = said.into_iter().flatten().collect();
        (!said.is_empty()).then(|| said.join("\n"))
    }
}

fn markdown(reference: &Reference, all: &[Compared<'_>], total: &Total) -> String {
    let metric = all.iter().find_map(|it| headline(&it.rows)).map_or("", |row| &row.metric);
    let mut text = format!(
        "{}\n\n| scenario | | {metric}, simulated | kernel | values that agree |\n|---|---|---|---|---|\n",
        total.text(reference)
    );
    for compared in all {
        let [name, simulated, kernel, values] = compared.line();
        let about = &compared.measured.about;
        text += &format!("| {name} | {about} | {simulated} | {kernel} | {values} |\n");
    }
    text +=
        "\n| scenario | metric | simulated | kernel | tolerance | |\n|---|---|---|---|---|---|\n";
    for row in all.iter().flat_map(Compared::misses) {
        text += &format!("| {} | {} |\n", row.scenario, cells(row).join(" | "));
    }
    text
}
