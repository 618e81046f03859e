//! What is known of a value before it is there.

use super::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    /// Nothing is known.
    Unknown,
    /// Anything: like unknown, but everything fits it.
    Any,
    Nil,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    /// With the type of its elements.
    List(Box<Self>),
    Map,
    AnyMap,
    Record(&'static Shape),
    Version,
    Time,
    Duration,
    Zone,
    Month,
    Weekday,
    /// A function's name, without a call.
    Function,
}

/// The fields of a structure.
#[derive(Debug)]
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) fields: &'static [(&'static str, Type)],
}

impl PartialEq for Shape {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a function takes and gives, in one of its forms.
#[derive(Debug)]
pub(super) struct Signature {
    pub(super) takes: &'static [Type],
    pub(super) gives: Type,
}

impl Type {
    pub(super) fn list(of: Self) -> Self {
        Self::List(of.into())
    }

    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown | Self::Any)
    }

    pub(super) fn is_integer(&self) -> bool {
        matches!(self, Self::Int | Self::Duration)
    }

    pub(super) fn is_number(&self) -> bool {
        self.is_integer() || *self == Self::Float
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self, Self::List(_) | Self::Bytes)
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self, Self::Map | Self::AnyMap)
    }

    /// The type of what is in it.
    pub(super) fn element(&self) -> Self {
        match self {
            Self::List(of) => (**of).clone(),
            Self::Bytes => Self::Int,
            Self::Map | Self::AnyMap => Self::Any,
            _ => Self::Unknown,
        }
    }

    /// Whether a value of this type may stand where one of the other is asked for.
    pub(super) fn fits(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Nil, _) => {
                matches!(other, Self::Any | Self::Function | Self::Version)
                    || other.is_list()
                    || other.is_map()
            }
            (Self::Unknown, _) | (_, Self::Unknown) => false,
            (_, Self::Any) => true,
            (Self::List(_), Self::List(_)) => true,
            _ => self == other,
        }
    }

    pub(super) fn is_comparable_to(&self, other: &Self) -> bool {
        self.is_unknown()
            || other.is_unknown()
            || matches!(self, Self::Nil)
            || matches!(other, Self::Nil)
            || self.is_number() && other.is_number()
            || self.is_list() && other.is_list()
            || self.fits(other)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Unknown | Self::Any => "something unknown",
            Self::Nil => "nil",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Float => "a float",
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::List(_) => "a list",
            Self::Map | Self::AnyMap => "a map",
            Self::Record(shape) => shape.name,
            Self::Version => "a version",
            Self::Time => "a time",
            Self::Duration => "a duration",
            Self::Zone => "a time zone",
            Self::Month => "a month",
            Self::Weekday => "a weekday",
            Self::Function => "a function",
        }
    }
}

impl Shape {
    pub(super) fn field(&self, name: &str) -> Option<&Type> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, of)| of)
    }
}

/// Whether arguments fit a form, and if not, why: the argument, or all of them, and the fault.
pub(super) fn fits(
    signature: &Signature,
    arguments: &[Type],
) -> Result<(), (Option<usize>, String)> {
    let (takes, given) = (signature.takes.len(), arguments.len());
    if takes != given {
        let s = if takes == 1 { "" } else { "s" };
        return Err((None, format!("takes {takes} argument{s}, and gets {given}")));
    }
    for (index, (takes, given)) in signature.takes.iter().zip(arguments).enumerate() {
        let is_unknown = given.is_unknown() || takes.is_unknown();
        if !is_unknown && (*given == Type::Nil || !given.fits(takes)) {
            let fault = format!("takes {} here, and gets {}", takes.name(), given.name());
            return Err((Some(index), fault));
        }
    }
    Ok(())
}

/// Methods, by the type that has them. What they take is seen when they are called.
pub(super) fn methods(of: &Type) -> &'static [&'static str] {
    match of {
        Type::Version => super::version::METHODS,
        Type::Time => super::time::METHODS,
        Type::Duration => super::time::DURATION_METHODS,
        Type::Zone | Type::Month | Type::Weekday => &["String"],
        _ => &[],
    }
}

/// The type of a value that is there, as far as methods go.
pub(super) fn of(value: &Value) -> Type {
    match value {
        Value::Version(_) => Type::Version,
        Value::Time(_) => Type::Time,
        Value::Duration(_) => Type::Duration,
        Value::Zone(_) => Type::Zone,
        Value::Month(_) => Type::Month,
        Value::Weekday(_) => Type::Weekday,
        _ => Type::Unknown,
    }
}
