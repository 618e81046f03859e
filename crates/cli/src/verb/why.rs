//! `wharf why`: why Freight may go to a Stage or not, why a write was denied, why an object is as it is.

mod denial;
mod object;
mod promotable;

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;
use serde::Serialize;
use tokio::task::spawn_blocking;
use wharfinger_core::check::{Code, Explanation};

use crate::exit::{Exit, Failure};
use crate::session::Session;
use denial::Denial;
use object::Object;

/// Say whether Freight may go to a Stage, why a write was denied, or why an object is as it is
///
/// Exit code with --to 0: the Freight is available; 5: it is not; 4: it is, and you may not promote it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wharf why v1.9.1 --to prod
  wharf why stage/prod
  wharf why application/argocd/web
  kubectl apply -f web.yaml 2>&1 | wharf why
  wharf why soak")]
pub struct Why {
    /// With --to, Freight: name, alias or version. Else stage/NAME, application/[NAMESPACE/]NAME, promotion/NAME, or what a
    /// denial says; it is read from stdin where there is none
    what: Vec<String>,

    /// The Stage that the Freight is to go to
    #[arg(long, visible_alias = "stage", value_name = "STAGE")]
    to: Option<String>,
}

impl Why {
    pub async fn run(self, session: &Session) -> Result<Exit, Failure> {
        let Self { what, to } = self;
        // A denial that was pasted without quotation marks comes in pieces.
        let what = what.join(" ");
        match to {
            Some(_) if what.is_empty() => {
                Err(Failure::usage("there is no Freight to look at").next(FREIGHT))
            }
            Some(to) => promotable::show(session, &what, to).await,
            None if what.is_empty() || what == "-" => explain(session, &stdin().await?).await,
            None => explain(session, &what).await,
        }
    }
}

const FREIGHT: &str = "Whether Freight may go to a Stage: wharf why FREIGHT --to STAGE";
/// More than any denial has.
const LONGEST: u64 = 1 << 20;

async fn explain(session: &Session, text: &str) -> Result<Exit, Failure> {
    if let Some(object) = Object::named(text) {
        return object.show(session).await;
    }
    if let Some(denial) = Denial::read(text) {
        return denial.show(session);
    }
    Err(Failure::usage("that is neither an object nor a denial with its code in brackets")
        .next(FREIGHT)
        .next("Why an object is as it is: wharf why stage/NAME, wharf why application/NAME")
        .next("What a denial means: wharf why 'denied the request: wharfinger: … [CODE]'"))
}

async fn stdin() -> Result<String, Failure> {
    if io::stdin().is_terminal() {
        return Err(Failure::usage("there is nothing to explain").next(FREIGHT));
    }
    let read = spawn_blocking(|| {
        let mut text = vec![];
        io::stdin().take(LONGEST).read_to_end(&mut text).map(|_| text)
    });
    let read = read.await.map_err(|e| Failure::new("can't read stdin").because(&e))?;
    let text = read.map_err(|e| Failure::new("can't read stdin").because(&e))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// What a code means, as it is printed.
#[derive(Debug, Serialize)]
struct Explained {
    code: Code,
    meaning: &'static str,
    rule: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    who: Option<&'static str>,
    next: &'static str,
}

impl Explained {
    fn of(code: Code) -> Self {
        let Explanation { meaning, rule, who, next } = code.explanation();
        Self { code, meaning, rule, who, next }
    }

    fn lines(&self) -> Vec<String> {
        let Self { code, meaning, rule, who, next } = self;
        let mut lines = vec![format!("{code}: {meaning}"), format!("  rule     {rule}")];
        lines.extend(who.map(|who| format!("  who may  {who}")));
        lines.push(format!("  next     {next}"));
        lines
    }
}

/// Each code once, where it came first.
fn unique(codes: impl Iterator<Item = Code>) -> Vec<Code> {
    let mut unique = vec![];
    for code in codes {
        if !unique.contains(&code) {
            unique.push(code);
        }
    }
    unique
}
