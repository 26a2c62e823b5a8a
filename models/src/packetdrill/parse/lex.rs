//! The words of the script language: numbers, names, texts, and what lies between them.
//!
//! Every parser here takes the blanks and comments behind its word too, so
//! that whoever calls it stands before the next word.

use mptcpsim_core::time::Span;
use winnow::ascii::{digit1, hex_digit1, multispace1};
use winnow::combinator::{alt, cut_err, not, opt, preceded, repeat, terminated};
use winnow::error::{ContextError, StrContext, StrContextValue};
use winnow::prelude::*;
use winnow::stream::LocatingSlice;
use winnow::token::{any, take_till, take_until, take_while};

pub(super) type Input<'s> = LocatingSlice<&'s str>;

/// A parser of `O`.
pub(super) trait Grammar<'s, O>: ModalParser<Input<'s>, O, ContextError> {}
impl<'s, O, P: ModalParser<Input<'s>, O, ContextError>> Grammar<'s, O> for P {}

/// Says what should have stood where a parser failed.
pub(super) fn expected(what: &'static str) -> StrContext {
    StrContext::Expected(StrContextValue::Description(what))
}

/// Blanks and comments.
pub(super) fn gap(input: &mut Input<'_>) -> ModalResult<()> {
    let line = ("//", take_till(0.., '\n')).void();
    let block = ("/*", cut_err((take_until(0.., "*/"), "*/")).context(expected("`*/`"))).void();
    repeat(0.., alt((multispace1.void(), line, block))).parse_next(input)
}

/// `parser`, then a gap.
pub(super) fn token<'s, O>(parser: impl Grammar<'s, O>) -> impl Grammar<'s, O> {
    terminated(parser, gap)
}

/// A mark such as `,`.
pub(super) fn symbol<'s>(text: &'static str) -> impl Grammar<'s, ()> {
    token(text.void()).context(StrContext::Expected(StrContextValue::StringLiteral(text)))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Letters, digits and underscores.
pub(super) fn word<'s>(input: &mut Input<'s>) -> ModalResult<&'s str> {
    token(take_while(1.., is_word)).context(expected("a word")).parse_next(input)
}

/// A word that does not start with a digit.
pub(super) fn name<'s>(input: &mut Input<'s>) -> ModalResult<&'s str> {
    word.verify(|word: &str| !word.starts_with(|c: char| c.is_ascii_digit()))
        .context(expected("a name"))
        .parse_next(input)
}

/// The word `text`.
pub(super) fn keyword<'s>(text: &'static str) -> impl Grammar<'s, ()> {
    token(terminated(text, not(take_while(1.., is_word))).void())
        .context(StrContext::Expected(StrContextValue::StringLiteral(text)))
}

/// `text=`.
pub(super) fn assigned<'s>(text: &'static str) -> impl Grammar<'s, ()> {
    (keyword(text), symbol("=")).void()
}

/// A decimal or hexadecimal number, perhaps negative; of 64 bits.
pub(super) fn integer(input: &mut Input<'_>) -> ModalResult<i64> {
    let hex = preceded("0x", hex_digit1).try_map(|digits| u64::from_str_radix(digits, 16));
    let hex = hex.map(|value| value as i64);
    let signed = (opt('-'), digit1).take().try_map(str::parse::<i64>);
    let large = digit1.try_map(str::parse::<u64>).map(|value| value as i64);
    let decimal = alt((signed, large));
    token(terminated(alt((hex, decimal)), not(take_while(1.., is_word))))
        .context(expected("an integer"))
        .parse_next(input)
}

/// A number that fits `T`.
pub(super) fn number<'s, T: TryFrom<i64>>(what: &'static str) -> impl Grammar<'s, T> {
    integer.verify_map(|value| T::try_from(value).ok()).context(expected(what))
}

/// Seconds, perhaps with a fraction.
pub(super) fn seconds(input: &mut Input<'_>) -> ModalResult<Span> {
    let fraction = || preceded('.', digit1);
    let whole = (digit1, opt(fraction()));
    let tiny = fraction().map(|fraction| ("0", Some(fraction)));
    token(alt((whole, tiny)))
        .verify_map(|(whole, fraction): (&str, Option<&str>)| span(whole, fraction.unwrap_or("")))
        .context(expected("a time in seconds"))
        .parse_next(input)
}

/// Decimal seconds as a span; digits beyond picoseconds do not count.
fn span(whole: &str, fraction: &str) -> Option<Span> {
    const PER_SECOND: u64 = 1_000_000_000_000;
    // Longer than any script lasts, and far from where adding to it overflows.
    const LONGEST: u64 = 1_000_000;
    let whole = whole.parse::<u64>().ok().filter(|seconds| *seconds <= LONGEST)?;
    let fraction = fraction.get(..12).unwrap_or(fraction);
    let digits: u64 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let scale = 10_u64.pow(12 - fraction.len() as u32);
    Some(Span::from_ps(whole * PER_SECOND + digits * scale))
}

/// Text between two `quote`s; a backslash takes the next character as it is.
pub(super) fn quoted<'s>(quote: char) -> impl Grammar<'s, &'s str> {
    let plain = take_while(1.., move |c| c != quote && c != '\\').void();
    let escaped = ('\\', any).void();
    let inside = repeat::<_, _, (), _, _>(0.., alt((plain, escaped))).take();
    token((quote, inside, cut_err(quote).context(expected("the closing quote"))).map(|t| t.1))
}

/// What stands between `(` and `)`.
pub(super) fn parenthesised<'s, O>(parser: impl Grammar<'s, O>) -> impl Grammar<'s, O> {
    (symbol("("), parser, cut_err(symbol(")"))).map(|parts| parts.1)
}

/// What stands between `[` and `]`.
pub(super) fn bracketed<'s, O>(parser: impl Grammar<'s, O>) -> impl Grammar<'s, O> {
    (symbol("["), parser, cut_err(symbol("]"))).map(|parts| parts.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'s, O>(parser: impl Grammar<'s, O>, text: &'s str) -> Option<O> {
        let mut parser = parser;
        parser.parse(Input::new(text)).ok()
    }

    #[test]
    fn times_are_exact() {
        assert_eq!(all(seconds, "0.1"), Some(Span::from_ms(100)));
        assert_eq!(all(seconds, ".005 "), Some(Span::from_ms(5)));
        assert_eq!(all(seconds, "3"), Some(Span::from_secs(3)));
        assert_eq!(all(seconds, "0.0000000000019"), Some(Span::from_ps(1)));
        assert_eq!(all(seconds, "9999999"), None);
    }

    #[test]
    fn numbers_are_bounded() {
        assert_eq!(all(integer, "0x10"), Some(16));
        assert_eq!(all(integer, "-1"), Some(-1));
        assert_eq!(all(number::<u8>("a byte"), "255"), Some(255));
        assert_eq!(all(number::<u8>("a byte"), "256"), None);
        assert_eq!(all(integer, "12ab"), None);
    }

    #[test]
    fn comments_are_gaps() {
        assert_eq!(all(word, "a // b\n/* c */ "), Some("a"));
        assert_eq!(all(word, "a /* c"), None);
    }

    #[test]
    fn quotes_may_be_escaped() {
        assert_eq!(all(quoted('`'), r"`a \` b` "), Some(r"a \` b"));
        assert_eq!(all(quoted('"'), "\"a"), None);
    }
}
