//! Reading a time by its layout.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, Zoned};

use super::{DAYS, MONTHS, Part, split};
use crate::expression::value::Fault;

/// What `date` tries when no layout is given.
const USUAL: [&str; 7] = [
    "2006-01-02",
    "15:04:05",
    "2006-01-02 15:04:05",
    "2006-01-02T15:04:05Z07:00",
    "02 Jan 06 15:04 MST",
    "Monday, 02-Jan-06 15:04:05 MST",
    "Mon, 02 Jan 2006 15:04:05 MST",
];

pub(in crate::expression) fn parse_any(text: &str, zone: &TimeZone) -> Result<Zoned, Fault> {
    let read = USUAL.iter().find_map(|layout| parse(text, layout, zone).ok());
    read.ok_or_else(|| "takes a date, such as 2024-01-15 or 2024-01-15T10:00:00Z".into())
}

pub(in crate::expression) fn parse(
    text: &str,
    layout: &str,
    zone: &TimeZone,
) -> Result<Zoned, Fault> {
    read(text, layout, zone).ok_or_else(|| "takes a date in the layout that is given".into())
}

/// What has been read so far.
struct Parts {
    year: i16,
    month: i8,
    day: i8,
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
    afternoon: Option<bool>,
    offset: Option<Offset>,
}

fn read(text: &str, layout: &str, zone: &TimeZone) -> Option<Zoned> {
    let mut parts = Parts {
        year: 0,
        month: 1,
        day: 1,
        hour: 0,
        minute: 0,
        second: 0,
        nanosecond: 0,
        afternoon: None,
        offset: None,
    };
    let (mut text, mut layout) = (text, layout);
    while let Some((before, part, after)) = split(layout) {
        text = parts.read(text.strip_prefix(before)?, part)?;
        // A fraction of a second is read also where the layout has none.
        let has_fraction = matches!(split(after), Some(("", Part::Fraction { .. }, _)));
        if matches!(part, Part::Second { .. }) && !has_fraction && text.starts_with(['.', ',']) {
            text = parts.fraction(text)?;
        }
        layout = after;
    }
    if text != layout {
        return None;
    }
    let hour = match parts.afternoon {
        Some(true) if parts.hour < 12 => parts.hour + 12,
        Some(false) if parts.hour == 12 => 0,
        _ => parts.hour,
    };
    let civil = DateTime::new(
        parts.year,
        parts.month,
        parts.day,
        hour,
        parts.minute,
        parts.second,
        parts.nanosecond,
    );
    let civil = civil.ok()?;
    match parts.offset {
        Some(Offset::UTC) => civil.to_zoned(TimeZone::UTC).ok(),
        Some(offset) => {
            let timestamp: Timestamp = offset.to_timestamp(civil).ok()?;
            Some(timestamp.to_zoned(TimeZone::fixed(offset)))
        }
        None => civil.to_zoned(zone.clone()).ok(),
    }
}

impl Parts {
    /// Reads one part, and returns the rest.
    fn read<'t>(&mut self, text: &'t str, part: Part) -> Option<&'t str> {
        let number = |least: usize, most: usize| digits(text, least, most);
        match part {
            Part::Year => {
                let (year, rest) = number(4, 4)?;
                self.year = i16::try_from(year).ok()?;
                Some(rest)
            }
            Part::ShortYear => {
                let (year, rest) = number(2, 2)?;
                self.year =
                    i16::try_from(if year >= 69 { 1900 + year } else { 2000 + year }).ok()?;
                Some(rest)
            }
            Part::MonthName | Part::ShortMonth => {
                let short = matches!(part, Part::ShortMonth);
                let (month, rest) = name(text, &MONTHS, short)?;
                self.month = i8::try_from(month + 1).ok()?;
                Some(rest)
            }
            Part::DayName | Part::ShortDay => {
                Some(name(text, &DAYS, matches!(part, Part::ShortDay))?.1)
            }
            Part::Month { digits } => self.set(number(digits, 2)?, |parts| &mut parts.month),
            Part::Day { digits } => self.set(number(digits, 2)?, |parts| &mut parts.day),
            Part::Hour => self.set(number(2, 2)?, |parts| &mut parts.hour),
            Part::Hour12 { digits } => self.set(number(digits, 2)?, |parts| &mut parts.hour),
            Part::Minute { digits } => self.set(number(digits, 2)?, |parts| &mut parts.minute),
            Part::Second { digits } => self.set(number(digits, 2)?, |parts| &mut parts.second),
            Part::Half => {
                self.afternoon = Some(text.starts_with("PM"));
                text.strip_prefix("PM").or_else(|| text.strip_prefix("AM"))
            }
            Part::Fraction { whole: false, .. } if !text.starts_with(['.', ',']) => Some(text),
            Part::Fraction { .. } => self.fraction(text),
            Part::Offset { z: true, .. } if text.starts_with('Z') => {
                self.offset = Some(Offset::UTC);
                Some(&text[1..])
            }
            Part::Offset { colon, .. } => self.read_offset(text, colon),
            Part::ZoneName => {
                let end = text.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(text.len());
                // Go knows the offset of no abbreviation but this one, and takes it as no offset.
                self.offset = Some(Offset::UTC);
                (3..=5).contains(&end).then(|| &text[end..])
            }
            Part::DayOfYear => None,
        }
    }

    fn set<'t>(
        &mut self,
        (number, rest): (u32, &'t str),
        field: impl Fn(&mut Self) -> &mut i8,
    ) -> Option<&'t str> {
        *field(self) = i8::try_from(number).ok()?;
        Some(rest)
    }

    fn fraction<'t>(&mut self, text: &'t str) -> Option<&'t str> {
        let digits = text.get(1..)?;
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if end == 0 {
            return None;
        }
        let kept = &digits[..end.min(9)];
        self.nanosecond = format!("{kept:0<9}").parse().ok()?;
        Some(&digits[end..])
    }

    fn read_offset<'t>(&mut self, text: &'t str, colon: bool) -> Option<&'t str> {
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let (hours, rest) = digits(rest, 2, 2)?;
        let rest = if colon { rest.strip_prefix(':')? } else { rest };
        let (minutes, rest) = digits(rest, 2, 2)?;
        let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
        self.offset = Some(Offset::from_seconds(sign * seconds).ok()?);
        Some(rest)
    }
}

fn digits(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if count < least {
        return None;
    }
    Some((text[..count].parse().ok()?, &text[count..]))
}

fn name<'t>(text: &'t str, names: &[&str], short: bool) -> Option<(usize, &'t str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { &name[..3] } else { name };
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some((index, rest))
    })
}
