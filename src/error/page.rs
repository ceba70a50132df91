//! What the client sees of an error: a short page, a correlation id, and detail only where it is asked for.

use std::{
    fmt::{self, Write as _},
    net::SocketAddr,
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER},
};
use serde_json::json;

use super::{Error, StartFailure, grpc};

/// Ties an answer to the line in the log that explains it: 64 random bits in hex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CorrelationId(u64);

impl CorrelationId {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(getrandom::u64().unwrap_or_default())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The form in which a client wants to be told of an error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A page for people.
    #[default]
    Html,
    /// `application/problem+json` (RFC 9457), for programs.
    Json,
    /// `grpc-status` and `grpc-message` under an HTTP status of 200, for clients of gRPC.
    Grpc,
}

impl Format {
    /// JSON where `Accept` names it and not HTML, which a browser never does; else HTML.
    #[must_use]
    pub fn preferred(headers: &HeaderMap) -> Self {
        Self::of_lines(headers.get_all(ACCEPT))
    }

    /// [`preferred`](Self::preferred), of the lines of `Accept`.
    pub(super) fn of_lines<'a>(lines: impl IntoIterator<Item = &'a HeaderValue>) -> Self {
        let mut json = false;
        for value in lines.into_iter().filter_map(|line| line.to_str().ok()) {
            if value.contains("text/html") {
                return Self::Html;
            }
            json |=
                value.contains("application/json") || value.contains("application/problem+json");
        }
        if json { Self::Json } else { Self::Html }
    }
}

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
        if format == Format::Grpc {
            return grpc::answer(error.status(), &self.message(error, id));
        }
        let (content_type, body) = match error.start_failure() {
            Some(_) if self.startup_page_disabled => (None, String::new()),
            _ => match format {
                Format::Json => (Some("application/problem+json"), self.json(error, id)),
                Format::Html | Format::Grpc => {
                    (Some("text/html; charset=utf-8"), self.html(error, id))
                }
            },
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
            if self.detailed {
                let facts = facts(failure).into_iter();
                members.extend(facts.map(|(name, value)| (name.to_owned(), value.into())));
            }
        }
        format!("{problem}\n")
    }

    fn html(&self, error: &Error, id: CorrelationId) -> String {
        let mut page = String::from(HEAD);
        let title = html_text(&title(error));
        let _ = write!(
            page,
            "<title>{title}</title></head>\r\n<body><main>\r\n<h1>{title}</h1>\r\n"
        );
        match error.start_failure() {
            Some(failure) => self.start_section(&mut page, failure),
            None => page.push_str(&format!("<p>{}</p>\r\n", hint(error.status()))),
        }
        let _ = write!(
            page,
            "<p class=\"id\">Correlation id: <code>{id}</code>. \
             The log of the server has a line with the same id.</p>\r\n</main></body>\r\n</html>\r\n"
        );
        page
    }

    fn start_section(&self, page: &mut String, failure: &StartFailure) {
        match failure.sub_status {
            Some(sub) => causes(page, sub.causes()),
            None => causes(page, START_CAUSES),
        }
        let _ = write!(
            page,
            "<p>Stage: <b>{}</b>. {}.</p>\r\n",
            failure.stage,
            html_text(failure.stage.explanation())
        );
        page.push_str(START_HINTS);
        if let Some(link) = &self.link {
            let link = html_text(link);
            let _ = write!(
                page,
                "<p>See also <a href=\"{link}\"> <cite> {link} </cite></a>.</p>\r\n"
            );
        }
        if self.detailed {
            page.push_str("<h2>Detail</h2>\r\n<dl>\r\n");
            for (name, value) in facts(failure) {
                let value = html_text(&value);
                let _ = write!(page, "<dt>{name}</dt><dd><pre>{value}</pre></dd>\r\n");
            }
            page.push_str("</dl>\r\n");
        }
    }
}

const HEAD: &str = "<!DOCTYPE html>\r\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\r\n<style>\
:root{color-scheme:light dark}body{margin:0;font:16px/1.5 system-ui,sans-serif}\
main{max-width:44rem;margin:8vh auto;padding:0 1.5rem}h1{font-size:1.4rem;line-height:1.3}\
h2{font-size:1.1rem}pre{white-space:pre-wrap;overflow-wrap:anywhere;margin:0}\
dt{font-weight:600;margin-top:.7rem}dd{margin:0}.id{opacity:.75;font-size:.9rem}\
</style>\r\n";

const START_CAUSES: &[&str] = &[
    "The application's process could not be started.",
    "It started and then ended.",
    "It started but did not listen on the port it was given.",
];

const START_HINTS: &str = "<p>What to do:</p>\r\n<ul>\r\n\
<li>Look at the log of the server.</li>\r\n\
<li>Let the application's own output be logged: <code>stdoutLogEnabled=\"true\"</code>.</li>\r\n\
<li>Start the application by hand from its folder and see what it says.</li>\r\n</ul>\r\n";

fn causes(page: &mut String, causes: &[&str]) {
    page.push_str("<p>Common causes:</p>\r\n<ul>\r\n");
    for cause in causes {
        let _ = write!(page, "<li>{cause}</li>\r\n");
    }
    page.push_str("</ul>\r\n");
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

fn html_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(char),
            // What a terminal or a browser might act on is shown as what it is.
            char if char.is_control() => out.extend(char.escape_default()),
            char => out.push(char),
        }
    }
    out
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
    fn a_browser_gets_a_page_and_a_tool_gets_json() {
        for (accept, want) in [
            (None, Format::Html),
            (Some("*/*"), Format::Html),
            (Some("application/json"), Format::Json),
            (
                Some("application/problem+json, application/json;q=0.9"),
                Format::Json,
            ),
            (
                Some("text/html,application/json;q=0.9,*/*;q=0.8"),
                Format::Html,
            ),
        ] {
            let headers = accept.map(|accept| (ACCEPT, HeaderValue::from_static(accept)));
            let headers = HeaderMap::from_iter(headers);
            assert_eq!(Format::preferred(&headers), want, "{accept:?}");
        }
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
