//! Which connections nobody waits on, and since when: whoever has been quiet for longest makes room for somebody new.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::Shutdown;

/// The quiet connections of a listener, in the order in which they became quiet.
#[derive(Clone, Default)]
pub(super) struct Idle(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    turns: u64,
    quiet: BTreeMap<u64, (Instant, Shutdown)>,
}

/// A connection's place among the others. It is quiet until a request begins, and again when the last one has been answered.
pub(super) struct Seat {
    idle: Idle,
    leave: Shutdown,
    at: Mutex<At>,
}

#[derive(Default)]
struct At {
    requests: usize,
    turn: Option<u64>,
}

/// A request of a connection, until it has been answered or given up.
pub(super) struct Busy(Arc<Seat>);

impl Idle {
    pub(super) fn seat(&self) -> Arc<Seat> {
        let leave = Shutdown::new();
        let at = At { requests: 0, turn: Some(self.queue().enter(&leave)) };
        Arc::new(Seat { idle: self.clone(), leave, at: Mutex::new(at) })
    }

    /// Tells the one that has been quiet for longest to leave. None may be quiet.
    pub(super) fn make_room(&self) -> bool {
        let longest = self.queue().quiet.pop_first();
        if let Some((_, (_, leave))) = &longest {
            leave.cancel();
        }
        longest.is_some()
    }

    /// Tells all to leave that have been quiet since before then.
    pub(super) fn let_go(&self, before: Instant) {
        let mut queue = self.queue();
        while let Some(first) = queue.quiet.first_entry().filter(|first| first.get().0 < before) {
            first.remove().1.cancel();
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn enter(&mut self, leave: &Shutdown) -> u64 {
        self.turns += 1;
        self.quiet.insert(self.turns, (Instant::now(), leave.clone()));
        self.turns
    }
}

impl Seat {
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        let mut at = self.at();
        at.requests += 1;
        if let Some(turn) = at.turn.take() {
            self.idle.queue().quiet.remove(&turn);
        }
        drop(at);
        Busy(Arc::clone(self))
    }

    /// Until somebody else needs the room.
    pub(super) async fn asked_to_leave(&self) {
        self.leave.cancelled().await;
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.at().requests == 0
    }

    fn at(&self) -> MutexGuard<'_, At> {
        self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let Self(seat) = self;
        let mut at = seat.at();
        at.requests -= 1;
        if at.requests == 0 {
            at.turn = Some(seat.idle.queue().enter(&seat.leave));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let turn = self.at().turn;
        if let Some(turn) = turn {
            self.idle.queue().quiet.remove(&turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::*;

    fn leaves(seat: &Seat) -> bool {
        seat.leave.is_cancelled()
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_been_quiet_for_longest_leaves_first() {
        let idle = Idle::default();
        let seats = [(); 4].map(|()| idle.seat());
        let [first, second, third, fourth] = &seats;
        // Two requests at once: it is busy until both are over.
        let (one, two) = (first.begin(), first.begin());
        drop(third.begin());
        drop(one);
        assert!(!first.is_quiet());
        for (expected, row) in [(second, "since it came"), (fourth, "too"), (third, "asked once")] {
            assert!(idle.make_room() && leaves(expected), "{row}");
        }
        assert!(!idle.make_room() && !leaves(first), "one that somebody waits on stays");
        drop(two);
        assert!(first.is_quiet() && idle.make_room() && leaves(first));
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_quiet_for_too_long_leaves() {
        let idle = Idle::default();
        let (old, busy) = (idle.seat(), idle.seat());
        let asked = busy.begin();
        advance(Duration::from_secs(60)).await;
        let new = idle.seat();
        idle.let_go(Instant::now());
        assert!(leaves(&old) && !leaves(&busy) && !leaves(&new));
        drop(asked);
        idle.let_go(Instant::now());
        assert!(!leaves(&busy), "it has just been asked");
    }

    #[tokio::test]
    async fn who_is_gone_is_forgotten() {
        let idle = Idle::default();
        drop(idle.seat());
        let seat = idle.seat();
        drop(seat.begin());
        drop(seat);
        assert!(!idle.make_room());
    }
}
