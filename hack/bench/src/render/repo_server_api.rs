//! repo-server's gRPC, as far as it is asked here: the fields of `reposerver/repository/repository.proto` and of
//! `pkg/apis/application/v1alpha1/generated.proto` that carry something.

use std::io;
use std::sync::Arc;

use anyhow::Result;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_prost::ProstCodec;
use wharfinger_cluster::{Cluster, Instance, Role};

use crate::world::limited;

/// As Argo CD's limit for one message.
const MESSAGE: usize = 100 << 20;

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ManifestRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) repo: Option<Repository>,
    #[prost(string, tag = "2")]
    pub(super) revision: String,
    #[prost(bool, tag = "3")]
    pub(super) no_cache: bool,
    #[prost(string, tag = "5")]
    pub(super) app_name: String,
    #[prost(string, tag = "8")]
    pub(super) namespace: String,
    #[prost(message, optional, tag = "10")]
    pub(super) source: Option<Source>,
    #[prost(string, tag = "14")]
    pub(super) kube_version: String,
    #[prost(string, repeated, tag = "15")]
    pub(super) api_versions: Vec<String>,
    #[prost(string, tag = "19")]
    pub(super) tracking_method: String,
    #[prost(string, tag = "25")]
    pub(super) project_name: String,
    #[prost(string, tag = "26")]
    pub(super) manifest_generate_paths: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Repository {
    #[prost(string, tag = "1")]
    pub(super) repo: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Source {
    #[prost(string, tag = "1")]
    pub(super) repo_url: String,
    #[prost(string, tag = "2")]
    pub(super) path: String,
    #[prost(string, tag = "4")]
    pub(super) target_revision: String,
    #[prost(message, optional, tag = "11")]
    pub(super) plugin: Option<Plugin>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Plugin {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, repeated, tag = "2")]
    pub(super) env: Vec<EnvEntry>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct EnvEntry {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct ManifestResponse {
    #[prost(string, repeated, tag = "1")]
    manifests: Vec<String>,
}

/// A connection to it.
pub(super) struct RepoServer(Channel);

impl RepoServer {
    pub(super) async fn dial(cluster: &Cluster) -> Result<Self> {
        let port = cluster.process(Role::RepoServer(Instance::First))?.port("grpc")?;
        let tls = TlsConnector::from(Arc::new(trusting()?));
        let connect = tower::service_fn(move |_: Uri| {
            let tls = tls.clone();
            async move {
                let stream = TcpStream::connect(("127.0.0.1", port)).await?;
                stream.set_nodelay(true)?;
                let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
                io::Result::Ok(TokioIo::new(tls.connect(name, stream).await?))
            }
        });
        let endpoint = Endpoint::from_static("http://localhost");
        Ok(Self(endpoint.connect_with_connector(connect).await?))
    }

    pub(super) async fn generate(&self, request: ManifestRequest) -> Result<Vec<String>> {
        let mut client = Grpc::new(self.0.clone()).max_decoding_message_size(MESSAGE);
        client.ready().await?;
        let path = PathAndQuery::from_static("/repository.RepoServerService/GenerateManifest");
        let codec = ProstCodec::<ManifestRequest, ManifestResponse>::default();
        let answer = client.unary(limited(request), path, codec).await?;
        Ok(answer.into_inner().manifests)
    }
}

/// repo-server makes itself a certificate at each start, and Argo CD takes any.
fn trusting() -> Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
