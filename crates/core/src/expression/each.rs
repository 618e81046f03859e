//! The built-ins that call a closure once an element.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    All,
    None,
    Any,
    One,
    Filter,
    Map,
    Count,
    Sum,
    Find,
    FindIndex,
    FindLast,
    FindLastIndex,
    GroupBy,
    SortBy,
    Reduce,
}

const NAMES: [(&str, Each); 15] = [
    ("all", Each::All),
    ("none", Each::None),
    ("any", Each::Any),
    ("one", Each::One),
    ("filter", Each::Filter),
    ("map", Each::Map),
    ("count", Each::Count),
    ("sum", Each::Sum),
    ("find", Each::Find),
    ("findIndex", Each::FindIndex),
    ("findLast", Each::FindLast),
    ("findLastIndex", Each::FindLastIndex),
    ("groupBy", Each::GroupBy),
    ("sortBy", Each::SortBy),
    ("reduce", Each::Reduce),
];

impl Each {
    pub(super) fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, each)| *each)
    }

    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, each)| *each == self).map_or("", |(name, _)| name)
    }

    /// How many arguments it takes, at least and at most. The second is the closure.
    pub(super) fn arguments(self) -> (usize, usize) {
        match self {
            Self::Count | Self::Sum => (1, 2),
            Self::SortBy | Self::Reduce => (2, 3),
            _ => (2, 2),
        }
    }
}
