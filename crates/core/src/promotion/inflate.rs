//! The steps of a Promotion: those of its Stage, with the steps of a task in place of each that names one.

use wharfinger_api::v1alpha1::{
    ExpressionVariable, PromotionStep, PromotionTaskReference, PromotionTaskSpec,
};

use super::plan::alias;

/// Why the steps of a Stage can't become those of a Promotion: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("spec.promotionTemplate.spec.steps[{index}] {what}")]
pub struct NotInflated {
    pub index: usize,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum What {
    #[error("names {0}, which does not exist")]
    Missing(String),
    #[error("names {task}, which has to be given a value for {var}")]
    Value { task: String, var: String },
    #[error("names a task and has `if`, which only the task's own steps may have")]
    Condition,
    #[error("names {0}, with which the Promotion becomes too large")]
    Large(String),
}

/// The steps, each with a name. `vars` are the Promotion's: a task's own value gives way to one of them, and to one of the step
/// that names the task.
pub fn inflate<'t>(
    steps: &[PromotionStep],
    vars: &[ExpressionVariable],
    task: impl Fn(&PromotionTaskReference) -> Option<&'t PromotionTaskSpec>,
) -> Result<Vec<PromotionStep>, NotInflated> {
    let mut inflated = vec![];
    let mut size = 0;
    for (index, step) in steps.iter().enumerate() {
        let fault = |what| NotInflated { index, what };
        let caller = alias(step, index);
        let Some(reference) = &step.task else {
            inflated.push(PromotionStep { alias: caller, ..step.clone() });
            continue;
        };
        let name = called(reference);
        if !step.condition.is_empty() {
            return Err(fault(What::Condition));
        }
        let task = task(reference).ok_or_else(|| fault(What::Missing(name.clone())))?;
        let given = values(&task.vars, vars, &step.vars)
            .map_err(|var| fault(What::Value { task: name.clone(), var }))?;
        for (index, own) in task.steps.iter().enumerate() {
            size += weight(own) + given.iter().map(|v| v.name.len() + v.value.len()).sum::<usize>();
            if size > LARGEST {
                return Err(fault(What::Large(name)));
            }
            inflated.push(PromotionStep {
                alias: format!("{caller}::{}", alias(own, index)),
                vars: given.iter().chain(&own.vars).cloned().collect(),
                ..own.clone()
            });
        }
    }
    Ok(inflated)
}

/// A task as people name it.
pub fn called(task: &PromotionTaskReference) -> String {
    let kind = if task.kind.is_empty() { "PromotionTask" } else { &task.kind };
    format!("{kind} {}", task.name)
}

/// What tasks may add. The API server takes objects of 1.5 MiB; many names of one large task would be many times that.
const LARGEST: usize = 1 << 20;

/// The values for a task's variables that are not among the Promotion's; or the name of one that nobody gives.
fn values(
    task: &[ExpressionVariable],
    promotion: &[ExpressionVariable],
    caller: &[ExpressionVariable],
) -> Result<Vec<ExpressionVariable>, String> {
    let given = |name: &str| promotion.iter().chain(caller).any(|v| v.name == name);
    let own: Vec<_> = task.iter().filter(|v| !given(&v.name)).collect();
    if let Some(missing) = own.iter().find(|v| v.value.is_empty()) {
        return Err(missing.name.clone());
    }
    Ok(own.into_iter().chain(caller).cloned().collect())
}

/// About how many bytes a step takes.
fn weight(step: &PromotionStep) -> usize {
    let vars: usize = step.vars.iter().map(|v| v.name.len() + v.value.len()).sum();
    size_of_val(step) + step.condition.len() + vars + step.config.to_string().len()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of<T: serde::de::DeserializeOwned>(value: Value) -> T {
        serde_json::from_value(value).unwrap()
    }

    fn inflated(steps: Value, vars: Value, task: Value) -> Result<Value, String> {
        let steps: Vec<PromotionStep> = of(steps);
        let task: PromotionTaskSpec = of(task);
        let found = |r: &PromotionTaskReference| (r.name == "deploy").then_some(&task);
        let vars: Vec<ExpressionVariable> = of(vars);
        inflate(&steps, &vars, found).map(|steps| json!(steps)).map_err(|e| e.to_string())
    }

    fn deploy() -> Value {
        json!({
            "vars": [{ "name": "image", "value": "" }, { "name": "wait", "value": "5m" }],
            "steps": [
                { "uses": "assign", "vars": [{ "name": "own", "value": "1" }], "config": { "allowNone": true } },
                { "uses": "http", "as": "tell" },
            ],
        })
    }

    #[test]
    fn the_steps_of_a_task_take_the_place_of_the_one_that_names_it() {
        let steps = json!([
            { "uses": "http" },
            { "task": { "name": "deploy" }, "vars": [{ "name": "image", "value": "web" }] },
            { "uses": "http", "as": "last" },
            { "uses": "http" },
            { "as": "again", "task": { "name": "deploy", "kind": "ClusterPromotionTask" }, "vars": [{ "name": "image", "value": "" }] },
        ]);
        let given = |image: &str| {
            let named = json!({ "name": "image" });
            let image = json!({ "name": "image", "value": image });
            let image = if image["value"] == "" { named } else { image };
            [json!({ "name": "wait", "value": "5m" }), image]
        };
        let with_own = |image: &str| {
            let [wait, image] = given(image);
            json!([wait, image, { "name": "own", "value": "1" }])
        };
        assert_eq!(
            inflated(steps, json!([]), deploy()).unwrap(),
            json!([
                { "uses": "http", "as": "step-1" },
                { "uses": "assign", "as": "task-2::step-1", "vars": with_own("web"), "config": { "allowNone": true } },
                { "uses": "http", "as": "task-2::tell", "vars": given("web") },
                { "uses": "http", "as": "last" },
                { "uses": "http", "as": "step-4" },
                { "uses": "assign", "as": "again::step-1", "vars": with_own(""), "config": { "allowNone": true } },
                { "uses": "http", "as": "again::tell", "vars": given("") },
            ])
        );
    }

    #[test]
    fn a_value_of_the_promotion_takes_the_place_of_the_task_s_own() {
        let steps = json!([{ "task": { "name": "deploy" } }]);
        let vars = json!([{ "name": "image", "value": "web" }, { "name": "wait", "value": "1m" }]);
        let steps = inflated(steps, vars, deploy()).unwrap();
        assert_eq!(steps[0]["vars"], json!([{ "name": "own", "value": "1" }]));
        assert_eq!(steps[1].get("vars"), None);
    }

    #[test]
    fn what_can_not_be_put_in_is_named() {
        let large = json!({ "steps": [{ "uses": "http", "config": "x".repeat(300_000) }] });
        for (steps, task, expected) in [
            (
                json!([{ "uses": "http" }, { "task": { "name": "deploy" } }]),
                deploy(),
                "steps[1] names PromotionTask deploy, which has to be given a value for image",
            ),
            (
                json!([{ "task": { "name": "none", "kind": "ClusterPromotionTask" } }]),
                deploy(),
                "steps[0] names ClusterPromotionTask none, which does not exist",
            ),
            (
                json!([{ "task": { "name": "deploy" }, "if": "${{ true }}" }]),
                deploy(),
                "steps[0] names a task and has `if`, which only the task's own steps may have",
            ),
            (
                json!(vec![json!({ "task": { "name": "deploy" } }); 4]),
                large,
                "steps[3] names PromotionTask deploy, with which the Promotion becomes too large",
            ),
        ] {
            let expected = format!("spec.promotionTemplate.spec.{expected}");
            assert_eq!(inflated(steps, json!([]), task).unwrap_err(), expected);
        }
    }
}
