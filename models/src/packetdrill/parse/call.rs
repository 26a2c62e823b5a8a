//! System calls: `connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)`.

use winnow::combinator::{alt, cut_err, delimited, fail, opt, peek, preceded, repeat, separated};
use winnow::prelude::*;
use winnow::token::{any, take_while};

use super::DEEPEST;
use super::lex::{
    Grammar, Input, bracketed, expected, integer, name, parenthesised, quoted, seconds, symbol,
    token,
};
use crate::packetdrill::script::{Call, Expression, Field};

/// A call with its result.
pub(super) fn call(input: &mut Input<'_>) -> ModalResult<Call> {
    let end = opt(preceded(symbol("..."), cut_err(seconds))).parse_next(input)?;
    let name = name
        .context(expected("a packet, a system call, a command or code"))
        .parse_next(input)?
        .to_owned();
    let arguments = parenthesised(separated(0.., expression(0), symbol(",")))
        .context(expected("arguments in parentheses"))
        .parse_next(input)?;
    symbol("=").context(expected("`=` and the result of the call")).parse_next(input)?;
    let result = expression(0).context(expected("the result of the call")).parse_next(input)?;
    let errno = opt(error_name).parse_next(input)?.map(str::to_owned);
    opt(note).parse_next(input)?;
    Ok(Call { end, name, arguments, result, errno })
}

/// `EAGAIN`.
fn error_name<'s>(input: &mut Input<'s>) -> ModalResult<&'s str> {
    name.verify(|word: &str| word.starts_with('E')).parse_next(input)
}

/// `(Resource temporarily unavailable)`: for people.
fn note(input: &mut Input<'_>) -> ModalResult<()> {
    token(delimited('(', take_while(0.., |c| c != ')' && c != '\n'), ')')).void().parse_next(input)
}

fn expression<'s>(depth: u8) -> impl Grammar<'s, Expression> {
    move |input: &mut Input<'s>| {
        if depth >= DEEPEST {
            return cut_err(fail).context(expected("less nesting")).parse_next(input);
        }
        let first = simple(depth, input)?;
        let others: Vec<Expression> =
            repeat(0.., preceded(symbol("|"), cut_err(|input: &mut _| simple(depth, input))))
                .parse_next(input)?;
        if others.is_empty() {
            return Ok(first);
        }
        Ok(Expression::Or(std::iter::once(first).chain(others).collect()))
    }
}

fn simple(depth: u8, input: &mut Input<'_>) -> ModalResult<Expression> {
    let first = peek(any::<_, winnow::error::ErrMode<winnow::error::ContextError>>)
        .context(expected("an expression"))
        .parse_next(input)?;
    match first {
        '[' => bracketed(separated(0.., expression(depth + 1), symbol(",")))
            .map(Expression::List)
            .parse_next(input),
        '{' => delimited(
            symbol("{"),
            separated(0.., field(depth + 1), symbol(",")),
            cut_err(symbol("}")).context(expected("`,` or `}`")),
        )
        .map(Expression::Struct)
        .parse_next(input),
        '"' => text.parse_next(input),
        '.' => symbol("...").value(Expression::Ellipsis).parse_next(input),
        c if c.is_ascii_digit() || c == '-' => integer.map(Expression::Integer).parse_next(input),
        _ => named(depth, input),
    }
}

/// Texts in a row are one; `...` behind them says that more follows.
fn text(input: &mut Input<'_>) -> ModalResult<Expression> {
    let part = quoted('"').verify_map(|text| bytes.parse(text).ok());
    let part = part
        .context(expected("a text; escapes are \\n, \\t, \\r, \\\\, \\\" and \\x with two digits"));
    let part = preceded(peek('"'), cut_err(part));
    let parts: Vec<Vec<u8>> = repeat(1.., part).parse_next(input)?;
    opt(symbol("...")).parse_next(input)?;
    Ok(Expression::Text(parts.concat()))
}

/// What stands between quotes, with its escapes, as bytes.
fn bytes(input: &mut &str) -> winnow::Result<Vec<u8>> {
    let plain = take_while(1.., |c| c != '\\').map(|text: &str| text.as_bytes().to_vec());
    let byte = preceded('x', take_while(2, |c: char| c.is_ascii_hexdigit()))
        .try_map(|digits| u8::from_str_radix(digits, 16));
    let sign = alt((
        'n'.value(b'\n'),
        't'.value(b'\t'),
        'r'.value(b'\r'),
        '\\'.value(b'\\'),
        '"'.value(b'"'),
    ));
    let escape = preceded('\\', alt((byte, sign))).map(|byte| vec![byte]);
    repeat(0.., alt((plain, escape))).map(|parts: Vec<_>| parts.concat()).parse_next(input)
}

/// `WORD`, `word(...)` or `WORD = value`.
fn named(depth: u8, input: &mut Input<'_>) -> ModalResult<Expression> {
    let word = name.context(expected("an expression")).parse_next(input)?.to_owned();
    let arguments = parenthesised(separated(0.., expression(depth + 1), symbol(",")));
    if let Some(arguments) = opt(arguments).parse_next(input)? {
        return Ok(Expression::Function(word, arguments));
    }
    let value = opt(preceded(symbol("="), cut_err(expression(depth + 1)))).parse_next(input)?;
    Ok(match value {
        Some(value) => Expression::Assign(word, Box::new(value)),
        None => Expression::Word(word),
    })
}

/// `name=value`, `name(count)=value` or `value`.
fn field<'s>(depth: u8) -> impl Grammar<'s, Field> {
    let count = move || parenthesised(expression(depth));
    let named = (name, opt(count()), symbol("="), cut_err(expression(depth)))
        .map(|(name, count, (), value)| Field { name: Some(name.to_owned()), count, value });
    let plain = expression(depth).map(|value| Field { name: None, count: None, value });
    alt((named, plain))
}
