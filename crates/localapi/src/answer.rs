//! One request from its first byte to its answer: who asks, what for, whether they may, and then what it is about.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, HeaderValue, ORIGIN, VARY, WARNING,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde_json::{Value, json};

use crate::authenticate::{authenticate, impersonate};
use crate::authorize::{Attributes, authorize};
use crate::delete::Deleted;
use crate::failure::{Failure, Outcome};
use crate::form::{Form, accept};
use crate::patch::Patch;
use crate::query::Query;
use crate::resource::Resource;
use crate::state::State;
use crate::target::{Asked, Target};
use crate::user::User;
use crate::write::Change;
use crate::{delete, discovery, openapi, protobuf, read, review, sweep, watch, write};

/// As kube-apiserver bounds it.
const BODY_LIMIT: usize = 3 * 1024 * 1024;
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// `user` is whoever asks from inside this process; others are known by their token.
pub(crate) async fn answer<B>(
    state: Arc<State>,
    user: Option<User>,
    request: Request<B>,
) -> Response<Body>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let answered = async {
        let user = match user {
            Some(user) => user,
            None => authenticate(&state, &parts.headers)?,
        };
        let user = impersonate(&state, user, &parts.headers)?;
        let query = Query::parse(parts.uri.query())?;
        match Target::of(&parts.method, parts.uri.path(), &query) {
            Target::Path(path) => about_path(&state, &user, &parts, &path),
            Target::Resource(asked) => {
                authorize(&state.world().store, &user, &attributes(&asked))?;
                let body = collect(body).await?;
                about_objects(&state, user, query, asked, &parts, body).await
            }
        }
    };
    answered.await.unwrap_or_else(|failure| refused(&failure))
}

/// The same for one whose page is from an origin that may read the answers.
pub(crate) async fn answer_a_browser(
    state: Arc<State>,
    request: axum::extract::Request,
) -> Response<Body> {
    let origin = request.headers().get(ORIGIN).cloned().filter(|origin| {
        state.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    });
    let Some(origin) = origin else {
        return answer(state, None, request).await;
    };
    let mut response = match *request.method() {
        Method::OPTIONS => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        _ => answer(state, None, request).await,
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, PATCH, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Warning"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// All there is to know about a request for objects.
pub(crate) struct Exchange {
    pub(crate) state: Arc<State>,
    pub(crate) user: User,
    pub(crate) query: Query,
    pub(crate) asked: Asked,
    pub(crate) resource: Arc<Resource>,
    pub(crate) form: Form,
    /// What the client is told beside the answer.
    pub(crate) warnings: Vec<String>,
}

impl Exchange {
    pub(crate) fn new(
        state: Arc<State>,
        user: User,
        query: Query,
        asked: Asked,
        resource: Arc<Resource>,
    ) -> Self {
        Self { state, user, query, asked, resource, form: Form::Whole, warnings: Vec::new() }
    }
}

async fn about_objects(
    state: &Arc<State>,
    user: User,
    query: Query,
    asked: Asked,
    parts: &Parts,
    body: Bytes,
) -> Outcome<Response<Body>> {
    let catalog = state.world().catalog.clone();
    let Some(resource) = catalog.find(&asked.group, &asked.version, &asked.plural).cloned() else {
        if catalog.is_built_in(&asked.group, &asked.version) {
            return Err(Failure::no_such_resource());
        }
        return Ok(page_not_found());
    };
    if resource.review || review::is_for_a_token(&asked) {
        let body = parse(parts, &body)?;
        let answer = review::answer(state, &user, &asked, body)?;
        return Ok(json(StatusCode::CREATED, &answer));
    }
    match asked.subresource.as_deref() {
        None => {}
        Some("status") if resource.status => {}
        Some(_) => return Err(Failure::no_such_resource()),
    }
    // Only reading goes across namespaces; a Namespace is named by its own path.
    let everywhere = resource.namespaced && asked.namespace.is_none();
    let elsewhere =
        !resource.namespaced && asked.namespace.is_some() && asked.plural != "namespaces";
    if elsewhere || (everywhere && !matches!(asked.verb, "list" | "watch")) {
        return Err(Failure::method_not_allowed());
    }
    let mut exchange = Exchange::new(state.clone(), user, query, asked, resource);
    exchange.form = Form::accepted(&parts.headers, exchange.query.include)?;
    let name = exchange.asked.name.clone();
    let (status, answer) = match (exchange.asked.verb, name, exchange.asked.subresource.is_some()) {
        ("watch", ..) => {
            let mut response = Response::new(watch::watch(exchange)?);
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            return Ok(response);
        }
        ("list", ..) => (StatusCode::OK, read::list(&exchange)?),
        ("get", Some(name), _) => {
            let object = read::get(&exchange, &name)?;
            (StatusCode::OK, exchange.shown(&object))
        }
        ("create", None, false) => {
            let body = parse(parts, &body)?;
            let object = write::create(&mut exchange, body).await?;
            (StatusCode::CREATED, exchange.shown(&object))
        }
        ("update", Some(name), _) => {
            let change = Change::Replace(parse(parts, &body)?);
            let object = write::change(&mut exchange, &name, &change).await?;
            (StatusCode::OK, exchange.shown(&object))
        }
        ("patch", Some(name), _) => {
            let patch = Patch::parse(&exchange.resource, content_type(parts), &body)?;
            let object = write::change(&mut exchange, &name, &Change::Patch(patch)).await?;
            (StatusCode::OK, exchange.shown(&object))
        }
        ("delete", Some(name), false) => {
            let options = delete_options(parts, &body)?;
            match delete::delete(&mut exchange, &name, &options).await? {
                Deleted::Gone(status) => (StatusCode::OK, status),
                Deleted::Held(object) => (StatusCode::OK, exchange.shown(&object)),
            }
        }
        ("deletecollection", ..) => {
            let options = delete_options(parts, &body)?;
            (StatusCode::OK, delete::delete_collection(&mut exchange, &options).await?)
        }
        _ => return Err(Failure::method_not_allowed()),
    };
    sweep::sweep(state).await;
    let mut response = json(status, &answer);
    for warning in &exchange.warnings {
        let text: String = warning.chars().filter(|c| !c.is_control()).collect();
        let text = text.replace('\\', "\\\\").replace('"', "\\\"");
        if let Ok(value) = HeaderValue::from_bytes(format!("299 - \"{text}\"").as_bytes()) {
            response.headers_mut().append(WARNING, value);
        }
    }
    Ok(response)
}

impl Exchange {
    fn shown(&self, object: &Arc<Value>) -> Value {
        self.form.object(&self.resource, object, (self.state.clock)())
    }
}

fn about_path(state: &State, user: &User, parts: &Parts, path: &str) -> Outcome<Response<Body>> {
    let world = state.world();
    let verb = parts.method.as_str().to_lowercase();
    authorize(&world.store, user, &Attributes::Path { verb, path: path.into() })?;
    let catalog = world.catalog.clone();
    drop(world);
    if parts.method != Method::GET {
        return Err(Failure::method_not_allowed());
    }
    let resources = catalog.all();
    let aggregated = accept(&parts.headers).split(',').any(|range| {
        range.contains("as=APIGroupDiscoveryList")
            && range.contains("v=v2")
            && !range.contains("v=v2beta1")
    });
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let found = match segments.as_slice() {
        ["healthz" | "livez" | "readyz", ..] => return Ok(Response::new(Body::from("ok"))),
        ["version"] => Some(version()),
        ["api"] if aggregated => {
            return Ok(kind(AGGREGATED, &discovery::aggregated_core(&resources)));
        }
        ["apis"] if aggregated => {
            return Ok(kind(AGGREGATED, &discovery::aggregated_groups(&resources)));
        }
        ["api"] => Some(discovery::core_versions()),
        ["apis"] => Some(discovery::api_groups(&resources)),
        ["apis", group] => discovery::api_group(&resources, group),
        ["api", version] => discovery::resource_list(&resources, version),
        ["apis", group, version] => {
            discovery::resource_list(&resources, &format!("{group}/{version}"))
        }
        ["openapi", "v3"] => Some(openapi::index(&resources)),
        ["openapi", "v3", "api", version] => openapi::group_version(&resources, version),
        ["openapi", "v3", "apis", group, version] => {
            openapi::group_version(&resources, &format!("{group}/{version}"))
        }
        _ => None,
    };
    Ok(found.map_or_else(page_not_found, |found| json(StatusCode::OK, &found)))
}

/// What Go's server says where nothing is.
fn page_not_found() -> Response<Body> {
    let mut response = Response::new(Body::from("404 page not found\n"));
    *response.status_mut() = StatusCode::NOT_FOUND;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.0+localapi", "gitCommit": "",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z", "goVersion": "",
        "compiler": "rustc", "platform": "",
    })
}

fn attributes(asked: &Asked) -> Attributes {
    Attributes::Resource {
        verb: asked.verb.into(),
        group: asked.group.clone(),
        plural: asked.plural.clone(),
        subresource: asked.subresource.clone(),
        namespace: asked.namespace.clone(),
        name: asked.name.clone(),
    }
}

async fn collect<B>(body: B) -> Outcome<Bytes>
where
    B: http_body::Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Failure::new(
            413,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {BODY_LIMIT}"),
        )),
        Err(error) => Err(Failure::bad_request(format!("the body can't be read: {error}"))),
    }
}

fn content_type(parts: &Parts) -> &str {
    let value = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("application/json")
}

/// An empty body is null.
fn parse(parts: &Parts, body: &[u8]) -> Outcome<Value> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    let media_type = content_type(parts).split(';').next().unwrap_or_default().trim();
    let parsed = match media_type {
        "application/json" | "*/*" => {
            serde_json::from_slice(body).map_err(|error| error.to_string())
        }
        "application/yaml" => serde_saphyr::from_slice(body).map_err(|error| error.to_string()),
        "application/vnd.kubernetes.protobuf" => protobuf::decode(body),
        other => {
            return Err(Failure::unsupported_media_type(format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf"
            )));
        }
    };
    parsed.map_err(|error| Failure::bad_request(format!("the body can't be read: {error}")))
}

/// None is as good as empty ones.
fn delete_options(parts: &Parts, body: &[u8]) -> Outcome<Value> {
    match parse(parts, body)? {
        Value::Null => Ok(json!({})),
        options if options.is_object() => Ok(options),
        _ => Err(Failure::bad_request("DeleteOptions: must be an object")),
    }
}

fn refused(failure: &Failure) -> Response<Body> {
    let status = StatusCode::from_u16(failure.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    json(status, &failure.status())
}

fn json(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = kind("application/json", value);
    *response.status_mut() = status;
    response
}

fn kind(media_type: &'static str, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{value}\n")));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}
