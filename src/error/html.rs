//! An error as a page for people.

use std::fmt::Write as _;

use super::{CorrelationId, StartFailure, SubStatus};

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

/// A title and what it means.
pub(super) fn page(title: &str, hint: &str, id: CorrelationId) -> String {
    whole(title, &format!("<p>{hint}</p>\r\n"), id)
}

/// Of a failed start: what may be the cause, where to read on, and the `facts` that the reader may see.
pub(super) fn failed_start(
    title: &str,
    failure: &StartFailure,
    link: Option<&str>,
    facts: &[(&str, String)],
    id: CorrelationId,
) -> String {
    let mut section = String::new();
    let known = failure.sub_status.map(SubStatus::causes);
    causes(&mut section, known.unwrap_or(START_CAUSES));
    let _ = write!(
        section,
        "<p>Stage: <b>{}</b>. {}.</p>\r\n",
        failure.stage,
        escaped(failure.stage.explanation())
    );
    section.push_str(START_HINTS);
    if let Some(link) = link.map(escaped) {
        let _ = write!(
            section,
            "<p>See also <a href=\"{link}\"> <cite> {link} </cite></a>.</p>\r\n"
        );
    }
    if !facts.is_empty() {
        section.push_str("<h2>Detail</h2>\r\n<dl>\r\n");
        for (name, value) in facts {
            let value = escaped(value);
            let _ = write!(section, "<dt>{name}</dt><dd><pre>{value}</pre></dd>\r\n");
        }
        section.push_str("</dl>\r\n");
    }
    whole(title, &section, id)
}

fn whole(title: &str, section: &str, id: CorrelationId) -> String {
    let title = escaped(title);
    format!(
        "{HEAD}<title>{title}</title></head>\r\n<body><main>\r\n<h1>{title}</h1>\r\n{section}\
         <p class=\"id\">Correlation id: <code>{id}</code>. \
         The log of the server has a line with the same id.</p>\r\n</main></body>\r\n</html>\r\n"
    )
}

fn causes(page: &mut String, causes: &[&str]) {
    page.push_str("<p>Common causes:</p>\r\n<ul>\r\n");
    for cause in causes {
        let _ = write!(page, "<li>{cause}</li>\r\n");
    }
    page.push_str("</ul>\r\n");
}

/// Text that a browser shows as it is.
fn escaped(text: &str) -> String {
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
