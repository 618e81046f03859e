use jiff::ToSpan as _;

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + millis.milliseconds()
}

/// `name[!|?|~]`: refused, cached, asked already.
fn failing(texts: &[&str]) -> BTreeMap<String, Failing> {
    let one = |text: &&str| {
        let name = text.trim_end_matches(['!', '?', '~']);
        let failure = match () {
            () if text.contains('!') => RenderFailure::Refused,
            () if text.contains('?') => RenderFailure::Cached,
            () => RenderFailure::Trouble,
        };
        (name.to_owned(), Failing { failure, asked: text.contains('~'), about: String::new() })
    };
    texts.iter().map(one).collect()
}

fn refresh(key: &str, hard: bool) -> Next<String> {
    Next::Refresh { key: key.into(), hard }
}

#[test]
fn one_is_looked_at_every_two_seconds_and_each_in_its_turn() {
    let mut pace = Pace::default();
    let all = failing(&["a", "b?", "c~", "d!", "e"]);
    assert_eq!(pace.next(&all, at(0)), refresh("a", false));
    assert_eq!(pace.next(&all, at(0)), Next::Sleep(at(2000)));
    assert_eq!(pace.next(&all, at(1999)), Next::Sleep(at(2000)));
    assert_eq!(pace.next(&all, at(2000)), refresh("b", true));
    assert_eq!(
        pace.next(&all, at(4000)),
        refresh("e", false),
        "c was asked already, d was refused"
    );
    assert_eq!(pace.next(&all, at(6000)), refresh("a", false));
    assert_eq!(pace.next(&failing(&[]), at(9000)), Next::Idle);
    assert_eq!(pace.next(&failing(&["c~", "d!"]), at(9000)), Next::Idle);
}

#[test]
fn when_one_is_back_the_others_follow_twenty_a_second() {
    let mut pace = Pace::default();
    pace.next(&failing(&["a", "b", "c", "d!"]), at(0));
    let rest = failing(&["b", "c", "d!"]);
    pace.recovered(&rest);
    assert_eq!(pace.next(&rest, at(10)), Next::Sleep(at(50)));
    assert_eq!(pace.next(&rest, at(50)), refresh("b", false));
    assert_eq!(pace.next(&rest, at(51)), Next::Sleep(at(100)));
    // b renders again before its turn comes a second time; c has its turn once and then waits like any other.
    let rest = failing(&["c", "d!"]);
    assert_eq!(pace.next(&rest, at(100)), refresh("c", false));
    assert_eq!(pace.next(&rest, at(150)), Next::Sleep(at(2100)));
}

#[test]
fn a_hundred_that_come_back_take_five_seconds() {
    let names: Vec<_> = (0..100).map(|n| format!("app-{n:02}")).collect();
    let mut left: BTreeMap<_, _> = failing(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut pace, mut now, mut refreshed) = (Pace::default(), at(0), 0);
    pace.recovered(&left);
    while !left.is_empty() {
        match pace.next(&left, now) {
            Next::Refresh { key, .. } => {
                left.remove(&key);
                refreshed += 1;
            }
            Next::Sleep(until) => now = until,
            Next::Idle => unreachable!("{} are left", left.len()),
        }
    }
    assert_eq!((refreshed, now), (100, at(99 * 50)));
}

#[test]
fn a_refusal_is_looked_at_again_only_when_its_reason_has_changed() {
    let mut pace = Pace::default();
    let mut all = failing(&["a!"]);
    assert_eq!(pace.next(&all, at(0)), Next::Idle);
    assert_eq!(pace.next(&all, at(9000)), Next::Idle);
    all.get_mut("a").unwrap().about = "another assignment".into();
    assert_eq!(pace.next(&all, at(9000)), refresh("a", false));
    assert_eq!(pace.next(&all, at(20_000)), Next::Idle);
}

#[test]
fn a_patch_that_does_not_last_is_sent_ever_more_seldom() {
    let mut attempts = Attempts::default();
    let mut now = at(0);
    let mut pauses = vec![];
    for _ in 0..10 {
        let due = attempts.due(now);
        pauses.push(due.duration_since(now).as_millis());
        now = due;
        attempts.sent(now);
    }
    assert_eq!(pauses, [0, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
    let later = now + 5.minutes();
    assert_eq!(attempts.due(later), later);
    attempts.sent(later);
    assert_eq!(attempts.due(later), later + 500.milliseconds());
}
