//! Kinds that are questions: they are answered, and never kept.

use jiff::SignedDuration;
use serde_json::{Value, json};

use crate::authenticate::{issue, owner};
use crate::authorize::{Attributes, allowed, rules};
use crate::failure::{Failure, Outcome};
use crate::meta::strings;
use crate::state::State;
use crate::target::Asked;
use crate::user::User;

pub(crate) fn is_for_a_token(asked: &Asked) -> bool {
    let of = (asked.group.as_str(), asked.plural.as_str(), asked.subresource.as_deref());
    of == ("", "serviceaccounts", Some("token"))
}

pub(crate) fn answer(
    state: &State,
    user: &User,
    asked: &Asked,
    mut review: Value,
) -> Outcome<Value> {
    if asked.verb != "create" {
        return Err(Failure::method_not_allowed());
    }
    if !review.is_object() {
        return Err(Failure::bad_request("the body of the request must be an object"));
    }
    let status = match asked.plural.as_str() {
        "tokenreviews" => token_review(state, &review["spec"]),
        "selfsubjectreviews" => json!({"userInfo": user.info()}),
        "selfsubjectrulesreviews" => {
            let namespace = review["spec"]["namespace"].as_str().unwrap_or("default");
            rules_review(&rules(&state.world().store, user, Some(namespace)))
        }
        "selfsubjectaccessreviews" => access_review(state, user, &review["spec"])?,
        "serviceaccounts" => token_request(state, asked, &mut review)?,
        _ => {
            let user = subject(&review["spec"]);
            access_review(state, &user, &review["spec"])?
        }
    };
    if !review["metadata"].is_object() {
        review["metadata"] = json!({});
    }
    review["status"] = status;
    Ok(review)
}

fn token_review(state: &State, spec: &Value) -> Value {
    match owner(state, spec["token"].as_str().unwrap_or_default()) {
        Some(user) => json!({"authenticated": true, "user": user.info()}),
        None => json!({"authenticated": false, "error": "the token is nobody's, or has expired"}),
    }
}

fn subject(spec: &Value) -> User {
    let mut user = User {
        name: spec["user"].as_str().unwrap_or_default().into(),
        uid: spec["uid"].as_str().map(Into::into),
        groups: strings(&spec["groups"]).map(Into::into).collect(),
        ..User::default()
    };
    for (key, values) in spec["extra"].as_object().into_iter().flatten() {
        user.extra.insert(key.clone(), strings(values).map(Into::into).collect());
    }
    user
}

fn access_review(state: &State, user: &User, spec: &Value) -> Outcome<Value> {
    let resource = &spec["resourceAttributes"];
    let path = &spec["nonResourceAttributes"];
    let text = |of: &Value, field: &str| {
        of[field].as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let attributes = match (resource.is_object(), path.is_object()) {
        (true, false) => Attributes::Resource {
            verb: text(resource, "verb").unwrap_or_default(),
            group: text(resource, "group").unwrap_or_default(),
            plural: text(resource, "resource").unwrap_or_default(),
            subresource: text(resource, "subresource"),
            namespace: text(resource, "namespace"),
            name: text(resource, "name"),
        },
        (false, true) => Attributes::Path {
            verb: text(path, "verb").unwrap_or_default(),
            path: text(path, "path").unwrap_or_default(),
        },
        _ => {
            return Err(Failure::bad_request(
                "spec: exactly one of resourceAttributes and nonResourceAttributes must be set",
            ));
        }
    };
    Ok(match allowed(&state.world().store, user, &attributes) {
        Some(why) => json!({"allowed": true, "reason": why}),
        None => json!({"allowed": false}),
    })
}

fn rules_review(rules: &[Value]) -> Value {
    let (paths, resources): (Vec<&Value>, Vec<&Value>) =
        rules.iter().partition(|rule| rule["nonResourceURLs"].is_array());
    json!({"resourceRules": resources, "nonResourceRules": paths, "incomplete": false})
}

fn token_request(state: &State, asked: &Asked, request: &mut Value) -> Outcome<Value> {
    const SHORTEST: i64 = 600;
    const LONGEST: i64 = 365 * 24 * 3600;
    let namespace = asked.namespace.as_deref().unwrap_or_default();
    let name = asked.name.as_deref().unwrap_or_default();
    let seconds = request["spec"]["expirationSeconds"].as_i64().unwrap_or(3600);
    let lifetime = SignedDuration::from_secs(seconds.clamp(SHORTEST, LONGEST));
    let Some((token, expires)) = issue(state, namespace, name, lifetime) else {
        let mut failure =
            Failure::new(404, "NotFound", format!("serviceaccounts {name:?} not found"));
        *failure.details = json!({"name": name, "kind": "serviceaccounts"});
        return Err(failure);
    };
    let expires = expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    Ok(json!({"token": token, "expirationTimestamp": expires}))
}
