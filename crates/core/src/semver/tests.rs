use std::cmp::Ordering;

use super::*;

fn version(text: &str) -> Version {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn constraint(text: &str) -> Constraint {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn versions_are_read_loosely_and_printed_canonically() {
    for (text, canonical, strict) in [
        ("1.2.3", "1.2.3", true),
        ("v1.2.3-rc.1+build.7", "1.2.3-rc.1+build.7", true),
        ("v1", "1.0.0", false),
        ("1.2", "1.2.0", false),
        ("01.2.3", "1.2.3", false),
        ("20240115", "20240115.0.0", false),
        ("1-rc", "1.0.0-rc", false),
        ("18446744073709551615.0.0", "18446744073709551615.0.0", true),
    ] {
        let version = version(text);
        assert_eq!((&*version.to_string(), version.is_strict()), (canonical, strict), "{text}");
    }
    let too_long = format!("1.0.0-{}", "a".repeat(251));
    for bad in [
        "",
        "v",
        "V1",
        "vv1",
        "1.2.3.4",
        " 1.2.3",
        "1.2.3\n",
        "1.2.3-",
        "1.2.3-01",
        "1.2.3-a..b",
        "1.2.3+",
        "1.2.3_4",
        "1.x",
        "1.é",
        "18446744073709551616",
        &too_long,
    ] {
        assert!(bad.parse::<Version>().is_err(), "{bad}");
    }
    assert!(too_long[..256].parse::<Version>().is_ok());
}

#[test]
fn prereleases_come_in_order_before_their_release() {
    let sorted = [
        "1.0.0-0",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-100000000000000000000",
        "1.0.0-20000000000000000000",
        "1.0.0-RC",
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.b",
        "1.0.0",
        "1.0.1-0",
    ];
    for pair in sorted.windows(2) {
        let (a, b) = (version(pair[0]), version(pair[1]));
        assert_eq!(a.precedence(&b), Ordering::Less, "{pair:?}");
        assert_eq!(b.precedence(&a), Ordering::Greater, "{pair:?}");
    }
    assert_eq!(version("1.0.0+a").precedence(&version("v1+b")), Ordering::Equal);
}

#[test]
fn constraints_accept_what_they_say() {
    for (text, accepted, refused) in [
        ("1.2.3", "1.2.3 v1.2.3+b", "1.2.4 1.2.3-rc.1"),
        ("1.2", "1.2.0 1.2.9", "1.3.0 1.1.9"),
        ("1-rc", "1.0.0-rc 1.2.3 1.2.3-rc.1", "1.0.0-a 2.0.0"),
        ("!=1.2", "1.3.0 2.2.0", "1.2.0 1.2.7"),
        ("!=1.2-rc", "1.2.0 1.2.0-a", "1.2.0-rc 1.2.9-rc"),
        (">1.2", "1.3.0", "1.2.9"),
        (">*", "0.0.1 0.1.0", "0.0.0"),
        ("<=1.2", "1.2.9", "1.3.0"),
        ("<=*", "0.0.9", "0.1.0"),
        ("<*", "", "0.0.0 1.0.0"),
        ("=>1, =<2", "1.0.0 2.9.9", "0.9.9 3.0.0"),
        ("~1", "1.0.0 1.9.0", "2.0.0"),
        ("~>1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~0.0.0", "0.0.0 7.0.0", "1.0.0-rc"),
        ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0"),
        ("^0.2", "0.2.0 0.2.9", "0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.4"),
        ("^0", "0.0.0 0.9.9", "1.0.0"),
        ("^*", "0.0.0", "0.0.1"),
        ("1.x.7", "1.0.0 1.9.9", "2.0.0"),
        ("1.2 - 1.4", "1.2.0 1.4.9", "1.5.0 1.1.9"),
        ("1 - 2>2.1", "2.2.0", "2.1.0"),
        ("1.0.0-2.0.0", "1.0.0-2.0.0", "1.5.0"),
        ("1||2 - 3", "1.0.0 2.0.0 4.0.0", "0.9.0"),
        ("1 || >=3.0.0-0 <4", "1.0.0 3.0.0-rc 3.1.0-rc", "1.1.0-rc 4.0.0"),
    ] {
        let constraint = constraint(text);
        for v in accepted.split_whitespace() {
            assert!(constraint.accepts(&version(v)), "{text} refuses {v}");
        }
        for v in refused.split_whitespace() {
            assert!(!constraint.accepts(&version(v)), "{text} accepts {v}");
        }
    }
}

#[test]
fn what_masterminds_refuses_is_refused() {
    let too_long = "1".to_owned() + &" ".repeat(512);
    let too_many = ["1"; 33].join("||");
    let long_prerelease = format!("1-{}", "a".repeat(251));
    for bad in [
        "",
        " ",
        "||",
        "1||",
        "==1",
        "1,,2",
        "1,",
        "1;2",
        "1&&2",
        "1>2",
        "V1",
        "latest",
        "1.2.3.4",
        "1.xx",
        "1|2",
        "1.0.0-01",
        "3 1 - 2",
        ">1 - 2",
        "1 - 2 - 3",
        "1\u{b}",
        "1 é",
        &too_long,
        &too_many,
        &long_prerelease,
    ] {
        assert!(bad.parse::<Constraint>().is_err(), "{bad}");
    }
    assert!(too_long[..512].parse::<Constraint>().is_ok());
    assert!(["1"; 32].join("||").parse::<Constraint>().is_ok());
}
