//! The built-ins that call a closure once an element.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Evaluated, Evaluation, Stop, at};
use crate::expression::budget::Budget;
use crate::expression::each::Each;
use crate::expression::operator;
use crate::expression::syntax::{Kind, Node};
use crate::expression::value::{Fault, List, Value, is_same_key, spend_on_keys};

/// What a closure is called with.
pub(super) struct Frame {
    item: Value,
    index: usize,
    /// What `reduce` has so far.
    so_far: Value,
}

impl<'a> Evaluation<'a, '_, '_> {
    pub(super) fn pointer(&self, name: &str) -> Result<Value, Fault> {
        let frame = self.frames.last().ok_or("# stands for an element, and there is none here")?;
        Ok(match name {
            "index" => Value::Int(i64::try_from(frame.index).unwrap_or(i64::MAX)),
            "acc" => frame.so_far.clone(),
            _ => frame.item.clone(),
        })
    }

    pub(super) fn each(&mut self, place: usize, each: Each, arguments: &'a [Node]) -> Evaluated {
        let [list, rest @ ..] = arguments else { return Ok(Value::Nil) };
        if let (Each::Sum, [], Kind::List(nodes)) = (each, rest, &list.kind)
            && nodes.len() > 1
            && !nodes.iter().all(|node| node.kind.is_literal())
        {
            return self.sum_of(place, nodes);
        }
        let list = self.items(each, list)?;
        let items = &list.items;
        let last = rest.get(1);
        let mut calls = Calls { closure: rest.first(), items, place };
        match each {
            Each::All => calls.find(self, 0..items.len(), false).map(|f| Value::Bool(f.is_none())),
            Each::None => calls.find(self, 0..items.len(), true).map(|f| Value::Bool(f.is_none())),
            Each::Any => calls.find(self, 0..items.len(), true).map(|f| Value::Bool(f.is_some())),
            Each::One => Ok(Value::Bool(calls.all(self)?.len() == 1)),
            Each::Count => {
                Ok(Value::Int(i64::try_from(calls.all(self)?.len()).unwrap_or(i64::MAX)))
            }
            Each::Filter => {
                let found: Vec<_> =
                    calls.all(self)?.into_iter().map(|index| items[index].clone()).collect();
                self.moment.budget.hold(found.len()).map_err(at(place))?;
                Value::list(found).map_err(at(place))
            }
            Each::Map => {
                let made = (0..items.len()).map(|index| calls.call(self, index, Value::Nil));
                let made = made.collect::<Result<Vec<_>, _>>()?;
                self.moment.budget.hold(made.len()).map_err(at(place))?;
                Value::list(made).map_err(at(place))
            }
            Each::Find => Ok(item(items, calls.find(self, 0..items.len(), true)?)),
            Each::FindLast => Ok(item(items, calls.find(self, (0..items.len()).rev(), true)?)),
            Each::FindIndex => Ok(number(calls.find(self, 0..items.len(), true)?)),
            Each::FindLastIndex => Ok(number(calls.find(self, (0..items.len()).rev(), true)?)),
            Each::Sum => calls.sum(self),
            Each::Reduce => calls.reduce(self, last),
            Each::GroupBy => calls.groups(self),
            Each::SortBy => calls.sorted(self, last),
        }
    }

    fn items(&mut self, each: Each, list: &'a Node) -> Evaluated<Arc<List>> {
        match self.of(list)? {
            Value::List(list) => Ok(list),
            other => {
                let fault = format!("{} takes a list, and gets {}", each.name(), other.kind());
                Err(Stop::Fault(list.at, fault))
            }
        }
    }

    /// The sum of a list that is written out is the sum of its parts, from the last on, and may be text.
    fn sum_of(&mut self, place: usize, nodes: &'a [Node]) -> Evaluated {
        let values = self.all(nodes)?;
        let mut values = values.into_iter().rev();
        let mut sum = values.next().unwrap_or(Value::Nil);
        for value in values {
            sum = operator::add(&value, &sum, self.moment.budget).map_err(at(place))?;
        }
        Ok(sum)
    }
}

struct Calls<'a, 'i> {
    closure: Option<&'a Node>,
    items: &'i [Value],
    place: usize,
}

impl<'a> Calls<'a, '_> {
    /// Without a closure it is the element itself.
    fn call(
        &mut self,
        evaluation: &mut Evaluation<'a, '_, '_>,
        index: usize,
        so_far: Value,
    ) -> Evaluated {
        let item = self.items[index].clone();
        evaluation.moment.budget.spend(1).map_err(at(self.place))?;
        let Some(closure) = self.closure else { return Ok(item) };
        evaluation.frames.push(Frame { item, index, so_far });
        let called = evaluation.of(closure);
        evaluation.frames.pop();
        called
    }

    fn test(&mut self, evaluation: &mut Evaluation<'a, '_, '_>, index: usize) -> Evaluated<bool> {
        self.call(evaluation, index, Value::Nil)?.as_bool().map_err(at(self.place))
    }

    fn find(
        &mut self,
        evaluation: &mut Evaluation<'a, '_, '_>,
        order: impl Iterator<Item = usize>,
        wanted: bool,
    ) -> Evaluated<Option<usize>> {
        for index in order {
            if self.test(evaluation, index)? == wanted {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn all(&mut self, evaluation: &mut Evaluation<'a, '_, '_>) -> Evaluated<Vec<usize>> {
        let mut found = vec![];
        for index in 0..self.items.len() {
            if self.test(evaluation, index)? {
                found.push(index);
            }
        }
        Ok(found)
    }

    fn sum(&mut self, evaluation: &mut Evaluation<'a, '_, '_>) -> Evaluated {
        let mut sum = Value::Int(0);
        for index in 0..self.items.len() {
            let value = self.call(evaluation, index, Value::Nil)?;
            sum = operator::add(&value, &sum, evaluation.moment.budget).map_err(at(self.place))?;
        }
        Ok(sum)
    }

    fn reduce(
        &mut self,
        evaluation: &mut Evaluation<'a, '_, '_>,
        first: Option<&'a Node>,
    ) -> Evaluated {
        let (mut so_far, start) = match (first, self.items) {
            (Some(first), _) => (evaluation.of(first)?, 0),
            (None, [first, ..]) => (first.clone(), 1),
            (None, []) => {
                let fault = "reduce takes a list with elements, or a third argument to begin with";
                return Err(Stop::Fault(self.place, fault.into()));
            }
        };
        for index in start..self.items.len() {
            so_far = self.call(evaluation, index, so_far)?;
        }
        Ok(so_far)
    }

    fn groups(&mut self, evaluation: &mut Evaluation<'a, '_, '_>) -> Evaluated {
        let mut groups: Vec<(Value, Vec<Value>)> = vec![];
        for (index, item) in self.items.iter().enumerate() {
            let key = self.call(evaluation, index, Value::Nil)?;
            if matches!(key, Value::List(_) | Value::Map(_) | Value::AnyMap(_) | Value::Bytes(_)) {
                let fault = format!("groupBy can't group by {}", key.kind());
                return Err(Stop::Fault(self.place, fault));
            }
            spend_on_keys(groups.len(), &key, evaluation.moment.budget).map_err(at(self.place))?;
            match groups.iter_mut().find(|(known, _)| is_same_key(known, &key)) {
                Some((_, group)) => group.push(item.clone()),
                None => groups.push((key, vec![item.clone()])),
            }
        }
        let groups = groups.into_iter().map(|(key, group)| Ok((key, Value::list(group)?)));
        let groups = groups.collect::<Result<_, Fault>>().map_err(at(self.place))?;
        Value::any_map(groups).map_err(at(self.place))
    }

    fn sorted(
        &mut self,
        evaluation: &mut Evaluation<'a, '_, '_>,
        direction: Option<&'a Node>,
    ) -> Evaluated {
        let direction = direction.map(|direction| evaluation.of(direction)).transpose()?;
        let descending = is_descending(direction.as_ref()).map_err(at(self.place))?;
        let mut keyed = vec![];
        for (index, item) in self.items.iter().enumerate() {
            keyed.push((self.call(evaluation, index, Value::Nil)?, item.clone()));
        }
        evaluation.moment.budget.hold(keyed.len()).map_err(at(self.place))?;
        let budget = &mut *evaluation.moment.budget;
        let keyed = sort(keyed, |(key, _)| key, descending, budget).map_err(at(self.place))?;
        Value::list(keyed.into_iter().map(|(_, item)| item).collect()).map_err(at(self.place))
    }
}

/// The third argument of `sortBy`, the second of `sort`.
pub(in crate::expression) fn is_descending(direction: Option<&Value>) -> Result<bool, Fault> {
    match direction {
        None => Ok(false),
        Some(Value::Text(text)) if **text == *"asc" => Ok(false),
        Some(Value::Text(text)) if **text == *"desc" => Ok(true),
        Some(_) => Err("takes \"asc\" or \"desc\" here".into()),
    }
}

/// Sorts, if everything has an order.
pub(in crate::expression) fn sort<T>(
    items: Vec<T>,
    key: impl Fn(&T) -> &Value,
    descending: bool,
    budget: &mut Budget,
) -> Result<Vec<T>, Fault> {
    merge_sort(items, &mut |a, b| {
        budget.spend(1)?;
        let (a, b) = if descending { (a, b) } else { (b, a) };
        // Whether the second has to come first.
        Ok(operator::order(key(a), key(b), budget)? == Some(Ordering::Less))
    })
}

/// The library's own panics where an order contradicts itself, as that of floats that are no numbers does.
pub(in crate::expression) fn merge_sort<T>(
    mut items: Vec<T>,
    swaps: &mut impl FnMut(&T, &T) -> Result<bool, Fault>,
) -> Result<Vec<T>, Fault> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let count = items.len() + right.len();
    let mut left = merge_sort(items, swaps)?.into_iter().peekable();
    let mut right = merge_sort(right, swaps)?.into_iter().peekable();
    let mut merged = Vec::with_capacity(count);
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if swaps(a, b)? { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    Ok(merged)
}

fn item(items: &[Value], index: Option<usize>) -> Value {
    index.map_or(Value::Nil, |index| items[index].clone())
}

fn number(index: Option<usize>) -> Value {
    index.map_or(Value::Nil, |index| Value::Int(i64::try_from(index).unwrap_or(i64::MAX)))
}
