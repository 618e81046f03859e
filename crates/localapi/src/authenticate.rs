//! Whose a token is, and as whom a request wants to be seen.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::authorize::{Attributes, authorize};
use crate::failure::{Failure, Outcome};
use crate::state::State;
use crate::store::{Key, Store};
use crate::user::User;

/// A token that nobody has is refused.
pub(crate) fn authenticate(state: &State, headers: &HeaderMap) -> Outcome<User> {
    let Some(header) = headers.get(http::header::AUTHORIZATION) else {
        return Ok(state.without_token.clone());
    };
    let token = header.to_str().ok().and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    token.and_then(|token| owner(state, token)).ok_or_else(Failure::unauthorized)
}

/// Whose the token is.
pub(crate) fn owner(state: &State, token: &str) -> Option<User> {
    if let Some(user) = state.tokens.get(token) {
        return Some(user.clone());
    }
    let (claims, seal) = token.split_once('.')?;
    if seal != self::seal(&state.seed, claims) {
        return None;
    }
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    let expires: Timestamp = claims["expires"].as_str()?.parse().ok()?;
    if expires <= (state.clock)() {
        return None;
    }
    let (namespace, name) = (claims["namespace"].as_str()?, claims["name"].as_str()?);
    let uid = account_uid(&state.world().store, namespace, name)?;
    let mut user = User::service_account(namespace, name);
    (claims["uid"] == uid.as_str()).then(|| {
        user.uid = Some(uid);
        user
    })
}

/// What a TokenRequest for a ServiceAccount is answered: the token, and when it ends.
pub(crate) fn issue(
    state: &State,
    namespace: &str,
    name: &str,
    lifetime: SignedDuration,
) -> Option<(String, Timestamp)> {
    let uid = account_uid(&state.world().store, namespace, name)?;
    let expires = (state.clock)().checked_add(lifetime).ok()?;
    let claims = json!({"namespace": namespace, "name": name, "uid": uid, "expires": expires});
    let claims = BASE64.encode(claims.to_string());
    let seal = seal(&state.seed, &claims);
    Some((format!("{claims}.{seal}"), expires))
}

/// The user that the impersonation headers name, if the one who asks may be that user.
pub(crate) fn impersonate(state: &State, user: User, headers: &HeaderMap) -> Outcome<User> {
    let Some(wanted) = wanted(headers)? else {
        return Ok(user);
    };
    let world = state.world();
    for (group, plural, subresource, namespace, name) in asked(&wanted) {
        let attributes = Attributes::Resource {
            verb: "impersonate".into(),
            group: group.into(),
            plural: plural.into(),
            subresource,
            namespace,
            name: Some(name),
        };
        authorize(&world.store, &user, &attributes)?;
    }
    Ok(complete(wanted))
}

fn wanted(headers: &HeaderMap) -> Outcome<Option<User>> {
    let text = |value: &http::HeaderValue| {
        let text = value.to_str().map(str::to_owned);
        text.map_err(|_| Failure::bad_request("an impersonation header can't be read"))
    };
    let mut user = User::default();
    let mut any = false;
    for (name, value) in headers {
        let name = name.as_str();
        if let Some(key) = name.strip_prefix("impersonate-extra-") {
            let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
            user.extra.entry(key).or_default().push(text(value)?);
        } else {
            match name {
                "impersonate-user" => user.name = text(value)?,
                "impersonate-uid" => user.uid = Some(text(value)?),
                "impersonate-group" => user.groups.push(text(value)?),
                _ => continue,
            }
        }
        any = true;
    }
    if any && user.name.is_empty() {
        return Err(Failure::bad_request(
            "requested impersonation without impersonating a user: set Impersonate-User",
        ));
    }
    Ok(any.then_some(user))
}

type Impersonation = (&'static str, &'static str, Option<String>, Option<String>, String);

/// Group, resource, subresource, namespace and name of what one must be allowed to impersonate.
fn asked(wanted: &User) -> Vec<Impersonation> {
    let account =
        wanted.name.strip_prefix("system:serviceaccount:").and_then(|r| r.split_once(':'));
    let mut asked = vec![match account {
        Some((namespace, name)) => {
            ("", "serviceaccounts", None, Some(namespace.to_owned()), name.to_owned())
        }
        None => ("", "users", None, None, wanted.name.clone()),
    }];
    asked.extend(wanted.groups.iter().map(|group| ("", "groups", None, None, group.clone())));
    asked.extend(
        wanted.uid.iter().map(|uid| ("authentication.k8s.io", "uids", None, None, uid.clone())),
    );
    for (key, values) in &wanted.extra {
        asked.extend(values.iter().map(|value| {
            ("authentication.k8s.io", "userextras", Some(key.clone()), None, value.clone())
        }));
    }
    asked
}

/// With the groups that follow from the name.
fn complete(mut wanted: User) -> User {
    let account =
        wanted.name.strip_prefix("system:serviceaccount:").and_then(|r| r.split_once(':'));
    let implied = match account {
        Some((namespace, name)) if wanted.groups.is_empty() => {
            User::service_account(namespace, name).groups
        }
        _ if wanted.name == "system:anonymous" => User::anonymous().groups,
        _ => User::new("", []).groups,
    };
    for group in implied {
        if !wanted.groups.contains(&group) {
            wanted.groups.push(group);
        }
    }
    wanted
}

fn account_uid(store: &Store, namespace: &str, name: &str) -> Option<String> {
    let key = Key {
        group: String::new(),
        plural: "serviceaccounts".into(),
        namespace: namespace.into(),
        name: name.into(),
    };
    store.get(&key)?["metadata"]["uid"].as_str().map(Into::into)
}

fn seal(seed: &str, claims: &str) -> String {
    // The length in front and the seed again at the end: nothing can be appended.
    let sealed = format!("{}:{claims}:{seed}", claims.len());
    BASE64.encode(Sha256::digest(format!("{seed}:{sealed}")))
}
