//! Go's layouts: a time is written, or read, as a certain moment of 2006 is in the layout.

mod read;

use jiff::Zoned;
use jiff::tz::Offset;

pub(in crate::expression) use read::{parse, parse_any};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A part of a time, as it stands in a layout. A longer one comes before what it begins with.
const PARTS: [(&str, Part); 33] = [
    ("January", Part::MonthName),
    ("Jan", Part::ShortMonth),
    ("Monday", Part::DayName),
    ("Mon", Part::ShortDay),
    ("MST", Part::ZoneName),
    ("2006", Part::Year),
    ("-07:00", Part::Offset { colon: true, z: false }),
    ("-0700", Part::Offset { colon: false, z: false }),
    ("Z07:00", Part::Offset { colon: true, z: true }),
    ("Z0700", Part::Offset { colon: false, z: true }),
    (".000000000", Part::Fraction { digits: 9, whole: true }),
    (".000000", Part::Fraction { digits: 6, whole: true }),
    (".000", Part::Fraction { digits: 3, whole: true }),
    (",000", Part::Fraction { digits: 3, whole: true }),
    (".00", Part::Fraction { digits: 2, whole: true }),
    (".999999999", Part::Fraction { digits: 9, whole: false }),
    (".999999", Part::Fraction { digits: 6, whole: false }),
    (".999", Part::Fraction { digits: 3, whole: false }),
    ("002", Part::DayOfYear),
    ("01", Part::Month { digits: 2 }),
    ("02", Part::Day { digits: 2 }),
    ("03", Part::Hour12 { digits: 2 }),
    ("04", Part::Minute { digits: 2 }),
    ("05", Part::Second { digits: 2 }),
    ("06", Part::ShortYear),
    ("15", Part::Hour),
    ("PM", Part::Half),
    ("_2", Part::Day { digits: 1 }),
    ("1", Part::Month { digits: 1 }),
    ("2", Part::Day { digits: 1 }),
    ("3", Part::Hour12 { digits: 1 }),
    ("4", Part::Minute { digits: 1 }),
    ("5", Part::Second { digits: 1 }),
];

#[derive(Clone, Copy)]
enum Part {
    Year,
    ShortYear,
    MonthName,
    ShortMonth,
    Month { digits: usize },
    Day { digits: usize },
    DayOfYear,
    DayName,
    ShortDay,
    Hour,
    Hour12 { digits: usize },
    Half,
    Minute { digits: usize },
    Second { digits: usize },
    Fraction { digits: usize, whole: bool },
    Offset { colon: bool, z: bool },
    ZoneName,
}

/// The first part of a layout with what comes before and after it.
fn split(layout: &str) -> Option<(&str, Part, &str)> {
    layout.char_indices().find_map(|(at, _)| {
        let (before, rest) = layout.split_at(at);
        let (text, part) = PARTS.iter().find(|(text, _)| rest.starts_with(text))?;
        Some((before, *part, &rest[text.len()..]))
    })
}

pub(super) fn format(time: &Zoned, layout: &str) -> String {
    let mut text = String::new();
    let mut rest = layout;
    while let Some((before, part, after)) = split(rest) {
        text.push_str(before);
        text.push_str(&written(time, part));
        rest = after;
    }
    text.push_str(rest);
    text
}

fn written(time: &Zoned, part: Part) -> String {
    let month = MONTHS[usize::try_from(time.month() - 1).unwrap_or_default()];
    let day = DAYS[usize::try_from(time.weekday().to_sunday_zero_offset()).unwrap_or_default()];
    match part {
        Part::Year => format!("{:04}", time.year()),
        Part::ShortYear => format!("{:02}", time.year().rem_euclid(100)),
        Part::MonthName => month.into(),
        Part::ShortMonth => month[..3].into(),
        Part::Month { digits } => format!("{:0digits$}", time.month()),
        Part::Day { digits } => format!("{:0digits$}", time.day()),
        Part::DayOfYear => format!("{:03}", time.day_of_year()),
        Part::DayName => day.into(),
        Part::ShortDay => day[..3].into(),
        Part::Hour => format!("{:02}", time.hour()),
        Part::Hour12 { digits } => format!("{:0digits$}", (time.hour() + 11) % 12 + 1),
        Part::Half => if time.hour() < 12 { "AM" } else { "PM" }.into(),
        Part::Minute { digits } => format!("{:0digits$}", time.minute()),
        Part::Second { digits } => format!("{:0digits$}", time.second()),
        Part::Fraction { digits, whole } => {
            let nanoseconds = format!("{:09}", time.subsec_nanosecond());
            let kept = &nanoseconds[..digits];
            let kept = if whole { kept } else { kept.trim_end_matches('0') };
            if kept.is_empty() { String::new() } else { format!(".{kept}") }
        }
        Part::Offset { colon, z } => offset(time.offset(), colon, z),
        Part::ZoneName => match time.strftime("%Z").to_string() {
            name if name.starts_with(['+', '-']) => offset(time.offset(), false, false),
            name => name,
        },
    }
}

fn offset(offset: Offset, colon: bool, z: bool) -> String {
    let minutes = offset.seconds() / 60;
    if z && minutes == 0 {
        return "Z".into();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    let colon = if colon { ":" } else { "" };
    format!("{sign}{hours:02}{colon}{minutes:02}")
}
