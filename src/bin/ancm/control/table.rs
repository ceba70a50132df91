//! A status for people to read. Pure.

use std::fmt::Write as _;

use serde_json::Value;

/// The width of the column of names.
const WIDTH: usize = 12;
/// How many lines of a failed process's output are shown.
const LINES: usize = 20;

const COLUMNS: [(&str, &str); 7] = [
    ("GENERATION", "generation"),
    ("SLOT", "slot"),
    ("STATE", "state"),
    ("PID", "pid"),
    ("PORT", "port"),
    ("REQUESTS", "in_flight"),
    ("STARTED", "started"),
];

/// Those of an app that somebody else runs.
const ADDRESSES: [(&str, &str); 6] = [
    ("ADDRESS", "address"),
    ("NAME", "name"),
    ("STATE", "state"),
    ("REQUESTS", "in_flight"),
    ("TOTAL", "requests"),
    ("CAUSE", "cause"),
];

/// What a report of the module says. What is not in it, because another version of this program
/// made it, is shown as a dash.
pub(super) fn status(report: &Value) -> String {
    let at = |path: &str| shown(report.pointer(path));
    let mut text = String::new();
    row(&mut text, "state", &state(report));
    if report.get("backends").is_some() {
        if report.get("config").is_some_and(|config| !config.is_null()) {
            configuration(&mut text, report);
        }
        row(&mut text, "ancm", &module(report));
        text.push('\n');
        text.push_str(&table(&ADDRESSES, list(report.get("backends"))));
        return text;
    }
    row(&mut text, "command", &at("/app/command"));
    row(&mut text, "folder", &at("/app/content_root"));
    row(&mut text, "path base", &at("/app/path_base"));
    configuration(&mut text, report);
    let processes = list(report.get("processes"));
    let in_flight: u64 = processes
        .iter()
        .filter_map(|process| process.get("in_flight")?.as_u64())
        .sum();
    let requests = format!("{in_flight} in flight, {} waiting", at("/waiting"));
    row(&mut text, "requests", &requests);
    row(&mut text, "restarts", &at("/restarts"));
    row(&mut text, "failures", &at("/failures"));
    if let Some(failure) = report.get("last_failure").filter(|one| !one.is_null()) {
        row(&mut text, "  last", &last_failure(failure));
    }
    row(&mut text, "ancm", &module(report));
    if !processes.is_empty() {
        text.push('\n');
        text.push_str(&table(&COLUMNS, processes));
    }
    text
}

fn module(report: &Value) -> String {
    let at = |path: &str| shown(report.pointer(path));
    format!(
        "pid {}, version {}, since {}",
        at("/module/pid"),
        at("/module/version"),
        at("/module/started")
    )
}

fn state(report: &Value) -> String {
    let mut state = shown(report.get("state"));
    let is = |path: &str| report.pointer(path).and_then(Value::as_bool) == Some(true);
    match (is("/offline/by_file"), is("/offline/by_command")) {
        (true, true) => state.push_str(" (by command, and by an app_offline.htm)"),
        (true, false) => state.push_str(" (by an app_offline.htm)"),
        (false, true) => state.push_str(" (by command)"),
        (false, false) => {}
    }
    state
}

/// Which configuration is in force, and what is wrong with a newer one.
fn configuration(text: &mut String, report: &Value) {
    row(text, "config", &config(report));
    for error in list(report.pointer("/config/errors")) {
        row(text, "  wrong", &shown(Some(error)));
    }
}

fn config(report: &Value) -> String {
    let file = shown(report.pointer("/config/file"));
    let pending = report.pointer("/config/pending").and_then(Value::as_bool);
    match pending {
        Some(true) => format!("{file}, newer than what is in force"),
        Some(false) | None => file,
    }
}

fn last_failure(failure: &Value) -> String {
    let at = |name: &str| shown(failure.get(name));
    format!("{} ({}): {}", at("at"), at("stage"), at("reason"))
}

fn row(text: &mut String, name: &str, value: &str) {
    // Writing to a string can't fail.
    let _ = writeln!(text, "{name:<WIDTH$}  {value}");
}

fn table(columns: &[(&str, &str)], rows: &[Value]) -> String {
    let head = columns.iter().map(|(title, _)| (*title).to_owned());
    let mut lines: Vec<Vec<_>> = vec![head.collect()];
    lines.extend(rows.iter().map(|row| {
        let cells = columns.iter().map(|(_, name)| shown(row.get(name)));
        cells.collect()
    }));
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &lines {
        let cells = row.iter().zip(&widths);
        let line: Vec<_> = cells
            .map(|(cell, &width)| format!("{cell:<width$}"))
            .collect();
        let _ = writeln!(text, "{}", line.join("  ").trim_end());
    }
    text
}

fn list(value: Option<&Value>) -> &[Value] {
    let list = value.and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// On one line, without what could move a terminal's cursor.
fn shown(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => return "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let escape = |char: char| match char.is_control() {
        true => char.escape_default().collect(),
        false => String::from(char),
    };
    text.chars().map(escape).collect()
}

/// The last lines of an output, indented.
pub(super) fn end(output: &str) -> String {
    let lines: Vec<_> = output.lines().collect();
    let end = lines.get(lines.len().saturating_sub(LINES)..);
    let lines = end.unwrap_or_default().iter();
    lines.map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_becomes_a_table() {
        let report = json!({
            "state": "ready",
            "app": {"content_root": "/srv/shop", "path_base": "/", "command": "dotnet Shop.dll"},
            "config": {"file": "/srv/shop/web.config", "pending": true, "errors": ["1:2: wrong"]},
            "offline": {"by_file": false, "by_command": false},
            "waiting": 2, "restarts": 1, "failures": 1,
            "last_failure": {"at": "noon", "stage": "exited", "reason": "ended\nbadly"},
            "module": {"pid": 7, "version": "1", "started": "dawn"},
            "processes": [
                {"generation": 10, "slot": 0, "state": "ready", "pid": 11, "port": 12,
                 "in_flight": 3, "started": "now"},
                {"generation": 9, "slot": 0, "state": "draining", "pid": 5, "port": 6,
                 "in_flight": 1, "started": "then"},
            ],
        });
        assert_eq!(
            status(&report),
            "state         ready\n\
             command       dotnet Shop.dll\n\
             folder        /srv/shop\n\
             path base     /\n\
             config        /srv/shop/web.config, newer than what is in force\n\
             \x20 wrong       1:2: wrong\n\
             requests      4 in flight, 2 waiting\n\
             restarts      1\n\
             failures      1\n\
             \x20 last        noon (exited): ended\\nbadly\n\
             ancm          pid 7, version 1, since dawn\n\
             \n\
             GENERATION  SLOT  STATE     PID  PORT  REQUESTS  STARTED\n\
             10          0     ready     11   12    3         now\n\
             9           0     draining  5    6     1         then\n"
        );
    }

    #[test]
    fn addresses_have_a_table_of_their_own() {
        let report = json!({
            "state": "ready",
            "module": {"pid": 7, "version": "1", "started": "dawn"},
            "backends": [
                {"address": "10.0.0.1:80", "name": "app:80", "state": "up", "in_flight": 3,
                 "requests": 70, "cause": null},
                {"address": null, "name": "gone:80", "state": "unresolved", "in_flight": 0,
                 "requests": 0, "cause": "no such name"},
            ],
        });
        assert_eq!(
            status(&report),
            "state         ready\n\
             ancm          pid 7, version 1, since dawn\n\
             \n\
             ADDRESS      NAME     STATE       REQUESTS  TOTAL  CAUSE\n\
             10.0.0.1:80  app:80   up          3         70     -\n\
             -            gone:80  unresolved  0         0      no such name\n"
        );
    }

    #[test]
    fn what_is_not_told_is_a_dash() {
        let text = status(&json!({"offline": {"by_file": true, "by_command": true}}));
        assert!(text.starts_with("state         - (by command, and by"));
        assert!(text.contains("restarts      -\n"));
        assert!(!text.contains("GENERATION"));
    }

    #[test]
    fn only_the_end_of_an_output_is_shown() {
        let output: String = (0..100).map(|line| format!("{line}\n")).collect();
        let end = end(&output);
        assert_eq!(end.lines().count(), LINES);
        assert!(end.starts_with("    80\n") && end.ends_with("    99\n"));
    }
}
