//! The Python of `%{ ... }%` as far as scripts use it: assertions over the socket's state.

use winnow::ascii::{digit1, space0};
use winnow::combinator::{
    alt, cut_err, delimited, fail, not, opt, peek, preceded, repeat, separated, terminated,
};
use winnow::prelude::*;
use winnow::token::{take_until, take_while};

use super::DEEPEST;
use super::lex::{Grammar, Input, expected};
use crate::packetdrill::code::{Compare, Expr, Operator, Statement, Value};

/// Statements up to the closing `}%`.
pub(super) fn statements(input: &mut Input<'_>) -> ModalResult<Vec<Statement>> {
    blank_lines.parse_next(input)?;
    repeat(0.., terminated(statement, blank_lines)).parse_next(input)
}

/// Blanks, empty lines, also those that a backslash ends, comments and semicolons.
fn blank_lines(input: &mut Input<'_>) -> ModalResult<()> {
    let comment = ('#', take_while(0.., |c| c != '\n' && c != '}')).void();
    let blank = take_while(1.., |c: char| c.is_whitespace() || c == ';').void();
    repeat(0.., alt((comment, blank, "\\\n".void()))).parse_next(input)
}

/// The value of an expression in which no name stands: what a shell makes of `$((text))`.
pub(in crate::packetdrill) fn arithmetic(text: &str) -> Option<i64> {
    let expression = delimited(space0, expression(0), space0).parse(Input::new(text)).ok()?;
    match expression.value(&|_| None) {
        Ok(Value::Integer(value)) => Some(value),
        _ => None,
    }
}

fn statement(input: &mut Input<'_>) -> ModalResult<Statement> {
    not("}%").parse_next(input)?;
    if opt(peek(keyword("assert"))).parse_next(input)?.is_none() {
        return alt((print, assignment, other)).parse_next(input);
    }
    let condition = preceded(keyword("assert"), cut_err(expression(0)));
    let message = opt(preceded(mark(","), cut_err(expression(0))));
    (condition, message)
        .map(|(condition, message)| Statement::Assert { condition, message })
        .parse_next(input)
}

/// `print(...)`.
fn print(input: &mut Input<'_>) -> ModalResult<Statement> {
    let values = separated(0.., expression(0), mark(","));
    delimited((keyword("print"), mark("(")), values, mark(")"))
        .map(|_: Vec<Expr>| Statement::Print)
        .parse_next(input)
}

/// `name = value`, `name += value`, `name -= value`.
fn assignment(input: &mut Input<'_>) -> ModalResult<Statement> {
    let name = token(take_while(1.., is_word))
        .verify(|name: &str| !name.starts_with(|c: char| c.is_ascii_digit()));
    let operator = alt((
        mark("+=").value(Some(Operator::Add)),
        mark("-=").value(Some(Operator::Subtract)),
        (mark("="), not('=')).value(None),
    ));
    (name, operator, expression(0))
        .map(|(name, operator, value): (&str, _, _)| {
            let name = name.to_owned();
            let value = match operator {
                None => value,
                Some(operator) => {
                    Expr::Binary(Box::new(Expr::Name(name.clone())), operator, Box::new(value))
                }
            };
            Statement::Assign { name, value }
        })
        .parse_next(input)
}

/// A line of anything else.
fn other(input: &mut Input<'_>) -> ModalResult<Statement> {
    let rest: &str = peek(take_until(1.., "}%")).context(expected("`}%`")).parse_next(input)?;
    let len = rest.find('\n').unwrap_or(rest.len());
    winnow::token::take(len)
        .map(|line: &str| Statement::Other(line.trim().to_owned()))
        .parse_next(input)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn token<'s, O>(parser: impl Grammar<'s, O>) -> impl Grammar<'s, O> {
    terminated(parser, space0)
}

fn mark<'s>(text: &'static str) -> impl Grammar<'s, ()> {
    token(text.void())
}

fn keyword<'s>(text: &'static str) -> impl Grammar<'s, ()> {
    token(terminated(text, not(take_while(1.., is_word))).void())
}

/// Operators of one rank, the tightest binding last.
const RANKS: [&[(&str, Operator)]; 4] = [
    &[("|", Operator::Or)],
    &[("&", Operator::And)],
    &[("+", Operator::Add), ("-", Operator::Subtract)],
    &[
        ("//", Operator::FloorDivide),
        ("*", Operator::Multiply),
        ("/", Operator::Divide),
        ("%", Operator::Modulo),
    ],
];

fn expression<'s>(depth: u8) -> impl Grammar<'s, Expr> {
    move |input: &mut Input<'s>| {
        if depth >= DEEPEST {
            return cut_err(fail).context(expected("less nesting")).parse_next(input);
        }
        let all = |depth| {
            separated(1.., move |input: &mut _| negation(depth, input), keyword("and"))
                .map(|parts: Vec<Expr>| Expr::fold(parts, Expr::All))
        };
        separated(1.., all(depth), keyword("or"))
            .map(|parts: Vec<Expr>| Expr::fold(parts, Expr::Any))
            .parse_next(input)
    }
}

fn negation(depth: u8, input: &mut Input<'_>) -> ModalResult<Expr> {
    let nots: Vec<()> = repeat(0..=8, keyword("not")).parse_next(input)?;
    let inner = comparison(depth, input)?;
    Ok(nots.iter().fold(inner, |expr, ()| Expr::Not(Box::new(expr))))
}

fn comparison(depth: u8, input: &mut Input<'_>) -> ModalResult<Expr> {
    let operator = alt((
        mark("==").value(Compare::Equal),
        mark("!=").value(Compare::NotEqual),
        mark("<=").value(Compare::AtMost),
        mark(">=").value(Compare::AtLeast),
        mark("<").value(Compare::Less),
        mark(">").value(Compare::Greater),
    ));
    let first = ranked(0, depth, input)?;
    let rest: Vec<(Compare, Expr)> =
        repeat(0.., (operator, cut_err(|input: &mut _| ranked(0, depth, input))))
            .parse_next(input)?;
    Ok(if rest.is_empty() { first } else { Expr::Chain(Box::new(first), rest) })
}

fn ranked(rank: usize, depth: u8, input: &mut Input<'_>) -> ModalResult<Expr> {
    let Some(operators) = RANKS.get(rank) else { return sign(depth, input) };
    let mut left = ranked(rank + 1, depth, input)?;
    while let Some(operator) = opt(one_of_rank(operators)).parse_next(input)? {
        let right = cut_err(|input: &mut _| ranked(rank + 1, depth, input)).parse_next(input)?;
        left = Expr::Binary(Box::new(left), operator, Box::new(right));
    }
    Ok(left)
}

fn one_of_rank<'s>(operators: &'static [(&'static str, Operator)]) -> impl Grammar<'s, Operator> {
    move |input: &mut Input<'s>| {
        for (text, operator) in operators {
            if opt(mark(text)).parse_next(input)?.is_some() {
                return Ok(*operator);
            }
        }
        fail.parse_next(input)
    }
}

fn sign(depth: u8, input: &mut Input<'_>) -> ModalResult<Expr> {
    let minus = opt(mark("-")).parse_next(input)?.is_some();
    let atom = atom(depth, input)?;
    Ok(if minus {
        Expr::Binary(Box::new(Expr::Integer(0)), Operator::Subtract, Box::new(atom))
    } else {
        atom
    })
}

fn atom(depth: u8, input: &mut Input<'_>) -> ModalResult<Expr> {
    let group = delimited(
        mark("("),
        separated(1.., expression(depth + 1), mark(",")),
        cut_err(mark(")")).context(expected("`)`")),
    )
    .map(|parts: Vec<Expr>| Expr::fold(parts, Expr::Tuple));
    alt((group, real, whole, text, |input: &mut _| named(depth, input)))
        .context(expected("a Python expression"))
        .parse_next(input)
}

fn real(input: &mut Input<'_>) -> ModalResult<Expr> {
    token((digit1, '.', digit1).take())
        .try_map(|digits: &str| digits.parse().map(Expr::Real))
        .parse_next(input)
}

fn whole(input: &mut Input<'_>) -> ModalResult<Expr> {
    let hex = preceded("0x", take_while(1..=15, |c: char| c.is_ascii_hexdigit()))
        .try_map(|digits: &str| i64::from_str_radix(digits, 16));
    let decimal = digit1.try_map(str::parse::<i64>);
    token(terminated(alt((hex, decimal)), not(take_while(1.., is_word))))
        .map(Expr::Integer)
        .parse_next(input)
}

fn text(input: &mut Input<'_>) -> ModalResult<Expr> {
    let between = |quote: char| delimited(quote, take_while(0.., move |c| c != quote), quote);
    token(alt((between('"'), between('\''))))
        .map(|text: &str| Expr::Text(text.to_owned()))
        .parse_next(input)
}

fn named(depth: u8, input: &mut Input<'_>) -> ModalResult<Expr> {
    let name: &str = token(take_while(1.., |c| is_word(c) || c == '.'))
        .verify(|name: &str| !name.starts_with(|c: char| c.is_ascii_digit()))
        .parse_next(input)?;
    let arguments = delimited(
        mark("("),
        separated(0.., expression(depth + 1), mark(",")),
        cut_err(mark(")")).context(expected("`)`")),
    );
    Ok(match opt(arguments).parse_next(input)? {
        Some(arguments) => Expr::Call(name.to_owned(), arguments),
        None => Expr::Name(name.to_owned()),
    })
}
