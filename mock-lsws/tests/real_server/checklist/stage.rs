//! A server with a played application at `/app/`, and the packets such an application sends.

use mock_lsws::config::{Context, ExternalApp, ServerConfig};
use mock_lsws::{Note, RequestRecord, Timing};

use crate::LONG;
use crate::client::{Client, Until};
use crate::misbehaviour_record::{packet, response_header};
use crate::played_app::{PlayedApp, Step};
use crate::site::Site;
use crate::view::View;

/// A server with a played application.
pub(crate) struct Stage {
    pub(crate) app: PlayedApp,
    pub(crate) site: Site,
}

impl Stage {
    /// `script(n)` is what the application does on its n-th connection.
    pub(crate) async fn new(script: impl Fn(usize) -> Vec<Step> + Send + 'static) -> Self {
        Self::with(script, Timing::default(), |app| app, |config| config).await
    }

    /// The same, with settings of the application and of the server.
    pub(crate) async fn with(
        script: impl Fn(usize) -> Vec<Step> + Send + 'static,
        timing: Timing,
        app_settings: impl FnOnce(ExternalApp) -> ExternalApp,
        settings: impl FnOnce(ServerConfig) -> ServerConfig,
    ) -> Self {
        let app = PlayedApp::start(script);
        let external = app_settings(ExternalApp::new("app").address(app.address()));
        let site = Site::with(timing, |folder| {
            let config = ServerConfig::new().doc_root(folder.join("html"));
            settings(config.app(external).context(Context::lsapi("/app/", "app")))
        });
        Self { site: site.await, app }
    }

    /// A client that has sent `GET /app/`.
    pub(crate) async fn asking(&self) -> Client {
        let mut client = Client::connect(self.site.address()).await;
        client.send(b"GET /app/ HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
        client
    }

    /// What `GET /app/` is answered with.
    pub(crate) async fn get(&self) -> View {
        self.asking().await.response(false, LONG).await.0
    }

    /// What `GET /app/` is answered with, which has to be complete.
    pub(crate) async fn get_whole(&self) -> View {
        let (response, until) = self.asking().await.response(false, LONG).await;
        assert_eq!(until, Until::Complete, "{}", response.bytes().escape_ascii());
        response
    }

    /// The record of the n-th request.
    pub(crate) async fn record(&self, number: usize) -> RequestRecord {
        self.site.until_records(number + 1).await.unwrap();
        self.site.records().swap_remove(number)
    }

    /// What the real server would have logged about the n-th request.
    pub(crate) async fn notes(&self, number: usize) -> Vec<Note> {
        self.record(number).await.exchanges.into_iter().flat_map(|exchange| exchange.notes).collect()
    }
}

/// REQ_RECEIVED.
pub(crate) fn received() -> Vec<u8> {
    packet(7, b"")
}

/// RESP_HEADER.
pub(crate) fn header(status: i32, headers: &[&str]) -> Vec<u8> {
    let headers: Vec<_> = headers.iter().map(|header| format!("{header}\0")).collect();
    packet(3, &response_header(status, &headers))
}

/// RESP_STREAM.
pub(crate) fn stream(bytes: &[u8]) -> Vec<u8> {
    packet(4, bytes)
}

/// RESP_END.
pub(crate) fn end() -> Vec<u8> {
    packet(5, b"")
}

/// CONN_CLOSE.
pub(crate) fn close() -> Vec<u8> {
    packet(8, b"")
}

/// A whole response with this body.
pub(crate) fn answer(body: &str) -> Vec<u8> {
    [received(), header(200, &["Content-Type: text/plain"]), stream(body.as_bytes()), end()].concat()
}
