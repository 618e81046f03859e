//! From tokens to an expression.

mod primary;

use super::error::Error;
use super::lexer::{self, Kind as Lexeme, Token};
use super::regex;
use super::syntax::{Binary, Kind, Node};

/// How deep nodes may lie in each other. Whatever walks over an expression calls itself once a level.
const DEEPEST: u16 = 100;
/// How deep brackets and operators before operands may lie in each other: reading them takes more of the stack.
const DEEPEST_BRACKETS: usize = 50;
/// Go's engine reads no more either.
const MOST_NODES: usize = 10_000;

pub(super) fn parse(text: &str) -> Result<Node, Error> {
    let tokens = lexer::tokens(text)
        .map_err(|(at, fault)| Error::at(format!("no expression: {fault}"), text, at))?;
    let mut parser = Parser { tokens, next: 0, brackets: 0, closures: 0 };
    let read = parser.sequence().and_then(|node| match parser.token().kind {
        Lexeme::End => Ok(node),
        _ => Err(parser.unexpected()),
    });
    read.map_err(|(at, fault)| Error::at(format!("no expression: {fault}"), text, at))
}

struct Parser {
    /// The last is the end, and stays the next.
    tokens: Vec<Token>,
    next: usize,
    brackets: usize,
    closures: usize,
}

type Parsed<T> = Result<T, lexer::Fault>;

impl Parser {
    fn sequence(&mut self) -> Parsed<Node> {
        let at = self.token().at;
        let mut nodes = vec![self.expression(0)?];
        while self.take(";") && self.token().kind != Lexeme::End {
            nodes.push(self.expression(0)?);
        }
        if nodes.len() > 1 {
            return node(at, Kind::Sequence(nodes));
        }
        nodes.pop().ok_or_else(|| self.unexpected())
    }

    /// An expression whose operators bind at least as tightly as `least`.
    fn expression(&mut self, least: u16) -> Parsed<Node> {
        self.brackets += 1;
        if self.brackets > DEEPEST_BRACKETS {
            let fault = format!("it lies more than {DEEPEST_BRACKETS} levels deep; split it");
            return Err((self.token().at, fault));
        }
        let read = if least == 0 && self.is("let") {
            self.declaration()
        } else if least == 0 && self.is("if") {
            self.condition()
        } else {
            self.operation(least)
        };
        self.brackets -= 1;
        read
    }

    fn operation(&mut self, least: u16) -> Parsed<Node> {
        let mut left = self.primary()?;
        let mut coalesces = false;
        while let Token { at, kind: Lexeme::Operator(sign) } = self.token().clone() {
            let (negated, sign) = match sign.as_str() {
                "not" => match &self.after().kind {
                    Lexeme::Operator(sign) if is_negatable(sign) => (true, sign.clone()),
                    _ => {
                        self.advance();
                        return Err(self.unexpected());
                    }
                },
                _ => (false, sign),
            };
            let Some((infix, binds)) = infix(&sign).filter(|(_, binds)| *binds >= least) else {
                break;
            };
            if negated {
                self.advance();
            }
            let at = if negated { self.token().at } else { at };
            self.advance();
            if coalesces && !matches!(infix, Infix::Binary(Binary::Coalesce) | Infix::Pipe) {
                let fault = format!("{sign} can't be mixed with ??; put brackets around either");
                return Err((at, fault));
            }
            coalesces = matches!(infix, Infix::Binary(Binary::Coalesce));
            left = match infix {
                Infix::Pipe => self.piped(left)?,
                Infix::Matches => self.matches(at, left, binds)?,
                Infix::Binary(binary) if binary.is_comparison() => {
                    self.comparison(at, left, binary, binds)?
                }
                Infix::Binary(binary) => {
                    let next = if binary == Binary::Power { binds } else { binds + 1 };
                    let right = self.expression(next)?;
                    node(at, Kind::Binary(binary, left.into(), right.into()))?
                }
            };
            if negated {
                left = node(at, Kind::Not(left.into()))?;
            }
        }
        if least == 0 { self.ternary(left) } else { Ok(left) }
    }

    /// `1 < x < 3` is `1 < x and x < 3`.
    fn comparison(&mut self, at: usize, left: Node, first: Binary, binds: u16) -> Parsed<Node> {
        let (mut left, mut binary, mut at) = (left, first, at);
        let mut all: Option<Node> = None;
        loop {
            let right = self.expression(binds + 1)?;
            // What is in the middle is computed twice, as in Go.
            let one = node(at, Kind::Binary(binary, left.into(), right.clone().into()))?;
            let both = match all.take() {
                None => one,
                Some(all) => node(at, Kind::Binary(Binary::And, all.into(), one.into()))?,
            };
            let Lexeme::Operator(sign) = &self.token().kind else { return Ok(both) };
            match infix(sign) {
                Some((Infix::Binary(next), _)) if next.is_comparison() => binary = next,
                _ => return Ok(both),
            }
            at = self.token().at;
            self.advance();
            (left, all) = (right, Some(both));
        }
    }

    fn matches(&mut self, at: usize, text: Node, binds: u16) -> Parsed<Node> {
        let pattern = self.expression(binds + 1)?;
        let compiled = match &pattern.kind {
            Kind::Text(pattern) => Some(regex::compile(pattern).map_err(|fault| (at, fault))?),
            _ => None,
        };
        node(at, Kind::Matches { text: text.into(), pattern: pattern.into(), compiled })
    }

    fn ternary(&mut self, condition: Node) -> Parsed<Node> {
        let mut chosen = condition;
        while self.is("?") {
            let at = self.token().at;
            self.advance();
            let yes = if self.is(":") { chosen.clone() } else { self.expression(0)? };
            self.expect(":")?;
            let no = self.expression(0)?;
            let kind = Kind::If { condition: chosen.into(), yes: yes.into(), no: no.into() };
            chosen = node(at, kind)?;
        }
        Ok(chosen)
    }

    fn declaration(&mut self) -> Parsed<Node> {
        self.advance();
        let at = self.token().at;
        let name = self.name()?;
        self.expect("=")?;
        let value = self.expression(0)?.into();
        self.expect(";")?;
        let then = self.sequence()?.into();
        node(at, Kind::Let { name, value, then })
    }

    /// `if a { b } else { c }`.
    fn condition(&mut self) -> Parsed<Node> {
        let at = self.token().at;
        self.advance();
        let condition = self.expression(0)?.into();
        let yes = self.block()?.into();
        self.expect("else")?;
        let no = if self.is("if") { self.expression(0)? } else { self.block()? }.into();
        node(at, Kind::If { condition, yes, no })
    }

    fn block(&mut self) -> Parsed<Node> {
        self.open('{')?;
        let node = self.sequence()?;
        self.open('}')?;
        Ok(node)
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn after(&self) -> &Token {
        self.tokens.get(self.next + 1).unwrap_or_else(|| self.token())
    }

    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn is(&self, operator: &str) -> bool {
        matches!(&self.token().kind, Lexeme::Operator(sign) if sign == operator)
    }

    fn take(&mut self, operator: &str) -> bool {
        let is = self.is(operator);
        if is {
            self.advance();
        }
        is
    }

    fn expect(&mut self, operator: &str) -> Parsed<()> {
        if self.take(operator) { Ok(()) } else { Err(self.missing(operator)) }
    }

    fn is_bracket(&self, bracket: char) -> bool {
        self.token().kind == Lexeme::Bracket(bracket)
    }

    /// Takes a bracket, whichever side it is.
    fn open(&mut self, bracket: char) -> Parsed<()> {
        if !self.is_bracket(bracket) {
            return Err(self.missing(bracket));
        }
        self.advance();
        Ok(())
    }

    fn name(&mut self) -> Parsed<String> {
        let Lexeme::Name(name) = self.token().kind.clone() else {
            return Err(self.missing("a name"));
        };
        self.advance();
        Ok(name)
    }

    fn missing(&self, what: impl std::fmt::Display) -> lexer::Fault {
        let (at, found) = self.unexpected();
        (at, format!("{what} is missing; {found}"))
    }

    fn unexpected(&self) -> lexer::Fault {
        let token = self.token();
        let found = match &token.kind {
            Lexeme::End => return (token.at, "it ends too early".into()),
            Lexeme::Name(text) | Lexeme::Number(text) | Lexeme::Operator(text) => text.clone(),
            Lexeme::Text(text) => format!("{text:?}"),
            Lexeme::Bytes(_) => "bytes".into(),
            Lexeme::Bracket(bracket) => bracket.to_string(),
        };
        (token.at, format!("{} can't stand here", crate::claim::shown(&found)))
    }
}

/// A node, unless it is too large.
fn node(at: usize, kind: Kind) -> Parsed<Node> {
    let (mut depth, mut size) = (1, 1);
    kind.each_child(&mut |child| {
        depth = depth.max(child.depth + 1);
        size += child.size;
    });
    if size > MOST_NODES {
        return Err((at, format!("it has more than {MOST_NODES} parts; split it")));
    }
    if depth > DEEPEST {
        return Err((at, format!("it lies more than {DEEPEST} levels deep; split it")));
    }
    Ok(Node { at, depth, size, kind })
}

enum Infix {
    Binary(Binary),
    Matches,
    Pipe,
}

/// The operator between two operands, and how tightly it binds them.
fn infix(sign: &str) -> Option<(Infix, u16)> {
    let (binary, binds) = match sign {
        "|" => return Some((Infix::Pipe, 0)),
        "matches" => return Some((Infix::Matches, 20)),
        "or" | "||" => (Binary::Or, 10),
        "and" | "&&" => (Binary::And, 15),
        "==" => (Binary::Equal, 20),
        "!=" => (Binary::NotEqual, 20),
        "<" => (Binary::Less, 20),
        ">" => (Binary::More, 20),
        ">=" => (Binary::MoreOrEqual, 20),
        "<=" => (Binary::LessOrEqual, 20),
        "in" => (Binary::In, 20),
        "contains" => (Binary::Contains, 20),
        "startsWith" => (Binary::StartsWith, 20),
        "endsWith" => (Binary::EndsWith, 20),
        ".." => (Binary::Range, 25),
        "+" => (Binary::Add, 30),
        "-" => (Binary::Subtract, 30),
        "*" => (Binary::Multiply, 60),
        "/" => (Binary::Divide, 60),
        "%" => (Binary::Modulo, 60),
        "**" | "^" => (Binary::Power, 100),
        "??" => (Binary::Coalesce, 500),
        _ => return None,
    };
    Some((Infix::Binary(binary), binds))
}

fn is_negatable(sign: &str) -> bool {
    matches!(sign, "in" | "matches" | "contains" | "startsWith" | "endsWith")
}
