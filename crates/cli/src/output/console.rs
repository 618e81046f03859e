//! Where it is printed: stdout is the result, stderr is all that is said about it.

use std::cell::RefCell;
use std::env;
use std::io::{self, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use wharfinger_core::check::Check;

use super::{Color, Mark, clean};
use crate::exit::Failure;

pub struct Console {
    stdout: RefCell<Box<dyn Write>>,
    stderr: RefCell<Box<dyn Write>>,
    /// How the result may look.
    pub out: Look,
    /// How what is said about it may look.
    pub err: Look,
}

/// What a stream can show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Somebody looks at it while it is written.
    pub terminal: bool,
    pub color: bool,
    pub unicode: bool,
}

impl Console {
    pub fn of_process(color: Color) -> Self {
        let unicode = unicode();
        let look = |terminal, choice| Look { terminal, color: colored(color, choice), unicode };
        let (stdout, stderr) = (io::stdout(), io::stderr());
        Self {
            out: look(stdout.is_terminal(), AutoStream::choice(&stdout)),
            err: look(stderr.is_terminal(), AutoStream::choice(&stderr)),
            stdout: RefCell::new(Box::new(stdout)),
            stderr: RefCell::new(Box::new(stderr)),
        }
    }

    /// Into writers of one's own, plain.
    pub fn new(stdout: Box<dyn Write>, stderr: Box<dyn Write>) -> Self {
        let plain = Look { unicode: true, ..Look::default() };
        Self { stdout: RefCell::new(stdout), stderr: RefCell::new(stderr), out: plain, err: plain }
    }

    /// A line of the result. What is from the cluster has been cleaned.
    pub fn line(&self, line: impl AsRef<str>) -> io::Result<()> {
        let mut stdout = self.stdout.borrow_mut();
        writeln!(stdout, "{}", line.as_ref())?;
        stdout.flush()
    }

    /// The result, as it is.
    pub fn raw(&self, result: &[u8]) -> io::Result<()> {
        let mut stdout = self.stdout.borrow_mut();
        stdout.write_all(result)?;
        stdout.flush()
    }

    /// A line about the result: progress, a warning, a question. What is from the cluster has been cleaned.
    pub fn say(&self, line: impl AsRef<str>) {
        // There is nobody to tell that nobody can be told.
        writeln!(self.stderr.borrow_mut(), "{}", line.as_ref()).ok();
    }

    /// What somebody should look at; nothing is stopped by it.
    pub fn warn(&self, checks: &[Check]) {
        for check in checks {
            let mark = Mark::from(check.state).painted(self.err);
            self.say(format!("{mark} {}", clean(&check.to_string())));
        }
    }

    /// What went wrong, and what to do next.
    pub fn refuse(&self, failure: &Failure) {
        if failure.what.is_empty() {
            return;
        }
        self.say(format!("{} {}", Mark::Failed.painted(self.err), clean(&failure.what)));
        for next in &failure.next {
            self.say(format!("  next: {}", clean(next)));
        }
    }
}

impl Look {
    pub fn paint(self, text: &str, style: Style) -> String {
        if self.color && !style.is_plain() {
            format!("{style}{text}{style:#}")
        } else {
            text.into()
        }
    }
}

fn colored(color: Color, choice: ColorChoice) -> bool {
    match color {
        Color::Auto => choice != ColorChoice::Never,
        Color::Always => true,
        Color::Never => false,
    }
}

/// Whether the locale says that more than ASCII can be shown.
fn unicode() -> bool {
    let set = |name| env::var(name).ok().filter(|v| !v.is_empty());
    let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
    locale.is_some_and(|l| {
        let l = l.to_ascii_lowercase();
        l.contains("utf-8") || l.contains("utf8")
    })
}
