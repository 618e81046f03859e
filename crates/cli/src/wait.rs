//! Waiting for Promotions to end, and saying meanwhile how far they are.
//!
//! The Promotions do not need anybody who waits: a time-out, Ctrl-C or a lost connection ends the waiting and nothing else.

use std::time::Duration;

use futures::{StreamExt as _, stream::select_all};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::SignedDuration;
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, watch_object};
use wharfinger_api::v1alpha1::Promotion;
use wharfinger_core::promotion::over;

use crate::exit::{Exit, Failure};
use crate::follow::{Event, changes};
use crate::output::{Format, clean, documents};
use crate::session::Session;

/// Waits until every one of `names` has ended, and returns them as they ended, in the order of `names`.
pub async fn wait(
    session: &Session,
    names: &[String],
    limit: Option<SignedDuration>,
) -> Result<Vec<Promotion>, Failure> {
    let api: Api<Promotion> = session.of_project().await?;
    let progress = Progress::new(session);
    let limit = limit.and_then(|l| Duration::try_from(l).ok());
    let patience = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = ended(session, &api, names, &progress) => ended,
        () = patience => Err(left("not over yet: --timeout is reached", names).exit(Exit::TimedOut)),
        _ = tokio::signal::ctrl_c() => Err(left("detached", names).exit(Exit::Interrupted)),
    };
    progress.end();
    ended
}

/// How a verb ends whose Promotions have ended.
pub fn exit(ended: &[Promotion]) -> Exit {
    let succeeded = |p: &Promotion| p.status.as_ref().is_some_and(|s| s.phase == "Succeeded");
    if ended.iter().all(succeeded) { Exit::Done } else { Exit::Unsuccessful }
}

async fn ended(
    session: &Session,
    api: &Api<Promotion>,
    names: &[String],
    progress: &Progress<'_>,
) -> Result<Vec<Promotion>, Failure> {
    let mut seen: Vec<Option<Promotion>> = vec![None; names.len()];
    let watched = names.iter().enumerate().map(|(index, name)| {
        watch_object(api.clone(), name).default_backoff().map(move |event| (index, event)).boxed()
    });
    let mut events = select_all(watched);
    let mut lost = false;
    while let Some((index, event)) = events.next().await {
        let promotion = match event {
            Ok(Some(promotion)) => promotion,
            Ok(None) => {
                let text = format!("the Promotion {} was deleted", names[index]);
                return Err(Failure::new(text).exit(Exit::Unsuccessful));
            }
            Err(error) => {
                if let Some(forbidden) = forbidden(&error) {
                    return Err(forbidden.next(still(names)));
                }
                if !lost {
                    progress.say(&format!("the connection is lost, trying again: {error}"));
                    lost = true;
                }
                continue;
            }
        };
        lost = false;
        for event in changes(seen[index].as_ref(), &promotion, session.now()) {
            progress.tell(&event)?;
        }
        progress.now(&promotion);
        seen[index] = Some(promotion);
        if seen.iter().all(|p| p.as_ref().is_some_and(over)) {
            break;
        }
    }
    Ok(seen.into_iter().flatten().collect())
}

/// What no patience helps against.
pub(crate) fn forbidden(error: &watcher::Error) -> Option<Failure> {
    use watcher::Error::{InitialListFailed, WatchFailed, WatchStartFailed};
    let (InitialListFailed(error) | WatchStartFailed(error) | WatchFailed(error)) = error else {
        return None;
    };
    let failure = Failure::api("watch", error);
    (failure.exit == Exit::NotAllowed).then_some(failure)
}

fn left(why: &str, names: &[String]) -> Failure {
    let go_on = if names.len() == 1 { "the Promotion goes on" } else { "the Promotions go on" };
    Failure::new(format!("{why}; {go_on}: {}", names.join(", "))).next(still(names))
}

fn still(names: &[String]) -> String {
    format!("Follow again: wharf watch {}", names.join(" "))
}

/// Where the events go: a line each, below which a terminal shows what is waited for now.
struct Progress<'s> {
    session: &'s Session,
    bar: Option<ProgressBar>,
}

impl<'s> Progress<'s> {
    fn new(session: &'s Session) -> Self {
        let look = session.console.err;
        let live = look.terminal && session.global.output != Format::Jsonl;
        let bar = live.then(|| {
            let ticks = if look.unicode { "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ " } else { "|/-\\ " };
            let style = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}");
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = style {
                bar.set_style(style.tick_chars(ticks));
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { session, bar }
    }

    fn tell(&self, event: &Event) -> Result<(), Failure> {
        let Session { console, global, .. } = self.session;
        match (&self.bar, global.output) {
            (_, Format::Jsonl) => documents(console, Format::Jsonl, std::slice::from_ref(event))?,
            (Some(bar), _) => bar.println(event.shown(console.err)),
            (None, _) => console.say(event.logged()),
        }
        Ok(())
    }

    /// What is waited for now.
    fn now(&self, promotion: &Promotion) {
        let Some(bar) = &self.bar else { return };
        let status = promotion.status.as_ref();
        let message = status.map_or("", |s| &s.message);
        let message = if message.is_empty() { "waits for its turn" } else { message };
        bar.set_message(format!("{}  {}", clean(&promotion.spec.stage), clean(message)));
    }

    fn say(&self, line: &str) {
        let line = clean(line);
        match &self.bar {
            Some(bar) => bar.println(line),
            None => self.session.console.say(line),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
