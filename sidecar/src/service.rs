//! The four calls: translate, answer, translate back.

use std::panic::AssertUnwindSafe;

use futures::{FutureExt as _, TryStreamExt as _};
use tokio::time::{Instant, timeout_at};
use tonic::transport::Server;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};
use wharfinger_core::usage::{self, Found, Rendered, Scope, Subscribed};
use wharfinger_daemon::Shutdown;
use wharfinger_render::files::{self, Limits};
use wharfinger_render::{Base, Files, Form, Images, Made, Options, Read, Renderer};

use crate::asked::{AppName, Asked};
use crate::authority::LocalAuthority;
use crate::claim::{Granted, grant};
use crate::deadline::Deadline;
use crate::facts::Facts;
use crate::metrics::Metrics;
use crate::proto::config_management_plugin_service_server::{
    ConfigManagementPluginService, ConfigManagementPluginServiceServer,
};
use crate::proto::{
    AppStreamRequest, CheckPluginConfigurationResponse, EnvEntry, ManifestResponse,
    ParameterAnnouncement, ParametersAnnouncementResponse, RepositoryResponse,
};
use crate::refusal::Refusal;
use crate::renders::{Renders, Sent};
use crate::slots::{Slot, Slots};
use crate::socket::Socket;
use crate::upload::{Announced, Incoming, Small};
use crate::{revision, upload};

/// As much as Argo CD sends and takes by default in one message; its chunks are far smaller.
const MESSAGE: usize = 100 << 20;

/// What comes of an upload before it is read: all that one holds which waits for a slot. Many may wait, and to give leave
/// for the next bytes takes next to no time on a socket of the same machine.
pub const WINDOW: u32 = 256 << 10;

pub struct Plugin {
    pub facts: Facts,
    pub renderer: Renderer,
    pub metrics: Metrics,
    pub renders: Renders,
    pub settings: Settings,
    slots: Slots,
}

#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace whose Applications are named without one.
    pub argocd_namespace: String,
    /// In bytes, as it is sent.
    pub max_upload: u64,
    /// Once it is unpacked.
    pub limits: Limits,
    pub small: Small,
    /// How many uploads are held and rendered at once. repo-server sets no limit to what it sends.
    pub concurrency: usize,
}

/// Serves until the shutdown, and then what has begun.
pub async fn serve(socket: Socket, plugin: Plugin, shutdown: Shutdown) -> anyhow::Result<()> {
    let service = ConfigManagementPluginServiceServer::new(plugin)
        .max_decoding_message_size(MESSAGE)
        .max_encoding_message_size(MESSAGE);
    Server::builder()
        .initial_stream_window_size(WINDOW)
        // One that waits for a slot leaves room for another on its connection.
        .initial_connection_window_size(2 * WINDOW)
        .add_service(service)
        .serve_with_incoming_shutdown(
            socket.connections().map_ok(LocalAuthority::new),
            shutdown.cancelled_owned(),
        )
        .await?;
    Ok(())
}

impl Plugin {
    pub fn new(
        facts: Facts,
        renderer: Renderer,
        metrics: Metrics,
        renders: Renders,
        settings: Settings,
    ) -> Self {
        let slots = Slots::new(settings.concurrency);
        Self { facts, renderer, metrics, renders, settings, slots }
    }

    async fn generate(
        &self,
        stream: &mut Streaming<AppStreamRequest>,
        deadline: Deadline,
        whose: &mut Option<AppName>,
    ) -> Result<Vec<String>, Refusal> {
        let begun = Instant::now();
        let metadata = upload::metadata(stream).await?;
        let folder = folder(&metadata.app_rel_path)?;
        let env: Vec<_> = metadata
            .env
            .iter()
            .map(|EnvEntry { name, value }| (name.clone(), value.clone()))
            .collect();
        *whose = AppName::asking(&env, &self.settings.argocd_namespace).ok();
        let asked = Asked::from_env(&env, &self.settings.argocd_namespace)?;

        // Before the files are looked at: who is refused takes no memory.
        let Granted { stage, collection, provenance, paths } = grant(&asked, &self.facts).await?;
        revision::check(&collection, &asked.source)?;

        let slot = self.slots.any(deadline).await?;
        let (app, path) = (asked.app.clone(), asked.source.path.clone());
        let inputs = asked.inputs(folder).with_freight(&collection).await?;
        let announced = Announced::by(&metadata, self.settings.max_upload)?;
        let incoming = Incoming::new(stream, &announced, self.settings.max_upload);
        let sha256 = announced.sha256();
        let known = sha256.and_then(|sha256| self.renderer.recall(&inputs, &sha256));
        let (_slot, Made { base, read }) = match known {
            // What is known takes no memory. It has to come all the same, and to be what it is said to be.
            Some(made) => {
                incoming.check().await?;
                self.metrics.received(announced.size);
                (slot, made)
            }
            None => {
                let (slot, files) = self.files(incoming, &inputs.above, slot, deadline).await?;
                self.metrics.received(announced.size);
                let sha256 = sha256.as_ref();
                (slot, self.renderer.base(&inputs, files, sha256, deadline.soft).await?)
            }
        };
        self.metrics.kept(self.renderer.kept());
        let images = Images::of(&collection);
        let documents = base.holding(&images, &provenance)?;
        self.look_after(&app, &base, &images);
        let declared = paths.as_deref();
        let (received, repository) = (announced.size, inputs.repository.as_str());
        let (above, took) = (inputs.above.as_str(), begun.elapsed());
        let sent = Sent { repository, path: &path, above, declared, received, took };
        let found = Found::of(&images, base.repositories(), base.open_repositories());
        let (stage, collection) = (stage.to_string(), collection.id);
        self.remember(&app, sent, &read, Rendered { stage, collection, images: found });
        Ok(documents)
    }

    /// The files of an upload, and the slot in which they are held.
    async fn files<'s>(
        &'s self,
        incoming: Incoming<'_>,
        above: &str,
        slot: Slot<'s>,
        deadline: Deadline,
    ) -> Result<(Slot<'s>, Files), Refusal> {
        let limits = self.settings.limits;
        if incoming.announced().size > self.settings.small.sent {
            let slot = self.slots.large(slot, deadline).await?;
            return Ok((slot, upload::files(incoming, above, limits).await?));
        }
        let archive = incoming.all().await?;
        if let Some(files) = self.settings.small.files(archive.clone(), above, limits).await? {
            return Ok((slot, files));
        }
        let slot = self.slots.large(slot, deadline).await?;
        Ok((slot, upload::files_of(archive, above, limits).await?))
    }

    /// Keeps what can be asked for later, and tells what is sent for nothing, and what Argo CD does not watch.
    fn remember(&self, app: &AppName, sent: Sent<'_>, read: &Read, rendered: Rendered) {
        self.metrics.read(read.size);
        for check in self.renders.tell(app, sent, read, rendered) {
            self.metrics.warned(check.code);
            warn!(namespace = %app.namespace, application = %app.name, path = sent.path, %check, "Declared paths");
        }
    }

    /// Tells of Freight that is nowhere in what was rendered, and of places where nothing is. What Warehouses subscribe is
    /// not for the sidecar to read.
    fn look_after(&self, app: &AppName, base: &Base, images: &Images) {
        let used = base.repositories().collect();
        let checks = usage::judge(images, &used, &Subscribed::default(), Scope::Part);
        if let Some(check) = checks.first() {
            self.metrics.warned(check.code);
        }
        for check in checks {
            info!(namespace = %app.namespace, application = %app.name, %check, "Rendered without an image of the Freight");
        }
        for check in usage::nowhere(base.unused_paths()) {
            self.metrics.warned(check.code);
            info!(namespace = %app.namespace, application = %app.name, %check, "Nothing stands at a place of images");
        }
    }
}

/// Does `work` and answers in time, whatever happens: at the deadline, after a panic.
///
/// When the caller goes away, this is dropped, and with it whatever `work` has started.
async fn answer<T>(
    deadline: Deadline,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<T, Refusal> {
    match timeout_at(deadline.soft, AssertUnwindSafe(work).catch_unwind()).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Refusal::panicked()),
        Err(_) => Err(Refusal::Deadline),
    }
}

/// The Application's folder in the upload.
fn folder(path: &str) -> Result<String, Refusal> {
    let inside = || files::join("", path).filter(|_| !path.starts_with('/'));
    inside().ok_or_else(|| {
        Refusal::input(format!("the Application's path {path:?} leaves the repository"))
    })
}

#[tonic::async_trait]
impl ConfigManagementPluginService for Plugin {
    async fn generate_manifest(
        &self,
        request: Request<Streaming<AppStreamRequest>>,
    ) -> Result<Response<ManifestResponse>, Status> {
        let render = self.metrics.begin();
        let deadline = Deadline::of(request.metadata(), Instant::now());
        let mut stream = request.into_inner();
        let mut whose = None;
        let result = answer(deadline, self.generate(&mut stream, deadline, &mut whose)).await;
        finish(&mut stream, deadline).await;
        render.end(result.as_ref().map(drop));
        match result {
            Ok(manifests) => {
                Ok(Response::new(ManifestResponse { manifests, source_type: String::new() }))
            }
            Err(refusal) => {
                let AppName { namespace, name: application } = whose.unwrap_or_default();
                info!(%namespace, %application, code = ?refusal.code(), reason = refusal.logged(), "Not rendered");
                Err(Status::from(&refusal))
            }
        }
    }

    /// No discovery: an Application names the plugin. Nobody else's repository is sent here to be looked at.
    async fn check_plugin_configuration(
        &self,
        _: Request<()>,
    ) -> Result<Response<CheckPluginConfigurationResponse>, Status> {
        Ok(Response::new(CheckPluginConfigurationResponse {
            is_discovery_configured: false,
            provide_git_creds: false,
        }))
    }

    async fn match_repository(
        &self,
        request: Request<Streaming<AppStreamRequest>>,
    ) -> Result<Response<RepositoryResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), Instant::now());
        finish(&mut request.into_inner(), deadline).await;
        Ok(Response::new(RepositoryResponse { is_supported: false, is_discovery_enabled: false }))
    }

    async fn get_parameters_announcement(
        &self,
        request: Request<Streaming<AppStreamRequest>>,
    ) -> Result<Response<ParametersAnnouncementResponse>, Status> {
        let deadline = Deadline::of(request.metadata(), Instant::now());
        finish(&mut request.into_inner(), deadline).await;
        Ok(Response::new(ParametersAnnouncementResponse { parameter_announcements: announced() }))
    }
}

/// Reads the rest of a stream, as long as anybody waits for an answer.
async fn finish(stream: &mut Streaming<AppStreamRequest>, deadline: Deadline) {
    // Late, an answer without its reason is all there is.
    timeout_at(deadline.hard, upload::drain(stream)).await.ok();
}

fn announced() -> Vec<ParameterAnnouncement> {
    let announce = |parameter: wharfinger_render::Parameter| {
        let (collection, item) = match parameter.form {
            Form::Text => ("string", "string"),
            Form::Flag => ("string", "boolean"),
            Form::List => ("array", "string"),
            Form::Map => ("map", "string"),
        };
        ParameterAnnouncement {
            name: parameter.name.into(),
            title: parameter.title.into(),
            tooltip: parameter.tooltip.into(),
            collection_type: collection.into(),
            item_type: item.into(),
            ..ParameterAnnouncement::default()
        }
    };
    Options::PARAMETERS.into_iter().map(announce).collect()
}

#[cfg(test)]
mod tests;
