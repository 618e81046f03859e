//! From the text of an expression to its tokens.

use std::iter::Peekable;
use std::str::Chars;

/// A token, and how many characters come before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Name(String),
    Number(String),
    Text(String),
    Bytes(Vec<u8>),
    Operator(String),
    Bracket(char),
    End,
}

/// What is wrong, and how many characters come before it.
pub(super) type Fault = (usize, String);

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut lexer = Lexer { chars: text.chars().peekable(), at: 0 };
    let mut tokens = vec![];
    loop {
        lexer.skip()?;
        let at = lexer.at;
        let kind = lexer.token()?;
        let is_end = kind == Kind::End;
        tokens.push(Token { at, kind });
        if is_end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    at: usize,
}

impl Lexer<'_> {
    /// Blanks and comments.
    fn skip(&mut self) -> Result<(), Fault> {
        loop {
            match (self.peek(), self.second()) {
                (Some(c), _) if c.is_whitespace() => {
                    self.next();
                }
                (Some('/'), Some('/')) => while self.next().is_some_and(|c| c != '\n') {},
                (Some('/'), Some('*')) => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment(&mut self) -> Result<(), Fault> {
        let start = self.at;
        self.next();
        self.next();
        loop {
            match self.next() {
                None => return Err((start, "the comment is not closed".into())),
                Some('*') if self.accept("/").is_some() => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn token(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        let (Some(first), second) = (self.peek(), self.second()) else { return Ok(Kind::End) };
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if first.is_ascii_digit() || first == '.' && digit(second) {
            return self.number();
        }
        if matches!(first, 'b' | 'B') && matches!(second, Some('\'' | '"')) {
            self.next();
            return Ok(Kind::Bytes(self.quoted(true)?));
        }
        if is_letter(first) {
            return Ok(self.word());
        }
        match first {
            '\'' | '"' => {
                let bytes = self.quoted(false)?;
                return Ok(Kind::Text(String::from_utf8_lossy(&bytes).into_owned()));
            }
            '`' => return self.raw(),
            _ => {}
        }
        self.next();
        let follows = match first {
            '(' | '[' | '{' | ')' | ']' | '}' => return Ok(Kind::Bracket(first)),
            ',' | ';' | '%' | '+' | '-' | '^' | '/' => "",
            '#' => "#",
            '|' => "|",
            ':' => ":",
            '?' => ".?",
            '.' => ".",
            '&' | '!' | '=' | '*' | '<' | '>' => "&=*",
            other => return Err((at, format!("{other:?} means nothing here"))),
        };
        let mut operator = String::from(first);
        operator.extend(self.accept(follows));
        Ok(Kind::Operator(operator))
    }

    fn word(&mut self) -> Kind {
        let mut word = String::new();
        while let Some(c) = self.peek().filter(|c| is_letter(*c) || c.is_numeric()) {
            word.push(c);
            self.next();
        }
        match word.as_str() {
            "not" | "in" | "or" | "and" | "matches" | "contains" | "startsWith" | "endsWith"
            | "let" | "if" | "else" => Kind::Operator(word),
            _ => Kind::Name(word),
        }
    }

    fn number(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        let mut number = String::new();
        let mut digits = "0123456789_";
        if self.take("0", &mut number) {
            if self.take("xX", &mut number) {
                digits = "0123456789abcdefABCDEF_";
            } else if self.take("oO", &mut number) {
                digits = "01234567_";
            } else if self.take("bB", &mut number) {
                digits = "01_";
            }
        }
        while self.take(digits, &mut number) {}
        // Two dots are a range.
        if self.peek() == Some('.') && self.second() != Some('.') {
            self.take(".", &mut number);
            while self.take(digits, &mut number) {}
        } else if self.peek() == Some('.') {
            return Ok(Kind::Number(number));
        }
        if self.take("eE", &mut number) {
            self.take("+-", &mut number);
            while self.take(digits, &mut number) {}
        }
        match self.peek() {
            Some(c) if is_letter(c) || c.is_numeric() => {
                Err((at, format!("{number}{c} is no number")))
            }
            _ => Ok(Kind::Number(number)),
        }
    }

    fn take(&mut self, of: &str, into: &mut String) -> bool {
        let taken = self.accept(of);
        into.extend(taken);
        taken.is_some()
    }

    /// Between two backticks nothing is escaped but the backtick, by doubling it.
    fn raw(&mut self) -> Result<Kind, Fault> {
        let at = self.at;
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err((at, UNCLOSED.into())),
                Some('`') if self.accept("`").is_none() => return Ok(Kind::Text(text)),
                Some(c) => text.push(c),
            }
        }
    }

    fn quoted(&mut self, raw_bytes: bool) -> Result<Vec<u8>, Fault> {
        let at = self.at;
        let quote = self.next();
        let mut bytes = vec![];
        loop {
            let c = match self.next() {
                None | Some('\n') => return Err((at, UNCLOSED.into())),
                end if end == quote => return Ok(bytes),
                Some('\\') => match self.escape(quote, raw_bytes)? {
                    Escape::Byte(byte) => {
                        bytes.push(byte);
                        continue;
                    }
                    Escape::Char(c) => c,
                },
                Some(c) => c,
            };
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }

    fn escape(&mut self, quote: Option<char>, raw_bytes: bool) -> Result<Escape, Fault> {
        let at = self.at;
        let no = || (at, "no escape begins like this; write a backslash twice".to_owned());
        let c = self.next().ok_or_else(no)?;
        let code = match c {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => 0x0a,
            'r' => 0x0d,
            't' => 0x09,
            'v' => 0x0b,
            '\\' => u32::from('\\'),
            _ if Some(c) == quote => u32::from(c),
            '0'..='7' => {
                let rest = self.digits(2, 8).ok_or_else(no)?;
                let code = c.to_digit(8).unwrap_or_default() * 64 + rest;
                u8::try_from(code).map_err(|_| no())?.into()
            }
            'x' => self.digits(2, 16).ok_or_else(no)?,
            'u' if !raw_bytes && self.accept("{").is_some() => self.braced().ok_or_else(no)?,
            'u' if !raw_bytes => self.digits(4, 16).ok_or_else(no)?,
            'U' if !raw_bytes => self.digits(8, 16).ok_or_else(no)?,
            _ => return Err(no()),
        };
        if raw_bytes {
            return Ok(Escape::Byte(u8::try_from(code).map_err(|_| no())?));
        }
        let is_surrogate = (0xd800..0xe000).contains(&code);
        match char::from_u32(code) {
            Some(c) => Ok(Escape::Char(c)),
            None if is_surrogate => Ok(Escape::Char(char::REPLACEMENT_CHARACTER)),
            None => Err(no()),
        }
    }

    fn digits(&mut self, count: usize, radix: u32) -> Option<u32> {
        (0..count).try_fold(0_u32, |code, _| {
            let digit = self.next()?.to_digit(radix)?;
            code.checked_mul(radix)?.checked_add(digit)
        })
    }

    /// From 1 to 6 digits, and the brace that closes.
    fn braced(&mut self) -> Option<u32> {
        let mut code = self.next()?.to_digit(16)?;
        for _ in 0..6 {
            match self.next()? {
                '}' => return Some(code),
                digit => code = code * 16 + digit.to_digit(16)?,
            }
        }
        None
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().copied()
    }

    fn second(&self) -> Option<char> {
        self.chars.clone().nth(1)
    }

    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        self.at += usize::from(next.is_some());
        next
    }

    fn accept(&mut self, of: &str) -> Option<char> {
        let c = self.peek().filter(|c| of.contains(*c))?;
        self.next();
        Some(c)
    }
}

enum Escape {
    Byte(u8),
    Char(char),
}

const UNCLOSED: &str = "the text is not closed";

fn is_letter(c: char) -> bool {
    c == '_' || c == '$' || c.is_alphabetic()
}

/// Whether a word could be a name, operators such as `in` included.
pub(super) fn is_word(text: &str) -> bool {
    text.chars().next().is_some_and(is_letter)
}
