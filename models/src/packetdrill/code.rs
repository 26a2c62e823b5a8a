//! Assertions over the state of a socket: the value and the evaluation of `%{ ... }%`.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Statement {
    Assert {
        condition: Expr,
        message: Option<Expr>,
    },
    /// Gives a name a value that later statements of the script may use.
    Assign {
        name: String,
        value: Expr,
    },
    /// For people who watch.
    Print,
    /// Anything else that Python would do.
    Other(String),
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Integer(i64),
    Real(f64),
    Text(String),
    Name(String),
    Call(String, Vec<Self>),
    Tuple(Vec<Self>),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    Binary(Box<Self>, Operator, Box<Self>),
    /// `a < b <= c`.
    Chain(Box<Self>, Vec<(Compare, Self)>),
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Modulo,
    And,
    Or,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

impl Compare {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::Greater => ordering.is_gt(),
            Self::AtMost => ordering.is_le(),
            Self::AtLeast => ordering.is_ge(),
        }
    }
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Real(f64),
    Text(String),
    Tuple(Vec<Self>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Real(value) => write!(f, "{value}"),
            Self::Text(text) => f.write_str(text),
            Self::Tuple(values) => {
                let words: Vec<String> = values.iter().map(Self::to_string).collect();
                write!(f, "({})", words.join(", "))
            }
        }
    }
}

impl Value {
    fn is_true(&self) -> bool {
        match self {
            Self::Integer(value) => *value != 0,
            Self::Real(value) => *value != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Tuple(values) => !values.is_empty(),
        }
    }

    fn real(&self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(*value as f64),
            Self::Real(value) => Some(*value),
            Self::Text(_) | Self::Tuple(_) => None,
        }
    }

    fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            _ => self.real()?.partial_cmp(&other.real()?),
        }
    }

    const fn truth(value: bool) -> Self {
        Self::Integer(value as i64)
    }
}

/// What names stand for.
pub(super) type Names<'a> = &'a dyn Fn(&str) -> Option<i64>;

impl Expr {
    /// The only part by itself, else `many` of them.
    pub(super) fn fold(mut parts: Vec<Self>, many: fn(Vec<Self>) -> Self) -> Self {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                many(parts)
            }
        }
    }

    /// The value, or what nobody here can do.
    pub(super) fn value(&self, names: Names<'_>) -> Result<Value, String> {
        match self {
            Self::Integer(value) => Ok(Value::Integer(*value)),
            Self::Real(value) => Ok(Value::Real(*value)),
            Self::Text(text) => Ok(Value::Text(text.clone())),
            Self::Name(name) => {
                names(name).map(Value::Integer).ok_or_else(|| format!("the name `{name}`"))
            }
            Self::Call(name, _) => Err(format!("the function `{name}`")),
            Self::Tuple(parts) => parts
                .iter()
                .map(|part| part.value(names))
                .collect::<Result<_, _>>()
                .map(Value::Tuple),
            Self::Not(inner) => Ok(Value::truth(!inner.value(names)?.is_true())),
            Self::All(parts) => Self::until(parts, false, names),
            Self::Any(parts) => Self::until(parts, true, names),
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.value(names)?, right.value(names)?);
                arithmetic(&left, *operator, &right)
                    .ok_or_else(|| format!("{operator:?} of `{left}` and `{right}`"))
            }
            Self::Chain(first, rest) => Self::chain(first, rest, names),
        }
    }

    /// The first part that is as true as `end`, or the last one.
    fn until(parts: &[Self], end: bool, names: Names<'_>) -> Result<Value, String> {
        let mut last = Value::truth(!end);
        for part in parts {
            last = part.value(names)?;
            if last.is_true() == end {
                break;
            }
        }
        Ok(last)
    }

    fn chain(first: &Self, rest: &[(Compare, Self)], names: Names<'_>) -> Result<Value, String> {
        let mut left = first.value(names)?;
        for (compare, right) in rest {
            let right = right.value(names)?;
            let ordering =
                left.order(&right).ok_or_else(|| format!("comparing `{left}` and `{right}`"))?;
            if !compare.holds(ordering) {
                return Ok(Value::truth(false));
            }
            left = right;
        }
        Ok(Value::truth(true))
    }
}

fn arithmetic(left: &Value, operator: Operator, right: &Value) -> Option<Value> {
    match (left, right) {
        (Value::Integer(a), Value::Integer(b)) => whole_arithmetic(*a, operator, *b),
        (Value::Text(text), values) if operator == Operator::Modulo => {
            Some(Value::Text(fill_in(text, values)))
        }
        _ => {
            let (a, b) = (left.real()?, right.real()?);
            let value = match operator {
                Operator::Add => a + b,
                Operator::Subtract => a - b,
                Operator::Multiply => a * b,
                Operator::Divide => a / b,
                Operator::FloorDivide | Operator::Modulo | Operator::And | Operator::Or => {
                    return None;
                }
            };
            value.is_finite().then_some(Value::Real(value))
        }
    }
}

fn whole_arithmetic(a: i64, operator: Operator, b: i64) -> Option<Value> {
    let value = match operator {
        Operator::FloorDivide | Operator::Modulo if b <= 0 => return None,
        Operator::Add => a.checked_add(b)?,
        Operator::Subtract => a.checked_sub(b)?,
        Operator::Multiply => a.checked_mul(b)?,
        Operator::FloorDivide => a.checked_div_euclid(b)?,
        Operator::Modulo => a.checked_rem_euclid(b)?,
        Operator::And => a & b,
        Operator::Or => a | b,
        Operator::Divide => {
            let value = a as f64 / b as f64;
            return value.is_finite().then_some(Value::Real(value));
        }
    };
    Some(Value::Integer(value))
}

/// Python's `text % values`: each `%d`, `%s` and so on takes the next value.
fn fill_in(text: &str, values: &Value) -> String {
    let values = match values {
        Value::Tuple(values) => values.as_slice(),
        one => std::slice::from_ref(one),
    };
    let mut values = values.iter();
    let mut filled = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            filled.push(letter);
            continue;
        }
        if letters.next() == Some('%') {
            filled.push('%');
        } else if let Some(value) = values.next() {
            filled.push_str(&value.to_string());
        }
    }
    filled
}

/// How a run of statements ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Every assertion holds.
    Holds,
    /// One does not; its message.
    Fails(String),
    /// Something that nobody here can do.
    Unsupported(String),
}

/// Runs statements.
pub(super) fn run(
    statements: &[Statement],
    variables: &mut BTreeMap<String, i64>,
    facts: Names<'_>,
) -> Outcome {
    for statement in statements {
        let names: Names<'_> = &|name| variables.get(name).copied().or_else(|| facts(name));
        let (condition, message) = match statement {
            Statement::Assert { condition, message } => (condition, message),
            Statement::Print => continue,
            Statement::Assign { name, value } => {
                match value.value(names) {
                    Ok(Value::Integer(value)) => variables.insert(name.clone(), value),
                    Ok(value) => return Outcome::Unsupported(format!("`{name}` as {value}")),
                    Err(what) => return Outcome::Unsupported(what),
                };
                continue;
            }
            Statement::Other(line) => return Outcome::Unsupported(format!("code `{line}`")),
        };
        match condition.value(names) {
            Ok(value) if value.is_true() => {}
            Ok(_) => {
                let message = message.as_ref().and_then(|message| message.value(names).ok());
                let facts = message.or_else(|| condition.left_side(names));
                let facts = facts.map_or_else(String::new, |value| format!(" ({value})"));
                return Outcome::Fails(format!("the assertion does not hold{facts}"));
            }
            Err(what) => return Outcome::Unsupported(what),
        }
    }
    Outcome::Holds
}

impl Expr {
    /// What a comparison compares: the actual value, as assertions are written.
    fn left_side(&self, names: Names<'_>) -> Option<Value> {
        match self {
            Self::Chain(first, _) => first.value(names).ok(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(code: &str) -> Outcome {
        let script = crate::packetdrill::parse::script(&format!("0 %{{ {code} }}%")).unwrap();
        let crate::packetdrill::script::Action::Code(statements) = &script.events[0].action else {
            panic!("not code");
        };
        let names = |name: &str| match name {
            "tcpi_snd_cwnd" => Some(10),
            "tcpi_rtt" => Some(20_100),
            _ => None,
        };
        run(statements, &mut BTreeMap::new(), &names)
    }

    #[test]
    fn assertions_read_as_python() {
        for code in [
            "assert tcpi_snd_cwnd == 10",
            "assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd; assert 1 < 2 <= 2",
            "assert not tcpi_snd_cwnd < 10 and (1 or 0)",
            "assert 20000 <= tcpi_rtt <= 21000, 'rtt: %d' % (tcpi_rtt)",
            "assert tcpi_rtt // 1000 == 20\n assert tcpi_rtt / 1000 > 20.0 # comment",
            "assert -7 % 3 == 2 and 2 + 3 * 4 - 1 == 13",
            "assert 0x10 == 16",
            "assert (0x70 & 0x30 | 1 + 1) == 0x32; \\\n assert tcpi_rtt & 1 == 0",
            "print(tcpi_rtt); w = tcpi_snd_cwnd; w += 2; w -= 1; assert w == 11, w",
        ] {
            assert_eq!(outcome(code), Outcome::Holds, "{code}");
        }
    }

    #[test]
    fn what_fails_says_its_value() {
        let fails = |code| match outcome(code) {
            Outcome::Fails(message) => message,
            other => panic!("{other:?}"),
        };
        assert!(fails("assert tcpi_snd_cwnd == 11, tcpi_snd_cwnd").contains("(10)"));
        assert!(fails("assert tcpi_snd_cwnd == 11").contains("(10)"));
        let code = "assert 0, 'cwnd %d, rtt %d' % (tcpi_snd_cwnd, tcpi_rtt)";
        assert!(fails(code).contains("cwnd 10, rtt 20100"));
    }

    #[test]
    fn what_is_unknown_is_not_wrong() {
        for code in
            ["import os", "assert tcpi_nonsense == 1", "assert len(x) == 1", "assert 1 // 0"]
        {
            assert!(matches!(outcome(code), Outcome::Unsupported(_)), "{code}");
        }
    }
}
