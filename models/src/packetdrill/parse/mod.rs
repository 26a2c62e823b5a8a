//! From the text of a script to its value.
//!
//! ```text
//!   script ─► settings, events ─┬─► packet ─► options ─► mptcp
//!                               ├─► call           all of them made of lex's words
//!                               └─► python
//! ```
//!
//! Where a parser knows what must follow it cuts, so that the error names the
//! place and the thing, not the start of the event.

mod call;
mod lex;
mod mptcp;
mod options;
mod packet;
mod python;

use winnow::combinator::{alt, cut_err, delimited, eof, opt, peek, preceded, repeat};
use winnow::error::{ContextError, StrContext};
use winnow::prelude::*;
use winnow::token::{any, take_while};

pub(super) use self::python::arithmetic;

use self::lex::{Grammar, Input, expected, gap, quoted, seconds, symbol, token};
use super::script::{Action, Event, Position, Script, Setting, When};

/// How deep expressions may be nested.
const DEEPEST: u8 = 32;

/// Why a text is no script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: expected {expected}")]
pub struct ScriptError {
    /// Where.
    pub position: Position,
    /// What should have stood there.
    pub expected: String,
}

/// Reads a script.
pub(super) fn script(text: &str) -> Result<Script, ScriptError> {
    whole
        .parse(Input::new(text))
        .map_err(|error| ScriptError {
            position: Position::of(text, error.offset()),
            expected: what_was_expected(error.inner()),
        })
        .map(|(settings, events)| Script {
            settings: settings.into_iter().map(|setting| place_setting(text, setting)).collect(),
            events: events.into_iter().map(|event| place_event(text, event)).collect(),
        })
}

fn what_was_expected(error: &ContextError) -> String {
    let wanted = error.context().find_map(|context| match context {
        StrContext::Expected(value) => Some(value.to_string()),
        _ => None,
    });
    wanted.unwrap_or_else(|| "something else".to_owned())
}

/// A parsed thing with the range of bytes it was parsed from.
type Placed<T> = (T, std::ops::Range<usize>);

fn place_setting(text: &str, ((name, value), range): Placed<(&str, &str)>) -> Setting {
    Setting {
        name: name.to_owned(),
        value: value.to_owned(),
        position: Position::of(text, range.start),
    }
}

fn place_event(text: &str, ((when, action), range): Placed<(When, Placed<Action>)>) -> Event {
    let (action, source) = action;
    Event {
        when,
        action,
        position: Position::of(text, range.start),
        text: text.get(source).unwrap_or_default().trim_end().to_owned(),
    }
}

type Whole<'s> = (Vec<Placed<(&'s str, &'s str)>>, Vec<Placed<(When, Placed<Action>)>>);

fn whole<'s>(input: &mut Input<'s>) -> ModalResult<Whole<'s>> {
    gap.parse_next(input)?;
    let settings = repeat(0.., setting.with_span()).parse_next(input)?;
    let events = repeat(0.., event.with_span()).parse_next(input)?;
    eof.context(expected("an event: a time and what happens then")).parse_next(input)?;
    Ok((settings, events))
}

/// `--name=value`.
fn setting<'s>(input: &mut Input<'s>) -> ModalResult<(&'s str, &'s str)> {
    let name = take_while(1.., |c: char| c.is_ascii_alphanumeric() || c == '_');
    let plain = take_while(1.., |c: char| !c.is_whitespace() && c != '"' && c != '`').void();
    let text = alt((quoted_section('"'), quoted_section('`')));
    let value = repeat::<_, _, (), _, _>(1.., alt((plain, text))).take();
    preceded("--", (cut_err(name).context(expected("the name of a setting")), opt(('=', value))))
        .map(|(name, value)| (name, value.map_or("", |(_, value)| value)))
        .parse_next(input)
        .and_then(|setting| gap(input).map(|()| setting))
}

fn quoted_section<'s>(quote: char) -> impl Grammar<'s, ()> {
    delimited(quote, take_while(0.., move |c| c != quote), quote).void()
}

fn event(input: &mut Input<'_>) -> ModalResult<(When, Placed<Action>)> {
    // Commands in front of the first event and behind the last one have no time.
    let untimed = peek('`').value(When::Relative(mptcpsim_core::time::Span::ZERO));
    let when = alt((untimed, when)).parse_next(input)?;
    let action = cut_err(action.with_span()).parse_next(input)?;
    Ok((when, action))
}

fn when(input: &mut Input<'_>) -> ModalResult<When> {
    let until = |input: &mut Input<'_>| cut_err(seconds).parse_next(input);
    let relative = preceded(
        symbol("+"),
        (cut_err(seconds), opt(preceded((symbol("~"), opt(symbol("+"))), until))),
    )
    .map(|(from, to)| to.map_or(When::Relative(from), |to| When::RelativeRange(from, to)));
    let absolute = (seconds, opt(preceded(symbol("~"), until)))
        .map(|(from, to)| to.map_or(When::Absolute(from), |to| When::AbsoluteRange(from, to)));
    alt((symbol("*").value(When::Any), relative, absolute))
        .context(expected("a time"))
        .parse_next(input)
}

fn action(input: &mut Input<'_>) -> ModalResult<Action> {
    let first = peek(any::<_, winnow::error::ErrMode<ContextError>>)
        .context(expected("a packet, a system call, a command or code"))
        .parse_next(input)?;
    match first {
        '<' | '>' => packet::action.parse_next(input),
        '`' => quoted('`').map(|command| Action::Command(command.to_owned())).parse_next(input),
        '%' => token(delimited("%{", python::statements, "}%"))
            .context(expected("code between `%{` and `}%`"))
            .map(Action::Code)
            .parse_next(input),
        _ => call::call.map(Action::Call).parse_next(input),
    }
}

#[cfg(test)]
mod tests;
