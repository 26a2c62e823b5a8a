//! Parameters of algorithms, named and preset as the kernels' module parameters
//! (`/sys/module/tcp_cubic/parameters`).

/// One parameter of an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param {
    /// The name of the module parameter.
    pub name: &'static str,
    /// The value it has unless set.
    pub default: i64,
    /// The smallest value it can have.
    pub min: i64,
    /// The largest value it can have.
    pub max: i64,
    /// What it does, with its unit.
    pub doc: &'static str,
}

/// Why a parameter cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParamError {
    /// The algorithm has no such parameter.
    #[error("{algorithm} has no parameter `{name}`; {known}")]
    Unknown {
        /// The algorithm.
        algorithm: &'static str,
        /// What was asked for.
        name: String,
        /// What there is, in words.
        known: String,
    },
    /// The value is not a number, or out of range.
    #[error("{name} of {algorithm}: expected a whole number from {min} to {max}, not `{value}`")]
    Value {
        /// The algorithm.
        algorithm: &'static str,
        /// The parameter.
        name: &'static str,
        /// What it was to be set to.
        value: String,
        /// The smallest value it can have.
        min: i64,
        /// The largest value it can have.
        max: i64,
    },
}

/// Finds the parameter called `name` and reads its value.
pub(crate) fn read(
    algorithm: &'static str,
    params: &'static [Param],
    name: &str,
    value: &str,
) -> Result<(&'static str, i64), ParamError> {
    let Some(param) = params.iter().find(|param| param.name == name) else {
        let names: Vec<_> = params.iter().map(|param| param.name).collect();
        let known = if names.is_empty() {
            "it has none".into()
        } else {
            format!("it has {}", names.join(", "))
        };
        return Err(ParamError::Unknown { algorithm, name: name.into(), known });
    };
    let number = value.trim().parse().ok().filter(|n| (param.min..=param.max).contains(n));
    let number = number.ok_or_else(|| ParamError::Value {
        algorithm,
        name: param.name,
        value: value.into(),
        min: param.min,
        max: param.max,
    })?;
    Ok((param.name, number))
}

/// How a parameter is kept.
pub(crate) trait Kept {
    fn keep(value: i64) -> Self;
}

impl Kept for u32 {
    fn keep(value: i64) -> Self {
        value as Self
    }
}

impl Kept for bool {
    fn keep(value: i64) -> Self {
        value != 0
    }
}

/// Declares the parameters of an algorithm: a struct with a field each, its defaults, and the list.
macro_rules! params {
    ($(#[$meta:meta])* pub struct $params:ident {
        $($field:ident: $type:ty = $default:literal, $min:literal..=$max:literal, $doc:literal;)*
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $params {
            $(#[doc = $doc] pub $field: $type,)*
        }

        impl Default for $params {
            fn default() -> Self {
                Self { $($field: crate::params::Kept::keep($default),)* }
            }
        }

        impl $params {
            /// The parameters with their defaults and ranges.
            pub const LIST: &'static [crate::params::Param] = &[$(crate::params::Param {
                name: stringify!($field),
                default: $default,
                min: $min,
                max: $max,
                doc: $doc,
            },)*];

            /// Sets the parameter called `name`, one of [`Self::LIST`], to a value in its range.
            pub(super) fn set(&mut self, name: &str, value: i64) {
                match name {
                    $(stringify!($field) => {
                        self.$field = crate::params::Kept::keep(value);
                    })*
                    _ => {}
                }
            }
        }
    };
}
pub(crate) use params;
