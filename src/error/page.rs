//! What the client sees of an error: a short page, a correlation id, and detail only where it is asked for.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::json;

use super::{CorrelationId, Error, Format, StartFailure, grpc, html};

/// How errors are shown to clients.
#[derive(Clone, Debug)]
pub struct ErrorPage {
    detailed: bool,
    detailed_to_loopback: bool,
    startup_page_disabled: bool,
    link: Option<String>,
    retry_after: HeaderValue,
}

impl Default for ErrorPage {
    fn default() -> Self {
        Self {
            detailed: false,
            detailed_to_loopback: false,
            startup_page_disabled: false,
            link: None,
            retry_after: HeaderValue::from_static("5"),
        }
    }
}

impl ErrorPage {
    /// Pages without detail.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Shows stage, command, exit and last output of a failed start: for development only. Defaults to `false`.
    #[must_use]
    pub fn detailed(mut self, detailed: bool) -> Self {
        self.detailed = detailed;
        self
    }

    /// Shows as much to clients of this machine, whatever is shown to others. Defaults to `false`.
    #[must_use]
    pub fn detailed_to_loopback(mut self, detailed: bool) -> Self {
        self.detailed_to_loopback = detailed;
        self
    }

    /// The pages that the client at `peer` sees.
    #[must_use]
    pub fn shown_to(mut self, peer: Option<SocketAddr>) -> Self {
        let local = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        self.detailed |= self.detailed_to_loopback && local;
        self
    }

    /// `disableStartUpErrorPage`: a failed start answers without a body. Defaults to `false`.
    #[must_use]
    pub fn startup_page_disabled(mut self, disabled: bool) -> Self {
        self.startup_page_disabled = disabled;
        self
    }

    /// `ANCM_ADDITIONAL_ERROR_PAGE_LINK`: where the reader finds more about failed starts. Defaults to none.
    #[must_use]
    pub fn link(mut self, link: Option<String>) -> Self {
        self.link = link;
        self
    }

    /// What `Retry-After` says where the error is [transient](Error::is_transient), in whole seconds. Defaults to 5 s:
    /// by then most apps have started.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = HeaderValue::from(time.as_secs());
        self
    }

    /// The answer to a client whose request ended in `error`.
    #[must_use]
    pub fn render(&self, error: &Error, id: CorrelationId, format: Format) -> Response<Bytes> {
        let disabled = self.startup_page_disabled && error.start_failure().is_some();
        let (content_type, body) = match format {
            Format::Grpc => return grpc::answer(error.status(), &self.message(error, id)),
            Format::Html | Format::Json if disabled => (None, String::new()),
            Format::Json => (Some("application/problem+json"), self.json(error, id)),
            Format::Html => (Some("text/html; charset=utf-8"), self.html(error, id)),
        };
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = error.status();
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if error.is_transient() {
            headers.insert(RETRY_AFTER, self.retry_after.clone());
        }
        if error.status() == StatusCode::METHOD_NOT_ALLOWED {
            // RFC 9110, 15.5.6: a 405 names what is allowed, be it nothing.
            headers.insert(ALLOW, HeaderValue::from_static(""));
        }
        response
    }

    /// A line for a client that shows no page.
    fn message(&self, error: &Error, id: CorrelationId) -> String {
        match error.start_failure() {
            Some(_) if self.startup_page_disabled => String::new(),
            Some(failure) => {
                let reason = if self.detailed { &*failure.reason } else { "" };
                let what = failure.stage.explanation();
                format!("{}. {what}. {reason} Correlation id: {id}", title(error))
            }
            None => {
                let (title, hint) = (title(error), hint(error.status()));
                format!("{title}. {hint} Correlation id: {id}")
            }
        }
    }

    /// RFC 9457 members, and the module's own beside them.
    fn json(&self, error: &Error, id: CorrelationId) -> String {
        let mut problem = json!({
            "title": title(error),
            "status": error.status().as_u16(),
            "correlationId": id.to_string(),
        });
        if let (Some(failure), Some(members)) = (error.start_failure(), problem.as_object_mut()) {
            members.insert("stage".to_owned(), failure.stage.as_str().into());
            if let Some(sub) = failure.sub_status {
                members.insert("subStatus".to_owned(), sub.code().into());
            }
            let facts = self.facts(failure).into_iter();
            members.extend(facts.map(|(name, value)| (name.to_owned(), value.into())));
        }
        format!("{problem}\n")
    }

    /// What of a failed start is for the reader alone who may see detail.
    fn facts(&self, failure: &StartFailure) -> Vec<(&'static str, String)> {
        if self.detailed {
            facts(failure)
        } else {
            Vec::new()
        }
    }

    fn html(&self, error: &Error, id: CorrelationId) -> String {
        match error.start_failure() {
            Some(failure) => {
                let (link, facts) = (self.link.as_deref(), self.facts(failure));
                html::failed_start(&title(error), failure, link, &facts, id)
            }
            None => html::page(&title(error), hint(error.status()), id),
        }
    }
}

/// As the module titles its page, where it has one.
fn title(error: &Error) -> String {
    match error.start_failure().map(|failure| failure.sub_status) {
        Some(Some(sub)) => return format!("HTTP Error 500.{} - {}", sub.code(), sub.title()),
        Some(None) => {
            return "HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure".to_owned();
        }
        None => {}
    }
    let status = error.status();
    format!(
        "HTTP Error {} - {}",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Error")
    )
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => {
            "The application is not available right now. Try again in a moment."
        }
        StatusCode::INTERNAL_SERVER_ERROR => "The application failed to answer the request.",
        StatusCode::GATEWAY_TIMEOUT => "The application took too long to answer.",
        StatusCode::BAD_GATEWAY => "The application's process did not answer the request.",
        StatusCode::METHOD_NOT_ALLOWED => "This method is not forwarded.",
        _ => "The request can't be forwarded.",
    }
}

fn facts(failure: &StartFailure) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("reason", failure.reason.clone()),
        ("command", failure.command.clone()),
    ];
    let optional = [
        ("pid", failure.pid.map(|pid| pid.to_string())),
        ("port", failure.port.map(|port| port.to_string())),
        ("exit", failure.exit.clone()),
    ];
    facts.extend(
        optional
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    facts.push(("elapsed", format!("{:.3} s", failure.elapsed.as_secs_f64())));
    facts.push(("startupTimeLimit", format!("{} s", failure.limit.as_secs())));
    facts.extend(failure.detail.clone().map(|detail| ("detail", detail)));
    if !failure.output.is_empty() {
        facts.push(("output", failure.output.clone()));
    }
    facts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::error::Stage;

    fn failed_start() -> Error {
        let mut failure = StartFailure::new(Stage::Exited, "it <ended>", "dotnet App.dll");
        failure.output = "boom\u{1b}[31m & \"bang\"".to_owned();
        failure.exit = Some("exit code 7".to_owned());
        Error::start(Arc::new(failure))
    }

    fn body(page: &ErrorPage, error: &Error, format: Format) -> String {
        let response = page.render(error, CorrelationId(0xabc), format);
        String::from_utf8(response.into_body().to_vec()).unwrap()
    }

    #[test]
    fn a_failed_start_names_the_stage_and_nothing_secret() {
        let page = body(&ErrorPage::new(), &failed_start(), Format::Html);
        assert!(
            page.contains("HTTP Error 502.5 - ANCM Out-Of-Process Startup Failure"),
            "{page}"
        );
        assert!(
            page.contains("<b>exited</b>") && page.contains("0000000000000abc"),
            "{page}"
        );
        assert!(!page.contains("dotnet") && !page.contains("boom"), "{page}");
        assert!(page.ends_with("</html>\r\n"));
    }

    #[test]
    fn a_failed_start_in_process_has_its_own_number_and_page() {
        let mut failure = StartFailure::new(Stage::Hosting, "Main threw", "dotnet App.dll");
        failure.sub_status = Some(crate::error::SubStatus::Start);
        failure.detail = Some("System.Exception: <no> database".to_owned());
        let error = Error::start(Arc::new(failure));
        assert_eq!(error.status(), 500);
        let page = body(&ErrorPage::new(), &error, Format::Html);
        let title = "HTTP Error 500.30 - ANCM In-Process Start Failure";
        assert!(
            page.contains(title) && page.contains("<b>hosting</b>"),
            "{page}"
        );
        assert!(!page.contains("database"), "{page}");
        let page = body(&ErrorPage::new().detailed(true), &error, Format::Html);
        assert!(
            page.contains("System.Exception: &lt;no&gt; database"),
            "{page}"
        );
        let json = body(&ErrorPage::new(), &error, Format::Json);
        assert!(json.contains("\"subStatus\":30"), "{json}");
    }

    #[test]
    fn detail_is_shown_escaped_where_asked_for() {
        let page = body(
            &ErrorPage::new().detailed(true),
            &failed_start(),
            Format::Html,
        );
        for want in [
            "dotnet App.dll",
            "it &lt;ended&gt;",
            "exit code 7",
            "boom\\u{1b}[31m &amp; &quot;bang",
        ] {
            assert!(page.contains(want), "{want} in {page}");
        }
    }

    #[test]
    fn detail_may_be_shown_to_this_machine_alone() {
        let page = ErrorPage::new().detailed_to_loopback(true);
        for (peer, seen) in [
            (Some("127.0.0.1:5"), true),
            (Some("[::1]:5"), true),
            (Some("[::ffff:127.0.0.1]:5"), true),
            (Some("192.0.2.1:5"), false),
            (None, false),
        ] {
            let peer = peer.map(|peer| peer.parse().unwrap());
            let text = body(&page.clone().shown_to(peer), &failed_start(), Format::Html);
            assert_eq!(text.contains("dotnet App.dll"), seen, "{peer:?}");
        }
        let asked_by_nobody = ErrorPage::new().shown_to(Some("127.0.0.1:5".parse().unwrap()));
        let text = body(&asked_by_nobody, &failed_start(), Format::Html);
        assert!(!text.contains("dotnet App.dll"));
    }

    #[test]
    fn json_for_who_asks_for_it() {
        let text = body(
            &ErrorPage::new().detailed(true),
            &failed_start(),
            Format::Json,
        );
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["status"], 502);
        assert_eq!(json["stage"], "exited");
        assert_eq!(json["output"], "boom\u{1b}[31m & \"bang\"");
    }

    #[test]
    fn the_start_up_page_can_be_disabled_and_only_that() {
        let page = ErrorPage::new().startup_page_disabled(true);
        assert_eq!(body(&page, &failed_start(), Format::Html), "");
        assert_ne!(body(&page, &Error::stopping(), Format::Html), "");
    }

    #[test]
    fn an_additional_link_is_shown_on_start_failures() {
        let page = ErrorPage::new().link(Some("http://localhost/?a&b".to_owned()));
        let text = body(&page, &failed_start(), Format::Html);
        assert!(text.contains(
            "<a href=\"http://localhost/?a&amp;b\"> <cite> http://localhost/?a&amp;b </cite></a>"
        ));
    }

    #[test]
    fn a_client_of_grpc_gets_a_status_of_its_own() {
        let render = |page: ErrorPage, error: Error| {
            let answer = page.render(&error, CorrelationId(0xabc), Format::Grpc);
            assert!(answer.status() == 200 && answer.body().is_empty());
            let field = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            (field("grpc-status"), field("grpc-message"))
        };
        let (code, message) = render(ErrorPage::new(), Error::queue_full());
        assert_eq!(code, "14");
        assert_eq!(
            message,
            "HTTP Error 503 - Service Unavailable. The application is not available right now. Try again in a moment. \
             Correlation id: 0000000000000abc"
        );
        let (code, message) = render(ErrorPage::new(), failed_start());
        assert!(code == "14" && !message.contains("<ended>"), "{message}");
        let (_, message) = render(ErrorPage::new().detailed(true), failed_start());
        assert!(message.contains("it <ended>"), "{message}");
        let page = ErrorPage::new().startup_page_disabled(true);
        assert_eq!(render(page, failed_start()).1, "");
    }

    #[test]
    fn transient_errors_say_when_to_come_back() {
        let render = |error: Error| ErrorPage::new().render(&error, CorrelationId(1), Format::Html);
        assert!(
            render(Error::queue_full())
                .headers()
                .contains_key(RETRY_AFTER)
        );
        assert!(
            !render(Error::timeout("answer"))
                .headers()
                .contains_key(RETRY_AFTER)
        );
        assert_eq!(
            render(Error::timeout("answer")).status(),
            StatusCode::GATEWAY_TIMEOUT
        );
    }
}
