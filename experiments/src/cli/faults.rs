//! Faults of a scenario as text for people: the line, what is wrong with it, what would be right.

use std::fmt;
use std::io::IsTerminal;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode,
};
use mptcpsim::check::{Fault, Faults};

/// More faults than anybody reads at once.
const MOST_SHOWN: usize = 25;
/// The width of messages that do not go to a terminal.
const WIDTH: usize = 100;

/// All faults, each with the line it is in.
pub(super) fn render(faults: &Faults) -> String {
    let theme = if std::io::stderr().is_terminal() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(WIDTH)
        .with_links(false)
        .with_context_lines(1);
    let mut text = String::new();
    for fault in faults.iter().take(MOST_SHOWN) {
        // Rendering into a string cannot fail.
        let _ = handler.render_report(&mut text, &Report::of(fault));
        text.push('\n');
    }
    let count = faults.count();
    let more = count.saturating_sub(MOST_SHOWN);
    let plural = if count == 1 { "fault" } else { "faults" };
    text.push_str(&match more {
        0 => format!("{count} {plural}"),
        more => format!("{count} {plural}, {more} of them not shown"),
    });
    text
}

/// A fault in the form that miette renders.
#[derive(Debug)]
struct Report<'a> {
    fault: &'a Fault,
    source: NamedSource<String>,
}

impl<'a> Report<'a> {
    fn of(fault: &'a Fault) -> Self {
        let text = &fault.place.text;
        Self { fault, source: NamedSource::new(&text.name, text.text.clone()) }
    }

    fn has_text(&self) -> bool {
        !self.fault.place.text.text.is_empty()
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_text() {
            write!(f, "{}: ", self.fault.place.text.name)?;
        }
        self.fault.fmt(f)
    }
}

impl std::error::Error for Report<'_> {}

impl Diagnostic for Report<'_> {
    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.fault.problem.help().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.has_text().then_some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.fault.place.span.clone();
        let label = LabeledSpan::new(None, span.start, span.len());
        self.has_text().then(|| Box::new(std::iter::once(label)) as Box<_>)
    }
}
