//! Operands: literals, names, calls, and what stands behind them.

use super::{Lexeme, Parsed, Parser, node};
use crate::expression::builtin;
use crate::expression::each::Each;
use crate::expression::lexer::is_word;
use crate::expression::syntax::{Kind, Member, Node};

impl Parser {
    pub(super) fn primary(&mut self) -> Parsed<Node> {
        let at = self.token().at;
        let prefix = match &self.token().kind {
            Lexeme::Operator(sign) => match sign.as_str() {
                "not" | "!" => Some((50, Kind::Not as fn(Box<Node>) -> Kind)),
                "-" => Some((90, Kind::Negative as fn(Box<Node>) -> Kind)),
                "+" => Some((90, Kind::Positive as fn(Box<Node>) -> Kind)),
                _ => None,
            },
            _ => None,
        };
        if let Some((binds, kind)) = prefix {
            self.advance();
            let operand = self.expression(binds)?;
            let operand = node(at, kind(operand.into()))?;
            return self.postfix(operand);
        }
        if self.is_bracket('(') {
            self.advance();
            let node = self.sequence()?;
            self.open(')')?;
            return self.postfix(node);
        }
        if self.closures > 0 && (self.is("#") || self.is(".")) {
            let mut name = String::new();
            if self.take("#")
                && let Lexeme::Name(found) = self.token().kind.clone()
            {
                name = found;
                self.advance();
            }
            let operand = node(at, Kind::Pointer(name))?;
            return self.postfix(operand);
        }
        if self.take("::") {
            let name = self.name()?;
            let node = self.call(at, name, vec![])?;
            return self.postfix(node);
        }
        self.operand(at)
    }

    fn operand(&mut self, at: usize) -> Parsed<Node> {
        let kind = match self.token().kind.clone() {
            Lexeme::Name(name) => {
                self.advance();
                match name.as_str() {
                    "true" => return node(at, Kind::Bool(true)),
                    "false" => return node(at, Kind::Bool(false)),
                    "nil" => return node(at, Kind::Nil),
                    _ if self.is_bracket('(') => {
                        let node = self.call(at, name, vec![])?;
                        return self.postfix(node);
                    }
                    _ => Kind::Name(name),
                }
            }
            Lexeme::Number(number) => {
                self.advance();
                let kind = number_of(&number);
                let kind =
                    kind.ok_or_else(|| (at, format!("{number} is no number, or too large")))?;
                return node(at, kind);
            }
            Lexeme::Text(text) => {
                self.advance();
                Kind::Text(text.into())
            }
            Lexeme::Bytes(bytes) => {
                self.advance();
                Kind::Bytes(bytes.into())
            }
            Lexeme::Bracket('[') => {
                self.advance();
                Kind::List(self.separated(']', |parser| parser.expression(0))?)
            }
            Lexeme::Bracket('{') => {
                self.advance();
                Kind::Map(self.separated('}', Self::pair)?)
            }
            _ => return Err(self.unexpected()),
        };
        let operand = node(at, kind)?;
        self.postfix(operand)
    }

    fn pair(&mut self) -> Parsed<(Node, Node)> {
        let at = self.token().at;
        let key = match self.token().kind.clone() {
            Lexeme::Name(key) | Lexeme::Number(key) | Lexeme::Text(key) => {
                self.advance();
                node(at, Kind::Text(key.into()))?
            }
            Lexeme::Bracket('(') => self.expression(0)?,
            _ => {
                return Err(
                    self.missing("a key: a name, a number, text, or an expression in brackets")
                );
            }
        };
        self.expect(":")?;
        Ok((key, self.expression(0)?))
    }

    /// Up to the bracket, which is taken. A comma may follow the last.
    fn separated<T>(
        &mut self,
        end: char,
        mut one: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut all = vec![];
        while !self.is_bracket(end) {
            if !all.is_empty() {
                self.expect(",")?;
                if self.is_bracket(end) {
                    break;
                }
            }
            all.push(one(self)?);
        }
        self.open(end)?;
        Ok(all)
    }

    /// `x | f(y)` is `f(x, y)`.
    pub(super) fn piped(&mut self, first: Node) -> Parsed<Node> {
        let at = self.token().at;
        let name = self.name()?;
        self.call(at, name, vec![first])
    }

    /// A call whose first arguments may have been read.
    fn call(&mut self, at: usize, name: String, mut arguments: Vec<Node>) -> Parsed<Node> {
        self.open('(')?;
        if let Some(each) = Each::named(&name) {
            return self.each(at, each, arguments);
        }
        arguments.append(&mut self.separated(')', |parser| parser.expression(0))?);
        let kind = match builtin::named(&name) {
            Some(builtin) => Kind::Builtin(builtin, arguments),
            None => Kind::Call { name, arguments },
        };
        node(at, kind)
    }

    /// A list, a closure, and perhaps one more.
    fn each(&mut self, at: usize, each: Each, mut arguments: Vec<Node>) -> Parsed<Node> {
        let (least, most) = each.arguments();
        let first = arguments.len();
        while arguments.len() < most && !self.is_bracket(')') {
            if arguments.len() > first {
                self.expect(",")?;
                if self.is_bracket(')') {
                    break;
                }
            }
            let next = if arguments.len() == 1 { self.closure()? } else { self.expression(0)? };
            arguments.push(next);
        }
        if arguments.len() < least {
            let at = self.token().at;
            return Err((at, format!("{} takes at least {least} arguments", each.name())));
        }
        self.take(",");
        self.open(')')?;
        node(at, Kind::Each(each, arguments))
    }

    fn closure(&mut self) -> Parsed<Node> {
        self.closures += 1;
        let node = if self.is_bracket('{') { self.block() } else { self.expression(0) };
        self.closures -= 1;
        node
    }

    fn postfix(&mut self, node: Node) -> Parsed<Node> {
        let mut node = node;
        loop {
            let at = self.token().at;
            let optional = self.is("?.");
            if optional || self.is(".") {
                self.advance();
                if optional && self.is_bracket('[') {
                    self.advance();
                    node = self.index(at, node, true)?;
                } else {
                    node = self.member(node, optional)?;
                }
            } else if self.is_bracket('[') {
                self.advance();
                node = self.index(at, node, false)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn member(&mut self, before: Node, optional: bool) -> Parsed<Node> {
        let at = self.token().at;
        let name = match &self.token().kind {
            Lexeme::Name(name) => name.clone(),
            // Words such as `in` and `not` are names here.
            Lexeme::Operator(word) if is_word(word) => word.clone(),
            _ => return Err(self.missing("a name")),
        };
        self.advance();
        let property = node(at, Kind::Text(name.into()))?.into();
        // The chain goes on: what follows it is skipped too when something before is nil.
        let (of, chained) = match before.kind {
            Kind::Chain(inner) => (inner, true),
            _ => (before.into(), false),
        };
        let member = Member { of, property, optional };
        let kind = if self.is_bracket('(') {
            self.advance();
            let arguments = self.separated(')', |parser| parser.expression(0))?;
            Kind::Method { member, arguments }
        } else {
            Kind::Member(member)
        };
        let member = node(at, kind)?;
        if chained || optional { node(at, Kind::Chain(member.into())) } else { Ok(member) }
    }

    /// `[1]`, `[1:2]`, `[:2]`, `[1:]` or `[:]`, after the first bracket.
    fn index(&mut self, at: usize, before: Node, optional: bool) -> Parsed<Node> {
        let of = before.into();
        let from = if self.is(":") { None } else { Some(self.expression(0)?.into()) };
        if self.take(":") {
            let to = if self.is_bracket(']') { None } else { Some(self.expression(0)?.into()) };
            self.open(']')?;
            return node(at, Kind::Slice { of, from, to });
        }
        let Some(property) = from else { return Err(self.unexpected()) };
        self.open(']')?;
        let member = node(at, Kind::Member(Member { of, property, optional }))?;
        if optional { node(at, Kind::Chain(member.into())) } else { Ok(member) }
    }
}

fn number_of(text: &str) -> Option<Kind> {
    let plain = text.replace('_', "").to_ascii_lowercase();
    let of = |digits: &str, radix| i64::from_str_radix(digits, radix).ok().map(Kind::Int);
    if let Some(digits) = plain.strip_prefix("0x") {
        return of(digits, 16);
    }
    if plain.contains(['.', 'e']) {
        return plain.parse().ok().filter(|f: &f64| f.is_finite()).map(Kind::Float);
    }
    match plain.get(..2) {
        Some("0b") => of(&plain[2..], 2),
        Some("0o") => of(&plain[2..], 8),
        _ => of(&plain, 10),
    }
}
