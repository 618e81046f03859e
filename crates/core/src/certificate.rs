//! What becomes next of the certificates that the webhook makes for itself.
//!
//! Each is signed by an authority of its own, whose key is thrown away. So there is one thing to renew and not two, and the
//! order is always the same: make the next one, have its authority trusted beside the old one, serve it, and forget the old
//! authority when it has expired. At no moment is one served that the API server does not trust.

use jiff::{SignedDuration, Timestamp};

/// Of a certificate, and of the authority that signed it: they are made together and end together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    pub from: Timestamp,
    pub until: Timestamp,
}

/// What there is. A certificate counts if it can be served: its key fits, it is for the right names, and one of the
/// authorities signed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub serving: Option<Validity>,
    pub next: Option<Validity>,
    pub authorities: Vec<Validity>,
    /// Whether the API server has been told of all the authorities, everywhere.
    pub trusted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make a certificate and serve it: there is none, so there is nothing to lose.
    Make,
    /// Make the next one, with an authority to be trusted beside those there are.
    Prepare,
    /// Serve the next one.
    Switch,
    /// Trust those no longer that have expired.
    Forget,
    /// There is nothing to do before then, unless something changes.
    Wait(Timestamp),
}

impl Step {
    pub fn next(held: &Held, now: Timestamp) -> Self {
        let valid = |certificate: &Validity| now < certificate.until;
        let next = held.next.filter(valid);
        let Some(serving) = held.serving.filter(valid) else {
            return if next.is_some() { Self::Switch } else { Self::Make };
        };
        let wake = match next {
            None if now >= serving.renewal() => return Self::Prepare,
            None => serving.renewal(),
            Some(next) if now < next.settled() => next.settled(),
            Some(_) if held.trusted => return Self::Switch,
            // The change that makes it trusted wakes us. Should it never come, the end of what is served does.
            Some(_) => serving.until,
        };
        if !held.authorities.iter().all(valid) {
            return Self::Forget;
        }
        let expire = held.authorities.iter().map(|authority| authority.until);
        Self::Wait(expire.fold(wake, Ord::min))
    }
}

impl Validity {
    /// Of what is made now. It begins a little earlier: not every clock of a cluster shows the same time.
    pub fn of_new(life: SignedDuration, now: Timestamp) -> Self {
        let from = now.saturating_sub(margin(life)).unwrap_or(Timestamp::MIN);
        Self { from, until: from.saturating_add(life).unwrap_or(Timestamp::MAX) }
    }

    /// At two thirds of its life, so that one third is left for whatever goes wrong.
    fn renewal(self) -> Timestamp {
        self.after(self.life() / 3 * 2)
    }

    /// When every API server knows its authority: each hears of it from a watch.
    fn settled(self) -> Timestamp {
        self.after(margin(self.life()) * 2)
    }

    fn life(self) -> SignedDuration {
        self.until.duration_since(self.from)
    }

    fn after(self, time: SignedDuration) -> Timestamp {
        self.from.saturating_add(time).unwrap_or(Timestamp::MAX)
    }
}

/// How far clocks may differ, and how late an API server may hear of an authority.
fn margin(life: SignedDuration) -> SignedDuration {
    SignedDuration::from_mins(5).min(life / 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: SignedDuration = SignedDuration::from_hours(90 * 24);

    /// Of a first certificate, made then. Days and minutes below count from there.
    fn start() -> Timestamp {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn at(days: i64, minutes: i64) -> Timestamp {
        start() + SignedDuration::from_hours(24 * days) + SignedDuration::from_mins(minutes)
    }

    fn made(days: i64) -> Validity {
        Validity::of_new(LIFE, at(days, 0))
    }

    fn held(serving: Option<i64>, next: Option<i64>, authorities: &[i64], trusted: bool) -> Held {
        Held {
            serving: serving.map(made),
            next: next.map(made),
            authorities: authorities.iter().copied().map(made).collect(),
            trusted,
        }
    }

    #[test]
    fn a_certificate_is_replaced_without_a_moment_in_which_it_is_not_trusted() {
        use Step::{Forget, Make, Prepare, Switch, Wait};
        #[rustfmt::skip]
        let rows = [
            ("nothing yet",                   held(None, None, &[], false),             at(0, 0),   Make),
            ("made, not trusted yet",         held(Some(0), None, &[0], false),         at(0, 0),   Wait(at(60, -5))),
            ("trusted",                       held(Some(0), None, &[0], true),          at(0, 0),   Wait(at(60, -5))),
            ("a minute before two thirds",    held(Some(0), None, &[0], true),          at(60, -6), Wait(at(60, -5))),
            ("two thirds",                    held(Some(0), None, &[0], true),          at(60, -5), Prepare),
            ("two thirds, not trusted",       held(Some(0), None, &[0], false),         at(60, -5), Prepare),
            ("the next, not told",            held(Some(0), Some(60), &[0, 60], false), at(60, 0),  Wait(at(60, 5))),
            ("the next, just told",           held(Some(0), Some(60), &[0, 60], true),  at(60, 4),  Wait(at(60, 5))),
            ("the next, told for long",       held(Some(0), Some(60), &[0, 60], true),  at(60, 5),  Switch),
            ("the next, still not told",      held(Some(0), Some(60), &[0, 60], false), at(60, 5),  Wait(at(90, -5))),
            ("never told, and the end",       held(Some(0), Some(60), &[0, 60], false), at(90, -5), Switch),
            ("served, both are trusted",      held(Some(60), None, &[0, 60], true),     at(61, 0),  Wait(at(90, -5))),
            ("the first authority expired",   held(Some(60), None, &[0, 60], true),     at(90, -5), Forget),
            ("and is forgotten",              held(Some(60), None, &[60], true),        at(90, -5), Wait(at(120, -5))),
            ("expired while all were down",   held(Some(0), None, &[0], true),          at(90, -5), Make),
            ("both expired",                  held(Some(0), Some(60), &[0, 60], true),  at(150, 0), Make),
            ("the next expired unused",       held(Some(100), Some(0), &[0, 100], true), at(160, 0), Prepare),
            ("what is served was lost",       held(None, Some(60), &[0, 60], true),     at(61, 0),  Switch),
        ];
        for (row, held, now, step) in rows {
            assert_eq!(Step::next(&held, now), step, "{row}");
        }
    }

    #[test]
    fn a_short_life_has_the_same_order() {
        let life = SignedDuration::from_secs(30);
        let first = Validity::of_new(life, start());
        let second = |n| start() + SignedDuration::from_millis(n);
        assert_eq!((first.from, first.until), (second(-1500), second(28_500)));
        assert_eq!((first.settled(), first.renewal()), (second(1500), second(18_500)));
    }
}
