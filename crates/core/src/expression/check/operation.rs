//! What operators take and give.

use crate::expression::syntax::Binary;
use crate::expression::types::Type;

/// What an operator gives; nothing, if it does not take these.
pub(super) fn operation(binary: Binary, left: &Type, right: &Type) -> Option<Type> {
    use Type::{Duration, Float, Int, Text, Time};
    let numbers = left.is_number() && right.is_number();
    let any = |of: &[Type]| may_be(left, right, of);
    match binary {
        Binary::Equal | Binary::NotEqual => left.is_comparable_to(right).then_some(Type::Bool),
        Binary::Or | Binary::And => any(&[Type::Bool]).then_some(Type::Bool),
        Binary::Less | Binary::More | Binary::LessOrEqual | Binary::MoreOrEqual => {
            (numbers || any(&[Int, Float, Text, Time, Duration])).then_some(Type::Bool)
        }
        Binary::Contains | Binary::StartsWith | Binary::EndsWith => {
            any(&[Text]).then_some(Type::Bool)
        }
        Binary::In => membership(left, right).then_some(Type::Bool),
        Binary::Range => {
            let integers = left.is_integer() && right.is_integer();
            (integers || any(&[Int])).then(|| Type::list(Int))
        }
        Binary::Modulo => (left.is_integer() && right.is_integer() || any(&[Int])).then_some(Int),
        Binary::Divide | Binary::Power => (numbers || any(&[Int, Float])).then_some(Float),
        Binary::Multiply | Binary::Add | Binary::Subtract if numbers => {
            let is_duration = *left == Duration || *right == Duration;
            let is_float = *left == Float || *right == Float;
            Some(if is_duration {
                Duration
            } else if is_float {
                Float
            } else {
                Int
            })
        }
        Binary::Multiply => any(&[Int, Float, Duration]).then_some(Type::Unknown),
        Binary::Add => match (left, right) {
            (Text, Text) => Some(Text),
            (Time, Duration) | (Duration, Time) => Some(Time),
            (Time, Time) => None,
            _ => any(&[Int, Float, Text, Time, Duration]).then_some(Type::Unknown),
        },
        Binary::Subtract => match (left, right) {
            (Time, Time) => Some(Duration),
            (Time, Duration) => Some(Time),
            _ => any(&[Int, Float, Time, Duration]).then_some(Type::Unknown),
        },
        Binary::Coalesce => Some(match (left, right) {
            (Type::Nil, other) | (other, Type::Nil) => other.clone(),
            _ if right.fits(left) => left.clone(),
            _ => Type::Unknown,
        }),
    }
}

/// Whether both may be one of these: they are the same of them, or one is and of the other nothing is known.
pub(super) fn may_be(left: &Type, right: &Type, of: &[Type]) -> bool {
    match (left.is_unknown(), right.is_unknown()) {
        (true, true) => true,
        (true, false) => of.contains(right),
        (false, true) => of.contains(left),
        (false, false) => left == right && of.contains(left),
    }
}

fn membership(left: &Type, right: &Type) -> bool {
    match right {
        Type::Record(_) => *left == Type::Text || left.is_unknown(),
        Type::Map => *left == Type::Text || left.is_unknown(),
        Type::AnyMap => true,
        _ if right.is_list() => left.is_comparable_to(&right.element()),
        Type::Text => left.is_unknown(),
        _ => right.is_unknown(),
    }
}
