use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::{Method, Request};

use crate::polling::ticks;
use crate::{SOON, scaled};

/// A page in a browser, by the [WebDriver protocol](https://www.w3.org/TR/webdriver2/).
///
/// # Panics
/// All operations panic if the browser refuses them, or does not answer.
#[derive(Debug, Clone)]
pub struct Page {
    agent: Agent,
    /// The address of the browser's session.
    session: String,
}

impl Page {
    /// Starts a browser by the driver at an address.
    pub(super) async fn connect(driver: &str, capabilities: Value) -> Self {
        // It must be longer than the time limit of scripts.
        let limit = 2 * scaled(SOON);
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(limit))
            .build()
            .into();
        let session = format!("{driver}/session");
        let mut page = Self { agent, session };
        let wanted = json!({ "capabilities": { "alwaysMatch": capabilities } });
        let session = page.post("", wanted).await;
        page.session += "/";
        page.session += session["sessionId"].as_str().expect("an identifier");
        page
    }

    /// Ends the browser.
    pub(super) async fn close(self) {
        self.call(Method::DELETE, "", None).await;
    }

    pub(super) async fn open(&self, url: &str) {
        self.post("/url", json!({ "url": url })).await;
    }

    /// The page's address.
    pub async fn url(&self) -> String {
        self.get("/url").await
    }

    /// Waits until the browser has gone to an address.
    ///
    /// # Panics
    /// If it has not after [`SOON`].
    pub async fn wait_for_url(&self, url: &str) {
        let mut ticks = ticks();
        let arrival = async {
            while self.url().await != url {
                ticks.tick().await;
            }
        };
        let arrived = tokio::time::timeout(scaled(SOON), arrival).await;
        arrived.unwrap_or_else(|_| panic!("the browser does not go to {url}"));
    }

    /// The page's title.
    pub async fn title(&self) -> String {
        self.get("/title").await
    }

    /// Runs a script, and returns its value.
    pub async fn execute(&self, script: &str) -> Value {
        let call = json!({ "script": script, "args": [] });
        self.post("/execute/sync", call).await
    }

    /// Runs a script, and returns the value that it passes to its last argument, a function.
    pub async fn execute_async(&self, script: &str) -> Value {
        let call = json!({ "script": script, "args": [] });
        self.post("/execute/async", call).await
    }

    /// The first element of a CSS selector.
    pub async fn find(&self, css: &str) -> Element {
        let query = json!({ "using": "css selector", "value": css });
        self.element(&self.post("/element", query).await)
    }

    /// All elements of a CSS selector.
    ///
    /// # Panics
    /// If the browser does not answer by a list.
    pub async fn find_all(&self, css: &str) -> Vec<Element> {
        let query = json!({ "using": "css selector", "value": css });
        let found = self.post("/elements", query).await;
        let found = found.as_array().expect("a list of elements");
        found.iter().map(|element| self.element(element)).collect()
    }

    fn element(&self, reference: &Value) -> Element {
        // The protocol's key of references to elements.
        let id = &reference["element-6066-11e4-a52e-4f735466cecf"];
        let id = id.as_str().expect("a reference to an element");
        let path = format!("/element/{id}");
        let page = self.clone();
        Element { page, path }
    }

    /// Performs actions of an input device: one of the protocol's action sequences.
    pub async fn perform(&self, actions: Value) {
        self.post("/actions", json!({ "actions": [actions] })).await;
    }

    /// Releases all keys and buttons.
    pub async fn release_actions(&self) {
        self.call(Method::DELETE, "/actions", None).await;
    }

    async fn get(&self, path: &str) -> String {
        let value = self.call(Method::GET, path, None).await;
        value.as_str().expect("a text").to_owned()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Calls a command of the session, and returns its value.
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let command = format!("{method} {path} {body}");
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.session))
            .body(body)
            .expect("a request");
        let agent = self.agent.clone();
        let answer = move || agent.run(request)?.body_mut().read_to_string();
        let answer = tokio::task::spawn_blocking(answer).await.expect("no panic");
        let answer = answer.unwrap_or_else(|error| panic!("{command}: {error}"));
        let mut answer: Value = serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{command}: {error}: {answer}"));
        let error = &answer["value"]["error"];
        assert!(error.is_null(), "{command}: {answer}");
        answer["value"].take()
    }
}

/// An element of a page.
///
/// # Panics
/// As those of a [`Page`].
#[derive(Debug)]
pub struct Element {
    page: Page,
    path: String,
}

impl Element {
    /// Its visible text.
    pub async fn text(&self) -> String {
        self.page.get(&format!("{}/text", self.path)).await
    }

    /// Clicks on its middle.
    pub async fn click(&self) {
        let path = format!("{}/click", self.path);
        self.page.post(&path, json!({})).await;
    }
}
