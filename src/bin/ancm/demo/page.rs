//! The demo's page: plain HTML for a browser, plain text for everything else.

use std::fmt::Write as _;

use super::facts::{Fact, Seen};

const STYLE: &str = include_str!("page.css");

/// What a terminal shows.
pub(super) fn text(seen: &Seen) -> String {
    let mut out = String::from("It works. This is what the app behind ancm sees.\n");
    for (title, facts) in [
        ("Request", seen.request()),
        ("Process", seen.process.facts()),
        ("Headers", seen.headers.clone()),
    ] {
        let _ = writeln!(out, "\n{title}");
        let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in facts {
            let value = value.escape_debug();
            let _ = writeln!(out, "  {name:width$}  {value}");
        }
    }
    let _ = writeln!(
        out,
        "\nKill the process, ask again, and the next one answers:\n  {}",
        seen.process.kill_command()
    );
    if let Some(command) = seen.process.offline_command() {
        let _ = writeln!(
            out,
            "Take the app offline, until that file is gone:\n  {command}"
        );
    }
    out
}

/// What a browser shows.
pub(super) fn html(seen: &Seen) -> String {
    let mut out = head("The app behind ancm");
    out.push_str(
        "<h1>It works.</h1>\n<p class=\"lead\">This page was written by an app in a process of \
         its own. <b>ancm</b> started it with the first request, forwards to it, and replaces it \
         when it dies. Below is what that app sees.</p>\n",
    );
    out.push_str(&way(seen));
    out.push_str(&try_it(seen));
    out.push_str("<div class=\"two\">\n");
    section(&mut out, "Request", &seen.request());
    section(&mut out, "Process", &seen.process.facts());
    out.push_str("</div>\n");
    section(&mut out, "Headers", &seen.headers);
    out.push_str(
        "<footer>The pairing token, which proves that a request came through ancm, was checked and \
         taken off before the app saw the request. Any path shows this page; so does \
         <code>curl</code>, as text.</footer>\n",
    );
    out.push_str(TAIL);
    out
}

/// What a browser shows after the button was pressed.
pub(super) fn farewell(seen: &Seen) -> String {
    let mut out = head("Process ends");
    let _ = write!(
        out,
        "<h1>Process {} ends now.</h1>\n<p class=\"lead\">In a second this page asks again, and \
         the next process answers.</p>\n<p><a class=\"button\" href=\"{}\">Ask now</a></p>\n",
        seen.process.pid,
        escape(&seen.path_base),
    );
    out.push_str(TAIL);
    out
}

fn head(title: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <link rel=\"icon\" href=\"data:,\">\n<title>{title}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    )
}

const TAIL: &str = "</main>\n</body>\n</html>\n";

/// The way of the request, from left to right.
fn way(seen: &Seen) -> String {
    let client = seen
        .remote
        .map_or_else(|| "address unknown".to_owned(), |remote| remote.to_string());
    let (scheme, host) = (escape(&seen.scheme), escape(&seen.host));
    let port = escape(seen.process.port.as_deref().unwrap_or("–"));
    format!(
        "<ol class=\"path\">\n<li><b>You</b><span>{client}</span></li>\n\
         <li><b>ancm</b><span>{scheme}://{host}</span></li>\n\
         <li class=\"here\"><b>The app</b><span>process {}, port {port}</span></li>\n</ol>\n",
        seen.process.pid
    )
}

fn try_it(seen: &Seen) -> String {
    let base = seen.path_base.trim_end_matches('/');
    format!(
        "<section class=\"try\">\n<h2>Try it</h2>\n<p>Kill the process, then \
         <a href=\"{home}\">reload</a>: the next one answers.</p>\n\
         <form method=\"post\" action=\"{end}\"><code>{kill}</code> or \
         <button>End process {pid}</button></form>\n{history}{offline}</section>\n",
        home = escape(&seen.path_base),
        end = escape(&format!("{base}/end")),
        kill = escape(&seen.process.kill_command()),
        pid = seen.process.pid,
        history = history(seen),
        offline = offline(seen),
    )
}

/// Who answered before, where somebody did.
fn history(seen: &Seen) -> String {
    /// More would only fill the page.
    const SHOWN: usize = 8;
    let before = seen.process.before.as_deref().unwrap_or_default();
    let Some(generation) = seen.process.generation().filter(|_| !before.is_empty()) else {
        return String::new();
    };
    let recent = before.iter().rev().take(SHOWN).rev();
    let recent: Vec<_> = recent.map(u32::to_string).collect();
    format!(
        "<p>This is generation <b>{generation}</b>. Before it: {}.</p>\n",
        recent.join(", ")
    )
}

fn offline(seen: &Seen) -> String {
    seen.process
        .offline_command()
        .map(|command| {
            format!(
                "<p>Or take the app offline, until this file is gone:<br><code>{}</code></p>\n",
                escape(&command)
            )
        })
        .unwrap_or_default()
}

fn section(out: &mut String, title: &str, facts: &[Fact]) {
    let _ = write!(out, "<section>\n<h2>{title}</h2>\n<table>\n");
    for (name, value) in facts {
        let (name, value) = (escape(name), escape(value));
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{name}</th><td>{value}</td></tr>"
        );
    }
    out.push_str("</table>\n</section>\n");
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            char if char.is_control() => out.extend(char.escape_default()),
            char => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::demo::facts::Process;

    fn seen(before: Vec<u32>) -> Seen {
        Seen {
            method: "GET".to_owned(),
            target: "/shop/a%2fb?<x>".to_owned(),
            scheme: "https".to_owned(),
            host: "example.test".to_owned(),
            remote: Some("192.0.2.7:4711".parse().unwrap()),
            path_base: "/shop".to_owned(),
            headers: vec![("x-evil".to_owned(), "<script>\u{1b}".to_owned())],
            process: Process {
                pid: 42,
                before: Some(before),
                folder: Some("/tmp/d".into()),
                port: Some("12345".to_owned()),
                uptime: Duration::from_secs(3),
                requests: 1,
            },
        }
    }

    #[test]
    fn the_page_names_every_fact_and_runs_nothing() {
        let page = html(&seen(vec![]));
        for want in [
            "192.0.2.7:4711",
            "https://example.test",
            "process 42, port 12345",
            "<td>/shop/a%2fb?&lt;x&gt;</td>",
            "<td>&lt;script&gt;\\u{1b}</td>",
            "action=\"/shop/end\"",
            "42</code>",
            "echo Back soon &gt; &quot;/tmp/d",
        ] {
            assert!(page.contains(want), "{want} in {page}");
        }
        assert!(
            !page.contains("<script") && !page.contains("Before it"),
            "{page}"
        );
        assert!(page.ends_with("</html>\n"));
    }

    #[test]
    fn the_page_of_a_later_process_names_those_before() {
        let page = html(&seen((1..=12).collect()));
        assert!(page.contains("generation <b>13</b>. Before it: 5, 6, 7, 8, 9, 10, 11, 12."));
    }

    #[test]
    fn text_says_the_same() {
        let text = text(&seen(vec![7]));
        for want in [
            "remote address  192.0.2.7:4711",
            "process id  42",
            "generation  2",
            "x-evil  <script>\\u{1b}",
            " 42\n",
            "echo Back soon > \"/tmp/d",
        ] {
            assert!(text.contains(want), "{want} in {text}");
        }
    }
}
